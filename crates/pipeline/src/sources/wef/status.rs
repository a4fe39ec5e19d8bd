//! What is known of one machine while the collector runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::contact::Contact;
use super::progress::{ChannelProgress, Losses};
use super::query_status::{self, QueryStatus, Words};
use super::rate::Rate;
use super::refusal::Refusal;
use super::rhythm::{Beats, Rhythm};

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
    /// How often it asks, and when it was away.
    pub rhythm: Rhythm,
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
    pub channel_status: QueryStatus,
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
    /// How many were refused since the last delivery that was taken, or sign of life where that ends it.
    pub in_a_row: u64,
}

/// An offer of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its version: what the machine itself goes by.
    pub version: String,
    /// The subscription's revision, the same for all machines that were offered it as it was then.
    pub revision: String,
    /// Since when it is offered in this version.
    pub since: Timestamp,
    /// Longest time between two signs of life, as the machine was told it.
    pub heartbeat: Duration,
    /// Longest wait for a batch to fill, as it was told it.
    pub max_time: Duration,
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
    pub(super) fn new(source: &str) -> SourceStatus {
        SourceStatus {
            source: source.to_owned(),
            ..SourceStatus::default()
        }
    }

    /// Notes a request for subscriptions.
    pub(super) fn enumerated(&mut self, at: Timestamp) {
        let beats = self.beats();
        self.rhythm.asks(at, beats);
        self.last_enumerate = Some(at);
        query_status::age(&mut self.channel_status, at);
    }

    /// Notes a delivery.
    pub(super) fn delivered(&mut self, at: Timestamp) {
        let beats = self.beats();
        self.rhythm.signs(at, beats);
        self.last_events = Some(at);
    }

    /// Notes a sign of life.
    pub(super) fn lived(&mut self, at: Timestamp) {
        let beats = self.beats();
        self.rhythm.signs(at, beats);
        self.last_heartbeat = Some(at);
        if let Some(refused) = &mut self.last_refusal
            && refused.refusal.ends_with_a_sign()
        {
            refused.in_a_row = 0;
        }
    }

    /// How often signs are due from it.
    fn beats(&self) -> Beats {
        let offered = self.offered.iter().flat_map(BTreeMap::values);
        Beats::of(offered.map(|offered| offered.heartbeat.max(offered.max_time)))
    }

    /// Notes what it is offered, by name. What it was offered already it was since then.
    pub(super) fn offer(&mut self, offers: impl Iterator<Item = (String, Offered)>) {
        let before = self.offered.take().unwrap_or_default();
        let offered = offers.map(|(name, new)| {
            let known = before.get(&name);
            let known = known.filter(|known| known.version == new.version);
            let since = known.map_or(new.since, |known| known.since);
            (name, Offered { since, ..new })
        });
        self.offered = Some(offered.collect());
    }

    /// Notes what it says of its channels.
    pub(super) fn say_of_channels(&mut self, words: &Words) {
        words.add_to(&mut self.channel_status);
    }

    /// Notes that it began anew with a subscription of these channels.
    pub(super) fn begin_anew(&mut self, channels: &[String], at: Timestamp) {
        query_status::begin_anew(&mut self.channel_status, channels, at);
    }

    /// When it last sent something for a subscription since it was offered as it is: it has taken that up.
    #[must_use]
    pub fn taken_up(&self, subscription: &str) -> Option<Timestamp> {
        let offered = self.offered.as_ref()?.get(subscription)?;
        let last = self.subscriptions.get(subscription)?.last_sign;
        last.filter(|last| *last >= offered.since)
    }

    /// What of it outlives the collector.
    pub(super) fn contact(&self, listener: Option<&str>) -> Contact {
        Contact {
            name: self.source.clone(),
            listener: listener.map(str::to_owned),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_before_the_start_is_no_rhythm() {
        let mut status = SourceStatus::new("ws1");
        (status.last_enumerate, status.last_events) = (Some(at(0)), Some(at(30)));
        for second in [32_400, 32_460] {
            status.enumerated(at(second));
        }
        assert_eq!(
            (status.rhythm.every, status.rhythm.back_since),
            (None, None)
        );
        status.enumerated(at(32_520));
        let every = status.rhythm.every.map(|every| every.as_secs());
        assert_eq!(every, Some(60));
    }

    #[test]
    fn signs_are_due_as_it_was_told() {
        let offered = |heartbeat, max_time| Offered {
            version: "V1".to_owned(),
            revision: "R1".to_owned(),
            since: at(0),
            heartbeat: Duration::from_secs(heartbeat),
            max_time: Duration::from_secs(max_time),
        };
        let mut status = SourceStatus::new("ws1");
        let offers = [("a", offered(900, 30)), ("b", offered(60, 7_200))];
        status.offer(offers.map(|(name, one)| (name.to_owned(), one)).into_iter());
        status.lived(at(0));
        status.lived(at(9_000));
        assert_eq!(status.rhythm.back_since, None);
        status.delivered(at(18_001));
        assert_eq!(status.rhythm.back_since, Some(at(18_001)));
    }

    #[test]
    fn a_sign_of_life_ends_the_row_of_what_passes() {
        for (refusal, expected) in [(Refusal::TooSlow, 0), (Refusal::TooLarge, 3)] {
            let mut status = SourceStatus::new("ws1");
            status.last_refusal = Some(RefusedRequest {
                at: at(0),
                refusal,
                reason: String::new(),
                in_a_row: 3,
            });
            status.lived(at(5));
            assert_eq!(status.last_refusal.map(|it| it.in_a_row), Some(expected));
        }
    }
}
