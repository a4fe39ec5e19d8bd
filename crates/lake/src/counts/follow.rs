//! Follows the log of `events`: which files were added since, and their counts into `event_counts`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;

use arrow::array::AsArray as _;
use arrow::compute;
use arrow::datatypes::Int64Type;
use deltalake::kernel::{Action, Add, Remove};
use deltalake::logstore::{LogStoreRef, get_actions};
use deltalake::{DeltaTable, DeltaTableError};
use parquet::arrow::ProjectionMask;
use parquet::errors::ParquetError;
use tokio::task::spawn_blocking;

use super::{COUNTED, Counter};
use crate::error::LakeError;
use crate::files::Tally;
use crate::footer;
use crate::lake::{Lake, counts_app_id};
use crate::limits::{COMMIT_ATTEMPTS, COUNT_BATCH_ROWS, FURTHER_FILES};
use crate::rows::Rows;
use crate::schema::{COUNTS, DATE};
use crate::store::site::Site;
use crate::table::{Changes, Commit, Table, back_off, paths};

/// The roll-up, and up to which version of `events` it counts.
pub(crate) struct Behind {
    table: DeltaTable,
    counted: u64,
}

/// A data file of `events`.
#[derive(Clone, Debug)]
struct Part {
    path: String,
    date: String,
    /// Its rows, where all files are looked at.
    rows: i64,
}

/// What has to be counted.
enum Due {
    /// Nothing.
    Nothing,
    /// Files that were added since.
    Added(Vec<Part>),
    /// All files of a version, since it is not known any more which were added: counts of their dates are replaced, where
    /// they are fewer.
    All(Vec<Part>),
    /// All files of a version that is older than what was counted: counts of their dates are replaced.
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
        let app_id = app_id(&self.events().snapshot().await?)?;
        for attempt in 0..COMMIT_ATTEMPTS {
            // Before the newest version of `events` is read: what was counted then is in it.
            let (at, counted) = {
                let mut newest = counts.newest().await?;
                let counted = newest.position(&app_id).await?;
                (
                    newest.table().clone(),
                    counted.and_then(|it| it.try_into().ok()),
                )
            };
            let events = {
                let mut newest = self.events().newest().await?;
                newest.assure().await?;
                newest.table().clone()
            };
            let (begun, version): (u64, u64) = (counted.unwrap_or(0), version(&events));
            let due = due(self.events(), &events, counted).await?;
            let Some(changes) = self.counted(&counts, &at, due).await? else {
                return Ok(0);
            };
            let paths = paths(changes.adds());
            let txn = Some((app_id.as_str(), i64::try_from(version).unwrap_or(i64::MAX)));
            match counts.commit_upon(changes, txn, at.version()).await {
                Ok(Some(Commit::Version(_))) => return Ok(version.saturating_sub(begun)),
                // A commit of which the answer was lost is found again as one that is there already.
                Ok(Some(Commit::Already(_)) | None) => counts.remove_unless_named(&paths).await,
                Err(error) => {
                    counts.take_back(&paths).await;
                    return Err(error);
                }
            }
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }

    /// What the roll-up has to become; none where nothing is due.
    async fn counted(
        &self,
        counts: &Table,
        at: &DeltaTable,
        due: Due,
    ) -> Result<Option<Changes>, LakeError> {
        let (parts, removes) = match due {
            Due::Nothing => return Ok(None),
            Due::Added(parts) => (parts, Vec::new()),
            Due::All(parts) => self.recounted(counts, at, parts).await?,
            Due::Back(parts) => {
                let dates: BTreeSet<&str> = parts.iter().map(|part| part.date.as_str()).collect();
                let known = of_dates(at, |date| dates.contains(date))?;
                (parts, known)
            }
        };
        let mut adds = Vec::new();
        let mut counter = Counter::default();
        for part in parts {
            let damaged;
            (counter, damaged) = count(self.events().site().clone(), part, counter).await?;
            if let Some((file, why)) = damaged {
                let file = file.display();
                tracing::error!(%file, why, "a file of the lake is damaged: event_counts has none of its events");
            }
            if counter.is_full() {
                adds.extend(write(counts, &mut counter).await?);
            }
        }
        if !counter.is_empty() {
            adds.extend(write(counts, &mut counter).await?);
        }
        Ok(Some(Changes::overwrite(adds, removes)))
    }

    /// Which of all files are to be counted again, and the counts that they replace. Counts of a date that are as many
    /// as its events, or more, stay: they may be of events that have expired since.
    async fn recounted(
        &self,
        counts: &Table,
        at: &DeltaTable,
        mut parts: Vec<Part>,
    ) -> Result<(Vec<Part>, Vec<Remove>), LakeError> {
        let mut missing = BTreeMap::<String, i64>::new();
        for part in &parts {
            *missing.entry(part.date.clone()).or_default() += part.rows;
        }
        let mut known = of_dates(at, |date| missing.contains_key(date))?;
        for remove in &known {
            let (date, site, path) = (date_of(remove), counts.site().clone(), remove.path.clone());
            let counted = spawn_blocking(move || sum(&site, &path)).await?;
            if let Some(missing) = missing.get_mut(&date) {
                *missing -= counted;
            }
        }
        missing.retain(|_, missing| *missing > 0);
        parts.retain(|part| missing.contains_key(&part.date));
        known.retain(|remove| missing.contains_key(&date_of(remove)));
        Ok((parts, known))
    }

    /// The roll-up as it is; none where there is none. To be asked for before the version of `events` that it is to be
    /// compared with.
    pub(crate) async fn counts(&self) -> Result<Option<Behind>, LakeError> {
        let Some(counts) = self.other(&COUNTS).await? else {
            return Ok(None);
        };
        let app_id = app_id(&self.events().snapshot().await?)?;
        let mut newest = counts.newest().await?;
        let position = newest.position(&app_id).await?;
        let counted = position.and_then(|position| u64::try_from(position).ok());
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
        let parts = match due(self.events(), events, Some(counts.counted)).await? {
            Due::Nothing => Vec::new(),
            Due::Added(parts) if parts.len() <= FURTHER_FILES => parts,
            Due::Added(_) | Due::All(_) | Due::Back(_) => return Ok(None),
        };
        let mut counter = Counter::default();
        for part in parts {
            let damaged;
            (counter, damaged) = count(self.events().site().clone(), part, counter).await?;
            if let Some((file, why)) = damaged {
                tally.damaged(&file, why);
            }
            if counter.is_full() {
                return Ok(None);
            }
        }
        counter.count_rows(tail);
        let rows = spawn_blocking(move || counter.finish()).await?;
        let rows = rows.map_err(|error| LakeError::Encode(error.into()))?;
        Ok(Some((counts.table, rows)))
    }
}

fn app_id(events: &DeltaTable) -> Result<String, LakeError> {
    let snapshot = events.snapshot().map_err(LakeError::table("read"))?;
    Ok(counts_app_id(snapshot.metadata().id()))
}

fn version(events: &DeltaTable) -> u64 {
    events.version().unwrap_or(0)
}

/// What this version of `events` has that was not counted up to another one.
async fn due(table: &Table, events: &DeltaTable, counted: Option<u64>) -> Result<Due, LakeError> {
    let version = version(events);
    let Some(counted) = counted else {
        return Ok(Due::All(live(events)?));
    };
    if counted == version {
        return Ok(Due::Nothing);
    }
    if counted > version {
        tracing::warn!(
            counted,
            version,
            "the lake's events are older than their roll-up, as if put back from a copy: it is made again"
        );
        return Ok(Due::Back(live(events)?));
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
    Ok(match table.site().has_all(paths).await? {
        true => Due::Added(parts),
        false => Due::All(live(events)?),
    })
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

/// Files of the roll-up that count these dates.
fn of_dates(
    counts: &DeltaTable,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Vec<Remove>, LakeError> {
    let snapshot = counts.snapshot().map_err(LakeError::table("read"))?;
    let files = snapshot.log_data().into_iter();
    let removes = files.map(|file| file.remove_action(true));
    Ok(removes
        .filter(|remove| is_meant(&date_of(remove)))
        .collect())
}

fn date_of(remove: &Remove) -> String {
    let values = remove.partition_values.as_ref();
    let date = values.and_then(|values| values.get(DATE).cloned().flatten());
    date.unwrap_or_default()
}

/// How many events a file of the roll-up counts; none where it cannot be read, so that they are counted again.
fn sum(site: &Site, path: &str) -> i64 {
    let sum = || -> Result<i64, ParquetError> {
        let builder = footer::reader(site.open(path)?)?;
        let columns = ProjectionMask::columns(builder.parquet_schema(), ["events"]);
        let mut sum = 0;
        for batch in builder.with_projection(columns).build()? {
            let batch = batch?;
            let events = batch.column(0).as_primitive_opt::<Int64Type>();
            sum += events.and_then(compute::sum).unwrap_or(0);
        }
        Ok(sum)
    };
    sum().unwrap_or_else(|error| {
        tracing::error!(file = %site.shown().join(path).display(), %error, "a file of the lake's event_counts is damaged");
        0
    })
}

async fn write(counts: &Table, counter: &mut Counter) -> Result<Vec<Add>, LakeError> {
    let mut full = std::mem::take(counter);
    let rows = spawn_blocking(move || full.finish()).await?;
    let rows = rows.map_err(|error| LakeError::Encode(error.into()))?;
    counts.write_files(rows).await
}

/// A file that is damaged, and what is wrong with it.
type Damaged = Option<(PathBuf, String)>;

/// Counts the rows of a file. One that is damaged is named and left out, whole.
async fn count(
    site: Site,
    part: Part,
    mut counter: Counter,
) -> Result<(Counter, Damaged), LakeError> {
    let counted = spawn_blocking(move || {
        let mut of_file = Counter::default();
        let counted = site.open(&part.path).map_err(ParquetError::from);
        match counted.and_then(|file| count_file(file, &part.date, &mut of_file)) {
            Ok(()) => {
                counter.merge(&of_file);
                Ok((counter, None))
            }
            Err(error) if footer::is_damage(&error) => Ok((
                counter,
                Some((site.shown().join(&part.path), error.to_string())),
            )),
            // It may be read the next time: the roll-up stays behind until then.
            Err(error) => Err(error.into()),
        }
    });
    counted.await?
}

fn count_file(file: File, date: &str, counter: &mut Counter) -> Result<(), ParquetError> {
    let builder = footer::reader(file)?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), COUNTED);
    let reader = builder
        .with_projection(columns)
        .with_batch_size(COUNT_BATCH_ROWS);
    for batch in reader.build()? {
        counter.count_under(date, &batch?);
    }
    Ok(())
}
