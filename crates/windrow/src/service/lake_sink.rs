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
//!
//! A commit runs beside the reading, one at a time: while it takes its time, or fails and is tried
//! again, the tail goes on filling up to its bound and queries go on seeing what arrives. Whatever
//! fails is tried again, and [`Condition`] says so meanwhile.

mod commit;
mod condition;
mod counting;
mod tail;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::event::Index;
use windrow_formats::text::Chain;
use windrow_lake::{JournalEntry, RowBuilder, Rows};
use windrow_pipeline::journal::{Cursor, Frame, ReadError, Seq};

use super::metrics::LakeMetrics;
pub(crate) use commit::RETRY_PAUSE;
use commit::{Committer, Flight, Landed, Store};
pub(crate) use condition::{Condition, Work};
use counting::Counting;
use tail::CHUNK_ROWS_MAX;
pub(crate) use tail::Tail;

/// Events that wait in a row builder at most before they can be seen by queries.
const VISIBLE_AFTER: Duration = Duration::from_millis(250);
/// Memory of the tail, in bytes: beyond it, nothing more is read before a part is committed.
const TAIL_BYTES_MAX: usize = 48 << 20;
/// Memory of rows that begins a commit: half the tail, so that the other half fills while they are written.
const COMMIT_BYTES: usize = TAIL_BYTES_MAX / 2;

/// When the tail is committed to the lake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flush {
    /// After this time.
    pub(crate) interval: Duration,
    /// After this many rows.
    pub(crate) rows: usize,
}

/// Carries events from the journal into the lake until `shutdown`.
pub(crate) struct LakeSink<S> {
    /// Where the rows go.
    pub(crate) store: S,
    /// The journal, as rows name it.
    pub(crate) journal: Uuid,
    /// The journal's name in the lake's transactions.
    pub(crate) app_id: String,
    /// What queries see before it is committed.
    pub(crate) tail: Tail,
    /// When to commit.
    pub(crate) flush: Flush,
    /// What is counted.
    pub(crate) metrics: LakeMetrics,
    /// Whether all is at work.
    pub(crate) condition: Condition,
    /// Cancelled where another collector writes under this journal's name: nothing more goes into the lake then.
    pub(crate) another: CancellationToken,
    /// Where commits run.
    pub(crate) runtime: Handle,
}

/// What the loop has in hand.
struct InHand {
    builder: RowBuilder,
    /// What the lake has of the journal; none where it has nothing.
    in_lake: Option<Seq>,
    /// Rows that no commit has taken up, not counting the builder's.
    rows: usize,
    /// Their memory.
    bytes: usize,
    /// The last sequence read, whether its event became a row or was lost to damage.
    read_to: u64,
    /// Reading was refused and rests until then.
    read_at: Option<Instant>,
    read_pause: Duration,
    visible_at: Option<Instant>,
    commit_at: Option<Instant>,
}

impl<S: Store> LakeSink<S> {
    /// Runs until `shutdown` or until the journal is closed; commits what it has before it ends.
    pub(crate) async fn run(self, mut cursor: Cursor, shutdown: CancellationToken) {
        let mut flight = Flight::new(Counting::begin(self.store.clone(), &self.runtime));
        self.carry_on(&mut cursor, &mut flight, &shutdown).await;
        flight.end().await;
    }

    /// Begins anew after each failure.
    async fn carry_on(
        &self,
        cursor: &mut Cursor,
        flight: &mut Flight,
        shutdown: &CancellationToken,
    ) {
        let mut pause = RETRY_PAUSE.0;
        loop {
            let commits = self.metrics.commits.get();
            let carried = self.carry(cursor, flight, shutdown);
            let reason = match AssertUnwindSafe(carried).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "a panic, which the log has".to_owned(),
            };
            tracing::error!(error = reason, retry_in = ?pause, "the lake takes no events; the journal keeps them");
            self.condition.failed(Work::Beginning, &reason);
            // What is on its way decides where to go on.
            flight.settle().await;
            if self.metrics.commits.get() > commits {
                pause = RETRY_PAUSE.0;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    /// Goes on after what the lake has.
    async fn carry(
        &self,
        cursor: &mut Cursor,
        flight: &mut Flight,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        let position = self.store.position(&self.app_id).await;
        let position = position.context("cannot ask the lake what it has")?;
        let in_lake = position.map(|position| u64::try_from(position).unwrap_or(0));
        if let Some(in_lake) = in_lake {
            cursor.advance(in_lake);
        }
        cursor.rewind();
        self.condition.works(Work::Beginning);
        let mut hand = InHand::new(self.journal, in_lake, cursor.position());
        self.tail.begin(hand.read_to);
        let mut index = Index::default();
        loop {
            let room = self.tail.bytes() + hand.builder.bytes() < TAIL_BYTES_MAX;
            let due = hand.rows + hand.builder.len() >= self.flush.rows
                || hand.bytes + hand.builder.bytes() >= COMMIT_BYTES;
            if due && flight.is_idle() {
                self.begin(&mut hand, cursor, flight, shutdown);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.another.cancelled() => return Ok(()),
                () = self.tail.wanted() => self.show(&mut hand, flight),
                () = at(hand.visible_at) => self.show(&mut hand, flight),
                landed = flight.landed() => self.landed(landed?, &mut hand, cursor),
                () = at(hand.commit_at), if flight.is_idle() => {
                    self.begin(&mut hand, cursor, flight, shutdown);
                }
                item = read(cursor, hand.read_at), if room => match item {
                    Ok(None) => break,
                    Ok(Some(frame)) => self.arrived(&frame, &mut hand, &mut index, flight),
                    Err(error) => self.refused(&error, &mut hand),
                },
            }
        }
        if self.last(&mut hand, cursor, flight).await? {
            self.begin(&mut hand, cursor, flight, shutdown);
            self.last(&mut hand, cursor, flight).await?;
        }
        Ok(())
    }

    /// Waits for the commit on its way, if there is one; `false` when it was given up.
    async fn last(
        &self,
        hand: &mut InHand,
        cursor: &Cursor,
        flight: &mut Flight,
    ) -> anyhow::Result<bool> {
        if flight.is_idle() {
            return Ok(true);
        }
        let landed = flight.landed().await?;
        let is_in = landed.is_some();
        self.landed(landed, hand, cursor);
        Ok(is_in)
    }

    fn arrived(&self, frame: &Frame, hand: &mut InHand, index: &mut Index, flight: &Flight) {
        if hand.read_at.take().is_some() {
            hand.read_pause = RETRY_PAUSE.0;
            self.condition.works(Work::Reading);
        }
        self.take(frame, hand, index);
        hand.visible_at
            .get_or_insert_with(|| Instant::now() + VISIBLE_AFTER);
        hand.commit_at
            .get_or_insert_with(|| Instant::now() + self.flush.interval);
        if hand.builder.len() >= CHUNK_ROWS_MAX {
            self.show(hand, flight);
        }
    }

    fn refused(&self, error: &ReadError, hand: &mut InHand) {
        let (reason, pause) = (Chain(error).to_string(), hand.read_pause);
        tracing::error!(error = reason, retry_in = ?pause, "the lake cannot read the journal");
        self.condition.failed(Work::Reading, &reason);
        hand.read_at = Some(Instant::now() + pause);
        hand.read_pause = (pause * 2).min(RETRY_PAUSE.1);
    }

    /// Events of a frame into the row builder.
    fn take(&self, frame: &Frame, hand: &mut InHand, index: &mut Index) {
        for entry in &frame.entries {
            let last = entry.first_seq + u64::from(entry.events) - 1;
            let entry = JournalEntry {
                first_seq: entry.first_seq,
                events: entry.events,
                body: &entry.body,
            };
            if let Err(lost) = hand.builder.push_entry(&entry, hand.read_to, index) {
                let events = (lost.last + 1).saturating_sub(lost.first);
                self.metrics.unreadable.inc_by(events);
                tracing::error!(
                    first_seq = lost.first,
                    last_seq = lost.last,
                    error = %Chain(&lost),
                    "events of the journal cannot be read and are not in the lake"
                );
            }
            hand.read_to = hand.read_to.max(last);
        }
    }

    /// Makes the builder's rows visible to queries.
    fn show(&self, hand: &mut InHand, flight: &Flight) {
        hand.visible_at = None;
        let rows = hand.builder.finish();
        hand.rows += rows.len();
        hand.bytes += rows.bytes();
        self.tail.push(rows, hand.read_to, flight.chunks());
    }

    /// Sends the tail into the lake as one commit.
    fn begin(
        &self,
        hand: &mut InHand,
        cursor: &Cursor,
        flight: &mut Flight,
        shutdown: &CancellationToken,
    ) {
        self.show(hand, flight);
        hand.builder.next_commit();
        hand.commit_at = None;
        if hand.read_to <= cursor.position() {
            return;
        }
        let chunks = self.tail.seen().rows;
        let batch = commit::Batch {
            chunks: chunks.len(),
            rows: Rows::merge(chunks),
            after: hand.in_lake,
            to: hand.read_to,
        };
        (hand.rows, hand.bytes) = (0, 0);
        let committer = Committer {
            store: self.store.clone(),
            app_id: self.app_id.clone(),
            metrics: self.metrics.clone(),
            condition: self.condition.clone(),
            another: self.another.clone(),
            runtime: self.runtime.clone(),
        };
        flight.begin(&committer, batch, shutdown.clone());
    }

    /// What was committed leaves the tail.
    fn landed(&self, landed: Option<Landed>, hand: &mut InHand, cursor: &Cursor) {
        if let Some(Landed { chunks, to }) = landed {
            hand.in_lake = Some(to);
            self.tail.remove_first(chunks);
            cursor.advance(to);
        }
    }
}

impl InHand {
    fn new(journal: Uuid, in_lake: Option<Seq>, read_to: u64) -> InHand {
        InHand {
            builder: RowBuilder::of_journal(journal),
            in_lake,
            rows: 0,
            bytes: 0,
            read_to,
            read_at: None,
            read_pause: RETRY_PAUSE.0,
            visible_at: None,
            commit_at: None,
        }
    }
}

/// The next frame, not before then.
async fn read(cursor: &mut Cursor, then: Option<Instant>) -> Result<Option<Frame>, ReadError> {
    if let Some(then) = then {
        tokio::time::sleep_until(then).await;
    }
    cursor.next().await
}

/// Sleeps until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
