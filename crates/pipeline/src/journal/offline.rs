//! The journal without a service: for the command line, also while the service runs.
//!
//! Nothing here takes the lock or writes. Of a journal that is being written only what is
//! durable is shown: the durable mark is in the page cache as soon as the data is on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::catalog::{Catalog, Phase};
use super::log::Mark;
use super::open::{self, MARK_FILE, OpenError};
use super::reader::{ReadError, Reader};
use super::recover;
use super::scan::OnReadError;
use super::slots::Slots;
use super::storage::{Disk, Os};
use super::{Frame, Seq};

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

/// The durable frames after a sequence; ends where the journal ended when it was called.
///
/// # Errors
/// The folder is not a journal, or one of a newer format, or cannot be read.
pub fn read(dir: impl Into<PathBuf>, after: Seq) -> Result<Frames, OpenError> {
    read_on(Arc::new(Os), dir.into(), after)
}

pub(super) fn read_on(disk: Arc<dyn Disk>, dir: PathBuf, after: Seq) -> Result<Frames, OpenError> {
    let dir_name = dir.display().to_string();
    if open::read_version(&*disk, &dir)?.is_none() {
        return Err(OpenError::NotAJournal { dir: dir_name });
    }
    let to_error = |source| OpenError::Io {
        dir: dir_name.clone(),
        source,
    };
    let mark = read_mark(&*disk, &dir).map_err(to_error)?;
    let mut examined = recover::examine(&*disk, &dir, mark).map_err(to_error)?;
    if let Some(mark) = mark
        && let Some(last) = examined.catalog.segments.values_mut().next_back()
        && last.number == mark.segment
        && last.phase == Phase::Closed
    {
        // A frame after the mark may still be on its way to the disk.
        last.end = last
            .end
            .min(mark.end.max(super::segment::SEGMENT_HEADER_BYTES as u64));
        last.end_seq = last.end_seq.min(mark.next_seq);
    }
    Ok(Frames::new(
        disk,
        dir,
        Arc::new(Mutex::new(examined.catalog)),
        after,
    ))
}

fn read_mark(disk: &dyn Disk, dir: &Path) -> std::io::Result<Option<Mark>> {
    match Slots::read(disk, &dir.join(MARK_FILE)) {
        Ok(value) => Ok(value.as_deref().and_then(Mark::decode)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
