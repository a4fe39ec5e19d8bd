//! Spikes, drops and silence in counts of events.
//!
//! Counts of security events follow the week, drift, and scatter more than chance would have it. So a
//! count is compared with what this hour of the week usually brings ([`season`]), corrected by how the
//! last day went ([`level`]), and the question is how probable so many or so few would be if nothing were
//! wrong: the tail of a negative-binomial distribution ([`tail`]) whose dispersion is measured on the
//! series itself ([`dispersion`]). Two counts are tested: the bucket, and the last three buckets together,
//! in which a short burst stands out better and whose scatter is measured apart, since noise that lasts
//! does not even out.
//!
//! What is probable enough to ignore follows from a budget of false alarms a day for all series together
//! ([`budget`]), not from a number of sigmas. What is unusual for several buckets is one [`episode`].
//!
//! Everything is a function of the state and a bucket: over history and over a stream alike.

pub mod budget;
pub mod calibration;
pub mod dispersion;
pub mod episode;
mod fleet;
pub mod level;
pub mod season;
mod series;
pub mod tail;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Threshold};
pub use episode::{Episode, Step};
pub use fleet::{Alarm, FORGOTTEN_DAYS, Fleet, Full, Passed};
pub use series::{Direction, Flag, Reading, SILENCE_SCORE, Series, Window};

/// How long a bucket is. A bucket has a number: how many of its kind began since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Width {
    /// 300 seconds.
    FiveMinutes,
    /// 3,600 seconds.
    Hour,
}

impl Width {
    /// Seconds of a bucket.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Width::FiveMinutes => 300,
            Width::Hour => 3_600,
        }
    }

    /// Buckets of an hour.
    #[must_use]
    pub const fn per_hour(self) -> u32 {
        match self {
            Width::FiveMinutes => 12,
            Width::Hour => 1,
        }
    }

    /// Buckets of a day.
    #[must_use]
    pub const fn per_day(self) -> u32 {
        self.per_hour() * 24
    }

    /// The number of the bucket that `seconds` since 1970 lie in.
    #[must_use]
    pub const fn bucket_of(self, seconds: i64) -> i64 {
        seconds.div_euclid(self.seconds())
    }

    /// When a bucket begins, in seconds since 1970.
    #[must_use]
    pub const fn start_of(self, bucket: i64) -> i64 {
        bucket.saturating_mul(self.seconds())
    }

    /// The hour of the week that a bucket lies in, in UTC: 0 is Monday, 00:00 to 01:00.
    #[must_use]
    pub const fn hour_of_week(self, bucket: i64) -> usize {
        // 1970-01-01 was a Thursday: three days after a Monday.
        let hours = bucket.div_euclid(self.per_hour() as i64) + 72;
        hours.rem_euclid(168) as usize
    }
}
