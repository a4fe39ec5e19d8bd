//! The newest state of the table that this process has read, and what it takes to move it on by one commit.

use std::collections::HashMap;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Remove, Transaction};
use deltalake::logstore::commit_uri_from_version;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError, checkpoints};
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;

use super::Txn;
use crate::error::LakeError;
use crate::limits::{CHECKPOINT_COMMITS, COMPACTED_FILE_BYTES, POSITIONS};
use crate::schema;

/// A version of the table, and the positions read from it.
pub(crate) struct State {
    table: DeltaTable,
    /// Position of an application, and the version of the table in which it was that.
    positions: HashMap<String, (Option<u64>, Option<i64>)>,
    /// The first version that may be seen and yet not be on the disk, since a write to the log failed.
    doubtful: Option<u64>,
}

impl State {
    pub(super) fn new(table: DeltaTable) -> State {
        State {
            table,
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

    /// A write to the log failed: what comes after the version known so far may be there without being durable.
    pub(super) fn doubt(&mut self) {
        let next = self.table.version().map_or(0, |version| version + 1);
        self.doubtful.get_or_insert(next);
    }

    /// Makes durable what is in doubt. The system tells of a failed sync once and takes the next one for a success
    /// although nothing was written again, so each entry is written anew and takes its own name.
    async fn assure(&mut self) -> Result<(), LakeError> {
        let (Some(first), Some(last)) = (self.doubtful, self.table.version()) else {
            return Ok(());
        };
        let failed = |error: object_store::Error| LakeError::table("write")(error.into());
        let objects = self.table.log_store().object_store(None);
        for version in first..=last {
            let path = commit_uri_from_version(Some(version));
            let entry = objects.get(&path).await.map_err(failed)?;
            let entry = entry.bytes().await.map_err(failed)?;
            objects.put(&path, entry.into()).await.map_err(failed)?;
        }
        self.doubtful = None;
        Ok(())
    }

    /// One attempt to name merged files instead of those they were made of, upon exactly this state.
    pub(super) async fn replace(
        &mut self,
        adds: Vec<Add>,
        removes: Vec<Remove>,
    ) -> Result<(), DeltaTableError> {
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: i64::try_from(COMPACTED_FILE_BYTES.get()).unwrap_or(i64::MAX),
        };
        let removes = removes.into_iter().map(Action::Remove);
        let commit = CommitBuilder::from(properties)
            .with_actions(adds.into_iter().map(Action::Add).chain(removes).collect())
            .build(
                Some(self.table.snapshot()?),
                self.table.log_store(),
                operation,
            )
            .await?;
        self.table.state = Some(commit.snapshot());
        Ok(())
    }

    /// One attempt, upon exactly this state: deltalake's own retries would not look at the position again.
    pub(super) async fn commit(
        &mut self,
        adds: Vec<Add>,
        txn: Option<Txn<'_>>,
    ) -> Result<u64, DeltaTableError> {
        let transactions = txn.map(|(app_id, version)| {
            Transaction::new_with_last_update(
                app_id,
                version,
                Some(Timestamp::now().as_millisecond()),
            )
        });
        let properties = CommitProperties::default()
            .with_application_transactions(transactions.into_iter().collect())
            .with_max_retries(0)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![schema::DATE.to_owned()]),
            predicate: None,
        };
        let commit = CommitBuilder::from(properties)
            .with_actions(adds.into_iter().map(Action::Add).collect())
            .build(
                Some(self.table.snapshot()?),
                self.table.log_store(),
                operation,
            )
            .await?;
        self.table.state = Some(commit.snapshot());
        if let Some((app_id, position)) = txn {
            self.remember(app_id, self.table.version(), Some(position));
        }
        Ok(commit.version())
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
