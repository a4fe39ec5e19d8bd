//! What the fleet counts while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Most kinds of faults that are told apart.
const FAULT_KINDS_MAX: usize = 64;

/// Counters that every machine adds to.
#[derive(Debug, Default)]
pub(super) struct Stats {
    /// Machines with a subscription that runs.
    pub subscribed: AtomicU64,
    /// Events sent for the first time.
    pub sent: AtomicU64,
    /// Events sent again.
    pub resent: AtomicU64,
    /// Events that were acknowledged, each once.
    pub acknowledged: AtomicU64,
    /// Deliveries that were acknowledged.
    pub deliveries: AtomicU64,
    /// Heartbeats that were acknowledged.
    pub heartbeats: AtomicU64,
    /// Events 111 that were acknowledged.
    pub bookkeeping: AtomicU64,
    /// Connections on which the machine has proved who it is.
    pub connections: AtomicU64,
    /// Bytes of bodies before compression, and as they were sent.
    pub clear_bytes: AtomicU64,
    /// As above.
    pub wire_bytes: AtomicU64,
    latency: Latency,
    faults: Mutex<BTreeMap<String, u64>>,
}

impl Stats {
    /// Counts an answer that was no acknowledgement, or none, by its kind.
    pub(super) fn fault(&self, kind: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = if faults.len() < FAULT_KINDS_MAX || faults.contains_key(kind) {
            kind
        } else {
            "others"
        };
        *faults.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts how long an acknowledgement took.
    pub(super) fn acknowledged_after(&self, duration: Duration) {
        self.latency.record(duration);
    }

    /// What has been counted by now.
    pub(super) fn progress(&self, elapsed: Duration, machines: usize, generated: u64) -> Progress {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Progress {
            seconds: elapsed.as_secs_f64(),
            machines,
            subscribed: load(&self.subscribed),
            generated,
            sent: load(&self.sent),
            acknowledged: load(&self.acknowledged),
            resent: load(&self.resent),
            deliveries: load(&self.deliveries),
            heartbeats: load(&self.heartbeats),
            bookkeeping: load(&self.bookkeeping),
            connections: load(&self.connections),
            clear_bytes: load(&self.clear_bytes),
            wire_bytes: load(&self.wire_bytes),
            ack_p50_ms: self.latency.quantile_ms(0.50),
            ack_p99_ms: self.latency.quantile_ms(0.99),
            faults: self
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

/// How far the fleet is; at the end, its summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Time since the start.
    pub seconds: f64,
    /// Machines of the fleet.
    pub machines: usize,
    /// Machines with a subscription that runs.
    pub subscribed: u64,
    /// Events that the machines wrote and have to send.
    pub generated: u64,
    /// Events sent at least once.
    pub sent: u64,
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Events sent once more than needed.
    pub resent: u64,
    /// Deliveries acknowledged.
    pub deliveries: u64,
    /// Heartbeats acknowledged.
    pub heartbeats: u64,
    /// Events 111, which open a subscription without a bookmark, acknowledged.
    pub bookkeeping: u64,
    /// Connections made, to their TLS session or that of Kerberos.
    pub connections: u64,
    /// Bytes of deliveries before compression.
    pub clear_bytes: u64,
    /// Bytes of deliveries as sent.
    pub wire_bytes: u64,
    /// Time from a delivery to its acknowledgement, the median.
    pub ack_p50_ms: f64,
    /// The same, the slowest hundredth.
    pub ack_p99_ms: f64,
    /// Answers that were not what was hoped for, by kind.
    pub faults: BTreeMap<String, u64>,
}

impl Progress {
    /// Acknowledged events a second, since the start.
    pub fn events_per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.acknowledged as f64 / self.seconds
        } else {
            0.0
        }
    }
}

/// Microseconds in buckets of which eight double: no value is off by more than an eighth.
#[derive(Debug)]
struct Latency {
    buckets: Box<[AtomicU64]>,
}

/// Buckets for an octave.
const STEPS: u64 = 8;

/// Octaves: the last ones are hours.
const OCTAVES: u64 = 32;

impl Default for Latency {
    fn default() -> Latency {
        Latency {
            buckets: (0..STEPS * OCTAVES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Latency {
    fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::bucket(micros).min(self.buckets.len() - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// Below 16 each value has a bucket; above, the three bits after the first one count.
    fn bucket(micros: u64) -> usize {
        if micros < 2 * STEPS {
            return micros as usize;
        }
        let octave = u64::from(micros.ilog2()) - 3;
        (octave * STEPS + (micros >> octave)) as usize
    }

    /// The highest value of `bucket`.
    fn highest(bucket: u64) -> u64 {
        if bucket < 2 * STEPS {
            return bucket;
        }
        let octave = bucket / STEPS - 1;
        ((bucket - octave * STEPS + 1) << octave) - 1
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|b| b.load(Ordering::Relaxed))
            .collect();
        let wanted = counts.iter().sum::<u64>() as f64 * quantile;
        let mut seen = 0;
        for (bucket, count) in (0..).zip(counts) {
            seen += count;
            if count > 0 && seen as f64 >= wanted {
                return Self::highest(bucket) as f64 / 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_off_by_an_eighth_at_most() {
        for micros in (0..100).chain((1..30).map(|power| (1_u64 << power) + 3)) {
            let highest = Latency::highest(Latency::bucket(micros) as u64);
            assert!(
                micros <= highest && highest <= micros + micros / 8,
                "{micros} {highest}"
            );
            assert_eq!(Latency::bucket(highest), Latency::bucket(micros));
            assert_eq!(Latency::bucket(highest + 1), Latency::bucket(micros) + 1);
        }
    }

    #[test]
    fn quantiles_are_found() {
        let latency = Latency::default();
        assert_eq!(latency.quantile_ms(0.5), 0.0);
        for millis in 1..=100 {
            latency.record(Duration::from_millis(millis));
        }
        latency.record(Duration::from_secs(1 << 40));
        let (p50, p99) = (latency.quantile_ms(0.5), latency.quantile_ms(0.99));
        assert!(
            (50.0..57.0).contains(&p50) && (99.0..113.0).contains(&p99),
            "{p50} {p99}"
        );
    }

    #[test]
    fn faults_have_a_limited_number_of_kinds() {
        let stats = Stats::default();
        for kind in 0..100 {
            stats.fault(&format!("http {kind}"));
            stats.fault("http 1");
        }
        let faults = stats.progress(Duration::ZERO, 1, 0).faults;
        assert_eq!(faults.len(), FAULT_KINDS_MAX + 1);
        assert_eq!(faults["others"], 36);
        assert_eq!(faults["http 1"], 101);
    }
}
