//! What the collector knows of its machines: who was heard of and when, what each was offered, how far
//! it has come, what of it is missing.
//!
//! [`Registry`] is the seam. Everything that a second collector of the same machines would have to
//! know goes through it, and nothing else of the collector keeps any of it:
//!
//! ```text
//! bookmark, track          where a machine goes on, and what it has sent       the journal's state
//! heard, count             when it was heard of, what it was told, what came   memory
//! keep                     when it was heard of, for after a restart           the journal's state
//! ```
//!
//! A bookmark is written by whoever appends the delivery that it belongs to, in the same frame: what
//! takes the journal's place later has to do both at once too.
//!
//! Contacts are written seldom: within a minute when a machine is new, then every quarter of an hour, and
//! all of them when the collector goes down. A machine that first came in the minute before it was
//! killed is known after that by its bookmarks alone. Whoever judges a machine by them takes the collector's own
//! start into account.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::identity::canonical_source;

use super::contact::{self, CONTACT_PREFIX, Contact, contact_key};
use super::options::WefOptions;
use super::progress::{ChannelProgress, Losses, of_bookmark};
use super::rate::Rate;
use super::recent::{KEY_PREFIX, Recent, Stored, parse_state_key, stored};
use super::refusal::Refusal;
use super::said::{self, Said, Words};
use crate::journal::{AppendError, Entry, Journal, StateChange};
use crate::limits::SOURCES_MAX;

/// How often contacts are looked at.
const KEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How old a contact in the journal may become while a machine goes on.
const KEPT_GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Contacts on their way to the journal at once.
const KEPT_AT_ONCE: usize = 64;

/// What is known about one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceStatus {
    /// Its authenticated name.
    pub source: String,
    /// What it calls itself (MachineID); a claim.
    pub machine_id: Option<String>,
    /// Where its last request came from.
    pub address: Option<IpAddr>,
    /// What it called the collector when it last asked for subscriptions: host and port.
    pub called: Option<String>,
    /// Its last request for subscriptions.
    pub last_enumerate: Option<Timestamp>,
    /// How long after the one before that came.
    pub enumerates_every: Option<SignedDuration>,
    /// Its last sign of life without events.
    pub last_heartbeat: Option<Timestamp>,
    /// Its last delivery.
    pub last_events: Option<Timestamp>,
    /// Its last request that was refused.
    pub last_refusal: Option<RefusedRequest>,
    /// Requests refused.
    pub refusals: u64,
    /// The subscriptions it was offered last, by name; none when it has not asked since the start.
    pub offered: Option<BTreeMap<String, Offered>>,
    /// What it delivered, by the name of the subscription.
    pub subscriptions: BTreeMap<String, Counts>,
    /// How far its channels have come, by the name of the subscription.
    pub channels: BTreeMap<String, Arc<Vec<ChannelProgress>>>,
    /// What it said last of each channel that it cannot read, or once could not, and when it wrote
    /// that.
    pub channel_status: Said,
    /// Events that name another computer.
    pub other_computers: Option<OtherComputers>,
    /// How fast its events come.
    pub rate: Rate,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub refusal: Refusal,
    /// Why, in words for the administrator.
    pub reason: String,
    /// How many were refused since the last delivery that was taken.
    pub in_a_row: u64,
}

/// An offer of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its version.
    pub version: String,
    /// Since when it is offered in this version.
    pub since: Timestamp,
}

/// Events whose computer is not the machine that sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherComputers {
    /// How many.
    pub events: u64,
    /// The computer that the last delivery of such events named first.
    pub example: String,
    /// When that came.
    pub last: Timestamp,
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
    /// When it last sent something for the subscription, be it a sign of life.
    pub last_sign: Option<Timestamp>,
    /// Events that its logs had and that never came, where all of a channel is asked for.
    pub missing: u64,
    /// How often some were missing, and when that was seen last.
    pub gaps: u64,
    /// When that was seen last.
    pub last_gap: Option<Timestamp>,
    /// How often the record ids of a channel began anew.
    pub restarts: u64,
    /// When that was seen last.
    pub last_restart: Option<Timestamp>,
}

impl Counts {
    /// Adds what one delivery brought.
    pub(super) fn add(&mut self, new: Counts) {
        self.batches += new.batches;
        self.events += new.events;
        self.duplicates += new.duplicates;
        self.malformed += new.malformed;
        self.lossy += new.lossy;
        self.dropped_by_source = (self.dropped_by_source).saturating_add(new.dropped_by_source);
        self.bookmark_events += new.bookmark_events;
        self.unexpected_bookmark_events += new.unexpected_bookmark_events;
    }

    /// Adds what a delivery has shown to be missing.
    pub(super) fn lose(&mut self, losses: Losses, at: Timestamp) {
        self.missing = self.missing.saturating_add(losses.missing);
        self.gaps += losses.gaps;
        self.restarts += losses.restarts;
        if losses.gaps > 0 {
            self.last_gap = Some(at);
        }
        if losses.restarts > 0 {
            self.last_restart = Some(at);
        }
    }
}

impl SourceStatus {
    fn new(source: &str) -> SourceStatus {
        SourceStatus {
            source: source.to_owned(),
            ..SourceStatus::default()
        }
    }

    /// Notes a request for subscriptions.
    pub(super) fn enumerated(&mut self, at: Timestamp) {
        self.enumerates_every = self.last_enumerate.map(|before| at.duration_since(before));
        self.last_enumerate = Some(at);
        said::age(&mut self.channel_status, at);
    }

    /// Notes what it is offered: by name, the versions.
    pub(super) fn offer(&mut self, offers: impl Iterator<Item = (String, String)>, at: Timestamp) {
        let mut before = self.offered.take().unwrap_or_default();
        let offered = offers.map(|(name, version)| {
            let known = before.remove(&name);
            let known = known.filter(|known| known.version == version);
            (name, known.unwrap_or(Offered { version, since: at }))
        });
        self.offered = Some(offered.collect());
    }

    /// Notes what it says of its channels.
    pub(super) fn say_of_channels(&mut self, words: &Words) {
        words.add_to(&mut self.channel_status);
    }

    /// Notes that it began anew with a subscription of these channels.
    pub(super) fn begin_anew(&mut self, channels: &[String], at: Timestamp) {
        said::begin_anew(&mut self.channel_status, channels, at);
    }

    fn contact(&self) -> Contact {
        Contact {
            name: self.source.clone(),
            address: self.address,
            enumerated: self.last_enumerate,
            heartbeat: self.last_heartbeat,
            events: self.last_events,
        }
    }

    /// When it was last heard of.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.last_enumerate.max(self.last_sign())
    }

    /// When it last sent something for a subscription, be it a sign of life.
    #[must_use]
    pub fn last_sign(&self) -> Option<Timestamp> {
        self.last_heartbeat.max(self.last_events)
    }
}

/// Deliveries of one source for one subscription take turns on this lock.
pub(super) type Track = Arc<tokio::sync::Mutex<Recent>>;

/// All sources. See the module.
#[derive(Debug)]
pub(super) struct Registry {
    journal: Journal,
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
    /// Copied by whoever changes it while somebody else looks at it.
    status: Arc<SourceStatus>,
    tracks: HashMap<Uuid, Track>,
    /// The turn of its last request.
    turn: u64,
    /// When the contact was that the journal has.
    kept: Option<Timestamp>,
}

/// Which contacts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Those that the journal does not have, or has from long ago.
    Overdue,
    /// All that are newer than what the journal has.
    Newer,
}

impl Registry {
    /// What the journal knows. Subscriptions that are not configured have no name any more; their
    /// machines are known all the same.
    pub(super) fn open(journal: Journal, options: &WefOptions) -> Registry {
        let registry = Registry {
            journal,
            inner: Mutex::default(),
        };
        let mut newer = 0_usize;
        for (_, value) in registry.journal.states(CONTACT_PREFIX) {
            newer += usize::from(contact::is_newer(&value));
            if let Some(contact) = Contact::decode(&value) {
                registry.with(&contact.name.clone(), |known| known.restore(contact));
            }
        }
        if newer > 0 {
            tracing::warn!(
                newer,
                "when machines were heard of is kept in the form of a newer version; it is left as it is, and not known here"
            );
        }
        for (key, value) in registry.journal.states(KEY_PREFIX) {
            let (Some((id, source)), Some(stored)) =
                (parse_state_key(&key), Stored::decode(&value))
            else {
                continue;
            };
            let mut named = options.subscriptions.iter();
            let subscription = named.find(|subscription| subscription.id == id);
            registry.heard(source, |status| {
                status.last_events = status.last_events.max(Some(stored.received_at));
                if let Some(subscription) = subscription {
                    let progress = of_bookmark(&stored.bookmark);
                    status.channels.insert(subscription.name.clone(), progress);
                }
            });
        }
        registry
    }

    /// Every source that was heard of, or that has a bookmark, by name.
    pub(super) fn list(&self) -> Vec<SourceStatus> {
        let inner = self.lock();
        let mut list: Vec<_> = inner
            .known
            .values()
            .map(|known| Arc::clone(&known.status))
            .collect();
        // Deliveries wait for the lock, and the statuses may be many.
        drop(inner);
        list.sort_by(|a, b| a.source.cmp(&b.source));
        list.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Sources that began anew although a bookmark was stored, by subscription and how often.
    pub(super) fn began_anew(&self) -> Vec<(String, String, u64)> {
        let inner = self.lock();
        let statuses = inner.known.values().map(|known| &known.status);
        statuses
            .flat_map(|status| {
                let counts = status.subscriptions.iter();
                counts.map(move |(name, counts)| (status, name, counts.unexpected_bookmark_events))
            })
            .filter(|(_, _, times)| *times > 0)
            .map(|(status, name, times)| (status.source.clone(), name.clone(), times))
            .collect()
    }

    /// The bookmark that a source is to go on from.
    pub(super) fn bookmark(&self, source: &str, subscription: Uuid) -> Option<String> {
        let stored = stored(&self.journal, subscription, source)?;
        Some(stored.bookmark).filter(|bookmark| !bookmark.is_empty())
    }

    /// Notes something of a source.
    pub(super) fn heard(&self, source: &str, change: impl FnOnce(&mut SourceStatus)) {
        self.with(source, |known| change(Arc::make_mut(&mut known.status)));
    }

    /// Notes something of a source in a subscription.
    pub(super) fn count(&self, source: &str, subscription: &str, change: impl FnOnce(&mut Counts)) {
        self.heard(source, |status| {
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
    pub(super) fn track(&self, source: &str, subscription: Uuid) -> Track {
        self.with(source, |known| {
            let track = known.tracks.entry(subscription).or_insert_with(|| {
                let stored = stored(&self.journal, subscription, source);
                Arc::new(tokio::sync::Mutex::new(Recent::from_stored(stored)))
            });
            Arc::clone(track)
        })
    }

    /// Forgets a source.
    pub(super) fn forget(&self, source: &str) {
        self.lock().known.remove(&*canonical_source(source));
    }

    /// Keeps contacts in the journal until `shutdown`.
    pub(super) async fn keep_until(&self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(KEEP_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = look.tick() => self.keep(Keep::Overdue).await,
            }
        }
    }

    /// Writes contacts to the journal.
    pub(super) async fn keep(&self, which: Keep) {
        let contacts = self.to_be_kept(which);
        for some in contacts.chunks(KEPT_AT_ONCE) {
            let written = some.iter().map(|contact| self.keep_one(contact));
            if let Err(error) = join_all(written)
                .await
                .into_iter()
                .collect::<Result<(), _>>()
            {
                let left = contacts.len();
                tracing::warn!(%error, left, "when machines were heard of could not be kept");
                return;
            }
        }
    }

    fn to_be_kept(&self, which: Keep) -> Vec<Contact> {
        let inner = self.lock();
        let is_due = |known: &&Known| match (known.status.last_seen(), known.kept) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(last), Some(kept)) => match which {
                Keep::Overdue => last.duration_since(kept) >= KEPT_GOOD_FOR,
                Keep::Newer => last > kept,
            },
        };
        let due = inner.known.values().filter(is_due);
        due.map(|known| known.status.contact()).collect()
    }

    async fn keep_one(&self, contact: &Contact) -> Result<(), AppendError> {
        let key = contact_key(&contact.name);
        let kept = self.journal.state(&key);
        // What a newer version has kept is its own: it may come back.
        if !kept.is_some_and(|value| contact::is_newer(&value)) {
            let change = StateChange {
                key,
                value: Some(contact.encode()),
            };
            let entry = Entry {
                body: Vec::new(),
                events: 0,
                state: Some(change),
            };
            self.journal.append(entry).await?;
        }
        let mut inner = self.lock();
        if let Some(known) = inner.known.get_mut(&*canonical_source(&contact.name)) {
            known.kept = contact.last();
        }
        Ok(())
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
            status: Arc::new(SourceStatus::new(source)),
            tracks: HashMap::new(),
            turn,
            kept: None,
        };
        let result = change(&mut known);
        inner.known.insert(name.into_owned(), known);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What the journal had of it.
    fn restore(&mut self, contact: Contact) {
        self.kept = contact.last();
        let status = Arc::make_mut(&mut self.status);
        status.address = contact.address;
        status.last_enumerate = contact.enumerated;
        status.last_heartbeat = contact.heartbeat;
        status.last_events = contact.events;
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

/// Keys of the journal's state that [`kept_contacts`] makes something of begin with this.
pub const KEPT_PREFIX: &str = "wef/";

/// Machines that a folder's journal knows, while no collector runs on it.
#[must_use]
pub fn kept_contacts(states: &[(String, Vec<u8>)]) -> Vec<Contact> {
    let mut contacts: BTreeMap<String, Contact> = BTreeMap::new();
    for (key, value) in states {
        if key.starts_with(CONTACT_PREFIX)
            && let Some(contact) = Contact::decode(value)
        {
            let known = contacts.entry(canonical_source(&contact.name).into_owned());
            let known = known.or_default();
            let events = known.events.max(contact.events);
            *known = Contact { events, ..contact };
        }
        if let Some((_, source)) = parse_state_key(key)
            && let Some(stored) = Stored::decode(value)
        {
            let known = contacts.entry(canonical_source(source).into_owned());
            let known = known.or_insert_with(|| Contact {
                name: source.to_owned(),
                ..Contact::default()
            });
            known.events = known.events.max(Some(stored.received_at));
        }
    }
    contacts.into_values().collect()
}
