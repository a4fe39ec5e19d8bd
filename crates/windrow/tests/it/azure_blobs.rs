//! Watched files in Azure's containers: logs that grow, dumps of several pieces, the service killed in between, read with
//! Microsoft's own client.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::support::azurite::{Azurite, KEY, read_container, read_table};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, chance, wait_until};

const MACHINES: [&str; 2] = ["web01", "web02"];

/// Two watched folders, logs and dumps, and a sink for both.
fn configure(service: &Service<'_>, blobs: &Azurite, tables: &Azurite) {
    let scratch = service.scratch();
    let key = scratch.write("wad.key", KEY);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    for folder in ["logs", "dumps"] {
        fs::create_dir_all(scratch.join(folder)).unwrap();
    }
    service.configure(&format!(
        "[source.directory.iis]\npath = \"{}\"\ncontent = \"iis-log\"\nmachine_from = \"folder\"\n\
         [source.directory.dumps]\npath = \"{}\"\ncontent = \"crash-dump\"\nmachine_from = \"folder\"\nsettled = \"1s\"\n\
         [sink.azure_blob.wad]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\ntable_endpoint = \"{}\"\nkey_file = \"{}\"\n\
         deployment_id = \"cloud-1\"\ncontainers = {{ iis = \"wad-iis-logfiles\", dumps = \"wad-crashdumps\" }}\n",
        scratch.join("logs").display(),
        scratch.join("dumps").display(),
        blobs.endpoint(),
        tables.endpoint(),
        key.display()
    ));
}

/// Files as they were written, by the names of their blobs.
type Written = BTreeMap<String, Vec<u8>>;

fn append(scratch: &Scratch, written: &mut Written, machine: &str, day: u32, bytes: &[u8]) {
    let folder = scratch.join("logs").join(machine).join("W3SVC1");
    fs::create_dir_all(&folder).unwrap();
    let name = format!("u_ex2611{day:02}.log");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(&name))
        .unwrap();
    file.write_all(bytes).unwrap();
    let blob = format!("cloud-1/IaaS/_{machine}/Web/W3SVC1/{name}");
    written.entry(blob).or_default().extend_from_slice(bytes);
}

fn has_taken_all(service: &Service<'_>) -> bool {
    let status = service.status();
    ["iis", "dumps"].iter().all(|name| {
        let folder = &status["directories"][format!("directory.{name}")];
        folder["waiting_bytes"] == 0 && folder["looked_at"].is_string()
    })
}

#[test]
fn every_byte_of_a_file_is_in_its_blob_once() {
    let scratch = Scratch::new();
    let (Some(mut blobs), Some(tables)) =
        (Azurite::start(&scratch), Azurite::start_tables(&scratch))
    else {
        return;
    };
    let mut random = chance();
    let mut service = Service::new(&scratch);
    configure(&service, &blobs, &tables);
    let (mut logs, mut dumps) = (Written::new(), Written::new());
    write_dumps(&scratch, &mut random, &mut dumps);
    let mut line = 0;
    for round in 0..6_u32 {
        service.start();
        for _ in 0..random.random_range(5..60) {
            for machine in MACHINES {
                let text = format!("2026-11-20 10:00:00 GET /r{line} 200\r\n");
                append(&scratch, &mut logs, machine, 1 + round / 3, text.as_bytes());
            }
            line += 1;
        }
        if round % 2 == 0 {
            wait_until("what is there to be taken", || has_taken_all(&service));
        }
        // With each start the overdue transfer begins: this falls somewhere into it.
        std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
        service.kill();
        if round == 3 {
            blobs.stop();
            service.start();
            wait_until("the storage to be missed", || {
                service.status()["sinks"]["azure_blob.wad"]["last_error"].is_string()
            });
            service.kill();
            blobs.start_again();
        }
    }
    service.start();
    wait_until("everything to be taken", || has_taken_all(&service));
    service.terminate().expect(0);
    service.start();
    wait_until("everything to be sent", || {
        let sink = &service.status()["sinks"]["azure_blob.wad"];
        sink["lag_events"].as_u64().is_some_and(|lag| lag < 5) && sink["state"] == "resting"
    });
    assert_all_there(&blobs, &tables, &logs, &dumps);
}

/// One that goes in one request, one of several pieces, one of nothing.
fn write_dumps(scratch: &Scratch, random: &mut StdRng, dumps: &mut Written) {
    let lengths = [
        ("small.dmp", 100_000),
        ("large.dmp", 20_000_000),
        ("empty.dmp", 0),
    ];
    for (name, length) in lengths {
        let bytes: Vec<u8> = (0..length).map(|_| random.random()).collect();
        let folder = scratch.join("dumps").join("web01");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), &bytes).unwrap();
        dumps.insert(format!("cloud-1/IaaS/_web01/{name}"), bytes);
    }
}

fn assert_all_there(blobs: &Azurite, tables: &Azurite, logs: &Written, dumps: &Written) {
    let (Some(found), Some(found_dumps)) = (
        read_container(blobs, "wad-iis-logfiles"),
        read_container(blobs, "wad-crashdumps"),
    ) else {
        return;
    };
    let bytes_of = |found: BTreeMap<String, (String, Vec<u8>)>| -> Written {
        found
            .into_iter()
            .map(|(name, (_, bytes))| (name, bytes))
            .collect()
    };
    assert_same(&bytes_of(found), logs);
    assert_same(&bytes_of(found_dumps), dumps);
    let rows = read_table(tables, "WADDirectoriesTable").unwrap_or_default();
    let mut named: Vec<&str> = rows
        .iter()
        .map(|row| row["RelativePath"][1].as_str().unwrap())
        .collect();
    named.sort_unstable();
    let mut expected: Vec<&str> = dumps
        .keys()
        .chain(logs.keys())
        .map(String::as_str)
        .collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
}

fn assert_same(found: &Written, written: &Written) {
    let names = |files: &Written| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(written));
    for (name, bytes) in written {
        assert!(
            found[name] == *bytes,
            "{name}: {} bytes of {}",
            found[name].len(),
            bytes.len()
        );
    }
}

#[test]
fn a_file_that_replaces_another_takes_nothing_from_it() {
    let scratch = Scratch::new();
    let (Some(blobs), Some(tables)) = (Azurite::start(&scratch), Azurite::start_tables(&scratch))
    else {
        return;
    };
    let mut service = Service::new(&scratch);
    configure(&service, &blobs, &tables);
    let mut written = Written::new();
    append(&scratch, &mut written, "web01", 1, b"the first\nof two\n");
    let path = scratch.join("logs/web01/W3SVC1/u_ex261101.log");
    for text in ["", "another one\nlonger than it\n", "and a third\n"] {
        if !text.is_empty() {
            fs::write(&path, text).unwrap();
        }
        service.start();
        wait_until("it to be taken", || has_taken_all(&service));
        service.terminate().expect(0);
    }
    service.start();
    wait_until("all to be there", || {
        read_container(&blobs, "wad-iis-logfiles").is_none_or(|found| found.len() >= 3)
    });
    let Some(found) = read_container(&blobs, "wad-iis-logfiles") else {
        return;
    };
    let mut texts: Vec<&[u8]> = found.values().map(|(_, bytes)| &bytes[..]).collect();
    texts.sort_unstable();
    let expected: [&[u8]; 3] = [
        b"and a third\n",
        b"another one\nlonger than it\n",
        b"the first\nof two\n",
    ];
    assert_eq!(texts, expected);
    let usual = &found["cloud-1/IaaS/_web01/Web/W3SVC1/u_ex261101.log"];
    assert_eq!(
        (&*usual.0, &*usual.1),
        ("AppendBlob", &b"the first\nof two\n"[..])
    );
}

/// Files of a machine, where a configuration looks for them.
fn arrived(scratch: &Scratch) -> PathBuf {
    let arrived = scratch.join("arrived");
    for (folder, name, text) in [
        (
            "iis-logs/web01/W3SVC1",
            "u_ex261120.log",
            "#Fields: date\n2026-11-20\n",
        ),
        ("crash-dumps/web01", "w3wp.dmp", "MDMP"),
    ] {
        fs::create_dir_all(arrived.join(folder)).unwrap();
        fs::write(arrived.join(folder).join(name), text).unwrap();
    }
    arrived
}

/// What `windrow diagnostics test` says of folders and containers; nothing of it stays.
fn assert_tests_well(service: &Service<'_>) {
    let mut test = service.arguments("diagnostics");
    test.extend(["test", "--name", "web", "--output", "json"].map(str::to_owned));
    let said = run(service.scratch(), &test).expect(0).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["passed"], true, "{said:#}");
    let containers = said["containers"].as_array().unwrap();
    let steps = serde_json::json!(["make", "write", "read", "remove"]);
    let done: Vec<_> = containers
        .iter()
        .map(|of| (&of["container"], &of["done"]))
        .collect();
    let expected = ["wad-crashdumps", "wad-iis-logfiles"].map(serde_json::Value::from);
    assert_eq!(done, [(&expected[0], &steps), (&expected[1], &steps)]);
    for folder in said["folders"].as_array().unwrap() {
        assert_eq!(folder["machines"], serde_json::json!(["web01"]), "{folder}");
        assert_eq!(
            (&folder["files"], &folder["trouble"]),
            (&1.into(), &serde_json::Value::Null)
        );
    }
}

#[test]
fn a_configuration_of_azure_diagnostics_puts_files_into_its_containers() {
    let scratch = Scratch::new();
    let (Some(blobs), Some(tables)) = (Azurite::start(&scratch), Azurite::start_tables(&scratch))
    else {
        return;
    };
    let mut service = Service::new(&scratch);
    service.start();
    let file = scratch.write(
        "web.xml",
        "<PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><WadCfg>\
         <DiagnosticMonitorConfiguration><Directories scheduledTransferPeriod=\"PT1M\"><IISLogs containerName=\"wad-iis-logfiles\"/>\
         </Directories><CrashDumps><CrashDumpConfiguration processName=\"w3wp.exe\"/></CrashDumps></DiagnosticMonitorConfiguration>\
         </WadCfg></PublicConfig>",
    );
    let arrived = arrived(&scratch);
    let key = scratch.write("account.key", KEY);
    let mut set = service.arguments("diagnostics");
    let words = format!(
        "set {} --name web --storage-account devstoreaccount1 --key-file {} --table-endpoint {} --blob-endpoint {} --files {} --yes",
        file.display(),
        key.display(),
        tables.endpoint(),
        blobs.endpoint(),
        arrived.display()
    );
    set.extend(words.split(' ').map(str::to_owned));
    let said = run(&scratch, &set).expect(0);
    assert!(said.stdout.contains("is in force now"), "{}", said.stdout);
    assert_tests_well(&service);
    wait_until("both folders to be taken", || {
        let status = service.status();
        let taken = |name: &str| status["directories"][name]["pieces"] == 1;
        taken("directory.wad-web-iis") && taken("directory.wad-web-dumps")
    });
    service.terminate().expect(0);
    service.start();
    let found = || {
        let logs = read_container(&blobs, "wad-iis-logfiles")?;
        let dumps = read_container(&blobs, "wad-crashdumps")?;
        Some(
            logs.into_keys()
                .chain(dumps.into_keys())
                .collect::<Vec<_>>(),
        )
    };
    wait_until("both files to be there", || {
        found().is_none_or(|names| names.len() == 2)
    });
    if let Some(names) = found() {
        assert_eq!(
            names,
            [
                "web/IaaS/_web01/Web/W3SVC1/u_ex261120.log",
                "web/IaaS/_web01/w3wp.dmp"
            ]
        );
    }
    assert_eq!(service.query("select count(*) as n from iis")[0]["n"], 1);
    // It goes with its configuration.
    let mut remove = service.arguments("diagnostics");
    remove.extend(["remove", "--name", "web", "--yes"].map(str::to_owned));
    run(&scratch, &remove).expect(0);
    let status = service.status();
    let left = [&status["directories"], &status["sinks"]];
    assert_eq!(left, [&serde_json::json!({}); 2]);
}
