//! One set-up of a folder at a time: two would each find it free, and what they leave would not fit together.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::files::{self, Secrecy, WriteError};

/// The file that is locked; it is there while somebody is at work, and after one that was killed.
const LOCK_FILE: &str = ".windrow-setup.lock";
/// How often a lock is tried whose file is taken away at the same time.
const TRIES: u32 = 16;
/// Bytes of a process's number.
const HOLDER_BYTES_MAX: u64 = 20;

/// Why a folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is somebody else's.
    #[error("another `windrow setup` is at work in {}{}", .folder.display(), holder.as_ref().map_or_else(String::new, |pid| format!(" (process {pid})")))]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// Their process's number.
        holder: Option<u32>,
    },
    /// It cannot be locked.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Folders that are ours until this is dropped. Folders that were made for it and in which nothing was put go with it.
#[derive(Debug, Default)]
pub struct Lock {
    files: Vec<(PathBuf, File)>,
    folders: Vec<PathBuf>,
}

impl Lock {
    /// Takes these folders, and makes those that are not there.
    ///
    /// # Errors
    /// [`LockError`]; nothing is left of what was made.
    pub fn take(folders: &[&Path]) -> Result<Lock, LockError> {
        let mut lock = Lock::default();
        for (at, folder) in folders.iter().enumerate() {
            if !folders[..at].contains(folder) {
                lock.take_one(folder)?;
            }
        }
        Ok(lock)
    }

    fn take_one(&mut self, folder: &Path) -> Result<(), LockError> {
        let path = folder.join(LOCK_FILE);
        files::check_place(&path)?;
        let failed = |source| WriteError::Io {
            path: path.clone(),
            source,
        };
        files::make_folder(folder, Secrecy::Public, &mut self.folders).map_err(failed)?;
        let busy = |holder| LockError::Busy {
            folder: folder.to_owned(),
            holder,
        };
        for _ in 0..TRIES {
            let mut file = open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(holder(&mut file))),
                Err(TryLockError::Error(source)) => return Err(failed(source).into()),
            }
            // Whoever had it takes its file away: that one is nobody's lock any more.
            if is_at(&file, &path) {
                // Who cannot read it is not told who; nothing hangs on it.
                let _ = file.set_len(0);
                let _ = write!(file, "{}", std::process::id());
                self.files.push((path, file));
                return Ok(());
            }
        }
        Err(busy(None))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        for (path, file) in self.files.drain(..) {
            // While it is still ours.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
        files::remove_folders(&self.folders);
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        // Nobody else can hold it, and so keep us out.
        options.mode(0o600).custom_flags(flags.cast_signed());
    }
    options.open(path)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |of: &std::fs::Metadata| (of.dev(), of.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => place(&ours) == place(&there),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_at_work_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("made/for");
        let first = Lock::take(&[&folder, &folder]).unwrap();
        let second = Lock::take(&[&folder]).unwrap_err().to_string();
        let ours = format!("(process {})", std::process::id());
        assert!(
            second.contains("is at work") && second.ends_with(&ours),
            "{second}"
        );
        drop(first);
        assert!(
            !scratch.path().join("made").exists(),
            "what was made for it goes"
        );
        drop(Lock::take(&[&folder]).unwrap());
    }

    #[test]
    fn what_was_put_there_stays_and_a_dead_lock_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("etc");
        let lock = Lock::take(&[&folder]).unwrap();
        std::fs::write(folder.join("windrow.toml"), "").unwrap();
        drop(lock);
        assert!(folder.join("windrow.toml").exists());
        std::fs::write(folder.join(LOCK_FILE), "77").unwrap();
        drop(Lock::take(&[&folder]).unwrap());
        assert!(!folder.join(LOCK_FILE).exists());
    }

    #[test]
    fn a_file_is_no_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Lock::take(&[&file]).unwrap_err().to_string();
        assert!(
            refused.ends_with("file is a file, and no folder"),
            "{refused}"
        );
    }
}
