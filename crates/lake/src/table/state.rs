//! The newest state of the table that this process has read, and what it takes to move it on by one commit.

use std::collections::HashMap;
use std::future::ready;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Transaction};
use deltalake::logstore::commit_uri_from_version;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableError, checkpoints};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::{Changes, Purpose, Txn};
use crate::error::LakeError;
use crate::limits::{CHECKPOINT_COMMITS, COMPACTED_FILE_BYTES, POSITIONS};
use crate::schema;
use crate::store::site::Seen;

/// Paths of the data files of the newest version, one a line. Vacuuming leaves what begins so.
pub(super) const LIVE_FILES: &str = "_live_files.txt";

/// A version of the table, and the positions read from it.
pub(crate) struct State {
    table: DeltaTable,
    seen: Seen,
    /// Position of an application, and the version of the table in which it was that.
    positions: HashMap<String, (Option<u64>, Option<i64>)>,
    /// The first version that may be seen and yet not be on the disk, since a write to the log failed or was given up.
    doubtful: Option<u64>,
}

impl State {
    pub(super) fn new(table: DeltaTable, seen: Seen) -> State {
        State {
            table,
            seen,
            positions: HashMap::new(),
            doubtful: None,
        }
    }

    pub(crate) fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// Reads what was committed since.
    pub(super) async fn refresh(&mut self) -> Result<(), LakeError> {
        self.table
            .update_state()
            .await
            .map_err(LakeError::table("read"))
    }

    /// The version that the newest commit of this application brought it to.
    pub(crate) async fn position(&mut self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let version = self.table.version();
        if let Some((read_at, position)) = self.positions.get(app_id)
            && *read_at == version
        {
            return Ok(*position);
        }
        let state = self.table.snapshot().map_err(LakeError::table("read"))?;
        let log = self.table.log_store();
        let position = state.transaction_version(log.as_ref(), app_id).await;
        let position = position.map_err(LakeError::table("read"))?;
        self.remember(app_id, version, position);
        Ok(position)
    }

    /// The application's position, where it has already reached what this transaction would bring it to.
    pub(crate) async fn reached(&mut self, txn: Option<Txn<'_>>) -> Result<Option<i64>, LakeError> {
        let Some((app_id, version)) = txn else {
            return Ok(None);
        };
        let position = self.position(app_id).await?;
        let reached = position.filter(|position| *position >= version);
        if reached.is_some() {
            self.assure().await?;
        }
        Ok(reached)
    }

    /// What comes after the version known so far may be there without being durable, now or in a while.
    pub(super) fn doubt(&mut self) {
        if self.seen == Seen::Stays {
            return;
        }
        let next = self.table.version().map_or(0, |version| version + 1);
        self.doubtful.get_or_insert(next);
    }

    /// Makes durable what is in doubt, of what has been read. Before that nothing may build upon it: a version after
    /// one that a power cut takes away makes the table unreadable.
    pub(crate) async fn assure(&mut self) -> Result<(), LakeError> {
        self.write_again().await.map_err(LakeError::table("write"))
    }

    /// The system tells of a failed sync once and takes the next one for a success although nothing was written again,
    /// so each entry is written anew and takes its own name.
    async fn write_again(&mut self) -> Result<(), DeltaTableError> {
        let (Some(first), Some(last)) = (self.doubtful, self.table.version()) else {
            return Ok(());
        };
        if last < first {
            // Nothing came of it so far. Where its caller gave up waiting, something may yet.
            return Ok(());
        }
        let objects = self.table.log_store().object_store(None);
        for version in first..=last {
            let path = commit_uri_from_version(Some(version));
            let entry = match objects.get(&path).await {
                // It is old: whoever removed it had made a checkpoint that lasts.
                Err(object_store::Error::NotFound { .. }) if self.covered(version).await? => {
                    continue;
                }
                entry => entry?.bytes().await?,
            };
            objects.put(&path, entry.into()).await?;
        }
        self.doubtful = None;
        Ok(())
    }

    /// Whether a checkpoint holds what this version did.
    async fn covered(&self, version: u64) -> Result<bool, DeltaTableError> {
        let log = self.table.log_store();
        let listed = log.object_store(None).list(Some(log.log_path()));
        let covers = |entry: ObjectMeta| {
            let (number, kind) = entry.location.filename()?.split_once('.')?;
            let is_checkpoint = kind.starts_with("checkpoint") && kind.ends_with(".parquet");
            is_checkpoint.then(|| number.parse::<u64>().ok()).flatten()
        };
        let checkpoints = listed.try_filter_map(|entry| ready(Ok(covers(entry))));
        let newest = checkpoints.try_fold(None, |newest, one| ready(Ok(newest.max(Some(one)))));
        Ok(newest.await?.is_some_and(|newest| newest >= version))
    }

    /// One entry of the log, upon exactly this state; deltalake's own retries would not look at it again.
    pub(super) async fn write(
        &mut self,
        actions: Vec<Action>,
        transactions: Vec<Transaction>,
        operation: DeltaOperation,
    ) -> Result<u64, DeltaTableError> {
        self.write_again().await?;
        let before = self.doubtful;
        // Ahead of the attempt, since whoever waits for it may give up.
        self.doubt();
        let properties = CommitProperties::default()
            .with_application_transactions(transactions)
            .with_max_retries(0)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(
                Some(self.table.snapshot()?),
                self.table.log_store(),
                operation,
            )
            .await;
        match &committed {
            // The version in doubt is this one: an earlier attempt would have been in its way.
            Ok(_) => self.doubtful = None,
            Err(error) if is_overtaken(error) => self.doubtful = before,
            Err(_) => {}
        }
        let commit = committed?;
        self.table.state = Some(commit.snapshot());
        Ok(commit.version())
    }

    /// One attempt to change which files the table has.
    pub(super) async fn commit(
        &mut self,
        changes: Changes,
        txns: &[Txn<'_>],
    ) -> Result<u64, DeltaTableError> {
        let now = Some(Timestamp::now().as_millisecond());
        let transactions = txns
            .iter()
            .map(|(app_id, version)| Transaction::new_with_last_update(*app_id, *version, now));
        let transactions = transactions.collect();
        let operation = match changes.purpose {
            Purpose::Append => DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(vec![schema::DATE.to_owned()]),
                predicate: None,
            },
            Purpose::Merge => DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(COMPACTED_FILE_BYTES.get()).unwrap_or(i64::MAX),
            },
            Purpose::Delete => DeltaOperation::Delete { predicate: None },
        };
        let adds = changes.adds.into_iter().map(Action::Add);
        let removes = changes.removes.into_iter().map(Action::Remove);
        let actions = adds.chain(removes).collect();
        let version = self.write(actions, transactions, operation).await?;
        for (app_id, position) in txns {
            self.remember(app_id, self.table.version(), Some(*position));
        }
        Ok(version)
    }

    /// What follows each commit.
    pub(super) async fn committed(&self, version: u64) {
        self.publish().await;
        self.checkpoint_when_due(version).await;
    }

    /// Says to readers that know no Delta which files count: a folder also has those that were merged. Files of the list
    /// before stay as long as merged ones do, so that it may be a commit behind.
    pub(super) async fn publish(&self) {
        let Ok(snapshot) = self.table.snapshot() else {
            return;
        };
        let paths = live_files(snapshot);
        let list: String = paths.iter().flat_map(|path| [path, "\n"]).collect();
        let objects = self.table.log_store().object_store(None);
        if let Err(error) = objects.put(&LIVE_FILES.into(), list.into()).await {
            tracing::warn!(%error, "cannot write the list of the lake's live files: readers of plain Parquet see an older one");
        }
    }

    /// Keeps the log short to read. It is upkeep: a failure costs time at the next start and no event.
    pub(super) async fn checkpoint_when_due(&self, version: u64) {
        if !(version + 1).is_multiple_of(CHECKPOINT_COMMITS) {
            return;
        }
        if let Err(error) = checkpoints::create_checkpoint(&self.table, None).await {
            tracing::warn!(%error, version, "cannot write a checkpoint of the lake's log");
            return;
        }
        if let Err(error) = checkpoints::cleanup_metadata(&self.table, None).await {
            tracing::warn!(%error, version, "cannot remove old entries of the lake's log");
        }
    }

    fn remember(&mut self, app_id: &str, version: Option<u64>, position: Option<i64>) {
        if self.positions.len() >= POSITIONS {
            self.positions.clear();
        }
        self.positions
            .insert(app_id.to_owned(), (version, position));
    }
}

/// Paths of a version's data files, in order.
pub(super) fn live_files(version: &DeltaTableState) -> Vec<String> {
    let files = version.log_data().into_iter();
    let mut paths: Vec<String> = files.map(|file| file.path().into_owned()).collect();
    paths.sort_unstable();
    paths
}

/// Whether another writer took the version first.
pub(super) fn is_overtaken(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::MaxCommitAttempts(_)
                    | TransactionError::VersionAlreadyExists(_)
            }
    )
}
