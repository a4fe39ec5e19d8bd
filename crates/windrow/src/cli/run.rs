//! `windrow run`

use super::Invocation;
use crate::config::Need;
use crate::exit::Code;
use crate::{logging, service};

/// Run the service: take events in, keep them, pass them on
///
/// Runs in the foreground until SIGTERM or Ctrl-C, then finishes what it has begun. SIGHUP makes it read the
/// configuration again and take it up if it passes the checks. It tells systemd when it is ready.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow run --config windrow.toml
  windrow check && windrow run                   say first what would not work

A configuration to begin with: `windrow config example`.")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, invocation: &Invocation) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::File)?;
    logging::start(&config.log, &invocation.terminal);
    super::runtime()?.block_on(service::run(config, invocation.loader.clone()))
}
