//! Counters of all blob sinks, by the sink's name.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::sinks::lags::Lags;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sink {
    sink: String,
}

/// The metrics of every blob sink. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct AzureBlobMetrics {
    bytes: Family<Sink, Counter>,
    requests: Family<Sink, Counter>,
    files: Family<Sink, Counter>,
    skipped_pieces: Family<Sink, Counter>,
    gone_events: Family<Sink, Counter>,
    failures: Family<Sink, Counter>,
    lags: Lags,
}

/// Those of one sink.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) bytes: Counter,
    pub(super) requests: Counter,
    pub(super) files: Counter,
    pub(super) skipped: Counter,
    pub(super) gone: Counter,
    pub(super) failures: Counter,
}

impl AzureBlobMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            (
                "windrow_azure_blob_bytes",
                "Bytes of files put into containers",
                &self.bytes,
            ),
            (
                "windrow_azure_blob_requests",
                "Requests that put bytes into containers",
                &self.requests,
            ),
            (
                "windrow_azure_blob_files",
                "Files begun or put into containers",
                &self.files,
            ),
            (
                "windrow_azure_blob_skipped_pieces",
                "Pieces of files that are in no container: lost, or under a name that the service refuses",
                &self.skipped_pieces,
            ),
            (
                "windrow_azure_blob_gone_events",
                "Events that the journal did not have any more",
                &self.gone_events,
            ),
            (
                "windrow_azure_blob_failures",
                "Attempts that failed and were made again",
                &self.failures,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        let waiting = "Events of the journal that are not in containers yet, nor passed over";
        let helps = [waiting, "Age of the oldest of them"];
        self.lags.register(registry, "windrow_azure_blob", helps);
    }

    /// Sets how far behind each sink is, by name: events and seconds. Others have no lag from then on.
    pub fn set_lags<'n>(&self, lags: impl IntoIterator<Item = (&'n str, u64, i64)>) {
        self.lags.set(lags);
    }

    pub(super) fn of(&self, name: &str) -> Counters {
        let sink = Sink {
            sink: name.to_owned(),
        };
        let of = |family: &Family<Sink, Counter>| family.get_or_create(&sink).clone();
        Counters {
            bytes: of(&self.bytes),
            requests: of(&self.requests),
            files: of(&self.files),
            skipped: of(&self.skipped_pieces),
            gone: of(&self.gone_events),
            failures: of(&self.failures),
        }
    }
}
