//! Takes care of the lake while the service runs: what is kept no longer goes, and its files are kept few.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use windrow_formats::text::Chain;
use windrow_lake::{Lake, Retention, Run};

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Runs until `shutdown`, for the first time after `first`, and when another retention holds. What it was doing then is
/// done again the next time.
pub(super) async fn run(
    lake: Lake,
    first: Duration,
    mut retention: watch::Receiver<Retention>,
    merged: Counter,
    shutdown: CancellationToken,
) {
    let mut pause = first;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            Ok(()) = retention.changed() => {}
        }
        let held = retention.borrow_and_update().clone();
        let mut changed = retention.clone();
        let done = async {
            expire(&lake, &held).await;
            merge(&lake, &merged).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            // What another retention holds is held from now on: it begins again.
            Ok(()) = changed.changed() => pause = Duration::ZERO,
            () = done => pause = EVERY,
        }
    }
}

/// Before merging: what goes needs no merging.
async fn expire(lake: &Lake, retention: &Retention) {
    let today = Offset::UTC.to_datetime(Timestamp::now()).date();
    match lake.expire(retention, today, Run::Real).await {
        Ok(all) => {
            for (table, gone) in all.iter().filter(|(_, gone)| gone.rows + gone.texts > 0) {
                tracing::info!(
                    table,
                    rows = gone.rows,
                    texts = gone.texts,
                    files = gone.removed + gone.rewritten,
                    "the lake's retention took out what is kept no longer"
                );
            }
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "cannot take out of the lake what is kept no longer; it is tried again");
        }
    }
}

async fn merge(lake: &Lake, merged: &Counter) {
    match lake.keep_up(Timestamp::now()).await {
        Ok(done) if done.merged + done.removed > 0 => {
            merged.inc_by(done.merged);
            tracing::info!(
                days = done.days,
                merged = done.merged,
                removed = done.removed,
                "the lake's files were merged"
            );
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "cannot merge the lake's files; it is tried again");
        }
    }
}
