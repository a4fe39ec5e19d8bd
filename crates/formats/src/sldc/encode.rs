//! The encoder: scheme 1 with hash chains, as Windows writes it.
//!
//! It keeps to what was seen from Windows, so that every decoder that takes a real source takes
//! this one: copies never overlap what they write, and reach back a little less than the history
//! buffer holds.

use super::{COPY_BYTES_MAX, HISTORY_BYTES, control};

/// How far back a copy reaches. The full 1,024 would address the byte about to be overwritten.
const DISTANCE_MAX: usize = 1000;

/// The shortest copy.
const COPY_BYTES_MIN: usize = 2;

/// Candidates looked at for one position.
const CHAIN_LINKS_MAX: usize = 16;

const HASH_BITS: u32 = 12;

/// "No position" in the tables, which hold positions plus one.
const NONE: u32 = 0;

/// Encodes bodies one after the other, keeping its tables.
#[derive(Debug)]
pub struct Encoder {
    /// Last position of each four-byte hash.
    heads: Vec<u32>,
    /// Last position of each pair of bytes.
    pairs: Vec<u32>,
    /// The position before, for each position of the ring.
    links: Vec<u32>,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// An encoder with empty tables.
    #[must_use]
    pub fn new() -> Encoder {
        Encoder {
            heads: vec![NONE; 1 << HASH_BITS],
            pairs: vec![NONE; 1 << 16],
            links: vec![NONE; HISTORY_BYTES],
        }
    }

    /// Appends the body for `clear` to `out`: one record and its trailer.
    ///
    /// The trailer has 32 bits; clear data of 4 GiB or more has no encoding and is cut to what the
    /// field can state.
    pub fn encode(&mut self, clear: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(clear.len()).unwrap_or(u32::MAX);
        let clear = &clear[..length as usize];
        self.heads.fill(NONE);
        self.pairs.fill(NONE);
        let mut bits = BitWriter::new(out);
        bits.control(control::RESET_1);
        let mut position = 0;
        while position < clear.len() {
            let (length, from) = self.longest(clear, position);
            if length < COPY_BYTES_MIN {
                bits.put(u64::from(clear[position]), 9);
                self.enter(clear, position);
                position += 1;
                continue;
            }
            bits.copy(length, from % HISTORY_BYTES);
            for at in position..position + length {
                self.enter(clear, at);
            }
            position += length;
        }
        bits.control(control::END_OF_RECORD);
        bits.pad(2);
        out.extend_from_slice(&length.to_le_bytes());
    }

    /// The longest earlier match for what stands at `position`: its length and where it begins.
    fn longest(&self, clear: &[u8], position: usize) -> (usize, usize) {
        let rest = &clear[position..];
        let Some(pair) = rest.first_chunk::<2>() else {
            return (0, 0);
        };
        let mut best = (0, 0);
        if let Some(four) = rest.first_chunk::<4>() {
            let mut next = self.heads[hash(*four)];
            for _ in 0..CHAIN_LINKS_MAX {
                let Some(from) = candidate(next, position) else {
                    break;
                };
                let length = match_length(clear, from, position);
                if length > best.0 {
                    best = (length, from);
                }
                next = self.links[from % HISTORY_BYTES];
            }
        }
        if best.0 < 4
            && let Some(from) =
                candidate(self.pairs[usize::from(u16::from_le_bytes(*pair))], position)
        {
            let length = match_length(clear, from, position);
            if length > best.0 {
                best = (length, from);
            }
        }
        best
    }

    fn enter(&mut self, clear: &[u8], position: usize) {
        let rest = &clear[position..];
        let mark = position as u32 + 1;
        if let Some(pair) = rest.first_chunk::<2>() {
            self.pairs[usize::from(u16::from_le_bytes(*pair))] = mark;
        }
        if let Some(four) = rest.first_chunk::<4>() {
            let slot = hash(*four);
            self.links[position % HISTORY_BYTES] = self.heads[slot];
            self.heads[slot] = mark;
        }
    }
}

/// The position that a table entry names, when a copy from it can reach `position`.
fn candidate(entry: u32, position: usize) -> Option<usize> {
    let from = (entry as usize).checked_sub(1)?;
    (from < position && position - from <= DISTANCE_MAX).then_some(from)
}

/// How many bytes are equal, without reading what is still to be written.
fn match_length(clear: &[u8], from: usize, position: usize) -> usize {
    let limit = COPY_BYTES_MAX
        .min(position - from)
        .min(clear.len() - position);
    let earlier = &clear[from..from + limit];
    let here = &clear[position..position + limit];
    earlier
        .iter()
        .zip(here)
        .position(|(a, b)| a != b)
        .unwrap_or(limit)
}

fn hash(four: [u8; 4]) -> usize {
    (u32::from_le_bytes(four).wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

/// Writes bits, most significant first.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where the record begins in `out`.
    start: usize,
    window: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter {
            start: out.len(),
            out,
            window: 0,
            filled: 0,
        }
    }

    /// Writes the low `count` bits of `bits`, at most 32.
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.window = (self.window << count) | bits;
        self.filled += count;
        while self.filled >= 8 {
            self.filled -= 8;
            self.out.push((self.window >> self.filled) as u8);
        }
    }

    pub(super) fn control(&mut self, symbol: u8) {
        self.put(0x1FF << 4 | u64::from(symbol), 13);
    }

    /// Writes a copy pointer of scheme 1 (ECMA-321 8.4.2).
    pub(super) fn copy(&mut self, length: usize, address: usize) {
        let length = length as u64;
        match length {
            0..4 => self.put(0b100 | (length - 2), 3),
            4..8 => self.put(0b11000 | (length - 4), 5),
            8..16 => self.put(0b111_0000 | (length - 8), 7),
            16..32 => self.put(0b1_1110_0000 | (length - 16), 9),
            _ => self.put(0b1_1111_0000_0000 | (length - 32), 13),
        }
        self.put(address as u64, 10);
    }

    /// Zero bits to the next boundary of `bytes` bytes: Windows ends a record on one of two.
    pub(super) fn pad(&mut self, bytes: usize) {
        self.put(0, (8 - self.filled) % 8);
        while !(self.out.len() - self.start).is_multiple_of(bytes) {
            self.out.push(0);
        }
    }
}
