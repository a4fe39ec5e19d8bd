//! `windrow export`: what is in a table comes out, every row once, with shards and without, in one go and in two.

use crate::support::azurite::{Azurite, KEY, write_blobs, write_rows};
use crate::support::ledger::{Arrived, arrive, repeated};
use crate::support::program::{Finished, Program, run};
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

const EVENTS: &str = "WADWindowsEventLogsTable";

/// Two sinks into one table: one with the agent's partitions, one with shards.
fn write_tables(service: &Service<'_>, azurite: &Azurite) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let file = service.scratch().write("wad.key", KEY);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (name, volume) in [("plain", "small"), ("sharded", "medium")] {
        service.configure(&format!(
            "[sink.azure_table.{name}]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\nkey_file = \"{}\"\n\
             transfer_period = \"0s\"\ndeployment_id = \"{name}\"\nevent_volume = \"{volume}\"\n",
            azurite.endpoint(),
            file.display()
        ));
    }
    file.display().to_string()
}

fn rows(text: &str) -> Vec<serde_json::Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How often each record is among the rows of a deployment.
fn arrived(rows: &[serde_json::Value], deployment: &str) -> Arrived {
    let mut arrived = Arrived::new();
    for row in rows.iter().filter(|row| row["DeploymentId"] == deployment) {
        let xml = row["RawXml"].as_str().unwrap();
        let between = |begin: &str, end: &str| {
            let rest = &xml[xml.find(begin).unwrap() + begin.len()..];
            rest[..rest.find(end).unwrap()].to_owned()
        };
        let id = between("<EventRecordID>", "</EventRecordID>");
        let channel = row["Channel"].as_str().unwrap().to_owned();
        arrive(
            &mut arrived,
            (between("<Computer>", "</Computer>"), channel),
            id.parse().unwrap(),
        );
    }
    arrived
}

#[test]
fn every_row_of_a_table_comes_out_once() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let mut service = Service::new(&scratch);
    let key = write_tables(&service, &azurite);
    service.start();
    let extent = ["--machines", "2", "--rate", "500", "--events", "1300"];
    let ledger = service.fleet("fleet", &extent).finish();
    wait_until("all rows in the tables", || {
        let status = service.status();
        let sink = |name: &str| status["sinks"][name]["lag_events"] == 0;
        sink("azure_table.plain") && sink("azure_table.sharded")
    });
    let endpoint = azurite.endpoint();
    let account = ["--storage-account", "devstoreaccount1", "--key-file", &key];
    let all = [
        &["export", EVENTS],
        &account[..],
        &["--table-endpoint", &endpoint],
    ]
    .concat();
    let export = |more: &[&str]| -> Finished { run(&scratch, &[&all[..], more].concat()) };

    let whole = export(&[]).expect(0).stdout;
    let found = rows(&whole);
    assert_eq!(found.len() as u64, 2 * ledger.count());
    for deployment in ["plain", "sharded"] {
        let arrived = arrived(&found, deployment);
        assert_eq!(ledger.missing(&arrived), [""; 0], "{deployment}");
        assert_eq!(repeated(&arrived), [""; 0], "{deployment}");
    }
    // By a span, shards are asked for apart; by the name of a sink, nothing has to be said of the account.
    let mut by_sink = service.arguments("export");
    by_sink.extend([EVENTS, "--sink", "plain", "--from", "1h"].map(str::to_owned));
    let mut since = rows(&run(&scratch, &by_sink).expect(0).stdout);
    let by_key =
        |row: &serde_json::Value| row["PartitionKey"].to_string() + &row["RowKey"].to_string();
    let mut all_rows = found.clone();
    since.sort_by_key(by_key);
    all_rows.sort_by_key(by_key);
    assert!(
        since == all_rows,
        "{} and {} rows",
        since.len(),
        found.len()
    );
    assert_eq!(export(&["--to", "1h"]).expect(0).stdout, "");
    let csv = export(&["--output", "csv", "--columns", "RowKey,EventId"])
        .expect(0)
        .stdout;
    assert_eq!(csv.lines().count(), found.len() + 1);
    assert_eq!(csv.lines().next(), Some("RowKey,EventId"));

    in_two_goes(&scratch, &all, &whole);
    let missing = run(&scratch, &[&["export", "NoSuchTable"], &all[2..]].concat()).expect(1);
    assert!(
        missing.stderr.contains("TableNotFound"),
        "{}",
        missing.stderr
    );
    service.terminate().expect(0);
}

/// Into a file, killed on the way and gone on with: as it is in one go.
fn in_two_goes(scratch: &Scratch, all: &[&str], whole: &str) {
    let file = scratch.join("all.ndjson");
    let (name, note) = (
        file.display().to_string(),
        scratch.join("all.ndjson.resume"),
    );
    let into = [all, &["--output-file", &name]].concat();
    let mut first = Program::start(scratch, "export", &into);
    wait_until("a page on disk", || note.exists() || file.exists());
    first.kill();
    if note.exists() {
        assert!(!file.exists(), "it has its name when all rows are in it");
        run(scratch, &[&into[..], &["--resume"]].concat()).expect(0);
    }
    assert!(std::fs::read_to_string(&file).unwrap() == whole);
    assert!(!note.exists());
    let nothing = run(scratch, &[&into[..], &["--resume"]].concat()).expect(2);
    assert!(
        nothing.stderr.contains("nothing to go on with"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn blobs_become_files_byte_for_byte() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start(&scratch) else {
        return;
    };
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    let blobs: [(&str, &[u8]); 5] = [
        (
            "d/IaaS/_web1/Web/W3SVC1/u_ex261124.log",
            b"#Software: IIS\r\n",
        ),
        ("d/IaaS/_web1/dumps/w3wp.dmp", &large),
        ("d/empty", b""),
        ("twice//outside", b"never"),
        ("other/a.log", b"a"),
    ];
    if write_blobs(&azurite, "wad-files", &blobs).is_none() {
        return;
    }
    let key = scratch.write("wad.key", KEY);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (key, endpoint) = (key.display().to_string(), azurite.endpoint());
    let folder = scratch.join("files");
    let to = folder.display().to_string();
    let all = [
        ["export", "--blobs", "wad-files", "--output-folder", &to],
        [
            "--storage-account",
            "devstoreaccount1",
            "--blob-endpoint",
            &endpoint,
            "--key-file",
        ],
    ]
    .concat();
    let export = |more: &[&str]| run(&scratch, &[&all[..], &[&key], more].concat());

    let only = export(&["--prefix", "d/"]).expect(0);
    assert!(only.stdout.starts_with("3 files, "), "{}", only.stdout);
    for (name, bytes) in &blobs[..3] {
        assert!(
            std::fs::read(folder.join(name)).unwrap() == *bytes,
            "{name}"
        );
    }
    assert!(!folder.join("other").exists());
    // As if it had been interrupted: what is there of this version is not fetched again.
    let dump = folder.join(blobs[1].0);
    let again = export(&[]).expect(3);
    assert!(
        again.stdout.contains("3 were there already"),
        "{}",
        again.stdout
    );
    assert!(
        again.stderr.contains("twice//outside: no file here"),
        "{}",
        again.stderr
    );
    std::fs::write(&dump, "changed").unwrap();
    export(&["--prefix", "d/IaaS/_web1/dumps"]).expect(0);
    assert!(std::fs::read(&dump).unwrap() == large);
    let left = std::fs::read_dir(dump.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "parts and notes are gone");
}

#[test]
fn what_is_old_is_cleared_when_it_is_said_twice() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let row = |partition: String, row: i64| serde_json::json!({ "PartitionKey": partition, "RowKey": format!("{row:05}"), "Message": "m" });
    let old = |shard: &str, number: i64| {
        let minute = 636_900_192_000_000_000 + number / 200 * 600_000_000;
        row(format!("{shard}0{minute}"), number)
    };
    let mut rows: Vec<serde_json::Value> = (0..700).map(|number| old("", number)).collect();
    rows.extend((0..300).map(|number| old("0000000000000000007___", number)));
    rows.push(row("0990000000000000000".to_owned(), 1));
    rows.push(row("somebody else's".to_owned(), 1));
    if write_rows(&azurite, "WADLogsTable", &rows).is_none() {
        return;
    }
    let key = scratch.write("wad.key", KEY);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (key, endpoint) = (key.display().to_string(), azurite.endpoint());
    let account = [
        "--storage-account",
        "devstoreaccount1",
        "--table-endpoint",
        &endpoint,
        "--key-file",
        &key,
    ];
    let clear = |more: &[&str]| {
        let all = [&["clear", "WADLogsTable", "--older-than"], more, &account].concat();
        run(&scratch, &all)
    };
    let left = || {
        let all = [&["export", "WADLogsTable"][..], &account].concat();
        run(&scratch, &all).expect(0).stdout.lines().count()
    };
    let looked = clear(&["30d"]).expect(0).stdout;
    assert!(
        looked.contains("would take away 1 000 rows of WADLogsTable, from 2019-"),
        "{looked}"
    );
    assert_eq!(left(), 1_002);
    clear(&["forever", "--yes"]).expect(2);
    assert_eq!(left(), 1_002);
    let done = clear(&["30d", "--yes"]).expect(0).stdout;
    assert!(done.starts_with("took away 1 000 rows"), "{done}");
    assert_eq!(left(), 2);
    let again = clear(&["30d", "--yes"]).expect(0).stdout;
    assert!(again.starts_with("took away 0 rows"), "{again}");
}
