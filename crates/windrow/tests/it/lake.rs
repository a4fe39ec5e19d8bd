//! A lake that is away for a while, and questions that take long: the collector goes on.

use std::fs;

use crate::support::ledger::repeated;
use crate::support::program::run;
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
