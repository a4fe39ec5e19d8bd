//! Work that a panic must not end for good: the sinks and sources beside it never notice, so nobody would.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

/// Does `work` until it ends by itself or is told to stop, and again a `pause` after each panic: what makes it panic is
/// most likely still there.
pub(super) async fn again_after_panics<W: Future<Output = ()>>(
    name: &str,
    pause: Duration,
    token: &CancellationToken,
    work: impl Fn() -> W,
) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!(retry_in = ?pause, "{name} has panicked, which is a fault of windrow's; nothing is lost: it begins again where it was");
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_panics_begins_again_and_what_ends_does_not() {
        let begun = AtomicU32::new(0);
        let work = || async {
            let times = begun.fetch_add(1, Ordering::Relaxed);
            assert!(times >= 2, "a fault");
        };
        again_after_panics("work", Duration::ZERO, &CancellationToken::new(), work).await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn who_stops_it_does_not_wait_for_its_next_try() {
        let token = CancellationToken::new();
        let work = || async {
            token.cancel();
            panic!("a fault");
        };
        again_after_panics("work", Duration::MAX, &token, work).await;
    }
}
