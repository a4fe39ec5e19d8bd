//! As many machines as one collector is to have: nothing is lost or comes twice, whatever becomes of
//! the collector, of clocks, names and logs.

use std::path::{Path, PathBuf};

use crate::support::ledger::{Ledger, distinct, repeated};
use crate::support::memory::{environment_of_unit, sample};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

const MACHINES: u64 = 500;

/// The most memory that the development build may ever have with them, some 80 MiB of it the program's own pages.
const PEAK_KIB_MAX: u64 = 256 << 10;

/// How much more there may be of it when two thirds of the events have come than at one third.
const GROWTH_KIB_MAX: u64 = 32 << 10;

/// Events until the collector is killed.
const EVENTS: u64 = 30_000;

/// Where Debian puts the library that gives a process another clock.
const OTHER_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[test]
fn five_hundred_machines_go_on_when_the_collector_is_killed() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    for (name, value) in environment_of_unit() {
        service.environment(&name, &value);
    }
    let patience = "retry_interval = \"1s\"\nretry_count = 60\n";
    service.reconfigure("retry_interval = \"1s\"\n", patience);
    service.start();
    let machines = MACHINES.to_string();
    let mut words = vec!["--machines", &machines, "--rate", "4", "--for", "10m"];
    // All come from one address, of which the collector takes 512 connections: no machine may need a second one
    // while all have their first.
    words.extend(["--starts", "25", "--refresh", "10m"]);
    let mut fleet = service.fleet("fleet", &words);
    wait_until("every machine to be connected", || {
        service.peers().len() as u64 >= MACHINES
    });
    let events = "windrow_wef_events_total";
    wait_until("a third of the events", || {
        service.metric(events) >= EVENTS / 3
    });
    let before = sample(service.program().id());
    wait_until("the others", || service.metric(events) >= EVENTS);
    let after = sample(service.program().id());
    eprintln!(
        "VmRSS {} MiB, then {} MiB; VmHWM {} MiB",
        before.resident >> 10,
        after.resident >> 10,
        after.peak >> 10
    );
    assert!(after.peak <= PEAK_KIB_MAX, "{} KiB at its peak", after.peak);
    assert!(
        after.resident <= before.resident + GROWTH_KIB_MAX,
        "it grows"
    );
    assert_eq!(server_errors(&service), [""; 0]);
    assert_eq!(service.metric("windrow_wef_duplicate_events_total"), 0);

    service.kill();
    service.start();
    let then = fleet.ledger();
    wait_until("every machine to go on", || {
        let now = fleet.ledger();
        let (then, now) = (then.by_machine(), now.by_machine());
        now.len() as u64 == MACHINES
            && now
                .iter()
                .all(|(machine, count)| then.get(machine) < Some(count))
    });
    assert!(fleet.is_running());
    assert_eq!(server_errors(&service), [""; 0]);
    let (ledger, summary) = fleet.stop_with_summary();
    // What came again was on disk and its acknowledgement was not sent, or had not arrived.
    let came_again = service.metric("windrow_wef_duplicate_events_total");
    assert!(
        came_again <= summary["resent"].as_u64().unwrap(),
        "{came_again} of {summary}"
    );
    // Each began anew once: all went on from their bookmarks.
    assert_eq!(summary["bookkeeping"], MACHINES, "{summary}");
    assert!(
        !summary["faults"].to_string().contains("http 5"),
        "{summary}"
    );
    eprintln!("{came_again} events came again: {summary}");
    all_there(&service, &[&ledger]);
    service.terminate().expect(0);
}

#[test]
fn clocks_that_jump_by_a_day_lose_nothing() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let collector = Clock::of(&mut service);
    service.start();
    // The machines' clocks: right, a day ahead, then back by two.
    let usual = ["--machines", "5", "--events", "60", "--rate", "max"];
    let mut ledgers = Vec::new();
    for (name, jump) in [
        ("right", None),
        ("ahead", Some("1d")),
        ("behind", Some("-1d")),
    ] {
        let mut words = usual.to_vec();
        words.extend(jump.iter().flat_map(|jump| ["--clock", jump]));
        let (ledger, summary) = service.fleet(name, &words).finish_with_summary();
        let begun_anew = if jump.is_none() { 5 } else { 0 };
        assert_eq!(summary["bookkeeping"], begun_anew, "{name}: {summary}");
        assert_eq!(ledger.count(), 5 * 60);
        ledgers.push(ledger);
    }
    // The collector's clock, while machines send.
    let mut fleet = None;
    if let Some(collector) = collector {
        let running = service.fleet("on", &["--machines", "5", "--rate", "20", "--for", "10m"]);
        for jump in ["+1d", "-1d", "+0"] {
            collector.set(jump);
            let before = running.ledger().count();
            wait_until("events after the jump", || {
                running.ledger().count() > before + 500
            });
        }
        fleet = Some(running);
    }
    // And once more while it is down.
    service.kill();
    service.start();
    if let Some(running) = fleet {
        let before = running.ledger().count();
        wait_until("events after the restart", || {
            running.ledger().count() > before + 500
        });
        let (ledger, summary) = running.stop_with_summary();
        assert_eq!(summary["bookkeeping"], 0, "{summary}");
        ledgers.push(ledger);
        let days = service.query(
            "select count(distinct substr(cast(received_at as string), 1, 10)) n from events \
             where origin = 'wef'",
        );
        assert!(days[0]["n"].as_u64().unwrap() >= 3, "{days:?}");
    }
    all_there(&service, &ledgers.iter().collect::<Vec<_>>());
    service.terminate().expect(0);
}

#[test]
fn a_machine_with_a_new_name_begins_anew_and_the_old_one_keeps_its_place() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let old = service.certificate_of("ws1.corp.example", "ws1.corp.example");
    let new = service.certificate_of("ws1.corp.example", "lab-1.corp.example");
    let mut ledgers = Vec::new();
    // Another seed is another place in the logs.
    for (name, certificate, seed, begun_anew) in [
        ("old", &old, "1", 1),
        ("new", &new, "2", 1),
        ("old-again", &old, "1", 0),
    ] {
        let words = ["--events", "80", "--rate", "max", "--seed", seed];
        let fleet = service.fleet_with(name, certificate, &words);
        let (ledger, summary) = fleet.finish_with_summary();
        assert_eq!(summary["bookkeeping"], begun_anew, "{name}: {summary}");
        assert_eq!(ledger.count(), 80);
        ledgers.push(ledger);
    }
    all_there(&service, &ledgers.iter().collect::<Vec<_>>());
    assert_eq!(
        events_by_source(&service),
        [
            "lab-1.corp.example ws1.corp.example 80",
            "ws1.corp.example ws1.corp.example 160"
        ]
    );
    service.terminate().expect(0);
}

#[test]
fn two_machines_with_one_name_lose_nothing_to_each_other() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let one = service.certificate_of("ws1.corp.example", "twin.corp.example");
    let other = service.certificate_of("ws2.corp.example", "twin.corp.example");
    // Both at once, so that each is offered the place of the other one, which its log may not have.
    let usual = [
        "--events",
        "300",
        "--rate",
        "60",
        "--refresh",
        "1s",
        "--new-logs",
    ];
    let begin = |name: &str, certificate: &Path, seed: &str| {
        let words: Vec<&str> = usual.iter().copied().chain(["--seed", seed]).collect();
        service.fleet_with(name, certificate, &words)
    };
    let fleets = [begin("one", &one, "1"), begin("other", &other, "2")];
    let ledgers = fleets.map(|fleet| fleet.finish());
    for ledger in &ledgers {
        assert_eq!(ledger.count(), 300);
    }
    all_there(&service, &ledgers.iter().collect::<Vec<_>>());
    assert_eq!(
        events_by_source(&service),
        [
            "twin.corp.example ws1.corp.example 300",
            "twin.corp.example ws2.corp.example 300"
        ]
    );
    nothing_is_missing(&scratch, &service, "twin.corp.example");
    service.terminate().expect(0);
}

/// Ids of two logs under one name are no gaps and no log that was cleared: what is said is that there are two.
fn nothing_is_missing(scratch: &Scratch, service: &Service<'_>, machine: &str) {
    let mut arguments = service.arguments("sources");
    arguments.extend([machine, "--output", "json"].map(str::to_owned));
    let shown: serde_json::Value = serde_json::from_str(&run(scratch, &arguments).stdout).unwrap();
    assert_eq!(shown["missing"], 0, "{shown}");
    let notes = shown["detail"]["notes"].as_array().unwrap();
    let codes: Vec<&str> = notes
        .iter()
        .filter_map(|note| note["code"].as_str())
        .collect();
    assert!(codes.contains(&"other_computer"), "{codes:?}");
    assert!(!codes.contains(&"log_restarted"), "{codes:?}");
}

#[test]
fn a_bookmark_that_is_in_no_log_any_more_is_noticed_and_nothing_mistaken() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let before = service
        .fleet(
            "before",
            &["--machines", "1", "--events", "100", "--rate", "max"],
        )
        .finish();
    // The same ids again, in logs that were made anew, for other events.
    let words = [
        "--machines",
        "1",
        "--events",
        "40",
        "--rate",
        "max",
        "--new-logs",
    ];
    let (after, summary) = service.fleet("after", &words).finish_with_summary();
    assert_eq!((before.count(), after.count()), (100, 40));
    assert_eq!(summary["bookkeeping"], 1, "{summary}");
    assert_eq!(
        service.metric("windrow_wef_unexpected_bookmark_events_total"),
        1
    );
    wait_until("a word about it", || {
        let rows =
            service.query("select message from events where origin = 'own' and event_id = 20");
        rows.len() == 1
    });
    wait_until("every record in the lake", || {
        let lake = service.lake();
        let times: u32 = lake.values().flat_map(|records| records.values()).sum();
        distinct(&lake) == 100 && times == 140 && after.missing(&lake).is_empty()
    });
    service.terminate().expect(0);
}

/// Nothing that was acknowledged is missing, and nothing is there twice.
fn all_there(service: &Service<'_>, ledgers: &[&Ledger]) {
    wait_until("every record in the lake", || {
        let lake = service.lake();
        ledgers
            .iter()
            .all(|ledger| ledger.missing(&lake).is_empty())
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
}

/// Requests that were answered with a status of 500 and above.
fn server_errors(service: &Service<'_>) -> Vec<String> {
    let metrics = service.get("/metrics").unwrap();
    let requests = metrics.lines().filter(|line| {
        line.starts_with("windrow_wef_requests_total{") && line.contains("status=\"5")
    });
    requests.map(str::to_owned).collect()
}

/// Who delivered, what it calls itself, and how many events.
fn events_by_source(service: &Service<'_>) -> Vec<String> {
    let rows = service.query(
        "select concat(source, ' ', computer, ' ', count(*)) line from events \
         where origin = 'wef' and record_id is not null group by source, computer order by 1",
    );
    rows.iter()
        .map(|row| row["line"].as_str().unwrap().to_owned())
        .collect()
}

/// The clock of a collector that is not its computer's.
struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Has `service` start with one; `None` if that cannot be done here.
    fn of(service: &mut Service<'_>) -> Option<Clock> {
        let found = Path::new(OTHER_CLOCK).is_file();
        assert!(
            found || std::env::var_os("CI").is_none(),
            "libfaketime is not installed"
        );
        if !found {
            eprintln!("skipped: libfaketime is not installed (./test installs it)");
            return None;
        }
        let clock = Clock {
            file: service.scratch().join("clock"),
        };
        clock.set("+0");
        for (name, value) in [
            ("LD_PRELOAD", OTHER_CLOCK),
            ("FAKETIME_TIMESTAMP_FILE", &clock.file.to_string_lossy()),
            ("FAKETIME_CACHE_DURATION", "1"),
            // What a jump leaves alone: the time since the start.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ] {
            service.environment(name, value);
        }
        Some(clock)
    }

    /// Has it jump to so much before or after the computer's.
    fn set(&self, jump: &str) {
        std::fs::write(&self.file, jump).unwrap();
    }
}
