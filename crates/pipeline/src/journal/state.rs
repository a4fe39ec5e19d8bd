//! The keyed states (bookmarks): changed together with the batch they cover, whole in every segment's first frames.

use std::collections::BTreeMap;

use super::frame::{StateChange, encode_pair};
use super::limits::{MAX_FRAME_ENTRIES, SNAPSHOT_PART_BYTES};

/// Keys that begin with this are the journal's own.
pub(super) const OWN_PREFIX: char = '\0';

/// The last value of every key.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    values: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl State {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// All pairs whose key begins with a prefix, in order.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.values
            .range::<str, _>((
                std::ops::Bound::Included(prefix),
                std::ops::Bound::Unbounded,
            ))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Bytes of all keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What [`State::bytes`] will be after a change.
    pub(super) fn bytes_after(&self, change: &StateChange) -> usize {
        let pair = |value: &[u8]| change.key.len() + value.len();
        let old = self.get(&change.key).map_or(0, pair);
        self.bytes - old + change.value.as_deref().map_or(0, pair)
    }

    /// Applies one change.
    pub(super) fn apply(&mut self, change: &StateChange) {
        self.change(&change.key, change.value.as_deref());
    }

    /// Gives a key a value, or forgets it.
    pub(super) fn change(&mut self, key: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.set(key, value),
            None => self.remove(key),
        }
    }

    /// Gives a key a value.
    pub(super) fn set(&mut self, key: &str, value: &[u8]) {
        self.remove(key);
        self.bytes += key.len() + value.len();
        self.values.insert(key.to_owned(), value.to_vec());
    }

    fn remove(&mut self, key: &str) {
        if let Some(old) = self.values.remove(key) {
            self.bytes -= key.len() + old.len();
        }
    }

    /// The bodies of a snapshot's frames with the number of pairs in each; at least one.
    pub(super) fn snapshot(&self) -> Vec<(Vec<u8>, u32)> {
        let mut parts = Vec::new();
        let mut body = Vec::new();
        let mut pairs = 0;
        for (key, value) in &self.values {
            encode_pair(&mut body, key, Some(value));
            pairs += 1;
            if body.len() >= SNAPSHOT_PART_BYTES || pairs == MAX_FRAME_ENTRIES {
                parts.push((std::mem::take(&mut body), pairs));
                pairs = 0;
            }
        }
        if pairs > 0 || parts.is_empty() {
            parts.push((body, pairs));
        }
        parts
    }
}
