//! `windrow syslog`: the syslog client's settings, made by command. The running service takes a change up at once;
//! where none runs, it is written into the data folder for the next start.

mod server;
mod show;

use clap::Subcommand;

use super::{Invocation, Out};
use crate::admin::{self, Actor, Answer, Place, Refusal, RefusalKind, Request};
use crate::client::{Client, Refused};
use crate::config::checked;
use crate::datadir;
use crate::exit::{self, Code, UsageError};
use crate::service::Offline;

/// Set where events go as CEF over syslog, without editing a file and without a restart
///
/// Settings made here lie in the data folder (conf.d), next to windrow.toml, which stays yours: a destination that
/// stands there is changed there. Each change is put on record, as event 30 of windrow's own, and reaches the SIEM.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server set --server-name siem.example.com --ca-file /etc/windrow/siem-ca.pem
  windrow syslog server get
  windrow syslog server disable                  nothing is sent, and nothing is lost meanwhile
  windrow syslog server remove")]
pub(super) struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    Server(server::Args),
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.noun {
        Noun::Server(args) => server::run(args, invocation, out),
    }
}

/// Has a request done by the running service, or in the data folder where none runs.
async fn ask(config: checked::Config, request: Request) -> anyhow::Result<Answer> {
    let socket = datadir::socket(&config.data_dir);
    if let Some(mut service) = Client::connect(&socket).await? {
        let answer = service.post_whole(request.verb().path(), request.to_json()?);
        return match answer.await {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) => Err(refused_there(error)),
        };
    }
    if let Request::ServerGet(get) = &request {
        return admin::show(&config, get).map_err(refused);
    }
    let actor = Actor::local(effective_user(), "this machine, the service not running");
    let mut place = Place::Offline(Box::new(Offline::open(config)?));
    let answer = admin::apply(&mut place, request, &actor).await;
    if let Place::Offline(offline) = place {
        offline.close().await;
    }
    answer.map_err(refused)
}

/// The service's refusal, if that is what it is.
fn refused_there(error: anyhow::Error) -> anyhow::Error {
    let said = error.downcast_ref::<Refused>();
    match said.and_then(|said| serde_json::from_str(&said.reason).ok()) {
        Some(refusal) => refused(refusal),
        None => error,
    }
}

fn refused(refusal: Refusal) -> anyhow::Error {
    let error = match refusal.kind {
        RefusalKind::Invalid | RefusalKind::Elsewhere => UsageError(refusal.message).into(),
        RefusalKind::NotFound | RefusalKind::Failed => anyhow::Error::msg(refusal.message),
    };
    match refusal.hint {
        Some(hint) => exit::hinted(error, hint),
        None => error,
    }
}

fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
