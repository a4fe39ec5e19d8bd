//! KerberosTime (RFC 4120 5.2.3): whole seconds of UTC, `20261122121500Z`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a time, in seconds since 1970.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits[from..to]
            .iter()
            .fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'))
    };
    let small = |from: usize| number(from, from + 2) as i8;
    let time = DateTime::new(
        number(0, 4),
        small(4),
        small(6),
        small(8),
        small(10),
        small(12),
        0,
    );
    Some(
        time.ok()?
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

/// The years from 0 to 9999, but for the last two days, in which zones of the west are still before it.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_207_200;

/// Writes a time of seconds since 1970; one outside of what can be written becomes the next that can.
#[must_use]
pub fn format(seconds: i64) -> String {
    let seconds = seconds.clamp(*WRITABLE.start(), *WRITABLE.end());
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    let time = TimeZone::UTC.to_datetime(time);
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back() {
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("20261122121530Z", 1_795_349_730),
            ("20380119031408Z", 1 << 31),
            ("00000101000000Z", *WRITABLE.start()),
            ("99991230220000Z", *WRITABLE.end()),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "20261122121530",
            "20261322121530Z",
            "2026112212153+Z",
            "20261122121530.5Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
