//! How machines are shown.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::Timestamp;

use super::super::status::paint_verdict;
use crate::fleet::{Channel, Detail, Machine, Reason, Report, Stranger, Subscription, Verdict};
use crate::output::{
    Cell, Column, Format, Paint, Table, Terminal, ago, escape, escape_json, thousands,
};

/// Connections of nobody's that a table shows.
const STRANGERS_SHOWN: usize = 10;
/// The widest word for a verdict.
const VERDICT_WIDTH: usize = 7;
/// The widest column of names.
const NAME_WIDTH_MAX: usize = 48;

/// Writes the machines in the form that is asked for.
pub(super) fn write(
    report: &Report,
    asked: Option<&str>,
    format: Format,
    terminal: &Terminal,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let one = match &report.machines[..] {
        [one] if one.detail.is_some() => Some(one),
        _ => None,
    };
    match (format, one) {
        (Format::Json, Some(one)) => {
            writeln!(out, "{}", escape_json(&serde_json::to_string_pretty(one)?))?;
        }
        (Format::Ndjson, Some(one)) => {
            writeln!(out, "{}", escape_json(&serde_json::to_string(one)?))?;
        }
        (Format::Table, Some(one)) => closely(one, report, terminal.paint(), out)?,
        (Format::Table, None) => lines(report, asked, terminal.paint(), out)?,
        (Format::Json | Format::Ndjson | Format::Csv, _) => {
            rows(report).write(out, format, terminal)?;
        }
    }
    Ok(())
}

fn rows(report: &Report) -> Table {
    let mut table = Table::new([
        Column::Left("verdict"),
        Column::Left("machine"),
        Column::Left("reason"),
        Column::Left("words"),
        Column::Left("cure"),
        Column::Left("expected"),
        Column::Left("listener"),
        Column::Left("address"),
        Column::Left("last_enumerate"),
        Column::Left("last_heartbeat"),
        Column::Left("last_event"),
        Column::Right("events"),
        Column::Right("events_per_second"),
        Column::Right("missing"),
        Column::Left("subscriptions"),
        Column::Left("behind"),
    ]);
    for one in &report.machines {
        let reason = |of: fn(&Reason) -> &String| one.reason.as_ref().map(|it| of(it).clone());
        let time = |at: Option<Timestamp>| Cell::from(at.map(|at| at.to_string()));
        table.push([
            Cell::from(one.verdict.map(Verdict::as_str)),
            Cell::from(one.name.as_str()),
            Cell::from(reason(|reason| &reason.code)),
            Cell::from(reason(|reason| &reason.words)),
            Cell::from(reason(|reason| &reason.cure)),
            Cell::from(one.expected),
            Cell::from(one.listener.clone()),
            Cell::from(one.address.clone()),
            time(one.last_enumerate),
            time(one.last_heartbeat),
            time(one.last_event),
            Cell::from(one.events),
            Cell::Float(one.events_per_second),
            Cell::from(one.missing),
            Cell::from(one.subscriptions.join(" ")),
            Cell::from(one.behind.join(" ")),
        ]);
    }
    table
}

/// Why no machine is shown.
pub(super) fn nobody(report: &Report, asked: Option<&str>) -> String {
    match asked {
        Some(asked) => format!(
            "no machine here is {}: none that was heard of, and none that is expected",
            escape(asked)
        ),
        None if report.totals.machines() > 0 => "no machine is so".to_owned(),
        None => "nobody has called yet, and nobody is expected: see what group policy's Server= says, and the port from outside".to_owned(),
    }
}

/// A line a machine, then what helps, then who else was refused.
fn lines(
    report: &Report,
    asked: Option<&str>,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    head(report, asked, paint, out)?;
    each(report, paint, out)?;
    let shown = report.offset + report.machines.len() as u64;
    if shown < report.found {
        let more = thousands(report.found - shown);
        writeln!(out, "and {more} more: --limit 0 shows all")?;
    }
    cures(report, paint, out)?;
    strangers(&report.strangers, paint, out)
}

/// A line each, under a line that says what is what.
fn each(report: &Report, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let (verdict, machine, heard) = ("verdict", "machine", "heard");
    let names = (report.machines.iter()).map(|one| escape(&one.name).chars().count());
    let Some(width) = names.max() else {
        return Ok(());
    };
    let width = width.clamp(machine.len(), NAME_WIDTH_MAX);
    let is_judged = report.started_at.is_some();
    let columns = match is_judged {
        true => format!("{verdict:<VERDICT_WIDTH$}  {machine:<width$}  {heard:>8}  events/s"),
        false => format!("{machine:<width$}  {heard:>8}"),
    };
    writeln!(out, "{}", paint.dim(&columns))?;
    for one in &report.machines {
        let heard = one.last_heard();
        let heard = heard.map_or_else(|| "never".to_owned(), |at| since(at, report.now));
        let name = escape(&one.name);
        let Some(verdict) = one.verdict.filter(|_| is_judged) else {
            writeln!(out, "{name:<width$}  {heard:>8}")?;
            continue;
        };
        let verdict = paint_verdict(verdict, &format!("{verdict:<VERDICT_WIDTH$}"), paint);
        let why = one.reason.as_ref().map(|reason| escape(&reason.words));
        let why = why.or_else(|| behind(one).map(Cow::Owned));
        let why = why.map_or_else(String::new, |why| format!("  {why}"));
        let rate = one.events_per_second;
        writeln!(
            out,
            "{verdict}  {name:<width$}  {heard:>8}  {rate:>8.2}{why}"
        )?;
    }
    Ok(())
}

/// What a machine that is well does not have yet.
fn behind(one: &Machine) -> Option<String> {
    let behind = one.behind.join(", ");
    let behind = escape(&behind);
    (!behind.is_empty())
        .then(|| format!("behind with {behind}: it has not asked since that changed"))
}

fn head(report: &Report, asked: Option<&str>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if report.started_at.is_none() {
        let text = "no service runs: this is when each machine was heard of last";
        writeln!(out, "{}", paint.yellow(text))?;
    }
    if report.machines.is_empty() {
        writeln!(out, "{}", nobody(report, asked))?;
    }
    if report.totals.machines() == 0 {
        return Ok(());
    }
    let totals = (Verdict::ALL.into_iter()).filter(|verdict| report.totals.of(*verdict) > 0);
    let totals: Vec<String> = totals
        .map(|verdict| format!("{} {verdict}", thousands(report.totals.of(verdict))))
        .collect();
    let machines = thousands(report.totals.machines());
    let totals = format!("{machines} machines: {}", totals.join(", "));
    writeln!(out, "{}", paint.bold(&totals))
}

/// What helps, once for each reason.
fn cures(report: &Report, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let reasons = report.machines.iter().filter_map(|one| one.reason.as_ref());
    // Of two listeners the same reason may have two: each has an authority of its own.
    let cures: BTreeSet<(&str, &str)> = reasons
        .map(|reason| (reason.code.as_str(), reason.cure.as_str()))
        .collect();
    if cures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold("what helps"))?;
    for (code, cure) in cures {
        writeln!(out, "  {}: {}", escape(code), escape(cure))?;
    }
    Ok(())
}

fn strangers(strangers: &[Stranger], paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if strangers.is_empty() {
        return Ok(());
    }
    let text = "refused, and which machine it is is not known";
    writeln!(out, "\n{}", paint.bold(text))?;
    for one in strangers.iter().take(STRANGERS_SHOWN) {
        let claims = one.claims.as_ref();
        let claims = claims.map(|name| format!(", who says it is {name}"));
        let claims = claims.unwrap_or_default();
        writeln!(
            out,
            "  from {}{}, at {}: {}",
            escape(&one.address),
            escape(&claims),
            escape(&one.listener),
            escape(&one.reason.words)
        )?;
        writeln!(out, "    {}", escape(&one.reason.cure))?;
    }
    if strangers.len() > STRANGERS_SHOWN {
        let more = thousands((strangers.len() - STRANGERS_SHOWN) as u64);
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}

/// Everything of one machine.
fn closely(one: &Machine, report: &Report, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let now = report.now;
    let verdict = one.verdict.map_or_else(String::new, |verdict| {
        paint_verdict(verdict, verdict.as_str(), paint)
    });
    writeln!(out, "{}  {verdict}", paint.bold(&escape(&one.name)))?;
    if let Some(reason) = &one.reason {
        let helps = paint.bold("what helps");
        writeln!(out, "  {}", escape(&reason.words))?;
        writeln!(out, "  {helps}: {}", escape(&reason.cure))?;
    }
    let Some(detail) = &one.detail else {
        return Ok(());
    };
    for note in &detail.notes {
        writeln!(out, "  {}", paint.yellow(&escape(&note.words)))?;
        writeln!(out, "    {}", escape(&note.cure))?;
    }
    writeln!(out)?;
    contact(one, detail, now, out)?;
    for subscription in &detail.subscriptions {
        let name = format!("subscription {}", escape(&subscription.name));
        writeln!(out, "\n{}", paint.bold(&name))?;
        self::subscription(subscription, now, out)?;
    }
    refused(detail, paint, out)?;
    strangers(&report.strangers, paint, out)
}

fn contact(one: &Machine, detail: &Detail, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |name: &str, text: Option<String>| match text {
        Some(text) => writeln!(out, "  {name:<14}{}", escape(&text)),
        None => Ok(()),
    };
    let when = |at: Option<Timestamp>| match at {
        Some(at) => format!("{} ago", since(at, now)),
        None => "never".to_owned(),
    };
    let every = detail.asks_every_seconds;
    let every = every.map(|seconds| ago(i64::try_from(seconds).unwrap_or(i64::MAX)));
    let every = every.map_or_else(String::new, |every| format!("; it asks every {every}"));
    line(
        "asked",
        Some(format!("{}{every}", when(one.last_enumerate))),
    )?;
    line("heartbeat", Some(when(one.last_heartbeat)))?;
    let (events, rate) = (thousands(one.events), one.events_per_second);
    let came = format!(
        "{}; {events} since the start, {rate:.2}/s",
        when(one.last_event)
    );
    line("events", Some(came))?;
    line("address", one.address.clone())?;
    line("calls itself", detail.machine_id.clone())?;
    line("listener", one.listener.clone())?;
    line("calls us", detail.called.clone())?;
    line("is told", detail.told.clone())?;
    let refused = thousands(detail.refused_requests);
    line(
        "refused",
        (detail.refused_requests > 0).then(|| format!("{refused} requests")),
    )?;
    line("expected", one.expected.then(|| "yes".to_owned()))
}

fn subscription(one: &Subscription, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let when = |at: Timestamp| format!("{} ago", since(at, now));
    let newest = escape(&one.newest);
    match (&one.revision, one.offered_since) {
        (Some(revision), Some(at)) => {
            let taken = match one.taken_up {
                Some(_) => "taken up",
                None => "not taken up yet",
            };
            let behind = match *revision == one.newest {
                true => String::new(),
                false => format!("; behind, {newest} is the newest"),
            };
            let (revision, at) = (escape(revision), when(at));
            writeln!(
                out,
                "  revision {revision}, first offered {at}, {taken}{behind}"
            )?;
        }
        _ => writeln!(
            out,
            "  not offered since the start; revision {newest} is the newest"
        )?,
    }
    let (events, batches) = (thousands(one.events), thousands(one.batches));
    write!(out, "  {events} events in {batches} batches")?;
    if one.duplicates > 0 {
        write!(out, ", {} came again", thousands(one.duplicates))?;
    }
    if one.dropped_by_source > 0 {
        let dropped = thousands(one.dropped_by_source);
        write!(out, ", {dropped} dropped by the machine")?;
    }
    if one.began_anew > 0 {
        let last = one.last_began_anew.map(when).unwrap_or_default();
        write!(out, ", began anew {} times, last {last}", one.began_anew)?;
    }
    if let Some(at) = one.ended {
        write!(out, ", ended {}", when(at))?;
    }
    writeln!(out)?;
    for channel in &one.channels {
        self::channel(channel, now, out)?;
    }
    Ok(())
}

fn channel(one: &Channel, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let when = |at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| format!(", last {} ago", since(at, now)))
    };
    let bookmark = one.bookmark.map_or("none".to_owned(), |id| id.to_string());
    let (name, events) = (escape(&one.name), thousands(one.events));
    let last = when(one.last_event);
    write!(out, "  {name}: bookmark {bookmark}, {events} events{last}")?;
    if one.missing > 0 {
        let (missing, gaps) = (thousands(one.missing), thousands(one.gaps));
        let last = when(one.last_gap);
        write!(out, "; {missing} missing in {gaps} gaps{last}")?;
    }
    if one.restarts > 0 {
        let (restarts, last) = (thousands(one.restarts), when(one.last_restart));
        write!(out, "; ids began anew {restarts} times{last}")?;
    }
    match one.code {
        None | Some(0) => {}
        Some(5) => write!(out, "; the machine may not read it")?,
        Some(15_007) => write!(out, "; the machine does not have it")?,
        Some(code) => write!(out, "; the machine cannot read it, error {code}")?,
    }
    writeln!(out)
}

fn refused(detail: &Detail, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if detail.refused.is_empty() {
        return Ok(());
    }
    let text = "refused, and most likely this machine";
    writeln!(out, "\n{}", paint.bold(text))?;
    for one in &detail.refused {
        let claims = one.claims.as_deref().unwrap_or("no name");
        writeln!(
            out,
            "  from {}, with {}: {}",
            escape(&one.address),
            escape(claims),
            escape(&one.reason.words)
        )?;
    }
    Ok(())
}

fn since(at: Timestamp, now: Timestamp) -> String {
    ago(now.duration_since(at).as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn machine(name: &str, said: Value) -> Value {
        let mut machine = json!({
            "name": name, "verdict": "alive", "reason": null, "expected": false, "listener": "wef.main", "address": null,
            "last_enumerate": NOW, "last_heartbeat": null, "last_event": null, "events": 0, "events_per_second": 0.0,
            "subscriptions": ["base"], "missing": 0,
        });
        for (key, value) in said.as_object().unwrap() {
            machine[key] = value.clone();
        }
        machine
    }

    fn table(machines: &[Value]) -> String {
        let report: Report = serde_json::from_value(json!({
            "now": NOW, "started_at": NOW, "totals": {"failing": 0, "never": 0, "silent": 0, "late": 0, "alive": 2},
            "found": machines.len(), "offset": 0, "machines": machines, "strangers": [],
        }))
        .unwrap();
        let mut out = Vec::new();
        match &report.machines[..] {
            [one] if one.detail.is_some() => closely(one, &report, Paint::PLAIN, &mut out),
            _ => lines(&report, None, Paint::PLAIN, &mut out),
        }
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_reason_has_a_cure_of_each_listener() {
        let of = |authority: &str| {
            let cure = format!("issue it a certificate of {authority}");
            json!({"reason": {"code": "bad_certificate", "words": "it shows another", "cure": cure}})
        };
        let table = table(&[machine("a", of("AAAA")), machine("b", of("BBBB"))]);
        for authority in ["AAAA", "BBBB"] {
            let cure = format!("bad_certificate: issue it a certificate of {authority}");
            assert_eq!(table.matches(&cure).count(), 1, "{table}");
        }
    }

    #[test]
    fn who_is_behind_is_seen_at_a_glance() {
        let behind = machine("a", json!({"behind": ["base", "more"]}));
        let table = table(&[behind, machine("b", json!({}))]);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        alive    a              0s      0.00  behind with base, more: it has not asked since that changed
        alive    b              0s      0.00
        ");
    }

    #[test]
    fn a_revision_is_shown_with_the_newest() {
        let base = |revision: Value, since: Value, taken: Value| {
            let base = json!({
                "name": "base", "revision": revision, "newest": "B443EE2C", "version": null, "offered_since": since,
                "taken_up": taken, "ended": null, "batches": 0, "events": 0, "duplicates": 0, "dropped_by_source": 0,
                "began_anew": 0, "last_began_anew": null, "channels": [],
            });
            let detail = json!({
                "notes": [], "machine_id": null, "called": null, "told": null, "asks_every_seconds": null,
                "refused_requests": 0, "subscriptions": [base], "refused": [],
            });
            let table = table(&[machine("a", json!({"detail": detail}))]);
            let line = table.lines().find(|line| line.contains("revision"));
            line.unwrap().to_owned()
        };
        let lines = [
            base("B443EE2C".into(), NOW.into(), NOW.into()),
            base("B443EE2C".into(), NOW.into(), Value::Null),
            base("11223344".into(), NOW.into(), NOW.into()),
            base(Value::Null, Value::Null, Value::Null),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        revision B443EE2C, first offered 0s ago, taken up
        revision B443EE2C, first offered 0s ago, not taken up yet
        revision 11223344, first offered 0s ago, taken up; behind, B443EE2C is the newest
        not offered since the start; revision B443EE2C is the newest
        ");
    }
}
