//! The lake as a sink of the journal.
//!
//! Events become rows as they arrive and wait in the tail, so that a query sees them at once;
//! from time to time the whole tail goes into the lake as one commit. The commit carries the
//! journal's name and the last sequence, so that after a crash the lake itself says where to go
//! on: each event is in it once. The journal's cursor follows behind and only decides what may
//! be deleted.
//!
//! An answer is the lake at position P and the tail after P. The tail is taken before the
//! lake's snapshot, and rows leave the tail only after their commit, so that a row is in one of
//! the two or in both (the lake drops the doubles by sequence), never in neither.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{Batch, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::identity::identity;
use windrow_lake::{Lake, RowBuilder, Rows};
use windrow_pipeline::journal::{Cursor, Frame, Seq};

use super::Chain;
use super::metrics::LakeMetrics;

/// Events that wait in a row builder at most before they can be seen by queries.
const VISIBLE_AFTER: Duration = Duration::from_millis(250);
/// How long a query waits to see what was acknowledged before it.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Rows in one piece of the tail.
const CHUNK_ROWS_MAX: usize = 8_192;
/// Memory of the tail, in bytes: beyond it the tail is committed before more is read.
const TAIL_BYTES_MAX: usize = 32 << 20;
/// First and longest pause after a commit that failed.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// When the tail is committed to the lake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flush {
    /// After this time.
    pub(crate) interval: Duration,
    /// After this many rows.
    pub(crate) rows: usize,
}

/// Events that are acknowledged and not yet in the lake, as rows. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tail {
    chunks: Arc<Mutex<VecDeque<Rows>>>,
    /// The last sequence that a query sees.
    shown: Arc<watch::Sender<Seq>>,
    /// Somebody waits to see what has arrived.
    wanted: Arc<Notify>,
}

impl Tail {
    /// An empty one.
    pub(crate) fn new() -> Tail {
        Tail {
            chunks: Arc::default(),
            shown: Arc::new(watch::Sender::new(0)),
            wanted: Arc::default(),
        }
    }

    /// Waits until queries see everything up to `seq`, at most [`SEEN_WITHIN`].
    pub(crate) async fn wait_for(&self, seq: Seq) {
        let mut shown = self.shown.subscribe();
        if *shown.borrow() >= seq {
            return;
        }
        self.wanted.notify_one();
        let seen = shown.wait_for(|shown| *shown >= seq);
        let _ = tokio::time::timeout(SEEN_WITHIN, seen).await;
    }

    /// What is in the tail now.
    pub(crate) fn rows(&self) -> Vec<Rows> {
        self.lock().iter().cloned().collect()
    }

    /// Events in the tail now.
    pub(crate) fn len(&self) -> usize {
        self.lock().iter().map(Rows::len).sum()
    }

    fn push(&self, rows: Rows) {
        self.lock().push_back(rows);
    }

    fn remove_first(&self, chunks: usize) {
        self.lock().drain(..chunks);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Rows>> {
        // Nothing panics while the lock is held, and a poisoned queue is still a queue.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries events from the journal into the lake until `shutdown`.
pub(crate) struct LakeSink {
    /// Where the rows go.
    pub(crate) lake: Lake,
    /// The journal's name in the lake's transactions.
    pub(crate) app_id: String,
    /// What queries see before it is committed.
    pub(crate) tail: Tail,
    /// When to commit.
    pub(crate) flush: Flush,
    /// What is counted.
    pub(crate) metrics: LakeMetrics,
}

/// What the loop has in hand between two commits.
struct InHand {
    builder: RowBuilder,
    /// Rows in the tail, not counting the builder's.
    rows: usize,
    bytes: usize,
    /// The last sequence read, whether its event became a row or was lost to damage.
    read_to: Seq,
    visible_at: Option<Instant>,
    commit_at: Option<Instant>,
}

impl LakeSink {
    /// Runs until `shutdown` or until the journal is closed; commits what it has before it ends.
    pub(crate) async fn run(
        self,
        mut cursor: Cursor,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        if let Some(position) = self.lake.position(&self.app_id).await? {
            cursor.advance(u64::try_from(position).unwrap_or(0));
            cursor.rewind();
        }
        let mut index = Index::default();
        let mut hand = InHand {
            builder: RowBuilder::new(),
            rows: 0,
            bytes: 0,
            read_to: cursor.position(),
            visible_at: None,
            commit_at: None,
        };
        loop {
            let item = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.tail.wanted.notified() => {
                    self.show(&mut hand);
                    continue;
                }
                () = at(hand.visible_at) => { self.show(&mut hand); continue; }
                () = at(hand.commit_at) => { self.commit(&mut hand, &cursor, &shutdown).await?; continue; }
                item = cursor.next() => item?,
            };
            let Some(frame) = item else { break };
            self.take(&frame, &mut hand, &mut index);
            hand.visible_at
                .get_or_insert_with(|| Instant::now() + VISIBLE_AFTER);
            hand.commit_at
                .get_or_insert_with(|| Instant::now() + self.flush.interval);
            if hand.builder.len() >= CHUNK_ROWS_MAX {
                self.show(&mut hand);
            }
            if hand.rows + hand.builder.len() >= self.flush.rows || hand.bytes >= TAIL_BYTES_MAX {
                self.commit(&mut hand, &cursor, &shutdown).await?;
            }
        }
        self.commit(&mut hand, &cursor, &shutdown).await
    }

    /// Events of a frame into the row builder.
    fn take(&self, frame: &Frame, hand: &mut InHand, index: &mut Index) {
        for entry in &frame.entries {
            let mut seq = entry.first_seq;
            let last = entry.first_seq + u64::from(entry.events) - 1;
            match Batch::decode(&entry.body) {
                // Who imports a file puts it into the lake itself: these are for the other sinks.
                Ok(batch) if batch.header.kind == Kind::Evtx => {}
                Ok(batch) => {
                    for record in batch.records() {
                        let Ok(record) = record else {
                            self.metrics.unreadable.inc();
                            break;
                        };
                        if record.read_index(index).is_err() {
                            // The text is what counts; an index that does not fit it is made anew.
                            let _ = event::parse(record.text, index);
                        }
                        if seq > hand.read_to {
                            let event = Event::new(record.text, index);
                            let identity = identity(&batch.header.source, event);
                            hand.builder.push(
                                Some(seq),
                                &batch.header,
                                record.flags,
                                event,
                                identity,
                            );
                        }
                        seq += 1;
                    }
                }
                Err(error) => {
                    self.metrics.unreadable.inc_by(u64::from(entry.events));
                    tracing::error!(first_seq = entry.first_seq, last_seq = last, %error, "journal entry is not a batch; skipped");
                }
            }
            hand.read_to = hand.read_to.max(last);
        }
    }

    /// Makes the builder's rows visible to queries.
    fn show(&self, hand: &mut InHand) {
        hand.visible_at = None;
        if !hand.builder.is_empty() {
            let rows = hand.builder.finish();
            hand.rows += rows.len();
            hand.bytes += rows.bytes();
            self.tail.push(rows);
        }
        self.tail.shown.send_replace(hand.read_to);
    }

    /// Puts the tail into the lake as one commit; tries until it is in, or until shutdown.
    async fn commit(
        &self,
        hand: &mut InHand,
        cursor: &Cursor,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        self.show(hand);
        hand.commit_at = None;
        if hand.read_to <= cursor.position() {
            return Ok(());
        }
        let chunks = self.tail.rows();
        let rows = Rows::merge(chunks.iter().cloned());
        let version = i64::try_from(hand.read_to)?;
        let mut pause = RETRY_PAUSE.0;
        loop {
            match self
                .lake
                .append(rows.clone(), Some((&self.app_id, version)))
                .await
            {
                Ok(_) => break,
                Err(error) => {
                    self.metrics.failures.inc();
                    tracing::error!(error = %Chain(&error), retry_in = ?pause, "cannot write to the lake; the journal keeps the events");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
        self.metrics.commits.inc();
        self.metrics.rows.inc_by(rows.len() as u64);
        self.tail.remove_first(chunks.len());
        (hand.rows, hand.bytes) = (0, 0);
        cursor.advance(hand.read_to);
        Ok(())
    }
}

/// Sleeps until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
