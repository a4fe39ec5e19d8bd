//! What is older than it is to be kept is taken away: rows by the minute in their PartitionKey, blobs by when they were written
//! last.
//!
//! Nothing else is: a row whose key is none that Azure Diagnostics makes stays, and so does a blob that was written since it was
//! listed. What is taken away twice is the same as once, so that it is simply begun again after an interruption, and it begins with
//! the oldest.

use jiff::Timestamp;
use windrow_formats::azure::{Entity, ListedBlob, Operation};
use windrow_formats::wad::rows::{Minutes, SHARDS, filter_of_shards, minute_of};

use super::{AzureError, Client, Query, patiently};

/// How many of those that could not be taken away are named.
const NAMED_MAX: usize = 20;

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It is only looked.
    Look,
    /// It is taken away.
    Remove,
}

/// What was found, or taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Rows, or blobs.
    pub count: u64,
    /// Bytes of blobs.
    pub bytes: u64,
    /// Of the oldest.
    pub oldest: Option<Timestamp>,
    /// Of the newest.
    pub newest: Option<Timestamp>,
    /// How many the service did not take away.
    pub refused: u64,
    /// Some of them, and why.
    pub named: Vec<String>,
}

impl Cleared {
    fn count(&mut self, at: Timestamp, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }
}

impl Client {
    /// Takes away the rows of a table in minutes before this moment's. `told` hears how far it is.
    ///
    /// # Errors
    /// [`AzureError`]; what is taken away by then stays so.
    pub async fn clear_table(
        &self,
        table: &str,
        before: Timestamp,
        work: Work,
        told: impl Fn(&Cleared),
    ) -> Result<Cleared, AzureError> {
        let minute = before.as_second() - before.as_second().rem_euclid(60);
        let minutes = Minutes {
            from: None,
            to: Some(Timestamp::from_second(minute).unwrap_or(before)),
        };
        let parts = match self.has_rows(table, filter_of_shards()).await? {
            true => SHARDS,
            false => 0,
        };
        let mut cleared = Cleared::default();
        for part in 0..=parts {
            for filter in minutes.filters(part, None) {
                self.clear_rows(table, filter, before, (work, &told), &mut cleared)
                    .await?;
            }
        }
        Ok(cleared)
    }

    async fn clear_rows(
        &self,
        table: &str,
        filter: Option<String>,
        before: Timestamp,
        (work, told): (Work, &impl Fn(&Cleared)),
        cleared: &mut Cleared,
    ) -> Result<(), AzureError> {
        let mut query = Query {
            filter,
            select: vec!["PartitionKey".to_owned(), "RowKey".to_owned()],
            ..Query::default()
        };
        loop {
            let answer = patiently(|| self.query(table, &query)).await?;
            let old = |row: &Entity<'_>| {
                let minute = minute_of(&row.partition_key);
                minute.filter(|minute| *minute < before)
            };
            let rows: Vec<_> = (answer.page.entities.iter())
                .filter_map(|row| Some((old(row)?, row)))
                .collect();
            if work == Work::Remove {
                let rows: Vec<&Entity<'_>> = rows.iter().map(|(_, row)| *row).collect();
                self.remove_rows(table, &rows).await?;
            }
            for (minute, _) in &rows {
                cleared.count(*minute, 0);
            }
            told(cleared);
            match answer.next {
                None => return Ok(()),
                next => query.after = next,
            }
        }
    }

    /// Takes rows away, up to a hundred of a partition at once.
    async fn remove_rows(&self, table: &str, rows: &[&Entity<'_>]) -> Result<(), AzureError> {
        for partition in rows.chunk_by(|a, b| a.partition_key == b.partition_key) {
            let mut rest = partition;
            while !rest.is_empty() {
                let mut batch = self.new_batch(table);
                for row in rest {
                    if batch.push(Operation::Delete, row).is_err() {
                        break;
                    }
                }
                let taken = batch.len().clamp(1, rest.len());
                let (now, later) = rest.split_at(taken);
                let done = match batch.is_empty() {
                    true => None,
                    false => Some(patiently(|| self.batch(table, &batch)).await),
                };
                match done {
                    Some(Ok(())) => {}
                    Some(Err(error))
                        if !error.has_code(&["ResourceNotFound", "EntityNotFound"]) =>
                    {
                        return Err(error);
                    }
                    // Somebody else takes them away too, or an answer was lost.
                    _ => {
                        for row in now {
                            let (partition, row) = (&row.partition_key, &row.row_key);
                            patiently(|| self.delete_entity(table, partition, row)).await?;
                        }
                    }
                }
                rest = later;
            }
        }
        Ok(())
    }

    /// Whether any row is one that a filter asks for.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn has_rows(&self, table: &str, filter: String) -> Result<bool, AzureError> {
        let mut query = Query {
            filter: Some(filter),
            top: Some(1),
            ..Query::default()
        };
        loop {
            let answer = patiently(|| self.query(table, &query)).await?;
            match answer.next {
                _ if !answer.page.entities.is_empty() => return Ok(true),
                None => return Ok(false),
                next => query.after = next,
            }
        }
    }

    /// Takes away the blobs of a container whose names begin like this and that were written last before this moment.
    ///
    /// # Errors
    /// [`AzureError`] of the container itself; a blob that is refused is counted.
    pub async fn clear_container(
        &self,
        (container, prefix): (&str, &str),
        before: Timestamp,
        work: Work,
        told: impl Fn(&Cleared),
    ) -> Result<Cleared, AzureError> {
        let mut cleared = Cleared::default();
        let mut marker = None;
        loop {
            let list = patiently(|| self.list_blobs(container, prefix, marker.as_deref())).await?;
            for blob in &list.blobs {
                let Some(at) = blob.modified.filter(|at| *at < before) else {
                    continue;
                };
                if work == Work::Remove
                    && let Err(error) = self.remove_blob(container, blob).await
                {
                    if !matches!(error, AzureError::Refused { .. }) {
                        return Err(error);
                    }
                    cleared.refused += 1;
                    if cleared.named.len() < NAMED_MAX {
                        cleared.named.push(error.to_string());
                    }
                    continue;
                }
                cleared.count(at, blob.length);
                told(&cleared);
            }
            match list.next {
                None => return Ok(cleared),
                next => marker = next,
            }
        }
    }

    async fn remove_blob(&self, container: &str, blob: &ListedBlob) -> Result<(), AzureError> {
        let etag = blob.etag.as_deref();
        patiently(|| self.delete_blob(container, &blob.name, etag))
            .await
            .map(drop)
    }
}
