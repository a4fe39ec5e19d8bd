//! `windrow setup`

mod ask;
mod client;
mod outcome;
mod wef;
mod words;

use super::{Invocation, Out};
use crate::exit::Code;

/// Write what it takes to begin: configuration, certificates, and files for the machines
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow setup wef                               asks for what it needs
  windrow setup wef --dry-run                     shows what it would write")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Wef(Box<wef::Args>),
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.what {
        What::Wef(args) => wef::run(args, invocation, out),
    }
}
