//! The first pass over a file: its hash, and where its chunks are.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use aws_lc_rs::digest::{Context, SHA256};

use super::OpenError;
use super::layout::{
    CHUNK_BYTES, CHUNK_MAGIC, ChunkHeader, FILE_HEADER_BYTES, FILE_MAGIC, field, u32_at,
};
use crate::limits::EVTX_FILE_BYTES_MAX;

/// How far into a file without a header the first chunk is looked for.
const SEARCH_BYTES: u64 = 1024 * 1024;

/// What the first pass found.
pub(super) struct Survey {
    pub(super) hash: [u8; 32],
    pub(super) bytes: u64,
    pub(super) has_file_header: bool,
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
            hash: [0; 32],
            bytes,
            has_file_header,
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
        let mut context = Context::new(&SHA256);
        let mut seen = HashMap::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        reader.seek(SeekFrom::Start(0))?;
        let mut head = reader.by_ref().take(self.first_chunk);
        loop {
            let len = read_full(&mut head, &mut buffer)?;
            if len == 0 {
                break;
            }
            context.update(&buffer[..len]);
        }
        for number in 0.. {
            let len = read_full(reader, &mut buffer)?;
            if len == 0 {
                break;
            }
            context.update(&buffer[..len]);
            let kind = kind_of(&buffer[..len], number, &mut seen);
            let offset = self.offset_of(number);
            self.places.push(Place {
                number,
                offset,
                len,
                kind,
            });
        }
        self.hash.copy_from_slice(context.finish().as_ref());
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

fn kind_of(chunk: &[u8], number: u64, seen: &mut Seen) -> PlaceKind {
    let Some(header) = ChunkHeader::plausible(chunk) else {
        let is_blank = chunk.iter().all(|&byte| byte == 0);
        return if is_blank {
            PlaceKind::Blank
        } else {
            PlaceKind::Unknown
        };
    };
    let like = (chunk.len() == CHUNK_BYTES).then(|| {
        let records_crc = u64::from(u32_at(chunk, field::RECORDS_CRC).unwrap_or_default());
        let header_crc = u64::from(u32_at(chunk, field::HEADER_CRC).unwrap_or_default());
        let key = [
            header.first_id,
            header.last_id,
            records_crc << 32 | header_crc,
        ];
        let earlier = *seen.entry(key).or_insert(number);
        (earlier != number).then_some(earlier)
    });
    PlaceKind::Chunk {
        first_id: header.first_id,
        like: like.flatten(),
    }
}

/// Whether the file has its header, and where the first chunk begins: behind the header,
/// or, where that is not one, at the first chunk's magic.
fn find_first_chunk(reader: &mut (impl Read + Seek), bytes: u64) -> Result<(bool, u64), OpenError> {
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    reader.by_ref().take(SEARCH_BYTES).read_to_end(&mut head)?;
    if head.starts_with(FILE_MAGIC) {
        if bytes < FILE_HEADER_BYTES {
            return Err(OpenError::CutInHeader { bytes });
        }
        return Ok((true, FILE_HEADER_BYTES));
    }
    match head
        .windows(CHUNK_MAGIC.len())
        .position(|window| window == CHUNK_MAGIC)
    {
        Some(at) => Ok((false, at as u64)),
        None => Err(OpenError::NotEvtx),
    }
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
