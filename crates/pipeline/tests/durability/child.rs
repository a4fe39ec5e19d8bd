//! The process that appends until it dies.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windrow_pipeline::journal::storage::{Disk, DiskFile, LockGuard, Open, Os};
use windrow_pipeline::journal::{AppendError, Entry, Journal, JournalOptions, StateChange};

const DIR: &str = "WINDROW_TEST_JOURNAL";
const SYNCS: &str = "WINDROW_TEST_SYNCS";
const PRODUCERS: u64 = 4;

/// Whether the child's disk does what fdatasync asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    Done,
    Skipped,
}

/// An entry that the child said was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub first_seq: u64,
    pub producer: u64,
    pub number: u64,
}

/// Small segments, so that many begin and end.
pub(crate) fn options(dir: &Path) -> JournalOptions {
    JournalOptions {
        segment_bytes: 64 << 10,
        quota_bytes: 256 << 20,
        ..JournalOptions::new(dir)
    }
}

/// What a producer appends: told by two numbers, hard to compress.
pub(crate) fn body(producer: u64, number: u64) -> Vec<u8> {
    let mut word = (producer << 32 | number)
        .wrapping_add(1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut body = format!("{producer}/{number} ").into_bytes();
    for _ in 0..(number % 97) {
        word = word.rotate_left(17).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        body.extend_from_slice(&word.to_le_bytes());
    }
    body
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells this run of the test binary that it is the child"
)]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn run_if_asked() {
    let Some(dir) = asked(DIR) else { return };
    let disk: Arc<dyn Disk> = match asked(SYNCS).as_deref() {
        Some("skipped") => Arc::new(NoSyncs(Os)),
        _ => Arc::new(Os),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(append_for_ever(disk, Path::new(&dir)));
}

async fn append_for_ever(disk: Arc<dyn Disk>, dir: &Path) {
    let (journal, _) = Journal::open_on(disk, options(dir)).unwrap();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| tokio::spawn(produce(journal.clone(), producer)))
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
}

async fn produce(journal: Journal, producer: u64) {
    let key = format!("producer/{producer}");
    let last = journal
        .state(&key)
        .and_then(|v| String::from_utf8(v).ok()?.parse().ok());
    for number in last.map_or(0, |last: u64| last + 1).. {
        let state = StateChange {
            key: key.clone(),
            value: Some(number.to_string().into_bytes()),
        };
        let entry = Entry {
            body: body(producer, number),
            events: 1,
            state: Some(state),
        };
        match journal.append(entry.clone()).await {
            Ok(range) => {
                let line = format!("ack {} {producer} {number}\n", range.start);
                // One write: lines of several producers never mix.
                io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
            Err(AppendError::Full { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The running child.
pub(crate) struct Child {
    process: std::process::Child,
    acks: Arc<Mutex<Vec<Ack>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Child {
    /// Starts this test binary again as the child.
    pub(crate) fn start(dir: &Path, syncs: Syncs) -> Child {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["child_process", "--exact", "--nocapture"])
            .env(DIR, dir)
            .env(
                SYNCS,
                if syncs == Syncs::Skipped {
                    "skipped"
                } else {
                    "done"
                },
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let acks = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let heard = Arc::clone(&acks);
        let reader = std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .filter_map(|line| parse(&line))
                .for_each(|ack| heard.lock().unwrap().push(ack));
        });
        Child {
            process,
            acks,
            reader,
        }
    }

    /// Waits until the child has acknowledged so many entries.
    pub(crate) fn wait_for_acks(&self, count: usize) {
        for _ in 0..6000 {
            if self.acks.lock().unwrap().len() >= count || self.reader.is_finished() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the child acknowledges nothing");
    }

    /// What it has acknowledged so far.
    pub(crate) fn acks(&self) -> Vec<Ack> {
        self.acks.lock().unwrap().clone()
    }

    /// SIGKILL; all that it acknowledged.
    pub(crate) fn kill(mut self) -> Vec<Ack> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.join().unwrap();
        Arc::try_unwrap(self.acks).unwrap().into_inner().unwrap()
    }
}

fn parse(line: &str) -> Option<Ack> {
    // The test harness writes its own words in front of the first line.
    let mut numbers = line.split_once("ack ")?.1.split(' ').map(str::parse);
    Some(Ack {
        first_seq: numbers.next()?.ok()?,
        producer: numbers.next()?.ok()?,
        number: numbers.next()?.ok()?,
    })
}

/// A disk that says yes to every sync and does nothing.
#[derive(Debug)]
struct NoSyncs(Os);

#[derive(Debug)]
struct NoSyncsFile(Arc<dyn DiskFile>);

impl Disk for NoSyncs {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(NoSyncsFile(self.0.open(path, how)?)))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.0.list(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn allocated(&self, path: &Path) -> io::Result<u64> {
        self.0.allocated(path)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.0.is_locked(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.0.try_lock(path)
    }
}

impl DiskFile for NoSyncsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
