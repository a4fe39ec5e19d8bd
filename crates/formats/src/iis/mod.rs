//! What IIS writes beside W3C logs ([`crate::w3c`]): its own format and NCSA's, and what the names of log files say.
//!
//! A line of either is an [`Entry`], whose values are asked for by the same fields as those of a W3C log.
//!
//! Source: "Log File Formats in IIS" and "Log File Naming" of the documentation of IIS 6 and later; RFC 1413 names the second
//! value of NCSA's lines, which IIS leaves empty.

mod names;
mod native;
mod ncsa;

#[cfg(test)]
mod tests;

pub use names::{LogFile, LogForm, NameEncoding, NameFields, Period};
pub use native::{DayOrder, native};
pub use ncsa::ncsa;

use crate::limits::W3C_LINE_BYTES_MAX;
use crate::w3c::{self, Field, Time};

/// What a line says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When it was logged.
    pub moment: Moment,
    /// The values, by what they are; an empty one is not there.
    values: [(Field, &'a [u8]); VALUES],
}

/// Values of a line: NCSA's have less.
const VALUES: usize = 13;

/// When something was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In UTC.
    Utc(Time),
    /// By the clock on the wall of the server: nothing in the file says where that is.
    Local(Time),
}

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It has other values than the format has.
    #[error("{found} values where there are {wanted}")]
    Values {
        /// Values in the line.
        found: usize,
        /// Values that there should be.
        wanted: usize,
    },
    /// It lacks a part that stands in quotes or brackets.
    #[error("it has no {0}")]
    Part(&'static str),
    /// The time is none.
    #[error("{0:?} is no time")]
    Time(String),
    /// The status is no number.
    #[error("{0:?} is no status")]
    Status(String),
    /// It is longer than a request can make it.
    #[error("{bytes} bytes, more than {W3C_LINE_BYTES_MAX}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
}

impl<'a> Entry<'a> {
    /// The value of a field; none where the format has none, or it is empty (`-`).
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&'a [u8]> {
        let found = self.values.iter().find(|(known, _)| *known == field);
        found
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty() && *value != b"-")
    }

    /// A value that is a decimal number.
    #[must_use]
    pub fn number(&self, field: Field) -> Option<u64> {
        w3c::number(self.get(field)?)
    }
}

/// The line without its end; none where nothing is left.
fn whole(line: &[u8]) -> Result<Option<&[u8]>, EntryError> {
    let bytes = line.len();
    if bytes > W3C_LINE_BYTES_MAX {
        return Err(EntryError::TooLong { bytes });
    }
    let line = line.trim_ascii_end();
    Ok((!line.is_empty()).then_some(line))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn status(value: &[u8]) -> Result<&[u8], EntryError> {
    match w3c::number(value) {
        Some(_) => Ok(value),
        None => Err(EntryError::Status(text(value))),
    }
}
