//! What the journal counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Names a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CursorLabel {
    /// The sink.
    pub sink: String,
}

/// The journal's counters; cheap to clone.
#[derive(Debug, Clone)]
pub struct JournalMetrics {
    /// Frames made durable.
    pub frames: Counter,
    /// Events made durable.
    pub events: Counter,
    /// Bytes made durable, as stored.
    pub bytes: Counter,
    /// Bytes made durable, before compression.
    pub raw_bytes: Counter,
    /// Synchronous writes of segments.
    pub fsyncs: Counter,
    /// Seconds each of them took.
    pub fsync_seconds: Histogram,
    /// Segments given up because the disk failed.
    pub poisoned_segments: Counter,
    /// Appends refused because the journal was full.
    pub refused_appends: Counter,
    /// Damaged ranges met.
    pub damaged_ranges: Counter,
    /// Events lost to damage.
    pub damaged_events: Counter,
    /// Events dropped by policy before every sink had them.
    pub dropped_events: Counter,
    /// Bytes occupied on disk.
    pub used_bytes: Gauge,
    /// Bytes the journal may occupy.
    pub quota_bytes: Gauge,
    /// Bytes of all states.
    pub state_bytes: Gauge,
    /// The last durable sequence.
    pub durable_sequence: Gauge,
    /// Events each sink has still to take.
    pub cursor_lag: Family<CursorLabel, Gauge>,
}

impl Default for JournalMetrics {
    fn default() -> Self {
        JournalMetrics {
            frames: Counter::default(),
            events: Counter::default(),
            bytes: Counter::default(),
            raw_bytes: Counter::default(),
            fsyncs: Counter::default(),
            fsync_seconds: Histogram::new(exponential_buckets(0.000_02, 2.0, 18)),
            poisoned_segments: Counter::default(),
            refused_appends: Counter::default(),
            damaged_ranges: Counter::default(),
            damaged_events: Counter::default(),
            dropped_events: Counter::default(),
            used_bytes: Gauge::default(),
            quota_bytes: Gauge::default(),
            state_bytes: Gauge::default(),
            durable_sequence: Gauge::default(),
            cursor_lag: Family::default(),
        }
    }
}

impl JournalMetrics {
    /// Adds them to a registry; the text format appends `_total` to counters.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "windrow_journal_frames",
                "Frames made durable",
                &self.frames,
            ),
            (
                "windrow_journal_events",
                "Events made durable",
                &self.events,
            ),
            (
                "windrow_journal_bytes",
                "Bytes made durable, as stored",
                &self.bytes,
            ),
            (
                "windrow_journal_raw_bytes",
                "Bytes made durable, before compression",
                &self.raw_bytes,
            ),
            (
                "windrow_journal_fsyncs",
                "Synchronous writes of segments",
                &self.fsyncs,
            ),
            (
                "windrow_journal_poisoned_segments",
                "Segments given up because the disk failed",
                &self.poisoned_segments,
            ),
            (
                "windrow_journal_refused_appends",
                "Appends refused because the journal was full",
                &self.refused_appends,
            ),
            (
                "windrow_journal_damaged_ranges",
                "Damaged ranges met",
                &self.damaged_ranges,
            ),
            (
                "windrow_journal_damaged_events",
                "Events lost to damage",
                &self.damaged_events,
            ),
            (
                "windrow_journal_dropped_events",
                "Events dropped by policy before every sink had them",
                &self.dropped_events,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let gauges = [
            (
                "windrow_journal_used_bytes",
                "Bytes the journal occupies",
                &self.used_bytes,
            ),
            (
                "windrow_journal_quota_bytes",
                "Bytes the journal may occupy",
                &self.quota_bytes,
            ),
            (
                "windrow_journal_state_bytes",
                "Bytes of all states",
                &self.state_bytes,
            ),
            (
                "windrow_journal_durable_sequence",
                "Last durable sequence",
                &self.durable_sequence,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "windrow_journal_fsync_seconds",
            "Seconds a synchronous write took",
            self.fsync_seconds.clone(),
        );
        registry.register(
            "windrow_journal_cursor_lag_events",
            "Events a sink has still to take",
            self.cursor_lag.clone(),
        );
    }
}
