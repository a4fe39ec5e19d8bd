//! Many series that share one budget.

use std::collections::HashMap;
use std::hash::Hash;

use super::calibration::Calibration;
use super::{Budget, Direction, Episode, Flag, Reading, Series, Step, Threshold, Width};
use crate::limits::SERIES_MAX;

/// Days without an event after which a series is forgotten: what comes after that begins anew.
pub const FORGOTTEN_DAYS: u32 = 28;
/// Scores below this never decide a threshold.
const SCORE_LOOKED_AT: f64 = 1.0;

/// Series by key, all of the same width of bucket.
#[derive(Debug, Clone)]
pub struct Fleet<K> {
    width: Width,
    budget: Budget,
    series: HashMap<K, Member>,
    full: Full,
    /// For too many, and for too few.
    up: Calibration,
    down: Calibration,
    readings: Vec<(K, Reading)>,
    scores: Vec<f64>,
}

#[derive(Debug, Clone, Default)]
struct Member {
    series: Series,
    episode: Episode,
}

/// Events that belong to no series because there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Full {
    /// Since the start.
    pub events: u64,
}

/// A step of an episode that somebody should hear of, or what goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm<K> {
    /// Which series.
    pub key: K,
    /// What the bucket says.
    pub reading: Reading,
    /// The score from which on it is called that.
    pub threshold: f64,
    /// What it is called.
    pub flag: Flag,
    /// What it does to the episode.
    pub step: Step,
    /// The bucket that the episode began with.
    pub began: i64,
}

/// What a bucket of all series came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed<K> {
    /// Steps of episodes, the most unusual first.
    pub alarms: Vec<Alarm<K>>,
    /// What was ignored.
    pub threshold: Threshold,
    /// Series that are followed.
    pub live: usize,
}

impl<K: Clone + Eq + Hash + Ord> Fleet<K> {
    /// None yet.
    #[must_use]
    pub fn new(width: Width, budget: Budget) -> Fleet<K> {
        Fleet {
            width,
            budget,
            series: HashMap::new(),
            full: Full::default(),
            up: Calibration::default(),
            down: Calibration::default(),
            readings: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Takes up one bucket: what is not in `counts` counted nothing. Buckets come in order; one that was left out says
    /// nothing, and one that comes again is not taken.
    pub fn pass(&mut self, bucket: i64, counts: &HashMap<K, u64>) -> Passed<K> {
        self.admit(counts);
        self.readings.clear();
        for (key, member) in &mut self.series {
            let count = counts.get(key).copied().unwrap_or(0);
            if let Some(reading) = member.series.observe(bucket, self.width, count) {
                let matters = reading.score >= SCORE_LOOKED_AT || reading.silence > 0.0;
                if matters || member.episode.began().is_some() {
                    self.readings.push((key.clone(), reading));
                }
            }
        }
        let threshold = self.threshold();
        let alarms = self.step(threshold);
        let forgotten = FORGOTTEN_DAYS * self.width.per_day();
        self.series
            .retain(|_, member| member.series.empty_buckets() < forgotten);
        Passed {
            alarms,
            threshold,
            live: self.series.len(),
        }
    }

    /// What could not be followed.
    #[must_use]
    pub fn full(&self) -> Full {
        self.full
    }

    /// Series that are followed.
    #[must_use]
    pub fn live(&self) -> usize {
        self.series.len()
    }

    fn admit(&mut self, counts: &HashMap<K, u64>) {
        for (key, count) in counts {
            if self.series.contains_key(key) {
                continue;
            }
            if self.series.len() < SERIES_MAX {
                self.series.insert(key.clone(), Member::default());
            } else {
                self.full.events = self.full.events.saturating_add(*count);
            }
        }
    }

    /// One threshold for both directions, in what scores are worth.
    fn threshold(&mut self) -> Threshold {
        let (series, buckets) = (self.series.len(), self.width.per_day());
        let mut worths = Vec::new();
        for direction in [Direction::Up, Direction::Down] {
            self.scores.clear();
            let told = self.readings.iter().map(|(_, reading)| reading);
            let told = told.filter(|reading| reading.direction == direction && reading.may_tell());
            self.scores.extend(told.map(|reading| reading.score));
            let calibration = match direction {
                Direction::Up => &mut self.up,
                Direction::Down => &mut self.down,
            };
            calibration.learn(series, &self.scores, buckets);
            worths.extend(self.scores.iter().map(|score| calibration.worth(*score)));
        }
        self.budget.threshold(&mut worths, series, buckets)
    }

    fn step(&mut self, threshold: Threshold) -> Vec<Alarm<K>> {
        let mut alarms = Vec::new();
        for (key, reading) in self.readings.drain(..) {
            let Some(member) = self.series.get_mut(&key) else {
                continue;
            };
            let calibration = match reading.direction {
                Direction::Up => &self.up,
                Direction::Down => &self.down,
            };
            let threshold = calibration.score(threshold.score);
            let flag = reading.flag(threshold);
            let began = member.episode.began();
            let step = member.episode.step(&reading, flag);
            if step != Step::Quiet {
                alarms.push(Alarm {
                    key,
                    reading,
                    threshold,
                    flag,
                    step,
                    began: began.unwrap_or(reading.bucket),
                });
            }
        }
        // A map has no order; what is told has one.
        alarms.sort_by(|a, b| {
            let unusual = |alarm: &Alarm<K>| alarm.reading.score.max(alarm.reading.silence);
            let order = unusual(b).total_cmp(&unusual(a));
            order.then_with(|| a.key.cmp(&b.key))
        });
        alarms
    }
}
