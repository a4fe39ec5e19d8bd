//! Simple types: what a value can be.

use std::time::Duration;

use super::super::value::{TransferPeriod, Uri, Value as _};
use super::pattern::Pattern;

/// A type built into XML Schema, and what narrows it.
#[derive(Clone, Debug)]
pub(super) struct Simple {
    pub(super) base: Base,
    pub(super) facets: Vec<Facet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Any text; white space counts.
    Text,
    /// Any text; white space around it does not.
    Collapsed,
    /// An address.
    Uri,
    Boolean,
    Duration,
    /// A whole number from the first to the last.
    Integer(i128, i128),
}

#[derive(Clone, Debug)]
pub(super) enum Facet {
    /// One of these.
    Words(Vec<String>),
    /// One of these.
    Patterns(Vec<Pattern>),
    LeastCharacters(usize),
    MostCharacters(usize),
    LeastNumber(i128),
    MostNumber(i128),
    LeastDuration(Duration),
}

impl Base {
    /// The type of a name (XML Schema, part 2).
    pub(super) fn of(name: &str) -> Option<Base> {
        let base = match name {
            "string" | "normalizedString" => Base::Text,
            "anyURI" => Base::Uri,
            "token" | "Name" | "NCName" | "anySimpleType" => Base::Collapsed,
            "boolean" => Base::Boolean,
            "duration" => Base::Duration,
            "integer" => Base::Integer(i128::MIN, i128::MAX),
            "nonNegativeInteger" => Base::Integer(0, i128::MAX),
            "positiveInteger" => Base::Integer(1, i128::MAX),
            "long" => Base::Integer(i64::MIN.into(), i64::MAX.into()),
            "int" => Base::Integer(i32::MIN.into(), i32::MAX.into()),
            "short" => Base::Integer(i16::MIN.into(), i16::MAX.into()),
            "byte" => Base::Integer(i8::MIN.into(), i8::MAX.into()),
            "unsignedLong" => Base::Integer(0, u64::MAX.into()),
            "unsignedInt" => Base::Integer(0, u32::MAX.into()),
            "unsignedShort" => Base::Integer(0, u16::MAX.into()),
            "unsignedByte" => Base::Integer(0, u8::MAX.into()),
            _ => return None,
        };
        Some(base)
    }

    fn check(self, value: &str) -> Result<(), String> {
        let is_right = match self {
            Base::Text | Base::Collapsed => true,
            Base::Uri => Uri::read(value).is_some(),
            Base::Boolean => bool::read(value).is_some(),
            Base::Duration => is_duration(value),
            Base::Integer(first, last) => {
                let number = integer(value);
                let is_right = number.is_some_and(|number| (first..=last).contains(&number));
                if !is_right && (first, last) != (i128::MIN, i128::MAX) {
                    let from = if first == i128::MIN {
                        "…".to_owned()
                    } else {
                        first.to_string()
                    };
                    let to = if last == i128::MAX {
                        "…".to_owned()
                    } else {
                        last.to_string()
                    };
                    return Err(format!("it has to be a whole number from {from} to {to}"));
                }
                is_right
            }
        };
        let what = match self {
            Base::Uri => "an address",
            Base::Boolean => "true or false",
            Base::Duration => "a duration, as PT5M",
            _ => "a whole number",
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("it has to be {what}"))
        }
    }
}

fn is_duration(value: &str) -> bool {
    TransferPeriod::read(value.strip_prefix('-').unwrap_or(value)).is_some()
}

fn integer(value: &str) -> Option<i128> {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| value.parse().ok()).flatten()
}

impl Simple {
    pub(super) fn of(base: Base) -> Simple {
        Simple {
            base,
            facets: Vec::new(),
        }
    }

    /// Checks a value as it stands in a file.
    ///
    /// # Errors
    /// What it has to be.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        let value = match self.base {
            Base::Text => value,
            _ => value.trim_matches([' ', '\t', '\n', '\r']),
        };
        self.base.check(value)?;
        for facet in &self.facets {
            facet.check(value)?;
        }
        Ok(())
    }
}

impl Facet {
    fn check(&self, value: &str) -> Result<(), String> {
        let length = value.chars().count();
        let (is_right, expected) = match self {
            Facet::Words(words) => (
                words.iter().any(|word| word == value),
                format!("it has to be {}", words.join(", ")),
            ),
            Facet::Patterns(patterns) => {
                let texts: Vec<&str> = patterns
                    .iter()
                    .map(|pattern| pattern.text.as_str())
                    .collect();
                let is_right = patterns.iter().any(|pattern| pattern.matches(value));
                (is_right, format!("it has to meet {}", texts.join(" or ")))
            }
            Facet::LeastCharacters(least) => (
                length >= *least,
                format!("it has to have {least} characters at least"),
            ),
            Facet::MostCharacters(most) => (
                length <= *most,
                format!("it has to have {most} characters at most"),
            ),
            Facet::LeastNumber(least) => (
                integer(value).is_some_and(|number| number >= *least),
                format!("it has to be {least} at least"),
            ),
            Facet::MostNumber(most) => (
                integer(value).is_some_and(|number| number <= *most),
                format!("it has to be {most} at most"),
            ),
            Facet::LeastDuration(least) => {
                let duration = TransferPeriod::read(value);
                let is_right = duration.is_some_and(|TransferPeriod(duration)| duration >= *least);
                let expected = format!("it has to be {} at least", TransferPeriod(*least).write());
                (is_right, expected)
            }
        };
        if is_right { Ok(()) } else { Err(expected) }
    }
}
