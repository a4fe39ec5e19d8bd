//! How long rows are kept, and what is held beyond that: values and their meaning, no file.
//!
//! A row is as old as its `date`. Kept for 30 days it goes on the thirty-first day after it, with all other rows of that
//! date. Whatever a hold names stays until the hold is taken away, text included.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::schema::EVENTS;

/// How long rows are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days after its date that a row of a table is kept, by the table's name. For ever where there are none.
    pub tables: BTreeMap<String, u32>,
    /// The same for events of a channel, in the place of what holds for `events`; none is for ever. Case does not
    /// matter.
    pub channels: BTreeMap<String, Option<u32>>,
    /// Days that the Event's text, `event_xml`, is kept. As long as its event where there are none.
    pub text: Option<u32>,
    /// What is kept whatever its age.
    pub holds: Vec<Hold>,
}

/// Rows that are kept whatever their age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// What it is called.
    pub name: String,
    /// Of these tables; of all where there are none.
    pub tables: Vec<String>,
    /// Events of these channels; of all where there are none. Case does not matter.
    pub channels: Vec<String>,
    /// Of this date and later ones.
    pub from: Option<Date>,
    /// Of this date and earlier ones.
    pub to: Option<Date>,
}

/// How long something of a table is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What.
    pub what: What,
    /// Days after its date; none is for ever.
    pub days: Option<u32>,
    /// What is of an earlier date is over.
    pub over_before: Option<Date>,
    /// The day on which the first date goes that the table has rows of.
    pub first_goes: Option<Date>,
}

/// What of a table is kept for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its rows.
    Rows,
    /// The Event's text.
    Text,
    /// Events of a channel.
    Channel(String),
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays as it is.
    Kept,
    /// It stays without its text.
    Textless,
    /// It goes.
    Gone,
}

impl Retention {
    /// What becomes of rows of this table, date and channel on this day.
    pub(crate) fn fate(&self, table: &str, channel: Option<&str>, date: Date, today: Date) -> Fate {
        if self
            .holds
            .iter()
            .any(|hold| hold.is_of(table, channel, date))
        {
            return Fate::Kept;
        }
        let is_over = |days: Option<u32>| days.is_some_and(|days| is_over(date, days, today));
        if is_over(self.days(table, channel)) {
            return Fate::Gone;
        }
        match table == EVENTS.name && is_over(self.text) {
            true => Fate::Textless,
            false => Fate::Kept,
        }
    }

    /// Days that rows are kept; none is for ever.
    fn days(&self, table: &str, channel: Option<&str>) -> Option<u32> {
        let own = channel
            .filter(|_| table == EVENTS.name)
            .and_then(|channel| {
                let mut channels = self.channels.iter();
                channels.find(|(name, _)| name.eq_ignore_ascii_case(channel))
            });
        own.map_or_else(|| self.tables.get(table).copied(), |(_, days)| *days)
    }

    /// Whether anything of this table and date may be over on this day, whatever is held.
    pub(crate) fn concerns(&self, table: &str, date: Date, today: Date) -> bool {
        let of_events = table == EVENTS.name;
        let channels = self.channels.values().flatten().filter(|_| of_events);
        let text = self.text.iter().filter(|_| of_events);
        let mut days = self
            .tables
            .get(table)
            .into_iter()
            .chain(channels)
            .chain(text);
        days.any(|days| is_over(date, *days, today))
    }

    /// What holds for a table, the table itself first, with what is over on this day.
    #[must_use]
    pub fn rules(&self, table: &str, first: Option<Date>, today: Date) -> Vec<Rule> {
        let rule = |what: What, days: Option<u32>| Rule {
            what,
            days,
            // What is of an earlier date is over.
            over_before: days.and_then(|days| {
                today
                    .checked_sub(jiff::Span::new().try_days(days).ok()?)
                    .ok()
            }),
            first_goes: days
                .zip(first)
                .and_then(|(days, first)| goes_on(first, days)),
        };
        let mut rules = vec![rule(What::Rows, self.tables.get(table).copied())];
        if table == EVENTS.name {
            rules.extend(self.text.map(|days| rule(What::Text, Some(days))));
            let channels = self.channels.iter();
            rules.extend(channels.map(|(name, days)| rule(What::Channel(name.clone()), *days)));
        }
        rules
    }

    /// Names of what is held of a table.
    #[must_use]
    pub fn held(&self, table: &str) -> Vec<&str> {
        let holds = self.holds.iter().filter(|hold| {
            let is_named = hold.tables.iter().any(|name| name == table);
            let has_channels = hold.channels.is_empty() || table == EVENTS.name;
            has_channels && (hold.tables.is_empty() || is_named)
        });
        holds.map(|hold| hold.name.as_str()).collect()
    }

    /// Whether all rows of a table and date have one fate, whatever their channel.
    pub(crate) fn is_of_dates(&self, table: &str) -> bool {
        table != EVENTS.name
    }
}

impl Hold {
    /// Whether it holds such rows.
    pub(crate) fn is_of(&self, table: &str, channel: Option<&str>, date: Date) -> bool {
        let is_of_table = self.tables.is_empty() || self.tables.iter().any(|name| name == table);
        // Counts and requests have no channels that could be told apart.
        let is_of_channel = self.channels.is_empty()
            || table == EVENTS.name
                && channel.is_some_and(|channel| {
                    let mut names = self.channels.iter();
                    names.any(|name| name.eq_ignore_ascii_case(channel))
                });
        let begins = self.from.is_none_or(|from| from <= date);
        is_of_table && is_of_channel && begins && self.to.is_none_or(|to| date <= to)
    }
}

impl Hold {
    /// Whether it may hold rows of a table and date, of which nobody knows the channels.
    pub(crate) fn may_be_of(&self, table: &str, date: Option<Date>) -> bool {
        let is_of_table = self.tables.is_empty() || self.tables.iter().any(|name| name == table);
        let has_channels = self.channels.is_empty() || table == EVENTS.name;
        let is_of_date = |date: Date| {
            self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
        };
        is_of_table && has_channels && date.is_none_or(is_of_date)
    }
}

/// Whether what is kept so many days after its date is over on this day.
fn is_over(date: Date, days: u32, today: Date) -> bool {
    goes_on(date, days).is_some_and(|goes| goes <= today)
}

/// The day on which rows of a date go; none beyond the calendar.
pub(crate) fn goes_on(date: Date, days: u32) -> Option<Date> {
    let days = jiff::Span::new().try_days(i64::from(days) + 1).ok()?;
    date.checked_add(days).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn retention() -> Retention {
        Retention {
            tables: [("events".to_owned(), 30), ("iis".to_owned(), 7)].into(),
            channels: [
                ("security".to_owned(), Some(60)),
                ("Noise".to_owned(), Some(1)),
                ("Kept".to_owned(), None),
            ]
            .into(),
            text: Some(10),
            holds: vec![Hold {
                name: "case".to_owned(),
                channels: vec!["System".to_owned()],
                from: Some(day("2026-01-05")),
                to: Some(day("2026-01-06")),
                ..Hold::default()
            }],
        }
    }

    #[test]
    fn rows_go_after_their_days_and_not_on_the_last_of_them() {
        let fate = |channel, today: &str| {
            retention().fate("events", Some(channel), day("2026-01-01"), day(today))
        };
        assert_eq!(fate("Application", "2026-01-11"), Fate::Kept);
        assert_eq!(fate("Application", "2026-01-12"), Fate::Textless);
        assert_eq!(fate("Application", "2026-01-31"), Fate::Textless);
        assert_eq!(fate("Application", "2026-02-01"), Fate::Gone);
        assert_eq!(fate("Security", "2026-02-01"), Fate::Textless);
        assert_eq!(fate("Security", "2026-03-03"), Fate::Gone);
        assert_eq!(fate("noise", "2026-01-02"), Fate::Kept);
        assert_eq!(fate("noise", "2026-01-03"), Fate::Gone);
        assert_eq!(fate("Kept", "2099-01-01"), Fate::Textless);
        let all =
            |table, channel| retention().fate(table, channel, day("2026-01-01"), day("2026-02-15"));
        assert_eq!(all("events", None), Fate::Gone);
        assert_eq!(all("iis", None), Fate::Gone);
        assert_eq!(
            all("event_counts", Some("Noise")),
            Fate::Kept,
            "kept for ever"
        );
    }

    #[test]
    fn what_is_held_stays() {
        let fate = |table, channel, date: &str| {
            retention().fate(table, channel, day(date), day("2027-01-01"))
        };
        assert_eq!(fate("events", Some("SYSTEM"), "2026-01-04"), Fate::Gone);
        assert_eq!(fate("events", Some("SYSTEM"), "2026-01-05"), Fate::Kept);
        assert_eq!(fate("events", Some("System"), "2026-01-06"), Fate::Kept);
        assert_eq!(fate("events", Some("System"), "2026-01-07"), Fate::Gone);
        assert_eq!(fate("events", Some("Setup"), "2026-01-06"), Fate::Gone);
        assert_eq!(fate("iis", None, "2026-01-06"), Fate::Gone);
        let mut all = retention();
        all.holds = vec![Hold::default()];
        assert_eq!(
            all.fate("iis", None, day("2026-01-06"), day("2027-01-01")),
            Fate::Kept
        );
    }

    #[test]
    fn dates_that_cannot_be_over_are_not_looked_at() {
        let concerns =
            |table, today: &str| retention().concerns(table, day("2026-01-01"), day(today));
        assert!(!concerns("events", "2026-01-02"));
        assert!(concerns("events", "2026-01-03"), "a channel of one day");
        assert!(!concerns("iis", "2026-01-08"));
        assert!(concerns("iis", "2026-01-09"));
        assert!(!concerns("event_counts", "2099-01-01"));
        assert_eq!(goes_on(Date::MAX, 1), None);
    }
}
