//! `windrow check --live`: how far the way from the machines is, as the running service sees it.

mod probe;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::Instant;

use self::steps::{State, Step, Tried};
use crate::client::Client;
use crate::config::checked::Config;
use crate::datadir;
use crate::fleet::{Ask, LIMIT_MAX, Report};
use crate::output::{Terminal, escape, progress};
use crate::status::Status;

/// How often the service is asked while it is waited for.
const EVERY: Duration = Duration::from_secs(1);

/// The steps, after waiting for all of them to be done, for as long as said.
///
/// # Errors
/// The service answers, and not in a way that is understood.
pub(super) async fn check(
    config: &Config,
    wait: Option<Duration>,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Step>> {
    let bar = progress::spinner(terminal);
    let end = wait.map(|wait| Instant::now() + wait);
    let mut tried = probe::tried(config).await;
    loop {
        let steps = look(config, &tried).await?;
        let done = steps.iter().filter(|step| step.state == State::Done);
        let done = done.count();
        if done == steps.len() || end.is_none_or(|end| Instant::now() >= end) {
            bar.finish_and_clear();
            return Ok(steps);
        }
        if let Some(next) = steps.iter().find(|step| step.state != State::Done) {
            let (what, result) = (escape(&next.what), escape(&next.result));
            bar.set_message(format!("{done} of {} done; {what}: {result}", steps.len()));
        }
        tokio::time::sleep(EVERY).await;
        tried = probe::tried(config).await;
    }
}

async fn look(config: &Config, tried: &BTreeMap<String, Tried>) -> anyhow::Result<Vec<Step>> {
    let socket = datadir::socket(&config.data_dir);
    let Some(mut service) = Client::connect(&socket).await? else {
        let step = Step {
            what: "service".to_owned(),
            state: State::Failed,
            result: format!("none runs on {}", config.data_dir.display()),
            cure: Some("start it: `windrow run`, or systemctl start windrow".to_owned()),
        };
        return Ok(vec![step]);
    };
    let status: Status = serde_json::from_slice(&service.get("/v1/status").await?)?;
    let every = Ask {
        limit: Some(LIMIT_MAX),
        ..Ask::default()
    };
    let sources: Report = serde_json::from_slice(&service.get(&every.path()).await?)?;
    Ok(steps::steps(config, &status, &sources, tried))
}

/// Whether all is done.
pub(super) fn is_done(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.state == State::Done)
}

/// A line a step.
pub(super) fn write(steps: &[Step], out: &mut dyn Write, terminal: &Terminal) -> io::Result<()> {
    let width = steps.iter().map(|step| step.what.chars().count());
    let width = width.max().unwrap_or(0);
    let paint = terminal.paint();
    writeln!(
        out,
        "\n{}",
        paint.bold("From the machines, as the running service sees it")
    )?;
    for step in steps {
        let mark = match (step.state, terminal.unicode) {
            (State::Done, true) => paint.green("✓"),
            (State::Done, false) => paint.green("done"),
            (State::NotYet, true) => paint.yellow("…"),
            (State::NotYet, false) => paint.yellow("wait"),
            (State::Failed, true) => paint.red("✗"),
            (State::Failed, false) => paint.red("FAIL"),
        };
        let (what, result) = (escape(&step.what), escape(&step.result));
        writeln!(out, "{mark} {what:width$}  {result}")?;
        if let Some(cure) = &step.cure {
            let arrow = if terminal.unicode { "→" } else { "->" };
            let indent = if terminal.unicode { 2 } else { 5 };
            writeln!(out, "{:indent$}{:width$}  {arrow} {}", "", "", escape(cure))?;
        }
    }
    let done = steps.iter().filter(|step| step.state == State::Done);
    writeln!(out, "\n{} of {} done", done.count(), steps.len())
}
