//! Subscriptions of the sources that run: changed without touching anything else, and who has them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windrow_pipeline::journal::Journal;
use windrow_pipeline::sources::wef::{SourceStatus, Subscription};

use super::{Sources, learn_channels, subscription, subscriptions};
use crate::config::checked;
use crate::service::limits::MACHINES_SHOWN_MAX;
use crate::service::lock;

/// Subscriptions by source, made and not yet in force.
pub(crate) struct Subscribed(BTreeMap<String, Vec<Subscription>>);

/// What each subscription is to a machine, and since when.
#[derive(Default)]
pub(super) struct Revisions(Mutex<BTreeMap<String, (String, Timestamp)>>);

impl Revisions {
    /// These are offered from now on.
    pub(super) fn note(&self, subscriptions: &[Subscription], now: Timestamp) {
        let mut known = lock(&self.0);
        for subscription in subscriptions {
            let revision = subscription.revision();
            let is_known = known.get(&subscription.name);
            if is_known.is_none_or(|(known, _)| *known != revision) {
                known.insert(subscription.name.clone(), (revision, now));
            }
        }
    }

    /// Those of these names alone.
    fn keep(&self, config: &checked::Config) {
        lock(&self.0).retain(|name, _| config.subscription.contains_key(name));
    }

    fn since(&self, name: &str) -> Option<Timestamp> {
        lock(&self.0).get(name).map(|(_, since)| *since)
    }
}

/// Who has a subscription, as far as machines asked since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribers {
    /// Machines that were offered it when they asked last.
    pub machines: u64,
    /// Those of them that asked after it was changed last.
    pub current: u64,
    /// Events that came for it since the start.
    pub events: u64,
    /// When the last of them came from any machine that has it.
    pub last_events: Option<Timestamp>,
    /// Each machine, as far as asked for and shown, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_machine: Vec<Subscriber>,
}

/// A machine that has a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// Its authenticated name.
    pub name: String,
    /// The source it asks at.
    pub source: String,
    /// The version that it was offered.
    pub version: String,
    /// Whether it asked after the subscription was changed last.
    pub current: bool,
    /// When it asked.
    pub asked_at: Option<Timestamp>,
    /// Events that it sent for it since the start.
    pub events: u64,
}

impl Sources {
    /// Makes what every source that runs is to offer.
    ///
    /// # Errors
    /// A query that cannot be used; names the subscription.
    pub(crate) fn prepare_subscriptions(
        &self,
        config: &checked::Config,
    ) -> anyhow::Result<Subscribed> {
        let running = lock(&self.running);
        let sources = config.source.wef.iter();
        let made = sources
            .filter(|(name, _)| running.contains_key(*name))
            .map(|(name, source)| Ok((name.clone(), subscriptions(source, config, self.epoch)?)));
        made.collect::<anyhow::Result<_>>().map(Subscribed)
    }

    /// Offers them. Machines take them up when they ask next.
    pub(crate) async fn resubscribe(
        &self,
        made: Subscribed,
        config: &checked::Config,
        journal: &Journal,
    ) {
        for (name, mut subscriptions) in made.0 {
            learn_channels(journal, &mut subscriptions).await;
            let Some(collector) = lock(&self.running)
                .get(&name)
                .map(|running| running.collector.clone())
            else {
                continue;
            };
            collector.resubscribe(subscriptions.clone());
            self.revisions.note(&subscriptions, Timestamp::now());
        }
        self.revisions.keep(config);
    }

    /// Who has each of these subscriptions now; machine by machine where it is only one.
    pub(crate) fn subscribers(&self, names: &[&str]) -> BTreeMap<String, Subscribers> {
        let most = match names {
            [_] => MACHINES_SHOWN_MAX,
            _ => 0,
        };
        let mut found: BTreeMap<String, Subscribers> = BTreeMap::new();
        for name in names {
            found.insert((*name).to_owned(), Subscribers::default());
        }
        let running = lock(&self.running);
        for (source, running) in running.iter() {
            for machine in running.collector.sources() {
                for (name, subscribers) in &mut found {
                    let since = self.revisions.since(name);
                    count(subscribers, name, source, since, &machine);
                    subscribers.by_machine.truncate(most);
                }
            }
        }
        found
    }
}

fn count(
    subscribers: &mut Subscribers,
    name: &str,
    source: &str,
    since: Option<Timestamp>,
    machine: &SourceStatus,
) {
    let sent = machine.subscriptions.get(name);
    let events = sent.map_or(0, |counts| counts.events);
    subscribers.events += events;
    let offered = machine.offered.as_ref();
    let Some(offered) = offered.and_then(|offered| offered.get(name)) else {
        return;
    };
    let current = match (machine.last_enumerate, since) {
        (Some(asked), Some(since)) => asked >= since,
        _ => false,
    };
    subscribers.machines += 1;
    subscribers.current += u64::from(current);
    if events > 0 {
        subscribers.last_events = subscribers.last_events.max(machine.last_events);
    }
    if subscribers.by_machine.len() < MACHINES_SHOWN_MAX {
        subscribers.by_machine.push(Subscriber {
            name: machine.source.clone(),
            source: format!("wef.{source}"),
            version: offered.version.clone(),
            current,
            asked_at: machine.last_enumerate,
            events,
        });
    }
}

/// What a machine sees of a subscription, in eight characters.
///
/// # Errors
/// Its query cannot be used.
pub(crate) fn revision(config: &checked::Config, name: &str) -> anyhow::Result<Option<String>> {
    let Some(settings) = config.subscription.get(name) else {
        return Ok(None);
    };
    let made = subscription(name, settings, config, None)?;
    Ok(Some(made.revision()))
}
