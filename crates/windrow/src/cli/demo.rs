//! `windrow demo`

use std::path::PathBuf;
use std::time::Duration;

use super::{Invocation, Out};
use crate::config::checked::{Log, LogFormat};
use crate::demo::{self, Options};
use crate::exit::Code;
use crate::logging;

/// Show everything at work: simulated Windows machines, the collector, a SIEM, the lake
///
/// Needs no configuration; what it collects stays in a temporary folder, or in the empty one that --data-dir names.
/// Makes its certificates, starts the collector on loopback, simulated machines that speak the real protocol over mutual TLS, a syslog receiver and a
/// lake, shows what flows, and proves at the end that nothing was lost.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow demo
  windrow demo --for 60s --machines 50 --rate 20
  windrow demo --data-dir ./demo                 keep what was collected")]
pub(super) struct Args {
    /// Stop after this time [default: at Ctrl-C]
    #[arg(long = "for", value_name = "SPAN", value_parser = super::time::span)]
    pub(super) duration: Option<Duration>,

    /// How many machines
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) machines: u32,

    /// Events a second of each machine
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub(super) rate: f64,

    /// The same seed makes the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let level = Log {
        level: invocation.log_level.clone(),
        format: LogFormat::Auto,
    };
    logging::start(&level, &invocation.terminal);
    let options = Options {
        duration: args.duration,
        machines: args.machines,
        rate: args.rate,
        seed: args.seed,
        program: invocation.loader.environment().program.clone(),
        // Never that of the environment, which is a real one.
        root: invocation.loader.data_dir_argument().map(PathBuf::from),
    };
    super::runtime()?.block_on(demo::run(&options, &invocation.terminal, out))
}
