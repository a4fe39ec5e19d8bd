//! What each delivery level loses and doubles when something goes wrong (docs/delivery.md).
//!
//! ```sh
//! cargo run --release -p windrow-pipeline --example measure_delivery [ROUNDS]
//! ```
//!
//! Each cell is the worst of some rounds, with the limits that are in force outside of tests, receivers whose buffers
//! grow as their system lets them, and the failure at a random moment. What a level promises is held to on the way.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    dead_code
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use support::receiver::Received;
use support::rig::{Failure, Outcome, Rig, Way, finish};
use support::rsyslog::Queue;
use support::unruly::{Conduct, Unruly};
use support::{Sink, Store, event};
use windrow_pipeline::sinks::syslog::{Confirmation, Destination, Limits, Transport};

const ROUNDS: u64 = 5;

/// Over 100 MB of messages: a window grows to its limit within the first half.
const EVENTS: u64 = 160_000;

/// What a real receiver, and one of datagrams, is given: they take longer.
const EVENTS_FEW: u64 = 40_000;

/// The columns.
const LEVELS: [(&str, Confirmation, Way); 5] = [
    ("sent, TCP", Confirmation::Sent, Way::Tcp),
    ("tcp-acked, TCP", Confirmation::TcpAcked, Way::Tcp),
    ("tcp-acked, TLS 1.3", Confirmation::TcpAcked, Way::Tls13),
    ("peer-read, TCP", Confirmation::PeerRead, Way::Tcp),
    ("peer-read, TLS 1.3", Confirmation::PeerRead, Way::Tls13),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let [send, folder, port, level, cursor] = &arguments[..] {
        assert_eq!(send, "send");
        return runtime.block_on(send_all(
            Path::new(folder),
            port.parse().unwrap(),
            level,
            cursor,
        ));
    }
    let rounds = arguments
        .first()
        .map_or(ROUNDS, |text| text.parse().unwrap());
    runtime.block_on(measure(rounds));
}

async fn measure(rounds: u64) {
    println!(
        "{rounds} rounds a cell, {EVENTS} events of {} bytes as XML\n",
        event(1).len()
    );
    println!(
        "| failure: lost / twice |{}",
        row(LEVELS.map(|(name, ..)| name.to_owned()))
    );
    println!("|---|{}", row(LEVELS.map(|_| "---:".to_owned())));
    let rig = Rig::new(EVENTS, limits(), None).await;
    for failure in Failure::ALL {
        let mut cells = Vec::new();
        for (_, level, way) in LEVELS {
            cells.push(cell(&rig, level, way, failure, rounds).await);
        }
        println!("| {} |{}", failure.what(), row(cells));
    }
    drop(rig);
    let few = Rig::new(EVENTS_FEW, limits(), None).await;
    for (queue, what) in [
        (Queue::None, "rsyslog killed -9, no queue"),
        (Queue::Memory, "rsyslog killed -9, its default queue"),
    ] {
        let mut cells = Vec::new();
        for (_, level, way) in LEVELS {
            let mut worst = Some(Outcome::default());
            for seed in 0..rounds {
                let outcome = few.rsyslog_round(level, way, queue, seed).await;
                worst = worst.zip(outcome).map(|(a, b)| a.worst(b));
            }
            cells.push(worst.map_or("not installed".to_owned(), shown));
        }
        println!("| {what} |{}", row(cells));
    }
    println!("| windrow killed -9 |{}", row(killed(rounds).await));
    let mut worst = Outcome::default();
    for seed in 0..rounds {
        worst = worst.worst(few.datagram_round(seed).await);
    }
    println!(
        "UDP, receiver killed and back within a second: {}",
        shown(worst)
    );
}

/// Those that are in force, with less patience for a handshake that nobody answers.
fn limits() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(500),
        backoff_min: Duration::from_millis(20),
        ..Limits::default()
    }
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    cells.into_iter().map(|cell| format!(" {cell} |")).collect()
}

fn shown(outcome: Outcome) -> String {
    format!("{} / {}", outcome.lost, outcome.doubled)
}

/// The worst of all rounds, each within what the level promises.
async fn cell(rig: &Rig, level: Confirmation, way: Way, failure: Failure, rounds: u64) -> String {
    if !failure.is_of(way) {
        return String::new();
    }
    let bounds = rig.bounds(level, way, failure);
    let mut worst = Outcome::default();
    for seed in 0..rounds {
        let outcome = rig.round(level, way, failure, seed).await;
        assert!(
            outcome.lost <= bounds.lost && outcome.doubled <= bounds.doubled,
            "{level}, {way:?}, {}, seed {seed}: {outcome:?} is more than {bounds:?}",
            failure.what()
        );
        worst = worst.worst(outcome);
    }
    shown(worst)
}

/// The process that sends is killed and started again: what of its place in the journal was on disk counts.
async fn killed(rounds: u64) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path());
    store.append(1..=EVENTS).await;
    store.journal.close().await;
    let mut cells = Vec::new();
    for (_, level, way) in LEVELS {
        if way == Way::Tls13 {
            // What differs is the receiver's end, and nothing happens to that.
            cells.push(String::new());
            continue;
        }
        let mut worst = Outcome::default();
        for seed in 0..rounds {
            let outcome = killed_once(folder.path(), level, seed).await;
            assert_eq!(
                outcome.lost * u64::from(level > Confirmation::Sent),
                0,
                "{level}"
            );
            worst = worst.worst(outcome);
        }
        cells.push(shown(worst));
    }
    cells
}

async fn killed_once(folder: &Path, level: Confirmation, seed: u64) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let received = Received::default();
    let receiver = Unruly::start(0, None, Conduct::Read, None, received.clone()).await;
    let sender = || -> Child {
        Command::new(std::env::current_exe().unwrap())
            .arg("send")
            .arg(folder)
            .arg(receiver.port().to_string())
            .arg(level.to_string())
            .arg(format!("{level} {seed}"))
            .spawn()
            .unwrap()
    };
    let mut first = sender();
    received
        .reach(random.random_range(EVENTS / 20..EVENTS / 2) as usize)
        .await;
    first.kill().unwrap();
    first.wait().unwrap();
    let mut second = sender();
    let ended = tokio::task::spawn_blocking(move || second.wait()).await;
    assert!(ended.unwrap().unwrap().success());
    receiver.kill().await;
    Outcome::of(&received.ids(), EVENTS)
}

/// The child: sends all there is, until it is confirmed.
async fn send_all(folder: &Path, port: u16, level: &str, cursor: &str) {
    let store = Store::open(folder);
    let destination = Destination {
        confirmation: LEVELS.map(|(_, level, _)| level)[..]
            .iter()
            .copied()
            .find(|known| known.to_string() == level)
            .unwrap(),
        limits: limits(),
        ..support::destination(port, Transport::Tcp)
    };
    let sink = Sink::start_as(cursor, &store, destination.clone());
    finish(sink, cursor, &store, EVENTS, &destination).await;
    store.journal.close().await;
}
