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
    let well = lake.check(Cure::TakeOut).await.unwrap();
    assert_eq!(names(&well), ["event_counts", "events"]);
    assert_eq!((well[1].files, well[1].rows, well[1].lost), (4, 4, 0));

    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    fs::remove_file(folder.join(&files[0])).unwrap();
    fs::write(folder.join(&files[1]), "").unwrap();
    let mut bytes = fs::read(folder.join(&files[2])).unwrap();
    let pages = bytes.len() / 2;
    bytes[4..pages].fill(0x5a);
    fs::write(folder.join(&files[2]), &bytes).unwrap();
    for cure in [Cure::None, Cure::TakeOut] {
        let found = lake.check(cure).await.unwrap();
        assert_eq!((found[1].files, found[1].rows, found[1].lost), (1, 1, 3));
        let damaged: Vec<_> = found[1]
            .damaged
            .iter()
            .map(|one| one.file.clone())
            .collect();
        assert_eq!(damaged, [0, 1, 2].map(|file| folder.join(&files[file])));
    }
    assert_eq!(lake.check(Cure::None).await.unwrap()[1].damaged, []);
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
