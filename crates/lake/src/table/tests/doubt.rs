//! Log entries that are seen and may not be on the disk.

use super::*;
use crate::lake::Lake;
use crate::schema::EVENTS;
use crate::store::site::LOG;
use crate::store::{self, DurableFiles};
use url::Url;

/// Fails as often as a file in the folder has bytes.
fn fails_where_marked(folder: &Path) -> std::io::Result<()> {
    let mark = folder.join("fails");
    let mut times = fs::read(&mark).unwrap_or_default();
    if times.pop().is_none() {
        return store::sync_inside(folder);
    }
    fs::write(&mark, times)?;
    Err(std::io::Error::other("the disk failed"))
}

/// A lake whose log's folder cannot be synced as often as the file has bytes.
async fn on_failing_disk(dir: &Path) -> (Lake, PathBuf) {
    let (site, _) = Site::to_write(&dir.into(), EVENTS.name).unwrap();
    let folder = site.shown().to_owned();
    let url = Url::from_directory_path(&folder).unwrap();
    let store = DurableFiles::syncing_by(fails_where_marked);
    let log = log_in(url.as_str(), Arc::new(store)).unwrap();
    let table = load_or_create(&EVENTS, &log).await.unwrap();
    let mark = folder.join(LOG).join("fails");
    (
        Lake::of(dir, Table::new(&EVENTS, Site::Folder(folder), log, table)),
        mark,
    )
}

fn log_entry(lake: &Lake, version: u64) -> PathBuf {
    lake.folder().join(LOG).join(format!("{version:020}.json"))
}

/// What tells a log entry that was written again from the one before.
fn inode(lake: &Lake, version: u64) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(log_entry(lake, version)).unwrap().ino()
}

#[tokio::test]
async fn a_commit_that_may_not_be_on_disk_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, mark) = on_failing_disk(dir.path()).await;
    // Once for the commit, once for the attempt to make it last.
    fs::write(&mark, "12").unwrap();
    append_one(&lake, 1).await.unwrap_err();
    assert_eq!(fs::read(&mark).unwrap(), b"");
    let doubtful = inode(&lake, 1);
    assert_eq!(
        append_one(&lake, 1).await.unwrap(),
        Appended::Already { position: 1 }
    );
    assert_ne!(
        inode(&lake, 1),
        doubtful,
        "a sync without a write proves nothing after one that failed"
    );
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":1,"d":1}"#);
}

#[tokio::test]
async fn what_the_lake_says_it_has_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, mark) = on_failing_disk(dir.path()).await;
    fs::write(&mark, "123").unwrap();
    append_one(&lake, 1).await.unwrap_err();
    lake.position("journal").await.unwrap_err();
    assert_eq!(fs::read(&mark).unwrap(), b"");
    let doubtful = inode(&lake, 1);
    assert_eq!(lake.position("journal").await.unwrap(), Some(1));
    assert_ne!(inode(&lake, 1), doubtful);
}

#[tokio::test]
async fn nothing_is_built_upon_a_merge_that_may_not_be_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, mark) = on_failing_disk(dir.path()).await;
    let files = COMPACT_FILES as u64;
    for seq in 1..=files {
        append_one(&lake, seq).await.unwrap();
    }
    // Neither the first time nor when it is written again, for itself and for the roll-up.
    fs::write(&mark, "123").unwrap();
    let now = at("2025-11-06T00:00:00Z");
    lake.keep_up(now).await.whole().unwrap_err();
    fs::write(&mark, "1").unwrap();
    append_one(&lake, files + 1).await.unwrap_err();
    assert!(
        !log_entry(&lake, files + 2).exists(),
        "it would stay behind a gap"
    );
    let doubtful = inode(&lake, files + 1);
    append_one(&lake, files + 1).await.unwrap();
    assert_ne!(inode(&lake, files + 1), doubtful);
    assert!(log_entry(&lake, files + 2).exists());
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":9,"d":9}"#);
}

#[tokio::test]
async fn no_file_goes_for_a_merge_that_may_not_be_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, mark) = on_failing_disk(dir.path()).await;
    let files = COMPACT_FILES as u64;
    for seq in 1..=files {
        append_one(&lake, seq).await.unwrap();
    }
    fs::write(&mark, "123").unwrap();
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(49);
    lake.keep_up(later).await.whole().unwrap_err();
    // For the roll-up, before files go, and for the roll-up again.
    fs::write(&mark, "123").unwrap();
    lake.keep_up(later).await.whole().unwrap_err();
    assert_eq!(data_files(&lake) as u64, files + 1);
    let before = lake.extent().await.unwrap();
    assert_eq!(before.files, 1);
    assert_eq!(lake.keep_up(later).await.whole().unwrap().removed, files);
    assert_eq!(
        lake.extent().await.unwrap(),
        before,
        "no version tells of it"
    );
}

/// Writes a checkpoint, and removes the log entries that it covers, as happens after a day.
async fn forget_entries(lake: &Lake) {
    let table = lake.events().snapshot().await.unwrap();
    deltalake::checkpoints::create_checkpoint(&table, None)
        .await
        .unwrap();
    for version in 0..table.version().unwrap() {
        fs::remove_file(log_entry(lake, version)).unwrap();
    }
}

#[tokio::test]
async fn a_write_of_which_nothing_came_is_forgotten_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, mark) = on_failing_disk(dir.path()).await;
    // As after a full disk.
    lake.events().newest().await.unwrap().doubt();
    append_one(&lake, 1).await.unwrap();
    let sure = inode(&lake, 1);
    append_one(&lake, 2).await.unwrap();
    assert_eq!(inode(&lake, 1), sure, "there was nothing to make sure of");
    forget_entries(&lake).await;
    fs::write(&mark, "1").unwrap();
    assert_eq!(
        append_one(&lake, 3).await.unwrap(),
        Appended::Already { position: 3 }
    );
    append_one(&lake, 4).await.unwrap();
}

#[tokio::test]
async fn what_a_checkpoint_covers_needs_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, _) = on_failing_disk(dir.path()).await;
    lake.events().newest().await.unwrap().doubt();
    // Another process takes the version, and all is old before this one looks again.
    let other = Lake::open(dir.path()).await.unwrap();
    append_one(&other, 1).await.unwrap();
    append_one(&other, 2).await.unwrap();
    forget_entries(&other).await;
    append_one(&other, 3).await.unwrap();
    let doubtful = inode(&lake, 3);
    assert_eq!(lake.position("journal").await.unwrap(), Some(3));
    assert_ne!(inode(&lake, 3), doubtful);
    append_one(&lake, 4).await.unwrap();
}
