use bytes::Bytes;
use futures::StreamExt;

use super::*;
use crate::query::Tail;
use crate::testing::{logon, rows, write};
use crate::{Lake, QueryLimits};

async fn output(sql: &str) -> QueryOutput {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let text = logon(1, 1, 0).replace(
        "user0001",
        "\u{1b}[2J\u{202e}&quot;böse&quot;,\r\n\u{9b}31m",
    );
    let tail = Tail {
        app_id: "journal".to_owned(),
        rows: vec![rows(&[text, logon(2, 2, 1)], Some(1))],
        ..Tail::default()
    };
    lake.query(sql, tail, QueryLimits::default()).await.unwrap()
}

const VALUES: &str = "select seq, target_user as \"user\", time, date, null as nothing, true as yes, 1.5 as ratio, \
    event_data, make_array(1, 2) as list, event_xml is null as gone from events order by seq";

#[tokio::test]
async fn hostile_text_is_seen_and_not_obeyed() {
    insta::assert_snapshot!(write(output(VALUES).await, Format::Table).await, @r#"
        seq  user                                   time                  date        nothing  yes   ratio  event_data                                                                                                                                       list   gone
        ───  ─────────────────────────────────────  ────────────────────  ──────────  ───────  ────  ─────  ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────  ─────  ─────
          1  \u{1b}[2J\u{202e}"böse",\r\n\u{9b}31m  2025-11-05T00:00:00Z  2025-11-05           true    1.5  {"SubjectUserName":"-","TargetUserName":"\u001b[2J\u202e\"böse\",\r\n\u009b31m","LogonType":"3","IpAddress":"::ffff:10.0.0.1","IpPort":"50123"}  [1,2]  false
          2  user0002                               2025-11-05T00:00:01Z  2025-11-05           true    1.5  {"SubjectUserName":"-","TargetUserName":"user0002","LogonType":"3","IpAddress":"::ffff:10.0.0.2","IpPort":"50123"}                               [1,2]  false
        "#);
    insta::assert_snapshot!(write(output(VALUES).await, Format::Ndjson).await, @r#"
        {"seq":1,"user":"\u001b[2J\u202e\"böse\",\r\n\u009b31m","time":"2025-11-05T00:00:00Z","date":"2025-11-05","nothing":null,"yes":true,"ratio":1.5,"event_data":{"SubjectUserName":"-","TargetUserName":"\u001b[2J\u202e\"böse\",\r\n\u009b31m","LogonType":"3","IpAddress":"::ffff:10.0.0.1","IpPort":"50123"},"list":[1,2],"gone":false}
        {"seq":2,"user":"user0002","time":"2025-11-05T00:00:01Z","date":"2025-11-05","nothing":null,"yes":true,"ratio":1.5,"event_data":{"SubjectUserName":"-","TargetUserName":"user0002","LogonType":"3","IpAddress":"::ffff:10.0.0.2","IpPort":"50123"},"list":[1,2],"gone":false}
        "#);
    insta::assert_snapshot!(write(output(VALUES).await, Format::Json).await, @r#"
        [
        {"seq":1,"user":"\u001b[2J\u202e\"böse\",\r\n\u009b31m","time":"2025-11-05T00:00:00Z","date":"2025-11-05","nothing":null,"yes":true,"ratio":1.5,"event_data":{"SubjectUserName":"-","TargetUserName":"\u001b[2J\u202e\"böse\",\r\n\u009b31m","LogonType":"3","IpAddress":"::ffff:10.0.0.1","IpPort":"50123"},"list":[1,2],"gone":false},
        {"seq":2,"user":"user0002","time":"2025-11-05T00:00:01Z","date":"2025-11-05","nothing":null,"yes":true,"ratio":1.5,"event_data":{"SubjectUserName":"-","TargetUserName":"user0002","LogonType":"3","IpAddress":"::ffff:10.0.0.2","IpPort":"50123"},"list":[1,2],"gone":false}
        ]
        "#);
    insta::assert_snapshot!(write(output(VALUES).await, Format::Csv).await.escape_debug(), @r#"seq,user,time,date,nothing,yes,ratio,event_data,list,gone\r\n1,\"\u{1b}[2J\u{202e}\"\"böse\"\",\r\n\u{9b}31m\",2025-11-05T00:00:00Z,2025-11-05,,true,1.5,\"{\"\"SubjectUserName\"\":\"\"-\"\",\"\"TargetUserName\"\":\"\"\\u001b[2J\\u202e\\\"\"böse\\\"\",\\r\\n\\u009b31m\"\",\"\"LogonType\"\":\"\"3\"\",\"\"IpAddress\"\":\"\"::ffff:10.0.0.1\"\",\"\"IpPort\"\":\"\"50123\"\"}\",\"[1,2]\",false\r\n2,user0002,2025-11-05T00:00:01Z,2025-11-05,,true,1.5,\"{\"\"SubjectUserName\"\":\"\"-\"\",\"\"TargetUserName\"\":\"\"user0002\"\",\"\"LogonType\"\":\"\"3\"\",\"\"IpAddress\"\":\"\"::ffff:10.0.0.2\"\",\"\"IpPort\"\":\"\"50123\"\"}\",\"[1,2]\",false\r\n"#);
}

async fn table(sql: &str, width: usize) -> String {
    let mut out = Vec::new();
    let layout = Layout {
        zone: TimeZone::fixed(jiff::tz::offset(1)),
        width: Some(width),
    };
    output(sql)
        .await
        .write(Format::Table, &layout, &mut out)
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_table_is_as_wide_as_the_terminal() {
    insta::assert_snapshot!(table(VALUES, 100).await, @r#"
        seq  user            time            date        nothing  yes   ratio  event_data      list   gone
        ───  ──────────────  ──────────────  ──────────  ───────  ────  ─────  ──────────────  ─────  ─────
          1  \u{1b}[2J\u{2…  2025-11-05T01…  2025-11-05           true    1.5  {"SubjectUser…  [1,2]  false
          2  user0002        2025-11-05T01…  2025-11-05           true    1.5  {"SubjectUser…  [1,2]  false
        "#);
    insta::assert_snapshot!(table("select seq, computer, received_at, channel from events order by seq", 40).await, @r#"
        seq  computer  received_at      channel
        ───  ────────  ───────────────  ────────
          1  WKS001    2025-11-05T13:…  Security
          2  WKS002    2025-11-05T13:…  Security
        "#);
    insta::assert_snapshot!(table("select 'ﾊﾝｶｸ全角全角全角全角' as wide, 12345 as n", 22).await, @r#"
        wide                 n
        ───────────────  ─────
        ﾊﾝｶｸ全角全角全…  12345
        "#);
    let rows = table("select * from events where seq = 2", 60).await;
    insta::assert_snapshot!(rows, @r#"
        ── row 1 ──
        event_key               1b61610ebd4a71e756d98b35b11a18cd
        date                    2025-11-05
        time                    2025-11-05T01:00:01+01:00
        received_at             2025-11-05T13:00:00.25+01:00
        origin                  wef
        source                  host/wks@EXAMPLE
        address                 192.0.2.7
        subscription            main
        seq                     2
        channel                 Security
        computer                WKS002
        provider                Microsoft-Windows-Security-Auditing
        provider_guid           {54849625-5478-4994-a5ba-3e3b0328c3…
        event_id                4624
        version                 2
        level                   0
        task                    12544
        task_name               Logon
        opcode                  0
        keywords                -9214364837600034816
        outcome                 success
        record_id               2
        process_id              780
        thread_id               8372
        target_user             user0002
        ip_address              10.0.0.2
        ip_port                 50123
        logon_type              3
        event_data              {"SubjectUserName":"-","TargetUserN…
        parse_status            whole
        flags                   0
        event_xml               <Event xmlns='http://schemas.micros…
        "#);
}

#[tokio::test]
async fn an_empty_answer_has_its_columns() {
    let none = "select seq, computer from events where seq > 99";
    insta::assert_snapshot!(write(output(none).await, Format::Table).await, @r#"
        seq  computer
        ───  ────────
        "#);
    insta::assert_snapshot!(write(output(none).await, Format::Json).await, @"[]");
    insta::assert_snapshot!(write(output(none).await, Format::Ndjson).await, @"");
    insta::assert_snapshot!(write(output(none).await, Format::Csv).await, @"seq,computer");
}

async fn over_the_socket(sql: &str, cut: usize) -> Result<String, QueryError> {
    let frames: Vec<Bytes> = output(sql).await.into_ipc().collect().await;
    let bytes: Vec<u8> = frames.concat();
    let pieces: Vec<_> = bytes
        .chunks(cut)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Ok(write(
        QueryOutput::from_ipc(futures::stream::iter(pieces)).await?,
        Format::Ndjson,
    )
    .await)
}

#[tokio::test]
async fn an_answer_crosses_the_socket_unchanged() {
    for sql in [
        VALUES,
        "select seq, date from events where seq > 99",
        "select * from events",
    ] {
        let here = write(output(sql).await, Format::Ndjson).await;
        assert_eq!(over_the_socket(sql, 7).await.unwrap(), here);
        assert_eq!(over_the_socket(sql, 1 << 20).await.unwrap(), here);
    }
}

#[tokio::test]
async fn what_breaks_off_is_not_taken_for_an_end() {
    let frames: Vec<Bytes> = output(VALUES).await.into_ipc().collect().await;
    let bytes: Vec<u8> = frames.concat();
    for end in [0, 3, 5, 200, bytes.len() - 7, bytes.len() - 1] {
        let pieces = vec![Ok(Bytes::copy_from_slice(&bytes[..end]))];
        let read = async {
            let output = QueryOutput::from_ipc(futures::stream::iter(pieces)).await?;
            output
                .write(Format::Csv, &Layout::default(), &mut Vec::new())
                .await
        };
        assert!(read.await.is_err(), "cut at {end}");
    }
    let mut hostile = bytes.clone();
    hostile[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    let pieces = vec![Ok(Bytes::from(hostile))];
    let error = QueryOutput::from_ipc(futures::stream::iter(pieces))
        .await
        .map(|_| ())
        .unwrap_err();
    insta::assert_snapshot!(error, @"the answer has a frame of 4294967295 bytes, more than 268435456");
}

#[tokio::test]
async fn an_error_crosses_the_socket() {
    let failing = "select 10 / (seq - 2) from events order by seq";
    let error = over_the_socket(failing, 64).await;
    let error = match error {
        Err(error) => error,
        Ok(text) => panic!("{text}"),
    };
    insta::assert_snapshot!(error, @"Divide by zero error");
}
