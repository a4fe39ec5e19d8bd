//! Rows to Parquet: encodings chosen a column, and the statistics by which a query skips the file.
//!
//! The bytes are made in memory, a day's at a time: a commit's rows are bounded by whoever collected
//! them, and their Parquet is a tenth of them. What is merged goes to the disk as it is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute;
use arrow::datatypes::{Field, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use deltalake::kernel::Add;
use jiff::Timestamp;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::footer;
use crate::limits::{
    MERGE_BATCH_ROWS, MERGE_GROUP_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, STATISTIC_CHARS,
    TEXTLESS_CHANNELS,
};
use crate::retention::Fate;
use crate::rows::Rows;
use crate::schema::{self, Coding, Definition, Kind};

mod merge;

pub(crate) use merge::merge;

/// What of a file of events is over.
#[derive(Debug, Default)]
pub(crate) struct Aging {
    /// All its rows.
    pub(crate) all: u64,
    /// Rows that go.
    pub(crate) rows: u64,
    /// Rows whose text goes.
    pub(crate) texts: u64,
}

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
pub(crate) fn encode(
    definition: &Definition,
    date: &str,
    rows: &Rows,
) -> Result<(DataFile, Vec<u8>), ParquetError> {
    let properties = writer_properties(definition, ROW_GROUP_BYTES)?;
    let schema = definition.file_schema();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    let mut statistics = Statistics::new(definition);
    for batch in rows.batches() {
        let batch = without_date(definition, &schema, batch)?;
        statistics.cover(&batch);
        writer.write(&batch)?;
    }
    let bytes = writer.into_inner()?;
    Ok((DataFile::new(date, &statistics), bytes))
}

/// How many rows of a file of events there are, and of how many rows and texts this is the end.
pub(crate) fn aging(
    file: File,
    fate: impl Fn(Option<&str>) -> Fate,
) -> Result<Aging, ParquetError> {
    footer::decoded(|| aging_of(file, fate))
}

fn aging_of(file: File, fate: impl Fn(Option<&str>) -> Fate) -> Result<Aging, ParquetError> {
    let builder = footer::reader(file)?;
    let textless = textless(builder.metadata().file_metadata().key_value_metadata());
    let columns = ProjectionMask::columns(builder.parquet_schema(), [CHANNEL]);
    let reader = builder.with_projection(columns);
    let mut aging = Aging::default();
    for batch in reader.with_batch_size(MERGE_BATCH_ROWS).build()? {
        let batch = batch?;
        let Some(channels) = batch.column(0).as_string_opt::<i32>() else {
            continue;
        };
        let channels: Vec<Option<&str>> = channels.iter().collect();
        // Neighbours are mostly of one channel.
        for run in channels.chunk_by(|one, other| one == other) {
            let rows = run.len() as u64;
            aging.all += rows;
            match fate(run[0]) {
                Fate::Gone => aging.rows += rows,
                Fate::Textless if !textless.contains(&run[0].map(str::to_owned)) => {
                    aging.texts += rows;
                }
                Fate::Textless | Fate::Kept => {}
            }
        }
    }
    Ok(aging)
}

/// Writes a file of events again: rows of channels that go are left out, and texts of those that lose them.
pub(crate) fn thin(
    definition: &Definition,
    date: &str,
    part: File,
    fate: impl Fn(Option<&str>) -> Fate,
    into: File,
) -> Result<(DataFile, File), ParquetError> {
    footer::decoded(|| thinned(definition, date, part, fate, into))
}

fn thinned(
    definition: &Definition,
    date: &str,
    part: File,
    fate: impl Fn(Option<&str>) -> Fate,
    into: File,
) -> Result<(DataFile, File), ParquetError> {
    let properties = writer_properties(definition, MERGE_GROUP_BYTES)?;
    let schema = definition.file_schema();
    let mut writer = ArrowWriter::try_new(into, Arc::clone(&schema), Some(properties))?;
    let mut statistics = Statistics::new(definition);
    let mut without_text = BTreeSet::new();
    let reader = footer::reader(part)?;
    for batch in reader.with_batch_size(MERGE_BATCH_ROWS).build()? {
        let batch = fitted(&batch?, &schema)?;
        let fates: Vec<Fate> = match batch.column_by_name(CHANNEL) {
            Some(channels) => channels.as_string::<i32>().iter().map(&fate).collect(),
            None => vec![Fate::Kept; batch.num_rows()],
        };
        if let Some(channels) = batch.column_by_name(CHANNEL) {
            let channels = channels.as_string::<i32>().iter().zip(&fates);
            for (channel, _) in channels.filter(|(_, fate)| **fate == Fate::Textless) {
                let channel = channel.map(str::to_owned);
                if without_text.len() <= TEXTLESS_CHANNELS && !without_text.contains(&channel) {
                    without_text.insert(channel);
                }
            }
        }
        let batch = without_texts(&batch, &fates)?;
        let stays: BooleanArray = fates.iter().map(|fate| Some(*fate != Fate::Gone)).collect();
        let batch = compute::filter_record_batch(&batch, &stays)?;
        statistics.cover(&batch);
        writer.write(&batch)?;
    }
    if let Some(told) = told_textless(&without_text) {
        writer.append_key_value_metadata(told);
    }
    let file = writer.into_inner()?;
    Ok((DataFile::new(date, &statistics), file))
}

/// Takes the texts of those rows that lose them.
fn without_texts(batch: &RecordBatch, fates: &[Fate]) -> Result<RecordBatch, ParquetError> {
    let Ok(place) = batch.schema_ref().index_of(TEXT) else {
        return Ok(batch.clone());
    };
    let lost: BooleanArray = fates
        .iter()
        .map(|fate| Some(*fate == Fate::Textless))
        .collect();
    let mut columns = batch.columns().to_vec();
    columns[place] = compute::nullif(&columns[place], &lost)?;
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Columns by which events are thinned out.
const CHANNEL: &str = "channel";
const TEXT: &str = "event_xml";

/// What a file says of itself: a JSON array of the channels whose events have no text any more, null for none.
const TEXTLESS: &str = "windrow.textless";

fn told_textless(channels: &BTreeSet<Option<String>>) -> Option<KeyValue> {
    let told = || KeyValue::new(TEXTLESS.to_owned(), json!(channels).to_string());
    // Senders name channels. Where they name too many the file is looked at, and written, again each time.
    (1..=TEXTLESS_CHANNELS).contains(&channels.len()).then(told)
}

fn textless(told: Option<&Vec<KeyValue>>) -> BTreeSet<Option<String>> {
    let told = told.and_then(|told| told.iter().find(|one| one.key == TEXTLESS));
    let told = told.and_then(|one| serde_json::from_str(one.value.as_deref()?).ok());
    told.unwrap_or_default()
}

fn without_date(
    definition: &Definition,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, ParquetError> {
    let columns = definition.columns.iter().zip(batch.columns());
    let columns = columns
        .filter(|(column, _)| column.name != schema::DATE)
        .map(|(_, array)| Arc::clone(array));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}

/// The rows of a file in these columns; what a file of an earlier version does not have is missing in its rows.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ParquetError> {
    let column = |field: &Arc<Field>| {
        batch.column_by_name(field.name()).map_or_else(
            || new_null_array(field.data_type(), batch.num_rows()),
            Arc::clone,
        )
    };
    let columns = schema.fields().iter().map(column).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Encodings and compression a column; see `docs/lake-schema.md`.
fn writer_properties(
    definition: &Definition,
    group_bytes: usize,
) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        // Pages are so much alike that a higher level finds nothing more in the Event's text.
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(group_bytes))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Sixty columns have many pages, and nothing looks for a row by its number.
        .set_offset_index_disabled(true)
        .set_created_by(format!("windrow {}", env!("CARGO_PKG_VERSION")));
    for column in definition.columns {
        if column.kind == Kind::Map {
            let (key, value) = (map_path(column.name, "key"), map_path(column.name, "value"));
            properties = properties
                // The least and greatest of all values of all names say nothing about any of them.
                .set_column_statistics_enabled(key, EnabledStatistics::None)
                .set_column_statistics_enabled(value.clone(), EnabledStatistics::None)
                // Too many are different.
                .set_column_dictionary_enabled(value, false);
            continue;
        }
        let path = ColumnPath::from(column.name);
        properties = match column.coding {
            Coding::Dictionary => properties,
            Coding::Plain => properties.set_column_dictionary_enabled(path, false),
            Coding::Text => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
            Coding::Delta => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Coding::Hash => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                // Plain would put four bytes of length before each sixteen.
                .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
        };
    }
    Ok(properties.build())
}

/// The keys or the values of a map.
fn map_path(map: &str, part: &str) -> ColumnPath {
    ColumnPath::from([map, "key_value", part].map(str::to_owned).to_vec())
}

/// Per-file statistics (Delta protocol, "Per-file Statistics") of [`Definition::skipping`].
struct Statistics {
    skipping: &'static [&'static str],
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
    fn new(definition: &Definition) -> Statistics {
        Statistics {
            skipping: definition.skipping,
            rows: 0,
            columns: BTreeMap::new(),
        }
    }

    fn cover(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        for name in self.skipping.iter().copied() {
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
