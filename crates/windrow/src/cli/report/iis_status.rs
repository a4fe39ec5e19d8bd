//! `windrow report iis-status`

use std::io::Write;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::Timestamp;
use windrow_lake::{Buckets, Period, QueryLimits, RequestKey, RequestSpan, Requests};

use super::asked::{AboutArgs, Asked};
use super::chart::{Chart, Count};
use super::span::{bucket_start, usual_bucket};
use crate::cli::{Invocation, Out};
use crate::exit::{Code, UsageError, hinted};
use crate::output::{Cell, Column, Format, RowsOutput, Table, thousands, time};

/// The table that is asked.
const TABLE: &str = "iis";

/// When requests to a web server ended with a status, as a chart
///
/// Without options: how often it was 500, over the time there is. Asks the table `iis` of the lake; log files are asked
/// as they are with --from iis=PATH, a file or a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report iis-status --from iis=/var/log/iis
  windrow report iis-status --from iis=logs --from 24h --status 5xx --by path
  windrow report iis-status --from iis=logs --status 401,403,404 --by client
  windrow report iis-status --from iis=logs --status all --bucket 1d --output csv")]
pub(super) struct Args {
    /// Statuses that count: 500, 5xx, all
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        default_value = "500"
    )]
    status: Vec<Status>,

    /// What bars are split by
    #[arg(long, value_enum, value_name = "WHAT", default_value = "status")]
    by: By,

    /// The span of one bar: 1m, 1h, 1d … [default: so that some 24 fill the time there is]
    #[arg(long, value_name = "SPAN", value_parser = crate::cli::time::span)]
    bucket: Option<Duration>,

    #[command(flatten)]
    about: AboutArgs,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The status
    Status,
    /// The site: its name, else the host that was asked for
    Site,
    /// The path that was asked for
    Path,
    /// The address of the client
    Client,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Status => "status",
            By::Site => "site",
            By::Path => "path",
            By::Client => "client",
        }
    }

    /// Columns that say it: the first that has a value counts.
    fn columns(self) -> &'static [&'static str] {
        match self {
            By::Status => &["sc_status"],
            By::Site => &["s_sitename", "cs_host", "s_siteid", "s_port"],
            By::Path => &["cs_uri_stem", "cs_uri"],
            By::Client => &["c_ip"],
        }
    }
}

/// Statuses that count.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    All,
    These(RangeInclusive<u16>),
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Status, String> {
        let wrong = || "a status such as 500, a class such as 5xx, or all".to_owned();
        if text.eq_ignore_ascii_case("all") {
            return Ok(Status::All);
        }
        if let Some(class) = text.strip_suffix("xx").or(text.strip_suffix("XX")) {
            let class = class
                .parse::<u16>()
                .ok()
                .filter(|class| (1..=9).contains(class));
            let first = class.ok_or_else(wrong)? * 100;
            return Ok(Status::These(first..=first + 99));
        }
        let status = text.parse::<u16>().ok().filter(|status| *status <= 999);
        let status = status.ok_or_else(wrong)?;
        Ok(Status::These(status..=status))
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
    let requests = Requests {
        table: TABLE.to_owned(),
        statuses: statuses(&args.status),
        period: about.period,
    };
    let (counted, timeless, mut code) = crate::cli::runtime()?.block_on(async {
        let mut asked = Asked::open(about, invocation).await?;
        let key = key(&mut asked, args.by).await?;
        let (counted, timeless) = count(&mut asked, args, &requests, &key).await?;
        anyhow::Ok((counted, timeless, asked.told()?))
    })?;
    if timeless > 0 {
        let timeless = thousands(timeless);
        writeln!(
            std::io::stderr(),
            "not counted, since they have no time: {timeless} requests"
        )?;
    }
    let Some(Counted { bucket, buckets }) = counted else {
        let said = format!(
            "there are no requests with status {} in this time",
            said(args)
        );
        writeln!(std::io::stderr(), "{said}")?;
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

/// The statuses as they were written.
fn said(args: &Args) -> String {
    let one = |status: &Status| match status {
        Status::All => "of any kind".to_owned(),
        Status::These(range) if range.start() == range.end() => range.start().to_string(),
        Status::These(range) => format!("{}xx", range.start() / 100),
    };
    args.status.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn statuses(asked: &[Status]) -> Vec<RangeInclusive<u16>> {
    let ranges: Option<Vec<_>> = asked
        .iter()
        .map(|status| match status {
            Status::All => None,
            Status::These(range) => Some(range.clone()),
        })
        .collect();
    ranges.unwrap_or_default()
}

/// Finds the columns that requests are told apart by.
async fn key(asked: &mut Asked, by: By) -> anyhow::Result<RequestKey> {
    if !asked.has(TABLE).await? {
        let missing = anyhow::anyhow!("there is no table `{TABLE}`");
        return Err(hinted(
            missing,
            "log files are asked with --from iis=PATH, a file or a folder",
        ));
    }
    let rows = asked.rows(&format!("describe {TABLE}")).await?;
    let columns: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.get("column_name")?.as_str())
        .collect();
    for needed in ["time", "sc_status"] {
        if !columns.contains(&needed) {
            let message = format!(
                "`{TABLE}` has no column {needed}, so that it says nothing of statuses over time; there are {}",
                columns.join(", ")
            );
            return Err(UsageError(message).into());
        }
    }
    let known = by
        .columns()
        .iter()
        .filter(|column| columns.contains(column));
    let columns: Vec<String> = known.map(|column| (*column).to_owned()).collect();
    if columns.is_empty() {
        let message = format!(
            "--by {}: the logs do not say it: the server does not log {}",
            by.name(),
            by.columns().join(" or ").replace('_', "-")
        );
        return Err(UsageError(message).into());
    }
    Ok(RequestKey { columns })
}

/// Counts requests; none where there are none. Beside them, how many have no time.
async fn count(
    asked: &mut Asked,
    args: &Args,
    requests: &Requests,
    key: &RequestKey,
) -> anyhow::Result<(Option<Counted>, u64)> {
    let answer = asked
        .query(&requests.span_sql(), QueryLimits::default())
        .await?;
    let RequestSpan { span, timeless } = Requests::read_span(answer).await?;
    let Some((first, last)) = span else {
        return Ok((None, timeless));
    };
    let bucket = args.bucket.unwrap_or_else(|| usual_bucket(first, last));
    let from = bucket_start(first, bucket, &args.about.tz);
    let requests = Requests {
        period: Period {
            from: Some(requests.period.from.unwrap_or(first)),
            ..requests.period
        },
        ..requests.clone()
    };
    let answer = asked
        .query(&requests.sql(from, bucket, key), requests.limits())
        .await?;
    let buckets = Requests::read(from, bucket, answer).await?;
    Ok((Some(Counted { bucket, buckets }), timeless))
}

fn chart(args: &Args, bucket: Duration, buckets: Buckets) -> Chart<'_> {
    Chart {
        title: format!("Requests with status {} by {}", said(args), args.by.name()),
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
    let mut table = Table::new([
        Column::Left("start"),
        Column::Left(args.by.name()),
        Column::Right("requests"),
    ]);
    for bucket in &buckets.buckets {
        let key = match args.by {
            By::Status => bucket.key.parse::<u64>().map_or(Cell::None, Cell::Number),
            _ if bucket.key.is_empty() => Cell::None,
            By::Site | By::Path | By::Client => Cell::from(&*bucket.key),
        };
        table.push([
            time(bucket.start, &args.about.tz).into(),
            key,
            bucket.count.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_people_write_them() {
        let of = |text: &str| statuses(&[text.parse().unwrap()]);
        assert_eq!(of("500"), [500..=500]);
        assert_eq!(of("5xx"), [500..=599]);
        assert_eq!(of("all"), []);
        let any = [Status::These(404..=404), Status::All];
        assert_eq!(statuses(&any), [], "all with others is all");
        for wrong in ["", "xx", "50x", "0xx", "5000", "-1", "ok"] {
            assert!(wrong.parse::<Status>().is_err(), "{wrong}");
        }
    }
}
