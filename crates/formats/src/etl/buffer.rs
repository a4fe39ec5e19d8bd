//! A file buffer by buffer: each is read, unpacked where it is compressed, and its events are walked over.

use std::io::{self, Read};
use std::mem;

use super::record::{Event, RecordError};
use super::trace::{Trace, TraceError};
use super::xca::{self, UnpackError};
use crate::limits::{ETL_BUFFER_BYTES_MAX, ETL_BUFFER_BYTES_MIN};

/// Reads a trace, with room for one buffer (and for a second where they are compressed).
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    trace: Trace,
    /// A buffer as it lies in the file.
    stored: Vec<u8>,
    unpacked: Vec<u8>,
    /// Where in the file the next buffer begins.
    next: u64,
    /// Bytes of the first buffer, which can be smaller than the others.
    first: u64,
    counts: Counts,
    state: State,
}

/// What comes next.
#[derive(Debug)]
enum State {
    /// The buffer that was read to learn of the trace.
    First,
    Reading,
    /// A buffer was cut off: its events were given, its error comes next.
    Cut {
        number: u64,
        offset: u64,
        what: BufferError,
    },
    Ended,
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Buffers whose events were given, those that were cut off among them.
    pub buffers: u64,
    /// Of them, those that were compressed.
    pub unpacked: u64,
    /// Buffers that could not be read.
    pub skipped: u64,
    /// Buffers that say that events were lost before them.
    pub after_lost_events: u64,
    /// Buffers that say that buffers were lost before them.
    pub after_lost_buffers: u64,
}

/// WMI_BUFFER_HEADER: what stands before the events of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferHeader {
    /// Bytes in the file.
    pub stored: u32,
    /// Bytes that are filled, this header included, when it is unpacked.
    pub filled: u32,
    /// Its number, by which readers see what is missing.
    pub sequence: u64,
    /// The processor that wrote its events.
    pub processor: u16,
    /// ETW_BUFFER_FLAG_*.
    flags: u16,
    state: u32,
}

/// ETW_BUFFER_FLAG_EVENTS_LOST.
const EVENTS_LOST: u16 = 0x02;
/// ETW_BUFFER_FLAG_BUFFER_LOST.
const BUFFER_LOST: u16 = 0x04;
/// ETW_BUFFER_FLAG_PROC_INDEX: the processor has two bytes.
const WIDE_PROCESSOR: u16 = 0x20;
/// ETW_BUFFER_FLAG_COMPRESSED.
const COMPRESSED: u16 = 0x40;

/// Bytes of a WMI_BUFFER_HEADER.
const HEADER_BYTES: usize = 72;

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// It does not begin like one.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Why a trace, or a buffer of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read any further.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// One buffer is wrong.
    #[error("buffer {number} at byte {offset}: {what}")]
    Buffer {
        /// Its place in the file, from 0.
        number: u64,
        /// Where in the file it begins.
        offset: u64,
        /// What is wrong.
        what: BufferError,
    },
}

/// What is wrong with a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BufferError {
    /// It has a size that no buffer has.
    #[error("it says that it has {stored} bytes")]
    Stored {
        /// The size.
        stored: u32,
    },
    /// It says that it holds more than it can.
    #[error("it says that {filled} of {room} bytes are filled")]
    Filled {
        /// Bytes that it says to hold.
        filled: u32,
        /// Bytes that it can hold.
        room: u32,
    },
    /// The file ends in it.
    #[error("the file ends after {found} of {wanted} bytes of it")]
    Cut {
        /// Bytes that are there.
        found: usize,
        /// Bytes that there should be.
        wanted: usize,
    },
    /// It is compressed and cannot be unpacked.
    #[error("it is compressed, and {0}")]
    Unpack(#[from] UnpackError),
    /// It is compressed, and the trace does not say how.
    #[error("it is compressed, and the trace does not say how")]
    Unsaid,
}

impl BufferHeader {
    fn read(bytes: &[u8; HEADER_BYTES]) -> BufferHeader {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let flags = u16_at(52);
        BufferHeader {
            stored: u32_at(0),
            filled: u32_at(48),
            sequence: u64::from(u32_at(24)) | u64::from(u32_at(28)) << 32,
            processor: match flags & WIDE_PROCESSOR {
                0 => u16::from(bytes[40]),
                _ => u16_at(40),
            },
            flags,
            state: u32_at(44),
        }
    }

    /// Whether it is compressed in the file.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    fn check(&self) -> Result<(), BufferError> {
        let stored = self.stored as usize;
        if !(HEADER_BYTES..=ETL_BUFFER_BYTES_MAX).contains(&stored) {
            return Err(BufferError::Stored {
                stored: self.stored,
            });
        }
        let room = match self.is_compressed() {
            true => ETL_BUFFER_BYTES_MAX as u32,
            false => self.stored,
        };
        if self.filled > room || (self.filled as usize) < HEADER_BYTES {
            let filled = self.filled;
            return Err(BufferError::Filled { filled, room });
        }
        Ok(())
    }
}

/// A buffer and its events.
#[derive(Debug, Clone, Copy)]
pub struct Buffer<'a> {
    /// Its place in the file, from 0.
    pub number: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// What stands before its events.
    pub header: BufferHeader,
    trace: &'a Trace,
    /// Header and events, unpacked.
    bytes: &'a [u8],
}

impl<'a> Buffer<'a> {
    /// Its events in the order of the buffer. Buffers of several processors overlap in time.
    pub fn events(&self) -> impl Iterator<Item = Result<Event<'a>, RecordError>> + use<'a> {
        let (bytes, trace, processor) = (self.bytes, self.trace, self.header.processor);
        let mut at = HEADER_BYTES;
        std::iter::from_fn(move || {
            let (event, next) = Event::next(bytes, at, processor, trace)?;
            at = next;
            Some(event)
        })
    }
}

impl<R: Read> Reader<R> {
    /// Reads the first buffer, which describes the trace.
    ///
    /// # Errors
    /// The source cannot be read, or is no trace.
    pub fn open(mut source: R) -> Result<Reader<R>, OpenError> {
        let mut stored = Vec::new();
        fill(&mut source, &mut stored, HEADER_BYTES)?;
        let first = stored.first_chunk::<HEADER_BYTES>();
        let header = first.map(BufferHeader::read);
        let bytes = header.map_or(0, |header| header.stored);
        let (Some(header), true) = (header, is_buffer_size(bytes)) else {
            return Err(TraceError::BufferBytes { bytes }.into());
        };
        fill(&mut source, &mut stored, bytes as usize)?;
        let trace = Trace::read(&stored[HEADER_BYTES..], header.state)?;
        if !is_buffer_size(trace.buffer_bytes) {
            let bytes = trace.buffer_bytes;
            return Err(TraceError::BufferBytes { bytes }.into());
        }
        Ok(Reader {
            source,
            trace,
            stored,
            unpacked: Vec::new(),
            next: 0,
            first: u64::from(bytes),
            counts: Counts::default(),
            state: State::First,
        })
    }

    /// What the trace says of itself.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What was read so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The next buffer; none at the end. After an error, the next call goes on behind what is wrong, or says none.
    ///
    /// # Errors
    /// The source cannot be read, or the buffer.
    pub fn next_buffer(&mut self) -> Result<Option<Buffer<'_>>, ReadError> {
        match mem::replace(&mut self.state, State::Reading) {
            State::First => {}
            State::Reading => {
                self.stored.clear();
                fill(&mut self.source, &mut self.stored, HEADER_BYTES)
                    .inspect_err(|_| self.state = State::Ended)?;
            }
            State::Cut {
                number,
                offset,
                what,
            } => {
                self.state = State::Ended;
                return Err(ReadError::Buffer {
                    number,
                    offset,
                    what,
                });
            }
            State::Ended => {
                self.state = State::Ended;
                return Ok(None);
            }
        }
        if self.stored.is_empty() {
            self.state = State::Ended;
            return Ok(None);
        }
        let offset = self.next;
        let Some(header) = self.stored.first_chunk().map(BufferHeader::read) else {
            return Err(self.cut(HEADER_BYTES));
        };
        if let Err(what) = header.check() {
            return Err(self.pass_over(what));
        }
        fill(&mut self.source, &mut self.stored, header.stored as usize)
            .inspect_err(|_| self.state = State::Ended)?;
        self.take(header, offset)
    }

    /// The buffer that was stored, its events unpacked.
    fn take(&mut self, header: BufferHeader, offset: u64) -> Result<Option<Buffer<'_>>, ReadError> {
        let (found, wanted) = (self.stored.len(), header.stored as usize);
        if header.is_compressed() {
            if found < wanted {
                return Err(self.cut(wanted));
            }
            self.next += wanted as u64;
            if let Err(what) = self.unpack(header) {
                return Err(self.wrong(offset, what));
            }
            self.counts.unpacked += 1;
        } else if found < header.filled as usize {
            self.state = State::Cut {
                number: self.number(),
                offset,
                what: BufferError::Cut { found, wanted },
            };
        } else {
            self.next += wanted as u64;
        }
        let number = self.number();
        self.counts.buffers += 1;
        self.counts.after_lost_events += u64::from(header.flags & EVENTS_LOST != 0);
        self.counts.after_lost_buffers += u64::from(header.flags & BUFFER_LOST != 0);
        let bytes = match header.is_compressed() {
            true => &self.unpacked,
            false => &self.stored,
        };
        Ok(Some(Buffer {
            number,
            offset,
            header,
            trace: &self.trace,
            bytes: &bytes[..bytes.len().min(header.filled as usize)],
        }))
    }

    fn unpack(&mut self, header: BufferHeader) -> Result<(), BufferError> {
        let scheme = self.trace.compression.ok_or(BufferError::Unsaid)?;
        let wanted = header.filled as usize - HEADER_BYTES;
        let packed = &self.stored[HEADER_BYTES..];
        xca::unpack(scheme, packed, wanted, &mut self.unpacked)?;
        self.unpacked.splice(..0, [0; HEADER_BYTES]);
        Ok(())
    }

    /// Goes on where the next buffer can begin: buffers that are not compressed all have one size but the first, so that a
    /// wrong size does not shift all that follow.
    fn pass_over(&mut self, what: BufferError) -> ReadError {
        let offset = self.next;
        if self.trace.compression.is_some() {
            self.state = State::Ended;
            return self.wrong(offset, what);
        }
        let size = u64::from(self.trace.buffer_bytes);
        let into = match offset.checked_sub(self.first) {
            Some(behind_first) => behind_first % size,
            None => 0,
        };
        let mut left = size - into;
        if left < HEADER_BYTES as u64 {
            left += size;
        }
        if let Err(error) = fill(&mut self.source, &mut self.stored, left as usize) {
            self.state = State::Ended;
            return error.into();
        }
        self.next += left;
        self.wrong(offset, what)
    }

    fn cut(&mut self, wanted: usize) -> ReadError {
        self.state = State::Ended;
        let found = self.stored.len();
        self.wrong(self.next, BufferError::Cut { found, wanted })
    }

    fn number(&self) -> u64 {
        self.counts.buffers + self.counts.skipped
    }

    fn wrong(&mut self, offset: u64, what: BufferError) -> ReadError {
        let number = self.number();
        self.counts.skipped += 1;
        ReadError::Buffer {
            number,
            offset,
            what,
        }
    }
}

fn is_buffer_size(bytes: u32) -> bool {
    (ETL_BUFFER_BYTES_MIN..=ETL_BUFFER_BYTES_MAX).contains(&(bytes as usize))
}

/// Reads until there are as many bytes, or the source ends. What is allocated grows with what comes.
fn fill(source: &mut impl Read, into: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    let missing = bytes.saturating_sub(into.len()) as u64;
    source.by_ref().take(missing).read_to_end(into).map(drop)
}
