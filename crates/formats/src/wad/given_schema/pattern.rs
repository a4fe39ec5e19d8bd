//! Patterns of XML Schema as those of the regex crate, whose time is bounded whatever the pattern says.

use regex::{Regex, RegexBuilder};

use super::Repair;

/// Memory of one pattern that was compiled, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What a value has to be, and what it must not end with.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// As it stands in the schema.
    pub(super) text: String,
    whole: Regex,
    not_at_end: Option<Regex>,
}

impl Pattern {
    /// Reads a pattern, and says what was repaired in it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(text: &str) -> Result<(Pattern, Vec<Repair>), Repair> {
        let mut repairs = Vec::new();
        let mut pattern = text;
        let bare = pattern.strip_prefix('^').unwrap_or(pattern);
        let is_escaped = bare.ends_with("\\$");
        let bare = match bare.strip_suffix('$') {
            Some(without) if !is_escaped => without,
            _ => bare,
        };
        if bare.len() < pattern.len() {
            repairs.push(Repair::Anchors);
            pattern = bare;
        }
        let mut last = None;
        if let Some((before, behind)) = pattern.split_once("(?<!")
            && let Some(class) = behind.strip_suffix(')')
        {
            repairs.push(Repair::LookBehind);
            last = Some(compile(&format!("(?:{})\\z", translate(class)))?);
            pattern = before;
        }
        let pattern = Pattern {
            text: text.to_owned(),
            whole: compile(&format!("\\A(?:{})\\z", translate(pattern)))?,
            not_at_end: last,
        };
        Ok((pattern, repairs))
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        let ends_wrong = self
            .not_at_end
            .as_ref()
            .is_some_and(|last| last.is_match(value));
        self.whole.is_match(value) && !ends_wrong
    }
}

fn compile(pattern: &str) -> Result<Regex, Repair> {
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(PATTERN_BYTES_MAX).nest_limit(64);
    builder.build().map_err(|error| {
        // The last line says why; those before show the pattern.
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim().to_owned();
        Repair::Pattern(why)
    })
}

/// Escapes that one of both has and the other has not: a character that means nothing stays itself.
fn translate(pattern: &str) -> String {
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped) if escaped.is_ascii_alphanumeric() => out.extend(['\\', escaped]),
                Some(escaped) => out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4]))),
                None => out.push('\\'),
            },
            '.' => out.push_str(if is_in_class(&out) { "." } else { "[^\\n\\r]" }),
            '^' | '$' if !is_in_class(&out) => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out
}

/// Whether what follows stands in brackets.
fn is_in_class(before: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for character in before.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
    }
    inside
}
