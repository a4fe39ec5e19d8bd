//! Machines of a domain beside machines with certificates, with the tickets of a real KDC.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::ledger::repeated;
use crate::support::realm::Realm;
use crate::support::service::Service;
use crate::support::{Scratch, listening_port, wait_until};

const USUAL: [&str; 6] = ["--events", "60", "--rate", "max", "--drain", "60s"];

/// A collector with two listeners for the machines of a domain beside the usual one; their ports.
fn listen(service: &Service<'_>, realm: &Realm) -> [u16; 2] {
    let ports = [listening_port(), listening_port()];
    for port in ports {
        let keytab = realm.keytab();
        service.configure(&format!(
            "[source.wef.domain-{port}]\nlisten = \"127.0.0.1:{port}\"\nhostname = \"localhost\"\n\n\
             [source.wef.domain-{port}.kerberos]\nkeytab = \"{}\"\n",
            keytab.display()
        ));
    }
    ports
}

fn url(port: u16) -> String {
    format!("http://localhost:{port}/wsman/SubscriptionManager/WEC")
}

fn words<'a>(first: &'a str, of_realm: &'a [String]) -> Vec<&'a str> {
    let of_realm = of_realm.iter().map(String::as_str);
    std::iter::once(first)
        .chain(of_realm)
        .chain(USUAL)
        .collect()
}

#[test]
fn tickets_and_certificates_at_once() {
    let scratch = Scratch::new();
    let Some(realm) = Realm::start(&scratch, 4, 3) else {
        return;
    };
    let mut service = Service::new(&scratch);
    let ports = listen(&service, &realm);
    service.start();
    let certified = service.fleet(
        "certified",
        &["--machines", "4", "--events", "60", "--rate", "max"],
    );
    let (keys, passwords) = (realm.fleet_of_keys(), realm.fleet_of_passwords());
    let with_keys = words("--kerberos", &keys);
    let with_keys = service.fleet_at("keys", &url(ports[0]), &with_keys);
    let with_passwords = words("--kerberos=negotiate", &passwords);
    let with_passwords = service.fleet_at("passwords", &url(ports[1]), &with_passwords);

    let mut ledgers = Vec::new();
    for (fleet, machines) in [(certified, 4), (with_keys, 4), (with_passwords, 3)] {
        let (ledger, summary) = fleet.finish_with_summary();
        assert_eq!(ledger.count(), 60 * machines, "{summary}");
        assert_eq!(summary["bookkeeping"], machines, "{summary}");
        assert_eq!(summary["faults"], serde_json::json!({}));
        ledgers.push(ledger);
    }
    wait_until("every record in the lake", || {
        let lake = service.lake();
        ledgers
            .iter()
            .all(|ledger| ledger.missing(&lake).is_empty())
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    let sources = service.query(
        "select source, computer, count(*) n from events where origin = 'wef' and record_id is not null \
         group by 1, 2 order by 1",
    );
    assert_eq!(sources.len(), 11);
    let of_domain = &sources[0];
    assert_eq!(of_domain["source"], "WS00001$@CORP.EXAMPLE");
    assert_eq!(of_domain["computer"], "ws00001.corp.example");

    // Another fleet of the same machines goes on where the first ended.
    let again = words("--kerberos=negotiate", &keys);
    let (_, summary) = service
        .fleet_at("again", &url(ports[1]), &again)
        .finish_with_summary();
    assert_eq!(summary["bookkeeping"], 0, "{summary}");
    service.terminate().expect(0);
}

#[test]
fn a_recorded_ticket_is_taken_once_whichever_listener_gets_it() {
    let scratch = Scratch::new();
    let Some(realm) = Realm::start(&scratch, 1, 0) else {
        return;
    };
    let mut service = Service::new(&scratch);
    let ports = listen(&service, &realm);
    service.start();
    // A machine shows its ticket to somebody who writes it down.
    let thief = TcpListener::bind("127.0.0.1:0").unwrap();
    let (keys, address) = (
        realm.fleet_of_keys(),
        thief.local_addr().unwrap().to_string(),
    );
    let mut robbed = words("--kerberos", &keys);
    robbed.extend(["--connect-to", &address]);
    let fleet = service.fleet_at("robbed", &url(ports[0]), &robbed);
    let shown = head(&mut thief.accept().unwrap().0);
    drop(fleet);
    assert!(shown.contains("authorization: Kerberos "), "{shown}");

    let show = |port: u16| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(shown.as_bytes()).unwrap();
        head(&mut stream)
    };
    let taken = show(ports[0]);
    assert!(taken.starts_with("HTTP/1.1 200 "), "{taken}");
    for port in [ports[1], ports[0]] {
        let refused = show(port);
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    }
    let refused = service.metric("windrow_wef_refusals_total{reason=\"ticket_replayed\"}");
    assert_eq!(refused, 2);
    service.terminate().expect(0);
}

/// What comes up to an empty line.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
