//! What the journal stores for one delivery: who sent it, and its Events with the Index
//! of each.
//!
//! ```text
//! version       u8
//! events        u32 LE
//! kind          u8
//! received_at   signed seconds, nanoseconds
//! address       u8 0, 4 or 6, then so many bytes
//! source        varint length, UTF-8
//! subscription  u8 0 or 1, then as source
//! events        flags u8, varint text length, varint index length, index, text
//! ```
//!
//! A batch of version 2 has a [reference to a piece of a file](mod@file) in the place of events, and counts as one. Version 3 is
//! of events of traces, and as version 1.
//!
//! Invariants: decoding never panics and allocates only for the header; what the encoder
//! wrote decodes to the same values.

pub mod file;

use std::net::IpAddr;

use jiff::Timestamp;

use crate::event::{self, Index};
use crate::limits::BATCH_NAME_BYTES_MAX;
use crate::varint::{self, Reader};

/// Of batches that have events.
const VERSION: u8 = 1;
/// Of batches that refer to a piece of a file, so that a program that knows only events says what it lacks.
const FILE_VERSION: u8 = 2;
/// Of batches with events of traces, which are as those of version 1 and of another kind.
const TRACE_VERSION: u8 = 3;

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Windows Event Forwarding.
    Wef,
    /// An EVTX file.
    Evtx,
    /// The program's own records: alerts, audit trail, losses.
    Own,
    /// A piece of a file, referred to.
    File,
    /// A file of event traces.
    Etl,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Wef, Self::Evtx, Self::Own, Self::File, Self::Etl];

    fn version(self) -> u8 {
        match self {
            Kind::Wef | Kind::Evtx | Kind::Own => VERSION,
            Kind::File => FILE_VERSION,
            Kind::Etl => TRACE_VERSION,
        }
    }
}

/// What all Events of a batch have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the batch came from.
    pub kind: Kind,
    /// The authenticated source; never what the Events say of themselves.
    pub source: String,
    /// The sender's address.
    pub address: Option<IpAddr>,
    /// The subscription's name.
    pub subscription: Option<String>,
    /// When the batch came in.
    pub received_at: Timestamp,
}

/// What is to be known about one Event beside its text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// Nothing.
    pub const NONE: Flags = Flags(0);
    /// The text had invalid UTF-16, replaced by U+FFFD.
    pub const LOSSY_UTF16: Flags = Flags(1);
    /// The Event could not be parsed to its end.
    pub const MALFORMED: Flags = Flags(1 << 1);
    /// The Event ends inside RenderingInfo.
    pub const TRUNCATED_RENDERING: Flags = Flags(1 << 2);
    /// The text had invalid UTF-8, replaced by U+FFFD.
    pub const LOSSY_UTF8: Flags = Flags(1 << 3);

    /// The flags that follow from how far the parser got.
    pub fn of(index: &Index) -> Flags {
        match index.status() {
            event::ParseStatus::Whole => Flags::NONE,
            event::ParseStatus::TruncatedRendering => Flags::TRUNCATED_RENDERING,
            event::ParseStatus::Malformed(_) => Flags::MALFORMED,
        }
    }

    /// Whether all of `other` are set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flags({:#06b})", self.0)
    }
}

/// Bytes that are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of the program.
    #[error("batch has version {0}, this program reads versions up to {TRACE_VERSION}")]
    Version(u8),
    /// The header is cut short or has values that no header has.
    #[error("batch header is damaged")]
    Header,
    /// An Event is cut short or not UTF-8; the rest of the batch cannot be read.
    #[error("event {place} of {events} in the batch is damaged")]
    Record {
        /// Which one, the first is 1.
        place: u32,
        /// How many the batch says it has.
        events: u32,
    },
    /// The reference to a piece of a file is cut short or has values that none has.
    #[error("reference to a file is damaged")]
    File,
    /// Bytes follow the last Event.
    #[error("bytes follow the last event of the batch")]
    TrailingBytes,
}

/// Writes one batch.
#[derive(Clone, Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    index: Vec<u8>,
    events: u32,
}

impl Encoder {
    /// Begins a batch of events. Source and subscription beyond [`BATCH_NAME_BYTES_MAX`] are cut.
    pub fn new(header: &Header) -> Self {
        let bytes = header_bytes(header.kind.version(), 0, header);
        Self {
            bytes,
            index: Vec::new(),
            events: 0,
        }
    }

    /// Appends one Event. `index` must have been made of `text`.
    pub fn push(&mut self, text: &str, flags: Flags, index: &Index) {
        self.index.clear();
        index.encode(&mut self.index);
        self.bytes.push(flags.0);
        varint::put(&mut self.bytes, text.len() as u64);
        varint::put(&mut self.bytes, self.index.len() as u64);
        self.bytes.extend_from_slice(&self.index);
        self.bytes.extend_from_slice(text.as_bytes());
        self.events += 1;
    }

    /// Events so far.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes[1..5].copy_from_slice(&self.events.to_le_bytes());
        self.bytes
    }
}

/// What a batch begins with.
fn header_bytes(version: u8, events: u32, header: &Header) -> Vec<u8> {
    let mut bytes = vec![version];
    bytes.extend_from_slice(&events.to_le_bytes());
    bytes.push(header.kind as u8);
    varint::put_signed(&mut bytes, header.received_at.as_second());
    varint::put_signed(
        &mut bytes,
        i64::from(header.received_at.subsec_nanosecond()),
    );
    match header.address {
        None => bytes.push(0),
        Some(IpAddr::V4(address)) => {
            bytes.push(4);
            bytes.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            bytes.push(6);
            bytes.extend_from_slice(&address.octets());
        }
    }
    put_name(&mut bytes, &header.source);
    bytes.push(u8::from(header.subscription.is_some()));
    if let Some(subscription) = &header.subscription {
        put_name(&mut bytes, subscription);
    }
    bytes
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    let name = &name[..name.floor_char_boundary(BATCH_NAME_BYTES_MAX)];
    varint::put(bytes, name.len() as u64);
    bytes.extend_from_slice(name.as_bytes());
}

/// A batch to read from.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// What all its Events have in common.
    pub header: Header,
    events: u32,
    body: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the header; the Events are read by [`Batch::records`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte().ok_or(DecodeError::Header)?;
        if !(VERSION..=TRACE_VERSION).contains(&version) {
            return Err(DecodeError::Version(version));
        }
        Self::decode_header(reader)
            .filter(|batch| batch.header.kind.version() == version)
            .ok_or(DecodeError::Header)
    }

    fn decode_header(mut reader: Reader<'a>) -> Option<Self> {
        let events = u32::from_le_bytes(reader.array()?);
        let kind = *Kind::ALL.get(usize::from(reader.byte()?))?;
        let second = reader.signed()?;
        let nanosecond = i32::try_from(reader.signed()?).ok()?;
        let received_at = Timestamp::new(second, nanosecond).ok()?;
        let address = match reader.byte()? {
            0 => None,
            4 => Some(IpAddr::from(reader.array::<4>()?)),
            6 => Some(IpAddr::from(reader.array::<16>()?)),
            _ => return None,
        };
        let source = name(&mut reader)?;
        let subscription = match reader.byte()? {
            0 => None,
            1 => Some(name(&mut reader)?),
            _ => return None,
        };
        let header = Header {
            kind,
            source,
            address,
            subscription,
            received_at,
        };
        Some(Self {
            header,
            events,
            body: reader.rest(),
        })
    }

    /// How many Events the batch says it has; a reference to a file counts as one.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The Events in order, none where it refers to a file; an error is the last item.
    pub fn records(&self) -> Records<'a> {
        let (body, events) = match self.header.kind {
            Kind::Wef | Kind::Evtx | Kind::Own | Kind::Etl => (self.body, self.events),
            Kind::File => (&[][..], 0),
        };
        Records {
            reader: Reader::new(body),
            events,
            place: 0,
        }
    }
}

fn name(reader: &mut Reader<'_>) -> Option<String> {
    let len = usize::try_from(reader.varint()?)
        .ok()
        .filter(|&len| len <= BATCH_NAME_BYTES_MAX)?;
    let bytes = reader.bytes(len)?;
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}

/// The Events of a batch.
#[derive(Clone)]
pub struct Records<'a> {
    reader: Reader<'a>,
    events: u32,
    place: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.place == self.events {
            let is_done = self.reader.is_empty();
            self.reader = Reader::new(&[]);
            return (!is_done).then_some(Err(DecodeError::TrailingBytes));
        }
        self.place += 1;
        let record = record(&mut self.reader).ok_or(DecodeError::Record {
            place: self.place,
            events: self.events,
        });
        if record.is_err() {
            self.place = self.events;
            self.reader = Reader::new(&[]);
        }
        Some(record)
    }
}

fn record<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
    let flags = Flags(reader.byte()?);
    let text_len = usize::try_from(reader.varint()?).ok()?;
    let index_len = usize::try_from(reader.varint()?).ok()?;
    let index = reader.bytes(index_len)?;
    let text = std::str::from_utf8(reader.bytes(text_len)?).ok()?;
    Some(Record { text, flags, index })
}

/// One Event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The Event's XML.
    pub text: &'a str,
    /// What is to be known beside it.
    pub flags: Flags,
    /// The stored Index.
    pub index: &'a [u8],
}

impl Record<'_> {
    /// Refills `index` for this Event. On an error (another version, damage) the caller
    /// can [`event::parse`] the text again.
    pub fn read_index(&self, index: &mut Index) -> Result<(), event::DecodeError> {
        index.decode(self.index, self.text)
    }
}

#[cfg(test)]
mod tests;
