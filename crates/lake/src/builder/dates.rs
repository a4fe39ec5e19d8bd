//! The date under which a row is kept: the table's partition.
//!
//! Of events that machines send, any number of days would be any number of files, and their senders choose the days. So
//! such an event keeps its day only near that of its arrival, and of the days of one commit only the first ones; it is
//! decided as the row is made, so that the date is the same before and after the commit. Whoever imports a file has
//! chosen it: its events keep their days.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::Offset;
use windrow_formats::batch::Kind;
use windrow_formats::limits::SANE_SECONDS;

use crate::limits::{DAYS_AFTER, DAYS_BEFORE, OTHER_DAYS};

/// Dates of the rows of one commit.
#[derive(Default)]
pub(super) struct Dates {
    /// Days other than that of arrival, as days since 1970.
    others: HashSet<i64>,
    named: Option<i64>,
    name: String,
}

impl Dates {
    /// What comes from here on is of another commit.
    pub(super) fn begin(&mut self) {
        self.others.clear();
    }

    /// The date of an event of this time, which came in this way and then.
    pub(super) fn of(
        &mut self,
        origin: Kind,
        time: Option<Timestamp>,
        received_at: Timestamp,
    ) -> &str {
        let arrived = day(received_at);
        let sane = time.filter(|time| SANE_SECONDS.contains(&time.as_second()));
        let wanted = sane.map_or(arrived, day);
        let number =
            match matches!(origin, Kind::Evtx | Kind::Etl) || self.has_room(wanted, arrived) {
                true => wanted,
                false => arrived,
            };
        if self.named != Some(number) {
            self.named = Some(number);
            let time = match number == arrived {
                true => received_at,
                false => time.unwrap_or(received_at),
            };
            self.name = Offset::UTC.to_datetime(time).date().to_string();
        }
        &self.name
    }

    fn has_room(&mut self, wanted: i64, arrived: i64) -> bool {
        if wanted == arrived || self.others.contains(&wanted) {
            return true;
        }
        let near = arrived - DAYS_BEFORE..=arrived + DAYS_AFTER;
        near.contains(&wanted) && self.others.len() < OTHER_DAYS && self.others.insert(wanted)
    }
}

fn day(time: Timestamp) -> i64 {
    time.as_second().div_euclid(86_400)
}

#[cfg(test)]
mod tests;
