//! `windrow diagnostics show`

use std::path::PathBuf;

use windrow_formats::wad::{
    CrashDumps, DiagnosticMonitorConfiguration, Directories, DirectoryConfiguration, EtwProvider,
    LogLevel, SampleRate, TransferPeriod,
};

use super::super::{Invocation, Out};
use super::files;
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table};

/// Show what a configuration collects, a line each: what, how often it is transferred, and where it goes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics show diagnostics.wadcfgx
  windrow diagnostics show settings.json --output csv")]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let (configuration, _) = files::read_sound(&args.file)?;
    let terminal = &invocation.terminal;
    let format = args.output.format(terminal);
    let public = configuration.public.unwrap_or_default();
    let mut rows = Rows::default();
    if let Some(wad_cfg) = &public.wad_cfg {
        collected(&wad_cfg.monitor, &mut rows);
    }
    if format == Format::Table && rows.table.is_empty() {
        writeln!(out, "nothing is collected")?;
        return Ok(Code::Ok);
    }
    rows.table.write(out, format, terminal)?;
    Ok(Code::Ok)
}

/// What is collected, a row each.
struct Rows {
    table: Table,
}

impl Default for Rows {
    fn default() -> Self {
        let columns = vec![
            Column::Left("kind"),
            Column::Left("what"),
            Column::Right("minutes"),
            Column::Left("level"),
            Column::Left("goes_to"),
        ];
        Self {
            table: Table::new(columns),
        }
    }
}

impl Rows {
    fn push(
        &mut self,
        kind: &str,
        what: &str,
        period: Option<TransferPeriod>,
        level: Option<LogLevel>,
        goes_to: &str,
    ) {
        let minutes = period.and_then(TransferPeriod::minutes);
        // What is never transferred stays on the machine.
        let goes_to = if minutes.is_none() && period_matters(kind) {
            "nowhere"
        } else {
            goes_to
        };
        self.table.push(vec![
            kind.into(),
            what.into(),
            minutes.into(),
            level.map_or(Cell::None, |level| level.as_str().into()),
            goes_to.into(),
        ]);
    }
}

/// Crash dumps are transferred when they are written.
fn period_matters(kind: &str) -> bool {
    kind != CRASH_DUMP
}

const CRASH_DUMP: &str = "crash dump";

fn collected(monitor: &DiagnosticMonitorConfiguration, rows: &mut Rows) {
    if let Some(log) = &monitor.windows_event_log {
        for source in &log.data_source {
            let what = source.name.as_str();
            rows.push(
                "event log",
                what,
                log.scheduled_transfer_period,
                None,
                "WADWindowsEventLogsTable",
            );
        }
    }
    if let Some(directories) = &monitor.directories {
        folders(directories, rows);
    }
    if let Some(counters) = &monitor.performance_counters {
        for counter in &counters.performance_counter_configuration {
            let SampleRate(rate) = counter.sample_rate;
            let what = format!(
                "{} every {} s",
                counter.counter_specifier.as_str(),
                rate.as_secs_f64()
            );
            let period = counters.scheduled_transfer_period;
            rows.push(
                "counter",
                &what,
                period,
                None,
                "WADPerformanceCountersTable",
            );
        }
    }
    if let Some(providers) = &monitor.etw_providers {
        for provider in &providers.event_source {
            etw("event source", provider, rows);
        }
        for provider in &providers.manifest {
            etw("etw provider", provider, rows);
        }
    }
    if let Some(dumps) = &monitor.crash_dumps {
        crash_dumps(dumps, rows);
    }
    if let Some(logs) = &monitor.logs {
        let level = logs.scheduled_transfer_log_level_filter;
        rows.push(
            "traces",
            "",
            logs.scheduled_transfer_period,
            level,
            "WADLogsTable",
        );
    }
    if let Some(logs) = &monitor.diagnostic_infrastructure_logs {
        let level = logs.scheduled_transfer_log_level_filter;
        let goes_to = "WADDiagnosticInfrastructureLogsTable";
        rows.push(
            "own logs",
            "",
            logs.scheduled_transfer_period,
            level,
            goes_to,
        );
    }
}

fn folders(directories: &Directories, rows: &mut Rows) {
    let period = directories.scheduled_transfer_period;
    let special = [
        ("IIS logs", &directories.iis_logs),
        ("failed requests", &directories.failed_request_logs),
    ];
    for (kind, folder) in special {
        if let Some(folder) = folder {
            rows.push(kind, "", period, None, folder.container_name.as_str());
        }
    }
    let others = directories.data_sources.iter();
    for folder in others.flat_map(|sources| &sources.directory_configuration) {
        rows.push(
            "folder",
            &path(folder),
            period,
            None,
            folder.container_name.as_str(),
        );
    }
}

fn path(folder: &DirectoryConfiguration) -> String {
    match (&folder.absolute, &folder.local_resource) {
        (Some(absolute), _) => absolute.path.as_str().to_owned(),
        (None, Some(of)) => format!("{}\\{}", of.name.as_str(), of.relative_path.as_str()),
        (None, None) => String::new(),
    }
}

fn etw(kind: &str, provider: &EtwProvider, rows: &mut Rows) {
    let period = provider.scheduled_transfer_period;
    let level = provider.scheduled_transfer_log_level_filter;
    for event in &provider.event {
        let what = format!("{} event {}", provider.provider, event.id);
        let table = event.event_destination.as_ref();
        rows.push(
            kind,
            &what,
            period,
            level,
            &table_name(table.map(|table| table.as_str())),
        );
    }
    let rest = provider.default_events.as_ref();
    let table = rest.and_then(|rest| rest.event_destination.as_ref());
    rows.push(
        kind,
        &provider.provider,
        period,
        level,
        &table_name(table.map(|table| table.as_str())),
    );
}

/// The table of events for which none is named.
fn table_name(destination: Option<&str>) -> String {
    destination.map_or("WADETWEventTable".to_owned(), |table| format!("WAD{table}"))
}

fn crash_dumps(dumps: &CrashDumps, rows: &mut Rows) {
    let container = dumps.container_name.as_ref();
    let container = container.map_or("wad-crashdumps", |name| name.as_str());
    for process in &dumps.crash_dump_configuration {
        rows.push(CRASH_DUMP, &process.process_name, None, None, container);
    }
}
