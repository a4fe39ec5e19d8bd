//! Walks the frames of one segment and tells a torn tail from damage.
//!
//! A bad frame is damage when a valid frame of the same segment follows: the length in a
//! checked header is tried first, then every byte. When nothing valid follows it is a tail,
//! and the caller, who knows how far the data was durable, decides what that means.

use std::io;
use std::sync::Arc;

use super::frame::{self, HEADER_BYTES, Hash, Header, MAGIC};
use super::limits::READ_ATTEMPTS;
use super::storage::DiskFile;

/// A step of the walk.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole frame; its stored body is in [`Scan::body`].
    Frame(Header),
    /// Bytes that are no frame, with a valid frame after them.
    Damage(Bad),
    /// Bytes that are no frame, up to the end.
    Tail(Bad),
    /// The end.
    End,
}

/// A range of bytes that is no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// First byte.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
    /// The header, if it was whole and only the body is damaged.
    pub header: Option<Header>,
    /// The disk refused to read some of it.
    pub unreadable: bool,
}

/// What a read error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnReadError {
    /// It is returned: the disk may be back later.
    Fail,
    /// What cannot be read counts as damaged.
    Skip,
}

/// A walk through a segment.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    /// The segment's random number; learnt from the first frame if the segment's header is lost.
    id: Option<u64>,
    offset: u64,
    on_error: OnReadError,
    unreadable: bool,
    header: [u8; HEADER_BYTES],
    body: Vec<u8>,
}

const WINDOW_BYTES: usize = 64 << 10;
const SECTOR_BYTES: usize = 4096;

impl Scan {
    /// Starts at an offset.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        id: Option<u64>,
        offset: u64,
        on_error: OnReadError,
    ) -> Scan {
        Scan {
            file,
            id,
            offset,
            on_error,
            unreadable: false,
            header: [0; HEADER_BYTES],
            body: Vec::new(),
        }
    }

    /// Where the next step begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The segment's random number, if known.
    pub(super) fn id(&self) -> Option<u64> {
        self.id
    }

    /// The stored body of the frame found last.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// SHA-256 of the frame found last.
    pub(super) fn hash(&self) -> Hash {
        frame::hash(&self.header, &self.body)
    }

    /// The header at the current place, without its body; `None` if there is no valid one.
    pub(super) fn peek(&mut self, end: u64) -> io::Result<Option<Header>> {
        self.header_at(self.offset, end)
    }

    /// Passes over a frame that was peeked at.
    pub(super) fn skip(&mut self, header: &Header) {
        self.offset += header.total_bytes();
    }

    /// The next step below `end`.
    pub(super) fn next(&mut self, end: u64) -> io::Result<Found> {
        if self.offset >= end {
            return Ok(Found::End);
        }
        self.unreadable = false;
        let mut header = None;
        for _ in 0..READ_ATTEMPTS {
            header = self.header_at(self.offset, end)?;
            if let Some(header) = &header
                && self.body_at(self.offset, header)?
            {
                self.id = Some(header.segment_id);
                self.offset += header.total_bytes();
                return Ok(Found::Frame(header.clone()));
            }
        }
        self.bad(header, end)
    }

    fn bad(&mut self, header: Option<Header>, end: u64) -> io::Result<Found> {
        let from = self.offset;
        let next = match &header {
            Some(header) if self.is_boundary(from + header.total_bytes(), end)? => {
                Some(from + header.total_bytes())
            }
            _ => self.resync(from + 1, end)?,
        };
        let to = next.unwrap_or(end);
        self.offset = to;
        let bad = Bad {
            from,
            to,
            header,
            unreadable: self.unreadable,
        };
        Ok(if next.is_some_and(|next| next < end) {
            Found::Damage(bad)
        } else {
            Found::Tail(bad)
        })
    }

    fn is_boundary(&mut self, offset: u64, end: u64) -> io::Result<bool> {
        if offset >= end {
            return Ok(offset == end);
        }
        match self.header_at(offset, end)? {
            Some(header) => self.body_at(offset, &header),
            None => Ok(false),
        }
    }

    /// The first offset from `from` on where a whole frame lies.
    fn resync(&mut self, from: u64, end: u64) -> io::Result<Option<u64>> {
        let mut window = vec![0; WINDOW_BYTES];
        let mut start = from;
        while start < end {
            let wanted = usize::try_from(end - start)
                .unwrap_or(usize::MAX)
                .min(WINDOW_BYTES);
            let read = self.read(&mut window[..wanted], start)?;
            for at in magics(&window[..read]) {
                let offset = start + at as u64;
                if let Some(header) = self.header_at(offset, end)?
                    && self.body_at(offset, &header)?
                {
                    return Ok(Some(offset));
                }
            }
            if read < wanted || start + read as u64 >= end {
                return Ok(None);
            }
            // A magic may lie across two windows.
            start += (read - (MAGIC.len() - 1)) as u64;
        }
        Ok(None)
    }

    fn header_at(&mut self, offset: u64, end: u64) -> io::Result<Option<Header>> {
        if end.saturating_sub(offset) < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        if self.read(&mut bytes, offset)? < HEADER_BYTES {
            return Ok(None);
        }
        let Some(header) = Header::decode(&bytes) else {
            return Ok(None);
        };
        if self.id.is_some_and(|id| id != header.segment_id) || header.total_bytes() > end - offset
        {
            return Ok(None);
        }
        self.header = bytes;
        Ok(Some(header))
    }

    /// Reads the body behind a header and checks it.
    fn body_at(&mut self, offset: u64, header: &Header) -> io::Result<bool> {
        let mut body = std::mem::take(&mut self.body);
        body.resize(header.stored_bytes as usize, 0);
        let read = self.read(&mut body, offset + HEADER_BYTES as u64);
        self.body = body;
        Ok(read? == self.body.len() && frame::is_sum_of(header.body_crc, &self.body))
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let error = match read_again(&*self.file, buffer, offset) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        if self.on_error == OnReadError::Fail {
            return Err(error);
        }
        self.unreadable = true;
        let mut done = 0;
        for sector in buffer.chunks_mut(SECTOR_BYTES) {
            let wanted = sector.len();
            let read = read_again(&*self.file, sector, offset + done as u64).unwrap_or_else(|_| {
                sector.fill(0);
                wanted
            });
            done += read;
            if read < wanted {
                break;
            }
        }
        Ok(done)
    }
}

fn read_again(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut outcome = file.read_at(buffer, offset);
    for _ in 1..READ_ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        outcome = file.read_at(buffer, offset);
    }
    outcome
}

fn magics(window: &[u8]) -> impl Iterator<Item = usize> {
    window
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == MAGIC)
        .map(|(at, _)| at)
}
