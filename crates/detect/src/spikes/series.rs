//! One series: what it is expected to count next, and how improbable it is what it did count.

use super::dispersion::Dispersion;
use super::level::Level;
use super::season::Season;
use super::{Width, tail};

/// Buckets tested together, beside the bucket alone.
const TOGETHER: usize = 3;
/// How many standard deviations above what was expected a count is at most learnt as: an attack must not become normal.
const LEARNT_DEVIATIONS: f64 = 4.0;
/// The same for the dispersion, to which the tail belongs.
const SCATTER_DEVIATIONS: f64 = 8.0;
/// Days after which the scatter that was seen weighs half.
const SCATTER_DAYS_HALF: f64 = 42.0;
/// What a bucket alone must score more than three together: noise that is not negative-binomial shows there first, and
/// with it a second test of the same bucket costs next to nothing.
const ALONE: f64 = 1.5;
/// How many weeks of this hour must have been seen before too few are told, and for how long the series must have been there:
/// nights and weekends are not drops, and a machine that was there once is not missed.
const WEEKS_FOR_LOW: f64 = 1.8;
/// Days that a series is only watched.
const COLD_DAYS: u32 = 1;

/// What is known of one series of counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    season: Season,
    level: Level,
    alone: Dispersion,
    together: Dispersion,
    recent: Recent,
    last: Option<i64>,
    /// The first and the last bucket in which something came.
    alive: Option<(i64, i64)>,
    buckets: u32,
    /// Score of the empty buckets up to now, when the last one was empty.
    empty: f64,
    empty_buckets: u32,
}

/// The last buckets in a row, with what was expected of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Recent {
    of: [(u64, f64); TOGETHER],
    known: usize,
}

impl Recent {
    fn push(&mut self, count: u64, expected: f64) {
        self.of.rotate_left(1);
        self.of[TOGETHER - 1] = (count, expected);
        self.known = (self.known + 1).min(TOGETHER);
    }

    /// The sums, once there are enough buckets.
    fn together(&self) -> Option<(u64, f64)> {
        let sums = self.of.iter().fold((0_u64, 0.0), |(counts, means), of| {
            (counts.saturating_add(of.0), means + of.1)
        });
        (self.known == TOGETHER).then_some(sums)
    }
}

/// Which buckets a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The bucket.
    One,
    /// The bucket and the two before it.
    Three,
}

/// Too many, or too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More than expected.
    Up,
    /// Fewer.
    Down,
}

/// What a bucket of a series says, and everything that explains it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The bucket's number.
    pub bucket: i64,
    /// What it counted.
    pub count: u64,
    /// What it was expected to count.
    pub expected: f64,
    /// What the last day changed in that: 1 when it went as usual.
    pub level: f64,
    /// Weeks of this hour that the expectation stands on, or from the first event of the series to its last where that is less.
    pub weeks: f64,
    /// Which buckets are the most unusual.
    pub window: Window,
    /// What those counted.
    pub window_count: u64,
    /// What those were expected to count.
    pub window_expected: f64,
    /// Their dispersion: the variance is `expected + dispersion * expected²`.
    pub dispersion: f64,
    /// Too many or too few.
    pub direction: Direction,
    /// `-log10` of the probability of such a count or a more extreme one.
    pub score: f64,
    /// `-log10` of the probability that nothing came since something last came; 0 when something did.
    pub silence: f64,
    /// Empty buckets up to this one.
    pub empty_buckets: u32,
    /// The series is too young for a verdict.
    pub cold: bool,
}

/// What a bucket is called, given what may be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// As expected.
    Usual,
    /// Improbably many.
    Spike,
    /// Improbably few.
    Drop,
    /// Nothing for improbably long.
    Silence,
}

/// What silence must score to be called that, whatever the budget: one in a million.
pub const SILENCE_SCORE: f64 = 6.0;

impl Reading {
    /// What this is, when scores up to `threshold` are ignored.
    #[must_use]
    pub fn flag(&self, threshold: f64) -> Flag {
        if !self.may_tell() {
            Flag::Usual
        } else if self.silence >= SILENCE_SCORE {
            Flag::Silence
        } else if self.score < threshold {
            Flag::Usual
        } else {
            match self.direction {
                Direction::Up => Flag::Spike,
                Direction::Down => Flag::Drop,
            }
        }
    }

    /// Whether enough is known to call this anything.
    #[must_use]
    pub fn may_tell(&self) -> bool {
        let low = self.direction == Direction::Down || self.silence >= SILENCE_SCORE;
        !self.cold && (!low || self.weeks >= WEEKS_FOR_LOW)
    }

    /// The probability that the score stands for.
    #[must_use]
    pub fn probability(&self) -> f64 {
        10_f64.powf(-self.score)
    }

    /// How many times what was expected came, of the buckets the verdict is about.
    #[must_use]
    pub fn times(&self) -> f64 {
        self.window_count as f64 / self.window_expected.max(f64::MIN_POSITIVE)
    }
}

/// The more unusual of the tests of a bucket.
struct Test {
    window: Window,
    count: u64,
    expected: f64,
    dispersion: f64,
    direction: Direction,
    score: f64,
}

impl Test {
    fn of(window: Window, count: u64, expected: f64, dispersion: f64) -> Test {
        // Not worth a tail: what is below its mean is no spike, and the other way round.
        let (direction, score) = if count as f64 >= expected {
            (Direction::Up, tail::upper(count, expected, dispersion))
        } else {
            (Direction::Down, tail::lower(count, expected, dispersion))
        };
        Test {
            window,
            count,
            expected,
            dispersion,
            direction,
            score,
        }
    }
}

impl Series {
    /// Reads a bucket and takes it up. Buckets come in order; where some are left out, nothing is known of
    /// them, which is not the same as nothing having come. None for a bucket that was read before.
    pub fn observe(&mut self, bucket: i64, width: Width, count: u64) -> Option<Reading> {
        match self.last {
            Some(last) if bucket <= last => return None,
            Some(last) if bucket - last > 1 => self.interrupted(),
            _ => {}
        }
        self.last = Some(bucket);
        let hour = width.hour_of_week(bucket);
        let usual = self.season.expected(hour, width);
        let level = self.level.ratio();
        let expected = usual * level;
        self.recent.push(count, expected);
        let doubt = self.season.doubt(hour, usual, self.alone.value());
        self.rest(count, expected, doubt);
        let test = self.test(count, expected, doubt);
        let reading = Reading {
            bucket,
            count,
            expected,
            level,
            weeks: self.season.weeks(hour, width).min(self.lived(width)),
            window: test.window,
            window_count: test.count,
            window_expected: test.expected,
            dispersion: test.dispersion,
            direction: test.direction,
            score: test.score,
            silence: self.empty,
            empty_buckets: self.empty_buckets,
            cold: self.buckets < COLD_DAYS * width.per_day(),
        };
        self.learn(hour, width, count, usual, expected);
        if count > 0 {
            let (first, _) = self.alive.unwrap_or((bucket, bucket));
            self.alive = Some((first, bucket));
        }
        Some(reading)
    }

    /// Weeks from the first event to the last.
    fn lived(&self, width: Width) -> f64 {
        let (first, last) = self.alive.unwrap_or_default();
        (last - first) as f64 / f64::from(7 * width.per_day())
    }

    /// The last bucket that was read.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Empty buckets up to the last one.
    #[must_use]
    pub fn empty_buckets(&self) -> u32 {
        self.empty_buckets
    }

    fn interrupted(&mut self) {
        self.recent = Recent::default();
        self.empty = 0.0;
        self.empty_buckets = 0;
    }

    /// Follows how long nothing has come. Buckets count by threes, as their dispersion does: noise that
    /// lasts makes silence likelier than a product of single buckets.
    fn rest(&mut self, count: u64, expected: f64, doubt: f64) {
        if count > 0 {
            self.empty = 0.0;
            self.empty_buckets = 0;
            return;
        }
        let of_three = tail::nothing(expected * TOGETHER as f64, self.together.value() + doubt);
        self.empty += of_three / TOGETHER as f64;
        self.empty_buckets = self.empty_buckets.saturating_add(1);
    }

    fn test(&self, count: u64, expected: f64, doubt: f64) -> Test {
        let mut alone = Test::of(Window::One, count, expected, self.alone.value() + doubt);
        alone.score = (alone.score - ALONE).max(0.0);
        let Some((sum, mean)) = self.recent.together() else {
            return alone;
        };
        let together = Test::of(Window::Three, sum, mean, self.together.value() + doubt);
        if together.score >= alone.score {
            together
        } else {
            alone
        }
    }

    fn learn(&mut self, hour: usize, width: Width, count: u64, usual: f64, expected: f64) {
        let deviation = tail::deviation(expected, self.alone.value());
        let learnt = (count as f64).min(expected + LEARNT_DEVIATIONS * deviation.max(1.0));
        let warm = self.buckets >= COLD_DAYS * width.per_day();
        if warm {
            self.scatter(count, expected, width);
        }
        self.season.learn(hour, width, learnt);
        self.level.learn(learnt, usual, width.per_hour());
        self.buckets = self.buckets.saturating_add(1);
    }

    fn scatter(&mut self, count: u64, expected: f64, width: Width) {
        let half = SCATTER_DAYS_HALF * f64::from(width.per_day());
        let keep = (-std::f64::consts::LN_2 / half).exp();
        let bounded = |count: u64, expected: f64, dispersion: f64| {
            let deviation = tail::deviation(expected, dispersion).max(1.0);
            (count as f64).min(expected + SCATTER_DEVIATIONS * deviation)
        };
        let alone = bounded(count, expected, self.alone.value());
        self.alone.learn(alone, expected, keep);
        if let Some((sum, mean)) = self.recent.together() {
            let sum = bounded(sum, mean, self.together.value());
            self.together.learn(sum, mean, keep);
        }
    }
}
