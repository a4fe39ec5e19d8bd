//! Tests a destination with its settings as they are: one connection and one marked message, beside the journal.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windrow_pipeline::sinks::syslog::probe::probe;

use super::refusal::{Refusal, RefusalKind};
use super::server::ServerName;
use super::{Actor, view};
use crate::config::checked;
use crate::service::{Recorder, computer_name, sink_destination};

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
    let name = name.among(&config.sink.syslog).name;
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

/// Puts on record who has tested what: a test reaches out to another machine in this one's name.
pub(super) async fn record(
    config: &checked::Config,
    name: &ServerName,
    tested: &Result<Tested, Refusal>,
    actor: &Actor,
    recorder: &Recorder,
) {
    let name = name.among(&config.sink.syslog).name;
    let object = format!("sink.syslog.{}", super::shortened(name.to_owned()));
    let (outcome, reason) = match tested {
        Ok(tested) if tested.passed => ("passed", String::new()),
        Ok(tested) => ("failed", word(&tested.report["failure"]["error"])),
        Err(refusal) => ("refused", refusal.message.clone()),
    };
    let reason = super::shortened(reason);
    let (who, from) = (&*actor.who, &*actor.from);
    tracing::info!(
        object,
        who,
        from,
        outcome,
        reason,
        "a destination was tested"
    );
    let message = format!("{object}: test by {who} from {from}: {outcome}");
    let data = [
        ("Object", &*object),
        ("Verb", "test"),
        ("Who", who),
        ("From", from),
        ("By", actor.by),
        ("Outcome", outcome),
        ("Reason", &reason),
    ];
    recorder.destination_tested(&message, &data).await;
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(String::new, str::to_owned)
}
