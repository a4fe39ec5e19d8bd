//! Performance counters as text: the CSV and TSV files that relog, typeperf and the performance monitor write.
//!
//! The first line names the columns: `(PDH-CSV 4.0) (W. Europe Standard Time)(-60)` over the times, which are local and lie
//! so many minutes behind UTC, and then the path of a counter each. Every other line has a time and the values, blank where
//! there was none. The time is written month first wherever it is, but numbers have the comma of the place, and columns
//! are parted by a semicolon there.
//!
//! The zone is that of the moment in which the file was begun: a file that goes on over a change of the clocks is an hour wrong
//! behind it, and nothing in it says so.
//!
//! Source: PdhOpenLog and PDH_LOG_TYPE_CSV (pdh.h), "Specifying a Counter Path", and files of relog.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::batch::file::FileReference;
use crate::limits::{COUNTERS_COLUMNS_MAX, COUNTERS_LINE_BYTES_MAX};
use crate::text::{fold, glob};

#[cfg(test)]
mod tests;

/// What the first line of a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The zone, as its system calls it.
    pub zone: String,
    /// Minutes that local time lies behind UTC.
    pub bias_minutes: i32,
    /// The counters, in the order of their columns.
    pub counters: Vec<Counter>,
    separator: u8,
}

/// A counter: `\\machine\object(instance)\counter`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counter {
    /// The path as the file has it.
    pub path: String,
    /// The machine; none where the path names none.
    pub machine: Option<String>,
    /// What is counted of: `Processor`.
    pub object: String,
    /// Which one: `_Total`.
    pub instance: Option<String>,
    /// What is counted: `% Processor Time`.
    pub name: String,
}

/// The values of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When.
    pub time: Timestamp,
    /// A value of each counter; none where there was none.
    pub values: Vec<Option<f64>>,
}

/// A piece of a log, read line by line.
#[derive(Debug)]
pub struct Piece {
    /// What holds for its lines; why nothing does, or nothing yet.
    header: Option<Result<Header, CounterError>>,
    /// Number of the line that comes next.
    line: u64,
}

/// Why a line is none of a file of counters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    /// The first line is another.
    #[error("the first line is not that of a log of counters")]
    Header,
    /// It is longer than all counters of a machine are.
    #[error("{bytes} bytes, more than {COUNTERS_LINE_BYTES_MAX}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// More counters than there are.
    #[error("more than {COUNTERS_COLUMNS_MAX} counters")]
    TooMany,
    /// A column has no path.
    #[error("column {column}: {path:?} is no path of a counter")]
    Path {
        /// Its number, from 1.
        column: usize,
        /// What it is called.
        path: String,
    },
    /// A line has other columns than the first one.
    #[error("{found} values where there are {named} counters")]
    Columns {
        /// Values in the line.
        found: usize,
        /// Counters in the file.
        named: usize,
    },
    /// A quote is not closed, as in a line that is not written to its end.
    #[error("a quote is not closed: the line is cut off")]
    Open,
    /// The time is none.
    #[error("{0:?} is no time")]
    Time(String),
    /// A value is no number.
    #[error("column {column}: {value:?} is no number")]
    Value {
        /// Its number, from 1.
        column: usize,
        /// What is there.
        value: String,
    },
}

impl Piece {
    /// A piece that begins there, with what the first line of its log says.
    #[must_use]
    pub fn of(reference: &FileReference) -> Piece {
        let lines = reference.lines.as_ref();
        let first = lines.map(|lines| String::from_utf8_lossy(&lines.directives));
        let first = first.filter(|first| !first.is_empty());
        Piece {
            header: first.map(|first| Header::read(&first)),
            line: lines.map_or(1, |lines| lines.first),
        }
    }

    /// Reads the next line: the values of a moment under the names they have. A first line has none, nor has a blank one.
    ///
    /// # Errors
    /// The line's number, and what is wrong with it.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<(&Header, Sample)>, (u64, CounterError)> {
        let number = self.line;
        self.line += 1;
        let line = String::from_utf8_lossy(line);
        let header = match &mut self.header {
            Some(Ok(header)) => header,
            Some(Err(error)) => return Err((number, error.clone())),
            none => {
                let header = none.insert(Header::read(&line));
                let read = header.as_ref().map_err(|error| (number, error.clone()));
                return read.map(|_| None);
            }
        };
        let sample = header.sample(&line).map_err(|error| (number, error))?;
        Ok(sample.map(|sample| (&*header, sample)))
    }
}

impl Header {
    /// Reads the first line of a file, with or without its end.
    ///
    /// # Errors
    /// It is none of such a file.
    pub fn read(line: &str) -> Result<Header, CounterError> {
        let line = whole(line)?;
        let separator = separator(line).ok_or(CounterError::Header)?;
        let mut names = split(line, separator);
        let first = names.next().ok_or(CounterError::Header)??;
        let (zone, bias_minutes) = zone(&first).ok_or(CounterError::Header)?;
        let mut counters = Vec::new();
        for (number, path) in names.enumerate() {
            if counters.len() >= COUNTERS_COLUMNS_MAX {
                return Err(CounterError::TooMany);
            }
            let (column, path) = (number + 2, path?);
            let counter = Counter::read(&path);
            counters.push(counter.ok_or(CounterError::Path { column, path })?);
        }
        Ok(Header {
            zone,
            bias_minutes,
            counters,
            separator,
        })
    }

    /// Reads another line; none where it is blank.
    ///
    /// # Errors
    /// It does not fit the first one.
    pub fn sample(&self, line: &str) -> Result<Option<Sample>, CounterError> {
        let line = whole(line)?;
        if line.trim().is_empty() {
            return Ok(None);
        }
        let mut fields = split(line, self.separator);
        let time = fields.next().transpose()?.unwrap_or_default();
        let time = self.time(&time).ok_or(CounterError::Time(time))?;
        let mut values = Vec::with_capacity(self.counters.len());
        for (number, value) in fields.enumerate() {
            if number >= COUNTERS_COLUMNS_MAX {
                return Err(CounterError::TooMany);
            }
            let (column, value) = (number + 2, value?);
            let read = self.value(&value);
            values.push(read.map_err(|()| CounterError::Value { column, value })?);
        }
        let (found, named) = (values.len(), self.counters.len());
        if found != named {
            return Err(CounterError::Columns { found, named });
        }
        Ok(Some(Sample { time, values }))
    }

    /// `MM/DD/YYYY HH:MM:SS.mmm`, in the zone of the file.
    fn time(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim().replacen(',', ".", 1);
        let local = DateTime::strptime("%m/%d/%Y %H:%M:%S%.f", text.as_str()).ok()?;
        let offset = Offset::from_seconds(self.bias_minutes.checked_mul(-60)?).ok()?;
        offset.to_timestamp(local).ok()
    }

    fn value(&self, text: &str) -> Result<Option<f64>, ()> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number = match text.contains('.') {
            true => text.parse(),
            false => text.replacen(',', ".", 1).parse(),
        };
        let number: f64 = number.map_err(drop)?;
        Ok(number.is_finite().then_some(number))
    }
}

/// Which counters are meant: a path in which the instance, the counter or parts of them may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specifier(Counter);

impl Specifier {
    /// Reads a path; the machine in it says nothing.
    #[must_use]
    pub fn read(path: &str) -> Option<Specifier> {
        Counter::read(path).map(Specifier)
    }

    /// Whether this counter is meant. Names are compared without case, as Windows does.
    #[must_use]
    pub fn means(&self, counter: &Counter) -> bool {
        let instance = match (&self.0.instance, &counter.instance) {
            (None, None) => true,
            (Some(pattern), Some(instance)) => like(pattern, instance),
            _ => false,
        };
        instance && like(&self.0.name, &counter.name) && like(&self.0.object, &counter.object)
    }
}

/// Whether a name is as a pattern has it, whatever its case.
fn like(pattern: &str, name: &str) -> bool {
    let pattern: String = pattern.chars().map(fold).collect();
    glob(&pattern, name)
}

impl Counter {
    /// Its path without the machine: `\Processor(_Total)\% Processor Time`.
    #[must_use]
    pub fn local_path(&self) -> String {
        match &self.instance {
            Some(instance) => format!(r"\{}({instance})\{}", self.object, self.name),
            None => format!(r"\{}\{}", self.object, self.name),
        }
    }

    /// Reads a path. An instance can have brackets and backslashes of its own: what stands behind the last `)\` is the
    /// counter.
    #[must_use]
    pub fn read(path: &str) -> Option<Counter> {
        let (machine, rest) = match path.strip_prefix(r"\\") {
            Some(rest) => {
                let (machine, rest) = rest.split_once('\\')?;
                (Some(machine), rest)
            }
            None => (None, path.strip_prefix('\\')?),
        };
        let with_instance = rest.rsplit_once(r")\").and_then(|(front, name)| {
            let (object, instance) = front.split_once('(')?;
            (!object.contains('\\')).then_some((object, Some(instance), name))
        });
        let (object, instance, name) = match with_instance {
            Some(parts) => parts,
            None => {
                let (object, name) = rest.split_once('\\')?;
                (object, None, name)
            }
        };
        if object.is_empty() || name.is_empty() || machine == Some("") {
            return None;
        }
        Some(Counter {
            path: path.to_owned(),
            machine: machine.map(str::to_owned),
            object: object.to_owned(),
            instance: instance.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

fn whole(line: &str) -> Result<&str, CounterError> {
    let bytes = line.len();
    if bytes > COUNTERS_LINE_BYTES_MAX {
        return Err(CounterError::TooLong { bytes });
    }
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(line.strip_prefix('\u{feff}').unwrap_or(line))
}

/// What parts the columns: what stands behind the first of them.
fn separator(line: &str) -> Option<u8> {
    let end = match line.strip_prefix('"') {
        Some(rest) => rest.find('"')? + 2,
        None => line.find([',', ';', '\t']).unwrap_or(line.len()),
    };
    let byte = line.as_bytes().get(end).copied().unwrap_or(b',');
    [b',', b';', b'\t'].contains(&byte).then_some(byte)
}

/// Name and bias of the zone: `(PDH-CSV 4.0) (W. Europe Standard Time)(-60)`.
fn zone(text: &str) -> Option<(String, i32)> {
    let rest = text.trim().strip_prefix("(PDH-")?;
    let (kind, rest) = rest.split_once(')')?;
    if !(kind.starts_with("CSV ") || kind.starts_with("TSV ")) {
        return None;
    }
    let rest = rest.trim_start().strip_prefix('(')?;
    // Names of zones have brackets of their own in some languages.
    let (name, bias) = rest.strip_suffix(')')?.rsplit_once(")(")?;
    Some((name.to_owned(), bias.trim().parse().ok()?))
}

/// The values of a line: in quotes, or bare.
fn split(line: &str, separator: u8) -> impl Iterator<Item = Result<String, CounterError>> {
    let separator = char::from(separator);
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        if let Some(text) = text.strip_prefix('"') {
            let read = quoted(text).map(|(value, after)| {
                rest = after.split_once(separator).map(|(_, after)| after);
                value
            });
            return Some(read);
        }
        let (value, after) = match text.split_once(separator) {
            Some((value, after)) => (value, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(Ok(value.to_owned()))
    })
}

/// What stands between quotes, the first of which was read, and what follows. Two quotes are one that belongs to the value.
fn quoted(text: &str) -> Result<(String, &str), CounterError> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"').ok_or(CounterError::Open)?;
        value.push_str(part);
        let Some(more) = after.strip_prefix('"') else {
            return Ok((value, after));
        };
        value.push('"');
        rest = more;
    }
}
