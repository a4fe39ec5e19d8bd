//! `windrow top`

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use windrow_formats::describe::title;

use super::{Invocation, Out};
use crate::asker::{Asker, Row};
use crate::client::Client;
use crate::config::Need;
use crate::datadir;
use crate::exit::{Code, Hint as _};
use crate::output::{Terminal, escape, thousands};
use crate::status::Status;

/// Events shown.
const EVENTS_SHOWN: usize = 12;
/// Columns of the names of sources and sinks, so that their figures stay in sight.
const NAME_COLUMNS_MAX: usize = 20;
/// Columns of a channel.
const CHANNEL_COLUMNS: usize = 20;
/// Clears the screen from its upper left corner (ECMA-48 CUP, ED).
const HOME_AND_CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Watch what flows: rates in and out, the busiest channels and events
///
/// Needs a running service. Redraws itself on a terminal until Ctrl-C, prints one block an interval elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow top
  windrow top --interval 10s
  windrow top --once                             one look, then the end")]
pub(super) struct Args {
    /// How often to look
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = super::time::span)]
    interval: Duration,

    /// Look once, for one interval, and end
    #[arg(long)]
    once: bool,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let terminal = invocation.terminal;
    super::runtime()?.block_on(async {
        let socket = datadir::socket(&config.data_dir);
        let connect = async || {
            let client = Client::connect(&socket).await?;
            client
                .with_context(|| format!("no service runs on {}", config.data_dir.display()))
                .hint("`windrow run` starts one; --data-dir names another folder")
        };
        let mut service = connect().await?;
        let mut asker = Asker::Service(connect().await?);
        let mut before = status(&mut service).await?;
        if terminal.stdout_is_terminal && !args.once {
            let first = rates(None, &before, &terminal);
            write!(out, "{HOME_AND_CLEAR}{}", fitted(first, &terminal))?;
            out.flush()?;
        }
        loop {
            tokio::time::sleep(args.interval).await;
            let now = status(&mut service).await?;
            let events = busiest(&mut asker, &before, &now).await?;
            if terminal.stdout_is_terminal && !args.once {
                write!(out, "{HOME_AND_CLEAR}")?;
            }
            let screen = screen(&before, &now, &events, &terminal);
            write!(out, "{}", fitted(screen, &terminal))?;
            out.flush()?;
            if args.once {
                return Ok(Code::Ok);
            }
            before = now;
        }
    })
}

async fn status(service: &mut Client) -> anyhow::Result<Status> {
    Ok(serde_json::from_slice(&service.get("/v1/status").await?)?)
}

/// The events that came between two looks, by channel and id, most first.
async fn busiest(asker: &mut Asker, before: &Status, now: &Status) -> anyhow::Result<Vec<Row>> {
    if now.lake.is_none() {
        return Ok(Vec::new());
    }
    let (after, to) = (before.journal.durable_seq, now.journal.durable_seq);
    let sql = format!(
        "select channel, provider, event_id, count(*) as events from events where seq > {after} and seq <= {to} \
         group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit {EVENTS_SHOWN}"
    );
    Ok(asker.rows(&sql).await?.rows)
}

/// Seconds between two looks.
fn seconds(before: &Status, now: &Status) -> f64 {
    (now.now.as_millisecond() - before.now.as_millisecond()).max(1) as f64 / 1_000.0
}

/// One look, as text.
fn screen(before: &Status, now: &Status, events: &[Row], terminal: &Terminal) -> String {
    let mut text = rates(Some(before), now, terminal);
    // Writing to a String does not fail.
    let _ = writeln!(text);
    for row in events {
        let _ = writeln!(text, "{}", event_line(row, seconds(before, now)));
    }
    if events.is_empty() {
        let _ = writeln!(text, "no events in this time");
    }
    let _ = writeln!(text);
    text
}

/// On a terminal no line is longer than it is wide: one that wraps hides what stands below it.
fn fitted(text: String, terminal: &Terminal) -> String {
    if !terminal.stdout_is_terminal {
        return text;
    }
    let lines = text.lines().map(|line| cut(line, terminal.width));
    lines.fold(String::with_capacity(text.len()), |all, line| {
        all + &line + "\n"
    })
}

/// The first `width` columns of a line. Colours take none, and every one of them is kept: what
/// was begun also ends.
fn cut(line: &str, width: usize) -> String {
    let mut kept = String::with_capacity(line.len());
    let (mut columns, mut in_colour) = (0, false);
    for character in line.chars() {
        let is_escape = character == '\u{1b}';
        if is_escape || in_colour {
            in_colour = is_escape || character != 'm';
            kept.push(character);
            continue;
        }
        if columns < width {
            kept.push(character);
        }
        columns += 1;
    }
    kept
}

/// Journal, sources and sinks, a line each. The first look has no rates yet.
fn rates(before: Option<&Status>, now: &Status, terminal: &Terminal) -> String {
    let paint = terminal.paint();
    let rate = |from: &dyn Fn(&Status) -> u64, to: u64| match before {
        Some(before) => {
            let came = to.saturating_sub(from(before));
            format!("{:>9.0}/s", came as f64 / seconds(before, now))
        }
        None => format!("{:>9}/s", "-"),
    };
    let names = now.sources.keys().chain(now.sinks.keys());
    let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let width = longest.min(NAME_COLUMNS_MAX).max("journal".len());
    let label = |name: &str| paint.bold(&format!("{:width$.width$}", escape(name)));
    let mut text = String::new();
    // Writing to a String does not fail.
    let came = rate(
        &|before| before.journal.durable_seq,
        now.journal.durable_seq,
    );
    let _ = writeln!(
        text,
        "{} {came}   {} in all",
        label("journal"),
        thousands(now.journal.durable_seq)
    );
    for (name, source) in &now.sources {
        let from = |before: &Status| before.sources.get(name).map_or(0, |source| source.events);
        let (came, machines) = (rate(&from, source.events), thousands(source.machines));
        let _ = writeln!(text, "{} {came}   {machines} machines", label(name));
    }
    for (name, sink) in &now.sinks {
        let from = |before: &Status| before.sinks.get(name).map_or(0, |sink| sink.sent);
        let went = rate(&from, sink.sent);
        let waits = thousands(sink.lag_events);
        let _ = writeln!(
            text,
            "{} {went}   {}, {waits} wait",
            label(name),
            escape(&sink.state)
        );
    }
    text
}

fn event_line(row: &Row, seconds: f64) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or("");
    let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (id, rate) = (number("event_id"), number("events") as f64 / seconds);
    let title = u32::try_from(id)
        .ok()
        .and_then(|id| title(text("provider"), id));
    let what = title.unwrap_or_else(|| text("provider"));
    // Channels begin alike ("Microsoft-Windows-…"); what tells them apart comes last.
    let channel = text("channel");
    let last = channel.char_indices().rev().nth(CHANNEL_COLUMNS - 1);
    let channel = &channel[last.map_or(0, |(at, _)| at)..];
    format!(
        "{rate:>9.0}/s  {id:>5}  {:CHANNEL_COLUMNS$}  {}",
        escape(channel),
        escape(what)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_width_of_the_terminal() {
        assert_eq!(cut("abcdef", 4), "abcd");
        assert_eq!(cut("abc", 4), "abc");
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(
            cut("\u{1b}[1mabcdef\u{1b}[0m gh", 4),
            "\u{1b}[1mabcd\u{1b}[0m"
        );
    }

    #[test]
    fn a_long_channel_is_known_by_its_end() {
        let row = serde_json::json!({
            "channel": "Microsoft-Windows-PowerShell/Operational",
            "provider": "Microsoft-Windows-PowerShell", "event_id": 4104, "events": 20,
        });
        let line = event_line(row.as_object().unwrap(), 2.0);
        assert!(
            line.starts_with("       10/s   4104  werShell/Operational"),
            "{line}"
        );
    }
}
