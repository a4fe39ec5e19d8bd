//! Small event log files, made here: one chunk, binary XML without templates (MS-EVEN6 2.2.12).

const FILE_HEADER_BYTES: usize = 4096;
const CHUNK_HEADER_BYTES: usize = 512;
const CHUNK_BYTES: usize = 64 << 10;

/// An event to be written.
pub(crate) struct Logged<'a> {
    pub(crate) record: u64,
    /// RFC 3339.
    pub(crate) time: &'a str,
    pub(crate) channel: &'a str,
}

/// A file of these events, which have to fit into one chunk.
pub(crate) fn file(events: &[Logged<'_>]) -> Vec<u8> {
    let mut file = vec![0; FILE_HEADER_BYTES];
    file[..8].copy_from_slice(b"ElfFile\0");
    file[24] = 1;
    put(&mut file, 32, 128);
    // Version 3.1, the header's size, and one chunk.
    for (at, value) in [(36, 1_u16), (38, 3), (40, 4096), (42, 1)] {
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    let crc = crc32(&file[..120]);
    put(&mut file, 124, crc);
    file.extend(chunk(events));
    file
}

fn chunk(events: &[Logged<'_>]) -> Vec<u8> {
    let mut chunk = vec![0; CHUNK_HEADER_BYTES];
    let mut last = 0;
    for event in events {
        last = chunk.len();
        push_record(&mut chunk, event);
    }
    let free_space = chunk.len();
    assert!(free_space <= CHUNK_BYTES, "too many for a chunk");
    chunk[..8].copy_from_slice(b"ElfChnk\0");
    let ends = [events[0].record, events[events.len() - 1].record];
    for (at, value) in [(8, ends[0]), (16, ends[1]), (24, ends[0]), (32, ends[1])] {
        chunk[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    put(&mut chunk, 40, 128);
    put(&mut chunk, 44, u32::try_from(last).unwrap());
    put(&mut chunk, 48, u32::try_from(free_space).unwrap());
    let crc = crc32(&chunk[CHUNK_HEADER_BYTES..]);
    put(&mut chunk, 52, crc);
    let crc = crc32(&[&chunk[..120], &chunk[128..CHUNK_HEADER_BYTES]].concat());
    put(&mut chunk, 124, crc);
    chunk.resize(CHUNK_BYTES, 0);
    chunk
}

fn push_record(chunk: &mut Vec<u8>, event: &Logged<'_>) {
    /// 2024-03-14T13:54:25Z, in 100 ns since 1601: when it was written, which nobody asks for.
    const WRITTEN: u64 = 133_548_980_650_000_000;
    let start = chunk.len();
    chunk.extend(b"\x2a\x2a\0\0\0\0\0\0");
    chunk.extend(event.record.to_le_bytes());
    chunk.extend(WRITTEN.to_le_bytes());
    chunk.extend([0x0f, 1, 1, 0]);
    element(chunk, "Event", None, |chunk| {
        element(chunk, "System", None, |chunk| {
            element(chunk, "EventID", None, |chunk| text(chunk, "4624"));
            let time = Some(("SystemTime", event.time));
            element(chunk, "TimeCreated", time, |_| {});
            let record = event.record.to_string();
            element(chunk, "EventRecordID", None, |chunk| text(chunk, &record));
            element(chunk, "Channel", None, |chunk| text(chunk, event.channel));
            element(chunk, "Computer", None, |chunk| text(chunk, "dc01.example"));
        });
        element(chunk, "EventData", None, |chunk| {
            element(chunk, "Data", Some(("Name", "TargetUserName")), |chunk| {
                text(chunk, "ann");
            });
        });
    });
    chunk.push(0);
    chunk.resize(chunk.len().next_multiple_of(8) + 4, 0);
    let bytes = u32::try_from(chunk.len() + 4 - start).unwrap();
    chunk.extend(bytes.to_le_bytes());
    put(chunk, start + 4, bytes);
}

/// An element with one attribute or none.
fn element(
    chunk: &mut Vec<u8>,
    tag: &str,
    attribute: Option<(&str, &str)>,
    content: impl FnOnce(&mut Vec<u8>),
) {
    chunk.push(if attribute.is_some() { 0x41 } else { 0x01 });
    let size = chunk.len();
    chunk.extend([0; 4]);
    name(chunk, tag);
    if let Some((key, value)) = attribute {
        let list = chunk.len();
        chunk.extend([0; 4]);
        chunk.push(0x06);
        name(chunk, key);
        text(chunk, value);
        let bytes = u32::try_from(chunk.len() - list - 4).unwrap();
        put(chunk, list, bytes);
    }
    chunk.push(0x02);
    content(chunk);
    chunk.push(0x04);
    let bytes = u32::try_from(chunk.len() - size - 4).unwrap();
    put(chunk, size, bytes);
}

/// Where a name is, which is right here, and the name.
fn name(chunk: &mut Vec<u8>, name: &str) {
    let offset = u32::try_from(chunk.len() + 4).unwrap();
    chunk.extend(offset.to_le_bytes());
    chunk.extend([0; 6]);
    chunk.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    chunk.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
}

fn text(chunk: &mut Vec<u8>, value: &str) {
    chunk.extend([0x05, 0x01]);
    chunk.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
    chunk.extend(value.encode_utf16().flat_map(u16::to_le_bytes));
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// CRC-32 as of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
