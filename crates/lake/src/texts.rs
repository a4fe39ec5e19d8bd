//! The texts of a column, made of bytes that need not be UTF-8.
//!
//! Bytes are checked once, when the column is made: to check each value costs more than to copy it, and nearly all are right.

use arrow::array::StringArray;
use arrow::array::builder::NullBufferBuilder;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// Collects texts. Whoever does sees that they stay below the 2 GiB that a column can address.
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, and where the last one ends.
    offsets: Vec<i32>,
    present: NullBufferBuilder,
}

impl Texts {
    pub(crate) fn new() -> Texts {
        Texts::with_capacity(0, 0)
    }

    fn with_capacity(rows: usize, bytes: usize) -> Texts {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Texts {
            bytes: Vec::with_capacity(bytes),
            offsets,
            present: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    pub(crate) fn append(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => {
                self.bytes.extend_from_slice(text);
                self.present.append_non_null();
            }
            None => self.present.append_null(),
        }
        self.offsets.push(self.bytes.len() as i32);
    }

    /// The texts so far, what is no UTF-8 in them replaced by U+FFFD; there are none after it.
    pub(crate) fn finish(&mut self) -> StringArray {
        // The next ones will be about as many and as long.
        let fresh = Texts::with_capacity(self.offsets.len(), self.bytes.len());
        let mut done = std::mem::replace(self, fresh);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(done.offsets));
        let (bytes, present) = (Buffer::from(done.bytes), done.present.finish());
        let whole = StringArray::try_new(offsets.clone(), bytes.clone(), present.clone());
        whole.unwrap_or_else(|_| {
            let texts = offsets.windows(2).enumerate().map(|(place, ends)| {
                let text = &bytes[ends[0] as usize..ends[1] as usize];
                let is_there = present
                    .as_ref()
                    .is_none_or(|present| present.is_valid(place));
                is_there.then(|| String::from_utf8_lossy(text))
            });
            texts.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[Option<&[u8]>]) -> Vec<Option<String>> {
        let mut texts = Texts::new();
        let mut made = Vec::new();
        // What is left from one column would be seen in the next.
        for _ in 0..2 {
            values.iter().for_each(|value| texts.append(*value));
            let array = texts.finish();
            made = array.iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(made.len(), values.len());
        }
        made
    }

    #[test]
    fn texts_are_as_they_were_given() {
        let values: [Option<&[u8]>; 4] = [Some(b"a"), None, Some(b""), Some("\u{e4}b".as_bytes())];
        let made = column(&values);
        let expected = [Some("a"), None, Some(""), Some("\u{e4}b")];
        assert_eq!(made, expected.map(|text| text.map(str::to_owned)));
        assert_eq!(column(&[]), []);
    }

    #[test]
    fn what_is_no_utf_8_is_replaced_in_its_own_value() {
        let made = column(&[Some(b"a"), Some(b"\xe4b"), None, Some("\u{e4}".as_bytes())]);
        let expected = [Some("a"), Some("\u{fffd}b"), None, Some("\u{e4}")];
        assert_eq!(made, expected.map(|text| text.map(str::to_owned)));
        // Together they were right.
        let made = column(&[Some(b"\xc3"), Some(b"\xa4")]);
        assert_eq!(
            made,
            [Some("\u{fffd}".to_owned()), Some("\u{fffd}".to_owned())]
        );
    }
}
