//! Rows on their way into batches: one of each table and partition is being filled.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use windrow_formats::azure::{Batch, BatchError, Entity, EntityError, Operation};
use windrow_formats::wad::rows::Partition;

use super::Tables;
use super::limits::PARTITIONS_OPEN_MAX;
use crate::journal::Seq;

/// A batch, and of which events its rows are.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) table: Arc<str>,
    pub(super) batch: Batch,
    /// In the order of its operations.
    pub(super) seqs: Vec<Seq>,
}

/// The batches that are being filled.
#[derive(Default)]
pub(super) struct Load {
    open: BTreeMap<(Arc<str>, Partition), Filled>,
}

impl Filled {
    /// An empty one.
    pub(super) fn new(tables: &impl Tables, table: Arc<str>) -> Filled {
        Filled {
            batch: tables.new_batch(&table),
            table,
            seqs: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, seq: Seq, row: &Entity<'_>) -> Result<(), BatchError> {
        self.batch.push(Operation::InsertOrReplace, row)?;
        self.seqs.push(seq);
        Ok(())
    }
}

impl Load {
    /// Adds a row. Returns a batch that is to be written now: one that is full, or the fullest where too many are open.
    ///
    /// # Errors
    /// No table takes such a row.
    pub(super) fn push(
        &mut self,
        tables: &impl Tables,
        key: (Arc<str>, Partition),
        seq: Seq,
        row: &Entity<'_>,
    ) -> Result<Option<Filled>, EntityError> {
        let table = Arc::clone(&key.0);
        let new = || Filled::new(tables, Arc::clone(&table));
        let filled = self.open.entry(key).or_insert_with(new);
        let full = match filled.push(seq, row) {
            Ok(()) => None,
            Err(BatchError::Entity(error)) => return Err(error),
            Err(BatchError::Full | BatchError::Again | BatchError::OtherPartition) => {
                let full = mem::replace(filled, new());
                if let Err(BatchError::Entity(error)) = filled.push(seq, row) {
                    return Err(error);
                }
                Some(full)
            }
        };
        Ok(full.or_else(|| self.too_many()))
    }

    fn too_many(&mut self) -> Option<Filled> {
        if self.open.len() <= PARTITIONS_OPEN_MAX {
            return None;
        }
        let fullest = self.open.iter().max_by_key(|(_, filled)| filled.seqs.len());
        let fullest = fullest.map(|(key, _)| key.clone())?;
        self.open.remove(&fullest)
    }

    /// What is left.
    pub(super) fn rest(self) -> impl Iterator<Item = Filled> {
        let filled = self.open.into_values();
        filled.filter(|filled| !filled.batch.is_empty())
    }
}
