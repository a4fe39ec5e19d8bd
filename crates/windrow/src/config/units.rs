//! Sizes and durations as people write them: `"10 GB"`, `"512 MiB"`, `"60s"`, `"1h 30m"`.
//!
//! A bare number is refused: nobody should have to guess whether `quota = 10` means bytes or gigabytes.
//! Decimal units count in thousands (SI), the ones with an `i` in 1024 (IEC 80000-13).

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A length of time, never negative, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// How long something is kept: whole days, or for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Age(pub Option<u32>);

impl ByteSize {
    /// The number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Age {
    /// Whether nothing goes.
    #[must_use]
    pub fn is_for_ever(&self) -> bool {
        self.0.is_none()
    }
}

impl Span {
    /// The length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    // Of two units of one size the later one is shown.
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const SPAN_UNITS_MS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// What a size looks like, for messages.
pub const SIZE_FORM: &str = "a size such as \"10 GB\" or \"512 MiB\"";
/// What a duration looks like, for messages.
pub const SPAN_FORM: &str = "a duration such as \"60s\", \"15m\" or \"1h 30m\"";

/// What an age looks like, for messages.
pub const AGE_FORM: &str = "days such as \"90d\", or \"forever\"";

const DAY_MS: u128 = 86_400_000;
const FOR_EVER: &str = "forever";

/// Why a size or a duration was not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnitError {
    /// No digits where a number has to be.
    #[error("`{0}` does not begin with a number")]
    NoNumber(String),
    /// A number alone says nothing.
    #[error("`{number}` has no unit ({known})")]
    NoUnit { number: String, known: &'static str },
    /// A unit that is not known here.
    #[error("unknown unit `{unit}` ({known})")]
    UnknownUnit { unit: String, known: &'static str },
    /// Something else than whole days.
    #[error("`{0}` is not a number of whole days, one at least")]
    NotDays(String),
    /// More than fits 64 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

impl std::str::FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const KNOWN: &str = "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB";
        let (value, rest) = one_amount(text.trim(), SIZE_UNITS, KNOWN)?;
        if !rest.is_empty() {
            return Err(UnitError::UnknownUnit {
                unit: rest.to_owned(),
                known: KNOWN,
            });
        }
        Ok(ByteSize(value))
    }
}

impl std::str::FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const KNOWN: &str = "ms, s, m, h, d";
        let mut total_ms = 0u64;
        let mut rest = text.trim();
        loop {
            let (value, after) = one_amount(rest, SPAN_UNITS_MS, KNOWN)?;
            total_ms = total_ms
                .checked_add(value)
                .ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
            if after.is_empty() {
                return Ok(Span(Duration::from_millis(total_ms)));
            }
            rest = after;
        }
    }
}

impl std::str::FromStr for Age {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.trim() == FOR_EVER {
            return Ok(Age(None));
        }
        let ms = text.parse::<Span>()?.0.as_millis();
        if ms == 0 || !ms.is_multiple_of(DAY_MS) {
            return Err(UnitError::NotDays(text.to_owned()));
        }
        let days = u32::try_from(ms / DAY_MS);
        let days = days.map_err(|_| UnitError::TooLarge(text.to_owned()))?;
        Ok(Age(Some(days)))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(days) => write!(f, "{days}d"),
            None => f.write_str(FOR_EVER),
        }
    }
}

impl Serialize for Age {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let make = |text: &str| text.parse();
        deserializer.deserialize_str(TextVisitor {
            form: AGE_FORM,
            make,
        })
    }
}

/// Reads `<number>[.<fraction>] <unit>` from the front of `text` and gives the amount and what follows it.
fn one_amount<'a>(
    text: &'a str,
    units: &[(&str, u64)],
    known: &'static str,
) -> Result<(u64, &'a str), UnitError> {
    let number_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(number_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(UnitError::NoNumber(text.to_owned()));
    }
    let rest = rest.trim_start();
    let unit_end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    if unit.is_empty() {
        return Err(UnitError::NoUnit {
            number: number.to_owned(),
            known,
        });
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(UnitError::UnknownUnit {
            unit: unit.to_owned(),
            known,
        });
    };
    let too_large = || UnitError::TooLarge(text.to_owned());
    let amount = whole
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(*factor))
        .and_then(|n| n.checked_add(fraction_of(fraction, *factor)))
        .ok_or_else(too_large)?;
    Ok((amount, after.trim_start()))
}

/// `factor` times the decimal fraction whose digits are given, rounded down. Twelve digits count.
fn fraction_of(digits: &str, factor: u64) -> u64 {
    let mut numerator = 0u128;
    let mut denominator = 1u128;
    for digit in digits.bytes().take(12) {
        numerator = numerator * 10 + u128::from(digit - b'0');
        denominator *= 10;
    }
    u64::try_from(numerator * u128::from(factor) / denominator).unwrap_or(u64::MAX)
}

impl fmt::Display for ByteSize {
    /// The largest unit that writes it without a fraction, so that what is shown reads back the same; of two that are
    /// nearly the same, as kB and KiB, the decimal one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let best = SIZE_UNITS
            .iter()
            .filter(fits)
            .max_by_key(|(unit, factor)| ((factor.ilog2() + 1) / 10, !unit.ends_with("iB")));
        let (unit, factor) = best.unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / factor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, factor) = match ms {
            0 => ("s", 1_000),
            _ if ms.is_multiple_of(86_400_000) => ("d", 86_400_000),
            _ if ms.is_multiple_of(3_600_000) => ("h", 3_600_000),
            _ if ms.is_multiple_of(60_000) => ("m", 60_000),
            _ if ms.is_multiple_of(1_000) => ("s", 1_000),
            _ => ("ms", 1),
        };
        write!(f, "{}{unit}", ms / factor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct TextVisitor<T> {
    form: &'static str,
    make: fn(&str) -> Result<T, UnitError>,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.make)(text)
            .map_err(|error| E::custom(format_args!("{error}, expected {}", self.form)))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let make = |text: &str| text.parse();
        deserializer.deserialize_str(TextVisitor {
            form: SIZE_FORM,
            make,
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let make = |text: &str| text.parse();
        deserializer.deserialize_str(TextVisitor {
            form: SPAN_FORM,
            make,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Result<u64, String> {
        text.parse::<ByteSize>()
            .map(|s| s.0)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn ages_are_whole_days() {
        let age = |text: &str| text.parse::<Age>().map_err(|error| error.to_string());
        assert_eq!(age("90d"), Ok(Age(Some(90))));
        assert_eq!(age("48h"), Ok(Age(Some(2))));
        assert_eq!(age("forever"), Ok(Age(None)));
        assert_eq!(
            (Age(Some(2)).to_string(), Age(None).to_string()),
            ("2d".to_owned(), "forever".to_owned())
        );
        let refused = ["36h", "0d", "", "always"].map(|text| age(text).unwrap_err());
        insta::assert_snapshot!(refused.join("\n"), @"
        `36h` is not a number of whole days, one at least
        `0d` is not a number of whole days, one at least
        `` does not begin with a number
        `always` does not begin with a number
        ");
    }

    fn span_ms(text: &str) -> Result<u128, String> {
        text.parse::<Span>()
            .map(|s| s.0.as_millis())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn sizes_are_read_in_both_families_of_units() {
        assert_eq!(size("10 GB"), Ok(10_000_000_000));
        assert_eq!(size("10GB"), Ok(10_000_000_000));
        assert_eq!(size("512 MiB"), Ok(512 << 20));
        assert_eq!(size("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(size("0.5 KiB"), Ok(512));
        assert_eq!(size("0 B"), Ok(0));
    }

    #[test]
    fn a_size_that_is_not_one_says_why() {
        assert_eq!(
            size("10"),
            Err("`10` has no unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)".into())
        );
        assert_eq!(size("GB"), Err("`GB` does not begin with a number".into()));
        assert_eq!(
            size("-1 GB"),
            Err("`-1 GB` does not begin with a number".into())
        );
        assert_eq!(
            size("10 Gb"),
            Err("unknown unit `Gb` (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)".into())
        );
        assert_eq!(
            size("99999999999 TB"),
            Err("`99999999999 TB` is too large".into())
        );
        assert!(size("1 GB 2 MB").is_err());
        assert!(size("1.2.3 GB").is_err());
        assert!(size("").is_err());
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(span_ms("60s"), Ok(60_000));
        assert_eq!(span_ms("1h 30m"), Ok(5_400_000));
        assert_eq!(span_ms("1h30m"), Ok(5_400_000));
        assert_eq!(span_ms("250 ms"), Ok(250));
        assert_eq!(span_ms("1.5s"), Ok(1_500));
        assert_eq!(span_ms("2d"), Ok(172_800_000));
        assert_eq!(
            span_ms("60"),
            Err("`60` has no unit (ms, s, m, h, d)".into())
        );
        assert_eq!(
            span_ms("60 sec"),
            Err("unknown unit `sec` (ms, s, m, h, d)".into())
        );
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for bytes in [
            0,
            1,
            1_000,
            1_024,
            1_500_000,
            10_000_000_000,
            128 << 20,
            u64::MAX,
        ] {
            assert_eq!(size(&ByteSize(bytes).to_string()), Ok(bytes));
        }
        for ms in [0, 1, 999, 1_000, 61_000, 5_400_000, 86_400_000] {
            assert_eq!(
                span_ms(&Span(Duration::from_millis(ms)).to_string()),
                Ok(u128::from(ms))
            );
        }
        assert_eq!(ByteSize(134_217_728).to_string(), "128 MiB");
        assert_eq!(ByteSize(512_000).to_string(), "512 kB");
    }
}
