//! `windrow query`

use std::io::Write;

use super::Invocation;
use super::time::TimeArgs;
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
  windrow query --from 24h \"select target_user, count(*) n from events where event_id = 4625 group by 1 order by n desc\"
  windrow query --output csv \"select time, computer, event_data['ServiceName'] from events where event_id = 7045\"
  windrow query --tz Europe/Berlin \"select time, message from events order by time desc limit 5\"")]
pub(super) struct Args {
    /// The question
    sql: String,

    #[command(flatten)]
    time: TimeArgs,

    /// Print at most so many rows
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(
    args: &Args,
    _invocation: &Invocation,
    _out: &mut dyn Write,
) -> anyhow::Result<Code> {
    args.time.range(jiff::Timestamp::now())?;
    anyhow::bail!("query is not wired yet")
}
