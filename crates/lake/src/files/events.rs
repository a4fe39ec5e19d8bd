//! Files of events, read by whoever knows how: the columns are those of `events`.

use std::fmt::Debug;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::error::DataFusionError;

use super::scan::{Form, Sink, Wanted};
use super::tally::Bad;
use crate::rows::Rows;

/// Reads files of events. (This crate knows no EVTX.)
pub trait EventFiles: Debug + Send + Sync {
    /// Reads a file to its end, or until nobody wants more.
    ///
    /// # Errors
    /// The file cannot be opened or read to its end.
    fn read(&self, file: &Path, given: &mut Given<'_, '_>) -> io::Result<()>;
}

/// Takes what was read.
pub struct Given<'a, 'b> {
    wanted: &'a Wanted,
    sink: &'a Sink,
    bad: &'a mut Bad<'b>,
}

impl Given<'_, '_> {
    /// Takes rows: a few thousand at a time. Break means that nobody wants more.
    ///
    /// # Errors
    /// The rows are not of this table.
    pub fn rows(&mut self, rows: &Rows) -> io::Result<ControlFlow<()>> {
        for batch in rows.batches() {
            let columns = self.wanted.columns.iter();
            let columns = columns.map(|column| batch.column(*column).clone());
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let schema = self.wanted.schema.clone();
            let batch = RecordBatch::try_new_with_options(schema, columns.collect(), &options);
            if self.sink.give(batch.map_err(io::Error::other)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(match self.sink.is_over() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }

    /// Takes note of bytes that were read, for whoever waits.
    pub fn read(&self, bytes: usize) {
        self.bad.read(bytes);
    }

    /// Takes note of something that could not be read.
    pub fn unread(&mut self, place: String, reason: String) {
        self.bad.add(|| place, || reason);
    }
}

/// The form that the caller reads.
#[derive(Debug)]
pub(super) struct Foreign(pub(super) std::sync::Arc<dyn EventFiles>);

impl Form for Foreign {
    fn read(
        &self,
        file: &Path,
        wanted: &Wanted,
        sink: &Sink,
        bad: &mut Bad<'_>,
    ) -> Result<(), DataFusionError> {
        let mut given = Given { wanted, sink, bad };
        Ok(self.0.read(file, &mut given)?)
    }
}
