//! Tests a configuration that is in force: who has its subscription, and whether its tables take rows.

use std::path::Path;

use serde::{Deserialize, Serialize};
use windrow_pipeline::sinks::azure_blob;
use windrow_pipeline::sinks::azure_table::probe::Probed;
use windrow_pipeline::sources::directory;

use super::super::refusal::Refusal;
use super::super::subscription::{self, SubscriptionGet};
use super::super::{Actor, shortened};
use super::view;
use crate::config::checked::{self, DirectorySource, Home};
use crate::config::diagnostics::subscription_name;
use crate::service::{Recorder, Service, Subscribers, probe_containers, probe_tables, watched};

/// Machines with folders of which a test tells.
const MACHINES_TOLD_MAX: usize = 1_000;

/// What a test of a configuration found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiagnosticsTested {
    /// Its name.
    pub name: String,
    /// Whether every table takes rows.
    pub passed: bool,
    /// Who has its subscription; absent where it has none, or the service does not run.
    pub machines: Option<Subscribers>,
    /// The query list of that subscription.
    pub query: Option<String>,
    /// Its tables.
    pub tables: Vec<Probed>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<azure_blob::probe::Probed>,
    /// The folders in which files of machines arrive.
    #[serde(default)]
    pub folders: Vec<Folder>,
    /// What of it is not done, a sentence each.
    pub undone: Vec<String>,
}

/// A folder in which files of machines arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folder {
    /// The folder.
    pub path: String,
    /// Files that are taken from it.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The machines that have folders there, some of many.
    pub machines: Vec<String>,
    /// Why it cannot be read.
    pub trouble: Option<String>,
}

/// Tests one.
///
/// # Errors
/// None of this name is in force, or what opens its account cannot be used.
pub(in crate::admin) async fn test(
    config: &checked::Config,
    name: &str,
    service: Option<&Service>,
) -> Result<DiagnosticsTested, Refusal> {
    let diagnostics = view::find(config, name)?;
    let subscription = subscription_name(name);
    let (mut machines, mut query) = (None, None);
    if config.subscription.contains_key(&subscription) {
        let get = SubscriptionGet {
            name: Some(subscription),
        };
        let found = subscription::subscriptions(config, &get, service)?;
        let found = found.subscriptions.into_iter().next();
        (machines, query) = found.map_or((None, None), |found| (found.now, found.query));
    }
    let mut tables = Vec::new();
    for (setting, sink) in &config.sink.azure_table {
        if is_of(config.homes.azure_table.get(setting), name) {
            let probed = probe_tables(setting, sink).await;
            tables.extend(probed.map_err(|error| Refusal::invalid(format!("{error:#}")))?);
        }
    }
    let mut containers = Vec::new();
    for (setting, sink) in &config.sink.azure_blob {
        if is_of(config.homes.azure_blob.get(setting), name) {
            let probed = probe_containers(setting, sink).await;
            containers.extend(probed.map_err(|error| Refusal::invalid(format!("{error:#}")))?);
        }
    }
    let folders = config.source.directory.iter();
    let folders = folders.filter(|(setting, _)| is_of(config.homes.directory.get(*setting), name));
    let folders = folders.map(|(setting, source)| {
        let (setting, source) = (setting.clone(), source.clone());
        let data_dir = config.data_dir.clone();
        // A share may take its time.
        tokio::task::spawn_blocking(move || folder(&setting, &source, &data_dir))
    });
    let folders = futures::future::join_all(folders).await;
    let takes_files = azure_blob::probe::Probed::takes_files;
    Ok(DiagnosticsTested {
        name: name.to_owned(),
        passed: tables.iter().all(Probed::takes_rows) && containers.iter().all(takes_files),
        containers,
        folders: folders.into_iter().flatten().collect(),
        machines,
        query,
        tables,
        undone: diagnostics.undone.clone(),
    })
}

/// Whether a setting is what this configuration means.
fn is_of(home: Option<&Home>, name: &str) -> bool {
    matches!(home, Some(Home::Diagnostics { name: of, .. }) if of == name)
}

fn folder(setting: &str, source: &DirectorySource, data_dir: &Path) -> Folder {
    let found = watched(setting, source, data_dir);
    let found = found.and_then(|watch| Ok(directory::survey(&watch)?));
    let mut machines: Vec<String> = (fs_err::read_dir(&source.path).into_iter())
        .flat_map(|entries| entries.take(MACHINES_TOLD_MAX).flatten())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    machines.sort_unstable();
    Folder {
        path: source.path.display().to_string(),
        files: found.as_ref().map_or(0, |found| found.files),
        bytes: found.as_ref().map_or(0, |found| found.bytes),
        machines,
        trouble: found.err().map(|error| format!("{error:#}")),
    }
}

/// Puts on record who has tested what: a test writes into somebody's account in this collector's name.
pub(in crate::admin) async fn record(
    name: &str,
    tested: &Result<DiagnosticsTested, Refusal>,
    actor: &Actor,
    recorder: &Recorder,
) {
    let object = format!("diagnostics.{}", shortened(name.to_owned()));
    let (outcome, reason) = match tested {
        Ok(tested) if tested.passed => ("passed", String::new()),
        Ok(tested) => {
            let containers = tested.containers.iter().flat_map(|of| &of.failed);
            let tables = tested.tables.iter().flat_map(|table| &table.failed);
            let mut failed = tables.chain(containers);
            let first = failed.next();
            (
                "failed",
                first.map_or_else(String::new, |it| it.error.clone()),
            )
        }
        Err(refusal) => ("refused", refusal.message.clone()),
    };
    let reason = shortened(reason);
    let (who, from) = (&*actor.who, &*actor.from);
    tracing::info!(
        object,
        who,
        from,
        outcome,
        reason,
        "a configuration was tested"
    );
    let message = format!("{object}: test by {who} from {from}: {outcome}");
    let data = [
        ("Object", &*object),
        ("Verb", "test"),
        ("Who", who),
        ("From", from),
        ("By", actor.by),
        ("Outcome", outcome),
        ("Reason", &reason),
    ];
    recorder.destination_tested(&message, &data).await;
}
