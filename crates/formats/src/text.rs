//! Text for where it goes: a terminal, a CSV file, a log line.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};

/// Ends a record of CSV (RFC 4180 section 2, rule 1).
pub const CSV_END: &str = "\r\n";

/// Whether a character could move the cursor, hide text or turn its direction: control characters (C0, DEL, C1), line
/// and paragraph separators, bidirectional and invisible format characters.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text in which every hidden character is seen and not obeyed: `\n`, `\t`, `\u{202e}`. A backslash stays as it is,
/// since Windows paths are full of them.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => seen.push_str("\\n"),
            '\r' => seen.push_str("\\r"),
            '\t' => seen.push_str("\\t"),
            _ if is_hidden(character) => {
                // Writing to a String does not fail.
                let _ = write!(seen, "\\u{{{:x}}}", u32::from(character));
            }
            _ => seen.push(character),
        }
    }
    Cow::Owned(seen)
}

/// Appends a field of CSV: quoted where it is empty, holds a comma, a quote or a line break, or has space around it
/// (RFC 4180 section 2, rules 5 to 7). Nothing at all stands for "no value". What begins with `=` stays so: a
/// spreadsheet that runs it runs it here too.
pub fn push_csv(line: &mut String, field: &str) {
    let plain =
        !field.is_empty() && !field.contains(['"', ',', '\n', '\r']) && field.trim() == field;
    if plain {
        line.push_str(field);
        return;
    }
    line.push('"');
    line.push_str(&field.replace('"', "\"\""));
    line.push('"');
}

/// As much of the text, from its beginning, as has at most so many code units in UTF-16.
pub fn utf16_prefix(text: &str, units_max: usize) -> &str {
    // No character has fewer bytes than units.
    if text.len() <= units_max {
        return text;
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > units_max
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// Bytes in hexadecimal, in small letters.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Displays an error and everything that led to it, in one line. What an error has already said
/// of its cause is not said again: libraries do, some of them of every cause down to the last.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// The small letter of a character, where that is one character.
#[must_use]
pub fn fold(character: char) -> char {
    let mut small = character.to_lowercase();
    match (small.next(), small.next()) {
        (Some(small), None) => small,
        _ => character,
    }
}

/// Whether a [folded](fold) pattern means a name, whatever its case: `*` is any characters, `?` is one. When characters stop to fit, the last `*` takes one
/// more of them: what an earlier one took need never be looked at again.
#[must_use]
pub fn glob(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut star = None;
    loop {
        let behind = name.clone();
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                name = behind;
                star = Some((pattern.clone(), name.clone()));
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(wanted), Some(found)) if wanted == fold(found) => continue,
            _ => {}
        }
        let Some((after_star, rest)) = &mut star else {
            return false;
        };
        if rest.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        name = rest.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_seen() {
        assert!(matches!(visible("C:\\Windows\\näh"), Cow::Borrowed(_)));
        assert_eq!(
            visible("a\u{0}b\u{7f}\u{9b}31m"),
            "a\\u{0}b\\u{7f}\\u{9b}31m"
        );
        assert_eq!(visible("a\tb\r\n"), "a\\tb\\r\\n");
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let field = |text: &str| {
            let mut line = String::new();
            push_csv(&mut line, text);
            line
        };
        assert_eq!(field("C:\\new"), "C:\\new");
        assert_eq!(field(""), "\"\"");
        assert_eq!(field("say \"hi\", twice"), "\"say \"\"hi\"\", twice\"");
        assert_eq!(field(" a\r\nb"), "\" a\r\nb\"");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Step {
        text: &'static str,
        source: Option<Box<Step>>,
    }

    fn steps(texts: &[&'static str]) -> Option<Box<Step>> {
        let (text, rest) = texts.split_first()?;
        let source = steps(rest);
        Some(Box::new(Step { text, source }))
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        let shown = |texts: &[&'static str]| {
            let error = steps(texts).unwrap();
            Chain(&*error).to_string()
        };
        assert_eq!(shown(&["a", "b", "c"]), "a: b: c");
        let delta = [
            "cannot write to the lake",
            "Failed to write: Generic error: No space left on device",
            "Generic error: No space left on device",
            "No space left on device",
        ];
        assert_eq!(
            shown(&delta),
            "cannot write to the lake: Failed to write: Generic error: No space left on device"
        );
        assert_eq!(shown(&["a: b", "c", "b"]), "a: b: c: b");
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
