//! `windrow query`

mod azure;
mod bounds;
pub(super) mod events;
pub(super) mod from;
mod list;
mod target;

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use windrow_lake::{Files, Layout, Period, QueryLimits, QueryOutput, Unread, names_azure};

use super::time::{TimeArgs, span, zone};
use super::{Invocation, Out};
use crate::asker::{self, Asker, explain};
use crate::config::Need;
use crate::config::units::ByteSize;
use crate::exit::{Code, UsageError};
use crate::output::{Terminal, escape, progress};
use azure::Accounts;
use bounds::Ended;
use from::From;
use target::{Form, Pending};

/// Time between two looks how far files are read.
const LOOK: Duration = Duration::from_millis(100);

/// Files of which is told what could not be read.
const TOLD_FILES: usize = 20;

/// Ask everything that was collected, in SQL
///
/// There are tables, `events` above all, and views over it with the names of what happened: `windrow query --list`. The answer
/// holds what was acknowledged up to two seconds ago, with the service running or not. With --from NAME=PATH files are asked
/// instead, without importing them; and tables in the storage accounts that the configuration names by `azure.TABLE`, of which --from and
/// --to, and conditions on `minute` or `TIMESTAMP`, choose the rows that are fetched.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow query --list
  windrow query --from 24h \\
      \"select account, reason, count(*) from failed_logons group by 1, 2\"
  windrow query --output csv \\
      \"select event_data['ServiceName'] from events where event_id = 7045\"
  windrow query --from iis=/var/log/iis \\
      \"select c_ip, count(*) n from iis where sc_status = 500 group by 1\"
  windrow query --from events=Security.evtx \"select * from log_cleared\"
  windrow query --from 1h \\
      \"select Level, count(*) from azure.WADLogsTable group by 1\"
  windrow query --tz Europe/Berlin \\
      \"select time, message from events order by time desc limit 5\"")]
pub(super) struct Args {
    /// The question
    #[arg(required_unless_present = "list")]
    sql: Option<String>,

    /// Only what is from this time on (2026-11-21T08:00:00Z, 2026-11-21, or 24h for 24 hours ago); or NAME=PATH: ask the
    /// file or folder PATH by this NAME (Parquet, Delta, EVTX, W3C logs, JSON lines, CSV)
    #[arg(
        long,
        value_name = "TIME|NAME=PATH",
        allow_hyphen_values = true,
        help_heading = "What is asked"
    )]
    from: Vec<String>,

    /// Only what is before this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "What is asked"
    )]
    to: Option<String>,

    /// The zone that times are shown in, and that times without one are in: Europe/Berlin, +05:30, or `local`
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        value_parser = zone,
        allow_hyphen_values = true,
        help_heading = "What is asked"
    )]
    tz: TimeZone,

    /// Say what tables, views and functions there are
    #[arg(long, conflicts_with_all = ["sql", "explain", "output_file"], help_heading = "What is asked")]
    list: bool,

    /// Say how the question would be answered: what is read, in which order
    #[arg(long, help_heading = "What is asked")]
    explain: bool,

    /// Print at most so many rows
    #[arg(long, value_name = "N", help_heading = "Bounds")]
    max_rows: Option<u64>,

    /// End a query that runs longer [default: none; the service's own is five minutes]
    #[arg(long, value_name = "SPAN", value_parser = span, help_heading = "Bounds")]
    timeout: Option<Duration>,

    /// End a query with which this command takes more memory; three quarters of it are for sorting and grouping, or what
    /// the service allows
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1 GiB",
        help_heading = "Bounds"
    )]
    max_memory: ByteSize,

    /// The form of the output [default: table on a terminal, ndjson elsewhere]
    #[arg(long, value_enum, value_name = "FORM", help_heading = "Output")]
    output: Option<Form>,

    /// Write into this file, which is there when all of it is; one that is there is replaced
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    output_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let From { time, sources } = From::read(&args.from)?;
    let time = TimeArgs::new(time, args.to.clone(), args.tz.clone());
    let range = time.range(Timestamp::now())?;
    let form = Form::of(
        args.output,
        args.output_file.as_deref(),
        &invocation.terminal,
    )?;
    let limits = QueryLimits {
        memory_bytes: pool_bytes(args.max_memory),
        rows: args.max_rows,
        time: args.timeout,
        period: Period {
            from: range.from,
            to: range.to,
        },
        ..QueryLimits::default()
    };
    invocation.start_log();
    let is_about_azure = args.sql.as_deref().is_some_and(names_azure);
    let mut files = match sources.is_empty() && !is_about_azure {
        true => None,
        false => Some(Files::find(&sources, Arc::new(events::Evtx))?),
    };
    if is_about_azure {
        let accounts = Accounts::of(&invocation.loader.load(Need::Defaults)?)?;
        files = files.map(|files| files.and_azure(Arc::new(accounts)));
    }
    if args.list {
        let form = form.of_rows()?;
        list::table(files.as_ref()).write(out, form, &invocation.terminal)?;
        return Ok(Code::Ok);
    }
    let question = Question {
        sql: match args.explain {
            true => format!("explain {}", args.sql.as_deref().unwrap_or_default()),
            false => args.sql.clone().unwrap_or_default(),
        },
        is_explained: args.explain,
        limits,
        form,
        file: args.output_file.clone(),
        layout: Layout {
            zone: args.tz.clone(),
            width: invocation
                .terminal
                .stdout_is_terminal
                .then_some(invocation.terminal.width),
        },
    };
    let runtime = super::runtime()?;
    let ended = runtime.block_on(async {
        let bounds = bounds::watch(args.max_memory)?;
        tokio::select! {
            // Whoever sees that the query runs can interrupt it.
            biased;
            ended = bounds.ended() => match ended {
                Ended::Interrupted => Ok(Code::Interrupted),
                Ended::Memory(why) => Err(why.into()),
            },
            code = answer(&question, files.as_ref(), invocation, out) => code,
        }
    });
    // What still runs would be waited for.
    runtime.shutdown_background();
    ended
}

/// What is for sorting and grouping of all the memory that a query may take.
fn pool_bytes(most: ByteSize) -> usize {
    usize::try_from(most.bytes() / 4 * 3).unwrap_or(usize::MAX)
}

/// What is asked, and how it is to be told.
struct Question {
    sql: String,
    is_explained: bool,
    limits: QueryLimits,
    form: Form,
    file: Option<PathBuf>,
    layout: Layout,
}

async fn answer(
    question: &Question,
    files: Option<&Files>,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let file = question.file.as_deref().map(Pending::make).transpose()?;
    let (rows, code) = match files {
        Some(files) => {
            let rows = files.query(&question.sql, question.limits).await;
            (rows.map_err(|error| explain(error.into()))?, Code::Ok)
        }
        None => {
            let config = invocation.loader.load(Need::Defaults)?;
            let mut asker = Asker::open(&config).await?;
            asker.query(&question.sql, question.limits).await?.told()?
        }
    };
    let rows = wait(rows.on_its_own(), files, &invocation.terminal).await;
    let unread = rows.unread();
    write(question, rows, file, out).await?;
    let (unread, notes) = (unread.all(), unread.notes());
    if unread.is_empty() && notes.is_empty() {
        return Ok(code);
    }
    tell(&unread, &notes, &mut io::stderr().lock())?;
    Ok(Code::Partial)
}

/// Waits for the first rows, and shows that, and of files how far they are read.
async fn wait(rows: QueryOutput, files: Option<&Files>, terminal: &Terminal) -> QueryOutput {
    let all = files.map_or(0, |files| files.progress().1);
    let bar = match all {
        0 => progress::spinner(terminal),
        all => progress::bytes(terminal, all),
    };
    let mut begun = pin!(rows.begun());
    let rows = loop {
        tokio::select! {
            rows = &mut begun => break rows,
            () = tokio::time::sleep(LOOK) => {
                // A file that is asked by two names is read twice.
                let done = files.map_or(0, |files| files.progress().0);
                bar.set_position(done.min(all));
            }
        }
    };
    bar.finish_and_clear();
    rows
}

async fn write(
    question: &Question,
    rows: QueryOutput,
    file: Option<Pending>,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let written = match file {
        Some(file) => file.write(rows, question.form, &question.layout).await,
        None if question.is_explained && question.form == Form::Table => {
            return target::plan(rows, out).await;
        }
        None => {
            let form = question.form.of_rows()?;
            let written = rows.write(form.into(), &question.layout, out).await;
            written.map_err(Into::into)
        }
    };
    let written = written.map_err(explain)?;
    if written.truncated {
        let rows = written.rows;
        writeln!(io::stderr(), "only the first {rows} rows (--max-rows)")?;
    }
    Ok(())
}

/// Says what of the files could not be read, and what else an answer lacks.
pub(super) fn tell(unread: &[Unread], notes: &[&str], out: &mut dyn Write) -> io::Result<()> {
    for note in notes {
        writeln!(out, "{note}")?;
    }
    let (damaged, unread): (Vec<&Unread>, Vec<&Unread>) =
        unread.iter().partition(|unread| unread.count == 0);
    if let Some(said) = asker::damaged(&damaged) {
        writeln!(out, "{said}")?;
    }
    for unread in unread.iter().take(TOLD_FILES) {
        let Unread {
            file,
            count,
            place,
            reason,
        } = unread;
        let file = file.display().to_string();
        let (file, place, reason) = (escape(&file), escape(place), escape(reason));
        writeln!(
            out,
            "{file}: {count} could not be read and are not in the answer, the first at {place}: {reason}"
        )?;
    }
    if let Some(more) = unread
        .len()
        .checked_sub(TOLD_FILES)
        .filter(|more| *more > 0)
    {
        let count: u64 = unread[TOLD_FILES..].iter().map(|unread| unread.count).sum();
        writeln!(out, "{more} more files: {count} could not be read")?;
    }
    Ok(())
}

/// Wrong usage, in these words.
fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}
