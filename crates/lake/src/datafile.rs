//! Rows to Parquet: encodings chosen a column, and the statistics by which a query skips the file.
//!
//! The bytes are made in memory on a thread of their own: a commit's rows are bounded by whoever
//! collected them, and their Parquet is a tenth of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use deltalake::kernel::Add;
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::limits::{ROW_GROUP_BYTES, ROW_GROUP_ROWS, STATISTIC_CHARS};
use crate::rows::Rows;
use crate::schema::{self, Kind};

/// One data file, encoded and not yet stored.
pub(crate) struct DataFile {
    /// Path below the table's folder.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    date: String,
    statistics: Value,
}

impl DataFile {
    /// The action that adds this file to the table, once it is stored.
    pub(crate) fn add(&self, now: Timestamp) -> Add {
        Add {
            path: self.path.clone(),
            partition_values: HashMap::from([(schema::DATE.to_owned(), Some(self.date.clone()))]),
            size: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            modification_time: now.as_millisecond(),
            data_change: true,
            stats: Some(self.statistics.to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}

/// Encodes rows that all have this date.
pub(crate) fn encode(date: &str, rows: &Rows) -> Result<DataFile, ParquetError> {
    let mut writer = ArrowWriter::try_new(
        Vec::new(),
        schema::file_schema(),
        Some(writer_properties()?),
    )?;
    let mut statistics = Statistics::default();
    for batch in rows.batches() {
        let batch = without_date(batch)?;
        statistics.cover(&batch);
        writer.write(&batch)?;
    }
    Ok(DataFile {
        path: format!(
            "{}={date}/part-{}.zstd.parquet",
            schema::DATE,
            Uuid::new_v4()
        ),
        bytes: writer.into_inner()?,
        date: date.to_owned(),
        statistics: statistics.to_json(),
    })
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
pub(crate) fn writer_properties() -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        // Pages are so much alike that a higher level finds nothing more in the Event's text.
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
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
