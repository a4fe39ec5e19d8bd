//! Counting what was committed, beside the commits: after a long pause, or where a log was lost, it takes minutes that no
//! event has to wait.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use windrow_formats::text::Chain;

use super::commit::Store;

/// For how long what was committed last is counted while the service stops; the next run counts what is left.
const COUNT_AT_STOP: Duration = Duration::from_secs(10);

/// Counts one thing at a time, and whatever was committed meanwhile once more after it.
pub(super) struct Counting {
    /// Holds one wish, which stands for all that come while it waits.
    wanted: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl Counting {
    /// Counts when it is asked to.
    pub(super) fn begin<S: Store>(store: S, runtime: &Handle) -> Counting {
        let (wanted, mut wishes) = mpsc::channel(1);
        let task = runtime.spawn(async move {
            while wishes.recv().await.is_some() {
                count(&store).await;
            }
        });
        Counting { wanted, task }
    }

    /// Something was committed.
    pub(super) fn want(&self) {
        // Where it is full, somebody wanted the same.
        let _ = self.wanted.try_send(());
    }

    /// Counts what was wanted, unless that takes long.
    pub(super) async fn end(self) {
        let Counting { wanted, mut task } = self;
        drop(wanted);
        if tokio::time::timeout(COUNT_AT_STOP, &mut task)
            .await
            .is_err()
        {
            task.abort();
            let _ = task.await;
        }
    }
}

async fn count<S: Store>(store: &S) {
    // What is not counted is counted after the next commit, and answers count it meanwhile.
    let reason = match AssertUnwindSafe(store.count()).catch_unwind().await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => Chain(&error).to_string(),
        Err(_) => "a panic, which the log has".to_owned(),
    };
    tracing::warn!(
        error = reason,
        "cannot bring the lake's event_counts up to date; it is tried again"
    );
}
