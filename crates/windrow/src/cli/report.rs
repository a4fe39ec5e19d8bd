//! `windrow report`

use std::io::Write;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::Invocation;
use super::time::TimeArgs;
use crate::exit::Code;
use crate::output::RowsOutput;

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
    Distribution(DistributionArgs),
}

/// How many events there were when, as a chart
///
/// Every line is a span of time, every bar the events of it, told apart by channel, event id or computer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution --from 24h
  windrow report distribution --by id --bucket 1h
  windrow report distribution --by computer --output csv > by-computer.csv")]
struct DistributionArgs {
    /// The span of one bar: 1m, 1h, 1d … [default: so that some 24 fill the time there is]
    #[arg(long, value_name = "SPAN", value_parser = super::time::span)]
    bucket: Option<Duration>,

    /// What bars are split by
    #[arg(long, value_enum, value_name = "WHAT", default_value = "channel")]
    by: By,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The log an event was written to
    Channel,
    /// The event id
    Id,
    /// The computer that wrote it
    Computer,
}

pub(super) fn run(
    args: &Args,
    _invocation: &Invocation,
    _out: &mut dyn Write,
) -> anyhow::Result<Code> {
    match &args.report {
        Report::Distribution(_) => anyhow::bail!("report is not wired yet"),
    }
}
