//! What is done for every table.

use std::fs;
use std::path::Path;

use super::*;
use crate::testing::{logon, rows};

const OVER: &str = "2025-11-07T00:00:00Z";

/// Ten commits of a day that is over at [`OVER`], and counts of them.
async fn lake(dir: &Path) -> Lake {
    let lake = Lake::open(dir).await.unwrap();
    for record in 1..=10 {
        let one = rows(&[logon(1, record, 0)], None);
        lake.append_new(one, None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    lake
}

/// Makes a table one that nobody can open.
fn spoil(dir: &Path, table: &str) {
    let log = dir.join(table).join("_delta_log");
    fs::create_dir_all(&log).unwrap();
    for entry in fs::read_dir(&log).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::write(log.join("00000000000000000000.json"), "{\"no\":").unwrap();
}

#[tokio::test]
async fn a_table_that_cannot_be_opened_keeps_no_other_from_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(lake(dir.path()).await);
    spoil(dir.path(), "failed_requests");
    let lake = Lake::open(dir.path()).await.unwrap();
    let names = |failed: Option<LakeError>| match failed {
        Some(error @ LakeError::Tables(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let Done { done, failed } = lake.keep_up(OVER.parse().unwrap()).await;
    assert_eq!((done.days, done.merged), (1, 10));
    let told = names(failed);
    assert!(told.contains("failed_requests: "), "{told}");
    assert!(!told.contains("events: "), "{told}");
    let Done { done, failed } = lake.overview().await;
    let seen: Vec<&str> = done.iter().map(|table| table.name).collect();
    assert_eq!(seen, ["event_counts", "events"]);
    assert!(names(failed).contains("failed_requests: "));
    let Done { done, failed } = lake.check(Cure::None).await;
    assert_eq!(done.len(), 2);
    assert!(failed.is_some());
    let Done { done, failed } = lake.vacuum("2028-01-01T00:00:00Z".parse().unwrap()).await;
    assert!(done >= 10 && failed.is_some(), "{done}");
}

#[tokio::test]
async fn a_roll_up_that_fails_keeps_events_from_expiring_and_not_from_being_merged() {
    let dir = tempfile::tempdir().unwrap();
    drop(lake(dir.path()).await);
    spoil(dir.path(), "event_counts");
    let lake = Lake::open(dir.path()).await.unwrap();
    let Done { done, failed } = lake.keep_up(OVER.parse().unwrap()).await;
    assert_eq!((done.days, done.merged), (1, 10));
    let told = failed.unwrap().to_string();
    assert_eq!(told.matches("event_counts: ").count(), 1, "{told}");
    let retention = Retention {
        tables: [("events".to_owned(), 1)].into(),
        ..Retention::default()
    };
    let (told, _gone) = mpsc::channel(8);
    let today = "2026-01-01".parse().unwrap();
    let Done { done, failed } = lake.expire_and_tell(&retention, today, &told).await;
    assert!(done.iter().all(|(_, gone)| gone.rows == 0), "{done:?}");
    assert!(failed.is_some());
}
