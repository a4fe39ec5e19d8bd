//! What the beginning of a file says of the whole trace, its clock above all.

use std::fmt;

use jiff::Timestamp;

use crate::input::{Input, Short, filetime};
use crate::limits::{ETL_BUFFER_BYTES_MAX, ETL_BUFFER_BYTES_MIN, ETL_NAME_BYTES_MAX};

/// The first event of a file: TRACE_LOGFILE_HEADER (evntrace.h) behind a SYSTEM_TRACE_HEADER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Bytes of a buffer in the file, where it is not compressed.
    pub buffer_bytes: u32,
    /// Build of Windows that wrote it.
    pub windows_build: u32,
    /// Logical processors of the machine.
    pub processors: u32,
    /// Bytes of a pointer there: 4 or 8.
    pub pointer_bytes: u8,
    /// How the session was set up (EVENT_TRACE_*_MODE).
    pub mode: u32,
    /// Buffers that Windows says it wrote; not there where the session did not end.
    pub buffers_written: u32,
    /// Events that found no buffer.
    pub events_lost: u32,
    /// Buffers that were not written.
    pub buffers_lost: u32,
    /// Name of the session.
    pub session: String,
    /// The file, as the session named it.
    pub file: String,
    /// Minutes that local time lay behind UTC.
    pub bias_minutes: i32,
    /// When the machine started.
    pub booted: Option<Timestamp>,
    /// When the session began.
    pub started: Option<Timestamp>,
    /// When it ended; none where it did not.
    pub ended: Option<Timestamp>,
    /// What the times of events count.
    pub clock: Clock,
    /// How its buffers are compressed.
    pub compression: Option<Compression>,
}

/// Why bytes are no beginning of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The size of its buffers is none.
    #[error(
        "buffers of {bytes} bytes: it is no trace, which has {ETL_BUFFER_BYTES_MIN} to {ETL_BUFFER_BYTES_MAX}"
    )]
    BufferBytes {
        /// The size.
        bytes: u32,
    },
    /// The first event is another.
    #[error("the first event does not describe a trace")]
    Event,
    /// Pointers are 4 or 8 bytes long.
    #[error("pointers of {bytes} bytes")]
    Pointer {
        /// The size.
        bytes: u32,
    },
    /// It ends too early.
    #[error("it describes no trace to its end: {0}")]
    Short(#[from] Short),
}

/// A clock of events (TRACE_LOGFILE_HEADER, ReservedFlags; WNODE_HEADER, ClientContext).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What it counts.
    pub kind: ClockKind,
    /// What it showed as the session began.
    begin: u64,
    /// That moment, as a FILETIME.
    started: u64,
    /// Its ticks in a second.
    frequency: u64,
}

/// What a clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// Ticks of the performance counter.
    Performance,
    /// FILETIMEs.
    System,
    /// Cycles of a processor.
    Cycles,
}

/// How buffers are compressed (COMPRESSION_FORMAT_*, ntifs.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// LZNT1.
    Lznt1,
    /// Plain LZ77.
    Xpress,
    /// LZ77 with Huffman codes.
    XpressHuffman,
    /// Another one.
    Other(u16),
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Lznt1 => f.write_str("LZNT1"),
            Compression::Xpress => f.write_str("XPRESS"),
            Compression::XpressHuffman => f.write_str("XPRESS Huffman"),
            Compression::Other(number) => write!(f, "compression {number}"),
        }
    }
}

impl Compression {
    fn of(number: u16) -> Compression {
        match number {
            2 => Compression::Lznt1,
            3 => Compression::Xpress,
            4 => Compression::XpressHuffman,
            other => Compression::Other(other),
        }
    }
}

/// EVENT_TRACE_COMPRESSED_MODE.
const COMPRESSED: u32 = 0x0400_0000;

/// Bytes of a TIME_ZONE_INFORMATION behind its bias, and four that align the times behind it.
const AFTER_BIAS_BYTES: usize = 172;

impl Trace {
    /// Reads the first event. `state` is that of its buffer, which holds the scheme where buffers are compressed.
    pub(super) fn read(bytes: &[u8], state: u32) -> Result<Trace, TraceError> {
        let mut input = Input::new(bytes);
        let (_version, kind, marker) = (input.u16()?, input.u8()?, input.u8()?);
        let (_size, hook) = (input.u16()?, input.u16()?);
        if !matches!(kind, 1 | 2) || marker & 0xc0 != 0xc0 || hook != 0 {
            return Err(TraceError::Event);
        }
        input.take(8)?;
        let begin = input.u64()?;
        input.take(8)?;

        let buffer_bytes = input.u32()?;
        input.take(4)?;
        let (windows_build, processors) = (input.u32()?, input.u32()?);
        let ended = input.u64()?;
        input.take(8)?;
        let (mode, buffers_written) = (input.u32()?, input.u32()?);
        input.take(4)?;
        let (pointer, events_lost, megahertz) = (input.u32()?, input.u32()?, input.u32()?);
        let pointer_bytes = match pointer {
            4 => 4,
            8 => 8,
            bytes => return Err(TraceError::Pointer { bytes }),
        };
        // Two pointers, good in the process that wrote it.
        input.take(2 * usize::from(pointer_bytes))?;
        let bias_minutes = input.u32()? as i32;
        input.take(AFTER_BIAS_BYTES)?;
        let (booted, performance) = (input.u64()?, input.u64()?);
        let started = input.u64()?;
        let (clock, buffers_lost) = (input.u32()?, input.u32()?);
        let kind = match clock {
            2 => ClockKind::System,
            3 => ClockKind::Cycles,
            _ => ClockKind::Performance,
        };
        let names = input.rest();
        let mut names = Input::new(&names[..names.len().min(ETL_NAME_BYTES_MAX)]);
        Ok(Trace {
            buffer_bytes,
            windows_build,
            processors,
            pointer_bytes,
            mode,
            buffers_written,
            events_lost,
            buffers_lost,
            session: names.utf16_until_zero(),
            file: names.utf16_until_zero(),
            bias_minutes,
            booted: moment(booted),
            started: moment(started),
            ended: moment(ended),
            clock: Clock {
                kind,
                begin,
                started,
                frequency: match kind {
                    ClockKind::Cycles => u64::from(megahertz) * 1_000_000,
                    ClockKind::Performance | ClockKind::System => performance,
                },
            },
            compression: (mode & COMPRESSED != 0).then(|| Compression::of(state as u16)),
        })
    }
}

fn moment(ticks: u64) -> Option<Timestamp> {
    (ticks != 0).then(|| filetime(ticks)).flatten()
}

impl Clock {
    /// The moment that it shows; none where it has no frequency, or shows what is no time.
    #[must_use]
    pub fn time(&self, shown: u64) -> Option<Timestamp> {
        if self.kind == ClockKind::System {
            return filetime(shown);
        }
        if self.frequency == 0 {
            return None;
        }
        // Events that a processor wrote as the session began can be older than it.
        let ticks = i128::from(shown) - i128::from(self.begin);
        let since = ticks * 10_000_000 / i128::from(self.frequency);
        filetime(u64::try_from(i128::from(self.started) + since).ok()?)
    }
}
