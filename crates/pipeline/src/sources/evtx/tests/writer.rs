//! Writes small EVTX files: one Event a record, in binary XML without templates.

use std::ops::RangeInclusive;

use crate::sources::evtx::layout::{
    CHUNK_BYTES, CHUNK_HEADER_BYTES, CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC, RECORD_MAGIC,
    field,
};

/// 2024-03-14T13:54:25Z, in 100 ns since 1601.
const TIME: u64 = 133_548_980_650_000_000;

/// A file of these chunks.
pub(in crate::sources) fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0; FILE_HEADER_BYTES as usize];
    file[..8].copy_from_slice(FILE_MAGIC);
    let numbers = [(8, 0), (16, chunks.len() as u64 - 1), (24, 1)];
    numbers
        .iter()
        .for_each(|&(at, value)| file[at..at + 8].copy_from_slice(&value.to_le_bytes()));
    file[32..36].copy_from_slice(&128u32.to_le_bytes());
    let rest: [(usize, u16); 4] = [(36, 1), (38, 3), (40, 4096), (42, chunks.len() as u16)];
    rest.iter()
        .for_each(|&(at, value)| file[at..at + 2].copy_from_slice(&value.to_le_bytes()));
    let crc = evtx::checksum_ieee(&file[..120]);
    file[124..128].copy_from_slice(&crc.to_le_bytes());
    file.extend(chunks.iter().flatten());
    file
}

/// A chunk of Events with these ids.
pub(in crate::sources) fn chunk(ids: RangeInclusive<u64>) -> Vec<u8> {
    let mut chunk = vec![0; CHUNK_HEADER_BYTES];
    let mut last = 0;
    for id in ids.clone() {
        last = chunk.len();
        push_record(&mut chunk, id);
    }
    let free_space = chunk.len();
    assert!(free_space <= CHUNK_BYTES);
    chunk[..8].copy_from_slice(CHUNK_MAGIC);
    for (at, value) in [
        (field::FIRST_NUMBER, ids.start()),
        (field::LAST_NUMBER, ids.end()),
        (field::FIRST_ID, ids.start()),
        (field::LAST_ID, ids.end()),
    ] {
        chunk[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    put(&mut chunk, field::HEADER_BYTES, 128);
    put(&mut chunk, field::LAST_RECORD, last as u32);
    put(&mut chunk, field::FREE_SPACE, free_space as u32);
    let crc = evtx::checksum_ieee(&chunk[CHUNK_HEADER_BYTES..]);
    put(&mut chunk, field::RECORDS_CRC, crc);
    seal(&mut chunk);
    chunk.resize(CHUNK_BYTES, 0);
    chunk
}

/// Writes the header's checksum.
pub(super) fn seal(chunk: &mut [u8]) {
    let covered = [&chunk[..120], &chunk[128..CHUNK_HEADER_BYTES]].concat();
    put(chunk, field::HEADER_CRC, evtx::checksum_ieee(&covered));
}

/// Where the record with the `place`th id of a chunk begins.
pub(super) fn record_start(chunk: &[u8], place: usize) -> usize {
    (0..place).fold(CHUNK_HEADER_BYTES, |at, _| at + get(chunk, at + 4) as usize)
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn push_record(chunk: &mut Vec<u8>, id: u64) {
    let start = chunk.len();
    chunk.extend(RECORD_MAGIC);
    chunk.extend([0; 4]);
    chunk.extend(id.to_le_bytes());
    chunk.extend((TIME + id * 10_000_000).to_le_bytes());
    chunk.extend([0x0f, 1, 1, 0]);
    element(chunk, "Event", |chunk| {
        element(chunk, "System", |chunk| {
            element(chunk, "EventID", |chunk| text(chunk, "4624"));
            element(chunk, "EventRecordID", |chunk| text(chunk, &id.to_string()));
            element(chunk, "Channel", |chunk| text(chunk, "Security"));
            element(chunk, "Computer", |chunk| text(chunk, "dc01.example"));
        });
        element(chunk, "EventData", |chunk| {
            element(chunk, "Data", |chunk| text(chunk, &"<value> ".repeat(20)));
        });
    });
    chunk.push(0);
    chunk.resize(chunk.len().next_multiple_of(8) + 4, 0);
    let bytes = (chunk.len() + 4 - start) as u32;
    chunk.extend(bytes.to_le_bytes());
    put(chunk, start + 4, bytes);
}

/// An element without attributes (MS-EVEN6 2.2.12, OpenStartElementTag).
fn element(chunk: &mut Vec<u8>, name: &str, content: impl FnOnce(&mut Vec<u8>)) {
    chunk.push(0x01);
    let size = chunk.len();
    chunk.extend([0; 4]);
    let offset = chunk.len() as u32 + 4;
    chunk.extend(offset.to_le_bytes());
    chunk.extend([0; 6]);
    chunk.extend((name.len() as u16).to_le_bytes());
    chunk.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    chunk.push(0x02);
    content(chunk);
    chunk.push(0x04);
    let bytes = (chunk.len() - size - 4) as u32;
    put(chunk, size, bytes);
}

fn text(chunk: &mut Vec<u8>, value: &str) {
    chunk.extend([0x05, 0x01]);
    chunk.extend((value.len() as u16).to_le_bytes());
    chunk.extend(value.encode_utf16().flat_map(u16::to_le_bytes));
}
