//! `windrow import`

mod summary;

use std::path::PathBuf;

use super::{Invocation, Out};
use crate::exit::Code;
use crate::output::SummaryOutput;

/// Take event log files (EVTX) into the lake, and say what is in them
///
/// A folder means every .evtx file in it and below. The same events are taken once, however often and in whichever
/// file they come. A damaged file gives what can be read of it; the summary names the rest, and the exit code is 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow import Security.evtx
  windrow import /mnt/disk/Windows/System32/winevt/Logs
  windrow import --forward Security.evtx         to the configured syslog receivers too
  windrow import --output json *.evtx | jq .events

Then: windrow query \"select * from events order by time desc limit 10\"")]
pub(super) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Pass the events through the journal to the configured sinks too
    #[arg(long)]
    forward: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    anyhow::bail!("import is not wired yet")
}
