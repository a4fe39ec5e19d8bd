//! How long the lake keeps what, said in the configuration and carried out by command and by the service.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::evtx::{self, Logged};
use crate::support::program::{Finished, Program, run};
use crate::support::{Scratch, free_port, wait_until};

fn windrow(scratch: &Scratch, arguments: &[&str]) -> Finished {
    run(
        scratch,
        &[arguments, &["--config", "windrow.toml"]].concat(),
    )
}

fn configure(scratch: &Scratch, lake: &str) {
    let port = free_port();
    let text = format!("data_dir = \"data\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n{lake}");
    scratch.write("windrow.toml", &text);
}

fn json(finished: Finished) -> Value {
    serde_json::from_str(&finished.expect(0).stdout).unwrap()
}

fn count(scratch: &Scratch, what: &str) -> u64 {
    let sql = format!("select {what} as n from events where origin = 'evtx'");
    let rows = json(windrow(scratch, &["query", "--output", "json", &sql]));
    rows[0]["n"].as_u64().unwrap()
}

/// A lake with some events of long ago; how many.
fn filled(scratch: &Scratch) -> u64 {
    configure(scratch, "");
    let event = |record| Logged {
        record,
        time: ["2024-03-14T13:54:25Z", "2024-03-15T08:00:00Z"][(record % 2) as usize],
        channel: "Security",
    };
    let events: Vec<Logged<'_>> = (1..=40).map(event).collect();
    std::fs::write(scratch.join("old.evtx"), evtx::file(&events)).unwrap();
    let summary = json(windrow(
        scratch,
        &["import", "--output", "json", "old.evtx"],
    ));
    assert_eq!(
        (&summary["events"], &summary["new"]),
        (&40.into(), &40.into())
    );
    40
}

#[test]
fn what_is_kept_no_longer_goes_by_command() {
    let scratch = Scratch::new();
    let all = filled(&scratch);
    let show = || json(windrow(&scratch, &["lake", "show", "--output", "json"]));
    let shown = show();
    assert_eq!(shown[0]["table"], "event_counts");
    assert_eq!(
        (&shown[1]["table"], &shown[1]["rows"]),
        (&"events".into(), &all.into())
    );
    assert_eq!(
        (&shown[1]["keeps"], &shown[1]["next_goes"]),
        (&"forever".into(), &Value::Null)
    );

    configure(
        &scratch,
        "[lake.retention]\nevents = \"90d\"\nevent_text = \"30d\"\n[lake.hold.case-7]\n",
    );
    let expire = |arguments: &[&str]| {
        let fixed = ["lake", "expire", "--output", "json"];
        json(windrow(&scratch, &[&fixed, arguments].concat()))
    };
    let shown = show();
    assert_eq!(
        (&shown[1]["keeps"], &shown[1]["held_by"]),
        (&"90d".into(), &"case-7".into())
    );
    assert_eq!(expire(&[])[1]["rows"], 0, "all is held");
    configure(&scratch, "[lake.retention]\nevent_text = \"30d\"\n");
    let thinned = expire(&[]);
    assert_eq!(
        (&thinned[1]["rows"], &thinned[1]["texts"]),
        (&0.into(), &all.into())
    );
    assert_eq!(
        (
            count(&scratch, "count(*)"),
            count(&scratch, "count(event_xml)")
        ),
        (all, 0)
    );

    configure(&scratch, "[lake.retention]\nevents = \"90d\"\n");
    assert_eq!(expire(&["--dry-run"])[1]["rows"], all);
    assert_eq!(count(&scratch, "count(*)"), all);
    let gone = expire(&[]);
    assert_eq!(
        (&gone[1]["rows"], &gone[1]["files_rewritten"]),
        (&all.into(), &0.into())
    );
    assert_eq!(count(&scratch, "count(*)"), 0);
    let files = windrow(&scratch, &["lake", "files"]).expect(0).stdout;
    assert_eq!(files, "");
    let counts = windrow(&scratch, &["lake", "files", "event_counts"])
        .expect(0)
        .stdout;
    assert!(counts.starts_with("date="), "{counts}");
    let refused = windrow(&scratch, &["lake", "files", "evnts"]).expect(2);
    assert!(
        refused
            .stderr
            .contains("there are counters, event_counts, events, failed_requests, iis"),
        "{}",
        refused.stderr
    );
    windrow(&scratch, &["lake", "compact"]).expect(0);
    windrow(&scratch, &["lake", "vacuum"]).expect(0);
}

#[test]
fn a_service_takes_up_another_retention_at_once() {
    let scratch = Scratch::new();
    let all = filled(&scratch);
    let service = Program::start(&scratch, "service", &["run", "--config", "windrow.toml"]);
    wait_until("the service answers", || {
        windrow(&scratch, &["status"]).code == Some(0)
    });
    assert_eq!(count(&scratch, "count(*)"), all);
    let text = std::fs::read_to_string(scratch.join("windrow.toml")).unwrap();
    scratch.write(
        "windrow.toml",
        &format!("{text}[lake.retention]\nevents = \"90d\"\n"),
    );
    service.signal(Signal::HUP);
    wait_until("what is over is gone", || count(&scratch, "count(*)") == 0);
}

#[test]
fn what_was_too_old_to_import_comes_when_it_is_kept_longer() {
    let scratch = Scratch::new();
    let event = |record| Logged {
        record,
        time: "2024-03-14T13:54:25Z",
        channel: "Security",
    };
    let events: Vec<Logged<'_>> = (1..=5).map(event).collect();
    std::fs::write(scratch.join("old.evtx"), evtx::file(&events)).unwrap();
    let import = || {
        let summary = json(windrow(
            &scratch,
            &["import", "--output", "json", "old.evtx"],
        ));
        ["new", "known", "expired"].map(|name| summary[name].as_u64().unwrap())
    };
    configure(&scratch, "[lake.retention]\nevents = \"90d\"\n");
    assert_eq!(import(), [0, 0, 5]);
    assert_eq!(import(), [0, 0, 5]);
    configure(
        &scratch,
        "[lake.retention]\nevents = \"90d\"\n[lake.hold.case-7]\n",
    );
    assert_eq!(import(), [5, 0, 0]);
    assert_eq!(import(), [0, 5, 0]);
    assert_eq!(count(&scratch, "count(*)"), 5);
}

/// Own events about what was taken out: who, from where, what and how much.
fn on_record(scratch: &Scratch) -> Vec<Value> {
    let sql = "select event_id, event_data['Table'] as tab, event_data['Rows'] as n, event_data['Who'] as who, \
               event_data['From'] as place from events where origin = 'own' and event_id in (15, 16) order by seq";
    let rows = json(windrow(scratch, &["query", "--output", "json", sql]));
    rows.as_array().unwrap().clone()
}

#[test]
fn what_a_command_takes_out_is_on_record_with_and_without_a_service() {
    let scratch = Scratch::new();
    let all = filled(&scratch);
    configure(&scratch, "[lake.retention]\nevents = \"90d\"\n");
    windrow(&scratch, &["lake", "expire", "--dry-run"]).expect(0);
    assert_eq!(on_record(&scratch), [Value::Null; 0]);
    windrow(&scratch, &["lake", "expire"]).expect(0);
    let told = on_record(&scratch);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["event_id"], &told[0]["tab"]),
        (&15.into(), &"events".into())
    );
    assert_eq!(told[0]["n"], all.to_string());
    assert!(told[0]["who"].as_str().unwrap().contains("uid"), "{told:?}");
    assert_eq!(told[0]["place"], "this machine, the service not running");

    // A damaged file, and a service that runs.
    configure(&scratch, "");
    windrow(&scratch, &["import", "old.evtx"]).expect(0);
    let service = Program::start(&scratch, "service", &["run", "--config", "windrow.toml"]);
    wait_until("the service answers", || {
        windrow(&scratch, &["status"]).code == Some(0)
    });
    let files = windrow(&scratch, &["lake", "files", "--absolute"])
        .expect(0)
        .stdout;
    std::fs::write(files.lines().next().unwrap(), "").unwrap();
    let text = std::fs::read_to_string(scratch.join("windrow.toml")).unwrap();
    scratch.write("windrow.toml", &format!("{text}[lake.hold.case-7]\n"));
    let held = windrow(&scratch, &["lake", "check", "--take-out"]).expect(1);
    assert!(
        held.stderr.contains("stays: [lake.hold.case-7]"),
        "{held:?}"
    );
    scratch.write("windrow.toml", &text);
    windrow(&scratch, &["lake", "check", "--take-out"]).expect(1);
    windrow(&scratch, &["lake", "check"]).expect(0);
    let told = on_record(&scratch);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (&told[1]["event_id"], &told[1]["place"]),
        (&16.into(), &"this machine".into())
    );
    let sql = "select verb, object from audit order by time";
    let audit = json(windrow(&scratch, &["query", "--output", "json", sql]));
    assert_eq!(audit[0]["verb"], "expire", "{audit}");
    assert_eq!(
        (&audit[1]["verb"], &audit[1]["object"]),
        (&"take-out".into(), &"lake events".into())
    );
    service.terminate().expect(0);
}

#[test]
fn a_clock_that_jumped_is_not_believed_until_somebody_says_so() {
    let scratch = Scratch::new();
    let all = filled(&scratch);
    let text = "[lake]\nupkeep_after = \"1s\"\n[lake.retention]\nevents = \"90d\"\n";
    configure(&scratch, text);
    let known = "version = 1\ntime = \"2020-01-01T00:00:00Z\"\nup_s = 1\n";
    scratch.write("data/lake/clock.toml", known);
    let service = Program::start(&scratch, "service", &["run", "--config", "windrow.toml"]);
    wait_until("a word about the clock", || {
        service.stderr().contains("the clock is not believed")
    });
    assert_eq!(count(&scratch, "count(*)"), all);
    windrow(&scratch, &["lake", "expire"]).expect(0);
    assert_eq!(count(&scratch, "count(*)"), 0);
    service.terminate().expect(0);
    windrow(&scratch, &["import", "old.evtx"]).expect(0);
    let service = Program::start(&scratch, "again", &["run", "--config", "windrow.toml"]);
    wait_until("the lake to be looked after", || {
        let known = std::fs::read_to_string(scratch.join("data/lake/clock.toml"));
        known.is_ok_and(|known| !known.contains("2020"))
    });
    assert!(!service.stderr().contains("the clock is not believed"));
}
