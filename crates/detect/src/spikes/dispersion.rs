//! How much more than by chance a series scatters.

/// Expected square of events that the first guess weighs as much as.
const GUESS_WEIGHT: f64 = 2.0;
/// What is taken for the dispersion before anything was seen.
const GUESS: f64 = 0.5;
/// Least dispersion.
const MIN: f64 = 1e-3;
/// Most: at 5, one bucket in two is empty at any rate.
const MAX: f64 = 5.0;

/// The dispersion by the method of moments: `((x - m)² - m) / m²`, each with its decayed sum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dispersion {
    excess: f32,
    square: f32,
}

impl Dispersion {
    /// Takes up a count; what was kept before weighs `keep` of what it did.
    pub fn learn(&mut self, count: f64, expected: f64, keep: f64) {
        let excess = (count - expected).powi(2) - expected;
        self.excess = (f64::from(self.excess) * keep + excess) as f32;
        self.square = (f64::from(self.square) * keep + expected * expected) as f32;
    }

    /// The estimate.
    #[must_use]
    pub fn value(&self) -> f64 {
        let excess = f64::from(self.excess) + GUESS * GUESS_WEIGHT;
        (excess / (f64::from(self.square) + GUESS_WEIGHT)).clamp(MIN, MAX)
    }
}
