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

use windrow_formats::limits::CHANNEL_NAME_BYTES_MAX;
use windrow_formats::wef::query::bookmarked_places;

use super::progress::{Losses, Progress, Seen, moved_to, of_bookmark};
use crate::journal::Journal;
use crate::limits::{CHANNELS_PER_SUBSCRIPTION_MAX, RECENT_BATCHES_MAX, RECENT_EVENTS_MAX};

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

/// Channels, each with the record id that it had come to.
pub type Places = Vec<(String, u64)>;

/// Whether a source says in a delivery that it begins without its bookmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Anew,
    No,
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
    /// Channels that earlier bookmarks had and this one lacks, with the record id that each had come to:
    /// a query that had a channel may have it again.
    pub left: Places,
    /// Marks of the events of its last delivery.
    pub marks: Vec<Mark>,
}

impl Stored {
    /// The value for the journal's state:
    /// version u8, microseconds i64 LE, those of the beginning i64 LE (`i64::MIN` where it is not
    /// known), bookmark length u32 LE, bookmark, how many channels were left u16 LE, of each the record id
    /// u64 LE, length u16 LE, name; marks of eight bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(21 + self.bookmark.len() + 8 * self.marks.len());
        value.push(VERSION);
        value.extend_from_slice(&self.received_at.as_microsecond().to_le_bytes());
        let began = self.began_at.map_or(UNKNOWN, Timestamp::as_microsecond);
        value.extend_from_slice(&began.to_le_bytes());
        value.extend_from_slice(&(self.bookmark.len() as u32).to_le_bytes());
        value.extend_from_slice(self.bookmark.as_bytes());
        // No more are kept, and no longer names.
        value.extend_from_slice(&(self.left.len() as u16).to_le_bytes());
        for (channel, record_id) in &self.left {
            value.extend_from_slice(&record_id.to_le_bytes());
            value.extend_from_slice(&(channel.len() as u16).to_le_bytes());
            value.extend_from_slice(channel.as_bytes());
        }
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
        let (bookmark, value) = value.split_at_checked(length)?;
        let (left, marks) = match version {
            VERSION => read_left(value)?,
            _ => (Vec::new(), value),
        };
        let (marks, []) = marks.as_chunks() else {
            return None;
        };
        Some(Stored {
            received_at: jiff::Timestamp::from_microsecond(i64::from_le_bytes(*time)).ok()?,
            began_at,
            bookmark: str::from_utf8(bookmark).ok()?.to_owned(),
            left,
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

/// The channels that were left, and what comes after them.
fn read_left(value: &[u8]) -> Option<(Places, &[u8])> {
    let (count, mut value) = value.split_first_chunk()?;
    let mut left = Vec::new();
    for _ in 0..u16::from_le_bytes(*count) {
        let (record_id, rest) = value.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        left.push((
            str::from_utf8(name).ok()?.to_owned(),
            u64::from_le_bytes(*record_id),
        ));
        value = rest;
    }
    Some((left, value))
}

/// What is left when a bookmark comes after this one.
fn left_by(before: &str, left: &[(String, u64)], bookmark: &str) -> Places {
    let places = |bookmark| bookmarked_places(bookmark).unwrap_or_default();
    let now = places(bookmark);
    let has = |channel: &str| now.iter().any(|(one, _)| one.eq_ignore_ascii_case(channel));
    let before = places(before).into_iter();
    let before = before.filter_map(|(channel, record_id)| Some((channel, record_id?)));
    let mut all: Places = before
        .filter(|(channel, _)| !has(channel) && channel.len() <= CHANNEL_NAME_BYTES_MAX)
        .collect();
    for (channel, record_id) in left {
        let is_new = !all.iter().any(|(one, _)| one.eq_ignore_ascii_case(channel));
        if is_new && !has(channel) {
            all.push((channel.clone(), *record_id));
        }
    }
    all.truncate(CHANNELS_PER_SUBSCRIPTION_MAX);
    all
}

/// The last deliveries of a source in a subscription, newest last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    bookmark: Option<String>,
    /// Channels that it lacks and others before it had.
    left: Places,
    /// Sorted marks of each.
    batches: VecDeque<Vec<Mark>>,
    /// How far its channels have come.
    progress: Progress,
    /// When the last delivery came.
    delivered: Option<Timestamp>,
    /// When the source was offered the subscription for the first time.
    began: Option<Timestamp>,
    /// The time in what the journal holds of it, as this one wrote or read it.
    kept_at: Option<Timestamp>,
}

impl Recent {
    /// What is known at the start.
    pub(super) fn from_stored(stored: Option<Stored>) -> Recent {
        let mut recent = Recent::default();
        if let Some(stored) = stored {
            recent.progress = of_bookmark(&stored.bookmark);
            recent.delivered = stored.delivered();
            recent.began = stored.began_at;
            recent.kept_at = Some(stored.received_at);
            recent.left = stored.left;
            recent.remember(stored.marks, Some(stored.bookmark));
        }
        recent
    }

    pub(super) fn bookmark(&self) -> Option<&str> {
        self.bookmark.as_deref()
    }

    /// What is left when this bookmark comes, if one does. Nothing is of a source that begins anew.
    pub(super) fn left_by(&self, bookmark: Option<&str>, begins: Begins) -> Places {
        match (begins, bookmark) {
            (Begins::Anew, _) => Vec::new(),
            (Begins::No, None) => self.left.clone(),
            (Begins::No, Some(bookmark)) => left_by(
                self.bookmark.as_deref().unwrap_or_default(),
                &self.left,
                bookmark,
            ),
        }
    }

    /// Whether there are channels that it was in and is not any more.
    pub(super) fn has_left(&self) -> bool {
        !self.left.is_empty()
    }

    /// Notes what is left, which is on disk.
    pub(super) fn leave(&mut self, left: Places) {
        self.left = left;
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
        self.kept_at.is_none()
    }

    /// Notes that the source began, which is on disk.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.began = Some(at);
        self.kept(at);
    }

    /// Notes that the journal holds what came then.
    pub(super) fn kept(&mut self, at: Timestamp) {
        self.kept_at = Timestamp::from_microsecond(at.as_microsecond()).ok();
    }

    /// Takes over what another collector has stored of the source meanwhile, to which it went in between.
    pub(super) fn catch_up(&mut self, stored: Option<Stored>) {
        // Whatever the clock was then: what this one did not write another did.
        let is_anothers = |stored: &Stored| Some(stored.received_at) != self.kept_at;
        let Some(stored) = stored.filter(is_anothers) else {
            return;
        };
        self.kept_at = Some(stored.received_at);
        self.began = stored.began_at;
        self.delivered = stored.delivered();
        self.left = stored.left;
        self.progress = moved_to(&self.progress, &stored.bookmark);
        self.remember(stored.marks, Some(stored.bookmark));
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

    #[test]
    fn what_another_has_stored_is_taken_over_whatever_the_clock_was() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let bookmark = |id| {
            format!("<BookmarkList><Bookmark Channel='Security' RecordId='{id}'/></BookmarkList>")
        };
        let stored = |second, id, range| Stored {
            received_at: at(second),
            began_at: None,
            bookmark: bookmark(id),
            left: Vec::new(),
            marks: marks(range),
        };
        let mut recent = Recent::from_stored(Some(stored(1_000, 5, 0..5)));
        recent.catch_up(Some(stored(1_000, 5, 0..5)));
        assert_eq!(recent.batches.len(), 1, "its own is nothing new");
        // An hour back.
        recent.catch_up(Some(stored(500, 9, 5..9)));
        assert_eq!(recent.bookmark(), Some(&*bookmark(9)));
        assert!(recent.contains(Mark(8)) && recent.contains(Mark(0)));
        assert_eq!(recent.progress()[0].record_id, 9);
        recent.kept(at(600));
        recent.catch_up(Some(stored(600, 12, 9..12)));
        assert!(!recent.contains(Mark(11)), "that was written here");
    }

    proptest! {
        #[test]
        fn stored_values_come_back(
            at in 0i64..4_000_000_000_000_000,
            began in prop::option::of(0i64..4_000_000_000_000_000),
            left in prop::collection::vec((".{0,20}", any::<u64>()), 0..4),
            bookmark in ".{0,50}",
            marks in prop::collection::vec(any::<u64>().prop_map(Mark), 0..60),
        ) {
            let stored = Stored {
                received_at: jiff::Timestamp::from_microsecond(at).unwrap(),
                began_at: began.map(|at| jiff::Timestamp::from_microsecond(at).unwrap()),
                bookmark,
                left,
                marks,
            };
            prop_assert_eq!(Stored::decode(&stored.encode()), Some(stored.clone()));
            // The same as the version before wrote it.
            let stored = Stored { left: Vec::new(), ..stored };
            let mut before = stored.encode();
            let end = 21 + stored.bookmark.len();
            before.drain(end..end + 2);
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
