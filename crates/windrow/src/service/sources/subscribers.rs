//! Subscriptions of the sources that run: changed without touching anything else, and who has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windrow_pipeline::journal::Journal;
use windrow_pipeline::sources::wef::{SourceStatus, Subscription};

use super::{Sources, forget_channels, learn_channels, subscription, subscriptions};
use crate::config::checked;
use crate::service::limits::MACHINES_SHOWN_MAX;
use crate::service::lock;

/// Subscriptions by source, made and not yet in force.
pub(crate) struct Subscribed(BTreeMap<String, Vec<Subscription>>);

/// Who has a subscription, as far as machines asked since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribers {
    /// Machines that were offered it when they asked last.
    pub machines: u64,
    /// Those of them that were offered it as it is now.
    pub current: u64,
    /// Those of these that have sent something for it since, be it a sign of life: they have taken it up.
    #[serde(default)]
    pub taken_up: u64,
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
    /// The version that it was offered, as it has it itself.
    pub version: String,
    /// The revision that it was offered.
    #[serde(default)]
    pub revision: String,
    /// Whether that is the newest.
    pub current: bool,
    /// Whether it has sent something for it since, be it a sign of life.
    #[serde(default)]
    pub taken_up: bool,
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
            collector.resubscribe(subscriptions);
        }
        forget_channels(config, journal).await;
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
            let asked = running.collector.terms().asked.into_iter();
            let newest: BTreeMap<String, String> =
                asked.map(|asked| (asked.name, asked.revision)).collect();
            for machine in running.collector.sources() {
                for (name, subscribers) in &mut found {
                    let newest = newest.get(name).map(String::as_str);
                    count(subscribers, name, source, newest, &machine);
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
    newest: Option<&str>,
    machine: &SourceStatus,
) {
    let sent = machine.subscriptions.get(name);
    let events = sent.map_or(0, |counts| counts.events);
    subscribers.events += events;
    let offered = machine.offered.as_ref();
    let Some(offered) = offered.and_then(|offered| offered.get(name)) else {
        return;
    };
    let current = newest == Some(offered.revision.as_str());
    subscribers.machines += 1;
    subscribers.current += u64::from(current);
    let taken_up = current && machine.taken_up(name).is_some();
    subscribers.taken_up += u64::from(taken_up);
    if events > 0 {
        subscribers.last_events = subscribers.last_events.max(machine.last_events);
    }
    if subscribers.by_machine.len() < MACHINES_SHOWN_MAX {
        subscribers.by_machine.push(Subscriber {
            name: machine.source.clone(),
            source: format!("wef.{source}"),
            version: offered.version.clone(),
            revision: offered.revision.clone(),
            current,
            taken_up,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windrow_pipeline::sources::wef::{Counts, Offered};

    use super::*;

    /// A machine that was offered `dc` in a revision, and sent for it so many seconds after that.
    fn machine(revision: &str, sent: Option<i64>) -> SourceStatus {
        let at = |second| Timestamp::from_second(second).unwrap();
        let offered = Offered {
            version: "V1".to_owned(),
            revision: revision.to_owned(),
            since: at(100),
            heartbeat: Duration::from_secs(900),
            max_time: Duration::from_secs(30),
        };
        let counts = Counts {
            last_sign: sent.map(|sent| at(100 + sent)),
            ..Counts::default()
        };
        SourceStatus {
            offered: Some([("dc".to_owned(), offered)].into()),
            subscriptions: [("dc".to_owned(), counts)].into(),
            ..SourceStatus::default()
        }
    }

    #[test]
    fn who_was_offered_it_has_it_once_something_came_for_it() {
        let mut subscribers = Subscribers::default();
        for machine in [
            machine("R2", Some(0)),
            machine("R2", Some(60)),
            machine("R2", Some(-1)),
            machine("R2", None),
            machine("R1", Some(60)),
            SourceStatus::default(),
        ] {
            count(&mut subscribers, "dc", "main", Some("R2"), &machine);
        }
        let Subscribers {
            machines,
            current,
            taken_up,
            ..
        } = subscribers;
        assert_eq!((machines, current, taken_up), (5, 4, 2));
        let each: Vec<bool> = (subscribers.by_machine.iter())
            .map(|one| one.taken_up)
            .collect();
        assert_eq!(each, [true, true, false, false, false]);
    }
}
