//! SLDC, the compression of Windows Event Forwarding (MS-WSMV 2.2.9.2, ECMA-321 / ISO/IEC 22091).
//!
//! A body is one encoded record followed by the length of the clear data: four bytes, little-endian.
//! The record is a stream of bits, most significant first, made of data symbols and of 13-bit
//! control symbols. Scheme 1 has literals and copies out of the last 1,024 bytes; scheme 2 is the
//! bytes themselves with 0xFF escaped. What Windows sends starts with RESET 1, uses scheme 1 only
//! and ends with END OF RECORD and zero bits up to a 16-bit boundary.
//!
//! Invariants: [`Decoder`] takes hostile input. It never writes more than the clear length that
//! the trailer states, and believes that length only within the caller's limit and within what the
//! densest possible stream of that size can hold ([`EXPANSION_MAX`]).

mod decode;
mod encode;

pub use decode::{DecodeError, Decoder, declared_bytes};
pub use encode::Encoder;

/// Bytes of history that a copy pointer can reach (ECMA-321 8.2).
const HISTORY_BYTES: usize = 1024;

/// Bytes of the clear length behind the record.
const TRAILER_BYTES: usize = 4;

/// The longest copy: a match count field of 12 bits holds 32 to 271 (ECMA-321 8.4.2).
const COPY_BYTES_MAX: usize = 271;

/// No stream can expand by more than this factor: 271 bytes cost 23 bits.
pub const EXPANSION_MAX: usize = 95;

/// The four bits behind the nine ones that begin a control symbol (ECMA-321 8.5).
mod control {
    pub(super) const FLUSH: u8 = 0b0000;
    pub(super) const SCHEME_1: u8 = 0b0001;
    pub(super) const SCHEME_2: u8 = 0b0010;
    pub(super) const END_OF_RECORD: u8 = 0b0100;
    pub(super) const RESET_1: u8 = 0b0101;
    pub(super) const RESET_2: u8 = 0b0110;
}

#[cfg(test)]
mod tests;
