//! Rows of watched files on their way from the journal into the lake: a sink for each table that is made of files.
//!
//! Each has a place of its own in the journal: whatever keeps one table of the lake from being written holds up no other. A
//! commit carries the journal's name and the last sequence, and adds no line that the table has already, so that
//! each row is in it once, be it that a crash comes between, or that a file is taken a second time. Until they are
//! committed the rows are seen by queries all the same, as those of events are.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::Offset;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::file::{Content, FileReference};
use windrow_formats::batch::{Batch, Kind};
use windrow_formats::text::Chain;
use windrow_lake::{FileTable, Lake, PieceRows, Retention, Rows};
use windrow_pipeline::journal::{Cursor, Frame, Journal, Seq};
use windrow_pipeline::spool::{PieceError, Spool};

use super::lake_sink::{Condition, RETRY_PAUSE, Work};
use super::limits::{FILE_TAIL_BYTES_MAX, FILES_SEEN_WITHIN};
use super::lock;
use super::metrics::FileMetrics;

/// The place of a table's rows in the journal.
pub(crate) fn cursor_name(table: FileTable) -> String {
    format!("lake-{}", table.name())
}

/// Rows that are acknowledged and not yet in the lake. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct FileTail {
    chunks: Arc<Mutex<Chunks>>,
    /// Everything up to this sequence is seen.
    shown: Arc<watch::Sender<Seq>>,
}

#[derive(Default)]
struct Chunks {
    /// Rows up to a sequence, ascending.
    rows: Vec<(Seq, Rows)>,
    bytes: usize,
}

/// Carries rows of a table from the journal into the lake until `shutdown`.
#[derive(Clone)]
pub(crate) struct FileSink {
    pub(crate) table: FileTable,
    pub(crate) lake: Lake,
    pub(crate) journal: Journal,
    pub(crate) spool: Spool,
    /// The journal's name in the lake's transactions.
    pub(crate) app_id: String,
    pub(crate) tail: FileTail,
    /// Time after which what has arrived is committed.
    pub(crate) interval: Duration,
    /// What is over is left out: it would go at once.
    pub(crate) retention: watch::Receiver<Retention>,
    pub(crate) metrics: FileMetrics,
    pub(crate) condition: Condition,
}

impl FileTail {
    /// An empty one.
    pub(crate) fn new() -> FileTail {
        FileTail {
            chunks: Arc::default(),
            shown: Arc::new(watch::Sender::new(Seq::MAX)),
        }
    }

    /// Waits until queries see everything up to `seq`, but not for long.
    pub(crate) async fn wait_for(&self, seq: Seq) {
        let mut shown = self.shown.subscribe();
        let seen = shown.wait_for(|shown| *shown >= seq);
        let _ = tokio::time::timeout(FILES_SEEN_WITHIN, seen).await;
    }

    /// Rows up to these positions.
    pub(crate) fn seen(&self) -> Vec<(i64, Rows)> {
        let chunks = lock(&self.chunks);
        let seen = chunks.rows.iter();
        seen.map(|(to, rows)| (version(*to), rows.clone()))
            .collect()
    }

    fn begin(&self, to: Seq) {
        *lock(&self.chunks) = Chunks::default();
        self.shown.send_replace(to);
    }

    fn push(&self, rows: Rows, to: Seq) {
        let mut chunks = lock(&self.chunks);
        if !rows.is_empty() {
            chunks.bytes += rows.bytes();
            chunks.rows.push((to, rows));
        }
    }

    fn shows(&self, to: Seq) {
        self.shown.send_replace(to);
    }

    fn bytes(&self) -> usize {
        lock(&self.chunks).bytes
    }
}

impl FileSink {
    /// Runs until `shutdown` or until the journal is closed; commits what it has before it ends.
    pub(crate) async fn run(self, mut cursor: Cursor, shutdown: CancellationToken) {
        let mut pause = RETRY_PAUSE.0;
        loop {
            let commits = self.metrics.commits.get();
            let Err(error) = self.carry(&mut cursor, &shutdown).await else {
                return;
            };
            if self.metrics.commits.get() > commits {
                pause = RETRY_PAUSE.0;
            }
            let error = format!("{error:#}");
            tracing::error!(error, table = self.table.name(), retry_in = ?pause,
                "{} do not go into the lake; the journal keeps them", self.table.rows());
            self.condition.failed(Work::Files(self.table), &error);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    /// Goes on after what the lake has.
    async fn carry(&self, cursor: &mut Cursor, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let position = self.lake.position_of_files(self.table, &self.app_id).await;
        let position = position.context("cannot ask the lake which files it has")?;
        if let Some(position) = position.and_then(|position| Seq::try_from(position).ok()) {
            cursor.advance(position);
        }
        cursor.rewind();
        let mut read_to = cursor.position();
        self.tail.begin(read_to);
        if read_to >= *self.journal.durable().borrow() {
            self.condition.works(Work::Files(self.table));
        }
        let mut commit_at = None;
        loop {
            let frame = tokio::select! {
                biased;
                () = shutdown.cancelled() => None,
                () = at(commit_at) => {
                    self.commit(cursor, read_to).await?;
                    commit_at = None;
                    continue;
                }
                frame = cursor.next() => frame?,
            };
            let Some(frame) = frame else {
                return self.commit(cursor, read_to).await;
            };
            self.take(&frame, &mut read_to).await?;
            self.tail.shows(read_to);
            if self.tail.bytes() >= FILE_TAIL_BYTES_MAX {
                self.commit(cursor, read_to).await?;
                commit_at = None;
            } else {
                commit_at.get_or_insert_with(|| Instant::now() + self.interval);
            }
        }
    }

    /// Rows of what a frame refers to into the tail.
    async fn take(&self, frame: &Frame, read_to: &mut Seq) -> anyhow::Result<()> {
        for entry in &frame.entries {
            let last = entry.first_seq + u64::from(entry.events) - 1;
            if last <= *read_to {
                continue;
            }
            if let Some((machine, reference)) = piece_of(self.table, &entry.body) {
                self.piece(machine, reference, last).await?;
            }
            *read_to = last;
        }
        Ok(())
    }

    /// Rows of a piece into the tail. What is not there any more is told and passed; a disk that refuses is asked again.
    async fn piece(
        &self,
        machine: String,
        reference: FileReference,
        seq: Seq,
    ) -> anyhow::Result<()> {
        let sink = self.clone();
        let reading = tokio::task::spawn_blocking(move || sink.read(&machine, &reference));
        match reading.await? {
            Ok(rows) => self.tail.push(rows, seq),
            Err(Unread::Gone) => {}
            Err(Unread::Again(error)) => return Err(error).context("a piece cannot be read"),
        }
        Ok(())
    }

    fn read(&self, machine: &str, reference: &FileReference) -> Result<Rows, Unread> {
        let path = &*reference.path;
        let Content::Kept(piece) = &reference.content else {
            return Err(Unread::Gone);
        };
        let bytes = match self.spool.read(piece) {
            Ok(bytes) => bytes,
            Err(PieceError::Io { source, .. }) => return Err(Unread::Again(source)),
            Err(error) => {
                self.metrics.lost_pieces.inc();
                tracing::error!(machine, path, offset = reference.offset, bytes = piece.bytes,
                    error = %Chain(&error), "{} are not in the lake: a piece of their file is lost", self.table.rows());
                return Err(Unread::Gone);
            }
        };
        let now = Timestamp::now();
        let read = PieceRows::read(self.table, machine, reference, bytes, now);
        if let Some((line, reason)) = read.first_bad {
            self.metrics.bad_lines.inc_by(read.bad);
            let lines = read.bad;
            let what = self.table.rows();
            tracing::warn!(
                machine,
                path,
                line,
                reason,
                lines,
                "what a file has are no {what}"
            );
        }
        Ok(read.rows)
    }

    /// What has arrived goes into the lake.
    async fn commit(&self, cursor: &Cursor, to: Seq) -> anyhow::Result<()> {
        if to <= cursor.position() {
            return Ok(());
        }
        let rows = Rows::merge(self.tail.seen().into_iter().map(|(_, rows)| rows));
        let read = rows.len() as u64;
        let today = Offset::UTC.to_datetime(Timestamp::now()).date();
        let retention = self.retention.borrow().clone();
        let (rows, over) = rows.without_expired(self.table.name(), &retention, today)?;
        if !rows.is_empty() {
            let txn = Some((&*self.app_id, version(to)));
            let added = self.lake.append_of_files(self.table, rows, txn).await?;
            if let windrow_lake::Appended::Committed { rows, .. } = added {
                self.metrics.rows.inc_by(rows);
            }
        }
        if over > 0 {
            tracing::info!(
                rows = over,
                of = read,
                "{} older than retention allows are left out",
                self.table.rows()
            );
            self.metrics.expired.inc_by(over);
        }
        cursor.advance(to);
        self.tail.begin(to);
        self.metrics.commits.inc();
        self.condition.works(Work::Files(self.table));
        Ok(())
    }
}

/// Why a piece gives no rows.
enum Unread {
    /// It never will.
    Gone,
    /// It may the next time.
    Again(io::Error),
}

/// The machine and the piece, where a batch is of a file that a table is made of.
fn piece_of(table: FileTable, body: &[u8]) -> Option<(String, FileReference)> {
    // What is no batch at all is told by who deals in events.
    let batch = Batch::decode(body).ok()?;
    if batch.header.kind != Kind::File {
        return None;
    }
    let reference = batch.file().ok()??;
    let is_of_table = FileTable::of(reference.class) == Some(table);
    is_of_table.then(|| (batch.header.source.clone(), reference))
}

/// How many pieces of files that a table is made of a frame refers to after a sequence.
pub(crate) fn pieces(table: FileTable, frame: &Frame, after: Seq) -> u64 {
    let entries = frame.entries.iter();
    let entries = entries.filter(|entry| entry.first_seq > after);
    let pieces = entries.filter(|entry| piece_of(table, &entry.body).is_some());
    pieces.count() as u64
}

/// Whether the journal has pieces for a table after a sequence.
pub(super) fn waits(table: FileTable, journal: &Journal, after: Seq) -> bool {
    let mut frames = journal.read_after(after);
    frames.any(|frame| match frame {
        Ok(frame) => pieces(table, &frame, after) > 0,
        // Who carries them tells it.
        Err(_) => true,
    })
}

fn version(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Sleeps until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
