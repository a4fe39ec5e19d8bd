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
    /// Rows of channel, event_id, n and per_second, most frequent first.
    pub(super) ids: &'a [Value],
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
            on_terminal: terminal.stdout_is_terminal,
            unicode: terminal.unicode,
            width: terminal.width.clamp(60, 160),
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
        writeln!(out, "{}", self.line(now))?;
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

    fn line(&self, now: &Snapshot<'_>) -> String {
        let lake = now.status.lake.as_ref().map_or(0, |lake| lake.position);
        format!(
            "{:>4} s  {:>8} acknowledged  {:>7.0} events/s  {:>8} at the SIEM  lake to {} of {}",
            now.elapsed.as_secs(),
            now.acknowledged,
            self.rate,
            now.received,
            lake,
            now.status.journal.durable_seq,
        )
    }

    fn picture(&self, now: &Snapshot<'_>) -> Vec<String> {
        let fit = |line: &str| shortened(line, self.width);
        let mut lines = vec![self.paint.bold(&fit(&self.line(now))), String::new()];
        let most = now.ids.first().and_then(|row| row["n"].as_u64());
        for row in now.ids.iter().take(IDS_SHOWN) {
            let n = row["n"].as_u64().unwrap_or(0);
            let id = row["event_id"].as_u64().unwrap_or(0);
            let channel = row["channel"].as_str().unwrap_or("");
            let rate = n as f64 / now.elapsed.as_secs_f64().max(1.0);
            let text = fit(&format!("  {channel:<14} {id:>6} {n:>9} {rate:>8.1}/s  "));
            let bar = self.bar(n, most.unwrap_or(1).max(1));
            lines.push(format!("{text}{}", self.paint.cyan(&bar)));
        }
        lines.push(String::new());
        lines.extend(now.last.iter().map(|line| self.paint.dim(&fit(line))));
        lines
    }

    fn bar(&self, n: u64, most: u64) -> String {
        let block = if self.unicode { "█" } else { "#" };
        let length = usize::try_from(n * BAR / most).unwrap_or(0).max(1);
        block.repeat(length)
    }
}

/// A message of the receiver, safe for a terminal and no longer than its width.
fn shortened(line: &str, width: usize) -> String {
    let safe = line.chars().map(|c| if c.is_control() { '·' } else { c });
    safe.take(width.saturating_sub(1)).collect()
}
