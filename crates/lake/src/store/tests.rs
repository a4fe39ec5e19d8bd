use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::*;

fn location(dir: &tempfile::TempDir, name: &str) -> Path {
    Path::from_absolute_path(dir.path().join(name)).unwrap()
}

async fn names(store: &DurableFiles, dir: &tempfile::TempDir) -> Vec<String> {
    let listed: Vec<_> = store
        .list(Some(&location(dir, "")))
        .try_collect()
        .await
        .unwrap();
    let mut names: Vec<_> = listed
        .iter()
        .map(|meta| meta.location.filename().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn of_two_writers_of_a_name_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = DurableFiles::new();
    let create = || PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    let name = location(&dir, "new/folder/1.json");
    store
        .put_opts(&name, "first".into(), create())
        .await
        .unwrap();
    let error = store
        .put_opts(&name, "second".into(), create())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(
        store.get(&name).await.unwrap().bytes().await.unwrap(),
        "first"
    );
    store.put(&name, "third".into()).await.unwrap();
    assert_eq!(
        store.get(&name).await.unwrap().bytes().await.unwrap(),
        "third"
    );
    assert_eq!(names(&store, &dir).await, ["1.json"]);
}

#[tokio::test]
async fn a_file_in_parts_has_its_name_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = DurableFiles::new();
    let name = location(&dir, "parts.parquet");
    let mut upload = store.put_multipart(&name).await.unwrap();
    upload.put_part("one ".into()).await.unwrap();
    upload.put_part("two".into()).await.unwrap();
    assert!(store.get(&name).await.is_err());
    upload.complete().await.unwrap();
    assert_eq!(
        store.get(&name).await.unwrap().bytes().await.unwrap(),
        "one two"
    );
    assert_eq!(names(&store, &dir).await, ["parts.parquet"]);
}

#[test]
fn only_old_files_left_behind_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, age_s: u64| {
        let file = File::create(dir.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s))
            .unwrap();
    };
    make("old.json", 10 * STAGED_STALE_S);
    make("old.json.1.tmp", 10 * STAGED_STALE_S);
    make("young.json.2.tmp", 1);
    remove_stale(dir.path());
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["old.json", "young.json.2.tmp"]);
}
