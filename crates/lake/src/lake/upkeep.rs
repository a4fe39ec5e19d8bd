//! Keeps the table's files few: those of days that are over become one, and what no version names goes.
//!
//! A commit a minute is fourteen hundred files a day, each of which every query opens. Readers see the
//! same rows before and after. Replaced files stay for [`REPLACED_DAYS`](crate::limits::REPLACED_DAYS),
//! for those who read the version before, here or with another program.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::{DeltaTable, DeltaTableError};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::Lake;
use super::merge::Part;
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

impl Lake {
    /// Merges the small files of days that are over, some days a call, and removes files that were replaced or left
    /// behind long enough ago. Others may append and query meanwhile.
    pub async fn keep_up(&self, now: Timestamp) -> Result<Upkeep, LakeError> {
        let mut done = Upkeep::default();
        let table = self.snapshot().await?;
        let mut bytes = 0;
        for (day, small) in scattered(&table, now)?.into_iter().take(COMPACT_DAYS) {
            let size: u64 = small.iter().map(|part| part.bytes).sum();
            if bytes > 0 && bytes + size > COMPACT_BYTES {
                break;
            }
            bytes += size;
            done.merged += self.merge_day(&day, small).await?;
            done.days += 1;
        }
        done.removed = self.remove_unnamed(now).await?;
        let state = self.newest().await?;
        if let Some(version) = state.table().version() {
            state.checkpoint_when_due(version).await;
        }
        Ok(done)
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

/// Days that are over and have many small files, the oldest first, with those files in the order they came.
fn scattered(table: &DeltaTable, now: Timestamp) -> Result<BTreeMap<String, Vec<Part>>, LakeError> {
    let read = |error: DeltaTableError| LakeError::table("read")(error);
    let today = Offset::UTC.to_datetime(now).date().to_string();
    let mut days = BTreeMap::<String, Vec<Part>>::new();
    for file in table.snapshot().map_err(read)?.log_data() {
        let bytes = u64::try_from(file.size()).unwrap_or(0);
        let day = file.partition_values_map().remove(schema::DATE).flatten();
        let Some(day) = day.filter(|day| *day < today) else {
            continue;
        };
        if bytes < COMPACTED_FILE_BYTES.get() / 2 {
            days.entry(day).or_default().push(Part {
                bytes,
                written_at: file.modification_time(),
                remove: file.remove_action(false),
            });
        }
    }
    days.retain(|_, small| small.len() >= COMPACT_FILES);
    for small in days.values_mut() {
        small.sort_by_key(|part| part.written_at);
    }
    Ok(days)
}
