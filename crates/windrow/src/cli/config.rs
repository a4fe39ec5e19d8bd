//! `windrow config`

use clap::Subcommand;

use super::{Invocation, Out};
use crate::config::{EXAMPLE, Need};
use crate::datadir;
use crate::exit::Code;

/// Show the configuration that holds, or an example with every key
///
/// Keys are never shown, only the files they lie in.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow config show                            what holds, defaults included
  windrow config example > windrow.toml          a file to begin with")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the configuration that holds, defaults included, as TOML
    Show,
    /// Print a configuration with every key and its default
    Example,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match args.action {
        Action::Example => out.write_all(EXAMPLE.as_bytes())?,
        Action::Show => {
            let config = invocation.loader.load(Need::Defaults)?;
            match &config.file {
                Some(file) => writeln!(out, "# from {}", file.display())?,
                None => writeln!(out, "# no configuration file: these are the defaults")?,
            }
            if config.settings_generation > 0 {
                let folder = datadir::settings(&config.data_dir);
                let generation = config.settings_generation;
                writeln!(out, "# and {}, generation {generation}", folder.display())?;
            }
            write!(out, "{}", toml::to_string_pretty(&config)?)?;
        }
    }
    Ok(Code::Ok)
}
