use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::event::{self, Event as Windows};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<?xml-stylesheet type='text/xsl' href='freb.xsl'?>
<failedRequest url="http://localhost:80/a?b=1&amp;c=&lt;" siteId="2" appPoolId="Own" processId="6608" verb="GET"
  remoteUserName="ann" userName="ann" tokenUserName="DOM\ann" authenticationType="Basic"
  activityId="{80000006-0007-FF00-B63F-84710C7967BB}" failureReason="STATUS_CODE" statusCode="404.13"
  triggerStatusCode="404.13" timeTaken="47" xmlns:freb="http://schemas.microsoft.com/win/2006/06/iis/freb">
"#;

const EVENT: &str = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>
<Provider Name="WWW Server" Guid="{3A2A4E84-4C21-4981-AE10-3FDA0D9B0F83}"/><EventID>7</EventID><Computer>w1</Computer></System>
<RenderingInfo Culture="en-US"><Opcode>END</Opcode><freb:Description Data="x">Event</freb:Description></RenderingInfo></Event>"#;

fn whole(events: usize) -> String {
    format!("{HEAD}{}</failedRequest>\n", EVENT.repeat(events))
}

#[test]
fn a_request_is_summed_up() {
    let text = whole(2);
    let request = FailedRequest::read(&text).unwrap();
    insta::assert_debug_snapshot!(FailedRequest { events: Vec::new(), ..request.clone() }, @r#"
    FailedRequest {
        url: "http://localhost:80/a?b=1&c=<",
        site_id: Some(
            2,
        ),
        app_pool: "Own",
        process_id: Some(
            6608,
        ),
        verb: "GET",
        authentication: Some(
            "Basic",
        ),
        remote_user: Some(
            "ann",
        ),
        user: Some(
            "ann",
        ),
        token_user: Some(
            "DOM\\ann",
        ),
        activity_id: Some(
            80000006-0007-ff00-b63f-84710c7967bb,
        ),
        failure_reason: "STATUS_CODE",
        status: Some(
            Status {
                code: 404,
                sub: Some(
                    13,
                ),
            },
        ),
        trigger_status: Some(
            Status {
                code: 404,
                sub: Some(
                    13,
                ),
            },
        ),
        time_taken_ms: Some(
            47,
        ),
        events: [],
        fault: None,
    }
    "#);
    let events: Vec<_> = request.events(&text).collect();
    assert_eq!(events, [EVENT, EVENT]);
}

#[test]
fn a_byte_order_mark_shifts_no_event() {
    let text = format!("\u{feff}{}", whole(2));
    let request = FailedRequest::read(&text).unwrap();
    assert_eq!(request.events(&text).collect::<Vec<_>>(), [EVENT, EVENT]);
}

#[test]
fn the_events_are_ordinary_events() {
    let text = whole(1);
    let request = FailedRequest::read(&text).unwrap();
    let event = request.events(&text).next().unwrap();
    let mut index = event::Index::new();
    event::parse(event, &mut index).unwrap();
    let event = Windows::new(event, &index);
    assert_eq!(event.event_id(), Some(7));
}

#[test]
fn what_came_before_a_fault_is_kept() {
    let text = whole(3);
    let cut = &text[..text.len() - EVENT.len()];
    let deep = format!("{HEAD}{EVENT}{}", "<a>".repeat(100));
    let broken = format!("{HEAD}{EVENT}</Event>");
    let said: Vec<_> = [cut, &deep, &broken]
        .into_iter()
        .map(|text| {
            let request = FailedRequest::read(text).unwrap();
            format!(
                "{} events, {}",
                request.event_count(),
                request.fault.unwrap()
            )
        })
        .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "2 events, no XML at byte 1167: syntax error: attribute value not closed: `\"` not found before end of input",
        "1 events, at byte 952 more than 40 elements are open",
        "1 events, no XML at byte 835: ill-formed document: expected `</failedRequest>`, but `</Event>` was found",
    ]
    "#);
}

#[test]
fn what_is_no_request_is_refused() {
    let said: Vec<_> = [
        "",
        "text",
        "<Event/>",
        "<Event></Event>",
        "<failedRequest a=1>",
        "<a",
    ]
    .into_iter()
    .map(|text| FailedRequest::read(text).unwrap_err().to_string())
    .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "no failedRequest: it begins with \"\"",
        "no failedRequest: it begins with \"\"",
        "no failedRequest: it begins with \"Event\"",
        "no failedRequest: it begins with \"Event\"",
        "no XML at byte 0: position 16: attribute value must be enclosed in `\"` or `'`",
        "no XML at byte 0: syntax error: tag not closed: `>` not found before end of input",
    ]
    "#);
    let large = " ".repeat(FREB_BYTES_MAX + 1);
    assert!(matches!(
        FailedRequest::read(&large),
        Err(FrebError::TooLarge { .. })
    ));
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
fn file(name: &str) -> Option<String> {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(corpus.join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no corpus with {name}");
    }
    text
}

#[test]
fn real_requests_are_read_whole() {
    let cases = [
        ("freb/fr000001-iisexpress-aspx500.xml", 175, 500, None),
        ("freb/fr000001-azurewebsites-404.xml", 99, 404, None),
    ];
    for (name, events, code, sub) in cases {
        let Some(text) = file(name) else {
            return;
        };
        let request = FailedRequest::read(&text).unwrap();
        assert_eq!(request.fault, None, "{name}");
        assert_eq!(request.event_count(), events, "{name}");
        assert_eq!(request.status, Some(Status { code, sub }), "{name}");
        let mut index = event::Index::new();
        for text in request.events(&text) {
            event::parse(text, &mut index).unwrap();
            let event = Windows::new(text, &index);
            assert!(
                event.event_id().is_some() && event.time_created().is_some(),
                "{text}"
            );
        }
    }
}

proptest! {
    #[test]
    fn damage_ends(at in 0..2_000_usize, with in "[<>/\"'& a-z]{0,4}", cut in 0..3_000_usize) {
        let mut text = whole(2);
        let at = at % text.len();
        text.replace_range(at..at, &with);
        if let Ok(request) = FailedRequest::read(&text) {
            prop_assert!(request.events(&text).count() == request.event_count());
        }
        text.truncate(cut);
        if let Ok(request) = FailedRequest::read(&text) {
            prop_assert!(request.events(&text).count() == request.event_count());
        }
    }
}
