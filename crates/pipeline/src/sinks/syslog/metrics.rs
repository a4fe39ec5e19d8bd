//! Counters of all syslog destinations, by the destination's name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::journal::{GapReason, Seq};
use crate::sinks::lags::Lags;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sink {
    sink: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    sink: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dropped {
    sink: String,
    reason: &'static str,
}

/// Why a destination never gets events. Of those that nobody can read any more, which is all but the first, some may not
/// have been for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropReason {
    /// No message of an allowed size can be made of it.
    TooLong,
    /// What the journal holds of it cannot be read as an event.
    Unreadable,
    /// The journal was full and gave up its oldest events.
    Quota,
    /// The disk gave back other bytes than were written.
    Damaged,
    /// Not in the journal, and nothing says why.
    Missing,
    /// The destination was removed.
    Removed,
}

impl DropReason {
    const ALL: [DropReason; 6] = [
        DropReason::TooLong,
        DropReason::Unreadable,
        DropReason::Quota,
        DropReason::Damaged,
        DropReason::Missing,
        DropReason::Removed,
    ];

    fn word(self) -> &'static str {
        match self {
            DropReason::TooLong => "too_long",
            DropReason::Unreadable => "unreadable",
            DropReason::Quota => "quota",
            DropReason::Damaged => "damaged",
            DropReason::Missing => "missing",
            DropReason::Removed => "removed",
        }
    }

    /// That of a gap in the journal; none where every destination had what is gone.
    pub(super) fn of(gap: GapReason) -> Option<DropReason> {
        match gap {
            GapReason::Damaged => Some(DropReason::Damaged),
            GapReason::Dropped => Some(DropReason::Quota),
            GapReason::Missing => Some(DropReason::Missing),
            GapReason::Delivered => None,
        }
    }
}

/// The metrics of every syslog destination. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct SyslogMetrics {
    sent_events: Family<Sink, Counter>,
    sent_bytes: Family<Sink, Counter>,
    confirmed_events: Family<Sink, Counter>,
    resent_events: Family<Sink, Counter>,
    truncated_events: Family<Sink, Counter>,
    filtered_events: Family<Sink, Counter>,
    skipped_events: Family<Sink, Counter>,
    dropped_events: Family<Dropped, Counter>,
    connections: Family<Sink, Counter>,
    failures: Family<Failure, Counter>,
    unconfirmed_events: Family<Sink, Gauge>,
    lags: Lags,
    connected: Family<Sink, Gauge>,
    never_proves: Family<Sink, Gauge>,
    /// By destination.
    passed: Arc<Mutex<BTreeMap<String, Arc<Passed>>>>,
}

/// How far what a destination never gets was counted. It outlives the destination's sender, as the counters do: the next
/// one, with other settings, begins at what is confirmed and comes by again.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The last event that could not be sent.
    skipped: AtomicU64,
    /// The last event that the journal did not have any more.
    gone: AtomicU64,
}

impl SyslogMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "windrow_syslog_sent_events",
                "Events written to the receiver",
                &self.sent_events,
            ),
            (
                "windrow_syslog_sent_bytes",
                "Bytes of frames written to the receiver",
                &self.sent_bytes,
            ),
            (
                "windrow_syslog_confirmed_events",
                "Events that count as delivered",
                &self.confirmed_events,
            ),
            (
                "windrow_syslog_resent_events",
                "Events written again after a broken connection",
                &self.resent_events,
            ),
            (
                "windrow_syslog_truncated_events",
                "Events cut to the receiver's size limit",
                &self.truncated_events,
            ),
            (
                "windrow_syslog_filtered_events",
                "Events that the destination does not get, as it is set",
                &self.filtered_events,
            ),
            (
                "windrow_syslog_skipped_events",
                "Events that could not be encoded",
                &self.skipped_events,
            ),
            (
                "windrow_syslog_connections",
                "Connections made",
                &self.connections,
            ),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "windrow_syslog_dropped_events",
            "Events that the destination never gets, by reason",
            self.dropped_events.clone(),
        );
        registry.register(
            "windrow_syslog_failures",
            "Connections that failed or broke, by kind",
            self.failures.clone(),
        );
        self.register_gauges(registry);
    }

    fn register_gauges(&self, registry: &mut Registry) {
        let gauges = [
            (
                "windrow_syslog_unconfirmed_events",
                "Events written and not confirmed yet",
                &self.unconfirmed_events,
            ),
            (
                "windrow_syslog_connected",
                "1 while there is a connection",
                &self.connected,
            ),
            (
                "windrow_syslog_receiver_never_proves",
                "1 while the receiver takes events and does not confirm that it reads them",
                &self.never_proves,
            ),
        ];
        for (name, help, family) in gauges {
            registry.register(name, help, family.clone());
        }
        let waiting = "Events that the destination was not sent yet";
        let oldest =
            "Age of the oldest event that was not sent to the destination or is not confirmed";
        self.lags
            .register(registry, "windrow_syslog", [waiting, oldest]);
    }

    /// Sets how far behind each destination is, by name: events and seconds. Others have no lag from then on.
    pub fn set_lags<'n>(&self, lags: impl IntoIterator<Item = (&'n str, u64, i64)>) {
        self.lags.set(lags);
    }

    /// The destination `name` is no more, and up to `events` events are not sent to it.
    pub fn removed(&self, name: &str, events: u64) {
        drops(&self.dropped_events, name, DropReason::Removed).inc_by(events);
    }

    /// The counters of one destination.
    pub(super) fn of(&self, name: &str) -> Counters {
        let sink = Sink {
            sink: name.to_owned(),
        };
        let counter = |family: &Family<Sink, Counter>| family.get_or_create(&sink).clone();
        // A counter that is there from the start shows its first rise.
        for reason in DropReason::ALL {
            drops(&self.dropped_events, name, reason);
        }
        Counters {
            sent_events: counter(&self.sent_events),
            sent_bytes: counter(&self.sent_bytes),
            confirmed_events: counter(&self.confirmed_events),
            resent_events: counter(&self.resent_events),
            truncated_events: counter(&self.truncated_events),
            filtered_events: counter(&self.filtered_events),
            skipped_events: counter(&self.skipped_events),
            connections: counter(&self.connections),
            unconfirmed_events: self.unconfirmed_events.get_or_create(&sink).clone(),
            connected: self.connected.get_or_create(&sink).clone(),
            never_proves: self.never_proves.get_or_create(&sink).clone(),
            dropped_events: self.dropped_events.clone(),
            failures: self.failures.clone(),
            passed: {
                let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(passed.entry(name.to_owned()).or_default())
            },
            sink: name.to_owned(),
        }
    }
}

/// The counters of one destination, looked up once.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) sent_events: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) confirmed_events: Counter,
    pub(super) resent_events: Counter,
    pub(super) truncated_events: Counter,
    pub(super) filtered_events: Counter,
    pub(super) skipped_events: Counter,
    pub(super) connections: Counter,
    pub(super) unconfirmed_events: Gauge,
    pub(super) connected: Gauge,
    pub(super) never_proves: Gauge,
    dropped_events: Family<Dropped, Counter>,
    failures: Family<Failure, Counter>,
    passed: Arc<Passed>,
    sink: String,
}

/// The counter of what `sink` never gets for that reason.
fn drops(family: &Family<Dropped, Counter>, sink: &str, reason: DropReason) -> Counter {
    let label = Dropped {
        sink: sink.to_owned(),
        reason: reason.word(),
    };
    family.get_or_create(&label).clone()
}

impl Counters {
    /// The first of the events up to `last` that cannot be sent which was not passed before; they count as passed now.
    pub(super) fn new_skipped(&self, first: Seq, last: Seq) -> Seq {
        first_new(&self.passed.skipped, first, last)
    }

    /// The same of events that are gone.
    pub(super) fn new_gone(&self, first: Seq, last: Seq) -> Seq {
        first_new(&self.passed.gone, first, last)
    }

    pub(super) fn dropped(&self, reason: DropReason, events: u64) {
        drops(&self.dropped_events, &self.sink, reason).inc_by(events);
    }

    pub(super) fn failed(&self, kind: &'static str) {
        let label = Failure {
            sink: self.sink.clone(),
            kind,
        };
        self.failures.get_or_create(&label).inc();
    }
}

fn first_new(passed: &AtomicU64, first: Seq, last: Seq) -> Seq {
    // A destination has one sender at a time.
    let before = passed.fetch_max(last, Ordering::Relaxed);
    first.max(before.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_destination_is_away_while_its_lag_is_set() {
        let metrics = SyslogMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let seen = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text.lines()
                .filter(|line| line.starts_with("windrow_syslog_lag_events{"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        metrics.set_lags([("one", 1, 1), ("two", 2, 2)]);
        // A scrape between the first destination and the second.
        let lags = [("one", 3, 3), ("two", 4, 4)]
            .into_iter()
            .inspect(|(name, ..)| {
                let lines = seen();
                assert_eq!(lines.len(), 2, "at {name}: {lines:?}");
            });
        metrics.set_lags(lags);
        metrics.set_lags([("two", 5, 5)]);
        assert_eq!(seen(), ["windrow_syslog_lag_events{sink=\"two\"} 5"]);
    }

    #[test]
    fn every_metric_has_its_name_and_the_sink_it_is_of() {
        let metrics = SyslogMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let counters = metrics.of("siem");
        counters.sent_events.inc_by(3);
        counters.failed("connect");
        counters.dropped(DropReason::Quota, 4);
        metrics.removed("siem", 2);
        metrics.removed("old", 9);
        metrics.set_lags([("gone", 7, 8), ("siem", 1, 1)]);
        metrics.set_lags([("siem", 5, 60)]);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        // Those of one family are in no order.
        let (mut drops, values): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| line.contains("dropped"));
        drops.sort_unstable();
        insta::assert_snapshot!(drops.join("\n"), @r#"
        windrow_syslog_dropped_events_total{sink="old",reason="removed"} 9
        windrow_syslog_dropped_events_total{sink="siem",reason="damaged"} 0
        windrow_syslog_dropped_events_total{sink="siem",reason="missing"} 0
        windrow_syslog_dropped_events_total{sink="siem",reason="quota"} 4
        windrow_syslog_dropped_events_total{sink="siem",reason="removed"} 2
        windrow_syslog_dropped_events_total{sink="siem",reason="too_long"} 0
        windrow_syslog_dropped_events_total{sink="siem",reason="unreadable"} 0
        "#);
        insta::assert_snapshot!(values.join("\n"), @r#"
        windrow_syslog_sent_events_total{sink="siem"} 3
        windrow_syslog_sent_bytes_total{sink="siem"} 0
        windrow_syslog_confirmed_events_total{sink="siem"} 0
        windrow_syslog_resent_events_total{sink="siem"} 0
        windrow_syslog_truncated_events_total{sink="siem"} 0
        windrow_syslog_filtered_events_total{sink="siem"} 0
        windrow_syslog_skipped_events_total{sink="siem"} 0
        windrow_syslog_connections_total{sink="siem"} 0
        windrow_syslog_failures_total{sink="siem",kind="connect"} 1
        windrow_syslog_unconfirmed_events{sink="siem"} 0
        windrow_syslog_connected{sink="siem"} 0
        windrow_syslog_receiver_never_proves{sink="siem"} 0
        windrow_syslog_lag_events{sink="siem"} 5
        windrow_syslog_lag_seconds{sink="siem"} 60
        "#);
    }
}
