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
//! Contacts are written seldom: within ten seconds when a machine is new, then every quarter of an hour, and
//! all of them when the collector goes down. A machine that first came in the ten seconds before it was
//! killed is known after that by its bookmarks alone, and spelled anew when it comes. Whoever judges a machine by them takes the collector's own
//! start into account.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::identity::canonical_source;

use super::contact::{self, CONTACT_PREFIX, Contact, contact_key};
use super::homes::{Listeners, spelled};
use super::options::WefOptions;
use super::progress::of_bookmark;
use super::recent::{KEY_PREFIX, Recent, Stored, parse_state_key, stored};
use super::status::{Counts, SourceStatus};
use crate::journal::{AppendError, Entry, Journal, StateChange};
use crate::limits::SOURCES_MAX;

/// How often contacts are looked at.
const KEEP_INTERVAL: Duration = Duration::from_secs(10);
/// How old a contact in the journal may become while a machine goes on.
const KEPT_GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Contacts on their way to the journal at once.
const KEPT_AT_ONCE: usize = 64;

/// Deliveries of one source for one subscription take turns on this lock.
pub(super) type Track = Arc<tokio::sync::Mutex<Recent>>;

/// All sources. See the module.
#[derive(Debug)]
pub(super) struct Registry {
    journal: Journal,
    /// Which of all listeners this is.
    listeners: Listeners,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<Name, Known>,
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
    spelling: Spelling,
}

/// Where the spelling of a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// From the machine.
    Proven,
    /// From a key, which is in small letters.
    Guessed,
}

/// A name by which a machine is looked up, whatever the case of its ASCII letters: nothing is allocated for
/// that.
trait Folded {
    fn text(&self) -> &str;
}

impl PartialEq for dyn Folded + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.text().eq_ignore_ascii_case(other.text())
    }
}

impl Eq for dyn Folded + '_ {}

impl Hash for dyn Folded + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.text().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        // So that no name is the beginning of another.
        state.write_u8(0xff);
    }
}

/// The name of a machine that is known.
#[derive(Debug, Clone)]
struct Name(String);

impl Folded for Name {
    fn text(&self) -> &str {
        &self.0
    }
}

impl<'a> Borrow<dyn Folded + 'a> for Name {
    fn borrow(&self) -> &(dyn Folded + 'a) {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        let (one, other): (&dyn Folded, &dyn Folded) = (self, other);
        one == other
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let folded: &dyn Folded = self;
        folded.hash(state);
    }
}

/// A name that is asked for.
struct Asked<'a>(&'a str);

impl Folded for Asked<'_> {
    fn text(&self) -> &str {
        self.0
    }
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
    /// What the journal knows of the machines of this listener. Subscriptions that are not configured have no
    /// name any more; their machines are known all the same.
    pub(super) fn open(journal: Journal, options: &WefOptions) -> Registry {
        let registry = Registry {
            journal,
            listeners: options.listeners.clone(),
            inner: Mutex::default(),
        };
        let elsewhere = registry.restore_contacts();
        for (key, value) in registry.journal.states(KEY_PREFIX) {
            let (Some((id, source)), Some(stored)) =
                (parse_state_key(&key), Stored::decode(&value))
            else {
                continue;
            };
            let name = Name(source.to_owned());
            let is_new = !registry.lock().known.contains_key(&name);
            if elsewhere.contains(&name) || (is_new && !registry.listeners.is_own(source, None)) {
                continue;
            }
            let mut named = options.subscriptions.iter();
            let subscription = named.find(|subscription| subscription.id == id);
            registry.with(source, |known| {
                if is_new {
                    known.spelling = Spelling::Guessed;
                }
                let status = Arc::make_mut(&mut known.status);
                if is_new {
                    status.source = spelled(source);
                }
                status.last_events = status.last_events.max(stored.delivered());
                if let Some(subscription) = subscription {
                    let progress = of_bookmark(&stored.bookmark);
                    status.channels.insert(subscription.name.clone(), progress);
                }
            });
        }
        registry
    }

    /// The machines that are known by a contact; answers those that are another listener's.
    fn restore_contacts(&self) -> HashSet<Name> {
        let mut newer = 0_usize;
        let mut elsewhere = HashSet::new();
        for (_, value) in self.journal.states(CONTACT_PREFIX) {
            newer += usize::from(contact::is_newer(&value));
            let Some(mut contact) = Contact::decode(&value) else {
                continue;
            };
            if !(self.listeners).is_own(&contact.name, contact.listener.as_deref()) {
                elsewhere.insert(Name(contact.name));
                continue;
            }
            let spelling = match Contact::is_guessed(&value) {
                true => Spelling::Guessed,
                false => Spelling::Proven,
            };
            if spelling == Spelling::Guessed {
                contact.name = spelled(&contact.name);
            }
            self.with(&contact.name.clone(), |known| {
                known.restore(contact, spelling);
            });
        }
        if newer > 0 {
            tracing::warn!(
                newer,
                "when machines were heard of is kept in the form of a newer version; it is left as it is, and not known here"
            );
        }
        elsewhere
    }

    /// Every source that was heard of, or that has a bookmark, by name. Nothing of them is copied.
    pub(super) fn list(&self) -> Vec<Arc<SourceStatus>> {
        let inner = self.lock();
        let mut list: Vec<_> = inner
            .known
            .values()
            .map(|known| Arc::clone(&known.status))
            .collect();
        // Deliveries wait for the lock.
        drop(inner);
        list.sort_by(|a, b| a.source.cmp(&b.source));
        list
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

    /// What the journal holds for a source in a subscription.
    pub(super) fn place(&self, source: &str, subscription: Uuid) -> Option<Stored> {
        stored(&self.journal, subscription, source)
    }

    /// The bookmark that a source is to go on from.
    pub(super) fn bookmark(&self, source: &str, subscription: Uuid) -> Option<String> {
        let stored = self.place(source, subscription)?;
        Some(stored.bookmark).filter(|bookmark| !bookmark.is_empty())
    }

    /// Notes something of a source that has proved its name.
    pub(super) fn heard(&self, source: &str, change: impl FnOnce(&mut SourceStatus)) {
        self.with(source, |known| {
            let status = Arc::make_mut(&mut known.status);
            if known.spelling == Spelling::Guessed {
                known.spelling = Spelling::Proven;
                source.clone_into(&mut status.source);
                // To be kept as it is spelled.
                known.kept = None;
            }
            change(status);
        });
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

    /// Has a track know what another collector has stored.
    pub(super) fn catch_up(&self, recent: &mut Recent, source: &str, subscription: Uuid) {
        recent.catch_up(stored(&self.journal, subscription, source));
    }

    /// Forgets a source.
    pub(super) fn forget(&self, source: &str) {
        self.lock().known.remove(&Asked(source) as &dyn Folded);
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
        let own = self.listeners.own();
        due.map(|known| known.status.contact(own)).collect()
    }

    async fn keep_one(&self, contact: &Contact) -> Result<(), AppendError> {
        let key = contact_key(&contact.name);
        // What a newer version has kept is its own: it may come back. And a machine that speaks to another
        // listener by now is that one's.
        let is_anothers =
            |kept: Contact| kept.listener != contact.listener && kept.last() > contact.last();
        let is_left = self.journal.state(&key).is_some_and(|value| {
            contact::is_newer(&value) || Contact::decode(&value).is_some_and(is_anothers)
        });
        if !is_left {
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
        if let Some(known) = (inner.known).get_mut(&Asked(&contact.name) as &dyn Folded) {
            known.kept = contact.last();
        }
        Ok(())
    }

    /// A source is known by its name in any case, and listed as it was first spelled.
    fn with<T>(&self, source: &str, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut inner = self.lock();
        inner.turn += 1;
        let turn = inner.turn;
        if let Some(known) = inner.known.get_mut(&Asked(source) as &dyn Folded) {
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
            spelling: Spelling::Proven,
        };
        let result = change(&mut known);
        inner.known.insert(Name(source.to_owned()), known);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What the journal had of it.
    fn restore(&mut self, contact: Contact, spelling: Spelling) {
        self.kept = contact.last();
        self.spelling = spelling;
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
            && let Some(mut contact) = Contact::decode(value)
        {
            if Contact::is_guessed(value) {
                contact.name = spelled(&contact.name);
            }
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
                name: spelled(source),
                ..Contact::default()
            });
            known.events = known.events.max(stored.delivered());
        }
    }
    contacts.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_without_another_one_made() {
        let mut known = HashMap::new();
        known.insert(Name("WS1$@CORP.EXAMPLE".to_owned()), 1);
        known.insert(Name("ws1".to_owned()), 2);
        let find = |name: &str| known.get(&Asked(name) as &dyn Folded).copied();
        assert_eq!(find("ws1$@Corp.Example"), Some(1));
        assert_eq!(find("WS1"), Some(2));
        // Only ASCII letters are folded: a dotless i, a long s.
        assert_eq!(find("w\u{17f}1"), None);
        assert_eq!(find("ws1$@corp.exampl"), None);
        assert_eq!(known.insert(Name("Ws1".to_owned()), 3), Some(2));
    }
}
