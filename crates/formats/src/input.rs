//! Bytes that are read one value after the other.

use crate::guid::Guid;

/// What is left to be read, and how much came before. Nothing reads past the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    taken: usize,
}

/// There is less than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{left} bytes at {at} where {wanted} are needed")]
pub struct Short {
    /// Where.
    pub at: usize,
    /// How much there is.
    pub left: usize,
    /// How much there should be.
    pub wanted: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input {
            rest: bytes,
            taken: 0,
        }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, wanted: usize) -> Result<&'a [u8], Short> {
        let Some((taken, rest)) = self.rest.split_at_checked(wanted) else {
            let (at, left) = (self.taken, self.rest.len());
            return Err(Short { at, left, wanted });
        };
        self.rest = rest;
        self.taken += wanted;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn guid(&mut self) -> Result<Guid, Short> {
        Ok(Guid(self.array()?))
    }

    /// Bytes up to a zero, which is passed over; all that is left where there is none.
    pub(crate) fn until_zero(&mut self) -> &'a [u8] {
        let end = memchr::memchr(0, self.rest).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        self.taken += end + usize::from(!rest.is_empty());
        text
    }

    /// UTF-16 up to a zero, which is passed over; all that is left where there is none.
    pub(crate) fn utf16_until_zero(&mut self) -> String {
        let (pairs, odd) = self.rest.as_chunks::<2>();
        let end = pairs.iter().position(|pair| *pair == [0, 0]);
        let text = utf16(&self.rest[..2 * end.unwrap_or(pairs.len())]);
        let read = end.map_or(self.rest.len() - odd.len(), |end| 2 * end + 2);
        self.rest = &self.rest[read..];
        self.taken += read;
        text
    }
}

/// Text of UTF-16; what is no text becomes U+FFFD, and half a unit at the end is left out.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    let characters = char::decode_utf16(units);
    characters
        .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The moment of a FILETIME: tenths of microseconds since 1601-01-01 UTC (MS-DTYP 2.3.3).
pub(crate) fn filetime(ticks: u64) -> Option<jiff::Timestamp> {
    const UNIX_EPOCH: i128 = 116_444_736_000_000_000;
    let nanoseconds = (i128::from(ticks) - UNIX_EPOCH) * 100;
    jiff::Timestamp::from_nanosecond(nanoseconds).ok()
}
