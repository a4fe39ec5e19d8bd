//! What an hour of the week usually brings.
//!
//! A slot for each of the 168 hours of a week, in UTC. What a slot knows little about, while it has seen
//! less than four weeks, is filled up from the same hour of the other days, and that from the series as a
//! whole. What is older counts less: half after eight weeks.

use super::Width;

/// Hours of a week.
const SLOTS: usize = 168;
/// Weeks after which a slot stands on its own.
const WEEKS_OWN: f32 = 4.0;
/// How many weeks of its own the fill weighs as much as, at first.
const WEEKS_FILL: f32 = 2.0;
/// Weeks after which what was counted weighs half.
const WEEKS_HALF: f32 = 16.0;
/// How many buckets of the mean the fill for an hour weighs as much as.
const SERIES_WEIGHT: f32 = 1.0;

/// The usual counts of one series by hour of the week, per bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Season {
    slots: Box<[Slot; SLOTS]>,
    whole: Slot,
}

/// A decayed sum of counts, and of how many buckets it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Slot {
    sum: f32,
    buckets: f32,
}

impl Slot {
    fn add(&mut self, count: f32, keep: f32) {
        self.sum = self.sum * keep + count;
        self.buckets = self.buckets * keep + 1.0;
    }

    /// The mean; never less than one event in all that was seen, since nothing yet does not mean never.
    fn mean(self) -> f32 {
        self.sum.max(1.0) / self.buckets.max(1.0)
    }
}

impl Default for Season {
    fn default() -> Season {
        Season {
            slots: Box::new([Slot::default(); SLOTS]),
            whole: Slot::default(),
        }
    }
}

impl Season {
    /// What one bucket in this hour of the week is expected to count.
    #[must_use]
    pub fn expected(&self, hour_of_week: usize, width: Width) -> f64 {
        let slot = self.slots[hour_of_week % SLOTS];
        let week = width.per_hour() as f32;
        let missing = (1.0 - slot.buckets / (WEEKS_OWN * week)).max(0.0);
        if missing <= 0.0 {
            return f64::from(slot.mean());
        }
        let fill = self.fill(hour_of_week);
        let weight = WEEKS_FILL * week * missing;
        f64::from((slot.sum + weight * fill) / (slot.buckets + weight))
    }

    /// What the same hour brings on all days, leaning on the series as a whole where it is seldom seen.
    fn fill(&self, hour_of_week: usize) -> f32 {
        let hour = hour_of_week % 24;
        let of_hour = self.slots.iter().skip(hour).step_by(24);
        let (sum, buckets) = of_hour.fold((0.0, 0.0), |(sum, buckets), slot| {
            (sum + slot.sum, buckets + slot.buckets)
        });
        (sum + SERIES_WEIGHT * self.whole.mean()) / (buckets + SERIES_WEIGHT)
    }

    /// How sure that is: its variance as a portion of its square, were the dispersion of a bucket `dispersion`.
    #[must_use]
    pub fn doubt(&self, hour_of_week: usize, expected: f64, dispersion: f64) -> f64 {
        let buckets = f64::from(self.slots[hour_of_week % SLOTS].buckets).max(1.0);
        (dispersion + 1.0 / expected.max(1.0 / buckets)) / buckets
    }

    /// Takes up what a bucket counted.
    pub fn learn(&mut self, hour_of_week: usize, width: Width, count: f64) {
        let of_slot = WEEKS_HALF * width.per_hour() as f32;
        let count = count as f32;
        self.slots[hour_of_week % SLOTS].add(count, keep(of_slot));
        self.whole.add(count, keep(of_slot * SLOTS as f32));
    }

    /// Weeks that are behind what is expected of this hour, by weight.
    #[must_use]
    pub fn weeks(&self, hour_of_week: usize, width: Width) -> f64 {
        let slot = self.slots[hour_of_week % SLOTS];
        f64::from(slot.buckets / width.per_hour() as f32)
    }
}

/// What is left of a weight after one more count, when half of it is left after `half` counts.
fn keep(half: f32) -> f32 {
    (-std::f32::consts::LN_2 / half).exp()
}
