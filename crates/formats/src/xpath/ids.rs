//! Sets of EventIDs: what a query can match at all is known before any event is seen.

/// A set of 32-bit numbers, as ranges in order that do not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdSet {
    /// First and last of each.
    ranges: Vec<(u32, u32)>,
    /// Whether an event without an EventID is in it.
    pub(super) has_absent: bool,
}

impl IdSet {
    /// Every event.
    pub(super) fn full() -> Self {
        Self {
            ranges: vec![(0, u32::MAX)],
            has_absent: true,
        }
    }

    pub(super) fn empty() -> Self {
        Self::of(Vec::new())
    }

    /// The EventIDs of some ranges in order.
    pub(super) fn of(ranges: Vec<(u32, u32)>) -> Self {
        Self {
            ranges,
            has_absent: false,
        }
    }

    #[inline]
    pub(super) fn contains(&self, id: Option<u32>) -> bool {
        let Some(id) = id else {
            return self.has_absent;
        };
        let after = self.ranges.partition_point(|&(first, _)| first <= id);
        after > 0 && id <= self.ranges[after - 1].1
    }

    /// First and last of each range in it.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && !self.has_absent
    }

    pub(super) fn union(&self, other: &IdSet) -> IdSet {
        let mut all: Vec<_> = self.ranges.iter().chain(&other.ranges).copied().collect();
        all.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match ranges.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => ranges.push((first, last)),
            }
        }
        IdSet {
            ranges,
            has_absent: self.has_absent || other.has_absent,
        }
    }

    pub(super) fn intersection(&self, other: &IdSet) -> IdSet {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.ranges.iter(), other.ranges.iter());
        let (mut one, mut two) = (left.next(), right.next());
        while let (Some(&(a, b)), Some(&(c, d))) = (one, two) {
            if a.max(c) <= b.min(d) {
                ranges.push((a.max(c), b.min(d)));
            }
            if b < d {
                one = left.next();
            } else {
                two = right.next();
            }
        }
        IdSet {
            ranges,
            has_absent: self.has_absent && other.has_absent,
        }
    }

    /// All its members, if they are few.
    pub(super) fn members(&self, count_max: usize) -> Option<Vec<u32>> {
        let mut members = Vec::new();
        for &(first, last) in &self.ranges {
            if self.has_absent || (last - first) as usize >= count_max - members.len() {
                return None;
            }
            members.extend(first..=last);
        }
        (!self.has_absent).then_some(members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sets() -> impl Strategy<Value = IdSet> {
        let ranges = prop::collection::vec((0u32..40, 0u32..6), 0..6);
        (ranges, any::<bool>()).prop_map(|(ranges, has_absent)| {
            let one = |(first, len)| IdSet::of(vec![(first, first + len)]);
            let set = ranges.into_iter().map(one);
            let set = set.fold(IdSet::empty(), |all, one| all.union(&one));
            IdSet { has_absent, ..set }
        })
    }

    proptest! {
        #[test]
        fn sets_are_sets(one in sets(), other in sets(), id in prop::option::of(0u32..50)) {
            let (in_one, in_other) = (one.contains(id), other.contains(id));
            prop_assert_eq!(one.union(&other).contains(id), in_one || in_other);
            prop_assert_eq!(one.intersection(&other).contains(id), in_one && in_other);
        }

        #[test]
        fn members_are_what_is_contained(set in sets()) {
            let contained: Vec<u32> = (0..60).filter(|&id| set.contains(Some(id))).collect();
            let few = (!set.has_absent && contained.len() <= 20).then_some(contained);
            prop_assert_eq!(set.members(20), few);
        }
    }

    #[test]
    fn all_of_them_are_too_many() {
        assert_eq!(IdSet::full().members(256), None);
        assert_eq!(IdSet::empty().members(256), Some(vec![]));
        assert!(IdSet::full().contains(Some(u32::MAX)));
    }
}
