//! The running service of this machine, also beside a configuration that is damaged on disk: what it runs with is what is
//! asked about, and the damage is said beside the answer.
//!
//! Where the damage leaves open which service is meant, one is asked on a guess, and told nothing that changes it: on the
//! same machine there may be another one, and a mistyped `--config` must not point to it.

use std::io;
use std::path::Path;

use super::Invocation;
use crate::client::Client;
use crate::config::{Ground, Likely, Need, checked};
use crate::datadir;
use crate::exit;
use crate::output::{Paint, escape};

/// What there is to ask.
pub(super) enum Reached {
    /// The service.
    Service(Client),
    /// None runs, and this is the configuration.
    AtRest(Box<checked::Config>),
}

/// What a service is looked for to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// To say something: one that is guessed does.
    Ask,
    /// To do something: it has to be the one that is meant.
    Act,
}

/// Connects to the service, if one runs.
///
/// # Errors
/// The configuration cannot be used, and no service runs that could do without it; or the service cannot be reached.
pub(super) async fn reach(invocation: &Invocation, aim: Aim) -> anyhow::Result<Reached> {
    let loader = &invocation.loader;
    let damage = match loader.load(Need::Defaults) {
        Ok(config) => {
            let service = Client::connect(&datadir::socket(&config.data_dir)).await?;
            return Ok(match service {
                Some(service) => Reached::Service(service),
                None => Reached::AtRest(Box::new(config)),
            });
        }
        Err(damage) => anyhow::Error::from(damage),
    };
    let Some(Likely { data_dir, ground }) = loader.likely_data_dir() else {
        return Err(damage.context(
            "the configuration does not say which data folder is meant, and --data-dir does not name it",
        ));
    };
    let Ok(Some(mut service)) = Client::connect(&datadir::socket(&data_dir)).await else {
        return Err(damage);
    };
    let is_meant = match &ground {
        Ground::Said => true,
        Ground::Guessed { file } => was_started_from(&mut service, file).await,
    };
    let guessed = escape(&data_dir.display().to_string()).into_owned();
    let said = match (is_meant, aim) {
        (true, _) => {
            "the service runs, and the next start or reload does not take its configuration on disk"
                .to_owned()
        }
        (false, Aim::Ask) => format!(
            "the service of {guessed} is asked, and that this one is meant is a guess: it was not started from this \
             file; --data-dir names the data folder"
        ),
        (false, Aim::Act) => {
            return Err(damage.context(format!(
                "nothing was done: a service runs on {guessed}, and that it is meant is a guess, since it was not \
                 started from this file; name the data folder with --data-dir"
            )));
        }
    };
    let paint = match invocation.terminal.stderr_color {
        true => Paint::COLORED,
        false => Paint::PLAIN,
    };
    // There is nobody left to tell when stderr is gone.
    let _ = exit::warn(&damage.context(said), paint, &mut io::stderr().lock());
    Ok(Reached::Service(service))
}

/// Whether the service says that this is its file. A path that is relative is so to a folder that only the service knows.
async fn was_started_from(service: &mut Client, file: &Path) -> bool {
    let Ok(json) = service.get("/v1/status").await else {
        return false;
    };
    let status: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
    let its = status["configuration"]["file"].as_str().map(Path::new);
    its.is_some_and(|its| its.is_absolute() && is_same(its, file))
}

/// Whether both paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs_err::canonicalize(one), fs_err::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
