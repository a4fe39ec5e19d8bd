//! A machine that does what it should, all the time, beside whatever else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::*;
use crate::machine::Machine;

/// Events of one of its deliveries.
const EVENTS: u64 = 5;

/// Delivers until it is told to stop.
pub(crate) struct Healthy {
    name: String,
    acknowledged: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Whoever can deliver.
pub(crate) trait Delivers: Send + 'static {
    fn deliver_some(&mut self, ids: std::ops::Range<u64>) -> impl Future<Output = bool> + Send;
}

impl Delivers for Source {
    async fn deliver_some(&mut self, ids: std::ops::Range<u64>) -> bool {
        let (bookmark, events) = (ids.end - 1, events(ids));
        let answer = self.deliver("base", bookmark, strs(&events)).await;
        answer.is_ack()
    }
}

impl Delivers for Machine {
    async fn deliver_some(&mut self, ids: std::ops::Range<u64>) -> bool {
        self.deliver(ids.end - 1, ids).await.is_ack()
    }
}

impl Healthy {
    /// Begins; every delivery has to be acknowledged.
    pub(crate) fn start(name: &str, mut machine: impl Delivers) -> Healthy {
        let (acknowledged, stop) = (Arc::<AtomicU64>::default(), CancellationToken::new());
        let task = tokio::spawn({
            let (acknowledged, stop) = (Arc::clone(&acknowledged), stop.clone());
            async move {
                let mut next = 1;
                while !stop.is_cancelled() {
                    let ids = next..next + EVENTS;
                    assert!(machine.deliver_some(ids).await, "a delivery was refused");
                    next += EVENTS;
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    // An attack and a collector have to share two processors with it.
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
        });
        Healthy {
            name: name.to_owned(),
            acknowledged,
            stop,
            task,
        }
    }

    /// The same over TLS.
    pub(crate) async fn beside(bench: &Bench, running: &Running, name: &str) -> Healthy {
        Healthy::start(name, bench.source(running, name).await)
    }

    /// Waits for some more acknowledgements from now on.
    pub(crate) async fn goes_on(&self) {
        let enough = self.acknowledged.load(Ordering::Relaxed) + 3;
        until(|| self.acknowledged.load(Ordering::Relaxed) >= enough).await;
    }

    /// Ends; everything that it sent is in the journal once, under its name.
    pub(crate) async fn stop(self, bench: &Bench, running: Running) {
        self.goes_on().await;
        self.stop.cancel();
        self.task.await.unwrap();
        running.stop().await;
        let stored = bench.stored().into_iter();
        let stored: Vec<String> = stored
            .filter(|(_, _, header)| header.source == self.name)
            .map(|(text, ..)| text)
            .collect();
        let sent = self.acknowledged.load(Ordering::Relaxed) * EVENTS;
        assert_eq!(stored, events(1..sent + 1), "{}", self.name);
    }
}

/// What this process has in memory, in KiB.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().unwrap())
}

/// What the collector has counted, in one line, as soon as it is so many refusals or it takes too long.
pub(crate) async fn counted_after(running: &Running, refusals: u64) -> String {
    for _ in 0..2_000 {
        if running.collector.refusals().values().sum::<u64>() >= refusals {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    counted(running)
}

/// What the collector has counted, in one line.
pub(crate) fn counted(running: &Running) -> String {
    let refusals = running.collector.refusals().into_iter();
    let refusals: Vec<String> = refusals
        .map(|(refusal, count)| format!("{} {count}", refusal.name()))
        .collect();
    refusals.join(", ")
}
