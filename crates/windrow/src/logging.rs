//! The program's own log, on stderr: text on a terminal, JSON elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::checked::{Log, LogFormat};
use crate::output::Terminal;

/// Whether `text` says what to log: a level, or levels by target.
#[must_use]
pub fn is_level(text: &str) -> bool {
    !text.trim().is_empty() && text.parse::<Targets>().is_ok()
}

/// A bare level is about this program: the libraries beneath it are heard from `warn` on.
fn targets(level: &str) -> Targets {
    let said: Targets = level.parse().unwrap_or_default();
    match level.trim().parse::<LevelFilter>() {
        Ok(own) => Targets::new()
            .with_default(own.min(LevelFilter::WARN))
            .with_target("windrow", own)
            // What it warns of is damage, which the reader of the file names with its place.
            .with_target("evtx", own.min(LevelFilter::ERROR))
            // It calls it an error that another commit came first, which is met by the next attempt.
            .with_target("deltalake_core::kernel::transaction", LevelFilter::OFF),
        Err(_) => said,
    }
}

/// Starts the log of the process. A second call changes nothing: the first one counts.
pub fn start(log: &Log, terminal: &Terminal) {
    let targets = targets(&log.level);
    let json = match log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if json {
        let lines = lines.json().flatten_event(true).with_current_span(false);
        tracing_subscriber::registry()
            .with(lines.with_filter(targets))
            .try_init()
    } else {
        let lines = lines.with_ansi(terminal.stderr_color);
        tracing_subscriber::registry()
            .with(lines.with_filter(targets))
            .try_init()
    };
    if started.is_err() {
        tracing::debug!("the log was started already");
    }
}
