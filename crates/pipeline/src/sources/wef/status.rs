//! Who sends, since when, and how much: what `status` and `sources` show.
//!
//! It lives in memory. After a start the sources that have a bookmark are there with the time of
//! their last delivery, so that a machine that stays silent is seen to be silent.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::identity::canonical_source;

use super::recent::{Recent, Stored, parse_state_key, stored};
use crate::journal::Journal;
use crate::limits::SOURCES_MAX;

/// What is known about one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its authenticated name.
    pub source: String,
    /// What it calls itself (MachineID); a claim.
    pub machine_id: Option<String>,
    /// Where its last request came from.
    pub address: Option<IpAddr>,
    /// Its last request for subscriptions.
    pub last_enumerate: Option<Timestamp>,
    /// Its last sign of life without events.
    pub last_heartbeat: Option<Timestamp>,
    /// Its last delivery.
    pub last_events: Option<Timestamp>,
    /// Its last request that was refused, and why.
    pub last_refusal: Option<(Timestamp, String)>,
    /// Requests refused.
    pub refusals: u64,
    /// The subscriptions it was offered last, by name, with their versions.
    pub offered: BTreeMap<String, String>,
    /// What it delivered, by the name of the subscription.
    pub subscriptions: BTreeMap<String, Counts>,
}

/// What came from a source for one subscription since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries.
    pub batches: u64,
    /// Events made durable.
    pub events: u64,
    /// Events that had come before and were left out.
    pub duplicates: u64,
    /// Events kept although malformed.
    pub malformed: u64,
    /// Events with characters that could not be decoded.
    pub lossy: u64,
    /// Events the source says it dropped.
    pub dropped_by_source: u64,
    /// Bookkeeping events.
    pub bookmark_events: u64,
    /// Bookkeeping events although a bookmark was stored, and the last one's time.
    pub unexpected_bookmark_events: u64,
    /// When the last of those came.
    pub last_unexpected_bookmark_event: Option<Timestamp>,
    /// When the source ended the subscription.
    pub ended: Option<Timestamp>,
}

impl Counts {
    /// Adds what one delivery brought.
    pub(super) fn add(&mut self, new: Counts) {
        self.batches += new.batches;
        self.events += new.events;
        self.duplicates += new.duplicates;
        self.malformed += new.malformed;
        self.lossy += new.lossy;
        self.dropped_by_source += new.dropped_by_source;
        self.bookmark_events += new.bookmark_events;
        self.unexpected_bookmark_events += new.unexpected_bookmark_events;
    }
}

impl SourceStatus {
    fn new(source: &str) -> SourceStatus {
        SourceStatus {
            source: source.to_owned(),
            machine_id: None,
            address: None,
            last_enumerate: None,
            last_heartbeat: None,
            last_events: None,
            last_refusal: None,
            refusals: 0,
            offered: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        }
    }

    /// When it was last heard of.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        [self.last_enumerate, self.last_heartbeat, self.last_events]
            .into_iter()
            .flatten()
            .max()
    }
}

/// Deliveries of one source for one subscription take turns on this lock.
pub(super) type Track = Arc<tokio::sync::Mutex<Recent>>;

/// All sources.
#[derive(Debug, Default)]
pub(super) struct Sources {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Known>,
    /// Counts the requests.
    turn: u64,
}

#[derive(Debug)]
struct Known {
    status: SourceStatus,
    tracks: HashMap<Uuid, Track>,
    /// The turn of its last request.
    turn: u64,
}

impl Sources {
    /// The sources that have a bookmark in the journal.
    pub(super) fn from_journal(journal: &Journal) -> Sources {
        let sources = Sources::default();
        for (key, value) in journal.states(super::recent::KEY_PREFIX) {
            if let (Some((_, source)), Some(stored)) =
                (parse_state_key(&key), Stored::decode(&value))
            {
                sources.update(source, |status| {
                    status.last_events = status.last_events.max(Some(stored.received_at));
                });
            }
        }
        sources
    }

    pub(super) fn list(&self) -> Vec<SourceStatus> {
        let inner = self.lock();
        let mut list: Vec<_> = inner
            .known
            .values()
            .map(|known| known.status.clone())
            .collect();
        list.sort_by(|a, b| a.source.cmp(&b.source));
        list
    }

    pub(super) fn update(&self, source: &str, change: impl FnOnce(&mut SourceStatus)) {
        self.with(source, |known| change(&mut known.status));
    }

    pub(super) fn count(&self, source: &str, subscription: &str, change: impl FnOnce(&mut Counts)) {
        self.update(source, |status| {
            match status.subscriptions.get_mut(subscription) {
                Some(counts) => change(counts),
                None => {
                    let counts = status.subscriptions.entry(subscription.to_owned());
                    change(counts.or_default());
                }
            }
        });
    }

    /// The track of a source in a subscription, made of what the journal holds when it is new.
    pub(super) fn track(&self, source: &str, subscription: Uuid, journal: &Journal) -> Track {
        self.with(source, |known| {
            let track = known.tracks.entry(subscription).or_insert_with(|| {
                let stored = stored(journal, subscription, source);
                Arc::new(tokio::sync::Mutex::new(Recent::from_stored(stored)))
            });
            Arc::clone(track)
        })
    }

    /// A source is known by its name in any case, and listed as it was first spelled.
    fn with<T>(&self, source: &str, change: impl FnOnce(&mut Known) -> T) -> T {
        let name = canonical_source(source);
        let mut inner = self.lock();
        inner.turn += 1;
        let turn = inner.turn;
        if let Some(known) = inner.known.get_mut(&*name) {
            known.turn = turn;
            return change(known);
        }
        if inner.known.len() >= SOURCES_MAX {
            inner.forget_one();
        }
        let mut known = Known {
            status: SourceStatus::new(source),
            tracks: HashMap::new(),
            turn,
        };
        let result = change(&mut known);
        inner.known.insert(name.into_owned(), known);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Forgets the source that was silent longest and has no delivery under way; what it sent
    /// last is in the journal's state.
    fn forget_one(&mut self) {
        let idle = |known: &Known| {
            known
                .tracks
                .values()
                .all(|track| Arc::strong_count(track) == 1)
        };
        let oldest = self
            .known
            .iter()
            .filter(|(_, known)| idle(known))
            .min_by_key(|(_, known)| known.turn)
            .map(|(source, _)| source.clone());
        if let Some(source) = oldest {
            self.known.remove(&source);
        }
    }
}
