//! Watched folders: logs of web servers that grow, rotate and are written in halves; the service is killed in between, and every
//! request is in the lake once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;

use rand::RngExt as _;
use rustix::process::Signal;

use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, chance, wait_until};

const FIELDS: &str = "#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time cs-method cs-uri-stem sc-status\r\n";

/// Servers whose folders are watched together, each with a site.
const SERVERS: [&str; 2] = ["web01.example.com", "web02.example.com"];

/// Logs of servers, as IIS writes them: whole lines mostly, sometimes half of one, and a new file now and then.
struct Servers {
    scratch_folder: std::path::PathBuf,
    files: BTreeMap<&'static str, (File, u32)>,
    /// Requests with an end, of all servers.
    written: u64,
}

impl Servers {
    fn new(scratch: &Scratch) -> Servers {
        let mut servers = Servers {
            scratch_folder: scratch.join("LogFiles"),
            files: BTreeMap::new(),
            written: 0,
        };
        for name in SERVERS {
            servers.rotate(name, 1);
        }
        servers
    }

    /// A new file of a server.
    fn rotate(&mut self, name: &'static str, number: u32) {
        let folder = self.scratch_folder.join(name).join("W3SVC1");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("u_ex2611{number:02}.log"));
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(FIELDS.as_bytes()).unwrap();
        self.files.insert(name, (file, number));
    }

    /// The same line for every server: a farm behind one probe.
    fn write(&mut self, lines: u64) {
        for _ in 0..lines {
            let number = self.written / SERVERS.len() as u64;
            let line = format!("2026-11-20 10:00:00 GET /r{number} 200\r\n");
            for (file, _) in self.files.values_mut() {
                let (begin, end) = line.split_at(20);
                // A reader may come between.
                file.write_all(begin.as_bytes()).unwrap();
                file.write_all(end.as_bytes()).unwrap();
            }
            self.written += SERVERS.len() as u64;
        }
    }

    fn rotate_all(&mut self) {
        for name in SERVERS {
            let number = self.files[name].1 + 1;
            self.rotate(name, number);
        }
    }
}

fn watched(scratch: &Scratch, more: &str) -> String {
    format!(
        "[source.directory.iis]\npath = \"{}\"\ncontent = \"iis-log\"\n{more}",
        scratch.join("LogFiles").display()
    )
}

/// Requests in the lake, and how many different ones.
fn counted(service: &Service<'_>) -> (u64, u64) {
    let sql = "select count(*) as n, count(distinct s_computername || cs_uri_stem) as d from iis";
    let rows = service.query(sql);
    let number = |column: &str| rows[0][column].as_u64().unwrap();
    (number("n"), number("d"))
}

#[test]
fn every_request_of_growing_logs_is_in_the_lake_once() {
    let scratch = Scratch::new();
    let mut random = chance();
    let mut servers = Servers::new(&scratch);
    let mut service = Service::new(&scratch);
    service.configure(&watched(&scratch, "machine_from = \"folder\"\n"));
    for death in 0..6 {
        service.start();
        for _ in 0..random.random_range(5..40) {
            servers.write(random.random_range(1..200));
            if random.random_ratio(1, 8) {
                servers.rotate_all();
            }
        }
        if death % 2 == 0 {
            // Then something is committed, or about to be.
            let some = servers.written / 2;
            wait_until("some of it", || counted(&service).0 > some);
            servers.write(100);
        }
        // Wherever it is: in mid-look, in mid-commit.
        service.kill();
        servers.write(50);
    }
    service.start();
    let written = servers.written;
    wait_until("every request to be there", || {
        counted(&service).0 >= written
    });
    assert_eq!(counted(&service), (written, written));
    let of = "select s_computername as machine, count(*) as n from iis group by 1 order by 1";
    let machines = service.query(of);
    for (row, name) in machines.iter().zip(SERVERS) {
        assert_eq!(
            (&row["machine"], &row["n"]),
            (&name.into(), &(written / 2).into())
        );
    }
    // What has come and is not committed is seen as well; then it is asked without the service.
    servers.write(1);
    wait_until("the last requests", || counted(&service).0 == written + 2);
    let status = service.status();
    let folder = &status["directories"]["directory.iis"];
    assert_eq!(
        (&folder["waiting_bytes"], &folder["trouble"]),
        (&0.into(), &serde_json::Value::Null)
    );
    assert_eq!(status["lake"]["degraded"], serde_json::Value::Null);
    service.terminate().expect(0);
    let offline = service.query("select count(*) as n from iis");
    assert_eq!(offline[0]["n"], written + 2);
}

#[test]
fn who_asks_without_the_service_is_told_what_waits() {
    let scratch = Scratch::new();
    let mut servers = Servers::new(&scratch);
    servers.write(5);
    let mut service = Service::new(&scratch);
    service.reconfigure("flush_interval = \"1s\"", "flush_interval = \"1h\"");
    service.configure(&watched(&scratch, "machine_from = \"folder\"\n"));
    service.start();
    // No commit is due for an hour, and they are seen.
    wait_until("the requests", || counted(&service).0 == servers.written);
    service.kill();
    let mut arguments = service.arguments("query");
    arguments.push("select count(*) from iis".to_owned());
    let asked = run(&scratch, &arguments);
    assert!(
        asked
            .stderr
            .contains("2 pieces of watched files wait for the lake"),
        "{}",
        asked.stderr
    );
    service.start();
    wait_until("the requests again", || {
        counted(&service).0 == servers.written
    });
}

#[test]
fn a_folder_that_is_not_there_is_told_and_watched_as_soon_as_it_is() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.configure(&watched(&scratch, "machine = \"web01\"\n"));
    service.start();
    let trouble = || service.status()["directories"]["directory.iis"]["trouble"].clone();
    wait_until("the folder to be missed", || {
        trouble()
            .as_str()
            .is_some_and(|text| text.contains("No such file"))
    });
    let text = run(&scratch, &service.arguments("status")).stdout;
    assert!(text.contains("No such file"), "{text}");
    let check = run(
        &scratch,
        &[&service.arguments("check")[..], &["--offline".to_owned()]].concat(),
    );
    assert!(check.stdout.contains("directory.iis"), "{}", check.stdout);
    let mut servers = Servers::new(&scratch);
    servers.write(3);
    wait_until("its requests", || counted(&service).0 == servers.written);
    assert_eq!(trouble(), serde_json::Value::Null);
    let machines = service.query("select distinct s_computername as m from iis");
    assert_eq!(machines[0]["m"], "web01");
    assert_eq!(service.metric("windrow_directory_files{source=\"iis\"}"), 2);
    assert_eq!(
        service.metric("windrow_lake_file_bad_lines_total{table=\"iis\"}"),
        0
    );
}

#[test]
fn sources_come_and_go_with_a_reload() {
    let scratch = Scratch::new();
    let mut servers = Servers::new(&scratch);
    servers.write(2);
    let mut service = Service::new(&scratch);
    service.start();
    let text = watched(&scratch, "machine_from = \"folder\"\n");
    service.configure(&text);
    service.program().signal(Signal::HUP);
    wait_until("its requests", || counted(&service).0 == servers.written);
    service.reconfigure(&text, "");
    service.program().signal(Signal::HUP);
    wait_until("it to be gone", || {
        service.status()["directories"] == serde_json::json!({})
    });
    let before = servers.written;
    servers.write(2);
    assert_eq!(counted(&service).0, before);
    // It goes on where it was.
    service.configure(&text);
    service.program().signal(Signal::HUP);
    wait_until("the rest", || counted(&service).0 == servers.written);
}
