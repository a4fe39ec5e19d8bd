//! Requests of web servers to rows of `iis`: every column filled from one line of a W3C log.
//!
//! A line is the same request when it is the same line of the same file: a server may answer two like requests in one
//! second, and a file that is still written to is imported again and again.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use jiff::Timestamp;
use jiff::tz::Offset;
use windrow_formats::batch::file::FileReference;
use windrow_formats::identity::request;
use windrow_formats::limits::SANE_SECONDS;
use windrow_formats::lines::Unit;
use windrow_formats::w3c::{Field, Line, Malformed, Parser, Row, number};

use crate::files::blocks::{Blocks, Next};
use crate::files::w3c::column_name;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, FILE_UNIT_BYTES};
use crate::rows::Rows;
use crate::schema::{self, Column, DATE, IIS, Kind};
use crate::texts::Texts;

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
    /// The day since 1970 of the last row, and what the table calls it.
    day: (i64, String),
    done: Vec<RecordBatch>,
}

/// The values of one column.
enum Values {
    Key(BinaryBuilder),
    Text(Texts),
    Int(Int32Builder),
    Long(Int64Builder),
    Double(Float64Builder),
    Time(TimestampMicrosecondBuilder),
    Map(Box<MapBuilder<StringBuilder, StringBuilder>>),
}

/// Where the lines of a file have what.
#[derive(Default)]
struct Places {
    /// By column.
    columns: Vec<Option<usize>>,
    /// Fields without a column, by their own names.
    others: Vec<(String, usize)>,
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
}

impl Values {
    fn new(column: &Column) -> Values {
        match column.kind {
            Kind::Bytes => Values::Key(BinaryBuilder::new()),
            Kind::Text => Values::Text(Texts::new()),
            Kind::Int => Values::Int(Int32Builder::new()),
            Kind::Long => Values::Long(Int64Builder::new()),
            Kind::Double => Values::Double(Float64Builder::new()),
            Kind::Time => Values::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kind::Map => {
                let names = MapFieldNames {
                    entry: "key_value".to_owned(),
                    key: "key".to_owned(),
                    value: "value".to_owned(),
                };
                let keys = StringBuilder::new();
                let map = MapBuilder::new(Some(names), keys, StringBuilder::new());
                Values::Map(Box::new(map))
            }
        }
    }

    fn text(&mut self, text: Option<&str>) {
        if let Values::Text(values) = self {
            values.append(text.map(str::as_bytes));
        }
    }

    fn time(&mut self, time: Option<i64>) {
        if let Values::Time(values) = self {
            values.append_option(time);
        }
    }

    /// The value that a line has for it.
    fn value(&mut self, value: Option<&[u8]>) {
        match self {
            Values::Text(values) => values.append(value),
            Values::Int(values) => {
                values.append_option(value.and_then(number).and_then(|it| it.try_into().ok()));
            }
            Values::Long(values) => {
                values.append_option(value.and_then(number).and_then(|it| it.try_into().ok()));
            }
            Values::Key(_) | Values::Double(_) | Values::Time(_) | Values::Map(_) => {}
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Key(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Int(values) => Arc::new(values.finish()),
            Values::Long(values) => Arc::new(values.finish()),
            Values::Double(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Map(values) => Arc::new(values.finish()),
        }
    }
}

impl RequestBuilder {
    /// A builder without rows, for what arrives at this time.
    #[must_use]
    pub fn new(received_at: Timestamp) -> RequestBuilder {
        RequestBuilder {
            values: IIS.columns.iter().map(Values::new).collect(),
            rows: 0,
            bytes: 0,
            received_at,
            day: (i64::MIN, String::new()),
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
        let key = request(site.unwrap_or_default(), &file.name, line, row.line()).0;
        let time = row.time().map(|time| time.0);
        let date = self.date(time);
        self.rows += 1;
        self.bytes += ROW_BYTES + row.line().len();
        let received = self.received_at.as_microsecond();
        for (place, (column, values)) in IIS.columns.iter().zip(&mut self.values).enumerate() {
            let own = file.places.columns.get(place).copied().flatten();
            match column.name {
                "request_key" => {
                    if let Values::Key(values) = values {
                        values.append_value(key);
                    }
                }
                DATE => values.text(Some(&date)),
                "time" => values.time(time),
                "received_at" => values.time(Some(received)),
                "source" => values.text(Some(SOURCE)),
                "file" => values.text(Some(&file.name)),
                "fields" => others(values, row, &file.places.others),
                "s_sitename" => match own.and_then(|place| row.at(place)) {
                    None => values.text(site),
                    value => values.value(value),
                },
                _ => values.value(own.and_then(|place| row.at(place))),
            }
        }
        self.day.1 = date;
        key
    }

    /// The date that the table puts a request of this time under. It has to be given back.
    fn date(&mut self, time: Option<i64>) -> String {
        let is_sane = |time: &i64| SANE_SECONDS.contains(&time.div_euclid(1_000_000));
        let time = time.filter(is_sane);
        let time = time.unwrap_or_else(|| self.received_at.as_microsecond());
        let day = time.div_euclid(86_400_000_000);
        if self.day.0 == day {
            return std::mem::take(&mut self.day.1);
        }
        self.day.0 = day;
        let time = Timestamp::from_microsecond(time).unwrap_or(self.received_at);
        Offset::UTC.to_datetime(time).date().to_string()
    }

    fn seal(&mut self) {
        if self.rows == 0 {
            return;
        }
        (self.rows, self.bytes) = (0, 0);
        let columns = self.values.iter_mut().map(Values::finish).collect();
        let batch = RecordBatch::try_new(IIS.arrow_schema(), columns);
        // Depends on this file alone, not on any line: `push` appends once to every column.
        self.done.push(batch.expect("every column has every row"));
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
        let others = others.map(|(place, (_, name))| ((*name).to_owned(), place));
        Places {
            others: others.collect(),
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
            },
        })
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
            },
            parser,
        }
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

/// Whether a folder is called as IIS calls those of its sites.
fn is_site(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    ["W3SVC", "FTPSVC"].iter().any(|prefix| {
        upper.strip_prefix(prefix).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests;
