//! Values of performance counters to rows of `counters`.

use arrow::array::RecordBatch;
use jiff::Timestamp;
use windrow_formats::batch::file::FileReference;
use windrow_formats::counters::{Counter, Header, Sample};
use windrow_formats::lines::Unit;

use crate::file_rows::too_many_rows;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, PIECE_ROWS_BYTES_MAX};
use crate::rows::Rows;
use crate::schema::{COUNTERS, DATE};
use crate::values::{self, Days, Values};

/// What `source` says of each value.
const SOURCE: &str = "pdh";

/// Memory of a row beside its texts, near enough.
const ROW_BYTES: usize = 100;

/// Collects values of counters as rows.
pub(crate) struct CounterBuilder {
    values: Vec<Values>,
    rows: usize,
    bytes: usize,
    received_at: Timestamp,
    days: Days,
    done: Vec<RecordBatch>,
}

impl CounterBuilder {
    pub(crate) fn new(received_at: Timestamp) -> CounterBuilder {
        CounterBuilder {
            values: values::of(&COUNTERS),
            rows: 0,
            bytes: 0,
            received_at,
            days: Days::default(),
            done: Vec::new(),
        }
    }

    /// Adds the values of a piece of a log. Lines that have none are told, by their number.
    pub(crate) fn read(
        &mut self,
        machine: &str,
        reference: &FileReference,
        bytes: &[u8],
        mut bad: impl FnMut(u64, String),
    ) {
        let mut log = windrow_formats::counters::Piece::of(reference);
        let file = reference.path.rsplit('/').next().unwrap_or_default();
        for (place, line) in (0..).zip(Unit::Line.split(bytes)) {
            match log.line(line) {
                Ok(Some((header, sample))) => self.push(machine, file, header, &sample),
                Ok(None) => {}
                Err((number, error)) => bad(number, error.to_string()),
            }
            if self.bytes() > PIECE_ROWS_BYTES_MAX {
                let first = reference.lines.as_ref().map_or(1, |lines| lines.first);
                return bad(first + place, too_many_rows());
            }
        }
    }

    /// Memory held by the rows so far, in bytes, near enough.
    fn bytes(&self) -> usize {
        let done = self.done.iter().map(RecordBatch::get_array_memory_size);
        self.bytes + done.sum::<usize>()
    }

    /// Adds the values of a moment; a counter that had none then has no row.
    fn push(&mut self, machine: &str, file: &str, header: &Header, sample: &Sample) {
        let time = sample.time.as_microsecond();
        let there = header.counters.iter().zip(&sample.values);
        for (counter, value) in there.filter_map(|(counter, value)| Some((counter, (*value)?))) {
            if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                self.seal();
            }
            self.rows += 1;
            self.bytes += ROW_BYTES + counter.path.len() + file.len() + machine.len();
            self.value(machine, file, counter, time, value);
        }
    }

    fn value(&mut self, machine: &str, file: &str, counter: &Counter, time: i64, value: f64) {
        let received = self.received_at.as_microsecond();
        let date = self.days.of(Some(time), received);
        for (column, values) in COUNTERS.columns.iter().zip(&mut self.values) {
            match column.name {
                DATE => values.text(Some(date)),
                "time" => values.time(Some(time)),
                "received_at" => values.time(Some(received)),
                "source" => values.text(Some(SOURCE)),
                "file" => values.text(Some(file)),
                "computer" => values.text(Some(counter.machine.as_deref().unwrap_or(machine))),
                "object" => values.text(Some(&counter.object)),
                "instance" => values.text(counter.instance.as_deref()),
                "counter" => values.text(Some(&counter.name)),
                _ => values.double(Some(value)),
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Rows {
        self.seal();
        Rows::from_batches(std::mem::take(&mut self.done))
    }

    fn seal(&mut self) {
        if self.rows > 0 {
            (self.rows, self.bytes) = (0, 0);
            self.done.push(values::finish(&COUNTERS, &mut self.values));
        }
    }
}

#[cfg(test)]
mod tests;
