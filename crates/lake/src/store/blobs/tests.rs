use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use object_store::Attributes;
use object_store::memory::InMemory;
use tempfile::{TempDir, tempdir};
use tokio::sync::mpsc;

use super::*;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::limits::{COMPACT_FILES, SCRATCH_FILE_BYTES};
use crate::place::{Azure, Place};
use crate::retention::Retention;
use crate::table::{Appended, Cure, Run};
use crate::testing::{ask, count, logon, rows, write};
use crate::{Format, Layout, QueryLimits, Tail};

/// Does what must be new and says that it was there, as often as is left to do.
#[derive(Debug, Default)]
struct LosesAnswers {
    inner: InMemory,
    left: AtomicUsize,
    /// Data files that are given out until it is too busy once.
    busy_after: AtomicUsize,
    /// Nothing is taken in parts.
    refuses_parts: AtomicBool,
    /// Data files of the first day have more bytes than may be fetched.
    has_giants: AtomicBool,
}

impl fmt::Display for LosesAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("storage that loses answers")
    }
}

#[async_trait]
impl ObjectStore for LosesAnswers {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let is_new = matches!(opts.mode, PutMode::Create);
        let put = self.inner.put_opts(location, payload, opts).await?;
        let less = |left: usize| left.checked_sub(1);
        let loses = is_new
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
                .is_ok();
        match loses {
            false => Ok(put),
            true => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "it was there".into(),
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.refuses_parts.load(Ordering::SeqCst) {
            true => Ok(Box::new(BreaksOff)),
            false => self.inner.put_multipart_opts(location, opts).await,
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_data = location.extension() == Some("parquet");
        if is_data && self.busy_after.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Err(Error::Generic {
                store: "test",
                source: "503 Busy".into(),
            });
        }
        let is_giant = is_data && location.as_ref().contains("date=2025-11-05/");
        let mut found = self.inner.get_opts(location, options).await?;
        if is_giant && self.has_giants.load(Ordering::SeqCst) {
            found.meta.size = SCRATCH_FILE_BYTES + 1;
        }
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A place in storage that loses answers.
fn place() -> (Place, Arc<LosesAnswers>, TempDir) {
    let scratch = tempdir().unwrap();
    let store = Arc::new(LosesAnswers::default());
    let blobs = Blobs::new(Arc::clone(&store) as _, Listing::FromOffset, None);
    let place = Place::Azure(Azure {
        url: "https://acme1.blob.core.windows.net/logs/a"
            .parse()
            .unwrap(),
        scratch: scratch.path().to_owned(),
        blobs: Arc::new(blobs),
        // So that every data file is fetched, and made, in several.
        part_bytes: 4_096,
    });
    (place, store, scratch)
}

async fn counted(lake: &Lake) -> String {
    ask(lake, "select sum(events) n from event_counts").await
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_done_once() {
    let (place, store, _scratch) = place();
    let lake = Lake::open(place).await.unwrap();
    for record in 1..=5 {
        store.left.store(1, Ordering::SeqCst);
        // Nothing but the storage can tell of this one: it has no transaction.
        let appended = lake.append(rows(&[logon(1, record, 0)], None), None).await;
        assert!(matches!(appended, Ok(Appended::Committed { rows: 1, .. })));
        assert_eq!(store.left.load(Ordering::SeqCst), 0);
    }
    store.left.store(1, Ordering::SeqCst);
    lake.roll_up().await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":5,"d":5}"#);
    insta::assert_snapshot!(counted(&lake).await, @r#"{"n":5}"#);
    assert_eq!(lake.extent().await.unwrap().version, 5);
}

#[tokio::test]
async fn files_are_merged_and_thinned_where_no_folder_is() {
    let (place, store, scratch) = place();
    let lake = Lake::open(place.clone()).await.unwrap();
    for record in 1..=COMPACT_FILES as u64 {
        lake.append(rows(&[logon(1, record, 0)], None), None)
            .await
            .unwrap();
    }
    store.left.store(usize::MAX, Ordering::SeqCst);
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let done = lake.keep_up(now).await.whole().unwrap();
    assert_eq!(done.merged, COMPACT_FILES as u64);
    let retention = Retention {
        text: Some(1),
        ..Retention::default()
    };
    let today = "2026-01-01".parse().unwrap();
    let gone = lake.expire(&retention, today, Run::Real).await.unwrap();
    let texts: u64 = gone.iter().map(|(_, gone)| gone.texts).sum();
    assert_eq!(texts, COMPACT_FILES as u64);
    // Years later what was replaced goes.
    lake.vacuum("2028-01-01T00:00:00Z".parse().unwrap())
        .await
        .whole()
        .unwrap();
    let expected = format!("{{\"n\":{COMPACT_FILES},\"d\":{COMPACT_FILES}}}\n");
    assert_eq!(count(&lake).await, expected);
    let again = Lake::open_to_read(place.clone()).await.unwrap();
    assert_eq!(count(&again).await, expected);
    assert_eq!(again.extent().await.unwrap().files, 1);
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0, "files without names leave none");
}

#[tokio::test]
async fn a_blob_that_is_too_large_keeps_no_other_from_expiring() {
    let (place, store, _scratch) = place();
    let lake = Lake::open(place).await.unwrap();
    for day in 0..3 {
        let one = [logon(1, day, 86_400 * i64::try_from(day).unwrap())];
        lake.append(rows(&one, None), None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    store.has_giants.store(true, Ordering::SeqCst);
    let retention = Retention {
        text: Some(1),
        ..Retention::default()
    };
    let today = "2026-01-01".parse().unwrap();
    let (told, mut gone) = mpsc::channel(8);
    let expiry = lake.expire_and_tell(&retention, today, &told).await;
    let (table, texts) = gone.recv().await.map(|(of, one)| (of, one.texts)).unwrap();
    assert_eq!((table, texts), ("events", 2));
    let failed = expiry.failed.expect("it is told").to_string();
    assert!(failed.contains("more than any of windrow's"), "{failed}");
}

/// A query, counting, merging, checking: whoever meets a damaged file calls it by the same name.
#[tokio::test]
async fn a_damaged_blob_goes_by_one_name() {
    let (place, store, _scratch) = place();
    let lake = Lake::open(place).await.unwrap();
    let one = || rows(&[logon(1, 1, 0)], None);
    lake.append(one(), None).await.unwrap();
    let (folder, files) = lake.live_files("events").await.unwrap().unwrap();
    let blob = Path::from(format!("a/events/{}", files[0]));
    store.inner.put(&blob, "no more".into()).await.unwrap();
    let file = folder.join(&files[0]);
    for sql in [
        "select * from events",
        "select sum(events) from event_counts",
    ] {
        let (tail, limits) = (Tail::default(), QueryLimits::default());
        let output = lake.query(sql, tail, limits).await.unwrap();
        let unread = output.unread();
        write(output, Format::Csv).await;
        let names: Vec<_> = unread.all().into_iter().map(|one| one.file).collect();
        assert_eq!(names, [file.as_path()], "{sql}");
    }
    assert_eq!(lake.damaged_files(), 1);
    let error = lake.append_new(one(), None).await.unwrap_err();
    assert!(
        matches!(&error, LakeError::Damaged { file: told, .. } if *told == file),
        "{error}"
    );
    let checked = lake.check(Cure::None).await.whole().unwrap();
    assert_eq!(checked[0].damaged[0].file, file);
}

/// Whichever request it refuses: an answer is whole or an error, and no file is called damaged.
#[tokio::test]
async fn storage_that_is_busy_is_no_damage() {
    let (place, store, _scratch) = place();
    let lake = Lake::open(place).await.unwrap();
    for record in 1..=3 {
        lake.append(rows(&[logon(1, record, 0)], None), None)
            .await
            .unwrap();
    }
    let mut refused = 0;
    loop {
        store.busy_after.store(refused + 1, Ordering::SeqCst);
        let (tail, limits) = (Tail::default(), QueryLimits::default());
        let sql = "select record_id, event_xml from events";
        let output = lake.query(sql, tail, limits).await.unwrap();
        let (unread, mut out) = (output.unread(), Vec::new());
        let layout = Layout::default();
        let written = output.write(Format::Csv, &layout, &mut out).await;
        assert_eq!(unread.all(), [], "request {refused}");
        if written.is_ok() {
            assert_eq!(String::from_utf8(out).unwrap().lines().count(), 4);
            break;
        }
        refused += 1;
    }
    assert!(refused >= 6, "each file is asked for more than once");
    assert_eq!(lake.damaged_files(), 0);
}

#[tokio::test]
async fn two_writers_lose_nothing_to_each_other() {
    let (place, _, _scratch) = place();
    let writer = |place: Place, computer: u32| async move {
        let lake = Lake::open(place).await.unwrap();
        let name = format!("journal-{computer}");
        for seq in 1..=20 {
            let one = rows(&[logon(computer, seq, 0)], Some(seq));
            let txn = Some((name.as_str(), seq as i64));
            lake.append(one, txn).await.unwrap();
            lake.roll_up().await.unwrap();
        }
    };
    tokio::join!(writer(place.clone(), 1), writer(place.clone(), 2));
    let lake = Lake::open_to_read(place).await.unwrap();
    insta::assert_snapshot!(count(&lake).await, @r#"{"n":40,"d":40}"#);
    insta::assert_snapshot!(counted(&lake).await, @r#"{"n":40}"#);
}

/// Refuses each part of what is put, and breaks off in what is got.
#[derive(Debug)]
struct BreaksOff;

/// What the storage answered, with something in it that nobody is to see.
fn refusal() -> Error {
    Error::Generic {
        store: "test",
        source: "https://a?sig=secret status code: 403 <Code>AuthorizationFailure</Code>".into(),
    }
}

impl fmt::Display for BreaksOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("storage that breaks off")
    }
}

#[async_trait]
impl MultipartUpload for BreaksOff {
    fn put_part(&mut self, _: PutPayload) -> UploadPart {
        async { Err(refusal()) }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        Err(refusal())
    }

    async fn abort(&mut self) -> Result<()> {
        Err(refusal())
    }
}

#[async_trait]
impl ObjectStore for BreaksOff {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refusal())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(BreaksOff))
    }

    async fn get_opts(&self, location: &Path, _: GetOptions) -> Result<GetResult> {
        let parts = [Ok(Bytes::from_static(b"PAR1")), Err(refusal())];
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::iter(parts).boxed()),
            meta: ObjectMeta {
                location: location.clone(),
                last_modified: std::time::UNIX_EPOCH.into(),
                size: 100,
                e_tag: None,
                version: None,
            },
            range: 0..100,
            attributes: Attributes::default(),
        })
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        futures::stream::iter([Err(refusal())]).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        futures::stream::iter([Err(refusal())]).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refusal())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refusal())
    }
}

#[tokio::test]
async fn what_is_refused_late_is_told_in_words_too() {
    let blobs = Blobs::new(Arc::new(BreaksOff), Listing::FromOffset, None);
    let (path, part) = (Path::from("a"), || PutPayload::from_static(b"part"));
    let mut upload = blobs.put_multipart(&path).await.unwrap();
    let whole = blobs.get(&path).await.unwrap().bytes().await;
    for error in [
        upload.put_part(part()).await.unwrap_err(),
        upload.complete().await.unwrap_err(),
        upload.abort().await.unwrap_err(),
        whole.unwrap_err(),
        blobs.put(&path, part()).await.unwrap_err(),
        blobs.delete(&path).await.unwrap_err(),
    ] {
        let told = error.to_string();
        assert!(told.contains("the credential is wrong"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

/// It is the storage that failed, and no folder.
#[tokio::test]
async fn files_that_cannot_be_merged_for_the_storage_say_so() {
    let (place, store, _scratch) = place();
    let lake = Lake::open(place).await.unwrap();
    for record in 1..=COMPACT_FILES as u64 {
        let one = rows(&[logon(1, record, 0)], None);
        lake.append(one, None).await.unwrap();
    }
    lake.roll_up().await.unwrap();
    store.refuses_parts.store(true, Ordering::SeqCst);
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let failed = lake.keep_up(now).await.failed.unwrap().to_string();
    insta::assert_snapshot!(failed, @"not done for every table of the lake: events: cannot fetch or put files of https://acme1.blob.core.windows.net/logs/a/events: Generic Azure storage error: the credential is wrong, may not do this, or not from this address: it has to read, create, write, delete and list blobs (AuthorizationFailure)");
}

#[test]
fn what_the_storage_says_is_told_with_its_cure() {
    let words = |text: &str, end: Option<&str>| {
        let source: Box<dyn StdError + Send + Sync> = text.into();
        let end = end.map(|end| end.parse().unwrap());
        let error = Error::PermissionDenied {
            path: "a".to_owned(),
            source,
        };
        StdError::source(&told(error, end)).unwrap().to_string()
    };
    let denied = "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AuthenticationFailed</Code>\
                  <Message>sig=secret</Message></Error>";
    insta::assert_snapshot!(words(denied, None), @"it does not accept the credential: the key or the signature is wrong, or this machine's clock is (AuthenticationFailed)");
    insta::assert_snapshot!(words(denied, Some("2025-01-01T00:00:00Z")), @"the shared access signature ended at 2025-01-01T00:00:00Z: write a new one to its file");
    insta::assert_snapshot!(words("status code: 503 Busy", None), @"it is busy (HTTP 503)");
    insta::assert_snapshot!(words("Bulk delete request failed for key a: no (code: 403)", None), @"the credential is wrong, may not do this, or not from this address: it has to read, create, write, delete and list blobs (HTTP 403)");
    insta::assert_snapshot!(words("status code: 418 ?", None), @"it failed (HTTP 418)");
    insta::assert_snapshot!(words("https://a?sig=secret", None), @"it failed");
    // A container that is missing is no table that was not made yet.
    let missing = Error::NotFound {
        path: "a".to_owned(),
        source: "<Code>ContainerNotFound</Code>".into(),
    };
    assert!(matches!(told(missing, None), Error::Generic { .. }));
}
