//! The answer of a query, and the ways it is written down.
//!
//! Rows stream: nothing here holds more than one batch, but the table's sample of
//! [`crate::limits::TABLE_SAMPLE_ROWS`] rows.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use jiff::tz::TimeZone;
use tokio::time::{Instant, timeout_at};

use crate::error::QueryError;
use crate::files::Tally;
use crate::query::{QueryLimits, explain_run};

mod apart;
mod csv;
mod json;
mod parquet;
mod stream;
mod table;
mod value;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180 with a header line; null is an empty field, the empty text is `""`.
    Csv,
}

/// Where an answer is read.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Zone in which times are written, as RFC 3339 with its offset.
    pub zone: TimeZone,
    /// Columns of the terminal; none where the output is not one, and then nothing is cut.
    pub width: Option<usize>,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout {
            zone: TimeZone::UTC,
            width: None,
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Whether there were more, cut off by [`QueryLimits::rows`].
    pub truncated: bool,
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Piece, QueryError>> + Send>>;

/// What an answer is made of.
enum Piece {
    Rows(RecordBatch),
    /// More rows were cut off where the answer was computed.
    Cut,
}

/// The answer of a query: columns, and rows that are computed while they are read.
pub struct QueryOutput {
    schema: SchemaRef,
    pieces: Pieces,
    rows_left: Option<u64>,
    deadline: Option<(Instant, Duration)>,
    truncated: bool,
    tally: Arc<Tally>,
}

impl QueryOutput {
    /// The rows of a query that began then. `schema` is that of the rows but for the columns' names.
    pub(crate) fn new(
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        limits: QueryLimits,
        begun: Instant,
        tally: Arc<Tally>,
    ) -> QueryOutput {
        let named = Arc::clone(&schema);
        let pieces = stream.map(move |batch| {
            batch
                .and_then(|batch| Ok(renamed(&batch, &named)?))
                .map(Piece::Rows)
                .map_err(|error| explain_run(error, limits))
        });
        QueryOutput {
            schema,
            pieces: Box::pin(pieces),
            rows_left: limits.rows,
            deadline: limits.time.map(|time| (begun + time, time)),
            truncated: false,
            tally,
        }
    }

    /// What of the files could not be read: all of it when the last row was.
    pub fn unread(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<&str> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect()
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Writes all rows.
    ///
    /// Text from events is escaped for where it goes: control and direction characters in a table,
    /// strings in JSON, quotes in CSV, and there hidden characters too on a terminal.
    pub async fn write(
        mut self,
        format: Format,
        layout: &Layout,
        out: &mut (dyn Write + Send),
    ) -> Result<Written, QueryError> {
        let rows = match format {
            Format::Table => table::write(&mut self, layout, out).await?,
            Format::Json => json::write(&mut self, layout, json::Shape::Array, out).await?,
            Format::Ndjson => json::write(&mut self, layout, json::Shape::Lines, out).await?,
            Format::Csv => csv::write(&mut self, layout, out).await?,
        };
        out.flush()?;
        Ok(Written {
            rows,
            truncated: self.truncated,
        })
    }

    /// The next rows; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        loop {
            let next = self.piece().await;
            let batch = match next.transpose()? {
                None => return Ok(None),
                Some(Piece::Rows(batch)) => batch,
                Some(Piece::Cut) => {
                    self.truncated = true;
                    continue;
                }
            };
            if batch.num_rows() == 0 {
                continue;
            }
            return Ok(self.admit(batch));
        }
    }

    /// The first rows, of an answer that has few.
    pub(crate) async fn first(mut self) -> Result<Option<RecordBatch>, QueryError> {
        let first = self.next().await?;
        // What could not be read is known at the end.
        while self.next().await?.is_some() {}
        Ok(first)
    }

    /// The next piece, as long as there is time.
    async fn piece(&mut self) -> Option<Result<Piece, QueryError>> {
        match self.deadline {
            None => self.pieces.next().await,
            Some((deadline, limit)) => timeout_at(deadline, self.pieces.next())
                .await
                .unwrap_or(Some(Err(QueryError::Time { limit }))),
        }
    }

    /// Cuts what is beyond the limit of rows.
    fn admit(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let Some(left) = self.rows_left else {
            return Some(batch);
        };
        let rows = batch
            .num_rows()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        self.truncated |= rows < batch.num_rows();
        self.rows_left = Some(left - rows as u64);
        (rows > 0).then(|| batch.slice(0, rows))
    }
}

/// The rows with the names that `schema` has. The rest stays as the engine has it: of what may be null it is not
/// always of one mind.
fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let made = batch.schema();
    let fields = made.fields().iter().zip(schema.fields());
    let fields: Vec<_> = fields
        .map(|(made, named)| made.as_ref().clone().with_name(named.name()))
        .collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &rows)
}

/// Names of the columns, made different where two are the same.
fn unique_names(schema: &SchemaRef) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut copy = 2;
        while names.contains(&name) {
            name = format!("{}_{copy}", field.name());
            copy += 1;
        }
        names.push(name);
    }
    names
}

fn put(out: &mut (dyn Write + Send), text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
