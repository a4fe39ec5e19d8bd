//! W3C logs (IIS, its FTP service, HTTP.sys): a row a request, the columns as `#Fields` names them.
//!
//! `date` and `time` are the one column `time`; `cs(User-Agent)` is `cs_user_agent`, `sc-status` is `sc_status`. Of a line
//! only the values are made that are asked for, and of a line that fails a condition none.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field as Column, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use windrow_formats::lines::Unit;
use windrow_formats::w3c::{Field, Line, Malformed, Parser, Row, number};

use super::SourceError;
use super::blocks::{Blocks, Next};
use super::scan::{Form, Sink, Test, Wanted};
use super::tally::Bad;
use crate::limits::{
    FIELDS_BYTES, FILE_BATCH_BYTES, FILE_BATCH_ROWS, FILE_UNIT_BYTES, HEAD_BYTES, HEAD_FILES,
    SOURCE_COLUMNS,
};
use crate::texts::Texts;

const TIME: &str = "time";

/// Log files, and what their columns are.
#[derive(Debug)]
pub(super) struct Logs {
    /// By column: the name that the files have. The first is `time`.
    names: Vec<String>,
    schema: SchemaRef,
}

impl Logs {
    /// The columns are what the `#Fields` lines at the begins of the files name: of all files, since each
    /// site of a folder may log fields of its own.
    pub(super) fn of(files: &[PathBuf]) -> Result<Logs, SourceError> {
        let mut names = vec![TIME.to_owned()];
        for (place, file) in files.iter().enumerate() {
            let bytes = if place < HEAD_FILES {
                HEAD_BYTES
            } else {
                FIELDS_BYTES
            };
            for name in head_names(file, bytes)? {
                let is_new = !names.iter().any(|known| known.eq_ignore_ascii_case(&name));
                if is_new && !is_time(&name) && names.len() < SOURCE_COLUMNS {
                    names.push(name);
                }
            }
        }
        let mut columns = Vec::<Column>::new();
        for name in &names {
            let mut column = column_name(name);
            while columns.iter().any(|known| *known.name() == column) {
                column.push_str("_2");
            }
            columns.push(Column::new(column, data_type(name), true));
        }
        Ok(Logs {
            names,
            schema: Arc::new(Schema::new(columns)),
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// By column: where the current line has its value.
    fn places(&self, parser: &Parser) -> Vec<Option<usize>> {
        let place = |name: &String| {
            let mut names = parser.fields()?.names();
            names.position(|named| named.eq_ignore_ascii_case(name))
        };
        self.names.iter().map(place).collect()
    }

    /// A name of `#Fields` that is no column: the files do not begin with it.
    fn unknown<'p>(&self, parser: &'p Parser) -> Option<&'p str> {
        let known = |name: &str| {
            is_time(name)
                || self
                    .names
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name))
        };
        parser.fields()?.names().find(|name| !known(name))
    }
}

/// Whether it is a part of the one column `time`.
fn is_time(name: &str) -> bool {
    name.eq_ignore_ascii_case("date") || name.eq_ignore_ascii_case(TIME)
}

/// All that `#Fields` lines in so many bytes at the begin of a file name.
fn head_names(file: &Path, bytes: usize) -> Result<Vec<String>, SourceError> {
    let mut head = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(bytes as u64).read_to_end(&mut head));
    read.map_err(|source| SourceError::Read {
        path: file.to_owned(),
        source,
    })?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let mut parser = Parser::default();
    let mut names = Vec::new();
    for line in Unit::Line.split(text).filter(|line| line.starts_with(b"#")) {
        if parser.line(line) == Line::Directive
            && let Some(fields) = parser.fields()
        {
            names.extend(fields.names().map(str::to_owned));
        }
    }
    Ok(names)
}

/// The name in letters that SQL takes without quotes.
pub(crate) fn column_name(name: &str) -> String {
    let mut column = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => column.push(c.to_ascii_lowercase()),
            _ if column.is_empty() || column.ends_with('_') => {}
            _ => column.push('_'),
        }
    }
    let column = column.trim_end_matches('_');
    match column.chars().next() {
        None => "field".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("field_{column}"),
        Some(_) => column.to_owned(),
    }
}

fn data_type(name: &str) -> DataType {
    match Field::named(name) {
        Some(Field::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Some(Field::ServerPort | Field::ClientPort | Field::Status | Field::SubStatus) => {
            DataType::Int32
        }
        Some(Field::Win32Status | Field::BytesSent | Field::BytesReceived | Field::TimeTaken) => {
            DataType::Int64
        }
        _ => DataType::Utf8,
    }
}

/// The values of one column.
enum Values {
    Time(TimestampMicrosecondBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Text(Texts),
}

impl Values {
    fn new(data_type: &DataType) -> Values {
        match data_type {
            DataType::Timestamp(..) => {
                Values::Time(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::Int32 => Values::Int(Int32Builder::new()),
            DataType::Int64 => Values::Long(Int64Builder::new()),
            _ => Values::Text(Texts::new()),
        }
    }

    /// Adds the value of this row. Answers how many bytes of text it has.
    fn push(&mut self, row: &Row<'_>, place: Option<usize>) -> usize {
        let value = place.and_then(|place| row.at(place));
        match self {
            Values::Time(values) => values.append_option(row.time().map(|time| time.0)),
            Values::Int(values) => {
                values.append_option(value.and_then(number).and_then(|it| it.try_into().ok()));
            }
            Values::Long(values) => {
                values.append_option(value.and_then(number).and_then(|it| it.try_into().ok()));
            }
            Values::Text(values) => values.append(value),
        }
        value.map_or(0, <[u8]>::len)
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Time(values) => Arc::new(values.finish()),
            Values::Int(values) => Arc::new(values.finish()),
            Values::Long(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
        }
    }
}

/// Rows that are being made of one file.
struct Making<'a> {
    logs: &'a Logs,
    wanted: &'a Wanted,
    values: Vec<Values>,
    places: Vec<Option<usize>>,
    rows: usize,
    text_bytes: usize,
}

impl Making<'_> {
    /// Whether no condition fails. A value that is not there passes none.
    fn takes(&self, row: &Row<'_>) -> bool {
        let passes = |test: &Test| {
            let value = self.places[test.column].and_then(|place| row.at(place));
            let column = self.logs.schema.field(test.column);
            match (value, column.data_type()) {
                (None, DataType::Timestamp(..)) => true,
                (None, _) => false,
                (Some(value), DataType::Int32 | DataType::Int64) => {
                    let number = number(value).and_then(|number| i64::try_from(number).ok());
                    number.is_some_and(|number| test.takes_number(number))
                }
                (Some(value), DataType::Utf8) => test.takes_text(value),
                _ => true,
            }
        };
        self.wanted.tests.iter().all(passes)
    }

    fn push(&mut self, row: &Row<'_>) {
        for (values, column) in self.values.iter_mut().zip(&self.wanted.columns) {
            self.text_bytes += values.push(row, self.places[*column]);
        }
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= FILE_BATCH_ROWS || self.text_bytes >= FILE_BATCH_BYTES
    }

    fn finish(&mut self) -> Result<RecordBatch, DataFusionError> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.text_bytes) = (0, 0);
        let columns = self.values.iter_mut().map(Values::finish).collect();
        let schema = Arc::clone(&self.wanted.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

impl Form for Logs {
    fn tests(&self) -> bool {
        true
    }

    fn read(
        &self,
        file: &Path,
        wanted: &Wanted,
        sink: &Sink,
        bad: &mut Bad<'_>,
    ) -> Result<(), DataFusionError> {
        let mut parser = Parser::default();
        let values = wanted.schema.fields().iter();
        let mut making = Making {
            logs: self,
            wanted,
            values: values
                .map(|column| Values::new(column.data_type()))
                .collect(),
            places: vec![None; self.names.len()],
            rows: 0,
            text_bytes: 0,
        };
        let mut blocks = Blocks::new(File::open(file)?, Unit::Line);
        let mut is_told = false;
        loop {
            let (block, first) = match blocks.next()? {
                Next::Block(block, first) => (block, first),
                Next::TooLong(line) => {
                    bad.add_line(line, || {
                        let bytes = FILE_UNIT_BYTES;
                        Malformed::TooLong { bytes }.to_string()
                    });
                    continue;
                }
                Next::End => break,
            };
            let mut number = first;
            for line in Unit::Line.split(block) {
                match parser.line(line) {
                    Line::Row(row) if making.takes(&row) => making.push(&row),
                    Line::Row(_) | Line::Blank => {}
                    Line::Malformed(why) => bad.add_line(number, || why.to_string()),
                    Line::Directive => {
                        making.places = self.places(&parser);
                        // The directive comes again whenever the server starts; its lines are rows all the same.
                        if let Some(name) = self.unknown(&parser).filter(|_| !is_told) {
                            bad.add_line(number, || no_column(name));
                            is_told = true;
                        }
                    }
                }
                if making.is_full() && sink.give(making.finish()?).is_break() {
                    return Ok(());
                }
                number += 1;
            }
            bad.read(block.len());
            blocks.passed(number - first);
            if sink.is_over() {
                return Ok(());
            }
        }
        if making.rows > 0 {
            let _ = sink.give(making.finish()?);
        }
        Ok(())
    }
}

fn no_column(name: &str) -> String {
    format!("#Fields names {name}, which no file begins with: it is no column")
}
