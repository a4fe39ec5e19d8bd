//! Keeps the table's files few: those of days that are over become one, and what no version names goes.
//!
//! A commit a minute is fourteen hundred files a day, each of which every query opens. Readers see the
//! same rows before and after. Replaced files stay for [`REPLACED_DAYS`](crate::limits::REPLACED_DAYS),
//! for those who read the version before, here or with another program.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::{DeltaTable, DeltaTableError, FilterOp, FilterValue};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::Lake;
use crate::datafile;
use crate::error::LakeError;
use crate::limits::{COMPACT_BYTES, COMPACT_DAYS, COMPACT_FILES, COMPACTED_FILE_BYTES};
use crate::schema;

/// What was done for the table's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Days whose files were merged.
    pub days: u64,
    /// Files that were merged.
    pub merged: u64,
    /// Files that no version needs any more, removed.
    pub removed: u64,
}

/// Now, as whoever calls says it.
#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.as_millisecond()
    }
}

/// The small files of a day.
#[derive(Default)]
struct Small {
    files: usize,
    bytes: u64,
}

impl Lake {
    /// Merges the small files of days that are over, some days a call, and removes files that were replaced or left
    /// behind long enough ago. Others may append and query meanwhile.
    pub async fn keep_up(&self, now: Timestamp) -> Result<Upkeep, LakeError> {
        let mut done = Upkeep::default();
        let table = self.snapshot().await?;
        let mut bytes = 0;
        for (day, small) in scattered(&table, now)?.into_iter().take(COMPACT_DAYS) {
            if bytes > 0 && bytes + small.bytes > COMPACT_BYTES {
                break;
            }
            bytes += small.bytes;
            done.merged += self.merge_day(&day).await?;
            done.days += 1;
        }
        done.removed = self.remove_unnamed(now).await?;
        let state = self.newest().await?;
        if let Some(version) = state.table().version() {
            state.checkpoint_when_due(version).await;
        }
        Ok(done)
    }

    async fn merge_day(&self, day: &str) -> Result<u64, LakeError> {
        let filters = [(schema::DATE, FilterOp::Eq, FilterValue::Scalar(day))];
        let table = self.snapshot().await?;
        let merged = table
            .optimize()
            .with_filters(&filters)
            .with_target_size(COMPACTED_FILE_BYTES)
            // One after the other: a row group of each is in memory.
            .with_max_concurrent_tasks(1)
            .with_commit_properties(plain_commit())
            .with_writer_properties(datafile::writer_properties()?)
            .await;
        let (_, metrics) = merged.map_err(LakeError::table("compact"))?;
        Ok(metrics.num_files_removed)
    }

    /// Files of data that no version of the last days names: replaced by merging, or of a commit that never was.
    async fn remove_unnamed(&self, now: Timestamp) -> Result<u64, LakeError> {
        let vacuum = |table: DeltaTable| {
            table
                .vacuum()
                .with_mode(VacuumMode::Full)
                .with_clock(Arc::new(At(now)))
                .with_commit_properties(plain_commit())
        };
        // Two entries in the log tell of a vacuum, so one that has nothing to do is not begun.
        let (_, found) = vacuum(self.snapshot().await?)
            .with_dry_run(true)
            .await
            .map_err(LakeError::table("look for unneeded files of"))?;
        if found.files_deleted.is_empty() {
            return Ok(0);
        }
        let (_, removed) = vacuum(self.snapshot().await?)
            .await
            .map_err(LakeError::table("remove unneeded files of"))?;
        Ok(removed.files_deleted.len() as u64)
    }
}

/// Checkpoints are written by whoever appends.
fn plain_commit() -> CommitProperties {
    CommitProperties::default()
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
}

/// Days that are over and have many small files, the oldest first.
fn scattered(table: &DeltaTable, now: Timestamp) -> Result<BTreeMap<String, Small>, LakeError> {
    let read = |error: DeltaTableError| LakeError::table("read")(error);
    let today = Offset::UTC.to_datetime(now).date().to_string();
    let mut days = BTreeMap::<String, Small>::new();
    for file in table.snapshot().map_err(read)?.log_data() {
        let size = u64::try_from(file.size()).unwrap_or(0);
        let day = file.partition_values_map().remove(schema::DATE).flatten();
        let Some(day) = day.filter(|day| *day < today) else {
            continue;
        };
        if size < COMPACTED_FILE_BYTES.get() / 2 {
            let small = days.entry(day).or_default();
            small.files += 1;
            small.bytes += size;
        }
    }
    days.retain(|_, small| small.files >= COMPACT_FILES);
    Ok(days)
}
