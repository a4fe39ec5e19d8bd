use super::super::{Direction, Flag, Reading, Series, Width};
use super::Noise;

const DAY: i64 = 288;
const WEEK: i64 = 7 * DAY;
/// A Monday, 00:00.
const MONDAY: i64 = 4 * DAY;

/// Office hours, Monday to Friday: 40 events in five minutes; 4 at other times.
fn office(bucket: i64) -> f64 {
    let (day, hour) = ((bucket - MONDAY) / DAY % 7, bucket % DAY / 12);
    if day < 5 && (8..18).contains(&hour) {
        40.0
    } else {
        4.0
    }
}

fn read(series: &mut Series, bucket: i64, count: u64) -> Reading {
    series.observe(bucket, Width::FiveMinutes, count).unwrap()
}

/// A series that has seen `weeks` weeks of an office, and where it stands.
fn watched(weeks: i64) -> (Series, i64) {
    let (mut series, mut noise) = (Series::default(), Noise::new(3));
    let end = MONDAY + weeks * WEEK;
    for bucket in MONDAY..end {
        read(&mut series, bucket, noise.count(office(bucket)));
    }
    (series, end)
}

#[test]
fn a_night_is_not_compared_with_noon() {
    let (mut series, monday) = watched(5);
    let at = monday + 3 * 12;
    for bucket in monday..at {
        read(&mut series, bucket, 4);
    }
    let night = read(&mut series, at, 45);
    assert!((2.0..8.0).contains(&night.expected), "{night:?}");
    assert_eq!(
        (night.flag(6.0), night.direction),
        (Flag::Spike, Direction::Up)
    );
    let (mut series, monday) = watched(5);
    let noon = monday + 12 * 12;
    for bucket in monday..noon {
        read(&mut series, bucket, office(bucket) as u64);
    }
    assert_eq!(read(&mut series, noon, 45).flag(6.0), Flag::Usual);
}

#[test]
fn a_burst_of_a_quarter_of_an_hour_is_seen_in_three_buckets_that_would_each_pass() {
    let (mut series, monday) = watched(5);
    let burst = [14, 14, 14].map(|count| count_at(&mut series, monday, count));
    let alone = burst[0];
    assert_eq!(alone.flag(3.7), Flag::Usual, "{alone:?}");
    let last = burst[2];
    assert_eq!(last.window_count, 42);
    assert_eq!(last.flag(3.7), Flag::Spike, "{last:?}");
}

fn count_at(series: &mut Series, from: i64, count: u64) -> Reading {
    let next = series.last().map_or(from, |last| last + 1);
    read(series, next, count)
}

#[test]
fn what_explains_a_verdict_is_kept() {
    let (mut series, monday) = watched(6);
    let reading = read(&mut series, monday, 400);
    assert_eq!((reading.count, reading.bucket), (400, monday));
    assert!((4.0..6.1).contains(&reading.weeks), "{reading:?}");
    assert!((0.5..2.0).contains(&reading.level), "{reading:?}");
    assert!((0.1..0.6).contains(&reading.dispersion), "{reading:?}");
    assert!(reading.times() > 10.0 && reading.probability() < 1e-10);
}

#[test]
fn silence_is_told_and_a_gap_in_what_is_known_is_not_silence() {
    let (mut series, monday) = watched(4);
    let at = monday + 10 * 12;
    for bucket in monday..at {
        read(&mut series, bucket, office(bucket) as u64);
    }
    let mut known = series.clone();
    let told =
        (at..at + 12).find(|&bucket| read(&mut series, bucket, 0).flag(99.0) == Flag::Silence);
    let after = told.unwrap() - at;
    assert!((1..9).contains(&after), "after {after} buckets");
    // Nothing is known of an hour, and then it goes on.
    let after = read(&mut known, at + 12, 0);
    assert_eq!((after.flag(99.0), after.empty_buckets), (Flag::Usual, 1));
}

#[test]
fn buckets_are_read_once_and_in_order() {
    let (mut series, end) = watched(1);
    let before = series.clone();
    assert!(series.observe(end - 1, Width::FiveMinutes, 9).is_none());
    assert!(series.observe(end - WEEK, Width::FiveMinutes, 9).is_none());
    assert_eq!(series, before);
}

#[test]
fn the_first_day_and_the_first_weekend_are_only_watched() {
    let mut series = Series::default();
    for bucket in MONDAY..MONDAY + DAY {
        let reading = read(
            &mut series,
            bucket,
            if bucket % 50 == 0 { 10_000 } else { 1 },
        );
        assert_eq!(reading.flag(1.0), Flag::Usual, "{reading:?}");
    }
    let (mut series, mut noise) = (Series::default(), Noise::new(5));
    for bucket in MONDAY..MONDAY + WEEK {
        let reading = read(&mut series, bucket, noise.count(office(bucket)));
        let flag = reading.flag(8.0);
        assert!(!matches!(flag, Flag::Drop | Flag::Silence), "{reading:?}");
    }
}

#[test]
fn an_attack_does_not_become_normal_in_an_hour() {
    let (mut series, monday) = watched(5);
    let readings: Vec<_> = (monday..monday + 12)
        .map(|bucket| read(&mut series, bucket, 500))
        .collect();
    assert!(
        readings
            .iter()
            .all(|reading| reading.flag(10.0) == Flag::Spike)
    );
    let next_week = (monday + 12..monday + WEEK)
        .map(|bucket| read(&mut series, bucket, office(bucket) as u64))
        .last();
    assert!(next_week.is_some());
    let expected = read(&mut series, monday + WEEK, 4).expected;
    assert!((2.0..12.0).contains(&expected), "{expected}");
}

#[test]
fn nothing_that_can_be_counted_breaks_a_series() {
    let mut series = Series::default();
    let mut bucket = i64::MIN / 400;
    for count in [0, u64::MAX, 1, u64::MAX, u64::MAX, 0, 0, u64::MAX] {
        for _ in 0..200 {
            let reading = read(&mut series, bucket, count);
            assert!(
                reading.score.is_finite() && reading.expected.is_finite(),
                "{reading:?}"
            );
            bucket += 1;
        }
    }
}

#[test]
fn a_machine_that_was_there_once_is_not_missed() {
    let mut series = Series::default();
    for bucket in MONDAY..MONDAY + 5 * WEEK {
        // Twenty minutes of a Wednesday.
        let since = bucket - MONDAY - 2 * DAY - 9 * 12;
        let count = if (0..4).contains(&since) { 60 } else { 0 };
        let reading = read(&mut series, bucket, count);
        let flag = reading.flag(3.0);
        let is_low = matches!(flag, Flag::Drop | Flag::Silence);
        assert!(!is_low, "{since}: {reading:?}");
    }
}

#[test]
fn what_came_for_two_weeks_and_comes_no_more_is_missed() {
    let (mut series, monday) = watched(2);
    let morning = monday + 8 * 12;
    for bucket in monday..morning {
        read(&mut series, bucket, 4);
    }
    let mut flags = (morning..morning + 24).map(|bucket| read(&mut series, bucket, 0).flag(6.0));
    assert!(flags.any(|flag| flag == Flag::Silence));
}
