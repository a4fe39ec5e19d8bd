//! Envelopes recorded from Windows, and variants of them, where the corpus is there.

use std::path::PathBuf;

use super::*;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
fn read(name: &str) -> Option<Vec<u8>> {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let body = std::fs::read(corpus.join("wef-soap").join(name)).ok();
    if body.is_none() {
        eprintln!("skipped: no corpus with wef-soap/{name}");
    }
    body
}

#[test]
fn a_recorded_enumerate() {
    let Some(body) = read("01-enumerate.xml") else {
        return;
    };
    let text = text_of(&body);
    let message = parse(&text).unwrap();
    assert!(matches!(message.body, Body::Enumerate));
    insta::assert_debug_snapshot!(message.header, @r#"
    Header {
        action: Some(
            "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate",
        ),
        message_id: Some(
            "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        ),
        relates_to: None,
        to: Some(
            "http://srv.windomain.local:5985/wsman/SubscriptionManager/WEC",
        ),
        reply_to: Some(
            "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
        ),
        resource_uri: Some(
            "http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription",
        ),
        machine_id: Some(
            "win10.windomain.local",
        ),
        operation_id: Some(
            "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
        ),
        max_envelope_size: Some(
            512000,
        ),
        identifier: None,
        version: None,
        bookmark: None,
    }
    "#);
}

#[test]
fn recorded_ends_and_acknowledgements() {
    for (name, action) in [
        ("03-end.xml", Action::End),
        ("09-end.xml", Action::End),
        ("05-ack.xml", Action::Ack),
        ("07-ack.xml", Action::Ack),
    ] {
        let Some(body) = read(name) else { return };
        let text = text_of(&body);
        let message = parse(&text).unwrap();
        assert_eq!(message.header.action(), action, "{name}");
        assert!(message.header.operation_id.is_some(), "{name}");
        assert_eq!(
            message.header.relates_to.is_some(),
            action == Action::Ack,
            "{name}"
        );
    }
}

#[test]
fn a_heartbeat() {
    let Some(body) = read("derived/heartbeat.utf16le.xml") else {
        return;
    };
    let text = text_of(&body);
    let message = parse(&text).unwrap();
    assert_eq!(message.header.action(), Action::Heartbeat);
    assert!(text.as_str().contains("AckRequested"));
    assert_eq!(events_of(&text), []);
}

#[test]
fn every_encoding_gives_the_same_events() {
    let Some(le) = read("derived/events-all-rendered.utf16le.xml") else {
        return;
    };
    let be = read("derived/events-all-rendered.utf16be.xml").unwrap();
    let utf8 = read("derived/events-all-rendered.utf8.xml").unwrap();
    let events = events_of(&text_of(&le));
    assert!(events.len() > 1);
    assert_eq!(events_of(&text_of(&be)), events);
    assert_eq!(events_of(&text_of(&utf8)), events);
    // Nothing was changed: the text of each event stands in the body as it is.
    let whole = String::from_utf8(utf8).unwrap();
    for (event, lossy) in events {
        assert!(whole.contains(&event) && !lossy);
        assert!(event.starts_with("<Event"), "{event}");
    }
}

#[test]
fn oddities_keep_their_batch() {
    let mut seen = Vec::new();
    for name in [
        "events-1-rendered",
        "events-cdata-end-escaped",
        "events-control-char",
        "events-docs-raw",
        "events-good-and-truncated",
        "events-lone-surrogate",
        "events-odd-bytes",
    ] {
        let Some(body) = read(&format!("derived/{name}.utf16le.xml")) else {
            return;
        };
        let text = text_of(&body);
        let events = events_of(&text);
        let lossy: Vec<usize> = (0..events.len()).filter(|at| events[*at].1).collect();
        let control = events
            .iter()
            .filter(|(text, _)| text.contains(|c: char| c < ' ' && !c.is_whitespace()));
        let whole = events
            .iter()
            .filter(|(text, _)| text.trim_end().ends_with("</Event>"));
        seen.push(format!(
            "{name}: {} events, {} end whole, {} with control characters, lossy {lossy:?}",
            events.len(),
            whole.count(),
            control.count(),
        ));
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    events-1-rendered: 1 events, 1 end whole, 0 with control characters, lossy []
    events-cdata-end-escaped: 1 events, 1 end whole, 0 with control characters, lossy []
    events-control-char: 2 events, 2 end whole, 1 with control characters, lossy []
    events-docs-raw: 82 events, 82 end whole, 0 with control characters, lossy []
    events-good-and-truncated: 7 events, 4 end whole, 0 with control characters, lossy []
    events-lone-surrogate: 2 events, 2 end whole, 0 with control characters, lossy [0]
    events-odd-bytes: 1 events, 1 end whole, 0 with control characters, lossy []
    "#);
}
