//! The sink that writes events as rows of the tables that Azure Diagnostics wrote, for those who read them.
//!
//! Invariants: the cursor moves over events whose rows are in a table, or that can never be in one and were counted, named
//! and kept aside. A row's keys come from the journal alone, so that what is written again takes its own place. A row that the
//! service refuses holds up none but itself; where it refuses one row after the other, the fault is not the rows', and nothing
//! is passed over. Whatever else fails is tried again with growing waits until the sink is told to stop.

mod counters;
mod limits;
mod load;
mod metrics;
pub mod probe;
mod row;
mod status;
#[cfg(test)]
mod tests;
mod traces;
mod transfer;
mod wanted;

use std::collections::BTreeSet;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::azure::Batch;
use windrow_formats::counters::Specifier;
use windrow_formats::selection::Selection;
use windrow_formats::text::Chain;
use windrow_formats::wad::{EventVolume, LogLevel};
use windrow_formats::wef::audience::Audience;

use super::backoff::Backoff;
use super::chunk::Chunk;
use crate::azure::{AzureError, Client};
use crate::journal::{Cursor, Seq};
use crate::quarantine::Quarantine;
use crate::spool::Spool;
use limits::WAIT;
use status::Reporter;
use transfer::{Progress, Transfer};

pub use metrics::AzureTableMetrics;
pub use status::{Failure, State, Status};
pub use traces::{TraceTable, Traces};

/// What is written, and as whose.
#[derive(Clone, Debug)]
pub struct AzureTable {
    /// The name it has in the configuration; also that of its cursor and metrics.
    pub name: String,
    /// The journal whose events these are.
    pub journal: Uuid,
    /// What stands for this collector in the tables.
    pub deployment_id: String,
    /// What stands for the machines' role: `IaaS` from an agent on a virtual machine.
    pub role: String,
    /// Over how many partitions the rows of a minute are spread.
    pub volume: EventVolume,
    /// Which minute a row is put under.
    pub partition_by: PartitionBy,
    /// How often events are transferred; as they come where it is zero.
    pub period: Duration,
    /// Which of the tables are written.
    pub tables: BTreeSet<Table>,
    /// Which values of performance counters.
    pub counters: Counters,
    /// Which events of traces.
    pub traces: Traces,
    /// How grave windrow's own events have to be, graver ones included.
    pub own_level: LogLevel,
    /// Of what machines forward, what came by this subscription; whatever came where nothing is said.
    pub subscription: Option<String>,
    /// Whose events of Windows; everybody's where nothing is said.
    pub machines: Option<Audience>,
    /// Which events.
    pub selection: Selection,
    /// Where events are kept that the service refuses.
    pub quarantine: Option<Quarantine>,
}

/// A table that a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Windows events.
    WindowsEventLogs,
    /// Windrow's own events.
    InfrastructureLogs,
    /// Values of performance counters, from watched logs.
    PerformanceCounters,
    /// Events of traces, in a table or in one each provider.
    EventTraces,
}

/// Which values of performance counters a sink writes.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Where the logs are.
    pub spool: Spool,
    /// Of which watched folders; of all where none is named.
    pub folders: BTreeSet<String>,
    /// Which counters; all where none is named.
    pub specifiers: Vec<Specifier>,
}

/// Which minute a row is put under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartitionBy {
    /// That in which the event came in: who reads the last minutes again and again misses none.
    #[default]
    Arrival,
    /// That in which it happened, as from an agent on the machine.
    Event,
}

/// Where rows are written to.
pub trait Tables: Send + Sync {
    /// An empty batch for a table.
    fn new_batch(&self, table: &str) -> Batch;

    /// Makes a table, unless it is there.
    fn create(&self, table: &str) -> impl Future<Output = Result<(), AzureError>> + Send;

    /// Writes all of a batch, or nothing of it.
    fn write(
        &self,
        table: &str,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), AzureError>> + Send;
}

impl Tables for Client {
    fn new_batch(&self, table: &str) -> Batch {
        Client::new_batch(self, table)
    }

    async fn create(&self, table: &str) -> Result<(), AzureError> {
        self.create_table(table).await.map(drop)
    }

    async fn write(&self, table: &str, batch: &Batch) -> Result<(), AzureError> {
        self.batch(table, batch).await
    }
}

/// Writes what `cursor` reads until `shutdown`, or until the journal is closed and everything in it was written. `durable` is
/// the journal's last sequence; `status` is kept up to date ([`Status::new`] makes the first).
pub async fn run<T: Tables>(
    sink: AzureTable,
    tables: T,
    cursor: Cursor,
    durable: watch::Receiver<Seq>,
    metrics: &AzureTableMetrics,
    status: watch::Sender<Status>,
    shutdown: CancellationToken,
) {
    let reporter = Reporter::new(status, metrics.of(&sink.name));
    reporter.begins_after(cursor.position());
    let period = sink.period;
    let mut sender = Sender {
        transfer: Transfer::new(sink, tables, reporter),
        cursor,
        backoff: Backoff::new(WAIT.0, WAIT.1),
        rng: StdRng::from_rng(&mut rand::rng()),
    };
    let work = async {
        // What is overdue since the last run is written at once.
        let mut due = Instant::now();
        loop {
            sleep_until(due).await;
            let to = match period.is_zero() {
                true => Seq::MAX,
                false => *durable.borrow(),
            };
            if !sender.transfer_to(to).await {
                return;
            }
            // One that took longer than the period is followed by the next at once.
            due = (due + period).max(Instant::now());
            sender.transfer.reporter.resting(due);
        }
    };
    select! {
        biased;
        () = shutdown.cancelled() => {}
        () = work => {}
    }
    sender.transfer.reporter.stopped();
}

/// The cursor, and what writes what it reads.
struct Sender<T> {
    transfer: Transfer<T>,
    cursor: Cursor,
    backoff: Backoff,
    rng: StdRng,
}

impl<T: Tables> Sender<T> {
    /// Writes everything up to a sequence; `false` when the journal is closed. Cancelled, it loses nothing: the cursor stays
    /// before what is not written.
    async fn transfer_to(&mut self, to: Seq) -> bool {
        while self.cursor.position() < to {
            match Chunk::read(&mut self.cursor, to).await {
                Ok(Some(chunk)) => self.write(&chunk).await,
                Ok(None) => return false,
                Err(error) => {
                    let reason = Chain(&error).to_string();
                    self.wait(&reason, None).await;
                }
            }
        }
        true
    }

    /// Writes a chunk, however often it has to be tried.
    async fn write(&mut self, chunk: &Chunk) {
        self.transfer.reporter.writing();
        let mut progress = Progress::after(self.cursor.position());
        while let Err(error) = self.transfer.write(chunk, &mut progress).await {
            let reason = Chain(&error).to_string();
            self.wait(&reason, error.after()).await;
        }
        self.backoff.succeeded();
        self.cursor.advance(chunk.last());
        self.transfer.reporter.written(chunk.last());
    }

    async fn wait(&mut self, reason: &str, asked: Option<Duration>) {
        let wait = self.backoff.failed(&mut self.rng);
        let wait = wait.max(asked.unwrap_or_default());
        let attempts = self.backoff.attempts();
        self.transfer.reporter.failed(reason, wait, attempts);
        sleep(wait).await;
    }
}
