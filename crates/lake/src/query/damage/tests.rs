use std::fs;
use std::path::Path;

use futures::StreamExt as _;

use crate::error::{LakeError, QueryError};
use crate::files::Unread;
use crate::lake::Lake;
use crate::limits::COMPACT_FILES;
use crate::testing::{ask, logon, rows, write};
use crate::{Format, QueryLimits, QueryOutput, Tail};

const RECORDS: &str = "select record_id as r from events order by 1";

/// Ten events of each of three days; the data file of the second one.
async fn lake(dir: &Path) -> (Lake, PathBuf) {
    let lake = Lake::open(dir).await.unwrap();
    for day in 0..3_u64 {
        let events: Vec<_> = (0..10)
            .map(|i| logon(1, 10 * day + i, 86_400 * day as i64 + i as i64))
            .collect();
        lake.append(rows(&events, None), None).await.unwrap();
    }
    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    let file = files
        .iter()
        .find(|file| file.contains("2025-11-06"))
        .unwrap();
    (lake, folder.join(file))
}

use std::path::PathBuf;

/// The answer, and what was not read for it.
async fn asked(lake: &Lake, sql: &str) -> Result<(String, Vec<Unread>), QueryError> {
    let output = lake
        .query(sql, Tail::default(), QueryLimits::default())
        .await?;
    let unread = output.unread();
    let mut out = Vec::new();
    let layout = crate::Layout::default();
    output.write(Format::Csv, &layout, &mut out).await?;
    Ok((String::from_utf8(out).unwrap(), unread.all()))
}

type Harm = fn(&mut Vec<u8>);

const HARMS: [(&str, Harm); 8] = [
    ("cut short", |file| file.truncate(file.len() / 2)),
    ("empty", Vec::clear),
    ("longer", |file| file.extend_from_slice(b"more")),
    ("without its end", |file| {
        let end = file.len() - 100;
        file[end..].fill(0);
    }),
    ("with another footer", |file| {
        let end = file.len() - 8;
        file[end - 1_000..end].fill(0xff);
    }),
    ("with other pages", |file| {
        let pages = file.len() / 2;
        file[4..pages].fill(0x5a);
    }),
    ("of nothing", |file| file.fill(0)),
    // Room for so many row groups would be hundreds of gigabytes.
    ("of two thousand million row groups", |file| {
        let footer = [0x15, 0x02, 0x39, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
        let bytes = file.len();
        file[bytes - 18..bytes - 8].copy_from_slice(&footer);
        file[bytes - 8..bytes - 4].copy_from_slice(&10_u32.to_le_bytes());
    }),
];

#[tokio::test]
async fn the_rest_answers_and_the_damaged_file_is_named() {
    for (name, harm) in HARMS {
        let dir = tempfile::tempdir().unwrap();
        let (lake, file) = lake(dir.path()).await;
        let mut bytes = fs::read(&file).unwrap();
        harm(&mut bytes);
        fs::write(&file, bytes).unwrap();
        assert_rest_answers(&lake, &file, name).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let (lake, file) = lake(dir.path()).await;
    fs::remove_file(&file).unwrap();
    assert_rest_answers(&lake, &file, "gone").await;
}

async fn assert_rest_answers(lake: &Lake, file: &Path, name: &str) {
    let (answer, unread) = asked(lake, RECORDS).await.unwrap();
    let left: Vec<u64> = (0..10).chain(20..30).collect();
    let records: Vec<u64> = answer.lines().skip(1).map(|r| r.parse().unwrap()).collect();
    assert_eq!(records, left, "{name}");
    assert_eq!(unread.len(), 1, "{name}");
    assert_eq!(
        (unread[0].file.as_path(), unread[0].count),
        (file, 0),
        "{name}"
    );
    assert!(!unread[0].reason.is_empty(), "{name}");
    // Whatever the question: a group, a join, few rows, the roll-up that is not made yet.
    for sql in [
        "select computer, count(distinct record_id) from events group by 1",
        "select count(*) from events a join events b on a.event_key = b.event_key",
        "select record_id, event_xml from events order by time desc limit 25",
        "select sum(events) from event_counts",
    ] {
        let (answer, unread) = asked(lake, sql).await.unwrap();
        let told = unread.iter().any(|unread| unread.file == file);
        assert!(told, "{name}: {sql}: {answer}");
    }
    // The log knows how many rows there are.
    let (answer, unread) = asked(lake, "select count(*) from events").await.unwrap();
    assert_eq!(
        (answer.lines().nth(1), unread.len()),
        (Some("30"), 0),
        "{name}"
    );
    let (_, unread) = asked(lake, "select * from events where date = '2025-11-05'")
        .await
        .unwrap();
    assert_eq!(unread, [], "{name}: it was not asked");
    assert_eq!(lake.damaged_files(), 1, "{name}");
}

#[tokio::test]
async fn an_answer_on_the_socket_says_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, file) = lake(dir.path()).await;
    fs::write(&file, "no more").unwrap();
    let answer = lake.query(RECORDS, Tail::default(), QueryLimits::default());
    let frames = answer.await.unwrap().into_ipc().map(Ok).boxed();
    let answer = QueryOutput::from_ipc(frames).await.unwrap();
    let unread = answer.unread();
    assert_eq!(write(answer, Format::Csv).await.lines().count(), 21);
    let told = unread.all();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].file, file);
    assert!(
        told[0].reason.contains("it has 7 bytes instead of"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_question_that_cannot_be_computed_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, _) = lake(dir.path()).await;
    for sql in [
        "select record_id from events where cast(computer as int) = 1",
        "select record_id from events where 1 / (record_id - 3) = 1",
        "select 1 / (record_id - 3) from events",
    ] {
        let error = asked(&lake, sql).await.map(|(answer, _)| answer);
        assert!(
            matches!(error, Err(QueryError::Value { .. })),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(lake.damaged_files(), 0);
}

#[tokio::test]
async fn what_is_imported_is_not_compared_with_a_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, file) = lake(dir.path()).await;
    fs::write(&file, "no more").unwrap();
    let same_day = rows(&[logon(1, 10, 86_400)], None);
    let error = lake.append_new(same_day, None).await.unwrap_err();
    assert!(
        matches!(&error, LakeError::Damaged { file: told, .. } if *told == file),
        "{error}"
    );
    let another = rows(&[logon(1, 99, 0)], None);
    lake.append_new(another, None).await.unwrap();
}

#[tokio::test]
async fn upkeep_goes_on_beside_a_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, file) = lake(dir.path()).await;
    let mut bytes = fs::read(&file).unwrap();
    HARMS[5].1(&mut bytes);
    fs::write(&file, bytes).unwrap();
    for record in 0..COMPACT_FILES as u64 {
        lake.append(rows(&[logon(2, record, 2 * 86_400)], None), None)
            .await
            .unwrap();
    }
    let done = lake
        .keep_up("2025-11-09T00:00:00Z".parse().unwrap())
        .await
        .whole()
        .unwrap();
    assert_eq!((done.days, done.merged), (1, COMPACT_FILES as u64 + 1));
    let counted = ask(&lake, "select sum(events) as n from event_counts").await;
    assert_eq!(counted, "{\"n\":28}\n");
}

/// Whatever bytes of a file change: what is read is as many rows as there are, or somebody is told.
#[tokio::test]
async fn changed_bytes_are_told_or_change_no_number_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, file) = lake(dir.path()).await;
    let whole = fs::read(&file).unwrap();
    // Every column is read, and each row is one line.
    let sql = "select record_id, event_key, length(computer), length(event_xml), cardinality(event_data) from events";
    let mut told = 0;
    for place in (0..whole.len()).step_by(whole.len() / 400) {
        let mut bytes = whole.clone();
        for (offset, byte) in bytes[place..].iter_mut().take(1 + place % 3).enumerate() {
            *byte ^= 1 << ((place + offset) % 8);
        }
        fs::write(&file, bytes).unwrap();
        let (answer, unread) = asked(&lake, sql).await.unwrap();
        let rows = answer.lines().count() - 1;
        assert!(
            rows == 30 || !unread.is_empty(),
            "{rows} rows with byte {place} changed"
        );
        assert!(rows >= 20, "{rows} rows with byte {place} changed");
        told += usize::from(!unread.is_empty());
    }
    assert!(told > 50, "{told}");
}
