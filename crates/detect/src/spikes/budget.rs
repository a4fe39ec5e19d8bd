//! What may be ignored, from how many false alarms a day are bearable.

/// How many false alarms a day all series together may raise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    per_day: f64,
}

/// The score from which on a bucket is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// `-log10` of a probability.
    pub score: f64,
}

/// False alarms a day that can be asked for.
const PER_DAY: (f64, f64) = (1e-6, 1e6);

impl Budget {
    /// So many a day.
    #[must_use]
    pub fn per_day(alarms: f64) -> Budget {
        let alarms = if alarms.is_nan() { 1.0 } else { alarms };
        Budget {
            per_day: alarms.clamp(PER_DAY.0, PER_DAY.1),
        }
    }

    /// The threshold for one bucket of `series` series, `buckets` of which are a day. Sorts `scores`, which are theirs,
    /// or those of them that matter.
    ///
    /// One series alone must be as improbable as its share of the budget. Where many are unusual at once
    /// they need not each be so: the step-up procedure of Benjamini and Hochberg (1995), which lets the
    /// k-th most unusual have k times that share and keeps the expected portion of false ones.
    #[must_use]
    pub fn threshold(self, scores: &mut [f64], series: usize, buckets: u32) -> Threshold {
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let share = self.per_day / f64::from(buckets.max(1)) / series.max(1) as f64;
        let alone = -share.min(0.5).log10();
        let at = |rank: usize| alone - (rank as f64).log10();
        let passed = (1..=scores.len())
            .rev()
            .find(|&rank| scores[rank - 1] >= at(rank));
        Threshold {
            score: at(passed.unwrap_or(1)),
        }
    }
}
