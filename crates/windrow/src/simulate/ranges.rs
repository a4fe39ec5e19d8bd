//! Sets of record ids, kept as ranges: a fleet's ids come in order and leave few gaps.

use serde::{Deserialize, Serialize};

/// Most ranges of one set. An id that would need another is counted as one that did not fit.
pub const RANGES_MAX: usize = 65_536;

/// A set of record ids.
///
/// Invariant: ranges are sorted, hold both ends, and never touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RangeSet(Vec<(u64, u64)>);

/// What became of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was not there before.
    New,
    /// It was.
    Again,
    /// The set has as many ranges as it may.
    Full,
}

impl RangeSet {
    /// The set of all from `first` to `last`; empty if `first` is beyond.
    pub fn of(first: u64, last: u64) -> RangeSet {
        if first > last {
            RangeSet::default()
        } else {
            RangeSet(vec![(first, last)])
        }
    }

    /// The ranges, both ends in, in order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many ids are in it.
    pub fn count(&self) -> u64 {
        let size = |&(first, last): &(u64, u64)| (last - first).saturating_add(1);
        self.0.iter().map(size).fold(0, u64::saturating_add)
    }

    /// Whether `id` is in it.
    pub fn contains(&self, id: u64) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= id);
        after > 0 && self.0[after - 1].1 >= id
    }

    /// Puts `id` in.
    pub fn insert(&mut self, id: u64) -> Inserted {
        let after = self.0.partition_point(|&(first, _)| first <= id);
        let joins_before = after > 0 && self.0[after - 1].1 >= id.saturating_sub(1);
        if joins_before && self.0[after - 1].1 >= id {
            return Inserted::Again;
        }
        let joins_after = self.0.get(after).is_some_and(|&(first, _)| first - 1 == id);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = id,
            (false, true) => self.0[after].0 = id,
            (false, false) if self.0.len() >= RANGES_MAX => return Inserted::Full,
            (false, false) => self.0.insert(after, (id, id)),
        }
        Inserted::New
    }

    /// What is in `self` and not in `other`.
    pub fn minus(&self, other: &RangeSet) -> RangeSet {
        let mut rest = Vec::new();
        let mut others = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            let mut from = first;
            while others.next_if(|&&(_, end)| end < from).is_some() {}
            // An other range may reach into the next of ours, so it is only looked at.
            let mut ahead = others.clone();
            while let Some(&(start, end)) = ahead.next_if(|&&(start, _)| start <= last) {
                if start > from {
                    rest.push((from, start - 1));
                }
                let Some(next) = end.checked_add(1) else {
                    return RangeSet(rest);
                };
                from = next;
            }
            if from <= last {
                rest.push((from, last));
            }
        }
        RangeSet(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ids: &[u64]) -> (RangeSet, BTreeSet<u64>) {
        let (mut ranges, mut plain) = (RangeSet::default(), BTreeSet::new());
        for &id in ids {
            let expected = if plain.insert(id) {
                Inserted::New
            } else {
                Inserted::Again
            };
            assert_eq!(ranges.insert(id), expected);
        }
        (ranges, plain)
    }

    fn ids() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![0..40_u64, u64::MAX - 5..=u64::MAX], 0..60)
    }

    proptest! {
        #[test]
        fn it_is_a_set(ids in ids(), others in ids()) {
            let (ranges, plain) = set(&ids);
            prop_assert_eq!(ranges.count(), plain.len() as u64);
            for id in (0..41).chain(u64::MAX - 6..=u64::MAX) {
                prop_assert_eq!(ranges.contains(id), plain.contains(&id));
            }
            for pair in ranges.ranges().windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0);
            }
            let (other_ranges, other_plain) = set(&others);
            let rest: Vec<u64> = plain.difference(&other_plain).copied().collect();
            prop_assert_eq!(ranges.minus(&other_ranges), set(&rest).0);
        }
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut ranges = RangeSet::default();
        for id in 0..RANGES_MAX as u64 {
            assert_eq!(ranges.insert(2 * id), Inserted::New);
        }
        assert_eq!(ranges.insert(u64::MAX), Inserted::Full);
        assert_eq!(ranges.insert(1), Inserted::New);
        assert_eq!(ranges.insert(4), Inserted::Again);
    }
}
