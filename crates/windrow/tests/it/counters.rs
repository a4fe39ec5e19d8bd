//! Logs of performance counters and traces of failed requests: from the folders of machines into the lake, and the former into
//! the table of Azure Diagnostics, read by Microsoft's own client.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use rand::RngExt as _;

use crate::support::azurite::{Azurite, KEY, read_table};
use crate::support::service::Service;
use crate::support::{Scratch, chance, wait_until};

const TABLE: &str = "WADPerformanceCountersTable";

const MACHINES: [&str; 2] = ["web01", "web02"];

/// Appends samples of two counters to the log of each machine, from this number on; the second has no value each fifth time. How many
/// values there are.
fn write(scratch: &Scratch, from: u32, samples: u32) -> u64 {
    let mut values = 0;
    for machine in MACHINES {
        let folder = scratch.join("perf").join(machine);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log.csv");
        let is_new = !path.exists();
        let log = OpenOptions::new().create(true).append(true).open(path);
        let mut log = log.unwrap();
        if is_new {
            let first = format!(
                "\"(PDH-CSV 4.0) (Greenwich Standard Time)(0)\",\"\\\\{machine}\\Processor(_Total)\\% Processor Time\",\
                 \"\\\\{machine}\\Memory\\Available MBytes\"\r\n"
            );
            log.write_all(first.as_bytes()).unwrap();
        }
        for number in from..from + samples {
            let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
            let memory = match number % 5 {
                0 => String::from(" "),
                _ => format!("{number}.5"),
            };
            values += 1 + u64::from(number % 5 != 0);
            let line = format!(
                "\"11/20/2026 {hour:02}:{minute:02}:{second:02}.000\",\"{number}\",\"{memory}\"\r\n"
            );
            // A reader may come between.
            let (begin, end) = line.split_at(30);
            log.write_all(begin.as_bytes()).unwrap();
            log.write_all(end.as_bytes()).unwrap();
        }
    }
    values
}

fn configure(service: &Service<'_>, azurite: &Azurite) {
    let scratch = service.scratch();
    let key = scratch.write("wad.key", KEY);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    service.configure(&format!(
        "[source.directory.perf]\npath = \"{}\"\ncontent = \"counters\"\nmachine_from = \"folder\"\n\
         [sink.azure_table.wad]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\nkey_file = \"{}\"\n\
         transfer_period = \"0s\"\ndirectories = [\"perf\"]\n",
        scratch.join("perf").display(),
        azurite.endpoint(),
        key.display()
    ));
}

fn in_lake(service: &Service<'_>) -> (u64, u64) {
    let sql = "select count(*) as n, count(distinct concat_ws('|', computer, counter, time, value)) as d from counters";
    let rows = service.query(sql);
    let number = |column: &str| rows[0][column].as_u64().unwrap();
    (number("n"), number("d"))
}

#[test]
fn each_value_of_growing_logs_is_in_the_lake_and_in_the_table_once() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    fs::create_dir_all(scratch.join("perf")).unwrap();
    let mut random = chance();
    let mut service = Service::new(&scratch);
    configure(&service, &azurite);
    let (mut number, mut values) = (0, 0);
    for death in 0..4 {
        service.start();
        for _ in 0..random.random_range(2..10) {
            let samples = random.random_range(1..60);
            values += write(&scratch, number, samples);
            number += samples;
        }
        if death % 2 == 0 {
            let some = values / 2;
            wait_until("some values", || in_lake(&service).0 > some);
        }
        // Wherever it is: in mid-look, in mid-commit, in mid-batch.
        service.kill();
    }
    service.start();
    wait_until("every value in the lake", || in_lake(&service).0 >= values);
    assert_eq!(in_lake(&service), (values, values));
    wait_until("every value in the table", || {
        service.status()["sinks"]["azure_table.wad"]["lag_events"] == 0
    });
    service.terminate().expect(0);
    assert_eq!(in_lake(&service), (values, values), "committed");
    let Some(rows) = read_table(&azurite, TABLE) else {
        return;
    };
    let text = |row: &serde_json::Value, name: &str| row[name][1].to_string();
    let told = |row| {
        let of = ["RoleInstance", "CounterName", "PreciseTimeStamp"];
        let mut told = of.map(|name| text(row, name)).to_vec();
        told.push(text(row, "CounterValue"));
        told
    };
    let different: BTreeSet<Vec<String>> = rows.iter().map(told).collect();
    assert_eq!(
        (rows.len() as u64, different.len() as u64),
        (values, values)
    );
    let names: BTreeSet<String> = rows.iter().map(|row| text(row, "CounterName")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            r#""\\Memory\\Available MBytes""#,
            r#""\\Processor(_Total)\\% Processor Time""#
        ]
    );
    assert_eq!(rows[0]["CounterValue"][0], "float");
}

#[test]
fn traces_of_failed_requests_are_rows_and_a_copy_is_no_other() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let folder = scratch.join("freb");
    service.configure(&format!(
        "[source.directory.failed]\npath = \"{}\"\ncontent = \"failed-request\"\nsettled = \"1s\"\nmachine_from = \"folder\"\n",
        folder.display()
    ));
    let put = |site: &str, name: &str, text: &str| {
        let folder = folder.join("web01").join(site);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    };
    let trace = |url: &str| {
        format!(
            "<failedRequest url=\"{url}\" siteId=\"1\" appPoolId=\"Own\" verb=\"GET\" failureReason=\"STATUS_CODE\" \
             statusCode=\"500.19\" timeTaken=\"47\" activityId=\"{{80000006-0007-FF00-B63F-84710C7967BB}}\">\
             <Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\"><System><Provider Name=\"WWW Server\"/>\
             <EventID>0</EventID><TimeCreated SystemTime=\"2026-11-20T10:00:00Z\"/><Computer>WEB01</Computer></System>\
             </Event></failedRequest>"
        )
    };
    put("W3SVC1", "fr000001.xml", &trace("http://web01/a"));
    put("W3SVC1", "fr000002.xml", "no trace");
    service.start();
    put("W3SVC1", "fr000003.xml", &trace("http://web01/b"));
    // A copy beside the site's folder.
    put("W3SVC1-copy", "fr000001.xml", &trace("http://web01/a"));
    let asked = |service: &Service<'_>| {
        service.query(
            "select url, computer, status_code, sub_status, time from failed_requests order by url",
        )
    };
    wait_until("both requests", || asked(&service).len() >= 2);
    wait_until("what is no trace to be told", || {
        service.metric("windrow_lake_file_bad_lines_total{table=\"failed_requests\"}") == 1
    });
    service.terminate().expect(0);
    let rows = asked(&service);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(
        (
            &rows[0]["url"],
            &rows[0]["status_code"],
            &rows[0]["sub_status"]
        ),
        (&"http://web01/a".into(), &500.into(), &19.into())
    );
    assert_eq!(rows[1]["computer"], "WEB01");
}
