//! The decoder: a word of input at a time, matches copied inside the output.
//!
//! Far from both ends of the data a loop without branches on single bits decodes a run of literals
//! and the copy behind it at once; whatever is out of the ordinary it leaves to the symbol-by-symbol
//! one, which alone knows errors.
//!
//! The history buffer of ECMA-321 is a ring that copy pointers address absolutely. The last 1,024
//! bytes of the output hold the same bytes, so the ring is never built: an address is turned into
//! a distance back from the end of the output.

use super::{COPY_BYTES_MAX, EXPANSION_MAX, HISTORY_BYTES, TRAILER_BYTES, control};

/// Copies are done in chunks of this many bytes, so the buffer is longer than the data by it.
const CHUNK_BYTES: usize = 16;

/// Bits of a literal in scheme 1: a zero and the byte.
const LITERAL_BITS: u32 = 9;

/// Literals that a full window holds beside a copy.
const LITERALS_A_COPY: usize = 3;

/// Bytes that a window holds whole, in scheme 2.
const BYTES_MAX: usize = 7;

/// Output that has to be left for some literals and a copy.
const AMPLE_OUTPUT_BYTES: usize = LITERALS_A_COPY + COPY_BYTES_MAX;

/// Bits of the longest symbol: a copy pointer with a 12-bit match count field.
const SYMBOL_BITS_MAX: u32 = 23;

/// Bits of a control symbol.
const CONTROL_BITS: u32 = 13;

/// Bits of a displacement field, which addresses the history buffer.
const DISPLACEMENT_BITS: u32 = 10;

/// The error of a stream that does not begin with a control symbol.
const NO_CONTROL: DecodeError = DecodeError::BadControl {
    symbol: 0xFF,
    at: 0,
};

/// Why a body is not SLDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The stream ends before END OF RECORD.
    #[error("SLDC stream ends before its end-of-record symbol")]
    Truncated,
    /// The trailer states more clear bytes than the caller accepts.
    #[error("SLDC body of {declared} clear bytes is over the limit of {limit}")]
    TooLarge {
        /// Clear bytes that the trailer states.
        declared: usize,
        /// Clear bytes that the caller accepts.
        limit: usize,
    },
    /// The trailer and the stream disagree.
    #[error("SLDC stream does not hold the {declared} clear bytes that its trailer states")]
    LengthMismatch {
        /// Clear bytes that the trailer states.
        declared: usize,
    },
    /// A copy pointer reaches before the last reset.
    #[error("SLDC copy pointer to bytes that were never written, at clear byte {at}")]
    BadPointer {
        /// Where in the clear data the copy would have gone.
        at: usize,
    },
    /// A reserved control symbol, one of tapes (file mark, end marker), or none where the stream
    /// has to begin with one.
    #[error("SLDC control symbol {symbol:#06b} is not valid at clear byte {at}")]
    BadControl {
        /// The low four bits of the symbol, or 0xFF where a control symbol is missing.
        symbol: u8,
        /// Where in the clear data it stands.
        at: usize,
    },
}

/// The clear length that a body's trailer states, for planning; `None` when there is no trailer, or
/// the body does not begin as a record does, with a control symbol.
#[must_use]
pub fn declared_bytes(body: &[u8]) -> Option<usize> {
    let (0xFF, Some(trailer)) = (*body.first()?, body.last_chunk::<TRAILER_BYTES>()) else {
        return None;
    };
    usize::try_from(u32::from_le_bytes(*trailer)).ok()
}

/// Decodes bodies one after the other into a buffer that it keeps.
#[derive(Debug, Default)]
pub struct Decoder {
    clear: Vec<u8>,
}

impl Decoder {
    /// A decoder that has allocated nothing yet.
    #[must_use]
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Decodes one body: a record and its trailer. What follows END OF RECORD before the trailer
    /// is padding and is not looked at.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLarge`] when the trailer states more than `limit` bytes, before anything
    /// is allocated; the others when the body is not a conforming stream.
    pub fn decode(&mut self, body: &[u8], limit: usize) -> Result<&[u8], DecodeError> {
        let Some(declared) = declared_bytes(body) else {
            return Err(match body.first() {
                Some(0xFF) | None => DecodeError::Truncated,
                Some(_) => NO_CONTROL,
            });
        };
        let stream = &body[..body.len() - TRAILER_BYTES];
        if declared > limit {
            return Err(DecodeError::TooLarge { declared, limit });
        }
        if declared > stream.len().saturating_mul(EXPANSION_MAX) {
            return Err(DecodeError::LengthMismatch { declared });
        }
        // Only grown, never cleared: every byte that is read has been written in this run.
        if self.clear.len() < declared + CHUNK_BYTES {
            self.clear.resize(declared + CHUNK_BYTES, 0);
        }
        let mut record = Record {
            bits: Bits::new(stream),
            clear: &mut self.clear,
            declared,
            position: 0,
            reset_at: 0,
        };
        record.run()?;
        if record.position != declared {
            return Err(DecodeError::LengthMismatch { declared });
        }
        Ok(self.clear.get(..declared).unwrap_or_default())
    }

    /// Bytes of memory held for the next body.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.clear.capacity()
    }

    /// Gives back memory over `keep` bytes, so that one large body does not hold it for ever.
    pub fn shrink(&mut self, keep: usize) {
        if self.clear.len() > keep {
            self.clear.truncate(keep);
            self.clear.shrink_to(keep);
        }
    }
}

/// What the stream does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Scheme1,
    Scheme2,
    End,
}

struct Record<'a> {
    bits: Bits<'a>,
    clear: &'a mut [u8],
    declared: usize,
    /// Where the next clear byte goes.
    position: usize,
    /// Where the history began.
    reset_at: usize,
}

impl Record<'_> {
    fn run(&mut self) -> Result<(), DecodeError> {
        self.bits.refill();
        if self.bits.window >> 55 != 0x1FF {
            return Err(NO_CONTROL);
        }
        let mut next = self.control(None)?;
        loop {
            next = match next {
                Next::Scheme1 => self.scheme_1()?,
                Next::Scheme2 => self.scheme_2()?,
                Next::End => return Ok(()),
            };
        }
    }

    /// Consumes the control symbol at the head of the window.
    fn control(&mut self, scheme: Option<Next>) -> Result<Next, DecodeError> {
        let symbol = ((self.bits.window >> 51) & 0xF) as u8;
        let bad = DecodeError::BadControl {
            symbol,
            at: self.position,
        };
        self.bits.consume(CONTROL_BITS)?;
        match symbol {
            control::SCHEME_1 => Ok(Next::Scheme1),
            control::SCHEME_2 => Ok(Next::Scheme2),
            control::RESET_1 => {
                self.reset_at = self.position;
                Ok(Next::Scheme1)
            }
            control::RESET_2 => {
                self.reset_at = self.position;
                Ok(Next::Scheme2)
            }
            control::END_OF_RECORD => Ok(Next::End),
            control::FLUSH => {
                self.bits.align_32()?;
                scheme.ok_or(bad)
            }
            _ => Err(bad),
        }
    }

    /// Scheme 1 up to the next control symbol.
    fn scheme_1(&mut self) -> Result<Next, DecodeError> {
        loop {
            self.literals_and_copies();
            if self.bits.filled < SYMBOL_BITS_MAX {
                self.bits.refill();
            }
            let window = self.bits.window;
            if window >> 63 == 0 {
                self.bits.consume(LITERAL_BITS)?;
                self.push((window >> 55) as u8)?;
                continue;
            }
            let Some((length, bits)) = match_count(window) else {
                return self.control(Some(Next::Scheme1));
            };
            let address = (window << bits) >> (64 - DISPLACEMENT_BITS);
            self.bits.consume(bits + DISPLACEMENT_BITS)?;
            self.copy(address as usize, length)?;
        }
    }

    /// Scheme 1 for as long as there is ample input and output, and nothing but literals and copies
    /// that lie wholly in the history. Stops before what is something else.
    fn literals_and_copies(&mut self) {
        let mut position = self.position;
        while self.bits.has_words() && self.declared - position >= AMPLE_OUTPUT_BYTES {
            self.bits.refill();
            for _ in 0..LITERALS_A_COPY {
                if self.bits.window >> 63 != 0 {
                    break;
                }
                self.clear[position] = (self.bits.window >> 55) as u8;
                position += 1;
                self.bits.skip(LITERAL_BITS);
            }
            let window = self.bits.window;
            if window >> 63 == 0 {
                continue;
            }
            let Some((length, bits)) = match_count(window) else {
                break;
            };
            let address = (window << bits) >> (64 - DISPLACEMENT_BITS);
            let written = position - self.reset_at;
            let distance = distance(written, address as usize);
            if distance > written || length > distance {
                break;
            }
            self.bits.skip(bits + DISPLACEMENT_BITS);
            copy_apart(self.clear, position, distance, length);
            position += length;
        }
        self.position = position;
    }

    /// Scheme 2 up to the next control symbol: 0xFF is written as nine bits, the last one zero.
    fn scheme_2(&mut self) -> Result<Next, DecodeError> {
        loop {
            self.plain_bytes();
            if self.bits.filled < SYMBOL_BITS_MAX {
                self.bits.refill();
            }
            let byte = (self.bits.window >> 56) as u8;
            if byte != 0xFF {
                self.bits.consume(8)?;
            } else if (self.bits.window >> 55) & 1 == 0 {
                self.bits.consume(9)?;
            } else {
                return self.control(Some(Next::Scheme2));
            }
            self.push(byte)?;
        }
    }

    /// Scheme 2 for as long as there is ample input and output, and no 0xFF.
    fn plain_bytes(&mut self) {
        while self.bits.has_words() && self.declared - self.position >= BYTES_MAX {
            self.bits.refill();
            let window = self.bits.window;
            if has_zero_byte(!window | 0xFF) {
                return;
            }
            let bytes = window.to_be_bytes();
            self.clear[self.position..self.position + bytes.len()].copy_from_slice(&bytes);
            self.position += BYTES_MAX;
            self.bits.skip(8 * BYTES_MAX as u32);
        }
    }

    fn push(&mut self, byte: u8) -> Result<(), DecodeError> {
        if self.position >= self.declared {
            return Err(DecodeError::LengthMismatch {
                declared: self.declared,
            });
        }
        self.clear[self.position] = byte;
        self.position += 1;
        Ok(())
    }

    fn copy(&mut self, address: usize, length: usize) -> Result<(), DecodeError> {
        let written = self.position - self.reset_at;
        let distance = distance(written, address);
        if distance > written {
            return Err(DecodeError::BadPointer { at: self.position });
        }
        if length > self.declared - self.position {
            return Err(DecodeError::LengthMismatch {
                declared: self.declared,
            });
        }
        if length <= distance {
            copy_apart(self.clear, self.position, distance, length);
            self.position += length;
            return Ok(());
        }
        let from = self.position - distance;
        for k in 0..length {
            self.clear[self.position + k] = self.clear[from + k];
        }
        self.position += length;
        Ok(())
    }
}

/// Copies what does not overlap where it goes.
#[inline]
fn copy_apart(clear: &mut [u8], position: usize, distance: usize, length: usize) {
    let from = position - distance;
    if length <= CHUNK_BYTES {
        let mut chunk = [0; CHUNK_BYTES];
        chunk.copy_from_slice(&clear[from..from + CHUNK_BYTES]);
        clear[position..position + CHUNK_BYTES].copy_from_slice(&chunk);
    } else {
        clear.copy_within(from..from + length, position);
    }
}

/// How far back an address lies when so many bytes are written since the reset. Equal addresses
/// mean the oldest byte of the ring, not the one about to be written.
#[inline]
fn distance(written: usize, address: usize) -> usize {
    written.wrapping_sub(address + 1) % HISTORY_BYTES + 1
}

/// Whether one of the eight bytes is zero.
#[inline]
fn has_zero_byte(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;
    word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
}

/// Bytes to copy, and bits of the flag and the match count field at the head of the window; `None`
/// when a control symbol stands there.
#[inline]
fn match_count(window: u64) -> Option<(usize, u32)> {
    let entry = MATCH_COUNTS[((window >> 55) & 0xFF) as usize];
    let long = (window >> 51) as u8 & entry.long;
    (long < 0xF0).then_some((usize::from(entry.length) + usize::from(long), entry.bits))
}

/// The bits of the stream, most significant first.
struct Bits<'a> {
    input: &'a [u8],
    /// The first byte that is not wholly in the window.
    next: usize,
    /// The bits to come, from the top. Below `filled` bits it may hold more of the stream or zeros.
    window: u64,
    /// How many bits of the window are of the stream and counted.
    filled: u32,
}

impl<'a> Bits<'a> {
    fn new(input: &'a [u8]) -> Bits<'a> {
        Bits {
            input,
            next: 0,
            window: 0,
            filled: 0,
        }
    }

    /// Fills the window to at least 56 bits, or with all that is left.
    #[inline]
    fn refill(&mut self) {
        let rest = self.input.get(self.next..).unwrap_or_default();
        if let Some(word) = rest.first_chunk::<8>() {
            self.window |= u64::from_be_bytes(*word) >> self.filled;
            self.next += ((63 - self.filled) >> 3) as usize;
            self.filled |= 56;
            return;
        }
        for byte in rest {
            if self.filled > 56 {
                break;
            }
            self.window |= u64::from(*byte) << 56 >> self.filled;
            self.next += 1;
            self.filled += 8;
        }
    }

    /// Whether a whole word fills the window.
    #[inline]
    fn has_words(&self) -> bool {
        self.input.len().saturating_sub(self.next) >= 8
    }

    /// Goes on behind bits that are known to be there.
    #[inline]
    fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.filled -= bits;
    }

    #[inline]
    fn consume(&mut self, bits: u32) -> Result<(), DecodeError> {
        if bits > self.filled {
            return Err(DecodeError::Truncated);
        }
        self.skip(bits);
        Ok(())
    }

    /// Goes on at the next 32-bit boundary of the stream.
    fn align_32(&mut self) -> Result<(), DecodeError> {
        let consumed = self.next * 8 - self.filled as usize;
        let boundary = consumed.div_ceil(32) * 4;
        if boundary > self.input.len() {
            return Err(DecodeError::Truncated);
        }
        self.next = boundary;
        self.window = 0;
        self.filled = 0;
        self.refill();
        Ok(())
    }
}

/// What the eight bits behind the flag bit of a copy pointer say.
#[derive(Clone, Copy)]
struct MatchCount {
    /// Bytes to copy, or fewest of them.
    length: u8,
    /// Which of the last eight bits of a 12-bit field are added: all, or none of a shorter field.
    long: u8,
    /// Bits of the flag and the match count field.
    bits: u32,
}

/// Match count fields by their first eight bits (ECMA-321 8.4.2).
const MATCH_COUNTS: [MatchCount; 256] = {
    let long = MatchCount {
        length: 32,
        long: 0xFF,
        bits: 13,
    };
    let mut table = [long; 256];
    let mut index = 0;
    while index < 240 {
        let bits = index as u8;
        let (length, bits) = match bits.leading_ones() {
            0 => (2 + ((bits >> 6) & 1), 3),
            1 => (4 + ((bits >> 4) & 3), 5),
            2 => (8 + ((bits >> 2) & 7), 7),
            _ => (16 + (bits & 15), 9),
        };
        table[index] = MatchCount {
            length,
            long: 0,
            bits,
        };
        index += 1;
    }
    table
};
