//! `windrow tail`

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::time::zone;
use super::{Invocation, Out};
use crate::asker::{Asker, Row, quote};
use crate::config::Need;
use crate::exit::{Code, UsageError};
use crate::output::{Cell, Column, Format, Paint, RowsOutput, Table, escape, escape_json, time_ms};
use crate::titles::title;

/// How often new events are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Events shown at a look at most; what is beyond comes at the next.
const EVENTS_A_LOOK_MAX: usize = 5_000;
/// How far back events that fit a filter are looked for.
const LOOK_BACK_EVENTS: u64 = 100_000;

/// Show the newest events, and those that follow
///
/// With a running service the events come as they are acknowledged, until Ctrl-C. Without one the newest events that
/// came over the journal are shown. Imported files are not: ask for those with `windrow query`.
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
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
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
        let mut asker = Asker::open(&config.data_dir).await?;
        let mut writer = RowWriter {
            format,
            zone: args.tz.clone(),
            paint: invocation.terminal.paint(),
            begun: false,
        };
        let mut seq = newest(&mut asker).await?;
        let first = asker.rows(&args.first(seq)).await?;
        writer.write(&first, out)?;
        while !args.no_follow && matches!(asker, Asker::Service(_)) {
            tokio::time::sleep(LOOK_EVERY).await;
            let rows = asker.rows(&args.following(seq)).await?;
            seq = match rows.last() {
                Some(last) if rows.len() >= EVENTS_A_LOOK_MAX => number(last, "seq").unwrap_or(seq),
                _ => newest_of(&rows).unwrap_or(seq),
            };
            writer.write(&rows, out)?;
        }
        Ok(Code::Ok)
    })
}

/// The last sequence there is.
async fn newest(asker: &mut Asker) -> anyhow::Result<u64> {
    let rows = asker.rows("select max(seq) as seq from events").await?;
    Ok(newest_of(&rows).unwrap_or(0))
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
        format!(
            "select {columns} from events where {conditions} order by seq {order} limit {limit}"
        )
    }

    /// The newest events up to `seq`, oldest first.
    fn first(&self, seq: u64) -> String {
        let back = if self.filters().is_empty() {
            self.lines
        } else {
            LOOK_BACK_EVENTS
        };
        let bounds = vec![
            format!("seq > {}", seq.saturating_sub(back)),
            format!("seq <= {seq}"),
        ];
        format!(
            "select * from ({}) order by seq",
            self.sql(bounds, "desc", self.lines)
        )
    }

    /// The events after `seq`.
    fn following(&self, seq: u64) -> String {
        self.sql(
            vec![format!("seq > {seq}")],
            "asc",
            EVENTS_A_LOOK_MAX as u64,
        )
    }
}

/// Writes rows as they come.
struct RowWriter {
    format: Format,
    zone: TimeZone,
    paint: Paint,
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
        let id = number(row, "event_id").unwrap_or(0);
        let provider = text(row, "provider").unwrap_or("");
        let what = u32::try_from(id).ok().and_then(|id| title(provider, id));
        let what = what.or_else(|| text(row, "message").and_then(|message| message.lines().next()));
        let what = what.or_else(|| text(row, "task_name")).unwrap_or(provider);
        let (computer, channel) = (
            text(row, "computer").unwrap_or(""),
            text(row, "channel").unwrap_or(""),
        );
        let mut line = format!(
            "{}  {}  {}  {id}  {}",
            self.paint.dim(&at),
            escape(computer),
            escape(channel),
            self.paint.bold(&escape(what))
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
        table.write(&mut csv, Format::Csv, Paint::PLAIN)?;
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
        let sql = args().following(7);
        let (_, conditions) = sql.split_once(" where ").unwrap();
        insta::assert_snapshot!(conditions, @"seq > 7 and channel in ('Security', 'it''s') and event_id in (4625) order by seq asc limit 5000");
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
            paint: Paint::PLAIN,
            begun: false,
        };
        insta::assert_snapshot!(writer.line(&row), @r"2026-11-21T08:00:00.000Z  DC01\u{1b}[2J  Security  4625  logon failed  user=ada\nroot  type=3");
    }
}
