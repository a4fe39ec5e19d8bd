//! `windrow man`

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::{Cli, Out};
use crate::exit::Code;

/// Print the manual page, or write one for every command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow man | man -l -                         read it
  windrow man /usr/local/share/man/man1          install it, page by page")]
pub(super) struct Args {
    /// The folder to write windrow.1, windrow-import.1, … into
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut Out<'_>) -> anyhow::Result<Code> {
    // A page about `help` would say nothing: the pages are the help.
    let mut command = without_help(Cli::command());
    command.build();
    match &args.dir {
        Some(dir) => {
            fs_err::create_dir_all(dir)?;
            clap_mangen::generate_to(command, dir)
                .with_context(|| format!("cannot write manual pages into {}", dir.display()))?;
        }
        None => clap_mangen::Man::new(command).render(&mut &mut *out)?,
    }
    Ok(Code::Ok)
}

/// Leaves the subcommand `help` out, here and below.
fn without_help(command: clap::Command) -> clap::Command {
    command
        .mut_subcommands(without_help)
        .disable_help_subcommand(true)
}
