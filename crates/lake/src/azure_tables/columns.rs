//! The columns of a table, and its rows in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder,
    RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use jiff::Timestamp;
use serde_json::Value as Json;
use windrow_formats::azure::{Entity, Value};
use windrow_formats::text::hex;
use windrow_formats::wad::rows::minute_of;

/// Columns that every table has: the keys, and the minute of the first of them.
const KEYS: [&str; 3] = ["partitionkey", "rowkey", "minute"];
/// The last one, with what has no column of its own.
const MORE: &str = "more";

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Columns {
    schema: SchemaRef,
    /// Names of the properties that are columns, as they are written there, in order.
    properties: Vec<String>,
}

impl Columns {
    /// Those that its first rows have.
    pub(super) fn of(rows: &[Entity<'_>]) -> Columns {
        let mut properties: Vec<String> = Vec::new();
        let mut types: BTreeMap<String, DataType> = BTreeMap::new();
        for (name, value) in rows.iter().flat_map(|row| &row.properties) {
            let small = name.to_ascii_lowercase();
            if KEYS.contains(&small.as_str()) || small == MORE {
                continue;
            }
            match types.get_mut(&small) {
                None => {
                    properties.push(name.clone().into_owned());
                    types.insert(small, type_of(value));
                }
                // Numbers here and texts there: texts.
                Some(known) if *known != type_of(value) => *known = DataType::Utf8,
                Some(_) => {}
            }
        }
        let utf8 = |name: &str| Field::new(name, DataType::Utf8, true);
        let mut fields = vec![
            utf8(KEYS[0]),
            utf8(KEYS[1]),
            Field::new(KEYS[2], time(), true),
        ];
        fields.extend(properties.iter().map(|name| {
            let small = name.to_ascii_lowercase();
            let kind = types.get(&small).cloned().unwrap_or(DataType::Utf8);
            Field::new(small, kind, true)
        }));
        fields.push(utf8(MORE));
        Columns {
            schema: Arc::new(Schema::new(fields)),
            properties,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The properties that these columns need; none where they need all.
    pub(super) fn properties(&self, wanted: &[usize]) -> Option<Vec<String>> {
        let last = self.schema.fields().len() - 1;
        if wanted.contains(&last) {
            return None;
        }
        let named = wanted.iter().filter_map(|place| {
            let property = place.checked_sub(KEYS.len())?;
            self.properties.get(property).cloned()
        });
        let mut named: Vec<String> = named.collect();
        // What names nothing gets everything.
        if named.is_empty() {
            named.push("PartitionKey".to_owned());
        }
        Some(named)
    }

    /// Rows in these columns.
    pub(super) fn batch(
        &self,
        rows: &[Entity<'_>],
        wanted: &[usize],
        schema: &SchemaRef,
    ) -> Result<RecordBatch, DataFusionError> {
        let columns: Vec<ArrayRef> = wanted
            .iter()
            .map(|place| self.column(rows, *place))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
        Ok(batch?)
    }

    fn column(&self, rows: &[Entity<'_>], place: usize) -> ArrayRef {
        let texts = |text: &dyn Fn(&Entity<'_>) -> Option<String>| {
            let mut builder = StringBuilder::new();
            rows.iter().for_each(|row| builder.append_option(text(row)));
            Arc::new(builder.finish()) as ArrayRef
        };
        match place {
            0 => texts(&|row| Some(row.partition_key.clone().into_owned())),
            1 => texts(&|row| Some(row.row_key.clone().into_owned())),
            2 => {
                let mut builder = times();
                rows.iter().for_each(|row| {
                    let minute = minute_of(&row.partition_key);
                    builder.append_option(minute.map(Timestamp::as_microsecond));
                });
                Arc::new(builder.finish())
            }
            place => match self.properties.get(place - KEYS.len()) {
                None => texts(&|row| self.more(row)),
                Some(name) => self.property(rows, name, self.schema.field(place).data_type()),
            },
        }
    }

    fn property(&self, rows: &[Entity<'_>], name: &str, kind: &DataType) -> ArrayRef {
        let values = rows.iter().map(|row| value_of(row, name));
        macro_rules! built {
            ($builder:expr, $taken:expr) => {{
                let mut builder = $builder;
                values.for_each(|value| builder.append_option(value.and_then($taken)));
                Arc::new(builder.finish()) as ArrayRef
            }};
        }
        match kind {
            DataType::Int32 => built!(Int32Builder::new(), |value| match value {
                Value::Int(number) => Some(*number),
                _ => None,
            }),
            DataType::Int64 => built!(Int64Builder::new(), |value| match value {
                Value::Long(number) => Some(*number),
                _ => None,
            }),
            DataType::Float64 => built!(Float64Builder::new(), |value| match value {
                Value::Double(number) => Some(*number),
                _ => None,
            }),
            DataType::Boolean => built!(BooleanBuilder::new(), |value| match value {
                Value::Truth(is) => Some(*is),
                _ => None,
            }),
            DataType::Timestamp(..) => built!(times(), |value| match value {
                Value::Time(at) => Some(at.as_microsecond()),
                _ => None,
            }),
            DataType::Binary => built!(BinaryBuilder::new(), |value| match value {
                Value::Bytes(bytes) => Some(bytes.to_vec()),
                _ => None,
            }),
            _ => built!(StringBuilder::new(), |value| Some(shown(value))),
        }
    }

    /// What of a row is in no column, as JSON.
    fn more(&self, row: &Entity<'_>) -> Option<String> {
        let rest: serde_json::Map<String, Json> = (row.properties.iter())
            .filter(|(name, value)| !self.has(name, value))
            .map(|(name, value)| (name.clone().into_owned(), json(value)))
            .collect();
        (!rest.is_empty()).then(|| Json::Object(rest).to_string())
    }

    fn has(&self, name: &str, value: &Value<'_>) -> bool {
        let place = self.properties.iter().position(|known| known == name);
        place.is_some_and(|place| {
            let kind = self.schema.field(place + KEYS.len()).data_type();
            *kind == DataType::Utf8 || *kind == type_of(value)
        })
    }
}

fn value_of<'r, 'a>(row: &'r Entity<'a>, name: &str) -> Option<&'r Value<'a>> {
    let found = row.properties.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value)
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn times() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_data_type(time())
}

fn type_of(value: &Value<'_>) -> DataType {
    match value {
        Value::Text(_) | Value::Guid(_) => DataType::Utf8,
        Value::Int(_) => DataType::Int32,
        Value::Long(_) => DataType::Int64,
        Value::Double(_) => DataType::Float64,
        Value::Truth(_) => DataType::Boolean,
        Value::Time(_) => time(),
        Value::Bytes(_) => DataType::Binary,
    }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) | Value::Guid(text) => text.clone().into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Truth(is) => is.to_string(),
        Value::Time(at) => at.to_string(),
        Value::Bytes(bytes) => hex(bytes),
    }
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Int(number) => Json::from(*number),
        Value::Long(number) => Json::from(*number),
        Value::Double(number) => Json::from(*number),
        Value::Truth(is) => Json::from(*is),
        other => Json::from(shown(other)),
    }
}
