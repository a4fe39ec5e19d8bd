//! The times that log files have: a day and a time of day, in UTC.

use super::number;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i32,
}

/// A moment, in microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Date {
    /// Reads `YYYY-MM-DD`, from 1970 to 2199.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Date> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
            return None;
        };
        let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
        let (month, day) = (two_digits(m1, m2)?, two_digits(d1, d2)?);
        let before_month = |month: i32| {
            let is_after_february = i32::from(month > 2);
            Some(
                DAYS_BEFORE.get(usize::try_from(month - 1).ok()?)? + is_after_february * leap(year),
            )
        };
        let before = before_month(month)?;
        let length = before_month(month + 1)? - before;
        if !(1970..2200).contains(&year) || !(1..=length).contains(&day) {
            return None;
        }
        Some(Date {
            days: days_before(year) + before + day - 1,
        })
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i32 {
        self.days
    }
}

/// Days of a year of 365 before each month, and of all months.
const DAYS_BEFORE: [i32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// Days from 1970-01-01 to the first of January of a year.
fn days_before(year: i32) -> i32 {
    let leaps = |year: i32| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn leap(year: i32) -> i32 {
    i32::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
}

impl Time {
    /// Reads `HH:MM:SS` with up to six digits of a second behind a point.
    #[must_use]
    pub fn read(date: Date, text: &[u8]) -> Option<Time> {
        let (&[h1, h2, b':', m1, m2, b':', s1, s2], fraction) = text.split_first_chunk::<8>()?
        else {
            return None;
        };
        let (hour, minute) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
        let second = two_digits(s1, s2)?;
        // A leap second is the last one of its minute once more.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds =
            i64::from(date.days) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second.min(59));
        Some(Time(seconds * 1_000_000 + micros(fraction)?))
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}

fn micros(fraction: &[u8]) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.strip_prefix(b".")?;
    let shift = 6_u32.checked_sub(digits.len() as u32)?;
    Some(number(digits)? as i64 * 10_i64.pow(shift))
}
