//! `windrow top`

use std::time::Duration;

use super::{Invocation, Out};
use crate::exit::Code;

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

    /// Look once and end
    #[arg(long)]
    once: bool,
}

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    anyhow::bail!("top is not wired yet")
}
