//! JSON: an array of objects, or an object a line.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch};
use jiff::tz::TimeZone;
use windrow_formats::text::is_hidden;

use super::value::{Value, value};
use super::{Layout, QueryOutput, put, unique_names};
use crate::error::QueryError;
use crate::limits::NESTING;

/// What stands around the objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Lines,
}

/// Writes all rows and returns their number.
pub(super) async fn write(
    output: &mut QueryOutput,
    layout: &Layout,
    shape: Shape,
    out: &mut (dyn Write + Send),
) -> Result<u64, QueryError> {
    let names: Vec<String> = unique_names(&output.schema)
        .iter()
        .map(|name| quoted(name))
        .collect();
    let mut rows = 0;
    let mut text = String::new();
    if shape == Shape::Array {
        put(out, "[")?;
    }
    while let Some(batch) = output.next().await? {
        for row in 0..batch.num_rows() {
            text.clear();
            if shape == Shape::Array {
                text.push_str(if rows == 0 { "\n" } else { ",\n" });
            }
            push_row(&mut text, &names, &batch, row, &layout.zone);
            if shape == Shape::Lines {
                text.push('\n');
            }
            put(out, &text)?;
            rows += 1;
        }
    }
    if shape == Shape::Array {
        put(out, if rows == 0 { "]\n" } else { "\n]\n" })?;
    }
    Ok(rows)
}

fn push_row(text: &mut String, names: &[String], batch: &RecordBatch, row: usize, zone: &TimeZone) {
    text.push('{');
    for (column, name) in names.iter().enumerate() {
        if column > 0 {
            text.push(',');
        }
        text.push_str(name);
        text.push(':');
        push_value(text, batch.column(column).as_ref(), row, zone, NESTING);
    }
    text.push('}');
}

/// Appends a cell as JSON; `depth` bounds the nesting that SQL can build.
pub(super) fn push_value(
    text: &mut String,
    array: &dyn Array,
    row: usize,
    zone: &TimeZone,
    depth: usize,
) {
    if depth == 0 {
        text.push_str("\"…\"");
        return;
    }
    match value(array, row, zone) {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if value { "true" } else { "false" }),
        Value::Number(digits) => text.push_str(&digits),
        Value::Text(value) => push_quoted(text, value),
        Value::Made(value) => push_quoted(text, &value),
        Value::List(items) => {
            text.push('[');
            for item in 0..items.len() {
                if item > 0 {
                    text.push(',');
                }
                push_value(text, items.as_ref(), item, zone, depth - 1);
            }
            text.push(']');
        }
        Value::Map(map) => {
            let entries = map.value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            text.push('{');
            for entry in 0..entries.len() {
                if entry > 0 {
                    text.push(',');
                }
                match value(keys.as_ref(), entry, zone) {
                    Value::Text(key) => push_quoted(text, key),
                    _ => {
                        let mut key = String::new();
                        push_value(&mut key, keys.as_ref(), entry, zone, depth - 1);
                        push_quoted(text, &key);
                    }
                }
                text.push(':');
                push_value(text, values.as_ref(), entry, zone, depth - 1);
            }
            text.push('}');
        }
        Value::Struct(fields) => {
            text.push('{');
            for (at, (field, column)) in fields.fields().iter().zip(fields.columns()).enumerate() {
                if at > 0 {
                    text.push(',');
                }
                push_quoted(text, field.name());
                text.push(':');
                push_value(text, column.as_ref(), row, zone, depth - 1);
            }
            text.push('}');
        }
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    push_quoted(&mut text, value);
    text
}

/// RFC 8259 7; escapes more than it must, so that what is printed does not steer a terminal.
fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    let mut plain = 0;
    for (at, character) in value.char_indices() {
        if !matches!(character, '"' | '\\') && !is_hidden(character) {
            continue;
        }
        text.push_str(&value[plain..at]);
        plain = at + character.len_utf8();
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push_str(&value[plain..]);
    text.push('"');
}
