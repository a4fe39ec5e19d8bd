//! Rows to Parquet: encodings chosen a column, and the statistics by which a query skips the file.
//!
//! The bytes are made in memory, a day's at a time: a commit's rows are bounded by whoever collected
//! them, and their Parquet is a tenth of them. What is merged goes to the disk as it is made.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use deltalake::kernel::Add;
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::limits::{
    MERGE_BATCH_ROWS, MERGE_GROUP_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, STATISTIC_CHARS,
};
use crate::rows::Rows;
use crate::schema::{self, Kind};

/// What the table says about a data file.
pub(crate) struct DataFile {
    /// Path below the table's folder.
    pub(crate) path: String,
    date: String,
    statistics: Value,
}

/// What a new file means to whoever follows the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Rows that were not there.
    Rows,
    /// The rows of other files that go.
    Layout,
}

impl DataFile {
    /// A new file for rows of this date.
    fn new(date: &str, statistics: &Statistics) -> DataFile {
        DataFile {
            path: format!(
                "{}={date}/part-{}.zstd.parquet",
                schema::DATE,
                Uuid::new_v4()
            ),
            date: date.to_owned(),
            statistics: statistics.to_json(),
        }
    }

    /// The action that adds this file of so many bytes to the table, once it is stored.
    pub(crate) fn add(&self, bytes: u64, now: Timestamp, change: Change) -> Add {
        Add {
            path: self.path.clone(),
            partition_values: HashMap::from([(schema::DATE.to_owned(), Some(self.date.clone()))]),
            size: i64::try_from(bytes).unwrap_or(i64::MAX),
            modification_time: now.as_millisecond(),
            data_change: change == Change::Rows,
            stats: Some(self.statistics.to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}

/// Encodes rows that all go under this date.
pub(crate) fn encode(date: &str, rows: &Rows) -> Result<(DataFile, Vec<u8>), ParquetError> {
    let properties = writer_properties(ROW_GROUP_BYTES)?;
    let mut writer = ArrowWriter::try_new(Vec::new(), schema::file_schema(), Some(properties))?;
    let mut statistics = Statistics::default();
    for batch in rows.batches() {
        let batch = without_date(batch)?;
        statistics.cover(&batch);
        writer.write(&batch)?;
    }
    let bytes = writer.into_inner()?;
    Ok((DataFile::new(date, &statistics), bytes))
}

/// Writes the rows of these data files of one date, in this order, as one. Some rows of one of them and a row group of
/// the new one are in memory.
pub(crate) fn merge(
    date: &str,
    parts: impl Iterator<Item = std::io::Result<File>>,
    into: File,
) -> Result<(DataFile, File), ParquetError> {
    let properties = writer_properties(MERGE_GROUP_BYTES)?;
    let mut writer = ArrowWriter::try_new(into, schema::file_schema(), Some(properties))?;
    let mut statistics = Statistics::default();
    for part in parts {
        let reader = ParquetRecordBatchReaderBuilder::try_new(part?)?;
        for batch in reader.with_batch_size(MERGE_BATCH_ROWS).build()? {
            let batch = batch?.with_schema(schema::file_schema())?;
            statistics.cover(&batch);
            writer.write(&batch)?;
        }
    }
    let file = writer.into_inner()?;
    Ok((DataFile::new(date, &statistics), file))
}

fn without_date(batch: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    let columns = schema::COLUMNS.iter().zip(batch.columns());
    let columns = columns
        .filter(|(column, _)| column.name != schema::DATE)
        .map(|(_, array)| Arc::clone(array));
    Ok(RecordBatch::try_new(
        schema::file_schema(),
        columns.collect(),
    )?)
}

/// Encodings and compression a column; see `docs/lake-schema.md`.
fn writer_properties(group_bytes: usize) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        // Pages are so much alike that a higher level finds nothing more in the Event's text.
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(group_bytes))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(format!("windrow {}", env!("CARGO_PKG_VERSION")))
        // The least and greatest of all values of all names say nothing about any of them.
        .set_column_statistics_enabled(map_path("key"), EnabledStatistics::None)
        .set_column_statistics_enabled(map_path("value"), EnabledStatistics::None)
        // Too many are different: a dictionary would be given up after a megabyte, its cost spent.
        .set_column_dictionary_enabled(map_path("value"), false);
    for column in &schema::COLUMNS {
        let path = ColumnPath::from(column.name);
        properties = match (column.name, column.kind) {
            // A hash has no order and no repetition: neither statistics nor compression find anything.
            ("event_key", _) => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                // Plain would put four bytes of length before each sixteen.
                .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
            ("message" | "event_xml" | "command_line", _) => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
            ("target_logon_id" | "subject_logon_id", _) => {
                properties.set_column_dictionary_enabled(path, false)
            }
            (_, Kind::Time) | ("seq" | "record_id", _) => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            _ => properties,
        };
    }
    Ok(properties.build())
}

/// The keys or the values of `event_data`.
fn map_path(part: &str) -> ColumnPath {
    ColumnPath::from(
        ["event_data", "key_value", part]
            .map(str::to_owned)
            .to_vec(),
    )
}

/// Per-file statistics (Delta protocol, "Per-file Statistics") of [`schema::SKIPPING_COLUMNS`].
#[derive(Default)]
struct Statistics {
    rows: usize,
    columns: BTreeMap<&'static str, Bounds>,
}

#[derive(Default)]
struct Bounds {
    nulls: usize,
    range: Option<Range>,
}

enum Range {
    Times(i64, i64),
    Numbers(i64, i64),
    Texts(String, String),
}

impl Statistics {
    fn cover(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        for name in schema::SKIPPING_COLUMNS {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let bounds = self.columns.entry(name).or_default();
            bounds.nulls += column.null_count();
            bounds.range = match (bounds.range.take(), range(column.as_ref())) {
                (Some(one), Some(other)) => Some(one.cover(other)),
                (one, other) => one.or(other),
            };
        }
    }

    fn to_json(&self) -> Value {
        let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (name, bounds) in &self.columns {
            nulls.insert((*name).to_owned(), json!(bounds.nulls));
            let (min, max) = bounds.range.as_ref().map_or((None, None), Range::to_json);
            least.extend(min.map(|value| ((*name).to_owned(), value)));
            greatest.extend(max.map(|value| ((*name).to_owned(), value)));
        }
        json!({
            "numRecords": self.rows,
            "minValues": least,
            "maxValues": greatest,
            "nullCount": nulls,
        })
    }
}

fn range(column: &dyn Array) -> Option<Range> {
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(Range::Times(compute::min(times)?, compute::max(times)?));
    }
    if let Some(longs) = column.as_primitive_opt::<Int64Type>() {
        return Some(Range::Numbers(compute::min(longs)?, compute::max(longs)?));
    }
    if let Some(ints) = column.as_primitive_opt::<Int32Type>() {
        return Some(Range::Numbers(
            compute::min(ints)?.into(),
            compute::max(ints)?.into(),
        ));
    }
    let texts = column.as_string_opt::<i32>()?;
    Some(Range::Texts(
        compute::min_string(texts)?.to_owned(),
        compute::max_string(texts)?.to_owned(),
    ))
}

impl Range {
    fn cover(self, other: Range) -> Range {
        match (self, other) {
            (Range::Times(a, b), Range::Times(c, d)) => Range::Times(a.min(c), b.max(d)),
            (Range::Numbers(a, b), Range::Numbers(c, d)) => Range::Numbers(a.min(c), b.max(d)),
            (Range::Texts(a, b), Range::Texts(c, d)) => Range::Texts(a.min(c), b.max(d)),
            (range, _) => range,
        }
    }

    fn to_json(&self) -> (Option<Value>, Option<Value>) {
        match self {
            Range::Times(least, greatest) => (time(*least), time(*greatest)),
            Range::Numbers(least, greatest) => (Some(json!(least)), Some(json!(greatest))),
            // A prefix is a lower bound and no upper one, so a long greatest value gives none at all.
            Range::Texts(least, greatest) => {
                let whole = prefix(greatest) == greatest;
                (Some(json!(prefix(least))), whole.then(|| json!(greatest)))
            }
        }
    }
}

fn prefix(text: &str) -> &str {
    text.char_indices()
        .nth(STATISTIC_CHARS)
        .map_or(text, |(end, _)| &text[..end])
}

fn time(microseconds: i64) -> Option<Value> {
    let time = Timestamp::from_microsecond(microseconds).ok()?;
    Some(Value::from(format!("{time:.6}")))
}
