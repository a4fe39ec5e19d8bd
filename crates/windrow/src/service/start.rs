//! Makes everything run, in the order in which each part finds what it needs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::StatusCode;
use anyhow::Context as _;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_pipeline::journal::storage::Os;
use windrow_pipeline::journal::{Journal, JournalOptions, WhenFull};
use windrow_pipeline::sinks::azure_blob::AzureBlobMetrics;
use windrow_pipeline::sinks::azure_table::AzureTableMetrics;
use windrow_pipeline::sinks::syslog::SyslogMetrics;
use windrow_pipeline::spool::Keeper;

use super::blob_sinks::BlobSinks;
use super::directories::{Directories, want_rows};
use super::endpoint::Endpoint;
use super::fleet::FleetMetrics;
use super::forget;
use super::lake_room::LakeRoom;
use super::limits::{ASKED_AT_ONCE, SURVEYS_AT_ONCE};
use super::own::Recorder;
use super::sinks::Sinks;
use super::sources::Sources;
use super::table_sinks::TableSinks;
use super::wad_sources::WadSources;
use super::{
    DRAIN_TIMEOUT, Generation, LAKE_TIMEOUT, Service, Shared, Tasks, clearing, http, place,
    renewal, socket, watch, web,
};
use crate::config::checked;
use crate::datadir::DataDir;

/// Time after which an idle connection to health and metrics is closed.
const WEB_IDLE: Duration = Duration::from_secs(10);

/// Starts the service on a data folder that is locked for it.
///
/// # Errors
/// What keeps it from starting; nothing runs then.
pub async fn start(config: checked::Config, data_dir: DataDir) -> anyhow::Result<Service> {
    let started_at = Timestamp::now();
    let mut registry = Registry::default();
    let web_listener = TcpListener::bind(config.web.listen)
        .await
        .with_context(|| format!("[web] cannot listen at {}", config.web.listen))?;
    let web_address = web_listener.local_addr()?;
    let (endpoint, endpoint_listener) = Endpoint::bind(&config).await?.unzip();
    let socket_listener = socket::bind(&data_dir.socket())?;
    let journal = open_journal(&config, &data_dir)?;
    journal.metrics().register(&mut registry);
    let recorder = Recorder::new(journal.clone(), computer_name());
    let keeper = open_spool(&config, &data_dir, &journal)?;
    let lake = LakeRoom::start(&config.lake, &data_dir, &recorder, &keeper, &mut registry).await?;
    let (sinks, table_sinks, blob_sinks) = no_sinks_yet(&data_dir, &keeper, &mut registry);
    let epoch = place::epoch(&journal, &data_dir.journal(), &recorder).await;
    let sources = Sources::new(&data_dir, epoch, &mut registry);
    let directories = Directories::new(keeper, &mut registry);
    let wad_sources = WadSources::new(&journal, &mut registry);
    let rooms = Rooms {
        lake: lake.as_ref(),
        sinks: &sinks,
        table_sinks: &table_sinks,
        blob_sinks: &blob_sinks,
        sources: &sources,
        directories: &directories,
        wad_sources: &wad_sources,
    };
    rooms.start(&config, &journal, &recorder).await?;
    let rest = Tasks::default();
    let (sealed, every) = (journal.clone(), config.journal.seal_interval.0);
    let watching = watch::run(sealed, recorder.clone(), every, rest.token.clone());
    rest.tracker.spawn(watching);
    let service = Service {
        shared: Arc::new(Shared {
            config: Mutex::new(Arc::new(config)),
            turn: tokio::sync::Mutex::default(),
            asked: Arc::new(tokio::sync::Semaphore::new(ASKED_AT_ONCE)),
            generation: Mutex::new(Generation {
                number: 1,
                loaded_at: started_at,
                refused: None,
            }),
            started_at,
            journal,
            recorder,
            lake,
            sources,
            directories,
            wad_sources,
            sinks,
            table_sinks,
            blob_sinks,
            web_address,
            endpoint,
            endpoint_tasks: Tasks::default(),
            lag_measured: tokio::sync::Mutex::default(),
            fleet_metrics: FleetMetrics::new(&mut registry),
            surveys: Arc::new(tokio::sync::Semaphore::new(SURVEYS_AT_ONCE)),
            rest: rest.clone(),
            _data_dir: data_dir,
        }),
    };
    serve_doors(&service, &rest, web_listener, socket_listener, registry);
    open_endpoint(&service, endpoint_listener);
    record_start(&service.shared.recorder, &service.config()).await;
    Ok(service)
}

/// What events come in by and go out by.
struct Rooms<'a> {
    lake: Option<&'a LakeRoom>,
    sinks: &'a Sinks,
    table_sinks: &'a TableSinks,
    blob_sinks: &'a BlobSinks,
    sources: &'a Sources,
    directories: &'a Directories,
    wad_sources: &'a WadSources,
}

impl Rooms<'_> {
    /// Starts all of it, or ends what runs already.
    async fn start(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        let started = self.start_each(config, journal, recorder).await;
        if started.is_err() {
            // In good order: a task that is cut off in the lake panics.
            futures::join!(
                self.sinks.stop(DRAIN_TIMEOUT),
                self.table_sinks.stop(DRAIN_TIMEOUT),
                self.blob_sinks.stop(DRAIN_TIMEOUT)
            );
            if let Some(room) = self.lake {
                room.tasks.stop(LAKE_TIMEOUT).await;
            }
        }
        started
    }

    async fn start_each(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        self.sinks.start(config, journal, recorder).await?;
        self.table_sinks.start(config, journal, recorder).await?;
        self.blob_sinks.start(config, journal, recorder).await?;
        forget::lost(&config.sink, journal, recorder).await?;
        let watched = self.directories.prepare(config)?;
        let read = self.wad_sources.prepare(config)?;
        if let Some(room) = self.lake {
            want_rows(room, config, journal)?;
        }
        self.sources.start(config, journal, recorder).await?;
        self.directories.take_up(watched, config).await;
        self.wad_sources.take_up(read, config).await;
        Ok(())
    }
}

fn no_sinks_yet(
    data_dir: &DataDir,
    keeper: &Keeper,
    registry: &mut Registry,
) -> (Sinks, TableSinks, BlobSinks) {
    let (syslog, tables) = (SyslogMetrics::default(), AzureTableMetrics::default());
    let blobs = AzureBlobMetrics::default();
    syslog.register(registry);
    tables.register(registry);
    blobs.register(registry);
    let quarantine = data_dir.quarantine();
    (
        Sinks::new(syslog, quarantine.clone()),
        TableSinks::new(tables, quarantine, keeper.spool().clone()),
        BlobSinks::new(blobs, keeper.spool().clone()),
    )
}

async fn record_start(recorder: &Recorder, config: &checked::Config) {
    if config.source.count() == 0 {
        tracing::warn!(
            "no source is configured: nothing is collected until there is one; `windrow config example` shows how"
        );
    }
    if !config.source.wef.is_empty() && !config.subscription.values().any(|of| of.enabled) {
        tracing::warn!(
            "there is no subscription: machines send nothing until there is one; `windrow subscription add base --baseline essential` makes one"
        );
    }
    let data = [("Version", env!("CARGO_PKG_VERSION"))];
    recorder
        .record(
            OwnEventId::ServiceStarted,
            OwnLevel::Information,
            "windrow has started",
            &data,
        )
        .await;
    recorder.settings_found(config.settings_generation).await;
}

/// Opens the room for bytes of files, once the journal is there.
fn open_spool(
    config: &checked::Config,
    data_dir: &DataDir,
    journal: &Journal,
) -> anyhow::Result<Keeper> {
    let quota_bytes = config.spool.quota.0;
    let opened = Keeper::open(journal.clone(), Arc::new(Os), data_dir.spool(), quota_bytes);
    opened.context("spool")
}

pub(super) fn open_journal(
    config: &checked::Config,
    data_dir: &DataDir,
) -> anyhow::Result<Journal> {
    let mut options = JournalOptions::new(data_dir.journal());
    options.quota_bytes = config.journal.quota.0;
    options.segment_bytes = config.journal.segment_size.0;
    options.when_full = match config.journal.when_full {
        checked::WhenFull::Block => WhenFull::Block,
        checked::WhenFull::DropOldest => WhenFull::DropOldest,
    };
    let (journal, recovery) = Journal::open(options).context("journal")?;
    if recovery.torn_bytes > 0 {
        tracing::info!(
            bytes = recovery.torn_bytes,
            "an unfinished write was cut from the journal's end"
        );
    }
    for damage in &recovery.damage {
        tracing::error!(
            segment = damage.segment,
            from = damage.from,
            to = damage.to,
            first_seq = damage.gap.map(|gap| gap.first_seq),
            last_seq = damage.gap.map(|gap| gap.last_seq),
            kept_at = damage.copy.as_ref().map(|path| path.display().to_string()),
            "the journal is damaged here; the bytes are kept aside"
        );
    }
    Ok(journal)
}

fn serve_doors(
    service: &Service,
    rest: &Tasks,
    web: TcpListener,
    socket: tokio::net::UnixListener,
    registry: Registry,
) {
    // The doors hold the service weakly: whoever stops it must be able to close the journal.
    let registry = Arc::new(registry);
    let weak = service.downgrade();
    rest.tracker
        .spawn(renewal::run(weak.clone(), rest.token.clone()));
    rest.tracker
        .spawn(clearing::run(weak.clone(), rest.token.clone()));
    let on_web = {
        let weak = weak.clone();
        move |request: ::http::Request<hyper::body::Incoming>| {
            let (weak, registry) = (weak.clone(), Arc::clone(&registry));
            async move {
                let service = weak.upgrade();
                let health = match &service {
                    Some(service) => service.health(),
                    None => web::Health::Refusing("windrow stops".into()),
                };
                if let Some(service) = service.filter(|_| web::asks_for_metrics(&request)) {
                    service.measure_lag().await;
                    service.measure_fleet().await;
                }
                web::respond(&request, &registry, &health)
            }
        }
    };
    rest.tracker.spawn(http::serve(
        web,
        on_web,
        http::Idle::ClosedAfter(WEB_IDLE),
        rest.token.clone(),
    ));
    let on_socket = move |request| {
        let service = weak.upgrade();
        async move {
            match service {
                Some(service) => socket::respond(request, &service).await,
                None => http::answer(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/plain",
                    "windrow stops\n",
                ),
            }
        }
    };
    rest.tracker.spawn(http::serve(
        socket,
        on_socket,
        http::Idle::Kept,
        rest.token.clone(),
    ));
}

/// Opens the privileged endpoint, where there is one.
fn open_endpoint(service: &Service, listener: Option<TcpListener>) {
    let (Some(endpoint), Some(listener)) = (&service.shared.endpoint, listener) else {
        return;
    };
    let tasks = &service.shared.endpoint_tasks;
    let (weak, token) = (service.downgrade(), tasks.token.clone());
    let open = endpoint.open(listener, weak.clone(), token.clone());
    tasks.tracker.spawn(open);
    tasks.tracker.spawn(endpoint.clone().watch(weak, token));
}

/// What may not change while the service runs.
///
/// # Errors
/// Names the setting.
pub(crate) fn check_reload(old: &checked::Config, new: &checked::Config) -> anyhow::Result<()> {
    let fixed = [
        ("data_dir", old.data_dir == new.data_dir),
        ("[journal]", old.journal == new.journal),
        ("[spool]", old.spool == new.spool),
        (
            "[lake] enabled, url, key_file, sas_file, credential, flush_interval, flush_rows, upkeep_after",
            {
                let of = |lake: &checked::Lake| {
                    let flush = (lake.flush_interval, lake.flush_rows);
                    (lake.enabled, lake.azure.clone(), flush, lake.upkeep_after)
                };
                of(&old.lake) == of(&new.lake)
            },
        ),
        ("[web]", old.web == new.web),
        (
            "[admin] enabled, listen",
            (old.admin.enabled, old.admin.listen) == (new.admin.enabled, new.admin.listen),
        ),
        ("[log]", old.log == new.log),
    ];
    let changed: Vec<&str> = fixed
        .iter()
        .filter(|(_, same)| !same)
        .map(|(name, _)| *name)
        .collect();
    anyhow::ensure!(
        changed.is_empty(),
        "{} cannot change while windrow runs: restart it",
        changed.join(", ")
    );
    Ok(())
}

/// The machine's name, as our own events carry it.
pub(crate) fn computer_name() -> String {
    // A service that sees no more of /proc than its processes has the other one.
    let said = ["/proc/sys/kernel/hostname", "/etc/hostname"].map(fs_err::read_to_string);
    let mut names = said.iter().flatten().map(|name| name.trim());
    names
        .find(|name| !name.is_empty())
        .unwrap_or("localhost")
        .to_owned()
}
