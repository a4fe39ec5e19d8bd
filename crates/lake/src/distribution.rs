//! How many events there were, by time and by channel, event id or computer: the numbers of a chart.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::SessionContext;
use jiff::Timestamp;

use crate::builder::SANE_SECONDS;
use crate::error::QueryError;
use crate::lake::Lake;
use crate::limits::DISTRIBUTION_ROWS;
use crate::query::{Period, QueryLimits, Tail, explain_run, run, within};
use crate::schema;

/// What events are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Channel.
    Channel,
    /// Event id.
    EventId,
    /// Computer.
    Computer,
}

/// A question for counts.
#[derive(Clone, Copy, Debug)]
pub struct Distribution {
    /// Length of a bucket; the first one begins at `from`.
    pub bucket: Duration,
    /// First time counted.
    pub from: Timestamp,
    /// First time no longer counted.
    pub to: Timestamp,
    /// What events are told apart by.
    pub by: By,
}

/// Events of one key in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Start of the bucket.
    pub start: Timestamp,
    /// Channel, event id or computer; empty where events have none.
    pub key: String,
    /// Number of events.
    pub count: u64,
}

/// The counts, by start and then by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Buckets in which there are events.
    pub buckets: Vec<Bucket>,
    /// Whether there were more than are told.
    pub truncated: bool,
}

impl Lake {
    /// Counts events over the lake and the tail.
    pub async fn distribution(
        &self,
        question: Distribution,
        tail: Tail,
        limits: QueryLimits,
    ) -> Result<Buckets, QueryError> {
        let limits = QueryLimits {
            rows: Some(DISTRIBUTION_ROWS),
            ..limits
        };
        let context = self.session(tail, limits).await?;
        let frame = counts(&context, question)
            .await
            .map_err(|error| explain_run(error, limits))?;
        let mut output = run(frame, limits).await?;
        let width_us = bucket_us(question);
        let mut buckets = Vec::new();
        while let Some(batch) = output.next().await? {
            let starts = batch.column(0).as_primitive::<Int64Type>();
            let keys = batch.column(1).as_string::<i32>();
            let counts = batch.column(2).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let start_us = question.from.as_microsecond() + starts.value(row) * width_us;
                buckets.push(Bucket {
                    start: Timestamp::from_microsecond(start_us).unwrap_or(question.from),
                    key: keys.value(row).to_owned(),
                    count: u64::try_from(counts.value(row)).unwrap_or(0),
                });
            }
        }
        Ok(Buckets {
            buckets,
            truncated: output.is_truncated(),
        })
    }

    /// The first and the last time of an event, over the lake and the tail; none where there is none.
    ///
    /// Events whose clock was wrong (before 1990 or after 2100) do not count.
    pub async fn time_span(
        &self,
        tail: Tail,
        limits: QueryLimits,
    ) -> Result<Option<(Timestamp, Timestamp)>, QueryError> {
        let context = self.session(tail, limits).await?;
        let frame = span(&context)
            .await
            .map_err(|error| explain_run(error, limits))?;
        let mut output = run(frame, limits).await?;
        let Some(batch) = output.next().await? else {
            return Ok(None);
        };
        let bound = |column: usize| {
            let times = batch
                .column(column)
                .as_primitive::<TimestampMicrosecondType>();
            let time = times.iter().next().flatten()?;
            Timestamp::from_microsecond(time).ok()
        };
        Ok(bound(0).zip(bound(1)))
    }
}

fn bucket_us(question: Distribution) -> i64 {
    i64::try_from(question.bucket.as_micros())
        .unwrap_or(i64::MAX)
        .max(1)
}

async fn counts(
    context: &SessionContext,
    question: Distribution,
) -> Result<DataFrame, DataFusionError> {
    let from_us = question.from.as_microsecond();
    let key = match question.by {
        By::Channel => "channel",
        By::EventId => "event_id",
        By::Computer => "computer",
    };
    // Whole numbers of microseconds: the arithmetic of intervals would bring the calendar in.
    let bucket = (cast(ident("time"), DataType::Int64) - lit(from_us)) / lit(bucket_us(question));
    let key =
        datafusion::functions::expr_fn::coalesce(vec![cast(ident(key), DataType::Utf8), lit("")]);
    context
        .table(schema::EVENTS)
        .await?
        .filter(between(question.from, question.to))?
        .aggregate(
            vec![bucket.alias("bucket"), key.alias("key")],
            vec![count(lit(1)).alias("count")],
        )?
        .sort(vec![
            ident("bucket").sort(true, false),
            ident("key").sort(true, false),
        ])
}

async fn span(context: &SessionContext) -> Result<DataFrame, DataFusionError> {
    let sane = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    context
        .table(schema::EVENTS)
        .await?
        .filter(between(sane(SANE_SECONDS.start), sane(SANE_SECONDS.end)))?
        .aggregate(Vec::new(), vec![min(ident("time")), max(ident("time"))])
}

fn between(from: Timestamp, to: Timestamp) -> Expr {
    let period = Period {
        from: Some(from),
        to: Some(to),
    };
    within(period).unwrap_or_else(|| lit(true))
}

#[cfg(test)]
mod tests;
