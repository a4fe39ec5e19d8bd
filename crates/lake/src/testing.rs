//! Events for the tests of this crate.

use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::batch::{Flags, Header, Kind};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::identity;

use crate::output::{Format, Layout, QueryOutput};
use crate::query::{QueryLimits, Tail};
use crate::rows::Rows;
use crate::{Lake, RowBuilder};

/// A logon on WKS`computer`, record `record`, at `second` of 2025-11-05.
pub(crate) fn logon(computer: u32, record: u64, second: i64) -> String {
    let time = Timestamp::from_second(1_762_300_800 + second).unwrap();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='{time}'/>\
         <EventRecordID>{record}</EventRecordID><Execution ProcessID='780' ThreadID='8372'/>\
         <Channel>Security</Channel><Computer>WKS{computer:03}</Computer><Security/></System><EventData>\
         <Data Name='SubjectUserName'>-</Data><Data Name='TargetUserName'>user{record:04}</Data>\
         <Data Name='LogonType'>3</Data><Data Name='IpAddress'>::ffff:10.0.0.{computer}</Data>\
         <Data Name='IpPort'>50123</Data></EventData></Event>"
    )
}

/// A Parquet file whose footer says that there are two thousand million row groups, behind a schema of a root without
/// columns: room for them would be hundreds of gigabytes.
pub(crate) fn file_that_asks_for_all_memory() -> Vec<u8> {
    let footer = [
        0x15, 0x02, 0x19, 0x1c, 0x48, 0x01, b'r', 0x15, 0x00, 0, 0x16, 0x00, 0x19, 0xfc, 0xff,
        0xff, 0xff, 0xff, 0x07, 0,
    ];
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", &footer[..], &length, b"PAR1"].concat()
}

pub(crate) fn header(kind: Kind) -> Header {
    Header {
        kind,
        source: "host/wks@EXAMPLE".to_owned(),
        address: Some([192, 0, 2, 7].into()),
        subscription: (kind == Kind::Wef).then(|| "main".to_owned()),
        received_at: "2025-11-05T12:00:00.25Z".parse().unwrap(),
    }
}

/// Rows of these events; with `first_seq` as they come from the journal, without as imported.
pub(crate) fn rows(events: &[String], first_seq: Option<u64>) -> Rows {
    let kind = if first_seq.is_some() {
        Kind::Wef
    } else {
        Kind::Evtx
    };
    rows_from(&header(kind), events, first_seq)
}

pub(crate) fn rows_from(header: &Header, events: &[String], first_seq: Option<u64>) -> Rows {
    built(RowBuilder::new(), header, events, first_seq)
}

/// Rows of these events of a journal.
pub(crate) fn rows_of(journal: Uuid, header: &Header, events: &[String], first_seq: u64) -> Rows {
    built(
        RowBuilder::of_journal(journal),
        header,
        events,
        Some(first_seq),
    )
}

fn built(
    mut builder: RowBuilder,
    header: &Header,
    events: &[String],
    first_seq: Option<u64>,
) -> Rows {
    let mut index = Index::new();
    for (place, text) in (0..).zip(events) {
        let _ = parse(text, &mut index);
        let event = Event::new(text, &index);
        let key = identity("WKS", event);
        builder.push(
            first_seq.map(|first| first + place),
            header,
            Flags::of(&index),
            event,
            key,
        );
    }
    builder.finish()
}

pub(crate) async fn write(output: QueryOutput, format: Format) -> String {
    let mut out = Vec::new();
    output
        .write(format, &Layout::default(), &mut out)
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// The answer of the lake with this tail, which lacks nothing, as lines of JSON.
pub(crate) async fn ask_with(lake: &Lake, sql: &str, tail: Tail) -> String {
    let output = lake.query(sql, tail, QueryLimits::default()).await.unwrap();
    let unread = output.unread();
    let answer = write(output, Format::Ndjson).await;
    assert_eq!(unread.all(), [], "{sql}");
    answer
}

pub(crate) async fn ask(lake: &Lake, sql: &str) -> String {
    ask_with(lake, sql, Tail::default()).await
}

pub(crate) async fn count(lake: &Lake) -> String {
    ask(
        lake,
        "select count(*) as n, count(distinct event_key) as d from events",
    )
    .await
}
