//! `windrow check`

use std::io::Write;

use super::Invocation;
use crate::exit::Code;
use crate::output::SummaryOutput;

/// Say what would keep the service from working, and what would cure it
///
/// Looks at the configuration, the data folder, ports, certificates, disk room and destinations. Exit code 1 when
/// anything fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow check --config windrow.toml
  windrow check --offline                        without a connection to any destination, as before a start")]
pub(super) struct Args {
    /// Open no connection to destinations
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut dyn Write,
) -> anyhow::Result<Code> {
    anyhow::bail!("check is not wired yet")
}
