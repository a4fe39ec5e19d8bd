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
