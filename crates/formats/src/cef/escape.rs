//! Escaping of header fields and extension values (CEF rev 27, "Character encoding").
//!
//! Invariants: what is written here holds no line break, no control character and no lone
//! backslash, so a message can neither end early nor start a second one at the receiver, and
//! an extension value cannot start a key of its own.

use super::Tabs;

/// What becomes of a byte. `Lead` bytes start a UTF-8 sequence that may stand for a character
/// a receiver's screen must not obey.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Special,
    Lead,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = Class::Special;
        byte += 1;
    }
    table[0x7F] = Class::Special;
    table[b'\\' as usize] = Class::Special;
    table[0xC2] = Class::Lead; // U+0080..U+00BF
    table[0xD8] = Class::Lead; // U+0600..U+063F
    table[0xE2] = Class::Lead; // U+2000..U+2FFF
    table
}

/// Appends `text` as a header field: `\` and `|` escaped, `=` not. A header has no form for a
/// line break, so CR, LF and TAB become spaces.
pub(super) fn header(text: &str, out: &mut Vec<u8>) {
    escape(text, b'|', out, |byte, out| match byte {
        b'\\' => out.extend_from_slice(br"\\"),
        b'|' => out.extend_from_slice(br"\|"),
        b'\n' | b'\r' | b'\t' => out.push(b' '),
        control => mark(u32::from(control), out),
    });
}

/// Appends `text` as an extension value: `\`, `=`, CR and LF escaped, `|` not.
pub(super) fn value(text: &str, tabs: Tabs, out: &mut Vec<u8>) {
    escape(text, b'=', out, |byte, out| match byte {
        b'\\' => out.extend_from_slice(br"\\"),
        b'=' => out.extend_from_slice(br"\="),
        b'\n' => out.extend_from_slice(br"\n"),
        b'\r' => out.extend_from_slice(br"\r"),
        b'\t' => out.push(match tabs {
            Tabs::Space => b' ',
            Tabs::Keep => b'\t',
        }),
        control => mark(u32::from(control), out),
    });
}

/// Copies runs of plain bytes and hands `reserved` and every special byte to `replace`.
fn escape(text: &str, reserved: u8, out: &mut Vec<u8>, replace: impl Fn(u8, &mut Vec<u8>)) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = plain_ascii(bytes, reserved);
    while let Some(&byte) = bytes.get(at) {
        let class = CLASSES[usize::from(byte)];
        if class == Class::Lead {
            // A lead byte is at a character boundary, so the slice cannot split one.
            let character = text[at..].chars().next().unwrap_or_default();
            if is_deceptive(character) {
                copy(bytes, copied, at, out);
                mark(u32::from(character), out);
                copied = at + character.len_utf8();
            }
            at += character.len_utf8();
            continue;
        }
        if class == Class::Special || byte == reserved {
            copy(bytes, copied, at, out);
            replace(byte, out);
            copied = at + 1;
        }
        at += 1;
        if byte.is_ascii() {
            at += plain_ascii(&bytes[at..], reserved);
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Appends `bytes[from..to]`. Between line breaks and tabs of a rendered message lie a few
/// bytes, and copying sixteen of which some are taken back is cheaper than a call.
#[inline]
fn copy(bytes: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
    match bytes[from..].first_chunk::<16>() {
        Some(chunk) if to - from <= chunk.len() => {
            let end = out.len() + (to - from);
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&bytes[from..to]),
    }
}

/// How many bytes from the start are ASCII and stay as they are. Most values are short and
/// plain all through, so they are looked at eight bytes at a time.
#[inline]
fn plain_ascii(bytes: &[u8], reserved: u8) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let odd = odd_bytes(u64::from_le_bytes(*word), reserved);
        if odd != 0 {
            return place * 8 + first_byte(odd);
        }
    }
    let odd = match (
        bytes.last_chunk::<8>(),
        rest.first_chunk::<4>(),
        rest.last_chunk::<4>(),
    ) {
        // The bytes before the rest are shifted out.
        (Some(last), ..) => {
            let odd = odd_bytes(u64::from_le_bytes(*last), reserved);
            odd.checked_shr(64 - 8 * rest.len() as u32).unwrap_or(0)
        }
        (None, Some(head), Some(tail)) => {
            let tail = u64::from(u32::from_le_bytes(*tail)) << (8 * (rest.len() - 4));
            odd_bytes(u64::from(u32::from_le_bytes(*head)) | tail, reserved)
        }
        _ => {
            let word = rest
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte));
            odd_bytes(word, reserved)
        }
    };
    bytes.len().min(words.len() * 8 + first_byte(odd))
}

/// The highest bit of each byte that is `reserved`, special or not ASCII. Bytes after the
/// first such one may be marked without reason: a borrow runs upwards.
#[inline]
fn odd_bytes(word: u64, reserved: u8) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let controls = word.wrapping_sub(ONES * 0x20);
    let delete = word.wrapping_add(ONES);
    let is = |byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES);
    (word | controls | delete | is(b'\\') | is(reserved)) & HIGH
}

/// The place of the first byte that is marked; 8 if none is.
#[inline]
fn first_byte(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Characters that show a reader something else than what is there, or that some receivers
/// take for a line end: C1 controls, bidirectional marks, overrides and isolates (Unicode
/// UAX #9), line and paragraph separators.
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9F}'
            | '\u{61C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// Writes the character's name instead of the character: it stays evidence, and is harmless.
fn mark(code: u32, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"<U+");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[(code >> shift & 0xF) as usize]);
    }
    out.push(b'>');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_escaped_as_its_characters_are(text in r"(.|[ -~]{1,20}|[\x00-\xFF\u{2020}-\u{2070}]){0,8}") {
            let mut whole = Vec::new();
            let mut parts = Vec::new();
            value(&text, Tabs::Space, &mut whole);
            header(&text, &mut whole);
            for escape in [|part: &str, out: &mut Vec<u8>| value(part, Tabs::Space, out), header] {
                text.char_indices().for_each(|(at, character)| {
                    escape(&text[at..at + character.len_utf8()], &mut parts);
                });
            }
            prop_assert_eq!(String::from_utf8(whole), String::from_utf8(parts));
        }
    }

    #[test]
    fn every_byte_at_every_place_is_found() {
        for len in 1..=25 {
            for place in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; len];
                    bytes[place] = byte;
                    let is_plain = byte.is_ascii()
                        && byte != b'='
                        && CLASSES[usize::from(byte)] == Class::Plain;
                    let expected = if is_plain { len } else { place };
                    assert_eq!(
                        plain_ascii(&bytes, b'='),
                        expected,
                        "{byte} at {place} of {len}"
                    );
                }
            }
        }
    }
}
