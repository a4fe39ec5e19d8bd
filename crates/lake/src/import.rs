//! Direct import: rows that the lake has already are left out.
//!
//! The same file twice is caught by its transaction; an export that overlaps another is caught here,
//! by the identity of each event. Only what can match is looked at: the dates, the range of time and
//! the computers of the rows. Between the look and the commit another writer may add the same events,
//! so the commit only counts when no version came in between; otherwise the look is repeated.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use windrow_formats::limits::SANE_SECONDS;

use crate::error::{LakeError, QueryError};
use crate::files::{Tally, Unread};
use crate::limits::{COMMIT_ATTEMPTS, MATCH_COMPUTERS};
use crate::query::{QueryLimits, Session};
use crate::rows::{Rows, column};
use crate::schema::{self, Definition};
use crate::table::{Appended, Changes, Commit, Table, Txn, back_off, paths};

type Key = [u8; 16];

impl Table {
    /// Adds those of these rows that the table does not have, as one commit with the application's new version.
    ///
    /// Rows that are the same event among themselves are added once. The transaction makes it happen
    /// once as in [`Table::append`], even where no row was new.
    pub(crate) async fn append_new(
        &self,
        rows: Rows,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        let key = self.definition().key;
        let mut fresh = keep(key, &rows, &mut first_time())?;
        for attempt in 0..COMMIT_ATTEMPTS {
            let version = {
                let mut newest = self.newest().await?;
                if let Some(position) = newest.reached(txn).await? {
                    return Ok(Appended::Already { position });
                }
                newest.table().version()
            };
            let seen = self.stored_among(&fresh).await?;
            fresh = keep(key, &fresh, &mut |key| !seen.contains(key))?;
            if fresh.is_empty() && txn.is_none() {
                self.newest().await?.assure().await?;
                return Ok(Appended::Nothing);
            }
            if let Some(appended) = self.append_upon(&fresh, txn, version).await? {
                return Ok(appended);
            }
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }

    /// Appends if the table still is at this version; none if it moved on.
    async fn append_upon(
        &self,
        rows: &Rows,
        txn: Option<Txn<'_>>,
        version: Option<u64>,
    ) -> Result<Option<Appended>, LakeError> {
        let adds = self.write_files(rows.clone()).await?;
        let bytes = adds
            .iter()
            .map(|add| u64::try_from(add.size).unwrap_or(0))
            .sum();
        let paths = paths(&adds);
        let committed = self.commit_upon(Changes::append(adds), txn.as_slice(), version);
        let committed = committed.await;
        match &committed {
            Ok(Some(Commit::Version(_))) => {}
            Ok(Some(Commit::Already(_)) | None) => self.remove_unless_named(&paths).await,
            Err(_) => self.take_back(&paths).await,
        }
        Ok(committed?.map(|commit| match commit {
            Commit::Version(version) => Appended::Committed {
                version,
                rows: rows.len() as u64,
                bytes,
            },
            Commit::Already(position) => Appended::Already { position },
        }))
    }

    /// The identities among these rows that the newest version has.
    async fn stored_among(&self, rows: &Rows) -> Result<HashSet<Key>, LakeError> {
        let definition = self.definition();
        let Some(candidates) = candidates(definition, rows) else {
            return Ok(HashSet::new());
        };
        let sought: HashSet<Key> = rows
            .batches()
            .iter()
            .flat_map(|batch| keys(definition.key, batch).flatten())
            .collect();
        let limits = QueryLimits::default();
        let tally = Arc::new(Tally::noting(self.site().root(), None));
        let session = Session::new(limits, Arc::clone(&tally)).map_err(match_failed)?;
        let table = self.snapshot().await?;
        let registered = session.register(definition, &table, Rows::default());
        registered.await.map_err(match_failed)?;
        let context = session.context;
        let found = async {
            let stored = context.table(definition.name).await?.filter(candidates)?;
            collect(stored.select_columns(&[definition.key])?, &sought).await
        };
        let found = found
            .await
            .map_err(|error| LakeError::Match(Box::new(error)))?;
        match tally.all().pop() {
            None => Ok(found),
            // What it has would be there twice once the file is restored.
            Some(Unread { file, reason, .. }) => Err(LakeError::Damaged { file, reason }),
        }
    }
}

fn match_failed(error: QueryError) -> LakeError {
    match error {
        QueryError::Lake(error) => error,
        QueryError::Run(error) => LakeError::Match(error),
        other => LakeError::Match(Box::new(DataFusionError::External(Box::new(other)))),
    }
}

/// Those of the sought identities that come by. The stored ones are not collected: there may be any number.
async fn collect(
    stored: DataFrame,
    sought: &HashSet<Key>,
) -> Result<HashSet<Key>, DataFusionError> {
    let mut stream = stored.execute_stream().await?;
    let mut seen = HashSet::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let keys = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Binary)?;
        let keys = keys
            .as_binary::<i32>()
            .iter()
            .flatten()
            .filter_map(|key| Key::try_from(key).ok());
        seen.extend(keys.filter(|key| sought.contains(key)));
    }
    Ok(seen)
}

/// True for a key the first time it is asked for.
fn first_time() -> impl FnMut(&Key) -> bool {
    let mut seen = HashSet::new();
    move |key| seen.insert(*key)
}

fn keys<'a>(name: &str, batch: &'a RecordBatch) -> impl Iterator<Item = Option<Key>> + use<'a> {
    let keys = column(batch, name).and_then(|keys| keys.as_binary_opt::<i32>());
    keys.into_iter()
        .flat_map(|keys| keys.iter().map(|key| Key::try_from(key?).ok()))
}

/// The rows whose identity is wanted.
fn keep(key: &str, rows: &Rows, wanted: &mut impl FnMut(&Key) -> bool) -> Result<Rows, LakeError> {
    let mut kept = Vec::with_capacity(rows.batches().len());
    for batch in rows.batches() {
        let wanted: BooleanArray = keys(key, batch)
            .map(|key| Some(key.is_none_or(|key| wanted(&key))))
            .collect();
        let batch = match wanted.true_count() == batch.num_rows() {
            true => Ok(batch.clone()),
            false => filter_record_batch(batch, &wanted),
        };
        kept.push(batch.map_err(|error: ArrowError| LakeError::Encode(error.into()))?);
    }
    Ok(Rows::from_batches(kept))
}

/// What a stored row must be like to be one of these; none where there are no rows.
fn candidates(definition: &Definition, rows: &Rows) -> Option<Expr> {
    let mut dates = HashSet::new();
    let mut computers = HashSet::new();
    let mut range: Option<(i64, i64)> = None;
    let mut timeless = false;
    for batch in rows.batches() {
        let times = column(batch, "time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let days = column(batch, schema::DATE)?.as_string_opt::<i32>()?;
        let names = column(batch, definition.origin)?.as_string_opt::<i32>()?;
        computers.extend(names.iter());
        for (row, day) in days.iter().enumerate() {
            let time = (!times.is_null(row))
                .then(|| times.value(row))
                .filter(is_sane);
            let Some(time) = time else {
                timeless = true;
                continue;
            };
            dates.insert(day.unwrap_or_default());
            range = Some(range.map_or((time, time), |(least, greatest)| {
                (least.min(time), greatest.max(time))
            }));
        }
    }
    let timed = range.map(|(least, greatest)| {
        let dates = dates.into_iter().map(lit).collect();
        ident(schema::DATE)
            .in_list(dates, false)
            .and(ident("time").between(instant(least), instant(greatest)))
    });
    let candidates = match (timed, timeless.then(without_sane_time)) {
        (Some(timed), Some(timeless)) => Some(timed.or(timeless)),
        (one, other) => one.or(other),
    }?;
    Some(match of_same(definition.origin, computers) {
        Some(same) => candidates.and(same),
        None => candidates,
    })
}

/// Rows of these computers or files.
fn of_same(origin: &str, computers: HashSet<Option<&str>>) -> Option<Expr> {
    if computers.len() > MATCH_COMPUTERS {
        return None;
    }
    let nameless = computers.contains(&None).then(|| ident(origin).is_null());
    let names: Vec<Expr> = computers.into_iter().flatten().map(lit).collect();
    let named = (!names.is_empty()).then(|| ident(origin).in_list(names, false));
    match (named, nameless) {
        (Some(named), Some(nameless)) => Some(named.or(nameless)),
        (one, other) => one.or(other),
    }
}

/// Rows whose date is that of their arrival, which differs from one import to the next.
fn without_sane_time() -> Expr {
    let time = || ident("time");
    let (from, to) = (SANE_SECONDS.start * 1_000_000, SANE_SECONDS.end * 1_000_000);
    time()
        .is_null()
        .or(time().lt(instant(from)))
        .or(time().gt_eq(instant(to)))
}

fn is_sane(microseconds: &i64) -> bool {
    SANE_SECONDS.contains(&microseconds.div_euclid(1_000_000))
}

fn instant(microseconds: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(
        Some(microseconds),
        Some("UTC".into()),
    ))
}

#[cfg(test)]
mod tests;
