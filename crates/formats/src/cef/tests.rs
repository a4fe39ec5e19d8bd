mod own;
mod standard;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::parse::{Parsed, parse};
use super::*;
use crate::batch::Kind;
use crate::event::{self, Index};

const WHOLE: usize = usize::MAX;

fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "collector.example.com".to_owned(),
        address: None,
        subscription: None,
        received_at: "2018-05-17T23:59:28Z".parse().unwrap(),
    }
}

fn encode(settings: Settings, xml: &str, max: usize) -> Result<(String, usize), TooLong> {
    let mut index = Index::default();
    // An event that is merely odd is encoded with what could be read of it.
    let _ = event::parse(xml, &mut index);
    let mut out = b"before".to_vec();
    let mut encoder = Encoder::new(settings);
    let removed = encoder.encode(Event::new(xml, &index), &header(), max, &mut out)?;
    let text = String::from_utf8(out).unwrap();
    Ok((text["before".len()..].to_owned(), removed))
}

fn whole(xml: &str) -> String {
    let (message, removed) = encode(Settings::default(), xml, WHOLE).unwrap();
    assert_eq!(removed, 0);
    message
}

/// The founding document's example values, as an event.
const GROUP_POLICY: &str = concat!(
    r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>"#,
    r#"<Provider Name="Microsoft-Windows-GroupPolicy" Guid="{AEA1B4FA-97D1-45F2-A64C-4D69FFFD92C9}"/>"#,
    r#"<EventID>1501</EventID><Version>0</Version><Level>4</Level><Task>0</Task><Opcode>1</Opcode>"#,
    r#"<Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime="2018-05-17T23:59:28.1234567Z"/>"#,
    r#"<EventRecordID>26637</EventRecordID>"#,
    r#"<Correlation ActivityID="{C8F40D7C-3764-423B-A4FA-C994442238AF}" RelatedActivityID="{C8F40D7C-3764-423B-A4FA-C994442238AF}"/>"#,
    r#"<Execution ProcessID="29380" ThreadID="25480"/><Channel>System</Channel>"#,
    r#"<Computer>test.azurestack.contoso.com</Computer><Security UserID="S-1-5-18"/></System>"#,
    r#"<EventData><Data Name="a">svchost</Data><Data Name="b">4132,G,0</Data><Data Name="c"></Data>"#,
    r#"<Data Name="d">EseDiskFlushConsistency</Data><Data Name="e">ESENT</Data><Data Name="f">0x800000</Data></EventData>"#,
    r#"<RenderingInfo Culture="en-US"><Message>The Group Policy settings for the user were processed successfully.</Message>"#,
    r#"<Level>Information</Level><Task></Task><Opcode>Info</Opcode><Channel></Channel><Provider></Provider>"#,
    r#"<Keywords></Keywords></RenderingInfo></Event>"#,
);

#[test]
fn the_documents_example_comes_out_as_the_document_prints_it() {
    insta::assert_snapshot!(whole(GROUP_POLICY).replace(" Mas", "\n Mas"), @"
CEF:0|Microsoft|Microsoft Azure Stack|1.0|Microsoft-Windows-GroupPolicy:1501|None|2|MasChannel=System
 MasComputer=test.azurestack.contoso.com
 MasCorrelationActivityID=C8F40D7C-3764-423B-A4FA-C994442238AF
 MasCorrelationRelatedActivityID=C8F40D7C-3764-423B-A4FA-C994442238AF
 MasEventData=svchost!!4132,G,0!!!!EseDiskFlushConsistency!!ESENT!!0x800000
 MasEventDescription=The Group Policy settings for the user were processed successfully.
 MasEventID=1501
 MasEventRecordID=26637
 MasExecutionProcessID=29380
 MasExecutionThreadID=25480
 MasKeywords=0x8000000000000000
 MasKeywordName=
 MasLevel=4
 MasOpcode=1
 MasOpcodeName=Info
 MasProviderEventSourceName=
 MasProviderGuid=AEA1B4FA-97D1-45F2-A64C-4D69FFFD92C9
 MasProviderName=Microsoft-Windows-GroupPolicy
 MasSecurityUserId=S-1-5-18
 MasTask=0
 MasTaskCategory=
 MasUserData=
 MasVersion=0
");
}

#[test]
fn user_data_is_followed_by_its_path() {
    let xml = concat!(
        r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>"#,
        r#"<Provider Name="Microsoft-Windows-Servicing"/><EventID>2</EventID><Level>0</Level></System>"#,
        r#"<UserData><CbsPackageChangeState xmlns="http://manifests.microsoft.com/win/2004/08/windows/setup_provider">"#,
        r#"<PackageIdentifier>KB4093112</PackageIdentifier><IntendedPackageState>5112</IntendedPackageState>"#,
        r#"<State>Installed</State><ErrorCode>0x0</ErrorCode><Client>WindowsUpdateAgent</Client>"#,
        r#"</CbsPackageChangeState></UserData></Event>"#,
    );
    let parsed = parse(&whole(xml)).unwrap();
    assert_eq!(
        parsed.extensions["MasUserData"],
        "KB4093112!!5112!!Installed!!0x0!!WindowsUpdateAgent Xpath: /Event/UserData/*"
    );
    assert_eq!(parsed.extensions.len(), 23);
}

#[test]
fn the_version_is_a_setting() {
    for (version, start) in [
        (Version::Zero, "CEF:0|Microsoft|"),
        (Version::ZeroPointZero, "CEF:0.0|Microsoft|"),
        (Version::One, "CEF:1|Microsoft|"),
    ] {
        let settings = Settings {
            version,
            ..Settings::default()
        };
        let (message, _) = encode(settings, GROUP_POLICY, WHOLE).unwrap();
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn levels_map_as_the_table_says() {
    let severities = [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        Some(16),
    ]
    .map(severity);
    assert_eq!(severities, [0, 0, 10, 8, 5, 2, 0, 0]);
}

#[test]
fn an_event_that_says_nothing_still_has_every_key() {
    let parsed = parse(&whole("<Event><System/></Event>")).unwrap();
    assert_eq!(parsed.signature, ":");
    assert_eq!(parsed.name, "None");
    assert_eq!(parsed.extensions.len(), 23);
    assert!(parsed.extensions.values().all(String::is_empty));
}

#[test]
fn header_and_values_are_escaped_each_in_its_own_way() {
    let mut out = Vec::new();
    escape::header("a|b\\c=d\r\ne\tf\0\u{202E}g", &mut out);
    out.push(b'\n');
    escape::value("a|b\\c=d\r\ne\tf\0\u{202E}g", Tabs::Space, &mut out);
    out.push(b'\n');
    escape::value("\tk=é\u{85}\u{2028}’\u{A9}ؤ", Tabs::Keep, &mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
a\|b\\c=d  e f<U+0000><U+202E>g
a|b\\c\=d\r\ne f<U+0000><U+202E>g
	k\=é<U+0085><U+2028>’©ؤ
");
}

#[test]
fn a_message_is_cut_to_size_with_all_its_keys() {
    let xml = GROUP_POLICY.replace("were processed", &"a=b\\é ".repeat(1_000));
    let (whole, _) = encode(Settings::default(), &xml, WHOLE).unwrap();
    for max in (1_024..2_048).step_by(7) {
        let (message, removed) = encode(Settings::default(), &xml, max).unwrap();
        assert!(message.len() <= max);
        let mark = format!(" WindrowTruncated={removed}");
        assert_eq!(whole.len() - removed, message.len() - mark.len());
        let parsed = parse(&message).unwrap();
        assert_eq!(parsed.extensions.len(), 24);
        assert_eq!(parsed.extensions["MasEventRecordID"], "26637");
        assert!(parsed.extensions["MasEventDescription"].ends_with("..."));
    }
}

#[test]
fn a_size_that_the_keys_do_not_fit_in_is_refused_and_leaves_nothing() {
    let error = encode(Settings::default(), GROUP_POLICY, 300).unwrap_err();
    assert_eq!(error.max, 300);
    assert!(error.needed > 300 && error.needed < 1_024, "{error}");
}

/// Text as a hostile source would choose it: what CEF, XML and terminals treat specially.
fn hostile() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => prop::char::range(' ', '~'),
        3 => prop::sample::select(vec!['\\', '=', '|', '\n', '\r', '\t', ' ', '!', '{', '}']),
        1 => prop::sample::select(vec!['\u{85}', '\u{202E}', '\u{2066}', '\u{2028}', '\u{61C}', '\u{7F}']),
        1 => any::<char>().prop_filter("XML 1.0 2.2", |c| {
            !matches!(*c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
        }),
    ];
    prop::collection::vec(character, 0..40).prop_map(|text| text.into_iter().collect())
}

/// As XML text that any parser must read as `text`.
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

/// What a receiver should read for `text`, stated anew.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\t' => out.push(' '),
            '\n' | '\r' => out.push(character),
            '\u{61C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("<U+{:04X}>", u32::from(character)));
            }
            control if control.is_control() => {
                out.push_str(&format!("<U+{:04X}>", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
    out
}

#[derive(Debug, Clone)]
struct Fields {
    provider: String,
    channel: String,
    computer: String,
    message: String,
    task: String,
    data: Vec<String>,
    leaves: Vec<String>,
    level: u8,
}

fn fields() -> impl Strategy<Value = Fields> {
    let lists = (
        prop::collection::vec(hostile(), 0..6),
        prop::collection::vec(hostile(), 1..4),
    );
    (
        hostile(),
        hostile(),
        hostile(),
        hostile(),
        hostile(),
        lists,
        0u8..8,
    )
        .prop_map(
            |(provider, channel, computer, message, task, (data, leaves), level)| Fields {
                provider,
                channel,
                computer,
                message,
                task,
                data,
                leaves,
                level,
            },
        )
}

impl Fields {
    fn event(&self, payload: &str) -> String {
        format!(
            concat!(
                r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="{}"/>"#,
                "<EventID>4688</EventID><Level>{}</Level><Task>7</Task><EventRecordID>12</EventRecordID>",
                "<Channel>{}</Channel><Computer>{}</Computer></System>{}",
                r#"<RenderingInfo Culture="en-US"><Message>{}</Message><Task>{}</Task></RenderingInfo></Event>"#
            ),
            xml(&self.provider),
            self.level,
            xml(&self.channel),
            xml(&self.computer),
            payload,
            xml(&self.message),
            xml(&self.task),
        )
    }

    fn event_data(&self) -> String {
        let mut payload = "<EventData>".to_owned();
        for value in &self.data {
            payload.push_str(&format!("<Data Name=\"n\">{}</Data>", xml(value)));
        }
        payload + "</EventData>"
    }

    fn user_data(&self) -> String {
        let mut payload = "<UserData><E xmlns=\"urn:x\">".to_owned();
        for value in &self.leaves {
            payload.push_str(&format!("<v>{}</v>", xml(value)));
        }
        payload + "</E></UserData>"
    }
}

fn joined(values: &[String]) -> String {
    values
        .iter()
        .map(|value| shown(value))
        .collect::<Vec<_>>()
        .join("!!")
}

/// Compares what every event of `fields` must have in common. Space around a channel's or
/// computer's name is layout and does not belong to it.
fn check(fields: &Fields, parsed: &Parsed) -> Result<(), TestCaseError> {
    let in_header = |text: &str| shown(text).replace(['\n', '\r'], " ");
    prop_assert_eq!(
        &parsed.signature,
        &format!("{}:4688", in_header(&fields.provider))
    );
    if !fields.task.is_empty() {
        prop_assert_eq!(&parsed.name, &in_header(&fields.task));
        prop_assert_eq!(&parsed.extensions["MasTaskCategory"], &shown(&fields.task));
    }
    let expected = BTreeMap::from([
        ("MasProviderName", shown(&fields.provider)),
        ("MasChannel", shown(fields.channel.trim_matches(' '))),
        ("MasComputer", shown(fields.computer.trim_matches(' '))),
        ("MasEventDescription", shown(&fields.message)),
        ("MasEventRecordID", "12".to_owned()),
        ("MasTask", "7".to_owned()),
    ]);
    for (key, value) in expected {
        prop_assert_eq!(&parsed.extensions[key], &value, "{}", key);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_value_reads_back_as_it_went_in(fields in fields()) {
        let parsed = parse(&whole(&fields.event(&fields.event_data()))).map_err(TestCaseError::fail)?;
        check(&fields, &parsed)?;
        prop_assert_eq!(&parsed.extensions["MasEventData"], &joined(&fields.data));

        let parsed = parse(&whole(&fields.event(&fields.user_data()))).map_err(TestCaseError::fail)?;
        check(&fields, &parsed)?;
        let expected = joined(&fields.leaves) + " Xpath: /Event/UserData/*";
        prop_assert_eq!(&parsed.extensions["MasUserData"], &expected);
    }

    #[test]
    fn a_cut_message_fits_and_parses(fields in fields(), max in 1_024usize..2_000) {
        let xml = fields.event(&fields.event_data());
        let (message, removed) = encode(Settings::default(), &xml, max).unwrap();
        prop_assert!(message.len() <= max);
        let parsed = parse(&message).map_err(TestCaseError::fail)?;
        prop_assert_eq!(parsed.extensions.len(), if removed == 0 { 23 } else { 24 });
        prop_assert_eq!(&parsed.extensions["MasEventRecordID"], "12");
    }
}
