//! `windrow report distribution`

use std::io::Write;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use windrow_lake::{
    Buckets, Distribution, Period, Precision, QueryLimits, Strays, TimeSpan, Unplaced,
};

use super::asked::{AboutArgs, Asked};
use super::chart::{Chart, Count};
use super::span::{bucket_start, usual_bucket};
use crate::cli::{Invocation, Out};
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table, thousands, time};

/// How many events there were when, as a chart
///
/// Every line is a span of time, every bar the events of it, told apart by channel, event id, computer or account. An event
/// without a time that can be believed counts when it came; how many those are is said.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report distribution --from 24h
  windrow report distribution --by id --bucket 1h
  windrow report distribution --by account --from 2026-11-21 --to 2026-11-22
  windrow report distribution --from events=Security.evtx
  windrow report distribution --by computer --output csv > by-computer.csv")]
pub(super) struct Args {
    /// The span of one bar: 1m, 1h, 1d … [default: so that some 24 fill the time there is]
    #[arg(long, value_name = "SPAN", value_parser = crate::cli::time::span)]
    bucket: Option<Duration>,

    /// What bars are split by
    #[arg(long, value_enum, value_name = "WHAT", default_value = "channel")]
    by: By,

    #[command(flatten)]
    about: AboutArgs,

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
    /// The account it was done to, else the one that did it
    Account,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Channel => "channel",
            By::Id => "event id",
            By::Computer => "computer",
            By::Account => "account",
        }
    }
}

impl From<By> for windrow_lake::By {
    fn from(by: By) -> windrow_lake::By {
        match by {
            By::Channel => windrow_lake::By::Channel,
            By::Id => windrow_lake::By::EventId,
            By::Computer => windrow_lake::By::Computer,
            By::Account => windrow_lake::By::Account,
        }
    }
}

/// What was counted.
struct Counted {
    bucket: Duration,
    buckets: Buckets,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let about = args.about.read(Timestamp::now())?;
    invocation.start_log();
    let period = about.period;
    let (counted, strays, mut code) = crate::cli::runtime()?.block_on(async {
        let mut asked = Asked::open(about, invocation).await?;
        let (counted, strays) = count(&mut asked, args, period).await?;
        anyhow::Ok((counted, strays, asked.told()?))
    })?;
    tell(strays, &mut std::io::stderr().lock())?;
    let Some(Counted { bucket, buckets }) = counted else {
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

/// Says what does not count at the time it says.
fn tell(strays: Strays, out: &mut dyn Write) -> std::io::Result<()> {
    let events = |count: u64| match count {
        1 => "1 event".to_owned(),
        count => format!("{} events", thousands(count)),
    };
    if strays.by_arrival > 0 {
        let counted = events(strays.by_arrival);
        writeln!(
            out,
            "counted when they came, since they say no time, or one far from this: {counted}"
        )?;
    }
    if strays.elsewhere > 0 {
        let counted = events(strays.elsewhere);
        writeln!(
            out,
            "not in it, though they say this time, since they came on days far from that and are counted then: {counted}"
        )?;
    }
    Ok(())
}

/// Counts events; none where there are none.
async fn count(
    asked: &mut Asked,
    args: &Args,
    period: Period,
) -> anyhow::Result<(Option<Counted>, Strays)> {
    let limits = QueryLimits::default();
    let mut span = None;
    for precision in [Precision::FiveMinutes, Precision::Event] {
        let question = TimeSpan { period, precision };
        let answer = asked.query(&question.sql(), limits).await?;
        span = question.read(answer).await?;
        // Bars for little time are shorter than what is counted already.
        let is_short = span.is_some_and(|(first, last)| last.duration_since(first) < SHORT);
        if !is_short || args.bucket.is_some() {
            break;
        }
    }
    let span = match span {
        Some((first, last)) => Some((first, last, five_minutes_end(last)?)),
        None => None,
    };
    let question = Unplaced {
        period: Period {
            from: period.from.or(span.map(|(first, ..)| first)),
            to: period.to.or(span.map(|(.., end)| end)),
        },
    };
    let answer = asked.query(&question.sql(), limits).await?;
    let strays = question.read(answer).await?;
    let Some((first, last, end)) = span else {
        return Ok((None, strays));
    };
    let bucket = args.bucket.unwrap_or_else(|| usual_bucket(first, last));
    let first = period.from.map_or(first, |from| from.max(first));
    let question = Distribution {
        bucket,
        from: bucket_start(first, bucket, &args.about.tz),
        to: period.to.map_or(end, |to| to.min(end)),
        by: args.by.into(),
    };
    let answer = asked.query(&question.sql(), question.limits()).await?;
    let buckets = question.read(answer).await?;
    Ok((Some(Counted { bucket, buckets }), strays))
}

/// The span below which bars may be shorter than five minutes.
const SHORT: SignedDuration = SignedDuration::from_hours(3);

/// The end of the five minutes that a time lies in: nothing is beyond it, and buckets of five minutes fit.
fn five_minutes_end(time: Timestamp) -> anyhow::Result<Timestamp> {
    const SECONDS: i64 = 300;
    let begin = time.as_second().div_euclid(SECONDS) * SECONDS;
    Ok(Timestamp::from_second(begin + SECONDS)?)
}

fn chart(args: &Args, bucket: Duration, buckets: Buckets) -> Chart<'_> {
    Chart {
        title: format!("Events by {}", args.by.name()),
        bucket,
        zone: &args.about.tz,
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

fn table(args: &Args, buckets: &Buckets) -> Table {
    let key = match args.by {
        By::Channel => "channel",
        By::Id => "event_id",
        By::Computer => "computer",
        By::Account => "account",
    };
    let mut table = Table::new([
        Column::Left("start"),
        Column::Left(key),
        Column::Right("events"),
    ]);
    for bucket in &buckets.buckets {
        let key = match args.by {
            By::Id => bucket.key.parse::<u64>().map_or(Cell::None, Cell::Number),
            _ if bucket.key.is_empty() => Cell::None,
            By::Channel | By::Computer | By::Account => Cell::from(&*bucket.key),
        };
        table.push([
            time(bucket.start, &args.about.tz).into(),
            key,
            bucket.count.into(),
        ]);
    }
    table
}
