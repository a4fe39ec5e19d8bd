//! Durations (XML Schema, 3.2.6): `PT1M`, `P1DT12H`.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::doubt::WadDoubt;
use super::super::finding::Report;
use super::{Facet, Kind, Privacy, Scalar, Seen, Value};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// As .NET counts them when it makes a TimeSpan of a duration.
const MONTH: u64 = 30 * DAY;
const YEAR: u64 = 365 * DAY;

/// The longest TimeSpan of .NET, in seconds: 2^63 units of 100 ns.
const SECONDS_MAX: u64 = 922_337_203_685;

const KIND: Kind = Kind {
    expected: "a duration of PT0S and more, as PT5M (five minutes), PT30S or P1D",
    scalar: Scalar::Text,
    base: "xs:duration",
    facet: Facet::Duration,
    privacy: Privacy::Public,
};

/// How often something is transferred, as it is said: the agent rounds it up to the minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferPeriod(pub Duration);

impl TransferPeriod {
    /// Whole minutes between transfers; `None` where nothing is transferred.
    #[must_use]
    pub fn minutes(self) -> Option<u64> {
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        (seconds > 0).then(|| seconds.div_ceil(MINUTE))
    }
}

impl Value for TransferPeriod {
    const KIND: Kind = KIND;

    fn read(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    fn write(&self) -> String {
        write(self.0)
    }

    fn doubts(&self, seen: &Seen<'_>, report: &mut Report) {
        varies(seen, report);
        let Some(minutes) = self.minutes() else {
            let name = seen.name;
            return report.add(WadDoubt::NeverTransferred { name }, seen.at);
        };
        let used = Duration::from_secs(minutes * MINUTE);
        if used != self.0 {
            let doubt = WadDoubt::Rounded {
                name: seen.name,
                found: write(self.0),
                used: write(used),
            };
            report.add(doubt, seen.at);
        }
    }
}

/// How often a counter is sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleRate(pub Duration);

impl Value for SampleRate {
    const KIND: Kind = KIND;

    fn read(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    fn write(&self) -> String {
        write(self.0)
    }

    fn doubts(&self, seen: &Seen<'_>, report: &mut Report) {
        varies(seen, report);
        if self.0.is_zero() {
            report.add(WadDoubt::NeverSampled, seen.at);
        }
    }
}

/// Reports years and months, which are not of one length.
fn varies(seen: &Seen<'_>, report: &mut Report) {
    let date = seen.text.as_str().split('T').next().unwrap_or_default();
    if date.contains(['Y', 'M']) {
        report.add(WadDoubt::Varies { name: seen.name }, seen.at);
    }
}

/// Reads a duration that is not negative.
fn parse(text: &str) -> Option<Duration> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = parts(date, &[('Y', YEAR), ('M', MONTH), ('D', DAY)])?;
    let time = parts(time, &[('H', HOUR), ('M', MINUTE), ('S', 1)])?;
    let all = date.checked_add(time)?;
    let is_possible = all.as_secs() < SECONDS_MAX && (all.is_zero() || !is_negative);
    is_possible.then_some(all)
}

/// `1H30M`: each unit once at most, in this order; seconds may have a fraction.
fn parts(mut text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = text[end..].chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        let (whole, fraction) = match text[..end].split_once('.') {
            Some((whole, fraction)) if unit == 'S' && !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (&text[..end], ""),
        };
        let whole: u64 = whole.parse().ok()?;
        sum = sum.checked_add(Duration::from_secs(whole.checked_mul(*seconds)?))?;
        sum = sum.checked_add(nanoseconds(fraction)?)?;
        text = &text[end + unit.len_utf8()..];
    }
    Some(sum)
}

/// The digits behind the point of a second; those behind the ninth count for nothing.
fn nanoseconds(fraction: &str) -> Option<Duration> {
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    digits.parse().ok().map(Duration::from_nanos)
}

fn write(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut out = "P".to_owned();
    // Writing to a String does not fail.
    if seconds >= DAY {
        let _ = write!(out, "{}D", seconds / DAY);
    }
    let (hours, minutes) = (seconds % DAY / HOUR, seconds % HOUR / MINUTE);
    let (seconds, nanoseconds) = (seconds % MINUTE, duration.subsec_nanos());
    if hours + minutes + seconds > 0 || nanoseconds > 0 || out == "P" {
        out.push('T');
    }
    if hours > 0 {
        let _ = write!(out, "{hours}H");
    }
    if minutes > 0 {
        let _ = write!(out, "{minutes}M");
    }
    if nanoseconds > 0 {
        let fraction = format!("{nanoseconds:09}");
        let _ = write!(out, "{seconds}.{}S", fraction.trim_end_matches('0'));
    } else if seconds > 0 || out == "PT" {
        let _ = write!(out, "{seconds}S");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_schema_has_them() {
        let read = |text: &str| parse(text).map(write);
        for (text, canonical) in [
            ("PT0S", "PT0S"),
            ("-PT0S", "PT0S"),
            ("PT60S", "PT1M"),
            ("PT90M", "PT1H30M"),
            ("P1D", "P1D"),
            ("P1DT0.50S", "P1DT0.5S"),
            ("P1M", "P30D"),
            ("P1Y2M3DT4H5M6S", "P428DT4H5M6S"),
        ] {
            assert_eq!(read(text).as_deref(), Some(canonical), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "1M",
            "PT1",
            "PT1M1H",
            "P1H",
            "PT1.5M",
            "PT.S",
            "-PT1S",
            "PT1M ",
            "P1DT",
            "PT1M1M",
            "PT99999999999999999999S",
            "P30000000D",
            "pt1m",
            "PT٣M",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn periods_are_rounded_up() {
        let minutes = |text: &str| TransferPeriod::read(text).unwrap().minutes();
        assert_eq!(minutes("PT0S"), None);
        assert_eq!(minutes("PT0.1S"), Some(1));
        assert_eq!(minutes("PT1M"), Some(1));
        assert_eq!(minutes("PT61S"), Some(2));
    }
}
