//! W3C extended log files, as IIS, its FTP service and HTTP.sys write them.
//!
//! A file is lines; some are directives (`#Fields: date time …`), which may come again and change in the
//! middle, the others are values parted by single blanks, as many as `#Fields` names. What is empty is
//! `-`; blanks inside values are written as `+`, mostly: an account name or a request's method can hold
//! real ones, and then the values after it would sit under the wrong names. Such a line is
//! [aligned](Row::realigned) where only one value can have them, and else kept whole as
//! [`Malformed`](Line::Malformed).
//!
//! Source: W3C Working Draft WD-logfile-960323; what IIS does beside it was read off its files.

mod fields;
mod time;

#[cfg(test)]
mod tests;

use memchr::{memchr, memmem};

pub use fields::{Field, Fields, FieldsError};
pub use time::{Date, Time};

use crate::limits::{W3C_DIRECTIVE_BYTES_MAX, W3C_FIELDS_MAX, W3C_LINE_BYTES_MAX};

/// Reads a file line by line: what the last directives said, and what a line is by that.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    fields: Option<Fields>,
    date: Option<Date>,
    software: String,
    /// Whether values with blanks stand in quotes, as those of IIS Advanced Logging do. In other logs a quote is what a client
    /// sent.
    has_quotes: bool,
    /// Where each value of the line begins and ends.
    places: Vec<(u32, u32)>,
}

/// What a line is.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// Nothing, or only the end of a line.
    Blank,
    /// A directive that was taken up, or has no meaning here.
    Directive,
    /// Values.
    Row(Row<'a>),
    /// What cannot be read, and why.
    Malformed(Malformed),
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nobody said what its values are.
    #[error("no #Fields line comes before it")]
    NoFields,
    /// It ends too early: half written, or cut.
    #[error("{found} values where #Fields names {named}")]
    TooFew {
        /// Values in the line.
        found: usize,
        /// Values that there should be.
        named: usize,
    },
    /// More values than names, and no telling where they belong.
    #[error(
        "{found} values where #Fields names {named}, and no single value that can have the blanks"
    )]
    TooMany {
        /// Values in the line.
        found: usize,
        /// Values that there should be.
        named: usize,
    },
    /// The line is longer than any request can make it.
    #[error("{bytes} bytes, more than {W3C_LINE_BYTES_MAX}")]
    TooLong {
        /// Bytes of the line.
        bytes: usize,
    },
    /// Not what a log file has.
    #[error("a zero byte: the file was not written to its end, or is no log")]
    ZeroByte,
    /// The directive names fields in a way that cannot be used.
    #[error("{0}")]
    Fields(#[from] FieldsError),
}

/// The values of one line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    line: &'a [u8],
    places: &'a [(u32, u32)],
    fields: &'a Fields,
    date: Option<Date>,
    realigned: bool,
}

impl<'a> Row<'a> {
    /// The line as it is in the file, without its end.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// What the values are.
    #[must_use]
    pub fn fields(&self) -> &'a Fields {
        self.fields
    }

    /// Whether a value held blanks and the rest was put back under its names.
    #[must_use]
    pub fn realigned(&self) -> bool {
        self.realigned
    }

    /// The value of a field; none where the file has no such field, or it is empty (`-`).
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.at(self.fields.place(field)?)
    }

    /// The value at a place of `#Fields`; none where it is empty.
    #[inline]
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&'a [u8]> {
        let (start, end) = *self.places.get(place)?;
        let value = &self.line[start as usize..end as usize];
        (!value.is_empty() && value != b"-").then_some(value)
    }

    /// When the request was logged, in UTC; the day from the `#Date` line where there is no such field. None where what is
    /// there is no time.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        let date = match self.fields.place(Field::Date) {
            Some(place) => Date::read(self.at(place)?),
            None => self.date,
        };
        Time::read(date?, self.get(Field::Time)?)
    }

    /// A value that is a decimal number.
    #[must_use]
    pub fn number(&self, field: Field) -> Option<u64> {
        number(self.get(field)?)
    }
}

/// The decimal number that a value is.
#[inline]
#[must_use]
pub fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

impl Parser {
    /// Reads one line, with or without its end.
    pub fn line<'a>(&'a mut self, line: &'a [u8]) -> Line<'a> {
        let line = without_end(line);
        match line.first() {
            None => Line::Blank,
            Some(b'#') => self.directive(line),
            Some(_) => self.row(line),
        }
    }

    /// What the last `#Fields` line named.
    #[must_use]
    pub fn fields(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// What the last `#Software` line said.
    #[must_use]
    pub fn software(&self) -> &str {
        &self.software
    }

    fn directive(&mut self, line: &[u8]) -> Line<'_> {
        if line.len() > W3C_DIRECTIVE_BYTES_MAX {
            return Line::Malformed(Malformed::TooLong { bytes: line.len() });
        }
        let Some(colon) = memchr(b':', line) else {
            return Line::Directive;
        };
        let (name, value) = (&line[1..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"Fields") {
            // What comes after a line that cannot be used must not be read by the one before it.
            self.fields = None;
            match Fields::read(value) {
                Ok(fields) => self.fields = Some(fields),
                Err(error) => return Line::Malformed(error.into()),
            }
        } else if name.eq_ignore_ascii_case(b"Date") {
            self.date = value.get(..10).and_then(Date::read);
        } else if name.eq_ignore_ascii_case(b"Software") {
            self.software = String::from_utf8_lossy(value).into_owned();
            self.has_quotes = self.software.contains("Advanced Logging");
        }
        Line::Directive
    }

    fn row<'a>(&'a mut self, line: &'a [u8]) -> Line<'a> {
        if line.len() > W3C_LINE_BYTES_MAX {
            return Line::Malformed(Malformed::TooLong { bytes: line.len() });
        }
        let Some(fields) = &self.fields else {
            return Line::Malformed(Malformed::NoFields);
        };
        match self.has_quotes {
            true => split_quoted(line, &mut self.places),
            false => split(line, &mut self.places),
        }
        let (found, named) = (self.places.len(), fields.len());
        let realigned = found > named;
        if found < named {
            if memchr(0, line).is_some() {
                return Line::Malformed(Malformed::ZeroByte);
            }
            return Line::Malformed(Malformed::TooFew { found, named });
        }
        if realigned && !align(line, fields, &mut self.places) {
            return Line::Malformed(Malformed::TooMany { found, named });
        }
        Line::Row(Row {
            line,
            places: &self.places,
            fields,
            date: self.date,
            realigned,
        })
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where the values of a line are; the places of one that has many more than can be named are not all taken.
fn split(line: &[u8], places: &mut Vec<(u32, u32)>) {
    places.clear();
    // A blank at the very end is how some versions end their lines.
    let line = line.strip_suffix(b" ").unwrap_or(line);
    let (words, rest) = line.as_chunks::<8>();
    let (mut start, mut at) = (0, 0);
    // Values are short: looking at eight bytes at a time costs half of a search for each blank.
    for word in words {
        let mut found = blanks(u64::from_le_bytes(*word));
        while found != 0 {
            let blank = at + found.trailing_zeros() / 8;
            places.push((start, blank));
            start = blank + 1;
            found &= found - 1;
        }
        at += 8;
        if places.len() >= W3C_FIELDS_MAX * 2 {
            places.push((start, line.len() as u32));
            return;
        }
    }
    for (place, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b' ') {
        places.push((start, at + place as u32));
        start = at + place as u32 + 1;
    }
    places.push((start, line.len() as u32));
}

/// As [`split`], but a value that begins with a quote ends at the next one that stands before a blank or the end; the quotes
/// do not belong to it.
fn split_quoted(line: &[u8], places: &mut Vec<(u32, u32)>) {
    places.clear();
    let line = line.strip_suffix(b" ").unwrap_or(line);
    let mut at = 0;
    while places.len() < W3C_FIELDS_MAX * 2 {
        let rest = &line[at..];
        let (start, end, after) = match rest.strip_prefix(b"\"") {
            Some(inner) => {
                let closed = memmem::find(inner, b"\" ");
                let closed = closed.or_else(|| inner.ends_with(b"\"").then(|| inner.len() - 1));
                // What is not closed was not written to its end: the line has a value less.
                let Some(length) = closed else {
                    return;
                };
                (at + 1, at + 1 + length, at + length + 2)
            }
            None => {
                let end = memchr(b' ', rest).map_or(line.len(), |blank| at + blank);
                (at, end, end)
            }
        };
        places.push((start as u32, end as u32));
        if after >= line.len() {
            return;
        }
        at = after + 1;
    }
    places.push((at as u32, line.len() as u32));
}

/// The highest bit of each byte that is a blank.
fn blanks(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ 0x2020_2020_2020_2020;
    // A carry does not leave its byte, so that no neighbour is mistaken for a blank.
    !(((other & LOW) + LOW) | other | LOW)
}

/// Gives the one value that can hold blanks what is too much. Whether that was right shows in the status, which is a
/// number of three digits.
fn align(line: &[u8], fields: &Fields, places: &mut Vec<(u32, u32)>) -> bool {
    let (found, named) = (places.len(), fields.len());
    let excess = found - named;
    let Some(roomy) = fields.roomy() else {
        return false;
    };
    let (start, end) = (places[roomy].0, places[roomy + excess].1);
    places[roomy] = (start, end);
    places.drain(roomy + 1..=roomy + excess);
    let status = fields.place(Field::Status).map(|place| places[place]);
    status.is_some_and(|(start, end)| {
        let value = &line[start as usize..end as usize];
        value.len() == 3 && number(value).is_some()
    })
}
