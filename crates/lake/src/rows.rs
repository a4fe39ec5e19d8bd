//! Rows: events in the table's columns, opaque to everyone outside.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch, not, take_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::limits::RUN_ROWS;
use crate::retention::{Fate, Retention};
use crate::schema::{self, Definition};

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

    /// Leaves out rows of this table that retention would take away on this day at once; how many those are.
    pub fn without_expired(
        self,
        table: &str,
        retention: &Retention,
        today: Date,
    ) -> Result<(Rows, u64), ArrowError> {
        let before = self.len();
        let keep = |batch: RecordBatch| {
            let stays = stays(&batch, table, retention, today);
            match stays.false_count() {
                0 => Ok(batch),
                _ => filter_record_batch(&batch, &stays),
            }
        };
        let batches = self.batches.into_iter().map(keep);
        let rows = Rows::from_batches(batches.collect::<Result<_, _>>()?);
        let left_out = (before - rows.len()) as u64;
        Ok((rows, left_out))
    }

    /// The rows that came in this way, and all others.
    pub(crate) fn parted(self, origin: &str) -> Result<(Rows, Rows), ArrowError> {
        let (mut of_it, mut others) = (Vec::new(), Vec::new());
        for batch in self.batches {
            let is_of_it: BooleanArray = texts(&batch, "origin")
                .map(|text| Some(text == Some(origin)))
                .collect();
            match is_of_it.true_count() {
                0 => others.push(batch),
                _ => {
                    of_it.push(filter_record_batch(&batch, &is_of_it)?);
                    others.push(filter_record_batch(&batch, &not(&is_of_it)?)?);
                }
            }
        }
        Ok((Rows::from_batches(of_it), Rows::from_batches(others)))
    }

    /// Which of these rows belong into the files of which date. Where they are of more than `most` dates, those of the
    /// rarest go to the date on which they arrived.
    pub(crate) fn days(self, definition: &'static Definition, most: usize) -> Days {
        let mut days = BTreeMap::<String, Places>::new();
        for (number, batch) in self.batches.iter().enumerate() {
            for (row, date) in texts(batch, schema::DATE).enumerate() {
                let date = date.unwrap_or_default();
                if !days.contains_key(date) {
                    days.insert(date.to_owned(), Places::new());
                }
                if let Some(places) = days.get_mut(date) {
                    places.push((number, row as u64));
                }
            }
        }
        let mut days = Days {
            definition,
            rows: self,
            days,
        };
        days.keep(most);
        days
    }
}

/// Rows by the number of their batch and their own in it, ascending.
type Places = Vec<(usize, u64)>;

/// Rows by their date. Only places are held: the rows of a date are copied together when they are asked for.
#[derive(Debug)]
pub(crate) struct Days {
    definition: &'static Definition,
    rows: Rows,
    days: BTreeMap<String, Places>,
}

impl Days {
    /// The dates, ascending.
    pub(crate) fn dates(&self) -> impl Iterator<Item = &str> {
        self.days.keys().map(String::as_str)
    }

    /// The rows of this date, in their order.
    pub(crate) fn rows(&self, date: &str) -> Result<Rows, ArrowError> {
        let places = self.days.get(date).map_or(&[][..], Vec::as_slice);
        let mut batches = Vec::new();
        for places in places.chunk_by(|one, other| one.0 == other.0) {
            let Some(batch) = self.rows.batches.get(places[0].0) else {
                continue;
            };
            batches.extend(pick(batch, places)?);
        }
        Ok(Rows { batches })
    }

    /// Leaves as many dates as this, those with most rows.
    fn keep(&mut self, most: usize) {
        if self.days.len() <= most {
            return;
        }
        let mut dates: Vec<(usize, String)> = self
            .days
            .iter()
            .map(|(date, places)| (places.len(), date.clone()))
            .collect();
        dates.sort_unstable_by(|one, other| other.cmp(one));
        let rare: Vec<(usize, u64)> = dates
            .drain(most.min(dates.len())..)
            .filter_map(|(_, date)| self.days.remove(&date))
            .flatten()
            .collect();
        for place in rare {
            let arrived = self.arrived(place);
            self.days.entry(arrived).or_default().push(place);
        }
        self.days
            .values_mut()
            .for_each(|places| places.sort_unstable());
    }

    /// The date on which the row at this place arrived.
    fn arrived(&self, (batch, row): (usize, u64)) -> String {
        let times = self.rows.batches.get(batch).and_then(|batch| {
            column(batch, self.definition.arrival)?.as_primitive_opt::<TimestampMicrosecondType>()
        });
        let time = times
            .zip(usize::try_from(row).ok())
            .map_or(0, |(times, row)| times.value(row));
        let time = Timestamp::from_microsecond(time).unwrap_or_default();
        Offset::UTC.to_datetime(time).date().to_string()
    }
}

/// A column of a batch of rows.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.column_by_name(name)
}

/// The sequences of a batch, or none where it has events without one.
fn sequences(batch: &RecordBatch) -> Option<&[i64]> {
    let sequences = column(batch, "seq")?.as_primitive_opt::<Int64Type>()?;
    (sequences.null_count() == 0).then(|| &sequences.values()[..])
}

/// A column of texts.
fn texts<'a>(batch: &'a RecordBatch, name: &str) -> impl Iterator<Item = Option<&'a str>> {
    let texts = column(batch, name).and_then(|texts| texts.as_string_opt::<i32>());
    texts.into_iter().flatten()
}

/// Which rows of a batch are not over on this day.
fn stays(batch: &RecordBatch, table: &str, retention: &Retention, today: Date) -> BooleanArray {
    let mut channels = texts(batch, "channel");
    let mut last: Option<(&str, Date)> = None;
    let stays = texts(batch, schema::DATE).map(|text| {
        let channel = channels.next().flatten();
        let text = text.unwrap_or_default();
        let date = match last {
            Some((known, date)) if known == text => date,
            // What is under no date is not expired.
            _ => text.parse().unwrap_or(today),
        };
        last = Some((text, date));
        Some(retention.fate(table, channel, date, today) != Fate::Gone)
    });
    stays.collect()
}

/// The rows of a batch at these places: shared where they lie together, copied where they are scattered.
fn pick(batch: &RecordBatch, places: &[(usize, u64)]) -> Result<Vec<RecordBatch>, ArrowError> {
    let rows = || places.iter().map(|place| place.1);
    let runs = || places.chunk_by(|one, other| one.1 + 1 == other.1);
    let count = runs().count();
    if count > 1 && count * RUN_ROWS > places.len() {
        return Ok(vec![take_record_batch(
            batch,
            &rows().collect::<UInt64Array>(),
        )?]);
    }
    let slice = |run: &[(usize, u64)]| {
        let start = usize::try_from(run[0].1).unwrap_or(usize::MAX);
        batch.slice(start, run.len())
    };
    Ok(runs().map(slice).collect())
}

#[cfg(test)]
mod tests;
