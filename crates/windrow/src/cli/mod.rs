//! The command line: one file a command. A command parses nothing itself: it gets checked arguments, writes to the
//! writer it is given, and answers with an exit code or an error.

mod admin;
mod check;
mod clear;
mod completions;
mod config;
mod demo;
mod diagnostics;
mod export;
mod import;
mod lake;
mod man;
mod pki;
mod query;
mod reach;
mod remote;
mod report;
mod run;
mod setup;
mod simulate;
mod sources;
mod status;
mod storage;
mod subscription;
mod syslog;
mod tail;
mod time;
mod top;
mod verbs;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::checked::{Log, LogFormat};
use crate::config::{Environment, Loader, Overrides};
use crate::exit::{self, Code, UsageError};
use crate::logging;
use crate::output::{Color, Paint, Terminal};

const ABOUT: &str = "Takes security logs from Windows machines to the people who act on them, and loses none on the way.";

const AFTER_HELP: &str = "\
Examples:
  windrow demo                                     everything at work, simulated
  windrow import Security.evtx                     what is in an event log file
  windrow query \"select event_id, count(*) from events group by 1\"
  windrow run --config /etc/windrow/windrow.toml   the service

`windrow help COMMAND` says more, with examples.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "windrow", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 100)]
#[command(
    disable_help_subcommand = false,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    remote: remote::Args,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The folder under which windrow keeps everything [default: WINDROW_DATA_DIR, then data_dir in the
    /// configuration, then the platform's state folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    data_dir: Option<PathBuf>,

    /// The configuration file [default: WINDROW_CONFIG, then /etc/windrow/windrow.toml for root and
    /// ~/.config/windrow/windrow.toml for others]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    config: Option<PathBuf>,

    /// What windrow says about its own work, on stderr: error, warn, info, debug, trace, or levels by target
    /// [default: WINDROW_LOG; then for the service the configuration, else warn]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Everywhere")]
    log: Option<String>,

    /// Colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Import(import::Args),
    Query(query::Args),
    Report(report::Args),
    Lake(lake::Args),
    Run(run::Args),
    Check(check::Args),
    Status(status::Args),
    Sources(sources::Args),
    Subscription(Box<subscription::Args>),
    Syslog(Box<syslog::Args>),
    Diagnostics(diagnostics::Args),
    Export(Box<export::Args>),
    Clear(Box<clear::Args>),
    Admin(admin::Args),
    Tail(tail::Args),
    Top(top::Args),
    Verify(verify::Args),
    Simulate(Box<simulate::Args>),
    Setup(setup::Args),
    Pki(pki::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Where a command writes what it was asked for.
pub(crate) type Out<'a> = dyn Write + Send + 'a;

/// What a command may look at beside its arguments.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Reads the configuration.
    pub(crate) loader: Loader,
    /// Where the output goes.
    pub(crate) terminal: Terminal,
    /// `--log` or `WINDROW_LOG`, or `warn`: what commands other than the service log.
    pub(crate) log_level: String,
    /// The endpoint of another machine, if that is asked.
    pub(crate) remote: remote::Args,
}

impl Invocation {
    /// Starts the log of a command other than the service.
    pub(crate) fn start_log(&self) {
        let log = Log {
            level: self.log_level.clone(),
            format: LogFormat::Text,
        };
        logging::start(&log, &self.terminal);
    }
}

/// Runs a command and prints its error, if it ends with one.
#[must_use]
pub fn run(cli: Cli, environment: Environment) -> Code {
    let terminal = Terminal::detect(&environment, cli.global.color);
    let overrides = Overrides {
        config: cli.global.config,
        data_dir: cli.global.data_dir,
        log: cli.global.log,
    };
    let said = overrides.log.clone().or_else(|| environment.log.clone());
    let log_level = said.unwrap_or_else(|| "warn".to_owned());
    let invocation = Invocation {
        loader: Loader::new(environment, overrides),
        terminal,
        log_level,
        remote: cli.remote,
    };
    let mut out = BufWriter::new(io::stdout());
    let ended = dispatch(cli.command, &invocation, &mut out);
    let ended = ended.and_then(|code| Ok(out.flush().map(|()| code)?));
    ended.unwrap_or_else(|error| {
        let code = exit::code(&error);
        let paint = if terminal.stderr_color {
            Paint::COLORED
        } else {
            Paint::PLAIN
        };
        if code != Code::Ok {
            // There is nobody left to tell when stderr is gone too.
            let _ = exit::print(&error, paint, &mut io::stderr().lock());
        }
        code
    })
}

fn dispatch(command: Command, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let asks_there = matches!(
        command,
        Command::Subscription(_) | Command::Syslog(_) | Command::Status(_) | Command::Sources(_)
    );
    if invocation.remote.is_given() && !asks_there {
        let message = "only `windrow syslog`, `windrow subscription`, `windrow status` and `windrow sources` ask another machine's endpoint";
        return Err(UsageError(message.to_owned()).into());
    }
    match command {
        Command::Demo(args) => demo::run(&args, invocation, out),
        Command::Import(args) => import::run(&args, invocation, out),
        Command::Query(args) => query::run(&args, invocation, out),
        Command::Report(args) => report::run(&args, invocation, out),
        Command::Lake(args) => lake::run(&args, invocation, out),
        Command::Run(args) => run::run(&args, invocation),
        Command::Check(args) => check::run(&args, invocation, out),
        Command::Status(args) => status::run(&args, invocation, out),
        Command::Sources(args) => sources::run(&args, invocation, out),
        Command::Admin(args) => admin::run(&args, invocation, out),
        Command::Subscription(args) => subscription::run(&args, invocation, out),
        Command::Syslog(args) => syslog::run(&args, invocation, out),
        Command::Diagnostics(args) => diagnostics::run(&args, invocation, out),
        Command::Export(args) => export::run(&args, invocation, out),
        Command::Clear(args) => clear::run(&args, invocation, out),
        Command::Tail(args) => tail::run(&args, invocation, out),
        Command::Top(args) => top::run(&args, invocation, out),
        Command::Verify(args) => verify::run(&args, invocation, out),
        Command::Simulate(args) => simulate::run(&args, invocation, out),
        Command::Setup(args) => setup::run(&args, invocation, out),
        Command::Pki(args) => pki::run(&args, invocation, out),
        Command::Config(args) => config::run(&args, invocation, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Man(args) => man::run(&args, out),
    }
}

/// A runtime for a command that waits for sockets or files; all cores.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
