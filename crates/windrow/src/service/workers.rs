//! Threads of their own for queries and commits to the lake: however hard a question is, sources are answered.
//!
//! A query runs as a task of these threads and hands its answer over in pieces. Whoever no longer wants the answer
//! drops it, and the query ends with it.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use prometheus_client::metrics::gauge::Gauge;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use windrow_lake::{Lake, QueryError, QueryLimits, Tail};

use super::limits::{
    LAKE_BLOCKING_THREADS, LAKE_THREADS, PIECES_AHEAD, QUERIES_AT_ONCE, QUERY_MEMORY_BYTES,
    QUERY_TIME, QUERY_WAIT,
};

/// The threads.
pub(crate) struct Workers {
    /// Present until it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
    threads: NonZeroUsize,
    turns: Arc<Semaphore>,
    running: Gauge,
    damaged: Gauge,
}

/// An answer in pieces, for [`windrow_lake::QueryOutput::from_ipc`]. Dropped, its query ends.
pub struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    _task: AbortOnDropHandle<()>,
}

impl Stream for Pieces {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.receiver.poll_recv(context)
    }
}

/// One query's turn, counted while it lasts.
struct Turn {
    running: Gauge,
    /// Damaged files that queries have met.
    damaged: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.dec();
    }
}

impl Workers {
    /// Starts them; `running` counts the queries that run, `damaged` the damaged files that they have met.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(running: Gauge, damaged: Gauge) -> std::io::Result<Workers> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = cores.clamp(*LAKE_THREADS.start(), *LAKE_THREADS.end());
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(LAKE_BLOCKING_THREADS)
            .thread_name("lake")
            .enable_all()
            .build()?;
        Ok(Workers {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            turns: Arc::new(Semaphore::new(QUERIES_AT_ONCE)),
            running,
            damaged,
        })
    }

    /// Where a commit to the lake runs.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Answers one SQL statement, within the limits of the service and those given.
    ///
    /// # Errors
    /// See [`QueryError`]; [`QueryError::Busy`] when its turn did not come.
    pub(crate) async fn ask(
        &self,
        lake: Lake,
        sql: String,
        tail: Tail,
        limits: QueryLimits,
    ) -> Result<Pieces, QueryError> {
        let limits = self.bounded(limits);
        let turn = self.turn().await?;
        let (begins, begun) = oneshot::channel();
        let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
        let task = self
            .handle
            .spawn(run(lake, sql, tail, limits, turn, begins, pieces));
        let task = AbortOnDropHandle::new(task);
        let died = |_| QueryError::Answer("died; the log has the reason".to_owned());
        begun.await.map_err(died)??;
        Ok(Pieces {
            receiver,
            _task: task,
        })
    }

    fn bounded(&self, limits: QueryLimits) -> QueryLimits {
        QueryLimits {
            memory_bytes: limits.memory_bytes.min(QUERY_MEMORY_BYTES),
            partitions: limits.partitions.min(self.threads),
            time: Some(limits.time.unwrap_or(QUERY_TIME).min(QUERY_TIME)),
            ..limits
        }
    }

    async fn turn(&self) -> Result<Turn, QueryError> {
        let permit = timeout(QUERY_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(QueryError::Busy {
                running: QUERIES_AT_ONCE,
            });
        };
        self.running.inc();
        Ok(Turn {
            running: self.running.clone(),
            damaged: self.damaged.clone(),
            _permit: permit,
        })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Waiting is for whoever stops the service; here it would block a runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn run(
    lake: Lake,
    sql: String,
    tail: Tail,
    limits: QueryLimits,
    turn: Turn,
    begins: oneshot::Sender<Result<(), QueryError>>,
    pieces: mpsc::Sender<Bytes>,
) {
    let time = limits.time.unwrap_or(QUERY_TIME);
    let deadline = Instant::now() + time;
    let late = |_| QueryError::Time { limit: time };
    let begun = timeout_at(deadline, lake.query(&sql, tail, limits)).await;
    let output = match begun.map_err(late).and_then(|answer| answer) {
        Ok(output) => output,
        Err(error) => {
            let _ = begins.send(Err(error));
            return;
        }
    };
    if begins.send(Ok(())).is_err() {
        return;
    }
    let mut frames = std::pin::pin!(output.into_ipc());
    while let Some(frame) = frames.next().await {
        // A reader that is gone or asleep does not keep the turn.
        match timeout_at(deadline, pieces.send(frame)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
    let files = i64::try_from(lake.damaged_files()).unwrap_or(i64::MAX);
    turn.damaged.set(files);
}

#[cfg(test)]
mod tests;
