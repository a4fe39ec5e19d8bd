//! How long to wait before connecting again.

use std::time::Duration;

use rand::RngExt as _;

/// Doubles from the least wait to the longest. Each wait is drawn from its upper half, so
/// that many senders do not come back to a restarted receiver in step.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Backoff {
        Backoff {
            min,
            max: max.max(min),
            attempts: 0,
        }
    }

    /// Failures since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn succeeded(&mut self) {
        self.attempts = 0;
    }

    /// The wait after one more failure.
    pub(super) fn failed(&mut self, rng: &mut impl rand::Rng) -> Duration {
        let ceiling = self
            .min
            .saturating_mul(2_u32.saturating_pow(self.attempts))
            .min(self.max);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(rng.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn waits_double_within_their_half_up_to_the_longest() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        for attempt in 0..40 {
            let ceiling = (0.5 * 2_f64.powi(attempt)).min(60.0);
            let wait = backoff.failed(&mut rng).as_secs_f64();
            assert!(
                wait >= ceiling / 2.0 && wait <= ceiling,
                "{attempt}: {wait}"
            );
        }
        backoff.succeeded();
        assert!(backoff.failed(&mut rng) <= Duration::from_millis(500));
    }
}
