//! `windrow report spikes`: the detector run over history.

mod drawn;
mod history;
mod names;
mod told;
mod watch;

use std::io::{self, Write};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use windrow_detect::spikes::{Budget, Width};
use windrow_lake::{Period, Wanted};

use self::drawn::Window;
use self::history::{History, Missed, Scope};
use self::names::Names;
use self::told::Teller;
use self::watch::{Episode, Keep, Watch};
use super::asked::{AboutArgs, Asked};
use crate::cli::{Invocation, Out};
use crate::exit::{Code, UsageError};
use crate::output::{Format, RowsOutput, progress, thousands};

/// Time before --from that is learnt from.
const LEARNT: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);
/// Episodes that a table has.
const ROWS: usize = 50;
/// Series that are named where none has the name that was asked for.
const NEAREST: usize = 5;

/// Which counts of events are unusual, and why
///
/// Every channel and event id is a series of counts, as a whole and of each computer and account. What this hour of the week
/// usually brings, and how the last day went, says what is to be expected; what is too improbable to be ignored is told, as one
/// line from its begin to its end: bursts, drops, and silence.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow report spikes --from 7d
  windrow report spikes --id 4625,4771 --by all,account,address
  windrow report spikes --from 24h --budget 10 --explain
  windrow report spikes --series \"Security 4625 computer=DC1\"
  windrow report spikes --buckets 1h --output csv > spikes.csv")]
pub(super) struct Args {
    /// The length of a bucket
    #[arg(long, value_enum, value_name = "SPAN", default_value = "5m")]
    buckets: Buckets,

    /// What series are of
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "all,computer,account"
    )]
    by: Vec<Scope>,

    /// Only these event ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    id: Vec<i32>,

    /// Only these channels
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    channel: Vec<String>,

    /// How many false alarms a day are bearable, of all series together
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = budget)]
    budget: f64,

    /// Say why; in the other forms of the output, every bucket of each episode
    #[arg(long)]
    explain: bool,

    /// One series, as the column `series` names it: what came and what was expected of every bucket, as a chart
    #[arg(long, value_name = "SERIES", conflicts_with = "explain")]
    series: Option<String>,

    /// Show at most so many, the most unusual ones [default: 50 in a table, else all]
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,

    #[command(flatten)]
    about: AboutArgs,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Buckets {
    /// Five minutes
    #[value(name = "5m")]
    FiveMinutes,
    /// An hour
    #[value(name = "1h")]
    Hour,
}

fn budget(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(alarms) if alarms > 0.0 && alarms.is_finite() => Ok(alarms),
        _ => Err("a number of false alarms a day, more than 0, such as 1 or 0.1".to_owned()),
    }
}

/// What the detector made of the history.
struct Watched {
    watch: Watch,
    names: Names,
    missed: Missed,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let now = Timestamp::now();
    let about = args.about.read(now)?;
    invocation.start_log();
    let period = about.period;
    let (watched, code) = crate::cli::runtime()?.block_on(async {
        let mut asked = Asked::open(about, invocation).await?;
        let watched = watch(args, period, now, &mut asked, invocation).await?;
        anyhow::Ok((watched, asked.told()?))
    })?;
    let seen = watched.watch.seen();
    if seen.first.is_none() {
        writeln!(io::stderr(), "there are no such events in this time")?;
        return Ok(Code::Negative);
    }
    let teller = Teller {
        names: &watched.names,
        width: args.width(),
        zone: &args.about.tz,
    };
    let format = args.output.format(&invocation.terminal);
    let mut said = match &args.series {
        Some(series) => one(series, args, &watched, &teller, invocation, out)?,
        None => all(args, &watched, &teller, format, invocation, out)?,
    };
    said.extend(teller.history(seen, watched.missed));
    // Below the answer, whichever of both a terminal shows first.
    out.flush()?;
    if format == Format::Table {
        writeln!(out)?;
        said.iter().try_for_each(|said| writeln!(out, "{said}"))?;
    } else {
        let mut stderr = io::stderr().lock();
        said.iter()
            .try_for_each(|said| writeln!(stderr, "{said}"))?;
    }
    let is_incomplete = said.iter().any(|said| said.starts_with("INCOMPLETE"));
    Ok(if is_incomplete { Code::Partial } else { code })
}

impl Args {
    fn width(&self) -> Width {
        match self.buckets {
            Buckets::FiveMinutes => Width::FiveMinutes,
            Buckets::Hour => Width::Hour,
        }
    }
}

/// Reads the history and has it watched.
async fn watch(
    args: &Args,
    period: Period,
    now: Timestamp,
    asked: &mut Asked,
    invocation: &Invocation,
) -> anyhow::Result<Watched> {
    let width = args.width();
    // A bucket that is not over has no verdict.
    let end = period.to.unwrap_or(now).min(now);
    let end = width.bucket_of(end.as_second());
    let from = period.from.map(|from| width.bucket_of(from.as_second()));
    let keep = match args.explain {
        true => Keep::Readings,
        false => Keep::Episodes,
    };
    let from = from.unwrap_or(i64::MIN);
    let mut watch = Watch::new(width, Budget::per_day(args.budget), from, keep);
    let mut names = Names::default();
    let mut scopes = args.by.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let wanted = Wanted {
        channels: args.channel.clone(),
        ids: args.id.clone(),
    };
    let history = History {
        wanted: &wanted,
        scopes: &scopes,
        width,
        period: Period {
            from: period
                .from
                .map(|from| from.saturating_sub(LEARNT))
                .transpose()?,
            to: Some(Timestamp::from_second(width.start_of(end))?),
        },
        end,
        series: args.series.as_deref(),
    };
    let bar = progress::spinner(&invocation.terminal);
    let missed = history::read(asked, &history, &mut watch, &mut names, &bar).await;
    bar.finish_and_clear();
    // Without an end, the history ends with its last event.
    if period.to.is_some() {
        watch.rest_until(end);
    }
    watch.end();
    Ok(Watched {
        watch,
        names,
        missed: missed?,
    })
}

/// Every episode. What is left to say of them comes back.
fn all(
    args: &Args,
    watched: &Watched,
    teller: &Teller<'_>,
    format: Format,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Vec<String>> {
    let is_table = format == Format::Table;
    let told = args
        .max_rows
        .unwrap_or(if is_table { ROWS } else { usize::MAX });
    let episodes: Vec<&Episode> = watched.watch.episodes.iter().collect();
    let mut groups = match is_table {
        true => teller.grouped(&episodes),
        false => episodes.into_iter().map(|episode| vec![episode]).collect(),
    };
    let described = |group: &[&Episode]| {
        group
            .first()
            .map(|first| watched.names.described(first.key))
    };
    let score = |group: &[&Episode]| {
        let scores = group.iter().map(|episode| episode.worst.score());
        scores.fold(0.0, f64::max)
    };
    let first = |group: &[&Episode]| group.first().map(|episode| episode.first);
    let in_time =
        |a: &[&Episode], b: &[&Episode]| (first(a), described(a)).cmp(&(first(b), described(b)));
    groups.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| in_time(a, b)));
    let more = groups.len().saturating_sub(told);
    groups.truncate(told);
    groups.sort_by(|a, b| in_time(a, b));
    let leading: Vec<&Episode> = groups
        .iter()
        .filter_map(|group| group.first().copied())
        .collect();
    write_episodes(args, &groups, &leading, teller, format, invocation, out)?;
    let mut said = Vec::new();
    if more > 0 {
        let more = thousands(more as u64);
        said.push(format!(
            "{more} more, less unusual, are not shown (--max-rows)"
        ));
    }
    if watched.watch.left_out > 0 {
        let left_out = thousands(watched.watch.left_out);
        said.push(format!(
            "INCOMPLETE: {left_out} more episodes were not kept: narrow it by --from, --id or --budget"
        ));
    }
    if watched.watch.readings_left_out > 0 {
        let left_out = thousands(watched.watch.readings_left_out);
        said.push(format!("{left_out} buckets of long episodes were not kept"));
    }
    Ok(said)
}

fn write_episodes(
    args: &Args,
    groups: &[Vec<&Episode>],
    episodes: &[&Episode],
    teller: &Teller<'_>,
    format: Format,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let terminal = &invocation.terminal;
    if format != Format::Table {
        let table = match args.explain {
            false => teller.episodes(episodes),
            true => teller.buckets(episodes.iter().flat_map(|episode| {
                let series = teller.names.described(episode.key).text();
                let readings = episode.readings.iter();
                readings.map(move |judged| (series.clone(), judged))
            })),
        };
        table.write(out, format, terminal)?;
    } else if episodes.is_empty() {
        writeln!(out, "nothing unusual")?;
    } else {
        teller.overview(groups).write(out, format, terminal)?;
        if args.explain {
            teller.explain(episodes, out)?;
        }
    }
    Ok(())
}

/// One series, every bucket.
fn one(
    series: &str,
    args: &Args,
    watched: &Watched,
    teller: &Teller<'_>,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Vec<String>> {
    let Some((_, buckets)) = watched.watch.looked() else {
        return Err(UsageError(unknown(series, watched)).into());
    };
    let format = args.output.format(&invocation.terminal);
    if format != Format::Table {
        let rows = buckets.iter().map(|judged| (series.to_owned(), judged));
        teller
            .buckets(rows)
            .write(out, format, &invocation.terminal)?;
        return Ok(Vec::new());
    }
    let asked = match args.about.is_timed() {
        true => Window::Asked,
        false => Window::Around,
    };
    let shown = drawn::window(&buckets, asked);
    drawn::draw(
        series,
        shown,
        teller.width,
        teller.zone,
        &invocation.terminal,
        out,
    )?;
    let hidden = buckets.len() - shown.len();
    let said = (hidden > 0).then(|| {
        let hidden = thousands(hidden as u64);
        format!("{hidden} more buckets are not drawn: --from and --to choose, --output csv has all")
    });
    Ok(said.into_iter().collect())
}

/// What to say where no series has this name.
fn unknown(series: &str, watched: &Watched) -> String {
    let wanted = series.to_lowercase();
    let mut near: Vec<String> = watched
        .watch
        .keys()
        .map(|key| watched.names.described(key).text())
        .filter(|name| {
            let name = name.to_lowercase();
            name.contains(&wanted) || wanted.contains(&name)
        })
        .collect();
    near.sort();
    near.truncate(NEAREST);
    match near.is_empty() {
        true => format!(
            "--series {series}: there is no such series; the column `series` of the report names them"
        ),
        false => format!(
            "--series {series}: there is no such series; there are {}",
            near.join(", ")
        ),
    }
}
