//! The values of rows, column by column, until they are a batch of their table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use jiff::Timestamp;
use jiff::tz::Offset;
use windrow_formats::limits::SANE_SECONDS;
use windrow_formats::w3c::number;

use crate::schema::{Column, Definition, Kind};
use crate::texts::Texts;

/// The values of one column.
pub(crate) enum Values {
    Key(BinaryBuilder),
    Text(Texts),
    Int(Int32Builder),
    Long(Int64Builder),
    Double(Float64Builder),
    Time(TimestampMicrosecondBuilder),
    Map(Box<MapBuilder<StringBuilder, StringBuilder>>),
}

/// No values yet, for each column of a table.
pub(crate) fn of(definition: &Definition) -> Vec<Values> {
    definition.columns.iter().map(Values::new).collect()
}

/// The rows of which every column has its values; there are none after it.
pub(crate) fn finish(definition: &Definition, values: &mut [Values]) -> RecordBatch {
    let columns = values.iter_mut().map(Values::finish).collect();
    let batch = RecordBatch::try_new(definition.arrow_schema(), columns);
    // Depends on the code that fills them alone, not on any input: each row is appended once to every column.
    batch.expect("every column has every row")
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

    pub(crate) fn key(&mut self, key: [u8; 16]) {
        if let Values::Key(values) = self {
            values.append_value(key);
        }
    }

    pub(crate) fn text(&mut self, text: Option<&str>) {
        if let Values::Text(values) = self {
            values.append(text.map(str::as_bytes));
        }
    }

    /// Microseconds since 1970.
    pub(crate) fn time(&mut self, time: Option<i64>) {
        if let Values::Time(values) = self {
            values.append_option(time);
        }
    }

    /// A whole number; none where the column has no room for it.
    pub(crate) fn number(&mut self, number: Option<i64>) {
        match self {
            Values::Int(values) => {
                values.append_option(number.and_then(|number| number.try_into().ok()));
            }
            Values::Long(values) => values.append_option(number),
            _ => {}
        }
    }

    pub(crate) fn double(&mut self, number: Option<f64>) {
        if let Values::Double(values) = self {
            values.append_option(number);
        }
    }

    /// What a field of a log has for it.
    pub(crate) fn value(&mut self, value: Option<&[u8]>) {
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

/// What a table calls the days of its partitions. Most rows are of the same day as the one before.
pub(crate) struct Days {
    /// Days since 1970 of the last one.
    day: i64,
    name: String,
}

impl Default for Days {
    fn default() -> Days {
        Days {
            day: i64::MIN,
            name: String::new(),
        }
    }
}

impl Days {
    /// The date, in UTC, of a row of this time; of when it was received where there is no such time, or none that can be
    /// right. Both are microseconds since 1970.
    pub(crate) fn of(&mut self, time: Option<i64>, received: i64) -> &str {
        let is_sane = |time: &i64| SANE_SECONDS.contains(&time.div_euclid(1_000_000));
        let time = time.filter(is_sane).unwrap_or(received);
        let day = time.div_euclid(86_400_000_000);
        if self.day != day {
            self.day = day;
            // A time that is received is one.
            let time = Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH);
            self.name = Offset::UTC.to_datetime(time).date().to_string();
        }
        &self.name
    }
}
