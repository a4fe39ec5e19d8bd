//! `windrow syslog`: the syslog client's settings, made by command. The running service takes a change up at once;
//! where none runs, it is written into the data folder for the next start.

mod client;
mod filter;
mod prompt;
mod server;
mod show;
mod test;

use clap::Subcommand;

use super::verbs::ask;
use super::{Invocation, Out, runtime};
use crate::admin::{Answer, Request};
use crate::exit::Code;
use crate::output::SummaryFormat;

/// Set where events go as CEF over syslog, without editing a file and without a restart
///
/// Settings made here lie in the data folder (conf.d), next to windrow.toml, which stays yours: a destination that
/// stands there is changed there. Each change is put on record, as event 30 of windrow's own, and reaches the SIEM.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server set --server-name siem.example.com --ca-file ca.pem
  windrow syslog client set --pfx windrow.pfx    for mutual TLS
  windrow syslog test                            one message, each step shown
  windrow syslog server get
  windrow syslog server disable                  nothing is sent, none is lost
  windrow syslog server remove
  windrow --endpoint https://wec:9443 --token-file ada.token syslog server get")]
pub(super) struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    Server(server::Args),
    Client(client::Args),
    Test(test::Args),
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.noun {
        Noun::Server(args) => server::run(args, invocation, out),
        Noun::Client(args) => client::run(args, invocation, out),
        Noun::Test(args) => test::run(args, invocation, out),
    }
}

/// Has a request done and prints the answer.
fn done(
    request: Request,
    format: SummaryFormat,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let answer = runtime()?.block_on(ask(invocation, request))?;
    let paint = invocation.terminal.paint();
    if format == SummaryFormat::Json {
        show::json(&answer, out)?;
    } else {
        show::text(&answer, paint, out)?;
    }
    Ok(match answer {
        Answer::Tested(tested) if !tested.passed => Code::Negative,
        _ => Code::Ok,
    })
}
