//! Lines of JSON, and CSV: columns and types are told by what files begin with.
//!
//! A block of the file is decoded at once. When that fails, each of its lines is tried alone: those that cannot be read
//! are counted and left out, the others are decoded.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::{csv, json};
use datafusion::error::DataFusionError;
use windrow_formats::lines::{self, Unit};

use super::SourceError;
use super::blocks::{Blocks, Next};
use super::kind::Kind;
use super::scan::{Form, Sink, Wanted};
use super::tally::Bad;
use crate::limits::{FILE_BATCH_ROWS, FILE_UNIT_BYTES, HEAD_BYTES, HEAD_FILES, SOURCE_COLUMNS};

/// Files of text, and what their columns are.
#[derive(Debug)]
pub(super) struct Texts {
    kind: Kind,
    schema: SchemaRef,
}

impl Texts {
    /// Tells the columns of JSON lines or CSV.
    pub(super) fn of(files: &[PathBuf], kind: Kind) -> Result<Texts, SourceError> {
        let mut schemas = Vec::new();
        for file in files.iter().take(HEAD_FILES) {
            let failed = |why: String| SourceError::Columns {
                path: file.clone(),
                why,
            };
            let head = head(file).map_err(|source| SourceError::Read {
                path: file.clone(),
                source,
            })?;
            let schema = match kind {
                Kind::Csv => csv_schema(&head),
                _ => json_schema(&head),
            };
            schemas.push(schema.map_err(|error| failed(error.to_string()))?);
        }
        let columns = merged(&schemas);
        if let (true, Some(file)) = (columns.len() > SOURCE_COLUMNS, files.first()) {
            return Err(SourceError::Columns {
                path: file.clone(),
                why: format!("there are more than {SOURCE_COLUMNS}"),
            });
        }
        Ok(Texts {
            kind,
            schema: Arc::new(Schema::new(columns)),
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn unit(&self) -> Unit {
        match self.kind {
            Kind::Csv => Unit::Record,
            _ => Unit::Line,
        }
    }
}

/// The columns of all files, in types that have the values of each.
fn merged(schemas: &[Schema]) -> Vec<Field> {
    let mut columns = Vec::<Field>::new();
    for field in schemas.iter().flat_map(Schema::fields) {
        match columns
            .iter_mut()
            .find(|known| known.name() == field.name())
        {
            Some(known) => known.set_data_type(wider(known.data_type(), field.data_type())),
            None => columns.push(field.as_ref().clone().with_nullable(true)),
        }
    }
    for column in columns
        .iter_mut()
        .filter(|column| column.data_type().is_null())
    {
        column.set_data_type(DataType::Utf8);
    }
    columns
}

/// A type that has the values of both; what is always empty is anything.
fn wider(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (DataType::Null, other) => other.clone(),
        (one, DataType::Null) => one.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => {
            DataType::Float64
        }
        // Objects with other values in another file: those of the first are read.
        (one, _) if one.is_nested() => one.clone(),
        _ => DataType::Utf8,
    }
}

/// The whole lines at the begin of a file.
fn head(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let read = File::open(file)?
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    if read >= HEAD_BYTES {
        head.truncate(Unit::Line.whole(&head).max(1));
    }
    Ok(head)
}

fn json_schema(head: &[u8]) -> Result<Schema, ArrowError> {
    let objects = Unit::Line.split(head).filter_map(|line| {
        let value = serde_json::from_slice::<serde_json::Value>(line).ok()?;
        value.is_object().then_some(Ok(value))
    });
    let schema = json::reader::infer_json_schema_from_iterator(objects)?;
    match schema.fields().is_empty() && !head.trim_ascii().is_empty() {
        true => Err(ArrowError::JsonError(
            "no line of it is an object (an array is not lines)".to_owned(),
        )),
        false => Ok(schema),
    }
}

fn csv_schema(head: &[u8]) -> Result<Schema, ArrowError> {
    let format = Format::default()
        .with_header(true)
        .with_delimiter(delimiter(head))
        .with_truncated_rows(true);
    // Bad records have no say, and neither has one that the head cuts.
    let whole = &head[..Unit::Record.whole(head).max(Unit::Record.first(head))];
    let (schema, _) = format.infer_schema(Cursor::new(whole), None).or_else(|_| {
        let header = &whole[..Unit::Record.first(whole)];
        format.infer_schema(Cursor::new(header), None)
    })?;
    // Of times there are many forms, and SQL casts them.
    let plain = |field: &Arc<Field>| {
        let data_type = field.data_type();
        let is_kept = matches!(
            data_type,
            DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::Null
        );
        match is_kept || matches!(data_type, DataType::Timestamp(_, _)) {
            true => field.as_ref().clone(),
            false => field.as_ref().clone().with_data_type(DataType::Utf8),
        }
    };
    let fields = schema.fields().iter().map(plain).collect();
    Ok(Schema::new(distinct(fields)))
}

/// The columns of a CSV file under names that differ: one that has the name of another gets a number, one without a name
/// that of its place.
fn distinct(mut columns: Vec<Field>) -> Vec<Field> {
    let mut known: BTreeSet<String> = columns.iter().map(|it| it.name().clone()).collect();
    let mut seen = BTreeSet::new();
    for (place, column) in (1..).zip(&mut columns) {
        let name = match column.name().as_str() {
            "" => format!("column_{place}"),
            name => name.to_owned(),
        };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = numbered.filter(|other| !known.contains(other));
        let mut free = std::iter::once(name.clone()).chain(free);
        let chosen = free.find(|name| !seen.contains(name)).unwrap_or(name);
        seen.insert(chosen.clone());
        known.insert(chosen.clone());
        column.set_name(chosen);
    }
    columns
}

/// What parts the names of the first line.
fn delimiter(head: &[u8]) -> u8 {
    let header = &head[..Unit::Record.first(head)];
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    let others = [b';', b'\t'];
    let most = others.into_iter().max_by_key(|delimiter| count(*delimiter));
    most.filter(|most| count(*most) > count(b','))
        .unwrap_or(b',')
}

/// How the lines of one file are decoded.
enum Coding {
    /// The columns to be made.
    Json(SchemaRef),
    /// The file's own columns, which of them are wanted, and what parts them.
    Csv {
        schema: SchemaRef,
        columns: Vec<usize>,
        delimiter: u8,
    },
}

impl Coding {
    /// Of CSV, by the file's own header.
    fn csv(header: &[u8], wanted: &Schema) -> Result<Coding, ArrowError> {
        let delimiter = delimiter(header);
        let format = Format::default()
            .with_header(true)
            .with_delimiter(delimiter);
        let (named, _) = format.infer_schema(Cursor::new(header), None)?;
        let field = |field: &Field| {
            let data_type = wanted.field_with_name(field.name());
            let data_type = data_type.map_or(DataType::Utf8, |field| field.data_type().clone());
            Field::new(field.name(), data_type, true)
        };
        let named = named.fields().iter().map(|field| field.as_ref().clone());
        let named = distinct(named.collect());
        let fields: Vec<Field> = named.iter().map(field).collect();
        let is_wanted = |(_, field): &(usize, &Field)| wanted.index_of(field.name()).is_ok();
        let columns = fields.iter().enumerate().filter(is_wanted);
        Ok(Coding::Csv {
            columns: columns.map(|(place, _)| place).collect(),
            schema: Arc::new(Schema::new(fields)),
            delimiter,
        })
    }

    /// Decodes whole lines.
    fn decode(&self, block: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
        match self {
            Coding::Json(schema) => {
                let mut decoder = json::ReaderBuilder::new(Arc::clone(schema))
                    .with_coerce_primitive(true)
                    .with_batch_size(FILE_BATCH_ROWS)
                    .build_decoder()?;
                let mut batches = Vec::new();
                let mut rest = block;
                loop {
                    rest = &rest[decoder.decode(rest)?..];
                    match decoder.flush()? {
                        Some(batch) => batches.push(batch),
                        None if rest.is_empty() => return Ok(batches),
                        None => return Err(ArrowError::JsonError("no object".to_owned())),
                    }
                }
            }
            Coding::Csv {
                schema,
                columns,
                delimiter,
            } => {
                let reader = csv::ReaderBuilder::new(Arc::clone(schema))
                    .with_delimiter(*delimiter)
                    .with_projection(columns.clone())
                    .with_batch_size(FILE_BATCH_ROWS)
                    .build(Cursor::new(block))?;
                reader.collect()
            }
        }
    }
}

/// One file that is being read.
struct Reading<'a, 'b> {
    coding: Coding,
    unit: Unit,
    wanted: &'a Wanted,
    sink: &'a Sink,
    bad: &'a mut Bad<'b>,
}

impl Reading<'_, '_> {
    /// Decodes a block, and without its bad lines when that fails. Answers whether more is wanted.
    fn block(&mut self, block: &[u8], first: u64) -> Result<bool, ArrowError> {
        if let Ok(batches) = self.coding.decode(block) {
            return self.give(batches);
        }
        let mut good = Vec::with_capacity(block.len());
        let mut number = first;
        for unit in self.unit.split(block) {
            match self.coding.decode(unit) {
                Ok(_) => {
                    good.extend_from_slice(unit);
                    // The last line of a file may have no end.
                    if !unit.ends_with(b"\n") {
                        good.push(b'\n');
                    }
                }
                Err(error) => self.bad.add_line(number, || reason(&error)),
            }
            number += lines::count(unit);
        }
        let batches = self.coding.decode(&good)?;
        self.give(batches)
    }

    fn give(&self, batches: Vec<RecordBatch>) -> Result<bool, ArrowError> {
        for batch in batches {
            let rows = batch.num_rows();
            let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
                Some(values) => Arc::clone(values),
                None => new_null_array(field.data_type(), rows),
            };
            let columns = self.wanted.schema.fields().iter().map(column).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let schema = Arc::clone(&self.wanted.schema);
            let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
            if self.sink.give(batch).is_break() {
                return Ok(false);
            }
        }
        Ok(!self.sink.is_over())
    }
}

/// What the decoder says, without the number of the line, which is one in its block.
fn reason(error: &ArrowError) -> String {
    let text = error.to_string();
    let text = text
        .split_once("error: ")
        .map_or(text.as_str(), |(_, text)| text);
    let text = text.split(" for line").next().unwrap_or(text);
    text.to_owned()
}

impl Form for Texts {
    fn read(
        &self,
        file: &Path,
        wanted: &Wanted,
        sink: &Sink,
        bad: &mut Bad<'_>,
    ) -> Result<(), DataFusionError> {
        // Rows without columns are counted by their first one.
        let made = match wanted.schema.fields().first() {
            Some(_) => Arc::clone(&wanted.schema),
            None => Arc::new(self.schema.project(&[0])?),
        };
        let mut reading = Reading {
            coding: Coding::Json(Arc::clone(&made)),
            unit: self.unit(),
            wanted,
            sink,
            bad,
        };
        let mut needs_header = self.kind == Kind::Csv;
        let mut blocks = Blocks::new(File::open(file)?, self.unit());
        loop {
            match blocks.next()? {
                Next::Block(mut block, mut first) => {
                    reading.bad.read(block.len());
                    if needs_header {
                        let (header, rest) = block.split_at(Unit::Record.first(block));
                        reading.coding = Coding::csv(header, &made)?;
                        first += lines::count(header);
                        (block, needs_header) = (rest, false);
                    }
                    if !reading.block(block, first)? {
                        return Ok(());
                    }
                }
                Next::TooLong(line) => reading
                    .bad
                    .add_line(line, || format!("longer than {FILE_UNIT_BYTES} bytes")),
                Next::End => return Ok(()),
            }
        }
    }
}
