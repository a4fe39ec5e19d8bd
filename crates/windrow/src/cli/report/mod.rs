//! `windrow report`: a file a report.

mod asked;
mod chart;
mod distribution;
mod iis_status;
mod span;
mod spikes;
mod top;

use clap::Subcommand;

use super::{Invocation, Out};
use crate::exit::Code;

/// Answers to the usual questions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution
  windrow report distribution --by id --from 7d --bucket 1d
  windrow report spikes --from 7d
  windrow report iis-status --from iis=/var/log/iis --status 5xx")]
pub(super) struct Args {
    #[command(subcommand)]
    report: Report,
}

#[derive(Debug, Subcommand)]
enum Report {
    Distribution(distribution::Args),
    Spikes(spikes::Args),
    Top(top::Args),
    IisStatus(iis_status::Args),
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.report {
        Report::Distribution(args) => distribution::run(args, invocation, out),
        Report::Spikes(args) => spikes::run(args, invocation, out),
        Report::Top(args) => top::run(args, invocation, out),
        Report::IisStatus(args) => iis_status::run(args, invocation, out),
    }
}
