//! What is printed of destinations.

use std::io::Write;

use serde::Serialize;

use super::super::Out;
use super::test::show as test;
use crate::admin::{Answer, Client, ClientChanged, Server, ServerChanged, Servers};
use crate::config::checked::Confirmation;
use crate::output::ago;
use crate::output::{Paint, escape, escape_json, thousands};
use crate::status::Sink;

/// An answer for people.
pub(super) fn text(answer: &Answer, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    match answer {
        Answer::Servers(found) => servers(found, paint, out),
        Answer::ServerChanged(done) => changed(done, paint, out),
        Answer::Client(found) => client(found, paint, out),
        Answer::ClientChanged(done) => client_changed(done, paint, out),
        Answer::Tested(tested) => test(tested, paint, out),
        Answer::Subscriptions(_)
        | Answer::SubscriptionChanged(_)
        | Answer::SourceForgotten(_)
        | Answer::Configurations(_)
        | Answer::DiagnosticsChanged(_)
        | Answer::DiagnosticsTested(_) => Ok(()),
    }
}

/// An answer for programs.
pub(super) fn json(answer: &Answer, out: &mut Out<'_>) -> anyhow::Result<()> {
    let text = match answer {
        Answer::Servers(found) => serde_json::to_string_pretty(found),
        Answer::ServerChanged(done) => serde_json::to_string_pretty(done),
        Answer::Client(found) => serde_json::to_string_pretty(found),
        Answer::ClientChanged(done) => serde_json::to_string_pretty(done),
        Answer::Tested(tested) => serde_json::to_string_pretty(tested),
        Answer::Subscriptions(_)
        | Answer::SubscriptionChanged(_)
        | Answer::SourceForgotten(_)
        | Answer::Configurations(_)
        | Answer::DiagnosticsChanged(_)
        | Answer::DiagnosticsTested(_) => {
            return Ok(());
        }
    };
    Ok(writeln!(out, "{}", escape_json(&text?))?)
}

fn servers(servers: &Servers, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    if servers.servers.is_empty() {
        writeln!(
            out,
            "no destination is set; `windrow syslog server set --server-name NAME` sets one"
        )?;
    }
    for (place, server) in servers.servers.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        write_server(server, paint, out)?;
    }
    if !servers.running {
        writeln!(
            out,
            "\nthe service does not run: what destinations do is not known"
        )?;
    }
    Ok(())
}

fn changed(changed: &ServerChanged, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    let name = escape(&changed.name);
    let done = match (changed.verb.as_str(), changed.changed) {
        (_, false) => format!("{name} is so already: nothing was changed"),
        ("set", true) => format!("{name} is set"),
        ("remove", true) => format!("{name} is removed"),
        ("enable", true) => format!("{name} is switched on"),
        ("disable", true) => {
            format!("{name} is switched off and keeps its place in the journal")
        }
        (other, true) => format!("{name}: {}", escape(other)),
    };
    let (generation, force) = (changed.generation, force(changed.running));
    writeln!(out, "{done} (generation {generation}), {force}")?;
    if let Some(unsent) = changed.unsent_events {
        writeln!(
            out,
            "up to {} events were not delivered to it and will not be: those after its place in the journal, of which some \
             may have arrived unconfirmed and others were not for it",
            thousands(unsent)
        )?;
    }
    for warning in &changed.warnings {
        writeln!(out, "{} {}", paint.yellow("warning:"), escape(warning))?;
    }
    if let Some(server) = &changed.server {
        writeln!(out)?;
        write_server(server, paint, out)?;
    }
    Ok(())
}

fn client_changed(done: &ClientChanged, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    let what = match done.verb.as_str() {
        "remove" => "the client certificate is removed",
        _ => "the client certificate is set",
    };
    writeln!(
        out,
        "{what} (generation {}), {}",
        done.generation,
        force(done.running)
    )?;
    if done.client.set {
        writeln!(out)?;
        client(&done.client, paint, out)?;
    }
    Ok(())
}

/// When a change counts.
fn force(running: bool) -> &'static str {
    if running {
        "in force now"
    } else {
        "in force at the next start: the service does not run"
    }
}

fn client(client: &Client, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    if !client.set {
        writeln!(
            out,
            "no client certificate is set; `windrow syslog client set --pfx FILE` sets one"
        )?;
        return Ok(());
    }
    let mut line = |what: &str, value: &str| writeln!(out, "{what:<11} {}", escape(value));
    if let Some(certificate) = &client.certificate {
        line("subject", &certificate.subject)?;
        line("issuer", &certificate.issuer)?;
        let (from, to) = (certificate.not_before, certificate.not_after);
        line("valid", &format!("{from} to {to}"))?;
        line("key", &certificate.key_type)?;
        line("fingerprint", &certificate.fingerprint)?;
    }
    if let Some(file) = &client.certificate_file {
        line("file", &file.display().to_string())?;
    }
    if let Some(kept) = &client.key {
        line("key kept", kept)?;
    }
    line("shown to", &client.used_by.join(", "))?;
    for warning in &client.warnings {
        writeln!(out, "{} {}", paint.yellow("warning    "), escape(warning))?;
    }
    Ok(())
}

fn write_server(server: &Server, paint: Paint, out: &mut dyn Write) -> anyhow::Result<()> {
    let state = match (&server.now, server.enabled) {
        (_, false) => paint.yellow("switched off"),
        (Some(now), true) if now.state == "connected" => paint.green("connected"),
        (Some(now), true) => paint.yellow(&escape(&now.state)),
        (None, true) => "switched on".to_owned(),
    };
    let name = paint.bold(&escape(&server.name));
    writeln!(out, "{name}  {}  {state}", destination(server)?)?;
    let mut line = |what: &str, value: &str| writeln!(out, "  {what:<11} {}", escape(value));
    line("checks", &server.checks)?;
    if let Some(file) = &server.ca_file {
        line("CA", &file.display().to_string())?;
    }
    if let Some(file) = &server.client_certificate {
        line("shows", &file.display().to_string())?;
    }
    line("delivery", level(server.confirmation))?;
    for (place, gets) in server.gets.iter().enumerate() {
        line(if place == 0 { "gets" } else { "" }, gets)?;
    }
    line("messages", &messages(server)?)?;
    if let Some(now) = &server.now {
        line("counters", &counters(now))?;
        if let Some(error) = &now.last_error {
            line("last error", error)?;
        }
    }
    let home = if server.by_command {
        "by command"
    } else {
        "the administrator's"
    };
    line("set in", &format!("{} ({home})", server.file.display()))?;
    for warning in &server.warnings {
        writeln!(out, "  {} {}", paint.yellow("warning    "), escape(warning))?;
    }
    Ok(())
}

fn destination(server: &Server) -> anyhow::Result<String> {
    let host = match server.server_name.contains(':') {
        true => format!("[{}]", server.server_name),
        false => server.server_name.clone(),
    };
    let transport = word(&server.transport)?;
    Ok(format!("{transport}://{}:{}", escape(&host), server.port))
}

fn messages(server: &Server) -> anyhow::Result<String> {
    let mut words = vec![word(&server.profile)?];
    if let Some(product) = &server.product {
        words.push(word(product)?);
    }
    words.push(word(&server.prefix)?);
    if let Some(framing) = &server.framing {
        words.push(word(framing)?);
    }
    words.push(format!("CEF:{}", word(&server.cef_version)?));
    words.push(format!("{} bytes at most", server.max_message_bytes));
    Ok(words.join(", "))
}

fn counters(now: &Sink) -> String {
    let lag = match now.lag_seconds {
        Some(seconds) => format!(", the oldest for {}", ago(seconds)),
        None => String::new(),
    };
    let dropped = match now.dropped {
        0 => String::new(),
        dropped => format!(", {} dropped before it got them", thousands(dropped)),
    };
    format!(
        "{} sent, {} confirmed, {} sent again, {} cut, {} not for it, {} left out (cannot be sent){dropped}; {} wait, {} on the way{lag}",
        thousands(now.sent),
        thousands(now.confirmed),
        thousands(now.resent),
        thousands(now.truncated),
        thousands(now.filtered),
        thousands(now.skipped),
        thousands(now.lag_events),
        thousands(now.unconfirmed_events),
    )
}

/// A level and what it promises.
fn level(confirmation: Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Sent => "sent: an event counts as delivered when it has left",
        Confirmation::TcpAcked => {
            "tcp-acked: an event counts as delivered when the receiver's system has it"
        }
        Confirmation::PeerRead => {
            "peer-read: an event counts as delivered when the receiver's program has read it"
        }
    }
}

/// The word that windrow.toml has for a setting.
fn word(setting: &impl Serialize) -> anyhow::Result<String> {
    match serde_json::to_value(setting)? {
        serde_json::Value::String(word) => Ok(word),
        other => Ok(other.to_string()),
    }
}
