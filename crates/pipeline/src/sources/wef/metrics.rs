//! What the collector counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::refusal::Refusal;

/// How a connection came out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConnectionLabel {
    /// `accepted`, `refused`.
    pub result: &'static str,
}

/// What a request was, and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabel {
    /// `enumerate`, `events`, `heartbeat`, `end`, `subscription_end`, `other`.
    pub action: &'static str,
    /// Status of the HTTP response.
    pub status: u16,
}

/// Why a connection or a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    /// The name of a [`Refusal`].
    pub reason: &'static str,
}

/// The collector's counters; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WefMetrics {
    /// Connections open.
    pub open_connections: Gauge,
    /// Connections by how they came out.
    pub connections: Family<ConnectionLabel, Counter>,
    /// Requests by action and status.
    pub requests: Family<RequestLabel, Counter>,
    /// Connections and requests refused, by reason.
    pub refusals: Family<RefusalLabel, Counter>,
    /// Deliveries acknowledged.
    pub batches: Counter,
    /// Events made durable.
    pub events: Counter,
    /// Events that had come before and were left out.
    pub duplicate_events: Counter,
    /// Events kept although their XML could not be read to its end.
    pub malformed_events: Counter,
    /// Events in which a character could not be decoded.
    pub lossy_events: Counter,
    /// Events that sources say they dropped before sending.
    pub source_dropped_events: Counter,
    /// Bookkeeping events (111) that begin a subscription.
    pub bookmark_events: Counter,
    /// Those that came although a bookmark was stored: the source may have skipped events.
    pub unexpected_bookmark_events: Counter,
    /// Bytes of bodies as they came.
    pub received_bytes: Counter,
    /// Bytes of bodies no longer compressed.
    pub clear_bytes: Counter,
    /// Bodies put into the quarantine.
    pub quarantined: Counter,
}

impl WefMetrics {
    /// Adds them to a registry; the text format appends `_total` to counters.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "windrow_wef_open_connections",
            "Connections of sources that are open",
            self.open_connections.clone(),
        );
        registry.register(
            "windrow_wef_connections",
            "Connections of sources by how they came out",
            self.connections.clone(),
        );
        registry.register(
            "windrow_wef_requests",
            "Requests of sources by action and HTTP status",
            self.requests.clone(),
        );
        registry.register(
            "windrow_wef_refusals",
            "Connections and requests of sources that were refused, by reason",
            self.refusals.clone(),
        );
        for (name, help, counter) in self.counters() {
            registry.register(format!("windrow_wef_{name}"), help, counter.clone());
        }
    }

    /// Those without labels: name, help and counter.
    fn counters(&self) -> [(&'static str, &'static str, &Counter); 11] {
        [
            ("batches", "Deliveries acknowledged", &self.batches),
            ("events", "Events received and made durable", &self.events),
            (
                "duplicate_events",
                "Events that had come before and were left out",
                &self.duplicate_events,
            ),
            (
                "malformed_events",
                "Events kept although their XML could not be read to its end",
                &self.malformed_events,
            ),
            (
                "lossy_events",
                "Events in which a character could not be decoded",
                &self.lossy_events,
            ),
            (
                "source_dropped_events",
                "Events that sources say they dropped before sending",
                &self.source_dropped_events,
            ),
            (
                "bookmark_events",
                "Bookkeeping events that begin a subscription",
                &self.bookmark_events,
            ),
            (
                "unexpected_bookmark_events",
                "Bookkeeping events that came although a bookmark was stored",
                &self.unexpected_bookmark_events,
            ),
            (
                "received_bytes",
                "Bytes of bodies as they came",
                &self.received_bytes,
            ),
            (
                "clear_bytes",
                "Bytes of bodies no longer compressed",
                &self.clear_bytes,
            ),
            (
                "quarantined_bodies",
                "Bodies put into the quarantine",
                &self.quarantined,
            ),
        ]
    }

    pub(super) fn refusal(&self, refusal: Refusal) {
        let reason = refusal.name();
        self.refusals.get_or_create(&RefusalLabel { reason }).inc();
    }

    pub(super) fn connection(&self, result: &'static str) {
        self.connections
            .get_or_create(&ConnectionLabel { result })
            .inc();
    }
}
