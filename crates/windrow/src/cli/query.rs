//! `windrow query`

use std::io::Write;

use jiff::Timestamp;
use windrow_lake::{Layout, Period, QueryLimits};

use super::time::TimeArgs;
use super::{Invocation, Out};
use crate::asker::{Asker, explain};
use crate::config::Need;
use crate::exit::Code;
use crate::output::RowsOutput;

/// Ask everything that was collected, in SQL
///
/// There is one table, `events`. Its columns: `windrow query "describe events"`. The answer holds what was acknowledged
/// up to two seconds ago, with the service running or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow query \"describe events\"
  windrow query --from 24h \\
      \"select event_id, count(*) from events group by 1\"
  windrow query --output csv \\
      \"select event_data['ServiceName'] from events where event_id = 7045\"
  windrow query --tz Europe/Berlin \\
      \"select time, message from events order by time desc limit 5\"")]
pub(super) struct Args {
    /// The question
    sql: String,

    #[command(flatten)]
    time: TimeArgs,

    /// Print at most so many rows
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let range = args.time.range(Timestamp::now())?;
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let limits = QueryLimits {
        rows: args.max_rows,
        period: Period {
            from: range.from,
            to: range.to,
        },
        ..QueryLimits::default()
    };
    let format = args.output.format(&invocation.terminal);
    let layout = Layout {
        zone: args.time.tz.clone(),
        width: invocation
            .terminal
            .stdout_is_terminal
            .then_some(invocation.terminal.width),
    };
    super::runtime()?.block_on(async {
        let mut asker = Asker::open(&config.data_dir).await?;
        let (answer, code) = asker.query(&args.sql, limits).await?.told()?;
        let written = answer.write(format.into(), &layout, out).await;
        let written = written.map_err(|error| explain(error.into()))?;
        if written.truncated {
            let rows = written.rows;
            writeln!(std::io::stderr(), "only the first {rows} rows (--max-rows)")?;
        }
        Ok(code)
    })
}
