//! From the bytes of a body to text, and back.
//!
//! Windows sends UTF-16LE with a byte order mark; UTF-8 and UTF-16BE are met too. What cannot be
//! decoded (a lone surrogate, a byte that is not UTF-8) becomes U+FFFD, and its place is kept, so
//! that the events it fell in can be marked and the others not.

use std::ops::Range;

use crate::limits::REPLACEMENTS_LOCATED_MAX;

/// Units converted at a time while they are all ASCII.
const RUN_UNITS: usize = 16;

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Charset {
    /// The charset that a `Content-Type` value names: `application/soap+xml;charset=UTF-16`.
    #[must_use]
    pub fn from_content_type(value: &str) -> Option<Charset> {
        let charset = value.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then_some(value)
        })?;
        let charset = charset.trim().trim_matches('"');
        [
            ("UTF-16", Charset::Utf16Le),
            ("UTF-16LE", Charset::Utf16Le),
            ("UTF-16BE", Charset::Utf16Be),
            ("UTF-8", Charset::Utf8),
        ]
        .into_iter()
        .find_map(|(name, found)| name.eq_ignore_ascii_case(charset).then_some(found))
    }

    /// The `Content-Type` of a SOAP body in this encoding.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Charset::Utf8 => "application/soap+xml;charset=UTF-8",
            Charset::Utf16Le | Charset::Utf16Be => "application/soap+xml;charset=UTF-16",
        }
    }

    /// What the body's first bytes say, then what was declared: a header may be wrong, a byte
    /// order mark and a `<` are not. Also the number of bytes of the mark.
    fn detect(body: &[u8], declared: Option<Charset>) -> (Charset, usize) {
        match body {
            [0xFF, 0xFE, ..] => (Charset::Utf16Le, 2),
            [0xFE, 0xFF, ..] => (Charset::Utf16Be, 2),
            [0xEF, 0xBB, 0xBF, ..] => (Charset::Utf8, 3),
            [b'<', 0, ..] => (Charset::Utf16Le, 0),
            [0, b'<', ..] => (Charset::Utf16Be, 0),
            [b'<', ..] => (Charset::Utf8, 0),
            _ => (declared.unwrap_or(Charset::Utf8), 0),
        }
    }
}

impl Charset {
    /// How many bytes [`encode`] makes of `text`.
    #[must_use]
    pub fn encoded_bytes(self, text: &str) -> usize {
        match self {
            Charset::Utf8 => text.len(),
            Charset::Utf16Le | Charset::Utf16Be => 2 + 2 * text.encode_utf16().count(),
        }
    }
}

/// Bytes of a body in `charset`, with a byte order mark where it is UTF-16.
#[must_use]
pub fn encode(text: &str, charset: Charset) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    let mut body = Vec::with_capacity(text.len() * 2 + 2);
    match charset {
        Charset::Utf8 => body.extend_from_slice(text.as_bytes()),
        Charset::Utf16Le => units.for_each(|unit| body.extend_from_slice(&unit.to_le_bytes())),
        Charset::Utf16Be => units.for_each(|unit| body.extend_from_slice(&unit.to_be_bytes())),
    }
    body
}

/// A decoded body, kept and reused from one body to the next.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
    /// Where U+FFFD stands for something that could not be decoded, in order.
    replaced: Vec<usize>,
    /// From here on replacements were no longer located.
    unlocated_from: Option<usize>,
}

impl Text {
    /// An empty text.
    #[must_use]
    pub fn new() -> Text {
        Text::default()
    }

    /// Decodes `body` in place of what was here. An odd last byte of UTF-16 counts as a unit whose
    /// other byte is missing: in UTF-16LE the character is still there when it is ASCII.
    pub fn decode(&mut self, body: &[u8], declared: Option<Charset>) -> Charset {
        self.replaced.clear();
        self.unlocated_from = None;
        let mut out = std::mem::take(&mut self.text).into_bytes();
        out.clear();
        let (charset, mark) = Charset::detect(body, declared);
        let body = body.get(mark..).unwrap_or_default();
        match charset {
            Charset::Utf8 => self.decode_utf8(body, &mut out),
            Charset::Utf16Le => self.decode_utf16::<0>(body, &mut out),
            Charset::Utf16Be => self.decode_utf16::<1>(body, &mut out),
        }
        self.text = String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        charset
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether something in this byte range of the text could not be decoded.
    #[must_use]
    pub fn is_lossy(&self, range: Range<usize>) -> bool {
        if self.unlocated_from.is_some_and(|from| from < range.end) {
            return true;
        }
        let first = self.replaced.partition_point(|at| *at < range.start);
        self.replaced.get(first).is_some_and(|at| *at < range.end)
    }

    /// Gives back memory over `keep` bytes.
    pub fn shrink(&mut self, keep: usize) {
        if self.text.capacity() > keep {
            self.text.clear();
            self.text.shrink_to(keep);
        }
    }

    fn replace(&mut self, out: &mut Vec<u8>) {
        if self.replaced.len() < REPLACEMENTS_LOCATED_MAX {
            self.replaced.push(out.len());
        } else {
            self.unlocated_from.get_or_insert(out.len());
        }
        out.extend_from_slice("\u{FFFD}".as_bytes());
    }

    fn decode_utf8(&mut self, body: &[u8], out: &mut Vec<u8>) {
        for chunk in body.utf8_chunks() {
            out.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.replace(out);
            }
        }
    }

    /// `LOW` is the index of the low byte in a unit: 0 for UTF-16LE, 1 for UTF-16BE.
    fn decode_utf16<const LOW: usize>(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.reserve(body.len() / 2 + body.len() / 8);
        let mut rest = body;
        loop {
            rest = ascii_runs::<LOW>(rest, out);
            if rest.is_empty() {
                return;
            }
            rest = self.decode_units::<LOW>(rest, out);
        }
    }

    /// Decodes about one run of units one by one; never stops inside a surrogate pair.
    fn decode_units<'a, const LOW: usize>(
        &mut self,
        body: &'a [u8],
        out: &mut Vec<u8>,
    ) -> &'a [u8] {
        let mut rest = body;
        for _ in 0..RUN_UNITS {
            let Some((pair, behind)) = rest.split_first_chunk::<2>() else {
                if let [byte] = rest {
                    let unit = if LOW == 0 { u32::from(*byte) } else { u32::MAX };
                    self.push(unit, out);
                }
                return &[];
            };
            rest = behind;
            let unit = unit_of::<LOW>(*pair);
            let low = rest
                .split_first_chunk::<2>()
                .map(|(pair, behind)| (unit_of::<LOW>(*pair), behind));
            match low {
                Some((low @ 0xDC00..0xE000, behind)) if (0xD800..0xDC00).contains(&unit) => {
                    rest = behind;
                    self.push(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
                }
                _ => self.push(unit, out),
            }
        }
        rest
    }

    /// Appends a code point, or U+FFFD for one that is none.
    fn push(&mut self, code: u32, out: &mut Vec<u8>) {
        match char::from_u32(code) {
            Some(character) => {
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            None => self.replace(out),
        }
    }
}

fn unit_of<const LOW: usize>(pair: [u8; 2]) -> u32 {
    u32::from(pair[LOW]) | u32::from(pair[1 - LOW]) << 8
}

/// Converts whole runs for as long as every unit is ASCII, and returns what is left.
fn ascii_runs<'a, const LOW: usize>(body: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = body;
    while let Some((run, behind)) = rest.split_first_chunk::<{ 2 * RUN_UNITS }>() {
        let mut narrow = [0; RUN_UNITS];
        let mut wide = 0;
        for (index, byte) in narrow.iter_mut().enumerate() {
            *byte = run[2 * index + LOW];
            wide |= (run[2 * index + LOW] & 0x80) | run[2 * index + 1 - LOW];
        }
        if wide != 0 {
            break;
        }
        out.extend_from_slice(&narrow);
        rest = behind;
    }
    rest
}
