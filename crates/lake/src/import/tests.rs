use super::*;
use crate::Lake;
use crate::testing::{count, logon, rows};

fn logons(records: std::ops::RangeInclusive<u64>) -> Vec<String> {
    records
        .map(|record| logon(1, record, record as i64 * 3600))
        .collect()
}

#[tokio::test]
async fn an_overlapping_import_adds_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let mut first = logons(1..=30);
    first.extend(logons(5..=7));
    let appended = lake
        .append_new(rows(&first, None), Some(("one", 1)))
        .await
        .unwrap();
    assert!(
        matches!(appended, Appended::Committed { rows: 30, .. }),
        "{appended:?}"
    );
    let appended = lake
        .append_new(rows(&logons(20..=40), None), Some(("two", 1)))
        .await
        .unwrap();
    assert!(
        matches!(appended, Appended::Committed { rows: 10, .. }),
        "{appended:?}"
    );
    let appended = lake
        .append_new(rows(&logons(20..=40), None), Some(("two", 1)))
        .await
        .unwrap();
    assert_eq!(appended, Appended::Already { position: 1 });
    let appended = lake
        .append_new(rows(&logons(1..=40), None), None)
        .await
        .unwrap();
    assert_eq!(appended, Appended::Nothing);
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":40,"d":40}"#);
}

#[tokio::test]
async fn what_has_no_time_is_recognised_on_another_day() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let text = [
        "<Event><System><Computer>A</Computer></System></Event>".to_owned(),
        "<Event>".to_owned(),
    ];
    let mut header = crate::testing::header(windrow_formats::batch::Kind::Evtx);
    for _ in 0..2 {
        lake.append_new(crate::testing::rows_from(&header, &text, None), None)
            .await
            .unwrap();
        header.received_at = "2026-01-01T00:00:00Z".parse().unwrap();
    }
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":2,"d":2}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_of_the_same_events_at_once_add_them_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let lake = Lake::open(dir.path()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for from in [1, 21, 41] {
                lake.append_new(rows(&logons(from..=from + 25), None), None)
                    .await
                    .unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let lake = Lake::open(dir.path()).await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":66,"d":66}"#);
}
