//! How fast the events of a source come, of late.

use jiff::Timestamp;

/// What came this long ago counts a third of what comes now.
const FADES_IN_SECONDS: f64 = 600.0;
/// A rate over less time than this says nothing.
const LEAST_SECONDS: f64 = 30.0;

/// A rate that forgets slowly.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rate {
    /// Events, those of long ago counting less.
    events: f64,
    /// When that was so.
    at: Option<Timestamp>,
    /// When the first came.
    since: Option<Timestamp>,
}

impl Rate {
    /// Counts events.
    pub(super) fn add(&mut self, events: u64, at: Timestamp) {
        self.events = self.faded(at) + events as f64;
        self.at = Some(at);
        self.since = self.since.or(Some(at));
    }

    /// Events a second.
    #[must_use]
    pub fn per_second(&self, now: Timestamp) -> f64 {
        let Some(since) = self.since else {
            return 0.0;
        };
        let over = seconds(since, now).max(LEAST_SECONDS);
        // The time that counts, as the events do.
        let window = FADES_IN_SECONDS * (1.0 - (-over / FADES_IN_SECONDS).exp());
        self.faded(now) / window
    }

    fn faded(&self, now: Timestamp) -> f64 {
        let past = self.at.map_or(0.0, |at| seconds(at, now).max(0.0));
        self.events * (-past / FADES_IN_SECONDS).exp()
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn a_rate_is_that_of_late() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(at(0)), 0.0);
        for second in (0..7_200).step_by(30) {
            rate.add(300, at(second));
        }
        let now = rate.per_second(at(7_200));
        assert!((9.0..11.0).contains(&now), "{now}");
        let later = rate.per_second(at(7_200 + 3_600));
        assert!(later < 0.1, "{later}");
        // A clock that goes back makes nothing infinite.
        rate.add(1, at(0));
        assert!(rate.per_second(at(-100)).is_finite());
    }

    #[test]
    fn a_first_delivery_is_no_rate_of_thousands() {
        let mut rate = Rate::default();
        rate.add(300, at(0));
        assert!(rate.per_second(at(0)) < 11.0);
    }
}
