//! A small value kept in place in two slots, written in turn: after a torn write the other one still holds.
//!
//! Rewriting a block in place costs a fiftieth of temporary file, sync, rename and sync of
//! the folder (docs/adr/0001-journal.md), and never leaves the file empty.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::frame::Get;
use super::storage::{Disk, DiskFile, Open};

/// Distance of the two slots: no sector and no page holds parts of both.
const SLOT_BYTES: u64 = 4096;
const MAGIC: [u8; 4] = *b"WJS1";
const HEADER_BYTES: usize = 16;
/// Largest value.
pub(super) const MAX_VALUE_BYTES: usize = 512;

/// A two-slot file.
#[derive(Debug)]
pub(super) struct Slots {
    file: Arc<dyn DiskFile>,
    generation: u64,
    buffer: Vec<u8>,
}

impl Slots {
    /// Opens the file, making it if needed, and reads the newest value. The caller syncs the folder.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Slots, Option<Vec<u8>>)> {
        let file = disk.open(path, Open::Create)?;
        if file.len()? < 2 * SLOT_BYTES {
            // All blocks now, so that a full disk never keeps a value from being rewritten.
            file.write_all_at(&[0; 2 * SLOT_BYTES as usize], 0)?;
            file.sync_data()?;
        }
        let newest = newest(&*file)?;
        let (generation, value) = match newest {
            Some((generation, value)) => (generation, Some(value)),
            None => (0, None),
        };
        Ok((
            Slots {
                file,
                generation,
                buffer: Vec::with_capacity(HEADER_BYTES + MAX_VALUE_BYTES),
            },
            value,
        ))
    }

    /// Reads the newest value of a file that another process may be writing.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = disk.open(path, Open::Read)?;
        Ok(newest(&*file)?.map(|(_, value)| value))
    }

    /// Writes a value into the older slot; durable after [`Slots::sync`].
    pub(super) fn write(&mut self, value: &[u8]) -> io::Result<()> {
        debug_assert!(value.len() <= MAX_VALUE_BYTES);
        let generation = self.generation + 1;
        self.buffer.clear();
        self.buffer.extend_from_slice(&MAGIC);
        self.buffer.extend_from_slice(&generation.to_le_bytes());
        self.buffer
            .extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(value);
        let crc = crc32c::crc32c(&self.buffer);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.file
            .write_all_at(&self.buffer, (generation % 2) * SLOT_BYTES)?;
        self.generation = generation;
        Ok(())
    }

    /// Makes the last value durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The open file, to sync without holding a lock on the slots.
    pub(super) fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }
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
    (crc == crc32c::crc32c(&block[..HEADER_BYTES + bytes])).then(|| (generation, value.to_vec()))
}
