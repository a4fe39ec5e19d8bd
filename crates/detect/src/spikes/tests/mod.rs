//! What a series, a fleet and an episode say of counts whose story is known.

mod distribution;
mod fleet;
mod series;

/// Counts with the scatter of a negative-binomial distribution, from a seed: a generator for tests, not a good one.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// In (0, 1).
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A Poisson count, by Knuth's product; `mean` up to some hundreds.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// A count of this mean whose rate varies with a dispersion of one third: the mean of three exponentials.
    pub(super) fn count(&mut self, mean: f64) -> u64 {
        let rate = (0..3).map(|_| -self.unit().ln()).sum::<f64>() / 3.0;
        self.poisson(mean * rate)
    }
}
