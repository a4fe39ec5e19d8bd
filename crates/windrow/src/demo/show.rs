//! What the demo shows while it runs: a few lines that stay in place on a terminal, one line
//! every few seconds elsewhere.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::output::{Paint, Terminal};
use crate::status::Status;

/// How often a terminal is drawn.
pub(super) const DRAW_EVERY: Duration = Duration::from_millis(500);
/// How often a line is printed elsewhere.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Rows of the table of event ids.
const IDS_SHOWN: usize = 8;
/// Columns of a channel's name.
const CHANNEL: usize = 14;
/// Characters of the last message in plain lines: the figures should not drown in it.
const LAST: usize = 240;
/// Columns of a bar.
const BAR: u64 = 24;

/// One look at everything.
pub(super) struct Snapshot<'a> {
    /// Time since the start.
    pub(super) elapsed: Duration,
    /// What the service says of itself.
    pub(super) status: &'a Status,
    /// Events acknowledged to the machines.
    pub(super) acknowledged: u64,
    /// Messages the receiver got.
    pub(super) received: u64,
    /// Rows of channel, event_id and n, most frequent first.
    pub(super) ids: &'a [Value],
    /// Time from the start until these were counted.
    pub(super) counted_after: Duration,
    /// The receiver's last messages.
    pub(super) last: &'a [String],
}

/// Where it is shown.
pub(super) struct Screen {
    on_terminal: bool,
    unicode: bool,
    width: usize,
    paint: Paint,
    /// Lines that stand on the terminal and are drawn over.
    drawn: usize,
    printed_at: Option<Instant>,
    acknowledged_before: (Duration, u64),
    rate: f64,
}

impl Screen {
    /// The terminal's, or plain lines.
    pub(super) fn new(terminal: &Terminal) -> Screen {
        Screen {
            on_terminal: terminal.stdout_can_redraw,
            unicode: terminal.unicode,
            width: terminal.width.clamp(40, 160),
            paint: terminal.paint(),
            drawn: 0,
            printed_at: None,
            acknowledged_before: (Duration::ZERO, 0),
            rate: 0.0,
        }
    }

    /// Shows it, where it is time to.
    pub(super) fn show(&mut self, now: &Snapshot<'_>, out: &mut dyn Write) -> std::io::Result<()> {
        self.measure(now);
        if self.on_terminal {
            self.clear(out)?;
            let lines = self.picture(now);
            self.drawn = lines.len();
            for line in lines {
                writeln!(out, "{line}")?;
            }
            return out.flush();
        }
        if self.printed_at.is_some_and(|at| at.elapsed() < LINE_EVERY) {
            return Ok(());
        }
        self.printed_at = Some(Instant::now());
        for line in plain(now, self.rate) {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    /// Takes away what was drawn last (ECMA-48: CUU, ED).
    fn clear(&mut self, out: &mut dyn Write) -> std::io::Result<()> {
        match std::mem::take(&mut self.drawn) {
            0 => Ok(()),
            lines => write!(out, "\x1b[{lines}A\x1b[J"),
        }
    }

    fn measure(&mut self, now: &Snapshot<'_>) {
        let (then, before) = self.acknowledged_before;
        let passed = now.elapsed.saturating_sub(then).as_secs_f64();
        if passed >= 1.0 {
            self.rate = (now.acknowledged.saturating_sub(before)) as f64 / passed;
            self.acknowledged_before = (now.elapsed, now.acknowledged);
        }
    }

    fn picture(&self, now: &Snapshot<'_>) -> Vec<String> {
        let fit = |line: &str| shortened(line, self.width);
        let mut lines = vec![
            self.paint.bold(&fit(&machines(now, self.rate))),
            fit(&format!("        {}", arrived(now))),
            String::new(),
        ];
        let most = now.ids.first().and_then(|row| row["n"].as_u64());
        for row in now.ids.iter().take(IDS_SHOWN) {
            let Counted { channel, id, n } = Counted::of(row);
            let rate = now.per_second(n);
            let channel = shortened(channel, CHANNEL + 1);
            let text = fit(&format!(
                "  {channel:<CHANNEL$} {id:>6} {n:>9} {rate:>8.1}/s  "
            ));
            let room = self.width.saturating_sub(text.chars().count() + 1);
            let bar: String = self
                .bar(n, most.unwrap_or(1).max(1))
                .chars()
                .take(room)
                .collect();
            lines.push(format!("{text}{}", self.paint.cyan(&bar)));
        }
        lines.push(String::new());
        lines.extend(
            now.last
                .iter()
                .map(|line| self.paint.dim(&fit(&core_of(line)))),
        );
        lines
    }

    fn bar(&self, n: u64, most: u64) -> String {
        let block = if self.unicode { "█" } else { "#" };
        let length = usize::try_from(n * BAR / most).unwrap_or(0).max(1);
        block.repeat(length)
    }
}

impl Snapshot<'_> {
    fn per_second(&self, events: u64) -> f64 {
        events as f64 / self.counted_after.as_secs_f64().max(1.0)
    }
}

/// One row of the counts.
struct Counted<'a> {
    channel: &'a str,
    id: u64,
    n: u64,
}

impl Counted<'_> {
    fn of(row: &Value) -> Counted<'_> {
        Counted {
            channel: row["channel"].as_str().unwrap_or(""),
            id: row["event_id"].as_u64().unwrap_or(0),
            n: row["n"].as_u64().unwrap_or(0),
        }
    }
}

/// What the machines were told is safe.
fn machines(now: &Snapshot<'_>, rate: f64) -> String {
    let (seconds, acknowledged) = (now.elapsed.as_secs(), now.acknowledged);
    format!("{seconds:>4} s  {acknowledged:>8} acknowledged  {rate:>7.0} events/s")
}

/// What has come to the other end.
fn arrived(now: &Snapshot<'_>) -> String {
    let lake = now.status.lake.as_ref().map_or(0, |lake| lake.position);
    let (received, durable) = (now.received, now.status.journal.durable_seq);
    format!("{received:>8} at the SIEM      lake to {lake} of {durable}")
}

/// The same for a file or a pipe: counts, what is most frequent, and the last message as it came.
fn plain(now: &Snapshot<'_>, rate: f64) -> Vec<String> {
    let mut lines = vec![format!(
        "{}  {}",
        machines(now, rate),
        arrived(now).trim_start()
    )];
    let frequent: Vec<String> = now
        .ids
        .iter()
        .take(IDS_SHOWN)
        .map(|row| {
            let Counted { channel, id, n } = Counted::of(row);
            format!("{channel} {id} {:.1}/s", now.per_second(n))
        })
        .collect();
    if !frequent.is_empty() {
        lines.push(shortened(
            &format!("        {}", frequent.join(", ")),
            usize::MAX,
        ));
    }
    let last = now.last.last().map(|line| format!("        {line}"));
    lines.extend(last.map(|line| shortened(&line, LAST)));
    lines
}

/// A message without what is the same in all of them: its beginning up to the signature.
fn core_of(line: &str) -> String {
    const DEVICE: &str = "|Microsoft|Microsoft Azure Stack|1.0|";
    match line.split_once(DEVICE) {
        Some((_, core)) => format!("CEF …|{core}"),
        None => line.to_owned(),
    }
}

/// A message of the receiver, safe for a terminal and no longer than its width.
fn shortened(line: &str, width: usize) -> String {
    let safe = line.chars().map(|c| if c.is_control() { '·' } else { c });
    safe.take(width.saturating_sub(1)).collect()
}
