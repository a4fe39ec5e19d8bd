//! `windrow subscription test`

mod print;
mod tally;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use windrow_formats::event::{Event, Index, parse};
use windrow_lake::{Format, Layout, Period, QueryLimits};
use windrow_pipeline::sources::evtx::EvtxFile;

use super::super::import::files as evtx;
use super::super::remote::Asked;
use super::super::time::{Range, TimeArgs};
use super::super::verbs::Verbs;
use super::super::{Invocation, Out, runtime};
use super::{get, keys};
use crate::admin::{Subscription, Verb};
use crate::asker::{self, Asker};
use crate::config::Need;
use crate::exit::{Code, UsageError};
use crate::output::{SummaryFormat, SummaryOutput};

pub(in crate::cli) use print::text as print;
pub(in crate::cli) use tally::Report;
use tally::Tally;

/// Ask events that are there what a subscription would have sent, query by query
///
/// Each of its queries with how many events it selects and the newest of them; what no query takes, most frequent first;
/// and the channels that a machine has to have. Of stored events those are looked at that are stored, no more: to know
/// what a subscription would bring, export a machine's log with the Event Viewer (or wevtutil epl) and name it with
/// --events. timediff() counts to the event's own time. Exit code 1 when nothing is selected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription test base --events Security.evtx System.evtx
  windrow subscription test base --from 24h
  windrow subscription test --baseline domain-controller --events logs/
  windrow subscription test --query-file new.xml --events logs/ --output json")]
pub(super) struct Args {
    /// The subscription
    #[arg(value_name = "NAME", group = "what", required_unless_present_any = ["baseline", "query_file"])]
    name: Option<String>,

    /// Instead: a ready baseline
    #[arg(long, value_name = "NAME", group = "what", value_parser = keys::baseline)]
    baseline: Option<String>,

    /// Instead: a file with a QueryList or a subscription of Windows
    #[arg(long, value_name = "FILE", group = "what")]
    query_file: Option<PathBuf>,

    /// Event log files (EVTX), and folders of them [default: what is stored]
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["from", "to", "newest"])]
    events: Vec<PathBuf>,

    /// How many stored events are looked at: the newest, and more where several happened at once
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    newest: u64,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let asked = invocation.remote.asked(invocation.loader.environment());
    if asked == Asked::Another && args.events.is_empty() {
        let message =
            "another machine's endpoint shows no stored events: name files of events with --events";
        return Err(UsageError(message.to_owned()).into());
    }
    let what = runtime()?.block_on(what(args, invocation))?;
    let mut tally = Tally::new(&what.query)?;
    let is_whole = match args.events.is_empty() {
        true => {
            let range = args.time.range(Timestamp::now())?;
            runtime()?.block_on(stored(args.newest, range, &mut tally, invocation))?
        }
        false => files(&args.events, &mut tally)?,
    };
    let report = Report::new(what, tally);
    match args.output.output {
        SummaryFormat::Json => super::show::write_json(&report, out)?,
        SummaryFormat::Table => print::text(&report, &args.time.tz, &invocation.terminal, out)?,
    }
    Ok(match (report.selected, is_whole) {
        (_, false) => Code::Partial,
        (0, true) => Code::Negative,
        (_, true) => Code::Ok,
    })
}

/// What a query list selects of the newest stored events; whether all of them could be asked.
pub(in crate::cli) async fn of_stored(
    title: String,
    query: String,
    newest: u64,
    time: &TimeArgs,
    invocation: &Invocation,
) -> anyhow::Result<(Report, bool)> {
    let what = What {
        title,
        baseline: None,
        query,
        warnings: Vec::new(),
    };
    let mut tally = Tally::new(&what.query)?;
    let range = time.range(Timestamp::now())?;
    let is_whole = stored(newest, range, &mut tally, invocation).await?;
    Ok((Report::new(what, tally), is_whole))
}

/// What is tested.
pub(super) struct What {
    /// What it is called.
    title: String,
    /// The baseline that it is.
    baseline: Option<String>,
    query: String,
    warnings: Vec<String>,
}

async fn what(args: &Args, invocation: &Invocation) -> anyhow::Result<What> {
    if let Some(file) = &args.query_file {
        return Ok(What {
            title: file.display().to_string(),
            baseline: None,
            query: keys::any_query(file)?,
            warnings: Vec::new(),
        });
    }
    if let Some(name) = &args.baseline {
        let baseline = windrow_formats::wef::baseline::Baseline::named(name);
        return Ok(What {
            title: format!("the baseline {name}"),
            baseline: Some(name.clone()),
            query: baseline.map_or_else(String::new, |baseline| baseline.query_list()),
            warnings: Vec::new(),
        });
    }
    let mut verbs = Verbs::open(invocation, Verb::SubscriptionGet).await?;
    let found = get(&mut verbs, args.name.clone()).await?;
    let found = found.subscriptions.into_iter().next();
    let found: Option<Subscription> = found;
    let found = found.ok_or_else(|| anyhow::anyhow!("the service answers something else"))?;
    Ok(What {
        title: found.name,
        baseline: found.baseline,
        query: found.query.unwrap_or_default(),
        warnings: found.warnings,
    })
}

/// Looks at every event of the files; whether all could be read.
fn files(paths: &[PathBuf], tally: &mut Tally) -> anyhow::Result<bool> {
    let found = evtx::find(paths, evtx::Wanted::EventLogs)?;
    let mut is_whole = found.unreadable.is_empty();
    for (path, reason) in &found.unreadable {
        tally.note(format!("{}: {reason}", path.display()));
    }
    for file in &found.files {
        if let Err(reason) = one_file(&file.path, tally) {
            is_whole = false;
            tally.note(format!("{}: {reason}", file.path.display()));
        }
    }
    Ok(is_whole)
}

/// Looks at every event of a file.
///
/// # Errors
/// What of it could not be read.
fn one_file(path: &Path, tally: &mut Tally) -> Result<(), String> {
    let mut file = EvtxFile::open(path).map_err(|error| error.to_string())?;
    let mut index = Index::default();
    while let Some(chunk) = file.next_chunk().map_err(|error| error.to_string())? {
        for record in chunk.records() {
            // What is wrong with an event leaves what was read of it.
            let _ = parse(record.text, &mut index);
            tally.count(Event::new(record.text, &index));
        }
    }
    let damaged = file.damage().len() as u64 + file.damage_omitted();
    match damaged {
        0 => Ok(()),
        damaged => Err(format!(
            "damaged in {damaged} places; what can be read was looked at"
        )),
    }
}

/// Looks at the newest events that are stored; whether the answer was whole.
async fn stored(
    newest: u64,
    range: Range,
    tally: &mut Tally,
    invocation: &Invocation,
) -> anyhow::Result<bool> {
    let config = invocation.loader.load(Need::Defaults)?;
    let mut limits = QueryLimits {
        rows: None,
        period: Period {
            from: range.from,
            to: range.to,
        },
        ..QueryLimits::default()
    };
    // Whoever has read its rows lets go of an answer, and of its connection, before it has ended.
    let mut asker = Asker::open(&config).await?;
    if let Some(first) = time_of(newest, &mut asker, limits).await? {
        limits.period.from = Some(first);
    }
    let mut asker = Asker::open(&config).await?;
    let sql = format!("select event_xml from events where {ASKED_OF}");
    let answer = asker.query(&sql, limits).await?;
    let unread = answer.rows.unread();
    let mut lines = Lines {
        line: Vec::new(),
        index: Index::default(),
        tally,
    };
    let written = answer
        .rows
        .write(Format::Ndjson, &Layout::default(), &mut lines)
        .await;
    written.map_err(|error| asker::explain(error.into()))?;
    let incomplete = answer.incomplete.or_else(|| asker::lacking(&unread));
    if let Some(said) = &incomplete {
        tally.note(said.clone());
    }
    if tally.is_empty() {
        let note =
            "no event is stored that this could be asked of: name event log files with --events";
        tally.note(note.to_owned());
    }
    Ok(incomplete.is_none())
}

/// Which stored events can be asked.
const ASKED_OF: &str = "origin <> 'own' and event_xml is not null";

/// When the newest but so many happened; none where there are not so many. Times alone are put in order: texts would
/// have to be held all at once for that.
async fn time_of(
    newest: u64,
    asker: &mut Asker,
    limits: QueryLimits,
) -> anyhow::Result<Option<Timestamp>> {
    /// A row of the answer.
    #[derive(Deserialize)]
    struct Row {
        time: Option<Timestamp>,
    }
    let others = newest.saturating_sub(1);
    let sql = format!(
        "select time from events where {ASKED_OF} and time is not null \
         order by time desc offset {others} limit 1"
    );
    let answer = asker.query(&sql, limits).await?;
    let mut line = Vec::new();
    let written = answer
        .rows
        .write(Format::Ndjson, &Layout::default(), &mut line)
        .await;
    written.map_err(|error| asker::explain(error.into()))?;
    match line.is_empty() {
        true => Ok(None),
        false => Ok(serde_json::from_slice::<Row>(&line)?.time),
    }
}

/// A row of the answer.
#[derive(Deserialize)]
struct Stored {
    event_xml: String,
}

/// Takes rows as they come, a line each, and keeps none of them.
struct Lines<'a> {
    line: Vec<u8>,
    index: Index,
    tally: &'a mut Tally,
}

impl io::Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let stored: Stored = serde_json::from_slice(&self.line)?;
            self.line.clear();
            let _ = parse(&stored.event_xml, &mut self.index);
            self.tally.count(Event::new(&stored.event_xml, &self.index));
        }
        self.line.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
