//! What each delivery level promises (docs/delivery.md), held to in every failure it speaks of.
//!
//! `cargo xtask bench delivery` measures the same with the limits that are in force outside of tests.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code
)]

mod support;

use support::limits;
use support::rig::{Failure, Outcome, Rig, Way};
use windrow_pipeline::sinks::syslog::{Confirmation, Limits};

/// Some 8 MB of messages: more than the buffers on the way hold.
const EVENTS: u64 = 15_000;

/// Moments of each failure that are tried.
const ROUNDS: u64 = 2;

/// What a receiver's system holds for it here, before it is doubled by Linux.
const RECEIVER_BUFFER: usize = 128 * 1024;

/// What is confirmed at once at least: less than what lies unread at a receiver that hangs.
const BATCH_BYTES: usize = 8 * 1024;

/// Every failure on this way, and what of it all was lost and doubled in the worst round.
async fn hold(level: Confirmation, way: Way) -> Vec<(Failure, Outcome)> {
    let given = std::env::var("WINDROW_TEST_SEED").ok();
    let first = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    eprintln!("again with WINDROW_TEST_SEED={first}");
    let limits = Limits {
        handshake_timeout: std::time::Duration::from_millis(300),
        batch_bytes: BATCH_BYTES,
        batch_bytes_max: BATCH_BYTES,
        ..limits()
    };
    let rig = Rig::new(EVENTS, limits, Some(RECEIVER_BUFFER)).await;
    let mut found = Vec::new();
    for failure in Failure::ALL.into_iter().filter(|f| f.is_of(way)) {
        let bounds = rig.bounds(level, way, failure);
        let mut worst = Outcome::default();
        for round in 0..ROUNDS {
            let seed = u64::wrapping_add(first, round);
            let outcome = rig.round(level, way, failure, seed).await;
            assert!(
                outcome.lost <= bounds.lost && outcome.doubled <= bounds.doubled,
                "{level}, {way:?}, {}: {outcome:?} is more than {bounds:?}",
                failure.what()
            );
            worst = worst.worst(outcome);
        }
        eprintln!("{level}, {way:?}, {}: {worst:?}", failure.what());
        found.push((failure, worst));
    }
    found
}

/// The level that is the default over TCP and TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_read_loses_nothing_over_tcp() {
    a_proxy_loses(&hold(Confirmation::PeerRead, Way::Tcp).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_read_loses_nothing_over_tls() {
    a_proxy_loses(&hold(Confirmation::PeerRead, Way::Tls13).await);
}

/// What lies unread at the receiver dies with it. That some is lost shows that the rig can see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_acked_loses_what_the_receivers_system_holds_over_tcp() {
    sees_loss(&hold(Confirmation::TcpAcked, Way::Tcp).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_acked_loses_what_the_receivers_system_holds_over_tls() {
    sees_loss(&hold(Confirmation::TcpAcked, Way::Tls13).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_loses_what_both_systems_hold() {
    sees_loss(&hold(Confirmation::Sent, Way::Tcp).await);
}

/// What a proxy has read is not what the receiver has read: that it has to be declared is no theory.
#[track_caller]
fn a_proxy_loses(found: &[(Failure, Outcome)]) {
    let proxy = found
        .iter()
        .find(|(failure, _)| *failure == Failure::ProxyDies);
    let (_, worst) = proxy.unwrap();
    assert!(worst.lost > 0, "{worst:?}");
}

/// Not in every failure: the sink looks at what was acknowledged when it has written something.
#[track_caller]
fn sees_loss(found: &[(Failure, Outcome)]) {
    let mut others = found
        .iter()
        .filter(|(failure, _)| *failure != Failure::ProxyDies);
    assert!(others.any(|(_, worst)| worst.lost > 0), "{found:?}");
}
