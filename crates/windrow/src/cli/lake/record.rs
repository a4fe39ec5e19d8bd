//! Puts on record what a command takes out of the lake.

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::admin::Actor;
use crate::cli::verbs::effective_user;
use crate::client::Client;
use crate::config::checked;
use crate::datadir;
use crate::service::{Offline, TAKEN_BY, TAKEN_PATH, Taken};

/// Commits that wait to be put on record.
pub(super) const TOLD_AHEAD: usize = 16;

/// Puts on record what is taken out, until nothing more is.
///
/// # Errors
/// Something is on no record: the first reason. The others are recorded all the same.
pub(super) async fn all<T: Into<Taken>>(
    config: &checked::Config,
    mut taken: mpsc::Receiver<T>,
) -> anyhow::Result<()> {
    let mut failed = Ok(());
    while let Some(one) = taken.recv().await {
        let recorded = put(config, &one.into()).await;
        failed = failed.and(recorded);
    }
    failed.context("what was taken out of the lake is on no record")
}

/// By the running service, or in the data folder where none runs.
async fn put(config: &checked::Config, taken: &Taken) -> anyhow::Result<()> {
    let socket = datadir::socket(&config.data_dir);
    if let Some(mut service) = Client::connect(&socket).await? {
        let taken = serde_json::to_vec(taken)?;
        service.post_whole(TAKEN_PATH, taken).await?;
        return Ok(());
    }
    let from = "this machine, the service not running";
    let actor = Actor::local(effective_user(), from, TAKEN_BY);
    let offline = Offline::open(config.clone())?;
    let is_kept = offline.recorder().taken(taken, Some(&actor)).await;
    offline.close().await;
    anyhow::ensure!(is_kept, "the journal did not take it");
    Ok(())
}
