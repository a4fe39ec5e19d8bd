//! What a source is offered: the subscriptions that are for it, each with the bookmark to go on
//! from.
//!
//! A source whose bookmark lacks a channel sends all that is in it. Where the channel came to the
//! query later, that is held back: the offer of this source suppresses what is older, until the
//! bookmark has the channel. A record id for the bookmark cannot be made up instead: one that is
//! too high would keep the channel silent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::timeout_at;
use uuid::Uuid;
use windrow_formats::wef::query::{
    channels_without_bookmark, with_history_suppressed, with_places,
};
use windrow_formats::wsman::reply::{Authentication, FaultCode, enumerate_response};
use windrow_formats::wsman::{Charset, Header};

use super::Shared;
use super::channel_dates::CLOCK_SLACK;
use super::deliver::claimed_name;
use super::options::{OfferStrings, QueryList, Subscription, message_id};
use super::process::{Arrived, Proof};
use super::recent::{Stored, state_key};
use super::refusal::Refusal;
use super::reply::Reply;
use super::status::Offered;
use crate::journal::{Entry, StateChange};

/// Everything of one offer, for it to borrow from.
struct Prepared {
    subscription: Subscription,
    /// The subscription's, whatever of it is held back from this source.
    revision: String,
    strings: OfferStrings,
    bookmark: Option<String>,
    /// Whether its source was never offered it, and it matters since when it is.
    is_first: bool,
}

/// An answer, and the subscriptions that it offers their source for the first time.
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) begins: Vec<Uuid>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer {
            reply,
            begins: Vec::new(),
        }
    }
}

impl Prepared {
    fn offered(&self, since: Timestamp) -> Offered {
        Offered {
            version: self.strings.version().to_owned(),
            revision: self.revision.clone(),
            since,
            heartbeat: self.subscription.heartbeat,
            max_time: self.subscription.max_time,
        }
    }
}

/// Answers a request for subscriptions.
pub(super) fn answer(
    shared: &Shared,
    arrived: &Arrived,
    request: &Header<'_>,
    charset: Charset,
) -> Answer {
    let peer = &arrived.peer;
    shared.registry.heard(&peer.name, |known| {
        known.enumerated(arrived.received_at);
        known.called.clone_from(&arrived.called);
        known.address = Some(peer.address);
        known.machine_id = request.machine_id.as_deref().map(claimed_name);
    });
    let proof = match &peer.proof {
        Proof::Kerberos => Some(Authentication::Kerberos),
        Proof::Certificate { issuer_thumbprint } => issuer_thumbprint
            .as_deref()
            .map(|issuer_thumbprint| Authentication::Certificate { issuer_thumbprint }),
    };
    let Some(proof) = proof else {
        let reason = "the authority that issued the client's certificate is not among the \
                      configured ones, so it cannot be named; add it to client_ca";
        let code = (FaultCode::InternalError, Refusal::UnnamedAuthority);
        return Reply::fault(request, charset, code, reason).into();
    };
    let prepared = prepare(shared, arrived, proof);
    shared.registry.heard(&peer.name, |known| {
        let offers = prepared.iter().map(|offer| {
            let offered = offer.offered(arrived.received_at);
            (offer.subscription.name.clone(), offered)
        });
        known.offer(offers);
    });
    let offers: Vec<_> = prepared
        .iter()
        .map(|offer| {
            let bookmark = offer.bookmark.as_deref();
            offer.strings.offer(&offer.subscription, proof, bookmark)
        })
        .collect();
    let envelope = enumerate_response(request, &message_id(), &offers);
    let bytes = charset.encoded_bytes(&envelope);
    match request.max_envelope_size {
        Some(most) if bytes > most as usize => {
            let reason = format!(
                "the subscriptions come to {bytes} bytes and the source takes {most}; shorten \
                 their queries or have fewer of them"
            );
            let code = (FaultCode::AnswerTooLarge, Refusal::OfferTooLarge);
            Reply::fault(request, charset, code, &reason).into()
        }
        _ => Answer {
            reply: Reply::soap(envelope, charset),
            begins: prepared
                .iter()
                .filter(|offer| offer.is_first)
                .map(|offer| offer.subscription.id)
                .collect(),
        },
    }
}

/// Keeps since when a source has the subscriptions that it is offered for the first time. Where that
/// cannot be kept nothing is held back of what came after the subscription asked for it.
pub(super) async fn keep_beginnings(shared: &Shared, arrived: &Arrived, begins: &[Uuid]) {
    let (source, at) = (&arrived.peer.name, arrived.received_at);
    for subscription in begins {
        let track = shared.registry.track(source, *subscription);
        let Ok(mut recent) = timeout_at(arrived.deadline, track.lock_owned()).await else {
            return;
        };
        // A newer version may have kept what this one cannot read.
        let key = state_key(*subscription, source);
        if !recent.is_new() || shared.journal.state(&key).is_some() {
            continue;
        }
        let stored = Stored {
            received_at: at,
            began_at: Some(at),
            ..Stored::default()
        };
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(StateChange {
                key,
                value: Some(stored.encode()),
            }),
        };
        match shared.journal.append(entry).await {
            Ok(_) => recent.begin(at),
            Err(error) => return tracing::debug!(source, %error, "its beginning is not kept"),
        }
    }
}

/// The subscriptions that are for the peer.
fn prepare(shared: &Shared, arrived: &Arrived, proof: Authentication<'_>) -> Vec<Prepared> {
    let (options, peer) = (&arrived.options, &arrived.peer);
    let theirs = options.subscriptions.iter();
    theirs
        .filter(|subscription| subscription.audience.matches(&peer.machine))
        .map(|subscription| {
            let place = shared.registry.place(&peer.name, subscription.id);
            let is_first = place.is_none() && !subscription.gained_channels.is_empty();
            let began = place.as_ref().and_then(|place| place.began_at);
            let place = place.filter(|place| !place.bookmark.is_empty());
            let bookmark = place.map(|place| resumed(&subscription.query, &place));
            let revision = subscription.revision();
            let mut subscription = subscription.clone();
            if let Some(bookmark) = &bookmark {
                let gained = gained_by(&subscription, began, arrived.received_at);
                subscription.query = completed(&subscription.query, &gained, bookmark);
            }
            Prepared {
                is_first,
                strings: OfferStrings::new(options, &subscription, proof),
                subscription,
                revision,
                bookmark,
            }
        })
        .collect()
}

/// Since when each channel is asked for of a source that began then: not before it did. Where it
/// was to send what it had when it began, nothing is held back of channels that were asked for by then.
///
/// What was dated by a clock that was ahead is as good as not known: it would hold back what is still to
/// happen.
fn gained_by(
    subscription: &Subscription,
    began: Option<Timestamp>,
    now: Timestamp,
) -> BTreeMap<String, Timestamp> {
    let mut gained = subscription.gained_channels.clone();
    gained.retain(|_, since| *since <= now);
    let Some(began) = began else {
        return gained;
    };
    let line = began.min(now).checked_sub(CLOCK_SLACK).unwrap_or(began);
    if subscription.read_existing {
        gained.retain(|_, since| *since > line);
    }
    if began <= now {
        for since in gained.values_mut() {
            *since = line.max(*since);
        }
    }
    gained
}

/// The bookmark to go on from: with the places of channels that the query has again.
fn resumed(query: &QueryList, place: &Stored) -> String {
    if place.left.is_empty() {
        return place.bookmark.clone();
    }
    let lacking = channels_without_bookmark(query.as_str(), &place.bookmark).unwrap_or_default();
    let is_asked_for = |channel: &str| lacking.iter().any(|one| one.eq_ignore_ascii_case(channel));
    let left = place.left.iter();
    let again = left.filter(|(channel, _)| is_asked_for(channel));
    with_places(
        &place.bookmark,
        again.map(|(channel, record_id)| (channel.as_str(), *record_id)),
    )
}

/// The query for a source with this bookmark: without the past of the channels that it lacks. As it
/// is where it would become longer than Windows takes: too much is better than too little.
fn completed(query: &QueryList, gained: &BTreeMap<String, Timestamp>, bookmark: &str) -> QueryList {
    let lacking = channels_without_bookmark(query.as_str(), bookmark).unwrap_or_default();
    let mut text = query.as_str().to_owned();
    for channel in &lacking {
        let since = gained.get(&channel.to_lowercase());
        let Some(since) = since else {
            continue;
        };
        if let Ok(longer) = with_history_suppressed(&text, &[channel], *since) {
            text = longer;
        }
    }
    QueryList::new(&text).unwrap_or_else(|_| query.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_asked_for_since_its_source_began_and_never_from_what_is_to_come() {
        let at = |hour: i64| Timestamp::from_second(1_700_000_000 + hour * 3_600).unwrap();
        let list = "<QueryList><Query Id='0'><Select Path='System'>*</Select></Query></QueryList>";
        let mut subscription = Subscription::new("base", QueryList::new(list).unwrap());
        let since = |subscription: &Subscription, began: Option<i64>| {
            let gained = gained_by(subscription, began.map(at), at(100));
            gained.get("system").copied()
        };
        for (channel, began, read_existing, expected) in [
            (10, None, false, Some(10)),
            (10, Some(5), false, Some(10)),
            (10, Some(50), false, Some(49)),
            // By a clock that was ahead, then.
            (10, Some(101), false, Some(10)),
            (101, Some(50), false, None),
            (101, None, false, None),
            // Who was to send what it had does, of what was asked for by then.
            (10, Some(50), true, None),
            (60, Some(50), true, Some(60)),
            (60, Some(101), true, None),
        ] {
            subscription.gained_channels = BTreeMap::from([("system".to_owned(), at(channel))]);
            subscription.read_existing = read_existing;
            assert_eq!(
                since(&subscription, began),
                expected.map(at),
                "{channel} {began:?} {read_existing}"
            );
        }
    }

    #[test]
    fn only_the_past_of_gained_channels_is_held_back() {
        let list = "<QueryList><Query Id='0'><Select Path='Security'>*</Select>\
                    <Select Path='System'>*</Select><Select Path='Setup'>*</Select></Query></QueryList>";
        let query = QueryList::new(list).unwrap();
        let since = "2026-11-22T12:00:00Z".parse().unwrap();
        let gained = BTreeMap::from([("system".to_owned(), since)]);
        let bookmark = "<BookmarkList><Bookmark Channel='Security' RecordId='7' IsCurrent='true'/></BookmarkList>";
        let offered = completed(&query, &gained, bookmark);
        insta::assert_snapshot!(offered.as_str(), @r#"<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select><Select Path='Setup'>*</Select><Suppress Path="System">*[System[TimeCreated[@SystemTime&lt;'2026-11-22T12:00:00.000Z']]]</Suppress></Query></QueryList>"#);
        // As soon as the source has been there, it is asked as everyone is.
        let later = bookmark.replace("</", "<Bookmark Channel='SYSTEM' RecordId='1'/></");
        assert_eq!(completed(&query, &gained, &later), query);
        assert_eq!(completed(&query, &BTreeMap::new(), bookmark), query);
        assert_eq!(
            completed(&query, &gained, "<a cookie='of another kind'/>"),
            query
        );
    }
}
