//! Escaping of header fields and extension values (CEF rev 27, "Character encoding").
//!
//! Invariants: what is written here holds no line break, no control character and no lone
//! backslash, so a message can neither end early nor start a second one at the receiver, and
//! an extension value cannot start a key of its own.

use super::Tabs;

/// What a byte may need in a header field or a value. `Lead` bytes start a UTF-8 sequence
/// that may stand for a character a receiver's screen must not obey.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Pipe,
    Equals,
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
    table[b'|' as usize] = Class::Pipe;
    table[b'=' as usize] = Class::Equals;
    table[0xC2] = Class::Lead; // U+0080..U+00BF
    table[0xD8] = Class::Lead; // U+0600..U+063F
    table[0xE2] = Class::Lead; // U+2000..U+2FFF
    table
}

/// Appends `text` as a header field: `\` and `|` escaped, `=` not. A header has no form for a
/// line break, so CR, LF and TAB become spaces.
pub(super) fn header(text: &str, out: &mut Vec<u8>) {
    escape(text, Class::Pipe, out, |byte, out| match byte {
        b'\\' => out.extend_from_slice(br"\\"),
        b'|' => out.extend_from_slice(br"\|"),
        b'\n' | b'\r' | b'\t' => out.push(b' '),
        control => mark(u32::from(control), out),
    });
}

/// Appends `text` as an extension value: `\`, `=`, CR and LF escaped, `|` not.
pub(super) fn value(text: &str, tabs: Tabs, out: &mut Vec<u8>) {
    escape(text, Class::Equals, out, |byte, out| match byte {
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

/// Copies runs of plain bytes and hands each other one to `replace`.
fn escape(text: &str, reserved: Class, out: &mut Vec<u8>, replace: impl Fn(u8, &mut Vec<u8>)) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let class = CLASSES[usize::from(bytes[at])];
        if class == Class::Plain {
            at += 1;
            continue;
        }
        if class == Class::Lead {
            // A lead byte is at a character boundary, so the slice cannot split one.
            let character = text[at..].chars().next().unwrap_or_default();
            if is_deceptive(character) {
                out.extend_from_slice(&bytes[copied..at]);
                mark(u32::from(character), out);
                copied = at + character.len_utf8();
            }
            at += character.len_utf8();
            continue;
        }
        if class == Class::Special || class == reserved {
            out.extend_from_slice(&bytes[copied..at]);
            replace(bytes[at], out);
            copied = at + 1;
        }
        at += 1;
    }
    out.extend_from_slice(&bytes[copied..]);
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
