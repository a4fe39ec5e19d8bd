//! What is read of Events of every shape, and what is said of those that are broken.

mod corpus;
mod generated;

use std::fmt::Write;

use insta::assert_snapshot;

use super::index::{DataEntry, Node, RenderingSpans, Strings};
use super::span::Span;
use super::*;
use crate::limits;

/// Parses, and checks on the way that the Index survives being stored.
pub(super) fn index_of(text: &str) -> Index {
    let mut index = Index::new();
    let result = parse(text, &mut index);
    let is_malformed = matches!(index.status(), ParseStatus::Malformed(_));
    assert_eq!(result.is_err(), is_malformed);
    let mut bytes = Vec::new();
    index.encode(&mut bytes);
    let mut decoded = Index::new();
    decoded.decode(&bytes, text).unwrap();
    assert_eq!(decoded, index);
    assert!(
        spans(&index)
            .iter()
            .all(|span| text.get(span.start()..span.end()).is_some())
    );
    index
}

/// Every span of an Index.
pub(super) fn spans(index: &Index) -> Vec<Span> {
    let Index {
        strings,
        event_data_name,
        data,
        tree,
        rendering,
        rendering_keywords,
        ..
    } = index;
    let Strings {
        provider_name,
        provider_guid,
        event_source_name,
        activity_id,
        related_activity_id,
        channel,
        computer,
        user_sid,
    } = *strings;
    let mut spans = vec![
        provider_name,
        provider_guid,
        event_source_name,
        activity_id,
        related_activity_id,
        channel,
        computer,
        user_sid,
        *event_data_name,
    ];
    spans.extend(
        data.iter()
            .flat_map(|&DataEntry { name, value, .. }| [name, value]),
    );
    spans.extend(
        tree.iter()
            .flat_map(|&Node { name, value, .. }| [name, value]),
    );
    if let Some(rendering) = rendering {
        let RenderingSpans {
            culture,
            message,
            level,
            task,
            opcode,
            channel,
            provider,
            ..
        } = *rendering;
        spans.extend([culture, message, level, task, opcode, channel, provider]);
    }
    spans.extend(rendering_keywords);
    spans.retain(|span| span.is_some());
    spans
}

/// Everything an Event says, a line each.
fn dump(text: &str) -> String {
    let index = index_of(text);
    let event = Event::new(text, &index);
    let mut out = format!("{:?} {:?}\n", event.status(), event.payload());
    macro_rules! lines {
        ($event:ident, $prefix:literal: $($field:ident)*) => {$(
            if let Some(value) = $event.$field() {
                writeln!(out, concat!($prefix, stringify!($field), " = {:?}"), value).unwrap();
            }
        )*};
    }
    lines!(event, "": provider_name provider_guid event_source_name event_id qualifiers version
        level task opcode keywords time_created record_id activity_id related_activity_id
        process_id thread_id processor_id session_id kernel_time user_time processor_time
        channel computer user_sid event_data_name);
    for item in event.data() {
        writeln!(out, "{:?} {:?} = {:?}", item.kind, item.name, item.value).unwrap();
    }
    for leaf in event.user_data() {
        writeln!(out, "{} = {:?}", leaf.path, leaf.value).unwrap();
    }
    if let Some(rendering) = event.rendering() {
        lines!(rendering, "rendered ": is_truncated_flag culture message level task opcode channel
            provider);
        for keyword in rendering.keywords() {
            writeln!(out, "rendered keyword = {keyword:?}").unwrap();
        }
    }
    out
}

trait TruncatedFlag {
    fn is_truncated_flag(&self) -> Option<bool>;
}

impl TruncatedFlag for Rendering<'_> {
    fn is_truncated_flag(&self) -> Option<bool> {
        self.is_truncated().then_some(true)
    }
}

const NAMESPACE: &str = "http://schemas.microsoft.com/win/2004/08/events/event";

const FULL: &str = "\u{feff}<?xml version='1.0'?>\r\n<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>\
    <System><Provider Name='Microsoft-Windows-Security-SPP' Guid='{E23B33B0-C8C9-472C-A5F9-F2BDFEA0F156}' \
    EventSourceName='Software Protection Platform Service'/><EventID Qualifiers='49152'>8198</EventID>\
    <Version>1</Version><Level>16</Level><Task>3</Task><Opcode>240</Opcode>\
    <Keywords>0x8080000000000000</Keywords><TimeCreated SystemTime='2024-03-14T13:54:25.123456789Z'/>\
    <EventRecordID>18446744073709551615</EventRecordID><Correlation ActivityID='{a}' RelatedActivityID='{b}'/>\
    <Execution ProcessID='7240' ThreadID='0' ProcessorID='3' SessionID='1' KernelTime='30' UserTime='15' \
    ProcessorTime='45'/><Channel>Application</Channel><Computer>WKS10001</Computer>\
    <Security UserID='S-1-5-18'/></System><EventData Name='TEMPLATE'><Data Name='Path'>C:\\a &amp; b\t</Data>\
    <Data Name='Empty'/></EventData><RenderingInfo Culture='en-GB'><Message>Failed:&#13;&#10;<![CDATA[<x>]]></Message>\
    <Level>Error</Level><Task></Task><Opcode>Info</Opcode><Channel>Application</Channel>\
    <Provider>SPP</Provider><Keywords><Keyword>Classic</Keyword><Keyword> Two </Keyword></Keywords></RenderingInfo></Event>";

#[test]
fn every_field_is_read() {
    assert_snapshot!(dump(FULL), @r#"
    Whole EventData
    provider_name = "Microsoft-Windows-Security-SPP"
    provider_guid = "{E23B33B0-C8C9-472C-A5F9-F2BDFEA0F156}"
    event_source_name = "Software Protection Platform Service"
    event_id = 8198
    qualifiers = 49152
    version = 1
    level = 16
    task = 3
    opcode = 240
    keywords = 9259400833873739776
    time_created = 2024-03-14T13:54:25.123456789Z
    record_id = 18446744073709551615
    activity_id = "{a}"
    related_activity_id = "{b}"
    process_id = 7240
    thread_id = 0
    processor_id = 3
    session_id = 1
    kernel_time = 30
    user_time = 15
    processor_time = 45
    channel = "Application"
    computer = "WKS10001"
    user_sid = "S-1-5-18"
    event_data_name = "TEMPLATE"
    Data Some("Path") = "C:\\a & b\t"
    Data Some("Empty") = ""
    rendered culture = "en-GB"
    rendered message = "Failed:\r\n<x>"
    rendered level = "Error"
    rendered opcode = "Info"
    rendered channel = "Application"
    rendered provider = "SPP"
    rendered keyword = "Classic"
    rendered keyword = "Two"
    "#);
}

#[test]
fn classic_events_lack_most_fields() {
    assert_snapshot!(dump(&format!(
        "<Event xmlns='{NAMESPACE}'>\n <System>\n  <Provider Name=\"EventLog\" />\n  \
         <EventID Qualifiers=\"32768\"> 6013 </EventID>\n  <Channel> System </Channel>\n  \
         <Computer></Computer>\n  <Correlation />\n  <Security />\n </System>\n <EventData>\n  \
         <Data>one</Data>\n  <Data />\n  <Data></Data>\n  <Binary>31002E</Binary>\n </EventData>\n</Event>\n"
    )), @r#"
    Whole EventData
    provider_name = "EventLog"
    event_id = 6013
    qualifiers = 32768
    channel = "System"
    Data None = "one"
    Data None = ""
    Data None = ""
    Binary None = "31002E"
    "#);
}

#[test]
fn user_data_is_a_tree() {
    assert_snapshot!(dump(&format!(
        "<Event xmlns='{NAMESPACE}'><UserData>\n<a:RuleAndFileData xmlns:a='urn:x' a:version='2'>\
         <a:Policy Name='EXE' />mixed &lt;<b><c d='1'>x<!-- no -->y</c><c></c></b> tail </a:RuleAndFileData>\
         \n<Second/>direct</UserData></Event>"
    )), @r#"
    Whole UserData
    RuleAndFileData/@version = "2"
    RuleAndFileData/Policy = ""
    RuleAndFileData/Policy/@Name = "EXE"
    RuleAndFileData = "mixed <"
    RuleAndFileData/b/c = "xy"
    RuleAndFileData/b/c/@d = "1"
    RuleAndFileData/b/c = ""
    RuleAndFileData = " tail "
    Second = ""
     = "direct"
    "#);
}

#[test]
fn other_payloads_are_read() {
    assert_snapshot!(dump(
        "<Event><ProcessingErrorData><ErrorCode>15005</ErrorCode><DataItemName></DataItemName>\
         <EventPayload>0102</EventPayload></ProcessingErrorData></Event>"
    ), @r#"
    Whole ProcessingErrorData
    ErrorCode = "15005"
    DataItemName = ""
    EventPayload = "0102"
    "#);
    assert_snapshot!(dump(
        "<Event><DebugData><SequenceNumber>1</SequenceNumber><FlagsName>F</FlagsName></DebugData></Event>"
    ), @r#"
    Whole DebugData
    SequenceNumber = "1"
    FlagsName = "F"
    "#);
    assert_snapshot!(dump("<Event><BinaryEventData>0A0B</BinaryEventData></Event>"), @r#"
    Whole BinaryEventData
    Binary None = "0A0B"
    "#);
    assert_snapshot!(dump("<Event><UserData/><Unknown><x/></Unknown></Event>"), @"Whole UserData");
}

#[test]
fn items_with_elements_inside_keep_their_markup() {
    assert_snapshot!(dump(
        "<Event><EventData><ComplexData Name='c'><x a='1'>&amp;</x></ComplexData>\
         <Data Name='t'><?xml version='1.0'?> <Task><Exec/></Task>\n</Data>\
         <Data Name='a&amp;b'>after</Data><Other>passed over</Other></EventData></Event>"
    ), @r#"
    Whole EventData
    ComplexData Some("c") = "<x a='1'>&amp;</x>"
    Data Some("t") = "<?xml version='1.0'?> <Task><Exec/></Task>\n"
    Data Some("a&b") = "after"
    "#);
}

#[test]
fn what_xml_forbids_but_events_have_is_tolerated() {
    assert_snapshot!(dump(
        "<Event><EventData><Data Name='a'>\u{1}\u{3}\u{1b}&#x1;&#3;\u{fffd}\u{ffff}</Data>\
         <Data Name='b'>USB\\VID_04F3&PID_012D\\7&1E3A8971&0&2</Data><Data Name='b'>a > b ]]></Data>\
         <Data Name='\u{20ac}'>\u{1F600}</Data></EventData></Event>\r\n\0\0"
    ), @r#"
    Whole EventData
    Data Some("a") = "\u{1}\u{3}\u{1b}\u{1}\u{3}�\u{ffff}"
    Data Some("b") = "USB\\VID_04F3&PID_012D\\7&1E3A8971&0&2"
    Data Some("b") = "a > b ]]>"
    Data Some("€") = "😀"
    "#);
}

#[test]
fn odd_numbers_are_absent_and_the_first_of_two_counts() {
    assert_snapshot!(dump(
        "<Event><System><EventID>4294967296</EventID><Version></Version><Level>high</Level><Task>-1</Task>\
         <Opcode>1</Opcode><Opcode>2</Opcode><Keywords>0x</Keywords><TimeCreated SystemTime='yesterday'/>\
         <EventRecordID>0x10</EventRecordID><Channel>A</Channel><Channel>B</Channel></System>\
         <System><Channel>C</Channel><Version>3</Version></System></Event>"
    ), @r#"
    Whole None
    version = 3
    opcode = 1
    record_id = 16
    channel = "A"
    "#);
}

#[test]
fn a_prefix_gives_the_fields_before_it() {
    let whole = index_of(FULL);
    assert_eq!(whole.status(), ParseStatus::Whole);
    let event = FULL.find("<Event").unwrap();
    let rendering = FULL.find("<RenderingInfo").unwrap();
    for end in (0..FULL.len()).filter(|&end| FULL.is_char_boundary(end)) {
        let index = index_of(&FULL[..end]);
        let expected = match end {
            _ if end < event + "<Event ".len() => Reason::NotAnEvent,
            _ => Reason::CutOff,
        };
        let is_in_rendering =
            end > rendering + "<RenderingInfo".len() && end < FULL.find("</Event>").unwrap();
        if is_in_rendering {
            assert_eq!(index.status(), ParseStatus::TruncatedRendering, "{end}");
            assert_eq!(index.data, whole.data, "{end}");
        } else {
            assert_eq!(index.status(), ParseStatus::Malformed(expected), "{end}");
        }
        let known = spans(&whole);
        let is_partial = |span: &Span| {
            is_in_rendering && known.iter().any(|whole| whole.start() == span.start())
        };
        assert!(
            spans(&index)
                .iter()
                .all(|span| known.contains(span) || is_partial(span)),
            "{end}"
        );
    }
}

#[test]
fn a_rendering_cut_off_keeps_what_was_rendered() {
    assert_snapshot!(dump(
        "<Event><System><EventID>4798</EventID></System><RenderingInfo Culture='en-US'>\
         <Level>Information</Level><Message>A user's groups were read.&#13;&#10;&#13;&#1"
    ), @r#"
    TruncatedRendering None
    event_id = 4798
    rendered is_truncated_flag = true
    rendered culture = "en-US"
    rendered message = "A user's groups were read.\r\n\r&#1"
    rendered level = "Information"
    "#);
    assert_snapshot!(dump(
        "<Event><RenderingInfo Culture='en-US'><Message>cut in the middle</Event>"
    ), @r#"
    TruncatedRendering None
    rendered is_truncated_flag = true
    rendered culture = "en-US"
    rendered message = "cut in the middle"
    "#);
    assert_snapshot!(dump(
        "<Event><RenderingInfo Culture='en-US'><Keywords><Keyword>One</Keyword><  <Keyword>"
    ), @r#"
    TruncatedRendering None
    rendered is_truncated_flag = true
    rendered culture = "en-US"
    rendered keyword = "One"
    "#);
    assert_snapshot!(dump("<Event><RenderingInfo Culture='en"), @r#"
    TruncatedRendering None
    rendered is_truncated_flag = true
    "#);
}

#[test]
fn broken_events_are_named_and_what_precedes_is_read() {
    let mut index = Index::new();
    for (text, reason) in [
        ("", Reason::NotAnEvent),
        (
            "03/12/2021 10:48:14 AM\nLogName=Security",
            Reason::NotAnEvent,
        ),
        ("<Events></Events>", Reason::NotAnEvent),
        ("</Event>", Reason::NotAnEvent),
        ("<Event", Reason::NotAnEvent),
        ("<Event ", Reason::CutOff),
        ("<Event><System></Event>", Reason::MismatchedTag),
        ("<Event></Events>", Reason::MismatchedTag),
        (
            "<Event><EventData><Data><x></y></x></Data></EventData></Event>",
            Reason::MismatchedTag,
        ),
        ("<Event><Wrong <RenderingInfo", Reason::BadMarkup),
        ("<Event><a b></a></Event>", Reason::BadMarkup),
        ("<Event><a b=c></a></Event>", Reason::BadMarkup),
        ("<Event><></Event>", Reason::BadMarkup),
        ("<Event></Event x>", Reason::BadMarkup),
        ("<Event><!-- ", Reason::CutOff),
        ("<Event/>and more", Reason::TrailingContent),
        ("<Event/><Event/>", Reason::TrailingContent),
    ] {
        let error = parse(text, &mut index).unwrap_err();
        assert_eq!(
            (error.reason, index.status()),
            (reason, ParseStatus::Malformed(reason)),
            "{text}"
        );
        assert!(error.offset <= text.len());
    }
    assert_snapshot!(dump(
        "<Event><System><EventID>1</EventID></System><EventData><Data Name='a'>1</Data><Data Name='b'>2</Dat"
    ), @r#"
    Malformed(CutOff) EventData
    event_id = 1
    Data Some("a") = "1"
    "#);
}

#[test]
fn limits_end_the_reading_and_keep_the_rest() {
    let deep = "<a>".repeat(limits::EVENT_DEPTH_MAX);
    for text in [
        format!("<Event><UserData>{deep}"),
        format!("<Event><EventData><Data>{deep}"),
        format!("<Event><Unknown>{deep}"),
    ] {
        assert_eq!(
            index_of(&text).status(),
            ParseStatus::Malformed(Reason::TooDeep)
        );
    }
    let most = limits::EVENT_DEPTH_MAX - 1;
    let text = format!(
        "<Event><UserData>{}{}</UserData></Event>",
        "<a>".repeat(most),
        "</a>".repeat(most)
    );
    let index = index_of(&text);
    assert_eq!(index.status(), ParseStatus::Whole);
    let leaf = Event::new(&text, &index).user_data().next().unwrap();
    assert_eq!(leaf.path.to_string(), vec!["a"; most].join("/"));

    let text = format!(
        "<Event><EventData>{}",
        "<Data/>".repeat(limits::EVENT_DATA_ITEMS_MAX + 1)
    );
    let index = index_of(&text);
    assert_eq!(index.status(), ParseStatus::Malformed(Reason::TooManyItems));
    assert_eq!(index.data.len(), limits::EVENT_DATA_ITEMS_MAX);

    let text = format!(
        "<Event><UserData>{}",
        "<a/>".repeat(limits::EVENT_TREE_NODES_MAX + 1)
    );
    assert_eq!(
        index_of(&text).status(),
        ParseStatus::Malformed(Reason::TooManyItems)
    );

    let text = format!(
        "<Event>{}</Event>",
        " ".repeat(limits::EVENT_TEXT_BYTES_MAX)
    );
    assert_eq!(
        index_of(&text).status(),
        ParseStatus::Malformed(Reason::TooLong)
    );
}

#[test]
fn named_values_are_found_by_name() {
    let text = "<Event><EventData><Data>0</Data><Data Name='a'>1</Data><Data Name='a'>2</Data>\
                <Data Name='&lt;'>3</Data></EventData></Event>";
    let index = index_of(text);
    let event = Event::new(text, &index);
    assert_eq!(event.data_value("a").as_deref(), Some("1"));
    assert_eq!(event.data_value("<").as_deref(), Some("3"));
    assert_eq!(event.data_value("").as_deref(), None);
    assert_eq!(event.data().len(), 4);
}

#[test]
fn an_index_of_another_text_gives_wrong_values_at_worst() {
    let index = index_of(FULL);
    for text in ["", "<Event/>", "\u{20ac}\u{20ac}\u{20ac}\u{20ac}"] {
        let event = Event::new(text, &index);
        assert_eq!(event.channel().as_deref(), Some(""));
        assert_eq!(event.data().count(), 2);
    }
    let mut bytes = Vec::new();
    index.encode(&mut bytes);
    let mut decoded = Index::new();
    assert_eq!(
        decoded.decode(&bytes, "<Event/>"),
        Err(DecodeError::OutsideText)
    );
    assert_eq!(decoded, Index::new());
    let wide = "\u{20ac}".repeat(FULL.len());
    assert_eq!(decoded.decode(&bytes, &wide), Err(DecodeError::OutsideText));
    bytes[0] = 9;
    assert_eq!(decoded.decode(&bytes, FULL), Err(DecodeError::Version(9)));
    assert_eq!(decoded.decode(&[], FULL), Err(DecodeError::Damaged));
}
