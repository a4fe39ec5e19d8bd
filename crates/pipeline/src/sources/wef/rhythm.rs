//! How often a machine asks for its subscriptions, and when it was away: what its requests and the signs of
//! life between them tell.
//!
//! A machine asks by a timer, and beside it whenever its policy or its service begins anew. So an interval is
//! its rhythm when the next one is like it, and no shorter than it was thought where signs came all through a
//! longer one. It was away where neither a request nor a sign came when it should have.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How often a machine asks of which it is not known: what palantir's and Microsoft's guides have.
pub const USUAL_REFRESH: SignedDuration = SignedDuration::from_hours(1);
/// How often it gives a sign where it is not known what it was told.
const USUAL_BEAT: SignedDuration = SignedDuration::from_mins(15);
/// What anything may be late at least.
const SLACK: SignedDuration = SignedDuration::from_secs(60);
/// Intervals of one timer differ by no more than this part.
const ALIKE: i32 = 8;

/// How often signs of life are due from a machine of several subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beats {
    /// By the quickest of them: if it takes up all, it is heard of this often.
    pub quickest: SignedDuration,
    /// By the slowest of them: if it takes up any, it is heard of this often.
    pub slowest: SignedDuration,
}

impl Beats {
    /// By what it was told of each.
    pub fn of(each: impl Iterator<Item = Duration>) -> Beats {
        let each = each.map(|span| SignedDuration::try_from(span).unwrap_or(USUAL_BEAT));
        let both = each.map(|span| (span, span));
        let (quickest, slowest) = both
            .reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
            .unwrap_or((USUAL_BEAT, USUAL_BEAT));
        Beats { quickest, slowest }
    }
}

/// What is known of the times at which one machine is heard of, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rhythm {
    /// How often it asks.
    pub every: Option<SignedDuration>,
    /// The first of its requests since it last sent something, was away, or began anew.
    pub asks_since: Option<Timestamp>,
    /// When it was heard of again after it was away.
    pub back_since: Option<Timestamp>,
    /// Its last request.
    asked: Option<Timestamp>,
    /// Its last sign.
    signed: Option<Timestamp>,
    /// How long before its last request the one before was.
    interval: Option<SignedDuration>,
    /// The longest time since its last request in which it was not heard of.
    hole: SignedDuration,
}

impl Rhythm {
    /// Takes in a request.
    pub fn asks(&mut self, at: Timestamp, beats: Beats) {
        self.hear(at);
        let interval = self.asked.map(|before| at.duration_since(before));
        // A clock that was set back tells nothing.
        let interval = interval.filter(SignedDuration::is_positive);
        let is_early = (interval.zip(self.every))
            .is_some_and(|(interval, every)| interval < every && !alike(interval, every));
        if let Some(interval) = interval {
            self.learn(interval, at, beats);
        }
        // One that asks before its time may have been off since its last request. That it asked more often
        // before, in time, and sent nothing remains.
        let begins_anew = is_early && self.asks_since == self.asked;
        if self.asks_since <= self.signed || self.asks_since < self.back_since || begins_anew {
            self.asks_since = Some(at);
        }
        (self.asked, self.interval) = (Some(at), interval);
        self.hole = SignedDuration::ZERO;
    }

    /// Takes in a sign of life: a delivery, or a heartbeat.
    pub fn signs(&mut self, at: Timestamp, beats: Beats) {
        if self.hear(at) > in_time(beats.slowest) {
            self.back_since = Some(at);
        }
        self.signed = Some(at);
    }

    /// For how long it was not heard of before now.
    fn hear(&mut self, at: Timestamp) -> SignedDuration {
        let last = self.asked.max(self.signed);
        let gap = last.map_or(SignedDuration::ZERO, |last| at.duration_since(last));
        self.hole = self.hole.max(gap);
        gap
    }

    /// What the time between two requests says.
    fn learn(&mut self, interval: SignedDuration, at: Timestamp, beats: Beats) {
        let every = self.every.unwrap_or(USUAL_REFRESH);
        let was_on = self.signed > self.asked && self.hole <= in_time(beats.quickest);
        let before = self.interval.filter(|before| alike(*before, interval));
        if let Some(before) = before {
            self.every = Some(interval.max(before));
        } else if was_on {
            let is_longer = interval > every;
            self.every = if is_longer {
                Some(interval)
            } else {
                self.every
            };
        } else if interval > in_time(every) && self.back_since <= self.asked {
            self.back_since = Some(at);
        }
    }
}

/// Within this time comes what is due so often.
fn in_time(every: SignedDuration) -> SignedDuration {
    every.saturating_add((every / 4).max(SLACK))
}

fn alike(one: SignedDuration, other: SignedDuration) -> bool {
    let (less, more) = (one.min(other), one.max(other));
    more - less <= more / ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;

    /// What is heard, in seconds.
    #[derive(Clone, Copy)]
    enum Heard {
        Asks(i64),
        Signs(i64),
    }
    use Heard::{Asks, Signs};

    fn asks(seconds: impl IntoIterator<Item = i64>) -> Vec<Heard> {
        seconds.into_iter().map(Asks).collect()
    }

    fn signs(seconds: impl IntoIterator<Item = i64>) -> Vec<Heard> {
        seconds.into_iter().map(Signs).collect()
    }

    /// Every quarter of an hour from five minutes on, without the whole hours.
    fn quarters(until: i64) -> Vec<Heard> {
        signs((5 * MINUTE..until).step_by(15 * 60))
    }

    fn told(quickest: u64, slowest: u64) -> Beats {
        Beats::of([slowest, quickest].into_iter().map(Duration::from_secs))
    }

    /// Rhythm, first request of those that count, and when it came back.
    fn after(parts: &[Vec<Heard>], beats: Beats) -> (Option<i64>, Option<i64>, Option<i64>) {
        let mut all: Vec<Heard> = parts.iter().flatten().copied().collect();
        all.sort_by_key(|heard| match heard {
            Asks(at) | Signs(at) => *at,
        });
        let mut rhythm = Rhythm::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        for heard in all {
            match heard {
                Asks(second) => rhythm.asks(at(second), beats),
                Signs(second) => rhythm.signs(at(second), beats),
            }
        }
        let second = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        let every = rhythm.every.map(|every| every.as_secs());
        (every, second(rhythm.asks_since), second(rhythm.back_since))
    }

    /// By a subscription with a sign of life every quarter of an hour.
    fn of(parts: &[Vec<Heard>]) -> (Option<i64>, Option<i64>, Option<i64>) {
        after(parts, told(900, 900))
    }

    fn hours(hours: std::ops::RangeInclusive<i64>) -> Vec<Heard> {
        asks(hours.map(|hour| hour * HOUR))
    }

    #[test]
    fn who_asks_and_sends_nothing_does_so_since_the_first_request() {
        let minutes = |minutes: std::ops::Range<i64>| asks(minutes.map(|minute| minute * 60));
        assert_eq!(of(&[minutes(0..1)]), (None, Some(0), None));
        assert_eq!(of(&[minutes(0..2)]), (None, Some(0), None));
        assert_eq!(of(&[minutes(0..20)]), (Some(60), Some(0), None));
        let sent = [minutes(0..20), signs([1_150]), minutes(20..22)];
        assert_eq!(of(&sent), (Some(60), Some(1_200), None));
        assert_eq!(of(&[hours(0..=9)]), (Some(HOUR), Some(0), None));
    }

    #[test]
    fn a_night_is_an_absence_and_no_rhythm() {
        let morning = 14 * HOUR;
        let evening = vec![Asks(0), Asks(60), Signs(90), Asks(120)];
        let back = Some(morning);
        let asks_first = [evening.clone(), asks([morning])];
        assert_eq!(of(&asks_first), (Some(60), back, back));
        let goes_on = [evening.clone(), asks([morning, morning + 60])];
        assert_eq!(of(&goes_on), (Some(60), back, back));
        // One that wakes may send before it asks.
        let sends_first = [evening, vec![Signs(morning), Asks(morning + 20)]];
        assert_eq!(of(&sends_first), (Some(60), Some(morning + 20), back));
        let hourly = [hours(0..=9), quarters(9 * HOUR + 600), asks([23 * HOUR])];
        let back = Some(23 * HOUR);
        assert_eq!(of(&hourly), (Some(HOUR), back, back));
    }

    #[test]
    fn requests_close_together_are_no_rhythm() {
        let ten = |from: i64| asks((0..10).map(move |hour| from + hour * HOUR));
        for close in [
            vec![20],
            vec![20, 70],
            vec![20, 40],
            vec![20, 40, 60, 80],
            vec![1_800],
        ] {
            let last = 2 * HOUR + close.last().unwrap();
            let close = asks(close.into_iter().map(|second| 2 * HOUR + second));
            // Two requests later all is as before, with signs of life and without.
            let next = asks([last + HOUR, last + 2 * HOUR]);
            let quiet = of(&[hours(0..=2), close.clone(), next.clone()]);
            assert_eq!(quiet.0, Some(HOUR));
            let beats = quarters(last + 2 * HOUR);
            let (every, _, back) = of(&[hours(0..=2), close.clone(), next, beats]);
            assert_eq!((every, back), (Some(HOUR), None));
            // And stays so.
            let all = [hours(0..=2), close, ten(last + HOUR), quarters(14 * HOUR)];
            let (every, _, back) = of(&all);
            assert_eq!((every, back), (Some(HOUR), None));
        }
        // Nothing of it is lost that nothing came while it asked in time.
        let gpupdate = [hours(0..=2), asks([2 * HOUR + 20, 2 * HOUR + 70])];
        assert_eq!(of(&gpupdate), (Some(HOUR), Some(0), None));
    }

    #[test]
    fn another_refresh_is_learnt_within_two_requests() {
        let minutes = || asks((0..=10).map(|minute| minute * 60));
        let raised = |count: i64| asks((1..=count).map(|hour| 600 + hour * HOUR));
        let beats = |count: i64| quarters(600 + count * HOUR);
        // Signs prove at once that it was on.
        let (every, _, back) = of(&[minutes(), raised(1), beats(1)]);
        assert_eq!((every, back), (Some(HOUR), None));
        // Without them it takes the second.
        let first = Some(600 + HOUR);
        assert_eq!(of(&[minutes(), raised(1)]), (Some(60), first, first));
        assert_eq!(of(&[minutes(), raised(2)]), (Some(HOUR), first, first));
        assert_eq!(of(&[minutes(), raised(9)]), (Some(HOUR), first, first));
        let lowered = asks([2 * HOUR + 20, 2 * HOUR + 80, 2 * HOUR + 140]);
        assert_eq!(of(&[hours(0..=2), lowered]).0, Some(60));
        // It asks every four hours: known with the third request, with signs from the second.
        let four = |count: i64| asks((0..count).map(|one| one * 4 * HOUR));
        assert_eq!(of(&[four(2)]).0, None);
        assert_eq!(of(&[four(3)]).0, Some(4 * HOUR));
        let (every, _, back) = of(&[four(2), quarters(4 * HOUR)]);
        assert_eq!((every, back), (Some(4 * HOUR), None));
    }

    #[test]
    fn who_was_off_between_two_requests_begins_anew() {
        let sent = [hours(0..=2), quarters(3 * HOUR)].concat();
        let third = 3 * HOUR;
        for (minutes, begins) in [(20, true), (40, true), (60, false), (90, true), (119, true)] {
            let again = third + minutes * MINUTE;
            let since = if begins { again } else { third };
            let (every, asks_since, back) = of(&[sent.clone(), asks([third, again])]);
            assert_eq!((every, asks_since), (Some(HOUR), Some(since)), "{minutes}");
            assert_eq!(back.is_some(), minutes > 75, "{minutes}");
        }
    }

    #[test]
    fn the_slowest_subscription_says_who_was_away_and_the_quickest_who_was_on() {
        // The quick one is not taken up: no sign of the other is a return.
        let slow = [asks([0]), quarters(5 * HOUR)];
        assert_eq!(after(&slow, told(60, 900)).2, None);
        // A gap of five hours proves nothing where something is due every quarter of an hour.
        let off = [hours(0..=2), vec![Signs(2 * HOUR + 60), Asks(7 * HOUR)]];
        let back = Some(7 * HOUR);
        let known = (Some(HOUR), back, back);
        assert_eq!(after(&off, told(900, 6 * 3_600)), known);
    }

    #[test]
    fn a_clock_that_is_set_back_is_borne() {
        let mut rhythm = Rhythm::default();
        for second in [100_000, 103_600, 90_000, 90_060, 90_120] {
            rhythm.asks(Timestamp::from_second(second).unwrap(), told(900, 900));
        }
        assert_eq!(rhythm.every, Some(SignedDuration::from_secs(60)));
        assert_eq!(rhythm.back_since, None);
    }
}
