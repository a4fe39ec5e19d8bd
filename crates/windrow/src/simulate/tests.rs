//! The fleet against a small collector that keeps what it gets in memory.

mod collector;

use std::time::Duration;

use windrow_formats::wsman::reply::ContentFormat;

use self::collector::{Collector, Plan};
use super::events::Hostility;
use super::*;
use crate::pki::Authority;

fn options(collector: &Collector, machines: usize) -> Options {
    let made = Machines::Made {
        count: machines,
        authority: Arc::clone(&collector.authority),
    };
    let mut options = Options::new(
        collector.url(),
        collector.authority.certificate_pem().to_owned(),
        made,
    );
    options.rate = Rate::Unlimited;
    options.events = Some(200);
    options.refresh = Duration::from_millis(50);
    options.retry_at_most = Some(Duration::from_millis(5));
    options
}

async fn run_fleet(options: Options) -> Outcome {
    run(options, watch::Sender::default(), CancellationToken::new())
        .await
        .unwrap()
}

/// Runs the fleet until its progress is as wanted, then shuts it down.
async fn run_fleet_until(options: Options, is_enough: impl Fn(&Progress) -> bool) -> Outcome {
    let (sender, mut receiver) = watch::channel(Progress::default());
    let shutdown = CancellationToken::new();
    let watching = async {
        receiver.wait_for(is_enough).await.unwrap();
        shutdown.cancel();
    };
    let (outcome, ()) = tokio::join!(run(options, sender, shutdown.clone()), watching);
    outcome.unwrap()
}

/// Every record that was made was acknowledged, and what was acknowledged is with the collector.
fn assert_whole(collector: &Collector, outcome: &Outcome) {
    assert_eq!(outcome.ledger.generated(), outcome.summary.generated);
    assert_eq!(outcome.ledger.acknowledged(), outcome.ledger.generated());
    assert_eq!(
        outcome.ledger.missing(&collector.received().records),
        [].into()
    );
}

#[tokio::test]
async fn a_fleet_sends_all_it_writes() {
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 3);
    options.refresh = Duration::from_secs(60);
    let outcome = run_fleet(options).await;
    assert_whole(&collector, &outcome);
    let (summary, received) = (&outcome.summary, collector.received());
    assert_eq!(
        (summary.generated, summary.acknowledged, summary.sent),
        (600, 600, 600)
    );
    assert_eq!(
        (summary.resent, summary.bookkeeping, summary.subscribed),
        (0, 3, 3)
    );
    assert_eq!(summary.faults, [].into());
    assert_eq!(
        (received.again, received.openings, received.ends),
        (0, 3, 3)
    );
    assert_eq!(received.largest_batch, 50);
    assert!(summary.wire_bytes * 2 < summary.clear_bytes, "{summary:?}");
    assert!(summary.ack_p50_ms > 0.0 && summary.ack_p50_ms <= summary.ack_p99_ms);
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again() {
    let plan = Plan {
        refuse_every: Some(3),
        hang_up_every: Some(5),
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let outcome = run_fleet(options(&collector, 4)).await;
    assert_whole(&collector, &outcome);
    let received = collector.received();
    assert!(outcome.summary.resent > 0 && received.again == outcome.summary.resent);
    assert!(
        outcome.summary.faults.contains_key("http 500"),
        "{:?}",
        outcome.summary.faults
    );
    assert!(
        outcome
            .summary
            .faults
            .keys()
            .any(|kind| kind.contains("closed"))
    );
}

#[tokio::test]
async fn after_the_last_try_it_goes_on_from_the_collectors_bookmark() {
    let plan = Plan {
        retry_count: 1,
        refuse_deliveries: 4..10,
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 1);
    options.events = Some(1_000);
    let outcome = run_fleet(options).await;
    assert_whole(&collector, &outcome);
    // The second to fourth Enumerate found a bookmark, so that no second event 111 came.
    assert_eq!(collector.received().openings, 1);
    assert!(collector.received().enumerations >= 4);
}

#[tokio::test]
async fn a_second_run_goes_on_where_the_first_ended() {
    let collector = Collector::start(Plan::default()).await;
    let first = run_fleet(options(&collector, 2)).await;
    let second = run_fleet(options(&collector, 2)).await;
    assert_whole(&collector, &second);
    let received = collector.received();
    assert_eq!((received.again, received.openings), (0, 2));
    for (log, account) in &second.ledger.accounts {
        let before = first.ledger.accounts[log].generated.ranges()[0];
        assert_eq!(account.generated.ranges()[0].0, before.1 + 1);
    }
}

#[tokio::test]
async fn logs_made_anew_do_not_know_the_collectors_bookmark() {
    let collector = Collector::start(Plan::default()).await;
    let first = run_fleet(options(&collector, 2)).await;
    let mut anew = options(&collector, 2);
    anew.logs = Logs::Anew;
    let second = run_fleet(anew).await;
    assert_whole(&collector, &second);
    // Each machine said so, and wrote the same ids again.
    assert_eq!(collector.received().openings, 4);
    assert_eq!(first.ledger, second.ledger);
    assert_eq!(collector.received().again, 400);
}

#[tokio::test]
async fn a_machine_may_have_another_clock() {
    let collector = Collector::start(Plan::default()).await;
    let mut ahead = options(&collector, 1);
    ahead.clock_ahead = jiff::SignedDuration::from_hours(24);
    let before = jiff::Timestamp::now();
    let outcome = run_fleet(ahead).await;
    assert_whole(&collector, &outcome);
    let first = collector.received().first_time.unwrap();
    let hours = first.duration_since(before).as_secs() / 3600;
    assert_eq!(hours, 24, "{first}");
}

#[tokio::test]
async fn rendered_hostile_events_arrive_uncompressed() {
    let plan = Plan {
        content: ContentFormat::RenderedText,
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 2);
    options.hostility = Hostility::Hostile;
    options.never_compress = true;
    let outcome = run_fleet(options).await;
    assert_whole(&collector, &outcome);
    assert_eq!(
        outcome.summary.wire_bytes.div_ceil(2),
        outcome.summary.wire_bytes / 2
    );
    let received = collector.received();
    assert!(
        received.lossy > 0 && received.rendered > 200,
        "{received:?}"
    );
}

#[tokio::test]
async fn an_envelope_holds_no_more_than_it_may() {
    let plan = Plan {
        max_elements: None,
        envelope_bytes: 60_000,
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let outcome = run_fleet(options(&collector, 1)).await;
    assert_whole(&collector, &outcome);
    let largest = collector.received().largest_envelope;
    assert!((30_000..=60_000).contains(&largest), "{largest}");
}

#[tokio::test]
async fn existing_events_come_only_when_they_are_wanted() {
    for read_existing in [false, true] {
        let plan = Plan {
            read_existing,
            ..Plan::default()
        };
        let collector = Collector::start(plan).await;
        let mut options = options(&collector, 1);
        options.existing = 30;
        let outcome = run_fleet(options).await;
        assert_whole(&collector, &outcome);
        let expected = if read_existing { 290 } else { 200 };
        assert_eq!(outcome.summary.acknowledged, expected);
    }
}

#[tokio::test]
async fn a_silent_machine_sends_heartbeats() {
    let plan = Plan {
        heartbeat: Duration::from_millis(20),
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 2);
    options.rate = Rate::PerMachine(0.000_1);
    let outcome = run_fleet_until(options, |progress| progress.heartbeats > 4).await;
    assert_whole(&collector, &outcome);
}

#[tokio::test]
async fn an_event_waits_no_longer_than_it_may() {
    let plan = Plan {
        max_time: Duration::from_millis(30),
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 2);
    options.rate = Rate::PerMachine(2.0);
    options.events = None;
    // A full delivery would come after 25 seconds.
    let outcome = run_fleet_until(options, |progress| progress.acknowledged > 0).await;
    assert_whole(&collector, &outcome);
    assert!(collector.received().largest_batch < 50);
}

#[tokio::test]
async fn a_machine_whose_events_are_used_up_stays_until_its_time_is_over() {
    let plan = Plan {
        heartbeat: Duration::from_millis(20),
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 1);
    options.duration = Some(Duration::from_secs(3600));
    let outcome = run_fleet_until(options, |progress| progress.heartbeats > 0).await;
    assert_whole(&collector, &outcome);
    assert_eq!(outcome.summary.acknowledged, 200);
}

#[tokio::test]
async fn a_changed_subscription_is_ended_and_begun_again() {
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 1);
    options.rate = Rate::PerMachine(500.0);
    options.events = None;
    // Without a goodbye it fails here and does not wait for ever.
    options.duration = Some(Duration::from_secs(60));
    let changing = async {
        while collector.received().deliveries < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        collector.change_version();
    };
    let until_ended = run_fleet_until(options, |_| collector.received().goodbyes > 0);
    let (outcome, ()) = tokio::join!(until_ended, changing);
    assert_whole(&collector, &outcome);
    assert_eq!(collector.received().goodbyes, 1);
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_a_fault_and_the_fleet_ends() {
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 1);
    options.connect_to = Some(([127, 0, 0, 1], 1).into());
    let outcome = run_fleet_until(options, |progress| !progress.faults.is_empty()).await;
    assert!(
        outcome
            .summary
            .faults
            .keys()
            .all(|kind| kind.starts_with("enumerate: connect"))
    );
    assert_eq!(
        (outcome.summary.generated, outcome.ledger.accounts.len()),
        (0, 0)
    );
}

#[tokio::test]
async fn a_stranger_gets_no_further_than_the_handshake() {
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 1);
    let authority = Arc::new(Authority::new("Another CA").unwrap());
    options.machines = Machines::Made {
        count: 1,
        authority,
    };
    run_fleet_until(options, |progress| !progress.faults.is_empty()).await;
    assert_eq!(collector.received().enumerations, 0);
}

#[tokio::test]
async fn the_time_of_a_fleet_is_limited() {
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 1);
    options.events = None;
    options.duration = Some(Duration::from_millis(300));
    let outcome = run_fleet(options).await;
    assert_whole(&collector, &outcome);
}

#[tokio::test]
async fn what_was_written_before_the_end_is_sent_though_nobody_looked() {
    let plan = Plan {
        max_time: Duration::from_secs(3600),
        max_elements: None,
        ..Plan::default()
    };
    let collector = Collector::start(plan).await;
    let mut options = options(&collector, 1);
    options.rate = Rate::PerMachine(100.0);
    options.events = None;
    options.batch_events = Some(5_000);
    let begun = std::cell::Cell::new(None);
    let outcome = run_fleet_until(options, |progress| {
        if progress.bookkeeping > 0 && begun.get().is_none() {
            begun.set(Some(progress.seconds));
        }
        begun
            .get()
            .is_some_and(|begun| progress.seconds - begun >= 0.25)
    })
    .await;
    assert_whole(&collector, &outcome);
    assert!(outcome.summary.generated >= 25, "{:?}", outcome.summary);
}

#[tokio::test]
async fn a_channel_that_comes_later_is_not_replayed() {
    const HOUR: u64 = 3600 * self::events::TICKS_PER_SECOND;
    let collector = Collector::start(Plan::default()).await;
    let mut options = options(&collector, 1);
    options.existing = 24;
    let world = Arc::new(World::new(options));
    let host = Host::new(&world, 0);
    let now = world.clock.ticks();
    let query = "<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select></Query></QueryList>";
    let since = i64::try_from((now - 6 * HOUR - HOUR / 2) / 10_000).unwrap();
    let since = jiff::Timestamp::from_millisecond(since).unwrap();
    let with = windrow_formats::wef::query::with_history_suppressed;
    let query = with(query, &["System"], since).unwrap();
    let offered = windrow_formats::wsman::client::Subscription {
        notify_to: "https://c.example:5986/wsman/subscriptions/1".into(),
        query: &query,
        bookmark: Some("<BookmarkList><Bookmark Channel='Security' RecordId='1'/></BookmarkList>"),
        ..Default::default()
    };
    let offer = self::offer::Offer::new(&offered, &world.options.adjustments()).unwrap();
    let beginning = host.begin(&offer);
    let waiting = host.read(&beginning.position, 1_000);
    let old = |channel| {
        waiting
            .iter()
            .filter(|record| record.channel == channel)
            .count()
    };
    assert_eq!(
        old(events::Channel::Security),
        24,
        "the bookmark's place is long before"
    );
    assert_eq!(old(events::Channel::System), 6, "an event an hour");
}

#[tokio::test]
async fn the_ledger_is_kept_in_a_file() {
    let collector = Collector::start(Plan::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.ndjson");
    let mut options = options(&collector, 2);
    options.ledger = Some(path.clone());
    let outcome = run_fleet(options).await;
    let file = std::fs::read(&path).unwrap();
    assert_eq!(Ledger::read(&mut file.as_slice()).unwrap(), outcome.ledger);

    let mut options = self::options(&collector, 1);
    options.ledger = Some(dir.path().join("missing/ledger.ndjson"));
    let result = run(options, watch::Sender::default(), CancellationToken::new()).await;
    assert!(matches!(result, Err(SimulateError::Ledger { .. })));
}
