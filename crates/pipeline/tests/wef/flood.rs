//! Ten thousand connections from one address: as many as it may have are held, the others are turned away
//! at once, and who comes from elsewhere notices nothing.
#![cfg(target_os = "linux")]

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use windrow_pipeline::sources::wef::Refusal;

use crate::connections::from_elsewhere;
use crate::harness::*;
use crate::healthy::{Healthy, counted, resident_kib};

const CONNECTIONS: usize = 10_000;
/// Descriptors for everything else.
const OTHERS: u64 = 500;
/// What is held in memory for those that stay, at most: far below what a connection may cost.
const FLOOD_KIB_MAX: u64 = 100 * 1024;

/// How many connections this process can have with itself, after asking for as many as it may.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Each has two ends here.
    usize::try_from(files.saturating_sub(OTHERS) / 2).unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_from_one_address_leave_room_for_the_others() {
    let mut bench = Bench::new();
    // Far beyond the test: nobody is let go because its time is over.
    bench.limits.handshake_timeout = Duration::from_secs(3_600);
    let room = room();
    let may_have = bench.limits.connections_per_address.min(room / 2);
    bench.limits.connections_per_address = may_have;
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, "healthy.corp.example").await;
    healthy.goes_on().await;
    let before = resident_kib();
    let mut held: Vec<TcpStream> = Vec::new();
    let mut most = 0;
    for number in 1..=CONNECTIONS {
        held.push(from_elsewhere(running.address).await);
        most = most.max(held.len());
        // The first ones are those that are let in.
        if held.len() == room {
            held.truncate(may_have);
        }
        if number % 2_000 == 0 {
            healthy.goes_on().await;
        }
    }
    eprintln!("{CONNECTIONS} connections, {most} at once, and this process may have {room}");
    let turned_away = (CONNECTIONS - may_have) as u64;
    let refused = || {
        running
            .collector
            .refusals()
            .get(&Refusal::TooManyOfAddress)
            .copied()
    };
    until(|| refused() == Some(turned_away)).await;
    assert_eq!(
        counted(&running),
        format!("too_many_connections_of_address {turned_away}")
    );
    assert_eq!(running.collector.connections(), may_have + 1);
    // They are told at once, and do not wait for anything.
    let mut last = held.pop().unwrap();
    assert!(matches!(last.read(&mut [0]).await, Ok(0) | Err(_)));
    // One line for whoever asks who that was.
    let kept = running.collector.refused_connections();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].count, kept[0].address.to_string().as_str()),
        (turned_away, "127.0.0.2")
    );

    // Somebody new comes from elsewhere, and who is there goes on.
    let mut newcomer = bench.source(&running, "new.corp.example").await;
    assert!(
        newcomer
            .deliver("base", 5, strs(&events(1..6)))
            .await
            .is_ack()
    );
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < FLOOD_KIB_MAX, "{grown} KiB");
    // The address itself is let in again as soon as it has let go.
    drop(held);
    until(|| running.collector.connections() <= 2).await;
    let identity = bench.pki.issue("ws9.corp.example");
    let stream = from_elsewhere(running.address).await;
    let name = windrow_pipeline::tls::server_name("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(bench.pki.client(Some(&identity)));
    assert!(connector.connect(name, stream).await.is_ok());
    healthy.stop(&bench, running).await;
}
