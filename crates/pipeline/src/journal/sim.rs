//! A disk that forgets what was not synced, and may fail, fill up, tear and lie: turmoil's
//! simulated file system behind [`Disk`], with a power switch.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use turmoil::fs::shim::std::fs as sim_fs;

use super::catalog::lock;
use super::storage::{Disk, DiskFile, LockGuard, Open};

mod crash;

/// What may go wrong, and when.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Operations until the power goes; every one after it fails without effect.
    left: AtomicI64,
    /// A sync says yes and does nothing: the control that must lose data.
    lies: bool,
    /// How often a sync fails, of 1000. The file's pages are then clean for the kernel:
    /// later syncs say yes and do nothing.
    failing_syncs: u32,
    rng: Mutex<StdRng>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Faults {
        Faults {
            left: AtomicI64::new(i64::MAX),
            lies: false,
            failing_syncs: 0,
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// The power goes after so many operations.
    pub(crate) fn cut_after(mut self, operations: i64) -> Faults {
        self.left = AtomicI64::new(operations);
        self
    }

    fn step(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::other("the power is off"));
        }
        Ok(())
    }

    pub(crate) fn is_off(&self) -> bool {
        self.left.load(Ordering::Relaxed) <= 0
    }

    fn sync_fails(&self) -> bool {
        self.failing_syncs > 0 && lock(&self.rng).random_range(0..1000) < self.failing_syncs
    }
}

#[derive(Debug)]
pub(crate) struct SimDisk(pub(crate) Arc<Faults>);

#[derive(Debug)]
struct SimFile {
    file: sim_fs::File,
    faults: Arc<Faults>,
    /// A sync failed: the kernel dropped the dirty pages' marks.
    poisoned: AtomicBool,
}

#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

/// turmoil says what went wrong in words only.
fn translate(error: io::Error) -> io::Error {
    match error.to_string().as_str() {
        "No space left on device" => io::ErrorKind::StorageFull.into(),
        _ => error,
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.0.step()?;
        let mut options = sim_fs::OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => &mut options,
            Open::Write => options.write(true),
            Open::CreateNew => options.write(true).create_new(true),
            Open::Create => options.write(true).create(true),
        };
        let file = options.open(path).map_err(translate)?;
        Ok(Arc::new(SimFile {
            file,
            faults: Arc::clone(&self.0),
            poisoned: AtomicBool::new(false),
        }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        if sim_fs::metadata(path).is_ok_and(|m| m.is_dir()) {
            return Ok(());
        }
        sim_fs::create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.0.step()?;
        let entries = sim_fs::read_dir(path)?;
        entries
            .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.step()?;
        sim_fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        sim_fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        sim_fs::sync_dir(path)
    }

    fn allocated(&self, path: &Path) -> io::Result<u64> {
        Ok(sim_fs::metadata(path)?.len().next_multiple_of(4096))
    }

    fn is_locked(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn try_lock(&self, _path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        Ok(Some(Box::new(NoLock)))
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.faults.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.step()?;
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset).map_err(translate)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.faults.step()?;
        self.file.set_len(bytes)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.faults.step()?;
        if self.faults.lies || self.poisoned.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.faults.sync_fails() {
            self.poisoned.store(true, Ordering::Relaxed);
            return Err(io::Error::other("sync failed"));
        }
        self.file.sync_all()
    }
}
