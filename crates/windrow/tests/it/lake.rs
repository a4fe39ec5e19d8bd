//! A lake that is away for a while, or has a damaged file: the collector goes on, and answers say what they lack.

use std::fs;
use std::path::PathBuf;

use crate::support::evtx::{self, Logged};
use crate::support::ledger::repeated;
use crate::support::program::{Finished, run};
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

#[test]
fn a_lake_that_is_away_is_said_and_caught_up_with() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    // It answers: from now on only commits can fail.
    service.lake();
    let log = scratch.join("data/lake/events/_delta_log");
    let aside = scratch.join("data/lake/events/aside");
    fs::rename(&log, &aside).unwrap();
    fs::write(&log, "not a folder").unwrap();

    let ledger = service
        .fleet(
            "fleet",
            &["--machines", "2", "--rate", "100", "--events", "50"],
        )
        .finish();
    assert!(
        ledger.count() >= 100,
        "a lake that is away refuses no machine"
    );
    wait_until("a word about it at /healthz", || {
        service
            .get("/healthz")
            .is_some_and(|answer| answer.contains("degraded: the lake is behind"))
    });
    assert!(service.is_well(), "events are accepted all the same");
    let metrics = service.get("/metrics").unwrap();
    assert!(metrics.contains("windrow_lake_degraded 1"), "{metrics}");
    let mut arguments = service.arguments("status");
    arguments.extend(["--output", "json"].map(str::to_owned));
    let status = run(&scratch, &arguments).expect(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let reason = status["lake"]["degraded"].as_str().unwrap_or_default();
    assert!(reason.contains("cannot be written"), "{status}");
    wait_until("the tail to go on", || {
        let status = run(&scratch, &arguments).expect(0).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["lake"]["visible_seq"].as_u64() >= Some(ledger.count())
    });

    fs::remove_file(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    wait_until("all to be well", || {
        service
            .get("/healthz")
            .is_some_and(|answer| answer.ends_with("ok\n"))
    });
    let lake = service.lake();
    assert_eq!(ledger.missing(&lake), [""; 0]);
    assert_eq!(repeated(&lake), [""; 0]);
    service.terminate().expect(0);
}

/// Runs a command on the data folder.
fn windrow(scratch: &Scratch, arguments: &[&str]) -> Finished {
    run(scratch, &[arguments, &["--data-dir", "data"]].concat())
}

/// What a command says that lacks a damaged file, with this exit code.
#[track_caller]
fn lacks(finished: Finished, file: &str, code: i32) -> String {
    let finished = finished.expect(code);
    assert!(finished.stderr.contains(file), "{}", finished.stderr);
    finished.stdout
}

/// Imports two logs of three events each, of different days; the data file of the first.
fn two_days(scratch: &Scratch) -> PathBuf {
    for (name, time) in [
        ("one.evtx", "2024-03-14T13:54:25Z"),
        ("two.evtx", "2024-03-15T13:54:25Z"),
    ] {
        let event = |record| Logged {
            record,
            time,
            channel: "Security",
        };
        let events: Vec<Logged<'_>> = (1..=3).map(event).collect();
        fs::write(scratch.join(name), evtx::file(&events)).unwrap();
        windrow(scratch, &["import", name]).expect(0);
    }
    let day = scratch.join("data/lake/events/date=2024-03-14");
    fs::read_dir(&day).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_damaged_file_is_named_wherever_it_is_missed() {
    const IDS: [&str; 4] = [
        "query",
        "--output",
        "csv",
        "select record_id from events where origin = 'evtx' and event_data is not null order by 1",
    ];
    const LEFT: &str = "record_id\r\n1\r\n2\r\n3\r\n";
    const CHECK: [&str; 4] = ["lake", "check", "--output", "csv"];
    let scratch = Scratch::new();
    let file = two_days(&scratch);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let run = |arguments: &[&str]| windrow(&scratch, arguments);
    assert_eq!(lacks(run(&IDS), name, 3), LEFT);
    lacks(run(&["report", "top", "--by", "provider"]), name, 3);
    let checked = lacks(run(&CHECK), name, 1);
    assert!(checked.contains("events,1,3,1,3"), "{checked}");

    let mut service = Service::new(&scratch);
    service.start();
    for _ in 0..2 {
        assert_eq!(lacks(run(&IDS), name, 3), LEFT);
    }
    wait_until("the metric", || {
        service.metric("windrow_lake_damaged_files") == 1
    });
    let logged = service.program().stderr();
    assert_eq!(logged.matches(name).count(), 1, "{logged}");
    fs::write(&file, &whole).unwrap();
    run(&IDS).expect(0);
    run(&CHECK).expect(0);

    fs::remove_file(&file).unwrap();
    lacks(run(&["lake", "check", "--take-out"]), name, 1);
    assert_eq!(run(&IDS).expect(0).stdout, LEFT, "they are forgotten");
    run(&CHECK).expect(0);
    service.terminate().expect(0);
}
