//! Tests a configuration that is in force: who has its subscription, and whether its tables take rows.

use serde::{Deserialize, Serialize};
use windrow_pipeline::sinks::azure_table::probe::Probed;

use super::super::refusal::Refusal;
use super::super::subscription::{self, SubscriptionGet};
use super::super::{Actor, shortened};
use super::view;
use crate::config::checked::{self, Home};
use crate::config::diagnostics::subscription_name;
use crate::service::{Recorder, Service, Subscribers, probe_tables};

/// What a test of a configuration found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiagnosticsTested {
    /// Its name.
    pub name: String,
    /// Whether every table takes rows.
    pub passed: bool,
    /// Who has its subscription; absent where it has none, or the service does not run.
    pub machines: Option<Subscribers>,
    /// The query list of that subscription.
    pub query: Option<String>,
    /// Its tables.
    pub tables: Vec<Probed>,
    /// What of it is not done, a sentence each.
    pub undone: Vec<String>,
}

/// Tests one.
///
/// # Errors
/// None of this name is in force, or what opens its account cannot be used.
pub(in crate::admin) async fn test(
    config: &checked::Config,
    name: &str,
    service: Option<&Service>,
) -> Result<DiagnosticsTested, Refusal> {
    let diagnostics = view::find(config, name)?;
    let subscription = subscription_name(name);
    let (mut machines, mut query) = (None, None);
    if config.subscription.contains_key(&subscription) {
        let get = SubscriptionGet {
            name: Some(subscription),
        };
        let found = subscription::subscriptions(config, &get, service)?;
        let found = found.subscriptions.into_iter().next();
        (machines, query) = found.map_or((None, None), |found| (found.now, found.query));
    }
    let mut tables = Vec::new();
    for (setting, sink) in &config.sink.azure_table {
        let home = config.homes.azure_table.get(setting);
        if matches!(home, Some(Home::Diagnostics { name: of, .. }) if of == name) {
            let probed = probe_tables(setting, sink).await;
            tables.extend(probed.map_err(|error| Refusal::invalid(format!("{error:#}")))?);
        }
    }
    Ok(DiagnosticsTested {
        name: name.to_owned(),
        passed: tables.iter().all(Probed::takes_rows),
        machines,
        query,
        tables,
        undone: diagnostics.undone.clone(),
    })
}

/// Puts on record who has tested what: a test writes into somebody's account in this collector's name.
pub(in crate::admin) async fn record(
    name: &str,
    tested: &Result<DiagnosticsTested, Refusal>,
    actor: &Actor,
    recorder: &Recorder,
) {
    let object = format!("diagnostics.{}", shortened(name.to_owned()));
    let (outcome, reason) = match tested {
        Ok(tested) if tested.passed => ("passed", String::new()),
        Ok(tested) => {
            let mut failed = tested.tables.iter().flat_map(|table| &table.failed);
            let first = failed.next();
            (
                "failed",
                first.map_or_else(String::new, |it| it.error.clone()),
            )
        }
        Err(refusal) => ("refused", refusal.message.clone()),
    };
    let reason = shortened(reason);
    let (who, from) = (&*actor.who, &*actor.from);
    tracing::info!(
        object,
        who,
        from,
        outcome,
        reason,
        "a configuration was tested"
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
