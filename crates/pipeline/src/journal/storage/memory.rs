//! A disk in memory: for tests and fuzzing, where every byte is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Disk, DiskFile, LockGuard, Open};

type Files = BTreeMap<PathBuf, Arc<MemoryFile>>;

/// Files in memory; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: Arc<Mutex<Files>>,
    locked: Arc<Mutex<BTreeSet<PathBuf>>>,
}

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Vec<u8>>);

#[derive(Debug)]
struct MemoryLock {
    path: PathBuf,
    locked: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl LockGuard for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        hold(&self.locked).remove(&self.path);
    }
}

fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// The contents of a file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        hold(&self.files)
            .get(path)
            .map(|file| hold(&file.0).clone())
    }

    /// Puts a file there, whatever was there before.
    pub fn put(&self, path: &Path, contents: Vec<u8>) {
        hold(&self.files).insert(path.to_owned(), Arc::new(MemoryFile(Mutex::new(contents))));
    }

    /// Another disk with the same contents and no locks: what a crash leaves.
    pub fn copy(&self) -> Memory {
        let copy = Memory::default();
        for (path, file) in hold(&self.files).iter() {
            copy.put(path, hold(&file.0).clone());
        }
        copy
    }
}

impl Disk for Memory {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = hold(&self.files);
        let found = files.get(path).cloned();
        match (how, found) {
            (Open::CreateNew, Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            (Open::Read | Open::Write, None) => Err(io::ErrorKind::NotFound.into()),
            (_, Some(file)) => Ok(file),
            (_, None) => {
                let file = Arc::new(MemoryFile::default());
                files.insert(path.to_owned(), Arc::clone(&file));
                Ok(file)
            }
        }
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let files = hold(&self.files);
        let here = files.keys().filter(|file| file.parent() == Some(path));
        Ok(here
            .filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = hold(&self.files);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        hold(&self.files)
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn allocated(&self, path: &Path) -> io::Result<u64> {
        let files = hold(&self.files);
        let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(file.bytes()?.next_multiple_of(4096))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(hold(&self.locked).contains(path))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        if !hold(&self.locked).insert(path.to_owned()) {
            return Ok(None);
        }
        let lock = MemoryLock {
            path: path.to_owned(),
            locked: Arc::clone(&self.locked),
        };
        Ok(Some(Box::new(lock)))
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let contents = hold(&self.0);
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(contents.len());
        let read = buffer.len().min(contents.len() - start);
        buffer[..read].copy_from_slice(&contents[start..start + read]);
        Ok(read)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut contents = hold(&self.0);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = start + bytes.len();
        if contents.len() < end {
            contents.resize(end, 0);
        }
        contents[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        hold(&self.0).resize(bytes, 0);
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(hold(&self.0).len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
