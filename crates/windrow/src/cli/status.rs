//! `windrow status`

use super::{Invocation, Out};
use crate::exit::Code;
use crate::output::SummaryOutput;

/// Say how the service is: sources, journal, sinks, lake
///
/// Without a running service it says what the data folder holds; the exit code is then 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow status
  windrow status --output json | jq .sinks")]
pub(super) struct Args {
    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    anyhow::bail!("status is not wired yet")
}
