//! What the program itself counts; each room of the pipeline counts its own.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

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
