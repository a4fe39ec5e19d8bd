//! One commit to the lake on its way, beside the reading of the journal.
//!
//! A commit is tried until it is in, with the same rows and the same transaction: an attempt that failed may have
//! succeeded, and only so the lake can tell.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use windrow_formats::text::Chain;
use windrow_lake::{Lake, LakeError, Rows};
use windrow_pipeline::journal::Seq;

use super::super::metrics::LakeMetrics;
use super::condition::{Condition, Work};
use super::counting::Counting;

/// First and longest pause after an attempt that failed.
pub(crate) const RETRY_PAUSE: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(30));

/// Where rows are committed, each transaction once.
pub(crate) trait Store: Clone + Send + Sync + 'static {
    /// The version that the newest commit brought the application to.
    fn position(&self, app_id: &str)
    -> impl Future<Output = Result<Option<i64>, LakeError>> + Send;

    /// Adds these rows as one commit that brings the application from one version to the next.
    fn append(
        &self,
        rows: Rows,
        app_id: &str,
        after: Option<i64>,
        version: i64,
    ) -> impl Future<Output = Result<(), LakeError>> + Send;

    /// Counts what was added and is not counted yet.
    fn count(&self) -> impl Future<Output = Result<(), LakeError>> + Send;
}

impl Store for Lake {
    async fn position(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        Lake::position(self, app_id).await
    }

    async fn append(
        &self,
        rows: Rows,
        app_id: &str,
        after: Option<i64>,
        version: i64,
    ) -> Result<(), LakeError> {
        self.append_after(rows, app_id, after, version)
            .await
            .map(drop)
    }

    async fn count(&self) -> Result<(), LakeError> {
        self.roll_up().await.map(drop)
    }
}

/// What a commit brings into the lake.
pub(super) struct Batch {
    /// All rows of the tail.
    pub(super) rows: Rows,
    /// Pieces of the tail they are.
    pub(super) chunks: usize,
    /// What the lake has of this journal; none where it has nothing.
    pub(super) after: Option<Seq>,
    /// The last sequence read.
    pub(super) to: Seq,
}

/// What a commit needs beside its rows.
#[derive(Clone)]
pub(super) struct Committer<S> {
    pub(super) store: S,
    pub(super) app_id: String,
    pub(super) metrics: LakeMetrics,
    pub(super) condition: Condition,
    /// Cancelled where another collector writes under this journal's name.
    pub(super) another: CancellationToken,
    /// Where commits run, so that they take no time from sources.
    pub(super) runtime: Handle,
}

/// The commit on its way; at most one.
pub(super) struct Flight {
    flying: Option<Flying>,
    counting: Counting,
}

struct Flying {
    task: JoinHandle<bool>,
    chunks: usize,
    to: Seq,
}

/// A commit that is in the lake.
pub(super) struct Landed {
    /// Pieces of the tail that it holds.
    pub(super) chunks: usize,
    /// The last sequence in it.
    pub(super) to: Seq,
}

impl Flight {
    /// Nothing is on its way; what landed is counted.
    pub(super) fn new(counting: Counting) -> Flight {
        Flight {
            flying: None,
            counting,
        }
    }

    /// Pieces of the tail that are on their way.
    pub(super) fn chunks(&self) -> usize {
        self.flying.as_ref().map_or(0, |flying| flying.chunks)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flying.is_none()
    }

    /// Sends a commit on its way; after `shutdown` it is tried once.
    pub(super) fn begin<S: Store>(
        &mut self,
        committer: &Committer<S>,
        batch: Batch,
        shutdown: CancellationToken,
    ) {
        let (chunks, to) = (batch.chunks, batch.to);
        let task = committer
            .runtime
            .spawn(commit(committer.clone(), batch, shutdown));
        self.flying = Some(Flying { task, chunks, to });
    }

    /// Waits for the commit on its way, for ever when there is none; none when it was given up.
    ///
    /// # Errors
    /// Its task died.
    pub(super) async fn landed(&mut self) -> Result<Option<Landed>, JoinError> {
        let Some(flying) = &mut self.flying else {
            return std::future::pending().await;
        };
        let ended = (&mut flying.task).await;
        let landed = Landed {
            chunks: flying.chunks,
            to: flying.to,
        };
        self.flying = None;
        if !ended? {
            return Ok(None);
        }
        self.counting.want();
        Ok(Some(landed))
    }

    /// Waits until nothing is on its way, however that ended.
    pub(super) async fn settle(&mut self) {
        if !self.is_idle() {
            let _ = self.landed().await;
        }
    }

    /// Waits until nothing is on its way and what landed is counted, unless counting takes long.
    pub(super) async fn end(mut self) {
        self.settle().await;
        self.counting.end().await;
    }
}

/// Tries until the rows are in, or until shutdown; whether they are.
async fn commit<S: Store>(
    committer: Committer<S>,
    batch: Batch,
    shutdown: CancellationToken,
) -> bool {
    let version = |seq| i64::try_from(seq).unwrap_or(i64::MAX);
    let (after, version) = (batch.after.map(version), version(batch.to));
    let mut pause = RETRY_PAUSE.0;
    loop {
        let rows = batch.rows.clone();
        let Err(error) = committer
            .store
            .append(rows, &committer.app_id, after, version)
            .await
        else {
            break;
        };
        let reason = Chain(&error).to_string();
        committer.metrics.failures.inc();
        if let LakeError::Another { .. } = error {
            tracing::error!(
                error = reason,
                "nothing more goes from here into the lake; the journal keeps the events"
            );
            committer.condition.failed(Work::Committing, &reason);
            committer.another.cancel();
            return false;
        }
        tracing::error!(error = reason, retry_in = ?pause, "cannot write to the lake; the journal keeps the events");
        committer.condition.failed(Work::Committing, &reason);
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(RETRY_PAUSE.1);
    }
    committer.condition.works(Work::Committing);
    committer.metrics.commits.inc();
    committer.metrics.rows.inc_by(batch.rows.len() as u64);
    true
}
