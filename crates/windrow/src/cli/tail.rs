//! `windrow tail`

use std::io::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use windrow_formats::describe::title;

use super::time::zone;
use super::{Invocation, Out};
use crate::asker::{Asker, Row, quote};
use crate::config::Need;
use crate::exit::{Code, UsageError};
use crate::output::{
    Cell, Column, Format, RowsOutput, Table, Terminal, escape, escape_json, time_ms,
};
use crate::status::Status;

/// How often new events are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Events shown at a look at most; what is beyond comes at the next.
const EVENTS_A_LOOK_MAX: usize = 5_000;
/// How far back the events that come first are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Show the newest events, and those that follow
///
/// With a running service the events come as they are acknowledged, until Ctrl-C. Without one the newest events that
/// came over the journal within the last week are shown. Imported files are not: ask for those with `windrow query`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow tail
  windrow tail --channel Security --id 4625 --id 4740
  windrow tail --lines 100 --no-follow --output ndjson | jq .computer")]
pub(super) struct Args {
    /// How many events that are there already come first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: u64,

    /// Stop after those that are there already
    #[arg(long)]
    no_follow: bool,

    /// Only this channel (may be given more than once)
    #[arg(long, value_name = "CHANNEL")]
    channel: Vec<String>,

    /// Only this event id (may be given more than once)
    #[arg(long, value_name = "ID")]
    id: Vec<u16>,

    /// Only this computer (may be given more than once)
    #[arg(long, value_name = "NAME")]
    computer: Vec<String>,

    /// The zone that times are shown in
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone, allow_hyphen_values = true)]
    tz: TimeZone,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let format = args.output.format(&invocation.terminal);
    if format == Format::Json && !args.no_follow {
        let message = "--output json is one array, and this has no end: use ndjson, or --no-follow";
        return Err(UsageError(message.to_owned()).into());
    }
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    super::runtime()?.block_on(async {
        let mut asker = Asker::open(&config).await?;
        let mut writer = RowWriter {
            format,
            zone: args.tz.clone(),
            terminal: invocation.terminal,
            begun: false,
        };
        let status = status(&mut asker).await?;
        let (first, code) = asker.rows(&args.first(Timestamp::now())).await?.told()?;
        writer.write(&first, out)?;
        if first.is_empty() && status.is_none() {
            let said = "no events came through the journal in the last 7 days, and no service runs here: what was imported is in `windrow query`";
            writeln!(std::io::stderr(), "{said}")?;
        }
        let Some(status) = status.filter(|_| !args.no_follow) else {
            return Ok(code);
        };
        let mut seq = status.journal.durable_seq;
        let mut is_behind = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let following = args.following(seq, status.started_at);
            let answer = asker.rows(&following).await?;
            // Said when it begins, not at every look.
            if let Some(said) = answer.incomplete.as_ref().filter(|_| !is_behind) {
                writeln!(std::io::stderr(), "{said}")?;
            }
            is_behind = answer.incomplete.is_some();
            let mut rows = answer.rows;
            seq = newest_of(&rows).unwrap_or(seq);
            // What came between the status and the first look.
            rows.retain(|row| !first.contains(row));
            writer.write(&rows, out)?;
        }
    })
}

/// What the service says of itself, where one runs.
async fn status(asker: &mut Asker) -> anyhow::Result<Option<Status>> {
    match asker {
        Asker::Service(service) => Ok(Some(serde_json::from_slice(
            &service.get("/v1/status").await?,
        )?)),
        Asker::Folder(_) => Ok(None),
    }
}

fn newest_of(rows: &[Row]) -> Option<u64> {
    rows.iter().filter_map(|row| number(row, "seq")).max()
}

fn number(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(Value::as_u64)
}

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str)
}

const COLUMNS: &[&str] = &[
    "seq",
    "time",
    "received_at",
    "computer",
    "channel",
    "provider",
    "event_id",
    "level",
    "task_name",
    "outcome",
    "record_id",
    "source",
    "target_user",
    "target_domain",
    "subject_user",
    "ip_address",
    "logon_type",
    "process_name",
    "command_line",
    "service_name",
    "status",
    "message",
    "event_data",
];

impl Args {
    fn filters(&self) -> Vec<String> {
        let any_of = |column: &str, values: Vec<String>| {
            (!values.is_empty()).then(|| format!("{column} in ({})", values.join(", ")))
        };
        let quoted = |values: &[String]| values.iter().map(|value| quote(value)).collect();
        let filters = [
            any_of("channel", quoted(&self.channel)),
            any_of("event_id", self.id.iter().map(u16::to_string).collect()),
            any_of("computer", quoted(&self.computer)),
        ];
        filters.into_iter().flatten().collect()
    }

    fn sql(&self, mut conditions: Vec<String>, order: &str, limit: u64) -> String {
        conditions.extend(self.filters());
        let (columns, conditions) = (COLUMNS.join(", "), conditions.join(" and "));
        format!("select {columns} from events where {conditions} order by {order} limit {limit}")
    }

    /// The newest events, oldest first. By when they came: the lake may have events of journals before this one, whose
    /// sequences say nothing here.
    fn first(&self, now: Timestamp) -> String {
        let since = now.saturating_sub(LOOK_BACK).unwrap_or(now);
        let bounds = vec![
            "seq is not null".to_owned(),
            format!("received_at >= '{since}'"),
        ];
        let newest = self.sql(bounds, "received_at desc, seq desc", self.lines);
        format!("select * from ({newest}) order by received_at, seq")
    }

    /// The events after `seq` of the journal that the service, started then, writes.
    fn following(&self, seq: u64, started_at: Timestamp) -> String {
        let bounds = vec![
            format!("seq > {seq}"),
            format!("received_at >= '{started_at}'"),
        ];
        self.sql(bounds, "seq", EVENTS_A_LOOK_MAX as u64)
    }
}

/// Writes rows as they come.
struct RowWriter {
    format: Format,
    zone: TimeZone,
    terminal: Terminal,
    begun: bool,
}

impl RowWriter {
    fn write(&mut self, rows: &[Row], out: &mut Out<'_>) -> anyhow::Result<()> {
        match self.format {
            Format::Table => {
                for row in rows {
                    writeln!(out, "{}", self.line(row))?;
                }
            }
            Format::Ndjson => {
                for row in rows {
                    writeln!(out, "{}", escape_json(&serde_json::to_string(row)?))?;
                }
            }
            Format::Json => writeln!(out, "{}", escape_json(&serde_json::to_string_pretty(rows)?))?,
            Format::Csv => self.write_csv(rows, out)?,
        }
        self.begun = true;
        Ok(out.flush()?)
    }

    /// One event in one line: when, where, what, and who or what it is about.
    fn line(&self, row: &Row) -> String {
        let at = text(row, "time")
            .or_else(|| text(row, "received_at"))
            .unwrap_or("");
        let at = at
            .parse::<Timestamp>()
            .map_or_else(|_| at.to_owned(), |at| time_ms(at, &self.zone));
        let id = number(row, "event_id").and_then(|id| u32::try_from(id).ok());
        let provider = text(row, "provider").unwrap_or("");
        let what = id.and_then(|id| title(provider, id));
        let id = id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let what = what.or_else(|| text(row, "message").and_then(|message| message.lines().next()));
        let what = what.or_else(|| text(row, "task_name")).unwrap_or(provider);
        let (computer, channel) = (
            text(row, "computer").unwrap_or(""),
            text(row, "channel").unwrap_or(""),
        );
        let paint = self.terminal.paint();
        let mut line = format!(
            "{}  {}  {}  {id}  {}",
            paint.dim(&at),
            escape(computer),
            escape(channel),
            paint.bold(&escape(what))
        );
        for (name, column) in DETAILS {
            let value = row
                .get(*column)
                .map(shown)
                .filter(|value| !value.is_empty() && value != "-");
            if let Some(value) = value {
                line.push_str(&format!("  {name}={}", escape(&value)));
            }
        }
        line
    }

    fn write_csv(&self, rows: &[Row], out: &mut Out<'_>) -> anyhow::Result<()> {
        let columns: Vec<Column> = COLUMNS.iter().map(|name| Column::Left(name)).collect();
        let mut table = Table::new(columns);
        for row in rows {
            let cells: Vec<Cell> = COLUMNS
                .iter()
                .map(|name| row.get(*name).map_or(Cell::None, cell))
                .collect();
            table.push(cells);
        }
        let mut csv = Vec::new();
        table.write(&mut csv, Format::Csv, &self.terminal)?;
        let header = if self.begun {
            csv.iter()
                .position(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1)
        } else {
            0
        };
        Ok(out.write_all(&csv[header..])?)
    }
}

/// What a line adds, where an event has it.
const DETAILS: &[(&str, &str)] = &[
    ("user", "target_user"),
    ("by", "subject_user"),
    ("from", "ip_address"),
    ("type", "logon_type"),
    ("process", "process_name"),
    ("service", "service_name"),
    ("status", "status"),
];

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::None,
        Value::Number(number) => number
            .as_u64()
            .map_or_else(|| Cell::Text(number.to_string()), Cell::Number),
        other => Cell::Text(shown(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> Args {
        Args {
            lines: 10,
            no_follow: false,
            channel: vec!["Security".into(), "it's".into()],
            id: vec![4625],
            computer: Vec::new(),
            tz: TimeZone::UTC,
            output: RowsOutput::default(),
        }
    }

    #[test]
    fn filters_become_sql() {
        let at = "2026-11-21T08:00:00Z".parse().unwrap();
        let sql = args().following(7, at);
        let (_, conditions) = sql.split_once(" where ").unwrap();
        insta::assert_snapshot!(conditions, @"seq > 7 and received_at >= '2026-11-21T08:00:00Z' and channel in ('Security', 'it''s') and event_id in (4625) order by seq limit 5000");
        let sql = args().first(at);
        let (_, conditions) = sql.split_once(" where ").unwrap();
        insta::assert_snapshot!(conditions, @"seq is not null and received_at >= '2026-11-14T08:00:00Z' and channel in ('Security', 'it''s') and event_id in (4625) order by received_at desc, seq desc limit 10) order by received_at, seq");
    }

    #[test]
    fn an_event_is_one_harmless_line() {
        let row: Row = serde_json::from_value(serde_json::json!({
            "seq": 7, "time": "2026-11-21T08:00:00Z", "computer": "DC01\u{1b}[2J", "channel": "Security",
            "provider": "Microsoft-Windows-Security-Auditing", "event_id": 4625, "target_user": "ada\nroot",
            "ip_address": "-", "logon_type": 3, "message": "An account\r\nmore"
        }))
        .unwrap();
        let writer = RowWriter {
            format: Format::Table,
            zone: TimeZone::UTC,
            terminal: Terminal {
                stdout_is_terminal: true,
                stdout_can_redraw: true,
                stderr_is_terminal: true,
                color: false,
                stderr_color: false,
                unicode: true,
                width: 80,
            },
            begun: false,
        };
        insta::assert_snapshot!(writer.line(&row), @r"2026-11-21T08:00:00.000Z  DC01\u{1b}[2J  Security  4625  logon failed  user=ada\nroot  type=3");
        let row: Row = serde_json::from_value(serde_json::json!({
            "time": "2026-11-21T08:00:00Z", "computer": "DC01", "channel": "System", "event_id": null
        }))
        .unwrap();
        insta::assert_snapshot!(writer.line(&row), @"2026-11-21T08:00:00.000Z  DC01  System  -");
    }
}
