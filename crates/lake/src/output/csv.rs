//! CSV after RFC 4180, lines ended by LF. Values are kept as they are: a spreadsheet that runs what
//! begins with `=` runs it here too.

use std::io::Write;

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
        push_field(&mut line, name);
    }
    line.push('\n');
    put(out, &line)?;
    let mut rows = 0;
    while let Some(batch) = output.next().await? {
        for row in 0..batch.num_rows() {
            line.clear();
            for (at, column) in batch.columns().iter().enumerate() {
                separate(&mut line, at);
                match value(column.as_ref(), row, &layout.zone) {
                    Value::Null => {}
                    Value::Bool(value) => line.push_str(if value { "true" } else { "false" }),
                    Value::Number(digits) => line.push_str(&digits),
                    Value::Text(text) => push_field(&mut line, text),
                    Value::Made(text) => push_field(&mut line, &text),
                    Value::Map(_) | Value::List(_) | Value::Struct(_) => {
                        let mut nested = String::new();
                        push_value(&mut nested, column.as_ref(), row, &layout.zone, NESTING);
                        push_field(&mut line, &nested);
                    }
                }
            }
            line.push('\n');
            put(out, &line)?;
            rows += 1;
        }
    }
    Ok(rows)
}

fn separate(line: &mut String, at: usize) {
    if at > 0 {
        line.push(',');
    }
}

fn push_field(line: &mut String, text: &str) {
    let plain = !text.is_empty() && !text.contains(['"', ',', '\n', '\r']) && text.trim() == text;
    if plain {
        line.push_str(text);
        return;
    }
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}
