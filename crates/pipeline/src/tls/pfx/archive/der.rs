//! The Distinguished Encoding Rules of ASN.1 (X.690), as far as PFX files need them: a value at a
//! time, each within the one around it.

use super::error::PfxError;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, primitive.
pub(super) const CONTEXT_0: u8 = 0x80;
/// `[0]`, with a value inside.
pub(super) const EXPLICIT_0: u8 = 0xa0;

/// Reads one value after the other.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// What is read, for errors.
    place: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], place: &'static str) -> Reader<'a> {
        Reader { rest: bytes, place }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn damaged(&self) -> PfxError {
        PfxError::Damaged { place: self.place }
    }

    /// The next value's tag, nothing at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, whatever it is: tag and content.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), PfxError> {
        let (tag, length, head) = self.head()?;
        let end = head.checked_add(length).ok_or(self.damaged())?;
        let content = self.rest.get(head..end).ok_or(self.damaged())?;
        self.rest = &self.rest[end..];
        Ok((tag, content))
    }

    /// The next value with its tag and length.
    pub(super) fn whole(&mut self) -> Result<&'a [u8], PfxError> {
        let before = self.rest;
        self.any()?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Tag and length of the next value, and where its content begins.
    pub(super) fn head(&self) -> Result<(u8, usize, usize), PfxError> {
        let [tag, first, after @ ..] = self.rest else {
            return Err(self.damaged());
        };
        match *first {
            0x80 => Err(PfxError::IndefiniteLengths),
            short @ ..0x80 => Ok((*tag, usize::from(short), 2)),
            long => {
                let count = usize::from(long & 0x7f);
                let bytes = after.get(..count).filter(|_| count <= 4);
                let bytes = bytes.ok_or(self.damaged())?;
                let length = bytes
                    .iter()
                    .fold(0, |length: u64, byte| length << 8 | u64::from(*byte));
                let length = usize::try_from(length).map_err(|_| self.damaged())?;
                Ok((*tag, length, 2 + count))
            }
        }
    }

    /// The content of the next value, which has to be of `tag`.
    pub(super) fn value(&mut self, tag: u8) -> Result<&'a [u8], PfxError> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            // The same in parts, which only BER allows.
            (found, _) if found == tag | 0x20 => Err(PfxError::IndefiniteLengths),
            _ => Err(self.damaged()),
        }
    }

    /// What is in the next value, which has to be of `tag`.
    pub(super) fn inner(&mut self, tag: u8) -> Result<Reader<'a>, PfxError> {
        let place = self.place;
        Ok(Reader::new(self.value(tag)?, place))
    }

    /// A number from 0 to 2^63.
    pub(super) fn number(&mut self) -> Result<u64, PfxError> {
        let content = self.value(INTEGER)?;
        let [first, ..] = content else {
            return Err(self.damaged());
        };
        if content.len() > 8 || first & 0x80 != 0 {
            return Err(self.damaged());
        }
        Ok(content
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// An object identifier as people write it, of a reasonable length.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc: u64 = 0;
    for byte in oid.iter().take(32) {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.extend([first, arc - 40 * first]);
            } else {
                arcs.push(arc);
            }
            arc = 0;
        }
    }
    let arcs: Vec<String> = arcs.iter().map(ToString::to_string).collect();
    arcs.join(".")
}
