//! How many events there were, by time and by channel, event id, computer or account: the numbers of a chart.
//!
//! An event counts at its time, and when it came where that cannot be believed ([`HAPPENED`]), so that none is left out;
//! [`Unplaced`] says how many those are. Where the question allows it, five minutes that are counted already
//! are summed instead of events.

use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use jiff::Timestamp;
use jiff::tz::Offset;
use windrow_formats::limits::SANE_SECONDS;

use crate::error::QueryError;
use crate::limits::DISTRIBUTION_ROWS;
use crate::output::QueryOutput;
use crate::query::{EVENT_COUNTS, HAPPENED, Period, QueryLimits};
use crate::schema;

/// Length of the buckets that are counted already.
const COUNTED_US: i64 = 300_000_000;

const DAY_US: i64 = 86_400_000_000;

/// No event counts before this, whatever it says, nor after [`GREATEST`].
const LEAST: Timestamp = Timestamp::constant(SANE_SECONDS.start, 0);
const GREATEST: Timestamp = Timestamp::constant(SANE_SECONDS.end, 0);

/// What events are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Channel.
    Channel,
    /// Event id.
    EventId,
    /// Computer.
    Computer,
    /// The account it was done to, else the one that did it.
    Account,
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
    /// Channel, event id, computer or account; empty where events have none.
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
    /// Whether buckets of five minutes add up to those that are asked for: the length and both ends are multiples of
    /// five minutes.
    #[must_use]
    pub fn is_of_counts(&self) -> bool {
        let ends = [
            self.from.as_microsecond(),
            self.to.as_microsecond(),
            self.bucket_us(),
        ];
        ends.iter().all(|end| end.rem_euclid(COUNTED_US) == 0)
    }

    /// The question in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        let (from_us, bucket_us) = (self.from.as_microsecond(), self.bucket_us());
        let period = Period {
            from: Some(self.from),
            to: Some(self.to),
        };
        let days = days(period);
        let (key, events, table) = if self.is_of_counts() {
            let key = match self.by {
                By::Channel => "channel",
                By::EventId => "event_id",
                By::Computer => "computer",
                By::Account => "account",
            };
            let table = format!(
                "(select bucket as at, {key} as key, events from {EVENT_COUNTS} where {days})"
            );
            ("key", "sum(events)", table)
        } else {
            let key = match self.by {
                By::Channel => "channel",
                By::EventId => "event_id",
                By::Computer => "computer",
                By::Account => "coalesce(target_user, subject_user)",
            };
            let events = schema::EVENTS.name;
            let table =
                format!("(select {HAPPENED} as at, {key} as key from {events} where {days})");
            ("key", "count(*)", table)
        };
        // Whole numbers of microseconds: the arithmetic of intervals would bring the calendar in.
        format!(
            "select (cast(at as bigint) - ({from_us})) / {bucket_us} as bucket, \
             coalesce(cast({key} as varchar), '') as key, cast({events} as bigint) as events \
             from {table} where {} group by 1, 2 order by 1, 2",
            between("at", period)
        )
    }

    /// The bounds under which it is to be asked.
    #[must_use]
    pub fn limits(&self) -> QueryLimits {
        QueryLimits {
            rows: Some(DISTRIBUTION_ROWS),
            ..QueryLimits::default()
        }
    }

    /// The counts, from the answer to [`Distribution::sql`].
    pub async fn read(&self, answer: QueryOutput) -> Result<Buckets, QueryError> {
        read_buckets(self.from, self.bucket_us(), answer).await
    }

    fn bucket_us(&self) -> i64 {
        i64::try_from(self.bucket.as_micros())
            .unwrap_or(i64::MAX)
            .max(1)
    }
}

/// The question for when there are events.
#[derive(Clone, Copy, Debug)]
pub struct TimeSpan {
    /// The time that is meant.
    pub period: Period,
    /// How precisely it is to be told.
    pub precision: Precision,
}

/// How precisely a span is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// The begins of five minutes, from what is counted.
    FiveMinutes,
    /// The first and the last event.
    Event,
}

impl TimeSpan {
    /// The question in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        let (at, table) = match self.precision {
            Precision::FiveMinutes => ("bucket", EVENT_COUNTS),
            Precision::Event => (HAPPENED, schema::EVENTS.name),
        };
        // The five minutes that a time lies in begin before it.
        let begun = |from: Timestamp| {
            let from_us = from.as_microsecond();
            Timestamp::from_microsecond(from_us - from_us.rem_euclid(COUNTED_US)).unwrap_or(from)
        };
        let period = match self.precision {
            Precision::FiveMinutes => Period {
                from: self.period.from.map(begun),
                to: self.period.to,
            },
            Precision::Event => self.period,
        };
        format!(
            "select min(at) as first, max(at) as last from (select {at} as at from {table} where {}) where {}",
            days(period),
            between("at", period)
        )
    }

    /// The span, from the answer to [`TimeSpan::sql`]; none where there is no event.
    pub async fn read(
        &self,
        answer: QueryOutput,
    ) -> Result<Option<(Timestamp, Timestamp)>, QueryError> {
        match answer.first().await? {
            Some(batch) => read_span(&batch),
            None => Ok(None),
        }
    }
}

/// The question for events that do not count at the time they say. Statistics answer it: of files with usual times
/// nothing is read.
#[derive(Clone, Copy, Debug)]
pub struct Unplaced {
    /// The time that is meant.
    pub period: Period,
}

/// Events that do not count at the time they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// They came in this time, and count then: they say none, or one of other days.
    pub by_arrival: u64,
    /// They say that they happened in this time, and count when they came, on other days.
    pub elsewhere: u64,
}

impl Unplaced {
    /// The question in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        let events = schema::EVENTS.name;
        let period = Period {
            from: Some(self.period.from.unwrap_or(Timestamp::MIN).max(LEAST)),
            to: Some(self.period.to.unwrap_or(Timestamp::MAX).min(GREATEST)),
        };
        let whole_days = Period {
            from: period.from.map(midnight),
            to: period.to.map(next_midnight),
        };
        let strange = format!("(time is null or not ({}))", between("time", whole_days));
        let by_arrival = format!(
            "select count(*) from {events} where {} and {} and {strange}",
            days(self.period),
            between("received_at", self.period)
        );
        let elsewhere = format!(
            "select count(*) from {events} where {} and not ({})",
            between("time", period),
            days(period)
        );
        format!("select ({by_arrival}) as by_arrival, ({elsewhere}) as elsewhere")
    }

    /// How many, from the answer to [`Unplaced::sql`].
    pub async fn read(&self, answer: QueryOutput) -> Result<Strays, QueryError> {
        let Some(batch) = answer.first().await? else {
            return Ok(Strays::default());
        };
        Ok(Strays {
            by_arrival: read_count(&batch, 0)?,
            elsewhere: read_count(&batch, 1)?,
        })
    }
}

/// Counts by bucket and key, where an answer has a bucket's number, a key and a count.
pub(crate) async fn read_buckets(
    from: Timestamp,
    bucket_us: i64,
    mut answer: QueryOutput,
) -> Result<Buckets, QueryError> {
    let mut buckets = Vec::new();
    while let Some(batch) = answer.next().await? {
        let starts = typed(batch.columns().first(), &DataType::Int64)?;
        let keys = typed(batch.columns().get(1), &DataType::Utf8)?;
        let counts = typed(batch.columns().get(2), &DataType::Int64)?;
        let starts = starts.as_primitive::<Int64Type>();
        let (keys, counts) = (keys.as_string::<i32>(), counts.as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let start_us = starts.value(row).saturating_mul(bucket_us);
            let start_us = from.as_microsecond().saturating_add(start_us);
            buckets.push(Bucket {
                start: Timestamp::from_microsecond(start_us).unwrap_or(from),
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

/// The first and the last time, where they are the first two columns of the one row.
pub(crate) fn read_span(batch: &RecordBatch) -> Result<Option<(Timestamp, Timestamp)>, QueryError> {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let bound = |column: usize| -> Result<Option<Timestamp>, QueryError> {
        let times = typed(batch.columns().get(column), &zoned)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let time = times.iter().next().flatten();
        Ok(time.and_then(|time| Timestamp::from_microsecond(time).ok()))
    };
    Ok(bound(0)?.zip(bound(1)?))
}

/// The count in this column of the one row.
pub(crate) fn read_count(batch: &RecordBatch, column: usize) -> Result<u64, QueryError> {
    let counts = typed(batch.columns().get(column), &DataType::Int64)?;
    let count = counts.as_primitive::<Int64Type>().iter().next().flatten();
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

/// The conditions on `date` under which all of this time lies, of what counts by [`HAPPENED`].
pub(crate) fn days(period: Period) -> String {
    let from = period
        .from
        .map(|from| format!("date >= '{}'", day_of(from)));
    let to = period
        .to
        .map(|to| format!("date <= '{}'", day_of(before(to))));
    all(from, to)
}

/// The conditions that a time lies in this one.
pub(crate) fn between(column: &str, period: Period) -> String {
    let instant = |time: Timestamp| {
        let us = time.as_microsecond();
        format!("arrow_cast({us}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
    };
    let from = period
        .from
        .map(|from| format!("{column} >= {}", instant(from)));
    let to = period.to.map(|to| format!("{column} < {}", instant(to)));
    all(from, to)
}

fn all(from: Option<String>, to: Option<String>) -> String {
    let told: Vec<String> = from.into_iter().chain(to).collect();
    if told.is_empty() {
        return "true".to_owned();
    }
    told.join(" and ")
}

/// The last moment before.
fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond().saturating_sub(1)).unwrap_or(time)
}

fn midnight(time: Timestamp) -> Timestamp {
    let us = time.as_microsecond();
    Timestamp::from_microsecond(us - us.rem_euclid(DAY_US)).unwrap_or(time)
}

fn next_midnight(time: Timestamp) -> Timestamp {
    let us = time.as_microsecond();
    Timestamp::from_microsecond(us + (-us).rem_euclid(DAY_US)).unwrap_or(time)
}

fn day_of(time: Timestamp) -> String {
    Offset::UTC.to_datetime(time).date().to_string()
}

/// A column of an answer, which another program may have sent.
pub(crate) fn typed(column: Option<&ArrayRef>, wanted: &DataType) -> Result<ArrayRef, QueryError> {
    let wrong = || QueryError::Answer("has other columns than were asked for".to_owned());
    let column = column.ok_or_else(wrong)?;
    cast(column.as_ref() as &dyn Array, wanted).map_err(|_| wrong())
}

#[cfg(test)]
mod tests;
