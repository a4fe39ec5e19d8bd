//! Tables of Azure Diagnostics, in what Microsoft gives out to be tested against, read by Microsoft's own client.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::support::azurite::{Azurite, KEY, read_table};
use crate::support::ledger::{Arrived, Ledger, arrive, repeated};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

const EVENTS: &str = "WADWindowsEventLogsTable";
const OWN: &str = "WADDiagnosticInfrastructureLogsTable";

/// Writes rows to tables there, as they come, opened by this key.
fn write_tables(service: &Service<'_>, azurite: &Azurite, key: &str) {
    let file = service.scratch().write("wad.key", key);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    service.configure(&format!(
        "[sink.azure_table.wad]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\nkey_file = \"{}\"\n\
         transfer_period = \"0s\"\n",
        azurite.endpoint(),
        file.display()
    ));
}

fn sink(service: &Service<'_>) -> serde_json::Value {
    service.status()["sinks"]["azure_table.wad"].clone()
}

/// Waits until everything so far is in the tables.
fn until_written(service: &Service<'_>) {
    wait_until("all rows in the tables", || {
        sink(service)["lag_events"] == 0
    });
}

fn until_told(service: &Service<'_>, word: &str) {
    wait_until("a word about the storage", || {
        let sink = sink(service);
        let told = sink["last_error"].as_str();
        told.is_some_and(|error| error.contains(word))
    });
}

fn value<'a>(row: &'a serde_json::Value, name: &str) -> &'a str {
    row[name][1]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {row}"))
}

/// How often each record is among the rows, by what their RawXml says.
fn arrived(rows: &[serde_json::Value]) -> Arrived {
    let mut arrived = Arrived::new();
    for row in rows {
        let xml = value(row, "RawXml");
        let between = |begin: &str, end: &str| {
            let rest = &xml[xml.find(begin).unwrap() + begin.len()..];
            rest[..rest.find(end).unwrap()].to_owned()
        };
        let computer = between("<Computer>", "</Computer>");
        let log = (computer, value(row, "Channel").to_owned());
        let id = between("<EventRecordID>", "</EventRecordID>");
        arrive(&mut arrived, log, id.parse().unwrap());
    }
    arrived
}

fn assert_whole(ledger: &Ledger, rows: &[serde_json::Value]) {
    let arrived = arrived(rows);
    assert_eq!(ledger.missing(&arrived), [""; 0]);
    assert_eq!(repeated(&arrived), [""; 0]);
    assert_eq!(rows.len() as u64, ledger.count());
}

/// What the client takes the values of a column for.
fn types(rows: &[serde_json::Value], name: &str) -> BTreeSet<String> {
    let kinds = rows.iter().map(|row| row[name][0].as_str());
    kinds
        .map(|kind| kind.unwrap_or("none").to_owned())
        .collect()
}

#[test]
fn microsofts_client_reads_every_event_once_though_service_and_storage_fail() {
    let scratch = Scratch::new();
    let Some(mut azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let mut service = Service::new(&scratch);
    write_tables(&service, &azurite, KEY);
    service.start();
    let extent = ["--machines", "4", "--rate", "200", "--events", "300"];
    let fleet = service.fleet("fleet", &extent);
    wait_until("some rows in the tables", || {
        sink(&service)["sent"].as_u64() > Some(100)
    });
    service.kill();
    service.start();
    wait_until("further rows", || {
        sink(&service)["sent"].as_u64() > Some(100)
    });
    // Nobody writes while the emulator saves and ends.
    service.kill();
    azurite.stop();
    service.start();
    until_told(&service, "cannot be reached");
    assert!(service.is_well(), "events are accepted all the same");
    azurite.start_again();
    let ledger = fleet.finish();
    until_written(&service);

    let Some(rows) = read_table(&azurite, EVENTS) else {
        return;
    };
    assert_whole(&ledger, &rows);
    let texts = "PartitionKey RowKey DeploymentId Role RoleInstance ProviderGuid ProviderName Channel Description RawXml RowIndex";
    for (kind, names) in [
        ("str", texts),
        ("int", "EventId Level Pid Tid Opcode Task"),
        ("TablesEntityDatetime", "PreciseTimeStamp TIMESTAMP"),
        ("Edm.Int64", "EventTickCount"),
    ] {
        for name in names.split(' ') {
            assert_eq!(
                types(&rows, name),
                BTreeSet::from([kind.to_owned()]),
                "{name}"
            );
        }
    }
    let minute: i64 = value(&rows[0], "PartitionKey").parse().unwrap();
    assert_eq!(minute % 600_000_000, 0);
    assert!(value(&rows[0], "RoleInstance").starts_with('_'));

    let own = read_table(&azurite, OWN).unwrap();
    let told: Vec<&str> = own.iter().map(|row| value(row, "Message")).collect();
    assert!(told.contains(&"windrow has started"), "{told:?}");
    service.terminate().expect(0);
}

#[test]
fn a_wrong_key_is_told_and_the_right_one_taken_up() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let mut service = Service::new(&scratch);
    let wrong = "d3Jvbmc=";
    write_tables(&service, &azurite, wrong);
    service.start();
    let fleet = service.fleet("fleet", &["--machines", "1", "--events", "50"]);
    let ledger = fleet.finish();
    until_told(&service, "does not let us in");
    let told = sink(&service)["last_error"].to_string();
    assert!(!told.contains(wrong), "{told}");
    let found = checked(&service);
    assert_eq!(found["outcome"], "failed");
    assert!(found.to_string().contains("does not let us in"), "{found}");
    scratch.write("wad.key", KEY);
    service.program().signal(Signal::HUP);
    until_written(&service);
    assert_eq!(checked(&service)["outcome"], "ok");
    let Some(rows) = read_table(&azurite, EVENTS) else {
        return;
    };
    assert_whole(&ledger, &rows);
    service.terminate().expect(0);
}

/// What `windrow check` finds of the sink.
fn checked(service: &Service<'_>) -> serde_json::Value {
    let mut arguments = service.arguments("check");
    arguments.extend(["--output", "json"].map(str::to_owned));
    let said = run(service.scratch(), &arguments).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mut findings = said["checks"].as_array().unwrap().iter();
    let found = findings.find(|found| found["what"] == "sink azure_table.wad");
    found.unwrap_or_else(|| panic!("{said:#}")).clone()
}
