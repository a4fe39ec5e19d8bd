//! Keeps the lake's files few while the service runs.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;
use windrow_formats::text::Chain;
use windrow_lake::Lake;

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Runs until `shutdown`, for the first time after `first`. What it was doing then is done again the next time.
pub(super) async fn run(lake: Lake, first: Duration, merged: Counter, shutdown: CancellationToken) {
    let mut pause = first;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = EVERY;
        let done = tokio::select! {
            () = shutdown.cancelled() => return,
            done = lake.keep_up(Timestamp::now()) => done,
        };
        match done {
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
}
