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
            write!(out, "{HOME_AND_CLEAR}{first}")?;
            out.flush()?;
        }
        loop {
            tokio::time::sleep(args.interval).await;
            let now = status(&mut service).await?;
            let events = busiest(&mut asker, &before, &now).await?;
            if terminal.stdout_is_terminal && !args.once {
                write!(out, "{HOME_AND_CLEAR}")?;
            }
            write!(out, "{}", screen(&before, &now, &events, &terminal))?;
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
    let width = names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max("journal".len());
    let label = |name: &str| paint.bold(&format!("{:width$}", escape(name)));
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
    format!(
        "{rate:>9.0}/s  {id:>5}  {:20}  {}",
        escape(text("channel")),
        escape(what)
    )
}
