//! Where a value lies in the Event's text, and how it is turned into the value.
//!
//! A span never changes the text: what needs decoding is decoded when somebody asks.

use std::borrow::Cow;

use memchr::memchr2;

use super::pieces::{Pieces, is_made_of};
use super::scan::byte_hits;

/// A stretch of the Event's text: byte offset, byte length, and whether the value is the
/// stretch itself or has entities, CDATA, comments or processing instructions in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    offset: u32,
    /// Length in the upper 31 bits, "needs decoding" in the lowest.
    len_and_kind: u32,
}

impl Span {
    /// Stands for a value that the Event does not have.
    pub(crate) const NONE: Span = Span {
        offset: u32::MAX,
        len_and_kind: 0,
    };

    /// `start <= end`, both below [`crate::limits::EVENT_TEXT_BYTES_MAX`]: the parser and
    /// the decoder check the text's length before they make a span.
    #[inline]
    pub(crate) fn new(start: usize, end: usize, needs_decoding: bool) -> Self {
        let len = (end - start) as u32;
        Self {
            offset: start as u32,
            len_and_kind: len << 1 | u32::from(needs_decoding),
        }
    }

    #[inline]
    pub(crate) fn from_parts(offset: u32, len_and_kind: u32) -> Self {
        Self {
            offset,
            len_and_kind,
        }
    }

    #[inline]
    pub(crate) fn is_some(self) -> bool {
        self.offset != u32::MAX
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        self.offset as usize
    }

    #[inline]
    pub(crate) fn end(self) -> usize {
        self.offset as usize + (self.len_and_kind >> 1) as usize
    }

    #[inline]
    pub(crate) fn len_and_kind(self) -> u32 {
        self.len_and_kind
    }

    #[inline]
    fn needs_decoding(self) -> bool {
        self.len_and_kind & 1 == 1
    }

    /// The stretch as it stands in the text; empty when the span is not of this text.
    #[inline]
    pub(crate) fn raw(self, text: &str) -> &str {
        text.get(self.start()..self.end()).unwrap_or("")
    }

    /// The value.
    #[inline]
    pub(crate) fn value(self, text: &str) -> Cow<'_, str> {
        let raw = self.raw(text);
        if self.needs_decoding() {
            decode(raw)
        } else {
            Cow::Borrowed(raw)
        }
    }

    /// Whether the value is this one, without making it.
    #[inline]
    pub(crate) fn equals(self, text: &str, wanted: &str) -> bool {
        let raw = self.raw(text);
        if !self.needs_decoding() {
            return raw == wanted;
        }
        is_made_of(raw, wanted, |one, other| one == other)
    }

    /// The same without regard to the case of ASCII letters.
    #[inline]
    pub(crate) fn equals_ignore_case(self, text: &str, wanted: &str) -> bool {
        let raw = self.raw(text);
        if !self.needs_decoding() {
            return raw.eq_ignore_ascii_case(wanted);
        }
        is_made_of(raw, wanted, |one, other| one.eq_ignore_ascii_case(other))
    }

    /// The value, if it needs no decoding or fits the buffer.
    #[inline]
    pub(crate) fn short_value<'v>(self, text: &'v str, buffer: &'v mut [u8]) -> Option<&'v str> {
        let raw = self.raw(text);
        if !self.needs_decoding() {
            return Some(raw);
        }
        let mut len = 0;
        for piece in Pieces(raw) {
            let mut utf8 = [0; 4];
            let piece = piece.as_str(&mut utf8).as_bytes();
            buffer
                .get_mut(len..len + piece.len())?
                .copy_from_slice(piece);
            len += piece.len();
        }
        str::from_utf8(&buffer[..len]).ok()
    }

    /// The value, or `None` for [`Span::NONE`].
    #[inline]
    pub(crate) fn optional_value(self, text: &str) -> Option<Cow<'_, str>> {
        self.is_some().then(|| self.value(text))
    }
}

/// Resolves the five predefined entities and character references, unwraps CDATA, leaves
/// out comments and processing instructions (XML 1.0, 2.4 to 2.7, 4.1 and 4.6). What is
/// none of these stays as it is: a bare ampersand is common in events and no reason to
/// lose the value.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let Some(mut at) = memchr2(b'&', b'<', bytes) else {
        return Cow::Borrowed(raw);
    };
    let mut value = String::with_capacity(raw.len());
    let mut copied = 0;
    loop {
        value.push_str(&raw[copied..at]);
        copied = at
            + if bytes[at] == b'&' {
                let (character, used) = reference(&raw[at..]);
                value.push(character);
                used
            } else {
                let (text, used) = section(&raw[at..]);
                value.push_str(text);
                used
            };
        match next_markup(&bytes[copied..]) {
            Some(plain) => at = copied + plain,
            None => break,
        }
    }
    value.push_str(&raw[copied..]);
    Cow::Owned(value)
}

/// How many bytes of plain text come before the next `&` or `<`. In rendered messages
/// references come in runs and a word apart, so the first words are looked at here and only
/// what is longer is worth a call.
#[inline]
pub(super) fn next_markup(bytes: &[u8]) -> Option<usize> {
    const NEAR_WORDS: usize = 4;
    if matches!(bytes.first(), Some(b'&' | b'<')) {
        return Some(0);
    }
    let (words, _) = bytes.as_chunks::<8>();
    let near = &words[..words.len().min(NEAR_WORDS)];
    for (place, word) in near.iter().enumerate() {
        let hits = byte_hits(*word, b'&') | byte_hits(*word, b'<');
        if hits != 0 {
            return Some(place * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let seen = near.len() * 8;
    memchr2(b'&', b'<', &bytes[seen..]).map(|at| seen + at)
}

/// Longest reference worth looking at: `&#x0010FFFF;` has 12 bytes.
const REFERENCE_BYTES_MAX: usize = 16;

/// What the reference at the start of `rest` stands for, and the bytes it takes.
#[inline]
pub(super) fn reference(rest: &str) -> (char, usize) {
    // What rendered messages are full of.
    match rest.as_bytes() {
        [_, b'#', b'1', b'3', b';', ..] => ('\r', 5),
        [_, b'#', b'1', b'0', b';', ..] => ('\n', 5),
        [_, b'#', b'9', b';', ..] => ('\t', 4),
        [_, b'#', b'x', b'D' | b'd', b';', ..] => ('\r', 5),
        [_, b'#', b'x', b'A' | b'a', b';', ..] => ('\n', 5),
        [_, b'#', b'x', b'9', b';', ..] => ('\t', 5),
        [_, b'l', b't', b';', ..] => ('<', 4),
        [_, b'g', b't', b';', ..] => ('>', 4),
        [_, b'a', b'm', b'p', b';', ..] => ('&', 5),
        [_, b'q', b'u', b'o', b't', b';', ..] => ('"', 6),
        [_, b'a', b'p', b'o', b's', b';', ..] => ('\'', 6),
        // A bare ampersand stands for itself.
        _ => rare_reference(rest).unwrap_or(('&', 1)),
    }
}

/// Any other character reference at the start of `rest`, and its length.
fn rare_reference(rest: &str) -> Option<(char, usize)> {
    let window = &rest.as_bytes()[..rest.len().min(REFERENCE_BYTES_MAX)];
    let semicolon = window.iter().position(|&byte| byte == b';')?;
    let character = character_reference(&rest[1..semicolon])?;
    Some((character, semicolon + 1))
}

/// `#13` and `#xD`. Control characters are let through, U+0000 is not.
fn character_reference(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code).filter(|&character| character != '\0')
}

/// What CDATA, a comment or a processing instruction at the start of `rest` adds to the
/// value, and the bytes it takes; anything else is an ordinary less-than sign.
pub(super) fn section(rest: &str) -> (&str, usize) {
    if let Some(body) = rest.strip_prefix("<![CDATA[") {
        let len = body.find("]]>").unwrap_or(body.len());
        let used = (rest.len() - body.len() + len + 3).min(rest.len());
        return (&body[..len], used);
    }
    let end = if let Some(body) = rest.strip_prefix("<!--") {
        body.find("-->").map(|at| at + 7)
    } else if rest.starts_with("<?") {
        rest.find("?>").map(|at| at + 2)
    } else {
        return (&rest[..1], 1);
    };
    ("", end.unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One reference or section after the other, by the letter of the specification.
    fn decode_slowly(raw: &str) -> String {
        let mut value = String::new();
        let mut rest = raw;
        while let Some(character) = rest.chars().next() {
            let reference = rest
                .strip_prefix('&')
                .and_then(|body| body.split_once(';'))
                .filter(|(name, _)| name.len() < REFERENCE_BYTES_MAX - 1)
                .and_then(|(name, after)| Some((named(name)?, after)));
            if let Some((character, after)) = reference {
                value.push(character);
                rest = after;
            } else if character == '<' {
                let (text, used) = section(rest);
                value.push_str(text);
                rest = &rest[used..];
            } else {
                value.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        value
    }

    fn named(name: &str) -> Option<char> {
        Some(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            other => return character_reference(other),
        })
    }

    proptest! {
        #[test]
        fn runs_are_decoded_as_single_references_are(
            raw in r"([a-zé\]>]{0,40}|&(#9|#x9|#10|#xA|#13|#xd|lt|gt|amp|quot|apos|#x[0-9a-f]{1,6}|#[0-9]{1,7}|x{0,20});?|<(!--|\!\[CDATA\[|\?)?|&){0,12}",
        ) {
            prop_assert_eq!(decode(&raw).into_owned(), decode_slowly(&raw));
            prop_assert!(is_made_of(&raw, &decode_slowly(&raw), |one, other| one == other));
        }
    }

    #[test]
    fn references_and_sections_are_decoded() {
        for (raw, value) in [
            ("", ""),
            ("plain", "plain"),
            ("a &lt;b&gt; &amp;amp; &quot;&apos;", "a <b> &amp; \"'"),
            ("&#13;&#xA;&#x1F600;", "\r\n\u{1F600}"),
            ("&#1;", "\u{1}"),
            ("&#0;&#xD800;&nbsp;&", "&#0;&#xD800;&nbsp;&"),
            ("USB\\VID_04F3&PID_012D&0;", "USB\\VID_04F3&PID_012D&0;"),
            (
                "&\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}",
                "&\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}",
            ),
            ("a<![CDATA[<&amp;>]]>b<!-- & -->c<?x ?>d", "a<&amp;>bcd"),
            ("<![CDATA[open", "open"),
            ("<![CDATA[a]]", "a]]"),
            ("a<!-- open", "a"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(decode(raw), value, "{raw}");
        }
    }
    #[test]
    fn values_are_compared_without_making_them() {
        let text = "ab&lt;<![CDATA[C]]>&#228;";
        let span = Span::new(0, text.len(), true);
        assert!(span.equals(text, "ab<Cä"));
        assert!(span.equals_ignore_case(text, "AB<cä"));
        for other in ["ab<C", "ab<Cä ", "ab<cä", "", "ab&lt;"] {
            assert!(!span.equals(text, other), "{other}");
        }
        let mut buffer = [0; 8];
        assert_eq!(span.short_value(text, &mut buffer[..6]), Some("ab<Cä"));
        assert_eq!(span.short_value(text, &mut buffer[..5]), None);
        let plain = Span::new(0, 2, false);
        assert_eq!(plain.short_value(text, &mut []), Some("ab"));
        assert!(plain.equals(text, "ab") && !plain.equals(text, "AB"));
    }
}
