//! `windrow verify`

use super::{Invocation, Out};
use crate::config::Need;
use crate::datadir::{DataDir, Purpose};
use crate::exit::Code;
use crate::output::SummaryOutput;

/// Prove that the journal is whole, or name what was altered
///
/// Every frame carries the hash of the one before it, every sealed segment a signed root. The first range of events
/// that does not fit is named, and the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow verify
  windrow verify --data-dir /mnt/backup/windrow --output json")]
pub(super) struct Args {
    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(
    _args: &Args,
    invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::Defaults)?;
    DataDir::open(&config.data_dir, Purpose::Read)?;
    anyhow::bail!("verify is not wired yet")
}
