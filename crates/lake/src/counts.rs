//! The roll-up: how many events there were in five minutes, of a channel, an id, a computer and an account.
//!
//! It follows the log of `events`: what versions added is counted from their files, and goes into `event_counts` as one
//! commit that carries the version up to which was counted. So each event counts once, whoever added it and whatever
//! was killed when; and what is expired from `events` stays counted. Rows of one key may come several times, a commit
//! each: whoever reads adds them up.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use jiff::civil::Date;

use crate::limits::{COUNT_KEYS, COUNT_TEXT_BYTES};
use crate::rows::{Rows, column};
use crate::schema::{COUNTS, DATE};

mod file;
mod follow;
mod tallied;

/// Microseconds of a bucket.
const BUCKET_US: i64 = 300_000_000;

const DAY_US: i64 = 86_400_000_000;

/// Columns of `events` that counting needs.
const COUNTED: [&str; 7] = [
    "time",
    "received_at",
    "channel",
    "event_id",
    "computer",
    "target_user",
    "subject_user",
];

/// Counts in hand.
#[derive(Default)]
pub(crate) struct Counter {
    texts: Texts,
    counts: HashMap<Key, i64>,
}

/// What is counted together; texts by their number, 0 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Day since 1970 under which the rows lie.
    day: i32,
    /// Begin of the bucket in microseconds since 1970.
    bucket: i64,
    channel: u32,
    event_id: Option<i32>,
    computer: u32,
    account: u32,
}

/// Texts by number, from 1 on.
#[derive(Default)]
struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.texts.push(Arc::clone(&text));
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> Option<&str> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.texts.get(place).map(|text| &**text)
    }
}

/// A column of texts by their numbers.
fn numbers(texts: &mut Texts, column: Option<&ArrayRef>, rows: usize) -> Vec<u32> {
    let Some(array) = column.and_then(|column| cast(column, &DataType::Utf8).ok()) else {
        return vec![0; rows];
    };
    let array = array.as_string::<i32>();
    let mut last: Option<(&str, u32)> = None;
    let mut numbers = Vec::with_capacity(rows);
    for text in array {
        let number = match (text, last) {
            (None, _) => 0,
            (Some(text), Some((known, number))) if known == text => number,
            (Some(text), _) => {
                let number = texts.number(text);
                last = Some((text, number));
                number
            }
        };
        numbers.push(number);
    }
    numbers
}

impl Counter {
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many events were counted.
    fn events(&self) -> i64 {
        self.counts.values().sum()
    }

    /// Whether it is time to write down what was counted: senders choose how many names there are, and how long.
    pub(crate) fn is_full(&self) -> bool {
        self.counts.len() >= COUNT_KEYS || self.texts.bytes >= COUNT_TEXT_BYTES
    }

    /// Adds what another one counted of further rows.
    fn merge(&mut self, other: &Counter) {
        self.join(other, |mine, theirs| mine + theirs);
    }

    /// Takes the greater count of what another one counted too, of the same rows or of some of them; whether any was.
    fn raise(&mut self, other: &Counter) -> bool {
        self.join(other, i64::max)
    }

    /// Whether a count became another one.
    fn join(&mut self, other: &Counter, joined: fn(i64, i64) -> i64) -> bool {
        let mut is_changed = false;
        for (key, count) in &other.counts {
            let mut number = |number| match other.texts.text(number) {
                Some(text) => self.texts.number(text),
                None => 0,
            };
            let key = Key {
                channel: number(key.channel),
                computer: number(key.computer),
                account: number(key.account),
                ..*key
            };
            let mine = self.counts.entry(key).or_default();
            let joined = joined(*mine, *count);
            is_changed |= joined != *mine;
            *mine = joined;
        }
        is_changed
    }

    /// Takes over counts of the roll-up that lie under this date.
    fn take_over(&mut self, date: &str, batch: &RecordBatch) {
        let (day, rows) = (days(date), batch.num_rows());
        let Some(buckets) = column(batch, "bucket")
            .and_then(|buckets| buckets.as_primitive_opt::<TimestampMicrosecondType>())
        else {
            return;
        };
        let Some(events) =
            column(batch, "events").and_then(|events| events.as_primitive_opt::<Int64Type>())
        else {
            return;
        };
        let ids = column(batch, "event_id").and_then(|ids| ids.as_primitive_opt::<Int32Type>());
        let mut texts = |name| numbers(&mut self.texts, column(batch, name), rows);
        let (channels, computers) = (texts("channel"), texts("computer"));
        let accounts = texts("account");
        for row in 0..rows {
            let key = Key {
                day,
                bucket: buckets.value(row),
                channel: channels[row],
                event_id: ids
                    .filter(|ids| !ids.is_null(row))
                    .map(|ids| ids.value(row)),
                computer: computers[row],
                account: accounts[row],
            };
            *self.counts.entry(key).or_default() += events.value(row);
        }
    }

    /// Counts rows that lie under this date.
    fn count_under(&mut self, date: &str, batch: &RecordBatch) {
        let day = days(date);
        self.count(batch, |_| day);
    }

    /// Counts rows that say themselves under which date they lie.
    pub(crate) fn count_rows(&mut self, rows: &Rows) {
        for batch in rows.batches() {
            let dates = column(batch, DATE).and_then(|dates| dates.as_string_opt::<i32>());
            let mut last = (String::new(), 0);
            self.count(batch, |row| {
                let date = dates.map_or("", |dates| dates.value(row));
                if last.0 != date {
                    last = (date.to_owned(), days(date));
                }
                last.1
            });
        }
    }

    fn count(&mut self, batch: &RecordBatch, mut day: impl FnMut(usize) -> i32) {
        let rows = batch.num_rows();
        let time = |name| column(batch, name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let (times, arrivals) = (time("time"), time("received_at"));
        let ids = column(batch, "event_id").and_then(|ids| ids.as_primitive_opt::<Int32Type>());
        let mut texts = |name| numbers(&mut self.texts, column(batch, name), rows);
        let (channels, computers) = (texts("channel"), texts("computer"));
        let (targets, subjects) = (texts("target_user"), texts("subject_user"));
        for row in 0..rows {
            let value = |times: Option<&arrow::array::TimestampMicrosecondArray>| {
                let times = times.filter(|times| !times.is_null(row))?;
                Some(times.value(row))
            };
            let day = day(row);
            let lies_there = |time: &i64| time.div_euclid(DAY_US) == i64::from(day);
            let time = value(times).filter(lies_there).or_else(|| value(arrivals));
            let key = Key {
                day,
                bucket: time.map_or(0, |time| time.div_euclid(BUCKET_US) * BUCKET_US),
                channel: channels[row],
                event_id: ids
                    .filter(|ids| !ids.is_null(row))
                    .map(|ids| ids.value(row)),
                computer: computers[row],
                account: if targets[row] > 0 {
                    targets[row]
                } else {
                    subjects[row]
                },
            };
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// What was counted, by bucket; the counter is empty after it.
    pub(crate) fn finish(&mut self) -> Result<Rows, ArrowError> {
        let Counter { texts, counts } = std::mem::take(self);
        let mut counts: Vec<(Key, i64)> = counts.into_iter().collect();
        let order = |key: &Key| {
            let text = |number| texts.text(number);
            let rest = (
                text(key.channel),
                key.event_id,
                text(key.computer),
                text(key.account),
            );
            (key.day, key.bucket, rest)
        };
        counts.sort_unstable_by(|(one, _), (other, _)| order(one).cmp(&order(other)));
        let mut dates = StringBuilder::new();
        let mut buckets = TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let mut ids = Int32Builder::new();
        let mut events = Int64Builder::new();
        let (mut channels, mut computers, mut accounts) = (
            StringBuilder::new(),
            StringBuilder::new(),
            StringBuilder::new(),
        );
        for (key, count) in &counts {
            dates.append_value(date(key.day));
            buckets.append_value(key.bucket);
            channels.append_option(texts.text(key.channel));
            ids.append_option(key.event_id);
            computers.append_option(texts.text(key.computer));
            accounts.append_option(texts.text(key.account));
            events.append_value(*count);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(dates.finish()),
            Arc::new(buckets.finish()),
            Arc::new(channels.finish()),
            Arc::new(ids.finish()),
            Arc::new(computers.finish()),
            Arc::new(accounts.finish()),
            Arc::new(events.finish()),
        ];
        let batch = RecordBatch::try_new(COUNTS.arrow_schema(), columns)?;
        Ok(Rows::from_batches(vec![batch]))
    }
}

/// Days since 1970 of a date as the table writes it; 0 for what is none.
fn days(date: &str) -> i32 {
    let date: Option<Date> = date.parse().ok();
    let days = date.and_then(|date| (date - Date::constant(1970, 1, 1)).get_days().into());
    days.unwrap_or(0)
}

fn date(days: i32) -> String {
    let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(days));
    date.unwrap_or(Date::constant(1970, 1, 1)).to_string()
}

#[cfg(test)]
mod tests;
