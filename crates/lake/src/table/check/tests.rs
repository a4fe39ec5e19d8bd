use std::fs;

use super::*;
use crate::lake::Lake;
use crate::testing::{ask, logon, rows};

#[tokio::test]
async fn damaged_files_are_named_and_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for day in 0..4 {
        let one = [logon(1, day, 86_400 * day as i64)];
        lake.append(rows(&one, None), None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    let names = |checked: &[Checked]| {
        checked
            .iter()
            .map(|checked| checked.table)
            .collect::<Vec<_>>()
    };
    let (told, mut taken) = mpsc::channel(8);
    let well = lake.check(Cure::TakeOut(&[], &told)).await.whole().unwrap();
    assert_eq!(names(&well), ["event_counts", "events"]);
    assert_eq!((well[1].files, well[1].rows, well[1].lost), (4, 4, 0));

    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    fs::remove_file(folder.join(&files[0])).unwrap();
    fs::write(folder.join(&files[1]), "").unwrap();
    let mut bytes = fs::read(folder.join(&files[2])).unwrap();
    let pages = bytes.len() / 2;
    bytes[4..pages].fill(0x5a);
    fs::write(folder.join(&files[2]), &bytes).unwrap();
    // What is held of another table or date holds nothing back, and neither does one of channels of events.
    let holds = [
        hold(&["event_counts"], "2025-11-05"),
        hold(&[], "2025-11-09"),
    ];
    for cure in [Cure::None, Cure::TakeOut(&holds, &told)] {
        let found = lake.check(cure).await.whole().unwrap();
        assert_eq!((found[1].files, found[1].rows, found[1].lost), (1, 1, 3));
        let damaged: Vec<_> = found[1]
            .damaged
            .iter()
            .map(|one| one.file.clone())
            .collect();
        assert_eq!(damaged, [0, 1, 2].map(|file| folder.join(&files[file])));
    }
    for file in &files[..3] {
        let taken = taken.recv().await.unwrap();
        assert_eq!(taken.file, folder.join(file));
        assert_eq!((taken.table, taken.rows), ("events", 1));
    }
    assert!(taken.is_empty());
    assert_eq!(lake.check(Cure::None).await.whole().unwrap()[1].damaged, []);
    assert_eq!(
        ask(&lake, "select record_id as r from events").await,
        "{\"r\":3}\n"
    );
    assert_eq!(
        ask(&lake, "select sum(events) as n from event_counts").await,
        "{\"n\":4}\n"
    );
    assert!(folder.join(&files[2]).exists(), "somebody may mend it");
    let again = rows(&[logon(1, 0, 0)], None);
    lake.append_new(again, None).await.unwrap();
    lake.roll_up().await.unwrap();
    assert_eq!(
        ask(&lake, "select count(*) as n from events").await,
        "{\"n\":2}\n"
    );
}

fn hold(tables: &[&str], date: &str) -> Hold {
    Hold {
        name: "case".to_owned(),
        tables: tables.iter().map(|&name| name.to_owned()).collect(),
        channels: vec!["Security".to_owned()],
        from: Some(date.parse().unwrap()),
        to: Some(date.parse().unwrap()),
    }
}

#[tokio::test]
async fn what_may_be_held_is_not_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for day in 0..2 {
        let one = [logon(1, day, 86_400 * day as i64)];
        lake.append(rows(&one, None), None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    for file in &files {
        fs::write(folder.join(file), "").unwrap();
    }
    let (told, mut taken) = mpsc::channel(8);
    let held = [hold(&[], "2025-11-05")];
    let found = lake
        .check(Cure::TakeOut(&held, &told))
        .await
        .whole()
        .unwrap();
    let first = folder.join(&files[0]);
    assert_eq!(found[1].kept, [(first, Kept::Held("case".to_owned()))]);
    assert_eq!(taken.recv().await.unwrap().file, folder.join(&files[1]));
    assert!(taken.is_empty());
    let (_, left) = lake.live_files("events").await.unwrap().unwrap();
    assert_eq!(left, files[..1]);
}

#[test]
fn what_the_disk_cannot_read_is_not_taken_out() {
    let remove = Remove::default();
    let eio = || std::io::Error::from_raw_os_error(5);
    let stored = object_store::Error::Generic {
        store: "disk",
        source: Box::new(eio()),
    };
    let errors = [
        ParquetError::from(eio()),
        ParquetError::from(std::io::Error::other(stored)),
    ];
    for error in errors {
        assert!(footer::is_damage(&error), "an answer goes on without it");
        assert_eq!(kept("events", &remove, &error, &[]), Some(Kept::Disk));
    }
    let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
    assert_eq!(kept("events", &remove, &gone.into(), &[]), None);
}
