//! The configurations of Azure's white paper on security and audit logs, from end to end: checked, put in force, merged into one
//! another, for a virtual machine and for a cloud service; events and requests of machines as rows and blobs that Microsoft's own
//! client reads, in SQL, and as CEF at a receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::azurite::{Azurite, KEY, read_container, read_table};
use crate::support::ledger::repeated;
use crate::support::program::{Finished, run};
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, installed, wait_until};

/// What [`Service`] asks for by itself.
const ITS_OWN: &str = "[subscription.base]\nchannels = [\"Security\", \"System\", \"Application\"]\n\
                       max_latency = \"1s\"\nretry_interval = \"1s\"\n";

const LOGONS: &str = "Security!*[System[(EventID=4624 or EventID=4625)]]";
const APPLICATION_ERRORS: &str = "Application!*[System[(Level =2)]]";
const GROUPS_AND_PROCESSES: &str =
    "Security!*[System[(EventID=4732 or EventID=4733 or EventID=4688)]]";
const FIREWALL: &str = "Security!*[System[(EventID &gt;= 4944 and EventID &lt;= 4958)]]";
const IIS: &str = "<Directories scheduledTransferPeriod=\"PT5M\"><IISLogs containerName=\"iislogs\" /></Directories>";

/// Which events, by weight: what the configurations ask for, and what they do not.
const MIX: &str = "4624=6,4625=3,4688=4,4732=2,4946=2,100=3,1000=1,4634=4,7036=4";

/// Requests of the cloud service's site, three of which fail.
const LOG: &str = "#Software: Microsoft Internet Information Services 10.0\r\n\
    #Fields: date time cs-method cs-uri-stem sc-status time-taken\r\n\
    2026-11-20 10:00:00 GET / 200 12\r\n\
    2026-11-20 10:00:01 GET /orders 500 1200\r\n\
    2026-11-20 10:04:01 POST /orders 500 90\r\n\
    2026-11-20 10:06:30 GET /missing 404 3\r\n\
    2026-11-20 10:06:31 GET /orders 500 7\r\n";

/// A configuration as the paper writes it.
fn configuration(
    scratch: &Scratch,
    name: &str,
    quota: u32,
    more: &str,
    queries: &[&str],
) -> String {
    let sources: String = (queries.iter())
        .map(|query| format!("<DataSource name=\"{query}\" />"))
        .collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><WadCfg>\
         <DiagnosticMonitorConfiguration overallQuotaInMB=\"{quota}\">{more}<WindowsEventLog scheduledTransferPeriod=\"PT1M\">\
         {sources}</WindowsEventLog></DiagnosticMonitorConfiguration></WadCfg></PublicConfig>\n"
    );
    let path = scratch.write(name, &text);
    path.to_string_lossy().into_owned()
}

/// The five, in the paper's order: two of the virtual machine, three of the cloud service.
fn configurations(scratch: &Scratch) -> [String; 5] {
    let file = |name: &str, quota, more: &str, queries: &[&str]| {
        configuration(scratch, name, quota, more, queries)
    };
    let machine = [LOGONS, APPLICATION_ERRORS];
    let service = [GROUPS_AND_PROCESSES, FIREWALL];
    [
        file("1.xml", 10_000, "", &machine[..1]),
        file("2.xml", 10_000, "", &machine),
        file("3.xml", 25_000, "", &service[..1]),
        file("4.xml", 25_000, "", &service),
        file("5.xml", 25_000, IIS, &service),
    ]
}

/// `windrow diagnostics WORDS` with the service's data folder.
fn diagnostics(service: &Service<'_>, words: &[&str]) -> Finished {
    let mut arguments = service.arguments("diagnostics");
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    run(service.scratch(), &arguments)
}

/// The same, without a service.
fn offline(scratch: &Scratch, words: &[&str]) -> Finished {
    let words = ["diagnostics"].iter().chain(words);
    let arguments: Vec<String> = words.map(|word| (*word).to_owned()).collect();
    run(scratch, &arguments)
}

/// Puts one in force as the paper does it: set the first, merge each further one into what is in force, set that.
fn step_by_step(service: &Service<'_>, name: &str, files: &[String], how: &[&str]) {
    let scratch = service.scratch();
    for (step, file) in files.iter().enumerate() {
        let said = offline(scratch, &["validate", file]).expect(0);
        assert!(!said.stdout.contains("error"), "{}", said.stdout);
        let words = ["set", file, "--name", name, "--yes"];
        if step == 0 {
            let said = diagnostics(service, &[&words[..], how].concat()).expect(0);
            assert!(said.stdout.contains("is in force now"), "{}", said.stdout);
            continue;
        }
        let current = diagnostics(service, &["get", "--name", name, "--print", "xml"]).expect(0);
        let current = scratch.write("current.xml", &current.stdout);
        let merged = scratch.join("merged.xml");
        let (current, merged) = (current.to_string_lossy(), merged.to_string_lossy());
        let into = ["merge", file, "--into", &current, "--write", &merged];
        offline(scratch, &into).expect(0);
        let again = ["merge", file, "--into", &merged, "--write", &merged];
        offline(scratch, &again).expect(0);
        let set = ["set", &merged, "--name", name, "--yes"];
        diagnostics(service, &set).expect(0);
    }
}

fn number(row: &serde_json::Value, name: &str) -> u64 {
    row[name][1].as_u64().unwrap()
}

/// How many rows of each event a machine has, as Microsoft's client reads them.
fn rows_of(rows: &[serde_json::Value], deployment: &str, machine: &str) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row["DeploymentId"][1] == deployment)
    {
        assert_eq!(row["RoleInstance"][1], format!("_{machine}"));
        *counts.entry(number(row, "EventId")).or_default() += 1;
    }
    counts
}

/// The same in SQL.
fn in_lake(service: &Service<'_>, machine: &str, wanted: &str) -> BTreeMap<u64, u64> {
    let sql = format!(
        "select event_id as id, count(*) as n from events where computer = '{machine}' and ({wanted}) group by 1"
    );
    let rows = service.query(&sql);
    let pair = |row: &serde_json::Value| (row["id"].as_u64().unwrap(), row["n"].as_u64().unwrap());
    rows.iter().map(pair).collect()
}

fn until_transferred(service: &Service<'_>) {
    wait_until("all to be transferred", || {
        let status = service.status();
        let sinks = status["sinks"].as_object().unwrap().iter();
        let mut of_azure = sinks.filter(|(name, _)| name.starts_with("azure_"));
        // What the service says of itself goes on.
        of_azure.all(|(_, sink)| sink["lag_events"].as_u64().is_some_and(|lag| lag < 5))
    });
}

/// Puts the virtual machine's and the cloud service's in force, each for a machine, and has a log of the service's site arrive.
fn both_in_force(service: &Service<'_>, tables: &Azurite, blobs: &Azurite) {
    let scratch = service.scratch();
    let files = configurations(scratch);
    let (arrived, key) = (scratch.join("arrived"), scratch.write("account.key", KEY));
    let [arrived, key] = [arrived, key].map(|path| path.to_string_lossy().into_owned());
    let site = format!("{arrived}/iis-logs/srv0002.corp.example/W3SVC1");
    fs::create_dir_all(&site).unwrap();
    fs::write(format!("{site}/u_ex261120.log"), LOG).unwrap();
    let (table_endpoint, blob_endpoint) = (tables.endpoint(), blobs.endpoint());
    let storage = [
        "--storage-account",
        "devstoreaccount1",
        "--key-file",
        &key,
        "--table-endpoint",
        &table_endpoint,
        "--blob-endpoint",
        &blob_endpoint,
        "--files",
        &arrived,
    ];
    let machine = [&storage[..], &["--machine", "srv0001"]].concat();
    step_by_step(service, "vm", &files[..2], &machine);
    let role = ["--machine", "srv0002", "--role", "WebRole1"];
    step_by_step(
        service,
        "cloud",
        &files[2..],
        &[&storage[..], &role].concat(),
    );
}

/// Each machine's rows are what its configuration asks for, as SQL counts it.
fn rows_are_those_that_were_asked_for(service: &Service<'_>, rows: &[serde_json::Value]) {
    for (deployment, computer, wanted, ids) in [
        (
            "vm",
            "srv0001.corp.example",
            "event_id in (4624, 4625) or (channel = 'Application' and level = 2)",
            &[4624, 4625, 100][..],
        ),
        (
            "cloud",
            "srv0002.corp.example",
            "event_id in (4732, 4733, 4688) or event_id between 4944 and 4958",
            &[4732, 4688, 4946],
        ),
    ] {
        let of_machine = rows_of(rows, deployment, computer);
        assert_eq!(
            of_machine,
            in_lake(service, computer, wanted),
            "{deployment}"
        );
        let brought: BTreeSet<u64> = of_machine.keys().copied().collect();
        for id in ids {
            assert!(brought.contains(id), "{id} of {deployment}: {brought:?}");
        }
    }
}

#[test]
fn its_configurations_bring_what_they_ask_for_to_everybody() {
    let scratch = Scratch::new();
    let (Some(blobs), Some(tables)) = (Azurite::start(&scratch), Azurite::start_tables(&scratch))
    else {
        return;
    };
    if !installed("rsyslogd") {
        return;
    }
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.reconfigure(ITS_OWN, "");
    let framing = "octet-counting";
    service.destination("siem", siem.port, &Transport::Tcp { framing });
    service.start();
    both_in_force(&service, &tables, &blobs);
    let said = diagnostics(&service, &["get"]).expect(0).stdout;
    assert!(said.contains("vm") && said.contains("cloud"), "{said}");

    let extent = ["--machines", "2", "--rate", "100", "--events", "300"];
    let fleet = service.fleet("fleet", &[&extent[..], &["--mix", MIX]].concat());
    let ledger = fleet.finish();
    wait_until("every record at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    wait_until("the requests", || {
        service.query("select count(*) as n from iis")[0]["n"] == 5
    });
    // What is overdue is transferred with the start: nobody waits for the period.
    service.terminate().expect(0);
    service.start();
    until_transferred(&service);
    assert_eq!(repeated(&siem.events()), [""; 0]);
    the_analysis(&service);

    let (Some(rows), Some(found)) = (
        read_table(&tables, "WADWindowsEventLogsTable"),
        read_container(&blobs, "iislogs"),
    ) else {
        return;
    };
    rows_are_those_that_were_asked_for(&service, &rows);
    let name = "cloud/WebRole1/_srv0002.corp.example/Web/W3SVC1/u_ex261120.log";
    let names: Vec<&String> = found.keys().collect();
    assert_eq!(names, [name]);
    assert_eq!(found[name].1, LOG.as_bytes());
}

/// What the paper draws: errors of the site over time, and events by their ids.
fn the_analysis(service: &Service<'_>) {
    let sql = "select count(*) as n from iis where sc_status = 500 and s_computername = 'srv0002.corp.example'";
    assert_eq!(service.query(sql)[0]["n"], 3);
    let report = |words: &[&str]| {
        let mut arguments = service.arguments("report");
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        run(service.scratch(), &arguments).expect(0).stdout
    };
    let json = ["iis-status", "--output", "json"];
    let said = report(&json);
    assert!(said.contains("500"), "{said}");
    let said = report(&["distribution", "--by", "id", "--output", "json"]);
    for id in ["4624", "4732", "4946", "100"] {
        assert!(said.contains(id), "{id}: {said}");
    }
}
