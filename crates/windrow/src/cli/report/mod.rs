//! `windrow report`

mod chart;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use windrow_lake::{Buckets, Distribution, Period, TimeSpan};

use self::chart::{Chart, Count};
use super::time::{Range, TimeArgs};
use super::{Invocation, Out};
use crate::asker::{Answer, Asker};
use crate::config::Need;
#[cfg(test)]
use crate::config::units::Span;
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table, time};

/// Answers to the usual questions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution
  windrow report distribution --by id --from 7d --bucket 1d")]
pub(super) struct Args {
    #[command(subcommand)]
    report: Report,
}

#[derive(Debug, Subcommand)]
enum Report {
    Distribution(DistributionArgs),
}

/// How many events there were when, as a chart
///
/// Every line is a span of time, every bar the events of it, told apart by channel, event id or computer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution --from 24h
  windrow report distribution --by id --bucket 1h
  windrow report distribution --by computer --output csv > by-computer.csv")]
struct DistributionArgs {
    /// The span of one bar: 1m, 1h, 1d … [default: so that some 24 fill the time there is]
    #[arg(long, value_name = "SPAN", value_parser = super::time::span)]
    bucket: Option<Duration>,

    /// What bars are split by
    #[arg(long, value_enum, value_name = "WHAT", default_value = "channel")]
    by: By,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The log an event was written to
    Channel,
    /// The event id
    Id,
    /// The computer that wrote it
    Computer,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Channel => "channel",
            By::Id => "event id",
            By::Computer => "computer",
        }
    }
}

impl From<By> for windrow_lake::By {
    fn from(by: By) -> windrow_lake::By {
        match by {
            By::Channel => windrow_lake::By::Channel,
            By::Id => windrow_lake::By::EventId,
            By::Computer => windrow_lake::By::Computer,
        }
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let Report::Distribution(args) = &args.report;
    let range = args.time.range(Timestamp::now())?;
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let answer = super::runtime()?.block_on(count(&config.data_dir, args, range))?;
    let (counted, mut code) = answer.told()?;
    let Some((bucket, buckets)) = counted else {
        writeln!(std::io::stderr(), "there are no events in this time")?;
        return Ok(Code::Negative);
    };
    if buckets.truncated {
        let said = "the report is incomplete: there is more than can be shown, so choose a longer --bucket or a shorter time";
        writeln!(std::io::stderr(), "{said}")?;
        code = Code::Partial;
    }
    match args.output.format(&invocation.terminal) {
        Format::Table => chart(args, bucket, buckets).write(out, &invocation.terminal)?,
        format => table(args, &buckets).write(out, format, &invocation.terminal)?,
    }
    Ok(code)
}

/// Counts events; none where there are none.
async fn count(
    data_dir: &Path,
    args: &DistributionArgs,
    range: Range,
) -> anyhow::Result<Answer<Option<(Duration, Buckets)>>> {
    let mut asker = Asker::open(data_dir).await?;
    let span = TimeSpan {
        period: Period {
            from: range.from,
            to: range.to,
        },
    };
    let answer = asker.query(&span.sql(), span.limits()).await?;
    let Some((first, last)) = span.read(answer.rows).await? else {
        return Ok(Answer {
            rows: None,
            incomplete: answer.incomplete,
        });
    };
    let bucket = args.bucket.unwrap_or_else(|| usual_bucket(first, last));
    let question = Distribution {
        bucket,
        from: bucket_start(range.from.unwrap_or(first), bucket, &args.time.tz),
        to: range.to.unwrap_or(last.saturating_add(SECOND)?),
        by: args.by.into(),
    };
    let answer = asker.query(&question.sql(), question.limits()).await?;
    Ok(Answer {
        rows: Some((bucket, question.read(answer.rows).await?)),
        incomplete: answer.incomplete,
    })
}

/// Just beyond the last event.
const SECOND: Duration = Duration::from_secs(1);

/// The shortest of the usual spans that needs no more than some thirty bars.
fn usual_bucket(first: Timestamp, last: Timestamp) -> Duration {
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
fn bucket_start(time: Timestamp, bucket: Duration, zone: &TimeZone) -> Timestamp {
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

fn chart(args: &DistributionArgs, bucket: Duration, buckets: Buckets) -> Chart<'_> {
    Chart {
        by: args.by.name(),
        bucket,
        zone: &args.time.tz,
        counts: buckets
            .buckets
            .into_iter()
            .map(|bucket| Count {
                start: bucket.start,
                key: bucket.key,
                events: bucket.count,
            })
            .collect(),
    }
}

fn table(args: &DistributionArgs, buckets: &Buckets) -> Table {
    let key = match args.by {
        By::Channel => "channel",
        By::Id => "event_id",
        By::Computer => "computer",
    };
    let mut table = Table::new([
        Column::Left("start"),
        Column::Left(key),
        Column::Right("events"),
    ]);
    for bucket in &buckets.buckets {
        let key = match args.by {
            By::Id => bucket.key.parse::<u64>().map_or(Cell::None, Cell::Number),
            By::Channel | By::Computer if bucket.key.is_empty() => Cell::None,
            By::Channel | By::Computer => Cell::from(&*bucket.key),
        };
        table.push([
            time(bucket.start, &args.time.tz).into(),
            key,
            bucket.count.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let zone = super::super::time::zone("Europe/Berlin").unwrap();
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
