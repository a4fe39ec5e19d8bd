//! Since when a subscription asks for each of its channels, as far as it matters.
//!
//! What a query asked for from the beginning needs no date: a source without a bookmark begins as
//! the subscription says. A channel that came later has one, and so has every channel of a
//! subscription that is new here, since its first sources begin now. The dates are a value of the
//! journal's state, so that they outlive the collector; they hold back what a machine's clock dates
//! before the channel was asked for, and where nothing is known nothing is held back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use windrow_formats::wef::query::channels;

use super::options::{NewChannels, Subscription};
use super::recent::{KEY_PREFIX, Stored, parse_state_key};
use crate::journal::{AppendError, Entry, Journal, StateChange};
use crate::limits::CHANNELS_PER_SUBSCRIPTION_MAX;

/// Then comes the subscription's id.
const STATE_PREFIX: &str = "wef/channels/";
const VERSION: u8 = 1;
/// A source whose clock is behind may date what happens now before now.
pub(super) const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(1);

/// Channels in lower case, and since when each is asked for; none since always.
type Since = BTreeMap<String, Option<Timestamp>>;

/// Finds out since when the subscriptions ask for their channels, and keeps it in the journal. For
/// those that come into force next: what a source is asked for depends on it.
///
/// # Errors
///
/// The journal does not take it; the subscriptions have the dates all the same.
pub async fn learn_channels(
    journal: &Journal,
    subscriptions: &mut [Subscription],
    now: Timestamp,
) -> Result<(), AppendError> {
    let mut failed = Ok(());
    for subscription in subscriptions {
        let learnt = learn(journal, subscription, now).await;
        failed = failed.and(learnt);
    }
    failed
}

/// Finds out since when a subscription asks for its channels, and keeps it.
///
/// # Errors
///
/// The journal does not take it; the subscription has the dates all the same.
async fn learn(
    journal: &Journal,
    subscription: &mut Subscription,
    now: Timestamp,
) -> Result<(), AppendError> {
    let key = format!("{STATE_PREFIX}{}", subscription.id);
    let stored = journal.state(&key);
    if stored.as_ref().and_then(|value| value.first()) > Some(&VERSION) {
        // It may come back, and what it keeps is its own.
        tracing::warn!(
            subscription = ?subscription.name,
            "since when it asks for its channels is kept in the form of a newer version; it is left as it is, and nothing is held back"
        );
        subscription.gained_channels = BTreeMap::new();
        return Ok(());
    }
    let known = stored.and_then(|value| decode(&value));
    let asked = channels(subscription.query.as_str()).unwrap_or_default();
    let asked: Vec<String> = asked.iter().map(|channel| channel.to_lowercase()).collect();
    let first = match &known {
        Some(_) => first_of_later(subscription, now),
        None if has_begun(journal, subscription.id) || subscription.read_existing => None,
        None => first_of_later(subscription, now),
    };
    let mut since: Since = asked
        .iter()
        .map(|channel| {
            let before = known.as_ref().and_then(|known| known.get(channel));
            (channel.clone(), before.copied().unwrap_or(first))
        })
        .collect();
    let gained = since.iter();
    subscription.gained_channels = gained
        .filter_map(|(channel, since)| Some((channel.clone(), (*since)?)))
        .collect();
    // What is taken out may be put back, and was asked for since then all the same.
    for (channel, before) in known.iter().flatten() {
        if since.len() < CHANNELS_PER_SUBSCRIPTION_MAX {
            since.entry(channel.clone()).or_insert(*before);
        }
    }
    if known.as_ref() == Some(&since) {
        return Ok(());
    }
    let change = StateChange {
        key,
        value: Some(encode(&since)),
    };
    let entry = Entry {
        body: Vec::new(),
        events: 0,
        state: Some(change),
    };
    journal.append_own(entry).await.map(drop)
}

/// Forgets since when channels are asked for by subscriptions that are not configured, switched off or not, and
/// that no machine has a place in: one that comes back is new to everybody.
///
/// # Errors
///
/// The journal does not take it; what is left is forgotten the next time.
pub async fn forget_channels(journal: &Journal, configured: &[Uuid]) -> Result<(), AppendError> {
    for (key, value) in journal.states(STATE_PREFIX) {
        let id = key.strip_prefix(STATE_PREFIX);
        let Some(id) = id.and_then(|id| id.parse::<Uuid>().ok()) else {
            continue;
        };
        // What a newer version keeps is its own.
        let is_known = value.first() == Some(&VERSION);
        if is_known && !configured.contains(&id) && !has_bookmarks(journal, id) {
            journal.forget(&key).await?;
        }
    }
    Ok(())
}

/// Since when a channel is asked for that was not asked for before.
fn first_of_later(subscription: &Subscription, now: Timestamp) -> Option<Timestamp> {
    match subscription.new_channels {
        NewChannels::Replay => None,
        NewChannels::FromNow => Some(now.checked_sub(CLOCK_SLACK).unwrap_or(now)),
    }
}

/// Whether sources have places in a subscription from when it was not kept since when.
fn has_begun(journal: &Journal, subscription: Uuid) -> bool {
    let prefix = format!("{KEY_PREFIX}{subscription}/");
    let places = journal.states(&prefix).into_iter();
    places.into_iter().any(|(key, value)| {
        let place = Stored::decode(&value);
        parse_state_key(&key).is_some() && place.is_none_or(|place| place.began_at.is_none())
    })
}

fn has_bookmarks(journal: &Journal, subscription: Uuid) -> bool {
    let prefix = format!("{KEY_PREFIX}{subscription}/");
    let keys = journal.states(&prefix);
    keys.iter().any(|(key, _)| parse_state_key(key).is_some())
}

/// Version u8; of each channel milliseconds i64 LE, `i64::MIN` for always, length u16 LE, name.
fn encode(since: &Since) -> Vec<u8> {
    let mut value = vec![VERSION];
    for (channel, since) in since {
        let at = since.map_or(i64::MIN, Timestamp::as_millisecond);
        value.extend_from_slice(&at.to_le_bytes());
        // A name is part of a query, which is shorter than this by far.
        value.extend_from_slice(
            &u16::try_from(channel.len())
                .unwrap_or(u16::MAX)
                .to_le_bytes(),
        );
        value.extend_from_slice(&channel.as_bytes()[..channel.len().min(usize::from(u16::MAX))]);
    }
    value
}

/// None when it is not of this version.
fn decode(value: &[u8]) -> Option<Since> {
    let (&VERSION, mut value) = value.split_first()? else {
        return None;
    };
    let mut since = Since::new();
    while !value.is_empty() {
        let (at, rest) = value.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let at = match i64::from_le_bytes(*at) {
            i64::MIN => None,
            at => Some(Timestamp::from_millisecond(at).ok()?),
        };
        since.insert(str::from_utf8(name).ok()?.to_owned(), at);
        value = rest;
    }
    Some(since)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::options::QueryList;
    use super::super::recent::state_key;
    use super::*;
    use crate::journal::JournalOptions;

    fn asking(channels: &[&str]) -> Subscription {
        let selects: String = channels
            .iter()
            .map(|channel| format!("<Select Path='{channel}'>*</Select>"))
            .collect();
        let list = format!("<QueryList><Query Id='0'>{selects}</Query></QueryList>");
        Subscription::new("base", QueryList::new(&list).unwrap())
    }

    async fn gained(
        journal: &Journal,
        mut subscription: Subscription,
        hour: i64,
    ) -> Vec<(String, i64)> {
        let now = Timestamp::from_second(hour * 3_600).unwrap();
        learn(journal, &mut subscription, now).await.unwrap();
        let gained = subscription.gained_channels.into_iter();
        gained
            .map(|(channel, since)| (channel, since.as_second() / 3_600))
            .collect()
    }

    fn journal(folder: &tempfile::TempDir) -> Journal {
        let options = JournalOptions::new(folder.path().join("journal"));
        Journal::open(options).unwrap().0
    }

    #[tokio::test]
    async fn a_channel_is_dated_when_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        let one = |channel: &str, hour| (channel.to_owned(), hour);
        let first = gained(&journal, asking(&["Security"]), 100).await;
        assert_eq!(first, [one("security", 99)]);
        let two = asking(&["SECURITY", "System"]);
        let dated = [one("security", 99), one("system", 199)];
        assert_eq!(gained(&journal, two.clone(), 200).await, dated);
        assert_eq!(
            gained(&journal, two.clone(), 300).await,
            dated,
            "a date stays"
        );
        // What is taken out and put back is as it was.
        let less = gained(&journal, asking(&["System"]), 400).await;
        assert_eq!(less, [one("system", 199)]);
        assert_eq!(gained(&journal, two, 500).await, dated);
        let mut all = asking(&["System", "Setup"]);
        all.new_channels = NewChannels::Replay;
        assert_eq!(gained(&journal, all, 600).await, [one("system", 199)]);
        journal.close().await;
    }

    #[tokio::test]
    async fn sources_from_before_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        let change = StateChange {
            key: state_key(Subscription::id_of("base"), "ws1"),
            value: Some(Stored::default().encode()),
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        journal.append(entry).await.unwrap();
        assert_eq!(gained(&journal, asking(&["Security"]), 100).await, []);
        let later = gained(&journal, asking(&["Security", "System"]), 200).await;
        assert_eq!(later, [("system".to_owned(), 199)]);
        // Asked for since always, also when it was not for a while.
        gained(&journal, asking(&["System"]), 300).await;
        let back = gained(&journal, asking(&["Security", "System"]), 400).await;
        assert_eq!(back, [("system".to_owned(), 199)]);
        journal.close().await;
    }

    #[tokio::test]
    async fn what_a_newer_version_keeps_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        let key = format!("{STATE_PREFIX}{}", Subscription::id_of("base"));
        let value = vec![VERSION + 1, 1, 2, 3];
        let change = StateChange {
            key: key.clone(),
            value: Some(value.clone()),
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        journal.append(entry).await.unwrap();
        assert_eq!(gained(&journal, asking(&["Security"]), 100).await, []);
        assert_eq!(journal.state(&key), Some(value));
        journal.close().await;
    }

    async fn place(journal: &Journal, subscription: &str) {
        let change = StateChange {
            key: state_key(Subscription::id_of(subscription), "ws1"),
            value: Some(Stored::default().encode()),
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        journal.append(entry).await.unwrap();
    }

    #[tokio::test]
    async fn dates_go_when_nobody_may_need_them_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        let names = ["configured", "removed", "may-come-back"];
        for name in names {
            let mut subscription = asking(&["Security"]);
            (subscription.name, subscription.id) = (name.to_owned(), Subscription::id_of(name));
            gained(&journal, subscription, 100).await;
        }
        place(&journal, "may-come-back").await;
        let newer = format!(
            "{STATE_PREFIX}{}",
            Subscription::id_of("of-a-newer-version")
        );
        let change = StateChange {
            key: newer,
            value: Some(vec![VERSION + 1]),
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        journal.append(entry).await.unwrap();
        let configured = [Subscription::id_of("configured")];
        forget_channels(&journal, &configured).await.unwrap();
        let has = |name: &str| {
            let key = format!("{STATE_PREFIX}{}", Subscription::id_of(name));
            journal.state(&key).is_some()
        };
        assert_eq!(names.map(has), [true, false, true]);
        assert!(has("of-a-newer-version"));
        journal.close().await;
    }

    proptest! {
        #[test]
        fn dates_come_back(since in prop::collection::btree_map(
            ".{0,40}",
            prop::option::of((0i64..4_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).unwrap())),
            0..6,
        )) {
            prop_assert_eq!(decode(&encode(&since)), Some(since));
        }

        #[test]
        fn damaged_values_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut value = value;
            if let Some(first) = value.first_mut() {
                *first = VERSION;
            }
            let _ = decode(&value);
        }
    }
}
