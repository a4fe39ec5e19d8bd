use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::batch::Kind;
use crate::event::{self, Index};

fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "source.example.com".to_owned(),
        address: None,
        subscription: None,
        received_at: "2026-11-21T08:09:10Z".parse().unwrap(),
    }
}

fn encode(settings: Settings, xml: &str) -> Vec<u8> {
    let mut index = Index::default();
    let _ = event::parse(xml, &mut index);
    let mut out = Vec::new();
    Encoder::new(settings)
        .encode(Event::new(xml, &index), &header(), &mut out)
        .unwrap();
    out
}

fn xml(time: &str, computer: &str) -> String {
    format!(
        concat!(
            r#"<Event><System><Provider Name="p"/><EventID>1501</EventID><Level>3</Level>"#,
            r#"<TimeCreated SystemTime="{}"/><Computer>{}</Computer></System></Event>"#
        ),
        time, computer
    )
}

/// The prefix alone.
fn prefix(prefix: Prefix, zone: TimeZone, time: &str, computer: &str) -> String {
    let settings = Settings {
        prefix,
        zone,
        framing: Framing::Datagram,
        ..Settings::default()
    };
    let out = String::from_utf8(encode(settings, &xml(time, computer))).unwrap();
    out.split("CEF:").next().unwrap().to_owned()
}

#[test]
fn each_prefix_as_its_document_writes_it() {
    const TIME: &str = "2018-05-07T23:59:28.1234567Z";
    let zone = || TimeZone::fixed(Offset::constant(-7));
    let lines = [
        prefix(Prefix::Rfc3164, TimeZone::UTC, TIME, "host.example.com"),
        prefix(Prefix::Rfc3164, zone(), TIME, "host.example.com"),
        prefix(Prefix::Rfc3164Iso, TimeZone::UTC, TIME, "host"),
        prefix(Prefix::Rfc3164Iso, zone(), "2018-05-17T03:04:05Z", "host"),
        prefix(Prefix::Rfc5424, TimeZone::UTC, TIME, "host"),
        prefix(Prefix::None, TimeZone::UTC, TIME, "host"),
        prefix(Prefix::Rfc3164, TimeZone::UTC, "", ""),
        prefix(Prefix::LegacyAzureStack, zone(), TIME, "TestHost"),
        prefix(Prefix::LegacyAzureStack, TimeZone::UTC, TIME, "TestHost"),
    ];
    insta::assert_snapshot!(lines.map(|line| format!("[{line}]")).join("\n"), @"
[<84>May  7 23:59:28 host.example.com ]
[<84>May  7 16:59:28 host.example.com ]
[<84>2018-05-07T23:59:28.123456Z host ]
[<84>2018-05-16T20:04:05.000000-07:00 host ]
[<84>1 2018-05-07T23:59:28.123456Z host windrow - 1501 - ]
[]
[<84>Nov 21 08:09:10 source.example.com ]
[2018:05:07:-16:59:28 -07:00 TestHost ]
[2018:05:07:-23:59:28 +00:00 TestHost ]
");
}

#[test]
fn odd_hosts_are_made_safe() {
    let host = |computer: &str| {
        prefix(
            Prefix::Rfc3164,
            TimeZone::UTC,
            "2018-05-07T23:59:28Z",
            computer,
        )
        .split(' ')
        .nth(4)
        .unwrap()
        .to_owned()
    };
    let hosts = [
        "fe80::1",
        "::1",
        "[2001:db8::]",
        "fe80::1%12",
        "10.0.0.1",
        "WIN 7\tPC",
        "Büro",
        "a:b",
    ];
    insta::assert_snapshot!(hosts.map(host).join("\n"), @"
fe80--1.ipv6-literal.net
0--1.ipv6-literal.net
2001-db8--0.ipv6-literal.net
fe80--1.ipv6-literal.net
10.0.0.1
WIN-7-PC
B-ro
a-b
");
}

#[test]
fn priorities_are_facility_10_and_the_levels_severity() {
    let severities = [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        Some(9),
    ];
    assert_eq!(
        severities.map(|level| severity(cef::severity(level))),
        [7, 7, 2, 3, 4, 6, 7, 7]
    );
    assert!(prefix(Prefix::Rfc3164, TimeZone::UTC, "", "h").starts_with("<84>"));
}

/// Reads one frame as RFC 6587 says and returns the message and what follows.
fn unframe(framing: Framing, bytes: &[u8]) -> (&[u8], &[u8]) {
    match framing {
        Framing::Datagram => (bytes, &[]),
        Framing::LineFeed => {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            (&bytes[..end], &bytes[end + 1..])
        }
        Framing::OctetCounting => {
            let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
            let len: usize = std::str::from_utf8(&bytes[..space])
                .unwrap()
                .parse()
                .unwrap();
            bytes[space + 1..].split_at(len)
        }
    }
}

proptest! {
    #[test]
    fn one_event_is_one_frame(
        computers in prop::collection::vec("\\PC{0,12}|[a-f0-9:]{0,20}", 1..5),
        payload in "[ -~\\r\\n\\t\u{80}-\u{2FFF}]{0,200}",
        prefix in prop::sample::select(vec![Prefix::Rfc3164, Prefix::Rfc3164Iso, Prefix::Rfc5424, Prefix::None, Prefix::LegacyAzureStack]),
        framing in prop::sample::select(vec![Framing::LineFeed, Framing::OctetCounting]),
        profile in prop::sample::select(vec![cef::Profile::AzureStack, cef::Profile::Standard]),
    ) {
        let clean = |text: &str| text.replace(['<', '&', '>'], "");
        let cef = cef::Settings { profile, ..cef::Settings::default() };
        let settings = Settings { prefix, framing, cef, ..Settings::default() };
        let mut stream = Vec::new();
        let mut alone = Vec::new();
        for computer in &computers {
            let text = xml("2018-05-07T23:59:28Z", &clean(computer))
                .replace("</System>", &format!("</System><EventData><Data>{}</Data></EventData>", clean(&payload)));
            stream.extend_from_slice(&encode(settings.clone(), &text));
            alone.push(encode(Settings { framing: Framing::Datagram, ..settings.clone() }, &text));
        }
        let mut rest = stream.as_slice();
        for expected in &alone {
            let (message, after) = unframe(framing, rest);
            prop_assert_eq!(message, expected.as_slice());
            prop_assert!(!message.contains(&b'\n'));
            if prefix == Prefix::Rfc3164 {
                let text = std::str::from_utf8(message).unwrap();
                let words: Vec<&str> = text.split(' ').collect();
                prop_assert!(words[5].starts_with("CEF:0|Microsoft|"), "{}", text);
            }
            rest = after;
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_message_keeps_to_its_size(
        len in 0usize..9_000,
        max in 0usize..4_096,
        profile in prop::sample::select(vec![cef::Profile::AzureStack, cef::Profile::Standard]),
    ) {
        let text = xml("2018-05-07T23:59:28Z", &"h".repeat(300))
            .replace("</System>", &format!("</System><EventData><Data>{}</Data></EventData>", "=".repeat(len)));
        let cef = cef::Settings { profile, ..cef::Settings::default() };
        let settings = Settings { framing: Framing::Datagram, message_bytes_max: max, cef, ..Settings::default() };
        prop_assert!(encode(settings, &text).len() <= max.max(limits::SYSLOG_MESSAGE_MIN));
    }
}
