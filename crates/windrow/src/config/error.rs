//! What is wrong with a configuration, and where: the file, the line, the column, the text itself with a caret under
//! it, what was expected, and the nearest right word.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::output::escape;
use windrow_formats::suggest::nearest;

/// Characters of a line that are shown of a long one.
const EXCERPT_CHARS: usize = 120;

/// A configuration that cannot be used. The program ends with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    place: Option<Box<Place>>,
    expected: Option<String>,
    hint: Option<String>,
}

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    /// The whole line.
    text: String,
    /// How many characters the caret underlines, at least 1.
    width: usize,
}

impl ConfigError {
    /// An error without a place in a file.
    pub(crate) fn new(message: impl Into<String>) -> ConfigError {
        ConfigError {
            message: message.into(),
            place: None,
            expected: None,
            hint: None,
        }
    }

    /// An error at `span` (bytes) of `text`, which was read from `file`.
    pub(crate) fn at(
        message: impl Into<String>,
        file: &Path,
        text: &str,
        span: Range<usize>,
    ) -> ConfigError {
        ConfigError {
            place: Some(Box::new(Place::new(file, text, span))),
            ..ConfigError::new(message)
        }
    }

    /// What the toml crate found, in words of ours.
    pub(crate) fn from_toml(error: &toml::de::Error, file: &Path, text: &str) -> ConfigError {
        let words = Words::from_serde(error.message());
        let span = error.span().unwrap_or(0..0);
        ConfigError {
            message: words.message,
            place: Some(Box::new(Place::new(file, text, span))),
            expected: words.expected,
            hint: words.hint,
        }
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> ConfigError {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> ConfigError {
        self.hint = Some(hint.into());
        self
    }

    /// What would cure it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// All of it in one line, for where the file is none that anybody has written: the line itself, what is wrong with
    /// it, what was expected.
    pub(crate) fn in_words(&self) -> String {
        let line = self.place.as_ref().map(|place| place.excerpt().0);
        let line = line.as_deref().map(str::trim);
        let line = line.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = line.map_or_else(String::new, |line| format!("`{line}`: "));
        let expected = self.expected.as_ref();
        let expected =
            expected.map_or_else(String::new, |expected| format!(", expected {expected}"));
        format!("{line}{}{expected}", self.message)
    }

    /// The message alone, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(place) = &self.place {
            place.fmt(f)?;
        }
        if let Some(expected) = &self.expected {
            let indent = self.place.as_deref().map_or(0, Place::gutter);
            write!(f, "\n{:indent$} = expected {expected}", "")?;
        }
        Ok(())
    }
}

impl Place {
    fn new(file: &Path, text: &str, span: Range<usize>) -> Place {
        let floor = |at: usize| {
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(span.end).clamp(start, line_end);
        Place {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: text[start..end].chars().count().max(1),
        }
    }

    fn gutter(&self) -> usize {
        self.line.to_string().len()
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.gutter();
        let (text, before, width) = self.excerpt();
        // A tab would move the caret: in the text and before the caret it is one space.
        let text = escape(&text.replace('\t', " ")).into_owned();
        write!(
            f,
            "\n{:gutter$}--> {}:{}:{}",
            "",
            self.file.display(),
            self.line,
            self.column
        )?;
        write!(f, "\n{:gutter$} |", "")?;
        write!(f, "\n{} | {text}", self.line)?;
        write!(f, "\n{:gutter$} | {:before$}{:^<width$}", "", "", "",)
    }

    /// The line, or the part of a long one that the caret is about, with how many characters stand before the caret and
    /// how many it underlines.
    fn excerpt(&self) -> (String, usize, usize) {
        let chars = self.text.chars().count();
        let before = self.column - 1;
        if chars <= EXCERPT_CHARS {
            return (self.text.clone(), before, self.width);
        }
        let from = before.saturating_sub(EXCERPT_CHARS / 2);
        let to = chars.min(from + EXCERPT_CHARS);
        let (head, tail) = (
            if from > 0 { "… " } else { "" },
            if to < chars { " …" } else { "" },
        );
        let part: String = self.text.chars().skip(from).take(to - from).collect();
        let before = before - from + head.chars().count();
        let width = self.width.min(to.saturating_sub(self.column - 1)).max(1);
        (format!("{head}{part}{tail}"), before, width)
    }
}

/// A message of serde's, taken apart.
struct Words {
    message: String,
    expected: Option<String>,
    hint: Option<String>,
}

impl Words {
    fn from_serde(message: &str) -> Words {
        let (what, expected) = match message.split_once(", expected ") {
            Some((what, expected)) => (what, Some(expected)),
            None => (message, None),
        };
        let choices: Vec<&str> = expected.map(quoted).unwrap_or_default();
        let choice = match choices.as_slice() {
            [] => None,
            [only] => Some((*only).to_owned()),
            several => Some(format!("one of {}", several.join(", "))),
        };
        if let Some(key) = what.strip_prefix("unknown field ") {
            return Words {
                message: format!("unknown key {key}"),
                hint: did_you_mean(key, &choices),
                expected: choice,
            };
        }
        if let Some(word) = what.strip_prefix("unknown variant ") {
            return Words {
                message: format!("unknown word {word}"),
                hint: did_you_mean(word, &choices),
                expected: choice,
            };
        }
        if let Some(key) = what.strip_prefix("missing field ") {
            return Words {
                message: format!("the key {key} is missing"),
                expected: None,
                hint: None,
            };
        }
        if what == "invalid socket address syntax" {
            return Words {
                message: "this is not an address and port".to_owned(),
                expected: Some("one such as \"127.0.0.1:5986\" or \"[::1]:5986\"".to_owned()),
                hint: None,
            };
        }
        let what = what
            .strip_prefix("invalid type: ")
            .map_or_else(|| what.to_owned(), |found| format!("wrong type: {found}"));
        Words {
            message: what,
            expected: expected.map(plain_type),
            hint: None,
        }
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn did_you_mean(wrong: &str, choices: &[&str]) -> Option<String> {
    nearest(wrong.trim_matches('`'), choices.iter().copied())
        .map(|word| format!("did you mean `{word}`?"))
}

/// Rust's type names mean nothing to an administrator.
fn plain_type(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "string" => "a text in quotes".to_owned(),
        "path string" => "a path in quotes".to_owned(),
        "a sequence" => "a list such as [\"a\", \"b\"]".to_owned(),
        "a map" => "a table".to_owned(),
        "socket address" | "IP socket address" => {
            "an address and port such as \"127.0.0.1:5986\"".to_owned()
        }
        other => other.to_owned(),
    }
}
