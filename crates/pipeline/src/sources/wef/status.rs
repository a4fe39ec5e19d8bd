//! What is known of one machine while the collector runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::contact::Contact;
use super::progress::{ChannelProgress, Losses};
use super::query_status::{self, QueryStatus, Words};
use super::rate::Rate;
use super::refusal::Refusal;

/// How often a machine asks of which it is not known: what palantir's and Microsoft's guides have.
pub const USUAL_REFRESH: SignedDuration = SignedDuration::from_hours(1);
/// Nobody was away for less.
const SHORTEST_ABSENCE: SignedDuration = SignedDuration::from_mins(2);

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
    /// How often it asks, by its last two requests between which it was not away.
    pub enumerates_every: Option<SignedDuration>,
    /// The first of its requests since it last sent something or was away.
    pub asks_since: Option<Timestamp>,
    /// When it was heard of again after it was away: for longer than it takes until it asks twice.
    pub back_since: Option<Timestamp>,
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
    /// How many were refused since the last delivery that was taken.
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
        // One that asks more seldom than was thought seems to come back each time.
        let seemed_back = self.back_since.is_some() && self.back_since == self.last_enumerate;
        self.note_absence(at);
        if self.asks_since <= self.last_sign() || self.asks_since < self.back_since {
            self.asks_since = Some(at);
        }
        // Before the start it may have asked while nobody listened.
        let before = self.last_enumerate.filter(|_| self.offered.is_some());
        if let Some(before) = before
            && (seemed_back || self.back_since <= Some(before))
        {
            self.enumerates_every = Some(at.duration_since(before));
        }
        self.last_enumerate = Some(at);
        query_status::age(&mut self.channel_status, at);
    }

    /// Notes a delivery.
    pub(super) fn delivered(&mut self, at: Timestamp) {
        self.note_absence(at);
        self.last_events = Some(at);
    }

    /// Notes a sign of life.
    pub(super) fn lived(&mut self, at: Timestamp) {
        self.note_absence(at);
        self.last_heartbeat = Some(at);
    }

    /// Notes whether it was away before it is heard of now.
    fn note_absence(&mut self, at: Timestamp) {
        let every = self.enumerates_every.unwrap_or(USUAL_REFRESH);
        let longest = every.saturating_mul(2).max(SHORTEST_ABSENCE);
        let last = self.last_seen();
        if last.is_some_and(|last| at.duration_since(last) > longest) {
            self.back_since = Some(at);
        }
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

    const HOUR: i64 = 3_600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A machine that asks at these seconds and is offered nothing special.
    fn asks(status: &mut SourceStatus, seconds: impl IntoIterator<Item = i64>) {
        for second in seconds {
            status.enumerated(at(second));
            status.offer(std::iter::empty());
        }
    }

    fn known(status: &SourceStatus) -> (Option<i64>, Option<i64>, Option<i64>) {
        let second = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        let every = status.enumerates_every.map(|every| every.as_secs());
        (second(status.asks_since), second(status.back_since), every)
    }

    #[test]
    fn who_asks_and_sends_nothing_does_so_since_the_first_request() {
        let mut status = SourceStatus::new("ws1");
        asks(&mut status, (0..20).map(|minute| minute * 60));
        assert_eq!(known(&status), (Some(0), None, Some(60)));
        status.lived(at(1_150));
        asks(&mut status, [1_200, 1_260]);
        assert_eq!(known(&status), (Some(1_200), None, Some(60)));
        status.delivered(at(1_270));
        assert_eq!(known(&status).0, Some(1_200));
        asks(&mut status, [1_320]);
        assert_eq!(known(&status).0, Some(1_320));
    }

    #[test]
    fn a_night_is_an_absence_and_says_nothing_of_how_often_it_asks() {
        let morning = 14 * HOUR;
        let mut evening = SourceStatus::new("ws1");
        asks(&mut evening, [0, 60, 120]);
        evening.lived(at(90));
        let mut asks_first = evening.clone();
        asks(&mut asks_first, [morning]);
        assert_eq!(known(&asks_first), (Some(morning), Some(morning), Some(60)));
        asks(&mut asks_first, [morning + 60, morning + 120]);
        assert_eq!(known(&asks_first), (Some(morning), Some(morning), Some(60)));
        // One that wakes may send before it asks.
        let mut sends_first = evening;
        sends_first.lived(at(morning));
        asks(&mut sends_first, [morning + 20]);
        assert_eq!(
            known(&sends_first),
            (Some(morning + 20), Some(morning), Some(60))
        );
    }

    #[test]
    fn who_asks_seldom_is_not_away_in_between() {
        let mut status = SourceStatus::new("ws1");
        asks(&mut status, [0, HOUR, 2 * HOUR]);
        assert_eq!(known(&status), (Some(0), None, Some(HOUR)));
        // Somebody asks for its policy by hand, and it asks twice within a minute.
        asks(&mut status, [2 * HOUR + 20, 3 * HOUR + 20]);
        assert_eq!(known(&status).1, Some(3 * HOUR + 20));
        asks(&mut status, [4 * HOUR + 20, 5 * HOUR + 20, 6 * HOUR + 20]);
        let since = Some(4 * HOUR + 20);
        assert_eq!(known(&status), (since, since, Some(HOUR)));
    }

    #[test]
    fn what_was_before_the_start_is_no_rhythm() {
        let mut status = SourceStatus::new("ws1");
        (status.last_enumerate, status.last_events) = (Some(at(0)), Some(at(30)));
        asks(&mut status, [9 * HOUR]);
        assert_eq!(known(&status).2, None);
        asks(&mut status, [9 * HOUR + 60]);
        assert_eq!(known(&status).2, Some(60));
    }
}
