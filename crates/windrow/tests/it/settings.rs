//! Settings made by command, `windrow syslog`: in force in the running service within a second, nothing lost on the
//! way from one destination to another, each change on record, and a bad one without effect.

use crate::support::program::{Finished, run};
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, free_port, installed, wait_until};

const LF: Transport<'static> = Transport::Tcp { framing: "lf" };

/// A fleet that sends until it is told to end.
const FLEET: [&str; 6] = ["--machines", "5", "--rate", "20", "--for", "10m"];

/// `windrow syslog server VERB …` with the service's data folder.
fn server(scratch: &Scratch, service: &Service<'_>, words: &[&str]) -> Finished {
    let mut arguments = service.arguments("syslog");
    arguments.push("server".to_owned());
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    run(scratch, &arguments)
}

/// What `get` says of the one destination, or the one named.
fn get(scratch: &Scratch, service: &Service<'_>, name: &str) -> serde_json::Value {
    let words = ["get", "--name", name, "--output", "json"];
    let said = server(scratch, service, &words).expect(0).stdout;
    let mut said: serde_json::Value = serde_json::from_str(&said).unwrap();
    said["servers"][0].take()
}

/// Our own records with this id, oldest first: message and data.
fn records(service: &Service<'_>, id: u32) -> Vec<String> {
    let sql = format!(
        "select message, event_xml from events where origin = 'own' and event_id = {id} order by seq"
    );
    let rows = service.query(&sql).into_iter();
    rows.map(|row| format!("{} {}", row["message"], row["event_xml"]))
        .collect()
}

#[test]
fn a_destination_set_while_it_runs_gets_events_at_once() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.start();
    let port = siem.port.to_string();
    let words = ["set", "--server-name", "localhost", "--server-port", &port];
    let said = server(
        &scratch,
        &service,
        &[&words[..], &["--no-encryption"]].concat(),
    )
    .expect(0);
    assert!(said.stdout.contains("in force now"), "{}", said.stdout);
    assert!(said.stdout.contains("TCP in the clear"), "{}", said.stdout);
    // The record of the change is the first thing that arrives: who, from where, what.
    wait_until("the record of the change at the receiver", || {
        let messages = siem.messages();
        messages.contains("Windrow:30") && messages.contains("transport\\=tcp")
    });
    let mut fleet = service.fleet("fleet", &FLEET);
    wait_until("events", || !siem.events().is_empty());
    assert!(fleet.is_running());
    let ledger = fleet.stop();
    wait_until("every event at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    wait_until("the counters", || {
        let shown = get(&scratch, &service, "default");
        shown["now"]["state"] == "connected"
            && shown["now"]["sent"].as_u64() >= Some(ledger.count())
    });
    let status = service.status();
    assert_eq!(status["configuration"]["settings"], 1);
    assert_eq!(status["configuration"]["settings_on_disk"], 1);
    service.terminate().expect(0);

    // It is there again at the next start, also when nothing said goodbye.
    service.start();
    wait_until("the destination after a start", || {
        get(&scratch, &service, "default")["now"]["state"] == "connected"
    });
    service.kill();
    service.start();
    wait_until("the destination after a kill", || {
        get(&scratch, &service, "default")["now"]["state"] == "connected"
    });
    service.terminate().expect(0);
}

#[test]
fn what_comes_while_a_destination_is_switched_off_arrives_afterwards() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.start();
    set(&scratch, &service, "default", siem.port);
    let said = server(&scratch, &service, &["disable"]).expect(0).stdout;
    assert!(said.contains("switched off"), "{said}");
    assert_eq!(
        get(&scratch, &service, "default")["now"]["state"],
        "disabled"
    );
    let fleet = service.fleet("fleet", &FLEET);
    wait_until("events in the journal", || fleet.ledger().count() > 200);
    let ledger = fleet.stop();
    assert!(siem.events().is_empty(), "nothing was to be sent");
    let shown = get(&scratch, &service, "default");
    assert!(shown["now"]["lag_events"].as_u64() >= Some(ledger.count()));
    assert!(shown["now"]["lag_seconds"].is_u64(), "{shown}");
    let status = service.status();
    let sink = &status["sinks"]["syslog.default"];
    assert!(sink["lag_seconds"].is_u64(), "{sink}");
    let metrics = service.get("/metrics").unwrap();
    let lag = format!(
        "windrow_syslog_lag_events{{sink=\"default\"}} {}\n",
        sink["lag_events"]
    );
    assert!(metrics.contains(&lag), "{lag}{metrics}");
    assert!(metrics.contains("windrow_syslog_lag_seconds{sink=\"default\"} "));
    // It survives a restart too.
    service.terminate().expect(0);
    service.start();
    server(&scratch, &service, &["enable"]).expect(0);
    wait_until("everything that came meanwhile", || {
        ledger.missing(&siem.events()).is_empty()
    });
    let again = server(&scratch, &service, &["enable"]).expect(0).stdout;
    assert!(again.contains("nothing was changed"), "{again}");
    service.terminate().expect(0);
}

#[test]
fn a_destination_changed_under_load_loses_nothing_and_doubles_nothing() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let receivers = ["one", "two"].map(|name| Rsyslog::start(&scratch, name, &Listener::Tcp));
    let mut service = Service::new(&scratch);
    service.start();
    set(&scratch, &service, "default", receivers[0].port);
    let load = ["--machines", "5", "--rate", "400", "--for", "10m"];
    let fleet = service.fleet("fleet", &load);
    for turn in 1..=6 {
        let before = fleet.ledger().count();
        wait_until("events to flow", || fleet.ledger().count() > before + 1_000);
        set(&scratch, &service, "default", receivers[turn % 2].port);
    }
    let ledger = fleet.stop();
    let arrived = || {
        let [one, two] = [0, 1].map(|at| receivers[at].messages());
        crate::support::rsyslog::arrived(&format!("{one}{two}"))
    };
    wait_until("every event at one of the two", || {
        ledger.missing(&arrived()).is_empty()
    });
    // rsyslog closes in good order, so that everything it has read counts before the next connection begins.
    let twice = crate::support::ledger::repeated(&arrived());
    assert!(
        twice.is_empty(),
        "{} came twice: {:?}",
        twice.len(),
        &twice[..twice.len().min(5)]
    );
    assert!(
        receivers
            .iter()
            .all(|receiver| !receiver.events().is_empty())
    );
    service.terminate().expect(0);
}

#[test]
fn a_removed_destination_says_what_it_did_not_get() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    // Nobody listens there.
    set(&scratch, &service, "default", free_port());
    let fleet = service.fleet("fleet", &FLEET);
    wait_until("events in the journal", || fleet.ledger().count() > 100);
    let ledger = fleet.stop();
    wait_until("an error", || {
        get(&scratch, &service, "default")["now"]["last_error"].is_string()
    });
    let words = ["remove", "--output", "json"];
    let said = server(&scratch, &service, &words).expect(0).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let unsent = said["unsent_events"].as_u64().unwrap();
    assert!(unsent >= ledger.count(), "{said}");
    let metrics = service.get("/metrics").unwrap();
    let dropped = format!(
        "windrow_syslog_dropped_events_total{{sink=\"default\",reason=\"removed\"}} {unsent}\n"
    );
    assert!(metrics.contains(&dropped), "{dropped}{metrics}");
    let removed = records(&service, 14);
    assert_eq!(removed.len(), 1);
    let up_to = format!("up to {unsent} events");
    assert!(removed[0].contains(&up_to), "{removed:?}");
    assert!(removed[0].contains("'Extent'>at-most<"), "{removed:?}");
    let changes = records(&service, 30);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[1].contains("remove by root (uid 0)"), "{changes:?}");
    assert!(service.status()["sinks"].as_object().unwrap().is_empty());
    let gone = server(&scratch, &service, &["remove"]).expect(1).stderr;
    assert!(gone.contains("there is no destination default"), "{gone}");
    service.terminate().expect(0);
}

#[test]
fn a_change_that_cannot_be_used_leaves_the_old_one_in_force() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.destination("fixed", free_port(), &LF);
    service.start();
    set(&scratch, &service, "default", siem.port);
    wait_until("the connection", || {
        get(&scratch, &service, "default")["now"]["state"] == "connected"
    });
    let before = get(&scratch, &service, "default");
    let file = std::fs::read(scratch.join("data/conf.d/sink.syslog.default.toml")).unwrap();
    let bad: [(&[&str], &str); 5] = [
        (&["--server-name", "x", "--ca-file", "none.pem"], "none.pem"),
        (&["--server-name", "a b"], "server_name = \"a b\""),
        (
            &["--server-name", "x", "--use-udp", "--ca-file", "ca.pem"],
            "--ca-file is about TLS",
        ),
        (
            &["--server-name", "x", "--max-message-bytes", "3"],
            "out of range",
        ),
        (
            &["--server-name", "x", "--name", "fixed"],
            "windrow.toml, line ",
        ),
    ];
    for (words, expected) in bad {
        let said = server(&scratch, &service, &[&["set"], words].concat())
            .expect(2)
            .stderr;
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    let refused = records(&service, 31);
    assert_eq!(refused.len(), bad.len(), "{refused:?}");
    let after = get(&scratch, &service, "default");
    assert_eq!(
        after["now"]["connected_since"],
        before["now"]["connected_since"]
    );
    let path = scratch.join("data/conf.d/sink.syslog.default.toml");
    assert_eq!(std::fs::read(&path).unwrap(), file);
    assert_eq!(service.status()["configuration"]["settings"], 1);
    // Also where it is not taken up, because the destination is switched off.
    server(&scratch, &service, &["disable"]).expect(0);
    let file = std::fs::read(&path).unwrap();
    let absent = ["set", "--server-name", "x", "--ca-file", "/absent.pem"];
    let said = server(&scratch, &service, &absent).expect(2).stderr;
    assert!(said.contains("/absent.pem"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), file);
    service.terminate().expect(0);
}

#[test]
fn what_is_set_while_no_service_runs_is_in_force_at_the_start() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    let said = set(&scratch, &service, "default", siem.port);
    assert!(said.contains("in force at the next start"), "{said}");
    service.start();
    wait_until("the record of the change at the receiver", || {
        let messages = siem.messages();
        messages.contains("Windrow:30") && messages.contains("the service not running")
    });
    service.terminate().expect(0);

    // A change that was written right before the program was killed is found, and put on record.
    let file = scratch.join("data/conf.d/sink.syslog.default.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("rfc3164", "rfc5424")).unwrap();
    std::fs::write(scratch.join("data/conf.d/GENERATION"), "7\n").unwrap();
    service.start();
    wait_until("the record of what was found", || {
        let found = records(&service, 30);
        found.len() == 2 && found[1].contains("generation=7")
    });
    service.terminate().expect(0);
}

#[test]
fn the_service_is_asked_beside_damage_on_disk() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    set(&scratch, &service, "siem", free_port());
    let file = scratch.join("data/conf.d/sink.syslog.siem.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("port", "prot")).unwrap();
    let look = |of: &str| {
        let mut status = service.arguments("status");
        status.extend(["--log", "error"].map(str::to_owned));
        let shown = [
            run(&scratch, &status).expect(0),
            server(&scratch, &service, &["get"]).expect(0),
        ];
        for shown in shown {
            let (said, warned) = (shown.stdout, shown.stderr);
            assert!(
                said.contains("siem") && said.contains("confirmed"),
                "{said}"
            );
            assert!(
                warned.contains("warning: ") && warned.contains(of),
                "{warned}"
            );
        }
    };
    look("sink.syslog.siem.toml:");
    std::fs::write(&file, text).unwrap();
    service.configure("[nonsense\n");
    look("windrow.toml");
    // What it is told it does, with what it runs with. The only destination needs no name.
    let said = server(&scratch, &service, &["disable"]).expect(0).stdout;
    assert!(said.contains("siem is switched off"), "{said}");
    assert!(said.contains("the only one there is"), "{said}");
    service.terminate().expect(0);
    // Where no service runs the damage is what there is to say.
    let said = server(&scratch, &service, &["get"]).expect(2);
    assert!(said.stderr.starts_with("error: "), "{}", said.stderr);
}

#[test]
fn a_service_that_is_guessed_is_asked_and_not_changed() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let config = std::fs::read_to_string(scratch.join("windrow.toml")).unwrap();
    let data_dir = format!("data_dir = \"{}\"\n", scratch.join("data").display());
    scratch.write("windrow.toml", &format!("{data_dir}{config}"));
    service.start();
    set(&scratch, &service, "siem", free_port());
    let with = |file: &str, words: &[&str]| {
        let file = scratch.join(file).display().to_string();
        let words = [&["syslog", "--config", &file, "server"], words].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        run(&scratch, &words)
    };
    let damaged = format!("{data_dir}[nonsense\n");
    scratch.write("windrow.toml", &damaged);
    scratch.write("lab.toml", &damaged);
    scratch.write("torn.toml", &damaged.replace("data_dir = ", "data_dir "));
    // Another file that points to its folder, as a copy does.
    let said = with("lab.toml", &["get"]).expect(0);
    assert!(said.stdout.contains("siem"), "{}", said.stdout);
    assert!(said.stderr.contains("is a guess"), "{}", said.stderr);
    for verb in ["disable", "remove"] {
        let refused = with("lab.toml", &[verb]).expect(2).stderr;
        for word in ["nothing was done", "--data-dir", "lab.toml"] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
    // No folder is known at all.
    for file in ["lab.tml", "torn.toml"] {
        for verb in ["get", "remove"] {
            let refused = with(file, &[verb]).expect(2).stderr;
            assert!(
                refused.contains("--data-dir") && refused.contains(file),
                "{refused}"
            );
        }
    }
    assert_eq!(get(&scratch, &service, "siem")["enabled"], true);
    // Its own file, and a folder that is named.
    let own = with("windrow.toml", &["disable"]).expect(0);
    assert!(
        own.stdout.contains("siem is switched off"),
        "{}",
        own.stdout
    );
    assert!(!own.stderr.contains("guess"), "{}", own.stderr);
    let folder = scratch.join("data").display().to_string();
    let named = with("lab.tml", &["enable", "--data-dir", &folder]).expect(0);
    assert!(named.stderr.contains("lab.tml"), "{}", named.stderr);
    assert_eq!(get(&scratch, &service, "siem")["enabled"], true);
    service.terminate().expect(0);
}

#[test]
fn a_set_says_what_it_took_back_without_naming_it() {
    let scratch = Scratch::new();
    let service = Service::new(&scratch);
    let all = [
        "set",
        "--server-name",
        "siem.example.com",
        "--profile",
        "standard",
        "--output-severity",
        "default",
    ];
    let said = server(&scratch, &service, &all).expect(0).stdout;
    assert!(!said.contains("back at its default"), "{said}");
    let less = [
        "set",
        "--server-name",
        "siem2.example.com",
        "--output",
        "json",
    ];
    let said = server(&scratch, &service, &less).expect(0).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let warning = said["warnings"][0].as_str().unwrap();
    for fallen in [
        "profile standard -> azure-stack",
        "output_severity default -> verbose",
    ] {
        assert!(warning.contains(fallen), "{warning}");
    }
    let port = ["set", "--server-name", "siem.example.com:6514"];
    let said = server(&scratch, &service, &port).expect(2).stderr;
    assert!(said.contains("--server-port"), "{said}");
}

#[test]
fn a_damaged_setting_or_one_with_two_homes_refuses_the_start_and_a_reload() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    set(&scratch, &service, "default", free_port());
    let file = scratch.join("data/conf.d/sink.syslog.default.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("port", "prot")).unwrap();
    service.program().signal(rustix::process::Signal::HUP);
    wait_until("a word about the file", || {
        let said = service.program().stderr();
        said.contains("the old one stays") && said.contains("sink.syslog.default.toml:")
    });
    assert!(service.is_well());
    service.terminate().expect(0);
    let refused = run(&scratch, &service.arguments("run")).expect(2).stderr;
    assert!(refused.contains("sink.syslog.default.toml:"), "{refused}");
    std::fs::write(&file, text).unwrap();
    service.destination("default", 514, &LF);
    let refused = run(&scratch, &service.arguments("run")).expect(2).stderr;
    assert!(refused.contains("is set twice"), "{refused}");
}

/// Sets a destination over TCP in the clear; what was said about it.
fn set(scratch: &Scratch, service: &Service<'_>, name: &str, port: u16) -> String {
    let port = port.to_string();
    let words = [
        "set",
        "--server-name",
        "localhost",
        "--server-port",
        &port,
        "--no-encryption",
        "--name",
        name,
        "--prefix",
        "rfc3164",
    ];
    server(scratch, service, &words).expect(0).stdout
}
