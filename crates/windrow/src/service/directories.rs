//! The watched folders, by name: started, changed and stopped.
//!
//! Each is looked at on a thread that may wait for its disk, again and again while there is more to take, and then from
//! time to time. What goes wrong is tried again after a pause that grows, so that a share that is away for days fills no log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use windrow_formats::etl::Schemas;
use windrow_lake::FileTable;
use windrow_pipeline::journal::Journal;
use windrow_pipeline::sources::directory::{
    Below, Directory, DirectoryMetrics, EventForm, Machine, NamePattern, Rest, Round, Taking, Watch,
};
use windrow_pipeline::spool::Keeper;

use super::lake_room::LakeRoom;
use super::limits::MANIFEST_BYTES_MAX;
use super::{Tasks, lock, start, supervise};
use crate::config::checked::{self, DirectorySource, FileContent, MachineFrom};
use crate::status;

/// Longest pause after a look in which something went wrong.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Pause of one that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);
/// Time one has to finish its look when its configuration changes: some hundred megabytes at most.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(25);

/// All of them.
pub(crate) struct Directories {
    keeper: Keeper,
    metrics: DirectoryMetrics,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One that runs.
struct Running {
    config: DirectorySource,
    status: watch::Receiver<status::Directory>,
    tasks: Tasks,
    task: AbortHandle,
}

/// Those that are to be started.
#[derive(Default)]
pub(crate) struct Prepared(BTreeMap<String, (DirectorySource, Watch)>);

impl Directories {
    /// None yet.
    pub(crate) fn new(keeper: Keeper, registry: &mut Registry) -> Directories {
        let metrics = DirectoryMetrics::default();
        metrics.register(registry);
        Directories {
            keeper,
            metrics,
            running: Mutex::default(),
        }
    }

    /// Those that `config` switches on and that do not run as it says. What runs stays as it is.
    ///
    /// # Errors
    /// A name of files that is none, or what is known of a folder cannot be read; names the table.
    pub(crate) fn prepare(&self, config: &checked::Config) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::default();
        for (name, source) in &config.source.directory {
            if !source.enabled || self.runs(name, source) {
                continue;
            }
            let ready = watched(name, source, &config.data_dir).with_context(|| table_of(name))?;
            // Whether its states can be read, before anything is changed.
            Directory::open(ready.clone(), self.keeper.clone()).with_context(|| table_of(name))?;
            prepared.0.insert(name.clone(), (source.clone(), ready));
        }
        Ok(prepared)
    }

    fn runs(&self, name: &str, source: &DirectorySource) -> bool {
        lock(&self.running)
            .get(name)
            .is_some_and(|running| running.config == *source && !running.task.is_finished())
    }

    /// Stops what differs, is switched off or gone, and starts what was prepared: each goes on where it was.
    pub(crate) async fn take_up(&self, prepared: Prepared, config: &checked::Config) {
        let stale: Vec<(String, Running)> = {
            let enabled = |name: &String| {
                let source = config.source.directory.get(name);
                source.is_some_and(|source| source.enabled)
            };
            let is_stale = |name: &String| prepared.0.contains_key(name) || !enabled(name);
            lock(&self.running)
                .extract_if(.., |name, _| is_stale(name))
                .collect()
        };
        let ends = stale.into_iter().map(|(name, running)| async move {
            running.end().await;
            name
        });
        let ended: BTreeSet<String> = futures::future::join_all(ends).await.into_iter().collect();
        for name in ended.iter().filter(|name| !prepared.0.contains_key(*name)) {
            self.metrics.forget(name);
        }
        for (name, (config, watch)) in prepared.0 {
            tracing::info!(source = name, folder = %watch.root.display(), "watching a folder");
            let running = self.start_one(config, watch);
            lock(&self.running).insert(name, running);
        }
    }

    fn start_one(&self, config: DirectorySource, watch: Watch) -> Running {
        let (sender, status) = watch::channel(status::Directory {
            path: config.path.display().to_string(),
            ..status::Directory::default()
        });
        let tasks = Tasks::default();
        let looker = Looker {
            watch,
            keeper: self.keeper.clone(),
            interval: config.interval.0,
            metrics: self.metrics.clone(),
            status: sender,
            token: tasks.token.clone(),
        };
        let task = tasks.tracker.spawn(async move {
            let name = table_of(&looker.watch.name);
            let work = || looker.look_on();
            supervise::again_after_panics(&name, PANIC_PAUSE, &looker.token, work).await;
        });
        Running {
            config,
            status,
            tasks,
            task: task.abort_handle(),
        }
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
    pub(crate) fn status(&self) -> BTreeMap<String, status::Directory> {
        let running = lock(&self.running);
        running
            .iter()
            .map(|(name, running)| (format!("directory.{name}"), running.status.borrow().clone()))
            .collect()
    }
}

impl Running {
    /// Ends it: two of them must never take the same files.
    async fn end(self) {
        if !self.tasks.stop(CHANGE_TIMEOUT).await {
            tracing::warn!(folder = %self.config.path.display(), "a look at a watched folder takes long: it is waited for");
            self.tasks.tracker.wait().await;
        }
    }
}

/// Looks at one folder.
struct Looker {
    watch: Watch,
    keeper: Keeper,
    interval: Duration,
    metrics: DirectoryMetrics,
    status: watch::Sender<status::Directory>,
    token: CancellationToken,
}

impl Looker {
    /// Looks until it is told to stop.
    async fn look_on(&self) {
        let opened = Directory::open(self.watch.clone(), self.keeper.clone());
        let mut directory = match opened {
            Ok(directory) => directory,
            Err(error) => {
                tracing::error!(%error, "{} is not watched", table_of(&self.watch.name));
                return;
            }
        };
        let mut troubled = Duration::ZERO;
        while !self.token.is_cancelled() {
            let handle = Handle::current();
            let look = tokio::task::spawn_blocking(move || {
                let round = handle.block_on(directory.look(Timestamp::now()));
                (directory, round)
            });
            let round;
            (directory, round) = match look.await {
                Ok(looked) => looked,
                Err(died) if died.is_panic() => std::panic::resume_unwind(died.into_panic()),
                // The runtime ends.
                Err(_) => return,
            };
            self.tell(&round);
            let pause = match (&round.last_error, round.rest) {
                (None, Rest::More) => Duration::ZERO,
                (None, Rest::None) => self.interval,
                (Some(_), _) => {
                    troubled = (troubled * 2).clamp(self.interval, PAUSE_MAX.max(self.interval));
                    troubled
                }
            };
            if round.last_error.is_none() {
                troubled = Duration::ZERO;
            }
            tokio::select! {
                () = self.token.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn tell(&self, round: &Round) {
        self.metrics.looked(&self.watch.name, round);
        self.status.send_modify(|status| {
            status.files = round.files;
            status.waiting_bytes = round.waiting_bytes;
            status.skipped = round.skipped;
            status.bytes += round.bytes;
            status.pieces += round.pieces;
            status.replaced += round.replaced;
            status.failed += round.failed;
            status.full.clone_from(&round.full);
            status.trouble.clone_from(&round.last_error);
            let now = Timestamp::now();
            status.looked_at = Some(now);
            if round.pieces > 0 {
                status.taken_at = Some(now);
            }
        });
    }
}

/// Keeps from now on what comes for tables of the lake that are made of files.
///
/// # Errors
/// The journal has no place for them.
pub(super) fn want_rows(
    room: &LakeRoom,
    config: &checked::Config,
    journal: &Journal,
) -> anyhow::Result<()> {
    let sources = config.source.directory.values();
    let tables = sources.filter_map(|source| FileTable::of(source.content.class()));
    for table in tables.collect::<BTreeSet<_>>() {
        if let Some(files) = room.files.get(&table) {
            files.want(journal)?;
        }
    }
    Ok(())
}

/// What a source watches.
///
/// # Errors
/// It overlaps the data folder.
pub(crate) fn watched(
    name: &str,
    source: &DirectorySource,
    data_dir: &Path,
) -> anyhow::Result<Watch> {
    // The configuration compares what is written; links may lead elsewhere.
    if let (Ok(root), Ok(own)) = (
        fs_err::canonicalize(&source.path),
        fs_err::canonicalize(data_dir),
    ) {
        anyhow::ensure!(
            !root.starts_with(&own) && !own.starts_with(&root),
            "{} is, or holds, windrow's own data folder: watch a folder beside it",
            source.path.display()
        );
    }
    let names = source.files.iter().map(|name| NamePattern::new(name));
    let own = start::computer_name();
    Ok(Watch {
        name: name.to_owned(),
        root: source.path.clone(),
        below: match source.subfolders {
            true => Below::Everything,
            false => Below::Here,
        },
        names: names.collect::<Result<_, _>>()?,
        taking: taking(source)?,
        manifests: manifests(source)?,
        class: source.content.class(),
        machine: match (&source.machine, source.machine_from) {
            (Some(machine), _) => Machine::Named(machine.clone()),
            (None, Some(MachineFrom::Folder)) => Machine::Folder(own),
            (None, None) => Machine::Named(own),
        },
    })
}

fn taking(source: &DirectorySource) -> anyhow::Result<Taking> {
    let Some(settled) = source.settled else {
        return Ok(Taking::Lines);
    };
    let settled = SignedDuration::try_from(settled.0)?;
    let form = match source.content {
        FileContent::Evtx => EventForm::Evtx,
        FileContent::Etl => EventForm::Etl,
        _ => return Ok(Taking::Whole { settled }),
    };
    Ok(Taking::Events { form, settled })
}

/// The manifests of a source, each of which is one.
fn manifests(source: &DirectorySource) -> anyhow::Result<Arc<[String]>> {
    let read = source.manifests.iter().map(|path| {
        let bytes = fs_err::metadata(path)?.len();
        anyhow::ensure!(
            bytes <= MANIFEST_BYTES_MAX,
            "{} has {bytes} bytes, more than a manifest",
            path.display()
        );
        let text = fs_err::read_to_string(path)?;
        let known = Schemas::default().add(&text);
        known.with_context(|| format!("{} is no manifest of a provider", path.display()))?;
        Ok(text)
    });
    read.collect::<anyhow::Result<Vec<_>>>().map(Arc::from)
}

fn table_of(name: &str) -> String {
    format!("source.directory.{name}")
}
