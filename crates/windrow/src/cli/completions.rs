//! `windrow completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Out};
use crate::exit::Code;

/// Print the completion script of a shell
///
/// The script goes to stdout; where a shell looks for it differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow completions bash > /etc/bash_completion.d/windrow
  windrow completions zsh > \"${fpath[1]}/_windrow\"
  windrow completions fish > ~/.config/fish/completions/windrow.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, out: &mut Out<'_>) -> anyhow::Result<Code> {
    // clap_complete panics when its writer fails: it gets a buffer.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "windrow", &mut script);
    out.write_all(&script)?;
    Ok(Code::Ok)
}
