//! Watched files of events: logs of Windows that are exported somewhere, and traces, which a configuration of Azure Diagnostics
//! sends to the tables that it names.

use std::fs;

use crate::import::corpus;
use crate::support::azurite::{Azurite, KEY, read_table};
use crate::support::evtx::{self, Logged};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

fn log(records: std::ops::Range<u64>) -> Vec<u8> {
    let times: Vec<String> = (records.clone())
        .map(|record| format!("2026-11-20T10:{:02}:{:02}Z", record / 60 % 60, record % 60))
        .collect();
    let logged = |(record, time): (u64, &'static str)| Logged {
        record,
        time,
        channel: "Security",
    };
    let times: Vec<&'static str> = times.into_iter().map(|time| &*time.leak()).collect();
    let events: Vec<Logged<'_>> = records.zip(times).map(logged).collect();
    evtx::file(&events)
}

fn watched(scratch: &Scratch, content: &str) -> String {
    format!(
        "[source.directory.logs]\npath = \"{}\"\ncontent = \"{content}\"\nsettled = \"1s\"\nmachine_from = \"folder\"\n",
        scratch.join("logs").display()
    )
}

fn counted(service: &Service<'_>) -> (u64, u64) {
    let rows = service.query(
        "select count(*) as n, count(distinct record_id) as d from events where origin = 'evtx'",
    );
    let number = |column: &str| rows[0][column].as_u64().unwrap();
    (number("n"), number("d"))
}

#[test]
fn events_of_logs_that_are_put_there_are_in_the_lake_once() {
    let scratch = Scratch::new();
    let folder = scratch.join("logs/dc01");
    fs::create_dir_all(&folder).unwrap();
    let mut service = Service::new(&scratch);
    service.configure(&watched(&scratch, "evtx"));
    fs::write(folder.join("first.evtx"), log(1..60)).unwrap();
    service.start();
    fs::write(folder.join("second.evtx"), log(60..120)).unwrap();
    // Nothing of it is one, and the others are taken.
    fs::write(folder.join("third.evtx"), "no log").unwrap();
    wait_until("some of them", || counted(&service).0 > 0);
    service.kill();
    service.start();
    // An export that has some of them again.
    fs::write(folder.join("fourth.evtx"), log(100..130)).unwrap();
    wait_until("all of them", || counted(&service).1 == 129);
    wait_until("the file that is none to be told", || {
        service.metric("windrow_directory_failures_total{source=\"logs\"}") > 0
    });
    service.terminate().expect(0);
    assert_eq!(counted(&service), (129, 129));
    // By hand, it is the same.
    let mut import = service.arguments("import");
    import.push(folder.join("second.evtx").display().to_string());
    run(&scratch, &import).expect(0);
    assert_eq!(counted(&service), (129, 129));
}

/// What a configuration asks for of a class of .NET whose trace says itself what its events are.
const PROVIDERS: &str = "<EtwProviders><EtwEventSourceProviderConfiguration provider=\"MSOpenTech-Tx-BinaryEventSource\" scheduledTransferPeriod=\"PT1M\">\
    <Event id=\"3\" eventDestination=\"Manifests\"/><DefaultEvents eventDestination=\"Payloads\"/>\
    </EtwEventSourceProviderConfiguration></EtwProviders>";

#[test]
fn traces_are_rows_of_the_tables_that_a_configuration_names() {
    let scratch = Scratch::new();
    let (Some(tables), Some(traces)) = (Azurite::start_tables(&scratch), corpus("etl")) else {
        return;
    };
    let mut service = Service::new(&scratch);
    service.start();
    let arrived = scratch.join("arrived");
    let folder = arrived.join("traces/web01");
    fs::create_dir_all(&folder).unwrap();
    for name in ["AMSITrace.etl", "BondEtwSample.etl"] {
        fs::copy(traces.join(name), folder.join(name)).unwrap();
    }
    let file = scratch.write(
        "etw.xml",
        &format!(
            "<PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><WadCfg>\
             <DiagnosticMonitorConfiguration>{PROVIDERS}</DiagnosticMonitorConfiguration></WadCfg></PublicConfig>"
        ),
    );
    let key = scratch.write("account.key", KEY);
    let mut set = service.arguments("diagnostics");
    let words = format!(
        "set {} --name etw --storage-account devstoreaccount1 --key-file {} --table-endpoint {} --files {} --yes",
        file.display(),
        key.display(),
        tables.endpoint(),
        arrived.display()
    );
    set.extend(words.split(' ').map(str::to_owned));
    run(&scratch, &set).expect(0);
    // Those of every provider are events like any other.
    let count = |service: &Service<'_>, of: &str| {
        let sql = format!(
            "select count(*) as n from events where origin = 'etl' and computer = 'web01' and {of}"
        );
        service.query(&sql)[0]["n"].as_u64().unwrap()
    };
    let scans = "event_data['Engine'] like 'PowerShell%'";
    wait_until("the events of both traces", || {
        count(&service, "provider = 'MSOpenTech-Tx-BinaryEventSource'") == 11
            && count(&service, scans) > 0
    });
    // What is overdue is transferred with the start.
    service.terminate().expect(0);
    service.start();
    wait_until("the rows", || {
        let sink = &service.status()["sinks"]["azure_table.wad-etw-etw"];
        sink["lag_events"].as_u64().is_some_and(|lag| lag < 5)
    });
    let (Some(payloads), Some(manifests)) = (
        read_table(&tables, "WADPayloads"),
        read_table(&tables, "WADManifests"),
    ) else {
        return;
    };
    assert_eq!((payloads.len(), manifests.len()), (10, 1));
    let row = &manifests[0];
    assert_eq!(
        (
            &row["TaskName"][1],
            &row["EventId"][1],
            &row["RoleInstance"][1]
        ),
        (&"WriteManifestPayload".into(), &3.into(), &"_web01".into())
    );
    let message = row["EventMessage"][1].as_str().unwrap();
    assert!(
        message.contains("inputProtocol=\"BondManifest\""),
        "{message}"
    );
}
