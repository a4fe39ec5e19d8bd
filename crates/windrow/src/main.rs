//! Parse, run, map the outcome to an exit code; nothing else.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use windrow::cli::{self, Cli};
use windrow::config::Environment;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli::run(cli, Environment::read()).into(),
        Err(error) => {
            // Help that nobody reads to its end (`| head`) is no error.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
