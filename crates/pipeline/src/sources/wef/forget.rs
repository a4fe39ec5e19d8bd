//! Bookmarks that nobody will ask for again.
//!
//! A source whose bookmark is forgotten begins anew and may leave events out, so none is forgotten
//! while there is room. When the journal's states come near their limit, beyond which no new source
//! is taken, those go first whose subscription is not configured, then those of sources that were
//! silent longest.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use windrow_formats::identity::canonical_source;

use super::contact::{self, CONTACT_PREFIX, Contact, contact_key};
use super::recent::{KEY_PREFIX, Stored, parse_state_key};
use crate::journal::{AppendError, Journal};

/// Percent of what the states may be from which bookmarks are forgotten.
const FROM_PERCENT: usize = 80;
/// Percent of it at which that ends.
const TO_PERCENT: usize = 60;
/// A configured source is not given up before: machines are repaired, and people come back.
const SILENCE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Forgets bookmarks as long as there is need; returns how many. `configured` are the subscriptions
/// of all collectors that write to the journal, and none of them may run yet: what is in use would
/// be taken for unused.
///
/// # Errors
/// The journal does not take it.
pub async fn forget_unused(
    journal: &Journal,
    configured: &[Uuid],
    now: Timestamp,
) -> Result<usize, AppendError> {
    let is_over = |percent| {
        let (bytes, limit) = journal.state_bytes();
        bytes > limit / 100 * percent
    };
    if !is_over(FROM_PERCENT) {
        return Ok(0);
    }
    let mut forgotten = 0;
    for key in unused(journal, configured, now) {
        if !is_over(TO_PERCENT) {
            break;
        }
        journal.forget(&key).await?;
        forgotten += 1;
    }
    tracing::warn!(
        forgotten,
        "bookmarks that nobody asked for were forgotten: the journal's states are near their limit"
    );
    Ok(forgotten)
}

/// Forgets when a machine was heard of and where it goes on in every subscription; returns how many places
/// those were. Collectors that run have to forget it first: [`super::Collector::forget`].
///
/// # Errors
/// The journal does not take it.
pub async fn forget_machine(journal: &Journal, source: &str) -> Result<usize, AppendError> {
    let name = canonical_source(source);
    let is_its = |key: &String| parse_state_key(key).is_some_and(|(_, source)| source == name);
    let places: Vec<String> = (journal.states(KEY_PREFIX).into_iter())
        .map(|(key, _)| key)
        .filter(is_its)
        .collect();
    for key in &places {
        journal.forget(key).await?;
    }
    journal.forget(&contact_key(source)).await?;
    Ok(places.len())
}

/// The keys that may be forgotten, in that order.
fn unused(journal: &Journal, configured: &[Uuid], now: Timestamp) -> Vec<String> {
    let mut keys: Vec<(bool, Timestamp, String)> = Vec::new();
    for (key, value) in journal.states(KEY_PREFIX) {
        let (Some((subscription, _)), Some(stored)) =
            (parse_state_key(&key), Stored::decode(&value))
        else {
            continue;
        };
        let is_configured = configured.contains(&subscription);
        if !is_configured || now.duration_since(stored.received_at) > SILENCE {
            keys.push((is_configured, stored.received_at, key));
        }
    }
    for (key, value) in journal.states(CONTACT_PREFIX) {
        if contact::is_newer(&value) {
            continue;
        }
        let last = Contact::decode(&value).and_then(|contact| contact.last());
        let last = last.unwrap_or(Timestamp::UNIX_EPOCH);
        if now.duration_since(last) > SILENCE {
            keys.push((true, last, key));
        }
    }
    keys.sort();
    keys.into_iter().map(|(_, _, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::super::recent::state_key;
    use super::*;
    use crate::journal::{Entry, JournalOptions, StateChange};

    const OLD: Uuid = Uuid::from_u128(1);
    const NEW: Uuid = Uuid::from_u128(2);

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
    }

    async fn keep(journal: &Journal, subscription: Uuid, source: &str, received_at: Timestamp) {
        let stored = Stored {
            received_at,
            began_at: None,
            bookmark: "b".repeat(800),
            left: Vec::new(),
            marks: Vec::new(),
        };
        let change = StateChange {
            key: state_key(subscription, source),
            value: Some(stored.encode()),
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        journal.append(entry).await.unwrap();
    }

    #[tokio::test]
    async fn bookmarks_nobody_uses_go_when_the_states_are_many() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions {
            quota_bytes: 64 << 10,
            reserved_bytes: 8 << 10,
            ..JournalOptions::new(dir.path().join("journal"))
        };
        let (journal, _) = Journal::open(options).unwrap();
        let now = day(1000);
        keep(&journal, OLD, "removed", day(990)).await;
        keep(&journal, NEW, "silent", day(500)).await;
        keep(&journal, NEW, "long-silent", day(400)).await;
        assert_eq!(forget_unused(&journal, &[NEW], now).await.unwrap(), 0);
        for source in ["a", "b", "c", "d", "e"] {
            keep(&journal, NEW, source, day(900)).await;
        }
        let left = || -> Vec<String> {
            let keys = journal.states(KEY_PREFIX).into_iter();
            keys.map(|(key, _)| parse_state_key(&key).unwrap().1.to_owned())
                .collect()
        };
        // 8 of 900 bytes each are beyond 80 % of 8 KiB; 5 of them are below 60 %.
        assert_eq!(forget_unused(&journal, &[NEW], now).await.unwrap(), 3);
        assert_eq!(left(), ["a", "b", "c", "d", "e"]);
        for source in ["f", "g", "h"] {
            keep(&journal, NEW, source, day(999)).await;
        }
        assert_eq!(forget_unused(&journal, &[NEW], now).await.unwrap(), 0);
        assert_eq!(left().len(), 8, "nobody who may come back is given up");
    }
}
