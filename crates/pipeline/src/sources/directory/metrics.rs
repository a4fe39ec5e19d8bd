//! Counters of all watched folders, by the source's name.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Round;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

type Count = Family<Source, Counter>;
type Now = Family<Source, Gauge<u64, AtomicU64>>;

/// The metrics of every watched folder. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct DirectoryMetrics {
    files: Now,
    waiting: Now,
    full: Now,
    pieces: Count,
    bytes: Count,
    replaced: Count,
    long_lines: Count,
    failed: Count,
    events: Count,
    damaged: Count,
}

impl DirectoryMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "windrow_directory_files",
                "Files in watched folders",
                &self.files,
            ),
            (
                "windrow_directory_waiting_bytes",
                "Bytes seen in watched folders and not taken yet",
                &self.waiting,
            ),
            (
                "windrow_directory_full",
                "Whether nothing is taken for want of room",
                &self.full,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            (
                "windrow_directory_pieces",
                "Pieces of files taken",
                &self.pieces,
            ),
            (
                "windrow_directory_bytes",
                "Bytes of files taken",
                &self.bytes,
            ),
            (
                "windrow_directory_replaced_files",
                "Files that were cut short or replaced, and began anew",
                &self.replaced,
            ),
            (
                "windrow_directory_long_lines",
                "Lines longer than any may be, taken in parts",
                &self.long_lines,
            ),
            (
                "windrow_directory_events",
                "Events taken of files of events",
                &self.events,
            ),
            (
                "windrow_directory_damaged",
                "Places in files of events that could not be read",
                &self.damaged,
            ),
            (
                "windrow_directory_failures",
                "Times that a file or folder could not be read",
                &self.failed,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    /// Counts a look.
    pub fn looked(&self, source: &str, round: &Round) {
        let label = Source {
            source: source.to_owned(),
        };
        self.files.get_or_create(&label).set(round.files);
        self.waiting.get_or_create(&label).set(round.waiting_bytes);
        (self.full.get_or_create(&label)).set(u64::from(round.full.is_some()));
        for (counter, by) in [
            (&self.pieces, round.pieces),
            (&self.bytes, round.bytes),
            (&self.replaced, round.replaced),
            (&self.long_lines, round.long_lines),
            (&self.failed, round.failed),
            (&self.events, round.events),
            (&self.damaged, round.damaged),
        ] {
            counter.get_or_create(&label).inc_by(by);
        }
    }

    /// Forgets a source that is gone.
    pub fn forget(&self, source: &str) {
        let label = Source {
            source: source.to_owned(),
        };
        for gauge in [&self.files, &self.waiting, &self.full] {
            gauge.remove(&label);
        }
        for counter in [
            &self.pieces,
            &self.bytes,
            &self.replaced,
            &self.long_lines,
            &self.failed,
            &self.events,
            &self.damaged,
        ] {
            counter.remove(&label);
        }
    }
}
