//! What the detector is fed with: the counts of a day after the other, put together by series.

use std::collections::{BTreeMap, HashMap};

use clap::ValueEnum;
use indicatif::ProgressBar;
use windrow_detect::spikes::Width;
use windrow_lake::{DayCount, DayCounts, Days, Period, QueryLimits, Wanted, Whose};

use super::names::{Key, Names};
use super::watch::Watch;
use crate::cli::report::asked::Asked;

/// What a series is of, beside a channel and an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Scope {
    /// Every event of the channel and id
    All,
    /// Those of each computer
    Computer,
    /// Those of each account: the target's, else the subject's
    Account,
    /// Those from each source address; counted event by event
    Address,
}

impl Scope {
    fn whose(self) -> Option<Whose> {
        match self {
            Scope::All => None,
            Scope::Computer => Some(Whose::Computer),
            Scope::Account => Some(Whose::Account),
            Scope::Address => Some(Whose::Address),
        }
    }
}

/// Which history is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct History<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) scopes: &'a [Scope],
    pub(super) width: Width,
    /// From where it is learnt to where it ends.
    pub(super) period: Period,
    /// The bucket that it ends before.
    pub(super) end: i64,
    /// The series that is looked at, as it is told.
    pub(super) series: Option<&'a str>,
}

/// What of the history was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Missed {
    /// Days of which there was more than can be taken.
    pub(super) days: u64,
    /// Events whose name was one too many.
    pub(super) unnamed: u64,
}

/// Counts of a day by bucket and series.
type Counts = BTreeMap<i64, HashMap<Key, u64>>;

/// Reads it, a day at a time, and has it watched.
pub(super) async fn read(
    asked: &mut Asked,
    history: &History<'_>,
    watch: &mut Watch,
    names: &mut Names,
    bar: &ProgressBar,
) -> anyhow::Result<Missed> {
    let days = Days {
        period: history.period,
        wanted: history.wanted,
    };
    let answer = asked.query(&days.sql(), QueryLimits::default()).await?;
    let days = days.read(answer).await?;
    let mut missed = Missed::default();
    for (place, day) in days.iter().enumerate() {
        bar.set_message(format!("{day}, day {} of {}", place + 1, days.len()));
        let mut counts = Counts::new();
        for whose in questions(history.scopes) {
            let of_day = whatever_fits(asked, history, day, whose, names).await?;
            missed.unnamed += of_day.unnamed;
            missed.days += u64::from(!of_day.is_whole);
            of_day.add_to(&mut counts);
        }
        look_for(history.series, &counts, names, watch);
        for (bucket, counts) in counts.range(..history.end) {
            watch.take(*bucket, counts);
        }
    }
    Ok(missed)
}

/// What a question about a day has told.
#[derive(Default)]
struct OfDay {
    counts: Counts,
    unnamed: u64,
    is_whole: bool,
}

impl OfDay {
    fn add_to(self, counts: &mut Counts) {
        for (bucket, of_bucket) in self.counts {
            let known = counts.entry(bucket).or_default();
            for (key, events) in of_bucket {
                let sum = known.entry(key).or_default();
                *sum = sum.saturating_add(events);
            }
        }
    }
}

/// Counts of a day. Whoever fails to log on chooses the names of accounts, how many and how long: where an answer about
/// them does not come, the day is asked for with fewer names, so that nobody puts out of sight what others do.
async fn whatever_fits(
    asked: &mut Asked,
    history: &History<'_>,
    day: &str,
    mut whose: Vec<Whose>,
    names: &mut Names,
) -> anyhow::Result<OfDay> {
    let mut is_cut = false;
    loop {
        let error = match of_day(asked, history, day, &whose, names).await {
            Ok(found) => {
                let is_whole = found.is_whole && !is_cut;
                return Ok(OfDay { is_whole, ..found });
            }
            Err(error) => error,
        };
        tracing::warn!(
            day,
            error = format!("{error:#}"),
            "cannot count by every name"
        );
        is_cut = true;
        if whose == [Whose::Address] {
            // The events themselves are counted by the other question.
            return Ok(OfDay::default());
        }
        if whose.pop().is_none() {
            return Err(error);
        }
    }
}

async fn of_day(
    asked: &mut Asked,
    history: &History<'_>,
    day: &str,
    whose: &[Whose],
    names: &mut Names,
) -> anyhow::Result<OfDay> {
    let question = DayCounts {
        day,
        width_s: history.width.seconds(),
        whose,
        wanted: history.wanted,
    };
    let answer = asked.query(&question.sql(), question.limits()).await?;
    let mut found = OfDay::default();
    let mut take = |count: DayCount<'_>| {
        let added = add(&mut found.counts, names, history.scopes, whose, count);
        found.unnamed += added.unnamed;
    };
    found.is_whole = question.read(answer, &mut take).await?;
    Ok(found)
}

/// Whose counts have to be asked for together: addresses are asked for apart, since they are counted event by event.
fn questions(scopes: &[Scope]) -> Vec<Vec<Whose>> {
    let (each, counted): (Vec<Scope>, Vec<Scope>) =
        scopes.iter().partition(|scope| **scope == Scope::Address);
    let whose = |scopes: Vec<Scope>| scopes.into_iter().filter_map(Scope::whose).collect();
    let asked = [counted, each].into_iter();
    asked
        .filter(|scopes| !scopes.is_empty())
        .map(whose)
        .collect()
}

/// What was done with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Added {
    unnamed: u64,
}

/// Adds a count to every series that it belongs to.
fn add(
    counts: &mut Counts,
    names: &mut Names,
    scopes: &[Scope],
    whose: &[Whose],
    count: DayCount<'_>,
) -> Added {
    let mut unnamed = 0;
    let Some(channel) = names.place(count.channel.unwrap_or_default()) else {
        return Added {
            unnamed: count.events,
        };
    };
    let of_all = Key::of_all(channel, count.event_id);
    let bucket = counts.entry(count.bucket).or_default();
    let mut push = |key: Key| {
        let sum = bucket.entry(key).or_default();
        *sum = sum.saturating_add(count.events);
    };
    // Addresses come with a question of their own, which would count all once more.
    if scopes.contains(&Scope::All) && !whose.contains(&Whose::Address) {
        push(of_all);
    }
    for (whose, name) in whose.iter().zip(count.whose) {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            continue;
        };
        match names.place(name) {
            Some(name) => push(of_all.of_one(*whose, name)),
            None => unnamed = count.events,
        }
    }
    Added { unnamed }
}

/// Has the series of this name looked at, once it counts anything.
fn look_for(series: Option<&str>, counts: &Counts, names: &Names, watch: &mut Watch) {
    let Some(series) = series.filter(|_| watch.looked().is_none()) else {
        return;
    };
    let keys = counts.values().flat_map(HashMap::keys);
    let mut new = keys.filter(|key| !watch.knows(**key));
    if let Some(key) = new.find(|key| names.described(**key).text() == series) {
        watch.look_at(*key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_in_every_series_that_it_belongs_to() {
        let (mut counts, mut names) = (Counts::new(), Names::default());
        let scopes = [Scope::All, Scope::Computer, Scope::Account, Scope::Address];
        let asked = questions(&scopes);
        assert_eq!(
            asked,
            [vec![Whose::Computer, Whose::Account], vec![Whose::Address]]
        );
        let count = |bucket, whose| DayCount {
            bucket,
            channel: Some("Security"),
            event_id: Some(4625),
            whose,
            events: 2,
        };
        for (asked, count) in [
            (0, count(7, &[Some("DC1"), Some("ann")])),
            (0, count(7, &[Some("DC1"), None])),
            (1, count(7, &[Some("10.0.0.1")])),
            (0, count(8, &[Some("DC2"), Some("ann")])),
        ] {
            let added = add(
                &mut counts,
                &mut names,
                &scopes,
                &asked_of(&scopes, asked),
                count,
            );
            assert_eq!(added.unnamed, 0);
        }
        let mut told: Vec<String> = Vec::new();
        for (bucket, counts) in &counts {
            for (key, events) in counts {
                told.push(format!(
                    "{bucket} {} {events}",
                    names.described(*key).text()
                ));
            }
        }
        told.sort();
        insta::assert_snapshot!(told.join("\n"), @r"
        7 Security 4625 4
        7 Security 4625 account=ann 2
        7 Security 4625 address=10.0.0.1 2
        7 Security 4625 computer=DC1 4
        8 Security 4625 2
        8 Security 4625 account=ann 2
        8 Security 4625 computer=DC2 2
        ");
    }

    fn asked_of(scopes: &[Scope], place: usize) -> Vec<Whose> {
        questions(scopes).swap_remove(place)
    }
}
