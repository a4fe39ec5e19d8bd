use std::fs;
use std::path::Path;

use windrow_formats::event::{Index, parse};

use super::*;
use crate::limits::KEY_BYTES;
use crate::schema::EVENTS;
use crate::testing::{ask_with, header, logon, rows, rows_from};
use crate::{Lake, Tail};

/// All columns of these events, null ones left out, as JSON.
async fn columns(events: &[String]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let tail = Tail {
        app_id: "journal".to_owned(),
        rows: vec![rows(events, Some(1))],
        ..Tail::default()
    };
    let text = ask_with(&lake, "select * from events order by seq", tail).await;
    let mut shown = String::new();
    for line in text.lines() {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        // Whether objects keep their order depends on what else is built.
        row.sort_all_objects();
        for (name, value) in row.as_object().unwrap() {
            if !value.is_null() && name != "event_xml" && name != "event_key" {
                shown.push_str(&format!("{name}: {value}\n"));
            }
        }
    }
    shown
}

#[tokio::test]
async fn a_failed_logon_fills_its_columns() {
    let text = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing" Guid="{54849625-5478-4994-A5BA-3E3B0328C30D}"/><EventID>4625</EventID><Version>0</Version><Level>0</Level><Task>12546</Task><Opcode>0</Opcode><Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime="2015-09-08T22:54:54.962511700Z"/><EventRecordID>229977</EventRecordID><Correlation/><Execution ProcessID="516" ThreadID="3240"/><Channel>Security</Channel><Computer>DC01.contoso.local</Computer><Security/></System><EventData><Data Name="SubjectUserSid">S-1-5-18</Data><Data Name="SubjectUserName">DC01$</Data><Data Name="SubjectDomainName">CONTOSO</Data><Data Name="SubjectLogonId">0x3e7</Data><Data Name="TargetUserSid">S-1-0-0</Data><Data Name="TargetUserName">Auditor</Data><Data Name="TargetDomainName">CONTOSO</Data><Data Name="Status">0xc0000234</Data><Data Name="FailureReason">%%2307</Data><Data Name="SubStatus">0x0</Data><Data Name="LogonType">2</Data><Data Name="LogonProcessName">User32</Data><Data Name="AuthenticationPackageName">Negotiate</Data><Data Name="WorkstationName">DC01</Data><Data Name="ProcessId">0x1bc</Data><Data Name="ProcessName">C:\Windows\System32\winlogon.exe</Data><Data Name="IpAddress">127.0.0.1</Data><Data Name="IpPort">0</Data></EventData></Event>"#;
    insta::assert_snapshot!(columns(&[text.to_owned()]).await, @r#"
        address: "192.0.2.7"
        authentication_package: "Negotiate"
        channel: "Security"
        computer: "DC01.contoso.local"
        date: "2025-11-05"
        event_data: {"AuthenticationPackageName":"Negotiate","FailureReason":"%%2307","IpAddress":"127.0.0.1","IpPort":"0","LogonProcessName":"User32","LogonType":"2","ProcessId":"0x1bc","ProcessName":"C:\\Windows\\System32\\winlogon.exe","Status":"0xc0000234","SubStatus":"0x0","SubjectDomainName":"CONTOSO","SubjectLogonId":"0x3e7","SubjectUserName":"DC01$","SubjectUserSid":"S-1-5-18","TargetDomainName":"CONTOSO","TargetUserName":"Auditor","TargetUserSid":"S-1-0-0","WorkstationName":"DC01"}
        event_id: 4625
        flags: 0
        ip_address: "127.0.0.1"
        ip_port: 0
        keywords: -9218868437227405312
        level: 0
        logon_type: 2
        opcode: 0
        origin: "wef"
        outcome: "failure"
        parse_status: "whole"
        process_id: 516
        process_name: "C:\\Windows\\System32\\winlogon.exe"
        provider: "Microsoft-Windows-Security-Auditing"
        provider_guid: "{54849625-5478-4994-A5BA-3E3B0328C30D}"
        received_at: "2025-11-05T12:00:00.25Z"
        record_id: 229977
        seq: 1
        source: "host/wks@EXAMPLE"
        status: "0xc0000234"
        sub_status: "0x0"
        subject_domain: "CONTOSO"
        subject_logon_id: "0x3e7"
        subject_sid: "S-1-5-18"
        subject_user: "DC01$"
        subscription: "main"
        target_domain: "CONTOSO"
        target_sid: "S-1-0-0"
        target_user: "Auditor"
        task: 12546
        task_name: "Account Lockout"
        thread_id: 3240
        time: "2015-09-08T22:54:54.962511Z"
        version: 0
        workstation: "DC01"
        "#);
}

#[tokio::test]
async fn odd_payloads_keep_every_value() {
    let event = |payload: &str| {
        format!(
            "<Event><System><Provider Name='P' EventSourceName='Old'/><EventID Qualifiers='49152'>7</EventID>\
            <TimeCreated SystemTime='1601-01-01T00:00:00Z'/><Security UserID='S-1-5-19'/></System>{payload}</Event>"
        )
    };
    let events = [
        event(
            "<EventData><Data>one</Data><Data Name='A'>1</Data><Data Name='A'>2</Data><Data Name='A_2'>3</Data>\
            <Data Name='A'>4</Data><Data></Data><Binary>0aff</Binary></EventData>",
        ),
        event(
            "<UserData><LogFileCleared xmlns='x'><SubjectUserName>eve &amp; co</SubjectUserName>\
            <Channel>Security</Channel><N a='1'>t</N></LogFileCleared></UserData>",
        ),
        event(
            "<EventData><Data Name='SubjectUserName'>-</Data><Data Name='User'>CORP\\bob</Data>\
            <Data Name='LogonType'>many</Data><Data Name='SourceIp'>::ffff:10.1.2.3</Data></EventData>",
        ),
        "<Event><System><EventID>1</EventID>".to_owned(),
    ];
    insta::assert_snapshot!(columns(&events).await, @r#"
        address: "192.0.2.7"
        date: "2025-11-05"
        event_data: {"A":"1","A_2":"2","A_2_2":"3","A_3":"4","param1":"one","param6":"","param7":"0aff"}
        event_id: 7
        event_source: "Old"
        flags: 0
        origin: "wef"
        parse_status: "whole"
        provider: "P"
        qualifiers: 49152
        received_at: "2025-11-05T12:00:00.25Z"
        seq: 1
        source: "host/wks@EXAMPLE"
        subscription: "main"
        time: "1601-01-01T00:00:00Z"
        user_sid: "S-1-5-19"
        address: "192.0.2.7"
        date: "2025-11-05"
        event_data: {"LogFileCleared/Channel":"Security","LogFileCleared/N":"t","LogFileCleared/N/@a":"1","LogFileCleared/SubjectUserName":"eve & co"}
        event_id: 7
        event_source: "Old"
        flags: 0
        origin: "wef"
        parse_status: "whole"
        provider: "P"
        qualifiers: 49152
        received_at: "2025-11-05T12:00:00.25Z"
        seq: 2
        source: "host/wks@EXAMPLE"
        subject_user: "eve & co"
        subscription: "main"
        time: "1601-01-01T00:00:00Z"
        user_sid: "S-1-5-19"
        address: "192.0.2.7"
        date: "2025-11-05"
        event_data: {"LogonType":"many","SourceIp":"::ffff:10.1.2.3","SubjectUserName":"-","User":"CORP\\bob"}
        event_id: 7
        event_source: "Old"
        flags: 0
        ip_address: "10.1.2.3"
        origin: "wef"
        parse_status: "whole"
        provider: "P"
        qualifiers: 49152
        received_at: "2025-11-05T12:00:00.25Z"
        seq: 3
        source: "host/wks@EXAMPLE"
        subject_user: "CORP\\bob"
        subscription: "main"
        time: "1601-01-01T00:00:00Z"
        user_sid: "S-1-5-19"
        address: "192.0.2.7"
        date: "2025-11-05"
        event_data: {}
        event_id: 1
        flags: 2
        origin: "wef"
        parse_error: "the text ends before the Event does"
        parse_status: "malformed"
        received_at: "2025-11-05T12:00:00.25Z"
        seq: 4
        source: "host/wks@EXAMPLE"
        subscription: "main"
        "#);
}

#[test]
fn a_full_batch_begins_another() {
    let text = "<Event/>".to_owned();
    let rows = rows(&vec![text; BATCH_ROWS + 1], Some(1));
    assert_eq!((rows.len(), rows.batches().len()), (BATCH_ROWS + 1, 2));
    assert_eq!(rows.after(BATCH_ROWS as i64 - 1).len(), 2);
}

#[test]
fn every_promotion_has_its_column() {
    for promotion in &PROMOTIONS {
        let column = EVENTS
            .columns
            .iter()
            .find(|column| column.name == promotion.column)
            .unwrap();
        assert!(
            column.kind == Kind::Text
                || ["ip_port", "dest_port", "logon_type"].contains(&column.name)
        );
    }
}

/// Every event of the corpus becomes a row, and its text comes back byte for byte.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test's own switch, and its word that it skips"
)]
async fn the_corpus_becomes_rows() {
    let root = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        std::path::PathBuf::from,
    );
    let mut texts = Vec::new();
    for folder in ["docs", "docs-malformed", "ocsf", "wef-rendered"] {
        for entry in fs::read_dir(root.join("event-xml").join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            texts.extend(fs::read_to_string(entry.path()));
        }
    }
    if texts.is_empty() {
        eprintln!("skipped: no events in {}", root.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let last = i64::try_from(texts.len()).unwrap();
    lake.append(
        rows_from(&header(Source::Wef), &texts, Some(1)),
        Some(("journal", last)),
    )
    .await
    .unwrap();
    let answer = ask_with(
        &lake,
        "select event_xml from events order by seq",
        Tail::default(),
    )
    .await;
    let stored: Vec<String> = answer
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event_xml"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(stored == texts);
    let mut index = Index::new();
    let whole = texts
        .iter()
        .filter(|text| parse(text, &mut index).is_ok())
        .count();
    let answer = ask_with(
        &lake,
        "select count(*) as n from events where parse_status <> 'malformed'",
        Tail::default(),
    )
    .await;
    assert_eq!(answer.trim(), format!("{{\"n\":{whole}}}"));
}

/// A small event must not become large rows: paths repeat the names above them, and are what memory goes to.
#[test]
fn rows_are_not_many_times_their_text() {
    let long = "n".repeat(KEY_BYTES);
    let leaves = |count: usize| "<a/>".repeat(count);
    let tree = |inside: &str| {
        format!("<Event><UserData><T><{long}>{inside}</{long}></T></UserData></Event>")
    };
    let attributes: String = (0..10_000).map(|place| format!(" a{place}='1'")).collect();
    let named: String = (0..4_000)
        .map(|place| format!("<Data Name='n{place}'>v</Data>"))
        .collect();
    let shapes = [
        "<Event/>".to_owned(),
        tree(&leaves(8)),
        tree(&leaves(120)),
        tree(&leaves(16_000)),
        tree(&format!("<a{attributes}/>")),
        format!(
            "<Event><EventData>{}</EventData></Event>",
            "<Data/>".repeat(8_000)
        ),
        format!("<Event><EventData>{named}</EventData></Event>"),
        logon(1, 1, 1),
    ];
    for shape in shapes {
        let count = ((4 << 20) / shape.len()).clamp(1, 20_000);
        let text = count * shape.len();
        let mut builder = RowBuilder::new();
        let mut index = Index::new();
        for _ in 0..count {
            let _ = parse(&shape, &mut index);
            let event = Event::new(&shape, &index);
            builder.push(
                Some(1),
                &header(Source::Wef),
                Flags::NONE,
                event,
                Identity([0; 16]),
            );
        }
        let said = builder.bytes();
        let rows = builder.finish();
        let what = &shape[..shape.len().min(60)];
        // Columns grow by doubling.
        assert!(
            rows.bytes() <= 2 * said + (256 << 10),
            "{what}: {} of {said}",
            rows.bytes()
        );
        assert!(
            rows.bytes() <= 12 * text + count * 4 * ROW_BYTES + EVENT_KEYS_BYTES * 2 * count,
            "{what}: {} of {text}",
            rows.bytes()
        );
    }
}

#[tokio::test]
async fn values_left_out_are_flagged_and_still_promoted() {
    let long = "n".repeat(KEY_BYTES);
    let hostile = format!(
        "<Event><UserData><T><{long}>{}</{long}><SubjectUserName>eve</SubjectUserName></T></UserData></Event>",
        "<a>1</a>".repeat(2_000)
    );
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.append(rows(&[hostile], Some(1)), Some(("journal", 1)))
        .await
        .unwrap();
    insta::assert_snapshot!(
        ask_with(&lake, "select flags, subject_user, cardinality(event_data) as n from events", Tail::default()).await,
        @r#"{"flags":256,"subject_user":"eve","n":75}"#
    );
}

#[test]
fn an_entry_that_ends_badly_says_what_is_lost() {
    use windrow_formats::batch::Encoder;

    let header = header(Source::Wef);
    let mut writer = Encoder::new(&header);
    let mut index = Index::new();
    for record in 1..=3 {
        let text = logon(1, record, 0);
        let _ = parse(&text, &mut index);
        writer.push(&text, Flags::NONE, &index);
    }
    let body = writer.finish();
    let entry = |body, events| JournalEntry {
        first_seq: 11,
        events,
        body,
    };
    let mut builder = RowBuilder::new();
    builder
        .push_entry(&entry(&body, 3), 11, &mut index)
        .unwrap();
    assert_eq!(
        builder.finish().len(),
        2,
        "the first is in the lake already"
    );

    let cut = &body[..body.len() - 1];
    let lost = builder
        .push_entry(&entry(cut, 3), 0, &mut index)
        .unwrap_err();
    assert_eq!((lost.first, lost.last, lost.events()), (13, 13, 1));
    assert_eq!(builder.finish().len(), 2);
    let lost = builder
        .push_entry(&entry(b"no batch", 3), 12, &mut index)
        .unwrap_err();
    assert_eq!((lost.first, lost.last, lost.events()), (13, 13, 1));
}
