//! Events that are acknowledged and not yet in the lake, as rows that queries see.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use windrow_lake::Rows;
use windrow_pipeline::journal::Seq;

/// How long a query waits to see what was acknowledged before it.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Rows in one piece of the tail.
pub(super) const CHUNK_ROWS_MAX: usize = 8_192;

/// The tail. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct Tail {
    chunks: Arc<Mutex<Chunks>>,
    /// The last sequence that a query sees. Changes only while `chunks` is locked.
    shown: Arc<watch::Sender<Seq>>,
    /// Somebody waits to see what has arrived.
    wanted: Arc<Notify>,
}

#[derive(Default)]
struct Chunks {
    chunks: VecDeque<(Rows, usize)>,
    bytes: usize,
}

/// What a query sees of the tail.
pub(crate) struct Seen {
    /// Rows in the order of the journal.
    pub(crate) rows: Vec<Rows>,
    /// Every event up to this sequence is in `rows` or in the lake.
    pub(crate) to: Seq,
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

    /// What is in the tail now, and how far that reaches.
    pub(crate) fn seen(&self) -> Seen {
        let chunks = self.lock();
        Seen {
            rows: chunks.chunks.iter().map(|(rows, _)| rows.clone()).collect(),
            to: self.shown_to(),
        }
    }

    /// The last sequence that a query sees.
    pub(crate) fn shown_to(&self) -> Seq {
        *self.shown.borrow()
    }

    /// Events in the tail now.
    pub(crate) fn len(&self) -> usize {
        self.lock().chunks.iter().map(|(rows, _)| rows.len()).sum()
    }

    /// Memory of its rows, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Waits until somebody waits to see what has arrived.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Empties it: everything up to `to` is in the lake, and what comes after is read again.
    pub(super) fn begin(&self, to: Seq) {
        let mut chunks = self.lock();
        *chunks = Chunks::default();
        self.shown.send_replace(to);
    }

    /// Adds rows, so that everything up to `to` is seen.
    ///
    /// Small pieces are copied into larger ones, as each piece costs memory of its own; the first `fixed` ones stay
    /// as they are.
    pub(super) fn push(&self, mut rows: Rows, to: Seq, fixed: usize) {
        let mut chunks = self.lock();
        while chunks.chunks.len() > fixed
            && let Some((last, _)) = chunks.chunks.back()
            && last.len() <= 2 * rows.len()
            && last.len() + rows.len() <= CHUNK_ROWS_MAX
        {
            rows = Rows::merge([last.clone(), rows]).compact();
            chunks.remove_last();
        }
        if !rows.is_empty() {
            let bytes = rows.bytes();
            chunks.bytes += bytes;
            chunks.chunks.push_back((rows, bytes));
        }
        self.shown.send_replace(to);
    }

    /// Takes away the first pieces: they are in the lake.
    pub(super) fn remove_first(&self, count: usize) {
        let mut chunks = self.lock();
        let freed: usize = chunks.chunks.drain(..count).map(|(_, bytes)| bytes).sum();
        chunks.bytes -= freed;
    }

    fn lock(&self) -> MutexGuard<'_, Chunks> {
        // Nothing panics while the lock is held, and a poisoned queue is still a queue.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chunks {
    fn remove_last(&mut self) {
        if let Some((_, bytes)) = self.chunks.pop_back() {
            self.bytes -= bytes;
        }
    }
}
