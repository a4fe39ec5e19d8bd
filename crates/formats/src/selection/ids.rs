//! Lists of event ids.

use std::fmt;
use std::str::FromStr;

use crate::limits::SELECTION_ITEMS_MAX;

/// Largest EventID (event schema, EventIDType).
pub(super) const ID_MAX: u32 = 65_535;
/// Characters of what is no id that a message shows.
const CHARACTERS_SHOWN_MAX: usize = 40;

/// Event ids from the first to the last: `4624`, `4720-4767`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdRange {
    first: u32,
    last: u32,
}

/// What is no event id and no range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdRangeError {
    /// Not digits, or digits on both sides of a `-`.
    #[error("`{0}` is no event id")]
    NotAnId(String),
    /// Above what an EventID can be.
    #[error("`{0}` is above {ID_MAX}, the largest event id")]
    TooLarge(String),
    /// The last comes before the first.
    #[error("the range {0} ends before it begins")]
    Backwards(IdRange),
    /// Above [`SELECTION_ITEMS_MAX`].
    #[error("more than {SELECTION_ITEMS_MAX} event ids and ranges")]
    TooMany,
}

impl IdRange {
    /// From `first` to `last`.
    ///
    /// # Errors
    /// They are no event ids, or in the wrong order.
    pub fn new(first: u32, last: u32) -> Result<IdRange, IdRangeError> {
        let range = IdRange { first, last };
        let largest = first.max(last);
        if largest > ID_MAX {
            Err(IdRangeError::TooLarge(largest.to_string()))
        } else if last < first {
            Err(IdRangeError::Backwards(range))
        } else {
            Ok(range)
        }
    }

    /// The one id, if it is one.
    #[must_use]
    pub fn single(self) -> Option<u32> {
        (self.first == self.last).then_some(self.first)
    }
}

impl FromStr for IdRange {
    type Err = IdRangeError;

    fn from_str(text: &str) -> Result<IdRange, IdRangeError> {
        let id = |digits: &str| {
            let digits = digits.trim();
            let shown = || {
                let short: String = digits.chars().take(CHARACTERS_SHOWN_MAX).collect();
                crate::text::visible(&short).into_owned()
            };
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(IdRangeError::NotAnId(shown()));
            }
            digits.parse().map_err(|_| IdRangeError::TooLarge(shown()))
        };
        match text.split_once('-') {
            None => id(text).and_then(|id| IdRange::new(id, id)),
            Some((first, last)) => IdRange::new(id(first)?, id(last)?),
        }
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(id) => id.fmt(f),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// Event ids, to be looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventIds {
    /// In order, apart from each other.
    ranges: Box<[IdRange]>,
}

impl EventIds {
    /// The ids of these ranges, which may overlap.
    ///
    /// # Errors
    /// There are more than [`SELECTION_ITEMS_MAX`].
    pub fn new(ranges: impl IntoIterator<Item = IdRange>) -> Result<EventIds, IdRangeError> {
        let mut ranges: Vec<IdRange> = ranges.into_iter().take(SELECTION_ITEMS_MAX + 1).collect();
        if ranges.len() > SELECTION_ITEMS_MAX {
            return Err(IdRangeError::TooMany);
        }
        ranges.sort_unstable();
        ranges.dedup_by(|next, before| {
            let joins = next.first <= before.last;
            if joins {
                before.last = before.last.max(next.last);
            }
            joins
        });
        Ok(EventIds {
            ranges: ranges.into(),
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// First and last of each range, in order and apart from each other.
    pub(super) fn bounds(&self) -> impl Iterator<Item = (u32, u32)> {
        self.ranges.iter().map(|range| (range.first, range.last))
    }

    /// Whether this is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.first <= id);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|range| id <= range.last)
    }
}
