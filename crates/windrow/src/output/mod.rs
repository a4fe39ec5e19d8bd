//! What the program prints: rows in four forms, and text in which nothing from outside can pretend to be something
//! else.
//!
//! Rows come out in the order they were given; who gives them sorts them with a full tie-break, so that two runs over
//! the same events print the same bytes.

pub(crate) mod progress;
mod table;
mod terminal;

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::config::units::Span;
pub use table::{Cell, Column, Table};
pub use terminal::{Color, Paint, Terminal};
use windrow_formats::text::is_hidden;
pub use windrow_formats::text::visible as escape;

/// `--output`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns for people; the default on a terminal
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line; the default elsewhere
    Ndjson,
    /// RFC 4180, with a header line
    Csv,
}

impl From<Format> for windrow_lake::Format {
    fn from(format: Format) -> windrow_lake::Format {
        match format {
            Format::Table => windrow_lake::Format::Table,
            Format::Json => windrow_lake::Format::Json,
            Format::Ndjson => windrow_lake::Format::Ndjson,
            Format::Csv => windrow_lake::Format::Csv,
        }
    }
}

/// `--output` of a command that prints rows.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct RowsOutput {
    /// The form of the output [default: table on a terminal, ndjson elsewhere]
    #[arg(long, value_enum, value_name = "FORM", help_heading = "Output")]
    output: Option<Format>,
}

impl RowsOutput {
    /// What was asked for, or what fits where the output goes.
    #[must_use]
    pub fn format(self, terminal: &Terminal) -> Format {
        let usual = if terminal.stdout_is_terminal {
            Format::Table
        } else {
            Format::Ndjson
        };
        self.output.unwrap_or(usual)
    }
}

/// `--output` of a command that prints a text to read.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct SummaryOutput {
    /// The form of the output
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "table",
        help_heading = "Output"
    )]
    pub output: SummaryFormat,
}

/// The forms of a summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SummaryFormat {
    /// Text for people
    #[default]
    Table,
    /// One JSON object
    Json,
}

/// The same as [`escape`] for a JSON text, by the escapes of JSON: it means what it meant. (serde_json escapes the ASCII control
/// characters; terminals obey others too.)
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c != '\n' && is_hidden(c);
    if !json.chars().any(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// A size for people, in decimal units, with two digits at least: `6.6 MB`, `35 MB`.
#[must_use]
pub fn about(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut scale = 1;
    let mut unit = 0;
    while bytes / scale >= 1_000 {
        scale *= 1_000;
        unit += 1;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    if unit == 0 || tenths >= 100 {
        return format!("{} {}", bytes / scale, UNITS[unit]);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A moment in RFC 3339: UTC with `Z`, other zones with their offset. A fraction of a second only where there is one.
#[must_use]
pub fn time(at: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    if *zone == jiff::tz::TimeZone::UTC {
        return at.to_string();
    }
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// The same with exactly three digits of the second's fraction, for columns.
#[must_use]
pub fn time_ms(at: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let utc = *zone == jiff::tz::TimeZone::UTC;
    let format = if utc { "%FT%T%.3fZ" } else { "%FT%T%.3f%:z" };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A number of seconds in its two largest units at most: `3h`, `1d 4h`.
#[must_use]
pub fn ago(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let span = |seconds| Span(std::time::Duration::from_secs(seconds)).to_string();
    let units = [86_400, 3_600, 60];
    match units.into_iter().position(|unit| seconds >= unit) {
        None => span(seconds),
        Some(place) => {
            let unit = units[place];
            let smaller = units.get(place + 1).copied().unwrap_or(1);
            let rest = seconds % unit / smaller * smaller;
            let whole = format!("{}{}", seconds / unit, ["d", "h", "m"][place]);
            if rest == 0 {
                whole
            } else {
                format!("{whole} {}", span(rest))
            }
        }
    }
}

/// A whole number with its thousands set apart: `1 234 567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
