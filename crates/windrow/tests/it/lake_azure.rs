//! A lake in Azure's storage, or what Microsoft gives out to be tested against in its place: Azurite.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rustix::process::Signal;

use crate::support::azurite::{Azurite, KEY, sas};
use crate::support::ledger::repeated;
use crate::support::program::{Finished, Program, run};
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, installed, wait_until};

/// The configuration's words for a lake there, with the secret in a file.
fn settings(scratch: &Scratch, url: &str, kind: &str, secret: &str) -> String {
    let file = scratch.write("lake.secret", secret);
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, closed).unwrap();
    format!(
        "[lake]\nurl = \"{url}\"\n{kind}_file = \"{}\"\n",
        file.display()
    )
}

fn keep_in_azure(service: &Service<'_>, scratch: &Scratch, url: &str) {
    service.reconfigure("[lake]\n", &settings(scratch, url, "key", KEY));
}

/// A command about the service's lake.
fn about(service: &Service<'_>, scratch: &Scratch, verbs: &[&str]) -> Finished {
    let mut arguments = service.arguments(verbs[0]);
    let rest = verbs[1..].iter().map(|verb| (*verb).to_owned());
    arguments.splice(1..1, rest);
    run(scratch, &arguments)
}

#[test]
fn nothing_is_lost_or_doubled_where_service_and_storage_fail() {
    let scratch = Scratch::new();
    let Some(mut azurite) = Azurite::start(&scratch) else {
        return;
    };
    azurite.make("logs");
    let mut service = Service::new(&scratch);
    keep_in_azure(&service, &scratch, &azurite.url("logs/site-1"));
    service.start();
    let fleet = service.fleet(
        "fleet",
        &["--machines", "4", "--rate", "200", "--events", "300"],
    );
    wait_until("some events in the lake", || {
        service.metric("windrow_lake_commits_total") >= 2
    });
    service.kill();
    service.start();
    azurite.stop();
    // The emulator saves before it ends, and all of the first may have come into the lake by then.
    let few = ["--machines", "1", "--rate", "100", "--events", "50"];
    let meanwhile = service.fleet("meanwhile", &few);
    wait_until("a word about the storage", || {
        service
            .get("/healthz")
            .is_some_and(|answer| answer.contains("degraded: the lake is behind"))
    });
    assert!(service.is_well(), "events are accepted all the same");
    let logged = service.program().stderr();
    assert!(logged.contains("it cannot be reached"), "{logged}");
    azurite.start_again();
    let ledgers = [fleet.finish(), meanwhile.finish()];
    wait_until("all to be well", || {
        service
            .get("/healthz")
            .is_some_and(|answer| answer.ends_with("ok\n"))
    });
    let lake = service.lake();
    for ledger in &ledgers {
        assert_eq!(ledger.missing(&lake), [""; 0]);
    }
    assert_eq!(repeated(&lake), [""; 0]);
    let events = service.query("select count(*) n from events");
    let counted = service.query("select sum(events) n from event_counts");
    assert_eq!(events, counted);
    service.terminate().expect(0);

    for verbs in [
        &["lake", "compact"][..],
        &["lake", "vacuum"],
        &["lake", "expire"],
    ] {
        about(&service, &scratch, verbs).expect(0);
    }
    let lake = service.lake();
    for ledger in &ledgers {
        assert_eq!(ledger.missing(&lake), [""; 0]);
    }
    assert_eq!(repeated(&lake), [""; 0]);
    let files = about(&service, &scratch, &["lake", "files", "--absolute"]).expect(0);
    let place = azurite.url("logs/site-1/events/date=");
    assert!(
        files.stdout.lines().all(|file| file.starts_with(&place)),
        "{files:?}"
    );
    let local = scratch.join("data/lake/events");
    assert!(!local.exists(), "nothing of it is in the data folder");
    for text in [service_log(&scratch), files.stdout] {
        assert!(!text.contains(KEY));
    }
}

fn service_log(scratch: &Scratch) -> String {
    std::fs::read_to_string(scratch.join("service.err")).unwrap()
}

#[test]
fn a_service_begins_while_the_storage_is_away_and_carries_all_into_it_later() {
    let scratch = Scratch::new();
    let Some(mut azurite) = Azurite::start(&scratch) else {
        return;
    };
    if !installed("rsyslogd") {
        return;
    }
    azurite.make("logs");
    azurite.stop();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    let framing = "octet-counting";
    service.destination("siem", siem.port, &Transport::Tcp { framing });
    keep_in_azure(&service, &scratch, &azurite.url("logs/site-1"));
    service.start();
    let much = ["--machines", "3", "--rate", "100", "--events", "60"];
    let ledger = service.fleet("fleet", &much).finish();
    assert_eq!(ledger.count(), 180, "each is acknowledged");
    wait_until("every record at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    is_said_to_be_away(&service, &scratch);

    // A restart changes nothing of it, and neither may a reload point it elsewhere.
    service.terminate().expect(0);
    service.start();
    service.reconfigure("logs/site-1", "logs/site-2");
    service.program().signal(Signal::HUP);
    wait_until("the other place to be refused", || {
        let logged = service.program().stderr();
        logged.contains("url, key_file") && logged.contains("restart it")
    });
    azurite.start_again();
    wait_until("all to be well", || {
        let health = service.get("/healthz");
        health.is_some_and(|answer| answer.ends_with("ok\n"))
    });
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    assert_eq!(repeated(&service.lake()), [""; 0]);
    assert_eq!(service.status()["lake"]["away"], false);
    service.terminate().expect(0);
}

/// It says at each of its doors that its lake is away, and what to do.
fn is_said_to_be_away(service: &Service<'_>, scratch: &Scratch) {
    wait_until("a word about the storage", || {
        let health = service.get("/healthz").unwrap_or_default();
        health.contains("degraded: the lake is behind: the lake cannot be opened")
            && service.metric("windrow_lake_degraded") == 1
    });
    let logged = service.program().stderr();
    assert!(logged.contains("it cannot be reached"), "{logged}");
    let lake = &service.status()["lake"];
    assert_eq!(lake["away"], true, "{lake}");
    let status = about(service, scratch, &["status"]).expect(0).stdout;
    assert!(
        status.contains("queries are refused until then"),
        "{status}"
    );
    let mut query = service.arguments("query");
    query.push("select count(*) from events".to_owned());
    let refused = run(scratch, &query).expect(1).stderr;
    assert!(refused.contains("the lake cannot be asked"), "{refused}");
    assert!(refused.contains("it cannot be reached"), "{refused}");
    let checked = about(service, scratch, &["check"]).stdout;
    assert!(checked.contains("it cannot be reached"), "{checked}");
}

#[test]
fn a_journal_put_back_while_the_storage_is_away_passes_for_no_other() {
    let scratch = Scratch::new();
    let Some(mut azurite) = Azurite::start(&scratch) else {
        return;
    };
    azurite.make("logs");
    let mut service = Service::new(&scratch);
    keep_in_azure(&service, &scratch, &azurite.url("logs"));
    service.start();
    service.terminate().expect(0);
    let copied = Command::new("cp")
        .args(["-r", "data", "copy"])
        .current_dir(scratch.path())
        .status();
    assert!(copied.unwrap().success());
    // The lake gets more than the copy knows of.
    service.start();
    let few = ["--machines", "1", "--rate", "100", "--events", "10"];
    assert_eq!(service.fleet("before", &few).finish().count(), 10);
    wait_until("them in the lake", || {
        let status = service.status();
        status["lake"]["position"].as_u64() >= status["journal"]["durable_seq"].as_u64()
    });
    service.terminate().expect(0);
    azurite.stop();
    service.keep_data_at(scratch.join("copy"));
    service.start();
    let much = ["--machines", "1", "--rate", "100", "--events", "50"];
    // Now the copy's journal is longer than what the lake has of it.
    assert_eq!(service.fleet("fleet", &much).finish().count(), 50);
    azurite.start_again();
    wait_until("a word about the copy", || {
        let health = service.get("/healthz").unwrap_or_default();
        health.contains("it is older than the lake")
    });
    service.kill();
    let refused = run(&scratch, &service.arguments("run"));
    assert_ne!(refused.code, Some(0));
    let said = refused.stderr;
    assert!(said.contains("it is older than the lake"), "{said}");
}

#[test]
fn two_collectors_fill_one_lake() {
    let (one, other) = (Scratch::new(), Scratch::new());
    let Some(azurite) = Azurite::start(&one) else {
        return;
    };
    azurite.make("logs");
    let url = azurite.url("logs");
    let mut services = [Service::new(&one), Service::new(&other)];
    for (service, scratch) in services.iter_mut().zip([&one, &other]) {
        keep_in_azure(service, scratch, &url);
        service.start();
    }
    let fleets: Vec<_> = services
        .iter()
        .map(|service| {
            let much = ["--machines", "2", "--rate", "100", "--events", "200"];
            service.fleet("fleet", &much)
        })
        .collect();
    let counts: Vec<u64> = fleets
        .into_iter()
        .map(|fleet| fleet.finish().count())
        .collect();
    for service in &mut services {
        service.terminate().expect(0);
    }
    // Machines of both have the same names; what tells their events apart is where they came in.
    let all = services[0].query(
        "select count(*) n, count(distinct journal || '/' || seq) d from events where record_id is not null",
    );
    let sum: u64 = counts.iter().sum();
    assert_eq!(all[0]["n"].as_u64(), Some(sum), "{all:?}");
    assert_eq!(all[0]["d"].as_u64(), Some(sum), "{all:?}");
}

#[test]
fn what_keeps_the_storage_shut_is_said() {
    let scratch = Scratch::new();
    let Some(mut azurite) = Azurite::start(&scratch) else {
        return;
    };
    azurite.make("logs");
    let service = Service::new(&scratch);
    let url = azurite.url("logs");
    let plain = std::fs::read_to_string(scratch.join("windrow.toml")).unwrap();
    let checked = |url: &str, kind: &str, secret: &str| {
        let text = plain.replace("[lake]\n", &settings(&scratch, url, kind, secret));
        scratch.write("windrow.toml", &text);
        let finished = about(&service, &scratch, &["check"]);
        let all = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!all.contains(secret), "{all}");
        all
    };
    let good = sas("2040-01-01T00:00:00Z");
    for (kind, secret) in [("key", KEY), ("sas", &good)] {
        let all = checked(&url, kind, secret);
        assert!(all.contains("logs answers"), "{all}");
    }
    let other_key = format!("AAAA{}", &KEY[4..]);
    let ended = sas("2024-01-01T00:00:00Z");
    for (url, kind, secret, word) in [
        (
            &url,
            "key",
            other_key.as_str(),
            // Azure itself says AuthenticationFailed.
            "the credential is wrong",
        ),
        (&url, "sas", &ended, "signature ended at 2024-01-01"),
        (&url, "key", "no key", "is neither a key nor a shared"),
        (
            &azurite.url("absent"),
            "key",
            KEY,
            "there is no such container",
        ),
    ] {
        let all = checked(url, kind, secret);
        assert!(all.contains(word), "{all}");
    }
    let file = scratch.join("lake.secret");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = about(&service, &scratch, &["check"]);
    assert!(open.stdout.contains("open to others"), "{open:?}");
    azurite.stop();
    let all = checked(&url, "key", KEY);
    assert!(all.contains("it cannot be reached"), "{all}");
}

/// Only the configuration says who is spoken to: somebody else's proxy would see the credential.
#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    let scratch = Scratch::new();
    let service = Service::new(&scratch);
    let plain = std::fs::read_to_string(scratch.join("windrow.toml")).unwrap();
    let (asked, all) = mpsc::channel();
    let [storage, proxy] = ["storage", "proxy"].map(|name| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = asked.clone();
        // Says who is asked, and hangs up.
        thread::spawn(
            move || {
                while listener.accept().is_ok() && asked.send(name).is_ok() {}
            },
        );
        port
    });
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"];
    let environment = names.map(|name| (name.to_owned(), format!("http://127.0.0.1:{proxy}")));
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{storage}/devstoreaccount1/logs");
        let text = plain.replace("[lake]\n", &settings(&scratch, &url, "key", KEY));
        scratch.write("windrow.toml", &text);
        let check = service.arguments("check");
        let checked = Program::start_with(&scratch, host, &check, &environment).finish();
        let said = checked.stdout;
        assert!(said.contains("the connection to it broke off"), "{said}");
        let asked: Vec<_> = all.try_iter().collect();
        assert!(asked.contains(&"storage"), "{host}: {asked:?}");
        assert!(!asked.contains(&"proxy"), "{host}: {asked:?}");
    }
}
