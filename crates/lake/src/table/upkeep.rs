//! Keeps the table's files few: those of days that are over become one, and what no version names goes.
//!
//! A commit a minute is fourteen hundred files a day, each of which every query opens. Readers see the
//! same rows before and after. Replaced files stay for [`REPLACED_DAYS`](crate::limits::REPLACED_DAYS),
//! for those who read the version before, here or with another program.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use jiff::tz::Offset;
use object_store::{ObjectStore as _, path::Path};
use tokio::time::Instant;

use super::Table;
use super::merge::Part;
use crate::error::LakeError;
use crate::footer;
use crate::limits::{COMPACT_DAYS, COMPACT_FILES, COMPACT_TIME, COMPACTED_FILE_BYTES};
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

impl Upkeep {
    /// Counts what was done elsewhere too.
    pub(crate) fn add(&mut self, other: Upkeep) {
        self.days += other.days;
        self.merged += other.merged;
        self.removed += other.removed;
    }
}

/// Now, as whoever calls says it.
#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.as_millisecond()
    }
}

impl Table {
    /// Merges the small files of days that are over, as many days a call as there is time for, and removes files that
    /// were replaced or left behind long enough ago. Others may append and query meanwhile.
    pub(crate) async fn keep_up(&self, now: Timestamp) -> Result<Upkeep, LakeError> {
        let mut done = Upkeep::default();
        let end = Instant::now() + COMPACT_TIME;
        let mut failed = None;
        let scattered = scattered(&self.snapshot().await?, now)?;
        for (day, small) in scattered.into_iter().take(COMPACT_DAYS) {
            if Instant::now() >= end {
                break;
            }
            match self.merge_day(&day, small, end).await {
                Ok(merged) => done.merged += merged,
                // Other days are not left in pieces for it.
                Err(LakeError::Encode(error)) if footer::is_damage(&error) => {
                    let table = self.folder().display();
                    tracing::error!(%table, day, %error, "a file of this day is damaged: its files are not merged");
                    continue;
                }
                // Of a full disk what is not needed has to go all the same.
                Err(
                    error @ (LakeError::Encode(_)
                    | LakeError::Folder { .. }
                    | LakeError::Blobs { .. }),
                ) => {
                    failed = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
            done.days += 1;
        }
        done.removed = self.remove_unnamed(now).await?;
        let state = self.newest().await?;
        if let Some(version) = state.table().version() {
            state.checkpoint_when_due(version).await;
        }
        failed.map_or(Ok(done), Err)
    }

    /// Files of data that no version of the last days names: replaced by merging, or of a commit that never was.
    pub(crate) async fn remove_unnamed(&self, now: Timestamp) -> Result<u64, LakeError> {
        let table = self.snapshot().await?;
        let found = table
            .vacuum()
            .with_mode(VacuumMode::Full)
            .with_clock(Arc::new(At(now)))
            // The two entries that would tell of it in the log say nothing to anybody.
            .with_dry_run(true)
            .await;
        let (_, found) = found.map_err(LakeError::table("look for unneeded files of"))?;
        let failed =
            |error: object_store::Error| LakeError::table("remove unneeded files of")(error.into());
        // A version that replaced files may be gone after a power cut, and they are named again.
        let mut newest = self.newest().await?;
        newest.assure().await?;
        // Whoever was killed after a commit, or wrote his list late, left one that may name what goes now.
        newest.publish().await;
        drop(newest);
        self.site().remove_stale();
        let paths: Result<Vec<Path>, _> = found.files_deleted.iter().map(Path::parse).collect();
        let paths = paths.map_err(|error| failed(object_store::Error::from(error)))?;
        let objects = self.shared.log.object_store(None);
        let mut removing = objects.delete_stream(stream::iter(paths).map(Ok).boxed());
        let mut removed = 0;
        while let Some(one) = removing.next().await {
            match one {
                Ok(_) => removed += 1,
                // As long as the log remembers that it was replaced, it is found again.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(removed)
    }
}

/// Days that are over and have many small files, those with most of them first, with those files in the order they came.
pub(super) fn scattered(
    table: &DeltaTable,
    now: Timestamp,
) -> Result<Vec<(String, Vec<Part>)>, LakeError> {
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
    let mut days: Vec<_> = days.into_iter().collect();
    days.sort_by_key(|(_, small)| Reverse(small.len()));
    Ok(days)
}
