//! `windrow report top`

use std::io::Write;

use clap::ValueEnum;
use jiff::Timestamp;
use windrow_lake::{QueryLimits, Top, TopBy, Topped, Wanted};

use super::asked::{AboutArgs, Asked};
use crate::cli::{Invocation, Out};
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table, thousands, time};

/// The most frequent computers, accounts, addresses, ids …
///
/// A line each: how many events, which share of all that were meant, and when the first and the last one was. Options narrow
/// what is meant; several values of one of them are alternatives.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report top --by id --from 24h
  windrow report top --by address --id 4625 --from 7d
  windrow report top --by account --id 4740 --computer dc1,dc2
  windrow report top --by process --id 4688 --max-rows 50 --output csv")]
pub(super) struct Args {
    /// What is counted
    #[arg(long, value_enum, value_name = "WHAT", default_value = "id")]
    by: By,

    /// Only these event ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    id: Vec<i32>,

    /// Only these channels
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    channel: Vec<String>,

    /// Only these computers, by the whole name or its first part
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    computer: Vec<String>,

    /// Only these accounts: the target's, else the subject's
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    account: Vec<String>,

    /// Only these source addresses
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    address: Vec<String>,

    /// Show so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_rows: u64,

    #[command(flatten)]
    about: AboutArgs,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The event id
    Id,
    /// The log an event was written to
    Channel,
    /// Who wrote it
    Provider,
    /// The computer that wrote it
    Computer,
    /// Who delivered it
    Source,
    /// The account it was done to, else the one that did it
    Account,
    /// The address that somebody came from
    Address,
    /// The workstation that somebody came from
    Workstation,
    /// The process
    Process,
    /// The service
    Service,
    /// The type of a logon
    LogonType,
    /// The result
    Status,
}

impl By {
    /// The column's name, and what is asked for.
    fn column(self) -> (&'static str, TopBy) {
        match self {
            By::Id => ("event_id", TopBy::EventId),
            By::Channel => ("channel", TopBy::Channel),
            By::Provider => ("provider", TopBy::Provider),
            By::Computer => ("computer", TopBy::Computer),
            By::Source => ("source", TopBy::Source),
            By::Account => ("account", TopBy::Account),
            By::Address => ("address", TopBy::Address),
            By::Workstation => ("workstation", TopBy::Workstation),
            By::Process => ("process", TopBy::Process),
            By::Service => ("service", TopBy::Service),
            By::LogonType => ("logon_type", TopBy::LogonType),
            By::Status => ("status", TopBy::Status),
        }
    }

    /// Whether a value has a name of its own.
    fn is_named(self) -> bool {
        matches!(self, By::Id | By::LogonType | By::Status)
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let about = args.about.read(Timestamp::now())?;
    invocation.start_log();
    let wanted = Wanted {
        channels: args.channel.clone(),
        ids: args.id.clone(),
    };
    let top = Top {
        by: args.by.column().1,
        wanted: &wanted,
        computers: &args.computer,
        accounts: &args.account,
        addresses: &args.address,
        period: about.period,
        rows: args.max_rows,
    };
    let (topped, code) = crate::cli::runtime()?.block_on(async {
        let mut asked = Asked::open(about, invocation).await?;
        let answer = asked.query(&top.sql(), QueryLimits::default()).await?;
        let topped = Top::read(answer).await?;
        anyhow::Ok((topped, asked.told()?))
    })?;
    if topped.rows.is_empty() {
        writeln!(std::io::stderr(), "there are no such events in this time")?;
        return Ok(Code::Negative);
    }
    let format = args.output.format(&invocation.terminal);
    table(args, &topped, format).write(out, format, &invocation.terminal)?;
    if format == Format::Table {
        let (events, keys) = (thousands(topped.events), thousands(topped.keys));
        let shown = topped.rows.len();
        writeln!(out, "\n{shown} of {keys}, of {events} events in all")?;
    }
    Ok(code)
}

fn table(args: &Args, topped: &Topped, format: Format) -> Table {
    let zone = &args.about.tz;
    let mut columns = vec![Column::Right("events"), Column::Right("share")];
    columns.push(Column::Left(args.by.column().0));
    columns.extend(args.by.is_named().then_some(Column::Left("name")));
    columns.extend([Column::Left("first"), Column::Left("last")]);
    let mut table = Table::new(columns);
    for row in &topped.rows {
        let share = row.events as f64 / topped.events.max(1) as f64;
        let is_number = matches!(args.by, By::Id | By::LogonType);
        let key = row.key.as_deref();
        let key = match key.and_then(|key| key.parse::<u64>().ok()) {
            Some(number) if is_number => Cell::Number(number),
            _ => key.map(str::to_owned).into(),
        };
        let mut cells: Vec<Cell> = match format {
            Format::Table => vec![
                thousands(row.events).into(),
                format!("{:.1} %", share * 100.0).into(),
            ],
            Format::Json | Format::Ndjson | Format::Csv => {
                vec![row.events.into(), Cell::Float(share)]
            }
        };
        cells.push(match key {
            Cell::None if format == Format::Table => Cell::from("(none)"),
            key => key,
        });
        cells.extend(args.by.is_named().then(|| Cell::from(row.name.clone())));
        cells.extend([row.first, row.last].map(|at| at.map(|at| time(at, zone)).into()));
        table.push(cells);
    }
    table
}
