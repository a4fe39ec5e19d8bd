//! What is printed of subscriptions.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::super::Out;
use super::import::{Done, Outcome, Report};
use crate::admin::{Answer, Subscription, SubscriptionChanged, Subscriptions};
use crate::config::checked::{ChannelErrors, ContentFormat, Delivery, NewChannels};
use crate::output::{Paint, ago, escape, escape_json, thousands};
use crate::service::Subscribers;

/// Machines that are shown one by one; JSON has all.
const MACHINES_SHOWN: usize = 20;
/// Places of a note that are shown; JSON has all.
const PLACES_A_LINE: usize = 4;

/// An answer for people.
pub(super) fn text(answer: &Answer, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    match answer {
        Answer::Subscriptions(found) => shown(found, paint, out),
        Answer::SubscriptionChanged(done) => changed(done, paint, out),
        _ => Err(anyhow::anyhow!("the service answers something else")),
    }
}

/// An answer for programs.
pub(super) fn json(answer: &Answer, out: &mut Out<'_>) -> anyhow::Result<()> {
    match answer {
        Answer::Subscriptions(found) => match found.subscriptions.first() {
            Some(subscription) => write_json(subscription, out),
            None => Ok(()),
        },
        Answer::SubscriptionChanged(done) => write_json(done, out),
        _ => Err(anyhow::anyhow!("the service answers something else")),
    }
}

pub(super) fn write_json(value: &impl Serialize, out: &mut Out<'_>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(out, "{}", escape_json(&text))?)
}

fn shown(found: &Subscriptions, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    for subscription in &found.subscriptions {
        settings(subscription, paint, out)?;
        if let Some(query) = &subscription.query {
            writeln!(out, "\n{}", paint.bold("query"))?;
            for line in query.trim_end().lines() {
                writeln!(out, "{}", escape(line))?;
            }
        }
    }
    if !found.running {
        writeln!(out, "\nthe service does not run: who has it is not known")?;
    }
    Ok(())
}

fn changed(done: &SubscriptionChanged, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    let name = escape(&done.name);
    let what = match (done.verb.as_str(), done.changed) {
        (_, false) => format!("{name} is so already: nothing was changed"),
        ("add", true) => match done.revision_before {
            Some(_) => format!("{name} is set anew"),
            None => format!("{name} is added"),
        },
        ("set", true) => format!("{name} is set"),
        ("remove", true) => format!("{name} is removed"),
        ("enable", true) => format!("{name} is offered again"),
        ("disable", true) => format!("{name} is offered to nobody; machines keep their places"),
        (other, true) => format!("{name}: {}", escape(other)),
    };
    if done.changed {
        let force = match done.running {
            true => "in force now",
            false => "in force at the next start: the service does not run",
        };
        writeln!(out, "{what} (generation {}), {force}", done.generation)?;
        seen(done, out)?;
    } else {
        writeln!(out, "{what}")?;
    }
    for warning in &done.warnings {
        writeln!(out, "{} {}", paint.yellow("warning:"), escape(warning))?;
    }
    if let Some(subscription) = &done.subscription {
        writeln!(out)?;
        settings(subscription, paint, out)?;
    }
    if let Some(group) = &done.group {
        writeln!(out, "machines       {}", escape(&group.members.join(", ")))?;
        if !group.subscriptions.is_empty() {
            let named = group.subscriptions.join(", ");
            writeln!(out, "subscriptions  {}", escape(&named))?;
        }
    }
    Ok(())
}

/// What machines see of a change.
fn seen(done: &SubscriptionChanged, out: &mut Out<'_>) -> std::io::Result<()> {
    let Some(subscription) = &done.subscription else {
        return match done.verb == "remove" && done.revision_before.is_some() {
            true => writeln!(out, "machines stop sending for it when they ask next"),
            false => Ok(()),
        };
    };
    match (&done.revision_before, &subscription.revision) {
        (Some(before), Some(now)) if before == now => match done.verb.as_str() {
            "set" | "add" => writeln!(
                out,
                "machines that have it see no change: it is revision {} as before",
                escape(now)
            ),
            _ => Ok(()),
        },
        (Some(before), Some(now)) => writeln!(
            out,
            "revision {} became {}: machines take it up when they ask next, and go on from where they are",
            escape(before),
            escape(now)
        ),
        _ => Ok(()),
    }
}

fn settings(of: &Subscription, paint: Paint, out: &mut dyn Write) -> anyhow::Result<()> {
    let state = match of.enabled {
        true => paint.green("offered"),
        false => paint.yellow("switched off"),
    };
    let revision = of.revision.as_deref().unwrap_or("?");
    let name = paint.bold(&escape(&of.name));
    writeln!(out, "{name}  {state}  revision {}", escape(revision))?;
    let mut line = |what: &str, value: &str| match value {
        "" => Ok(()),
        value => writeln!(out, "  {what:<11} {}", escape(value)),
    };
    line("what for", of.description.as_deref().unwrap_or_default())?;
    line("machines", &of.whom)?;
    line("asks for", &asks(of))?;
    for (place, channel) in of.channels.iter().enumerate() {
        let what = if place == 0 { "channels" } else { "" };
        match &channel.needs {
            Some(needs) => line(what, &format!("{}  (needs: {needs})", channel.name))?,
            None => line(what, &channel.name)?,
        }
    }
    line("events", &events(of))?;
    line("delivery", &delivery(of))?;
    line("tries", &tries(of))?;
    line("offered at", &of.offered_at.join(", "))?;
    if let Some(now) = &of.now {
        line("now", &current(now))?;
        for (place, machine) in now.by_machine.iter().take(MACHINES_SHOWN).enumerate() {
            let state = match (machine.current, machine.taken_up) {
                (true, true) => "",
                (true, false) => ", not taken up yet",
                (false, _) => ", as it was before",
            };
            let asked = machine
                .asked_at
                .map_or_else(String::new, |at| format!(" asked {at},"));
            line(
                if place == 0 { "asked" } else { "" },
                &format!(
                    "{} ({}){asked} {} events{state}",
                    machine.name,
                    machine.source,
                    thousands(machine.events)
                ),
            )?;
        }
        if now.machines as usize > MACHINES_SHOWN {
            let more = now.machines as usize - MACHINES_SHOWN;
            line("", &format!("and {more} more; --output json has them"))?;
        }
    }
    let home = match of.by_command {
        true => "by command",
        false => "the administrator's",
    };
    line("set in", &format!("{} ({home})", of.file.display()))?;
    for warning in of.nobody.iter().chain(&of.warnings) {
        writeln!(out, "  {} {}", paint.yellow("warning    "), escape(warning))?;
    }
    Ok(())
}

fn asks(of: &Subscription) -> String {
    let count = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let queries = count(of.queries, "query", "queries");
    let channels = count(of.channels.len() as u64, "channel", "channels");
    match &of.baseline {
        Some(baseline) => format!("the baseline {baseline}: {queries} of {channels}"),
        None => format!("{queries} of {channels}"),
    }
}

fn events(of: &Subscription) -> String {
    let mut words = vec![match of.content_format {
        ContentFormat::Raw => "without messages (raw)".to_owned(),
        ContentFormat::RenderedText => match &of.locale {
            Some(locale) => format!("with messages (rendered-text) in {locale}"),
            None => "with messages (rendered-text)".to_owned(),
        },
    }];
    if let Some(locale) = &of.data_locale {
        words.push(format!("numbers and dates in {locale}"));
    }
    words.push(match of.read_existing {
        true => "a new machine begins with its oldest event (read_existing)".to_owned(),
        false => "a new machine begins with what happens from then on".to_owned(),
    });
    if of.new_channels == NewChannels::Replay {
        words.push("all of a channel that the query gains (replay)".to_owned());
    }
    if of.channel_errors == ChannelErrors::Refuse {
        words.push("nothing from a machine that lacks a channel (refuse)".to_owned());
    }
    words.join("; ")
}

fn delivery(of: &Subscription) -> String {
    let mut words = vec![format!(
        "a batch within {}, a sign of life every {}",
        of.max_latency, of.heartbeat
    )];
    if let Some(delivery) = of.delivery {
        words.push(format!("({})", word(delivery)));
    }
    if let Some(most) = of.max_batch_events {
        words.push(format!("at most {most} events a batch"));
    }
    words.push(format!("messages up to {}", of.max_envelope));
    words.join(", ").replace(", (", " (")
}

fn tries(of: &Subscription) -> String {
    format!(
        "again after {}, {} times, then at the next refresh",
        of.retry_interval, of.retry_count
    )
}

/// How soon machines send, in a few letters.
pub(super) fn pace(of: &Subscription) -> String {
    let named = of.delivery.filter(|delivery| {
        let (heartbeat, latency) = match delivery {
            Delivery::Normal => (900, 900),
            Delivery::MinimizeBandwidth => (21_600, 21_600),
            Delivery::MinimizeLatency => (3_600, 30),
        };
        of.heartbeat.0.as_secs() == heartbeat && of.max_latency.0.as_secs() == latency
    });
    match named {
        Some(delivery) => word(delivery).to_owned(),
        None => format!("{} / {}", of.max_latency, of.heartbeat),
    }
}

fn word(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Normal => "normal",
        Delivery::MinimizeBandwidth => "minimize-bandwidth",
        Delivery::MinimizeLatency => "minimize-latency",
    }
}

fn current(now: &Subscribers) -> String {
    let (machines, taken_up) = (thousands(now.machines), thousands(now.taken_up));
    let mut machines = match now.machines {
        0 => "no machine has asked for it since the service started".to_owned(),
        all if all == now.taken_up => format!("{machines} machines have it as it is"),
        _ => format!("{taken_up} of {machines} machines that asked have it as it is"),
    };
    let (before, open) = (
        now.machines.saturating_sub(now.current),
        now.current.saturating_sub(now.taken_up),
    );
    if before > 0 {
        let before = thousands(before);
        machines.push_str(&format!(", {before} have not asked since it was changed"));
    }
    if open > 0 {
        let open = thousands(open);
        machines.push_str(&format!(", {open} have sent nothing for it yet"));
    }
    let last = now.last_events.map_or_else(String::new, |at| {
        let seconds = jiff::Timestamp::now().as_second() - at.as_second();
        format!(", the last {} ago", ago(seconds.max(0)))
    });
    format!("{machines}; {} events{last}", thousands(now.events))
}

/// What an import did, for people.
pub(super) fn import(report: &Report, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    for done in &report.files {
        let said = match done.outcome {
            Outcome::Taken => paint.green("taken   "),
            Outcome::Replaced => paint.green("replaced"),
            Outcome::Unchanged => "the same".to_owned(),
            Outcome::LeftOut => paint.yellow("left out"),
            Outcome::Refused => {
                refused(done, paint, out)?;
                continue;
            }
        };
        let file = done.file.display().to_string();
        let name = done.name.as_deref().unwrap_or_default();
        writeln!(out, "{said}  {}  {}", escape(name), escape(&file))?;
    }
    notes(&report.files, paint, out)?;
    let would = if report.dry_run { "would be " } else { "" };
    let mut counts = vec![format!("{} {would}taken", report.taken)];
    if report.unchanged > 0 {
        counts.push(format!("{} the same already", report.unchanged));
    }
    if report.refused > 0 {
        counts.push(format!("{} refused", report.refused));
    }
    let force = match (report.dry_run || report.taken == 0, report.running) {
        (true, _) => "nothing was changed",
        (false, true) => "in force now: machines take it up when they ask next",
        (false, false) => "in force at the next start: the service does not run",
    };
    writeln!(out, "\n{}; {force}", counts.join(", "))?;
    Ok(())
}

fn refused(done: &Done, paint: Paint, out: &mut Out<'_>) -> std::io::Result<()> {
    let place = match (done.line, done.column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    let file = done.file.display().to_string();
    let reason = done.reason.as_deref().unwrap_or_default();
    let refused = paint.red("refused ");
    writeln!(
        out,
        "{refused}  {}{place}: {}",
        escape(&file),
        escape(reason)
    )?;
    match &done.hint {
        Some(hint) => writeln!(out, "          {} {}", paint.bold("hint:"), escape(hint)),
        None => Ok(()),
    }
}

/// Each kind of note once, with every place that it is about.
fn notes(files: &[Done], paint: Paint, out: &mut Out<'_>) -> std::io::Result<()> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for done in files {
        let file = done.file.file_name().unwrap_or_default().to_string_lossy();
        for note in &done.notes {
            let line = note
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            let what = note.of.as_ref();
            let what = what.map_or_else(String::new, |what| format!(" ({what})"));
            let place = format!("{file}{line}{what}");
            places.entry(&note.kind).or_default().push(place);
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.bold("notes"))?;
    for (note, places) in places {
        writeln!(out, "{}", escape(note))?;
        for places in places.chunks(PLACES_A_LINE) {
            let places = paint.dim(&escape(&places.join(", ")));
            writeln!(out, "    {places}")?;
        }
    }
    Ok(())
}
