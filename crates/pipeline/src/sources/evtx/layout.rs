//! Where things are in an EVTX file (libevtx, "Windows XML Event Log (EVTX) format").

use std::ops::RangeInclusive;

/// Bytes of the file header; the first chunk follows.
pub(super) const FILE_HEADER_BYTES: u64 = 4096;
/// Bytes of the file header that its checksum covers.
pub(super) const FILE_HEADER_COVERED_BYTES: usize = 120;
/// Where in it the number of chunks is, in 16 bits.
pub(super) const FILE_CHUNKS: usize = 42;
/// First bytes of a file.
pub(super) const FILE_MAGIC: &[u8; 8] = b"ElfFile\0";
/// Bytes of every chunk, used or not.
pub(in crate::sources) const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes before a chunk's first record.
pub(super) const CHUNK_HEADER_BYTES: usize = 512;
/// First bytes of a chunk.
pub(super) const CHUNK_MAGIC: &[u8; 8] = b"ElfChnk\0";
/// First bytes of a record.
pub(super) const RECORD_MAGIC: &[u8; 4] = b"\x2a\x2a\0\0";
/// Bytes of a record without content: its header of 24 and the copy of its size.
pub(super) const RECORD_BYTES_MIN: usize = 28;

/// Places of fields in a chunk's header.
pub(super) mod field {
    pub(in super::super) const FIRST_NUMBER: usize = 8;
    pub(in super::super) const LAST_NUMBER: usize = 16;
    pub(in super::super) const FIRST_ID: usize = 24;
    pub(in super::super) const LAST_ID: usize = 32;
    pub(in super::super) const HEADER_BYTES: usize = 40;
    pub(in super::super) const LAST_RECORD: usize = 44;
    pub(in super::super) const FREE_SPACE: usize = 48;
    pub(in super::super) const RECORDS_CRC: usize = 52;
    pub(in super::super) const FLAGS: usize = 120;
    pub(in super::super) const HEADER_CRC: usize = 124;
    /// Where strings and templates lie; up to the first record.
    pub(in super::super) const TABLES: usize = 128;
}

/// Chunk flag: no checksums were written.
pub(super) const FLAG_NO_CRC: u32 = 4;

/// What a chunk's header says of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    /// Records by the log's own numbering, which has no gaps.
    pub(super) announced: u64,
    /// Where the records end.
    pub(super) free_space: usize,
}

impl ChunkHeader {
    /// The header, if the chunk's magic is there, its ids are in order and it has so many
    /// records as fit.
    pub(super) fn plausible(chunk: &[u8]) -> Option<Self> {
        if !chunk.starts_with(CHUNK_MAGIC) {
            return None;
        }
        let first_number = u64_at(chunk, field::FIRST_NUMBER)?;
        let last_number = u64_at(chunk, field::LAST_NUMBER)?;
        let header = Self {
            first_id: u64_at(chunk, field::FIRST_ID)?,
            last_id: u64_at(chunk, field::LAST_ID)?,
            announced: last_number.checked_sub(first_number)?.checked_add(1)?,
            free_space: u32_at(chunk, field::FREE_SPACE)? as usize,
        };
        let is_plausible = header.first_id <= header.last_id
            && header.announced <= (CHUNK_BYTES / RECORD_BYTES_MIN) as u64
            && (CHUNK_HEADER_BYTES..=CHUNK_BYTES).contains(&header.free_space);
        is_plausible.then_some(header)
    }

    /// The header, if it is plausible and its checksum is right, or it was written without.
    pub(super) fn trusted(chunk: &[u8]) -> Option<Self> {
        let header = Self::plausible(chunk)?;
        let has_crc = u32_at(chunk, field::FLAGS)? & FLAG_NO_CRC == 0;
        let is_right = u32_at(chunk, field::HEADER_CRC)? == header_crc(chunk)?;
        (!has_crc || is_right).then_some(header)
    }

    /// The ids of its records.
    pub(super) fn ids(&self) -> RangeInclusive<u64> {
        self.first_id..=self.last_id
    }
}

/// CRC32 of a chunk's header without the flags and itself.
fn header_crc(chunk: &[u8]) -> Option<u32> {
    let mut covered = [0; field::FLAGS + CHUNK_HEADER_BYTES - field::TABLES];
    let (front, tables) = covered.split_at_mut(field::FLAGS);
    front.copy_from_slice(chunk.get(..field::FLAGS)?);
    tables.copy_from_slice(chunk.get(field::TABLES..CHUNK_HEADER_BYTES)?);
    Some(evtx::checksum_ieee(&covered))
}

/// A record's place in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordPlace {
    pub(super) start: usize,
    pub(super) bytes: usize,
    pub(super) id: u64,
}

impl RecordPlace {
    /// The record at `start`, if it is whole: its magic, a size that ends before `end`, and
    /// the same size at its end.
    pub(super) fn at(chunk: &[u8], start: usize, end: usize) -> Option<Self> {
        let record = chunk.get(start..end)?;
        if !record.starts_with(RECORD_MAGIC) {
            return None;
        }
        let bytes = u32_at(record, 4)? as usize;
        let is_whole = bytes >= RECORD_BYTES_MIN
            && bytes <= record.len()
            && u32_at(record, bytes - 4)? as usize == bytes;
        let id = u64_at(record, 8)?;
        is_whole.then_some(Self { start, bytes, id })
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.bytes
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
