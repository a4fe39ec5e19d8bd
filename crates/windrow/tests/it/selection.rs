//! Which events a destination gets: one setting of each kind through the program, held against what SQL says of the same
//! events.

use std::path::Path;

use crate::support::ledger::{Arrived, arrive};
use crate::support::program::run;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, free_port, installed, wait_until};

const LF: Transport<'static> = Transport::Tcp { framing: "lf" };

/// A destination: its name, how its choice is said by command, and the same in SQL.
struct Case {
    name: &'static str,
    options: &'static [&'static str],
    sql: &'static str,
    own_records: bool,
}

const CASES: [Case; 6] = [
    Case {
        name: "all",
        options: &["--exclude-channels", "windrow/*"],
        sql: "true",
        own_records: false,
    },
    Case {
        name: "severity",
        options: &["--output-severity", "default"],
        sql: "level not in (0, 4, 5) or outcome = 'failure' or event_id in (1102, 4732, 4946)",
        own_records: true,
    },
    Case {
        name: "channels",
        options: &["--channels", "system,App*"],
        sql: "channel in ('System', 'Application')",
        own_records: true,
    },
    Case {
        name: "ids",
        options: &[
            "--event-ids",
            "4600-4700,7036",
            "--exclude-event-ids",
            "4624",
        ],
        sql: "event_id between 4600 and 4700 and event_id <> 4624 or event_id = 7036",
        own_records: true,
    },
    Case {
        name: "providers",
        options: &["--exclude-providers", "*-Security-Auditing,Windrow"],
        sql: "provider <> 'Microsoft-Windows-Security-Auditing'",
        own_records: false,
    },
    Case {
        name: "query",
        options: &["--query-file", "QUERY"],
        sql: "channel = 'Security' and event_id in (4624, 4625) and logon_type <> 3",
        own_records: true,
    },
];

const QUERY: &str = "<QueryList>\n <Query Id='0' Path='Security'>\n  \
    <Select>*[System[EventID=4624]]</Select>\n  <Select>*[System[EventID=4625]]</Select>\n  \
    <Suppress>*[EventData[Data[@Name='LogonType']=3]]</Suppress>\n </Query>\n</QueryList>\n";

/// A receiver that is made a destination with the options of a case.
fn receiver(scratch: &Scratch, service: &Service<'_>, case: &Case, query: &Path) -> Rsyslog {
    let receiver = Rsyslog::start(scratch, case.name, &Listener::Tcp);
    let port = receiver.port.to_string();
    let mut words = service.arguments("syslog");
    let set = [
        "server",
        "set",
        "--name",
        case.name,
        "--server-name",
        "localhost",
    ];
    words.extend(set.map(str::to_owned));
    words.extend(["--server-port", &port, "--no-encryption"].map(str::to_owned));
    let query = query.to_string_lossy();
    let options = case.options.iter();
    words.extend(options.map(|option| option.replace("QUERY", &query)));
    run(scratch, &words).expect(0);
    receiver
}

#[test]
fn each_destination_gets_what_it_asks_for_and_nothing_else() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let query = scratch.write("query.xml", QUERY);
    let mut service = Service::new(&scratch);
    let by_file = Rsyslog::start(&scratch, "computers", &Listener::Tcp);
    service.destination("computers", by_file.port, &LF);
    service.configure("[sink.syslog.computers.filter]\nexclude_computers = [\"*1.*\", \"*1\"]\nquery_file = \"all.xpath\"\n");
    scratch.write("all.xpath", "*\n");
    service.start();
    let receivers = CASES.map(|case| receiver(&scratch, &service, &case, &query));
    let load = ["--machines", "12", "--rate", "50", "--for", "10m"];
    let fleet = service.fleet("fleet", &load);
    wait_until("some of each kind", || fleet.ledger().count() > 6_000);
    let count = fleet.stop().count();
    wait_until("every destination to have been through all", || {
        let status = service.status();
        let sinks = status["sinks"].as_object().unwrap();
        sinks.len() == CASES.len() + 1
            && sinks.values().all(|sink| {
                let gone = |key: &str| sink[key].as_u64().unwrap();
                gone("sent") + gone("filtered") >= count && gone("lag_events") == 0
            })
    });
    let metrics = service.get("/metrics").unwrap();
    for case in &CASES {
        let filtered = format!(
            "windrow_syslog_filtered_events_total{{sink=\"{}\"}} ",
            case.name
        );
        let number = metrics.split(&filtered).nth(1).unwrap_or_default();
        assert!(
            number.starts_with(|c: char| ('1'..='9').contains(&c)),
            "{}",
            case.name
        );
    }
    service.terminate().expect(0);
    for (case, receiver) in CASES.iter().zip(&receivers) {
        let expected = said_by_sql(&service, case.sql);
        assert!(!expected.is_empty(), "{} would prove nothing", case.name);
        assert_gets(case.name, receiver, &expected);
        let own = receiver.messages().contains("|Windrow:");
        assert_eq!(own, case.own_records, "{}", case.name);
    }
    let others = "computer not like '%1.%' and computer not like '%1'";
    assert_gets("computers", &by_file, &said_by_sql(&service, others));
}

fn assert_gets(name: &str, receiver: &Rsyslog, expected: &Arrived) {
    wait_until("every event at the receiver", || {
        let arrived = receiver.events();
        expected.iter().all(|(log, ids)| {
            let arrived = arrived.get(log);
            arrived.is_some_and(|arrived| ids.keys().all(|id| arrived.contains_key(id)))
        })
    });
    assert!(receiver.events() == *expected, "{name} got more, or twice");
}

/// Events of the machines of which a condition of SQL holds.
fn said_by_sql(service: &Service<'_>, condition: &str) -> Arrived {
    let sql = format!(
        "select computer, channel, record_id from events where origin = 'wef' and ({condition})"
    );
    let mut arrived = Arrived::new();
    for row in service.query(&sql) {
        let word = |key: &str| row[key].as_str().unwrap().to_owned();
        let log = (word("computer"), word("channel"));
        arrive(&mut arrived, log, row["record_id"].as_u64().unwrap());
    }
    arrived
}

#[test]
fn a_wrong_choice_is_refused_at_its_place() {
    let scratch = Scratch::new();
    let service = Service::new(&scratch);
    let server = |words: &[&str]| {
        let mut arguments = service.arguments("syslog");
        arguments.push("server".to_owned());
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        run(&scratch, &arguments)
    };
    let port = free_port().to_string();
    let set = [
        "set",
        "--server-name",
        "localhost",
        "--server-port",
        &port,
        "--no-encryption",
    ];
    let with = |words: &[&str]| server(&[&set[..], words].concat());
    for (words, expected) in [
        (["--query", "*[System[EventID=]]"], "--query:1:18"),
        (["--query", "Security!*[Systm]x"], "--query:1:18"),
        (["--query-file", "none.xml"], "none.xml"),
        (["--event-ids", "46x24"], "`46x24` is no event id"),
        (["--event-ids", "5-4"], "ends before it begins"),
        (["--output-severity", "loud"], "expected default or verbose"),
        (["--channels", ""], "a name is missing"),
        (["--exclude-computers", "*"], "leaves out every event"),
        (["--product", "Windrow"], "Microsoft Azure Stack Hub"),
    ] {
        let said = with(&words).expect(2).stderr;
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_choice_is_shown_where_it_was_made_and_by_check() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let server = |words: &[&str]| {
        let mut arguments = service.arguments("syslog");
        arguments.push("server".to_owned());
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        run(&scratch, &arguments)
    };
    let port = free_port().to_string();
    let words = [
        "set",
        "--server-name",
        "localhost",
        "--server-port",
        &port,
        "--no-encryption",
        "--output-severity",
        "default",
        "--exclude-providers",
        "Windrow",
        "--query",
        "Security!*[System[EventId=4624]]",
        "--product",
        "Microsoft Azure Local",
        "--confirmation",
        "read-confirmed",
    ];
    let said = server(&words).expect(0).stdout;
    for expected in [
        "warnings, errors and critical events",
        "not providers Windrow",
        "query: Security!*[System[EventId=4624]]",
        "column 19: this never holds: events have no EventId here, but EventID: case matters",
        "own records",
        "Microsoft Azure Local",
        "peer-read",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = server(&["get", "--output", "json"]).expect(0).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let shown = &said["servers"][0];
    assert_eq!(shown["output_severity"], "default");
    assert_eq!(shown["filter"]["exclude_providers"][0], "Windrow");
    assert_eq!(shown["gets"].as_array().unwrap().len(), 3);
    assert_eq!(shown["confirmation"], "peer-read");

    let mut check = service.arguments("check");
    check.extend([
        "--offline".to_owned(),
        "--output".to_owned(),
        "json".to_owned(),
    ]);
    let said = run(&scratch, &check).stdout;
    assert!(said.contains("sink syslog.default filter"), "{said}");
    assert!(said.contains("this never holds"), "{said}");
    // It runs all the same.
    service.start();
    service.terminate().expect(0);
}
