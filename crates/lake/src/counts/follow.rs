//! Follows the log of `events`: which files were added since, and their counts into `event_counts`.

use std::collections::{BTreeSet, HashSet};

use deltalake::kernel::{Action, Add};
use deltalake::logstore::{LogStoreRef, get_actions};
use deltalake::{DeltaTable, DeltaTableError};
use tokio::task::spawn_blocking;

use super::Counter;
use super::file::{self, Counted, Part};
use super::tallied::{Taken, Tallied, merged};
use crate::error::LakeError;
use crate::files::Tally;
use crate::lake::{Lake, counts_app_id, counts_mark_id};
use crate::limits::{COMMIT_ATTEMPTS, FURTHER_FILES};
use crate::rows::Rows;
use crate::schema::{COUNTS, DATE};
use crate::table::{State, Table, back_off};

/// The roll-up, and up to which version of `events` it counts.
pub(crate) struct Behind {
    table: DeltaTable,
    counted: Position,
}

/// A version of `events`, up to which was counted.
#[derive(Clone, Copy)]
pub(super) struct Position {
    version: u64,
    /// What its entry in the log was like; none where it is not known.
    mark: Option<i64>,
}

/// What has to be counted.
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Files that were added since. Of the dates beside them these are all there is.
    Added(Vec<Part>, BTreeSet<String>),
    /// All files of a version, since it is not known any more which were added: counts of a date are raised to what is
    /// there.
    All(Vec<Part>),
    /// All files of a version that was not what was counted: counts of their dates are replaced.
    Back(Vec<Part>),
}

impl Lake {
    /// Counts what was added to `events` since the last time. Returns how many versions of it that were.
    ///
    /// Whoever adds events calls it when it is done with that; what was not counted then is counted the next time, by
    /// whoever calls, and answers count it meanwhile.
    pub async fn roll_up(&self) -> Result<u64, LakeError> {
        let _one = self.rolling_up().lock().await;
        let counts = self.other_to_write(&COUNTS).await?;
        let id = id(&self.events().snapshot().await?)?;
        for attempt in 0..COMMIT_ATTEMPTS {
            // Before the newest version of `events` is read: what was counted then is in it.
            let (at, counted) = {
                let mut newest = counts.newest().await?;
                let counted = position(&mut newest, &id).await?;
                (newest.table().clone(), counted)
            };
            let events = {
                let mut newest = self.events().newest().await?;
                newest.assure().await?;
                newest.table().clone()
            };
            let due = due(self.events(), &events, counted).await?;
            if let Due::Nothing = due {
                return Ok(0);
            }
            let (begun, version) = (counted.map_or(0, |it| it.version), version(&events));
            let mut tallied = Tallied::new(self.events(), &counts);
            let committed = match tallied.take(&at, due).await {
                Ok(Taken::All) => {
                    let mark = mark(self.events().log(), version).await?.unwrap_or(0);
                    tallied.commit(&at, &id, version, mark).await
                }
                // Merged and taken away since: the newest version says where its events are.
                Ok(Taken::Gone) => Ok(false),
                Err(error) => Err(error),
            };
            match committed {
                Ok(true) => return Ok(version.saturating_sub(begun)),
                Ok(false) => counts.remove_unless_named(&tallied.written).await,
                Err(error) => {
                    counts.take_back(&tallied.written).await;
                    return Err(error);
                }
            }
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }

    /// The roll-up as it is; none where there is none. To be asked for before the version of `events` that it is to be
    /// compared with.
    pub(crate) async fn counts(&self) -> Result<Option<Behind>, LakeError> {
        let Some(counts) = self.other(&COUNTS).await? else {
            return Ok(None);
        };
        let id = id(&self.events().snapshot().await?)?;
        let mut newest = counts.newest().await?;
        let counted = position(&mut newest, &id).await?;
        Ok(counted.map(|counted| Behind {
            table: newest.table().clone(),
            counted,
        }))
    }

    /// The roll-up, and counts of what it does not have: versions of `events` since, and these rows. None where that is
    /// more than can be counted while somebody waits. Files that are damaged are told to the tally.
    pub(crate) async fn further(
        &self,
        counts: Option<Behind>,
        events: &DeltaTable,
        tail: &Rows,
        tally: &Tally,
    ) -> Result<Option<(DeltaTable, Rows)>, LakeError> {
        let Some(counts) = counts else {
            return Ok(None);
        };
        let behind = || {
            tally.note(
                "the lake's event_counts are too far behind its events: what is there was counted anew, and counts of \
                 expired events are not in the answer; `windrow lake compact` brings them up to date",
            );
        };
        let parts = match due(self.events(), events, Some(counts.counted)).await? {
            Due::Nothing => Vec::new(),
            Due::Added(parts, _) if parts.len() <= FURTHER_FILES => parts,
            Due::Added(..) | Due::All(_) | Due::Back(_) => {
                behind();
                return Ok(None);
            }
        };
        let site = self.events().site();
        let mut counter = Counter::default();
        for part in parts {
            match file::count(site, &part).await? {
                Counted::Whole(of_file) => counter = merged(counter, of_file).await?,
                Counted::Full(..) => {
                    behind();
                    return Ok(None);
                }
                Counted::Damaged(why) | Counted::Unreadable(why) => {
                    tally.damaged(&site.shown().join(&part.path), why);
                }
                // Where it was merged meanwhile, the events say where theirs are.
                Counted::Gone => {
                    behind();
                    return Ok(None);
                }
            }
            if counter.is_full() {
                behind();
                return Ok(None);
            }
        }
        counter.count_rows(tail);
        let rows = spawn_blocking(move || counter.finish()).await?;
        let rows = rows.map_err(|error| LakeError::Encode(error.into()))?;
        Ok(Some((counts.table, rows)))
    }
}

fn id(events: &DeltaTable) -> Result<String, LakeError> {
    let snapshot = events.snapshot().map_err(LakeError::table("read"))?;
    Ok(snapshot.metadata().id().to_owned())
}

fn version(events: &DeltaTable) -> u64 {
    events.version().unwrap_or(0)
}

/// Up to where these events were counted.
async fn position(counts: &mut State, id: &str) -> Result<Option<Position>, LakeError> {
    let version = counts.position(&counts_app_id(id)).await?;
    let Some(version) = version.and_then(|version| u64::try_from(version).ok()) else {
        return Ok(None);
    };
    let mark = counts.position(&counts_mark_id(id)).await?;
    // An earlier windrow counts on without a mark.
    let mark = mark.filter(|mark| is_mark_of(*mark, version));
    Ok(Some(Position { version, mark }))
}

/// What tells the entry of a version from another one of the same version: a table may be put back from a copy and go
/// on from there. None where the log does not have it any more.
async fn mark(log: &LogStoreRef, version: u64) -> Result<Option<i64>, LakeError> {
    let entry = log.read_commit_entry(version).await;
    let entry = entry.map_err(LakeError::table("read"))?;
    Ok(entry.map(|entry| {
        let sum = crc32c::crc32c(&entry) & MARK_SUM | MARK_SET;
        i64::from(sum) << 32 | i64::from(version as u32)
    }))
}

/// Bits of the sum in a mark, and one that each mark has.
const MARK_SUM: u32 = 0x3fff_ffff;
const MARK_SET: u32 = 0x4000_0000;

fn is_mark_of(mark: i64, version: u64) -> bool {
    mark != 0 && mark as u32 == version as u32
}

/// What this version of `events` has that was not counted up to another one.
pub(super) async fn due(
    table: &Table,
    events: &DeltaTable,
    counted: Option<Position>,
) -> Result<Due, LakeError> {
    let version = version(events);
    let Some(Position {
        version: counted,
        mark: known,
    }) = counted
    else {
        return Ok(Due::All(live(events)?));
    };
    let is_another = match known {
        Some(known) if counted <= version => {
            let found = mark(table.log(), counted).await?;
            found.is_some_and(|found| found != known)
        }
        _ => false,
    };
    if counted > version || is_another {
        tracing::warn!(
            counted,
            version,
            "the lake's events are not those that were counted, as if put back from a copy: their roll-up is made again"
        );
        return Ok(Due::Back(live(events)?));
    }
    if counted == version {
        return Ok(Due::Nothing);
    }
    let Some(parts) = added(table.log(), counted, version).await? else {
        tracing::warn!(
            counted,
            version,
            "the log of the lake's events does not say any more what was added: their roll-up is made again"
        );
        return Ok(Due::All(live(events)?));
    };
    let paths = parts.iter().map(|part| part.path.clone()).collect();
    if !table.site().has_all(paths).await? {
        return Ok(Due::All(live(events)?));
    }
    let begun = begun(events, &parts)?;
    Ok(Due::Added(parts, begun))
}

/// Dates of which this version has nothing but these files.
fn begun(events: &DeltaTable, parts: &[Part]) -> Result<BTreeSet<String>, LakeError> {
    let mut begun: BTreeSet<String> = parts.iter().map(|part| part.date.clone()).collect();
    let added: HashSet<&str> = parts.iter().map(|part| part.path.as_str()).collect();
    for part in live(events)? {
        if !added.contains(part.path.as_str()) {
            begun.remove(&part.date);
        }
    }
    Ok(begun)
}

/// Files of rows that versions after one, up to another, added; none where the log does not say so any more.
async fn added(log: &LogStoreRef, after: u64, to: u64) -> Result<Option<Vec<Part>>, LakeError> {
    let read = |error: DeltaTableError| LakeError::table("read")(error);
    let mut parts = Vec::new();
    for version in after + 1..=to {
        let Some(entry) = log.read_commit_entry(version).await.map_err(read)? else {
            return Ok(None);
        };
        let actions = get_actions(version, &entry).map_err(read)?;
        // Rows were taken out of files: what is added then are the others, and they were counted.
        if actions
            .iter()
            .any(|action| matches!(action, Action::Remove(remove) if remove.data_change))
        {
            continue;
        }
        parts.extend(actions.into_iter().filter_map(|action| match action {
            Action::Add(add) if add.data_change => Some(part(add)),
            _ => None,
        }));
    }
    Ok(Some(parts))
}

fn part(add: Add) -> Part {
    let date = add.partition_values.get(DATE).cloned().flatten();
    Part {
        date: date.unwrap_or_default(),
        path: add.path,
        rows: 0,
    }
}

/// Every file of a version.
fn live(events: &DeltaTable) -> Result<Vec<Part>, LakeError> {
    let snapshot = events.snapshot().map_err(LakeError::table("read"))?;
    let parts = snapshot.log_data().into_iter().map(|file| Part {
        rows: file.num_records().map_or(0, |rows| rows as i64),
        path: file.path().into_owned(),
        date: file
            .partition_values_map()
            .remove(DATE)
            .flatten()
            .unwrap_or_default(),
    });
    Ok(parts.collect())
}
