//! What the program itself counts; each room of the pipeline counts its own.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use windrow_lake::FileTable;

/// The lake as a sink.
#[derive(Clone, Debug, Default)]
pub(crate) struct LakeMetrics {
    /// Commits.
    pub(crate) commits: Counter,
    /// Events committed.
    pub(crate) rows: Counter,
    /// Commits that failed and were tried again.
    pub(crate) failures: Counter,
    /// Events whose journal entry could not be read.
    pub(crate) unreadable: Counter,
    /// 1 while events cannot go into the lake or cannot be read for it.
    pub(crate) degraded: Gauge,
    /// Files that were merged with others.
    pub(crate) merged: Counter,
    /// 1 while nothing is taken out of the lake, since the clock is not believed.
    pub(crate) clock_doubted: Gauge,
    /// Damaged files of the lake that queries have met.
    pub(crate) damaged: Gauge,
    /// Queries that run now.
    pub(crate) queries: Gauge,
}

impl LakeMetrics {
    /// Enters the counters under their names.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "windrow_lake_commits",
            "Commits to the lake",
            self.commits.clone(),
        );
        registry.register(
            "windrow_lake_events",
            "Events committed to the lake",
            self.rows.clone(),
        );
        registry.register(
            "windrow_lake_commit_failures",
            "Commits to the lake that failed and were tried again",
            self.failures.clone(),
        );
        registry.register(
            "windrow_lake_unreadable_events",
            "Events whose journal entry could not be read",
            self.unreadable.clone(),
        );
        registry.register(
            "windrow_lake_degraded",
            "1 while events cannot go into the lake, and are tried again; /healthz and the status say why",
            self.degraded.clone(),
        );
        registry.register(
            "windrow_lake_merged_files",
            "Files of days that are over, merged with others of their day",
            self.merged.clone(),
        );
        registry.register(
            "windrow_lake_clock_doubted",
            "1 while the clock is not believed, so that nothing is taken out of the lake, merged or removed",
            self.clock_doubted.clone(),
        );
        registry.register(
            "windrow_lake_damaged_files",
            "Damaged files of the lake that queries have met since the start; windrow lake check names all",
            self.damaged.clone(),
        );
        registry.register(
            "windrow_lake_queries_running",
            "Queries that run now",
            self.queries.clone(),
        );
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTable {
    table: &'static str,
}

/// Rows of watched files on their way into the lake, by table.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilesMetrics {
    commits: Family<OfTable, Counter>,
    rows: Family<OfTable, Counter>,
    bad_lines: Family<OfTable, Counter>,
    lost_pieces: Family<OfTable, Counter>,
    expired: Family<OfTable, Counter>,
}

/// Those of one table.
#[derive(Clone, Debug)]
pub(crate) struct FileMetrics {
    /// Times that what had come was committed, rows or none.
    pub(crate) commits: Counter,
    /// Rows committed.
    pub(crate) rows: Counter,
    /// Lines that are no rows.
    pub(crate) bad_lines: Counter,
    /// Pieces of files that were gone or damaged before their rows were in the lake.
    pub(crate) lost_pieces: Counter,
    /// Rows left out, since retention would take them away at once.
    pub(crate) expired: Counter,
}

impl FilesMetrics {
    /// Enters the counters under their names.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            (
                "windrow_lake_file_commits",
                "Times that what watched files had brought was put into the lake",
                &self.commits,
            ),
            (
                "windrow_lake_file_rows",
                "Rows of watched files committed to the lake",
                &self.rows,
            ),
            (
                "windrow_lake_file_bad_lines",
                "Lines of watched files that are no rows of their table",
                &self.bad_lines,
            ),
            (
                "windrow_lake_file_lost_pieces",
                "Pieces of watched files that were lost before their rows were in the lake",
                &self.lost_pieces,
            ),
            (
                "windrow_lake_file_expired_rows",
                "Rows of watched files left out of the lake, since retention would take them away at once",
                &self.expired,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    /// Those of this table.
    pub(crate) fn of(&self, table: FileTable) -> FileMetrics {
        let label = OfTable {
            table: table.name(),
        };
        let of = |family: &Family<OfTable, Counter>| family.get_or_create(&label).clone();
        FileMetrics {
            commits: of(&self.commits),
            rows: of(&self.rows),
            bad_lines: of(&self.bad_lines),
            lost_pieces: of(&self.lost_pieces),
            expired: of(&self.expired),
        }
    }
}
