//! "Why do I see nothing from that machine?": the answers, each provoked.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use windrow_formats::wsman::client;
use windrow_pipeline::journal::{self, Journal, JournalOptions, StateChange};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::wire::keytab::{Entry, encode};
use windrow_pipeline::kerberos::{Keytab, Principal, Scheme};
use windrow_pipeline::sources::wef::{
    Contact, ENUMERATE_PATH, SUBSCRIPTION_PATH, Stored, Subscription, state_key,
};
use zeroize::Zeroizing;

use crate::support::certs::Authority;
use crate::support::https::{Https, Reply};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, free_port, wait_for, wait_until};

const SOAP: &str = "Content-Type: application/soap+xml;charset=UTF-8";

/// A machine that says what it is told to.
struct Machine {
    name: String,
    https: Https,
}

impl Machine {
    fn request(&self) -> client::Request<'_> {
        client::Request {
            to: "https://localhost/wsman",
            machine_id: &self.name,
            message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
            session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
            operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
        }
    }

    fn enumerate(&self) -> Reply {
        let xml = client::enumerate(&self.request());
        self.https
            .ask(&format!("POST {ENUMERATE_PATH}"), &[SOAP], &xml)
    }

    fn deliver(&self, events: &[&str]) -> Reply {
        let bookmark = "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"7\" IsCurrent=\"true\"/></BookmarkList>";
        let events = events.iter().copied();
        let xml = client::events(&self.request(), "", Some(bookmark), events);
        let path = format!("{SUBSCRIPTION_PATH}{}", Subscription::id_of("base"));
        self.https.ask(&format!("POST {path}"), &[SOAP], &xml)
    }
}

fn machine(scratch: &Scratch, service: &Service<'_>, name: &str) -> Machine {
    let pair = service.authority().issue(scratch, name);
    Machine {
        name: name.to_owned(),
        https: Https::new(
            service.port(),
            &service.authority().certificate,
            Some(&pair),
        ),
    }
}

fn event(computer: &str, record_id: u64) -> String {
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID>\
         <TimeCreated SystemTime='2026-01-02T03:04:05.0000000Z'/><EventRecordID>{record_id}</EventRecordID>\
         <Channel>Security</Channel><Computer>{computer}</Computer></System></Event>"
    )
}

/// What `windrow sources` answers, and its exit code.
fn sources(scratch: &Scratch, service: &Service<'_>, extra: &[&str]) -> (Option<i32>, String) {
    let mut arguments = service.arguments("sources");
    arguments.extend(extra.iter().map(|argument| (*argument).to_owned()));
    let finished = run(scratch, &arguments);
    (finished.code, finished.stdout)
}

fn json(scratch: &Scratch, service: &Service<'_>, extra: &[&str]) -> Value {
    let (code, text) = sources(scratch, service, &[extra, &["--output", "json"]].concat());
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Verdict and reason of each machine.
fn verdicts(machines: &Value) -> Vec<String> {
    let machines = machines.as_array().unwrap().iter();
    machines
        .map(|one| {
            let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("verdict"), word("machine"), word("reason"))
        })
        .collect()
}

/// A keytab of `HTTP/localhost`, and a machine's ticket that is made with it.
fn keytab(scratch: &Scratch, machine: &str) -> (std::path::PathBuf, Ticket) {
    let entry = Entry {
        principal: Principal::parse("HTTP/localhost@CORP.EXAMPLE").unwrap(),
        kvno: 1,
        whole_kvno: true,
        etype: 18,
        key: Zeroizing::new(vec![7; 32]),
    };
    let path = scratch.join("http.keytab");
    std::fs::write(&path, &*encode(&[entry])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let keytab = Keytab::load(&path).unwrap();
    let machine = Principal::parse(machine).unwrap();
    let ticket = Ticket::made_with(&keytab.keys()[0], &machine, Timestamp::now()).unwrap();
    (path, ticket)
}

/// Shows a ticket by a clock that is a quarter of an hour behind.
fn show_late(port: u16, ticket: &Ticket) {
    let late = Timestamp::now() - SignedDuration::from_secs(900);
    let initiation = ticket.initiate(Scheme::Kerberos, late).unwrap();
    let token = BASE64.encode(&initiation.token);
    let mut stream = wait_for("the listener for the domain", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let head = format!(
        "POST {ENUMERATE_PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Kerberos {token}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

fn configure(service: &Service<'_>, domain_port: u16, keytab: &std::path::Path, scratch: &Scratch) {
    service.reconfigure(
        "[subscription.base]\n",
        "[subscription.base]\nmachines = [\"ws*.corp.example\"]\n",
    );
    let list = "# the machines room\nws9\n\nforeign.corp.example # moved here in May\n";
    let list = scratch.write("machines.txt", list);
    service.configure(&format!(
        "[source.wef.domain]\nlisten = \"127.0.0.1:{domain_port}\"\nhostname = \"localhost\"\n\
         [source.wef.domain.kerberos]\nkeytab = \"{}\"\n\
         [fleet]\nmachines = [\"ws1\", \"never.corp.example\"]\nmachines_file = \"{}\"\n",
        keytab.display(),
        list.display()
    ));
}

/// Every fault that a machine can have, at once.
fn provoke(scratch: &Scratch, service: &Service<'_>, domain_port: u16, ticket: &Ticket) {
    let well = machine(scratch, service, "ws1.corp.example");
    assert_eq!(well.enumerate().status, 200);
    let own = "ws1.corp.example";
    let brought = [event(own, 5), event(own, 7), event("OTHER", 90)];
    let brought: Vec<&str> = brought.iter().map(String::as_str).collect();
    assert_eq!(well.deliver(&brought).status, 200);

    let denied = machine(scratch, service, "ws2.corp.example");
    denied.enumerate();
    let first = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-EventForwarder'/><EventID>111</EventID>\
         <Computer>ws2.corp.example</Computer></System><SubscriptionBookmarkEvent><SubscriptionId/>\
         <t:QueryStatus xmlns:t=\"http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog\">\
         <t:Channel Name=\"Security\" ErrorCode=\"5\"/><t:Channel Name=\"System\" ErrorCode=\"0\"/>\
         </t:QueryStatus></SubscriptionBookmarkEvent></Event>";
    assert_eq!(denied.deliver(&[first]).status, 200);

    let large = machine(scratch, service, "ws3.corp.example");
    large.enumerate();
    let much = event("ws3.corp.example", 1).repeat(8_000);
    assert_ne!(large.deliver(&[&much]).status, 200);

    let elsewhere = machine(scratch, service, "wz4.corp.example");
    assert_eq!(elsewhere.enumerate().status, 200);

    let others = Authority::new(scratch, "others");
    for name in ["foreign.corp.example", "mallory"] {
        let pair = others.issue(scratch, name);
        let https = Https::new(
            service.port(),
            &service.authority().certificate,
            Some(&pair),
        );
        assert!(https.send("GET / HTTP/1.1\r\n\r\n").is_none());
    }
    show_late(domain_port, ticket);
}

#[test]
fn each_machine_is_told_with_what_is_the_matter() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let domain_port = free_port();
    let (keytab, ticket) = keytab(&scratch, "WS9$@CORP.EXAMPLE");
    configure(&service, domain_port, &keytab, &scratch);
    service.start();
    provoke(&scratch, &service, domain_port, &ticket);
    wait_until("the last handshake to be judged", || {
        json(&scratch, &service, &["--failing"])
            .as_array()
            .unwrap()
            .len()
            == 5
    });
    let machines = json(&scratch, &service, &[]);
    let expected = [
        "failing foreign.corp.example bad_certificate",
        "failing ws2.corp.example access_denied",
        "failing ws3.corp.example too_large",
        "failing ws9 clock_skew",
        "failing wz4.corp.example no_subscription",
        "never never.corp.example never_enumerated",
        "alive ws1.corp.example ",
    ];
    assert_eq!(verdicts(&machines), expected);
    let words: String = machines
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["words"].to_string())
        .collect();
    for said in [
        "CN=others, and no authority in client_ca has signed it",
        "it may not read Security",
        "the body is over",
        "the clock of WS9$@CORP.EXAMPLE is 9",
        "no subscription is for it; almost matching: ws*.corp.example",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    people_read_it(&scratch, &service);
    let metrics = service.get("/metrics").unwrap();
    let line = "windrow_fleet_machines{verdict=\"failing\"} 5";
    assert!(metrics.contains(line), "{metrics}");
    let counted = &service.status()["machines"];
    assert_eq!(
        (&counted["failing"], &counted["alive"]),
        (&5.into(), &1.into())
    );

    service.terminate().expect(0);
    let (code, rest) = sources(&scratch, &service, &["--output", "table"]);
    assert_eq!(code, Some(1), "nobody listens");
    assert!(rest.starts_with("no service runs"), "{rest}");
    let known: Vec<bool> = ["ws1.corp.example", "ws2.corp.example", "never.corp.example"]
        .map(|name| rest.contains(name))
        .into();
    assert_eq!(known, [true; 3], "{rest}");
    let (code, some) = sources(&scratch, &service, &["--silent"]);
    assert_eq!(
        (code, &*some),
        (Some(1), ""),
        "nobody knows which these are"
    );
}

/// The tables, for all and for one.
fn people_read_it(scratch: &Scratch, service: &Service<'_>) {
    let (_, table) = sources(scratch, service, &["--output", "table"]);
    for said in [
        "7 machines: 5 failing, 1 never, 1 alive",
        "who says it is mallory",
        "access_denied: NETWORK SERVICE has to be in Event Log Readers",
    ] {
        assert!(table.contains(said), "{said}: {table}");
    }
    let (code, one) = sources(scratch, service, &["ws1", "--output", "table"]);
    assert_eq!(code, Some(0));
    for said in [
        "ws1.corp.example  alive",
        "1 of its events name another computer, for example OTHER",
        "1 events that its logs had never came",
        "Security: bookmark 7, 3 events",
        "1 missing in 1 gaps",
        ", taken up",
    ] {
        assert!(one.contains(said), "{said}: {one}");
    }
    let arguments = service.arguments("sources").into_iter();
    let forget = ["forget", "ws1.corp.example"].map(str::to_owned);
    let refused = run(scratch, &arguments.chain(forget).collect::<Vec<_>>());
    assert!(refused.stderr.contains("was heard of"), "{refused:?}");
    let (code, _) = sources(scratch, service, &["ws1", "forget", "ws2"]);
    assert_eq!(code, Some(2), "which of them?");
    let (code, none) = sources(scratch, service, &["nobody", "--output", "table"]);
    assert_eq!(code, Some(1), "{none}");
    let arguments = [
        service.arguments("sources"),
        vec!["zzz".to_owned(), "--output".to_owned(), "ndjson".to_owned()],
    ];
    let finished = run(scratch, &arguments.concat());
    assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
    let said = "no machine here is zzz: none that was heard of, and none that is expected\n";
    assert_eq!(finished.stderr, said);
    let detail = json(scratch, service, &["WS3"]);
    assert_eq!(detail["detail"]["refused_requests"], 1, "{detail}");
    let (_, csv) = sources(scratch, service, &["ws*", "--output", "csv"]);
    assert!(csv.starts_with("verdict,machine,reason,"), "{csv}");
    assert_eq!(csv.lines().count(), 5, "{csv}");
}

/// Machines that come again after a restart, and one that is switched off.
#[test]
fn what_was_known_outlives_a_kill() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let fleet = service.fleet("fleet", &["--machines", "3", "--rate", "5", "--for", "10m"]);
    wait_until("three machines that are well", || {
        let alive = json(&scratch, &service, &["--alive"]);
        alive
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["events"].as_u64() > Some(0))
            && alive.as_array().unwrap().len() == 3
    });
    fleet.stop();
    service.kill();
    service.start();
    let machines = json(&scratch, &service, &[]);
    assert_eq!(machines.as_array().unwrap().len(), 3);
    for one in machines.as_array().unwrap() {
        assert_eq!(
            one["verdict"], "alive",
            "it has had no time to be late: {one}"
        );
        assert!(one["last_event"].is_string() && one["events"] == 0, "{one}");
    }
    service.terminate().expect(0);
}

/// What a service that ran before has kept of machines, each with a place in `base`.
fn known_before(data: &std::path::Path, machines: &[(&str, &str, i64)]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = JournalOptions::new(data.join("journal"));
        let (journal, _) = Journal::open(options).unwrap();
        for (name, listener, hours) in machines {
            let last = Timestamp::now() - SignedDuration::from_hours(*hours);
            let contact = Contact {
                name: (*name).to_owned(),
                listener: Some((*listener).to_owned()),
                events: Some(last),
                ..Contact::default()
            };
            let stored = Stored {
                received_at: last,
                ..Stored::default()
            };
            let base = Subscription::id_of("base");
            for (key, value) in [
                (
                    format!("wef/contact/{}", name.to_lowercase()),
                    contact.encode(),
                ),
                (state_key(base, name), stored.encode()),
            ] {
                let state = Some(StateChange {
                    key,
                    value: Some(value),
                });
                let entry = journal::Entry {
                    body: Vec::new(),
                    events: 0,
                    state,
                };
                journal.append(entry).await.unwrap();
            }
        }
        journal.close().await;
    });
}

#[test]
fn each_machine_is_counted_once_after_a_restart_and_one_can_be_forgotten() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let data = scratch.join("kept");
    service.keep_data_at(data.clone());
    let (keytab, _) = keytab(&scratch, "WS9$@CORP.EXAMPLE");
    configure(&service, free_port(), &keytab, &scratch);
    service.start();
    service.terminate().expect(0);
    let machines = [
        ("WS1.Corp.Example", "wef.main", 2),
        ("ws2.corp.example", "wef.removed", 2),
        ("WS3$@CORP.EXAMPLE", "wef.domain", 2),
    ];
    known_before(&data, &machines);
    service.start();
    let status = service.status();
    let counted =
        ["wef.main", "wef.domain"].map(|name| status["sources"][name]["machines"].clone());
    assert_eq!(counted, [2, 1]);
    let known = json(&scratch, &service, &["--alive"]);
    let names = |service: &Service<'_>| {
        let known = json(&scratch, service, &[]);
        let known = known.as_array().unwrap().iter();
        known
            .filter(|one| one["last_event"].is_string())
            .map(|one| format!("{} {}", one["machine"], one["listener"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(known.as_array().unwrap().len(), 3);
    assert_eq!(
        names(&service),
        [
            "WS1.Corp.Example wef.main",
            "WS3$@CORP.EXAMPLE wef.domain",
            "ws2.corp.example wef.main"
        ]
    );

    let (code, said) = sources(&scratch, &service, &["forget", "ws3", "--output", "table"]);
    assert_eq!(code, Some(0), "{said}");
    let expected = "WS3$@CORP.EXAMPLE is forgotten, with its places in 1 subscriptions\n";
    assert_eq!(said, expected);
    let left = ["WS1.Corp.Example wef.main", "ws2.corp.example wef.main"];
    assert_eq!(names(&service), left, "at once");
    let (code, _) = sources(&scratch, &service, &["forget", "ws3"]);
    assert_eq!(code, Some(1), "it is gone");
    service.terminate().expect(0);
    service.start();
    assert_eq!(names(&service), left, "and after a restart");
    service.terminate().expect(0);
}
