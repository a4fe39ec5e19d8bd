//! `windrow tail`

use super::time::zone;
use super::{Invocation, Out};
use crate::exit::Code;
use crate::output::RowsOutput;

/// Show the newest events, and those that follow
///
/// With a running service the events come as they are acknowledged, until Ctrl-C. Without one the newest events of the
/// journal are shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow tail
  windrow tail --channel Security --id 4625 --id 4740
  windrow tail --lines 100 --no-follow --output ndjson | jq .computer")]
pub(super) struct Args {
    /// How many events that are there already come first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: usize,

    /// Stop after those that are there already
    #[arg(long)]
    no_follow: bool,

    /// Only this channel (may be given more than once)
    #[arg(long, value_name = "CHANNEL")]
    channel: Vec<String>,

    /// Only this event id (may be given more than once)
    #[arg(long, value_name = "ID")]
    id: Vec<u32>,

    /// Only this computer (may be given more than once)
    #[arg(long, value_name = "NAME")]
    computer: Vec<String>,

    /// The zone that times are shown in
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    tz: jiff::tz::TimeZone,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    anyhow::bail!("tail is not wired yet")
}
