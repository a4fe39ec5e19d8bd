//! One group commit on disk: a fixed header and a body that is there whole or not at all.
//!
//! The header has a checksum of its own, so that a length is believed only after it was
//! checked; the body has another. Both are bound to their segment by a random number that
//! nobody outside can know, so that bytes inside an event never pass for a frame. The layout
//! is in `docs/journal-format.md`.

use std::io;

use aws_lc_rs::digest;
use bytes::Bytes;
use thiserror::Error;

use super::Seq;
use super::limits::{
    MAX_FRAME_ENTRIES, MAX_FRAME_EVENTS, MAX_FRAME_RAW_BYTES, MAX_FRAME_STORED_BYTES, MAX_NUMBER,
};

/// SHA-256 of a stored frame.
pub type Hash = [u8; 32];

/// Bytes of a frame's header.
pub(super) const HEADER_BYTES: usize = 96;
/// First bytes of every frame. 0xF5 is in no UTF-8 text.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'W', b'J', b'F'];
const VERSION: u8 = 1;
/// The body is zstd; otherwise it is stored as it is.
const FLAG_ZSTD: u16 = 1;
/// The last part of a snapshot.
const FLAG_SNAPSHOT_END: u16 = 2;
const KNOWN_FLAGS: u16 = FLAG_ZSTD | FLAG_SNAPSHOT_END;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Entries: batches of events, each with at most one change of state.
    Entries,
    /// A part of all keyed states, at a segment's start.
    Snapshot {
        /// No further part follows.
        last: bool,
    },
    /// The footer of a segment that is never written again.
    Seal,
}

/// A frame's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// What the body holds.
    pub kind: Kind,
    /// How the body is stored.
    pub encoding: Encoding,
    /// Bytes of the body as stored.
    pub stored_bytes: u32,
    /// Bytes of the body decoded.
    pub raw_bytes: u32,
    /// Sequence of the first event, or the next one to come if there is none.
    pub first_seq: Seq,
    /// Events in the frame.
    pub events: u32,
    /// Entries in the body.
    pub entries: u32,
    /// When the group was committed, microseconds since 1970.
    pub committed_at_us: i64,
    /// The random number of the segment.
    pub segment_id: u64,
    /// Position among the segment's frames, from 0.
    pub index: u32,
    /// CRC32C of the stored body.
    pub body_crc: u32,
    /// SHA-256 of the frame before, across segments.
    pub previous_hash: Hash,
}

/// How a body is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Plain,
    /// zstd.
    Zstd,
}

impl Header {
    /// The header of a body that is in memory only.
    pub(super) fn of_decoded(
        first_seq: Seq,
        events: u32,
        entries: u32,
        committed_at_us: i64,
    ) -> Header {
        Header {
            kind: Kind::Entries,
            encoding: Encoding::Plain,
            stored_bytes: 0,
            raw_bytes: 0,
            first_seq,
            events,
            entries,
            committed_at_us,
            segment_id: 0,
            index: 0,
            body_crc: 0,
            previous_hash: [0; 32],
        }
    }

    /// Bytes of header and body.
    pub(super) fn total_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.stored_bytes)
    }

    /// The sequence after the frame's last event.
    pub(super) fn end_seq(&self) -> Seq {
        self.first_seq + Seq::from(self.events)
    }

    /// The header as stored.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let (kind, mut flags) = match self.kind {
            Kind::Entries => (1, 0),
            Kind::Snapshot { last } => (2, if last { FLAG_SNAPSHOT_END } else { 0 }),
            Kind::Seal => (3, 0),
        };
        if self.encoding == Encoding::Zstd {
            flags |= FLAG_ZSTD;
        }
        let mut out = [0; HEADER_BYTES];
        let mut put = Put {
            out: &mut out,
            at: 0,
        };
        put.bytes(&MAGIC);
        put.bytes(&[VERSION, kind]);
        put.bytes(&flags.to_le_bytes());
        put.bytes(&self.stored_bytes.to_le_bytes());
        put.bytes(&self.raw_bytes.to_le_bytes());
        put.bytes(&self.first_seq.to_le_bytes());
        put.bytes(&self.events.to_le_bytes());
        put.bytes(&self.entries.to_le_bytes());
        put.bytes(&self.committed_at_us.to_le_bytes());
        put.bytes(&self.segment_id.to_le_bytes());
        put.bytes(&self.index.to_le_bytes());
        put.bytes(&self.body_crc.to_le_bytes());
        put.bytes(&self.previous_hash);
        let crc = crc32c::crc32c(&out[..HEADER_BYTES - 4]);
        out[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header; `None` if these bytes are not one, or one that breaks a limit.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let mut get = Get::new(bytes);
        if get.array::<4>()? != MAGIC || !is_whole(bytes) {
            return None;
        }
        if get.u8()? != VERSION {
            return None;
        }
        let kind = get.u8()?;
        let flags = get.u16()?;
        if flags & !KNOWN_FLAGS != 0 {
            return None;
        }
        let kind = match kind {
            1 => Kind::Entries,
            2 => Kind::Snapshot {
                last: flags & FLAG_SNAPSHOT_END != 0,
            },
            3 => Kind::Seal,
            _ => return None,
        };
        let header = Header {
            kind,
            encoding: if flags & FLAG_ZSTD == 0 {
                Encoding::Plain
            } else {
                Encoding::Zstd
            },
            stored_bytes: get.u32()?,
            raw_bytes: get.u32()?,
            first_seq: get.u64()?,
            events: get.u32()?,
            entries: get.u32()?,
            committed_at_us: get.u64()? as i64,
            segment_id: get.u64()?,
            index: get.u32()?,
            body_crc: get.u32()?,
            previous_hash: get.array()?,
        };
        header.is_within_limits().then_some(header)
    }

    fn is_within_limits(&self) -> bool {
        self.stored_bytes as usize <= MAX_FRAME_STORED_BYTES
            && self.raw_bytes as usize <= MAX_FRAME_RAW_BYTES
            && self.events <= MAX_FRAME_EVENTS
            // The end too: the next frame begins there.
            && self.first_seq >= 1
            && self.first_seq.saturating_add(Seq::from(self.events)) <= MAX_NUMBER
            && (self.encoding == Encoding::Zstd || self.stored_bytes == self.raw_bytes)
    }
}

/// SHA-256 over a stored frame, header and body.
pub(super) fn hash(header: &[u8; HEADER_BYTES], body: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(header);
    context.update(body);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A frame whose checksums hold but whose contents make no sense.
#[derive(Debug, Error)]
pub(super) enum BodyError {
    /// zstd refused it.
    #[error("body cannot be decompressed")]
    Zstd(#[source] io::Error),
    /// A length points outside.
    #[error("body is not what its header says")]
    Malformed,
}

/// A keyed value that changes together with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The key; the first byte is not NUL (those are the journal's own).
    pub key: String,
    /// The new value, or `None` to forget the key.
    pub value: Option<Vec<u8>>,
}

/// One entry as it lies in a frame's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawEntry {
    /// Events of the batch.
    pub events: u32,
    /// The journal's own record.
    pub origin: Origin,
    /// The state that changed with it.
    pub state: Option<StateChange>,
    /// The batch.
    pub body: Bytes,
}

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// A source.
    #[default]
    Source,
    /// The program itself: written from reserved room when the journal is full.
    Own,
}

const ENTRY_STATE: u8 = 1;
const ENTRY_STATE_VALUE: u8 = 2;
const ENTRY_OWN: u8 = 4;

/// Bytes an entry takes in a body beside its batch, without its state.
pub(super) const ENTRY_OVERHEAD_BYTES: usize = 9;

/// Appends one entry to a body.
pub(super) fn encode_entry(
    out: &mut Vec<u8>,
    body: &[u8],
    events: u32,
    origin: Origin,
    state: Option<&StateChange>,
) {
    let mut flags = 0;
    if origin == Origin::Own {
        flags |= ENTRY_OWN;
    }
    if let Some(state) = state {
        flags |= ENTRY_STATE;
        if state.value.is_some() {
            flags |= ENTRY_STATE_VALUE;
        }
    }
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&events.to_le_bytes());
    out.push(flags);
    if let Some(state) = state {
        encode_pair(out, &state.key, state.value.as_deref());
    }
    out.extend_from_slice(body);
}

/// Appends a key and, if there is one, its value.
pub(super) fn encode_pair(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    if let Some(value) = value {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(value);
    }
}

/// Reads the entries of a body; their batches share its memory.
pub(super) fn decode_entries(header: &Header, raw: Bytes) -> Result<Vec<RawEntry>, BodyError> {
    if header.entries > MAX_FRAME_ENTRIES {
        return Err(BodyError::Malformed);
    }
    let mut get = Get::new(&raw);
    let mut entries = Vec::with_capacity(header.entries as usize);
    let mut events: u64 = 0;
    for _ in 0..header.entries {
        let (body_bytes, entry_events, flags) = entry_head(&mut get).ok_or(BodyError::Malformed)?;
        let state = match flags & ENTRY_STATE {
            0 => None,
            _ => Some(entry_state(&mut get, flags).ok_or(BodyError::Malformed)?),
        };
        let start = get.at;
        get.take(body_bytes).ok_or(BodyError::Malformed)?;
        events += u64::from(entry_events);
        entries.push(RawEntry {
            events: entry_events,
            origin: if flags & ENTRY_OWN == 0 {
                Origin::Source
            } else {
                Origin::Own
            },
            state,
            body: raw.slice(start..start + body_bytes),
        });
    }
    if get.at != raw.len() || events != u64::from(header.events) {
        return Err(BodyError::Malformed);
    }
    Ok(entries)
}

fn entry_head(get: &mut Get<'_>) -> Option<(usize, u32, u8)> {
    Some((get.u32()? as usize, get.u32()?, get.u8()?))
}

fn entry_state(get: &mut Get<'_>, flags: u8) -> Option<StateChange> {
    let key = get.key()?.to_owned();
    let value = if flags & ENTRY_STATE_VALUE == 0 {
        None
    } else {
        Some(get.value()?.to_vec())
    };
    Some(StateChange { key, value })
}

/// Reads a snapshot's pairs.
pub(super) fn decode_pairs(
    header: &Header,
    raw: &[u8],
    mut each: impl FnMut(&str, &[u8]),
) -> Result<(), BodyError> {
    let mut get = Get::new(raw);
    for _ in 0..header.entries {
        let key = get.key().ok_or(BodyError::Malformed)?;
        let value = get.value().ok_or(BodyError::Malformed)?;
        each(key, value);
    }
    if get.at == raw.len() {
        Ok(())
    } else {
        Err(BodyError::Malformed)
    }
}

/// Little-endian fields read from a slice, each checked against its end.
pub(super) struct Get<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Get<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Get { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(bytes)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn key(&mut self) -> Option<&'a str> {
        let bytes = self.u16()? as usize;
        std::str::from_utf8(self.take(bytes)?).ok()
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        let bytes = self.u32()? as usize;
        self.take(bytes)
    }
}

/// Whether a block's last four bytes are the checksum of the rest. A fuzzer, which cannot
/// guess checksums, may leave them zero.
pub(super) fn is_whole(block: &[u8]) -> bool {
    let Some((contents, stored)) = block.split_last_chunk::<4>() else {
        return false;
    };
    is_sum_of(u32::from_le_bytes(*stored), contents)
}

/// Whether a checksum is that of these bytes.
pub(super) fn is_sum_of(stored: u32, bytes: &[u8]) -> bool {
    crc32c::crc32c(bytes) == stored || (cfg!(fuzzing) && stored == 0)
}

/// Fields written one after the other into a fixed block.
pub(super) struct Put<'a> {
    pub(super) out: &'a mut [u8],
    pub(super) at: usize,
}

impl Put<'_> {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}
