//! The sinks that put files into Azure's containers, by name: started, changed and stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use windrow_formats::wef::audience::Audience;
use windrow_pipeline::azure::Client;
use windrow_pipeline::journal::{Journal, Seq, Start};
use windrow_pipeline::sinks::azure_blob::{
    self, AzureBlob, AzureBlobMetrics, Destination, DirectoryRows, Status, probe::Probed,
};
use windrow_pipeline::sinks::azure_table::State;
use windrow_pipeline::spool::Spool;

use anyhow::Context as _;

use super::own::Recorder;
use super::sinks::Held;
use super::table_sinks::{AccountPlace, audience, opened};
use super::{Tasks, forget, lock, supervise};
use crate::config::checked::{self, AzureBlobSink};
use crate::status;

/// What the cursors of these sinks begin with.
pub(crate) const CURSOR_PREFIX: &str = "azure_blob.";

/// Time a sink has to end when its configuration changes. What it was sending is found there by the next one.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(700);

/// Pause of a sink that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);

/// All of them.
pub(crate) struct BlobSinks {
    spool: Spool,
    metrics: AzureBlobMetrics,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One that runs.
struct Running {
    config: AzureBlobSink,
    /// Hash of what opens the account: a renewed one begins the sink anew.
    credential: [u8; 32],
    /// Whose files it puts there, groups spelled out.
    machines: Option<Audience>,
    folders: BTreeMap<String, Destination>,
    status: watch::Receiver<Status>,
    tasks: Tasks,
    task: AbortHandle,
}

impl Running {
    /// Ends it: two of them must never share a cursor.
    async fn end(self) {
        if !self.tasks.stop(CHANGE_TIMEOUT).await {
            self.task.abort();
            self.tasks.tracker.wait().await;
        }
    }
}

/// Sinks that are to be started, by name.
#[derive(Default)]
pub(crate) struct Prepared(BTreeMap<String, Ready>);

/// One that is to be started.
struct Ready {
    config: AzureBlobSink,
    credential: [u8; 32],
    sink: AzureBlob,
    client: Client,
}

impl BlobSinks {
    /// None yet.
    pub(crate) fn new(metrics: AzureBlobMetrics, spool: Spool) -> BlobSinks {
        BlobSinks {
            spool,
            metrics,
            running: Mutex::default(),
        }
    }

    /// Starts what `config` names, and gives up the places of those that it no longer names.
    ///
    /// # Errors
    /// As [`BlobSinks::prepare`].
    pub(crate) async fn start(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        let prepared = self.prepare(config, journal)?;
        self.take_up(prepared, config, journal).await;
        forget_removed(config, journal, recorder).await;
        Ok(())
    }

    /// Those that `config` switches on and that do not run as it says. What runs stays as it is.
    ///
    /// # Errors
    /// A credential that cannot be used; names the table and the file.
    pub(crate) fn prepare(
        &self,
        config: &checked::Config,
        journal: &Journal,
    ) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::default();
        for (name, sink) in &config.sink.azure_blob {
            if !sink.enabled {
                continue;
            }
            let ready = self.ready(name, config, sink, journal);
            let ready = ready.with_context(|| table_of(name))?;
            if !self.runs(name, &ready) {
                prepared.0.insert(name.clone(), ready);
            }
        }
        Ok(prepared)
    }

    fn runs(&self, name: &str, ready: &Ready) -> bool {
        lock(&self.running).get(name).is_some_and(|running| {
            running.config == ready.config
                && running.credential == ready.credential
                && running.machines == ready.sink.machines
                && running.folders == ready.sink.folders
                && !running.task.is_finished()
        })
    }

    fn ready(
        &self,
        name: &str,
        all: &checked::Config,
        config: &AzureBlobSink,
        journal: &Journal,
    ) -> anyhow::Result<Ready> {
        let (client, credential) = opened(place(&table_of(name), config))?;
        let id = journal.id();
        let folders = config.containers.iter().map(|(folder, container)| {
            let source = all.source.directory.get(folder);
            let destination = Destination {
                container: container.clone(),
                root: source.map_or_else(String::new, |source| source.path.display().to_string()),
            };
            (folder.clone(), destination)
        });
        let sink = AzureBlob {
            name: name.to_owned(),
            journal: id,
            deployment_id: (config.deployment_id.clone()).unwrap_or_else(|| id.to_string()),
            role: config.role.clone(),
            period: config.transfer_period.0,
            folders: folders.collect(),
            machines: audience((&config.machines, &config.machine_groups), all)?,
            rows: match config.directories_table {
                true => DirectoryRows::Written,
                false => DirectoryRows::Omitted,
            },
            spool: self.spool.clone(),
        };
        Ok(Ready {
            config: config.clone(),
            credential,
            sink,
            client,
        })
    }

    /// Stops what differs or is switched off, and starts what was prepared. Each begins with what comes from now on, or where
    /// it was.
    pub(crate) async fn take_up(
        &self,
        prepared: Prepared,
        config: &checked::Config,
        journal: &Journal,
    ) {
        let stale: Vec<Running> = {
            let enabled = |name: &String| {
                let sink = config.sink.azure_blob.get(name);
                sink.is_some_and(|sink| sink.enabled)
            };
            let is_stale = |name: &String| prepared.0.contains_key(name) || !enabled(name);
            lock(&self.running)
                .extract_if(.., |name, _| is_stale(name))
                .map(|(_, running)| running)
                .collect()
        };
        futures::future::join_all(stale.into_iter().map(Running::end)).await;
        for (name, ready) in prepared.0 {
            let running = self.start_one(ready, journal);
            lock(&self.running).insert(name, running);
        }
    }

    fn start_one(&self, ready: Ready, journal: &Journal) -> Running {
        let Ready {
            config,
            credential,
            sink,
            client,
        } = ready;
        let (machines, folders) = (sink.machines.clone(), sink.folders.clone());
        // Its place is kept from now on, whenever its task comes to it.
        if let Err(error) = journal.cursor(&cursor_name(&sink.name), Start::Newest) {
            tracing::error!(%error, "{} has no place in the journal", table_of(&sink.name));
        }
        let (sender, status) = watch::channel(Status::new(&sink.name, &config.account));
        let tasks = Tasks::default();
        let (metrics, token) = (self.metrics.clone(), tasks.token.clone());
        let journal = journal.clone();
        let task = tasks.tracker.spawn(async move {
            let name = table_of(&sink.name);
            let work = || put(&sink, &client, &journal, &metrics, &sender, &token);
            supervise::again_after_panics(&name, PANIC_PAUSE, &token, work).await;
        });
        Running {
            config,
            credential,
            machines,
            folders,
            status,
            tasks,
            task: task.abort_handle(),
        }
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self, timeout: Duration) {
        let all = std::mem::take(&mut *lock(&self.running));
        let stops = all
            .into_values()
            .map(|running| async move { running.tasks.stop(timeout).await });
        futures::future::join_all(stops).await;
    }

    /// Sets the metrics of how far behind each is.
    pub(crate) fn measure_lag(&self, sinks: &BTreeMap<String, status::Sink>) {
        let lags = sinks.iter().filter_map(|(cursor, sink)| {
            let name = cursor.strip_prefix(CURSOR_PREFIX)?;
            Some((name, sink.lag_events, sink.lag_seconds.unwrap_or(0)))
        });
        self.metrics.set_lags(lags);
    }

    /// What they do now, those that are switched off included.
    pub(crate) fn status(
        &self,
        config: &checked::Config,
        journal: &Journal,
    ) -> BTreeMap<String, status::Sink> {
        let held = Held::of(journal);
        let running = lock(&self.running);
        let positions = journal.cursors();
        let sinks = config.sink.azure_blob.iter();
        sinks
            .map(|(name, sink)| {
                let cursor = cursor_name(name);
                let described = match running.get(name) {
                    Some(running) => running.describe(held),
                    None => {
                        let place = positions.iter().find(|(known, _)| *known == cursor);
                        let place = place.map_or(held.durable(), |(_, seq)| *seq);
                        at_rest(sink, place, held)
                    }
                };
                (cursor, described)
            })
            .collect()
    }
}

impl Running {
    fn describe(&self, held: Held) -> status::Sink {
        let now = self.status.borrow();
        let (lag_events, dropped) = held.after(now.written_seq);
        let state = match now.state {
            _ if self.task.is_finished() => "stopped",
            State::Idle | State::Writing => "connected",
            State::Resting { .. } => "resting",
            State::Waiting { .. } => "waiting",
            State::Stopped => "stopped",
        };
        status::Sink {
            state: state.to_owned(),
            destination: destination(&self.config),
            confirmed_seq: now.written_seq,
            confirmation: "written".to_owned(),
            lag_events,
            dropped,
            sent: now.files,
            confirmed: now.files,
            skipped: now.skipped,
            last_error: (now.last_error.as_ref())
                .map(|failure| format!("{:.0}: {}", failure.at, failure.text)),
            ..status::Sink::default()
        }
    }
}

fn at_rest(sink: &AzureBlobSink, place: Seq, held: Held) -> status::Sink {
    let (lag_events, dropped) = held.after(place);
    status::Sink {
        state: "disabled".to_owned(),
        destination: destination(sink),
        confirmation: "written".to_owned(),
        confirmed_seq: place,
        lag_events,
        dropped,
        ..status::Sink::default()
    }
}

/// Where a sink puts files.
fn destination(sink: &AzureBlobSink) -> String {
    match &sink.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => format!("https://{}.blob.core.windows.net", sink.account),
    }
}

fn place<'a>(table: &'a str, sink: &'a AzureBlobSink) -> AccountPlace<'a> {
    AccountPlace {
        table,
        account: &sink.account,
        endpoint: sink.table_endpoint.clone(),
        blob_endpoint: sink.endpoint.clone(),
        credential: &sink.credential,
        ca_file: sink.ca_file.as_deref(),
    }
}

/// A client of the account that a sink puts files into.
///
/// # Errors
/// What opens the account cannot be used.
pub(crate) fn account_of_sink(name: &str, sink: &AzureBlobSink) -> anyhow::Result<Client> {
    opened(place(&table_of(name), sink)).map(|(client, _)| client)
}

/// Tests the containers of a sink with its settings as they are, beside the journal.
///
/// # Errors
/// What opens the account cannot be used.
pub(crate) async fn probe(name: &str, sink: &AzureBlobSink) -> anyhow::Result<Vec<Probed>> {
    let client = account_of_sink(name, sink)?;
    let containers: BTreeSet<&String> = sink.containers.values().collect();
    let mut probed = Vec::with_capacity(containers.len());
    for container in containers {
        probed.push(azure_blob::probe::probe(&client, container).await);
    }
    Ok(probed)
}

/// Puts files there from where the cursor stands, until it is told to stop.
async fn put(
    sink: &AzureBlob,
    client: &Client,
    journal: &Journal,
    metrics: &AzureBlobMetrics,
    status: &watch::Sender<Status>,
    token: &CancellationToken,
) {
    match journal.cursor(&cursor_name(&sink.name), Start::Newest) {
        Ok(cursor) => {
            let (sink, client) = (sink.clone(), client.clone());
            let (status, token) = (status.clone(), token.clone());
            azure_blob::run(
                sink,
                client,
                cursor,
                journal.durable(),
                metrics,
                status,
                token,
            )
            .await;
        }
        Err(error) => {
            tracing::error!(%error, "{} has no place in the journal", table_of(&sink.name));
        }
    }
}

/// Gives up the places of those that `config` does not name any more.
pub(crate) async fn forget_removed(
    config: &checked::Config,
    journal: &Journal,
    recorder: &Recorder,
) {
    let durable = *journal.durable().borrow();
    for (cursor, position) in journal.cursors() {
        let Some(name) = cursor.strip_prefix(CURSOR_PREFIX) else {
            continue;
        };
        if config.sink.azure_blob.contains_key(name) {
            continue;
        }
        let unsent = durable.saturating_sub(position);
        let message = format!(
            "{} is no longer configured: files among up to {unsent} entries after its place in the journal are in no \
             container and will not be",
            table_of(name)
        );
        let data = [
            ("Sink", name),
            ("UnsentEvents", &*unsent.to_string()),
            ("Extent", "at-most"),
        ];
        let remove = || journal.remove_cursor(&cursor);
        if let Err(error) = forget::give_up(recorder, &message, &data, remove).await {
            tracing::error!(
                %error,
                "{} is gone and its place still holds the journal: the next reload or start tries again",
                table_of(name)
            );
        }
    }
}

fn table_of(name: &str) -> String {
    format!("sink.azure_blob.{name}")
}

/// The cursor of a sink.
pub(crate) fn cursor_name(name: &str) -> String {
    format!("{CURSOR_PREFIX}{name}")
}
