//! How far the tail that is computed is from the one that is seen.
//!
//! Where noise has a heavier tail than the negative-binomial distribution, scores promise too much and the
//! budget would not hold. So it is counted how often all series together reach a moderate score and a high
//! one, and the straight line through both (in `log10`) says how improbable a score really is. Attacks are
//! too few to bend it.

/// The moderate score, and the high one.
const MODERATE: f64 = 2.0;
const HIGH: f64 = 3.5;
/// Readings that the model's own word weighs as much as.
const TRUST: f64 = 20_000.0;
/// Days after which what was seen weighs half.
const DAYS_HALF: f64 = 14.0;
/// How slowly probability may fall with the score: less would be no tail.
const SLOPE_MIN: f64 = 0.25;

/// Counts of readings by score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Calibration {
    readings: f64,
    moderate: f64,
    high: f64,
}

impl Calibration {
    /// Takes up a bucket: so many readings, with these scores among them (those that are low may be left out).
    pub fn learn(&mut self, readings: usize, scores: &[f64], buckets_per_day: u32) {
        let half = DAYS_HALF * f64::from(buckets_per_day.max(1));
        let keep = (-std::f64::consts::LN_2 / half).exp();
        let above = |limit: f64| scores.iter().filter(|&&score| score >= limit).count() as f64;
        self.readings = self.readings * keep + readings as f64;
        self.moderate = self.moderate * keep + above(MODERATE);
        self.high = self.high * keep + above(HIGH);
    }

    /// What a score is worth: `-log10` of how often one like it was seen. Never more than the score says.
    #[must_use]
    pub fn worth(&self, score: f64) -> f64 {
        if score <= MODERATE {
            return score.min(self.at_moderate());
        }
        self.at_moderate() + self.slope() * (score - MODERATE)
    }

    /// The score that is worth `worth`.
    #[must_use]
    pub fn score(&self, worth: f64) -> f64 {
        MODERATE + (worth - self.at_moderate()).max(0.0) / self.slope()
    }

    fn at_moderate(&self) -> f64 {
        let seen = self.moderate + TRUST * 10_f64.powf(-MODERATE);
        -(seen / (self.readings + TRUST)).log10().max(-MODERATE)
    }

    fn slope(&self) -> f64 {
        let moderate = self.moderate + TRUST * 10_f64.powf(-MODERATE);
        let high = self.high + TRUST * 10_f64.powf(-HIGH);
        ((moderate / high).log10() / (HIGH - MODERATE)).clamp(SLOPE_MIN, 1.0)
    }
}
