//! What the CEF encoder writes, Vector's parser must read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use windrow_formats::cef::{self, Profile};
use windrow_formats::syslog::{Framing, Outcome, Prefix, Settings};
use windrow_oracles::{Parser, as_read, encode, shown};

fn datagrams() -> Settings {
    Settings {
        framing: Framing::Datagram,
        message_bytes_max: 1 << 24,
        ..Settings::default()
    }
}

fn xml(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push_str(&format!("&#{};", u32::from(character))),
            plain => out.push(plain),
        }
    }
    out
}

fn event(provider: &str, message: &str, data: &[String]) -> String {
    let mut items = String::new();
    for value in data {
        items.push_str(&format!("<Data>{}</Data>", xml(value)));
    }
    format!(
        concat!(
            r#"<Event><System><Provider Name="{}"/><EventID>4688</EventID><Level>2</Level>"#,
            r#"<EventRecordID>12</EventRecordID><Computer>host</Computer></System>"#,
            "<EventData>{}</EventData><RenderingInfo><Message>{}</Message></RenderingInfo></Event>"
        ),
        xml(provider),
        items,
        xml(message)
    )
}

fn hostile() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => prop::char::range(' ', '~'),
        3 => prop::sample::select(vec!['\\', '=', '|', '\n', '\r', '\t', ' ', '!', '"', 'n']),
        1 => prop::sample::select(vec!['\u{FFFD}', '\u{202E}', '\u{200F}', '\u{2028}', '\u{85}']),
        1 => prop::char::range('\u{A1}', '\u{2FF}'),
        1 => prop::char::range('\u{3000}', '\u{9FFF}'),
    ];
    prop::collection::vec(character, 0..40).prop_map(|text| text.into_iter().collect())
}

/// Runs `check` on generated values, with a parser that is compiled once.
fn for_all<S: Strategy>(
    parser: Parser,
    strategy: S,
    check: impl Fn(&Parser, S::Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&strategy, |value| check(&parser, value));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn read(parser: &Parser, line: &str) -> Result<BTreeMap<String, String>, TestCaseError> {
    parser
        .parse(line)
        .map_err(|error| TestCaseError::fail(format!("{error}: {line}")))
}

#[test]
fn vector_reads_what_went_in() {
    let prefixes = vec![
        Prefix::Rfc3164,
        Prefix::Rfc3164Iso,
        Prefix::Rfc5424,
        Prefix::None,
        Prefix::LegacyAzureStack,
    ];
    let strategy = (
        hostile(),
        hostile(),
        prop::collection::vec(hostile(), 1..6),
        prop::sample::select(prefixes),
    );
    for_all(
        Parser::cef(),
        strategy,
        |parser, (provider, message, data, prefix)| {
            let settings = Settings {
                prefix,
                ..datagrams()
            };
            let (line, _) = encode(&settings, &event(&provider, &message, &data));
            let read = read(parser, &line)?;
            prop_assert_eq!(read.len(), 7 + 23);
            prop_assert_eq!(&read["severity"], "8");
            let signature = shown(&format!("{provider}:4688")).replace(['\r', '\n', '\t'], " ");
            prop_assert_eq!(&read["deviceEventClassId"], signature.trim());
            prop_assert_eq!(&read["MasProviderName"], &as_read(&provider));
            prop_assert_eq!(&read["MasEventDescription"], &as_read(&message));
            prop_assert_eq!(&read["MasEventData"], &as_read(&data.join("!!")));
            prop_assert_eq!(&read["MasEventRecordID"], "12");
            Ok(())
        },
    );
}

#[test]
fn vector_reads_a_cut_message() {
    let strategy = (prop::collection::vec(hostile(), 1..60), 1_024usize..3_000);
    for_all(Parser::cef(), strategy, |parser, (data, max)| {
        let settings = Settings {
            message_bytes_max: max,
            ..datagrams()
        };
        let (line, outcome) = encode(&settings, &event("provider", "message", &data));
        prop_assert!(line.len() <= max);
        let read = read(parser, &line)?;
        match outcome {
            Outcome::Whole => prop_assert_eq!(read.len(), 7 + 23),
            Outcome::Cut(removed) => {
                prop_assert_eq!(&read["WindrowTruncated"], &removed.to_string());
            }
        }
        Ok(())
    });
}

/// Time, host and priority as a receiver reads them, from every prefix that has them.
#[test]
fn vector_reads_the_prefix() {
    let xml = event("provider", "message", &[]).replace(
        "<EventRecordID>",
        r#"<TimeCreated SystemTime="2018-05-07T23:59:28.1234567Z"/><EventRecordID>"#,
    );
    let oracle = Parser::syslog();
    for prefix in [Prefix::Rfc3164, Prefix::Rfc3164Iso, Prefix::Rfc5424] {
        let (line, _) = encode(
            &Settings {
                prefix,
                ..datagrams()
            },
            &xml,
        );
        let read = oracle.parse(&line).unwrap();
        assert_eq!(read["hostname"], "host", "{line}");
        assert_eq!(read["facility"], "authpriv");
        assert_eq!(read["severity"], "err");
        let time = match prefix {
            // Without a year the parser takes the present one.
            Prefix::Rfc3164 => "-05-07T23:59:28Z",
            _ => "2018-05-07T23:59:28.123456Z",
        };
        assert!(read["timestamp"].ends_with(time), "{}", read["timestamp"]);
        if prefix == Prefix::Rfc5424 {
            assert_eq!((&*read["appname"], &*read["msgid"]), ("windrow", "4688"));
            assert!(read["message"].starts_with("CEF:0|Microsoft|"));
        }
    }
}

/// What an attacker would put into a value to look like something else.
fn attack() -> impl Strategy<Value = String> {
    let trick = prop_oneof![
        3 => hostile(),
        1 => Just("\nCEF:0|Evil|Evil|1|1|fake|10|".to_owned()),
        1 => Just(" CEF:0|Evil|Evil|1|1|fake|10|msg=x".to_owned()),
        1 => Just("\r\n<134>1 2026-01-01T00:00:00Z h a - - - CEF:0|a|b|c|d|e|1|".to_owned()),
        1 => Just("\tx=y suser=root".to_owned()),
        1 => Just(" cs1=other duser=admin".to_owned()),
        1 => Just("\\".to_owned()),
        1 => Just("C:\\new\\=".to_owned()),
        1 => Just("|".repeat(9)),
        1 => Just("\u{FFFD}\u{202E}gnp.exe\u{0}".replace('\0', "")),
    ];
    let long = hostile().prop_map(|text| (text + "=\\\n|").repeat(10_000));
    prop_oneof![
        40 => prop::collection::vec(trick, 0..4).prop_map(|parts| parts.concat()),
        1 => long,
    ]
}

fn frames() -> impl Strategy<Value = Settings> {
    let prefixes = vec![
        Prefix::Rfc3164,
        Prefix::Rfc3164Iso,
        Prefix::Rfc5424,
        Prefix::None,
        Prefix::LegacyAzureStack,
    ];
    let framings = vec![Framing::LineFeed, Framing::OctetCounting, Framing::Datagram];
    (
        prop::sample::select(prefixes),
        prop::sample::select(framings),
        prop::sample::select(vec![Profile::AzureStack, Profile::Standard]),
        prop::sample::select(vec![1_024, 2_048, 8_192, 1 << 24]),
    )
        .prop_map(|(prefix, framing, profile, message_bytes_max)| Settings {
            prefix,
            framing,
            message_bytes_max,
            cef: cef::Settings {
                profile,
                ..cef::Settings::default()
            },
            ..Settings::default()
        })
}

/// Everything in an event that its maker chooses.
fn attacked(values: &[String]) -> String {
    let v = |place: usize| xml(&values[place]);
    format!(
        concat!(
            r#"<Event><System><Provider Name="{}"/><EventID>4688</EventID><Level>2</Level>"#,
            r#"<EventRecordID>12</EventRecordID><Channel>{}</Channel><Computer>{}</Computer></System>"#,
            r#"<EventData><Data Name="SubjectUserName">{}</Data><Data Name="CommandLine">{}</Data>"#,
            r#"<Data Name="{}">{}</Data><Data Name="IpAddress">{}</Data></EventData>"#,
            "<RenderingInfo><Message>{}</Message><Task>{}</Task></RenderingInfo></Event>"
        ),
        v(0),
        v(1),
        v(2),
        v(3),
        v(4),
        v(5),
        v(6),
        v(7),
        v(8),
        v(9),
    )
}

/// The message in a frame; everything after it would be a second one.
fn only_message(framing: Framing, frame: &str) -> Result<&str, TestCaseError> {
    match framing {
        Framing::Datagram => Ok(frame),
        Framing::LineFeed => {
            let message = frame.strip_suffix('\n');
            message.ok_or_else(|| TestCaseError::fail("no line end"))
        }
        Framing::OctetCounting => {
            let (length, message) = frame.split_once(' ').unwrap();
            prop_assert_eq!(length.parse::<usize>().unwrap(), message.len());
            Ok(message)
        }
    }
}

#[test]
fn no_text_starts_a_second_message_or_a_second_field() {
    const KEYS: [&str; 20] = [
        "rt",
        "cat",
        "dvchost",
        "deviceExternalId",
        "externalId",
        "suser",
        "sntdom",
        "shost",
        "src",
        "c6a2",
        "c6a2Label",
        "cn1",
        "cn1Label",
        "cs1",
        "cs1Label",
        "cs6",
        "cs6Label",
        "msg",
        "WindrowTruncated",
        "outcome",
    ];
    let strategy = (prop::collection::vec(attack(), 10), frames());
    for_all(Parser::cef(), strategy, |parser, (values, settings)| {
        let (frame, outcome) = encode(&settings, &attacked(&values));
        let message = only_message(settings.framing, &frame)?;
        prop_assert!(message.len() <= settings.message_bytes_max);
        prop_assert!(!message.contains(|c: char| c.is_control()));
        let read = read(parser, message)?;
        prop_assert_eq!(&read["deviceVendor"], "Microsoft");
        prop_assert_eq!(&read["severity"], "8");
        let extensions = read.keys().filter(|key| !HEADER.contains(&key.as_str()));
        if settings.cef.profile == Profile::AzureStack {
            let all = 23 + usize::from(outcome != Outcome::Whole);
            prop_assert_eq!(extensions.count(), all);
        } else {
            for key in extensions {
                prop_assert!(KEYS.contains(&key.as_str()), "{}", key);
            }
        }
        let record = match settings.cef.profile {
            Profile::AzureStack => "MasEventRecordID",
            Profile::Standard => "cn1",
        };
        prop_assert_eq!(&read[record], "12");
        Ok(())
    });
}

const HEADER: [&str; 7] = [
    "cefVersion",
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];
