//! `windrow import`

pub(super) mod files;
mod forward;
mod read;
mod summary;

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use windrow_formats::text::Chain;
use windrow_lake::{Appended, FileTable, Lake, LakeError, Rows};

use self::files::Files;
use self::forward::Forwarder;
use self::read::{Forward, Into, Reader};
use self::summary::Summary;
use super::time::zone;
use super::{Invocation, Out};
use crate::config::{Need, checked};
use crate::datadir::{DataDir, Purpose};
use crate::exit::{Code, UsageError};
use crate::lake_place;
use crate::output::{SummaryFormat, SummaryOutput, Terminal};
use crate::retention;

/// Groups of rows that wait for the lake while the next one is read.
const GROUPS_WAITING_MAX: usize = 1;

/// Take event log files (EVTX) and logs of web servers (W3C) into the lake, and say what is in them
///
/// A folder means every .evtx file in it and below, and every .log file that begins as IIS writes them: requests go into
/// the table iis. The same events are taken once, however often and in whichever file they come, and the lines of a log
/// that is still written to as well. A damaged file gives what can be read of it; the summary names the rest, and the exit code is 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow import Security.evtx
  windrow import /mnt/disk/Windows/System32/winevt/Logs
  windrow import --forward Security.evtx         to the syslog receivers too
  windrow import /mnt/disk/inetpub/logs/LogFiles requests, into the table iis
  windrow import --machine web01 LogFiles        one server of a farm
  windrow import --output json *.evtx | jq .events

Then: windrow query \"select * from events order by time desc limit 10\"")]
pub(super) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Pass the events through the journal to the configured sinks too, also those the lake has already
    #[arg(long)]
    forward: bool,

    /// The machine whose web server's logs these are: like lines of other machines are then other requests
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,

    /// The zone that times of the summary are shown in
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone, allow_hyphen_values = true)]
    tz: TimeZone,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    if !config.lake.enabled {
        let message = "the lake is switched off ([lake] enabled = false)";
        return Err(UsageError(message.to_owned()).into());
    }
    let files = files::find(&args.paths, files::Wanted::AllLogs)?;
    let forward = if args.forward {
        Forward::Yes
    } else {
        Forward::No
    };
    let stop = CancellationToken::new();
    let how = read::How {
        forward,
        machine: args.machine.clone(),
    };
    let importing = import(&config, files, how, stop.clone(), invocation.terminal);
    let summary = super::runtime()?.block_on(importing)?;
    match args.output.output {
        SummaryFormat::Table => summary.write_text(out, &args.tz, &invocation.terminal)?,
        SummaryFormat::Json => summary.write_json(out)?,
    }
    Ok(match summary.is_partial() {
        _ if stop.is_cancelled() => Code::Interrupted,
        true => Code::Partial,
        false => Code::Ok,
    })
}

/// Reads and commits, each while the other does. Ctrl-C or SIGTERM ends the reading; what was read until then is kept.
async fn import(
    config: &checked::Config,
    files: Files,
    how: read::How,
    stop: CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let data_dir = DataDir::open(&config.data_dir, Purpose::Write)?;
    let lake = Lake::open(lake_place::of(&config.lake, &data_dir)?).await?;
    // What was left uncounted is counted while the lake's log still says what it was.
    roll_up(&lake).await;
    let mut forwarder = match how.forward {
        Forward::Yes => Some(Forwarder::start(config).await?),
        Forward::No => None,
    };
    let (sender, mut groups) = mpsc::channel(GROUPS_WAITING_MAX);
    let progress = read::bar(&files, &terminal);
    let reader = Reader::new(progress.clone(), stop.clone(), sender, how);
    let reading = tokio::task::spawn_blocking(move || reader.run(&files));
    let on_interrupt = tokio::spawn(cancel_on_interrupt(stop.clone()));
    let retention = retention::of(&config.lake);
    let (mut events, mut requests, mut expired) = ((0, 0), (0, 0), 0);
    while let Some(group) = groups.recv().await {
        let table = match group.table {
            Into::Events => "events",
            Into::Requests => "iis",
        };
        // They would go the next time something expires, and come again with the next import.
        let today = Offset::UTC.to_datetime(Timestamp::now()).date();
        let (kept, over) = group.rows.without_expired(table, &retention, today)?;
        expired += over;
        let rows = kept.len() as u64;
        let added = add(&lake, group.table, kept).await?;
        let counted = match group.table {
            Into::Events => &mut events,
            Into::Requests => &mut requests,
        };
        counted.0 += added;
        counted.1 += rows - added;
        if let Some(forwarder) = &mut forwarder {
            for batch in group.batches {
                forwarder.send(batch.bytes, &stop).await?;
            }
        }
    }
    let mut summary = reading.await?;
    roll_up(&lake).await;
    if let Some(forwarder) = forwarder {
        summary.delivery = Some(forwarder.finish(&progress, &stop).await);
    }
    on_interrupt.abort();
    progress.finish_and_clear();
    (summary.new, summary.known) = events;
    (summary.requests.new, summary.requests.known) = requests;
    summary.expired = expired;
    summary.took = begun.elapsed();
    Ok(summary)
}

/// Adds rows that a table does not have; how many those are. There is no transaction: what the lake has says what is new. What
/// was left out, has expired, or was in a damaged file that was taken out comes again.
async fn add(lake: &Lake, table: Into, rows: Rows) -> Result<u64, LakeError> {
    let appended = match table {
        Into::Events => lake.append_new(rows, None).await?,
        Into::Requests => {
            lake.append_of_files(FileTable::Requests, rows, None)
                .await?
        }
    };
    Ok(match appended {
        Appended::Committed { rows, .. } => rows,
        Appended::Already { .. } | Appended::Nothing => 0,
    })
}

/// Brings the counts up to date. The events are in without it, and the next one who can brings them up to date.
async fn roll_up(lake: &Lake) {
    if let Err(error) = lake.roll_up().await {
        tracing::warn!(error = %Chain(&error), "cannot bring the lake's event_counts up to date");
    }
}

async fn cancel_on_interrupt(stop: CancellationToken) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => stop.cancel(),
        Some(()) = terminate.recv() => stop.cancel(),
        else => {}
    }
}
