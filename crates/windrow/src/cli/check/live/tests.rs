//! Each state that a collector can be in, by what the service says of it.

use std::path::Path;

use serde_json::{Value, json};

use super::steps::steps;
use super::*;
use crate::config;

const NOW: &str = "2026-01-01T00:00:00Z";

const CONFIG: &str = r#"
data_dir = "/srv/windrow"
[source.wef.domain]
listen = "0.0.0.0:5985"
hostname = "wec.corp.example"
[source.wef.domain.kerberos]
keytab = "/etc/windrow/windrow.keytab"
[subscription.essential]
baseline = "essential"
"#;

fn config(text: &str) -> Config {
    config::check_text(Path::new("windrow.toml"), text).unwrap()
}

fn status(listen: &str) -> Status {
    let sources = serde_json::json!({"wef.domain": {
        "listen": listen, "machines": 0, "connections": 0, "events": 0, "batches": 0,
        "refused": 0, "refused_by_reason": {}, "by_machine": [],
    }});
    let status = serde_json::json!({
        "version": "1", "started_at": "2026-01-01T00:00:00Z", "now": "2026-01-01T00:00:00Z",
        "configuration": {"file": null, "generation": 1, "loaded_at": "2026-01-01T00:00:00Z", "changed_on_disk": false},
        "journal": {"durable_seq": 0, "bytes": 0, "quota_bytes": 1, "pressure": "normal", "damaged_frames": 0, "dropped_events": 0},
        "sources": sources, "sinks": {}, "lake": null,
    });
    serde_json::from_value(status).unwrap()
}

fn tried(here: &[&str]) -> BTreeMap<String, Tried> {
    let one = Tried {
        addresses: vec!["192.0.2.7".parse().unwrap()],
        here: here
            .iter()
            .map(|address| address.parse().unwrap())
            .collect(),
    };
    BTreeMap::from([("domain".to_owned(), one)])
}

/// A machine as the service tells of it, but for what is said here.
fn machine(name: &str, verdict: &str, said: Value) -> Value {
    let mut machine = json!({
        "name": name, "verdict": verdict, "reason": null, "expected": true, "listener": "wef.domain", "address": null,
        "last_enumerate": null, "last_heartbeat": null, "last_event": null, "events": 0, "events_per_second": 0.0,
        "subscriptions": [], "missing": 0,
    });
    for (key, value) in said.as_object().unwrap() {
        machine[key] = value.clone();
    }
    machine
}

fn report(machines: &[Value], strangers: &[Value]) -> Report {
    let count = |verdict| {
        machines
            .iter()
            .filter(|machine| machine["verdict"] == verdict)
            .count()
    };
    let totals = json!({
        "failing": count("failing"), "never": count("never"), "silent": count("silent"), "late": count("late"),
        "alive": count("alive"),
    });
    let report = json!({
        "now": NOW, "started_at": NOW, "totals": totals, "found": machines.len(), "offset": 0, "machines": machines,
        "strangers": strangers,
    });
    serde_json::from_value(report).unwrap()
}

fn lines(config: &Config, sources: &Report, tried: &BTreeMap<String, Tried>) -> String {
    let steps = steps(config, &status("0.0.0.0:5985"), sources, tried);
    let lines: Vec<_> = steps.iter().map(Step::line).collect();
    lines.join("\n")
}

#[test]
fn nobody_has_come() {
    let sources = report(&[], &[]);
    let tried = tried(&["192.0.2.7"]);
    insta::assert_snapshot!(lines(&config(CONFIG), &sources, &tried));
}

#[test]
fn somebody_is_refused() {
    let stranger = json!({
        "address": "192.0.2.9", "claims": "WS1$@CORP.EXAMPLE", "issuer": null, "listener": "wef.domain",
        "reason": {"code": "wrong_service", "words": "refused once: its ticket is for another name", "cure": "add it to the keytab"},
        "lasting": true, "count": 1, "first": NOW, "last": NOW,
    });
    let mut probe = stranger.clone();
    (probe["lasting"], probe["address"]) = (false.into(), "192.0.2.10".into());
    probe["last"] = "2026-01-01T01:00:00Z".into();
    let first_ticket = |strangers: &[Value]| {
        let lines = lines(
            &config(CONFIG),
            &report(&[], strangers),
            &tried(&["192.0.2.7"]),
        );
        let mut lines = lines.lines();
        let line = lines.find(|line| line.contains("first ticket"));
        line.unwrap().to_owned()
    };
    insta::assert_snapshot!(first_ticket(&[stranger, probe.clone()]));
    let probed = first_ticket(&[probe]);
    assert!(probed.starts_with("NotYet "), "{probed}");
}

#[test]
fn a_name_that_leads_elsewhere_is_right_once_a_machine_has_come() {
    let name = |machines: &[Value], tried: &[&str], address: &str| {
        let mut tried = self::tried(tried);
        let one = tried.get_mut("domain").unwrap();
        one.addresses = address.parse().into_iter().collect();
        let lines = lines(&config(CONFIG), &report(machines, &[]), &tried);
        let mut lines = lines.lines();
        let line = lines.find(|line| line.contains("wef.domain name"));
        line.unwrap().split(' ').next().unwrap().to_owned()
    };
    let came = machine("WS1$@CORP.EXAMPLE", "alive", json!({"last_enumerate": NOW}));
    for address in ["", "192.0.2.8"] {
        assert_eq!(name(&[], &[], address), "NotYet", "{address}");
        assert_eq!(
            name(std::slice::from_ref(&came), &[], address),
            "Done",
            "{address}"
        );
    }
    assert_eq!(name(&[], &["192.0.2.8"], "192.0.2.8"), "Done");
}

#[test]
fn all_is_done_when_an_event_has_come() {
    let said = json!({"last_enumerate": NOW, "last_event": NOW, "subscriptions": ["essential"]});
    let well = machine("WS1$@CORP.EXAMPLE", "alive", said);
    let sources = report(std::slice::from_ref(&well), &[]);
    let tried = tried(&[]);
    insta::assert_snapshot!(lines(&config(CONFIG), &sources, &tried));
    let running = steps(&config(CONFIG), &status("0.0.0.0:5985"), &sources, &tried);
    assert!(is_done(&running));
    // One more that is expected and was never heard of, and one that fails, and it is not.
    let reason = |words: &str| json!({"listener": null, "reason": {"code": "x", "words": words, "cure": "mend it"}});
    let never = machine(
        "WS2",
        "never",
        reason("it is expected and has never asked for its subscriptions"),
    );
    let failing = machine(
        "WS3$@CORP.EXAMPLE",
        "failing",
        reason("it may not read Security"),
    );
    let sources = report(&[failing, never, well], &[]);
    let steps = steps(&config(CONFIG), &status("0.0.0.0:5985"), &sources, &tried);
    assert!(!is_done(&steps));
    let last: Vec<_> = steps.iter().skip(7).map(Step::line).collect();
    insta::assert_snapshot!(last.join("\n"));
}

#[test]
fn those_beyond_an_answer_are_counted_too() {
    let machines: Vec<Value> = (0..60)
        .map(|number| machine(&format!("ws{number}"), "never", json!({})))
        .collect();
    let mut sources = report(&machines, &[]);
    (sources.totals.never, sources.totals.alive, sources.found) = (20_000, 7, 20_007);
    let steps = steps(
        &config(CONFIG),
        &status("0.0.0.0:5985"),
        &sources,
        &tried(&[]),
    );
    let last: Vec<_> = steps.iter().rev().take(2).map(Step::line).collect();
    insta::assert_snapshot!(last.join("\n"), @"
    Done machines: 7 of 20007 are well
    NotYet machines: 19950 more are not well -> `windrow sources` has them all
    ");
}

#[test]
fn an_address_that_machines_do_not_reach_fails() {
    let text = CONFIG.replace("0.0.0.0", "127.0.0.1");
    let tried = tried(&["192.0.2.7"]);
    let lines = lines(&config(&text), &report(&[], &[]), &tried);
    let failed: Vec<_> = lines
        .lines()
        .filter(|line| line.starts_with("Failed"))
        .collect();
    insta::assert_snapshot!(failed.join("\n"));
}

#[test]
fn a_listener_that_the_service_does_not_have_fails() {
    let mut status = status("0.0.0.0:5985");
    status.sources.clear();
    let steps = steps(
        &config(CONFIG),
        &status,
        &report(&[], &[]),
        &BTreeMap::new(),
    );
    let lines: Vec<_> = steps.iter().map(Step::line).collect();
    insta::assert_snapshot!(lines.join("\n"));
}
