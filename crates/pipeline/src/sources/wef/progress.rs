//! How far a source's channels have come, and what of them is missing: losses that happened before
//! anything reached the collector.
//!
//! Windows numbers the records of a log without a gap, and starts anew when the log is cleared or the
//! machine rebuilt. Where a query takes all of a channel, an id that is left out is an event that the
//! log lost before it was read; elsewhere it is one that was not asked for.
//!
//! Two machines that share a name, or one that forwards for others, send of several logs under one name: an
//! id is compared with the one before only where the same computer wrote both.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use windrow_formats::event::Event;
use windrow_formats::limits::CHANNEL_NAME_BYTES_MAX;
use windrow_formats::wef::audience::MachineName;
use windrow_formats::wef::query::bookmarked_places;

use super::options::Subscription;
use super::query_status::Words;
use crate::limits::{CHANNELS_PER_SUBSCRIPTION_MAX, GAP_EVENTS_MAX, OTHER_COMPUTER_BYTES_MAX};

/// Which computer's log a record id is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// It is not said.
    #[default]
    Unknown,
    /// That of the machine that sends.
    Own,
    /// That of another computer, by a hash of its name.
    Other(u64),
}

impl Origin {
    fn of(computer: &str, machine: &MachineName) -> Origin {
        if machine.is_computer(computer) {
            return Origin::Own;
        }
        let mut hasher = DefaultHasher::new();
        for byte in computer.bytes() {
            hasher.write_u8(byte.to_ascii_lowercase());
        }
        Origin::Other(hasher.finish())
    }

    /// Whether the ids of an event can be compared with those before. What is not said is most likely the
    /// machine's own.
    fn goes_on_with(self, next: Origin) -> bool {
        match (self, next) {
            (_, Origin::Unknown) | (Origin::Unknown, Origin::Own) => true,
            (before, next) => before == next,
        }
    }
}

/// A channel of a source in a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelProgress {
    /// Its name.
    pub channel: Arc<str>,
    /// The last record id that came, or that the bookmark has.
    pub record_id: u64,
    /// Whose that is.
    pub origin: Origin,
    /// Events since the start.
    pub events: u64,
    /// When the last one came.
    pub last_event: Option<Timestamp>,
    /// Events that the log had and that never came, where all of the channel is asked for.
    pub missing: u64,
    /// How often some were missing.
    pub gaps: u64,
    /// When that was seen last.
    pub last_gap: Option<Timestamp>,
    /// How often the ids began anew: the log was cleared, or the machine rebuilt.
    pub restarts: u64,
    /// When that was seen last.
    pub last_restart: Option<Timestamp>,
}

impl ChannelProgress {
    fn new(channel: &str, record_id: u64) -> ChannelProgress {
        ChannelProgress {
            channel: channel.into(),
            record_id,
            origin: Origin::Unknown,
            events: 0,
            last_event: None,
            missing: 0,
            gaps: 0,
            last_gap: None,
            restarts: 0,
            last_restart: None,
        }
    }
}

/// All channels of a source in a subscription.
pub(super) type Progress = Arc<Vec<ChannelProgress>>;

/// The channels of a bookmark, where they stand in it.
pub(super) fn of_bookmark(bookmark: &str) -> Progress {
    let places = bookmarked_places(bookmark).unwrap_or_default().into_iter();
    let named = places.filter(|(channel, _)| channel.len() <= CHANNEL_NAME_BYTES_MAX);
    let known = named.filter_map(|(channel, id)| Some(ChannelProgress::new(&channel, id?)));
    Arc::new(known.take(CHANNELS_PER_SUBSCRIPTION_MAX).collect())
}

/// The same channels, as far as somebody else has brought them; what was counted stays.
pub(super) fn moved_to(progress: &Progress, bookmark: &str) -> Progress {
    let mut moved = Vec::clone(progress);
    for place in of_bookmark(bookmark).iter() {
        let at = moved
            .iter()
            .position(|one| one.channel.eq_ignore_ascii_case(&place.channel));
        match at {
            Some(at) => {
                moved[at].record_id = place.record_id;
                moved[at].origin = Origin::Unknown;
            }
            None if moved.len() < CHANNELS_PER_SUBSCRIPTION_MAX => moved.push(place.clone()),
            None => {}
        }
    }
    Arc::new(moved)
}

/// What one delivery tells beside its events. Nothing is allocated for an event whose channel is known
/// and whose computer is the machine's.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    known: &'a [ChannelProgress],
    /// When the delivery before this one came.
    delivered_before: Option<Timestamp>,
    received_at: Timestamp,
    pub(super) seen: Seen,
}

/// What was observed, for when the delivery is on disk.
#[derive(Debug, Default)]
pub(super) struct Seen {
    steps: Vec<Step>,
    /// Where the last event's channel is in `steps`.
    current: usize,
    /// Events that name another computer than the machine that sent them.
    pub(super) other_computers: u64,
    /// One of those names.
    pub(super) other_computer: Option<Box<str>>,
    /// What the machine says of its channels.
    pub(super) words: Words,
    /// When it has begun anew with the subscription.
    pub(super) begun: Option<Timestamp>,
}

/// What a delivery brought of one channel.
#[derive(Debug)]
struct Step {
    channel: Place,
    is_whole: bool,
    /// Below it an id has come before, or begins anew.
    base: u64,
    last: Option<u64>,
    /// Whose the last id is.
    origin: Origin,
    events: u64,
    missing: u64,
    gaps: u64,
    restarts: u64,
}

#[derive(Debug)]
enum Place {
    Known(usize),
    New(Arc<str>),
}

/// What became of all channels together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub(super) missing: u64,
    pub(super) gaps: u64,
    pub(super) restarts: u64,
}

impl<'a> Observed<'a> {
    pub(super) fn new(
        known: &'a [ChannelProgress],
        delivered_before: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Observed<'a> {
        Observed {
            known,
            delivered_before,
            received_at,
            seen: Seen::default(),
        }
    }

    /// Looks at an event that came for the first time.
    pub(super) fn event(
        &mut self,
        event: Event<'_>,
        machine: &MachineName,
        subscription: &Subscription,
    ) {
        let computer = event.computer();
        let origin = (computer.as_deref()).map_or(Origin::Unknown, |it| Origin::of(it, machine));
        if let (Some(computer), Origin::Other(_)) = (&computer, origin) {
            self.seen.note_other(computer);
        }
        if event.event_id() == Some(101)
            && event.provider_name().as_deref() == Some("Microsoft-Windows-Forwarding")
        {
            self.status(event);
        }
        let (Some(channel), Some(id)) = (event.channel(), event.record_id()) else {
            return;
        };
        let Some(place) = self.place(&channel, subscription) else {
            return;
        };
        let delivered_before = self.delivered_before;
        let is_new = || {
            let (written, before) = (event.time_created(), delivered_before);
            before.is_some_and(|before| written.is_some_and(|written| written > before))
        };
        self.seen.steps[place].go_on(id, origin, is_new);
    }

    /// Looks at the event with which the source begins the subscription without a bookmark.
    pub(super) fn begun(&mut self, event: Event<'_>) {
        let at = event.time_created().unwrap_or(self.received_at);
        self.seen.begun = self.seen.begun.max(Some(at.min(self.received_at)));
        self.status(event);
    }

    /// Takes what an event says of channels.
    fn status(&mut self, event: Event<'_>) {
        let (words, now) = (&mut self.seen.words, self.received_at);
        words.read(event.text(), event.time_created(), now);
    }

    /// The place of a channel's step, made when it is the first event of it.
    fn place(&mut self, channel: &str, subscription: &Subscription) -> Option<usize> {
        let Seen { steps, current, .. } = &mut self.seen;
        let is = |step: &Step| match &step.channel {
            Place::Known(at) => &*self.known[*at].channel == channel,
            Place::New(name) => &**name == channel,
        };
        if steps.get(*current).is_some_and(is) {
            return Some(*current);
        }
        let found = steps.iter().position(is);
        if found.is_none() {
            if steps.len() >= CHANNELS_PER_SUBSCRIPTION_MAX
                || channel.len() > CHANNEL_NAME_BYTES_MAX
            {
                return None;
            }
            let known = self.known.iter();
            let at = known
                .enumerate()
                .find(|(_, one)| one.channel.eq_ignore_ascii_case(channel));
            steps.push(Step {
                is_whole: subscription.takes_whole(channel),
                base: at.map_or(0, |(_, known)| known.record_id),
                last: at.map(|(_, known)| known.record_id),
                origin: at.map_or(Origin::Unknown, |(_, known)| known.origin),
                channel: at.map_or_else(|| Place::New(channel.into()), |(at, _)| Place::Known(at)),
                events: 0,
                missing: 0,
                gaps: 0,
                restarts: 0,
            });
        }
        *current = found.unwrap_or(steps.len() - 1);
        Some(*current)
    }
}

impl Step {
    fn go_on(&mut self, id: u64, origin: Origin, is_new: impl FnOnce() -> bool) {
        self.events += 1;
        let is_same_log = self.origin.goes_on_with(origin);
        if origin != Origin::Unknown {
            self.origin = origin;
        }
        match self.last {
            None => self.last = Some(id),
            // Nothing follows for either log.
            Some(_) if !is_same_log => {
                self.base = 0;
                self.last = Some(id);
            }
            Some(last) if id > last => {
                if self.is_whole && id - last > 1 {
                    let gap = (id - last - 1).min(GAP_EVENTS_MAX);
                    self.missing = self.missing.saturating_add(gap);
                    self.gaps += 1;
                }
                self.last = Some(id);
            }
            // What was written before the last delivery came is a part of the log that comes again.
            Some(_) if id < self.base && is_new() => {
                self.restarts += 1;
                self.base = 0;
                self.last = Some(id);
            }
            Some(_) => {}
        }
    }
}

impl Seen {
    fn note_other(&mut self, computer: &str) {
        self.other_computers += 1;
        if self.other_computer.is_none() {
            let end = computer.floor_char_boundary(OTHER_COMPUTER_BYTES_MAX);
            self.other_computer = Some(computer[..end].into());
        }
    }

    /// Takes over what came, now that it is on disk.
    pub(super) fn apply(&self, progress: &mut Progress, at: Timestamp) -> Losses {
        let mut losses = Losses::default();
        if self.steps.is_empty() {
            return losses;
        }
        let channels = Arc::make_mut(progress);
        for step in &self.steps {
            let place = match &step.channel {
                Place::Known(place) => *place,
                Place::New(_) if channels.len() >= CHANNELS_PER_SUBSCRIPTION_MAX => continue,
                Place::New(name) => {
                    channels.push(ChannelProgress::new(name, 0));
                    channels.len() - 1
                }
            };
            let channel = &mut channels[place];
            channel.record_id = step.last.unwrap_or(channel.record_id);
            channel.origin = step.origin;
            channel.events += step.events;
            channel.last_event = Some(at);
            channel.missing = channel.missing.saturating_add(step.missing);
            channel.gaps += step.gaps;
            channel.restarts += step.restarts;
            if step.gaps > 0 {
                channel.last_gap = Some(at);
            }
            if step.restarts > 0 {
                channel.last_restart = Some(at);
            }
            losses.missing = losses.missing.saturating_add(step.missing);
            losses.gaps += step.gaps;
            losses.restarts += step.restarts;
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use windrow_formats::event::{self, Index};

    use super::super::options::QueryList;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn subscription() -> Subscription {
        let list = "<QueryList><Query Id='0'><Select Path='Security'>*</Select>\
                    <Select Path='System'>*[System[Level=2]]</Select></Query></QueryList>";
        Subscription::new("base", QueryList::new(list).unwrap())
    }

    /// Delivers (channel, id, second it was written) at a second, all of them the machine's own.
    fn deliver(
        progress: &mut Progress,
        before: Option<i64>,
        events: &[(&str, u64, i64)],
        second: i64,
    ) -> Losses {
        let (losses, others) = deliver_of("WS1", progress, before, events, second);
        assert_eq!(others, 0);
        losses
    }

    /// The same of a computer, with how many are not the machine's own.
    fn deliver_of(
        computer: &str,
        progress: &mut Progress,
        before: Option<i64>,
        events: &[(&str, u64, i64)],
        second: i64,
    ) -> (Losses, u64) {
        let machine = MachineName::of_certificate("ws1.corp.example").unwrap();
        let known = Arc::clone(progress);
        let mut observed = Observed::new(&known, before.map(at), at(second));
        let mut index = Index::default();
        for (channel, id, written) in events {
            let text = format!(
                "<Event><System><Provider Name='p'/><EventID>1</EventID><TimeCreated SystemTime='{}'/>\
                 <EventRecordID>{id}</EventRecordID><Channel>{channel}</Channel><Computer>{computer}</Computer></System></Event>",
                at(*written)
            );
            event::parse(&text, &mut index).unwrap();
            observed.event(Event::new(&text, &index), &machine, &subscription());
        }
        let others = observed.seen.other_computers;
        (observed.seen.apply(progress, at(second)), others)
    }

    #[test]
    fn a_gap_is_a_loss_where_all_of_a_channel_is_asked_for() {
        let mut progress = Progress::default();
        let first = [("Security", 10, 1), ("System", 5, 1), ("Security", 11, 1)];
        assert_eq!(deliver(&mut progress, None, &first, 2), Losses::default());
        let later = [("Security", 15, 3), ("System", 90, 3), ("Security", 16, 3)];
        let losses = deliver(&mut progress, Some(2), &later, 4);
        assert_eq!((losses.missing, losses.gaps, losses.restarts), (3, 1, 0));
        let security = &progress[0];
        assert_eq!(
            (security.record_id, security.missing, security.last_gap),
            (16, 3, Some(at(4)))
        );
        assert_eq!((progress[1].record_id, progress[1].missing), (90, 0));
    }

    #[test]
    fn a_bookmark_says_where_the_next_one_has_to_be() {
        let bookmark = "<BookmarkList><Bookmark Channel='security' RecordId='7'/></BookmarkList>";
        let mut progress = of_bookmark(bookmark);
        let losses = deliver(&mut progress, None, &[("Security", 10, 1)], 2);
        assert_eq!(losses.missing, 2);
    }

    #[test]
    fn ids_that_begin_anew_are_a_log_that_was_cleared() {
        let mut progress = Progress::default();
        deliver(&mut progress, None, &[("Security", 1_000, 10)], 20);
        // Written before the last delivery: it comes again.
        let losses = deliver(&mut progress, Some(20), &[("Security", 900, 9)], 30);
        assert_eq!((losses, progress[0].record_id), (Losses::default(), 1_000));
        let cleared = [
            ("Security", 1, 31),
            ("Security", 2, 31),
            ("Security", 4, 31),
        ];
        let losses = deliver(&mut progress, Some(30), &cleared, 40);
        assert_eq!((losses.restarts, losses.missing), (1, 1));
        assert_eq!(
            (progress[0].record_id, progress[0].last_restart),
            (4, Some(at(40)))
        );
    }

    #[test]
    fn logs_of_two_computers_under_one_name_are_not_compared_with_each_other() {
        let mut progress = Progress::default();
        let mut second = 10;
        let mut next = |computer: &str, ids: &[u64]| {
            second += 10;
            let events: Vec<_> = ids.iter().map(|id| ("Security", *id, second - 1)).collect();
            let before = Some(second - 10);
            let (losses, _) = deliver_of(computer, &mut progress, before, &events, second);
            (losses.missing, losses.restarts)
        };
        assert_eq!(next("WS1", &[10, 11]), (0, 0));
        for round in 0..5 {
            let id = 9_000 + 2 * round;
            assert_eq!(next("ws2.corp.example", &[id, id + 1]), (0, 0));
            assert_eq!(next("WS3.corp.example", &[5_000, 5_001]), (0, 0));
            assert_eq!(next("ws1.corp.example", &[12 + round]), (0, 0));
        }
        // Of one of them alone it can be told, however it is spelled.
        assert_eq!(next("WS1", &[20]), (3, 0));
        assert_eq!(next("WS2.corp.example", &[100]), (0, 0));
        assert_eq!(next("ws2.CORP.example", &[103, 104]), (2, 0));
        assert_eq!(next("ws2.corp.example", &[1, 2]), (0, 1));
    }

    #[test]
    fn a_bookmark_may_be_of_another_log_than_the_machines_own() {
        let bookmark = "<BookmarkList><Bookmark Channel='Security' RecordId='7'/></BookmarkList>";
        let mut progress = of_bookmark(bookmark);
        let event = [("Security", 1_000, 1)];
        let (losses, others) = deliver_of("ws9", &mut progress, None, &event, 2);
        assert_eq!((losses, others), (Losses::default(), 1));
    }

    #[test]
    fn no_claimed_number_is_too_large_to_be_counted() {
        let mut progress = Progress::default();
        deliver(&mut progress, None, &[("Security", 1, 1)], 2);
        let mut missing = 0;
        for (id, second) in [(u64::MAX, 3), (1, 5), (u64::MAX, 7)] {
            let event = [("Security", id, second)];
            missing += deliver(&mut progress, Some(second - 1), &event, second + 1).missing;
        }
        assert_eq!(missing, 2 * GAP_EVENTS_MAX);
        assert_eq!(progress[0].missing, missing);
    }

    #[test]
    fn names_that_are_none_of_windows_are_not_kept() {
        let (long, longest) = (
            "n".repeat(CHANNEL_NAME_BYTES_MAX + 1),
            "n".repeat(CHANNEL_NAME_BYTES_MAX),
        );
        let mut progress = Progress::default();
        deliver(&mut progress, None, &[(&long, 1, 1), (&longest, 1, 1)], 2);
        assert_eq!(progress.len(), 1);
        assert_eq!(&*progress[0].channel, longest);
        let bookmark =
            format!("<BookmarkList><Bookmark Channel='{long}' RecordId='7'/></BookmarkList>");
        assert_eq!(of_bookmark(&bookmark).len(), 0);
    }

    #[test]
    fn who_names_many_channels_is_not_followed_into_all_of_them() {
        let names: Vec<String> = (0..600).map(|number| format!("c{number}")).collect();
        let mut progress = Progress::default();
        for half in names.chunks(300) {
            let events: Vec<_> = half.iter().map(|name| (name.as_str(), 1, 1)).collect();
            deliver(&mut progress, None, &events, 2);
        }
        assert_eq!(progress.len(), CHANNELS_PER_SUBSCRIPTION_MAX);
    }
}
