//! Buckets of time as people expect them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The shortest of the usual spans that needs no more than some thirty bars.
pub(super) fn usual_bucket(first: Timestamp, last: Timestamp) -> Duration {
    const BARS_MAX: u64 = 30;
    const MINUTE_S: u64 = 60;
    const HOUR_S: u64 = 60 * MINUTE_S;
    const DAY_S: u64 = 24 * HOUR_S;
    const USUAL_S: [u64; 20] = [
        1,
        5,
        10,
        30,
        MINUTE_S,
        5 * MINUTE_S,
        10 * MINUTE_S,
        15 * MINUTE_S,
        30 * MINUTE_S,
        HOUR_S,
        2 * HOUR_S,
        3 * HOUR_S,
        6 * HOUR_S,
        12 * HOUR_S,
        DAY_S,
        2 * DAY_S,
        7 * DAY_S,
        14 * DAY_S,
        30 * DAY_S,
        90 * DAY_S,
    ];
    let span_s = u64::try_from(last.as_second().saturating_sub(first.as_second())).unwrap_or(0);
    let fits = USUAL_S
        .into_iter()
        .find(|usual_s| span_s / usual_s < BARS_MAX);
    Duration::from_secs(fits.unwrap_or(365 * DAY_S))
}

/// The last whole bucket's start at or before `time`: days and longer begin at midnight of the zone, shorter ones at
/// a multiple of their length.
pub(super) fn bucket_start(time: Timestamp, bucket: Duration, zone: &TimeZone) -> Timestamp {
    const DAY_S: i64 = 86_400;
    let bucket_s = i64::try_from(bucket.as_secs()).unwrap_or(i64::MAX).max(1);
    if bucket_s >= DAY_S {
        let midnight = time.to_zoned(zone.clone()).start_of_day();
        return midnight.map_or(time, |midnight| midnight.timestamp());
    }
    let start_s = time
        .as_second()
        .div_euclid(bucket_s)
        .saturating_mul(bucket_s);
    Timestamp::from_second(start_s).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Span;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_usual_bucket_fits_the_time_there_is() {
        let bucket = |first: &str, last: &str| Span(usual_bucket(at(first), at(last))).to_string();
        assert_eq!(bucket("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"), "1s");
        assert_eq!(bucket("2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z"), "1h");
        assert_eq!(bucket("2026-11-14T00:00:00Z", "2026-11-21T00:00:00Z"), "6h");
        assert_eq!(
            bucket("2019-01-01T00:00:00Z", "2026-11-21T00:00:00Z"),
            "365d"
        );
    }

    #[test]
    fn buckets_begin_where_people_expect_it() {
        let zone = crate::cli::time::zone("Europe/Berlin").unwrap();
        let utc = TimeZone::UTC;
        let start = |time: &str, bucket: u64, zone| {
            bucket_start(at(time), Duration::from_secs(bucket), zone).to_string()
        };
        assert_eq!(
            start("2026-11-21T08:17:03.5Z", 900, &utc),
            "2026-11-21T08:15:00Z"
        );
        assert_eq!(
            start("2026-11-21T08:17:03Z", 86_400, &utc),
            "2026-11-21T00:00:00Z"
        );
        assert_eq!(
            start("2026-11-21T23:30:00Z", 86_400, &zone),
            "2026-11-21T23:00:00Z"
        );
    }
}
