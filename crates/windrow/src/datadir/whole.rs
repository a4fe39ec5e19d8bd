//! Files that are written whole or not at all, and the one rule for a disk that says no.
//!
//! A file is written beside its place, synced, renamed into it, and the folder is synced. What fails before the rename has
//! changed nothing, and the change is refused. A folder that cannot be synced after it has changed all the same: the new
//! file is what every reader and the next start find, and only a power cut might bring the old one back. So the change is
//! in force, and whoever asked for it is told [`Kept::Unsure`]. To take it back would need the same disk, and leave two
//! doubts where there was one. Until the next change nothing that the old file names is taken away.

use std::io;
use std::path::{Path, PathBuf};

use super::{sync_folder, write_private};

/// What a file is called until it is whole.
const UNFINISHED: &str = ".new";

/// A folder of such files.
#[derive(Debug, Clone)]
pub(crate) struct WholeFiles {
    folder: PathBuf,
    sync: fn(&Path) -> io::Result<()>,
}

/// How well a change is kept that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Kept {
    /// It is on the disk.
    Surely,
    /// It is in force, and may not survive a power cut, for this reason.
    Unsure(String),
}

impl Kept {
    /// The same, unless another change that it needs is not sure.
    pub(crate) fn and(self, other: Kept) -> Kept {
        match self {
            Kept::Surely => other,
            unsure @ Kept::Unsure(_) => unsure,
        }
    }

    /// What is said of a change that is not sure.
    pub(crate) fn warning(&self) -> Option<String> {
        match self {
            Kept::Surely => None,
            Kept::Unsure(reason) => Some(format!(
                "in force, and a power cut may bring back what was before: the disk did not say that it is kept ({reason})"
            )),
        }
    }
}

impl WholeFiles {
    pub(crate) fn in_folder(folder: PathBuf) -> WholeFiles {
        WholeFiles {
            folder,
            sync: sync_folder,
        }
    }

    /// The same, where syncing the folder does this.
    #[cfg(test)]
    pub(crate) fn with_sync(self, sync: fn(&Path) -> io::Result<()>) -> WholeFiles {
        WholeFiles { sync, ..self }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file, in the place of the one that was there.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<Kept> {
        let new = self.folder.join(format!("{name}{UNFINISHED}"));
        let written = write_private(&new, bytes);
        let placed = written.and_then(|()| fs_err::rename(&new, self.folder.join(name)));
        if placed.is_err() {
            let _ = fs_err::remove_file(&new);
        }
        placed?;
        Ok(self.synced())
    }

    /// Takes a file away, if it is there.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(crate) fn remove(&self, name: &str) -> io::Result<Kept> {
        match fs_err::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(self.synced()),
        }
    }

    fn synced(&self) -> Kept {
        match (self.sync)(&self.folder) {
            Ok(()) => Kept::Surely,
            Err(error) => {
                tracing::warn!(%error, "a change is in force, and may not survive a power cut");
                Kept::Unsure(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_its_place_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let read = || std::fs::read_to_string(folder.path().join("a")).ok();
        let sure = WholeFiles::in_folder(folder.path().to_owned());
        let unsure = sure.clone().with_sync(|_| Err(io::Error::other("EIO")));
        assert_eq!(sure.replace("a", b"old").unwrap(), Kept::Surely);
        let kept = unsure.replace("a", b"new").unwrap();
        assert_eq!(kept, Kept::Unsure("EIO".to_owned()));
        assert_eq!(read().as_deref(), Some("new"));
        assert!(kept.warning().unwrap().contains("EIO"));
        assert_eq!(Kept::Surely.and(kept.clone()), kept);
        assert_eq!(unsure.remove("a").unwrap(), kept);
        assert_eq!(read(), None);
    }

    #[test]
    fn what_cannot_be_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = WholeFiles::in_folder(folder.path().to_owned());
        // A folder that holds something is replaced by no file.
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        assert!(files.replace("a", b"new").is_err() && files.remove("a").is_err());
        assert!(folder.path().join("a/b").is_dir() && !folder.path().join("a.new").exists());
        let nowhere = WholeFiles::in_folder(folder.path().join("absent"));
        assert!(nowhere.replace("a", b"new").is_err());
    }
}
