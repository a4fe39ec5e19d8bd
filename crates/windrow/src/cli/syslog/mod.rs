//! `windrow syslog`: the syslog client's settings, made by command. The running service takes a change up at once;
//! where none runs, it is written into the data folder for the next start.

mod client;
mod filter;
mod prompt;
mod server;
mod show;
mod test;

use std::path::Path;

use clap::Subcommand;

use super::reach::{Aim, Reached, reach};
use super::{Invocation, Out, runtime};
use crate::access::Role;
use crate::admin::{self, Actor, Answer, Place, Refusal, RefusalKind, Request};
use crate::client::endpoint::Target;
use crate::client::{Client, Refused};
use crate::datadir::{DataDir, DataDirError, Purpose};
use crate::exit::{self, Code, UsageError};
use crate::output::SummaryFormat;
use crate::service::Offline;

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
    let answer = match invocation.remote.target(invocation.loader.environment())? {
        Some(target) => {
            invocation.start_log();
            runtime()?.block_on(ask_there(&target, &request))?
        }
        None => {
            invocation.start_log();
            runtime()?.block_on(ask(invocation, request))?
        }
    };
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

/// Has a request done by the service of another machine.
async fn ask_there(target: &Target, request: &Request) -> anyhow::Result<Answer> {
    ask_service(Client::connect_to(target).await?, request).await
}

async fn ask_service(mut service: Client, request: &Request) -> anyhow::Result<Answer> {
    let answer = service.post_whole(request.verb().path(), request.to_json()?);
    match answer.await {
        Ok(json) => Ok(serde_json::from_slice(&json)?),
        Err(error) => Err(refused_there(error)),
    }
}

/// Has a request done by the running service, or in the data folder where none runs.
async fn ask(invocation: &Invocation, request: Request) -> anyhow::Result<Answer> {
    let aim = match request.verb().role() {
        Role::Viewer => Aim::Ask,
        Role::Analyst | Role::Admin => Aim::Act,
    };
    let config = match reach(invocation, aim).await? {
        Reached::Service(service) => return ask_service(service, &request).await,
        Reached::AtRest(config) => *config,
    };
    usable(&config.data_dir)?;
    if let Some(shown) = admin::show(&config, &request).await {
        return shown.map_err(refused);
    }
    let from = "this machine, the service not running";
    let actor = Actor::local(effective_user(), from, admin::BY);
    let mut place = Place::Offline(Box::new(Offline::open(config)?));
    let answer = admin::apply(&mut place, request, &actor).await;
    if let Place::Offline(offline) = place {
        offline.close().await;
    }
    answer.map_err(refused)
}

/// Where there is no folder yet there are no settings made by command; in one of another layout they may be elsewhere.
pub(super) fn usable(data_dir: &Path) -> Result<(), DataDirError> {
    match DataDir::open(data_dir, Purpose::Read) {
        Ok(_) | Err(DataDirError::Absent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The service's refusal, if that is what it is.
pub(super) fn refused_there(error: anyhow::Error) -> anyhow::Error {
    let said = error.downcast_ref::<Refused>();
    match said.and_then(|said| serde_json::from_str(&said.reason).ok()) {
        Some(refusal) => refused(refusal),
        None => error,
    }
}

pub(super) fn refused(refusal: Refusal) -> anyhow::Error {
    let error = match refusal.kind {
        RefusalKind::Invalid | RefusalKind::Elsewhere => UsageError(refusal.message).into(),
        RefusalKind::NotFound
        | RefusalKind::Failed
        | RefusalKind::Unauthenticated
        | RefusalKind::Forbidden
        | RefusalKind::Throttled => anyhow::Error::msg(refusal.message),
    };
    match refusal.hint {
        Some(hint) => exit::hinted(error, hint),
        None => error,
    }
}

pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
