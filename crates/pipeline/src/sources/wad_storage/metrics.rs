//! Counters of all tables that are read, by the source's name.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Round;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

type Count = Family<Source, Counter>;

/// The metrics of every such source. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct WadMetrics {
    rows: Count,
    unread: Count,
    failures: Count,
}

impl WadMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            (
                "windrow_wad_storage_rows",
                "Rows of Azure's tables taken as events",
                &self.rows,
            ),
            (
                "windrow_wad_storage_unread_rows",
                "Rows of Azure's tables that could not be read",
                &self.unread,
            ),
            (
                "windrow_wad_storage_failures",
                "Times that a table of Azure's could not be read",
                &self.failures,
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
        let troubles = round.tables.iter().filter(|table| table.trouble.is_some());
        for (counter, by) in [
            (&self.rows, round.rows),
            (&self.unread, round.unread),
            (&self.failures, troubles.count() as u64),
        ] {
            counter.get_or_create(&label).inc_by(by);
        }
    }

    /// Forgets a source that is gone.
    pub fn forget(&self, source: &str) {
        let label = Source {
            source: source.to_owned(),
        };
        for counter in [&self.rows, &self.unread, &self.failures] {
            counter.remove(&label);
        }
    }
}
