//! How the last day went, against what was expected of it: rates drift from one week to the next.

/// Hours that the level is taken over.
const HOURS: usize = 24;
/// Hours before now that are left out, so that what just began does not hide itself.
const LEFT_OUT: usize = 1;
/// How many expected events the last day must have before its word counts as much as "as usual".
const CAUTION: f64 = 5.0;
/// What the last day may at most change.
const RANGE: (f64, f64) = (0.3, 3.0);

/// The hours before now: what was counted, and what was expected without this correction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Level {
    /// The hours before this one, the oldest overwritten first.
    hours: [Hour; HOURS + LEFT_OUT],
    next: usize,
    /// The hour that is being counted.
    now: Hour,
    buckets: u32,
    ratio: Option<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Hour {
    counted: f32,
    expected: f32,
}

impl Level {
    /// What to multiply an expectation with.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ratio.map_or(1.0, f64::from)
    }

    /// Takes up a bucket; `per_hour` buckets are an hour.
    pub fn learn(&mut self, counted: f64, expected: f64, per_hour: u32) {
        self.now.counted += counted as f32;
        self.now.expected += expected as f32;
        self.buckets += 1;
        if self.buckets < per_hour {
            return;
        }
        self.hours[self.next] = std::mem::take(&mut self.now);
        self.next = (self.next + 1) % self.hours.len();
        self.buckets = 0;
        self.ratio = Some(self.measured() as f32);
    }

    fn measured(&self) -> f64 {
        // `next` is the oldest; the hours just before it are the newest and left out.
        let length = self.hours.len();
        let taken = (0..HOURS).map(|back| self.hours[(self.next + back) % length]);
        let (counted, expected) = taken.fold((0.0, 0.0), |(counted, expected), hour| {
            (
                counted + f64::from(hour.counted),
                expected + f64::from(hour.expected),
            )
        });
        ((counted + CAUTION) / (expected + CAUTION)).clamp(RANGE.0, RANGE.1)
    }
}
