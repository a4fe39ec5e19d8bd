//! The memory of a service with many machines and dead receivers stays flat, in the environment
//! that the unit gives it.

use std::time::{Duration, Instant};

use crate::support::memory::{Sample, environment_of_unit, sample};
use crate::support::service::{Fleet, Service, Transport};
use crate::support::slow::SlowReceiver;
use crate::support::{Scratch, free_port, wait_until};

const MACHINES: u64 = 500;

/// Events a second of each machine.
const RATE: &str = "2";

/// The most that the service may ever have had in memory.
const PEAK_KIB_MAX: u64 = 256 << 10;

/// How long it is watched, unless `WINDROW_MEMORY_SECONDS` says otherwise.
const WATCHED_SECONDS: u64 = 75;

/// How much the average of the last third may lie above that of the second, for what is not
/// growth: where in its round a commit of the lake falls.
const WOBBLE_KIB: u64 = 24 << 10;

#[test]
#[ignore = "takes minutes: ./test rigs"]
fn memory_stays_flat_with_many_machines_and_dead_receivers() {
    let scratch = Scratch::new();
    let silent = SlowReceiver::start(0);
    let mut service = Service::new(&scratch);
    let lf = Transport::Tcp { framing: "lf" };
    service.destination("silent", silent.port, &lf);
    service.destination("closed", free_port(), &lf);
    // As it is by default: a commit a minute, what waits for it in memory.
    service.reconfigure("flush_interval = \"1s\"", "flush_interval = \"1m\"");
    for (name, value) in environment_of_unit() {
        service.environment(&name, &value);
    }
    service.start();
    let machines = MACHINES.to_string();
    let mut fleet = service.fleet(
        "fleet",
        &[
            "--machines",
            &machines,
            "--rate",
            RATE,
            "--for",
            "2h",
            // All come from one address, of which the collector takes 512 connections.
            "--starts",
            "50",
            "--refresh",
            "20s",
        ],
    );
    wait_until("every machine to be connected", || {
        service.peers().len() as u64 >= MACHINES
    });
    let samples = watch(&service, &mut fleet);
    let ledger = fleet.stop();
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    assert_eq!(silent.messages(), "", "the receiver was not dead");
    eprintln!("{} events were acknowledged", ledger.count());

    let peak = samples.last().unwrap().peak;
    assert!(peak <= PEAK_KIB_MAX, "{} MiB at its peak", peak >> 10);
    let third = samples.len() / 3;
    let (before, after) = (
        average(&samples[third..2 * third]),
        average(&samples[2 * third..]),
    );
    eprintln!(
        "average of the second third {} MiB, of the last {} MiB",
        before >> 10,
        after >> 10
    );
    assert!(after <= before + WOBBLE_KIB, "it grows");
    service.terminate().expect(0);
}

/// Looks every second, and tells every fifth.
fn watch(service: &Service<'_>, fleet: &mut Fleet) -> Vec<Sample> {
    let seconds = std::env::var("WINDROW_MEMORY_SECONDS").ok();
    let seconds = seconds.map_or(WATCHED_SECONDS, |seconds| seconds.parse().unwrap());
    let begin = Instant::now();
    let mut samples = Vec::new();
    // The one test that is about time: what memory does while it passes.
    while begin.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        let sample = sample(service.program().id());
        if samples.len() % 5 == 0 {
            eprintln!(
                "{:4} s  VmRSS {:4} MiB  VmHWM {:4} MiB  {} connections, {} acknowledged",
                begin.elapsed().as_secs(),
                sample.resident >> 10,
                sample.peak >> 10,
                service.peers().len(),
                fleet.ledger().count()
            );
        }
        samples.push(sample);
        assert!(fleet.is_running(), "the fleet ended early");
    }
    samples
}

fn average(samples: &[Sample]) -> u64 {
    let sum: u64 = samples.iter().map(|sample| sample.resident).sum();
    sum / samples.len().max(1) as u64
}
