use std::fs::{self, File};

use super::*;
use crate::lake::Lake;
use crate::retention::Hold;
use crate::testing::{ask, logon, rows};

const TODAY: &str = "2025-12-01";

fn today() -> Date {
    TODAY.parse().unwrap()
}

/// Events of two channels on 5 November 2025.
async fn lake(dir: &std::path::Path) -> Lake {
    let lake = Lake::open(dir).await.unwrap();
    let mut events: Vec<String> = (1..=4).map(|record| logon(1, record, 10)).collect();
    events[2] = events[2].replace("<Channel>Security<", "<Channel>System<");
    events[3] = events[3].replace("<Channel>Security</Channel>", "");
    lake.append(rows(&events, Some(1)), Some(("journal", 4)))
        .await
        .unwrap();
    lake.roll_up().await.unwrap();
    lake
}

const LEFT: &str = "select channel, count(*) as n, count(event_xml) as texts, count(message) as messages \
    from events group by channel order by channel";

async fn expired(lake: &Lake, retention: &Retention, run: Run) -> Expired {
    let all = lake.expire(retention, today(), run).await.unwrap();
    let events = all.iter().find(|(name, _)| *name == "events").unwrap();
    events.1
}

#[tokio::test]
async fn channels_and_texts_go_in_their_own_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let retention = Retention {
        channels: [("security".to_owned(), Some(20))].into(),
        text: Some(25),
        ..Retention::default()
    };
    let gone = Expired {
        rewritten: 1,
        rows: 2,
        texts: 2,
        ..Expired::default()
    };
    assert_eq!(expired(&lake, &retention, Run::Dry).await, gone);
    assert_eq!(
        ask(&lake, "select count(*) as n from events").await,
        "{\"n\":4}\n"
    );
    assert_eq!(expired(&lake, &retention, Run::Real).await, gone);
    let left = "{\"channel\":\"System\",\"n\":1,\"texts\":0,\"messages\":0}\n\
        {\"channel\":null,\"n\":1,\"texts\":0,\"messages\":0}\n";
    assert_eq!(ask(&lake, LEFT).await, left);
    assert_eq!(
        expired(&lake, &retention, Run::Real).await,
        Expired::default(),
        "nothing twice"
    );
    let counted = "select sum(events) as n from event_counts";
    assert_eq!(ask(&lake, counted).await, "{\"n\":4}\n", "counts stay");
    let reopened = Lake::open(dir.path()).await.unwrap();
    reopened.roll_up().await.unwrap();
    assert_eq!(ask(&reopened, LEFT).await, left);
    assert_eq!(ask(&reopened, counted).await, "{\"n\":4}\n");
}

#[tokio::test]
async fn whole_dates_go_as_files_and_what_is_held_stays() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let mut retention = Retention {
        tables: [("events".to_owned(), 25), ("event_counts".to_owned(), 25)].into(),
        holds: vec![Hold {
            name: "case".to_owned(),
            channels: vec!["System".to_owned()],
            ..Hold::default()
        }],
        ..Retention::default()
    };
    let held = Expired {
        rewritten: 1,
        rows: 3,
        ..Expired::default()
    };
    assert_eq!(expired(&lake, &retention, Run::Real).await, held);
    let left = "{\"channel\":\"System\",\"n\":1,\"texts\":1,\"messages\":0}\n";
    assert_eq!(ask(&lake, LEFT).await, left);
    retention.holds.clear();
    let gone = Expired {
        removed: 1,
        rows: 1,
        ..Expired::default()
    };
    assert_eq!(expired(&lake, &retention, Run::Real).await, gone);
    assert_eq!(ask(&lake, LEFT).await, "");
    assert_eq!(
        ask(&lake, "select sum(events) as n from event_counts").await,
        "{\"n\":null}\n"
    );
    // A reader of yesterday's version still has its files.
    let files = || {
        fs::read_dir(lake.folder().join("date=2025-11-05"))
            .unwrap()
            .count()
    };
    assert_eq!(files(), 2);
    lake.vacuum(jiff::Timestamp::now()).await.whole().unwrap();
    assert_eq!(files(), 2);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(25);
    assert_eq!(
        lake.vacuum(later).await.whole().unwrap(),
        3,
        "events of two versions, and their counts"
    );
}

#[tokio::test]
async fn merged_files_remember_whose_text_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let retention = Retention {
        text: Some(20),
        ..Retention::default()
    };
    assert_eq!(expired(&lake, &retention, Run::Real).await.texts, 4);
    for record in 11..=20 {
        let late = rows(&[logon(1, record, 20)], None);
        lake.append_new(late, None).await.unwrap();
    }
    assert_eq!(
        lake.keep_up("2025-12-01T00:00:00Z".parse().unwrap())
            .await
            .whole()
            .unwrap()
            .days,
        1
    );
    let done = expired(&lake, &retention, Run::Real).await;
    assert_eq!((done.rewritten, done.rows), (1, 0));
    assert_eq!(
        ask(
            &lake,
            "select count(*) as n, count(event_xml) as texts from events"
        )
        .await,
        "{\"n\":14,\"texts\":0}\n"
    );
    assert_eq!(
        expired(&lake, &retention, Run::Real).await,
        Expired::default()
    );
}

#[tokio::test]
async fn a_damaged_text_keeps_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for day in 0..3 {
        let one = [logon(1, day, 86_400 * i64::try_from(day).unwrap())];
        lake.append(rows(&one, None), None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    let file = folder.join(&files[0]);
    let metadata = footer::reader(File::open(&file).unwrap()).unwrap();
    let mut columns = metadata.metadata().row_group(0).columns().iter();
    let (begin, length) = columns
        .find(|column| column.column_path().string() == "event_xml")
        .unwrap()
        .byte_range();
    let mut bytes = fs::read(&file).unwrap();
    let begin = usize::try_from(begin).unwrap();
    bytes[begin..begin + usize::try_from(length).unwrap()].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    let retention = Retention {
        text: Some(1),
        ..Retention::default()
    };
    let gone = expired(&lake, &retention, Run::Real).await;
    assert_eq!((gone.rewritten, gone.texts), (2, 2));
}

/// Events and counts of one date, both over.
fn all_over() -> Retention {
    Retention {
        tables: [("events".to_owned(), 25), ("event_counts".to_owned(), 25)].into(),
        ..Retention::default()
    }
}

#[tokio::test]
async fn what_went_is_told_where_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let (told, mut gone) = mpsc::channel(1);
    told.send(("nothing", Expired::default())).await.unwrap();
    let counts = lake.other_to_write(&schema::COUNTS).await.unwrap();
    let before = counts.extent().await.unwrap().version;
    let expiring = tokio::spawn({
        let (lake, told) = (lake.clone(), told.clone());
        async move { lake.expire_and_tell(&all_over(), today(), &told).await }
    });
    // Until its first commit is there, of which nobody could be told so far.
    while counts.extent().await.unwrap().version == before {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    expiring.abort();
    assert!(expiring.await.unwrap_err().is_cancelled());
    assert_eq!(gone.recv().await.unwrap().0, "nothing");
    let (table, one) = gone.recv().await.unwrap();
    assert_eq!((table, one.removed), ("event_counts", 1));
}

#[tokio::test]
async fn what_went_is_told_where_another_table_fails() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let version = lake.extent().await.unwrap().version;
    // The next entry of the log cannot be written.
    let next = format!("_delta_log/{:020}.json", version + 1);
    fs::create_dir(lake.folder().join(next)).unwrap();
    let (told, mut gone) = mpsc::channel(4);
    let expiry = lake.expire_and_tell(&all_over(), today(), &told).await;
    drop(told);
    assert!(expiry.failed.is_some(), "{expiry:?}");
    let (table, one) = gone.recv().await.unwrap();
    assert_eq!((table, one.removed), ("event_counts", 1));
    assert_eq!(gone.recv().await, None, "and nothing that is still there");
    let nothing = ("events", Expired::default());
    assert_eq!(expiry.done, [(table, one), nothing]);
}
