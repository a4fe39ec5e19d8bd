//! How far behind each sink of a kind is, as gauges.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sink {
    sink: String,
}

/// The lags of all sinks of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Lags {
    events: Family<Sink, Gauge>,
    seconds: Family<Sink, Gauge>,
    /// Those whose lag is known.
    known: Arc<Mutex<BTreeSet<String>>>,
}

impl Lags {
    /// Adds them to `registry` as `KIND_lag_events` and `KIND_lag_seconds`, with what each of the two says.
    pub(super) fn register(&self, registry: &mut Registry, kind: &str, helps: [&str; 2]) {
        for (unit, help, gauge) in [
            ("events", helps[0], &self.events),
            ("seconds", helps[1], &self.seconds),
        ] {
            registry.register(format!("{kind}_lag_{unit}"), help, gauge.clone());
        }
    }

    /// Sets how far behind each sink is, by name: events and seconds. Others have no lag from then on. Whoever reads the
    /// metrics meanwhile sees each sink, with the old numbers or the new ones.
    pub(super) fn set<'n>(&self, lags: impl IntoIterator<Item = (&'n str, u64, i64)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *known);
        for (name, events, seconds) in lags {
            let sink = Sink {
                sink: name.to_owned(),
            };
            let events = i64::try_from(events).unwrap_or(i64::MAX);
            self.events.get_or_create(&sink).set(events);
            self.seconds.get_or_create(&sink).set(seconds);
            known.insert(sink.sink);
        }
        for gone in before.difference(&known) {
            let sink = Sink { sink: gone.clone() };
            self.events.remove(&sink);
            self.seconds.remove(&sink);
        }
    }
}
