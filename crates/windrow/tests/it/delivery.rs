//! The whole way: a fleet over mutual TLS, the journal, real receivers, the lake. Every
//! record is counted.

use crate::support::certs::Authority;
use crate::support::ledger::{Arrived, Ledger, distinct, repeated};
use crate::support::rsyslog::{Listener, Rsyslog, arrived};
use crate::support::service::{Service, Transport};
use crate::support::slow::SlowReceiver;
use crate::support::syslog_ng::{self, Source, SyslogNg};
use crate::support::{Scratch, installed, wait_until};

const LF: Transport<'static> = Transport::Tcp { framing: "lf" };

#[test]
fn every_record_reaches_every_receiver_and_the_lake_once() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "siem");
    let server = authority.issue(&scratch, "localhost");
    let client = authority.issue(&scratch, "collector.test");
    let ca = authority.certificate.as_path();
    let mutual = Listener::MutualTls {
        server: &server,
        authority: &authority,
        peer: "collector.test",
    };
    let octets = Transport::Tcp {
        framing: "octet-counting",
    };
    let mutual_tls = Transport::MutualTls {
        ca,
        client: &client,
    };
    let receivers = [
        ("udp", Listener::Udp, Transport::Udp),
        ("lines", Listener::Tcp, LF),
        ("octets", Listener::Tcp, octets),
        ("tls", Listener::Tls(&server), Transport::Tls { ca }),
        ("mutual", mutual, mutual_tls),
    ]
    .map(|(name, listener, transport)| {
        (name, Rsyslog::start(&scratch, name, &listener), transport)
    });

    let mut service = Service::new(&scratch);
    for (name, receiver, transport) in &receivers {
        service.destination(name, receiver.port, transport);
    }
    service.start();
    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "10", "--rate", "100", "--events", "200"],
        )
        .finish();
    assert!(
        ledger.count() >= 2000,
        "only {} were acknowledged",
        ledger.count()
    );
    for (name, receiver, _) in &receivers {
        wait_until(&format!("every record at {name}"), || {
            ledger.missing(&receiver.events()).is_empty()
        });
        assert_eq!(repeated(&receiver.events()), [""; 0], "at {name}");
    }
    in_the_lake_once(&service, &ledger);
    service.terminate().expect(0);
    in_the_lake_once(&service, &ledger);
}

/// Another receiver, and the way its users set it up: lines taken apart, octet counting, and TLS
/// that asks for a certificate.
#[test]
fn every_record_reaches_syslog_ng_once() {
    if !syslog_ng::is_here() {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "siem");
    let server = authority.issue(&scratch, "localhost");
    let client = authority.issue(&scratch, "collector.test");
    let octets = Transport::Tcp {
        framing: "octet-counting",
    };
    let mutual = Source::MutualTls {
        server: &server,
        authority: &authority,
        peer: "collector.test",
    };
    let mutual_tls = Transport::MutualTls {
        ca: &authority.certificate,
        client: &client,
    };
    let receivers = [
        ("lines", Source::Lines, LF),
        ("octets", Source::Octets, octets),
        ("mutual", mutual, mutual_tls),
    ]
    .map(|(name, source, transport)| (name, SyslogNg::start(&scratch, name, &source), transport));
    let mut service = Service::new(&scratch);
    for (name, receiver, transport) in &receivers {
        service.destination(name, receiver.port, transport);
    }
    service.start();
    let ledger = service
        .fleet(
            "fleet",
            &[
                "--machines",
                "10",
                "--rate",
                "100",
                "--events",
                "200",
                "--hostile",
            ],
        )
        .finish();
    assert!(
        ledger.count() >= 2000,
        "only {} were acknowledged",
        ledger.count()
    );
    for (name, receiver, _) in &receivers {
        wait_until(&format!("every record at {name}"), || {
            ledger.missing(&receiver.events()).is_empty()
        });
        assert_eq!(repeated(&receiver.events()), [""; 0], "at {name}");
    }
    in_the_lake_once(&service, &ledger);
    service.terminate().expect(0);
}

#[test]
fn a_receiver_that_was_away_gets_everything() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let mut siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let other = Rsyslog::start(&scratch, "other", &Listener::Tcp);
    siem.kill();
    let mut service = Service::new(&scratch);
    service.destination("siem", siem.port, &LF);
    service.destination("other", other.port, &LF);
    service.start();

    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "5", "--rate", "40", "--events", "400"],
    );
    wait_until("the other receiver to have a part", || {
        distinct(&other.events()) > 200
    });
    siem.resume();
    wait_until("the receiver to have caught some", || {
        distinct(&siem.events()) > 300
    });
    assert!(
        fleet.is_running(),
        "the fleet ended before the receiver went away again"
    );
    // In order: what a killed receiver had read and not yet written is lost with it, and over
    // syslog nobody can tell.
    siem.stop();
    let before = distinct(&other.events());
    wait_until("the other receiver to go on", || {
        distinct(&other.events()) > before + 100
    });
    siem.resume();

    let ledger = fleet.finish();
    for receiver in [&siem, &other] {
        wait_until("every record at both", || {
            ledger.missing(&receiver.events()).is_empty()
        });
    }
    assert_eq!(
        repeated(&other.events()),
        [""; 0],
        "who was never away got nothing twice"
    );
    in_the_lake_once(&service, &ledger);
}

#[test]
fn a_slow_receiver_holds_nothing_back() {
    let scratch = Scratch::new();
    // 400 bytes a second: less than half a message.
    let slow = SlowReceiver::start(4);
    let mut service = Service::new(&scratch);
    service.destination("slow", slow.port, &LF);
    service.start();
    let ledger = service.fleet(
        "fleet",
        &["--machines", "10", "--rate", "1000", "--events", "1500"],
    );
    let ledger = ledger.finish();
    in_the_lake_once(&service, &ledger);
    let waiting = ledger.missing(&arrived(&slow.messages())).len() as u64;
    assert!(
        waiting > ledger.count() / 4,
        "{waiting} waited: it was not slow enough to tell"
    );

    // Ending the service does not wait for it either, and what waits is still there after.
    service.terminate().expect(0);
    slow.take(1 << 20);
    service.start();
    wait_until("the slow receiver to have all", || {
        slow.count() >= ledger.count() && ledger.missing(&arrived(&slow.messages())).is_empty()
    });
}

#[test]
fn a_receiver_of_another_name_gets_nothing() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "siem");
    let other = authority.issue(&scratch, "other.test");
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tls(&other));
    let mut service = Service::new(&scratch);
    let ca = authority.certificate.as_path();
    service.destination("siem", siem.port, &Transport::Tls { ca });
    service.start();
    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "2", "--rate", "50", "--events", "20"],
        )
        .finish();
    in_the_lake_once(&service, &ledger);
    wait_until("a word about the name", || {
        service
            .program()
            .stderr()
            .contains("is for other.test and not for localhost")
    });
    assert_eq!(siem.messages(), "");
}

/// With TLS 1.3 the receiver refuses after the handshake: to who only writes, all seems sent.
#[test]
fn what_a_receiver_refuses_is_not_lost() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "siem");
    let server = authority.issue(&scratch, "localhost");
    let client = authority.issue(&scratch, "collector.test");
    let listener = |peer| Listener::MutualTls {
        server: &server,
        authority: &authority,
        peer,
    };
    let mut siem = Rsyslog::start(&scratch, "siem", &listener("somebody.else"));
    let mut service = Service::new(&scratch);
    let ca = authority.certificate.as_path();
    service.destination(
        "siem",
        siem.port,
        &Transport::MutualTls {
            ca,
            client: &client,
        },
    );
    service.start();
    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "2", "--rate", "50", "--events", "50"],
        )
        .finish();
    wait_until("a word about the refusal", || {
        siem.complaints().contains("collector.test")
    });
    assert_eq!(siem.messages(), "");

    siem.stop();
    siem.reconfigure(&listener("collector.test"));
    siem.resume();
    wait_until("every record, once it is let in", || {
        ledger.missing(&siem.events()).is_empty()
    });
}

/// Each acknowledged record is in the lake, and once.
#[track_caller]
fn in_the_lake_once(service: &Service<'_>, ledger: &Ledger) {
    let mut lake = Arrived::new();
    wait_until("every record in the lake", || {
        lake = service.lake();
        ledger.missing(&lake).is_empty()
    });
    assert_eq!(repeated(&lake), [""; 0], "in the lake");
}
