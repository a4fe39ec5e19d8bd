//! The writer's thread and the keeper's thread.
//!
//! The writer gathers what waits into one group, commits it and answers. While it syncs, the
//! next group gathers, so that the slower the disk is, the larger the groups are. The keeper
//! makes moved cursors and the durable mark durable, at most every 100 ms.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::catalog::lock;
use super::frame::{ENTRY_OVERHEAD_BYTES, Origin};
use super::limits::{CURSOR_SYNC_INTERVAL, GROUP_BYTES, MAX_FRAME_ENTRIES, MAX_FRAME_EVENTS};
use super::log::{CommitError, Log};
use super::segment::SealedBy;
use super::shared::Shared;
use super::slots::Slots;
use super::storage::LockGuard;
use super::{AppendError, Entry, Seq};

/// One append that waits for its answer.
#[derive(Debug)]
pub(super) struct Request {
    pub entry: Entry,
    pub origin: Origin,
    pub reply: oneshot::Sender<Result<Range<Seq>, AppendError>>,
    /// The entry's share of the queue's bytes, given back with the answer.
    pub _permit: OwnedSemaphorePermit,
}

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Append.
    Append(Request),
    /// Cursors moved: there may be segments to remove.
    Tidy,
    /// See whether a disk that was full has room again.
    Look,
    /// Close the segment with its signed root, so that the root can leave.
    Seal(oneshot::Sender<()>),
    /// Say that the thread is alive and done with what came before.
    Ping(oneshot::Sender<()>),
    /// Finish what came before and stop.
    Close,
}

/// Starts both threads; the sender wakes the keeper.
pub(super) fn start(
    log: Log,
    messages: mpsc::Receiver<Message>,
    tidy: mpsc::WeakSender<Message>,
    held: (oneshot::Sender<()>, Arc<dyn LockGuard>),
) -> io::Result<SyncSender<()>> {
    let (moved, wakeups) = sync_channel(1);
    let mut keeper = Keeper {
        shared: Arc::clone(&log.shared),
        mark: Arc::clone(&log.mark),
        tidy,
        mark_synced: 0,
    };
    let keeper_thread = thread::Builder::new()
        .name("journal-keeper".into())
        .spawn(move || keeper.run(&wakeups))?;
    let writer = Writer {
        log,
        messages,
        waiting: None,
        keeper: keeper_thread,
        moved: moved.clone(),
    };
    thread::Builder::new()
        .name("journal-writer".into())
        .spawn(move || {
            writer.run();
            let (done, lock) = held;
            drop(lock);
            let _ = done.send(());
        })?;
    Ok(moved)
}

struct Writer {
    log: Log,
    messages: mpsc::Receiver<Message>,
    /// Taken from the queue but not part of the last group.
    waiting: Option<Message>,
    keeper: JoinHandle<()>,
    moved: SyncSender<()>,
}

impl Writer {
    fn run(mut self) {
        self.log.prepare();
        loop {
            let message = self
                .waiting
                .take()
                .or_else(|| self.messages.blocking_recv());
            match message {
                Some(Message::Append(request)) => {
                    let group = self.gather(request);
                    self.commit(group);
                    self.log.prepare();
                    let _ = self.moved.try_send(());
                }
                Some(Message::Tidy) => {
                    self.log.record_noticed(now_us());
                    if let Err(error) = self.log.retire(now_us()) {
                        tracing::debug!(?error, "journal segments could not be removed yet");
                    }
                }
                Some(Message::Look) => self.log.look_for_room(),
                Some(Message::Seal(done)) => {
                    if self.log.seal(SealedBy::Writer, now_us()).is_err() {
                        tracing::warn!("journal segment could not be sealed yet");
                    }
                    drop(done);
                }
                Some(Message::Ping(pong)) => {
                    // Whoever asked may have stopped waiting.
                    let _ = pong.send(());
                }
                Some(Message::Close) | None => break,
            }
        }
        self.finish();
    }

    /// Takes what waits, as far as it fits into one frame.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let origin = first.origin;
        let mut bytes = first.bytes();
        let mut events = first.entry.events;
        let mut group = vec![first];
        while bytes < GROUP_BYTES && group.len() < MAX_FRAME_ENTRIES as usize {
            match self.messages.try_recv() {
                Ok(Message::Append(next))
                    if next.origin == origin
                        && bytes + next.bytes() <= GROUP_BYTES
                        && events + next.entry.events <= MAX_FRAME_EVENTS =>
                {
                    bytes += next.bytes();
                    events += next.entry.events;
                    group.push(next);
                }
                Ok(other) => {
                    self.waiting = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        group
    }

    fn commit(&mut self, group: Vec<Request>) {
        let items: Vec<_> = group.iter().map(|r| (&r.entry, r.origin)).collect();
        match self.log.commit(&items, now_us()) {
            Ok(mut first_seq) => {
                for request in group {
                    let end_seq = first_seq + Seq::from(request.entry.events);
                    // The caller may have given up waiting; the entry is durable all the same.
                    let _ = request.reply.send(Ok(first_seq..end_seq));
                    first_seq = end_seq;
                }
            }
            Err(error) => {
                self.log
                    .shared
                    .metrics
                    .refused_appends
                    .inc_by(group.len() as u64);
                let error = self.explain(error);
                for request in group {
                    let _ = request.reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn explain(&self, error: CommitError) -> AppendError {
        let shared = &self.log.shared;
        match error {
            CommitError::Full => AppendError::Full {
                used_bytes: lock(&shared.catalog).allocated(),
                quota_bytes: shared.options.quota_bytes,
            },
            CommitError::Failed(source) => AppendError::Failed {
                source: Arc::new(source),
            },
        }
    }

    fn finish(mut self) {
        self.messages.close();
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Append(request) = message {
                let _ = request.reply.send(Err(AppendError::Closed));
            }
        }
        self.log.close(now_us());
        let shared = Arc::clone(&self.log.shared);
        shared.closed.store(true, Ordering::Release);
        let _ = self.moved.try_send(());
        let _ = self.keeper.join();
        shared.durable.send_modify(|_| {});
    }
}

impl Request {
    fn bytes(&self) -> usize {
        self.entry.bytes()
    }
}

impl Entry {
    /// Bytes the entry takes in a frame before compression.
    pub(super) fn bytes(&self) -> usize {
        let state = self.state.as_ref().map_or(0, |s| {
            6 + s.key.len() + s.value.as_ref().map_or(0, Vec::len)
        });
        ENTRY_OVERHEAD_BYTES + self.body.len() + state
    }
}

struct Keeper {
    shared: Arc<Shared>,
    mark: Arc<Mutex<Slots>>,
    tidy: mpsc::WeakSender<Message>,
    /// Durable sequence the mark on disk covers.
    mark_synced: Seq,
}

impl Keeper {
    fn run(&mut self, wakeups: &Receiver<()>) {
        loop {
            let woken = wakeups.recv();
            if woken.is_err() || self.shared.is_closed() {
                break;
            }
            self.rest(wakeups);
            self.flush();
            if self.shared.is_closed() {
                break;
            }
        }
        self.flush();
    }

    /// Lets moves gather for a while, unless the journal closes.
    fn rest(&self, wakeups: &Receiver<()>) {
        let until = Instant::now() + CURSOR_SYNC_INTERVAL;
        while !self.shared.is_closed() {
            let left = until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            if wakeups.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn flush(&mut self) {
        let cursors: Vec<_> = lock(&self.shared.cursors).values().cloned().collect();
        let mut moved = false;
        for cursor in cursors {
            match cursor.flush() {
                Ok(changed) => moved |= changed,
                Err(error) => {
                    tracing::warn!(%error, sink = cursor.name(), "cursor could not be made durable; its sink may send again after a restart")
                }
            }
        }
        self.shared.publish_lag();
        let durable = *self.shared.durable.borrow();
        if self.mark_synced != durable {
            match Slots::sync(&self.mark) {
                Ok(()) => self.mark_synced = durable,
                Err(error) => tracing::warn!(%error, "journal's durable mark could not be synced"),
            }
        }
        let noticed = !lock(&self.shared.noticed).is_empty();
        if (moved || noticed)
            && let Some(tidy) = self.tidy.upgrade()
        {
            // A full queue means that the writer is busy; the next move asks again.
            let _ = tidy.try_send(Message::Tidy);
        }
    }
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
