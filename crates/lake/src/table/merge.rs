//! Small files of a day become large ones: the same rows, in the order in which they came.
//!
//! Done here and not by the table format's own means, since it runs beside the collector, whose
//! memory is bounded: some rows of one file and one row group of the new one are all it holds.

use std::collections::HashSet;

use deltalake::kernel::{Add, Remove};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::state::State;
use super::{Changes, Purpose, Table, back_off, paths, state};
use crate::datafile::{self, Change};
use crate::error::LakeError;
use crate::limits::{COMMIT_ATTEMPTS, COMPACTED_FILE_BYTES};
use crate::schema;

/// A file that is to be merged with others.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) bytes: u64,
    /// Milliseconds since 1970.
    pub(super) written_at: i64,
    /// What takes it out of the table.
    pub(super) remove: Remove,
}

impl Table {
    /// Merges files of one day into as few as their sizes allow; how many were merged. At the end of its time it begins
    /// with no further ones.
    pub(super) async fn merge_day(
        &self,
        day: &str,
        parts: Vec<Part>,
        end: Instant,
    ) -> Result<u64, LakeError> {
        let mut merged = 0;
        for group in groups(parts) {
            if Instant::now() >= end {
                break;
            }
            let removes: Vec<Remove> = group.into_iter().map(|part| part.remove).collect();
            let add = self.merge(day, &removes).await?;
            let written = paths(std::slice::from_ref(&add));
            let count = removes.len() as u64;
            match self.replace(Changes::merge(add, removes)).await {
                Ok(Replaced::Done) => merged += count,
                // Somebody else merged them or took them away.
                Ok(Replaced::Gone) => self.remove_unless_named(&written).await,
                Err(error) => {
                    self.take_back(&written).await;
                    return Err(error);
                }
            }
        }
        Ok(merged)
    }

    /// Writes the new file. Until a commit names it, no reader sees it.
    async fn merge(&self, day: &str, removes: &[Remove]) -> Result<Add, LakeError> {
        let (day, site) = (day.to_owned(), self.site().clone());
        let definition = self.shared.definition;
        let parts: Vec<String> = removes.iter().map(|part| part.path.clone()).collect();
        spawn_blocking(move || {
            let folder = format!("{}={day}", schema::DATE);
            let failed = |source| site.failed(&folder, source);
            let (making, file) = site.make(&folder).map_err(failed)?;
            let parts = parts.iter().map(|part| site.open(part));
            let (merged, file) = datafile::merge(definition, &day, parts, file)?;
            let bytes = making.keep(&file, &merged.path).map_err(failed)?;
            Ok(merged.add(bytes, Timestamp::now(), Change::Layout))
        })
        .await?
    }

    /// Puts files in the place of others, if the table still has those.
    pub(super) async fn replace(&self, changes: Changes) -> Result<Replaced, LakeError> {
        for attempt in 0..COMMIT_ATTEMPTS {
            let mut state = self.newest().await?;
            let named = named(&state)?;
            if !changes.adds.is_empty() && changes.adds.iter().all(|add| named.contains(&add.path))
            {
                // It was done, and the answer was lost.
                return Ok(Replaced::Done);
            }
            if !changes
                .removes
                .iter()
                .all(|part| named.contains(&part.path))
            {
                return Ok(Replaced::Gone);
            }
            match state.commit(changes.clone(), &[]).await {
                Ok(version) => {
                    state.committed(version).await;
                    return Ok(Replaced::Done);
                }
                Err(error) if state::is_overtaken(&error) => {}
                Err(error) => {
                    let error = LakeError::table("compact")(error);
                    return match changes.purpose {
                        // What is gone has to be told.
                        Purpose::Delete => settled(&mut state, &changes, error).await,
                        Purpose::Append | Purpose::Merge => Err(error),
                    };
                }
            }
            drop(state);
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }
}

/// After an error that leaves open whether the commit happened: looks. All files that were to go were there before it.
async fn settled(
    state: &mut State,
    changes: &Changes,
    error: LakeError,
) -> Result<Replaced, LakeError> {
    if state.refresh().await.is_err() {
        return Err(error);
    }
    let named = named(state)?;
    let is_done = match changes.adds.as_slice() {
        // Somebody else may have merged them in this very moment; they are found again then.
        [] => !changes
            .removes
            .iter()
            .any(|part| named.contains(&part.path)),
        adds => adds.iter().all(|add| named.contains(&add.path)),
    };
    if !is_done {
        return Err(error);
    }
    state.assure().await?;
    state.publish().await;
    Ok(Replaced::Done)
}

/// Paths of the data files of the newest version.
fn named(state: &State) -> Result<HashSet<String>, LakeError> {
    let snapshot = state.table().snapshot().map_err(LakeError::table("read"))?;
    let files = snapshot.log_data().into_iter();
    Ok(files.map(|file| file.path().into_owned()).collect())
}

/// Whether files took the place of others.
pub(super) enum Replaced {
    Done,
    Gone,
}

/// Neighbours that together have the size a merged file is to have; one alone stays as it is.
fn groups(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut groups: Vec<Vec<Part>> = Vec::new();
    let mut bytes = u64::MAX;
    for part in parts {
        if bytes.saturating_add(part.bytes) > COMPACTED_FILE_BYTES.get() {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += part.bytes;
        if let Some(group) = groups.last_mut() {
            group.push(part);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}
