//! Counts over time as a chart of bars: a line a bucket, the bar stacked by the largest keys. Colours tell the keys
//! apart where there are some; the fill of the bar does so everywhere.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::units::Span;
use crate::output::{Paint, Terminal, escape, thousands};

/// Keys shown by themselves; the others are one.
const KEYS_MAX: usize = 5;
/// Lines above which empty buckets are left out.
const LINES_MAX: usize = 400;
/// Characters a key may take in the legend.
const KEY_CHARS_MAX: usize = 48;

const FILLS_UNICODE: [char; KEYS_MAX + 1] = ['█', '▓', '▒', '░', '▪', '·'];
const FILLS_ASCII: [char; KEYS_MAX + 1] = ['#', '=', '+', '-', 'o', '.'];

/// Events of one key in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    /// Start of the bucket.
    pub(super) start: Timestamp,
    /// Channel, event id or computer; empty where events have none.
    pub(super) key: String,
    /// Number of events.
    pub(super) events: u64,
}

/// What is charted.
#[derive(Debug, Clone)]
pub(super) struct Chart<'a> {
    /// What is counted, and told apart by what.
    pub(super) title: String,
    /// The length of a bucket.
    pub(super) bucket: Duration,
    /// The zone of the times.
    pub(super) zone: &'a TimeZone,
    /// Counts, by start and then by key.
    pub(super) counts: Vec<Count>,
}

impl Chart<'_> {
    /// Writes the chart, as wide as the terminal is.
    pub(super) fn write(&self, out: &mut dyn Write, terminal: &Terminal) -> io::Result<()> {
        let keys = self.largest_keys();
        let rows = self.rows(&keys);
        let most = rows
            .values()
            .map(|parts| parts.iter().sum())
            .max()
            .unwrap_or(0);
        let paint = terminal.paint();
        let fills = if terminal.unicode {
            FILLS_UNICODE
        } else {
            FILLS_ASCII
        };
        let number_width = thousands(most).chars().count();
        let label_width = rows
            .keys()
            .map(|start| self.label(*start).len())
            .max()
            .unwrap_or(0);
        let room = terminal
            .width
            .saturating_sub(label_width + number_width + 5)
            .clamp(10, 120);

        writeln!(
            out,
            "{}",
            paint.bold(&format!("{}, a line = {}", self.title, Span(self.bucket)))
        )?;
        writeln!(out)?;
        let mut expected = None;
        for (start, parts) in &rows {
            if expected.is_some_and(|expected| expected != *start) {
                writeln!(
                    out,
                    "{:label_width$}  {}",
                    "",
                    if terminal.unicode { "⋮" } else { "..." }
                )?;
            }
            expected = start.checked_add(self.bucket).ok();
            let label = self.label(*start);
            let total: u64 = parts.iter().sum();
            let number = thousands(total);
            let bar = bar(parts, most, room, fills, paint);
            let line = format!("{label:label_width$}  {number:>number_width$}  {bar}");
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
        self.write_legend(&keys, fills, paint, out)
    }

    /// The keys with the most events, most first; ties by name.
    fn largest_keys(&self) -> Vec<(String, u64)> {
        let mut totals = BTreeMap::<&str, u64>::new();
        for count in &self.counts {
            *totals.entry(&count.key).or_default() += count.events;
        }
        let mut totals: Vec<(String, u64)> = totals
            .into_iter()
            .map(|(key, events)| (key.to_owned(), events))
            .collect();
        totals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        totals
    }

    /// The parts of every bar, the last one for all other keys. Empty buckets between are there too, if they are few.
    fn rows(&self, keys: &[(String, u64)]) -> BTreeMap<Timestamp, [u64; KEYS_MAX + 1]> {
        let mut rows = BTreeMap::<Timestamp, [u64; KEYS_MAX + 1]>::new();
        for count in &self.counts {
            let place = keys
                .iter()
                .take(KEYS_MAX)
                .position(|(key, _)| *key == count.key);
            rows.entry(count.start).or_default()[place.unwrap_or(KEYS_MAX)] += count.events;
        }
        let (Some(first), Some(last)) = (
            rows.keys().next().copied(),
            rows.keys().next_back().copied(),
        ) else {
            return rows;
        };
        let span_s = last.as_second().saturating_sub(first.as_second());
        let lines = span_s
            / i64::try_from(self.bucket.as_secs())
                .unwrap_or(i64::MAX)
                .max(1);
        if usize::try_from(lines).is_ok_and(|lines| lines <= LINES_MAX) {
            let mut start = first;
            while start < last {
                rows.entry(start).or_default();
                let Ok(next) = start.checked_add(self.bucket) else {
                    break;
                };
                start = next;
            }
        }
        rows
    }

    fn label(&self, start: Timestamp) -> String {
        crate::output::time(start, self.zone)
    }

    fn write_legend(
        &self,
        keys: &[(String, u64)],
        fills: [char; KEYS_MAX + 1],
        paint: Paint,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let number_width = keys
            .first()
            .map_or(0, |(_, most)| thousands(*most).chars().count());
        for (place, (key, events)) in keys.iter().take(KEYS_MAX).enumerate() {
            let fill = color(paint, place, &fills[place].to_string());
            writeln!(
                out,
                "{fill} {:>number_width$}  {}",
                thousands(*events),
                shown(key)
            )?;
        }
        let rest = &keys[keys.len().min(KEYS_MAX)..];
        if !rest.is_empty() {
            let events: u64 = rest.iter().map(|(_, events)| events).sum();
            let fill = color(paint, KEYS_MAX, &fills[KEYS_MAX].to_string());
            writeln!(
                out,
                "{fill} {:>number_width$}  {} others",
                thousands(events),
                rest.len()
            )?;
        }
        Ok(())
    }
}

fn shown(key: &str) -> String {
    if key.is_empty() {
        return "(none)".to_owned();
    }
    let key = escape(key);
    match key.char_indices().nth(KEY_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.into_owned(),
    }
}

/// One bar: as many cells as its share of the largest, given out to its parts by the largest remainder. What is not
/// zero has a cell.
fn bar(
    parts: &[u64; KEYS_MAX + 1],
    most: u64,
    room: usize,
    fills: [char; KEYS_MAX + 1],
    paint: Paint,
) -> String {
    let total: u64 = parts.iter().sum();
    if total == 0 || most == 0 {
        return String::new();
    }
    let scaled = u128::from(total) * room as u128;
    let cells = usize::try_from(scaled.div_ceil(u128::from(most)))
        .unwrap_or(room)
        .min(room);
    let share = |part: u64| u128::from(part) * cells as u128;
    let mut given: Vec<usize> = parts
        .iter()
        .map(|part| usize::try_from(share(*part) / u128::from(total)).unwrap_or(0))
        .collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(share(parts[*place]) % u128::from(total)));
    let missing = cells - given.iter().sum::<usize>();
    for place in order.into_iter().take(missing) {
        given[place] += 1;
    }
    let cells = given.iter().enumerate().filter(|(_, cells)| **cells > 0);
    cells
        .map(|(place, cells)| color(paint, place, &fills[place].to_string().repeat(*cells)))
        .collect()
}

fn color(paint: Paint, place: usize, text: &str) -> String {
    match place {
        0 => paint.cyan(text),
        1 => paint.yellow(text),
        2 => paint.green(text),
        3 => paint.red(text),
        4 => paint.bold(text),
        _ => paint.dim(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(start: &str, key: &str, events: u64) -> Count {
        Count {
            start: start.parse().unwrap(),
            key: key.to_owned(),
            events,
        }
    }

    fn drawn(unicode: bool, counts: &[Count]) -> String {
        let terminal = Terminal {
            stdout_is_terminal: true,
            stdout_can_redraw: true,
            stderr_is_terminal: true,
            color: false,
            stderr_color: false,
            unicode,
            width: 60,
        };
        let chart = Chart {
            title: "Events by channel".to_owned(),
            bucket: Duration::from_secs(3600),
            zone: &TimeZone::UTC,
            counts: counts.to_vec(),
        };
        let mut out = Vec::new();
        chart.write(&mut out, &terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bars_are_stacked_and_gaps_shown() {
        let counts = [
            count("2026-11-21T08:00:00Z", "Security", 1_000),
            count("2026-11-21T08:00:00Z", "System", 500),
            count("2026-11-21T10:00:00Z", "Security", 30),
            count("2026-11-21T10:00:00Z", "", 1),
            count("2026-11-21T11:00:00Z", "A\u{1b}[2J", 7),
            count("2026-11-21T11:00:00Z", "B", 7),
            count("2026-11-21T11:00:00Z", "C", 6),
            count("2026-11-21T11:00:00Z", "D", 5),
        ];
        insta::assert_snapshot!(drawn(true, &counts), @r"
        Events by channel, a line = 1h

        2026-11-21T08:00:00Z  1 500  ████████████████████▓▓▓▓▓▓▓▓▓▓
        2026-11-21T09:00:00Z      0
        2026-11-21T10:00:00Z     31  █
        2026-11-21T11:00:00Z     25  ▒

        █ 1 030  Security
        ▓   500  System
        ▒     7  A\u{1b}[2J
        ░     7  B
        ▪     6  C
        ·     6  2 others
        ");
        insta::assert_snapshot!(drawn(false, &counts), @r"
        Events by channel, a line = 1h

        2026-11-21T08:00:00Z  1 500  ####################==========
        2026-11-21T09:00:00Z      0
        2026-11-21T10:00:00Z     31  #
        2026-11-21T11:00:00Z     25  +

        # 1 030  Security
        =   500  System
        +     7  A\u{1b}[2J
        -     7  B
        o     6  C
        .     6  2 others
        ");
    }

    #[test]
    fn far_away_buckets_do_not_fill_the_screen() {
        let counts = [
            count("1990-01-01T00:00:00Z", "System", 1),
            count("2026-11-21T10:00:00Z", "System", 2),
        ];
        insta::assert_snapshot!(drawn(true, &counts), @r"
        Events by channel, a line = 1h

        1990-01-01T00:00:00Z  1  █████████████████
                              ⋮
        2026-11-21T10:00:00Z  2  ██████████████████████████████████

        █ 3  System
        ");
    }

    #[test]
    fn every_cell_is_given_out() {
        for parts in [
            [1, 1, 1, 0, 0, 0],
            [999, 1, 0, 0, 0, 0],
            [5, 4, 3, 2, 1, 7],
            [u64::MAX / 8, 1, 0, 0, 0, 0],
        ] {
            let total: u64 = parts.iter().sum();
            assert_eq!(bar(&parts, total, 40, FILLS_ASCII, Paint::PLAIN).len(), 40);
            assert!(!bar(&parts, u64::MAX, 40, FILLS_ASCII, Paint::PLAIN).is_empty());
        }
    }
}
