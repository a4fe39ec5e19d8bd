//! `windrow syslog test`

use std::io;

use serde_json::Value;

use super::super::{Invocation, Out};
use super::done;
use crate::admin::{Request, ServerName, Tested};
use crate::exit::Code;
use crate::output::{Paint, SummaryOutput, escape};

/// Test a destination: connect as it would, show what the receiver shows, send one marked message
///
/// Each step says what it found, and each failure its cause and cure. Look for the marker at the receiver: syslog has no
/// acknowledgement, and only there it is seen to have arrived. Exit code 1 when a step fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog test
  windrow syslog test --name second --output json | jq .report.tls")]
pub(super) struct Args {
    /// Which destination [default: the only one, or `default`]
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let name = args.name.clone();
    let request = Request::Test(ServerName { name });
    done(request, args.output.output, invocation, out)
}

/// What a test found, for people.
pub(super) fn show(tested: &Tested, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    let report = &tested.report;
    let (host, port) = (word(&report["host"]), word(&report["port"]));
    let (transport, name) = (word(&report["transport"]), word(&report["destination"]));
    let destination = format!("{name}  {transport}://{host}:{port}");
    line(out, "destination", &destination)?;
    line(out, "resolves to", &list(&report["addresses"]))?;
    for attempt in report["attempts"].as_array().into_iter().flatten() {
        let refused = format!("{}: {}", word(&attempt["address"]), word(&attempt["error"]));
        line(out, "refused at", &refused)?;
    }
    line(out, "connected to", &word(&report["peer"]))?;
    if report["tls"].is_object() {
        show_tls(&report["tls"], out)?;
    }
    line(out, "marker", &word(&report["message"]["marker"]))?;
    line(out, "ending", ending(&report["ending"]))?;
    let failure = &report["failure"];
    if failure.is_object() {
        let (step, error) = (word(&failure["step"]), word(&failure["error"]));
        let failed = paint.red("failed      ");
        writeln!(out, "{failed} {}: {}", escape(&step), escape(&error))?;
        line(out, "cure", &word(&failure["cure"]))?;
    } else {
        writeln!(out, "\nsent: look for the marker at the receiver")?;
    }
    Ok(())
}

/// The handshake, the receiver's certificates, and what each check finds.
fn show_tls(tls: &Value, out: &mut Out<'_>) -> io::Result<()> {
    let spoken = [&tls["version"], &tls["cipher_suite"]].map(word);
    line(out, "protocol", spoken.join(" ").trim())?;
    for certificate in tls["chain"].as_array().into_iter().flatten() {
        line(out, "shows", &word(&certificate["subject"]))?;
        line(out, "  issued by", &word(&certificate["issuer"]))?;
        line(out, "  names", &list(&certificate["names"]["shown"]))?;
        let valid = [&certificate["not_before"], &certificate["not_after"]].map(word);
        line(out, "  valid", &valid.join(" to "))?;
        line(out, "  key", &word(&certificate["key"]))?;
        line(out, "  SHA-256", &word(&certificate["fingerprint"]))?;
    }
    for check in ["chain", "name", "validity", "pin"] {
        line(out, check, &verdict(&tls["verdicts"][check]))?;
    }
    line(out, "asked for", &word(&tls["check"]))?;
    let ours = &tls["client_certificate"];
    let asked = match ours["requested"].as_bool() {
        Some(true) => "the receiver asks for one",
        _ => "the receiver asks for none",
    };
    let shown = match word(&ours["ours"]["subject"]) {
        none if none.is_empty() => "none is set".to_owned(),
        subject => format!("ours is {subject}"),
    };
    line(out, "client cert.", &format!("{asked}; {shown}"))
}

/// A line of the report; none where there is nothing to say.
fn line(out: &mut Out<'_>, what: &str, value: &str) -> io::Result<()> {
    if value.is_empty() {
        return Ok(());
    }
    writeln!(out, "{what:<12} {}", escape(value))
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn list(value: &Value) -> String {
    let words = value.as_array().into_iter().flatten().map(word);
    words.collect::<Vec<_>>().join(", ")
}

/// A verdict in a word, a failure with its fault.
fn verdict(value: &Value) -> String {
    match word(&value["verdict"]).as_str() {
        "passed" => "holds".to_owned(),
        "unknown" => "nothing to check against".to_owned(),
        "" => String::new(),
        _ => format!("does not hold: {}", fault(value)),
    }
}

fn fault(value: &Value) -> String {
    let kind = value.get("fault").or_else(|| value.get("kind"));
    match kind.map(word) {
        Some(kind) if !kind.is_empty() => kind.replace('-', " "),
        _ => value.to_string(),
    }
}

fn ending(value: &Value) -> &'static str {
    match word(&value["ending"]).as_str() {
        "read" => "the receiver has read everything and closed in order",
        "read-unsigned" => "the receiver closed TCP in order, and not TLS",
        "unproven" => {
            "the receiver did not close its side: whether it has read the message is not known"
        }
        "unknown" => "nothing comes back over UDP, and no refusal came",
        _ => "",
    }
}
