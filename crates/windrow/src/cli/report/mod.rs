//! `windrow report`: a file a report.

mod asked;
mod chart;
mod distribution;
mod span;

use clap::Subcommand;

use super::{Invocation, Out};
use crate::exit::Code;

/// Answers to the usual questions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution
  windrow report distribution --by id --from 7d --bucket 1d")]
pub(super) struct Args {
    #[command(subcommand)]
    report: Report,
}

#[derive(Debug, Subcommand)]
enum Report {
    Distribution(distribution::Args),
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.report {
        Report::Distribution(args) => distribution::run(args, invocation, out),
    }
}
