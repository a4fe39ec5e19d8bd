//! What a test found, for people.

use jiff::tz::TimeZone;

use super::super::super::Out;
use super::tally::{Asked, Example, Report};
use crate::output::{Cell, Column, Format, Table, Terminal, escape, thousands, time_ms};

/// Channels of a query that are named.
const CHANNELS_NAMED: usize = 2;

pub(in crate::cli) fn text(
    report: &Report,
    zone: &TimeZone,
    terminal: &Terminal,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let paint = terminal.paint();
    writeln!(
        out,
        "{}: {} of {} events are selected\n",
        paint.bold(&escape(&report.tested)),
        thousands(report.selected),
        thousands(report.events)
    )?;
    let mut table = Table::new(vec![
        Column::Left("query"),
        Column::Right("events"),
        Column::Right("held back"),
        Column::Left("newest"),
    ]);
    for query in &report.queries {
        table.push(vec![
            title(query).into(),
            query.events.into(),
            held_back(query),
            query
                .example
                .as_ref()
                .map_or_else(String::new, |example| words(example, zone))
                .into(),
        ]);
    }
    table.write(out, Format::Table, terminal)?;
    channels(report, terminal, out)?;
    untaken(report, terminal, out)?;
    for warning in &report.warnings {
        writeln!(out, "\n{} {}", paint.yellow("warning:"), escape(warning))?;
    }
    for note in &report.notes {
        writeln!(out, "\n{} {}", paint.yellow("note:"), escape(note))?;
    }
    Ok(())
}

/// `3 Logons`, `Id 7: Security`, `1: Security, System and 3 more`
fn title(query: &Asked) -> String {
    let place = match (&query.id, query.place) {
        (Some(id), place) if *id != place.to_string() => format!("{place} (Id {id})"),
        (_, place) => place.to_string(),
    };
    if let Some(topic) = query.topic {
        return format!("{place} {topic}");
    }
    let named: Vec<&str> = query
        .channels
        .iter()
        .take(CHANNELS_NAMED)
        .map(String::as_str)
        .collect();
    let more = match query.channels.len().saturating_sub(CHANNELS_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{place} {}{more}", named.join(", "))
}

fn held_back(query: &Asked) -> Cell {
    match query.held_back {
        0 => Cell::None,
        held_back => held_back.into(),
    }
}

fn words(example: &Example, zone: &TimeZone) -> String {
    let at = example
        .time
        .map_or_else(String::new, |at| time_ms(at, zone) + " ");
    let what = example.what.unwrap_or(&example.provider);
    format!(
        "{at}{} {} {} {what}",
        example.computer, example.channel, example.event_id
    )
}

fn channels(report: &Report, terminal: &Terminal, out: &mut Out<'_>) -> anyhow::Result<()> {
    let bold = |text| terminal.paint().bold(text);
    writeln!(out, "\n{}", bold("channels that a machine needs"))?;
    let mut table = Table::new(vec![
        Column::Left("channel"),
        Column::Right("events here"),
        Column::Left(""),
    ]);
    for seen in &report.channels {
        let note = match seen.off_by_default {
            true => "off until enabled (wevtutil sl NAME /e:true)",
            false => "",
        };
        table.push(vec![
            seen.name.clone().into(),
            seen.events.into(),
            note.into(),
        ]);
    }
    Ok(table.write(out, Format::Table, terminal)?)
}

fn untaken(report: &Report, terminal: &Terminal, out: &mut Out<'_>) -> anyhow::Result<()> {
    if report.untaken.is_empty() {
        return Ok(());
    }
    let said = format!(
        "no query takes {} events, most frequent first",
        thousands(report.untaken_events)
    );
    writeln!(out, "\n{}", terminal.paint().bold(&said))?;
    let mut table = Table::new(vec![
        Column::Right("events"),
        Column::Left("channel"),
        Column::Right("id"),
        Column::Left("provider"),
        Column::Left("what"),
        Column::Left(""),
    ]);
    for kind in &report.untaken {
        let why = match (kind.channel_is_asked_for, kind.held_back) {
            (false, _) => "its channel is not asked for".to_owned(),
            (true, 0) => String::new(),
            (true, held_back) if held_back == kind.events => "held back".to_owned(),
            (true, held_back) => format!("{held_back} held back"),
        };
        table.push(vec![
            kind.events.into(),
            kind.channel.clone().into(),
            kind.event_id.into(),
            kind.provider.clone().into(),
            kind.what.unwrap_or_default().into(),
            why.into(),
        ]);
    }
    Ok(table.write(out, Format::Table, terminal)?)
}
