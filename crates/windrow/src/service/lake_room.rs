//! The lake in the running service: opened at the start, or as soon as it is in reach.
//!
//! A lake in the data folder is there, or the service does not start. The storage of one in Azure may be away for hours, and a
//! journal that takes events meanwhile is worth more than a service that does not run: so everything starts without it, and
//! it is opened when it answers. Until then nobody reads from it, and the journal keeps what it has not seen.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_lake::{FileTable, Lake, LakeError, Place, QueryError, Retention};
use windrow_pipeline::journal::{Cursor, Journal, Seq, Start, StateChange};
use windrow_pipeline::spool::{Keeper, Spool};

use super::file_sink::{FileSink, FileTail};
use super::lake_sink::{Condition, Flush, LakeSink, RETRY_PAUSE, Tail, Work};
use super::limits::LAKE_FIRST_LOOK;
use super::metrics::{FileMetrics, FilesMetrics, LakeMetrics};
use super::own::Recorder;
use super::upkeep::Upkeep;
use super::workers::Workers;
use super::{Tasks, file_sink, forget, place};
use crate::clock::Clock;
use crate::config::checked;
use crate::datadir::DataDir;
use crate::{lake_place, retention};

/// The lake's cursor in the journal.
pub(crate) const LAKE_CURSOR: &str = "lake";

/// State of the journal: where it ended when a lake was first looked for that has not been seen since.
const UNSEEN: &str = "own/lake-unseen";

/// State of the journal: another collector has written into the lake under this journal's name.
const ANOTHER: &str = "own/lake-of-another";

/// The lake, and what it does not have yet.
pub(super) struct LakeRoom {
    /// None until it is in reach.
    lake: watch::Sender<Option<Lake>>,
    pub(super) app_id: String,
    pub(super) tail: Tail,
    condition: Condition,
    pub(super) workers: Workers,
    pub(super) metrics: LakeMetrics,
    /// How long it keeps what; a change is taken up at once.
    pub(super) retention: watch::Sender<Retention>,
    /// What the journal has for tables that are made of files.
    pub(super) files: BTreeMap<FileTable, OfFiles>,
    pub(super) tasks: Tasks,
}

/// Rows of watched files for one table, which have their own place in the journal.
pub(super) struct OfFiles {
    table: FileTable,
    pub(super) tail: FileTail,
    /// Whether any are to be carried.
    wanted: watch::Sender<bool>,
    metrics: FileMetrics,
    spool: Spool,
}

impl LakeRoom {
    /// Opens the lake, or goes on looking for it; none where it is switched off.
    ///
    /// # Errors
    /// What this machine knows to be wrong by itself, a lake in the data folder that cannot be opened, or a journal that is
    /// older than the lake.
    pub(super) async fn start(
        config: &checked::Lake,
        data_dir: &DataDir,
        recorder: &Recorder,
        keeper: &Keeper,
        registry: &mut Registry,
    ) -> anyhow::Result<Option<LakeRoom>> {
        let journal = keeper.journal();
        if !config.enabled {
            forget::lake(journal, recorder).await?;
            return Ok(None);
        }
        let place = lake_place::of(config, data_dir)?;
        let metrics = LakeMetrics::default();
        metrics.register(registry);
        let workers = Workers::start(metrics.queries.clone(), metrics.damaged.clone())
            .context("cannot start the threads for queries")?;
        let room = LakeRoom {
            lake: watch::Sender::default(),
            app_id: app_id(journal.id()),
            tail: Tail::new(),
            condition: Condition::new(metrics.degraded.clone()),
            workers,
            metrics,
            retention: watch::Sender::new(retention::of(config)),
            files: OfFiles::all(keeper.spool(), registry),
            tasks: Tasks::default(),
        };
        for files in room.files.values() {
            files.resume(journal)?;
        }
        let mut carrier = room.carrier(config, data_dir, recorder, journal)?;
        let end = *journal.durable().borrow();
        match &config.azure {
            None => {
                let lake = carrier.found(place, end).await.context("lake")?;
                carrier.carry(lake);
            }
            Some(azure) => {
                let scratch = data_dir.lake();
                let again = {
                    let azure = azure.clone();
                    move || Ok(Place::Azure(lake_place::in_azure(&azure, &scratch)?))
                };
                // Before an event is taken in: it is not to pass for one that the lake has.
                let end = unseen_since(journal).unwrap_or(end);
                recorder.keep_state(unseen(Some(end))).await;
                room.look_for(carrier, place, again, end).await?;
            }
        }
        Ok(Some(room))
    }

    /// The lake, as soon as it is there.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn lake(&self) -> Result<Lake, QueryError> {
        let lake = self.lake.borrow().clone();
        lake.ok_or_else(|| QueryError::Away {
            reason: self.reason().unwrap_or_default(),
        })
    }

    /// What is held up and why; none while all is at work.
    pub(super) fn reason(&self) -> Option<String> {
        let is_away = self.lake.borrow().is_none();
        let silent = || is_away.then(|| "it has not answered yet".to_owned());
        self.condition.reason().or_else(silent)
    }

    fn carrier(
        &self,
        config: &checked::Lake,
        data_dir: &DataDir,
        recorder: &Recorder,
        journal: &Journal,
    ) -> anyhow::Result<Carrier> {
        Ok(Carrier {
            opened: self.lake.clone(),
            app_id: self.app_id.clone(),
            tail: self.tail.clone(),
            condition: self.condition.clone(),
            metrics: self.metrics.clone(),
            retention: self.retention.subscribe(),
            files: self.files.values().map(OfFiles::carrier).collect(),
            tasks: self.tasks.clone(),
            workers: self.workers.handle().clone(),
            collector: Handle::current(),
            flush: Flush {
                interval: config.flush_interval.0,
                rows: usize::try_from(config.flush_rows).unwrap_or(usize::MAX),
            },
            upkeep_after: config.upkeep_after.0,
            clock: Clock::of(&data_dir.lake()),
            recorder: recorder.clone(),
            cursor: journal.cursor(LAKE_CURSOR, Start::Oldest)?,
            journal: journal.clone(),
        })
    }

    /// Looks for the lake until it is there. Whoever starts waits for the first look, but not for long.
    async fn look_for(
        &self,
        carrier: Carrier,
        place: Place,
        again: impl Fn() -> anyhow::Result<Place> + Send + 'static,
        end: Seq,
    ) -> Result<(), JournalOlder> {
        let (first, looked) = oneshot::channel();
        let looking = carrier.look(place, again, end, first);
        self.tasks.tracker.spawn(looking);
        if let Ok(Ok(Some(older))) = timeout(LAKE_FIRST_LOOK, looked).await {
            return Err(older);
        }
        if self.lake.borrow().is_none() {
            tracing::error!(
                "windrow starts without its lake: what comes is acknowledged and forwarded, and waits in the journal for the lake"
            );
        }
        Ok(())
    }
}

/// The journal was put back without the lake.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the lake has this journal's events up to {position}, and the journal ended at {end}: it is older than the \
     lake, as if put back from a copy. Put back both as they were at one time, or move journal/ away: a new one begins"
)]
struct JournalOlder {
    position: Seq,
    end: Seq,
}

impl OfFiles {
    fn all(spool: &Spool, registry: &mut Registry) -> BTreeMap<FileTable, OfFiles> {
        let metrics = FilesMetrics::default();
        metrics.register(registry);
        let all = FileTable::ALL.into_iter().map(|table| {
            let files = OfFiles {
                table,
                tail: FileTail::new(),
                wanted: watch::Sender::new(false),
                metrics: metrics.of(table),
                spool: spool.clone(),
            };
            (table, files)
        });
        all.collect()
    }

    /// Goes on with what an earlier start left. A place behind which there is nothing is given up, since each costs reading.
    fn resume(&self, journal: &Journal) -> anyhow::Result<()> {
        let cursor = file_sink::cursor_name(self.table);
        let place = journal.cursors();
        let place = place.into_iter().find(|(name, _)| *name == cursor);
        match place {
            None => Ok(()),
            Some((_, position)) if file_sink::waits(self.table, journal, position) => {
                self.want(journal)
            }
            Some(_) => {
                journal.remove_cursor(&cursor)?;
                Ok(())
            }
        }
    }

    /// Rows come from now on. What is taken in after this is kept for the lake.
    ///
    /// # Errors
    /// The journal has no place for them.
    pub(super) fn want(&self, journal: &Journal) -> anyhow::Result<()> {
        let place = journal.cursor(&file_sink::cursor_name(self.table), Start::Newest);
        place.with_context(|| format!("the place of {} in the journal", self.table.rows()))?;
        self.wanted.send_replace(true);
        Ok(())
    }

    fn carrier(&self) -> FileCarrier {
        FileCarrier {
            table: self.table,
            tail: self.tail.clone(),
            wanted: self.wanted.subscribe(),
            metrics: self.metrics.clone(),
            spool: self.spool.clone(),
        }
    }
}

/// What it takes to carry rows of a table.
struct FileCarrier {
    table: FileTable,
    tail: FileTail,
    wanted: watch::Receiver<bool>,
    metrics: FileMetrics,
    spool: Spool,
}

impl FileCarrier {
    /// Carries them as soon as there are any, until `shutdown`.
    async fn run(mut self, sink: FileSink, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => return,
            wanted = self.wanted.wait_for(|wanted| *wanted) => if wanted.is_err() { return; },
        }
        let cursor = file_sink::cursor_name(self.table);
        match sink.journal.cursor(&cursor, Start::Newest) {
            Ok(cursor) => sink.run(cursor, shutdown).await,
            Err(error) => {
                let what = self.table.rows();
                tracing::error!(%error, "{what} have no place in the journal");
            }
        }
    }
}

/// What it takes to carry events into the lake once it is there.
struct Carrier {
    opened: watch::Sender<Option<Lake>>,
    app_id: String,
    tail: Tail,
    condition: Condition,
    metrics: LakeMetrics,
    retention: watch::Receiver<Retention>,
    files: Vec<FileCarrier>,
    tasks: Tasks,
    /// Where commits and upkeep run.
    workers: Handle,
    /// Where the journal is read.
    collector: Handle,
    flush: Flush,
    upkeep_after: Duration,
    clock: Clock,
    recorder: Recorder,
    cursor: Cursor,
    journal: Journal,
}

impl Carrier {
    /// Opens the lake, as often as it takes, and carries events into it. `first` is told how the first look went.
    async fn look(
        mut self,
        place: Place,
        again: impl Fn() -> anyhow::Result<Place>,
        end: Seq,
        first: oneshot::Sender<Option<JournalOlder>>,
    ) {
        let shutdown = self.tasks.token.clone();
        let (mut place, mut first) = (Ok(place), Some(first));
        let mut pause = RETRY_PAUSE.0;
        loop {
            let found = async { self.found(place?, end).await };
            let found = tokio::select! {
                () = shutdown.cancelled() => return,
                found = found => found,
            };
            let error = match found {
                Ok(lake) => {
                    self.condition.works(Work::Opening);
                    self.carry(lake);
                    let _ = first.map(|first| first.send(None));
                    return;
                }
                Err(error) => error,
            };
            let reason = format!("{error:#}");
            let older = error.downcast::<JournalOlder>().ok();
            let is_older = older.is_some();
            if let Some(first) = first.take()
                && first.send(older).is_ok()
                && is_older
            {
                return;
            }
            tracing::error!(error = reason, retry_in = ?pause, "the lake cannot be opened; the journal keeps the events");
            self.condition.failed(Work::Opening, &reason);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
            // Its key may have been written anew meanwhile.
            place = again();
        }
    }

    /// Opens the lake, and sees whether it fits a journal that ended there when it was last seen.
    async fn found(&mut self, place: Place, end: Seq) -> anyhow::Result<Lake> {
        if self.journal.state(ANOTHER).is_some() {
            anyhow::bail!(
                "another collector has written into the lake under the name of this journal, as if both were made from one image: what the lake has of which is not known. Once every destination has its events, stop the service and move journal/ away: a new one begins"
            );
        }
        let app_id = self.app_id.clone();
        let opening = self.workers.spawn(async move {
            let lake = Lake::open(place).await?;
            let position = lake.position(&app_id).await?;
            Ok::<_, LakeError>((lake, position))
        });
        let (lake, position) = AbortOnDropHandle::new(opening).await??;
        let position = position.and_then(|position| Seq::try_from(position).ok());
        let position = position.unwrap_or(0);
        // New events must get sequences that the lake has not seen: it would take them for events that it has.
        if position > end {
            return Err(JournalOlder { position, end }.into());
        }
        if place::lacks(position, &self.journal, &self.recorder).await {
            let taken_back = self.cursor.take_back(position);
            taken_back.context("the lake's place in the journal")?;
        }
        let is_noted = unseen_since(&self.journal).is_some();
        if is_noted && !self.recorder.keep_state(unseen(None)).await {
            // Or the next start would compare what has come since with an end before it.
            anyhow::bail!("the journal does not take the word that the lake was seen");
        }
        Ok(lake)
    }

    /// Carries events into the lake, and keeps it up.
    fn carry(self, lake: Lake) {
        let Tasks { tracker, token } = self.tasks.clone();
        let recorder = self.recorder.clone();
        self.opened.send_replace(Some(lake.clone()));
        let retention = self.retention.clone();
        let upkeep = Upkeep {
            lake: lake.clone(),
            first: self.upkeep_after,
            retention: self.retention,
            metrics: self.metrics.clone(),
            recorder: self.recorder,
            clock: self.clock,
            tasks: self.tasks,
        };
        tracker.spawn_on(upkeep.run(), &self.workers);
        let another = CancellationToken::new();
        let noticed = (another.clone(), token.clone());
        tracker.spawn(async move {
            let (another, token) = noticed;
            if token
                .run_until_cancelled(another.cancelled())
                .await
                .is_some()
            {
                record_another(&recorder).await;
            }
        });
        for carrier in self.files {
            let sink = FileSink {
                table: carrier.table,
                lake: lake.clone(),
                journal: self.journal.clone(),
                spool: carrier.spool.clone(),
                app_id: self.app_id.clone(),
                tail: carrier.tail.clone(),
                interval: self.flush.interval,
                retention: retention.clone(),
                metrics: carrier.metrics.clone(),
                condition: self.condition.clone(),
            };
            tracker.spawn_on(carrier.run(sink, token.clone()), &self.workers);
        }
        let sink = LakeSink {
            store: lake,
            journal: self.journal.id(),
            app_id: self.app_id,
            tail: self.tail,
            flush: self.flush,
            metrics: self.metrics,
            condition: self.condition,
            another,
            runtime: self.workers,
        };
        tracker.spawn_on(sink.run(self.cursor, token), &self.collector);
    }
}

/// It has to be known at the next start too: by then this journal may have gone beyond what the other one wrote.
async fn record_another(recorder: &Recorder) {
    let message = "another collector writes into the lake under this journal's name: nothing more goes there from here";
    let change = StateChange {
        key: ANOTHER.to_owned(),
        value: Some(vec![1]),
    };
    let (id, level) = (OwnEventId::LakeOfAnother, OwnLevel::Error);
    recorder
        .record_with(id, level, message, &[], Some(change))
        .await;
}

/// Where the journal ended when a lake was first looked for that has not been seen since.
fn unseen_since(journal: &Journal) -> Option<Seq> {
    let end = journal.state(UNSEEN)?;
    Some(Seq::from_le_bytes(end.try_into().ok()?))
}

fn unseen(since: Option<Seq>) -> StateChange {
    StateChange {
        key: UNSEEN.to_owned(),
        value: since.map(|end| end.to_le_bytes().to_vec()),
    }
}

/// The journal's name in the lake's transactions.
pub(crate) fn app_id(journal: uuid::Uuid) -> String {
    format!("windrow-journal-{journal}")
}
