//! Episodes and buckets in every form of the output, and what is said of the history they rest on.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use windrow_detect::spikes::{Direction, FORGOTTEN_DAYS, Width, Window};

use super::history::Missed;
use super::names::{Names, word};
use super::watch::{Episode, Judged, Seen, What};
use crate::config::units::Span;
use crate::output::{Cell, Column, Table, ago, escape, thousands, time};

/// Weeks of one hour of the week that drops and silence need.
const WEEKS_FOR_LOW_DAYS: i64 = 14;
/// Names that are told of those that had the same episode.
const SAME: usize = 3;
/// Days after which an hour of the week stands on its own.
const DAYS_OWN: i64 = 28;
const DAY_S: i64 = 86_400;

/// How everything is told.
pub(super) struct Teller<'a> {
    pub(super) names: &'a Names,
    pub(super) width: Width,
    pub(super) zone: &'a TimeZone,
}

/// When a bucket begins.
pub(super) fn moment(bucket: i64, width: Width) -> Timestamp {
    Timestamp::from_second(width.start_of(bucket)).unwrap_or_default()
}

/// A number that need not be whole, in few digits.
pub(super) fn about(number: f64) -> String {
    match number {
        number if number >= 1_000.0 => thousands(number.round() as u64),
        number if number >= 10.0 => format!("{number:.0}"),
        number if number >= 1.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

/// A probability by its score.
fn chance(score: f64) -> f64 {
    10_f64.powf(-score)
}

impl Teller<'_> {
    fn begin(&self, bucket: i64) -> String {
        time(moment(bucket, self.width), self.zone)
    }

    fn lasted(&self, episode: &Episode) -> String {
        let lasted = ago((episode.last + 1 - episode.first) * self.width.seconds());
        if episode.open {
            format!("{lasted} +")
        } else {
            lasted
        }
    }

    /// Episodes as a person reads them: those that are the same events in one line.
    pub(super) fn overview(&self, groups: &[Vec<&Episode>]) -> Table {
        let mut table = Table::new([
            Column::Left("begin"),
            Column::Left("lasted"),
            Column::Left("what"),
            Column::Right("observed"),
            Column::Right("expected"),
            Column::Right("chance"),
            Column::Left("series"),
            Column::Left("event"),
            Column::Left("the same of"),
        ]);
        for group in groups {
            let Some((episode, same)) = group.split_first() else {
                continue;
            };
            let described = self.names.described(episode.key);
            let named = same.iter().filter_map(|same| {
                let (whose, name) = self.names.described(same.key).of?;
                Some(format!("{}={name}", word(whose)))
            });
            let mut named: Vec<String> = named.take(SAME).collect();
            if same.len() > SAME {
                named.push(format!("and {} more", same.len() - SAME));
            }
            table.push([
                self.begin(episode.first).into(),
                self.lasted(episode).into(),
                episode.what.word().into(),
                thousands(episode.observed).into(),
                about(episode.expected).into(),
                format!("{:.0e}", chance(episode.worst.score())).into(),
                described.text().into(),
                described.title().into(),
                named.join(", ").into(),
            ]);
        }
        table
    }

    /// Puts episodes together that are the same events, or silent alike: of one channel and id, at one time, as many. Each
    /// group begins with the widest series.
    pub(super) fn grouped<'e>(&self, episodes: &[&'e Episode]) -> Vec<Vec<&'e Episode>> {
        let mut groups = BTreeMap::<_, Vec<&Episode>>::new();
        for episode in episodes {
            let described = self.names.described(episode.key);
            let (channel, id, what) = (described.channel, described.id, episode.what.word());
            let extent = (episode.first, episode.last, episode.observed);
            let group = groups.entry((extent, channel, id, what));
            group.or_default().push(episode);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        for group in &mut groups {
            group.sort_by_key(|episode| self.names.described(episode.key));
        }
        groups
    }

    /// Episodes as a program reads them.
    pub(super) fn episodes(&self, episodes: &[&Episode]) -> Table {
        let mut columns = vec![
            Column::Left("begin"),
            Column::Left("end"),
            Column::Left("what"),
            Column::Left("series"),
            Column::Left("channel"),
            Column::Right("event_id"),
            Column::Left("of"),
            Column::Left("name"),
            Column::Right("observed"),
            Column::Right("expected"),
            Column::Left("open"),
            Column::Left("worst"),
        ];
        columns.extend(VERDICT);
        let mut table = Table::new(columns);
        for episode in episodes {
            let described = self.names.described(episode.key);
            let id = described.id.and_then(|id| u64::try_from(id).ok());
            let mut row: Vec<Cell> = vec![
                self.begin(episode.first).into(),
                self.begin(episode.last + 1).into(),
                episode.what.word().into(),
                described.text().into(),
                described.channel.into(),
                id.into(),
                described.of.map_or("all", |(whose, _)| word(whose)).into(),
                described.of.map(|(_, name)| name).into(),
                episode.observed.into(),
                Cell::Float(episode.expected),
                episode.open.into(),
                self.begin(episode.worst.reading.bucket).into(),
            ];
            row.extend(self.verdict(&episode.worst));
            table.push(row);
        }
        table
    }

    /// Buckets of a series, each with its verdict.
    pub(super) fn buckets<'b>(
        &self,
        buckets: impl IntoIterator<Item = (String, &'b Judged)>,
    ) -> Table {
        let mut columns = vec![
            Column::Left("series"),
            Column::Left("time"),
            Column::Right("observed"),
        ];
        columns.extend(VERDICT);
        let mut table = Table::new(columns);
        for (series, judged) in buckets {
            let mut row: Vec<Cell> = vec![
                series.into(),
                self.begin(judged.reading.bucket).into(),
                judged.reading.count.into(),
            ];
            row.extend(self.verdict(judged));
            table.push(row);
        }
        table
    }

    /// Why a bucket is called what it is: flag, score and baseline as KQL's `series_decompose_anomalies` has them, and what
    /// they come from.
    fn verdict(&self, judged: &Judged) -> [Cell; VERDICT.len()] {
        let reading = &judged.reading;
        let is_low = judged.what == Some(What::Silence) || reading.direction == Direction::Down;
        let flag = match judged.what {
            None => 0.0,
            Some(What::Burst) => 1.0,
            Some(What::Drop | What::Silence) => -1.0,
        };
        let score = if is_low {
            -judged.score()
        } else {
            judged.score()
        };
        let window = match reading.window {
            Window::One => 1_u64,
            Window::Three => 3,
        };
        [
            Cell::Float(flag),
            Cell::Float(score),
            Cell::Float(reading.expected),
            Cell::Float(chance(judged.score())),
            judged.threshold.map_or(Cell::None, Cell::Float),
            Cell::Float(reading.dispersion),
            window.into(),
            reading.window_count.into(),
            Cell::Float(reading.window_expected),
            Cell::Float(reading.level),
            Cell::Float(reading.weeks),
            u64::from(reading.empty_buckets).into(),
            reading.cold.into(),
        ]
    }

    /// Why, in a sentence an episode.
    pub(super) fn explain(&self, episodes: &[&Episode], out: &mut dyn Write) -> io::Result<()> {
        for episode in episodes {
            let described = self.names.described(episode.key);
            let (worst, text) = (&episode.worst, described.text());
            let reading = &worst.reading;
            let begin = self.begin(episode.first);
            writeln!(out, "\n{begin} {}: {}", episode.what.word(), escape(&text))?;
            let buckets = match (episode.what, reading.window) {
                (What::Silence, _) => i64::from(reading.empty_buckets),
                (_, Window::One) => 1,
                (_, Window::Three) => 3,
            };
            let seconds = buckets * self.width.seconds();
            let span = Span(Duration::from_secs(seconds.unsigned_abs()));
            let came = match episode.what {
                What::Silence => format!("in {} nothing came", ago(seconds)),
                _ => format!(
                    "in {span} {} came where {} were expected",
                    thousands(reading.window_count),
                    about(reading.window_expected)
                ),
            };
            let begun = self.begin(reading.bucket + 1);
            writeln!(out, "  at its worst, up to {begun}: {came}")?;
            writeln!(
                out,
                "  expected of {}: {}, by {:.1} weeks of this hour of the week; the day before went at {:.2} times what is usual",
                Span(Duration::from_secs(self.width.seconds().unsigned_abs())),
                about(reading.expected),
                reading.weeks,
                reading.level
            )?;
            writeln!(
                out,
                "  chance of it: {:.0e}, with counts that scatter as they do (dispersion {:.2}){}",
                chance(worst.score()),
                reading.dispersion,
                match (episode.what, worst.threshold) {
                    (What::Silence, _) | (_, None) => String::new(),
                    (_, Some(threshold)) => format!("; told below {:.0e}", chance(threshold)),
                }
            )?;
        }
        Ok(())
    }

    /// What there was to learn from, and what that allows.
    pub(super) fn history(&self, seen: Seen, missed: Missed) -> Vec<String> {
        let Some(first) = seen.first else {
            return Vec::new();
        };
        let learnt_s = (seen.end - first) * self.width.seconds();
        let mut said = vec![format!(
            "{} series, learnt from {} to {} ({})",
            thousands(seen.series as u64),
            self.begin(first),
            self.begin(seen.end),
            ago(learnt_s),
        )];
        let of_history = match learnt_s {
            learnt_s if learnt_s <= DAY_S => Some(
                "that is too little to tell anything: each series is only watched for its first day, and drops and silence \
                 need two weeks",
            ),
            learnt_s if learnt_s < WEEKS_FOR_LOW_DAYS * DAY_S => Some(
                "bursts can be told from each series' second day on; drops and silence cannot yet: they need the same hour of two \
                 weeks. Four weeks know each hour of the week by itself",
            ),
            learnt_s if learnt_s < DAYS_OWN * DAY_S => Some(
                "hours of the week stand on their own after four weeks: until then they lean on the same hour of other days, and more \
                 false alarms are to be expected",
            ),
            _ => None,
        };
        said.extend(of_history.map(str::to_owned));
        if seen.young > 0 && learnt_s > DAY_S {
            said.push(format!(
                "{} of the series began less than a day before the end and were only watched",
                thousands(seen.young as u64)
            ));
        }
        if seen.again > 0 {
            said.push(format!(
                "{} of the series came again after {FORGOTTEN_DAYS} days of silence and began anew: what came on the first day after that \
                 was only watched (--series NAME draws it)",
                thousands(seen.again as u64)
            ));
        }
        let left_out = seen.unfollowed.saturating_add(missed.unnamed);
        if left_out > 0 {
            said.push(format!(
                "INCOMPLETE: there are more series than can be followed ({}); {} events of further ones were left out: narrow it by \
                 --id, --channel or --by",
                thousands(windrow_detect::limits::SERIES_MAX as u64),
                thousands(left_out)
            ));
        }
        if missed.days > 0 {
            said.push(format!(
                "INCOMPLETE: {} days have more counts than can be taken: narrow it by --id, --channel or --by",
                missed.days
            ));
        }
        said
    }
}

/// What a verdict is made of.
const VERDICT: [Column; 13] = [
    Column::Right("flag"),
    Column::Right("score"),
    Column::Right("baseline"),
    Column::Right("p"),
    Column::Right("threshold"),
    Column::Right("dispersion"),
    Column::Right("window"),
    Column::Right("window_observed"),
    Column::Right("window_expected"),
    Column::Right("level"),
    Column::Right("weeks"),
    Column::Right("empty_buckets"),
    Column::Left("cold"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_history_allows_is_said() {
        let names = Names::default();
        let teller = Teller {
            names: &names,
            width: Width::Hour,
            zone: &TimeZone::UTC,
        };
        let mut said = Vec::new();
        for (hours, young, again, unfollowed) in [
            (20, 3, 0, 0),
            (100, 3, 0, 0),
            (400, 0, 0, 0),
            (1_000, 0, 2, 12),
        ] {
            let seen = Seen {
                first: Some(0),
                end: hours,
                series: 1_234,
                young,
                again,
                unfollowed,
            };
            said.extend(teller.history(seen, Missed::default()));
        }
        insta::assert_snapshot!(said.join("\n"), @r"
    1 234 series, learnt from 1970-01-01T00:00:00Z to 1970-01-01T20:00:00Z (20h)
    that is too little to tell anything: each series is only watched for its first day, and drops and silence need two weeks
    1 234 series, learnt from 1970-01-01T00:00:00Z to 1970-01-05T04:00:00Z (4d 4h)
    bursts can be told from each series' second day on; drops and silence cannot yet: they need the same hour of two weeks. Four weeks know each hour of the week by itself
    3 of the series began less than a day before the end and were only watched
    1 234 series, learnt from 1970-01-01T00:00:00Z to 1970-01-17T16:00:00Z (16d 16h)
    hours of the week stand on their own after four weeks: until then they lean on the same hour of other days, and more false alarms are to be expected
    1 234 series, learnt from 1970-01-01T00:00:00Z to 1970-02-11T16:00:00Z (41d 16h)
    2 of the series came again after 28 days of silence and began anew: what came on the first day after that was only watched (--series NAME draws it)
    INCOMPLETE: there are more series than can be followed (200 000); 12 events of further ones were left out: narrow it by --id, --channel or --by
        
    ");
    }

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(about(0.004), "0.00");
        assert_eq!(about(0.25), "0.25");
        assert_eq!(about(7.26), "7.3");
        assert_eq!(about(72.6), "73");
        assert_eq!(about(7_260.4), "7 260");
    }
}
