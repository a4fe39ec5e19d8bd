//! The running service: sources, journal, sinks, lake, and the two local doors, wired.
//!
//! [`start`] makes everything run and answers with a [`Service`]; [`Service::stop`] ends it in
//! the order in which nothing acknowledged can be lost: sources first, then what is still to be
//! delivered as far as the receivers take it at once, the lake, and the journal last. [`run`]
//! adds what a service under systemd needs: signals, readiness, reload.

mod blob_sinks;
mod clearing;
mod directories;
mod endpoint;
mod file_sink;
mod fleet;
mod forget;
mod http;
mod lake_room;
mod lake_sink;
mod limits;
mod manager;
mod metrics;
mod own;
mod place;
mod renewal;
mod settings;
mod sinks;
mod socket;
mod sources;
mod start;
mod supervise;
mod table_sinks;
mod taken;
mod upkeep;
mod wad_sources;
mod watch;
mod web;
mod workers;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windrow_formats::batch::{Batch, DecodeError, Kind};
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_lake::{QueryError, QueryLimits};
use windrow_pipeline::journal::{AppendError, Entry, Full, Journal, Pressure, Seq};

use crate::config::objects::Store;
use crate::config::{Loader, Need, checked};
use crate::datadir::{DataDir, Purpose};
use crate::exit;
use crate::{retention, status};

pub(crate) use own::Recorder;

pub(crate) use blob_sinks::{
    CURSOR_PREFIX as BLOB_SINKS, account_of_sink as account_of_blob_sink, probe as probe_containers,
};
pub(crate) use directories::watched;
pub(crate) use file_sink::{cursor_name as file_cursor, pieces as file_pieces};
pub(crate) use http::{Body, answer};
pub(crate) use lake_room::app_id as lake_app_id;
use lake_room::{LAKE_CURSOR, LakeRoom};
pub(crate) use settings::{Edit, EditError, Edited, Offline};
pub(crate) use sinks::{
    Look, destination as sink_destination, tls_client, warnings as sink_warnings,
};
pub(crate) use socket::{ACKNOWLEDGED_TO, COMPLETE_TO, OLDEST};
pub use sources::Subscribers;
pub(crate) use sources::revision as subscription_revision;
pub(crate) use start::computer_name;
pub use start::start;
pub(crate) use table_sinks::{
    AccountPlace, account_client, account_of_sink, probe as probe_tables,
};
pub(crate) use taken::{BY as TAKEN_BY, PATH as TAKEN_PATH, Taken};
pub(crate) use wad_sources::{account_of_source, no_circle};
pub use workers::Pieces;

/// What the cursors of each kind of sink begin with.
pub(crate) const CURSOR_PREFIXES: [&str; 3] = [
    sinks::CURSOR_PREFIX,
    table_sinks::CURSOR_PREFIX,
    blob_sinks::CURSOR_PREFIX,
];

/// Time the sinks have to deliver what is left when the service stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time the lake has for its last commit.
const LAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Time the sources have to finish what they were sent.
const SOURCES_TIMEOUT: Duration = Duration::from_secs(10);

/// A service that runs. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

/// A service as its doors hold it: whoever stops it must be able to close the journal.
#[derive(Clone)]
pub(crate) struct WeakService {
    shared: Weak<Shared>,
}

impl WeakService {
    /// The service, while it runs.
    fn upgrade(&self) -> Option<Service> {
        let shared = self.shared.upgrade()?;
        Some(Service { shared })
    }
}

struct Shared {
    config: Mutex<Arc<checked::Config>>,
    /// Held while it changes, by a reload or by command: one change at a time.
    turn: tokio::sync::Mutex<()>,
    /// Places of those who ask for something to be changed or tested.
    asked: Arc<tokio::sync::Semaphore>,
    generation: Mutex<Generation>,
    started_at: Timestamp,
    journal: Journal,
    recorder: Recorder,
    lake: Option<LakeRoom>,
    sources: sources::Sources,
    directories: directories::Directories,
    wad_sources: wad_sources::WadSources,
    sinks: sinks::Sinks,
    table_sinks: table_sinks::TableSinks,
    blob_sinks: blob_sinks::BlobSinks,
    web_address: SocketAddr,
    /// The privileged endpoint, where it is open.
    endpoint: Option<Arc<endpoint::Endpoint>>,
    /// Its door, and who watches it.
    endpoint_tasks: Tasks,
    /// When how far behind each sink is was measured last.
    lag_measured: tokio::sync::Mutex<Option<Instant>>,
    fleet_metrics: fleet::FleetMetrics,
    /// Places of those who look at all machines.
    surveys: Arc<tokio::sync::Semaphore>,
    /// The other doors and the watcher.
    rest: Tasks,
    /// Held until the last clone is gone.
    _data_dir: DataDir,
}

/// Why imported events are not in the journal.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The bytes are not a batch.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A batch, and not of imported events.
    #[error("the batch is not of imported events")]
    Kind,
    /// The journal does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// The answer to a query, and how far it reaches.
pub struct Answer {
    /// Columns and rows, for [`windrow_lake::QueryOutput::from_ipc`].
    pub pieces: Pieces,
    /// Every event up to this sequence was looked at.
    pub complete_to: Seq,
    /// The last sequence that was acknowledged when the query came.
    pub acknowledged_to: Seq,
    /// The oldest sequence that the journal has: those before it that were not looked at were dropped.
    pub oldest: Seq,
}

/// Which configuration is in force.
#[derive(Clone, Debug)]
struct Generation {
    number: u64,
    loaded_at: Timestamp,
    /// The one that was to follow it and was not taken up.
    refused: Option<status::Refused>,
}

/// Tasks that end together.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Tasks {
    /// Tells them to end and waits, but no longer than `timeout`.
    async fn stop(&self, timeout: Duration) -> bool {
        self.token.cancel();
        self.tracker.close();
        tokio::time::timeout(timeout, self.tracker.wait())
            .await
            .is_ok()
    }
}

impl Service {
    /// What the service says of itself now.
    pub fn status(&self) -> status::Status {
        self.status_with(Some(self.survey().totals()))
    }

    /// The same with machines that were counted already.
    fn status_with(&self, machines: Option<crate::fleet::Totals>) -> status::Status {
        let shared = &self.shared;
        let config = self.config();
        let generation = lock(&shared.generation).clone();
        status::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: shared.started_at,
            now: Timestamp::now(),
            configuration: status::Configuration {
                file: config.file.as_ref().map(|file| file.display().to_string()),
                generation: generation.number,
                loaded_at: generation.loaded_at,
                changed_on_disk: changed_since(&config, generation.loaded_at),
                refused: generation.refused,
                settings: config.settings_generation,
                settings_on_disk: Store::new(&config.data_dir).generation().ok(),
            },
            journal: self.journal_status(),
            sources: shared.sources.status(),
            directories: shared.directories.status(),
            wad_storage: shared.wad_sources.status(),
            machines,
            sinks: {
                let mut sinks = shared.sinks.status(&config, &shared.journal);
                sinks.extend(shared.table_sinks.status(&config, &shared.journal));
                sinks.extend(shared.blob_sinks.status(&config, &shared.journal));
                sinks
            },
            endpoint: shared
                .endpoint
                .as_ref()
                .map(|endpoint| endpoint.address().to_string()),
            lake: shared.lake.as_ref().map(|room| status::Lake {
                position: shared
                    .journal
                    .cursors()
                    .into_iter()
                    .find(|(name, _)| name == LAKE_CURSOR)
                    .map_or(0, |(_, seq)| seq),
                tail_events: room.tail.len() as u64,
                visible_seq: room.tail.shown_to(),
                degraded: room.reason(),
                away: room.lake().is_err(),
                events: room.metrics.rows.get(),
                commits: room.metrics.commits.get(),
            }),
        }
    }

    /// What has no room, of a journal that is full.
    fn what_is_full(&self) -> Full {
        let counts = self.shared.journal.metrics();
        let bytes = |gauge: i64| u64::try_from(gauge).unwrap_or(0);
        Full::of(
            bytes(counts.used_bytes.get()),
            bytes(counts.quota_bytes.get()),
        )
    }

    fn journal_status(&self) -> status::Journal {
        let counts = self.shared.journal.metrics();
        let pressure = *self.shared.journal.pressure().borrow();
        let is_disk = pressure == Pressure::Full && self.what_is_full() == Full::Disk;
        let full_disk = is_disk.then(|| self.shared.journal.folder().display().to_string());
        status::Journal {
            durable_seq: self.durable_seq(),
            oldest_seq: self.shared.journal.oldest_seq(),
            bytes: u64::try_from(counts.used_bytes.get()).unwrap_or(0),
            quota_bytes: u64::try_from(counts.quota_bytes.get()).unwrap_or(0),
            pressure: format!("{pressure:?}").to_lowercase(),
            full_disk,
            damaged_frames: counts.damaged_ranges.get(),
            dropped_events: counts.dropped_events.get(),
        }
    }

    /// The last sequence that is on disk.
    pub fn durable_seq(&self) -> Seq {
        *self.shared.journal.durable().borrow()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<checked::Config> {
        lock(&self.shared.config).clone()
    }

    /// Where health and metrics answer.
    pub fn web_address(&self) -> SocketAddr {
        self.shared.web_address
    }

    fn downgrade(&self) -> WeakService {
        WeakService {
            shared: Arc::downgrade(&self.shared),
        }
    }

    /// Where the WEF source `name` listens.
    pub fn wef_address(&self, name: &str) -> Option<SocketAddr> {
        self.shared.sources.address(name)
    }

    /// Answers one SQL statement over everything acknowledged up to now, or up to where the answer says.
    ///
    /// # Errors
    /// The statement, or the lake; see [`QueryError`].
    pub async fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answer, QueryError> {
        let Some(room) = &self.shared.lake else {
            let message = "the lake is switched off ([lake] enabled = false)".to_owned();
            return Err(QueryError::Refused { message });
        };
        let lake = room.lake()?;
        let asked_at = self.durable_seq();
        let files = room
            .files
            .values()
            .map(|files| files.tail.wait_for(asked_at));
        futures::join!(
            room.tail.wait_for(asked_at),
            futures::future::join_all(files)
        );
        let seen = room.tail.seen();
        let tail = windrow_lake::Tail {
            app_id: room.app_id.clone(),
            rows: seen.rows,
            of_files: (room.files.iter())
                .map(|(table, files)| (*table, files.tail.seen()))
                .collect(),
        };
        Ok(Answer {
            pieces: room.workers.ask(lake, sql.to_owned(), tail, limits).await?,
            complete_to: seen.to,
            acknowledged_to: asked_at,
            oldest: self.shared.journal.oldest_seq(),
        })
    }

    /// Events that the sink furthest behind does not have for sure, of those that are switched on; also after the
    /// service has stopped.
    pub fn undelivered(&self) -> u64 {
        let durable = self.durable_seq();
        let cursors = self.shared.journal.cursors();
        let config = self.config();
        // Files are no events.
        let sinks = cursors.iter().filter(|(cursor, _)| {
            let named = |prefix| cursor.strip_prefix(prefix);
            let syslog = named(sinks::CURSOR_PREFIX);
            let syslog = syslog.and_then(|name| config.sink.syslog.get(name));
            let tables = named(table_sinks::CURSOR_PREFIX);
            let tables = tables.and_then(|name| config.sink.azure_table.get(name));
            syslog.is_some_and(|sink| sink.enabled) || tables.is_some_and(|sink| sink.enabled)
        });
        let behind = sinks.map(|(_, position)| durable.saturating_sub(*position));
        behind.max().unwrap_or(0)
    }

    /// Puts a batch of imported events into the journal, for every sink but the lake.
    ///
    /// # Errors
    /// It is not such a batch, or the journal does not take it; see [`ForwardError`].
    pub async fn forward(&self, batch: Vec<u8>) -> Result<(), ForwardError> {
        let decoded = Batch::decode(&batch)?;
        if decoded.header.kind != Kind::Evtx {
            return Err(ForwardError::Kind);
        }
        let mut events = 0;
        for record in decoded.records() {
            record?;
            events += 1;
        }
        let entry = Entry {
            body: batch,
            events,
            state: None,
        };
        self.shared.journal.append(entry).await?;
        Ok(())
    }

    /// Whether events are accepted now.
    fn health(&self) -> web::Health {
        let is_full = *self.shared.journal.pressure().borrow() == Pressure::Full;
        if is_full && self.config().journal.when_full == checked::WhenFull::Block {
            return web::Health::Refusing(match self.what_is_full() {
                Full::Quota => {
                    "the journal is full: sources are refused until a sink catches up".into()
                }
                Full::Disk => "the disk is full: sources are refused until it has room".into(),
            });
        }
        let lake = self.shared.lake.as_ref();
        match lake.and_then(LakeRoom::reason) {
            Some(reason) => web::Health::Degraded(format!("the lake is behind: {reason}")),
            None => web::Health::Accepting,
        }
    }

    /// Whether everything lives without which no event is accepted.
    ///
    /// # Errors
    /// Says what does not.
    async fn check_alive(&self) -> Result<(), String> {
        let shared = &self.shared;
        if let Some(name) = shared.sources.dead() {
            return Err(format!("source.wef.{name} no longer listens"));
        }
        if !shared.journal.answers().await {
            return Err("the journal's writer has ended".to_owned());
        }
        Ok(())
    }

    /// Reads the configuration again and takes it up: sources, subscriptions and sinks that changed are started
    /// anew, the others go on. What cannot change while the service runs is refused as a whole.
    ///
    /// # Errors
    /// Says what cannot change, or what could not be started; the old configuration stays.
    pub async fn reload(&self, loader: &Loader) -> anyhow::Result<()> {
        // Before it is read: a command that changes settings meanwhile must not be undone.
        let _turn = self.turn().await;
        let loaded_at = Timestamp::now();
        let config = loader.load(Need::File)?;
        let old = self.config();
        start::check_reload(&old, &config)?;
        let shared = &self.shared;
        // What can fail comes first, so that a refusal leaves everything as it was.
        let (journal, recorder) = (&shared.journal, &shared.recorder);
        let sources = shared.sources.prepare(&config, journal).await?;
        let directories = shared.directories.prepare(&config)?;
        let wad_sources = shared.wad_sources.prepare(&config)?;
        let terms = match &shared.endpoint {
            Some(_) => Some(endpoint::prepare(&config.admin)?),
            None => None,
        };
        let tables = shared.table_sinks.prepare(&config, journal)?;
        let blobs = shared.blob_sinks.prepare(&config, journal)?;
        // The last of them: it makes places in the journal, which have to be given up when another fails.
        let sinks = (shared.sinks).prepare(&config, journal, Look::SettingsAndFiles)?;
        shared.sinks.take_up(sinks, &config, journal).await;
        shared
            .sinks
            .forget_removed(&config, journal, recorder)
            .await;
        shared.table_sinks.take_up(tables, &config, journal).await;
        table_sinks::forget_removed(&config, journal, recorder).await;
        shared.blob_sinks.take_up(blobs, &config, journal).await;
        blob_sinks::forget_removed(&config, journal, recorder).await;
        shared.sources.take_up(sources, journal, recorder).await;
        self.watch(directories, &config).await?;
        shared.wad_sources.take_up(wad_sources, &config).await;
        sources::forget_channels(&config, journal).await;
        if let (Some(endpoint), Some(terms)) = (&shared.endpoint, terms) {
            endpoint.take_up(terms);
        }
        if let Some(room) = &shared.lake {
            let held = retention::of(&config.lake);
            room.retention.send_if_modified(|known| {
                let is_other = *known != held;
                *known = held;
                is_other
            });
        }
        *lock(&shared.config) = Arc::new(config);
        let mut generation = lock(&shared.generation);
        *generation = Generation {
            number: generation.number + 1,
            loaded_at,
            refused: None,
        };
        Ok(())
    }

    /// Watches the folders of a configuration, once who gets their files has a place in the journal.
    async fn watch(
        &self,
        prepared: directories::Prepared,
        config: &checked::Config,
    ) -> anyhow::Result<()> {
        let room = self.shared.lake.as_ref();
        if let Some(room) = room {
            directories::want_rows(room, config, &self.shared.journal)?;
        }
        self.shared.directories.take_up(prepared, config).await;
        Ok(())
    }

    /// Ends everything in good order.
    pub async fn stop(self) {
        let shared = &self.shared;
        let (sources, looks, _) = futures::join!(
            shared.sources.stop(SOURCES_TIMEOUT),
            shared.directories.stop(SOURCES_TIMEOUT),
            shared.wad_sources.stop(SOURCES_TIMEOUT)
        );
        if !sources {
            tracing::warn!("some machines were cut off: they will send their batch again");
        }
        if !looks {
            tracing::warn!(
                "a watched folder does not answer: what it has is taken at the next start"
            );
        }
        if let Some(endpoint) = &shared.endpoint {
            // The door first: whoever came in after the last session was ended would be on no record.
            shared.endpoint_tasks.stop(DRAIN_TIMEOUT).await;
            endpoint.end(&shared.recorder).await;
        }
        let data = [("DurableSequence", &*self.durable_seq().to_string())];
        shared
            .recorder
            .record(
                OwnEventId::ServiceStopped,
                OwnLevel::Information,
                "windrow stops",
                &data,
            )
            .await;
        // The root of what there is leaves before the service does: nobody watches the journal meanwhile.
        shared.journal.seal().await;
        shared.recorder.roots().await;
        shared.sinks.drain(self.durable_seq(), DRAIN_TIMEOUT).await;
        shared.sinks.stop(DRAIN_TIMEOUT).await;
        shared.table_sinks.stop(DRAIN_TIMEOUT).await;
        shared.blob_sinks.stop(DRAIN_TIMEOUT).await;
        if let Some(room) = &shared.lake
            && !room.tasks.stop(LAKE_TIMEOUT).await
        {
            tracing::warn!(
                "the lake's last commit did not finish: it will be made at the next start"
            );
        }
        shared.rest.stop(DRAIN_TIMEOUT).await;
        shared.journal.clone().close().await;
    }
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(config: checked::Config, loader: Loader) -> anyhow::Result<exit::Code> {
    let watchdog = loader.environment().watchdog;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let data_dir = DataDir::open(&config.data_dir, Purpose::Serve)?;
    let service = start(config, data_dir).await?;
    manager::ready();
    let signs = Tasks::default();
    if let Some(time) = watchdog {
        let living = manager::keep_alive(service.clone(), time, signs.token.clone());
        signs.tracker.spawn(living);
    }
    tracing::info!(web = %service.web_address(), "windrow runs");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                manager::reloading();
                reload(&service, &loader).await;
                manager::ready();
            }
        }
    }
    manager::stopping();
    signs.stop(DRAIN_TIMEOUT).await;
    tracing::info!("windrow stops; a second signal ends it at once");
    tokio::select! {
        () = service.stop() => Ok(exit::Code::Ok),
        _ = terminate.recv() => Ok(cut_short()),
        _ = interrupt.recv() => Ok(cut_short()),
    }
}

/// What is acknowledged is on disk: whoever is in a hurry loses nothing.
fn cut_short() -> exit::Code {
    tracing::warn!("ended at once: what is not delivered yet is in the journal");
    exit::Code::Interrupted
}

async fn reload(service: &Service, loader: &Loader) {
    let recorder = &service.shared.recorder;
    match service.reload(loader).await {
        Ok(()) => {
            tracing::info!("the new configuration is in force");
            recorder
                .record(
                    OwnEventId::ConfigurationReloaded,
                    OwnLevel::Information,
                    "a new configuration is in force",
                    &[],
                )
                .await;
        }
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!("the new configuration is refused and the old one stays: {reason}");
            lock(&service.shared.generation).refused = Some(status::Refused {
                at: Timestamp::now(),
                reason: reason.clone(),
            });
            let message =
                format!("a new configuration was refused and the old one stays: {reason}");
            recorder
                .record(
                    OwnEventId::ConfigurationRefused,
                    OwnLevel::Warning,
                    &message,
                    &[],
                )
                .await;
        }
    }
}

fn changed_since(config: &checked::Config, loaded_at: Timestamp) -> bool {
    let modified = config
        .file
        .as_ref()
        .and_then(|file| fs_err::metadata(file).ok()?.modified().ok());
    modified
        .and_then(|time| Timestamp::try_from(time).ok())
        .is_some_and(|time| time > loaded_at)
}

/// Locks; a panic elsewhere does not make plain values unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
