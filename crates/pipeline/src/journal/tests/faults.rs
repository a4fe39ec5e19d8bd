//! A disk in memory that runs full and refuses what a test tells it to.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use super::super::catalog::lock;
use super::super::storage::{Disk, DiskFile, LockGuard, Memory, Open};

/// A disk of limited size whose calls can be made to fail.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    pub(super) inner: Memory,
    switches: Arc<Switches>,
}

#[derive(Debug)]
struct Switches {
    /// Bytes that files may still grow by.
    free: AtomicI64,
    /// Names that cannot be removed.
    stuck: Mutex<Vec<String>>,
    /// Names whose next sync fails.
    failing_syncs: Mutex<Vec<String>>,
    /// Names given by renaming.
    renamed: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    name: String,
    switches: Arc<Switches>,
}

impl Default for Faulty {
    fn default() -> Faulty {
        Faulty {
            inner: Memory::default(),
            switches: Arc::new(Switches {
                free: AtomicI64::new(i64::MAX / 2),
                stuck: Mutex::default(),
                failing_syncs: Mutex::default(),
                renamed: Mutex::default(),
            }),
        }
    }
}

impl Faulty {
    /// Leaves so many bytes.
    pub(super) fn leave(&self, bytes: i64) {
        self.switches.free.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> i64 {
        self.switches.free.load(Ordering::Relaxed)
    }

    /// Refuses to remove these from now on.
    pub(super) fn hold_fast(&self, names: &[String]) {
        *lock(&self.switches.stuck) = names.to_vec();
    }

    /// Lets the next sync of this file fail.
    pub(super) fn fail_sync(&self, name: &str) {
        lock(&self.switches.failing_syncs).push(name.to_owned());
    }

    /// The names that were given by renaming a file, in order.
    pub(super) fn renamed(&self) -> Vec<String> {
        lock(&self.switches.renamed).clone()
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl Switches {
    fn bytes_of(disk: &Memory, path: &Path) -> i64 {
        disk.contents(path).map_or(0, |bytes| bytes.len() as i64)
    }

    fn give(&self, bytes: i64) {
        self.free.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: i64) -> io::Result<()> {
        if self.free.load(Ordering::Relaxed) < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.free.fetch_sub(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Disk for Faulty {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FaultyFile {
            file: self.inner.open(path, how)?,
            name: name(path),
            switches: Arc::clone(&self.switches),
        }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.switches.give(Switches::bytes_of(&self.inner, to));
        lock(&self.switches.renamed).push(name(to));
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if lock(&self.switches.stuck).contains(&name(path)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let bytes = Switches::bytes_of(&self.inner, path);
        self.inner.remove(path)?;
        self.switches.give(bytes);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }

    fn allocated(&self, path: &Path) -> io::Result<u64> {
        self.inner.allocated(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.inner.is_locked(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.inner.try_lock(path)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let grows = (offset + bytes.len() as u64).saturating_sub(self.file.bytes()?);
        self.switches.take(grows as i64)?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let shrinks = self.file.bytes()?.saturating_sub(bytes);
        self.file.set_len(bytes)?;
        self.switches.give(shrinks as i64);
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut failing = lock(&self.switches.failing_syncs);
        match failing.iter().position(|name| *name == self.name) {
            Some(at) => {
                failing.remove(at);
                Err(io::Error::other("sync failed"))
            }
            None => self.file.sync_data(),
        }
    }
}
