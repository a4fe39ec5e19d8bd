//! How far a table was read, as the journal remembers it.
//!
//! ```text
//! wad_storage/NAME/TABLE/at/PART          the last row that was taken in order: PartitionKey NUL RowKey
//! wad_storage/NAME/TABLE/early/PARTITION  rows behind it that were taken early: eight bytes each
//! ```
//!
//! Both begin with the version of the form.

use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use windrow_formats::wad::rows::{RowKeys, SHARDS, minute_of};

use crate::journal::{Journal, StateChange};

/// Of both forms.
const VERSION: u8 = 1;

/// How far a table was read.
#[derive(Debug)]
pub(super) struct TablePlace {
    source: String,
    pub(super) table: String,
    /// Part 0, and those of shards once there is one.
    pub(super) parts: BTreeMap<u64, PartPlace>,
    /// When it was looked last whether there are rows of shards.
    pub(super) shards_looked_at: Option<Timestamp>,
}

/// How far a part of it was read.
#[derive(Debug, Default)]
pub(super) struct PartPlace {
    /// The last row that was taken in order, or behind which all is to come.
    pub(super) after: Option<RowKeys>,
    /// All before is taken: see [`super::take`].
    pub(super) closed: Option<Timestamp>,
    /// By PartitionKey, the rows behind `after` that were taken early.
    pub(super) early: BTreeMap<String, HashSet<u64>>,
    /// When a minute was read last.
    pub(super) read: BTreeMap<Timestamp, Timestamp>,
}

impl TablePlace {
    pub(super) fn open(name: &str, table: &str, journal: &Journal) -> Result<TablePlace, String> {
        let mut parts: BTreeMap<u64, PartPlace> = BTreeMap::from([(0, PartPlace::default())]);
        let root = format!("{}{table}/", prefix(name));
        for (key, value) in journal.states(&root) {
            let foreign = || format!("its key is {key:?}");
            let value = match value.split_first() {
                Some((&VERSION, value)) => value,
                Some((&version, _)) => return Err(format!("it has version {version}")),
                None => return Err("it is empty".to_owned()),
            };
            match key[root.len()..].split_once('/').ok_or_else(foreign)? {
                ("at", part) => {
                    let part = part.parse().map_err(|_| foreign())?;
                    let after = keys(value).ok_or("it has no keys")?;
                    parts.entry(part).or_default().after = Some(after);
                }
                ("early", partition) => {
                    let part = part_of(partition).ok_or_else(foreign)?;
                    let (hashes, rest) = value.as_chunks::<8>();
                    if !rest.is_empty() {
                        return Err("it is cut short".to_owned());
                    }
                    let hashes = hashes.iter().map(|hash| u64::from_le_bytes(*hash));
                    let early = &mut parts.entry(part).or_default().early;
                    early.insert(partition.to_owned(), hashes.collect());
                }
                _ => return Err(foreign()),
            }
        }
        Ok(TablePlace {
            source: name.to_owned(),
            table: table.to_owned(),
            parts,
            shards_looked_at: None,
        })
    }

    /// The minute before which no part asks for anything any more.
    pub(super) fn closed(&self) -> Option<Timestamp> {
        let closed = self.parts.values().map(|part| part.closed);
        closed.min().flatten()
    }

    /// Rows that are remembered.
    pub(super) fn seen(&self) -> usize {
        let early = self.parts.values().flat_map(|part| part.early.values());
        early.map(HashSet::len).sum()
    }

    /// That a part was read in order up to a row.
    pub(super) fn at(&self, part: u64, after: &RowKeys) -> StateChange {
        let mut value = vec![VERSION];
        value.extend_from_slice(after.partition.as_bytes());
        value.push(0);
        value.extend_from_slice(after.row.as_bytes());
        StateChange {
            key: format!("{}{}/at/{part}", prefix(&self.source), self.table),
            value: Some(value),
        }
    }

    /// That these rows of a partition were taken early.
    pub(super) fn early(&self, partition: &str, hashes: &HashSet<u64>) -> StateChange {
        let mut value = Vec::with_capacity(1 + 8 * hashes.len());
        value.push(VERSION);
        for hash in hashes {
            value.extend_from_slice(&hash.to_le_bytes());
        }
        StateChange {
            key: self.early_key(partition),
            value: Some(value),
        }
    }

    pub(super) fn early_key(&self, partition: &str) -> String {
        format!("{}{}/early/{partition}", prefix(&self.source), self.table)
    }
}

/// What keys of a source begin with.
pub(super) fn prefix(name: &str) -> String {
    format!("wad_storage/{name}/")
}

/// By what a row of a partition is known again.
pub(super) fn hash_of(row_key: &str) -> u64 {
    let digest = digest(&SHA256, row_key.as_bytes());
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

/// The part that a PartitionKey which the agent could have made is of.
pub(super) fn part_of(partition: &str) -> Option<u64> {
    minute_of(partition)?;
    match partition.split_once("___") {
        None => Some(0),
        Some((shard, _)) => {
            let shard: u64 = shard.parse().ok()?;
            (shard < SHARDS).then_some(shard + 1)
        }
    }
}

fn keys(value: &[u8]) -> Option<RowKeys> {
    let text = str::from_utf8(value).ok()?;
    let (partition, row) = text.split_once('\0')?;
    Some(RowKeys {
        partition: partition.to_owned(),
        row: row.to_owned(),
    })
}
