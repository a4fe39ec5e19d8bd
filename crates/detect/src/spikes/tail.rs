//! How probable a count is, under a negative-binomial distribution of known mean and dispersion.
//!
//! With mean `m` and dispersion `a` the variance is `m + a m²`: chance, and on top of it that the rate
//! itself varies. Without dispersion it is a Poisson distribution; real counts never are, and a Poisson
//! tail makes an alarm of every busy hour.

use statrs::function::beta::beta_reg;

/// The highest score there is: beyond it probabilities have no number.
pub const SCORE_MAX: f64 = 300.0;

/// Least dispersion that is believed: below it the distribution is a Poisson one to all digits that matter.
const DISPERSION_MIN: f64 = 1e-3;

/// How improbable it is to count `count` or more: `-log10 P(X >= count)`, 0 to [`SCORE_MAX`].
#[must_use]
pub fn upper(count: u64, mean: f64, dispersion: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let (size, chance) = parameters(mean, dispersion);
    // P(X >= k) is the regularised incomplete beta function I_q(k, r), q = m / (r + m): DLMF 8.17.24.
    score(beta_reg(count as f64, size, chance))
}

/// How improbable it is to count `count` or fewer: `-log10 P(X <= count)`, 0 to [`SCORE_MAX`].
#[must_use]
pub fn lower(count: u64, mean: f64, dispersion: f64) -> f64 {
    let (size, chance) = parameters(mean, dispersion);
    if count == 0 {
        return nothing(mean, dispersion);
    }
    score(beta_reg(size, count as f64 + 1.0, 1.0 - chance))
}

/// How improbable it is to count nothing: `-log10 P(X = 0)`, not bounded.
#[must_use]
pub fn nothing(mean: f64, dispersion: f64) -> f64 {
    let dispersion = dispersion.max(DISPERSION_MIN);
    (dispersion * mean.max(0.0)).ln_1p() / dispersion * std::f64::consts::LOG10_E
}

/// Standard deviation of a count.
#[must_use]
pub fn deviation(mean: f64, dispersion: f64) -> f64 {
    (mean + dispersion * mean * mean).max(0.0).sqrt()
}

/// The two parameters of the distribution: its size `r`, and the chance of one more, `m / (r + m)`.
fn parameters(mean: f64, dispersion: f64) -> (f64, f64) {
    let size = 1.0 / dispersion.max(DISPERSION_MIN);
    let mean = mean.max(f64::MIN_POSITIVE);
    (size, mean / (size + mean))
}

fn score(probability: f64) -> f64 {
    if probability > 0.0 {
        (-probability.log10()).clamp(0.0, SCORE_MAX)
    } else {
        SCORE_MAX
    }
}
