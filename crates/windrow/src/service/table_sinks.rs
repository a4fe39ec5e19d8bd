//! The sinks that write to Azure's tables, by name: started, changed and stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use windrow_formats::counters::Specifier;
use windrow_formats::wad::{self, LogLevel};
use windrow_formats::wef::audience::Audience;
use windrow_pipeline::azure::{Account, Client, Credential, Endpoints, Limits};
use windrow_pipeline::journal::{Journal, Seq, Start};
use windrow_pipeline::quarantine::{Quarantine, QuarantineLimits};
use windrow_pipeline::sinks::azure_table::{
    self, AzureTable, AzureTableMetrics, Counters, PartitionBy, State, Status, Table, TraceTable,
    Traces, probe::Probed,
};
use windrow_pipeline::spool::Spool;
use windrow_pipeline::tls::Roots;

use super::own::Recorder;
use super::sinks::Held;
use super::sources::machines;
use super::{Tasks, forget, lock, supervise};
use crate::config::checked::{self, AccountCredential, AzureTableSink, LeastLevel, WadTable};
use crate::{secret_file, status};

/// What the cursors of these sinks begin with.
pub(crate) const CURSOR_PREFIX: &str = "azure_table.";

/// Time a sink has to end when its configuration changes. What it was writing is written again by the next one.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(700);

/// Pause of a sink that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);

/// All of them.
pub(crate) struct TableSinks {
    /// Where events are kept that no table takes.
    quarantine: PathBuf,
    spool: Spool,
    metrics: AzureTableMetrics,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One that runs.
struct Running {
    config: AzureTableSink,
    /// Hash of what opens the account: a renewed one begins the sink anew.
    credential: [u8; 32],
    /// Whose events it writes, groups spelled out.
    machines: Option<Audience>,
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
    config: AzureTableSink,
    credential: [u8; 32],
    sink: AzureTable,
    client: Client,
}

impl TableSinks {
    /// None yet.
    pub(crate) fn new(metrics: AzureTableMetrics, quarantine: PathBuf, spool: Spool) -> TableSinks {
        TableSinks {
            quarantine,
            spool,
            metrics,
            running: Mutex::default(),
        }
    }

    /// Starts what `config` names, and gives up the places of those that it no longer names.
    ///
    /// # Errors
    /// As [`TableSinks::prepare`].
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
        for (name, sink) in &config.sink.azure_table {
            if !sink.enabled {
                continue;
            }
            let table = table_of(name);
            let ready = self.ready(name, config, sink, journal).context(table)?;
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
                && !running.task.is_finished()
        })
    }

    fn ready(
        &self,
        name: &str,
        all: &checked::Config,
        config: &AzureTableSink,
        journal: &Journal,
    ) -> anyhow::Result<Ready> {
        let (client, credential) = client(name, config)?;
        let folder = self.quarantine.join(format!("azure_table-{name}"));
        let quarantine = Quarantine::open(&folder, QuarantineLimits::default())
            .with_context(|| format!("cannot use {}", folder.display()))?;
        let id = journal.id();
        let sink = AzureTable {
            name: name.to_owned(),
            journal: id,
            deployment_id: (config.deployment_id.clone()).unwrap_or_else(|| id.to_string()),
            role: config.role.clone(),
            volume: match config.event_volume {
                checked::EventVolume::Small => wad::EventVolume::Small,
                checked::EventVolume::Medium => wad::EventVolume::Medium,
                checked::EventVolume::Large => wad::EventVolume::Large,
            },
            partition_by: match config.partition_by {
                checked::PartitionBy::Arrival => PartitionBy::Arrival,
                checked::PartitionBy::Event => PartitionBy::Event,
            },
            period: config.transfer_period.0,
            tables: written(&config.tables),
            counters: Counters {
                spool: self.spool.clone(),
                folders: config.directories.iter().cloned().collect(),
                specifiers: (config.counters.iter())
                    .filter_map(|path| Specifier::read(path))
                    .collect(),
            },
            traces: Traces {
                folders: config.directories.iter().cloned().collect(),
                tables: config.traces.iter().map(trace_table).collect(),
            },
            own_level: level(config.infrastructure_level),
            subscription: config.subscription.clone(),
            machines: audience((&config.machines, &config.machine_groups), all)?,
            selection: config.filter.selection(config.output_severity)?,
            quarantine: Some(quarantine),
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
                let sink = config.sink.azure_table.get(name);
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
        let machines = sink.machines.clone();
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
            let work = || write(&sink, &client, &journal, &metrics, &sender, &token);
            supervise::again_after_panics(&name, PANIC_PAUSE, &token, work).await;
        });
        Running {
            config,
            credential,
            machines,
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
        let sinks = config.sink.azure_table.iter();
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
            sent: now.rows,
            confirmed: now.rows,
            filtered: now.filtered,
            skipped: now.skipped,
            last_error: (now.last_error.as_ref())
                .map(|failure| format!("{:.0}: {}", failure.at, failure.text)),
            ..status::Sink::default()
        }
    }
}

fn at_rest(sink: &AzureTableSink, place: Seq, held: Held) -> status::Sink {
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

/// Where a sink writes to.
fn destination(sink: &AzureTableSink) -> String {
    match &sink.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => format!("https://{}.table.core.windows.net", sink.account),
    }
}

/// Writes from where the cursor stands, until it is told to stop.
async fn write(
    sink: &AzureTable,
    client: &Client,
    journal: &Journal,
    metrics: &AzureTableMetrics,
    status: &watch::Sender<Status>,
    token: &CancellationToken,
) {
    match journal.cursor(&cursor_name(&sink.name), Start::Newest) {
        Ok(cursor) => {
            let (sink, client) = (sink.clone(), client.clone());
            let (status, token) = (status.clone(), token.clone());
            azure_table::run(
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
        if config.sink.azure_table.contains_key(name) {
            continue;
        }
        let unsent = durable.saturating_sub(position);
        let message = format!(
            "{} is no longer configured: up to {unsent} events, those after its place in the journal, are in no table and \
             will not be",
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

/// Whose events a sink gets; everybody's where nothing is said.
pub(super) fn audience(
    (names, groups): (&[String], &[String]),
    config: &checked::Config,
) -> anyhow::Result<Option<Audience>> {
    if names.is_empty() && groups.is_empty() {
        return Ok(None);
    }
    let include = machines(names, groups, config)?;
    Ok(Some(Audience::new(include, Vec::new())?))
}

fn written(tables: &BTreeSet<WadTable>) -> BTreeSet<Table> {
    let tables = tables.iter().map(|table| match table {
        WadTable::WindowsEventLogs => Table::WindowsEventLogs,
        WadTable::InfrastructureLogs => Table::InfrastructureLogs,
        WadTable::PerformanceCounters => Table::PerformanceCounters,
        WadTable::EventTraces => Table::EventTraces,
    });
    tables.collect()
}

fn trace_table(table: &checked::TraceTable) -> TraceTable {
    let keywords = table.keywords.as_deref().and_then(checked::keyword_mask);
    TraceTable {
        provider: table.provider.clone(),
        event_id: table.event_id,
        table: table.table.as_str().into(),
        level: level(table.level),
        keywords: keywords.unwrap_or(0),
    }
}

fn level(level: LeastLevel) -> LogLevel {
    match level {
        LeastLevel::Undefined => LogLevel::Undefined,
        LeastLevel::Verbose => LogLevel::Verbose,
        LeastLevel::Information => LogLevel::Information,
        LeastLevel::Warning => LogLevel::Warning,
        LeastLevel::Error => LogLevel::Error,
        LeastLevel::Critical => LogLevel::Critical,
    }
}

/// A client of a sink's account, and the hash of what opens that.
fn client(name: &str, sink: &AzureTableSink) -> anyhow::Result<(Client, [u8; 32])> {
    opened(AccountPlace {
        table: &table_of(name),
        account: &sink.account,
        endpoint: sink.endpoint.clone(),
        blob_endpoint: None,
        credential: &sink.credential,
        ca_file: sink.ca_file.as_deref(),
    })
}

/// An account, and what opens it.
pub(crate) struct AccountPlace<'a> {
    /// What names it, for messages.
    pub(crate) table: &'a str,
    pub(crate) account: &'a str,
    /// Of its tables.
    pub(crate) endpoint: Option<String>,
    pub(crate) blob_endpoint: Option<String>,
    pub(crate) credential: &'a AccountCredential,
    pub(crate) ca_file: Option<&'a Path>,
}

/// A client of an account's tables.
///
/// # Errors
/// What opens it cannot be used.
pub(crate) fn account_client(place: AccountPlace<'_>) -> anyhow::Result<Client> {
    opened(place).map(|(client, _)| client)
}

/// A client of the account that a sink writes to.
///
/// # Errors
/// As [`account_client`].
pub(crate) fn account_of_sink(name: &str, sink: &AzureTableSink) -> anyhow::Result<Client> {
    client(name, sink).map(|(client, _)| client)
}

/// A client of an account, and the hash of what opens that.
///
/// # Errors
/// What opens it cannot be used.
pub(super) fn opened(place: AccountPlace<'_>) -> anyhow::Result<(Client, [u8; 32])> {
    let (secret, is_key) = match place.credential {
        AccountCredential::KeyFile(file) => (secret_file::read(file, place.table)?, true),
        AccountCredential::SasFile(file) => (secret_file::read(file, place.table)?, false),
    };
    let hash = Sha256::digest(secret.expose_secret().as_bytes()).into();
    let credential = match is_key {
        true => Credential::Key(secret),
        false => Credential::Sas(secret),
    };
    let endpoints = Endpoints {
        table: place.endpoint,
        blob: place.blob_endpoint,
    };
    let roots = match place.ca_file {
        Some(file) => Roots::File(file.to_owned()),
        None => Roots::System,
    };
    let account = Account::new(place.account, credential, endpoints)?;
    Ok((Client::new(account, &roots, Limits::default())?, hash))
}

/// Tests the tables of a sink with its settings as they are, beside the journal.
///
/// # Errors
/// What opens the account cannot be used.
pub(crate) async fn probe(name: &str, sink: &AzureTableSink) -> anyhow::Result<Vec<Probed>> {
    let (client, _) = client(name, sink)?;
    let mut probed = Vec::with_capacity(sink.tables.len());
    for table in &sink.tables {
        probed.push(azure_table::probe::probe(&client, table.name()).await);
    }
    Ok(probed)
}

fn table_of(name: &str) -> String {
    format!("sink.azure_table.{name}")
}

/// The cursor of a sink.
pub(crate) fn cursor_name(name: &str) -> String {
    format!("{CURSOR_PREFIX}{name}")
}
