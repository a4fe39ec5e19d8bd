//! Takes care of the lake while the service runs: what is kept no longer goes, and its files are kept few.
//!
//! Nothing of it is done by a clock that is not believed ([`Clock`]). What went is on record right after the commit that took it
//! out; neither a stop nor another retention comes between the two.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use tokio::sync::{mpsc, watch};
use windrow_formats::text::Chain;
use windrow_lake::{Done, Expired, Lake, Retention, Told};

use super::Tasks;
use super::limits::TOLD_AHEAD;
use super::metrics::LakeMetrics;
use super::own::Recorder;
use crate::clock::Clock;

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Whoever keeps the lake up.
pub(super) struct Upkeep {
    pub(super) lake: Lake,
    /// From the start to the first time.
    pub(super) first: Duration,
    /// How long it keeps what.
    pub(super) retention: watch::Receiver<Retention>,
    pub(super) metrics: LakeMetrics,
    pub(super) recorder: Recorder,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
}

impl Upkeep {
    /// Runs until the tasks are to end, and when another retention holds. What it was doing then is done again the next
    /// time.
    pub(super) async fn run(mut self) {
        let (told, gone) = mpsc::channel(TOLD_AHEAD);
        let recording = record(gone, self.recorder.clone());
        self.tasks.tracker.spawn(recording);
        let shutdown = self.tasks.token.clone();
        let mut pause = self.first;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                Ok(()) = self.retention.changed() => {}
            }
            let held = self.retention.borrow_and_update().clone();
            let mut changed = self.retention.clone();
            tokio::select! {
                () = shutdown.cancelled() => return,
                // What another retention holds is held from now on: it begins again.
                Ok(()) = changed.changed() => pause = Duration::ZERO,
                () = self.keep(&held, &told) => pause = EVERY,
            }
        }
    }

    async fn keep(&self, held: &Retention, told: &Told) {
        let believed = self.clock.look();
        self.metrics.clock_doubted.set(i64::from(believed.is_err()));
        if let Err(doubt) = believed {
            tracing::error!(
                %doubt,
                "the clock is not believed: nothing is taken out of the lake and no file of it merged or removed until it agrees again; if it is right, `windrow lake expire` says so"
            );
            return;
        }
        expire(&self.lake, held, told).await;
        merge(&self.lake, &self.metrics).await;
    }
}

/// Puts on record what went, until nobody takes out anything any more.
async fn record(mut gone: mpsc::Receiver<(&'static str, Expired)>, recorder: Recorder) {
    while let Some((table, gone)) = gone.recv().await {
        tracing::info!(
            table,
            rows = gone.rows,
            texts = gone.texts,
            files = gone.removed + gone.rewritten,
            "the lake's retention took out what is kept no longer"
        );
        recorder.taken(&(table, gone).into(), None).await;
    }
}

/// Before merging: what goes needs no merging.
async fn expire(lake: &Lake, retention: &Retention, told: &Told) {
    let today = Offset::UTC.to_datetime(Timestamp::now()).date();
    let expiry = lake.expire_and_tell(retention, today, told).await;
    if let Some(error) = expiry.failed {
        tracing::warn!(error = %Chain(&error), "cannot take out of the lake all that is kept no longer; it is tried again");
    }
}

async fn merge(lake: &Lake, metrics: &LakeMetrics) {
    let Done { done, failed } = lake.keep_up(Timestamp::now()).await;
    if done.merged + done.removed > 0 {
        metrics.merged.inc_by(done.merged);
        tracing::info!(
            days = done.days,
            merged = done.merged,
            removed = done.removed,
            "the lake's files were merged"
        );
    }
    if let Some(error) = failed {
        tracing::warn!(error = %Chain(&error), "cannot merge all of the lake's files; it is tried again");
    }
}
