//! One cell of an answer, whatever Arrow type it has.

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use windrow_formats::text::hex;

/// A cell.
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// Digits as JSON takes them.
    Number(String),
    Text(&'a str),
    /// Text made from the cell: a time, a hash in hexadecimal, an interval.
    Made(String),
    Map(&'a MapArray),
    List(ArrayRef),
    Struct(&'a StructArray),
}

/// Whether a column of this type is aligned to the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// The cell at this row.
pub(super) fn value<'a>(array: &'a dyn Array, row: usize, zone: &TimeZone) -> Value<'a> {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row)),
        DataType::Binary => Value::Made(hex(array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Value::Made(hex(array.as_binary::<i64>().value(row))),
        DataType::BinaryView => Value::Made(hex(array.as_binary_view().value(row))),
        DataType::FixedSizeBinary(_) => Value::Made(hex(array.as_fixed_size_binary().value(row))),
        DataType::Timestamp(unit, _) => timestamp(array, row, *unit, zone),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Map(..) => Value::Map(array.as_map()),
        DataType::Struct(_) => Value::Struct(array.as_struct()),
        DataType::List(_) => Value::List(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Value::List(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Value::List(array.as_fixed_size_list().value(row)),
        DataType::Dictionary(..) => dictionary(array, row, zone),
        data_type if data_type.is_numeric() => number(array, row),
        _ => formatted(array, row).map_or(Value::Null, Value::Made),
    }
}

fn dictionary<'a>(array: &'a dyn Array, row: usize, zone: &TimeZone) -> Value<'a> {
    let Some(dictionary) = array.as_any_dictionary_opt() else {
        return Value::Null;
    };
    let keys = dictionary.keys();
    let key = match keys.data_type() {
        DataType::UInt16 => usize::from(keys.as_primitive::<UInt16Type>().value(row)),
        DataType::Int32 => {
            usize::try_from(keys.as_primitive::<Int32Type>().value(row)).unwrap_or(0)
        }
        _ => match cast(&keys.slice(row, 1), &DataType::UInt64) {
            Ok(key) => usize::try_from(key.as_primitive::<UInt64Type>().value(0)).unwrap_or(0),
            Err(_) => return Value::Null,
        },
    };
    value(dictionary.values().as_ref(), key, zone)
}

fn number<'a>(array: &'a dyn Array, row: usize) -> Value<'a> {
    let text = match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float32 => return float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => return float(array.as_primitive::<Float64Type>().value(row)),
        _ => match formatted(array, row) {
            Some(text) => text,
            None => return Value::Null,
        },
    };
    Value::Number(text)
}

/// JSON has no infinity and no NaN, so these become text.
fn float<'a>(value: f64) -> Value<'a> {
    match value.is_finite() {
        true => Value::Number(format!("{value:?}")),
        false => Value::Made(value.to_string()),
    }
}

fn formatted(array: &dyn Array, row: usize) -> Option<String> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default()).ok()?;
    formatter.value(row).try_to_string().ok()
}

fn date<'a>(days: i32) -> Value<'a> {
    let epoch = Date::constant(1970, 1, 1);
    let date = epoch.checked_add(jiff::Span::new().try_days(days).unwrap_or_default());
    date.map_or(Value::Null, |date| Value::Made(date.to_string()))
}

/// The engine's clock and its casts make times without a zone; they are UTC like all others.
fn timestamp<'a>(array: &'a dyn Array, row: usize, unit: TimeUnit, zone: &TimeZone) -> Value<'a> {
    let time = match unit {
        TimeUnit::Second => {
            Timestamp::from_second(array.as_primitive::<TimestampSecondType>().value(row))
        }
        TimeUnit::Millisecond => {
            Timestamp::from_millisecond(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        TimeUnit::Microsecond => {
            Timestamp::from_microsecond(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        TimeUnit::Nanosecond => Timestamp::from_nanosecond(
            array
                .as_primitive::<TimestampNanosecondType>()
                .value(row)
                .into(),
        ),
    };
    match time {
        Ok(time) => Value::Made(rfc3339(time, zone)),
        Err(_) => Value::Null,
    }
}

/// RFC 3339: `Z` in UTC, else the zone's offset at that time.
pub(super) fn rfc3339(time: Timestamp, zone: &TimeZone) -> String {
    let offset = zone.to_offset(time);
    match offset.is_zero() {
        true => time.to_string(),
        false => time.display_with_offset(offset).to_string(),
    }
}
