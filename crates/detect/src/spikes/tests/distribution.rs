use proptest::prelude::*;

use super::super::calibration::Calibration;
use super::super::dispersion::Dispersion;
use super::super::tail;
use super::super::{Budget, Width};

/// `P(X = k)` by the recurrence of the distribution, for the sums below.
fn probabilities(mean: f64, dispersion: f64, up_to: u64) -> Vec<f64> {
    let size = 1.0 / dispersion;
    let chance = mean / (size + mean);
    let mut of = vec![(1.0 - chance).powf(size)];
    for count in 1..=up_to {
        let before = of[count as usize - 1];
        of.push(before * chance * (size + count as f64 - 1.0) / count as f64);
    }
    of
}

proptest! {
    #[test]
    fn tails_are_the_sums_of_probabilities(mean in 0.01..60.0_f64, dispersion in 0.01..3.0_f64, count in 1_u64..120) {
        let of = probabilities(mean, dispersion, count);
        let below: f64 = of[..count as usize].iter().sum();
        let upper = 10_f64.powf(-tail::upper(count, mean, dispersion));
        prop_assert!((upper - (1.0 - below)).abs() < 1e-8, "{upper} {below}");
        let lower = 10_f64.powf(-tail::lower(count, mean, dispersion));
        prop_assert!((lower - below - of[count as usize]).abs() < 1e-8);
    }

    #[test]
    fn more_is_never_likelier_and_scores_are_finite(
        mean in 0.0..1e6_f64, dispersion in 0.0..10.0_f64, count in 0_u64..2_000_000_000,
    ) {
        let (less, more) = (tail::upper(count, mean, dispersion), tail::upper(count * 2, mean, dispersion));
        prop_assert!((0.0..=tail::SCORE_MAX).contains(&less) && more >= less - 1e-6, "{less} {more}");
        prop_assert!(tail::lower(count, mean, dispersion).is_finite());
    }

    #[test]
    fn what_a_score_is_worth_can_be_turned_round(moderate in 0_usize..400, high in 0_usize..100, score in 2.0..50.0_f64) {
        let mut calibration = Calibration::default();
        let mut scores = vec![2.5; moderate];
        scores.extend(vec![4.0; high]);
        for _ in 0..100 {
            calibration.learn(10_000, &scores, 288);
        }
        let worth = calibration.worth(score);
        prop_assert!(worth <= score + 1e-9, "{worth} of {score}");
        prop_assert!((calibration.score(worth) - score).abs() < 1e-6);
    }
}

#[test]
fn the_tail_of_nothing_is_certain() {
    assert_eq!(tail::upper(0, 5.0, 0.3), 0.0);
    // (1 + 0.5 * 4) ^ -2 = 1/9
    assert!((tail::nothing(4.0, 0.5) - 9_f64.log10()).abs() < 1e-12);
    assert!((tail::lower(0, 4.0, 0.5) - 9_f64.log10()).abs() < 1e-12);
}

#[test]
fn dispersion_is_found() {
    let (mut found, mut noise) = (Dispersion::default(), super::Noise::new(7));
    for _ in 0..20_000 {
        found.learn(noise.count(8.0) as f64, 8.0, 0.9999);
    }
    assert!((0.28..0.39).contains(&found.value()), "{}", found.value());
}

#[test]
fn one_series_must_be_as_rare_as_its_share_and_many_need_not_be() {
    let budget = Budget::per_day(1.0);
    let alone = budget.threshold(&mut [3.0, 1.0], 1_000, 288).score;
    assert!((alone - 288_000_f64.log10()).abs() < 1e-9);
    let mut many = vec![5.0; 10];
    many.push(1.0);
    let together = budget.threshold(&mut many, 1_000, 288).score;
    assert!(
        (together - (alone - 1.0)).abs() < 1e-9,
        "{together} after {alone}"
    );
    // None of them is rare enough for ten.
    let scores = &mut [4.4; 10];
    assert!(budget.threshold(scores, 1_000, 288).score > 4.4);
}

#[test]
fn weeks_begin_on_monday() {
    // 2026-11-23 was a Monday.
    let monday = 1_795_392_000;
    for width in [Width::FiveMinutes, Width::Hour] {
        assert_eq!(width.hour_of_week(width.bucket_of(monday)), 0);
        assert_eq!(width.hour_of_week(width.bucket_of(monday - 1)), 167);
        assert_eq!(width.start_of(width.bucket_of(monday + 299)), monday);
    }
    assert_eq!(Width::Hour.hour_of_week(-73), 167);
}
