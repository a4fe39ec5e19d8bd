//! The first look at a file: where its chunks are. Of each only its header is read, unless it has none.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::OpenError;
use super::layout::{
    CHUNK_BYTES, CHUNK_HEADER_BYTES, CHUNK_MAGIC, ChunkHeader, FILE_CHUNKS, FILE_HEADER_BYTES,
    FILE_HEADER_COVERED_BYTES, FILE_MAGIC, field, u32_at,
};
use crate::limits::EVTX_FILE_BYTES_MAX;

/// How far into a file without a header the first chunk is looked for.
const SEARCH_BYTES: u64 = 1024 * 1024;

/// What the first look found.
pub(super) struct Survey {
    pub(super) bytes: u64,
    pub(super) has_file_header: bool,
    /// Chunks that the file's header announces; none where it is not to be believed.
    pub(super) announced: u64,
    /// The chunks, the oldest records first.
    pub(super) places: Vec<Place>,
    /// Where chunk 0 begins.
    first_chunk: u64,
}

/// One place for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) offset: u64,
    /// Shorter than a chunk only at the end of the file.
    pub(super) len: usize,
    pub(super) kind: PlaceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// Zeros: not used yet, or lost.
    Blank,
    /// With a plausible header.
    Chunk {
        first_id: u64,
        /// An earlier chunk with the same ids and checksums.
        like: Option<u64>,
    },
    /// Anything else.
    Unknown,
}

impl Survey {
    pub(super) fn of(reader: &mut (impl Read + Seek)) -> Result<Self, OpenError> {
        let bytes = reader.seek(SeekFrom::End(0))?;
        if bytes == 0 {
            return Err(OpenError::Empty);
        }
        if bytes > EVTX_FILE_BYTES_MAX {
            return Err(OpenError::TooLong { bytes });
        }
        let (has_file_header, first_chunk) = find_first_chunk(reader, bytes)?;
        let mut survey = Self {
            bytes,
            has_file_header,
            announced: match has_file_header {
                true => announced(reader)?,
                false => 0,
            },
            places: Vec::new(),
            first_chunk,
        };
        survey.read_places(reader)?;
        let is_chunk = |place: &Place| matches!(place.kind, PlaceKind::Chunk { .. });
        if !has_file_header && !survey.places.iter().any(is_chunk) {
            return Err(OpenError::NotEvtx);
        }
        survey.sort_oldest_first();
        Ok(survey)
    }

    /// Where a chunk begins.
    pub(super) fn offset_of(&self, number: u64) -> u64 {
        self.first_chunk + number * CHUNK_BYTES as u64
    }

    fn read_places(&mut self, reader: &mut (impl Read + Seek)) -> io::Result<()> {
        let mut seen = HashMap::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        for number in 0.. {
            let offset = self.offset_of(number);
            let len = self.bytes.saturating_sub(offset).min(CHUNK_BYTES as u64) as usize;
            if len == 0 {
                break;
            }
            reader.seek(SeekFrom::Start(offset))?;
            let (head, rest) = buffer[..len].split_at_mut(len.min(CHUNK_HEADER_BYTES));
            reader.read_exact(head)?;
            let kind = match ChunkHeader::plausible(head) {
                Some(header) => PlaceKind::Chunk {
                    first_id: header.first_id,
                    like: like(head, &header, (number, len), &mut seen),
                },
                None if !is_blank(head) => PlaceKind::Unknown,
                None => {
                    reader.read_exact(rest)?;
                    match is_blank(rest) {
                        true => PlaceKind::Blank,
                        false => PlaceKind::Unknown,
                    }
                }
            };
            self.places.push(Place {
                number,
                offset,
                len,
                kind,
            });
        }
        Ok(())
    }

    /// A full log begins again at its first chunk, so the oldest chunk can be anywhere.
    fn sort_oldest_first(&mut self) {
        let first_id = |place: &Place| match place.kind {
            PlaceKind::Chunk { first_id, .. } => Some(first_id),
            _ => None,
        };
        let chunks = self.places.iter().enumerate();
        let oldest = chunks
            .filter_map(|(at, place)| Some((first_id(place)?, at)))
            .min()
            .map_or(0, |(_, at)| at);
        self.places.rotate_left(oldest);
    }
}

/// Ids and checksums of the chunks so far, and their numbers.
type Seen = HashMap<[u64; 3], u64>;

/// The earlier chunk with the ids and checksums of this one, which has this number and length.
fn like(
    head: &[u8],
    header: &ChunkHeader,
    (number, len): (u64, usize),
    seen: &mut Seen,
) -> Option<u64> {
    if len < CHUNK_BYTES {
        return None;
    }
    let records_crc = u64::from(u32_at(head, field::RECORDS_CRC).unwrap_or_default());
    let header_crc = u64::from(u32_at(head, field::HEADER_CRC).unwrap_or_default());
    let key = [
        header.first_id,
        header.last_id,
        records_crc << 32 | header_crc,
    ];
    let earlier = *seen.entry(key).or_insert(number);
    (earlier != number).then_some(earlier)
}

fn is_blank(bytes: &[u8]) -> bool {
    // A piece at a time without a branch in it is what the compiler makes wide.
    bytes
        .chunks(256)
        .all(|piece| piece.iter().fold(0, |all, byte| all | byte) == 0)
}

/// Whether the file has its header, and where the first chunk begins: behind the header,
/// or, where that is not one, at the first chunk's magic.
fn find_first_chunk(reader: &mut (impl Read + Seek), bytes: u64) -> Result<(bool, u64), OpenError> {
    reader.seek(SeekFrom::Start(0))?;
    let mut magic = [0; FILE_MAGIC.len()];
    let len = read_full(reader, &mut magic)?;
    if magic[..len] == *FILE_MAGIC {
        if bytes < FILE_HEADER_BYTES {
            return Err(OpenError::CutInHeader { bytes });
        }
        return Ok((true, FILE_HEADER_BYTES));
    }
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    reader.by_ref().take(SEARCH_BYTES).read_to_end(&mut head)?;
    match head
        .windows(CHUNK_MAGIC.len())
        .position(|window| window == CHUNK_MAGIC)
    {
        Some(at) => Ok((false, at as u64)),
        None => Err(packed(&head).map_or(OpenError::NotEvtx, |form| OpenError::Packed { form })),
    }
}

/// How many chunks the file's header announces; none where its checksum is another.
fn announced(reader: &mut (impl Read + Seek)) -> io::Result<u64> {
    reader.seek(SeekFrom::Start(0))?;
    let mut header = [0; FILE_HEADER_COVERED_BYTES + 8];
    reader.read_exact(&mut header)?;
    let (covered, rest) = header.split_at(FILE_HEADER_COVERED_BYTES);
    let is_right = u32_at(rest, 4) == Some(evtx::checksum_ieee(covered));
    let count = u32_at(covered, FILE_CHUNKS - 2).map_or(0, |two| two >> 16);
    Ok(if is_right { u64::from(count) } else { 0 })
}

/// What a file is compressed as, by its first bytes.
fn packed(head: &[u8]) -> Option<&'static str> {
    let forms: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
    ];
    let mut forms = forms.iter();
    forms
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, form)| *form)
}

/// Reads until the buffer is full or the file ends.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match reader.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
