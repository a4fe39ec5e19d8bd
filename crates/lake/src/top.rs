//! The most frequent of something: computers, accounts, addresses, ids.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use jiff::Timestamp;

use crate::day_counts::Wanted;
use crate::distribution::{between, days, typed};
use crate::error::QueryError;
use crate::output::QueryOutput;
use crate::query::{HAPPENED, Period};
use crate::schema;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopBy {
    /// The channel.
    Channel,
    /// The event id.
    EventId,
    /// The provider.
    Provider,
    /// The computer that wrote the event.
    Computer,
    /// Who delivered it.
    Source,
    /// The account it was done to, else the one that did it.
    Account,
    /// The address that somebody came from.
    Address,
    /// The workstation that somebody came from.
    Workstation,
    /// The process.
    Process,
    /// The service.
    Service,
    /// The type of a logon.
    LogonType,
    /// The result.
    Status,
}

impl TopBy {
    /// The value, and its name where that says more.
    fn columns(self) -> (&'static str, &'static str) {
        const NO_NAME: &str = "cast(null as varchar)";
        match self {
            TopBy::Channel => ("channel", NO_NAME),
            // Providers number their events as they like: the same id of two of them is two values.
            TopBy::EventId => (
                "event_id",
                "coalesce(event_name(event_id, provider), provider)",
            ),
            TopBy::Provider => ("provider", NO_NAME),
            TopBy::Computer => ("computer", NO_NAME),
            TopBy::Source => ("source", NO_NAME),
            TopBy::Account => ("coalesce(target_user, subject_user)", NO_NAME),
            TopBy::Address => ("ip_address", NO_NAME),
            TopBy::Workstation => ("workstation", NO_NAME),
            TopBy::Process => ("process_name", NO_NAME),
            TopBy::Service => ("service_name", NO_NAME),
            TopBy::LogonType => ("logon_type", "logon_type_name(logon_type)"),
            TopBy::Status => ("lower(status)", "status_name(status)"),
        }
    }
}

/// A question for the most frequent.
#[derive(Clone, Debug)]
pub struct Top<'a> {
    /// What is counted.
    pub by: TopBy,
    /// Channels and ids that are meant.
    pub wanted: &'a Wanted,
    /// Computers that are meant, by their whole name or its first part; all where none are named.
    pub computers: &'a [String],
    /// Accounts that are meant.
    pub accounts: &'a [String],
    /// Addresses that are meant.
    pub addresses: &'a [String],
    /// The time that is meant.
    pub period: Period,
    /// How many are told.
    pub rows: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRow {
    /// The value; none where events have none.
    pub key: Option<String>,
    /// Its name, where it has one that says more: of an id without a name it is its provider.
    pub name: Option<String>,
    /// How many events.
    pub events: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
}

/// The most frequent, and of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topped {
    /// The most frequent first.
    pub rows: Vec<TopRow>,
    /// All events that are meant.
    pub events: u64,
    /// How many values they have.
    pub keys: u64,
}

impl Top<'_> {
    /// The question in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        let (key, name) = self.by.columns();
        let events = schema::EVENTS.name;
        let (days, between) = (days(self.period), between("at", self.period));
        let narrowed = self.wanted.sql()
            + &any(
                &["computer", "split_part(computer, '.', 1)"],
                self.computers,
            )
            + &any(&["coalesce(target_user, subject_user)"], self.accounts)
            + &any(&["ip_address"], self.addresses);
        format!(
            "select key, name, events, first, last, cast(sum(events) over () as bigint) as total, count(*) over () as keys \
             from (select key, name, count(*) as events, min(at) as first, max(at) as last \
             from (select cast({key} as varchar) as key, {name} as name, {HAPPENED} as at from {events} where {days}{narrowed}) \
             where {between} group by key, name) order by events desc, key, name limit {}",
            self.rows
        )
    }

    /// The most frequent, from the answer to [`Top::sql`].
    pub async fn read(mut answer: QueryOutput) -> Result<Topped, QueryError> {
        let mut topped = Topped::default();
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        while let Some(batch) = answer.next().await? {
            let column =
                |place: usize, wanted: &DataType| typed(batch.columns().get(place), wanted);
            let (keys, names) = (column(0, &DataType::Utf8)?, column(1, &DataType::Utf8)?);
            let (keys, names) = (keys.as_string::<i32>(), names.as_string::<i32>());
            let numbers = [2, 5, 6].map(|place| column(place, &DataType::Int64));
            let [events, totals, all] = numbers;
            let (events, totals, all) = (events?, totals?, all?);
            let events = events.as_primitive::<Int64Type>();
            let (firsts, lasts) = (column(3, &zoned)?, column(4, &zoned)?);
            let firsts = firsts.as_primitive::<TimestampMicrosecondType>();
            let lasts = lasts.as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                let moment = |us: i64| Timestamp::from_microsecond(us).ok();
                topped.rows.push(TopRow {
                    key: keys.is_valid(row).then(|| keys.value(row).to_owned()),
                    name: names.is_valid(row).then(|| names.value(row).to_owned()),
                    events: number(events.value(row)),
                    first: moment(firsts.value(row)),
                    last: moment(lasts.value(row)),
                });
                topped.events = number(totals.as_primitive::<Int64Type>().value(row));
                topped.keys = number(all.as_primitive::<Int64Type>().value(row));
            }
        }
        Ok(topped)
    }
}

/// That one of these is one of those, without regard to case; nothing where there are none.
fn any(columns: &[&str], names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let quoted = names
        .iter()
        .map(|name| format!("'{}'", name.to_lowercase().replace('\'', "''")));
    let quoted = quoted.collect::<Vec<_>>().join(", ");
    let is_one = columns
        .iter()
        .map(|column| format!("lower({column}) in ({quoted})"));
    format!(" and ({})", is_one.collect::<Vec<_>>().join(" or "))
}

#[cfg(test)]
mod tests;
