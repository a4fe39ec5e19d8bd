//! Tables of Azure Diagnostics as a source: what another windrow writes there, and what the old agent left, comes into the lake and to
//! a SIEM, each row once, whatever happens in between.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::azurite::{Azurite, KEY, write_rows};
use crate::support::ledger::repeated;
use crate::support::program::run;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, installed, wait_until};

const ROWS: &str = "windrow_wad_storage_rows_total{source=\"old\"}";
const EVENTS: &str = "WADWindowsEventLogsTable";

fn key_file(scratch: &Scratch) -> String {
    let file = scratch.write("wad.key", KEY);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file.display().to_string()
}

fn write_tables(service: &Service<'_>, azurite: &Azurite) {
    let key = key_file(service.scratch());
    for (name, volume) in [("plain", "small"), ("sharded", "medium")] {
        service.configure(&format!(
            "[sink.azure_table.{name}]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\nkey_file = \"{key}\"\n\
             transfer_period = \"0s\"\nevent_volume = \"{volume}\"\ntables = [\"{EVENTS}\"]\n",
            azurite.endpoint(),
        ));
    }
}

fn read_tables(service: &Service<'_>, azurite: &Azurite, tables: &str) {
    let key = key_file(service.scratch());
    service.configure(&format!(
        "[source.wad_storage.old]\naccount = \"devstoreaccount1\"\nendpoint = \"{}\"\nkey_file = \"{key}\"\n\
         interval = \"1s\"\nlate = \"2m\"\n{tables}",
        azurite.endpoint(),
    ));
}

#[test]
fn what_another_program_writes_comes_once() {
    let (there, here) = (Scratch::new(), Scratch::new());
    let Some(azurite) = Azurite::start_tables(&there) else {
        return;
    };
    let mut writer = Service::new(&there);
    write_tables(&writer, &azurite);
    writer.start();
    let mut reader = Service::new(&here);
    read_tables(&reader, &azurite, &format!("tables = [\"{EVENTS}\"]\n"));
    let siem = installed("rsyslogd").then(|| Rsyslog::start(&here, "siem", &Listener::Tcp));
    if let Some(siem) = &siem {
        let lines = Transport::Tcp { framing: "lf" };
        reader.destination("siem", siem.port, &lines);
    }
    reader.start();
    let extent = ["--machines", "3", "--rate", "150", "--events", "1000"];
    let fleet = writer.fleet("fleet", &extent);
    for _ in 0..3 {
        let before = reader.metric(ROWS);
        wait_until("more rows taken", || reader.metric(ROWS) > before);
        reader.kill();
        reader.start();
    }
    let ledger = fleet.finish();
    // The lake has an event once however often it comes; two sinks wrote each.
    wait_until("every event in the lake", || {
        let lake = reader.try_lake();
        lake.is_some_and(|lake| ledger.missing(&lake).is_empty())
    });
    wait_until("each of them once", || {
        let lake = reader.try_lake();
        lake.is_some_and(|lake| repeated(&lake).is_empty())
    });
    if let Some(siem) = &siem {
        wait_until("every event at the SIEM", || {
            ledger.missing(&siem.events()).is_empty()
        });
    }
    let status = reader.status();
    let source = &status["wad_storage"]["wad_storage.old"];
    assert_eq!(source["tables"][0]["table"], EVENTS, "{source}");
    assert_eq!(source["unread"], 0, "{source}");
    let shown = run(&here, &reader.arguments("status")).expect(0).stdout;
    assert!(shown.contains("WADWindowsEventLogsTable: "), "{shown}");
    assert!(shown.contains("up to date"), "{shown}");
    reader.terminate().expect(0);
    writer.terminate().expect(0);
}

/// Rows as the agent left them, put there by Microsoft's own client.
#[test]
fn what_the_old_agent_left_becomes_events() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let rows: Vec<serde_json::Value> = (0..1_200)
        .map(|row| {
            // Minutes of two days in 2019, in the order of neither keys nor machines.
            let minute: i64 = 636_900_192_000_000_000 + (row * 7 % 2_880) * 600_000_000;
            let instance = format!("_web{}", row % 3);
            serde_json::json!({
                "PartitionKey": format!("0{minute}"),
                "RowKey": format!("d4c1___IaaS___{instance}___{row:019}"),
                "EventTickCount": { "long": minute + 12_345_678 },
                "DeploymentId": "d4c1", "Role": "IaaS", "RoleInstance": instance,
                "Level": 2, "EventId": 100, "Pid": 4_012, "Tid": 17,
                "Message": format!("order {row} <failed>"),
            })
        })
        .collect();
    if write_rows(&azurite, "WADLogsTable", &rows).is_none() {
        return;
    }
    let mut reader = Service::new(&scratch);
    read_tables(&reader, &azurite, "");
    let check = run(&scratch, &reader.arguments("check")).stdout;
    assert!(
        check.contains("devstoreaccount1 answers; not there yet: WADWindowsEventLogsTable"),
        "{check}"
    );
    reader.start();
    let counted = || {
        let sql = "select computer, count(*) as n, count(distinct event_key) as d, min(time)::varchar as first, \
                   max(level) as level from events where channel = 'WADLogsTable' and event_id = 100 group by 1 order by 1";
        reader.try_query(sql).unwrap_or_default()
    };
    wait_until("every row in the lake", || {
        let all = counted();
        all.iter().filter_map(|row| row["n"].as_u64()).sum::<u64>() == 1_200
    });
    let all = counted();
    assert_eq!(all.len(), 3, "{all:?}");
    for (row, machine) in all.iter().zip(["web0", "web1", "web2"]) {
        assert_eq!(row["computer"], machine);
        assert_eq!((&row["n"], &row["d"]), (&400.into(), &400.into()));
        assert_eq!(row["level"], 2);
        assert!(
            row["first"].as_str().unwrap().starts_with("2019-04-05"),
            "{row}"
        );
    }
    reader.terminate().expect(0);
}

#[test]
fn nobody_reads_what_he_writes() {
    let scratch = Scratch::new();
    let Some(azurite) = Azurite::start_tables(&scratch) else {
        return;
    };
    let reader = Service::new(&scratch);
    write_tables(&reader, &azurite);
    read_tables(&reader, &azurite, "");
    let refused = run(&scratch, &reader.arguments("run"));
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("come back for ever"),
        "{}",
        refused.stderr
    );
    let check = run(&scratch, &reader.arguments("check")).stdout;
    assert!(check.contains("come back for ever"), "{check}");
}
