//! Rows: events in the table's columns, opaque to everyone outside.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;

use crate::limits::RUN_ROWS;
use crate::schema;

/// Events as rows of the table, held in memory.
///
/// Cheap to clone and to merge: the columns are shared, never copied.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    batches: Vec<RecordBatch>,
}

impl Rows {
    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// All of these rows, in this order.
    pub fn merge(all: impl IntoIterator<Item = Rows>) -> Rows {
        Rows {
            batches: all.into_iter().flat_map(|rows| rows.batches).collect(),
        }
    }

    /// The same rows with their columns copied together, which frees what many small pieces waste.
    #[must_use]
    pub fn compact(self) -> Rows {
        let [first, _, ..] = &self.batches[..] else {
            return self;
        };
        match concat_batches(first.schema_ref(), &self.batches) {
            Ok(batch) => Rows {
                batches: vec![batch],
            },
            // Too much text for one column.
            Err(_) => self,
        }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Memory the rows hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.batches
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum()
    }

    /// The rows whose journal sequence is greater than `position`. Sequences ascend, so nothing is copied.
    pub(crate) fn after(&self, position: i64) -> Rows {
        let keep = |batch: &RecordBatch| {
            let Some(sequences) = sequences(batch) else {
                return batch.clone();
            };
            let skip = sequences.partition_point(|seq| *seq <= position);
            batch.slice(skip, batch.num_rows() - skip)
        };
        Rows::from_batches(self.batches.iter().map(keep).collect())
    }

    pub(crate) fn from_batches(mut batches: Vec<RecordBatch>) -> Rows {
        batches.retain(|batch| batch.num_rows() > 0);
        Rows { batches }
    }

    /// The rows of each date, dates ascending, order within a date kept.
    pub(crate) fn by_date(&self) -> Result<BTreeMap<String, Rows>, ArrowError> {
        let mut dates = BTreeMap::<String, Rows>::new();
        for batch in &self.batches {
            for (date, part) in split_by_date(batch)? {
                dates.entry(date).or_default().batches.push(part);
            }
        }
        Ok(dates)
    }
}

/// A column of a batch of rows.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.columns().get(schema::position(name)?)
}

/// The sequences of a batch, or none where it has events without one.
fn sequences(batch: &RecordBatch) -> Option<&[i64]> {
    let sequences = column(batch, "seq")?.as_primitive_opt::<Int64Type>()?;
    (sequences.null_count() == 0).then(|| &sequences.values()[..])
}

fn split_by_date(batch: &RecordBatch) -> Result<Vec<(String, RecordBatch)>, ArrowError> {
    let Some(dates) = column(batch, schema::DATE).and_then(|dates| dates.as_string_opt::<i32>())
    else {
        return Ok(Vec::new());
    };
    let runs = runs(dates);
    if runs.len() * RUN_ROWS <= batch.num_rows() || runs.len() <= 1 {
        let part = |(date, run): (&str, Range<usize>)| {
            (date.to_owned(), batch.slice(run.start, run.len()))
        };
        return Ok(runs.into_iter().map(part).collect());
    }
    let mut positions = BTreeMap::<&str, Vec<u64>>::new();
    for (date, run) in runs {
        let run = run.start as u64..run.end as u64;
        positions.entry(date).or_default().extend(run);
    }
    let part = |(date, positions): (&str, Vec<u64>)| {
        Ok((
            date.to_owned(),
            take_record_batch(batch, &UInt64Array::from(positions))?,
        ))
    };
    positions.into_iter().map(part).collect()
}

/// Stretches of rows with the same date.
fn runs(dates: &StringArray) -> Vec<(&str, Range<usize>)> {
    let mut runs: Vec<(&str, Range<usize>)> = Vec::new();
    for (row, date) in dates.iter().enumerate() {
        let date = date.unwrap_or_default();
        match runs.last_mut() {
            Some((last, run)) if *last == date => run.end = row + 1,
            _ => runs.push((date, row..row + 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests;
