//! Numbers and times as they stand in the System element.
//!
//! A number that does not fit its field is treated as absent: the text still has it.

use jiff::Timestamp;

/// Decimal, or hexadecimal with `0x`; white space around it is allowed.
#[inline]
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    match text.as_bytes() {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits),
        digits => decimal(digits),
    }
}

#[inline]
pub(crate) fn unsigned_u32(text: &str) -> Option<u32> {
    u32::try_from(unsigned(text)?).ok()
}

#[inline]
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[inline]
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut value: u64 = 0;
    for &byte in digits {
        let digit = (byte as char).to_digit(16)?;
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

/// `2015-09-10T02:54:50.771459000Z`: the UTC form that Windows writes is read by hand,
/// with up to nine digits of the fraction; every other form is left to jiff.
#[inline]
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim_ascii();
    windows_time(text.as_bytes()).or_else(|| text.parse().ok())
}

#[inline]
fn windows_time(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let separators = [head[4], head[7], head[10], head[13], head[16]];
    if separators != *b"--T::" && separators != *b"-- ::" {
        return None;
    }
    let two = |at: usize| decimal(&head[at..at + 2]);
    let (year, month, day) = (decimal(&head[..4])?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 || year < 1 {
        return None;
    }
    let nanoseconds = fraction(tail.strip_suffix(b"Z")?)?;
    let days = days_since_epoch(year as i64, month as i64, day as i64);
    let seconds = days * 86_400 + (hour * 3_600 + minute * 60 + second) as i64;
    Timestamp::new(seconds, nanoseconds).ok()
}

/// `.771459000` in nanoseconds; what is finer is cut off.
fn fraction(text: &[u8]) -> Option<i32> {
    let Some(digits) = text.strip_prefix(b".") else {
        return text.is_empty().then_some(0);
    };
    let kept = &digits[..digits.len().min(9)];
    let value = decimal(kept)? as i32;
    let dropped_are_digits = digits[kept.len()..].iter().all(u8::is_ascii_digit);
    dropped_are_digits.then(|| value * 10_i32.pow(9 - kept.len() as u32))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin
/// in March, so that the leap day is the last one.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_the_schema_are_read() {
        assert_eq!(unsigned("0x8020000000000000"), Some(0x8020_0000_0000_0000));
        assert_eq!(unsigned(" 4624\n"), Some(4624));
        assert_eq!(unsigned("18446744073709551615"), Some(u64::MAX));
        for odd in [
            "",
            "0x",
            "-1",
            "+1",
            "18446744073709551616",
            "0x12345678123456781",
            "1 2",
        ] {
            assert_eq!(unsigned(odd), None, "{odd}");
        }
        assert_eq!(unsigned_u32("4294967296"), None);
    }

    #[test]
    fn times_of_every_precision_are_read() {
        for (text, expected) in [
            (
                "2015-09-10T02:54:50.771459000Z",
                "2015-09-10T02:54:50.771459Z",
            ),
            (
                "2022-09-22T07:49:32.0356778Z",
                "2022-09-22T07:49:32.0356778Z",
            ),
            (
                "2022-09-22T07:49:32.1234567899Z",
                "2022-09-22T07:49:32.123456789Z",
            ),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2024-02-29 00:00:00.5Z", "2024-02-29T00:00:00.5Z"),
            ("2024-02-29T02:00:00+02:00", "2024-02-29T00:00:00Z"),
            ("1601-01-01T00:00:00.000Z", "1601-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(text).unwrap().to_string(), expected, "{text}");
        }
        for odd in [
            "",
            "2023-02-29T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01",
            "x",
        ] {
            assert_eq!(time(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn our_reading_is_that_of_jiff(seconds in -60_000_000_000i64..250_000_000_000, ns in 0i32..1_000_000_000) {
            let expected = Timestamp::new(seconds, ns).unwrap();
            prop_assert_eq!(windows_time(expected.to_string().as_bytes()), Some(expected));
        }
    }
}
