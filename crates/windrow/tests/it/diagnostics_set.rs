//! Configurations of Azure Diagnostics in force on a running service, `windrow diagnostics set`: several at once, each for its
//! machines, its rows in the tables once and as its own; taken away and brought back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::support::azurite::{Azurite, KEY, read_table};
use crate::support::ledger::{Arrived, arrive, repeated};
use crate::support::program::{Finished, run};
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

/// What [`Service`] asks for by itself.
const ITS_OWN: &str = "[subscription.base]\nchannels = [\"Security\", \"System\", \"Application\"]\n\
                       max_latency = \"1s\"\nretry_interval = \"1s\"\n";

/// The period of the configurations, the time until machines send, and some more.
const TRANSFERRED: Duration = Duration::from_secs(180);

/// A configuration that asks for these queries every minute.
fn file(scratch: &Scratch, name: &str, queries: &[&str]) -> String {
    let sources: String = queries
        .iter()
        .map(|query| format!("<DataSource name=\"{query}\"/>"))
        .collect();
    let text = format!(
        "<PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><WadCfg>\
         <DiagnosticMonitorConfiguration><WindowsEventLog scheduledTransferPeriod=\"PT1M\">{sources}</WindowsEventLog>\
         </DiagnosticMonitorConfiguration></WadCfg></PublicConfig>"
    );
    let path = scratch.write(&format!("{name}.xml"), &text);
    path.to_string_lossy().into_owned()
}

/// `windrow diagnostics VERB …` with the service's data folder.
fn diagnostics(service: &Service<'_>, words: &[&str]) -> Finished {
    let mut arguments = service.arguments("diagnostics");
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    run(service.scratch(), &arguments)
}

/// Puts one in force that writes to the emulator.
fn set(service: &Service<'_>, azurite: &Azurite, name: &str, queries: &[&str], more: &[&str]) {
    set_with(service, azurite, name, KEY, queries, more);
}

/// The same with a key that may be wrong.
fn set_with(
    service: &Service<'_>,
    azurite: &Azurite,
    name: &str,
    key: &str,
    queries: &[&str],
    more: &[&str],
) {
    let file = file(service.scratch(), name, queries);
    let secret = key;
    let key = service.scratch().write("account.key", key);
    let key = key.to_string_lossy().into_owned();
    let endpoint = azurite.endpoint();
    let account = ["--storage-account", "devstoreaccount1", "--key-file", &key];
    let words = ["set", &file, "--name", name, "--table-endpoint", &endpoint];
    let words = [&words[..], &account, more, &["--yes"]].concat();
    let said = diagnostics(service, &words).expect(0);
    assert!(said.stdout.contains("is in force now"), "{}", said.stdout);
    assert!(!said.stdout.contains(secret));
}

/// Names of the table sinks that run.
fn sinks(service: &Service<'_>) -> Vec<String> {
    let status = service.status();
    let sinks = status["sinks"].as_object().unwrap().keys();
    let of_tables = sinks.filter(|name| name.starts_with("azure_table."));
    of_tables.cloned().collect()
}

fn until_transferred(service: &Service<'_>) {
    let end = Instant::now() + TRANSFERRED;
    let is_behind = || {
        let status = service.status();
        let mut lags = sinks(service).into_iter();
        lags.any(|name| status["sinks"][&name]["lag_events"] != 0)
    };
    while is_behind() {
        assert!(Instant::now() < end, "{:#}", service.status()["sinks"]);
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Rows of one deployment.
struct Rows<'a>(Vec<&'a serde_json::Value>);

impl Rows<'_> {
    fn of<'a>(rows: &'a [serde_json::Value], deployment: &str) -> Rows<'a> {
        let is_of = |row: &&serde_json::Value| row["DeploymentId"][1] == deployment;
        Rows(rows.iter().filter(is_of).collect())
    }

    /// The different values of a column.
    fn values(&self, name: &str) -> BTreeSet<String> {
        let values = self.0.iter().map(|row| row[name][1].to_string());
        values
            .map(|value| value.trim_matches('"').to_owned())
            .collect()
    }

    /// How often each record is among them.
    fn arrived(&self) -> Arrived {
        let mut arrived = Arrived::new();
        for row in &self.0 {
            let xml = row["RawXml"][1].as_str().unwrap();
            let between = |begin: &str, end: &str| {
                let rest = &xml[xml.find(begin).unwrap() + begin.len()..];
                rest[..rest.find(end).unwrap()].to_owned()
            };
            let id = between("<EventRecordID>", "</EventRecordID>");
            let log = (
                between("<Computer>", "</Computer>"),
                row["Channel"][1].as_str().unwrap().to_owned(),
            );
            arrive(&mut arrived, log, id.parse().unwrap());
        }
        arrived
    }

    /// How many are of an event.
    fn count(&self, id: u32) -> usize {
        let mut counts = BTreeMap::new();
        for row in &self.0 {
            *counts
                .entry(row["EventId"][1].as_u64().unwrap())
                .or_insert(0) += 1;
        }
        counts.get(&u64::from(id)).copied().unwrap_or(0)
    }
}

#[test]
fn several_configurations_are_in_force_each_for_its_machines() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let mut service = Service::new(&scratch);
    service.reconfigure(ITS_OWN, "");
    service.configure("[machine_group.front]\nmembers = [\"srv0001\", \"srv0002\"]\n");
    service.start();
    let front = ["Security!*", "System!*", "Application!*"];
    set(&service, &azurite, "front", &front, &["--group", "front"]);
    // It asks the same machines for a part of the same.
    let logons = ["Security!*[System[(EventID=4624)]]"];
    set(&service, &azurite, "logons", &logons, &["--group", "front"]);
    let back = [
        "--machine",
        "srv0003",
        "--deployment-id",
        "cloud-1",
        "--role",
        "Back",
    ];
    set(&service, &azurite, "back", &front, &back);
    assert_eq!(
        sinks(&service),
        ["back", "front", "logons"].map(|name| format!("azure_table.wad-{name}-events"))
    );
    let extent = ["--machines", "3", "--rate", "20", "--events", "100"];
    let ledger = service.fleet("fleet", &extent).finish();
    until_transferred(&service);
    all_of_it_is_well(&service, "front", 2);

    let Some(rows) = read_table(&azurite, "WADWindowsEventLogsTable") else {
        return;
    };
    let [front, logons, back] = ["front", "logons", "cloud-1"].map(|id| Rows::of(&rows, id));
    assert_eq!(front.0.len() + logons.0.len() + back.0.len(), rows.len());
    for (of, machines) in [
        (
            &front,
            vec!["_srv0001.corp.example", "_srv0002.corp.example"],
        ),
        (&back, vec!["_srv0003.corp.example"]),
    ] {
        let arrived = of.arrived();
        assert_eq!(repeated(&arrived), [""; 0]);
        let instances: Vec<String> = of.values("RoleInstance").into_iter().collect();
        assert_eq!(instances, machines);
        let missing = ledger.missing(&arrived);
        let is_of = |record: &&String| machines.iter().any(|name| record.starts_with(&name[1..]));
        assert_eq!(missing.iter().find(is_of), None);
    }
    assert_eq!(repeated(&logons.arrived()), [""; 0]);
    assert_eq!(
        logons.values("EventId"),
        BTreeSet::from(["4624".to_owned()])
    );
    assert!(logons.0.len() > 10, "only {} logons", logons.0.len());
    assert_eq!(logons.0.len(), front.count(4624));
    let roles = [front.values("Role"), back.values("Role")];
    assert_eq!(
        roles,
        ["IaaS", "Back"].map(|role| BTreeSet::from([role.to_owned()]))
    );

    taken_away_and_brought_back(&service);
    service.terminate().expect(0);
}

/// `windrow diagnostics test` of one, as JSON.
fn test(service: &Service<'_>, name: &str, code: i32) -> serde_json::Value {
    let said = diagnostics(service, &["test", "--name", name, "--output", "json"]).expect(code);
    serde_json::from_str(&said.stdout).unwrap()
}

fn all_of_it_is_well(service: &Service<'_>, name: &str, machines: u64) {
    let tested = test(service, name, 0);
    let table = serde_json::json!([{
        "table": "WADWindowsEventLogsTable",
        "done": ["make", "write", "read", "remove"],
        "failed": [],
    }]);
    assert_eq!(tested["tables"], table);
    assert_eq!(tested["machines"]["machines"], machines);
    assert!(
        tested["events"]["selected"].as_u64() > Some(100),
        "{tested}"
    );
    let queries = tested["events"]["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 3);
    assert!(queries.iter().all(|query| query["example"].is_object()));
    let text = diagnostics(service, &["test", "--name", name, "--output", "table"]).expect(0);
    assert!(
        text.stdout
            .contains("takes rows: one was written, read back and taken away"),
        "{}",
        text.stdout
    );
    assert!(!text.stdout.contains("silent"), "{}", text.stdout);
}

#[test]
fn a_table_that_takes_no_row_is_told_with_the_cure() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let mut service = Service::new(&scratch);
    service.start();
    let wrong = "d3Jvbmc=";
    let queries = ["Security!*"];
    set_with(&service, &azurite, "shop", wrong, &queries, &[]);
    let tested = test(&service, "shop", 1);
    assert_eq!(tested["passed"], false);
    let failed = &tested["tables"][0]["failed"][0];
    assert_eq!(failed["step"], "make");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("does not let us in"), "{error}");
    assert!(!tested.to_string().contains(wrong), "{tested}");
    set(&service, &azurite, "shop", &queries, &[]);
    let tested = test(&service, "shop", 0);
    assert_eq!(tested["passed"], true);
    assert_eq!(tested["machines"]["machines"], 0);
    let unknown = diagnostics(&service, &["test", "--name", "other"]).expect(1);
    assert!(
        unknown.stderr.contains("in force are shop"),
        "{}",
        unknown.stderr
    );
    let on_record =
        service.query("select outcome from audit where event_id = 33 order by record_id");
    let outcomes: Vec<&str> = on_record
        .iter()
        .map(|row| row["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["failed", "passed", "refused"]);
    service.terminate().expect(0);
}

fn taken_away_and_brought_back(service: &Service<'_>) {
    let unasked = diagnostics(service, &["remove", "--name", "back"]).expect(2);
    assert!(
        unasked.stderr.contains("--yes does it"),
        "{}",
        unasked.stderr
    );
    diagnostics(service, &["remove", "--name", "back", "--yes"]).expect(0);
    wait_until("the sink to end", || sinks(service).len() == 2);
    let gone = diagnostics(service, &["get", "--name", "back"]).expect(1);
    assert!(
        gone.stderr.contains("in force are front, logons"),
        "{}",
        gone.stderr
    );
    let key = service.scratch().join("account.key");
    let key = key.to_string_lossy().into_owned();
    let back = ["rollback", "--name", "back", "--key-file", &key, "--yes"];
    diagnostics(service, &back).expect(0);
    assert_eq!(sinks(service).len(), 3);
    let all = diagnostics(service, &["get", "--output", "json"]).expect(0);
    let all: serde_json::Value = serde_json::from_str(&all.stdout).unwrap();
    let revisions = all["configurations"].as_array().unwrap().iter();
    let revisions: Vec<&serde_json::Value> = revisions.map(|one| &one["revision"]).collect();
    assert_eq!(revisions, [2, 1, 1]);
}
