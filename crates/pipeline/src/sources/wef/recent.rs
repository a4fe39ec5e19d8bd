//! What a source delivered last: its bookmark, and by which its events are known when they come
//! again.
//!
//! Both are one value of the journal's state, changed in the same frame that holds the events, so
//! that after a restart a source goes on where it was, and a delivery whose acknowledgement it
//! never saw is recognised.

use std::collections::VecDeque;

use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::identity::{Identity, canonical_source};

use super::progress::{Losses, Progress, Seen, of_bookmark};
use crate::journal::Journal;
use crate::limits::{RECENT_BATCHES_MAX, RECENT_EVENTS_MAX};

/// Keys of the state begin with this; then come the subscription's id and the source's name.
pub(super) const KEY_PREFIX: &str = "wef/bookmark/";

const VERSION: u8 = 1;

/// The state's key for a source's bookmark in a subscription, whatever the case its name is written in.
#[must_use]
pub fn state_key(subscription: Uuid, source: &str) -> String {
    let source = canonical_source(source);
    format!("{KEY_PREFIX}{subscription}/{source}")
}

/// What the journal holds for a source in a subscription.
pub(super) fn stored(journal: &Journal, subscription: Uuid, source: &str) -> Option<Stored> {
    Stored::decode(&journal.state(&state_key(subscription, source))?)
}

/// The subscription and the source of a key, or `None` for another room's key.
#[must_use]
pub fn parse_state_key(key: &str) -> Option<(Uuid, &str)> {
    let (subscription, source) = key.strip_prefix(KEY_PREFIX)?.split_once('/')?;
    Some((subscription.parse().ok()?, source))
}

/// The first half of an [`Identity`]: enough to tell some hundred events apart, and half the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl From<Identity> for Mark {
    fn from(identity: Identity) -> Mark {
        let mut half = [0; 8];
        half.copy_from_slice(&identity.0[..8]);
        Mark(u64::from_le_bytes(half))
    }
}

/// What the state holds for a source in a subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// When its last delivery came.
    pub received_at: jiff::Timestamp,
    /// The bookmark, as it came. Empty when the source sent none.
    pub bookmark: String,
    /// Marks of the events of its last delivery.
    pub marks: Vec<Mark>,
}

impl Stored {
    /// The value for the journal's state:
    /// version u8, microseconds i64 LE, bookmark length u32 LE, bookmark, marks of eight bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(13 + self.bookmark.len() + 8 * self.marks.len());
        value.push(VERSION);
        value.extend_from_slice(&self.received_at.as_microsecond().to_le_bytes());
        value.extend_from_slice(&(self.bookmark.len() as u32).to_le_bytes());
        value.extend_from_slice(self.bookmark.as_bytes());
        for mark in &self.marks {
            value.extend_from_slice(&mark.0.to_le_bytes());
        }
        value
    }

    /// Reads such a value; `None` when it is not one of this version.
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Stored> {
        let (&VERSION, value) = value.split_first()? else {
            return None;
        };
        let (time, value) = value.split_first_chunk()?;
        let (length, value) = value.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (bookmark, marks) = value.split_at_checked(length)?;
        let (marks, []) = marks.as_chunks() else {
            return None;
        };
        Some(Stored {
            received_at: jiff::Timestamp::from_microsecond(i64::from_le_bytes(*time)).ok()?,
            bookmark: str::from_utf8(bookmark).ok()?.to_owned(),
            marks: marks
                .iter()
                .map(|mark| Mark(u64::from_le_bytes(*mark)))
                .collect(),
        })
    }
}

/// The last deliveries of a source in a subscription, newest last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    bookmark: Option<String>,
    /// Sorted marks of each.
    batches: VecDeque<Vec<Mark>>,
    /// How far its channels have come.
    progress: Progress,
    /// When the last delivery came.
    delivered: Option<Timestamp>,
}

impl Recent {
    /// What is known at the start.
    pub(super) fn from_stored(stored: Option<Stored>) -> Recent {
        let mut recent = Recent::default();
        if let Some(stored) = stored {
            recent.progress = of_bookmark(&stored.bookmark);
            recent.delivered = Some(stored.received_at);
            recent.remember(stored.marks, Some(stored.bookmark));
        }
        recent
    }

    pub(super) fn bookmark(&self) -> Option<&str> {
        self.bookmark.as_deref()
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn delivered(&self) -> Option<Timestamp> {
        self.delivered
    }

    /// Takes over how far a delivery that is on disk has come, and what it has shown to be missing.
    pub(super) fn go_on(&mut self, seen: &Seen, at: Timestamp) -> Losses {
        self.delivered = Some(at);
        seen.apply(&mut self.progress, at)
    }

    /// Whether an event of this mark was in one of the last deliveries.
    pub(super) fn contains(&self, mark: Mark) -> bool {
        self.batches
            .iter()
            .any(|batch| batch.binary_search(&mark).is_ok())
    }

    /// Remembers a delivery that is on disk.
    pub(super) fn remember(&mut self, mut marks: Vec<Mark>, bookmark: Option<String>) {
        if let Some(bookmark) = bookmark.filter(|bookmark| !bookmark.is_empty()) {
            self.bookmark = Some(bookmark);
        }
        if marks.is_empty() {
            return;
        }
        marks.sort_unstable();
        self.batches.push_back(marks);
        let mut events: usize = self.batches.iter().map(Vec::len).sum();
        while self.batches.len() > RECENT_BATCHES_MAX
            || (events > RECENT_EVENTS_MAX && self.batches.len() > 1)
        {
            events -= self.batches.pop_front().map_or(0, |batch| batch.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks(range: std::ops::Range<u64>) -> Vec<Mark> {
        range.map(Mark).collect()
    }

    #[test]
    fn keys_are_read_back() {
        let id = Uuid::from_u128(7);
        for source in ["ws1.corp.example", "a/b", ""] {
            assert_eq!(parse_state_key(&state_key(id, source)), Some((id, source)));
        }
        assert_eq!(
            state_key(Uuid::nil(), "WS1.Corp"),
            state_key(Uuid::nil(), "ws1.corp")
        );
        assert_eq!(parse_state_key("wef/bookmark/x/ws1"), None);
        assert_eq!(parse_state_key("other"), None);
    }

    #[test]
    fn the_last_deliveries_are_remembered() {
        let mut recent = Recent::default();
        for batch in 0..10 {
            recent.remember(
                marks(batch * 10..batch * 10 + 10),
                Some(format!("<b n='{batch}'/>")),
            );
        }
        assert_eq!(recent.bookmark(), Some("<b n='9'/>"));
        assert!(!recent.contains(Mark(59)));
        assert!((60..100).all(|mark| recent.contains(Mark(mark))));
        // A heartbeat, or a delivery of none, forgets nothing.
        recent.remember(Vec::new(), None);
        assert!(recent.contains(Mark(60)) && recent.bookmark() == Some("<b n='9'/>"));
        // One that is larger than the limit is remembered whole, and alone.
        recent.remember(marks(1000..1000 + 2 * RECENT_EVENTS_MAX as u64), None);
        assert!(!recent.contains(Mark(99)) && recent.contains(Mark(1000)));
    }

    proptest! {
        #[test]
        fn stored_values_come_back(
            at in 0i64..4_000_000_000_000_000,
            bookmark in ".{0,50}",
            marks in prop::collection::vec(any::<u64>().prop_map(Mark), 0..60),
        ) {
            let stored = Stored { received_at: jiff::Timestamp::from_microsecond(at).unwrap(), bookmark, marks };
            prop_assert_eq!(Stored::decode(&stored.encode()), Some(stored));
        }

        #[test]
        fn damaged_values_never_panic(value in prop::collection::vec(any::<u8>(), 0..40), version in any::<bool>()) {
            let mut value = value;
            if version && !value.is_empty() {
                value[0] = VERSION;
            }
            let _ = Stored::decode(&value);
        }
    }
}
