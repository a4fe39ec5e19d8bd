//! The running service of this machine, also beside a configuration that is damaged on disk: what it runs with is what is
//! asked about, and the damage is said beside the answer.

use std::io;

use super::Invocation;
use crate::client::Client;
use crate::config::{Need, checked};
use crate::datadir;
use crate::exit;
use crate::output::Paint;

/// What there is to ask.
pub(super) enum Reached {
    /// The service.
    Service(Client),
    /// None runs, and this is the configuration.
    AtRest(Box<checked::Config>),
}

/// Connects to the service, if one runs.
///
/// # Errors
/// The configuration cannot be used, and no service runs that could do without it; or the service cannot be reached.
pub(super) async fn reach(invocation: &Invocation) -> anyhow::Result<Reached> {
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
    let Some(data_dir) = loader.likely_data_dir() else {
        return Err(damage);
    };
    let Ok(Some(service)) = Client::connect(&datadir::socket(&data_dir)).await else {
        return Err(damage);
    };
    let paint = match invocation.terminal.stderr_color {
        true => Paint::COLORED,
        false => Paint::PLAIN,
    };
    // There is nobody left to tell when stderr is gone.
    let _ = exit::warn(
        &damage.context(
            "the service runs, and the next start or reload does not take its configuration on disk",
        ),
        paint,
        &mut io::stderr().lock(),
    );
    Ok(Reached::Service(service))
}
