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

const VERSION: u8 = 2;
/// The version before: without when the source began.
const WITHOUT_BEGINNING: u8 = 1;
/// For a beginning that is not known.
const UNKNOWN: i64 = i64::MIN;

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
    /// When its last delivery came; when it began, as long as none has come.
    pub received_at: jiff::Timestamp,
    /// When it was offered the subscription for the first time, where that was kept.
    pub began_at: Option<jiff::Timestamp>,
    /// The bookmark, as it came. Empty when the source sent none.
    pub bookmark: String,
    /// Marks of the events of its last delivery.
    pub marks: Vec<Mark>,
}

impl Stored {
    /// The value for the journal's state:
    /// version u8, microseconds i64 LE, those of the beginning i64 LE (`i64::MIN` where it is not
    /// known), bookmark length u32 LE, bookmark, marks of eight bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(21 + self.bookmark.len() + 8 * self.marks.len());
        value.push(VERSION);
        value.extend_from_slice(&self.received_at.as_microsecond().to_le_bytes());
        let began = self.began_at.map_or(UNKNOWN, Timestamp::as_microsecond);
        value.extend_from_slice(&began.to_le_bytes());
        value.extend_from_slice(&(self.bookmark.len() as u32).to_le_bytes());
        value.extend_from_slice(self.bookmark.as_bytes());
        for mark in &self.marks {
            value.extend_from_slice(&mark.0.to_le_bytes());
        }
        value
    }

    /// Reads such a value; `None` when it is not one of this version or the one before.
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Stored> {
        let (&version, value) = value.split_first()?;
        let (time, value) = value.split_first_chunk()?;
        let (began, value) = match version {
            VERSION => {
                let (began, value) = value.split_first_chunk()?;
                (i64::from_le_bytes(*began), value)
            }
            WITHOUT_BEGINNING => (UNKNOWN, value),
            _ => return None,
        };
        let began_at = match began {
            UNKNOWN => None,
            began => Some(Timestamp::from_microsecond(began).ok()?),
        };
        let (length, value) = value.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (bookmark, marks) = value.split_at_checked(length)?;
        let (marks, []) = marks.as_chunks() else {
            return None;
        };
        Some(Stored {
            received_at: jiff::Timestamp::from_microsecond(i64::from_le_bytes(*time)).ok()?,
            began_at,
            bookmark: str::from_utf8(bookmark).ok()?.to_owned(),
            marks: marks
                .iter()
                .map(|mark| Mark(u64::from_le_bytes(*mark)))
                .collect(),
        })
    }

    /// When the last delivery came; none when it has only begun.
    #[must_use]
    pub fn delivered(&self) -> Option<Timestamp> {
        let has_delivered = !self.bookmark.is_empty() || !self.marks.is_empty();
        has_delivered.then_some(self.received_at)
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
    /// When the source was offered the subscription for the first time.
    began: Option<Timestamp>,
    /// Whether the journal holds anything of it.
    is_kept: bool,
}

impl Recent {
    /// What is known at the start.
    pub(super) fn from_stored(stored: Option<Stored>) -> Recent {
        let mut recent = Recent::default();
        if let Some(stored) = stored {
            recent.progress = of_bookmark(&stored.bookmark);
            recent.delivered = stored.delivered();
            recent.began = stored.began_at;
            recent.is_kept = true;
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

    pub(super) fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// Whether nothing of it is in the journal.
    pub(super) fn is_new(&self) -> bool {
        !self.is_kept
    }

    /// Notes that the source began, which is on disk.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.began = Some(at);
        self.is_kept = true;
    }

    /// Takes over what another collector has stored of the source meanwhile, to which it went in between.
    pub(super) fn catch_up(&mut self, stored: Option<Stored>) {
        let is_newer = |stored: &Stored| self.is_new() || stored.delivered() > self.delivered;
        if stored.as_ref().is_some_and(is_newer) {
            *self = Recent::from_stored(stored);
        }
    }

    /// Takes over how far a delivery that is on disk has come, and what it has shown to be missing.
    pub(super) fn go_on(&mut self, seen: &Seen, at: Timestamp) -> Losses {
        self.delivered = Some(at);
        self.is_kept = true;
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
            began in prop::option::of(0i64..4_000_000_000_000_000),
            bookmark in ".{0,50}",
            marks in prop::collection::vec(any::<u64>().prop_map(Mark), 0..60),
        ) {
            let stored = Stored {
                received_at: jiff::Timestamp::from_microsecond(at).unwrap(),
                began_at: began.map(|at| jiff::Timestamp::from_microsecond(at).unwrap()),
                bookmark,
                marks,
            };
            prop_assert_eq!(Stored::decode(&stored.encode()), Some(stored.clone()));
            // The same as the version before wrote it.
            let mut before = stored.encode();
            before.drain(9..17);
            before[0] = WITHOUT_BEGINNING;
            prop_assert_eq!(Stored::decode(&before), Some(Stored { began_at: None, ..stored }));
        }

        #[test]
        fn damaged_values_never_panic(value in prop::collection::vec(any::<u8>(), 0..40), version in 0u8..4) {
            let mut value = value;
            if let Some(first) = value.first_mut() {
                *first = version;
            }
            let _ = Stored::decode(&value);
        }
    }
}
