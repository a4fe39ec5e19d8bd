//! CSV after RFC 4180. Values are kept as they are, but on a terminal what is hidden is made visible.

use std::borrow::Cow;
use std::io::Write;

use arrow::array::RecordBatch;
use windrow_formats::text::{CSV_END, push_csv, visible};

use super::json::push_value;
use super::value::{Value, value};
use super::{Layout, QueryOutput, put, unique_names};
use crate::error::QueryError;
use crate::limits::NESTING;

/// Writes the header and all rows, and returns the number of rows.
pub(super) async fn write(
    output: &mut QueryOutput,
    layout: &Layout,
    out: &mut (dyn Write + Send),
) -> Result<u64, QueryError> {
    let mut line = String::new();
    for (at, name) in unique_names(&output.schema).iter().enumerate() {
        separate(&mut line, at);
        push_field(&mut line, name, layout);
    }
    line.push_str(CSV_END);
    put(out, &line)?;
    let mut rows = 0;
    while let Some(batch) = output.next().await? {
        for row in 0..batch.num_rows() {
            line.clear();
            push_row(&mut line, &batch, row, layout);
            put(out, &line)?;
            rows += 1;
        }
    }
    Ok(rows)
}

fn push_row(line: &mut String, batch: &RecordBatch, row: usize, layout: &Layout) {
    for (at, column) in batch.columns().iter().enumerate() {
        separate(line, at);
        match value(column.as_ref(), row, &layout.zone) {
            Value::Null => {}
            Value::Bool(value) => line.push_str(if value { "true" } else { "false" }),
            Value::Number(digits) => line.push_str(&digits),
            Value::Text(text) => push_field(line, text, layout),
            Value::Made(text) => push_field(line, &text, layout),
            Value::Map(_) | Value::List(_) | Value::Struct(_) => {
                let mut nested = String::new();
                push_value(&mut nested, column.as_ref(), row, &layout.zone, NESTING);
                push_field(line, &nested, layout);
            }
        }
    }
    line.push_str(CSV_END);
}

fn separate(line: &mut String, at: usize) {
    if at > 0 {
        line.push(',');
    }
}

fn push_field(line: &mut String, text: &str, layout: &Layout) {
    let text = match layout.width {
        Some(_) => visible(text),
        None => Cow::Borrowed(text),
    };
    push_csv(line, &text);
}
