//! The Distinguished Encoding Rules of ASN.1 (X.690), as far as Kerberos and SPNEGO need them.

use super::Malformed;

/// Tags of the universal class.
pub mod tag {
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// GeneralizedTime.
    pub const TIME: u8 = 0x18;
    /// GeneralString.
    pub const STRING: u8 = 0x1b;
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;

    /// `[number]`, explicit.
    #[must_use]
    pub const fn context(number: u8) -> u8 {
        0xa0 | number
    }

    /// `[APPLICATION number]`.
    #[must_use]
    pub const fn application(number: u8) -> u8 {
        0x60 | number
    }
}

/// Reads one value after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which are called `what` in errors.
    #[must_use]
    pub fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { rest: bytes, what }
    }

    /// The error of what is read here.
    #[must_use]
    pub fn malformed(&self) -> Malformed {
        Malformed { what: self.what }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Tag and content of the next value.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let [tag, first, after @ ..] = self.rest else {
            return Err(self.malformed());
        };
        let (length, rest) = match *first {
            short @ ..=0x7f => (usize::from(short), after),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = after
                    .split_at_checked(usize::from(long & 0x7f))
                    .ok_or(self.malformed())?;
                let length = bytes
                    .iter()
                    .fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
                (usize::try_from(length).map_err(|_| self.malformed())?, rest)
            }
            _ => return Err(self.malformed()),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(self.malformed())?;
        self.rest = rest;
        Ok((*tag, content))
    }

    /// The next value, which has to be of `tag`.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn value(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(self.malformed()),
        }
    }

    /// What is in the next value, which has to be of `tag`.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn inner(&mut self, tag: u8) -> Result<Reader<'a>, Malformed> {
        Ok(Reader::new(self.value(tag)?, self.what))
    }

    /// What is in the next value where that is of `tag`; else nothing is read.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn optional(&mut self, tag: u8) -> Result<Option<Reader<'a>>, Malformed> {
        match self.rest.first() {
            Some(found) if *found == tag => self.inner(tag).map(Some),
            _ => Ok(None),
        }
    }

    /// The value in `[number]`.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn field(&mut self, number: u8, tag: u8) -> Result<&'a [u8], Malformed> {
        self.inner(tag::context(number))?.value(tag)
    }

    /// The number in `[number]`.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn int_field(&mut self, number: u8) -> Result<i64, Malformed> {
        self.inner(tag::context(number))?.int()
    }

    /// The number in `[number]`, if that is there.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn optional_int(&mut self, number: u8) -> Result<Option<i64>, Malformed> {
        let field = self.optional(tag::context(number))?;
        field.map(|mut field| field.int()).transpose()
    }

    /// A number of at most eight bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn int(&mut self) -> Result<i64, Malformed> {
        let content = self.value(tag::INTEGER)?;
        let (Some(first), ..=8) = (content.first(), content.len()) else {
            return Err(self.malformed());
        };
        let sign = if first & 0x80 == 0 { 0 } else { -1_i64 };
        Ok(content
            .iter()
            .fold(sign, |number, byte| number << 8 | i64::from(*byte)))
    }

    /// 32 flags, the first of which is the highest bit.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn flags(&mut self) -> Result<u32, Malformed> {
        let content = self.value(tag::BIT_STRING)?;
        let [_unused, bits @ ..] = content else {
            return Err(self.malformed());
        };
        let mut flags = [0; 4];
        for (flag, bit) in flags.iter_mut().zip(bits) {
            *flag = *bit;
        }
        Ok(u32::from_be_bytes(flags))
    }
}

/// Writes values, inner ones first.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What `write` writes, in a value of `tag`.
    #[must_use]
    pub fn build(tag: u8, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.nest(tag, write);
        writer.bytes
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A value.
    pub fn value(&mut self, tag: u8, content: &[u8]) {
        self.bytes.push(tag);
        let length = content.len().to_be_bytes();
        let skip = length.iter().take_while(|byte| **byte == 0).count();
        match content.len() {
            short @ ..=0x7f => self.bytes.push(short as u8),
            _ => {
                self.bytes.push(0x80 | (length.len() - skip) as u8);
                self.bytes.extend_from_slice(&length[skip..]);
            }
        }
        self.bytes.extend_from_slice(content);
    }

    /// What is encoded already.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.bytes.extend_from_slice(encoded);
    }

    /// A value with values in it.
    pub fn nest(&mut self, tag: u8, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.value(tag, &inner.bytes);
    }

    /// `[number]` with a value in it.
    pub fn field(&mut self, number: u8, tag: u8, content: &[u8]) {
        self.nest(tag::context(number), |field| field.value(tag, content));
    }

    /// `[number]` with what is encoded already.
    pub fn raw_field(&mut self, number: u8, encoded: &[u8]) {
        self.value(tag::context(number), encoded);
    }

    /// `[number]` with a number.
    pub fn int_field(&mut self, number: u8, value: i64) {
        self.nest(tag::context(number), |field| field.int(value));
    }

    /// A number, in as few bytes as it needs.
    pub fn int(&mut self, value: i64) {
        let bytes = value.to_be_bytes();
        let needless = bytes
            .windows(2)
            .take_while(|pair| {
                (pair[0] == 0 && pair[1] & 0x80 == 0) || (pair[0] == 0xff && pair[1] & 0x80 != 0)
            })
            .count();
        self.value(tag::INTEGER, &bytes[needless..]);
    }

    /// `[number]` with 32 flags.
    pub fn flags_field(&mut self, number: u8, flags: u32) {
        let [a, b, c, d] = flags.to_be_bytes();
        self.field(number, tag::BIT_STRING, &[0, a, b, c, d]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<i64>(), small in -200_i64..70_000, size in 0_usize..70_000) {
            let content = vec![7; size];
            let bytes = Writer::build(tag::SEQUENCE, |writer| {
                writer.int_field(0, number);
                writer.int_field(1, small);
                writer.field(3, tag::OCTET_STRING, &content);
            });
            let mut reader = Reader::new(&bytes, "it").inner(tag::SEQUENCE).unwrap();
            prop_assert_eq!(reader.int_field(0).unwrap(), number);
            prop_assert_eq!(reader.optional_int(1).unwrap(), Some(small));
            prop_assert_eq!(reader.optional_int(2).unwrap(), None);
            prop_assert_eq!(reader.field(3, tag::OCTET_STRING).unwrap(), &content[..]);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes, "it");
            while let Ok((_, content)) = reader.any() {
                prop_assert!(content.len() <= bytes.len());
            }
        }
    }
}
