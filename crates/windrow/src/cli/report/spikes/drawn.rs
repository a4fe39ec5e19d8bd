//! One series as a chart: a line a bucket, the bar what came, the mark what was expected.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use windrow_detect::spikes::Width;

use super::told::{about, moment};
use super::watch::{Judged, What};
use crate::config::units::Span;
use crate::output::{Terminal, escape, thousands};

/// Lines of a chart.
const LINES_MAX: usize = 400;
/// Lines before and after the most unusual bucket, where no time is asked for.
const AROUND: usize = 24;

/// Which lines are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// All, as far as there is room.
    Asked,
    /// Those around the most unusual bucket.
    Around,
}

/// The buckets that are drawn: the most unusual one and what is around it.
pub(super) fn window(buckets: &[Judged], window: Window) -> &[Judged] {
    let worth = |judged: &Judged| (judged.what.is_some(), judged.score());
    let worst = buckets.iter().enumerate().max_by(|(_, a), (_, b)| {
        let (a, b) = (worth(a), worth(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let (before, after) = match window {
        Window::Asked if buckets.len() <= LINES_MAX => return buckets,
        Window::Asked => (LINES_MAX / 2, LINES_MAX / 2),
        Window::Around => (AROUND, AROUND),
    };
    let worst = worst.map_or(0, |(place, _)| place);
    let end = (worst + after + 1).min(buckets.len());
    &buckets[worst.saturating_sub(before)..end]
}

/// Draws them.
pub(super) fn draw(
    name: &str,
    buckets: &[Judged],
    width: Width,
    zone: &TimeZone,
    terminal: &Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = terminal.paint();
    let span = Span(std::time::Duration::from_secs(
        width.seconds().unsigned_abs(),
    ));
    let title = format!("{}, a line = {span}", escape(name));
    writeln!(out, "{}\n", paint.bold(&title))?;
    let most = buckets
        .iter()
        .map(|judged| (judged.reading.count as f64).max(judged.reading.expected))
        .fold(1.0, f64::max);
    let label = |bucket: i64| crate::output::time(moment(bucket, width), zone);
    let labels = buckets
        .iter()
        .map(|judged| label(judged.reading.bucket).len());
    let label_width = labels.max().unwrap_or(0).max("time".len());
    let counts = buckets
        .iter()
        .map(|judged| thousands(judged.reading.count).len());
    let count_width = counts.max().unwrap_or(0).max("observed".len());
    let room = terminal
        .width
        .saturating_sub(label_width + count_width + 24)
        .clamp(10, 100);
    let head = format!(
        "{:label_width$}  {:>count_width$}  expected",
        "time", "observed"
    );
    writeln!(out, "{}", paint.bold(&head))?;
    for judged in buckets {
        let reading = &judged.reading;
        let is_above = reading.count as f64 > reading.expected;
        let said = match judged.what {
            None => String::new(),
            Some(what @ What::Burst) if is_above => paint.red(what.word()),
            Some(what @ What::Burst) => paint.red(&format!("{}, with the two before", what.word())),
            Some(what) => paint.yellow(what.word()),
        };
        let bar = bar(reading.count as f64, reading.expected, most, room, terminal);
        let line = format!(
            "{:label_width$}  {:>count_width$}  {:>8}  {bar:room$} {said}",
            label(reading.bucket),
            thousands(reading.count),
            about(reading.expected),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    let (fill, mark) = signs(terminal);
    writeln!(out, "\n{fill} observed  {mark} expected")
}

/// The sign of what came, and that of what was expected.
fn signs(terminal: &Terminal) -> (char, char) {
    if terminal.unicode {
        ('█', '┃')
    } else {
        ('#', '|')
    }
}

fn bar(count: f64, expected: f64, most: f64, room: usize, terminal: &Terminal) -> String {
    let (fill, mark) = signs(terminal);
    let cells = |value: f64| {
        let share = (value / most).clamp(0.0, 1.0) * (room - 1) as f64;
        // Between 0 and the room: whole and small.
        share.round() as usize
    };
    let (filled, marked) = (cells(count), cells(expected));
    let filled = if count > 0.0 { filled.max(1) } else { 0 };
    let cell = |place: usize| match place {
        place if place == marked => mark,
        place if place < filled => fill,
        _ => ' ',
    };
    (0..room)
        .map(cell)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests;
