//! Moments, spans and zones as the command line takes them.

use std::time::Duration;

use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::config::units::Span;

/// `--from`, `--to`, `--tz`
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TimeArgs {
    /// Only events from this time on: 2026-11-21T08:00:00Z, 2026-11-21, or 24h (or -24h) for 24 hours ago
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Time"
    )]
    from: Option<String>,

    /// Only events before this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Time"
    )]
    to: Option<String>,

    /// The zone that times are shown in, and that times without one are in: Europe/Berlin, +05:30, or `local`
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        value_parser = zone,
        allow_hyphen_values = true,
        help_heading = "Time"
    )]
    pub(crate) tz: TimeZone,
}

/// A span of time, open at either end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// Not before this.
    pub(crate) from: Option<Timestamp>,
    /// Before this.
    pub(crate) to: Option<Timestamp>,
}

impl TimeArgs {
    /// The same of a command that takes them in arguments of its own.
    pub(super) fn new(from: Option<String>, to: Option<String>, tz: TimeZone) -> TimeArgs {
        TimeArgs { from, to, tz }
    }

    /// The span asked for; `now` is what relative times count from.
    pub(crate) fn range(&self, now: Timestamp) -> Result<Range, crate::exit::UsageError> {
        let read = |name: &str, text: &Option<String>| match text {
            Some(text) => match moment(text, &self.tz, now) {
                Ok(time) => Ok(Some(time)),
                Err(why) => Err(crate::exit::UsageError(format!("--{name} {text}: {why}"))),
            },
            None => Ok(None),
        };
        let range = Range {
            from: read("from", &self.from)?,
            to: read("to", &self.to)?,
        };
        if let (Some(from), Some(to)) = (range.from, range.to)
            && from >= to
        {
            return Err(crate::exit::UsageError(format!(
                "--from {from} is not before --to {to}"
            )));
        }
        Ok(range)
    }
}

/// `UTC`, `local`, a name of the tz database, or a fixed distance from UTC such as `+05:30`.
pub(crate) fn zone(text: &str) -> Result<TimeZone, String> {
    match text {
        "UTC" | "utc" | "Z" => Ok(TimeZone::UTC),
        "local" => TimeZone::try_system().map_err(|error| error.to_string()),
        offset if offset.starts_with(['+', '-']) => DateTimeParser::new()
            .parse_time_zone(offset)
            .map_err(|_| "not a distance from UTC, such as +05:30".to_owned()),
        name => TimeZone::get(name).map_err(|_| {
            "not a zone of the tz database, such as Europe/Berlin, nor a distance from UTC, such as +05:30".to_owned()
        }),
    }
}

/// A moment: RFC 3339, a date and time or a date in `zone`, or a span before `now`.
fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, String> {
    const FORM: &str = "expected a time such as 2026-11-21T08:00:00Z, a date such as 2026-11-21, or a span such as 24h";
    if text == "now" {
        return Ok(now);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(local) = text.parse::<civil::DateTime>() {
        let time = zone.to_ambiguous_timestamp(local).compatible();
        return time.map_err(|_| FORM.to_owned());
    }
    match text.strip_prefix('-').unwrap_or(text).parse::<Span>() {
        Ok(Span(ago)) => now.checked_sub(ago).map_err(|_| "too long ago".to_owned()),
        Err(_) => Err(FORM.to_owned()),
    }
}

/// A value parser for `--for 60s` and the like; zero is not a span.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().map_err(|error| error.to_string())?;
    if span.0.is_zero() {
        return Err("it has to be longer than nothing".to_owned());
    }
    Ok(span.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &TimeZone) -> String {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        moment(text, zone, now).map_or_else(|why| why, |time| time.to_string())
    }

    #[test]
    fn moments_come_in_the_forms_people_write() {
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(
            at("2026-11-21T08:00:00+02:00", &TimeZone::UTC),
            "2026-11-21T06:00:00Z"
        );
        assert_eq!(at("2026-11-21T08:00:00", &berlin), "2026-11-21T07:00:00Z");
        assert_eq!(at("2026-07-01 08:00", &berlin), "2026-07-01T06:00:00Z");
        assert_eq!(at("2026-11-21", &berlin), "2026-11-20T23:00:00Z");
        assert_eq!(at("24h", &TimeZone::UTC), "2026-11-20T12:00:00Z");
        assert_eq!(at("-24h", &TimeZone::UTC), "2026-11-20T12:00:00Z");
        assert_eq!(at("now", &TimeZone::UTC), "2026-11-21T12:00:00Z");
        assert!(at("yesterday", &TimeZone::UTC).starts_with("expected a time"));
        assert!(at("--24h", &TimeZone::UTC).starts_with("expected a time"));
        assert!(zone("Mars/Olympus").is_err());
    }

    #[test]
    fn a_zone_can_be_a_distance_from_utc() {
        let begin = |offset| at("2026-11-21", &zone(offset).unwrap());
        assert_eq!(begin("+05:30"), "2026-11-20T18:30:00Z");
        assert_eq!(begin("-03:00"), "2026-11-21T03:00:00Z");
        assert_eq!(begin("-0330"), "2026-11-21T03:30:00Z");
        assert_eq!(begin("+14"), "2026-11-20T10:00:00Z");
        for bad in [
            "+",
            "-",
            "+5:30",
            "+26:00",
            "-from",
            "+05:30[Europe/Berlin]",
        ] {
            assert!(zone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_begins_with_a_minus_is_taken() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            time: TimeArgs,
        }
        let line = ["", "--from", "-5h", "--to", "-1h", "--tz", "-03:00"];
        let time = <Line as clap::Parser>::try_parse_from(line).unwrap().time;
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let range = time.range(now).unwrap();
        assert_eq!(range.from, Some("2026-11-21T07:00:00Z".parse().unwrap()));
        assert_eq!(range.to, Some("2026-11-21T11:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_span_has_to_run_forward() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let args = TimeArgs {
            from: Some("1h".into()),
            to: Some("2h".into()),
            tz: TimeZone::UTC,
        };
        insta::assert_snapshot!(args.range(now).unwrap_err(), @"--from 2026-11-21T11:00:00Z is not before --to 2026-11-21T10:00:00Z");
    }
}
