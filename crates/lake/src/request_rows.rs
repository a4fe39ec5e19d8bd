//! Requests of web servers to rows of `iis`: every column filled from one line of a W3C log.
//!
//! A line is the same request when it is the same line of the same file: a server may answer two like requests in one
//! second, and a file that is still written to is imported again and again.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use arrow::array::RecordBatch;
use jiff::Timestamp;
use windrow_formats::batch::file::{FileReference, is_site};
use windrow_formats::identity::request;
use windrow_formats::lines::Unit;
use windrow_formats::w3c::{Field, Line, Malformed, Parser, Row};

use crate::files::blocks::{Blocks, Next};
use crate::files::w3c::column_name;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, FILE_UNIT_BYTES, REQUEST_FIELD_BYTES_MAX};
use crate::rows::Rows;
use crate::schema::{self, Column, DATE, IIS};
use crate::values::{self, Days, Values};

/// What `source` says of each request.
const SOURCE: &str = "w3c";

/// Memory of a row beside its texts, near enough.
const ROW_BYTES: usize = 250;

/// Collects requests as rows.
pub struct RequestBuilder {
    values: Vec<Values>,
    rows: usize,
    bytes: usize,
    received_at: Timestamp,
    days: Days,
    done: Vec<RecordBatch>,
}

/// Where the lines of a file have what.
#[derive(Default)]
struct Places {
    /// By column.
    columns: Vec<Option<usize>>,
    /// Fields without a column, by their own names.
    others: Vec<(String, usize)>,
    /// Bytes of these names: each row has them.
    names_bytes: usize,
}

/// A log file that is read into rows.
pub struct RequestFile {
    blocks: Blocks<Box<dyn Read + Send>>,
    parser: Parser,
    about: About,
}

/// What is known of a file beside its lines.
struct About {
    places: Places,
    /// Its name, without its folder.
    name: String,
    /// The site whose folder it lies in.
    site: Option<String>,
    /// The machine that it comes from, where that is known.
    machine: Option<String>,
}

impl RequestBuilder {
    /// A builder without rows, for what arrives at this time.
    #[must_use]
    pub fn new(received_at: Timestamp) -> RequestBuilder {
        RequestBuilder {
            values: values::of(&IIS),
            rows: 0,
            bytes: 0,
            received_at,
            days: Days::default(),
            done: Vec::new(),
        }
    }

    /// Number of requests so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows + self.done.iter().map(RecordBatch::num_rows).sum::<usize>()
    }

    /// Whether there is no request yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held by the rows so far, in bytes, near enough to decide when to finish.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let done = self.done.iter().map(RecordBatch::get_array_memory_size);
        self.bytes + done.sum::<usize>()
    }

    /// The rows so far; the builder is empty after it.
    pub fn finish(&mut self) -> Rows {
        self.seal();
        Rows::from_batches(std::mem::take(&mut self.done))
    }

    /// Adds a request. Answers its identity.
    fn push(&mut self, row: &Row<'_>, line: u64, file: &About) -> [u8; 16] {
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.seal();
        }
        let site = file.site.as_deref();
        let machine = file.machine.as_deref();
        let folder = site.unwrap_or_default();
        let key = request(machine, folder, &file.name, line, row.line()).0;
        let time = row.time().map(|time| time.0);
        self.rows += 1;
        let own = file.name.len() + folder.len() + machine.map_or(0, str::len);
        self.bytes += ROW_BYTES + row.line().len() + own + file.places.names_bytes;
        let received = self.received_at.as_microsecond();
        let date = self.days.of(time, received);
        for (place, (column, values)) in IIS.columns.iter().zip(&mut self.values).enumerate() {
            let own = file.places.columns.get(place).copied().flatten();
            match column.name {
                "request_key" => {
                    if let Values::Key(values) = values {
                        values.append_value(key);
                    }
                }
                DATE => values.text(Some(date)),
                "time" => values.time(time),
                "received_at" => values.time(Some(received)),
                "source" => values.text(Some(SOURCE)),
                "file" => values.text(Some(&file.name)),
                "fields" => others(values, row, &file.places.others),
                "s_sitename" => match own.and_then(|place| row.at(place)) {
                    None => values.text(site),
                    value => values.value(value),
                },
                "s_computername" => match own.and_then(|place| row.at(place)) {
                    None => values.text(machine),
                    value => values.value(value),
                },
                _ => values.value(own.and_then(|place| row.at(place))),
            }
        }
        key
    }

    fn seal(&mut self) {
        if self.rows == 0 {
            return;
        }
        (self.rows, self.bytes) = (0, 0);
        self.done.push(values::finish(&IIS, &mut self.values));
    }
}

/// Values of fields that have no column.
fn others(values: &mut Values, row: &Row<'_>, others: &[(String, usize)]) {
    let Values::Map(values) = values else {
        return;
    };
    let mut is_any = false;
    for (name, place) in others {
        if let Some(value) = row.at(*place) {
            values.keys().append_value(name);
            values.values().append_value(String::from_utf8_lossy(value));
            is_any = true;
        }
    }
    // Keys and values were appended in pairs, which is all that this can complain of.
    let _ = values.append(is_any);
}

impl Places {
    fn of(parser: &Parser) -> Places {
        let Some(fields) = parser.fields() else {
            return Places::default();
        };
        let named: Vec<(String, &str)> = fields
            .names()
            .map(|name| (column_name(name), name))
            .collect();
        let columns = IIS.columns.iter().map(|column| {
            let is_it = |(own, name): &(String, &str)| {
                own == column.name && Field::named(name).is_some() && !is_ours(column)
            };
            named.iter().position(is_it)
        });
        let columns: Vec<Option<usize>> = columns.collect();
        let is_other = |(place, (_, name)): &(usize, &(String, &str))| {
            let is_time = matches!(Field::named(name), Some(Field::Date | Field::Time));
            !is_time && !columns.contains(&Some(*place))
        };
        let others = named.iter().enumerate().filter(is_other);
        let others = others.map(|(place, (_, name))| {
            let end = name.floor_char_boundary(REQUEST_FIELD_BYTES_MAX);
            (name[..end].to_owned(), place)
        });
        let others: Vec<(String, usize)> = others.collect();
        Places {
            names_bytes: others.iter().map(|(name, _)| name.len()).sum(),
            others,
            columns,
        }
    }
}

/// Whether windrow fills a column itself, whatever the file calls its fields.
fn is_ours(column: &Column) -> bool {
    column.presence == schema::Presence::Always || matches!(column.name, "time" | "fields")
}

impl RequestFile {
    /// Opens a log file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<RequestFile> {
        let named =
            |path: Option<&std::ffi::OsStr>| path.map(|it| it.to_string_lossy().into_owned());
        let folder = named(path.parent().and_then(Path::file_name));
        Ok(RequestFile {
            blocks: Blocks::new(Box::new(File::open(path)?), Unit::Line),
            parser: Parser::default(),
            about: About {
                places: Places::default(),
                name: named(path.file_name()).unwrap_or_default(),
                site: folder.filter(|name| is_site(name)),
                machine: None,
            },
        })
    }

    /// The same file as one of this machine: like lines of another machine's are other requests.
    #[must_use]
    pub fn of_machine(mut self, name: &str) -> RequestFile {
        self.about.machine = Some(name.to_owned());
        self
    }

    /// A piece of a log file: its requests are the same as when the file is read as a whole.
    #[must_use]
    pub fn of_piece(reference: &FileReference, bytes: Vec<u8>) -> RequestFile {
        let mut parser = Parser::default();
        let mut first = 1;
        if let Some(lines) = &reference.lines {
            first = lines.first;
            for line in Unit::Line.split(&lines.directives) {
                parser.line(line);
            }
        }
        let name = reference.path.rsplit('/').next().unwrap_or_default();
        RequestFile {
            blocks: Blocks::new(Box::new(Cursor::new(bytes)) as Box<_>, Unit::Line)
                .beginning_with(first),
            about: About {
                places: Places::of(&parser),
                name: name.to_owned(),
                site: reference.site.clone(),
                machine: None,
            },
            parser,
        }
    }

    /// The line with which it is read on.
    pub(crate) fn line(&self) -> u64 {
        self.blocks.line()
    }

    /// Reads on: some hundred lines of it, or one that is very long. Answers how many bytes that was; none at the end.
    /// Identities of the rows are told as they are made, and lines that cannot be read with what is wrong with them.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(
        &mut self,
        rows: &mut RequestBuilder,
        mut made: impl FnMut([u8; 16]),
        mut bad: impl FnMut(u64, String),
    ) -> io::Result<Option<usize>> {
        let (block, first) = match self.blocks.next()? {
            Next::Block(block, first) => (block, first),
            Next::TooLong(line) => {
                let bytes = FILE_UNIT_BYTES;
                bad(line, Malformed::TooLong { bytes }.to_string());
                return Ok(Some(bytes));
            }
            Next::End => return Ok(None),
        };
        let mut line_number = first;
        for line in Unit::Line.split(block) {
            match self.parser.line(line) {
                // Half a value may look like one.
                Line::Row(_) if !line.ends_with(b"\n") => {
                    bad(
                        line_number,
                        "it has no end: it is still being written, or was cut".to_owned(),
                    );
                }
                Line::Row(row) => made(rows.push(&row, line_number, &self.about)),
                Line::Blank => {}
                Line::Directive => self.about.places = Places::of(&self.parser),
                Line::Malformed(why) => bad(line_number, why.to_string()),
            }
            line_number += 1;
        }
        let bytes = block.len();
        self.blocks.passed(line_number - first);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests;
