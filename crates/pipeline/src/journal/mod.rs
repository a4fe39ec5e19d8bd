//! The journal: what was acknowledged is on disk, and every sink reads it at its own pace.
//!
//! Invariants
//! 1. [`Journal::append`] returns `Ok` only after fdatasync of the frame that holds the entry.
//! 2. An entry and the change of state that belongs to it are one frame: both or none.
//! 3. Sequences are given once, without holes; a hole that a reader meets is damage or a drop
//!    by policy, and comes to it as a [`Gap`].
//! 4. A file whose sync failed is never written again.
//! 5. Data is removed only when every cursor is past it, or by the policy the administrator
//!    chose, and then only after the loss is on signed record.
//!
//! The format is in `docs/journal-format.md`, the reasons in `docs/adr/0001-journal.md`.

mod catalog;
mod cursor;
mod frame;
mod keys;
pub mod limits;
mod log;
mod loss;
mod mark;
mod merkle;
mod metrics;
pub mod offline;
mod open;
mod pack;
mod quota;
mod reader;
mod recover;
mod scan;
mod segment;
mod shared;
#[cfg(test)]
pub(crate) mod sim;
mod slots;
mod state;
pub mod storage;
fn check_change(change: &StateChange) -> Result<(), AppendError> {
    let value_bytes = change.value.as_ref().map_or(0, Vec::len);
    if change.key.starts_with(state::OWN_PREFIX) {
        return Err(AppendError::ReservedKey);
    }
    if change.key.len() > MAX_STATE_KEY_BYTES {
        return Err(AppendError::TooLarge { what: "state key" });
    }
    if value_bytes > MAX_STATE_VALUE_BYTES {
        return Err(AppendError::TooLarge {
            what: "state value",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
mod told;
mod unpack;
mod verify;
mod writer;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::catalog::lock;
pub use self::cursor::{Cursor, CursorError, LostCursor, Start};
pub use self::frame::{Hash, Origin, StateChange};
pub use self::keys::{KeyError, ParsePublicKeyError, PublicKey, Signature};
use self::limits::{
    KNOWN_STATE_SHARE, MAX_ENTRY_BYTES, MAX_FRAME_EVENTS, MAX_STATE_KEY_BYTES,
    MAX_STATE_VALUE_BYTES,
};
pub use self::loss::{Gap, GapReason, Loss};
pub use self::metrics::{CursorLabel, JournalMetrics};
pub use self::open::OpenError;
pub use self::reader::ReadError;
pub use self::recover::{Damage, Recovery};
pub use self::segment::{Seal, SealedBy};
use self::shared::Shared;
use self::storage::{Disk, LockGuard, Os};
pub use self::told::ToldLosses;
use self::writer::{Message, Request};

/// Number of an event; the first is 1.
pub type Seq = u64;

/// What to do when the journal is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Refuse appends, so that sources keep their events and try again.
    #[default]
    Block,
    /// Drop the oldest segment, on signed record.
    DropOldest,
}

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Its folder.
    pub dir: PathBuf,
    /// A segment is closed at this size; at most an eighth of the quota.
    pub segment_bytes: u64,
    /// Bytes its segments may occupy on disk. Beside them lie at most the ballast, 8 KiB a cursor,
    /// and copies of damaged ranges: see [`limits::BALLAST_BYTES`], [`limits::MAX_DAMAGED_BYTES`].
    pub quota_bytes: u64,
    /// Part of the quota that only the program's own records may use.
    pub reserved_bytes: u64,
    /// What to do when the rest is used up.
    pub when_full: WhenFull,
    /// Closed segments kept although every sink is past them.
    pub keep_segments: usize,
    /// Bytes that may wait for the writer.
    pub queue_bytes: u32,
    /// Entries that may wait for the writer.
    pub queue_entries: usize,
}

impl JournalOptions {
    /// Segments of 64 MiB, a quota of 8 GiB that blocks when full.
    pub fn new(dir: impl Into<PathBuf>) -> JournalOptions {
        JournalOptions {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            quota_bytes: 8 << 30,
            reserved_bytes: 16 << 20,
            when_full: WhenFull::Block,
            keep_segments: 2,
            queue_bytes: 64 << 20,
            queue_entries: 1024,
        }
    }
}

/// One delivery to be made durable.
#[derive(Debug, Clone)]
pub struct Entry {
    /// One encoded batch.
    pub body: Vec<u8>,
    /// Events in it.
    pub events: u32,
    /// What changes together with it (a source's bookmark).
    pub state: Option<StateChange>,
}

/// Why an entry is not in the journal.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// No room, by quota or on the disk. It resumes by itself when there is.
    #[error(
        "{} is full ({used_bytes} of {quota_bytes} bytes used)",
        Full::of(*.used_bytes, *.quota_bytes)
    )]
    Full {
        /// Bytes the journal occupies.
        used_bytes: u64,
        /// Bytes it may occupy.
        quota_bytes: u64,
    },
    /// The disk failed. The entry may or may not be there after a restart.
    #[error("journal cannot be written")]
    Failed {
        /// What the disk said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The entry breaks a limit; it would never be taken.
    #[error("entry is too large for the journal ({what})")]
    TooLarge {
        /// Which limit.
        what: &'static str,
    },
    /// A key that begins with NUL; those are the journal's own.
    #[error("state keys that begin with NUL belong to the journal")]
    ReservedKey,
    /// All keys and values together would exceed their limit. Smaller values and changes of known
    /// keys that do not grow are still taken.
    #[error(
        "the journal keeps no more than {limit_bytes} bytes of states; forget some, or raise its quota"
    )]
    StatesFull {
        /// What they may be together.
        limit_bytes: usize,
    },
    /// The journal is closed.
    #[error("journal is closed")]
    Closed,
}

/// What has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// What the journal may occupy.
    Quota,
    /// The disk, or what this user may have of it.
    Disk,
}

impl Full {
    /// What it is that a journal met that occupies so much. A segment does not fit long before all is used.
    #[must_use]
    pub fn of(used_bytes: u64, quota_bytes: u64) -> Full {
        match used_bytes >= quota_bytes / 10 * 9 {
            true => Full::Quota,
            false => Full::Disk,
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Full::Quota => "journal",
            Full::Disk => "the journal's disk",
        })
    }
}

impl AppendError {
    /// What has no room, where that is why.
    #[must_use]
    pub fn full(&self) -> Option<Full> {
        match self {
            AppendError::Full {
                used_bytes,
                quota_bytes,
            } => Some(Full::of(*used_bytes, *quota_bytes)),
            AppendError::StatesFull { .. } => Some(Full::Quota),
            _ => None,
        }
    }
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Below 80 %.
    Normal,
    /// From 80 %: tell the administrator.
    Warn,
    /// From 95 %: sources are answered late.
    Slow,
    /// Appends are refused. It lasts until one of a source succeeds or segments are removed.
    Full,
}

impl Pressure {
    fn of(used: u64, limit: u64) -> Pressure {
        let percent = used.saturating_mul(100) / limit.max(1);
        match percent {
            0..80 => Pressure::Normal,
            80..95 => Pressure::Warn,
            95..100 => Pressure::Slow,
            _ => Pressure::Full,
        }
    }

    /// What comes after this one. A warning is taken back only when the journal is 5 % below the
    /// line, so that a journal which lives at a line does not say so with every segment.
    fn then(self, used: u64, limit: u64) -> Pressure {
        let now = Pressure::of(used, limit);
        let lingering = Pressure::of(used.saturating_add(limit / 20), limit).min(Pressure::Slow);
        now.max(self.min(lingering))
    }
}

/// One group commit as a reader sees it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Sequence of the first event that is not done yet; the first of `entries` may begin earlier.
    pub first_seq: Seq,
    /// The sequence after the last event.
    pub end_seq: Seq,
    /// When it was committed.
    pub committed_at: jiff::Timestamp,
    /// The batches, in order.
    pub entries: Vec<FrameEntry>,
    /// Sequences right before this frame that are gone for good. The journal counts and logs
    /// them; a sink that keeps books of its own notes them too.
    pub gap: Option<Gap>,
}

/// One batch in a frame.
#[derive(Debug, Clone)]
pub struct FrameEntry {
    /// Sequence of its first event.
    pub first_seq: Seq,
    /// Events in it.
    pub events: u32,
    /// The encoded batch.
    pub body: Bytes,
    /// Whether a source sent it or the program itself.
    pub origin: Origin,
}

/// A running journal. Clones share it; it closes when the last one is gone or [`Journal::close`] is called.
#[derive(Debug, Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    messages: mpsc::Sender<Message>,
    queue: Arc<Semaphore>,
    moved: std::sync::mpsc::SyncSender<()>,
    done: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Journal {
    /// Opens the folder, made if needed, and starts the writer.
    ///
    /// # Errors
    /// See [`OpenError`]; damage is not an error but in [`Recovery`].
    pub fn open(options: JournalOptions) -> Result<(Journal, Recovery), OpenError> {
        Journal::open_on(Arc::new(Os), options)
    }

    /// As [`Journal::open`] on another disk; for tests of durability.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
    ) -> Result<(Journal, Recovery), OpenError> {
        let dir = options.dir.display().to_string();
        let queue_entries = options.queue_entries.max(1);
        let queue = Arc::new(Semaphore::new(
            options.queue_bytes.max(MAX_ENTRY_BYTES as u32 + 1) as usize,
        ));
        let opened = open::open(disk, options, jiff::Timestamp::now().as_microsecond())?;
        let shared = Arc::clone(&opened.log.shared);
        let (messages, receiver) = mpsc::channel(queue_entries);
        let (done_sender, done) = oneshot::channel();
        let lock: Arc<dyn LockGuard> = Arc::from(opened.lock);
        let held = (done_sender, lock);
        let moved = writer::start(opened.log, receiver, messages.downgrade(), held)
            .map_err(|source| OpenError::Io { dir, source })?;
        let inner = Inner {
            shared,
            messages,
            queue,
            moved,
            done: Mutex::new(Some(done)),
        };
        Ok((
            Journal {
                inner: Arc::new(inner),
            },
            opened.recovery,
        ))
    }

    /// Appends an entry; returns its sequences when it is durable. If the future is dropped
    /// the entry may be written all the same.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(&self, entry: Entry) -> Result<Range<Seq>, AppendError> {
        self.send(entry, Origin::Source).await
    }

    /// As [`Journal::append`] for the program's own records, which may use the reserved room.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append_own(&self, entry: Entry) -> Result<Range<Seq>, AppendError> {
        self.send(entry, Origin::Own).await
    }

    async fn send(&self, entry: Entry, origin: Origin) -> Result<Range<Seq>, AppendError> {
        self.check(&entry, origin)?;
        let bytes = entry.bytes() as u32;
        let permit = Arc::clone(&self.inner.queue)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let request = Request {
            entry,
            origin,
            reply,
            _permit: permit,
        };
        self.inner
            .messages
            .send(Message::Append(request))
            .await
            .map_err(|_| AppendError::Closed)?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    fn check(&self, entry: &Entry, origin: Origin) -> Result<(), AppendError> {
        let too_large = |what| Err(AppendError::TooLarge { what });
        if entry.events > MAX_FRAME_EVENTS {
            return too_large("events");
        }
        if let Some(change) = &entry.state {
            check_change(change)?;
            // The program's own are few and small, and what they tell has to be told.
            if origin == Origin::Source {
                self.check_room(change)?;
            }
        }
        if entry.bytes() > MAX_ENTRY_BYTES {
            return too_large("bytes");
        }
        Ok(())
    }

    /// Whether the states have room for a change. A key that has a value may take more than one that is new: who is known
    /// goes on, with deliveries that are now smaller and now larger.
    fn check_room(&self, change: &StateChange) -> Result<(), AppendError> {
        // Changes under way are not seen here: the states may exceed it by what waits in the queue.
        let limit_bytes = self.inner.shared.state_limit();
        let state = lock(&self.inner.shared.state);
        let is_known = state.get(&change.key).is_some();
        let room = limit_bytes
            + if is_known {
                limit_bytes / KNOWN_STATE_SHARE
            } else {
                0
            };
        let after = state.bytes_after(change);
        if after > room && after > state.bytes() {
            return Err(AppendError::StatesFull { limit_bytes });
        }
        Ok(())
    }

    /// Forgets a key's value, on disk when it returns.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn forget(&self, key: &str) -> Result<(), AppendError> {
        let key = key.to_owned();
        self.change(StateChange { key, value: None }).await
    }

    /// Changes a key's value by itself, on disk when it returns.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn change(&self, change: StateChange) -> Result<(), AppendError> {
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        self.append_own(entry).await.map(drop)
    }

    /// Has the writer see whether a disk that was full has room again; [`Journal::pressure`] tells.
    pub fn look_for_room(&self) {
        let _ = self.inner.messages.try_send(Message::Look);
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.inner.shared.dir()
    }

    /// The oldest event that is there or to come. Those before it are with every sink, or were
    /// dropped for want of room.
    pub fn oldest_seq(&self) -> Seq {
        let next = *self.inner.shared.durable.borrow() + 1;
        lock(&self.inner.shared.catalog).oldest_seq(next)
    }

    /// Bytes of all keys and values, and how many they may become.
    pub fn state_bytes(&self) -> (usize, usize) {
        let shared = &self.inner.shared;
        (lock(&shared.state).bytes(), shared.state_limit())
    }

    /// The last durable value of a key.
    pub fn state(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.inner.shared.state).get(key).map(<[u8]>::to_vec)
    }

    /// The last durable values of all keys with a prefix, in order.
    pub fn states(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let state = lock(&self.inner.shared.state);
        state
            .with_prefix(prefix)
            .filter(|(key, _)| !key.starts_with(state::OWN_PREFIX))
            .map(|(k, v)| (k.to_owned(), v.to_vec()))
            .collect()
    }

    /// The cursor of a sink, made on first use. Data is kept until every cursor is past it,
    /// also those not opened in this run: see [`Journal::remove_cursor`].
    ///
    /// # Errors
    /// The name, the number of cursors, or the disk.
    pub fn cursor(&self, sink: &str, start: Start) -> Result<Cursor, CursorError> {
        let file = cursor::open_file(&self.inner.shared, sink, start)?;
        Ok(Cursor::new(
            Arc::clone(&self.inner.shared),
            file,
            self.inner.moved.clone(),
        ))
    }

    /// Names and positions of all cursors, also of those not opened in this run.
    pub fn cursors(&self) -> Vec<(String, Seq)> {
        lock(&self.inner.shared.cursors)
            .iter()
            .map(|(name, c)| (name.clone(), c.position()))
            .collect()
    }

    /// Cursors whose files are damaged and that were not opened since. Each holds back the whole
    /// journal: whoever knows that its sink is gone removes it.
    pub fn lost_cursors(&self) -> Vec<LostCursor> {
        lock(&self.inner.shared.lost_cursors)
            .iter()
            .cloned()
            .collect()
    }

    /// Forgets the damaged cursor of a sink that is gone; `false` if it was opened or removed since.
    ///
    /// # Errors
    /// The disk.
    pub fn remove_lost_cursor(&self, lost: &LostCursor) -> Result<bool, CursorError> {
        let removed = cursor::remove_lost(&self.inner.shared, lost)?;
        let _ = self.inner.messages.try_send(Message::Tidy);
        Ok(removed)
    }

    /// Forgets a sink that is gone; `false` if there is no such cursor.
    ///
    /// # Errors
    /// The disk.
    pub fn remove_cursor(&self, sink: &str) -> Result<bool, CursorError> {
        let shared = &self.inner.shared;
        let removed = cursor::remove_file(shared, sink)?;
        // It is none of the cursors by now, so nothing sets it again.
        let sink = sink.to_owned();
        shared.metrics.cursor_lag.remove(&CursorLabel { sink });
        let _ = self.inner.messages.try_send(Message::Tidy);
        Ok(removed)
    }

    /// The last durable sequence.
    pub fn durable(&self) -> watch::Receiver<Seq> {
        self.inner.shared.durable.subscribe()
    }

    /// When the first event after a sequence was committed; none when nothing after it is on disk, or it cannot be
    /// read. Reads from disk, so call it where blocking is allowed.
    pub fn committed_after(&self, seq: Seq) -> Option<jiff::Timestamp> {
        let shared = &self.inner.shared;
        if *shared.durable.borrow() <= seq {
            return None;
        }
        let newest = lock(&shared.hot).committed_at(seq + 1);
        if newest.is_some() {
            return newest;
        }
        let (disk, dir) = (Arc::clone(&shared.disk), shared.dir().clone());
        let mut reader = reader::Reader::new(disk, dir, Arc::clone(&shared.catalog), seq);
        Some(reader.next().ok()??.committed_at)
    }

    /// Up to there nothing is read again: every cursor is past it, on disk, or it was dropped. Without any cursor a sink
    /// may still come that begins with the oldest.
    pub fn done_seq(&self) -> Seq {
        let passed = self.inner.shared.floor().unwrap_or(0);
        passed.max(self.oldest_seq().saturating_sub(1))
    }

    /// The durable frames after a sequence. Reads from disk, so call it where blocking is allowed.
    pub fn read_after(&self, seq: Seq) -> offline::Frames {
        let shared = &self.inner.shared;
        let (disk, dir) = (Arc::clone(&shared.disk), shared.dir().clone());
        offline::Frames::of(reader::Reader::new(
            disk,
            dir,
            Arc::clone(&shared.catalog),
            seq,
        ))
    }

    /// How full the journal is.
    pub fn pressure(&self) -> watch::Receiver<Pressure> {
        self.inner.shared.pressure.subscribe()
    }

    /// The newest seal, whose root may leave through the sinks; a new value with every sealed segment.
    pub fn roots(&self) -> watch::Receiver<Option<Seal>> {
        self.inner.shared.sealed.subscribe()
    }

    /// The seals of all segments still there with a greater number than `segment`, oldest first, at most
    /// [`limits::MAX_SEALS_READ`]. Reads from disk, so call it where blocking is allowed.
    pub fn seals_after(&self, segment: u64) -> Vec<Seal> {
        let shared = &self.inner.shared;
        let closed: Vec<_> = {
            let catalog = lock(&shared.catalog);
            let after = catalog.segments.range(segment.saturating_add(1)..);
            after
                .map(|(_, segment)| segment)
                .filter(|segment| segment.phase != catalog::Phase::Open)
                .take(limits::MAX_SEALS_READ)
                .cloned()
                .collect()
        };
        closed
            .iter()
            .filter_map(|segment| recover::read_seal(&*shared.disk, shared.dir(), segment))
            .collect()
    }

    /// Whether the writer answers: it does unless its thread or the disk is stuck.
    pub async fn answers(&self) -> bool {
        let (pong, answer) = oneshot::channel();
        let asked = self.inner.messages.send(Message::Ping(pong)).await;
        asked.is_ok() && answer.await.is_ok()
    }

    /// Seals the segment being written, if there is one, so that its root can leave through the
    /// sinks although it is not full; the newest seal. Every seal begins a file.
    pub async fn seal(&self) -> Option<Seal> {
        let (done, sealed) = oneshot::channel();
        if self.inner.messages.send(Message::Seal(done)).await.is_ok() {
            let _ = sealed.await;
        }
        self.inner.shared.sealed.borrow().clone()
    }

    /// Signed records of what was dropped or damaged, by sequence.
    pub fn losses(&self) -> Vec<Loss> {
        let state = lock(&self.inner.shared.state);
        let mut losses: Vec<Loss> = loss::all(&state)
            .into_iter()
            .filter(|l| l.gap.reason != GapReason::Delivered)
            .collect();
        losses.sort_by_key(|l| l.gap.first_seq);
        losses
    }

    /// The journal's identity, made when its folder was.
    pub fn id(&self) -> uuid::Uuid {
        uuid::Uuid::from_bytes(self.inner.shared.journal_id)
    }

    /// The key that signs seals and losses.
    pub fn public_key(&self) -> PublicKey {
        self.inner.shared.signer.public_key()
    }

    /// What the journal counts.
    pub fn metrics(&self) -> JournalMetrics {
        self.inner.shared.metrics.clone()
    }

    /// Commits what was appended before, seals the open segment, syncs the cursors and stops.
    /// Never waits for a sink. Later appends, also of other clones, end with [`AppendError::Closed`].
    pub async fn close(self) {
        let _ = self.inner.messages.send(Message::Close).await;
        let done = lock(&self.inner.done).take();
        match done {
            Some(done) => drop(done.await),
            // Another clone is closing it: the sender is gone when the writer is.
            None => self.inner.messages.closed().await,
        }
    }
}
