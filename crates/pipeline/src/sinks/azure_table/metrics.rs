//! Counters of all table sinks, by the sink's name.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::sinks::lags::Lags;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sink {
    sink: String,
}

/// The metrics of every table sink. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct AzureTableMetrics {
    rows: Family<Sink, Counter>,
    batches: Family<Sink, Counter>,
    filtered_events: Family<Sink, Counter>,
    skipped_events: Family<Sink, Counter>,
    gone_events: Family<Sink, Counter>,
    failures: Family<Sink, Counter>,
    lags: Lags,
}

/// Those of one sink.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) rows: Counter,
    pub(super) batches: Counter,
    pub(super) filtered: Counter,
    pub(super) skipped: Counter,
    pub(super) gone: Counter,
    pub(super) failures: Counter,
}

impl AzureTableMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            (
                "windrow_azure_table_rows",
                "Rows written to tables",
                &self.rows,
            ),
            (
                "windrow_azure_table_batches",
                "Batches of rows written to tables",
                &self.batches,
            ),
            (
                "windrow_azure_table_filtered_events",
                "Events that the sink is not to have",
                &self.filtered_events,
            ),
            (
                "windrow_azure_table_skipped_events",
                "Events that the service refuses or nobody can read, kept aside",
                &self.skipped_events,
            ),
            (
                "windrow_azure_table_gone_events",
                "Events that the journal did not have any more",
                &self.gone_events,
            ),
            (
                "windrow_azure_table_failures",
                "Attempts that failed and were made again",
                &self.failures,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        let waiting = "Events of the journal that are not in tables yet, nor passed over";
        let helps = [waiting, "Age of the oldest of them"];
        self.lags.register(registry, "windrow_azure_table", helps);
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
            rows: of(&self.rows),
            batches: of(&self.batches),
            filtered: of(&self.filtered_events),
            skipped: of(&self.skipped_events),
            gone: of(&self.gone_events),
            failures: of(&self.failures),
        }
    }
}
