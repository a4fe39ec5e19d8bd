//! The events of a buffer: what each kind of header says, and where its payload lies.

use jiff::Timestamp;

use super::extended::Extended;
use super::trace::Trace;
use crate::guid::Guid;
use crate::input::{Input, Short};

/// An event as it lies in a buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// Where in the buffer, unpacked, its header begins.
    pub offset: usize,
    /// Who wrote it.
    pub source: Source,
    /// Its number among those of its provider.
    pub id: u16,
    /// Version of what its payload means.
    pub version: u8,
    /// Number of its channel.
    pub channel: u8,
    /// 1 critical to 5 verbose; 0 always.
    pub level: u8,
    /// What within a task happens.
    pub opcode: u8,
    /// Number of its task.
    pub task: u16,
    /// A bit for each keyword.
    pub keywords: u64,
    /// The process that it is about, mostly the writing one.
    pub process: Option<u32>,
    /// The thread.
    pub thread: Option<u32>,
    /// The processor on which it was written.
    pub processor: u16,
    /// What the trace's clock showed.
    pub clock: Option<u64>,
    /// When it was written.
    pub time: Option<Timestamp>,
    /// What it is part of.
    pub activity: Option<Guid>,
    /// Bytes of a pointer in its payload: 4 or 8.
    pub pointer_bytes: u8,
    /// What stands beside its header.
    pub extended: Extended<'a>,
    /// What it says.
    pub payload: &'a [u8],
}

/// Who wrote an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A provider.
    Provider(Guid),
    /// An event class of a classic provider (FULL_HEADER).
    Class(Guid),
    /// The kernel, by the number of the group of the event's class.
    Kernel(u8),
    /// A software trace (WPP), by the message's identifier where it is written.
    Message(Option<Guid>),
}

impl Source {
    /// The GUID by which schemas are found.
    #[must_use]
    pub fn guid(&self) -> Option<Guid> {
        match self {
            Source::Provider(guid) | Source::Class(guid) => Some(*guid),
            Source::Kernel(_) => None,
            Source::Message(guid) => *guid,
        }
    }

    /// Name of the kernel's group ("NT Kernel Logger Constants", evntrace.h).
    #[must_use]
    pub fn kernel_group(&self) -> Option<&'static str> {
        let Source::Kernel(group) = self else {
            return None;
        };
        Some(match group {
            0x00 => "EventTrace",
            0x01 => "DiskIo",
            0x02 => "PageFault",
            0x03 => "Process",
            0x04 => "FileIo",
            0x05 => "Thread",
            0x06 => "TcpIp",
            0x08 => "UdpIp",
            0x09 => "Registry",
            0x0b => "SystemConfig",
            0x0f => "PerfInfo",
            0x14 => "Image",
            _ => return None,
        })
    }
}

/// Why an event cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event at byte {offset} of the buffer: {what}")]
pub struct RecordError {
    /// Where in the buffer it begins.
    pub offset: usize,
    /// What is wrong.
    pub what: RecordFault,
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// It is longer than the buffer, or shorter than its header: what comes after it in this buffer is lost.
    #[error("it says that it has {size} bytes of {left}")]
    Size {
        /// The size.
        size: usize,
        /// Bytes that are left in the buffer.
        left: usize,
    },
    /// A kind of header that is not read.
    #[error("headers of kind {0} are not read")]
    Kind(u8),
    /// It does not begin as an event does.
    #[error("no event begins with {0:#010x}")]
    Marker(u32),
    /// What stands beside its header is cut off.
    #[error("what stands beside its header is wrong: {0}")]
    Short(#[from] Short),
}

/// EVENT_HEADER_FLAG_EXTENDED_INFO.
const HAS_EXTENDED: u16 = 0x01;
/// EVENT_HEADER_FLAG_32_BIT_HEADER and EVENT_HEADER_FLAG_64_BIT_HEADER.
const NARROW: u16 = 0x20;
const WIDE: u16 = 0x40;

impl<'a> Event<'a> {
    /// Reads what begins at `at`, and says where the next one does; none at the end of what is filled.
    pub(super) fn next(
        buffer: &'a [u8],
        at: usize,
        processor: u16,
        trace: &Trace,
    ) -> Option<(Result<Event<'a>, RecordError>, usize)> {
        let left = buffer.get(at..)?;
        let head = *left.first_chunk::<8>()?;
        let marker = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        // What is reserved and never written holds all ones.
        if marker == u32::MAX {
            return None;
        }
        let wrong = |what, next| Some((Err(RecordError { offset: at, what }), next));
        let is_message = head[3] & 0xc0 == 0x80;
        let size_at = match (is_message, head[2]) {
            (false, SYSTEM_32..=COMPACT_64 | PERFINFO_32 | PERFINFO_64) => 4,
            _ => 0,
        };
        let size = usize::from(u16::from_le_bytes([head[size_at], head[size_at + 1]]));
        if head[3] & 0x80 == 0 {
            return wrong(RecordFault::Marker(marker), buffer.len());
        }
        let next = at + size.next_multiple_of(8);
        let Some(bytes) = left.get(..size).filter(|_| size >= head.len()) else {
            let left = left.len();
            return wrong(RecordFault::Size { size, left }, buffer.len());
        };
        let mut event = Event::blank(at, processor, trace);
        let read = match is_message {
            true => event.message(bytes),
            false => event.by_kind(head[2], bytes),
        };
        if let Err(what) = read {
            return wrong(what, next);
        }
        event.time = event.clock.and_then(|clock| trace.clock.time(clock));
        Some((Ok(event), next))
    }

    fn blank(offset: usize, processor: u16, trace: &Trace) -> Event<'a> {
        Event {
            offset,
            source: Source::Message(None),
            id: 0,
            version: 0,
            channel: 0,
            level: 0,
            opcode: 0,
            task: 0,
            keywords: 0,
            process: None,
            thread: None,
            processor,
            clock: None,
            time: None,
            activity: None,
            pointer_bytes: trace.pointer_bytes,
            extended: Extended::default(),
            payload: &[],
        }
    }

    fn by_kind(&mut self, kind: u8, bytes: &'a [u8]) -> Result<(), RecordFault> {
        let mut input = Input::new(bytes);
        match kind {
            SYSTEM_32 | SYSTEM_64 => self.kernel(&mut input, &[Part::Thread, Part::Times])?,
            COMPACT_32 | COMPACT_64 => self.kernel(&mut input, &[Part::Thread])?,
            PERFINFO_32 | PERFINFO_64 => self.kernel(&mut input, &[])?,
            FULL_32 | FULL_64 => self.full(&mut input)?,
            EVENT_32 | EVENT_64 => self.event(kind, &mut input)?,
            other => return Err(RecordFault::Kind(other)),
        }
        self.payload = input.rest();
        Ok(())
    }

    /// SYSTEM_TRACE_HEADER, its compact form without processor times, and PERFINFO_TRACE_HEADER without a thread, too.
    fn kernel(&mut self, input: &mut Input<'a>, parts: &[Part]) -> Result<(), Short> {
        self.version = input.u16()? as u8;
        input.take(4)?;
        self.opcode = input.u8()?;
        self.source = Source::Kernel(input.u8()?);
        if parts.contains(&Part::Thread) {
            self.thread = known(input.u32()?);
            self.process = known(input.u32()?);
        }
        self.clock = Some(input.u64()?);
        if parts.contains(&Part::Times) {
            input.take(8)?;
        }
        Ok(())
    }

    /// EVENT_TRACE_HEADER (evntrace.h): events of classic providers.
    fn full(&mut self, input: &mut Input<'a>) -> Result<(), Short> {
        input.take(4)?;
        (self.opcode, self.level) = (input.u8()?, input.u8()?);
        self.version = input.u16()? as u8;
        self.thread = known(input.u32()?);
        self.process = known(input.u32()?);
        self.clock = Some(input.u64()?);
        self.source = Source::Class(input.guid()?);
        input.take(8)?;
        Ok(())
    }

    /// EVENT_HEADER (evntcons.h), and what may stand beside it.
    fn event(&mut self, kind: u8, input: &mut Input<'a>) -> Result<(), Short> {
        input.take(4)?;
        let (flags, _property) = (input.u16()?, input.u16()?);
        self.thread = known(input.u32()?);
        self.process = known(input.u32()?);
        self.clock = Some(input.u64()?);
        self.source = Source::Provider(input.guid()?);
        self.id = input.u16()?;
        (self.version, self.channel) = (input.u8()?, input.u8()?);
        (self.level, self.opcode) = (input.u8()?, input.u8()?);
        self.task = input.u16()?;
        self.keywords = input.u64()?;
        input.take(8)?;
        self.activity = input.guid()?.some();
        self.pointer_bytes = match flags & (NARROW | WIDE) {
            NARROW => 4,
            WIDE => 8,
            _ if kind == EVENT_32 => 4,
            _ => 8,
        };
        if flags & HAS_EXTENDED != 0 {
            self.extended = Extended::read(input)?;
        }
        Ok(())
    }

    /// MESSAGE_TRACE_HEADER (wmistr.h): what a software trace wrote. Which parts follow, its flags say.
    fn message(&mut self, bytes: &'a [u8]) -> Result<(), RecordFault> {
        let mut input = Input::new(bytes);
        input.take(4)?;
        self.id = input.u16()?;
        let flags = input.u16()?;
        let has = |flag: u16| flags & flag != 0;
        if has(0x01) {
            input.take(4)?;
        }
        let mut guid = None;
        if has(0x02) {
            guid = Some(input.guid()?);
        } else if has(0x04) {
            input.take(4)?;
        }
        if has(0x08) || has(0x10) {
            self.clock = Some(input.u64()?);
        }
        if has(0x20) {
            self.thread = known(input.u32()?);
            self.process = known(input.u32()?);
        }
        self.source = Source::Message(guid);
        self.payload = input.rest();
        Ok(())
    }
}

/// Parts that some headers of the kernel's events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Thread,
    Times,
}

/// All ones stand for no process and no thread.
fn known(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

/// TRACE_HEADER_TYPE_* of the headers that are read.
const SYSTEM_32: u8 = 1;
const SYSTEM_64: u8 = 2;
const COMPACT_32: u8 = 3;
const COMPACT_64: u8 = 4;
const FULL_32: u8 = 10;
const PERFINFO_32: u8 = 16;
const PERFINFO_64: u8 = 17;
const EVENT_32: u8 = 18;
const EVENT_64: u8 = 19;
const FULL_64: u8 = 20;
