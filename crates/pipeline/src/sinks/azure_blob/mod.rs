//! The sink that puts watched files into containers as Azure Diagnostics did, for those who read them.
//!
//! Invariants: the cursor moves over pieces that are in a blob, or that can never be in one and were counted and named. A file
//! that grows is appended to, always with whole lines, at the place where the blob ends: what was sent and not noted is found
//! there, and nothing is there twice. A file that is taken as one is put there in one request, or, where it has several pieces,
//! appended to, and has a row in `WADDirectoriesTable` when it is whole. A blob of another file is never written to: who comes second goes
//! under a name with a mark. Whatever fails is tried again with growing waits until the sink is told to stop.

mod limits;
mod metrics;
mod place;
pub mod probe;
mod status;
mod transfer;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::text::Chain;
use windrow_formats::wef::audience::Audience;

use super::backoff::Backoff;
use super::chunk::Chunk;
use crate::azure::Client;
use crate::journal::{Cursor, Seq};
use crate::spool::Spool;
use limits::WAIT;
use status::Reporter;
use transfer::{Progress, Transfer};

pub use metrics::AzureBlobMetrics;
pub use status::Status;

/// What is put where, and as whose.
#[derive(Clone, Debug)]
pub struct AzureBlob {
    /// The name it has in the configuration; also that of its cursor and metrics.
    pub name: String,
    /// The journal whose pieces these are.
    pub journal: Uuid,
    /// What stands for this collector in names and rows.
    pub deployment_id: String,
    /// What stands for the machines' role.
    pub role: String,
    /// How often files are transferred. A blob takes 50,000 blocks, and each transfer makes one of what has grown.
    pub period: Duration,
    /// Where the files of which watched folder go.
    pub folders: BTreeMap<String, Destination>,
    /// Whose files; everybody's where nothing is said.
    pub machines: Option<Audience>,
    /// Whether there is a row for each file.
    pub rows: DirectoryRows,
    /// Where the bytes are.
    pub spool: Spool,
}

/// Where files of a watched folder go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The container.
    pub container: String,
    /// The folder, as rows name it.
    pub root: String,
}

/// Whether `WADDirectoriesTable` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryRows {
    /// A row a file.
    Written,
    /// The blobs alone.
    Omitted,
}

/// Puts what `cursor` reads into containers until `shutdown`, or until the journal is closed and everything in it was put there.
/// `durable` is the journal's last sequence; `status` is kept up to date ([`Status::new`] makes the first).
pub async fn run(
    sink: AzureBlob,
    client: Client,
    cursor: Cursor,
    durable: watch::Receiver<Seq>,
    metrics: &AzureBlobMetrics,
    status: watch::Sender<Status>,
    shutdown: CancellationToken,
) {
    let reporter = Reporter::new(status, metrics.of(&sink.name));
    reporter.begins_after(cursor.position());
    let period = sink.period;
    let mut sender = Sender {
        transfer: Transfer::new(sink, client, reporter),
        cursor,
        backoff: Backoff::new(WAIT.0, WAIT.1),
        rng: StdRng::from_rng(&mut rand::rng()),
    };
    let work = async {
        // What is overdue since the last run is put there at once.
        let mut due = Instant::now();
        loop {
            sleep_until(due).await;
            let to = *durable.borrow();
            if !sender.transfer_to(to).await {
                return;
            }
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

/// The cursor, and what puts away what it reads.
struct Sender {
    transfer: Transfer,
    cursor: Cursor,
    backoff: Backoff,
    rng: StdRng,
}

impl Sender {
    /// Everything up to a sequence; `false` when the journal is closed. Cancelled, it loses nothing: the cursor stays before
    /// what is in no blob.
    async fn transfer_to(&mut self, to: Seq) -> bool {
        while self.cursor.position() < to {
            match Chunk::read(&mut self.cursor, to).await {
                Ok(Some(chunk)) => self.put(&chunk).await,
                Ok(None) => return false,
                Err(error) => {
                    let reason = Chain(&error).to_string();
                    self.wait(&reason, None).await;
                }
            }
        }
        true
    }

    /// The pieces of a chunk, however often it has to be tried.
    async fn put(&mut self, chunk: &Chunk) {
        self.transfer.reporter.writing();
        let mut progress = Progress::after(self.cursor.position());
        while let Err(error) = self.transfer.put(chunk, &mut progress).await {
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
