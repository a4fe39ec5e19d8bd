//! What a source is offered: the subscriptions that are for it, each with the bookmark to go on
//! from.
//!
//! A source whose bookmark lacks a channel sends all that is in it. Where the channel came to the
//! query later, that is held back: the offer of this source suppresses what is older, until the
//! bookmark has the channel. A record id for the bookmark cannot be made up instead: one that is
//! too high would keep the channel silent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use windrow_formats::wef::query::{channels_without_bookmark, with_history_suppressed};
use windrow_formats::wsman::reply::{Authentication, FaultCode, enumerate_response};
use windrow_formats::wsman::{Charset, Header};

use super::Shared;
use super::deliver::claimed_name;
use super::options::{OfferStrings, QueryList, Subscription, message_id};
use super::process::{Arrived, Proof};
use super::refusal::Refusal;
use super::reply::Reply;
use super::status::Offered;

/// Everything of one offer, for it to borrow from.
struct Prepared {
    subscription: Subscription,
    /// The subscription's, whatever of it is held back from this source.
    revision: String,
    strings: OfferStrings,
    bookmark: Option<String>,
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
) -> Reply {
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
        return Reply::fault(request, charset, code, reason);
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
            Reply::fault(request, charset, code, &reason)
        }
        _ => Reply::soap(envelope, charset),
    }
}

/// The subscriptions that are for the peer.
fn prepare(shared: &Shared, arrived: &Arrived, proof: Authentication<'_>) -> Vec<Prepared> {
    let (options, peer) = (&arrived.options, &arrived.peer);
    let theirs = options.subscriptions.iter();
    theirs
        .filter(|subscription| subscription.audience.matches(&peer.machine))
        .map(|subscription| {
            let bookmark = shared.registry.bookmark(&peer.name, subscription.id);
            let revision = subscription.revision();
            let mut subscription = subscription.clone();
            if let Some(bookmark) = &bookmark {
                let gained = &subscription.gained_channels;
                subscription.query = completed(&subscription.query, gained, bookmark);
            }
            Prepared {
                strings: OfferStrings::new(options, &subscription, proof),
                subscription,
                revision,
                bookmark,
            }
        })
        .collect()
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
