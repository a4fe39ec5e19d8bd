use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use windrow_formats::batch::Kind;
use windrow_formats::event::{self, Event};
use windrow_formats::identity::identity;
use windrow_lake::LakeError;
use windrow_pipeline::journal::storage::{Disk, DiskFile, LockGuard, Open, Os};
use windrow_pipeline::journal::{Journal, JournalOptions, Seq, Start};

use super::super::lock;
use super::super::own::Recorder;
use super::*;

/// What the lake of a test does with a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Takes,
    Holds,
    Refuses,
    Panics,
}

/// A lake that remembers the transactions and the number of rows of each.
#[derive(Clone)]
struct FakeLake {
    mood: Arc<watch::Sender<Mood>>,
    commits: Arc<Mutex<Vec<(i64, usize)>>>,
    /// Attempts, whatever came of them.
    attempts: Arc<watch::Sender<u64>>,
    /// What counting does.
    counts: Arc<watch::Sender<Mood>>,
    /// Events that are counted.
    counted: Arc<watch::Sender<usize>>,
}

impl FakeLake {
    fn new(mood: Mood) -> FakeLake {
        FakeLake {
            mood: Arc::new(watch::Sender::new(mood)),
            commits: Arc::default(),
            attempts: Arc::new(watch::Sender::new(0)),
            counts: Arc::new(watch::Sender::new(Mood::Takes)),
            counted: Arc::new(watch::Sender::new(0)),
        }
    }

    fn events(&self) -> usize {
        lock(&self.commits).iter().map(|(_, rows)| rows).sum()
    }

    /// Counts an attempt and waits until the lake no longer holds it.
    async fn attempt(&self) -> Result<(), LakeError> {
        self.attempts.send_modify(|attempts| *attempts += 1);
        let mut mood = self.mood.subscribe();
        let now = *mood.wait_for(|mood| *mood != Mood::Holds).await.unwrap();
        match now {
            Mood::Panics => panic!("as the test wants it"),
            Mood::Refuses => Err(LakeError::Contended { attempts: 1 }),
            Mood::Takes | Mood::Holds => Ok(()),
        }
    }
}

impl Store for FakeLake {
    async fn position(&self, _app_id: &str) -> Result<Option<i64>, LakeError> {
        if *self.mood.borrow() == Mood::Refuses {
            return Err(LakeError::Contended { attempts: 1 });
        }
        Ok(lock(&self.commits).last().map(|(version, _)| *version))
    }

    async fn append(
        &self,
        rows: Rows,
        _app_id: &str,
        after: Option<i64>,
        version: i64,
    ) -> Result<(), LakeError> {
        self.attempt().await?;
        let mut commits = lock(&self.commits);
        let found = commits.last().map(|(version, _)| *version);
        if found != after {
            let brought = after;
            return Err(LakeError::Another { found, brought });
        }
        commits.push((version, rows.len()));
        Ok(())
    }

    async fn count(&self) -> Result<(), LakeError> {
        let events = self.events();
        let mut mood = self.counts.subscribe();
        let now = *mood.wait_for(|mood| *mood != Mood::Holds).await.unwrap();
        assert_ne!(now, Mood::Panics, "as the test wants it");
        self.counted.send_replace(events);
        Ok(())
    }
}

/// The operating system's files, of which none opens for reading while `refuses`.
#[derive(Clone, Debug, Default)]
struct FlakyDisk {
    refuses: Arc<AtomicBool>,
}

impl Disk for FlakyDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if how == Open::Read && self.refuses.load(Ordering::Relaxed) {
            return Err(io::Error::other("a cable came loose"));
        }
        Os.open(path, how)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Os.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Os.list(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Os.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Os.sync_dir(path)
    }
    fn allocated(&self, path: &Path) -> io::Result<u64> {
        Os.allocated(path)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Os.is_locked(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        Os.try_lock(path)
    }
}

/// A journal, a lake, and the sink between them.
struct Bench {
    journal: Journal,
    lake: FakeLake,
    tail: Tail,
    condition: Condition,
    metrics: LakeMetrics,
    shutdown: CancellationToken,
    another: CancellationToken,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Bench {
    /// Commits at once, with `before` events that a run before this one left in the journal.
    async fn start(mood: Mood, disk: FlakyDisk, before: usize) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions::new(folder.path().join("journal"));
        let open = || Journal::open_on(Arc::new(disk.clone()), options.clone()).unwrap();
        if before > 0 {
            let (journal, _) = open();
            fill(&journal, before).await;
            journal.close().await;
        }
        let (journal, _) = open();
        let lake = FakeLake::new(mood);
        let (tail, metrics) = (Tail::new(), LakeMetrics::default());
        let condition = Condition::new(metrics.degraded.clone());
        let (shutdown, another) = (CancellationToken::new(), CancellationToken::new());
        let sink = LakeSink {
            store: lake.clone(),
            journal: uuid::Uuid::nil(),
            app_id: "test".to_owned(),
            tail: tail.clone(),
            flush: Flush {
                interval: Duration::from_millis(1),
                rows: 1,
            },
            metrics: metrics.clone(),
            condition: condition.clone(),
            another: another.clone(),
            runtime: Handle::current(),
        };
        let cursor = journal.cursor("lake", Start::Oldest).unwrap();
        if before > 0 {
            disk.refuses.store(true, Ordering::Relaxed);
        }
        let task = tokio::spawn(sink.run(cursor, shutdown.clone()));
        Bench {
            journal,
            lake,
            tail,
            condition,
            metrics,
            shutdown,
            another,
            task,
            _folder: folder,
        }
    }

    /// Adds events; the last sequence.
    async fn add(&self, events: usize) -> Seq {
        fill(&self.journal, events).await;
        *self.journal.durable().borrow()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Bench) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{what}: not within 30 s");
    }

    async fn stop(self) -> FakeLake {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.journal.close().await;
        self.lake
    }
}

async fn fill(journal: &Journal, events: usize) {
    let recorder = Recorder::new(journal.clone(), "test".to_owned());
    for _ in 0..events {
        recorder
            .record(
                windrow_formats::own::OwnEventId::ServiceStarted,
                windrow_formats::own::OwnLevel::Information,
                "an event",
                &[],
            )
            .await;
    }
}

/// Of two collectors from one image each has a journal of the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_writes_under_the_same_name_passes_for_nothing_of_ours() {
    let bench = Bench::start(Mood::Takes, FlakyDisk::default(), 0).await;
    bench.add(3).await;
    bench
        .until("everything in the lake", |bench| bench.lake.events() == 3)
        .await;
    // Beyond what this one brings next.
    lock(&bench.lake.commits).push((100, 97));
    let last = bench.add(2).await;
    bench
        .until("the other one is noticed", |bench| {
            bench.another.is_cancelled()
        })
        .await;
    assert!(bench.condition.reason().unwrap().contains("up to 100"));
    let cursors = bench.journal.cursors();
    assert!(cursors.iter().all(|(_, at)| *at < last), "{cursors:?}");
    assert_eq!(bench.stop().await.events(), 100, "nothing more went there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_seen_while_a_commit_takes_its_time() {
    let bench = Bench::start(Mood::Holds, FlakyDisk::default(), 0).await;
    bench.add(3).await;
    bench
        .until("a commit on its way", |bench| {
            *bench.lake.attempts.borrow() == 1
        })
        .await;
    let last = bench.add(40).await;
    bench
        .until("what came meanwhile to be seen", |bench| {
            bench.tail.shown_to() == last
        })
        .await;
    assert_eq!(bench.lake.events(), 0, "the commit is on its way still");
    assert_eq!(
        *bench.lake.attempts.borrow(),
        1,
        "and no other is begun beside it"
    );
    assert_eq!(bench.condition.reason(), None, "slow is not degraded");
    bench.lake.mood.send_replace(Mood::Takes);
    bench
        .until("everything in the lake", |bench| bench.lake.events() == 43)
        .await;
    bench
        .until("an empty tail", |bench| bench.tail.len() == 0)
        .await;
    assert_eq!(bench.tail.bytes(), 0);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_is_said_and_tried_again_with_the_same_rows() {
    let bench = Bench::start(Mood::Takes, FlakyDisk::default(), 0).await;
    bench.add(1).await;
    bench
        .until("the first commit", |bench| bench.lake.events() == 1)
        .await;
    bench.lake.mood.send_replace(Mood::Refuses);
    bench.add(2).await;
    bench
        .until("a word about it", |bench| {
            bench.condition.reason().is_some()
        })
        .await;
    assert_eq!(bench.metrics.degraded.get(), 1);
    let last = bench.add(2).await;
    bench
        .until("later events to be seen", |bench| {
            bench.tail.shown_to() == last
        })
        .await;
    bench.lake.mood.send_replace(Mood::Takes);
    bench
        .until("all to be well", |bench| {
            bench.condition.reason().is_none() && bench.lake.events() == 5
        })
        .await;
    assert_eq!(bench.metrics.degraded.get(), 0);
    let lake = bench.stop().await;
    assert_eq!(lake.events(), 5, "and nothing twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_read_is_read_when_it_can() {
    let disk = FlakyDisk::default();
    let bench = Bench::start(Mood::Takes, disk.clone(), 5).await;
    bench
        .until("a word about it", |bench| {
            let reason = bench.condition.reason();
            reason.is_some_and(|reason| reason.contains("a cable came loose"))
        })
        .await;
    assert!(bench.tail.shown_to() < 5);
    disk.refuses.store(false, Ordering::Relaxed);
    bench
        .until("all to be well", |bench| {
            bench.condition.reason().is_none() && bench.lake.events() == 5
        })
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_that_does_not_say_where_to_begin_is_asked_again() {
    let bench = Bench::start(Mood::Refuses, FlakyDisk::default(), 0).await;
    bench
        .until("a word about it", |bench| {
            bench.condition.reason().is_some()
        })
        .await;
    bench.add(2).await;
    bench.lake.mood.send_replace(Mood::Takes);
    bench
        .until("everything in the lake", |bench| bench.lake.events() == 2)
        .await;
    assert_eq!(bench.condition.reason(), None);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_nothing_for_good() {
    let bench = Bench::start(Mood::Panics, FlakyDisk::default(), 0).await;
    bench.add(2).await;
    bench
        .until("an attempt", |bench| *bench.lake.attempts.borrow() > 0)
        .await;
    bench.lake.mood.send_replace(Mood::Takes);
    bench
        .until("everything in the lake", |bench| bench.lake.events() == 2)
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_hand_is_committed_at_the_end() {
    let bench = Bench::start(Mood::Holds, FlakyDisk::default(), 0).await;
    bench.add(1).await;
    bench
        .until("a commit on its way", |bench| {
            *bench.lake.attempts.borrow() == 1
        })
        .await;
    let last = bench.add(9).await;
    bench
        .until("the rest in the tail", |bench| {
            bench.tail.shown_to() == last
        })
        .await;
    bench.shutdown.cancel();
    bench.lake.mood.send_replace(Mood::Takes);
    assert_eq!(bench.stop().await.events(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_do_not_wait_for_counting_and_the_end_does() {
    let bench = Bench::start(Mood::Takes, FlakyDisk::default(), 0).await;
    bench.lake.counts.send_replace(Mood::Holds);
    for events in 1..=4 {
        bench.add(1).await;
        bench
            .until("another commit", |bench| bench.lake.events() == events)
            .await;
    }
    assert_eq!(*bench.lake.counted.borrow(), 0);
    bench.shutdown.cancel();
    bench.lake.counts.send_replace(Mood::Takes);
    let lake = bench.stop().await;
    assert_eq!(*lake.counted.borrow(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_does_not_end_counting() {
    let bench = Bench::start(Mood::Takes, FlakyDisk::default(), 0).await;
    bench.lake.counts.send_replace(Mood::Panics);
    bench.add(2).await;
    bench
        .until("a commit", |bench| bench.lake.events() == 2)
        .await;
    bench.lake.counts.send_replace(Mood::Takes);
    bench.add(1).await;
    bench
        .until("another commit", |bench| bench.lake.events() == 3)
        .await;
    assert_eq!(*bench.stop().await.counted.borrow(), 3);
}

#[tokio::test]
async fn small_pieces_of_the_tail_are_joined() {
    let tail = Tail::new();
    let piece = || {
        let folder = windrow_formats::batch::Header {
            kind: Kind::Own,
            source: "windrow".to_owned(),
            address: None,
            subscription: None,
            received_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut index = Index::default();
        let text = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'/>";
        let _ = event::parse(text, &mut index);
        let event = Event::new(text, &index);
        let mut rows = RowBuilder::new();
        let flags = windrow_formats::batch::Flags::of(&index);
        rows.push(Some(1), &folder, flags, event, identity("windrow", event));
        rows.finish()
    };
    for seq in 1..=2 {
        tail.push(piece(), seq, 0);
    }
    for seq in 3..=1_000 {
        tail.push(piece(), seq, 1);
    }
    let seen = tail.seen();
    assert_eq!((tail.len(), seen.to), (1_000, 1_000));
    assert!(seen.rows.len() <= 12, "{} pieces", seen.rows.len());
    assert_eq!(
        seen.rows.first().map(Rows::len),
        Some(2),
        "what a commit has is left alone"
    );
    let bytes: usize = seen.rows.iter().map(Rows::bytes).sum();
    assert_eq!(tail.bytes(), bytes);
    tail.remove_first(1);
    assert_eq!(tail.len(), 998);
}
