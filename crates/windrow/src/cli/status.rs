//! `windrow status`

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use windrow_lake::Extent;

use super::reach::{Aim, Reached, reach};
use super::{Invocation, Out};
use crate::client::Client;
use crate::config::checked;
use crate::datadir;
use crate::exit::Code;
use crate::fleet::{Totals, Verdict};
use crate::folder::{self, Folder};
use crate::lake_place;
use crate::output::{
    Paint, SummaryFormat, SummaryOutput, about, ago, escape, escape_json, thousands, time,
};
use crate::status::{Directory, Journal, Lake, Sink, Source, Status, WadStorage};

/// Say how the service is: sources, journal, sinks, lake
///
/// Without a running service it says what the data folder holds; the exit code is then 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow status
  windrow status --output json | jq .sinks")]
pub(super) struct Args {
    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    if let Some(target) = invocation.remote.target(invocation.loader.environment())? {
        invocation.start_log();
        return super::runtime()?.block_on(async {
            let mut service = Client::connect_to(&target).await?;
            show(&mut service, args, invocation, out).await
        });
    }
    invocation.start_log();
    super::runtime()?.block_on(async {
        let config = match reach(invocation, Aim::Ask).await? {
            Reached::Service(mut service) => {
                return show(&mut service, args, invocation, out).await;
            }
            Reached::AtRest(config) => config,
        };
        let at_rest = AtRest::look(&config).await?;
        match args.output.output {
            SummaryFormat::Table => at_rest.write_text(out)?,
            SummaryFormat::Json => write_json(&at_rest, out)?,
        }
        Ok(Code::Negative)
    })
}

/// What a running service says of itself.
async fn show(
    service: &mut Client,
    args: &Args,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let json = service.get("/v1/status").await;
    let json = json.map_err(super::verbs::refused_there)?;
    match args.output.output {
        SummaryFormat::Table => {
            let status: Status = serde_json::from_slice(&json)?;
            write_text(&status, invocation.terminal.paint(), out)?;
        }
        SummaryFormat::Json => {
            write_json(&serde_json::from_slice::<serde_json::Value>(&json)?, out)?
        }
    }
    Ok(Code::Ok)
}

fn write_json(value: &impl Serialize, out: &mut Out<'_>) -> anyhow::Result<()> {
    Ok(writeln!(
        out,
        "{}",
        escape_json(&serde_json::to_string_pretty(value)?)
    )?)
}

/// What a data folder holds while no service runs on it.
#[derive(Debug, Serialize)]
struct AtRest {
    running: bool,
    data_dir: String,
    lake: LakeAtRest,
    journal: JournalAtRest,
}

#[derive(Debug, Serialize)]
struct LakeAtRest {
    events: u64,
    files: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct JournalAtRest {
    /// Events that the lake does not have yet.
    waiting_events: u64,
    bytes: u64,
}

impl AtRest {
    async fn look(config: &checked::Config) -> anyhow::Result<AtRest> {
        let data_dir = &config.data_dir;
        let opened = folder::open(data_dir)?;
        let place = lake_place::of(&config.lake, &opened)?;
        let folder = Folder::open(&opened, place).await?;
        if let Some(said) = folder.missing.said() {
            tracing::warn!("{said}");
        }
        let Extent {
            rows, files, bytes, ..
        } = folder.lake.extent().await?;
        let waiting = folder
            .tail
            .rows
            .iter()
            .map(windrow_lake::Rows::len)
            .sum::<usize>();
        Ok(AtRest {
            running: false,
            data_dir: data_dir.display().to_string(),
            lake: LakeAtRest {
                events: rows,
                files,
                bytes,
            },
            journal: JournalAtRest {
                waiting_events: waiting as u64,
                bytes: datadir::folder_bytes(&opened.journal()),
            },
        })
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "no service runs on {}", self.data_dir)?;
        let LakeAtRest {
            events,
            files,
            bytes,
        } = self.lake;
        writeln!(
            out,
            "lake      {} events in {} files, {}",
            thousands(events),
            thousands(files),
            about(bytes)
        )?;
        let waiting = thousands(self.journal.waiting_events);
        writeln!(
            out,
            "journal   {}, {waiting} events wait for the lake",
            about(self.journal.bytes)
        )
    }
}

/// A status for people, in a few lines.
pub(super) fn write_text(status: &Status, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let up_s = (status.now.as_second() - status.started_at.as_second()).max(0);
    writeln!(
        out,
        "{}",
        paint.bold(&format!("windrow {}, up for {}", status.version, ago(up_s)))
    )?;
    write_configuration(status, paint, out)?;
    let journal = &status.journal;
    let pressure = match journal.pressure.as_str() {
        "normal" => paint.green("normal"),
        "full" => paint.red("full"),
        other => paint.yellow(&escape(other)),
    };
    let (used, quota) = (about(journal.bytes), about(journal.quota_bytes));
    writeln!(
        out,
        "journal   {} events, {used} of {quota}, {pressure}",
        thousands(journal.durable_seq)
    )?;
    if let Some(folder) = &journal.full_disk {
        let text = format!(
            "the disk of {} is full: machines are refused until it has room",
            escape(folder)
        );
        writeln!(out, "          {}", paint.red(&text))?;
    }
    if journal.damaged_frames + journal.dropped_events > 0 {
        let (damaged, dropped) = (
            thousands(journal.damaged_frames),
            thousands(journal.dropped_events),
        );
        let lost = format!("{damaged} frames damaged, {dropped} events dropped by the quota");
        writeln!(out, "          {}", paint.red(&lost))?;
    }
    match &status.lake {
        Some(lake) => write_lake(lake, journal, paint, out)?,
        None => writeln!(out, "lake      off")?,
    }
    if let Some(endpoint) = &status.endpoint {
        writeln!(out, "endpoint  open at https://{}", escape(endpoint))?;
    }
    if let Some(machines) = status.machines.filter(|machines| machines.machines() > 0) {
        write_machines(&machines, paint, out)?;
    }
    for (name, source) in &status.sources {
        write_source(name, source, paint, out)?;
    }
    for (name, folder) in &status.directories {
        write_directory(name, folder, status.now, paint, out)?;
    }
    for (name, source) in &status.wad_storage {
        write_wad_storage(name, source, status.now, paint, out)?;
    }
    for (name, sink) in &status.sinks {
        write_sink(name, sink, status.now, paint, out)?;
    }
    Ok(())
}

fn write_lake(lake: &Lake, journal: &Journal, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "lake      {} events in {} commits since the start, {} wait for the next",
        thousands(lake.events),
        thousands(lake.commits),
        thousands(lake.tail_events)
    )?;
    let Some(reason) = &lake.degraded else {
        return Ok(());
    };
    if lake.away {
        writeln!(out, "          {}", paint.red(&escape(reason)))?;
        let waiting = journal.durable_seq.saturating_sub(lake.position);
        return writeln!(
            out,
            "          it is tried again; queries are refused until then, and {} events wait in the journal",
            thousands(waiting)
        );
    }
    let in_journal_from = lake.visible_seq.max(journal.oldest_seq.saturating_sub(1));
    let dropped = in_journal_from - lake.visible_seq;
    let (seen, unseen) = (
        thousands(lake.visible_seq),
        thousands(journal.durable_seq.saturating_sub(in_journal_from)),
    );
    writeln!(out, "          {}", paint.red(&escape(reason)))?;
    if dropped > 0 {
        let lost = format!(
            "{} events were dropped before it had them",
            thousands(dropped)
        );
        writeln!(out, "          {}", paint.red(&lost))?;
    }
    writeln!(
        out,
        "          it is tried again; queries see events up to {seen}, {unseen} later ones wait in the journal"
    )
}

fn write_configuration(status: &Status, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let configuration = &status.configuration;
    let file = configuration
        .file
        .as_deref()
        .unwrap_or("none, the defaults hold");
    let loaded = time(rounded(configuration.loaded_at), &TimeZone::UTC);
    let changed = match (configuration.changed_on_disk, &configuration.refused) {
        (false, None) => String::new(),
        (true, None) => paint.yellow(", changed on disk since: SIGHUP takes it up"),
        (_, Some(refused)) => {
            let at = time(rounded(refused.at), &TimeZone::UTC);
            let reason = refused.reason.lines().next().unwrap_or_default();
            let reason = escape(reason);
            paint.yellow(&format!(
                ", a newer one was refused at {at}: {reason}; `windrow check` says more"
            ))
        }
    };
    writeln!(
        out,
        "config    {}, taken up {loaded}{changed}",
        escape(file)
    )?;
    let on_disk = configuration.settings_on_disk;
    if configuration.settings == 0 && on_disk == Some(0) {
        return Ok(());
    }
    let odd = match on_disk {
        Some(number) if number == configuration.settings => String::new(),
        Some(number) => paint.yellow(&format!(
            ", generation {number} on disk: SIGHUP takes it up"
        )),
        None => paint.yellow(", those on disk cannot be read"),
    };
    writeln!(
        out,
        "          settings by command: generation {}{odd}",
        configuration.settings
    )
}

fn write_source(name: &str, source: &Source, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{}  {}",
        paint.bold(&format!("source {}", escape(name))),
        escape(&source.listen)
    )?;
    writeln!(
        out,
        "  {} machines, {} connections, {} events in {} batches",
        thousands(source.machines),
        thousands(source.connections),
        thousands(source.events),
        thousands(source.batches)
    )?;
    if source.refused > 0 {
        writeln!(out, "  {}", paint.yellow(&refused(source)))?;
    }
    if source.machines == 0 {
        writeln!(
            out,
            "  nobody has called yet: see what group policy's Server= says, and the port from outside"
        )?;
    }
    Ok(())
}

/// The machines in a line, worst first.
fn write_machines(machines: &Totals, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let counted = Verdict::ALL
        .into_iter()
        .filter(|verdict| machines.of(*verdict) > 0);
    let words: Vec<String> = counted
        .map(|verdict| {
            let words = format!("{} {verdict}", thousands(machines.of(verdict)));
            paint_verdict(verdict, &words, paint)
        })
        .collect();
    let hint = match machines.machines() == machines.alive {
        true => "",
        false => "; `windrow sources` says why",
    };
    writeln!(out, "machines  {}{hint}", words.join(", "))
}

/// A verdict in its colour.
pub(super) fn paint_verdict(verdict: Verdict, words: &str, paint: Paint) -> String {
    match verdict {
        Verdict::Failing | Verdict::Never => paint.red(words),
        Verdict::Silent | Verdict::Late => paint.yellow(words),
        Verdict::Alive => paint.green(words),
    }
}

/// How often and why, most frequent first.
fn refused(source: &Source) -> String {
    let mut reasons: Vec<_> = source.refused_by_reason.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<String> = (reasons.into_iter())
        .map(|(name, count)| format!("{} {}", thousands(*count), escape(name)))
        .collect();
    format!(
        "{} refused: {}; `windrow sources` says who and what helps",
        thousands(source.refused),
        reasons.join(", ")
    )
}

fn write_wad_storage(
    name: &str,
    source: &WadStorage,
    now: Timestamp,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(
        out,
        "\n{}  {}",
        paint.bold(&format!("source {}", escape(name))),
        escape(&source.account)
    )?;
    write!(out, "  {} rows taken", thousands(source.rows))?;
    if let Some(taken_at) = source.taken_at {
        let ago_s = (now.as_second() - taken_at.as_second()).max(0);
        write!(out, ", the last {} ago", ago(ago_s))?;
    }
    if source.unread > 0 {
        write!(out, ", {} could not be read", thousands(source.unread))?;
    }
    writeln!(out)?;
    for table in &source.tables {
        let (name, rows) = (escape(&table.table), thousands(table.rows));
        match (&table.trouble, table.is_there, table.closed) {
            (Some(trouble), _, _) => {
                let line = format!("{name}: {}", escape(trouble));
                writeln!(out, "  {}", paint.yellow(&line))?;
            }
            (None, false, _) => writeln!(out, "  {name}: not there yet")?,
            (None, true, None) => writeln!(out, "  {name}: {rows} rows, older ones to come")?,
            (None, true, Some(_)) => writeln!(out, "  {name}: {rows} rows, up to date")?,
        }
    }
    if let Some(full) = &source.full {
        writeln!(out, "  {}", paint.red(&escape(full)))?;
    }
    Ok(())
}

fn write_directory(
    name: &str,
    folder: &Directory,
    now: Timestamp,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(
        out,
        "\n{}  {}",
        paint.bold(&format!("source {}", escape(name))),
        escape(&folder.path)
    )?;
    write!(
        out,
        "  {} files, {} taken in {} pieces",
        thousands(folder.files),
        about(folder.bytes),
        thousands(folder.pieces)
    )?;
    if let Some(taken_at) = folder.taken_at {
        let ago_s = (now.as_second() - taken_at.as_second()).max(0);
        write!(out, ", the last {} ago", ago(ago_s))?;
    }
    if folder.waiting_bytes > 0 {
        write!(out, ", {} wait", about(folder.waiting_bytes))?;
    }
    if folder.replaced > 0 {
        write!(out, ", {} files began anew", thousands(folder.replaced))?;
    }
    if folder.skipped > 0 {
        write!(out, ", {} entries passed over", thousands(folder.skipped))?;
    }
    writeln!(out)?;
    if let Some(full) = &folder.full {
        writeln!(out, "  {}", paint.red(&escape(full)))?;
    } else if let Some(trouble) = &folder.trouble {
        writeln!(out, "  {}", paint.yellow(&escape(trouble)))?;
    }
    Ok(())
}

fn write_sink(
    name: &str,
    sink: &Sink,
    now: Timestamp,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let since = sink
        .connected_since
        .map(|since| now.as_second() - since.as_second());
    let since = since.map_or_else(String::new, |for_s| format!(" for {}", ago(for_s)));
    let state = format!("{}{since}", escape(&sink.state));
    let state = if sink.state == "connected" {
        paint.green(&state)
    } else {
        paint.yellow(&state)
    };
    let level = match sink.confirmation.as_str() {
        "" => String::new(),
        level => format!("  delivery {}", escape(level)),
    };
    writeln!(
        out,
        "\n{}  {}  {state}{level}",
        paint.bold(&format!("sink {}", escape(name))),
        escape(&sink.destination)
    )?;
    write!(
        out,
        "  {} sent, {} confirmed, {} sent again, {} wait, {} on the way",
        thousands(sink.sent),
        thousands(sink.confirmed),
        thousands(sink.resent),
        thousands(sink.lag_events),
        thousands(sink.unconfirmed_events)
    )?;
    if let Some(seconds) = sink.lag_seconds {
        write!(out, ", the oldest for {}", ago(seconds))?;
    }
    if sink.filtered > 0 {
        write!(out, ", {} not for it", thousands(sink.filtered))?;
    }
    if sink.dropped > 0 {
        write!(
            out,
            ", {} dropped before it got them",
            thousands(sink.dropped)
        )?;
    }
    if sink.skipped > 0 {
        write!(out, ", {} left out", thousands(sink.skipped))?;
    }
    if sink.truncated > 0 {
        write!(
            out,
            ", {} cut to the size allowed",
            thousands(sink.truncated)
        )?;
    }
    writeln!(out)?;
    if let Some(error) = &sink.last_error {
        writeln!(out, "  last error: {}", escape(error))?;
    }
    for warning in &sink.warnings {
        writeln!(out, "  warning: {}", escape(warning))?;
    }
    Ok(())
}

fn rounded(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_deserves_a_look() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "started_at": "2026-11-21T08:00:00Z", "now": "2026-11-21T11:12:00Z",
            "configuration": {"file": "/etc/windrow/windrow.toml", "generation": 2,
                "loaded_at": "2026-11-21T09:00:00.123Z", "changed_on_disk": true, "settings": 7, "settings_on_disk": 8},
            "journal": {"durable_seq": 1_234_567, "bytes": 1_200_000_000u64, "quota_bytes": 10_000_000_000u64,
                "pressure": "full", "full_disk": "/srv/windrow/journal", "damaged_frames": 1, "dropped_events": 0},
            "sources": {"wef.main": {"listen": "0.0.0.0:5986", "machines": 2, "connections": 1, "events": 1_234_000,
                "batches": 24_680, "refused": 3, "refused_by_reason": {"bad_certificate": 1, "too_large": 2}, "by_machine": [
                    {"name": "ws01.corp.example", "address": "192.0.2.1", "last_enumerate": "2026-11-21T08:01:00Z",
                     "last_heartbeat": "2026-11-21T08:10:00Z", "last_event": null, "events": 0},
                    {"name": "dc01\u{1b}[2J", "address": null, "last_enumerate": "2026-11-21T11:00:00Z",
                     "last_heartbeat": null, "last_event": "2026-11-21T11:11:00Z", "events": 1_234_000}]}},
            "sinks": {"syslog.siem": {"state": "waiting", "destination": "tls://siem:6514", "connected_since": null,
                "confirmed_seq": 1_200_000, "lag_events": 34_567, "unconfirmed_events": 100, "sent": 1_200_200, "confirmed": 1_200_000, "resent": 100, "truncated": 7,
                "last_error": "connection refused", "warnings": ["nothing marks the end of a message in the stream"]}},
            "machines": {"failing": 1, "never": 0, "silent": 2, "late": 0, "alive": 1_200},
            "lake": {"position": 1_234_000, "tail_events": 567, "visible_seq": 1_234_500, "events": 1_234_000, "commits": 42,
                "degraded": "events cannot be written to the lake: no space"}
        }))
        .unwrap();
        let mut out = Vec::new();
        write_text(&status, Paint::PLAIN, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        windrow 0.1.0, up for 3h 12m
        config    /etc/windrow/windrow.toml, taken up 2026-11-21T09:00:00Z, changed on disk since: SIGHUP takes it up
                  settings by command: generation 7, generation 8 on disk: SIGHUP takes it up
        journal   1 234 567 events, 1.2 GB of 10 GB, full
                  the disk of /srv/windrow/journal is full: machines are refused until it has room
                  1 frames damaged, 0 events dropped by the quota
        lake      1 234 000 events in 42 commits since the start, 567 wait for the next
                  events cannot be written to the lake: no space
                  it is tried again; queries see events up to 1 234 500, 67 later ones wait in the journal
        machines  1 failing, 2 silent, 1 200 alive; `windrow sources` says why

        source wef.main  0.0.0.0:5986
          2 machines, 1 connections, 1 234 000 events in 24 680 batches
          3 refused: 2 too_large, 1 bad_certificate; `windrow sources` says who and what helps

        sink syslog.siem  tls://siem:6514  waiting
          1 200 200 sent, 1 200 000 confirmed, 100 sent again, 34 567 wait, 100 on the way, 7 cut to the size allowed
          last error: connection refused
          warning: nothing marks the end of a message in the stream
        ");
    }
}
