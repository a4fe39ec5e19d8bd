//! How many events of each channel and id there were in every bucket of a day, and of whose: what a detector is fed with.
//!
//! A day at a time, so that what is held at once is bounded by a day, however long the history is.

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};

use crate::distribution::{between, days, typed};
use crate::error::QueryError;
use crate::limits::DAY_COUNTS_ROWS;
use crate::output::QueryOutput;
use crate::query::{EVENT_COUNTS, HAPPENED, Period, QueryLimits};
use crate::schema;

/// Whose events are told apart, beside channel and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whose {
    /// The computer's that wrote them.
    Computer,
    /// The account's that it was done to, else that did it.
    Account,
    /// The address's that somebody came from. No roll-up has it: it is counted from the events.
    Address,
}

/// Channels and ids that are meant; all where none are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Channels, as events write them or in other case.
    pub channels: Vec<String>,
    /// Event ids.
    pub ids: Vec<i32>,
}

impl Wanted {
    /// The conditions, to be put after others.
    pub(crate) fn sql(&self) -> String {
        let mut conditions = String::new();
        if !self.channels.is_empty() {
            let quoted = self.channels.iter().map(|channel| {
                let channel = channel.to_lowercase().replace('\'', "''");
                format!("'{channel}'")
            });
            let quoted = quoted.collect::<Vec<_>>().join(", ");
            conditions.push_str(&format!(" and lower(channel) in ({quoted})"));
        }
        if !self.ids.is_empty() {
            let ids: Vec<String> = self.ids.iter().map(i32::to_string).collect();
            conditions.push_str(&format!(" and event_id in ({})", ids.join(", ")));
        }
        conditions
    }
}

/// The question for the days on which there are events.
#[derive(Clone, Copy, Debug)]
pub struct Days<'a> {
    /// The time that is meant.
    pub period: Period,
    /// The events that are meant.
    pub wanted: &'a Wanted,
}

impl Days<'_> {
    /// The question in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        format!(
            "select distinct date from {EVENT_COUNTS} where {} and {}{} order by 1",
            days(self.period),
            between("bucket", self.period),
            self.wanted.sql()
        )
    }

    /// The days as `YYYY-MM-DD`, from the answer to [`Days::sql`].
    pub async fn read(&self, mut answer: QueryOutput) -> Result<Vec<String>, QueryError> {
        let mut found = Vec::new();
        while let Some(batch) = answer.next().await? {
            let dates = typed(batch.columns().first(), &DataType::Utf8)?;
            found.extend(dates.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(found)
    }
}

/// The question for one day's counts.
#[derive(Clone, Copy, Debug)]
pub struct DayCounts<'a> {
    /// The day, as [`Days`] tells it.
    pub day: &'a str,
    /// Length of a bucket in seconds, of which a day has a whole number.
    pub width_s: i64,
    /// Whose events are told apart.
    pub whose: &'a [Whose],
    /// The events that are meant.
    pub wanted: &'a Wanted,
}

/// Events of one kind in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount<'a> {
    /// How many buckets of this length began since 1970 before this one did.
    pub bucket: i64,
    /// The channel, where there is one.
    pub channel: Option<&'a str>,
    /// The id, where there is one.
    pub event_id: Option<i32>,
    /// Whose they are, in the order of the question; none where events have none.
    pub whose: &'a [Option<&'a str>],
    /// How many.
    pub events: u64,
}

impl DayCounts<'_> {
    /// The question in SQL. Where addresses are asked for, each event is counted; else what is counted already.
    #[must_use]
    pub fn sql(&self) -> String {
        let is_each = self.whose.contains(&Whose::Address);
        let (at, events, table) = match is_each {
            true => (HAPPENED, "count(*)", schema::EVENTS.name),
            false => ("bucket", "sum(events)", EVENT_COUNTS),
        };
        let column = |whose: &Whose| match whose {
            Whose::Computer => ", computer",
            Whose::Account if is_each => ", coalesce(target_user, subject_user)",
            Whose::Account => ", account",
            Whose::Address => ", ip_address",
        };
        let whose: String = self.whose.iter().map(column).collect();
        let groups: String = (4..4 + self.whose.len())
            .map(|group| format!(", {group}"))
            .collect();
        let width_us = self.width_s.max(1).saturating_mul(1_000_000);
        let day = self.day.replace('\'', "''");
        format!(
            "select cast({at} as bigint) / {width_us} as bucket, channel, event_id{whose}, \
             cast({events} as bigint) as counted \
             from {table} where date = '{day}'{} group by 1, 2, 3{groups}",
            self.wanted.sql()
        )
    }

    /// The bounds under which it is to be asked.
    #[must_use]
    pub fn limits(&self) -> QueryLimits {
        QueryLimits {
            rows: Some(DAY_COUNTS_ROWS),
            ..QueryLimits::default()
        }
    }

    /// Hands on the counts, from the answer to [`DayCounts::sql`], in no order. Whether those are all.
    pub async fn read(
        &self,
        mut answer: QueryOutput,
        take: &mut (dyn FnMut(DayCount<'_>) + Send),
    ) -> Result<bool, QueryError> {
        while let Some(batch) = answer.next().await? {
            let column =
                |place: usize, wanted: &DataType| typed(batch.columns().get(place), wanted);
            let buckets = column(0, &DataType::Int64)?;
            let (channels, ids) = (column(1, &DataType::Utf8)?, column(2, &DataType::Int32)?);
            let names = (3..3 + self.whose.len()).map(|place| column(place, &DataType::Utf8));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            let counts = column(3 + self.whose.len(), &DataType::Int64)?;
            let buckets = buckets.as_primitive::<Int64Type>();
            let (channels, ids) = (channels.as_string(), ids.as_primitive::<Int32Type>());
            let counts = counts.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let whose: Vec<_> = names
                    .iter()
                    .map(|names| text(names.as_string(), row))
                    .collect();
                take(DayCount {
                    bucket: buckets.value(row),
                    channel: text(channels, row),
                    event_id: ids.is_valid(row).then(|| ids.value(row)),
                    whose: &whose,
                    events: u64::try_from(counts.value(row)).unwrap_or(0),
                });
            }
        }
        Ok(!answer.is_truncated())
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

#[cfg(test)]
mod tests;
