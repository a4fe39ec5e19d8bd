//! The syslog sink against receivers in this process and against rsyslog: every event at
//! least once, whatever happens on the way.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, dead_code)]

mod support;

use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use support::pki::Pki;
use support::proxy::{Fault, Proxy};
use support::receiver::{End, Manner, Received, Receiver, UdpReceiver};
use support::rsyslog::{Driver, Rsyslog};
use support::{PATIENCE, Sink, Store, assert_all, destination, entry};
use windrow_formats::syslog::{Framing, Prefix};
use windrow_pipeline::journal::{Entry, Journal, JournalOptions, Start, WhenFull};
use windrow_pipeline::quarantine::{Quarantine, QuarantineLimits};
use windrow_pipeline::sinks::syslog::{
    Confirmation, Destination, State, Status, Transport, Warning,
};

#[tokio::test]
async fn events_arrive_in_order_and_are_confirmed() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    store.append(1..=1_000).await;
    let mut sink = Sink::start(&store, destination(receiver.port(), Transport::Tcp));
    let status = sink.confirmed(1_000).await;
    assert_eq!(received.ids(), (1..=1_000).collect::<Vec<_>>());
    assert_eq!(
        (status.sent, status.confirmed, status.resent),
        (1_000, 1_000, 0)
    );
    assert!(matches!(
        status.state,
        State::Connected { .. } | State::Connecting
    ));
    insta::assert_snapshot!(received.lines()[0], @r"<87>Nov 21 08:09:10 ws-0042.corp.example.com CEF:0|Microsoft|Microsoft Azure Stack|1.0|Microsoft-Windows-Security-Auditing:4624|Logon|0|MasChannel=Security MasComputer=ws-0042.corp.example.com MasCorrelationActivityID= MasCorrelationRelatedActivityID= MasEventData=S-1-5-18!!WS-0042$!!j.doe!!3!!10.20.30.40!!C:\\Windows\\System32\\svchost.exe MasEventDescription=Somebody has logged on to this computer. MasEventID=4624 MasEventRecordID=1 MasExecutionProcessID=704 MasExecutionThreadID=3912 MasKeywords=0x8020000000000000 MasKeywordName=Audit Success MasLevel=0 MasOpcode=0 MasOpcodeName=Info MasProviderEventSourceName= MasProviderGuid=54849625-5478-4994-A5BA-3E3B0328C30D MasProviderName=Microsoft-Windows-Security-Auditing MasSecurityUserId= MasTask=12544 MasTaskCategory=Logon MasUserData= MasVersion=2");

    store.append(1_001..=1_010).await;
    sink.confirmed(1_010).await;
    let status = sink.stop().await;
    assert_eq!(status.state, State::Stopped);
    assert_eq!(received.ids(), (1..=1_010).collect::<Vec<_>>());
}

/// Every transport and confirmation: what is in the journal arrives once, and a second life
/// of the sink sends nothing again.
#[tokio::test]
async fn nothing_is_sent_twice_without_need() {
    let pki = Pki::new();
    for confirmation in [
        Confirmation::Sent,
        Confirmation::TcpAcked,
        Confirmation::PeerRead,
    ] {
        for version in [None, Some(&TLS12), Some(&TLS13)] {
            let (store, received) = (Store::new(), Received::default());
            let tls = version.map(|version| pki.server(version));
            let receiver = Receiver::start(0, tls, Manner::PLAIN, received.clone()).await;
            let transport = match version {
                None => Transport::Tcp,
                Some(_) => pki.transport(None),
            };
            let destination = Destination {
                confirmation,
                ..destination(receiver.port(), transport)
            };
            store.append(1..=2_000).await;
            let mut sink = Sink::start(&store, destination.clone());
            sink.confirmed(2_000).await;
            sink.stop().await;
            store.append(2_001..=2_100).await;
            let mut sink = Sink::start(&store, destination);
            sink.confirmed(2_100).await;
            sink.stop().await;
            assert_eq!(
                received.ids(),
                (1..=2_100).collect::<Vec<_>>(),
                "{confirmation} {version:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_killed_receiver_gets_everything_it_has_not_read_once_it_is_back() {
    let manner = Manner {
        bytes: 16 * 1024,
        pause: Duration::from_millis(2),
        ..Manner::PLAIN
    };
    let (store, received) = (Store::new(), Received::default());
    store.append(1..=20_000).await;
    let mut receiver = Receiver::start(0, None, manner, received.clone()).await;
    let port = receiver.port();
    let mut sink = Sink::start(&store, destination(port, Transport::Tcp));
    for round in 1..=4 {
        let enough = received.count() + 2_000;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while received.count() < enough {
            assert!(
                tokio::time::Instant::now() < deadline,
                "round {round} stands still"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        receiver.kill().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        receiver = Receiver::start(port, None, manner, received.clone()).await;
    }
    sink.confirmed(20_000).await;
    let status = sink.stop().await;
    assert_all(&received.ids(), 1..=20_000);
    assert!(status.resent > 0);
}

#[tokio::test]
async fn a_sink_that_dies_continues_where_the_receiver_had_confirmed() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    let destination = destination(receiver.port(), Transport::Tcp);
    store.append(1..=30_000).await;
    for confirmed in [1_000, 5_000, 9_000] {
        let mut sink = Sink::start(&store, destination.clone());
        sink.confirmed(confirmed).await;
        sink.kill().await;
    }
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(30_000).await;
    sink.stop().await;
    assert_all(&received.ids(), 1..=30_000);
}

#[tokio::test]
async fn an_orderly_stop_leaves_nothing_on_the_way() {
    let pki = Pki::new();
    for confirmation in [Confirmation::TcpAcked, Confirmation::PeerRead] {
        let (store, received) = (Store::new(), Received::default());
        let slow = Manner {
            bytes: 64 * 1024,
            pause: Duration::from_millis(5),
            ..Manner::PLAIN
        };
        let receiver = Receiver::start(0, Some(pki.server(&TLS13)), slow, received.clone()).await;
        store.append(1..=20_000).await;
        let mut destination = destination(receiver.port(), pki.transport(None));
        destination.confirmation = confirmation;
        // One connection for all: its close is what is under test.
        destination.limits.window_bytes = u64::MAX;
        let mut sink = Sink::start(&store, destination);
        sink.until(|status| status.sent_seq == 20_000).await;
        let status = sink.stop().await;
        assert_eq!(status.confirmed_seq, 20_000);
        assert_all(&received.ids(), 1..=20_000);
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_and_no_more_than_once() {
    let (store, received) = (Store::new(), Received::default());
    let manner = Manner {
        bytes: 8 * 1024,
        pause: Duration::from_millis(2),
        ..Manner::PLAIN
    };
    let receiver = Receiver::start(0, None, manner, received.clone()).await;
    store.append(1..=5_000).await;
    let mut sink = Sink::start(&store, destination(receiver.port(), Transport::Tcp));
    sink.confirmed(5_000).await;
    sink.stop().await;
    assert_eq!(received.ids(), (1..=5_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refused_client_certificate_is_named() {
    let (pki, other) = (Pki::new(), Pki::new());
    for version in [&TLS12, &TLS13] {
        let (store, received) = (Store::new(), Received::default());
        let tls = pki.mutual_server(version);
        let receiver = Receiver::start(0, Some(tls), Manner::PLAIN, received.clone()).await;
        store.append(1..=100).await;
        for identity in [None, Some(&other.client)] {
            for confirmation in [
                Confirmation::Sent,
                Confirmation::TcpAcked,
                Confirmation::PeerRead,
            ] {
                let mut destination = destination(receiver.port(), pki.transport(identity));
                destination.confirmation = confirmation;
                let mut sink = Sink::start(&store, destination);
                let refused = |status: &Status| {
                    let error = status.last_error.as_ref();
                    error.is_some_and(|error| error.kind == "client_certificate")
                };
                let status = sink.until(refused).await;
                assert_eq!((status.confirmed, status.confirmed_seq), (0, 0));
                sink.stop().await;
            }
        }
        let mut sink = Sink::start(
            &store,
            destination(receiver.port(), pki.transport(Some(&pki.client))),
        );
        sink.confirmed(100).await;
        sink.stop().await;
        assert_eq!(received.ids(), (1..=100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let (pki, other) = (Pki::new(), Pki::new());
    let (store, received) = (Store::new(), Received::default());
    let receiver =
        Receiver::start(0, Some(pki.server(&TLS13)), Manner::PLAIN, received.clone()).await;
    store.append(1..=10).await;
    let mut by_address = destination(receiver.port(), pki.transport(None));
    by_address.host = "127.0.0.1".to_owned();
    let unknown = destination(receiver.port(), other.transport(None));
    let mut errors = Vec::new();
    for destination in [by_address, unknown] {
        let mut sink = Sink::start(&store, destination);
        let status = sink.until(|status| status.last_error.is_some()).await;
        errors.push(
            status
                .last_error
                .unwrap()
                .text
                .replace(&receiver.port().to_string(), "PORT"),
        );
        sink.stop().await;
    }
    let [name, issuer] = &errors[..] else {
        panic!("{errors:?}");
    };
    let begin = "certificate of 127.0.0.1:PORT is refused: ";
    assert!(
        name.starts_with(&format!(
            "{begin}it is for localhost and not for 127.0.0.1;"
        )),
        "{name}"
    );
    assert!(
        issuer.starts_with(&format!("{begin}no trusted authority has issued it")),
        "{issuer}"
    );
    assert_eq!(received.count(), 0);
}

#[tokio::test]
async fn a_connection_that_is_reset_over_and_over_loses_nothing() {
    let pki = Pki::new();
    for tls in [false, true] {
        let (store, received) = (Store::new(), Received::default());
        let config = tls.then(|| pki.server(&TLS13));
        let receiver = Receiver::start(0, config, Manner::PLAIN, received.clone()).await;
        let transport = if tls {
            pki.transport(None)
        } else {
            Transport::Tcp
        };
        for fault in [Fault::ResetAfter(200_003), Fault::CloseAfter(300_007)] {
            let proxy = Proxy::start(receiver.address, fault).await;
            store.append(1..=2_000).await;
            let end = store.journal.append(entry([2_001])).await.unwrap().start;
            let mut destination = destination(proxy.port, transport.clone());
            destination.limits.window_bytes = 4 << 20;
            let mut sink = Sink::start(&store, destination);
            sink.confirmed(end).await;
            let status = sink.stop().await;
            assert!(status.last_error.is_some(), "the fault did not happen");
            assert_all(&received.ids(), 1..=2_001);
        }
    }
}

#[tokio::test]
async fn a_peer_that_vanishes_is_given_up_and_found_again() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    let proxy = Proxy::start(receiver.address, Fault::None).await;
    store.append(1..=100).await;
    let mut destination = destination(proxy.port, Transport::Tcp);
    destination.limits.stall_timeout = Duration::from_millis(300);
    destination.limits.proof_timeout = Duration::from_millis(300);
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(100).await;
    proxy.set(Fault::Hang);
    // More than the buffers on the way can hold.
    store.append(101..=20_000).await;
    sink.until(|status| status.last_error.is_some()).await;
    proxy.set(Fault::Delay(Duration::from_millis(1)));
    sink.confirmed(20_000).await;
    sink.stop().await;
    assert_all(&received.ids(), 1..=20_000);
}

/// Waits that let a receiver be found out within a test.
fn impatient(port: u16) -> Destination {
    let mut destination = destination(port, Transport::Tcp);
    destination.limits.proof_timeout = Duration::from_millis(200);
    destination.limits.close_timeout = Duration::from_millis(200);
    destination.limits.stall_timeout = Duration::from_millis(500);
    destination.limits.receive_buffer_bytes = 1 << 20;
    destination.limits.window_time = Duration::from_secs(1);
    destination
}

#[tokio::test]
async fn a_receiver_that_reads_and_never_proves_it_gets_on_by_flow_control() {
    for end in [End::Stay, End::Reset] {
        let (store, received) = (Store::new(), Received::default());
        let manner = Manner {
            end,
            ..Manner::PLAIN
        };
        let receiver = Receiver::start(0, None, manner, received.clone()).await;
        store.append(1..=10_000).await;
        let mut destination = impatient(receiver.port());
        // It is not asked again within the test.
        destination.limits.window_time = Duration::from_secs(3_600);
        let mut sink = Sink::start(&store, destination);
        // An event is some 700 bytes here, so the last mebibyte is some 1,500.
        let status = sink.confirmed(8_000).await;
        assert_eq!(status.confirmation, Confirmation::PeerRead);
        assert!(status.warnings.contains(&Warning::NeverProves));
        sink.until(|status| status.sent_seq == 10_000).await;
        let status = sink.stop().await;
        assert!(status.confirmed_seq < 9_000, "{}", status.confirmed_seq);
        assert_all(&received.ids(), 1..=10_000);
        // The first, smallest window a few times, and then no more.
        assert!(received.count() < 10_500, "{} messages", received.count());
        receiver.kill().await;

        // The next life sends again what was not confirmed, and a receiver that proves what it
        // reads is found out, too.
        let again = Received::default();
        let receiver = Receiver::start(0, None, Manner::PLAIN, again.clone()).await;
        let mut sink = Sink::start(&store, impatient(receiver.port()));
        let status = sink.confirmed(10_000).await;
        assert!(!status.warnings.contains(&Warning::NeverProves));
        sink.stop().await;
        assert!(again.count() < 2_000, "{} messages", again.count());
    }
}

#[tokio::test]
async fn an_end_of_tcp_is_no_proof_from_a_receiver_that_ends_tls() {
    let pki = Pki::new();
    let cut = Manner {
        end: End::Cut,
        ..Manner::PLAIN
    };
    for version in [&TLS12, &TLS13] {
        let (store, received) = (Store::new(), Received::default());
        let tls = || Some(pki.server(version));
        let receiver = Receiver::start(0, tls(), Manner::PLAIN, received.clone()).await;
        let port = receiver.port();
        let destination = Destination {
            transport: pki.transport(None),
            ..impatient(port)
        };
        store.append(1..=100).await;
        let mut sink = Sink::start(&store, destination.clone());
        let status = sink.confirmed(100).await;
        assert!(!status.warnings.contains(&Warning::NoCloseNotify));
        receiver.kill().await;
        let receiver = Receiver::start(port, tls(), cut, received.clone()).await;
        store.append(101..=200).await;
        let refused = |status: &Status| {
            let error = status.last_error.as_ref();
            error.is_some_and(|error| error.kind == "no_close_notify")
        };
        let status = sink.until(refused).await;
        assert_eq!(status.confirmed_seq, 100);
        assert_eq!(sink.stop().await.confirmed_seq, 100);

        // One that never ends TLS is believed, and this is shown.
        let mut sink = Sink::start(&store, destination);
        let status = sink.confirmed(200).await;
        assert!(status.warnings.contains(&Warning::NoCloseNotify));
        sink.stop().await;
        receiver.kill().await;
    }
}

#[tokio::test]
async fn what_a_receiver_has_not_read_is_not_confirmed_however_often_it_is_sent() {
    // One that never reads at all, and one that hangs after it was found to prove nothing.
    for (hangs_after, end) in [(0, End::Stay), (3 << 20, End::Stay), (3 << 20, End::Reset)] {
        let (store, received) = (Store::new(), Received::default());
        let manner = Manner {
            hangs_after,
            end,
            ..Manner::PLAIN
        };
        let receiver = Receiver::start(0, None, manner, received.clone()).await;
        let port = receiver.port();
        store.append(1..=15_000).await;
        let mut sink = Sink::start(&store, impatient(port));
        let failed = |status: &Status| matches!(status.state, State::Waiting { attempts: 6.., .. });
        let status = sink.until(failed).await;
        let read = received.ids().iter().copied().max().unwrap_or(0);
        assert!(
            status.confirmed_seq <= read,
            "{} confirmed, {read} read",
            status.confirmed_seq
        );
        assert_eq!(status.confirmed_seq > 0, hangs_after > 0);
        // It dies with everything that its system had taken for it.
        receiver.kill().await;
        let _receiver = Receiver::start(port, None, Manner::PLAIN, received.clone()).await;
        sink.confirmed(15_000).await;
        sink.stop().await;
        assert_all(&received.ids(), 1..=15_000);
    }
}

/// Ends on its own, with everything unread, and keeps the connection: it has proven nothing.
#[tokio::test]
async fn a_receiver_that_ends_first_is_not_believed() {
    let pki = Pki::new();
    for version in [None, Some(&TLS12), Some(&TLS13)] {
        let (store, received) = (Store::new(), Received::default());
        let tls = || version.map(|version| pki.server(version));
        let manner = Manner {
            hangs_after: 0,
            quits_after: Duration::from_millis(500),
            end: End::Stay,
            ..Manner::PLAIN
        };
        let receiver = Receiver::start(0, tls(), manner, received.clone()).await;
        let port = receiver.port();
        let transport = match version {
            None => Transport::Tcp,
            Some(_) => pki.transport(None),
        };
        let mut destination = Destination {
            transport,
            ..impatient(port)
        };
        destination.limits.window_time = Duration::from_secs(60);
        // Less than the first window: it is not asked before it ends.
        store.append(1..=50).await;
        let mut sink = Sink::start(&store, destination);
        let status = sink.until(|status| status.last_error.is_some()).await;
        let error = status.last_error.clone().unwrap();
        assert_eq!(
            (status.confirmed_seq, error.kind),
            (0, "closed"),
            "{version:?}: {error:?}"
        );
        let status = sink.until(|status| status.resent >= 100).await;
        assert_eq!(status.confirmed_seq, 0, "{version:?}");
        receiver.kill().await;
        let _receiver = Receiver::start(port, tls(), Manner::PLAIN, received.clone()).await;
        sink.confirmed(50).await;
        sink.stop().await;
        assert_all(&received.ids(), 1..=50);
    }
}

/// It has read everything, and there is no telling: asked in time, it proves it.
#[tokio::test]
async fn a_receiver_that_ends_idle_connections_is_asked_before_it_does() {
    let (store, received) = (Store::new(), Received::default());
    let manner = Manner {
        quits_after: Duration::from_secs(3),
        ..Manner::PLAIN
    };
    let receiver = Receiver::start(0, None, manner, received.clone()).await;
    let mut destination = impatient(receiver.port());
    destination.limits.window_time = Duration::from_secs(3_600);
    store.append(1..=50).await;
    let mut sink = Sink::start(&store, destination);
    let status = sink.confirmed(50).await;
    assert_eq!(status.resent, 50);
    store.append(51..=100).await;
    let status = sink.confirmed(100).await;
    assert_eq!(status.resent, 50);
    sink.stop().await;
    assert_all(&received.ids(), 1..=100);
}

#[tokio::test]
async fn a_receiver_that_has_proven_what_it_read_and_hangs_later_is_not_believed() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    let proxy = Proxy::start(receiver.address, Fault::None).await;
    store.append(1..=2_000).await;
    let mut destination = impatient(proxy.port);
    // The proxy has read, so its receive buffer has grown as far as the system lets it.
    destination.limits.receive_buffer_bytes = 64 << 20;
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(2_000).await;
    proxy.set(Fault::Hang);
    store.append(2_001..=2_100).await;
    // Small enough that TCP takes all of it, every time.
    let failed = |status: &Status| matches!(status.state, State::Waiting { attempts: 5.., .. });
    let status = sink
        .until(|status| failed(status) || status.warnings.contains(&Warning::NeverProves))
        .await;
    assert_eq!(status.confirmed_seq, 2_000);
    drop(proxy);
    let status = sink.stop().await;
    assert_eq!(status.confirmed_seq, 2_000);
    assert_eq!(received.ids().iter().max(), Some(&2_000));
}

#[tokio::test]
async fn poison_is_left_out_and_recorded_and_stops_nothing() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = Receiver::start(0, None, Manner::PLAIN, received.clone()).await;
    store.append(1..=10).await;
    let poison = Entry {
        body: b"no batch at all".to_vec(),
        events: 3,
        state: None,
    };
    store.journal.append(poison).await.unwrap();
    let mut cut = entry(20..=22);
    cut.body.truncate(cut.body.len() - 100);
    store.journal.append(cut).await.unwrap();
    store.append(30..=39).await;
    let folder = tempfile::tempdir().unwrap();
    let mut destination = destination(receiver.port(), Transport::Tcp);
    let quarantine = Quarantine::open(folder.path(), QuarantineLimits::default()).unwrap();
    destination.quarantine = Some(quarantine.clone());
    let mut sink = Sink::start(&store, destination);
    let status = sink.confirmed(26).await;
    assert_eq!(sink.dropped(), ["unreadable 4"]);
    sink.stop().await;
    assert_eq!(quarantine.files(), 2);
    let index = std::fs::read_to_string(folder.path().join("index.ndjson")).unwrap();
    assert!(
        index.contains(r#""first_seq":11,"events":3"#)
            && index.contains(r#""first_seq":16,"events":1"#),
        "{index}"
    );
    let wanted: Vec<u64> = (1..=10).chain(20..=21).chain(30..=39).collect();
    assert_eq!(received.ids(), wanted);
    assert_eq!(status.skipped, 4);
    let skipped: Vec<_> = status
        .skipped_last
        .iter()
        .map(|s| (s.seq, s.events))
        .collect();
    assert_eq!(skipped, [(11, 3), (16, 1)]);
}

#[tokio::test]
async fn poison_counts_once_however_often_it_is_passed() {
    let (store, received) = (Store::new(), Received::default());
    let manner = Manner {
        end: End::Stay,
        ..Manner::PLAIN
    };
    let receiver = Receiver::start(0, None, manner, received.clone()).await;
    store.append(1..=10).await;
    let poison = || Entry {
        body: b"no batch at all".to_vec(),
        events: 3,
        state: None,
    };
    store.journal.append(poison()).await.unwrap();
    store.append(14..=20).await;
    let mut sink = Sink::start(&store, impatient(receiver.port()));
    // Everything was sent three times by then.
    sink.until(|status| status.warnings.contains(&Warning::NeverProves))
        .await;
    store.journal.append(poison()).await.unwrap();
    let status = sink.until(|status| status.skipped > 3).await;
    assert_eq!(sink.dropped(), ["unreadable 6"]);
    let metrics = sink.metrics();
    sink.stop().await;
    // Its settings were changed: the next sender passes by them again.
    store.append(24..=30).await;
    let mut again = Sink::start_again(metrics, &store, impatient(receiver.port()));
    again
        .until(|status| status.warnings.contains(&Warning::NeverProves))
        .await;
    assert_eq!(again.dropped(), ["unreadable 6"]);
    again.stop().await;
    assert!(received.count() > 17);
    assert_eq!(status.skipped, 6);
    let skipped: Vec<_> = status
        .skipped_last
        .iter()
        .map(|s| (s.seq, s.events))
        .collect();
    assert_eq!(skipped, [(11, 3), (21, 3)]);
}

#[tokio::test]
async fn what_a_full_journal_gave_up_counts_once_for_each_destination() {
    let received = Received::default();
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(JournalOptions {
        quota_bytes: 1 << 20,
        reserved_bytes: 128 << 10,
        segment_bytes: 64 << 10,
        when_full: WhenFull::DropOldest,
        ..JournalOptions::new(dir.path().join("journal"))
    })
    .unwrap();
    let store = Store::of(journal.clone());
    journal.cursor("siem", Start::Oldest).unwrap();
    let mut last = 0;
    while journal.oldest_seq() < 100 {
        store.append(last + 1..=last + 1_000).await;
        last += 1_000;
    }
    let gone = journal.oldest_seq() - 1;
    let manner = Manner {
        end: End::Stay,
        ..Manner::PLAIN
    };
    let receiver = Receiver::start(0, None, manner, received.clone()).await;
    let mut sink = Sink::start(&store, impatient(receiver.port()));
    // It was met with every connection.
    sink.until(|status| status.warnings.contains(&Warning::NeverProves))
        .await;
    assert_eq!(sink.dropped(), [format!("quota {gone}")]);
    let metrics = sink.metrics();
    sink.kill().await;
    // Its settings were changed, and nothing was confirmed: the next sender meets it as well.
    let mut sink = Sink::start_again(metrics, &store, impatient(receiver.port()));
    sink.until(|status| status.warnings.contains(&Warning::NeverProves))
        .await;
    assert_eq!(sink.dropped(), [format!("quota {gone}")]);
    sink.kill().await;
    assert_eq!(received.ids().first(), Some(&(gone + 1)));
}

#[tokio::test]
async fn datagrams_arrive_and_wait_for_a_receiver_that_is_down() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = UdpReceiver::start(0, received.clone()).await;
    let port = receiver.port;
    store.append(1..=300).await;
    let mut sink = Sink::start(&store, destination(port, Transport::Udp));
    sink.confirmed(300).await;
    receiver.kill().await;
    store.append(301..=400).await;
    let status = sink.until(|status| status.last_error.is_some()).await;
    assert_eq!(status.last_error.unwrap().kind, "broken");
    let receiver = UdpReceiver::start(port, received.clone()).await;
    sink.confirmed(400).await;
    let status = sink.stop().await;
    assert_eq!(status.confirmation, Confirmation::Sent);
    assert_all(&received.ids(), 1..=400);
    receiver.kill().await;
}

#[tokio::test]
async fn a_datagram_that_is_too_large_for_the_way_is_cut() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = UdpReceiver::start(0, received.clone()).await;
    let mut destination = destination(receiver.port, Transport::Udp);
    destination.format.message_bytes_max = 1 << 20;
    store.journal.append(large(1, 100_000)).await.unwrap();
    let mut sink = Sink::start(&store, destination);
    let status = sink.confirmed(1).await;
    sink.stop().await;
    assert_eq!(status.truncated, 1);
    assert_eq!(received.ids(), [1]);
}

/// An event with a name of so many bytes.
fn large(id: u64, bytes: usize) -> Entry {
    let mut index = windrow_formats::event::Index::default();
    let text = support::event(id).replace("j.doe", &"x".repeat(bytes));
    windrow_formats::event::parse(&text, &mut index).unwrap();
    let mut encoder = windrow_formats::batch::Encoder::new(&support::header());
    encoder.push(&text, windrow_formats::batch::Flags::NONE, &index);
    Entry {
        events: 1,
        body: encoder.finish(),
        state: None,
    }
}

#[tokio::test]
async fn what_was_too_large_for_one_way_may_fit_the_next() {
    let (store, received) = (Store::new(), Received::default());
    let receiver = UdpReceiver::start(0, received.clone()).await;
    let port = receiver.port;
    let mut destination = destination(port, Transport::Udp);
    destination.format.message_bytes_max = 1 << 20;
    store.journal.append(large(1, 100_000)).await.unwrap();
    let mut sink = Sink::start(&store, destination);
    sink.confirmed(1).await;
    receiver.kill().await;
    store.append(2..=2).await;
    sink.until(|status| status.last_error.is_some()).await;
    let receiver = UdpReceiver::start(port, received.clone()).await;
    // Below the largest datagram, and above what was found to fit by trying.
    store.journal.append(large(3, 64_000)).await.unwrap();
    sink.confirmed(3).await;
    let status = sink.stop().await;
    assert_eq!(status.truncated, 1);
    assert_all(&received.ids(), 1..=3);
    receiver.kill().await;
}

/// The transports of one rsyslog by the name of their input.
fn transports(rsyslog: &Rsyslog, pki: &Pki) -> [(&'static str, Destination); 4] {
    [
        ("udp", destination(rsyslog.udp, Transport::Udp)),
        ("tcp", destination(rsyslog.tcp, Transport::Tcp)),
        ("tls", destination(rsyslog.tls, pki.transport(None))),
        (
            "mutual",
            destination(rsyslog.mutual, pki.transport(Some(&pki.client))),
        ),
    ]
}

#[tokio::test]
async fn rsyslog_writes_down_every_event_of_every_transport() {
    for driver in [Driver::Gnutls, Driver::Openssl] {
        let pki = Pki::new();
        let Some(rsyslog) = Rsyslog::start(driver, &pki, "windrow.example.com") else {
            return;
        };
        for (input, mut destination) in transports(&rsyslog, &pki) {
            destination.format.prefix = Prefix::Rfc3164Iso;
            destination.limits.datagrams_per_second = 2_000;
            if input == "mutual" {
                destination.format.framing = Framing::OctetCounting;
            }
            let store = Store::new();
            store.append(1..=3_000).await;
            let mut sink = Sink::start(&store, destination);
            let status = sink.confirmed(3_000).await;
            assert_eq!(status.resent, 0, "{input}: {:?}", status.last_error);
            sink.stop().await;
            rsyslog.wait_for(input, 3_000).await;
            assert_eq!(
                rsyslog.ids(input),
                (1..=3_000).collect::<Vec<_>>(),
                "{input}"
            );
            assert!(
                rsyslog
                    .first(input)
                    .starts_with("<87>2026-11-21T08:09:10.123456Z ws-0042")
            );
        }
    }
}

#[tokio::test]
async fn rsyslog_that_is_killed_gets_everything_once_it_is_back() {
    let pki = Pki::new();
    let Some(mut rsyslog) = Rsyslog::start(Driver::Gnutls, &pki, "windrow.example.com") else {
        return;
    };
    let store = Store::new();
    store.append(1..=50_000).await;
    let mut destination = destination(rsyslog.tls, pki.transport(None));
    destination.limits.window_bytes = 4 << 20;
    let mut sink = Sink::start(&store, destination);
    for confirmed in [2_000, 12_000, 25_000] {
        sink.confirmed(confirmed).await;
        rsyslog.kill_and_restart();
    }
    sink.confirmed(50_000).await;
    sink.stop().await;
    rsyslog.wait_for("tls", 50_000).await;
    assert_all(&rsyslog.ids("tls"), 1..=50_000);
}

#[tokio::test]
async fn rsyslog_that_does_not_permit_our_name_is_seen_to_refuse() {
    let pki = Pki::new();
    let Some(rsyslog) = Rsyslog::start(Driver::Gnutls, &pki, "somebody.else.example.com") else {
        return;
    };
    let store = Store::new();
    store.append(1..=100).await;
    let destination = destination(rsyslog.mutual, pki.transport(Some(&pki.client)));
    let mut sink = Sink::start(&store, destination);
    let status = sink
        .until(|status| matches!(&status.state, State::Waiting { attempts: 2.., .. }))
        .await;
    assert_eq!((status.confirmed, status.confirmed_seq), (0, 0));
    sink.stop().await;
    assert_eq!(rsyslog.ids("mutual"), Vec::<u64>::new());
}
