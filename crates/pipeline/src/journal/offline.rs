//! The journal without a service: for the command line, also while the service runs.
//!
//! Nothing here takes the lock or writes. Of a journal that is being written only what is
//! durable is shown: the durable mark is in the page cache as soon as the data is on disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::catalog::Catalog;
use super::cursor;
use super::keys::PublicKey;
use super::mark::{self, Mark};
use super::open::{self, LOCK_FILE, OpenError};
use super::reader::{ReadError, Reader};
use super::recover;
use super::scan::OnReadError;
use super::shared::CURSORS_DIR;
use super::storage::{Disk, Os};
use super::verify;
use super::{Frame, JournalOptions, Recovery, Seq};

pub use super::verify::{Alteration, Problem, Report, SegmentReport};

/// Frames read from a folder.
#[derive(Debug)]
pub struct Frames {
    reader: Reader,
    failed: bool,
}

impl Frames {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        catalog: Arc<Mutex<Catalog>>,
        after: Seq,
    ) -> Frames {
        let mut reader = Reader::new(disk, dir, catalog, after);
        reader.on_read_error(OnReadError::Skip);
        Frames::of(reader)
    }

    /// What a reader reads.
    pub(super) fn of(reader: Reader) -> Frames {
        Frames {
            reader,
            failed: false,
        }
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.reader.next();
        self.failed = next.is_err();
        next.transpose()
    }
}

/// The journal's identity, given once when it was made.
///
/// # Errors
/// As [`read`].
pub fn id(dir: &Path) -> Result<uuid::Uuid, OpenError> {
    match open::read_version(&Os, dir)? {
        Some(id) => Ok(uuid::Uuid::from_bytes(id)),
        None => Err(OpenError::NotAJournal {
            dir: dir.display().to_string(),
        }),
    }
}

/// Names of all cursors, each with the number of durable events after it. A cursor's file that is
/// damaged is left out.
///
/// # Errors
/// The folder is not a journal, or one of a newer format, or cannot be read.
pub fn cursors(dir: &Path) -> Result<Vec<(String, u64)>, OpenError> {
    let positions = positions(dir)?;
    let mark = mark::read(&Os, dir).map_err(|error| unread(dir, error))?;
    let durable = mark.map_or(0, |mark| mark.next_seq.saturating_sub(1));
    Ok((positions.into_iter())
        .map(|(name, position)| (name, durable.saturating_sub(position)))
        .collect())
}

/// The same, each with the sequence up to which its sink is done.
///
/// # Errors
/// As [`cursors`].
pub fn positions(dir: &Path) -> Result<Vec<(String, Seq)>, OpenError> {
    id(dir)?;
    cursor::positions(&Os, &dir.join(CURSORS_DIR)).map_err(|error| unread(dir, error))
}

fn unread(dir: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        dir: dir.display().to_string(),
        source,
    }
}

/// The durable frames after a sequence; ends where the journal ended when it was called.
///
/// # Errors
/// The folder is not a journal, or one of a newer format, or cannot be read.
pub fn read(dir: impl Into<PathBuf>, after: Seq) -> Result<Frames, OpenError> {
    read_on(Arc::new(Os), dir, after)
}

/// The last durable values of all keys with a prefix, in order.
///
/// # Errors
/// As [`read`].
pub fn states(dir: &Path, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, OpenError> {
    id(dir)?;
    let to_error = |source| OpenError::Io {
        dir: dir.display().to_string(),
        source,
    };
    let mark = mark::read(&Os, dir).map_err(to_error)?;
    let examined = recover::examine(&Os, dir, mark).map_err(to_error)?;
    let states = examined.state.with_prefix(prefix);
    Ok(states
        .map(|(key, value)| (key.to_owned(), value.to_vec()))
        .collect())
}

/// Proves a folder: checksums, hash chain and seals, these against the public key that lies in
/// the folder. While the service runs a frame under way may show as damage at the very end.
///
/// # Errors
/// The folder is not a journal, or one of a newer format, or cannot be read.
pub fn verify(dir: impl Into<PathBuf>) -> Result<Report, OpenError> {
    verify_on(&Os, dir)
}

/// As [`verify`], on another disk.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(disk: &dyn Disk, dir: impl Into<PathBuf>) -> Result<Report, OpenError> {
    verify::verify(disk, dir.into(), None)
}

/// Does what the service does at its start, takes the lock and repairs included, and stops there.
///
/// # Errors
/// As [`super::Journal::open`].
pub fn repair_on(disk: Arc<dyn Disk>, options: JournalOptions) -> Result<Recovery, OpenError> {
    let mut opened = open::open(disk, options, jiff::Timestamp::now().as_microsecond())?;
    opened.log.close(jiff::Timestamp::now().as_microsecond());
    Ok(opened.recovery)
}

/// As [`verify`], against a public key that was kept elsewhere, as it should be.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(dir: impl Into<PathBuf>, trusted: PublicKey) -> Result<Report, OpenError> {
    verify::verify(&Os, dir.into(), Some(trusted))
}

/// As [`read`], on another disk.
///
/// # Errors
/// As [`read`].
pub fn read_on(
    disk: Arc<dyn Disk>,
    dir: impl Into<PathBuf>,
    after: Seq,
) -> Result<Frames, OpenError> {
    let dir = dir.into();
    let dir_name = dir.display().to_string();
    if open::read_version(&*disk, &dir)?.is_none() {
        return Err(OpenError::NotAJournal { dir: dir_name });
    }
    let to_error = |source| OpenError::Io {
        dir: dir_name.clone(),
        source,
    };
    let is_running = disk.is_locked(&dir.join(LOCK_FILE)).map_err(to_error)?;
    // Before the segments are looked at: what it says is durable is there.
    let mark = mark::read(&*disk, &dir).map_err(to_error)?;
    let mut examined = recover::examine(&*disk, &dir, mark).map_err(to_error)?;
    if is_running {
        hide_unsynced(&mut examined.catalog, mark);
    }
    Ok(Frames::new(
        disk,
        dir,
        Arc::new(Mutex::new(examined.catalog)),
        after,
    ))
}

/// Hides frames after the mark, which may still be on their way to the disk.
fn hide_unsynced(catalog: &mut Catalog, mark: Option<Mark>) {
    let mark = mark.unwrap_or(Mark {
        segment: 0,
        id: 0,
        end: 0,
        next_seq: 1,
    });
    catalog.segments.retain(|number, _| *number <= mark.segment);
    if let Some(segment) = catalog.segments.get_mut(&mark.segment) {
        segment.end = segment.end.min(mark.end);
        segment.end_seq = segment.end_seq.min(mark.next_seq);
    }
}
