//! A table for people: columns aligned, numbers to the right, as wide as the terminal and no wider.
//!
//! Widths come from the first rows; a cell that is too wide is cut and ends in `…`. When the columns
//! cannot be that narrow, each row is printed as a block, a line a column. Nothing that an event says
//! reaches the terminal as a command.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::RecordBatch;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use windrow_formats::text::visible;

use super::json::push_value;
use super::value::{Value, is_number, value};
use super::{Layout, QueryOutput, put, unique_names};
use crate::error::QueryError;
use crate::limits::{COLUMN_CHARS, NESTING, TABLE_SAMPLE_ROWS};

const GAP: usize = 2;
const CUT: char = '…';

struct Column {
    name: String,
    width: usize,
    right: bool,
}

/// What happens to a cell wider than its column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Cut,
    Keep,
}

/// Writes the header and all rows, and returns the number of rows.
pub(super) async fn write(
    output: &mut QueryOutput,
    layout: &Layout,
    out: &mut (dyn Write + Send),
) -> Result<u64, QueryError> {
    let mut columns = header(output);
    let mut sample = Vec::new();
    let mut sampled = 0;
    while sampled < TABLE_SAMPLE_ROWS {
        let Some(batch) = output.next().await? else {
            break;
        };
        sampled += batch.num_rows();
        measure(&mut columns, &batch, &layout.zone);
        sample.push(batch);
    }
    let overflow = match layout.width {
        None => Overflow::Keep,
        Some(width) if fit(&mut columns, width) => Overflow::Cut,
        Some(width) => return write_blocks(output, &columns, sample, layout, width, out).await,
    };
    let mut line = String::new();
    push_line(&mut line, &columns, overflow, |at| columns[at].name.clone());
    push_line(&mut line, &columns, overflow, |at| {
        "─".repeat(columns[at].width)
    });
    put(out, &line)?;
    let mut rows = 0;
    let mut next = sample.into_iter();
    loop {
        let batch = match next.next() {
            Some(batch) => Some(batch),
            None => output.next().await?,
        };
        let Some(batch) = batch else {
            return Ok(rows);
        };
        for row in 0..batch.num_rows() {
            line.clear();
            push_line(&mut line, &columns, overflow, |at| {
                cell(&batch, at, row, &layout.zone)
            });
            put(out, &line)?;
            rows += 1;
        }
    }
}

fn header(output: &QueryOutput) -> Vec<Column> {
    let fields = output.schema.fields().iter();
    let column = |(name, field): (String, &arrow::datatypes::FieldRef)| {
        let name = visible(&name).into_owned();
        Column {
            width: name.width(),
            name,
            right: is_number(field.data_type()),
        }
    };
    unique_names(&output.schema)
        .into_iter()
        .zip(fields)
        .map(column)
        .collect()
}

fn measure(columns: &mut [Column], batch: &RecordBatch, zone: &TimeZone) {
    for (at, column) in columns.iter_mut().enumerate() {
        for row in 0..batch.num_rows() {
            column.width = column.width.max(cell(batch, at, row, zone).width());
        }
    }
}

/// Makes the widest columns narrower until all fit; false where they cannot.
fn fit(columns: &mut [Column], width: usize) -> bool {
    let room = width.saturating_sub(GAP * columns.len().saturating_sub(1));
    let total = |most: usize| {
        columns
            .iter()
            .map(|column| column.width.min(most))
            .sum::<usize>()
    };
    if total(COLUMN_CHARS) > room {
        return false;
    }
    let widest = columns.iter().map(|column| column.width).max().unwrap_or(0);
    // The greatest limit under which all fit.
    let (mut fits, mut too_wide) = (COLUMN_CHARS, widest + 1);
    while too_wide - fits > 1 {
        let middle = fits + (too_wide - fits) / 2;
        match total(middle) <= room {
            true => fits = middle,
            false => too_wide = middle,
        }
    }
    for column in columns {
        column.width = column.width.min(fits);
    }
    true
}

fn push_line(
    line: &mut String,
    columns: &[Column],
    overflow: Overflow,
    text: impl Fn(usize) -> String,
) {
    let begin = line.len();
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            line.push_str("  ");
        }
        let text = text(at);
        let text = match overflow {
            Overflow::Keep => text,
            Overflow::Cut => cut(text, column.width),
        };
        let pad = column.width.saturating_sub(text.width());
        if column.right {
            push_spaces(line, pad);
            line.push_str(&text);
        } else {
            line.push_str(&text);
            push_spaces(line, pad);
        }
    }
    let end = begin + line[begin..].trim_end_matches(' ').len();
    line.truncate(end);
    line.push('\n');
}

/// A width in a format string ends at 65,535 by a panic, and a value may be longer.
fn push_spaces(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// Rows as blocks: a line a column that has a value.
async fn write_blocks(
    output: &mut QueryOutput,
    columns: &[Column],
    sample: Vec<RecordBatch>,
    layout: &Layout,
    width: usize,
    out: &mut (dyn Write + Send),
) -> Result<u64, QueryError> {
    let names = columns
        .iter()
        .map(|column| column.name.width())
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(names + GAP).max(COLUMN_CHARS);
    let mut rows = 0_u64;
    let mut text = String::new();
    let mut next = sample.into_iter();
    loop {
        let batch = match next.next() {
            Some(batch) => Some(batch),
            None => output.next().await?,
        };
        let Some(batch) = batch else {
            return Ok(rows);
        };
        for row in 0..batch.num_rows() {
            rows += 1;
            text.clear();
            let _ = writeln!(text, "── row {rows} ──");
            for (at, column) in columns.iter().enumerate() {
                if batch.column(at).is_null(row) {
                    continue;
                }
                let value = cut(cell(&batch, at, row, &layout.zone), room);
                let pad = names - column.name.width() + GAP;
                text.push_str(&column.name);
                push_spaces(&mut text, pad);
                let _ = writeln!(text, "{value}");
            }
            put(out, &text)?;
        }
    }
}

fn cell(batch: &RecordBatch, at: usize, row: usize, zone: &TimeZone) -> String {
    let column = batch.column(at).as_ref();
    match value(column, row, zone) {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(digits) => digits,
        Value::Text(text) => visible(text).into_owned(),
        Value::Made(text) => visible(&text).into_owned(),
        Value::Map(_) | Value::List(_) | Value::Struct(_) => {
            let mut text = String::new();
            push_value(&mut text, column, row, zone, NESTING);
            visible(&text).into_owned()
        }
    }
}

/// Cuts to this many terminal columns, the mark included.
fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(character);
    }
    kept.push(CUT);
    kept
}
