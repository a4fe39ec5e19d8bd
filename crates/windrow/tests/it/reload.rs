//! SIGHUP: a good configuration is taken up without a connection lost, a bad one is refused with
//! file and line and the old one stays.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::support::certs::Authority;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, installed, wait_until};

const LF: Transport<'static> = Transport::Tcp { framing: "lf" };
const MACHINES: usize = 5;

/// The usual confirmation ends connections in order now and then; these should last.
const ONE_CONNECTION: &str = "confirmation = \"tcp-acked\"\n";

/// Each machine asks for its subscriptions so often that a test need not wait for it.
const FLEET: [&str; 8] = [
    "--machines",
    "5",
    "--rate",
    "20",
    "--for",
    "10m",
    "--refresh",
    "2s",
];

#[test]
fn a_new_sink_and_subscription_are_taken_up_while_events_flow() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let old = Rsyslog::start(&scratch, "old", &Listener::Tcp);
    let new = Rsyslog::start(&scratch, "new", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.destination("old", old.port, &LF);
    service.configure(ONE_CONNECTION);
    service.start();
    let mut fleet = service.fleet("fleet", &FLEET);
    wait_until("every machine to send", || {
        machines_of(&service, "base") == MACHINES
    });
    let deliveries = lasting_connections(&service);
    assert_eq!(deliveries.len(), MACHINES, "one for each subscription");
    let connected = service.status()["sinks"]["syslog.old"]["connected_since"].clone();
    assert!(connected.is_string(), "{connected}");

    service.destination("new", new.port, &LF);
    service.configure("[subscription.more]\nchannels = [\"Security\"]\nmax_latency = \"1s\"\n");
    service.program().signal(Signal::HUP);
    wait_until("the new configuration", || {
        service.status()["configuration"]["generation"] == 2
    });
    let taken_up = service.status()["journal"]["durable_seq"].as_u64().unwrap();
    wait_until("what the new subscription brings", || {
        machines_of(&service, "more") == MACHINES
    });
    assert!(
        deliveries.is_subset(&service.peers()),
        "a machine was disconnected"
    );
    let status = service.status();
    assert_eq!(
        status["sinks"]["syslog.old"]["connected_since"], connected,
        "the old sink was disconnected"
    );
    assert!(fleet.is_running());
    let ledger = fleet.stop();
    wait_until("every record at the old receiver", || {
        ledger.missing(&old.events()).is_empty()
    });
    let since = service.query(&format!(
        "select computer, channel, record_id from events where origin <> 'own' and seq > {taken_up}"
    ));
    assert!(since.len() > MACHINES, "{} records since", since.len());
    wait_until("every record since then at the new receiver", || {
        let events = new.events();
        since.iter().all(|row| {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            let ids = events.get(&(word("computer"), word("channel")));
            ids.is_some_and(|ids| ids.contains_key(&row["record_id"].as_u64().unwrap()))
        })
    });
    service.terminate().expect(0);
}

#[test]
fn a_bad_configuration_is_refused_and_the_old_one_stays() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.destination("siem", siem.port, &LF);
    service.configure(ONE_CONNECTION);
    service.start();
    let mut fleet = service.fleet("fleet", &FLEET);
    wait_until("every machine to send", || {
        machines_of(&service, "base") == MACHINES
    });
    let deliveries = lasting_connections(&service);
    let connected = service.status()["sinks"]["syslog.siem"]["connected_since"].clone();

    let bad = "[sink.syslog.other]\nsever_name = \"localhost\"\n";
    let line = service.configure(bad) + 1;
    service.program().signal(Signal::HUP);
    let place = format!("windrow.toml:{line}:1");
    wait_until("a word about the line", || {
        let said = service.program().stderr();
        said.contains("the old one stays") && said.contains(&place)
    });
    let before = fleet.ledger().count();
    wait_until("events to flow on", || {
        fleet.ledger().count() > before + 200
    });
    // For the commands below, which read the file too. The service is not told.
    service.reconfigure(bad, "");
    wait_until("an event of our own about it", || {
        let sql = "select message from events where origin = 'own' and event_id = 4";
        let rows = service.query(sql);
        rows.len() == 1 && rows[0]["message"].as_str().unwrap().contains(&place)
    });
    assert!(fleet.is_running());
    let status = service.status();
    assert_eq!(status["configuration"]["generation"], 1);
    let refused = status["configuration"]["refused"]["reason"].as_str();
    assert!(refused.unwrap().contains(&place), "{status}");
    assert_eq!(status["sinks"].as_object().unwrap().len(), 1, "{status}");
    assert_eq!(status["sinks"]["syslog.siem"]["connected_since"], connected);
    assert!(
        deliveries.is_subset(&service.peers()),
        "a machine was disconnected"
    );
    let ledger = fleet.stop();
    wait_until("every record at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    service.terminate().expect(0);
}

#[test]
fn a_certificate_renewed_under_its_path_is_taken_up() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "siem-authority");
    let server = authority.issue(&scratch, "localhost");
    let listener = Listener::MutualTls {
        server: &server,
        authority: &authority,
        peer: "renewed.test",
    };
    let siem = Rsyslog::start(&scratch, "siem", &listener);
    let other = Rsyslog::start(&scratch, "other", &Listener::Tcp);
    let shown = authority.issue(&scratch, "old.test");
    let mut service = Service::new(&scratch);
    let transport = Transport::MutualTls {
        ca: &authority.certificate,
        client: &shown,
    };
    service.destination("siem", siem.port, &transport);
    service.destination("other", other.port, &LF);
    service.configure(ONE_CONNECTION);
    service.start();
    wait_until("the old certificate to be refused", || {
        siem.complaints().contains("old.test")
    });
    let connected = || service.status()["sinks"]["syslog.other"]["connected_since"].clone();
    wait_until("the other connection", || connected().is_string());
    let since = connected();

    let renewed = authority.issue(&scratch, "renewed.test");
    std::fs::copy(&renewed.key, &shown.key).unwrap();
    service.program().signal(Signal::HUP);
    wait_until("a word about the key that is not the certificate's", || {
        service.program().stderr().contains("the old one stays")
    });
    assert_eq!(siem.messages(), "");
    std::fs::copy(&renewed.certificate, &shown.certificate).unwrap();
    service.program().signal(Signal::HUP);
    wait_until("messages under the renewed certificate", || {
        siem.messages().contains("MasEventID=1 ")
    });
    assert_eq!(connected(), since, "the other sink was disconnected");
    service.terminate().expect(0);
}

#[test]
fn an_address_that_is_taken_refuses_all_of_the_new_configuration() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let fleet = service.fleet("fleet", &FLEET);
    wait_until("every machine to send", || {
        machines_of(&service, "base") == MACHINES
    });
    let deliveries = lasting_connections(&service);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let occupied = taken.local_addr().unwrap().to_string();
    service.reconfigure(&service.listen_address(), &occupied);
    service.program().signal(Signal::HUP);
    wait_until("a word about the address", || {
        let said = service.program().stderr();
        said.contains("the old one stays") && said.contains(&occupied)
    });
    let before = fleet.ledger().count();
    wait_until("events to flow on", || {
        fleet.ledger().count() > before + 200
    });
    assert!(
        deliveries.is_subset(&service.peers()),
        "a machine was disconnected"
    );
    assert_eq!(service.status()["configuration"]["generation"], 1);
    fleet.stop();
    service.terminate().expect(0);
}

#[test]
fn a_lake_that_is_switched_off_does_not_hold_the_journal() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let cursor = scratch.join("data/journal/cursors/lake.cursor");
    assert!(cursor.exists());
    service.terminate().expect(0);
    service.reconfigure("[lake]\n", "[lake]\nenabled = false\n");
    service.start();
    assert!(!cursor.exists());
    let said = service.program().stderr();
    assert!(said.contains("the lake is switched off"), "{said}");
    service.terminate().expect(0);
}

/// How many machines have sent for a subscription.
fn machines_of(service: &Service<'_>, subscription: &str) -> usize {
    let rows = service.query(&format!(
        "select distinct computer from events where subscription = '{subscription}'"
    ));
    rows.len()
}

/// The connections over which machines deliver: those that outlast the short ones over which they
/// ask for their subscriptions.
fn lasting_connections(service: &Service<'_>) -> BTreeSet<u16> {
    let (before, accepted) = (service.peers(), accepted(service));
    wait_until("every machine to ask twice", || {
        self::accepted(service) >= accepted + 3 * MACHINES as u64
    });
    let mut lasting = service.peers();
    wait_until("the short connections to end", || {
        lasting = lasting.intersection(&service.peers()).copied().collect();
        lasting.is_subset(&before)
    });
    lasting
}

/// How many connections the collector has accepted.
pub(crate) fn accepted(service: &Service<'_>) -> u64 {
    let metrics = service.get("/metrics").unwrap();
    let line = "windrow_wef_connections_total{result=\"accepted\"} ";
    let value = metrics.lines().find_map(|found| found.strip_prefix(line));
    value.map_or(0, |value| value.trim().parse().unwrap())
}
