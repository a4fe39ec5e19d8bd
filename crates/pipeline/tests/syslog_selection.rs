//! A destination that does not get every event: the cursor follows through what it does not get,
//! whatever the level of confirmation, and never passes what it has not confirmed. And several
//! that get the same.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, dead_code)]

mod support;

use std::time::Duration;

use rustls::version::TLS13;
use support::pki::Pki;
use support::proxy::{Fault, Proxy};
use support::receiver::{End, Manner, Received, Receiver, UdpReceiver};
use support::{Sink, Store, assert_all, destination};
use windrow_formats::selection::Selection;
use windrow_formats::xpath::Filter;
use windrow_pipeline::sinks::syslog::{Confirmation, Destination, SharedMessages, Transport};

const LEVELS: [Confirmation; 3] = [
    Confirmation::Sent,
    Confirmation::TcpAcked,
    Confirmation::PeerRead,
];

/// The events that the condition holds of; the record id is their number.
fn those(condition: &str) -> Selection {
    let query = format!("*[System[{condition}]]");
    Selection {
        query: Some(Filter::compile(&query).unwrap()),
        ..Selection::default()
    }
}

#[tokio::test]
async fn the_cursor_follows_through_what_is_left_out_at_every_level() {
    let pki = Pki::new();
    for confirmation in LEVELS {
        for tls in [false, true] {
            let (store, received) = (Store::new(), Received::default());
            let config = tls.then(|| pki.server(&TLS13));
            let receiver = Receiver::start(0, config, Manner::PLAIN, received.clone()).await;
            let transport = match tls {
                false => Transport::Tcp,
                true => pki.transport(None),
            };
            let destination = Destination {
                confirmation,
                selection: those("EventRecordID <= 100 or EventRecordID = 10000"),
                ..destination(receiver.port(), transport)
            };
            store.append(1..=20_000).await;
            let mut sink = Sink::start(&store, destination);
            // Nothing comes after it that would be sent.
            let status = sink.confirmed(20_000).await;
            assert_eq!(status.sent_seq, 20_000);
            let status = sink.stop().await;
            let expected: Vec<u64> = (1..=100).chain([10_000]).collect();
            assert_eq!(received.ids(), expected, "{confirmation} {tls}");
            assert_eq!(
                (status.sent, status.confirmed, status.filtered),
                (101, 101, 19_899)
            );
        }
    }
}

#[tokio::test]
async fn a_destination_that_gets_nothing_is_asked_for_no_proof() {
    for confirmation in LEVELS {
        let (store, received) = (Store::new(), Received::default());
        let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
        let mut destination = destination(receiver.port(), Transport::Tcp);
        destination.selection = those("EventID=1");
        destination.confirmation = confirmation;
        destination.limits.window_time = Duration::from_millis(1);
        let mut sink = Sink::start(&store, destination);
        for step in 1..=50_u64 {
            store.append(step * 50 - 49..=step * 50).await;
            let status = sink.confirmed(step * 50).await;
            assert_eq!((status.unconfirmed, status.filtered), (0, step * 50));
        }
        sink.stop().await;
        assert_eq!((received.count(), received.connections()), (0, 1));
    }
}

#[tokio::test]
async fn a_sent_event_that_is_not_confirmed_holds_the_cursor_whatever_follows() {
    let (store, received) = (Store::new(), Received::default());
    let deaf = Manner {
        hangs_after: 0,
        end: End::Stay,
        ..Manner::PLAIN
    };
    let receiver = Receiver::start(0, None, deaf, received.clone()).await;
    let port = receiver.port();
    let mut destination = destination(port, Transport::Tcp);
    destination.selection = those("EventRecordID = 5000");
    destination.limits.close_timeout = Duration::from_millis(200);
    destination.limits.proof_timeout = Duration::from_millis(200);
    store.append(1..=20_000).await;
    let mut sink = Sink::start(&store, destination.clone());
    sink.until(|status| status.sent_seq == 20_000).await;
    // Until proof was asked for and not given.
    sink.until(|status| status.last_error.is_some()).await;
    let status = sink.stop().await;
    assert!(status.confirmed_seq < 5_000, "{}", status.confirmed_seq);
    receiver.kill().await;

    let receiver = Receiver::start(port, None, Manner::PLAIN, received.clone()).await;
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(20_000).await;
    sink.stop().await;
    assert_eq!(received.ids(), [5_000]);
    receiver.kill().await;
}

#[tokio::test]
async fn what_is_passed_again_after_a_break_counts_once() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    let proxy = Proxy::start(receiver.address, Fault::ResetAfter(200_003)).await;
    let mut destination = destination(proxy.port, Transport::Tcp);
    destination.selection = those("band(EventRecordID, 1)");
    store.append(1..=4_000).await;
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(4_000).await;
    let status = sink.stop().await;
    assert!(status.last_error.is_some(), "the fault did not happen");
    assert_eq!(status.filtered, 2_000);
    assert!(received.ids().iter().all(|id| id % 2 == 1));
    let halves: Vec<u64> = received.ids().iter().map(|id| id.div_ceil(2)).collect();
    assert_all(&halves, 1..=2_000);
}

#[tokio::test]
async fn references_to_files_are_passed_over() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let (store, received) = (Store::new(), Received::default());
        store.append_file().await;
        store.append(2..=3).await;
        let last = store.append_file().await;
        let (receiver, udp, port);
        if matches!(transport, Transport::Udp) {
            udp = UdpReceiver::start(0, received.clone()).await;
            (port, receiver) = (udp.port, None);
        } else {
            let tcp = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
            (port, receiver) = (tcp.port(), Some(tcp));
        }
        let mut sink = Sink::start(&store, destination(port, transport));
        let status = sink.confirmed(last).await;
        assert_eq!((status.sent, status.filtered), (2, 0));
        sink.stop().await;
        assert_eq!(received.ids(), [2, 3]);
        drop(receiver);
    }
}

#[tokio::test]
async fn over_udp_what_is_left_out_is_neither_sent_nor_waited_for() {
    let received = Received::default();
    let (store, receiver) = (Store::new(), UdpReceiver::start(0, received.clone()).await);
    let mut destination = destination(receiver.port, Transport::Udp);
    destination.selection = those("EventRecordID = 7000");
    // Some minutes for a hundred datagrams: for 20,000 nobody would wait.
    destination.limits.datagrams_per_second = 1;
    store.append(1..=20_000).await;
    let mut sink = Sink::start(&store, destination);
    let status = sink.confirmed(20_000).await;
    assert_eq!((status.sent, status.filtered), (1, 19_999));
    sink.stop().await;
    assert_eq!(received.ids(), [7_000]);
    receiver.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destinations_that_send_alike_each_get_all_and_the_worst_holds_no_other() {
    let store = Store::new();
    let shared = SharedMessages::default();
    let slow = Manner {
        bytes: 4 * 1024,
        pause: Duration::from_millis(1),
        ..Manner::PLAIN
    };
    let deaf = Manner {
        hangs_after: 0,
        end: End::Stay,
        ..Manner::PLAIN
    };
    let manners = [Manner::PLAIN, slow, Manner::PLAIN, deaf];
    let all = manners.map(|_| Received::default());
    let mut ports = Vec::new();
    let mut receivers = Vec::new();
    for (manner, received) in manners.into_iter().zip(&all) {
        let receiver = Receiver::start(0, None, manner, received.clone()).await;
        ports.push(receiver.port());
        receivers.push(receiver);
    }
    let breaks = Proxy::start(receivers[2].address, Fault::ResetAfter(300_001)).await;
    ports[2] = breaks.port;
    store.append(1..=3_000).await;
    let mut sinks: Vec<Sink> = ports
        .into_iter()
        .enumerate()
        .map(|(number, port)| {
            let destination = Destination {
                name: format!("siem-{number}"),
                selection: those("EventRecordID > 10"),
                shared: shared.clone(),
                ..destination(port, Transport::Tcp)
            };
            Sink::start_as(&destination.name.clone(), &store, destination)
        })
        .collect();
    let deaf = sinks.pop().unwrap();
    for first in (3_001..=9_000).step_by(50) {
        store.append(first..=first + 49).await;
    }
    for (sink, received) in sinks.iter_mut().zip(&all) {
        let status = sink.confirmed(9_000).await;
        assert_eq!(status.filtered, 10);
        assert_all(&received.ids(), 11..=9_000);
    }
    for received in &all[..2] {
        assert_eq!(received.ids(), (11..=9_000).collect::<Vec<_>>());
    }
    deaf.kill().await;
    assert_eq!(all[3].count(), 0);
}
