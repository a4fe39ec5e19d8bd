//! The program is killed between two changes that it makes to the lake: every event is there once, counts tell the same,
//! and whatever is done again after it goes well.
//!
//! `crates/lake/src/table/tests/death.rs` does the same to each single change of the lake's own work; here the real
//! commands and the real service meet some of them.

use std::fs;
use std::path::Path;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::support::evtx::{self, Logged};
use crate::support::faults::Faults;
use crate::support::ledger::repeated;
use crate::support::program::{Program, run};
use crate::support::service::Service;
use crate::support::{Scratch, chance, wait_until};

/// Imports that make a day so many files that they are merged.
const IMPORTS: u64 = 9;

const EVENTS_EACH: u64 = 5;

/// Deaths of each command, and of the service.
const DEATHS: usize = 8;

/// Far beyond what anything does.
const NEVER: u64 = 1_000_000;

fn windrow(scratch: &Scratch, data: &str, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--data-dir", data]].concat();
    run(scratch, &arguments).expect(0).stdout
}

/// Events and what counts of them say, and that none is there twice.
fn assert_whole(scratch: &Scratch, data: &str, events: u64, what: &str) {
    let sql = "select count(*) as n, count(distinct event_key) as d, (select sum(events) from event_counts) as c from events";
    let asked = ["query", "--output", "json", sql, "--data-dir", data];
    let answer = run(scratch, &asked);
    // Entries of logs that a test has made older are others to who counted them: it says that it counts anew.
    let is_counted_anew = answer.code == Some(3) && answer.stderr.contains("counted anew");
    let rows = match is_counted_anew {
        true => answer.stdout,
        false => answer.expect(0).stdout,
    };
    let rows: Value = serde_json::from_str(&rows).unwrap();
    for column in ["n", "d", "c"] {
        assert_eq!(rows[0][column], events, "{column} {what}: {rows}");
    }
}

/// A data folder whose lake has many small files of a day long ago, and one log that was not imported yet.
fn fill(scratch: &Scratch) {
    for import in 0..=IMPORTS {
        let event = |i| Logged {
            record: import * EVENTS_EACH + i,
            time: "2024-03-14T13:54:25Z",
            channel: "Security",
        };
        let events: Vec<Logged<'_>> = (1..=EVENTS_EACH).map(event).collect();
        let name = format!("{import}.evtx");
        fs::write(scratch.join(&name), evtx::file(&events)).unwrap();
        if import < IMPORTS {
            windrow(scratch, "made", &["import", &name]);
        }
    }
}

/// Has the command die at several of its changes to copies of a data folder, does it again, and looks.
fn dies_and_is_done_again(
    scratch: &Scratch,
    random: &mut StdRng,
    (from, command): (&str, &[&str]),
    events: u64,
) {
    let faults = Faults::new(scratch);
    let start = |data: &str, change: u64| {
        let arguments = [command, &["--data-dir", data]].concat();
        let folder = scratch.join(data).join("lake");
        let environment = faults.death_at(change, &folder);
        Program::start_with(scratch, "dying", &arguments, &environment).finish()
    };
    copy(&scratch.join(from), &scratch.join("undisturbed"));
    start("undisturbed", NEVER).expect(0);
    let changes = faults.changes();
    assert!(
        changes >= DEATHS as u64,
        "{command:?} makes {changes} changes"
    );
    fs::remove_dir_all(scratch.join("undisturbed")).unwrap();
    for death in 0..DEATHS {
        let change = random.random_range(1..=changes);
        let what = format!("after {command:?} died at change {change} of {changes}");
        let data = format!("death-{death}");
        copy(&scratch.join(from), &scratch.join(&data));
        assert_eq!(start(&data, change).code, None, "{what}");
        windrow(scratch, &data, command);
        assert_whole(scratch, &data, events, &what);
        fs::remove_dir_all(scratch.join(&data)).unwrap();
    }
}

#[test]
fn commands_of_the_lake_die_at_any_change() {
    let scratch = Scratch::new();
    let mut random = chance();
    fill(&scratch);
    let before = IMPORTS * EVENTS_EACH;
    let last = format!("{IMPORTS}.evtx");
    let all = before + EVENTS_EACH;
    dies_and_is_done_again(&scratch, &mut random, ("made", &["import", &last]), all);
    let compact = ["lake", "compact"];
    dies_and_is_done_again(&scratch, &mut random, ("made", &compact), before);
    let merged = windrow(&scratch, "made", &compact);
    assert!(merged.contains("merged 18 files of 2 days"), "{merged}");
    for table in ["events", "event_counts"] {
        replaced_long_ago(&scratch.join(&format!("made/lake/{table}/_delta_log")));
    }
    let vacuum = ["lake", "vacuum"];
    dies_and_is_done_again(&scratch, &mut random, ("made", &vacuum), before);
    let removed = windrow(&scratch, "made", &vacuum);
    assert!(removed.contains("removed 18 files"), "{removed}");
    assert_whole(&scratch, "made", before, "at the end");
}

#[test]
fn the_service_dies_between_data_file_and_commit() {
    let mut random = chance();
    let scratch = Scratch::new();
    let faults = Faults::new(&scratch);
    let mut service = Service::new(&scratch);
    service.start();
    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "5", "--rate", "50", "--for", "10m"],
    );
    let log = scratch.join("data/lake/events/_delta_log");
    wait_until("a first commit", || {
        log.join(format!("{:020}.json", 1)).exists()
    });
    for death in 0..DEATHS {
        service.kill();
        // What it does to begin with takes some of them.
        let change = random.random_range(40..160);
        for (name, value) in faults.death_at(change, &scratch.join("data/lake")) {
            service.environment(&name, &value);
        }
        service.start();
        wait_until("its death", || !service.is_running());
        assert!(fleet.is_running(), "the fleet gave up after {death} deaths");
        service.kill();
        for (name, value) in faults.death_at(NEVER, &scratch.join("data/lake")) {
            service.environment(&name, &value);
        }
        let before = fleet.ledger().count();
        service.start();
        wait_until("events to be acknowledged again", || {
            fleet.ledger().count() > before
        });
    }
    let ledger = fleet.stop();
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    service.terminate().expect(0);
    assert_eq!(repeated(&service.lake()), [""; 0]);
    windrow(&scratch, "data", &["lake", "compact"]);
    assert_eq!(repeated(&service.lake()), [""; 0]);
    let sql = "select (select sum(events) from event_counts) - (select count(*) from events) as d";
    assert_eq!(service.query(sql)[0]["d"], 0, "counts of events and events");
}

/// Has the log say that what was replaced was replaced two days ago.
fn replaced_long_ago(log: &Path) {
    const KEY: &str = "\"deletionTimestamp\":";
    const TWO_DAYS_MS: u64 = 2 * 86_400_000;
    for entry in fs::read_dir(log).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut parts = text.split(KEY);
        let mut older = parts.next().unwrap().to_owned();
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap();
            let at: u64 = part[..digits].parse().unwrap();
            older.push_str(&format!("{KEY}{}{}", at - TWO_DAYS_MS, &part[digits..]));
        }
        fs::write(&path, older).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        match here.is_dir() {
            true => copy(&here, &there),
            false => {
                fs::copy(here, there).unwrap();
            }
        }
    }
}
