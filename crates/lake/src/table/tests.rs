use std::fs;

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};

use super::*;
use crate::lake::Lake;
use crate::limits::{COMPACT_FILES, OTHER_DAYS};
use crate::schema::Kind;
use crate::testing::{ask, ask_with, count, logon, rows};

mod conflict;
#[cfg(target_os = "linux")]
mod death;
mod doubt;

/// One event as the journal's next.
async fn append_one(lake: &Lake, seq: u64) -> Result<Appended, LakeError> {
    let txn = Some(("journal", i64::try_from(seq).unwrap()));
    lake.append(rows(&[logon(1, seq, 0)], Some(seq)), txn).await
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn logons(count: u64) -> Vec<String> {
    (1..=count)
        .map(|record| logon(1, record, record as i64))
        .collect()
}

#[tokio::test]
async fn rows_come_back_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let appended = lake
        .append(rows(&logons(3), Some(1)), Some(("journal", 3)))
        .await
        .unwrap();
    assert!(
        matches!(
            appended,
            Appended::Committed {
                version: 1,
                rows: 3,
                ..
            }
        ),
        "{appended:?}"
    );
    insta::assert_snapshot!(
        ask(&lake, "select seq, time, date, computer, event_id, target_user, subject_user, ip_address, ip_port, \
            logon_type, outcome, event_data['TargetUserName'] as raw, length(event_xml) as xml \
            from events order by seq").await,
        @r#"
            {"seq":1,"time":"2025-11-05T00:00:01Z","date":"2025-11-05","computer":"WKS001","event_id":4624,"target_user":"user0001","subject_user":null,"ip_address":"10.0.0.1","ip_port":50123,"logon_type":3,"outcome":"success","raw":"user0001","xml":728}
            {"seq":2,"time":"2025-11-05T00:00:02Z","date":"2025-11-05","computer":"WKS001","event_id":4624,"target_user":"user0002","subject_user":null,"ip_address":"10.0.0.1","ip_port":50123,"logon_type":3,"outcome":"success","raw":"user0002","xml":728}
            {"seq":3,"time":"2025-11-05T00:00:03Z","date":"2025-11-05","computer":"WKS001","event_id":4624,"target_user":"user0003","subject_user":null,"ip_address":"10.0.0.1","ip_port":50123,"logon_type":3,"outcome":"success","raw":"user0003","xml":728}
            "#
    );
    let extent = lake.extent().await.unwrap();
    assert_eq!((extent.version, extent.files, extent.rows), (1, 1, 3));
}

#[tokio::test]
async fn an_append_is_done_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let txn = Some(("journal", 3));
    lake.append(rows(&logons(3), Some(1)), txn).await.unwrap();
    assert_eq!(
        lake.append(rows(&logons(3), Some(1)), txn).await.unwrap(),
        Appended::Already { position: 3 }
    );
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(lake.position("journal").await.unwrap(), Some(3));
    assert_eq!(lake.position("another").await.unwrap(), None);
    assert_eq!(
        lake.append(rows(&logons(3), Some(1)), txn).await.unwrap(),
        Appended::Already { position: 3 }
    );
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":3,"d":3}"#);
}

#[tokio::test]
async fn a_crash_before_the_commit_leaves_nothing_to_see() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.events()
        .write_files(rows(&logons(3), Some(1)))
        .await
        .unwrap();
    drop(lake);
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(lake.position("journal").await.unwrap(), None);
    lake.append(rows(&logons(3), Some(1)), Some(("journal", 3)))
        .await
        .unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":3,"d":3}"#);
}

#[tokio::test]
async fn a_commit_that_happened_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (
        Lake::open(dir.path()).await.unwrap(),
        Lake::open(dir.path()).await.unwrap(),
    );
    // As after an error that hid a success: the files are there a second time, the commit as well.
    let adds = other
        .events()
        .write_files(rows(&logons(3), Some(1)))
        .await
        .unwrap();
    one.append(rows(&logons(3), Some(1)), Some(("journal", 3)))
        .await
        .unwrap();
    let commit = other
        .events()
        .commit(Changes::append(adds), Some(("journal", 3)))
        .await
        .unwrap();
    assert!(matches!(commit, Commit::Already(3)));
    insta::assert_snapshot!(count(&other).await, @r#"{"n":3,"d":3}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_different_journals_do_not_lose_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Vec::new();
    for (computer, app_id) in [(1, "one"), (2, "two")] {
        let lake = Lake::open(dir.path()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for turn in 0..10 {
                let events: Vec<_> = (0..5)
                    .map(|i| logon(computer, turn * 5 + i + 1, 60 * i as i64))
                    .collect();
                let first = turn * 5 + 1;
                let txn = Some((app_id, i64::try_from(first + 4).unwrap()));
                lake.append(rows(&events, Some(first)), txn).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let lake = Lake::open(dir.path()).await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":100,"d":100}"#);
    assert_eq!(lake.position("one").await.unwrap(), Some(50));
    assert_eq!(lake.position("two").await.unwrap(), Some(50));
}

#[tokio::test]
async fn a_checkpoint_keeps_positions_and_rows() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for seq in 1..=CHECKPOINT_COMMITS {
        let txn = Some(("journal", i64::try_from(seq).unwrap()));
        lake.append(rows(&[logon(1, seq, 0)], Some(seq)), txn)
            .await
            .unwrap();
    }
    let log = lake.folder().join("_delta_log");
    assert!(log.join("00000000000000000099.checkpoint.parquet").exists());
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(lake.position("journal").await.unwrap(), Some(100));
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":100,"d":100}"#);
}

#[tokio::test]
async fn a_table_of_someone_else_or_of_the_future_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Lake::open(dir.path()).await.unwrap());
    let entry = dir
        .path()
        .join("events/_delta_log/00000000000000000000.json");
    let written = fs::read_to_string(&entry).unwrap();
    assert!(
        written.contains(r#""minReaderVersion":1,"minWriterVersion":2"#),
        "{written}"
    );
    fs::write(
        &entry,
        written.replace(
            r#""windrow.schemaVersion":"2""#,
            r#""windrow.schemaVersion":"3""#,
        ),
    )
    .unwrap();
    assert!(matches!(
        Lake::open(dir.path()).await,
        Err(LakeError::Newer { found: 3, .. })
    ));
    fs::write(&entry, written.replace("windrow.schemaVersion", "other")).unwrap();
    assert!(matches!(
        Lake::open(dir.path()).await,
        Err(LakeError::Foreign { .. })
    ));
}

#[test]
fn what_takes_time_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    fn check(lake: Lake) {
        is_send(lake.append(Rows::default(), None));
        is_send(lake.append_new(Rows::default(), None));
        is_send(lake.keep_up(Timestamp::UNIX_EPOCH));
        is_send(lake.query("", crate::Tail::default(), crate::QueryLimits::default()));
    }
    let _ = check;
}

fn data_files(lake: &Lake) -> usize {
    let folders = fs::read_dir(lake.folder()).unwrap().flatten();
    let days = folders.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("date=") && entry.path().is_dir()
    });
    days.map(|day| fs::read_dir(day.path()).unwrap().count())
        .sum()
}

#[tokio::test]
async fn files_of_days_that_are_over_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let files = COMPACT_FILES as u64;
    for seq in 1..=files {
        let events = [logon(1, seq, 0), logon(1, 100 + seq, 86_400)];
        let txn = Some(("journal", i64::try_from(2 * seq).unwrap()));
        lake.append(rows(&events, Some(2 * seq - 1)), txn)
            .await
            .unwrap();
    }
    // The second day is not over, the first one is.
    let done = lake
        .keep_up(at("2025-11-06T23:00:00Z"))
        .await
        .whole()
        .unwrap();
    assert_eq!((done.days, done.merged, done.removed), (1, files, 0));
    assert_eq!(lake.extent().await.unwrap().files, files + 1);
    let done = lake
        .keep_up(at("2025-11-07T00:00:00Z"))
        .await
        .whole()
        .unwrap();
    assert_eq!((done.days, done.merged), (1, files));
    let extent = lake.extent().await.unwrap();
    assert_eq!((extent.files, extent.rows), (2, 2 * files));
    let done = lake
        .keep_up(at("2025-11-07T00:00:00Z"))
        .await
        .whole()
        .unwrap();
    assert_eq!(done, Upkeep::default());
    assert_eq!(
        data_files(&lake) as u64,
        2 * files + 2,
        "a query may still read them"
    );

    lake.events()
        .write_files(rows(&logons(1), None))
        .await
        .unwrap();
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(49);
    let done = lake.keep_up(later).await.whole().unwrap();
    assert_eq!(done.removed, 2 * files + 1);
    assert_eq!(data_files(&lake), 2);
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(
        lake.position("journal").await.unwrap(),
        Some(2 * files as i64)
    );
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":16,"d":16}"#);
    insta::assert_snapshot!(
        ask(&lake, "select count(*) as n, max(record_id) as last from events where date = '2025-11-06' and computer = 'WKS001'").await,
        @r#"{"n":8,"last":108}"#
    );
}

#[tokio::test]
async fn an_append_that_failed_leaves_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    fs::write(lake.folder().join("date=2025-11-06"), "in the way").unwrap();
    let events = [logon(1, 1, 0), logon(1, 2, 86_400)];
    let failed = lake.append(rows(&events, Some(1)), Some(("journal", 2)));
    assert!(matches!(failed.await, Err(LakeError::Table { .. })));
    assert_eq!(data_files(&lake), 0);

    let (mine, other) = (lake, Lake::open(dir.path()).await.unwrap());
    let adds = mine
        .events()
        .write_files(rows(&logons(2), Some(1)))
        .await
        .unwrap();
    let named = paths(&adds);
    other
        .events()
        .commit(Changes::append(adds), Some(("journal", 2)))
        .await
        .unwrap();
    mine.events().remove_unless_named(&named).await;
    assert_eq!(data_files(&mine), 1, "the commit happened after all");
    let adds = mine
        .events()
        .write_files(rows(&logons(2), Some(1)))
        .await
        .unwrap();
    mine.events().remove_unless_named(&paths(&adds)).await;
    assert_eq!(data_files(&mine), 1);
}

/// Every file and folder, with its size and its last change.
fn listing(folder: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(listing(&entry.path()));
        }
        found.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
    }
    found.sort();
    found
}

#[tokio::test]
async fn reading_changes_nothing_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open_to_read(&dir.path().join("lake")).await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":0,"d":0}"#);
    assert_eq!(lake.position("journal").await.unwrap(), None);
    assert!(listing(dir.path()).is_empty());

    let writer = Lake::open(dir.path()).await.unwrap();
    let txn = Some(("journal", 3));
    writer.append(rows(&logons(3), Some(1)), txn).await.unwrap();
    let stale = dir.path().join("events/_delta_log/00.json.0.tmp");
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    fs::File::create(&stale)
        .unwrap()
        .set_modified(hours_ago)
        .unwrap();
    let before = listing(dir.path());
    let lake = Lake::open_to_read(dir.path()).await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":3,"d":3}"#);
    assert_eq!(lake.position("journal").await.unwrap(), Some(3));
    assert_eq!(listing(dir.path()), before);
}

#[tokio::test]
async fn events_of_any_day_make_a_bounded_number_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let days = OTHER_DAYS as u64 + 40;
    let mut events: Vec<String> = (0..days)
        .map(|day| logon(1, day + 1, 86_400 * (day as i64 - 400)))
        .collect();
    events.extend((0..3).map(|i| logon(1, 1_000 + i, i as i64)));
    let all = rows(&events, Some(1));
    let tail = crate::Tail {
        app_id: "journal".to_owned(),
        rows: vec![all.clone()],
        ..crate::Tail::default()
    };
    let by_date = "select date, count(*) as n from events group by 1 order by 1";
    let awaited = ask_with(&lake, by_date, tail).await;
    lake.append(all, Some(("journal", days as i64 + 3)))
        .await
        .unwrap();
    assert_eq!(
        data_files(&lake),
        OTHER_DAYS + 1,
        "one of them is the day of arrival"
    );
    assert_eq!(ask(&lake, by_date).await, awaited, "no row changes");
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":107,"d":107}"#);
    insta::assert_snapshot!(
        ask(&lake, "select date, count(*) as n, min(cast(time as date)) as first from events where date = '2025-11-05' group by 1").await,
        @r#"{"date":"2025-11-05","n":43,"first":"2024-10-01"}"#
    );
    // Each is found by its time, wherever it lies.
    for day in [0, days - 1] {
        let from = Timestamp::from_second(1_762_300_800 + 86_400 * (day as i64 - 400)).unwrap();
        let period = crate::query::Period {
            from: Some(from),
            to: Some(from + jiff::SignedDuration::from_hours(1)),
        };
        let limits = crate::QueryLimits {
            period,
            ..crate::QueryLimits::default()
        };
        let found = lake
            .query(
                "select record_id from events",
                crate::Tail::default(),
                limits,
            )
            .await
            .unwrap();
        let found = crate::testing::write(found, crate::output::Format::Ndjson).await;
        assert_eq!(found.trim(), format!("{{\"record_id\":{}}}", day + 1));
    }

    let imported = dir.path().join("imported");
    let lake = Lake::open(&imported).await.unwrap();
    lake.append_new(rows(&events, None), None).await.unwrap();
    assert_eq!(data_files(&lake), OTHER_DAYS + 41, "each keeps its own");
}

#[tokio::test]
async fn commits_of_ever_new_days_make_a_bounded_number_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let mut next = 1;
    let mut events = |days: &mut dyn Iterator<Item = i64>| {
        let events: Vec<_> = days.map(|day| logon(1, 1, day * 86_400)).collect();
        let first = next;
        next += events.len() as u64;
        (rows(&events, Some(first)), next as i64 - 1)
    };
    for commit in 0..4 {
        let mut days = (0..60).map(|day| day * 20 + commit - 600);
        let (rows, last) = events(&mut days);
        lake.append(rows, Some(("journal", last))).await.unwrap();
    }
    // Of each commit 18 or 19 days are of the year before or the day after, and the others go under that of arrival.
    insta::assert_snapshot!(
        ask(&lake, "select count(distinct date) as dates, min(date) as first, max(date) as last from events").await,
        @r#"{"dates":74,"first":"2024-11-10","last":"2025-11-06"}"#
    );
    let days = 2 * COMPACT_FILES;
    for _ in 0..COMPACT_FILES {
        let (rows, last) = events(&mut (0..days as i64).map(|day| -day - 1));
        lake.append(rows, Some(("journal", last))).await.unwrap();
    }
    let done = lake
        .keep_up(at("2025-11-07T00:00:00Z"))
        .await
        .whole()
        .unwrap();
    assert_eq!(done.days, days as u64, "all of them at once");
    let files = lake.extent().await.unwrap().files;
    assert!(files < 74 + days as u64 + COMPACT_FILES as u64, "{files}");
}

#[tokio::test]
async fn days_with_most_files_are_merged_first() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for turn in 0..COMPACT_FILES + 1 {
        let days = if turn == 0 { 1..2 } else { 0..2 };
        let events: Vec<_> = days.map(|day| logon(1, 1, day * 86_400)).collect();
        lake.append(rows(&events, None), None).await.unwrap();
    }
    let table = lake.events().snapshot().await.unwrap();
    let scattered = upkeep::scattered(&table, at("2025-11-07T00:00:00Z")).unwrap();
    let found: Vec<_> = scattered
        .iter()
        .map(|(day, files)| (&day[..], files.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("2025-11-06", COMPACT_FILES + 1),
            ("2025-11-05", COMPACT_FILES)
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_first_makes_the_table_for_all() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let opened = (0..4).map(|_| {
            let dir = dir.path().to_owned();
            tokio::spawn(async move { Lake::open(&dir).await.map(|_| ()) })
        });
        for opened in futures::future::join_all(opened).await {
            opened.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn the_list_of_live_files_has_each_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let listed = || {
        let list = fs::read_to_string(lake.folder().join("_live_files.txt")).unwrap();
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(listed().is_empty());
    for seq in 1..=COMPACT_FILES as u64 {
        append_one(&lake, seq).await.unwrap();
    }
    assert_eq!(listed().len(), COMPACT_FILES);
    lake.keep_up(at("2025-11-07T00:00:00Z"))
        .await
        .whole()
        .unwrap();
    let live = listed();
    let folder = fs::read_dir(lake.folder().join("date=2025-11-05")).unwrap();
    assert_eq!((live.len(), folder.count()), (1, COMPACT_FILES + 1));
    assert!(live[0].starts_with("date=2025-11-05/part-"), "{live:?}");
    // What is merged goes after a day; a list that somebody left behind is written anew before that.
    fs::write(
        lake.folder().join("_live_files.txt"),
        "date=2025-11-05/part-merged.parquet\n",
    )
    .unwrap();
    lake.keep_up(Timestamp::now() + jiff::SignedDuration::from_hours(25))
        .await
        .whole()
        .unwrap();
    assert_eq!(listed(), live);
}

#[tokio::test]
async fn two_who_go_by_one_name_do_not_pass_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (
        Lake::open(dir.path()).await.unwrap(),
        Lake::open(dir.path()).await.unwrap(),
    );
    let bring = async |lake: &Lake, computer, after, version| {
        let one = rows(&[logon(computer, 1, 0)], Some(1));
        lake.append_after(one, "journal", after, version).await
    };
    bring(&one, 1, None, 5).await.unwrap();
    // Once more, as after an answer that was lost.
    let again = bring(&one, 1, None, 5).await.unwrap();
    assert_eq!(again, Appended::Already { position: 5 });
    bring(&one, 1, Some(5), 9).await.unwrap();
    for (after, version) in [(Some(5), 8), (Some(5), 12), (None, 5), (Some(12), 20)] {
        let refused = bring(&other, 2, after, version).await;
        assert!(
            matches!(refused, Err(LakeError::Another { found: Some(9), .. })),
            "{after:?} {version}: {refused:?}"
        );
    }
    assert_eq!(count(&one).await, "{\"n\":2,\"d\":1}\n");
    let (_, files) = one.live_files("events").await.unwrap().unwrap();
    let folder = fs::read_dir(one.folder().join("date=2025-11-05")).unwrap();
    assert_eq!(
        (files.len(), folder.count()),
        (2, 2),
        "nothing is left over"
    );
}

#[tokio::test]
async fn every_table_is_made_written_merged_and_asked() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for definition in schema::TABLES {
        let empty = format!("select count(*) as n from {}", definition.name);
        assert_eq!(ask(&lake, &empty).await, "{\"n\":0}\n");
        let table = lake.other_to_write(definition).await.unwrap();
        for place in 0..COMPACT_FILES {
            let rows = Rows::from_batches(vec![one_row(definition, place)]);
            table.append(rows, None).await.unwrap();
        }
        let merged = table.keep_up(at("2026-01-01T00:00:00Z")).await.unwrap();
        assert_eq!(merged.merged, COMPACT_FILES as u64);
    }
    let lake = Lake::open_to_read(dir.path()).await.unwrap();
    for definition in schema::TABLES {
        let texts = definition
            .columns
            .iter()
            .filter(|column| column.kind == Kind::Text);
        let counts: Vec<String> = texts
            .map(|text| format!("count({0}) as {0}", text.name))
            .collect();
        let asked = format!("select {} from {}", counts.join(", "), definition.name);
        let told = ask(&lake, &asked).await;
        let full = format!(":{COMPACT_FILES}");
        assert_eq!(
            told.matches(&full).count(),
            counts.len(),
            "{} {told}",
            definition.name
        );
        let files = lake.live_files(definition.name).await.unwrap().unwrap().1;
        assert_eq!(files.len(), 1, "{files:?}");
    }
}

/// A row with a value in every column.
fn one_row(definition: &Definition, place: usize) -> RecordBatch {
    let number = i64::try_from(place).unwrap();
    let time = 1_762_300_800_000_000 + number;
    let column = |column: &crate::schema::Column| -> ArrayRef {
        match column.kind {
            Kind::Text if column.name == schema::DATE => {
                Arc::new(StringArray::from(vec!["2025-11-05"]))
            }
            Kind::Text => Arc::new(StringArray::from(vec![format!("{} {place}", column.name)])),
            Kind::Int => Arc::new(Int32Array::from(vec![7])),
            Kind::Long => Arc::new(Int64Array::from(vec![number])),
            Kind::Double => Arc::new(Float64Array::from(vec![0.5])),
            Kind::Time => {
                Arc::new(TimestampMicrosecondArray::from(vec![time]).with_timezone("UTC"))
            }
            Kind::Bytes => Arc::new(BinaryArray::from_vec(vec![
                &[u8::try_from(place).unwrap(); 16][..],
            ])),
            Kind::Map => new_null_array(&schema::data_type(Kind::Map), 1),
        }
    };
    let columns = definition.columns.iter().map(column).collect();
    RecordBatch::try_new(definition.arrow_schema(), columns).unwrap()
}
