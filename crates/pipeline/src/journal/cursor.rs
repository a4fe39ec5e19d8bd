//! A sink's place in the journal: read forward, move when done, never back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use super::catalog::lock;
use super::frame::Get;
use super::limits::{MAX_CURSOR_NAME_BYTES, MAX_CURSORS, MAX_NUMBER};
use super::reader::{ReadError, Reader};
use super::scan::OnReadError;
use super::shared::{CURSORS_DIR, Shared};
use super::slots::Slots;
use super::storage::Disk;
use super::{Frame, Seq};

/// Frames fetched from disk at a time.
const FETCH_BYTES: usize = 1 << 20;
/// What the file name of a cursor begins with whose own name is too long for one.
const HASHED: &str = "sha256-";
/// How often a refused read is repeated before it is returned.
const READ_RETRIES: u32 = 5;
/// Pause before a refused read is repeated.
const READ_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Where a cursor that is new begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event still there.
    Oldest,
    /// With the next event to come.
    Newest,
}

/// Why there is no cursor.
#[derive(Debug, Error)]
pub enum CursorError {
    /// Empty, or longer than the limit.
    #[error("cursor name must have 1 to {MAX_CURSOR_NAME_BYTES} bytes")]
    Name,
    /// More cursors than the limit; some belong to sinks that are gone.
    #[error("journal has {MAX_CURSORS} cursors already; remove those of sinks that are gone")]
    TooMany,
    /// Its file.
    #[error("file of cursor {name:?} cannot be read or written")]
    Io {
        /// Name of the cursor.
        name: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// The durable side of a cursor.
#[derive(Debug)]
pub(super) struct CursorFile {
    name: String,
    /// Last sequence done.
    position: AtomicU64,
    /// Last sequence done and on disk: what retention goes by.
    synced: AtomicU64,
    slots: Mutex<Slots>,
}

impl CursorFile {
    pub(super) fn position(&self) -> Seq {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn synced_position(&self) -> Seq {
        self.synced.load(Ordering::Acquire)
    }

    /// Moves forward; whether it did.
    pub(super) fn move_to(&self, to: Seq) -> bool {
        self.position.fetch_max(to, Ordering::AcqRel) < to
    }

    /// Moves backward, on disk when this returns.
    fn move_back_to(&self, to: Seq) -> io::Result<()> {
        self.position.fetch_min(to, Ordering::AcqRel);
        self.flush().map(drop)
    }

    /// Writes the position if it moved; returns whether it had.
    pub(super) fn flush(&self) -> io::Result<bool> {
        let position = self.position();
        if position == self.synced_position() {
            return Ok(false);
        }
        lock(&self.slots).store(&encode(position, &self.name))?;
        self.synced.store(position, Ordering::Release);
        Ok(true)
    }
}

fn encode(position: Seq, name: &str) -> Vec<u8> {
    let mut value = position.to_le_bytes().to_vec();
    value.push(name.len() as u8);
    value.extend_from_slice(name.as_bytes());
    value
}

fn decode(value: &[u8]) -> Option<(Seq, String)> {
    let mut get = Get::new(value);
    let position = get.u64().filter(|position| *position < MAX_NUMBER)?;
    let bytes = get.u8()? as usize;
    Some((position, String::from_utf8(get.take(bytes)?.to_vec()).ok()?))
}

/// A cursor's file name: lower-case letters, digits and `-` stand for themselves, every other
/// byte is `%xx`, and a name that gets too long is a hash. The name itself is inside.
fn file_name(name: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => out.push(byte as char),
            _ => {
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    if out.len() > 120 {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
        out = HASHED.to_owned();
        for byte in digest.as_ref() {
            let _ = write!(out, "{byte:02x}");
        }
    }
    out + ".cursor"
}

/// A cursor whose file is damaged, and whose sink has not asked for it since: nothing is removed
/// from the journal until it does or the cursor is removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostCursor {
    file: String,
}

impl LostCursor {
    fn of(name: &str) -> LostCursor {
        LostCursor {
            file: file_name(name),
        }
    }

    /// Whether it is the cursor of this sink.
    #[must_use]
    pub fn is_of(&self, sink: &str) -> bool {
        self.file == file_name(sink)
    }

    /// The sink's name, as far as the file's name tells it: a long one does not.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let text = self.file.strip_suffix(".cursor")?;
        let name = named_by(text).filter(|_| !text.starts_with(HASHED))?;
        (file_name(&name) == self.file).then_some(name)
    }
}

impl fmt::Display for LostCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().unwrap_or_else(|| self.file.clone()))
    }
}

/// The name that gives this, with `%xx` read back.
fn named_by(text: &str) -> Option<String> {
    let mut name = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            name.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            name.push(first);
        }
    }
    String::from_utf8(name).ok()
}

/// The cursors of a folder.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// By name.
    pub cursors: BTreeMap<String, Arc<CursorFile>>,
    /// Damaged ones, whose sinks begin with the oldest data again.
    pub lost: BTreeSet<LostCursor>,
}

impl Loaded {
    /// The last sequence that any sink is done with.
    pub(super) fn furthest(&self) -> Seq {
        let positions = self.cursors.values().map(|cursor| cursor.position());
        positions.max().unwrap_or(0)
    }
}

/// Reads all cursors of a folder.
pub(super) fn load(disk: &Arc<dyn Disk>, dir: &Path) -> io::Result<Loaded> {
    let mut loaded = Loaded::default();
    for file in disk
        .list(dir)?
        .into_iter()
        .filter(|n| n.ends_with(".cursor"))
    {
        let (slots, value) = Slots::open(disk, &dir.join(&file))?;
        let Some((position, name)) = value.as_deref().and_then(decode) else {
            tracing::error!(
                file,
                "cursor file is damaged; its sink begins again with the oldest data, and nothing is \
                 removed until it does"
            );
            loaded.lost.insert(LostCursor { file });
            continue;
        };
        let cursor = CursorFile {
            name: name.clone(),
            position: position.into(),
            synced: position.into(),
            slots: Mutex::new(slots),
        };
        loaded.cursors.insert(name, Arc::new(cursor));
    }
    Ok(loaded)
}

/// Names and positions of a folder that another process may be writing.
pub(super) fn positions(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<(String, Seq)>> {
    let mut positions = Vec::new();
    for file in disk.list(dir)? {
        if !file.ends_with(".cursor") {
            continue;
        }
        let value = Slots::read(disk, &dir.join(&file))?;
        if let Some((position, name)) = value.as_deref().and_then(decode) {
            positions.push((name, position));
        }
    }
    positions.sort();
    Ok(positions)
}

impl CursorFile {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Finds or makes the file of a cursor.
pub(super) fn open_file(
    shared: &Shared,
    name: &str,
    start: Start,
) -> Result<Arc<CursorFile>, CursorError> {
    if name.is_empty() || name.len() > MAX_CURSOR_NAME_BYTES {
        return Err(CursorError::Name);
    }
    let mut cursors = lock(&shared.cursors);
    if let Some(cursor) = cursors.get(name) {
        return Ok(Arc::clone(cursor));
    }
    if cursors.len() >= MAX_CURSORS {
        return Err(CursorError::TooMany);
    }
    let newest = *shared.durable.borrow();
    let lost = LostCursor::of(name);
    let was_lost = lock(&shared.lost_cursors).contains(&lost);
    let position = match start {
        Start::Newest if !was_lost => newest,
        Start::Newest | Start::Oldest => lock(&shared.catalog).oldest_seq(newest + 1) - 1,
    };
    let dir = shared.dir().join(CURSORS_DIR);
    let path = dir.join(&lost.file);
    let slots = Slots::create(&shared.disk, &path, &encode(position, name));
    let slots = slots.map_err(|source| CursorError::Io {
        name: name.to_owned(),
        source,
    })?;
    lock(&shared.lost_cursors).remove(&lost);
    let cursor = Arc::new(CursorFile {
        name: name.to_owned(),
        position: position.into(),
        synced: position.into(),
        slots: Mutex::new(slots),
    });
    cursors.insert(name.to_owned(), Arc::clone(&cursor));
    Ok(cursor)
}

/// Removes a cursor and its file; `false` if there is none of that name.
pub(super) fn remove_file(shared: &Shared, name: &str) -> Result<bool, CursorError> {
    let mut cursors = lock(&shared.cursors);
    let lost = LostCursor::of(name);
    let was_lost = lock(&shared.lost_cursors).contains(&lost);
    if !cursors.contains_key(name) && !was_lost {
        return Ok(false);
    }
    // A place whose file stays would be back at the next start: it holds the journal until it is gone.
    remove_named(shared, &lost)?;
    cursors.remove(name);
    lock(&shared.lost_cursors).remove(&lost);
    Ok(true)
}

/// Removes the file of a damaged cursor that nobody has opened since.
pub(super) fn remove_lost(shared: &Shared, lost: &LostCursor) -> Result<bool, CursorError> {
    // Held so that nobody opens it meanwhile.
    let _cursors = lock(&shared.cursors);
    if !lock(&shared.lost_cursors).contains(lost) {
        return Ok(false);
    }
    remove_named(shared, lost)?;
    lock(&shared.lost_cursors).remove(lost);
    Ok(true)
}

fn remove_named(shared: &Shared, lost: &LostCursor) -> Result<(), CursorError> {
    let dir = shared.dir().join(CURSORS_DIR);
    let outcome = shared
        .disk
        .remove(&dir.join(&lost.file))
        .and_then(|()| shared.disk.sync_dir(&dir));
    match outcome {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CursorError::Io {
            name: lost.name().unwrap_or_else(|| lost.file.clone()),
            source,
        }),
        _ => Ok(()),
    }
}

/// A sink's place in the journal.
#[derive(Debug)]
pub struct Cursor {
    shared: Arc<Shared>,
    file: Arc<CursorFile>,
    durable: watch::Receiver<Seq>,
    /// Wakes the keeper.
    moved: std::sync::mpsc::SyncSender<()>,
    /// Last sequence returned by `next`.
    read: Seq,
    reader: Option<Reader>,
    fetched: VecDeque<Frame>,
    retries: u32,
}

impl Cursor {
    pub(super) fn new(
        shared: Arc<Shared>,
        file: Arc<CursorFile>,
        moved: std::sync::mpsc::SyncSender<()>,
    ) -> Cursor {
        let read = file.position();
        let durable = shared.durable.subscribe();
        Cursor {
            shared,
            file,
            durable,
            moved,
            read,
            reader: None,
            fetched: VecDeque::new(),
            retries: 0,
        }
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        self.file.name()
    }

    /// The last sequence done; 0 if none.
    pub fn position(&self) -> Seq {
        self.file.position()
    }

    /// Everything up to and including `to` is done. Moves only forward and never past what is
    /// durable; on disk within 100 ms and when the journal closes, so that after a crash a sink
    /// sees a little again and never too little.
    pub fn advance(&self, to: Seq) {
        let to = to.min(*self.durable.borrow());
        if self.file.move_to(to) {
            // A full channel means that the keeper is awake already.
            let _ = self.moved.try_send(());
        }
    }

    /// Takes back that everything after `to` is done, and reads from there: the sink has lost it. What
    /// the journal does not hold any more does not come again.
    ///
    /// # Errors
    /// The disk; the place may then be back where it was at the next start.
    pub fn take_back(&mut self, to: Seq) -> io::Result<()> {
        self.file.move_back_to(to)?;
        self.rewind();
        Ok(())
    }

    /// Reading starts again after [`Cursor::position`].
    pub fn rewind(&mut self) {
        self.read = self.position();
        self.reader = None;
        self.fetched.clear();
    }

    /// The next frame after what was last read; waits for one; `None` when the journal is
    /// closed and everything in it was read. A frame whose first events are done already comes
    /// without the entries that are wholly done. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The disk refused several times. The place is kept: the next call tries again.
    pub async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.ready() {
                self.read = frame.end_seq - 1;
                return Ok(Some(frame));
            }
            let closed = self.shared.is_closed();
            // Without a frame only damage was left: what comes is waited for.
            if *self.durable.borrow_and_update() > self.read && self.fetch().await? {
                continue;
            }
            if closed {
                return Ok(None);
            }
            // The sender lives in `shared`; it cannot be gone.
            let _ = self.durable.changed().await;
        }
    }

    fn ready(&mut self) -> Option<Frame> {
        if let Some(frame) = self.fetched.pop_front() {
            return Some(frame);
        }
        let hot = lock(&self.shared.hot).get(self.read + 1);
        if hot.is_some() {
            // What the reader would find next is not what comes next.
            self.reader = None;
        }
        hot
    }

    /// Reads some frames from disk on a thread that may block; `false` if there is none.
    async fn fetch(&mut self) -> Result<bool, ReadError> {
        loop {
            let reader = match self.reader.take() {
                Some(reader) => reader,
                None => self.new_reader(),
            };
            let shared = Arc::clone(&self.shared);
            let task = tokio::task::spawn_blocking(move || fetch_some(&shared, reader));
            // The task is not aborted and does not panic; a runtime that shuts down ends us too.
            let Ok((reader, frames, outcome)) = task.await else {
                return Ok(false);
            };
            self.reader = Some(reader);
            self.fetched = frames;
            match outcome {
                Ok(()) => {
                    self.retries = 0;
                    return Ok(!self.fetched.is_empty());
                }
                Err(_) if !self.fetched.is_empty() => return Ok(true),
                Err(error) if self.retries >= READ_RETRIES => {
                    self.retries = 0;
                    return Err(error);
                }
                Err(_) => {
                    self.retries += 1;
                    tokio::time::sleep(READ_RETRY_PAUSE).await;
                }
            }
        }
    }

    fn new_reader(&self) -> Reader {
        let mut reader = Reader::new(
            Arc::clone(&self.shared.disk),
            self.shared.dir().clone(),
            Arc::clone(&self.shared.catalog),
            self.read,
        );
        if self.retries >= READ_RETRIES {
            reader.on_read_error(OnReadError::Skip);
        }
        reader
    }
}

type Fetched = (Reader, VecDeque<Frame>, Result<(), ReadError>);

fn fetch_some(shared: &Shared, mut reader: Reader) -> Fetched {
    let mut frames = VecDeque::new();
    let mut bytes = 0;
    let outcome = loop {
        match reader.next() {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(frame)) => {
                bytes += frame.entries.iter().map(|e| e.body.len()).sum::<usize>();
                frames.push_back(frame);
                if bytes >= FETCH_BYTES {
                    break Ok(());
                }
            }
        }
    };
    for range in reader.take_bad() {
        shared.report(&range);
    }
    frames
        .iter()
        .filter_map(|frame| frame.gap)
        .for_each(|gap| shared.notice(gap));
    (reader, frames, outcome)
}
