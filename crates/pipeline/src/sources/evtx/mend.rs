//! Repairs to a chunk that its reader needs and that its bytes allow.
//!
//! A record states its size twice, at its start and at its end, so one damaged size, or a
//! damaged magic, can be found from the other side. A chunk's header can be made anew from
//! its records; its string table is only a way to find names sooner. Nothing inside a
//! record is touched.

use super::layout::{
    CHUNK_HEADER_BYTES, CHUNK_MAGIC, ChunkHeader, FLAG_NO_CRC, RECORD_BYTES_MIN, RECORD_MAGIC,
    RecordPlace, field, u32_at,
};

/// What was mended of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mended {
    pub(super) header: HeaderMend,
    /// Ids of the records whose header was mended.
    pub(super) records: Vec<u64>,
}

/// What was mended of a chunk's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderMend {
    /// Nothing: its checksum is right.
    Right,
    /// The magic before it; its checksum is right then.
    Magic,
    /// It was made anew.
    Anew,
}

/// Makes `chunk`, of which the first `len` bytes are of the file, readable as far as that
/// goes. Returns `None` when no record was found.
pub(super) fn mend(chunk: &mut [u8], len: usize) -> Option<Mended> {
    if len < CHUNK_HEADER_BYTES {
        return None;
    }
    let had_magic = chunk.starts_with(CHUNK_MAGIC);
    chunk[..CHUNK_MAGIC.len()].copy_from_slice(CHUNK_MAGIC);
    let header = ChunkHeader::trusted(chunk);
    let mend = match (&header, had_magic) {
        (None, _) => HeaderMend::Anew,
        (Some(_), false) => HeaderMend::Magic,
        (Some(_), true) => HeaderMend::Right,
    };
    let mut mended = Mended {
        header: mend,
        records: Vec::new(),
    };
    let records = mend_records(chunk, len, header.as_ref(), &mut mended.records);
    let last = *records.last()?;
    if header.is_none() {
        chunk[CHUNK_MAGIC.len()..CHUNK_HEADER_BYTES].fill(0);
        put_u32(chunk, field::HEADER_BYTES, field::TABLES as u32);
    }
    // The reader would stop at the first record with the last id, which may be a damaged
    // one: let only the free space end the records.
    chunk[field::FIRST_ID..field::LAST_ID].copy_from_slice(&u64::MIN.to_le_bytes());
    chunk[field::LAST_ID..field::HEADER_BYTES].copy_from_slice(&u64::MAX.to_le_bytes());
    put_u32(chunk, field::LAST_RECORD, last.start as u32);
    put_u32(chunk, field::FREE_SPACE, last.end() as u32);
    put_u32(chunk, field::FLAGS, FLAG_NO_CRC);
    Some(mended)
}

/// Walks the records and mends those between whole ones. Without a trusted header the ids
/// must rise: behind the last record there can be older ones, from when the chunk was last
/// in use.
fn mend_records(
    chunk: &mut [u8],
    len: usize,
    header: Option<&ChunkHeader>,
    mended: &mut Vec<u64>,
) -> Vec<RecordPlace> {
    let end = header.map_or(len, |header| header.free_space.min(len));
    let mut records: Vec<RecordPlace> = Vec::new();
    let mut at = CHUNK_HEADER_BYTES;
    while at + RECORD_BYTES_MIN <= end {
        let last_id = records.last().map(|record| record.id);
        let belongs = |id: u64| match header {
            Some(header) => header.ids().contains(&id),
            None => last_id.is_none_or(|last| id > last),
        };
        let whole = RecordPlace::at(chunk, at, end);
        if let Some(record) = whole
            && (header.is_some() || belongs(record.id))
        {
            records.push(record);
            at = record.end();
            continue;
        }
        let next = find_record(chunk, at + 1, end, belongs);
        if next.is_none() && header.is_none_or(|header| header.free_space > len) {
            break;
        }
        let until = next.unwrap_or(end);
        let before = records.len();
        mend_backwards(chunk, at, until, &mut records);
        mended.extend(records[before..].iter().map(|record| record.id));
        at = until;
    }
    records
}

/// The start of the next whole record at or after `from`.
fn find_record(
    chunk: &[u8],
    from: usize,
    end: usize,
    belongs: impl Fn(u64) -> bool,
) -> Option<usize> {
    (from..end.saturating_sub(RECORD_BYTES_MIN - 1))
        .find(|&start| RecordPlace::at(chunk, start, end).is_some_and(|record| belongs(record.id)))
}

/// Between `from` and `until`, where a whole record or the free space begins, walks from
/// record to record by the sizes at their ends. A step counts when the record's start
/// agrees in magic or size, or when the walk arrives exactly at `from`.
fn mend_backwards(chunk: &mut [u8], from: usize, until: usize, records: &mut Vec<RecordPlace>) {
    let mut steps = Vec::new();
    let mut sure = 0;
    let mut end = until;
    while end > from {
        let Some(bytes) = u32_at(chunk, end - 4).map(|bytes| bytes as usize) else {
            break;
        };
        if bytes < RECORD_BYTES_MIN || bytes > end - from {
            break;
        }
        let start = end - bytes;
        steps.push((start, bytes));
        let agrees = chunk[start..].starts_with(RECORD_MAGIC)
            || u32_at(chunk, start + 4) == Some(bytes as u32);
        if agrees || start == from {
            sure = steps.len();
        }
        end = start;
    }
    for &(start, bytes) in steps[..sure].iter().rev() {
        chunk[start..start + 4].copy_from_slice(RECORD_MAGIC);
        put_u32(chunk, start + 4, bytes as u32);
        records.extend(RecordPlace::at(chunk, start, until));
    }
}

fn put_u32(chunk: &mut [u8], at: usize, value: u32) {
    chunk[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
