//! Tests a destination with its settings as they are: one connection and one marked message, beside the journal.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windrow_pipeline::sinks::syslog::probe::probe;

use super::refusal::{Refusal, RefusalKind};
use super::server::ServerName;
use super::view;
use crate::config::checked;
use crate::service::{computer_name, sink_destination};

/// What a test found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tested {
    /// Whether nothing failed.
    pub passed: bool,
    /// Each step as far as it got, as [`windrow_pipeline::sinks::syslog::probe::Report`] writes it.
    pub report: Value,
}

/// Tests one destination, also one that is switched off.
///
/// # Errors
/// There is none of the name, or its certificates cannot be used.
pub(super) async fn test(config: &checked::Config, name: &ServerName) -> Result<Tested, Refusal> {
    let sinks = &config.sink.syslog;
    let name = match (sinks.contains_key(name.name()), sinks.keys().next()) {
        // There is no other that could be meant.
        (false, Some(only)) if sinks.len() == 1 && name.name.is_none() => only,
        _ => name.name(),
    };
    view::find(config, name)?;
    let sink = config.syslog_sink(name);
    let sink =
        sink.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "there is no such destination"))?;
    let destination = sink_destination(name, &sink);
    let destination = destination.map_err(|error| Refusal::invalid(format!("{error:#}")))?;
    let report = probe(&destination, &computer_name()).await;
    Ok(Tested {
        passed: report.failure.is_none(),
        report: serde_json::to_value(&report)
            .map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?,
    })
}
