//! The sources that read Azure's tables, by name: started, changed and stopped.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use windrow_pipeline::azure::Client;
use windrow_pipeline::journal::Journal;
use windrow_pipeline::sources::wad_storage::{Asked, Round, WadMetrics, WadStorage};

use super::table_sinks::{AccountPlace, opened};
use super::{Tasks, lock, supervise};
use crate::config::checked::{self, AzureTableSink, WadStorageSource};
use crate::status;

/// Longest pause after a look in which something went wrong.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Pause of one that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);
/// Time one has to finish its look when its configuration changes: a page of rows, and its batch.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(90);

/// All of them.
pub(crate) struct WadSources {
    journal: Journal,
    metrics: WadMetrics,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One that runs.
struct Running {
    config: WadStorageSource,
    /// Of what opens the account.
    secret: [u8; 32],
    status: watch::Receiver<status::WadStorage>,
    tasks: Tasks,
    task: AbortHandle,
}

/// Those that are to be started.
#[derive(Default)]
pub(crate) struct Prepared(BTreeMap<String, (WadStorageSource, Client, [u8; 32])>);

impl WadSources {
    /// None yet.
    pub(crate) fn new(journal: &Journal, registry: &mut Registry) -> WadSources {
        let metrics = WadMetrics::default();
        metrics.register(registry);
        WadSources {
            journal: journal.clone(),
            metrics,
            running: Mutex::default(),
        }
    }

    /// Those that `config` switches on and that do not run as it says. What runs stays as it is.
    ///
    /// # Errors
    /// What opens an account cannot be used, what is known of a table cannot be read, or a sink writes what a source reads; names
    /// the table of the configuration.
    pub(crate) fn prepare(&self, config: &checked::Config) -> anyhow::Result<Prepared> {
        no_circle(config)?;
        let mut prepared = Prepared::default();
        for (name, source) in &config.source.wad_storage {
            if !source.enabled {
                continue;
            }
            let (client, secret) = account(name, source).with_context(|| table_of(name))?;
            if self.runs(name, source, secret) {
                continue;
            }
            // Whether its states can be read, before anything is changed.
            let asked = asked(name, source)?;
            WadStorage::open(asked, client.clone(), self.journal.clone())?;
            let ready = (source.clone(), client, secret);
            prepared.0.insert(name.clone(), ready);
        }
        Ok(prepared)
    }

    fn runs(&self, name: &str, source: &WadStorageSource, secret: [u8; 32]) -> bool {
        lock(&self.running).get(name).is_some_and(|running| {
            running.config == *source && running.secret == secret && !running.task.is_finished()
        })
    }

    /// Stops what differs, is switched off or gone, and starts what was prepared: each goes on where it was.
    pub(crate) async fn take_up(&self, prepared: Prepared, config: &checked::Config) {
        let stale: Vec<(String, Running)> = {
            let enabled = |name: &String| {
                let source = config.source.wad_storage.get(name);
                source.is_some_and(|source| source.enabled)
            };
            let is_stale = |name: &String| prepared.0.contains_key(name) || !enabled(name);
            lock(&self.running)
                .extract_if(.., |name, _| is_stale(name))
                .collect()
        };
        for (name, running) in stale {
            running.end().await;
            if !prepared.0.contains_key(&name) {
                self.metrics.forget(&name);
            }
        }
        for (name, (config, client, secret)) in prepared.0 {
            tracing::info!(
                source = name,
                account = config.account,
                "reading tables of Azure storage"
            );
            match self.start_one(&name, config, client, secret) {
                Ok(running) => drop(lock(&self.running).insert(name, running)),
                // It was possible when it was prepared.
                Err(error) => tracing::error!("{} is not read: {error:#}", table_of(&name)),
            }
        }
    }

    fn start_one(
        &self,
        name: &str,
        config: WadStorageSource,
        client: Client,
        secret: [u8; 32],
    ) -> anyhow::Result<Running> {
        let (sender, status) = watch::channel(status::WadStorage {
            account: config.account.clone(),
            ..status::WadStorage::default()
        });
        let tasks = Tasks::default();
        let looker = Looker {
            asked: asked(name, &config)?,
            client,
            journal: self.journal.clone(),
            interval: config.interval.0,
            metrics: self.metrics.clone(),
            status: sender,
            token: tasks.token.clone(),
        };
        let task = tasks.tracker.spawn(async move {
            let name = table_of(&looker.asked.name);
            let work = || looker.look_on();
            supervise::again_after_panics(&name, PANIC_PAUSE, &looker.token, work).await;
        });
        Ok(Running {
            config,
            secret,
            status,
            tasks,
            task: task.abort_handle(),
        })
    }

    /// Ends all of them; `false` when a look did not end in time.
    pub(crate) async fn stop(&self, timeout: Duration) -> bool {
        let all = std::mem::take(&mut *lock(&self.running));
        let stops = all
            .into_values()
            .map(|running| async move { running.tasks.stop(timeout).await });
        let stopped = futures::future::join_all(stops).await;
        stopped.into_iter().all(|stopped| stopped)
    }

    /// What they do now.
    pub(crate) fn status(&self) -> BTreeMap<String, status::WadStorage> {
        let running = lock(&self.running);
        running
            .iter()
            .map(|(name, running)| {
                (
                    format!("wad_storage.{name}"),
                    running.status.borrow().clone(),
                )
            })
            .collect()
    }
}

impl Running {
    /// Ends it: two of them must never read the same tables.
    async fn end(self) {
        if !self.tasks.stop(CHANGE_TIMEOUT).await {
            tracing::warn!(
                account = self.config.account,
                "a look at tables takes long: it is waited for"
            );
            self.tasks.tracker.wait().await;
        }
    }
}

/// Reads the tables of one source.
struct Looker {
    asked: Asked,
    client: Client,
    journal: Journal,
    interval: Duration,
    metrics: WadMetrics,
    status: watch::Sender<status::WadStorage>,
    token: CancellationToken,
}

impl Looker {
    /// Looks until it is told to stop.
    async fn look_on(&self) {
        let opened = WadStorage::open(
            self.asked.clone(),
            self.client.clone(),
            self.journal.clone(),
        );
        let mut source = match opened {
            Ok(source) => source,
            Err(error) => {
                tracing::error!(%error, "{} is not read", table_of(&self.asked.name));
                return;
            }
        };
        let mut troubled = Duration::ZERO;
        loop {
            // What it has put into the journal is noted there with it: it may be left at any point.
            let round = tokio::select! {
                round = source.look(Timestamp::now()) => round,
                () = self.token.cancelled() => return,
            };
            self.tell(&round);
            let is_well =
                round.full.is_none() && round.tables.iter().all(|it| it.trouble.is_none());
            let pause = match (is_well, round.more) {
                (true, true) => Duration::ZERO,
                (true, false) => self.interval,
                (false, _) => {
                    troubled = (troubled * 2).clamp(self.interval, PAUSE_MAX.max(self.interval));
                    troubled
                }
            };
            if is_well {
                troubled = Duration::ZERO;
            }
            tokio::select! {
                () = self.token.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn tell(&self, round: &Round) {
        let name = &self.asked.name;
        self.metrics.looked(name, round);
        for table in &round.tables {
            if let Some(trouble) = &table.trouble {
                tracing::warn!(
                    source = name,
                    table = table.table,
                    trouble,
                    "a table cannot be read"
                );
            }
        }
        if round.unread > 0 {
            let rows = round.unread;
            tracing::warn!(
                source = name,
                rows,
                "rows of Azure's tables could not be read and are left out"
            );
        }
        let now = Timestamp::now();
        self.status.send_modify(|status| {
            status.rows += round.rows;
            status.unread += round.unread;
            status.full.clone_from(&round.full);
            status.looked_at = Some(now);
            if round.rows > 0 {
                status.taken_at = Some(now);
            }
            let before = std::mem::take(&mut status.tables);
            let rows = |table: &str| {
                let known = before.iter().find(|known| known.table == table);
                known.map_or(0, |known| known.rows)
            };
            status.tables = (round.tables.iter())
                .map(|table| status::WadTable {
                    table: table.table.clone(),
                    rows: rows(&table.table) + table.rows,
                    is_there: table.is_there,
                    closed: table.closed,
                    trouble: table.trouble.clone(),
                })
                .collect();
        });
    }
}

/// Whether no sink writes into a table that a source reads: each row would come back as an event for ever.
///
/// # Errors
/// One does.
pub(crate) fn no_circle(config: &checked::Config) -> anyhow::Result<()> {
    for (name, source) in &config.source.wad_storage {
        for (sink_name, sink) in &config.sink.azure_table {
            if sink.account != source.account || sink.endpoint != source.endpoint {
                continue;
            }
            if let Some(table) = source.tables.iter().find(|table| writes(sink, table)) {
                anyhow::bail!(
                    "[source.wad_storage.{name}] reads {table} of the account {}, and [sink.azure_table.{sink_name}] writes it: each row would come \
                     back for ever; leave the table out of one of them",
                    source.account
                );
            }
        }
    }
    Ok(())
}

fn writes(sink: &AzureTableSink, table: &str) -> bool {
    let own = sink.tables.iter().map(|table| table.name());
    let traces = sink.traces.iter().map(|traces| traces.table.as_str());
    own.chain(traces)
        .any(|written| written.eq_ignore_ascii_case(table))
}

/// A client of the account that a source reads.
///
/// # Errors
/// What opens it cannot be used.
pub(crate) fn account_of_source(name: &str, source: &WadStorageSource) -> anyhow::Result<Client> {
    account(name, source).map(|(client, _)| client)
}

fn account(name: &str, source: &WadStorageSource) -> anyhow::Result<(Client, [u8; 32])> {
    opened(AccountPlace {
        table: &table_of(name),
        account: &source.account,
        endpoint: source.endpoint.clone(),
        blob_endpoint: None,
        credential: &source.credential,
        ca_file: source.ca_file.as_deref(),
    })
}

fn asked(name: &str, source: &WadStorageSource) -> anyhow::Result<Asked> {
    Ok(Asked {
        name: name.to_owned(),
        tables: source.tables.clone(),
        from: source.from,
        late: SignedDuration::try_from(source.late.0)?,
    })
}

fn table_of(name: &str) -> String {
    format!("source.wad_storage.{name}")
}
