//! The service as its manager and its auditor see it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::program::{Program, run};
use crate::support::service::Service;
use crate::support::{Scratch, free_port, installed, wait_for, wait_until};

/// Waits for a message to the service manager that contains `wanted`; others are passed over.
fn told(manager: &UnixDatagram, wanted: &str) {
    let mut buffer = [0; 1024];
    wait_for(&format!("{wanted} to be told"), || {
        match manager.recv(&mut buffer) {
            Ok(bytes) => {
                let said = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
                said.lines().any(|line| line == wanted).then_some(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn the_service_manager_is_told_how_it_is() {
    let scratch = Scratch::new();
    let path = scratch.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut service = Service::new(&scratch);
    service.environment("NOTIFY_SOCKET", path.to_str().unwrap());
    service.environment("WATCHDOG_USEC", "400000");
    service.start();
    told(&manager, "READY=1");
    told(&manager, "WATCHDOG=1");
    told(&manager, "WATCHDOG=1");
    service.program().signal(Signal::HUP);
    told(&manager, "RELOADING=1");
    told(&manager, "READY=1");
    told(&manager, "WATCHDOG=1");
    service.program().signal(Signal::TERM);
    told(&manager, "STOPPING=1");
    service.finish().expect(0);
}

/// Segment and root, as event 10 has them; an error when one was told twice.
fn roots_told(service: &Service<'_>) -> BTreeMap<u64, String> {
    let sql = "select event_data['Segment'] segment, event_data['Root'] root from events \
               where channel = 'Windrow/Operational' and event_id = 10";
    let mut roots = BTreeMap::new();
    for row in service.query(sql) {
        let segment = row["segment"].as_str().unwrap().parse().unwrap();
        let root = row["root"].as_str().unwrap().to_owned();
        assert_eq!(roots.insert(segment, root), None, "segment {segment} twice");
    }
    roots
}

/// Segment and root, as `windrow verify` finds them.
fn roots_proven(scratch: &Scratch, service: &Service<'_>) -> BTreeMap<u64, String> {
    let mut arguments = service.arguments("verify");
    arguments.extend(["--output", "json"].map(str::to_owned));
    let report = run(scratch, &arguments).expect(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let segments = report["segments"].as_array().unwrap().iter();
    segments
        .filter_map(|segment| {
            let root = segment["root"].as_str()?.to_owned();
            Some((segment["segment"].as_u64()?, root))
        })
        .collect()
}

#[test]
fn every_root_leaves_once() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.configure("[journal]\nseal_interval = \"1s\"");
    service.start();
    service
        .fleet(
            "fleet",
            &["--machines", "1", "--rate", "20", "--events", "40"],
        )
        .finish();
    wait_until("two roots", || roots_told(&service).len() >= 2);

    // A run that was killed has sealed nothing: the next one does, and tells of it.
    service.kill();
    let before = roots_told(&service);
    service.start();
    wait_until("the root of the run that was killed", || {
        roots_told(&service).len() > before.len()
    });
    service.terminate().expect(0);
    let told = roots_told(&service);
    let proven = roots_proven(&scratch, &service);
    let (last, _) = proven.last_key_value().unwrap();
    for (segment, root) in &proven {
        // The last file holds the record of the one before it: its own root leaves at the next start.
        if segment != last {
            assert_eq!(told.get(segment), Some(root), "segment {segment}");
        }
    }
    service.start();
    wait_until("the last root", || {
        roots_told(&service).get(last) == proven.get(last)
    });
    service.terminate().expect(0);
}

#[test]
fn who_is_refused_is_said_with_the_reason_and_what_helps() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let mut stranger = TcpStream::connect(service.listen_address()).unwrap();
    stranger.write_all(b"POST / HTTP/1.1\r\n\r\n").unwrap();
    let refused = "/sources/wef.main/refused_by_reason/handshake_failed";
    wait_until("the refusal to be counted", || {
        service.status().pointer(refused) == Some(&1.into())
    });
    let metrics = service.get("/metrics").unwrap();
    let line = "windrow_wef_refusals_total{reason=\"handshake_failed\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    let log = service.terminate().expect(0).stderr;
    let said = log.lines().find(|line| line.contains("handshake_failed"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains("127.0.0.1"), "{said}");
    assert!(said.contains("Server= has to begin with https"), "{said}");
}

/// As the page on collecting says it: `windrow pki` for both ends, and nothing else.
#[test]
fn windrow_can_be_tried_without_certificates_of_ones_own() {
    let scratch = Scratch::new();
    let config = run(&scratch, &["pki", "try"]).expect(0).stdout;
    let (port, web) = (free_port(), free_port());
    let config = config.replace(":5986", &format!(":{port}"))
        + &format!("[web]\nlisten = \"127.0.0.1:{web}\"\n");
    scratch.write("try.toml", &config);
    let arguments = ["run", "--config", "try.toml", "--data-dir", "try/data"];
    let service = Program::start(&scratch, "service", &arguments);
    // A machine that finds nobody asks again after a minute.
    wait_until("the service to run", || {
        service.stderr().contains("windrow runs")
    });
    let url = format!("https://localhost:{port}/wsman/SubscriptionManager/WEC");
    let mut fleet = vec!["simulate", &url, "--machines", "2", "--events", "5"];
    fleet.extend(["--ca", "try/ca.pem", "--issuer", "try/ca.pem"]);
    fleet.extend(["--issuer-key", "try/ca.key"]);
    let sent = run(&scratch, &fleet).expect(0).stdout;
    assert!(sent.contains("10"), "{sent}");
    service.terminate().expect(0);

    let again = run(&scratch, &["pki", "try"]).expect(1).stderr;
    assert!(again.contains("collector.pem exists"), "{again}");
}

/// Whoever asked is gone: nobody waits for the answer, and nothing goes on computing it.
#[test]
fn a_question_ends_with_who_asked() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let running = |service: &Service<'_>, queries: u32| {
        let line = format!("windrow_lake_queries_running {queries}\n");
        service
            .get("/metrics")
            .is_some_and(|metrics| metrics.contains(&line))
    };
    let mut arguments = service.arguments("query");
    arguments.push(
        "select sum(a.value * b.value) from range(1000000) a cross join range(1000000) b".into(),
    );
    let mut heavy: Vec<_> = (0..6)
        .map(|number| Program::start(&scratch, &format!("heavy{number}"), &arguments))
        .collect();
    wait_until("as many to run as may", || running(&service, 4));
    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "2", "--rate", "100", "--events", "50"],
        )
        .finish();
    assert!(ledger.count() >= 100);
    for program in &mut heavy {
        program.kill();
    }
    wait_until("none to run", || running(&service, 0));
    assert_eq!(ledger.missing(&service.lake()), [""; 0]);
    service.terminate().expect(0);
}

#[test]
fn a_fleet_takes_an_authoritys_key_in_every_form() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // As `openssl ecparam -genkey` writes it.
    let key = openssl(&["ec", "-in", service.authority_key().to_str().unwrap()]);
    assert!(key.contains("BEGIN EC PRIVATE KEY"), "{key}");
    let parameters = openssl(&["ecparam", "-name", "prime256v1"]);
    service.sign_with(scratch.write("sec1.key", &format!("{parameters}{key}")));
    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "1", "--rate", "20", "--events", "5"],
        )
        .finish();
    assert!(ledger.count() >= 5);

    let rsa = openssl(&["genrsa", "-traditional", "2048"]);
    assert!(rsa.contains("BEGIN RSA PRIVATE KEY"), "{rsa}");
    let key = scratch.write("rsa.key", &rsa);
    let certificate = scratch.join("rsa.pem");
    let [key, certificate] = [&key, &certificate].map(|path| path.to_str().unwrap());
    openssl(&[
        "req",
        "-x509",
        "-new",
        "-key",
        key,
        "-subj",
        "/CN=rsa",
        "-out",
        certificate,
    ]);
    // The collector does not know this authority: the fleet gets as far as its handshake.
    let url = service.url();
    let arguments = [
        "simulate",
        &url,
        "--ca",
        certificate,
        "--issuer",
        certificate,
        "--issuer-key",
        key,
        "--machines",
        "1",
        "--events",
        "1",
        "--for",
        "1s",
    ];
    let finished = run(&scratch, &arguments);
    assert!(
        !finished.stderr.contains("are not an authority's"),
        "{}",
        finished.stderr
    );
    service.terminate().expect(0);
}
