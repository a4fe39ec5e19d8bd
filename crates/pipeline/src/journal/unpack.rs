//! Stored bodies decoded one after the other, in memory that is used again.

use std::fmt;

use bytes::{Bytes, BytesMut};
use zstd::bulk::Decompressor;

use super::frame::{BodyError, Encoding, Header};

/// Decoded bodies lie behind one another in rooms of this size: a cursor's fetch and its last
/// frame, unless that is a large one.
const ROOM_BYTES: usize = 2 << 20;

/// Decodes bodies. A fresh room or decompressor for each would cost more than decoding it:
/// both are large enough to be mapped from the system, page by page.
#[derive(Default)]
pub(super) struct Unpacker {
    decompressor: Option<Decompressor<'static>>,
    room: BytesMut,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    /// Decodes a stored body.
    pub(super) fn unpack(&mut self, header: &Header, stored: &[u8]) -> Result<Bytes, BodyError> {
        let raw_bytes = header.raw_bytes as usize;
        self.make_room(raw_bytes);
        match header.encoding {
            Encoding::Plain => self.room.extend_from_slice(stored),
            Encoding::Zstd => {
                self.room.resize(raw_bytes, 0);
                let written = self.decompress(stored)?;
                self.room.truncate(written);
            }
        }
        let raw = self.room.split().freeze();
        if raw.len() == raw_bytes {
            Ok(raw)
        } else {
            Err(BodyError::Malformed)
        }
    }

    /// Begins the room again when nobody reads from it any more, and leaves it to its readers
    /// when it is full.
    fn make_room(&mut self, raw_bytes: usize) {
        self.room.clear();
        let whole = raw_bytes.max(ROOM_BYTES);
        if !self.room.try_reclaim(whole) && self.room.capacity() < raw_bytes {
            self.room = BytesMut::with_capacity(whole);
        }
    }

    fn decompress(&mut self, stored: &[u8]) -> Result<usize, BodyError> {
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            None => self
                .decompressor
                .insert(Decompressor::new().map_err(BodyError::Zstd)?),
        };
        decompressor
            .decompress_to_buffer(stored, &mut self.room[..])
            .map_err(BodyError::Zstd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(unpacker: &mut Unpacker, raw: &[u8]) -> Bytes {
        let stored = zstd::bulk::compress(raw, 1).unwrap();
        let header = Header {
            encoding: Encoding::Zstd,
            stored_bytes: stored.len() as u32,
            raw_bytes: raw.len() as u32,
            ..Header::of_decoded(1, 1, 1, 0)
        };
        unpacker.unpack(&header, &stored).unwrap()
    }

    #[test]
    fn memory_is_used_again_only_when_nobody_reads_from_it() {
        let mut unpacker = Unpacker::default();
        let kept = unpack(&mut unpacker, &[b'a'; 1000]);
        for byte in 0..=u8::MAX {
            assert_eq!(unpack(&mut unpacker, &[byte; 100_000]), [byte; 100_000][..]);
        }
        assert_eq!(kept, [b'a'; 1000][..]);
        drop(kept);
        let first = unpack(&mut unpacker, &[b'c'; 1000]).as_ptr();
        assert_eq!(unpack(&mut unpacker, &[b'd'; 1000]).as_ptr(), first);
    }

    #[test]
    fn a_body_larger_than_a_room_is_decoded_too() {
        let mut unpacker = Unpacker::default();
        for raw_bytes in [ROOM_BYTES + 1, 10, 3 * ROOM_BYTES, ROOM_BYTES, 0] {
            let raw = vec![b'x'; raw_bytes];
            assert_eq!(unpack(&mut unpacker, &raw), raw);
        }
    }

    #[test]
    fn a_body_of_another_length_than_its_header_says_is_refused() {
        let mut unpacker = Unpacker::default();
        let stored = zstd::bulk::compress(&[b'x'; 100], 1).unwrap();
        for raw_bytes in [99, 101] {
            let header = Header {
                encoding: Encoding::Zstd,
                raw_bytes,
                ..Header::of_decoded(1, 1, 1, 0)
            };
            assert!(unpacker.unpack(&header, &stored).is_err());
        }
        assert_eq!(unpack(&mut unpacker, b"next"), b"next"[..]);
    }
}
