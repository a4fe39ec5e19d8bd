//! How many events there were, by time and by channel, event id or computer: the numbers of a chart.

use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use jiff::Timestamp;
use windrow_formats::limits::SANE_SECONDS;

use crate::error::QueryError;
use crate::limits::DISTRIBUTION_ROWS;
use crate::output::QueryOutput;
use crate::query::{Period, QueryLimits};
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

impl Distribution {
    /// The question in SQL.
    pub fn sql(&self) -> String {
        let key = match self.by {
            By::Channel => "channel",
            By::EventId => "event_id",
            By::Computer => "computer",
        };
        let (from_us, bucket_us) = (self.from.as_microsecond(), self.bucket_us());
        // Whole numbers of microseconds: the arithmetic of intervals would bring the calendar in.
        format!(
            "select (cast(time as bigint) - ({from_us})) / {bucket_us} as bucket, \
             coalesce(cast({key} as varchar), '') as key, count(*) as events \
             from {} group by 1, 2 order by 1, 2",
            schema::EVENTS
        )
    }

    /// The bounds under which it is to be asked.
    pub fn limits(&self) -> QueryLimits {
        QueryLimits {
            rows: Some(DISTRIBUTION_ROWS),
            period: Period {
                from: Some(self.from),
                to: Some(self.to),
            },
            ..QueryLimits::default()
        }
    }

    /// The counts, from the answer to [`Distribution::sql`].
    pub async fn read(&self, mut answer: QueryOutput) -> Result<Buckets, QueryError> {
        let mut buckets = Vec::new();
        while let Some(batch) = answer.next().await? {
            let starts = typed(batch.columns().first(), &DataType::Int64)?;
            let keys = typed(batch.columns().get(1), &DataType::Utf8)?;
            let counts = typed(batch.columns().get(2), &DataType::Int64)?;
            let starts = starts.as_primitive::<Int64Type>();
            let (keys, counts) = (keys.as_string::<i32>(), counts.as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let start_us = starts.value(row).saturating_mul(self.bucket_us());
                let start_us = self.from.as_microsecond().saturating_add(start_us);
                buckets.push(Bucket {
                    start: Timestamp::from_microsecond(start_us).unwrap_or(self.from),
                    key: keys.value(row).to_owned(),
                    count: u64::try_from(counts.value(row)).unwrap_or(0),
                });
            }
        }
        Ok(Buckets {
            buckets,
            truncated: answer.is_truncated(),
        })
    }

    fn bucket_us(&self) -> i64 {
        i64::try_from(self.bucket.as_micros())
            .unwrap_or(i64::MAX)
            .max(1)
    }
}

/// The question for the first and the last time of an event.
///
/// Events whose clock was wrong (before 1990 or after 2100) do not count.
#[derive(Clone, Copy, Debug)]
pub struct TimeSpan {
    /// The events that are meant.
    pub period: Period,
}

impl TimeSpan {
    /// The question in SQL.
    pub fn sql(&self) -> String {
        format!(
            "select min(time) as first, max(time) as last from {}",
            schema::EVENTS
        )
    }

    /// The bounds under which it is to be asked.
    pub fn limits(&self) -> QueryLimits {
        let sane = |second: i64| Timestamp::from_second(second).ok();
        let (least, greatest) = (sane(SANE_SECONDS.start), sane(SANE_SECONDS.end));
        QueryLimits {
            period: Period {
                from: self.period.from.max(least),
                to: self.period.to.or(greatest).min(greatest),
            },
            ..QueryLimits::default()
        }
    }

    /// The span, from the answer to [`TimeSpan::sql`]; none where there is no event.
    pub async fn read(
        &self,
        mut answer: QueryOutput,
    ) -> Result<Option<(Timestamp, Timestamp)>, QueryError> {
        let Some(batch) = answer.next().await? else {
            return Ok(None);
        };
        let zoned =
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
        let bound = |column: usize| -> Result<Option<Timestamp>, QueryError> {
            let times = typed(batch.columns().get(column), &zoned)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let time = times.iter().next().flatten();
            Ok(time.and_then(|time| Timestamp::from_microsecond(time).ok()))
        };
        Ok(bound(0)?.zip(bound(1)?))
    }
}

/// A column of an answer, which another program may have sent.
fn typed(column: Option<&ArrayRef>, wanted: &DataType) -> Result<ArrayRef, QueryError> {
    let wrong = || QueryError::Answer("has other columns than were asked for".to_owned());
    let column = column.ok_or_else(wrong)?;
    cast(column.as_ref() as &dyn Array, wanted).map_err(|_| wrong())
}

#[cfg(test)]
mod tests;
