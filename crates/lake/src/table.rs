//! One table on disk: opened or made, appended to exactly once, checkpointed.
//!
//! Invariants:
//! - One append is one commit. Its data files are on the disk before the commit names them, and the
//!   commit is on the disk before `append` returns (`store.rs`). A version of which that is not known is written
//!   again before anything builds upon it or is answered from it (`state.rs`).
//! - An append with a transaction happens once: the version stored for its application is read again
//!   before every attempt, so a commit that in truth succeeded is never repeated. The version of one who appends only rises.
//! - An append that failed takes its data files back; a crash between data file and commit leaves files
//!   that no version names, which [`Table::keep_up`] finds.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Add, Remove, StructType};
use deltalake::logstore::LogStoreRef;
use deltalake::operations::create::CreateBuilder;
use deltalake::{DeltaTable, DeltaTableError};
use jiff::Timestamp;
use jiff::civil::Date;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::errors::ParquetError;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

use crate::datafile::{self, Change};
use crate::error::LakeError;
use crate::limits::{
    CHECKPOINT_COMMITS, COMMIT_ATTEMPTS, COMMIT_DAYS, LOG_RETENTION_DAYS, REPLACED_DAYS,
};
use crate::place::Place;
use crate::rows::{Days, Rows};
use crate::schema::{self, Definition};
use crate::store::site::{Seen, Site, log_in};

mod after;
mod check;
mod expire;
mod merge;
mod migrate;
mod state;
mod upkeep;

pub use check::{Checked, Cure, Kept, TakenOut};
pub use expire::{Expired, Run, Told};
pub(crate) use state::State;
pub use upkeep::Upkeep;

/// A table of the lake. Cheap to clone; clones share the table.
#[derive(Clone)]
pub(crate) struct Table {
    shared: Arc<Shared>,
}

struct Shared {
    definition: &'static Definition,
    site: Site,
    log: LogStoreRef,
    /// Held while committing, so that this process does not race with itself.
    state: Mutex<State>,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The rows are in the lake, durable, as this version of the table.
    Committed {
        /// Version of the table.
        version: u64,
        /// Rows added.
        rows: u64,
        /// Bytes of the data files.
        bytes: u64,
    },
    /// The application had already reached this version: nothing was written.
    Already {
        /// Version stored for the application.
        position: i64,
    },
    /// There was nothing to write and no transaction to record.
    Nothing,
}

/// What the table amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Version of the table.
    pub version: u64,
    /// Data files that this version names.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events in them, as their statistics say.
    pub rows: u64,
}

/// A table and how much it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Its name.
    pub name: &'static str,
    /// Its folder.
    pub folder: PathBuf,
    /// Version of its columns.
    pub schema_version: i64,
    /// Its newest version.
    pub extent: Extent,
    /// The first date it has rows of.
    pub first: Option<Date>,
    /// The last one.
    pub last: Option<Date>,
    /// Dates it has rows of.
    pub dates: u64,
}

/// An application and the version an append brings it to.
pub(crate) type Txn<'a> = (&'a str, i64);

/// What a commit changes.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    adds: Vec<Add>,
    removes: Vec<Remove>,
    purpose: Purpose,
}

/// What a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Rows that were not there.
    Append,
    /// The same rows in other files.
    Merge,
    /// Fewer rows, or less of them.
    Delete,
}

impl Changes {
    /// Files of new rows.
    pub(crate) fn append(adds: Vec<Add>) -> Changes {
        Changes {
            adds,
            removes: Vec::new(),
            purpose: Purpose::Append,
        }
    }

    /// Files of new rows in the place of other ones.
    pub(crate) fn overwrite(adds: Vec<Add>, removes: Vec<Remove>) -> Changes {
        Changes {
            adds,
            removes,
            purpose: Purpose::Append,
        }
    }

    /// Files without some rows in the place of those that had them.
    fn delete(adds: Vec<Add>, removes: Vec<Remove>) -> Changes {
        Changes {
            adds,
            removes,
            purpose: Purpose::Delete,
        }
    }

    /// The rows of some files in one.
    fn merge(add: Add, removes: Vec<Remove>) -> Changes {
        Changes {
            adds: vec![add],
            removes,
            purpose: Purpose::Merge,
        }
    }
}

impl Table {
    /// Opens the table in the lake of this folder to write, and makes it where there is none.
    pub(crate) async fn open(
        definition: &'static Definition,
        place: &Place,
    ) -> Result<Table, LakeError> {
        let (site, log) = Site::to_write(place, definition.name)?;
        site.look_at_checkpoint()?;
        let table = load_or_create(definition, &log).await?;
        let found = schema_version(definition, &table, site.shown())?;
        site.recover()?;
        let table = Table::new(definition, site, log, table);
        if found < definition.version {
            table.migrate().await?;
        }
        table.newest().await?.publish().await;
        Ok(table)
    }

    /// Opens the table in the lake of this folder to read, and changes nothing there; none where there is none.
    pub(crate) async fn open_to_read(
        definition: &'static Definition,
        place: &Place,
    ) -> Result<Option<Table>, LakeError> {
        let Some((site, log)) = Site::to_read(place, definition.name)? else {
            return Ok(None);
        };
        site.look_at_checkpoint()?;
        let Some(table) = load(&log).await? else {
            return Ok(None);
        };
        schema_version(definition, &table, site.shown())?;
        Ok(Some(Table::new(definition, site, log, table)))
    }

    /// A table without rows that is nowhere.
    pub(crate) async fn empty(
        definition: &'static Definition,
        place: &Place,
    ) -> Result<Table, LakeError> {
        let log = log_in(EMPTY, Arc::new(InMemory::new()))?;
        let table = create(definition, &log).await;
        let table = table.map_err(LakeError::table("open"))?;
        let folder = match place {
            Place::Folder(dir) => dir.join(definition.name),
            Place::Azure(azure) => PathBuf::from(format!("{}/{}", azure.url, definition.name)),
        };
        Ok(Table::new(definition, Site::Folder(folder), log, table))
    }

    fn new(
        definition: &'static Definition,
        site: Site,
        log: LogStoreRef,
        table: DeltaTable,
    ) -> Table {
        let state = Mutex::new(State::new(table, site.seen()));
        Table {
            shared: Arc::new(Shared {
                definition,
                site,
                log,
                state,
            }),
        }
    }

    /// What the table is.
    pub(crate) fn definition(&self) -> &'static Definition {
        self.shared.definition
    }

    /// What the table is called.
    pub(crate) fn name(&self) -> &'static str {
        self.shared.definition.name
    }

    /// The folder of the table, as people are told of it.
    pub(crate) fn folder(&self) -> &Path {
        self.shared.site.shown()
    }

    /// Where its files are.
    pub(crate) fn site(&self) -> &Site {
        &self.shared.site
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> &LogStoreRef {
        &self.shared.log
    }

    /// The version that the newest commit of this application brought it to. That commit is durable.
    pub(crate) async fn position(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let mut newest = self.newest().await?;
        newest.assure().await?;
        newest.position(app_id).await
    }

    /// Adds these rows as one commit, together with the application's new version.
    ///
    /// With a transaction an append is done once, however often it is tried: after any error, and
    /// after a restart, append the same rows with the same transaction again. Without one, an append
    /// that failed may have succeeded.
    pub(crate) async fn append(
        &self,
        rows: Rows,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        if rows.is_empty() && txn.is_none() {
            return Ok(Appended::Nothing);
        }
        if let Some(position) = self.newest().await?.reached(txn).await? {
            return Ok(Appended::Already { position });
        }
        let count = rows.len() as u64;
        let adds = self.write_files(rows).await?;
        let bytes = adds
            .iter()
            .map(|add| u64::try_from(add.size).unwrap_or(0))
            .sum();
        let paths = paths(&adds);
        match self.commit(Changes::append(adds), txn).await {
            Ok(Commit::Version(version)) => Ok(Appended::Committed {
                version,
                rows: count,
                bytes,
            }),
            Ok(Commit::Already(position)) => {
                self.remove_unless_named(&paths).await;
                Ok(Appended::Already { position })
            }
            Err(error) => {
                self.take_back(&paths).await;
                Err(error)
            }
        }
    }

    /// Size of the newest version.
    pub(crate) async fn extent(&self) -> Result<Extent, LakeError> {
        let table = self.snapshot().await?;
        let state = table.snapshot().map_err(LakeError::table("read"))?;
        let mut extent = Extent {
            version: state.version(),
            files: 0,
            bytes: 0,
            rows: 0,
        };
        for file in state.log_data() {
            extent.files += 1;
            extent.bytes += u64::try_from(file.size()).unwrap_or(0);
            extent.rows += file.num_records().unwrap_or(0) as u64;
        }
        Ok(extent)
    }

    /// What the newest version amounts to.
    pub(crate) async fn overview(&self) -> Result<Overview, LakeError> {
        let extent = self.extent().await?;
        let table = self.snapshot().await?;
        let state = table.snapshot().map_err(LakeError::table("read"))?;
        let files = state.log_data().into_iter();
        let dates = files.filter_map(|file| {
            let date = file.partition_values_map().remove(schema::DATE).flatten()?;
            date.parse::<Date>().ok()
        });
        let dates: BTreeSet<Date> = dates.collect();
        Ok(Overview {
            name: self.name(),
            folder: self.folder().to_owned(),
            schema_version: schema_version(self.shared.definition, &table, self.folder())?,
            extent,
            first: dates.first().copied(),
            last: dates.last().copied(),
            dates: dates.len() as u64,
        })
    }

    /// Paths of its data files, below its folder, in order.
    pub(crate) async fn live_files(&self) -> Result<Vec<String>, LakeError> {
        let table = self.snapshot().await?;
        let state = table.snapshot().map_err(LakeError::table("read"))?;
        Ok(state::live_files(state))
    }

    /// Whether the newest version has this data file.
    pub(crate) async fn names(&self, path: &str) -> Result<bool, LakeError> {
        let table = self.snapshot().await?;
        let state = table.snapshot().map_err(LakeError::table("read"))?;
        Ok(state.log_data().into_iter().any(|file| file.path() == path))
    }

    /// The newest state of the table, for as long as nobody else may touch it.
    pub(crate) async fn newest(&self) -> Result<MutexGuard<'_, State>, LakeError> {
        let mut state = self.shared.state.lock().await;
        state.refresh().await?;
        // A newer windrow may have added columns meanwhile, which this one would leave out of what it merges.
        schema_version(self.shared.definition, state.table(), self.folder())?;
        Ok(state)
    }

    /// The newest version of the table.
    pub(crate) async fn snapshot(&self) -> Result<DeltaTable, LakeError> {
        Ok(self.newest().await?.table().clone())
    }

    /// Encodes rows and puts their files in place, one for each of their days. Until a commit names them, no reader
    /// sees them.
    pub(crate) async fn write_files(&self, rows: Rows) -> Result<Vec<Add>, LakeError> {
        let definition = self.shared.definition;
        let days = Arc::new(spawn_blocking(move || rows.days(definition, COMMIT_DAYS)).await?);
        let dates: Vec<String> = days.dates().map(ToOwned::to_owned).collect();
        let mut adds = Vec::with_capacity(dates.len());
        for date in dates {
            // A day after the other, so that one encoder's memory and one file are the most there is.
            match self.write_file(Arc::clone(&days), date).await {
                Ok(add) => adds.push(add),
                Err(error) => {
                    self.remove_files(&paths(&adds)).await;
                    return Err(error);
                }
            }
        }
        Ok(adds)
    }

    async fn write_file(&self, days: Arc<Days>, date: String) -> Result<Add, LakeError> {
        let definition = self.shared.definition;
        let encode = move || {
            let rows = days.rows(&date).map_err(ParquetError::from)?;
            datafile::encode(definition, &date, &rows)
        };
        let (file, bytes) = spawn_blocking(encode).await??;
        let add = file.add(bytes.len() as u64, Timestamp::now(), Change::Rows);
        let objects = self.shared.log.object_store(None);
        let put = objects.put(&add.path.as_str().into(), bytes.into()).await;
        if let Err(source) = put {
            self.remove_files(&[add.path]).await;
            return Err(LakeError::table("write")(source.into()));
        }
        Ok(add)
    }

    /// Takes back files of a commit of which it is not known whether it happened.
    pub(crate) async fn take_back(&self, paths: &[String]) {
        match self.site().seen() {
            Seen::UntilSynced => self.remove_unless_named(paths).await,
            // A request that was given up may still arrive, and name them. [`Table::keep_up`] finds what stays unnamed.
            Seen::Stays => {}
        }
    }

    /// Takes back files of a commit that failed, once the newest version shows that it did not happen after all.
    pub(crate) async fn remove_unless_named(&self, paths: &[String]) {
        let named: HashSet<String> = {
            let Ok(newest) = self.newest().await else {
                return;
            };
            let Ok(snapshot) = newest.table().snapshot() else {
                return;
            };
            let files = snapshot.log_data().into_iter();
            files.map(|file| file.path().into_owned()).collect()
        };
        if !paths.iter().any(|path| named.contains(path)) {
            self.remove_files(paths).await;
        }
    }

    /// Takes back files that no commit names. What remains is found by [`Table::keep_up`].
    pub(crate) async fn remove_files(&self, paths: &[String]) {
        let objects = self.shared.log.object_store(None);
        for path in paths {
            if let Err(error) = objects.delete(&path.as_str().into()).await {
                tracing::debug!(%error, path, "cannot remove a data file that was not committed");
            }
        }
    }

    async fn commit(&self, changes: Changes, txn: Option<Txn<'_>>) -> Result<Commit, LakeError> {
        for attempt in 0..COMMIT_ATTEMPTS {
            if let Some(commit) = self
                .commit_upon(changes.clone(), txn.as_slice(), None)
                .await?
            {
                return Ok(commit);
            }
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }

    /// One attempt upon the newest version, or upon this one and no other. None where another writer was first.
    pub(crate) async fn commit_upon(
        &self,
        changes: Changes,
        txns: &[Txn<'_>],
        version: Option<u64>,
    ) -> Result<Option<Commit>, LakeError> {
        let mut state = self.newest().await?;
        match version {
            // Whoever names a version has read the position there.
            Some(_) if version != state.table().version() => return Ok(None),
            Some(_) => {}
            None => {
                if let Some(position) = state.reached(txns.first().copied()).await? {
                    // Found on a later attempt it is this very commit, or one of the same rows: as good.
                    return Ok(Some(Commit::Already(position)));
                }
            }
        }
        match state.commit(changes, txns).await {
            Ok(version) => {
                state.committed(version).await;
                Ok(Some(Commit::Version(version)))
            }
            Err(error) if state::is_overtaken(&error) => Ok(None),
            Err(error) => self.settle(&mut state, txns, error).await.map(Some),
        }
    }

    /// After an error that leaves open whether the commit happened: looks. A position that is not what the commit would
    /// have brought it to may be an older one, even a greater.
    async fn settle(
        &self,
        state: &mut State,
        txns: &[Txn<'_>],
        error: DeltaTableError,
    ) -> Result<Commit, LakeError> {
        state.refresh().await?;
        let Some((_, version)) = txns.first() else {
            return Err(LakeError::table("write")(error));
        };
        for (app_id, version) in txns {
            if state.position(app_id).await? != Some(*version) {
                return Err(LakeError::table("write")(error));
            }
        }
        state.assure().await?;
        Ok(Commit::Already(*version))
    }
}

/// Where the files of these actions are.
pub(crate) fn paths(adds: &[Add]) -> Vec<String> {
    adds.iter().map(|add| add.path.clone()).collect()
}

pub(crate) enum Commit {
    Version(u64),
    Already(i64),
}

/// Where a table is that has no folder.
const EMPTY: &str = "memory:///";

/// The table, where there is one.
async fn load(log: &LogStoreRef) -> Result<Option<DeltaTable>, LakeError> {
    let mut table = DeltaTable::new(Arc::clone(log));
    let exists = table
        .verify_deltatable_existence()
        .await
        .map_err(LakeError::table("open"))?;
    if !exists {
        return Ok(None);
    }
    table.load().await.map_err(LakeError::table("open"))?;
    Ok(Some(table))
}

async fn load_or_create(
    definition: &Definition,
    log: &LogStoreRef,
) -> Result<DeltaTable, LakeError> {
    if let Some(table) = load(log).await? {
        return Ok(table);
    }
    match create(definition, log).await {
        Ok(table) => Ok(table),
        // Another process may have made it meanwhile, at any of the steps there are.
        Err(error) => match load(log).await {
            Ok(Some(table)) => Ok(table),
            _ => Err(LakeError::table("create")(error)),
        },
    }
}

async fn create(definition: &Definition, log: &LogStoreRef) -> Result<DeltaTable, DeltaTableError> {
    let columns: StructType = definition.arrow_schema().as_ref().try_into_kernel()?;
    let properties = [
        (schema::SCHEMA_VERSION_KEY, definition.version.to_string()),
        ("delta.checkpointInterval", CHECKPOINT_COMMITS.to_string()),
        (
            "delta.logRetentionDuration",
            format!("interval {LOG_RETENTION_DAYS} days"),
        ),
        (
            "delta.deletedFileRetentionDuration",
            format!("interval {REPLACED_DAYS} days"),
        ),
        (
            "delta.dataSkippingStatsColumns",
            definition.skipping.join(","),
        ),
    ];
    CreateBuilder::new()
        .with_log_store(Arc::clone(log))
        .with_table_name(definition.name)
        .with_columns(columns.fields().cloned())
        .with_partition_columns([schema::DATE])
        .with_configuration(properties.map(|(key, value)| (key, Some(value))))
        .with_raise_if_key_not_exists(false)
        .await
}

/// The version of the table's columns.
fn schema_version(
    definition: &Definition,
    table: &DeltaTable,
    folder: &Path,
) -> Result<i64, LakeError> {
    let metadata = table
        .snapshot()
        .map_err(LakeError::table("open"))?
        .metadata();
    let version = metadata.configuration().get(schema::SCHEMA_VERSION_KEY);
    match version.and_then(|version| version.parse::<i64>().ok()) {
        Some(found) if found > definition.version => Err(LakeError::Newer {
            path: folder.to_owned(),
            found,
            supported: definition.version,
        }),
        Some(found) if found > 0 => Ok(found),
        _ => Err(LakeError::Foreign {
            path: folder.to_owned(),
        }),
    }
}

/// Waits longer after each lost race, by an amount that differs between processes.
pub(crate) async fn back_off(attempt: u32) {
    let spread = u64::from(std::process::id() % 7) + 1;
    tokio::time::sleep(Duration::from_millis(spread << attempt.min(6))).await;
}

#[cfg(test)]
mod tests;
