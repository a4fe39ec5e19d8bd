//! Bytes of files that the journal refers to, until every sink has taken them.
//!
//! A piece goes three steps, and a crash between any two of them loses nothing and keeps nothing for ever:
//!
//! 1. [`Spool::put`]: the bytes are on disk under `<id>.new`, and so is that name.
//! 2. A batch that [refers](windrow_formats::batch::file) to the piece is appended to the journal, in one record with
//!    how far the file was taken.
//! 3. [`Spool::refer`]: the piece is called `<id>-<sequence of the batch>.piece`.
//!
//! Whoever opens the spool looks up in the journal what is still called `.new`: it gets its name if a batch refers to it,
//! and is removed if none does, since then the file was not taken either. The name tells all later starts by itself
//! [when](Spool::sweep) a piece is done with: when all cursors of the journal have passed its sequence for good.
//!
//! It reaches the disk as the journal does, through [`Disk`].

mod keep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;
use uuid::Uuid;
use windrow_formats::batch::file::{Piece, PieceId, Sha256};
use windrow_formats::text::hex;

pub use self::keep::{KeepError, Keeper};
use crate::journal::Seq;
use crate::journal::storage::{Disk, Open, is_full};
use crate::limits::{SPOOL_BLOCK_BYTES, SPOOL_PIECE_BYTES_MAX, SPOOL_PIECE_SHARE};

/// What a piece is called that no batch is known to refer to.
const NEW: &str = ".new";
/// What one is called that a batch refers to.
const REFERRED: &str = ".piece";

/// The folder of pieces. Clones share it.
#[derive(Debug, Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    quota_bytes: u64,
    held: Mutex<Held>,
}

/// What lies in the folder.
#[derive(Debug, Default)]
struct Held {
    pieces: BTreeMap<PieceId, Kept>,
    /// Room of all of them.
    bytes: u64,
}

/// One piece, or what is left of one that could not be removed.
#[derive(Debug, Clone)]
struct Kept {
    /// Room that it takes on disk.
    room: u64,
    name: String,
    /// Of the batch that refers to it.
    seq: Option<Seq>,
}

/// Why a piece is not in the spool.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The pieces that sinks have not taken yet fill it. It resumes by itself.
    #[error("the spool of files is full ({held_bytes} of {quota_bytes} bytes wait for sinks)")]
    Full {
        /// Room of what lies there.
        held_bytes: u64,
        /// Room that it may take.
        quota_bytes: u64,
    },
    /// The disk has no room. It resumes by itself.
    #[error("the disk of the spool of files is full")]
    DiskFull(#[source] io::Error),
    /// No piece may be so large.
    #[error("{bytes} bytes are more than a piece may have ({max_bytes})")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// Most that there may be.
        max_bytes: usize,
    },
    /// The disk failed.
    #[error("the spool of files in {dir} cannot be read or written")]
    Io {
        /// Its folder.
        dir: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

impl SpoolError {
    /// Whether it passes when sinks take what waits, or the disk gets room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, SpoolError::Full { .. } | SpoolError::DiskFull(_))
    }
}

/// Why the bytes of a piece cannot be had.
#[derive(Debug, Error)]
pub enum PieceError {
    /// They are not there: every sink had them, or the spool was lost.
    #[error("piece {} is not in the spool", hex(&.0.0))]
    Missing(PieceId),
    /// They are others than those that were put there.
    #[error("piece {} is damaged", hex(&.0.0))]
    Damaged(PieceId),
    /// The disk refused; the next attempt may succeed.
    #[error("piece {} cannot be read", hex(&.id.0))]
    Io {
        /// Which.
        id: PieceId,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    /// Pieces in it.
    pub pieces: usize,
    /// Room that they take, in bytes.
    pub held_bytes: u64,
    /// Room that they may take.
    pub quota_bytes: u64,
}

impl Spool {
    /// Opens a folder, made if needed. Pieces up to `done` are removed; `referred` is asked which batches after that
    /// refer to which pieces, if there is a piece of which the folder does not say so.
    ///
    /// # Errors
    /// The folder cannot be made or read, or what `referred` says.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: impl Into<PathBuf>,
        quota_bytes: u64,
        done: Seq,
        referred: impl FnOnce() -> io::Result<BTreeMap<PieceId, Seq>>,
    ) -> Result<Spool, SpoolError> {
        let dir = dir.into();
        let io = |source| SpoolError::Io {
            dir: dir.display().to_string(),
            source,
        };
        let held = load(&*disk, &dir, referred).map_err(io)?;
        let inner = Inner {
            disk,
            dir,
            quota_bytes,
            held: Mutex::new(held),
        };
        let spool = Spool {
            inner: Arc::new(inner),
        };
        spool.sweep(done);
        Ok(spool)
    }

    /// Most bytes that one piece may have: so few that some of them fit.
    #[must_use]
    pub fn piece_bytes_max(&self) -> usize {
        let share = self.inner.quota_bytes / SPOOL_PIECE_SHARE;
        usize::try_from(share).map_or(SPOOL_PIECE_BYTES_MAX, |share| {
            share.min(SPOOL_PIECE_BYTES_MAX)
        })
    }

    /// How full it is.
    #[must_use]
    pub fn filling(&self) -> Filling {
        let held = self.inner.held();
        Filling {
            pieces: held.pieces.len(),
            held_bytes: held.bytes,
            quota_bytes: self.inner.quota_bytes,
        }
    }

    /// Makes bytes durable. A batch has to refer to them next, or they have to be [discarded](Spool::discard).
    ///
    /// # Errors
    /// There is no room, or the disk failed; nothing of them is kept then.
    pub fn put(&self, bytes: &[u8]) -> Result<Piece, SpoolError> {
        let max_bytes = self.piece_bytes_max();
        let length = u32::try_from(bytes.len()).ok();
        let Some(length) = length.filter(|_| bytes.len() <= max_bytes) else {
            return Err(SpoolError::TooLarge {
                bytes: bytes.len(),
                max_bytes,
            });
        };
        let inner = &*self.inner;
        let id = PieceId(Uuid::new_v4().into_bytes());
        inner.reserve(id, room(u64::from(length)))?;
        if let Err(source) = inner.write(id, bytes) {
            inner.remove(id);
            return Err(match is_full(&source) {
                true => SpoolError::DiskFull(source),
                false => SpoolError::Io {
                    dir: inner.dir.display().to_string(),
                    source,
                },
            });
        }
        Ok(Piece {
            id,
            bytes: length,
            sha256: sha256(bytes),
        })
    }

    /// A durable batch of this sequence refers to a piece.
    pub fn refer(&self, id: PieceId, seq: Seq) {
        let inner = &*self.inner;
        let mut held = inner.held();
        let Some(kept) = held.pieces.get_mut(&id) else {
            return;
        };
        kept.seq = Some(seq);
        let name = referred_name(id, seq);
        match (inner.disk).rename(&inner.dir.join(&kept.name), &inner.dir.join(&name)) {
            Ok(()) => kept.name = name,
            // It has a name under which the next start finds it, and looks the sequence up.
            Err(error) => tracing::warn!(%error, "a piece of the spool keeps its first name"),
        }
    }

    /// No batch refers to a piece, and none will.
    pub fn discard(&self, id: PieceId) {
        self.inner.remove(id);
    }

    /// Removes the pieces whose batches all sinks have done with, up to this sequence. What cannot be removed
    /// goes on to count, and is removed the next time.
    pub fn sweep(&self, done: Seq) {
        let ids: Vec<PieceId> = {
            let held = self.inner.held();
            let is_done = |kept: &Kept| kept.seq.is_some_and(|seq| seq <= done);
            let done = held.pieces.iter().filter(|(_, kept)| is_done(kept));
            done.map(|(id, _)| *id).collect()
        };
        for id in ids {
            self.inner.remove(id);
        }
    }

    /// The bytes of a piece, which are those that were put there.
    ///
    /// # Errors
    /// See [`PieceError`].
    pub fn read(&self, piece: &Piece) -> Result<Vec<u8>, PieceError> {
        let (inner, id) = (&*self.inner, piece.id);
        let to_error = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => PieceError::Missing(id),
            _ => PieceError::Io { id, source },
        };
        let file = {
            // Held so that it does not get its other name meanwhile.
            let held = inner.held();
            let kept = held.pieces.get(&id).ok_or(PieceError::Missing(id))?;
            let path = inner.dir.join(&kept.name);
            inner.disk.open(&path, Open::Read).map_err(to_error)?
        };
        if file.bytes().map_err(to_error)? != u64::from(piece.bytes)
            || piece.bytes as usize > SPOOL_PIECE_BYTES_MAX
        {
            return Err(PieceError::Damaged(id));
        }
        let mut bytes = vec![0; piece.bytes as usize];
        let read = file.read_at(&mut bytes, 0).map_err(to_error)?;
        match read == bytes.len() && sha256(&bytes) == piece.sha256 {
            true => Ok(bytes),
            false => Err(PieceError::Damaged(id)),
        }
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the room of a piece before there is one, so that those who come at once do not share it.
    fn reserve(&self, id: PieceId, room: u64) -> Result<(), SpoolError> {
        let mut held = self.held();
        let after = held.bytes.saturating_add(room);
        if after > self.quota_bytes {
            return Err(SpoolError::Full {
                held_bytes: held.bytes,
                quota_bytes: self.quota_bytes,
            });
        }
        held.insert(
            id,
            Kept {
                room,
                name: new_name(id),
                seq: None,
            },
        );
        Ok(())
    }

    fn write(&self, id: PieceId, bytes: &[u8]) -> io::Result<()> {
        let file = (self.disk).open(&self.dir.join(new_name(id)), Open::CreateNew)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        // The batch is durable at once: its piece must not be a file without a name.
        self.disk.sync_dir(&self.dir)
    }

    /// Removes a piece. One that stays goes on to count, as done.
    fn remove(&self, id: PieceId) {
        let mut held = self.held();
        let Some(kept) = held.pieces.get_mut(&id) else {
            return;
        };
        match self.disk.remove(&self.dir.join(&kept.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                kept.seq = Some(0);
                tracing::warn!(%error, name = kept.name, "a piece of the spool cannot be removed");
            }
            _ => held.remove(id),
        }
    }
}

impl Held {
    fn insert(&mut self, id: PieceId, kept: Kept) {
        self.bytes += kept.room;
        if let Some(old) = self.pieces.insert(id, kept) {
            self.bytes -= old.room;
        }
    }

    fn remove(&mut self, id: PieceId) {
        if let Some(old) = self.pieces.remove(&id) {
            self.bytes -= old.room;
        }
    }
}

/// What lies in a folder, once what nobody refers to is gone.
fn load(
    disk: &dyn Disk,
    dir: &Path,
    referred: impl FnOnce() -> io::Result<BTreeMap<PieceId, Seq>>,
) -> io::Result<Held> {
    disk.create_dir(dir)?;
    let (mut held, mut unknown) = (Held::default(), Vec::new());
    for name in disk.list(dir)? {
        match named(&name) {
            Some((id, Some(seq))) => {
                let room = room(disk.open(&dir.join(&name), Open::Read)?.bytes()?);
                let seq = Some(seq);
                held.insert(id, Kept { room, name, seq });
            }
            Some((id, None)) => unknown.push((id, name)),
            None => tracing::warn!(name, "the spool has a file that is none of its own"),
        }
    }
    if unknown.is_empty() {
        return Ok(held);
    }
    let referred = referred()?;
    for (id, name) in unknown {
        let path = dir.join(&name);
        match referred.get(&id) {
            Some(&seq) => {
                let room = room(disk.open(&path, Open::Read)?.bytes()?);
                let name = referred_name(id, seq);
                disk.rename(&path, &dir.join(&name))?;
                let seq = Some(seq);
                held.insert(id, Kept { room, name, seq });
            }
            None => disk.remove(&path)?,
        }
    }
    disk.sync_dir(dir)?;
    Ok(held)
}

/// Room that a file takes.
fn room(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(SPOOL_BLOCK_BYTES)
}

fn new_name(id: PieceId) -> String {
    hex(&id.0) + NEW
}

fn referred_name(id: PieceId, seq: Seq) -> String {
    format!("{}-{seq:016x}{REFERRED}", hex(&id.0))
}

/// Which piece bears a name, and the sequence in it.
fn named(name: &str) -> Option<(PieceId, Option<Seq>)> {
    let (id, seq) = match name.strip_suffix(NEW) {
        Some(id) => (id, None),
        None => {
            let (id, seq) = name.strip_suffix(REFERRED)?.split_once('-')?;
            (id, Some(Seq::from_str_radix(seq, 16).ok()?))
        }
    };
    let id = PieceId(Uuid::try_parse(id).ok()?.into_bytes());
    let whole = seq.map_or_else(|| new_name(id), |seq| referred_name(id, seq));
    (whole == name).then_some((id, seq))
}

fn sha256(bytes: &[u8]) -> Sha256 {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}
