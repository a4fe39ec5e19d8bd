//! What the CEF encoder writes, Vector's parser must read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Encoder, Framing, Outcome, Prefix, Settings};
use windrow_oracles::Parser;

fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "source.example.com".to_owned(),
        address: None,
        subscription: None,
        received_at: "2018-05-17T23:59:28Z".parse().unwrap(),
    }
}

fn encode(settings: &Settings, xml: &str) -> (String, Outcome) {
    let mut index = Index::default();
    let _ = event::parse(xml, &mut index);
    let mut out = Vec::new();
    let outcome = Encoder::new(settings.clone())
        .encode(Event::new(xml, &index), &header(), &mut out)
        .unwrap();
    (String::from_utf8(out).unwrap(), outcome)
}

fn datagrams() -> Settings {
    Settings {
        framing: Framing::Datagram,
        message_bytes_max: 1 << 24,
        ..Settings::default()
    }
}

/// What the parser makes of `value`: it reads CR as LF, takes spaces and pipes at the end of
/// a value for part of the gap before the next key, and drops quotes around it.
fn as_read(value: &str) -> String {
    let value = value.replace('\t', " ").replace('\r', "\n");
    let value = value.trim_end_matches([' ', '|']).to_owned();
    match value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(bare) if value.len() > 1 => bare.to_owned(),
        _ => value,
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
            let signature = format!("{provider}:4688").replace(['\r', '\n', '\t'], " ");
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

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

fn xml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            xml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            found.push(path);
        }
    }
}

#[test]
fn vector_reads_every_event_of_the_corpus() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus; set WINDROW_CORPUS");
        return;
    };
    let mut files = Vec::new();
    xml_files(&corpus.join("event-xml"), &mut files);
    assert!(!files.is_empty());
    let oracle = Parser::cef();
    for file in &files {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        let (line, _) = encode(&datagrams(), &text);
        let read = oracle
            .parse(&line)
            .unwrap_or_else(|error| panic!("{}: {error}: {line}", file.display()));
        assert_eq!(read.len(), 7 + 23, "{}", file.display());
    }
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
