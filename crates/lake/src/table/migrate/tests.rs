//! `fixtures/lake-v1` was written by a windrow of the first version of `events`: a service that simulated machines sent to.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::batch::{Header, Kind};

use crate::lake::Lake;
use crate::rows::Rows;
use crate::testing::{ask, ask_with, header, logon, rows_of};
use crate::{Run, Tail};

/// A copy of the lake of the first version.
fn first_version() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lake-v1");
    copy(&from, dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Entries of the log of `events`.
fn log(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("events/_delta_log")).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.retain(|entry| entry.extension().is_some_and(|kind| kind == "json"));
    entries.sort();
    entries
}

async fn version(lake: &Lake) -> i64 {
    let overview = lake.overview().await.whole().unwrap();
    let events = overview.iter().find(|table| table.name == "events");
    events.unwrap().schema_version
}

/// Events of a journal, by one machine on the day of those in the fixture.
fn new_rows(day: &str, first_seq: u64) -> Rows {
    let texts: Vec<String> = (0..3)
        .map(|place| logon(1, place, i64::try_from(place).unwrap()).replace("2025-11-05", day))
        .collect();
    let arrived = Header {
        received_at: format!("{day}T12:00:00Z").parse().unwrap(),
        ..header(Kind::Wef)
    };
    rows_of(Uuid::nil(), &arrived, &texts, first_seq)
}

const COUNTED: &str =
    "select count(*) as n, count(journal) as of_journals, max(journal) as last from events";

/// Every value of the columns of the first version.
const OLD: &str =
    "select * except (journal) from events where journal is null order by time, event_key";

#[tokio::test]
async fn who_only_reads_leaves_it_as_it_is_and_has_the_new_columns() {
    let dir = first_version();
    let before = log(dir.path());
    let lake = Lake::open_to_read(dir.path()).await.unwrap();
    assert_eq!(version(&lake).await, 1);
    let mut answers = ask(&lake, COUNTED).await;
    let tail = Tail {
        app_id: "other".to_owned(),
        rows: vec![new_rows("2025-11-05", 1)],
        ..Tail::default()
    };
    answers += &ask_with(&lake, COUNTED, tail).await;
    answers += &ask(
        &lake,
        "select count(*) as n from events where journal is null and event_id = 4624",
    )
    .await;
    insta::assert_snapshot!(answers, @r#"
    {"n":27,"of_journals":0,"last":null}
    {"n":30,"of_journals":3,"last":"00000000-0000-0000-0000-000000000000"}
    {"n":8}
    "#);
    assert_eq!(log(dir.path()), before);
}

#[tokio::test]
async fn who_writes_adds_the_columns_in_one_commit_and_touches_no_file() {
    let dir = first_version();
    let read = Lake::open_to_read(dir.path()).await.unwrap();
    let (old, commits) = (ask(&read, OLD).await, log(dir.path()).len());
    let files = read.live_files("events").await.unwrap();
    assert!(old.lines().count() > 10, "{old}");

    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(version(&lake).await, 2);
    assert_eq!(log(dir.path()).len(), commits + 1);
    assert_eq!(lake.live_files("events").await.unwrap(), files);
    assert_eq!(ask(&lake, OLD).await, old);
    // Who had it open goes on reading it, and a second one has nothing to do.
    assert_eq!(ask(&read, OLD).await, old);
    Lake::open(dir.path()).await.unwrap();
    assert_eq!(log(dir.path()).len(), commits + 1);

    let added = log(dir.path()).pop().unwrap();
    let added = fs::read_to_string(added).unwrap();
    assert!(added.contains(r#""windrow.schemaVersion":"2""#), "{added}");
    assert!(
        !added.contains(r#""protocol""#) && !added.contains(r#""add""#),
        "{added}"
    );
}

#[tokio::test]
async fn old_and_new_rows_are_merged_expired_and_counted_together() {
    let dir = first_version();
    let lake = Lake::open(dir.path()).await.unwrap();
    let old = ask(&lake, OLD).await;
    let day = ask(&lake, "select max(date) as date from events").await;
    let day = &day[9..19];
    for part in 0..6_u64 {
        let first = 1 + 3 * part;
        let txn = Some(("other", i64::try_from(first + 2).unwrap()));
        lake.append(new_rows(day, first), txn).await.unwrap();
    }
    let later = Timestamp::now() + jiff::Span::new().hours(72);
    let merged = lake.keep_up(later).await.whole().unwrap();
    assert!(merged.merged > 6, "{merged:?}");
    assert_eq!(ask(&lake, OLD).await, old);
    let rolled =
        "select (select count(*) from events) = (select sum(events) from event_counts) as same";
    let mut answers = ask(&lake, COUNTED).await + &ask(&lake, rolled).await;
    let retention = crate::Retention {
        channels: [("security".to_owned(), Some(1))].into(),
        ..crate::Retention::default()
    };
    let today = later.to_zoned(jiff::tz::TimeZone::UTC).date();
    lake.expire(&retention, today, Run::Real).await.unwrap();
    answers += &ask(&lake, COUNTED).await;
    insta::assert_snapshot!(answers, @r#"
    {"n":45,"of_journals":18,"last":"00000000-0000-0000-0000-000000000000"}
    {"same":true}
    {"n":5,"of_journals":0,"last":null}
    "#);
}

#[tokio::test]
async fn many_that_open_it_at_once_add_the_columns_once() {
    let dir = first_version();
    let commits = log(dir.path()).len();
    let open = || {
        let dir = dir.path().to_owned();
        tokio::spawn(async move { Lake::open(&dir).await.map(drop) })
    };
    let opening: Vec<_> = (0..8).map(|_| open()).collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    assert_eq!(log(dir.path()).len(), commits + 1);
}
