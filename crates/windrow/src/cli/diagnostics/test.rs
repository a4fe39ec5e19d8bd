//! `windrow diagnostics test`

use serde::Serialize;
use windrow_pipeline::sinks::azure_blob;
use windrow_pipeline::sinks::azure_table::probe::{Probed, Step};

use super::super::remote::Asked;
use super::super::subscription::test::{self as events, Report};
use super::super::time::TimeArgs;
use super::super::verbs::ask;
use super::super::{Invocation, Out, runtime};
use crate::admin::{Answer, DiagnosticsTested, Folder, Named, Request};
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput, about, escape, escape_json, thousands, time_ms};
use crate::service::Subscribers;

/// Test a configuration that is in force, without waiting for data to flow
///
/// Each of its data sources is asked the newest events that are stored: how many it takes, and the newest of them. Machines
/// that have its subscription are named, and which of them are silent. In each of its tables a row is written, read back and
/// taken away: under a PartitionKey that comes before all others, so that no reader of the last minutes meets it. The same
/// is done with a blob in each of its containers, and of the folders in which files arrive it is said whose are there. Exit
/// code 1 when a table takes no row or a container no blob, or when events are stored and none is taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics test --name shop
  windrow diagnostics test --name shop --from 24h
  windrow diagnostics test --name shop --output json | jq .tables")]
pub(super) struct Args {
    /// Its name
    #[arg(long, value_name = "NAME")]
    name: String,

    /// How many stored events are looked at: the newest, and more where several happened at once
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    newest: u64,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    output: SummaryOutput,
}

/// All that a test has found.
#[derive(Serialize)]
struct Found {
    /// Of stored events; absent where none can be asked.
    events: Option<Report>,
    #[serde(flatten)]
    tested: DiagnosticsTested,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let name = args.name.clone();
    let request = Request::DiagnosticsTest(Named { name });
    let here = invocation.remote.asked(invocation.loader.environment()) != Asked::Another;
    let (found, is_whole) = runtime()?.block_on(async {
        let answer = ask(invocation, request).await?;
        let Answer::DiagnosticsTested(tested) = answer else {
            anyhow::bail!("an answer to something else: {answer:?}");
        };
        let (mut events, mut is_whole) = (None, true);
        // Another machine's endpoint shows no stored events.
        if let Some(query) = tested.query.clone().filter(|_| here) {
            let (title, newest) = (tested.name.clone(), args.newest);
            let asked = events::of_stored(title, query, newest, &args.time, invocation).await?;
            (events, is_whole) = (Some(asked.0), asked.1);
        }
        let tested = *tested;
        Ok::<_, anyhow::Error>((Found { events, tested }, is_whole))
    })?;
    match args.output.output {
        SummaryFormat::Json => {
            let json = serde_json::to_string_pretty(&found)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
        SummaryFormat::Table => show(&found, args, invocation, out)?,
    }
    let is_asked = |events: &Report| events.events > 0 && events.selected == 0;
    Ok(match found.tested.passed {
        false => Code::Negative,
        true if !is_whole => Code::Partial,
        true if found.events.as_ref().is_some_and(is_asked) => Code::Negative,
        true => Code::Ok,
    })
}

fn show(
    found: &Found,
    args: &Args,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let paint = invocation.terminal.paint();
    if let Some(report) = &found.events {
        events::print(report, &args.time.tz, &invocation.terminal, out)?;
        writeln!(out)?;
    }
    let tested = &found.tested;
    if let Some(machines) = &tested.machines {
        writeln!(out, "{}", paint.bold("machines"))?;
        show_machines(machines, args, out)?;
    }
    for table in &tested.tables {
        writeln!(out, "{}", paint.bold(&escape(&table.table)))?;
        writeln!(out, "  {}", said(table))?;
        for failed in &table.failed {
            let line = format!("failed to {}: {}", verb(failed.step), failed.error);
            writeln!(out, "  {}", paint.red(&escape(&line)))?;
        }
    }
    for container in &tested.containers {
        writeln!(out, "{}", paint.bold(&escape(&container.container)))?;
        writeln!(out, "  {}", said_of_container(container))?;
        for failed in &container.failed {
            let line = format!("failed to {}: {}", verb(failed.step), failed.error);
            writeln!(out, "  {}", paint.red(&escape(&line)))?;
        }
    }
    for folder in &tested.folders {
        writeln!(out, "{}", paint.bold(&escape(&folder.path)))?;
        show_folder(folder, invocation, out)?;
    }
    for undone in &tested.undone {
        let line = format!("not done: {undone}");
        writeln!(out, "{}", paint.yellow(&escape(&line)))?;
    }
    Ok(())
}

fn show_machines(machines: &Subscribers, args: &Args, out: &mut Out<'_>) -> anyhow::Result<()> {
    let last = machines.last_events.map_or_else(String::new, |at| {
        format!(", the last {}", time_ms(at, &args.time.tz))
    });
    writeln!(
        out,
        "  {} have the subscription, {} as it is now; {} events since the start{last}",
        thousands(machines.machines),
        thousands(machines.current),
        thousands(machines.events),
    )?;
    for silent in machines
        .by_machine
        .iter()
        .filter(|machine| machine.events == 0)
    {
        let why = match (silent.current, silent.taken_up) {
            (false, _) => "has not asked since the configuration changed",
            (true, false) => "was offered it and has sent nothing yet",
            (true, true) => "has sent signs of life and no event",
        };
        writeln!(out, "  silent: {} {why}", escape(&silent.name))?;
    }
    Ok(())
}

fn show_folder(folder: &Folder, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<()> {
    if let Some(trouble) = &folder.trouble {
        let line = invocation.terminal.paint().red(&escape(trouble));
        return Ok(writeln!(out, "  {line}")?);
    }
    let machines = match &folder.machines[..] {
        [] => "of no machine yet".to_owned(),
        machines => format!("of {}", machines.join(", ")),
    };
    let (files, bytes) = (thousands(folder.files), about(folder.bytes));
    Ok(writeln!(
        out,
        "  {files} files, {bytes}, {}",
        escape(&machines)
    )?)
}

fn said_of_container(container: &azure_blob::probe::Probed) -> &'static str {
    match &*container.done {
        [.., Step::Read, Step::Remove] => {
            "takes files: a blob was put there, read back and taken away"
        }
        _ if container.takes_files() => "takes files: a blob was put there",
        _ => "takes no files",
    }
}

fn said(table: &Probed) -> &'static str {
    match &*table.done {
        [.., Step::Read, Step::Remove] => "takes rows: one was written, read back and taken away",
        _ if table.takes_rows() => "takes rows: one was written",
        _ => "takes no rows",
    }
}

fn verb(step: Step) -> &'static str {
    match step {
        Step::Make => "make it",
        Step::Write => "write to it",
        Step::Read => "read it back",
        Step::Remove => "take it away",
    }
}
