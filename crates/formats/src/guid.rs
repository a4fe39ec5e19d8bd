//! The identifiers that Windows gives providers, activities and builds.

use std::fmt;

/// Sixteen bytes, as they lie in files: the first three parts little-endian (MS-DTYP 2.3.4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

/// Where each byte lies that is written, in the order of writing.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl Guid {
    /// The one that stands for none.
    pub const NIL: Guid = Guid([0; 16]);

    /// It, where it stands for something.
    #[must_use]
    pub fn some(self) -> Option<Guid> {
        (self != Guid::NIL).then_some(self)
    }

    /// Reads 32 hexadecimal digits, with hyphens and braces in their places or without.
    #[must_use]
    pub fn read(text: &str) -> Option<Guid> {
        let inner = text
            .strip_prefix('{')
            .map_or(Some(text), |rest| rest.strip_suffix('}'))?;
        let mut digits = [0; 32];
        let mut taken = 0;
        for (place, byte) in inner.bytes().enumerate() {
            if byte == b'-' && [8, 13, 18, 23].contains(&place) {
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            *digits.get_mut(taken)? = digit as u8;
            taken += 1;
        }
        if taken != digits.len() || !matches!(inner.len(), 32 | 36) {
            return None;
        }
        let mut bytes = [0; 16];
        for (pair, place) in digits.chunks_exact(2).zip(ORDER) {
            bytes[place] = pair[0] << 4 | pair[1];
        }
        Some(Guid(bytes))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, place) in ORDER.into_iter().enumerate() {
            if [4, 6, 8, 10].contains(&number) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0[place])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_parts_are_little_endian() {
        let guid = Guid::read("{4F8F06BF-8261-4099-ae5f-07c54bbcfab3}").unwrap();
        assert_eq!(guid.0[..6], [0xbf, 0x06, 0x8f, 0x4f, 0x61, 0x82]);
        assert_eq!(guid.to_string(), "4f8f06bf-8261-4099-ae5f-07c54bbcfab3");
        for wrong in [
            "",
            "{}",
            "4f8f06bf-8261-4099-ae5f-07c54bbcfab",
            "{4f8f06bf-8261-4099-ae5f-07c54bbcfab3",
            "4f8f06bf-8261-4099-ae5f-07c54bbcfab33",
            "4f8f06bf8261-4099-ae5f-07c54bbcfab3",
        ] {
            assert_eq!(Guid::read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn text_and_bytes_are_each_others(bytes: [u8; 16]) {
            let text = Guid(bytes).to_string();
            prop_assert_eq!(Guid::read(&text), Some(Guid(bytes)));
            prop_assert_eq!(Guid::read(&text.replace('-', "")), Some(Guid(bytes)));
        }
    }
}
