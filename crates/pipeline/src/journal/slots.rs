//! A small value kept in place in two slots, written in turn: after a torn write the other one still holds.
//!
//! Rewriting a block in place costs a fiftieth of temporary file, sync, rename and sync of
//! the folder (docs/adr/0001-journal.md), and never leaves the file empty.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::catalog::lock;
use super::frame::{Get, is_sum_of};
use super::storage::{self, Disk, DiskFile, Open};

/// Distance of the two slots: no sector and no page holds parts of both.
const SLOT_BYTES: u64 = 4096;
const MAGIC: [u8; 4] = *b"WJS1";
const HEADER_BYTES: usize = 16;
/// Largest value.
pub(super) const MAX_VALUE_BYTES: usize = 512;

/// A two-slot file.
#[derive(Debug)]
pub(super) struct Slots {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    generation: u64,
    /// A sync failed: the kernel may call the next one a success without writing anything.
    distrusted: bool,
    buffer: Vec<u8>,
}

impl Slots {
    /// Opens the file, making it if needed, and reads the newest value. The caller syncs the folder.
    pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<(Slots, Option<Vec<u8>>)> {
        let file = disk.open(path, Open::Create)?;
        if file.bytes()? < 2 * SLOT_BYTES {
            // All blocks now, so that a full disk never keeps a value from being rewritten.
            file.write_all_at(&[0; 2 * SLOT_BYTES as usize], 0)?;
            file.sync_data()?;
        }
        let (generation, value) = match newest(&*file)? {
            Some((generation, value)) => (generation, Some(value)),
            None => (0, None),
        };
        let mut slots = Slots {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            file,
            generation,
            distrusted: false,
            buffer: Vec::with_capacity(HEADER_BYTES + MAX_VALUE_BYTES),
        };
        if let Some(value) = &value {
            slots.encode(generation, value);
        }
        Ok((slots, value))
    }

    /// Makes the file with its first value, or makes it anew, so that it is never there without a
    /// value: whoever finds none takes it for damaged. Durable when it returns.
    pub(super) fn create(disk: &Arc<dyn Disk>, path: &Path, value: &[u8]) -> io::Result<Slots> {
        let generation = 1;
        let mut buffer = Vec::with_capacity(HEADER_BYTES + MAX_VALUE_BYTES);
        encode(&mut buffer, generation, value);
        let file = write_whole(disk, path, generation, &buffer)?;
        Ok(Slots {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            file,
            generation,
            distrusted: false,
            buffer,
        })
    }

    /// Reads the newest value of a file that another process may be writing.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = disk.open(path, Open::Read)?;
        Ok(newest(&*file)?.map(|(_, value)| value))
    }

    /// Writes a value into the older slot; durable after the file's next sync. A file whose sync
    /// failed is not written again: the value goes to a new one, and is durable at once.
    pub(super) fn write(&mut self, value: &[u8]) -> io::Result<()> {
        if self.distrusted {
            return self.replace(value);
        }
        let generation = self.generation + 1;
        self.encode(generation, value);
        self.file
            .write_all_at(&self.buffer, (generation % 2) * SLOT_BYTES)?;
        self.generation = generation;
        Ok(())
    }

    /// Writes a value and makes it durable.
    pub(super) fn store(&mut self, value: &[u8]) -> io::Result<()> {
        let was_distrusted = self.distrusted;
        self.write(value)?;
        if was_distrusted {
            return Ok(());
        }
        let outcome = self.file.sync_data();
        self.distrusted |= outcome.is_err();
        outcome
    }

    /// Makes the last value durable from another thread, without holding up who writes it.
    pub(super) fn sync(slots: &Mutex<Slots>) -> io::Result<()> {
        let file = {
            let mut slots = lock(slots);
            if slots.distrusted {
                return slots.rewrite();
            }
            Arc::clone(&slots.file)
        };
        let outcome = file.sync_data();
        if outcome.is_err() {
            let mut slots = lock(slots);
            // A new one may have taken its place meanwhile.
            slots.distrusted |= Arc::ptr_eq(&slots.file, &file);
        }
        outcome
    }

    fn replace(&mut self, value: &[u8]) -> io::Result<()> {
        self.generation += 1;
        self.encode(self.generation, value);
        self.rewrite()
    }

    /// Writes what was written last into a new file.
    fn rewrite(&mut self) -> io::Result<()> {
        self.file = write_whole(&self.disk, &self.path, self.generation, &self.buffer)?;
        self.distrusted = false;
        Ok(())
    }

    fn encode(&mut self, generation: u64, value: &[u8]) {
        encode(&mut self.buffer, generation, value);
    }
}

fn encode(slot: &mut Vec<u8>, generation: u64, value: &[u8]) {
    debug_assert!(value.len() <= MAX_VALUE_BYTES);
    slot.clear();
    slot.extend_from_slice(&MAGIC);
    slot.extend_from_slice(&generation.to_le_bytes());
    slot.extend_from_slice(&(value.len() as u32).to_le_bytes());
    slot.extend_from_slice(value);
    let crc = crc32c::crc32c(slot);
    slot.extend_from_slice(&crc.to_le_bytes());
}

/// Puts a file with one slot written in the place of `path`.
fn write_whole(
    disk: &Arc<dyn Disk>,
    path: &Path,
    generation: u64,
    slot: &[u8],
) -> io::Result<Arc<dyn DiskFile>> {
    let mut whole = vec![0; 2 * SLOT_BYTES as usize];
    let at = ((generation % 2) * SLOT_BYTES) as usize;
    whole[at..at + slot.len()].copy_from_slice(slot);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    storage::create_whole(&**disk, dir, name, &whole)?;
    disk.open(path, Open::Write)
}

fn newest(file: &dyn DiskFile) -> io::Result<Option<(u64, Vec<u8>)>> {
    let first = slot(file, 0)?;
    let second = slot(file, SLOT_BYTES)?;
    Ok([first, second]
        .into_iter()
        .flatten()
        .max_by_key(|(generation, _)| *generation))
}

fn slot(file: &dyn DiskFile, offset: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut block = [0; HEADER_BYTES + MAX_VALUE_BYTES + 4];
    let read = file.read_at(&mut block, offset)?;
    Ok(decode(&block[..read]))
}

fn decode(block: &[u8]) -> Option<(u64, Vec<u8>)> {
    let mut get = Get::new(block);
    if get.array::<4>()? != MAGIC {
        return None;
    }
    let generation = get.u64()?;
    let bytes = get.u32()? as usize;
    if bytes > MAX_VALUE_BYTES {
        return None;
    }
    let value = get.take(bytes)?;
    let crc = get.u32()?;
    is_sum_of(crc, &block[..HEADER_BYTES + bytes]).then(|| (generation, value.to_vec()))
}
