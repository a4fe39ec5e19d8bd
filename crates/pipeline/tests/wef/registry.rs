//! What the collector knows of its machines: kept over a restart, and what their events tell beside.

use jiff::{SignedDuration, Timestamp};
use windrow_formats::wef::audience::Audience;
use windrow_formats::wsman::client;
use windrow_pipeline::journal::{Entry, Journal, JournalOptions, StateChange};
use windrow_pipeline::sources::wef::{
    Contact, KEPT_PREFIX, Listeners, Proofs, QueryList, Refusal, Subscription, kept_contacts,
};

use crate::harness::*;

/// An event of Security, as harness::event, written at a moment.
fn written(record_id: u64, at: Timestamp) -> String {
    event(record_id).replace("2026-01-02T03:04:05.0000000Z", &at.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_heard_of_is_known_after_a_restart() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut machine = bench.source(&running, "WS7.Corp.Example").await;
    machine.enumerate().await;
    assert!(machine.heartbeat("base").await.is_ack());
    let before = running.collector.sources();
    let journal = running.journal.clone();
    running.stop().await;
    // What no service has to run for.
    let contacts = kept_contacts(&journal.states(KEPT_PREFIX));
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].name, "WS7.Corp.Example");
    drop(journal);

    let running = bench.start().await;
    let [known] = &running.collector.sources()[..] else {
        panic!("{:?}", running.collector.sources());
    };
    assert_eq!(
        (&*known.source, known.address),
        ("WS7.Corp.Example", before[0].address)
    );
    let millisecond = |at: Option<Timestamp>| at.unwrap().as_millisecond();
    assert_eq!(
        millisecond(known.last_enumerate),
        millisecond(before[0].last_enumerate)
    );
    assert_eq!(
        millisecond(known.last_heartbeat),
        millisecond(before[0].last_heartbeat)
    );
    assert_eq!((known.last_events, &known.offered), (None, &None));
    running.stop().await;
    assert!(bench.stored().is_empty(), "contacts are no events");
}

/// The name of every machine that a collector of this name knows.
async fn known_at(bench: &mut Bench, own: &str) -> Vec<String> {
    let both = ["wef.a", "wef.b"].map(|name| (name.to_owned(), Proofs::Certificates));
    bench.listeners = Listeners::new(own, both);
    let running = bench.start().await;
    let known = running.collector.sources();
    running.stop().await;
    known.iter().map(|known| known.source.clone()).collect()
}

/// Changes what the journal keeps while no collector runs.
async fn keep(bench: &Bench, key: &str, value: Option<Vec<u8>>) {
    let journal = JournalOptions::new(bench.folder.path().join("journal"));
    let (journal, _) = Journal::open(journal).unwrap();
    match value {
        None => journal.forget(key).await.unwrap(),
        value => {
            let state = Some(StateChange {
                key: key.to_owned(),
                value,
            });
            let entry = Entry {
                body: Vec::new(),
                events: 0,
                state,
            };
            journal.append(entry).await.unwrap();
        }
    }
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_machine_is_known_at_one_listener_as_it_is_spelled() {
    let mut bench = Bench::new();
    let both = ["wef.a", "wef.b"].map(|name| (name.to_owned(), Proofs::Certificates));
    bench.listeners = Listeners::new("wef.b", both);
    let running = bench.start().await;
    let mut machine = bench.source(&running, "WS7.Corp.Example").await;
    assert!(
        machine
            .deliver("base", 1, [event(1).as_str()])
            .await
            .is_ack()
    );
    running.stop().await;
    assert_eq!(known_at(&mut bench, "wef.a").await, [] as [&str; 0]);
    assert_eq!(known_at(&mut bench, "wef.b").await, ["WS7.Corp.Example"]);

    // Killed before it was kept, it is known by its bookmark alone, until it comes.
    let key = "wef/contact/ws7.corp.example";
    keep(&bench, key, None).await;
    assert_eq!(known_at(&mut bench, "wef.b").await, [] as [&str; 0]);
    keep(&bench, key, None).await;
    bench.listeners = Listeners::default();
    let running = bench.start().await;
    let name = || running.collector.sources()[0].source.clone();
    assert_eq!(name(), "ws7.corp.example");
    let mut machine = bench.source(&running, "WS7.Corp.Example").await;
    machine.enumerate().await;
    assert_eq!(name(), "WS7.Corp.Example");
    running.stop().await;
    assert_eq!(known_at(&mut bench, "wef.a").await, ["WS7.Corp.Example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_goes_to_another_listener_and_back_loses_and_repeats_nothing() {
    let mut bench = Bench::new();
    let both = ["wef.a", "wef.b"].map(|name| (name.to_owned(), Proofs::Certificates));
    bench.listeners = Listeners::new("wef.a", both.clone());
    let a = bench.start().await;
    bench.listeners = Listeners::new("wef.b", both);
    let b = bench.start_on(a.journal.clone()).await;
    for (running, ids) in [(&a, 1..3), (&b, 3..6), (&a, 3..6), (&a, 6..7), (&b, 7..8)] {
        let mut machine = bench.source(running, SOURCE).await;
        let last = ids.end - 1;
        let answer = machine.deliver("base", last, strs(&events(ids))).await;
        assert!(answer.is_ack());
    }
    for running in [&a, &b] {
        let known = running.collector.sources();
        let counts = known[0].subscriptions["base"];
        assert_eq!((counts.missing, counts.restarts), (0, 0));
    }
    let from = a
        .collector
        .bookmark(SOURCE, bench.subscriptions[0].id)
        .unwrap();
    assert!(from.contains("RecordId=\"7\""), "{from}");
    b.shutdown.cancel();
    b.task.await.unwrap();
    drop((b.collector, b.journal));
    a.stop().await;
    assert_eq!(bench.stored().len(), 7, "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_versions_have_kept_of_machines_is_read_or_left() {
    let bench = Bench::new();
    // Version 1: an account as it was spelled after a restart, asked at a moment.
    let mut first = vec![1];
    first.extend_from_slice(&1_700_000_000_000_i64.to_le_bytes());
    first.extend_from_slice(&i64::MIN.to_le_bytes().repeat(2));
    first.extend_from_slice(&[0; 16]);
    first.extend_from_slice(b"m1$@corp.example");
    keep(&bench, "wef/contact/m1$@corp.example", Some(first)).await;
    let mut newer = Contact::default().encode();
    newer[0] += 1;
    let key = format!("wef/contact/{SOURCE}");
    keep(&bench, &key, Some(newer.clone())).await;

    let running = bench.start().await;
    let names = || {
        let known = running.collector.sources();
        let names = known.iter().map(|known| known.source.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(), ["M1$@CORP.EXAMPLE"]);
    let mut source = bench.source(&running, SOURCE).await;
    source.enumerate().await;
    assert_eq!(names(), ["M1$@CORP.EXAMPLE", SOURCE]);
    let journal = running.journal.clone();
    running.stop().await;
    assert_eq!(journal.state(&key), Some(newer), "it is left as it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_before_the_collector_are_counted() {
    let mut bench = Bench::new();
    let narrow =
        "<QueryList><Query><Select Path='Security'>*[System[Level=1]]</Select></Query></QueryList>";
    bench
        .subscriptions
        .push(Subscription::new("narrow", QueryList::new(narrow).unwrap()));
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    for subscription in ["base", "narrow"] {
        let ids = [events(1..4), events(10..12)].concat();
        assert!(source.deliver(subscription, 11, strs(&ids)).await.is_ack());
    }
    let counts = |subscription: &str| running.collector.sources()[0].subscriptions[subscription];
    assert_eq!((counts("base").missing, counts("base").gaps), (6, 1));
    assert!(counts("base").last_gap.is_some());
    assert_eq!(counts("narrow").missing, 0, "there a gap says nothing");

    // What comes again is no log that was cleared; what was written since and begins anew is one.
    assert!(
        source
            .deliver("base", 11, [event(2).as_str()])
            .await
            .is_ack()
    );
    assert_eq!(counts("base").restarts, 0);
    let new = Timestamp::now() + SignedDuration::from_secs(60);
    let cleared: Vec<String> = [1, 2, 4].map(|id| written(id, new)).into();
    assert!(source.deliver("base", 4, strs(&cleared)).await.is_ack());
    assert_eq!((counts("base").restarts, counts("base").missing), (1, 7));
    let progress = running.collector.sources()[0].channels["base"].clone();
    assert_eq!(
        (&*progress[0].channel, progress[0].record_id),
        ("Security", 4)
    );
    running.stop().await;

    // The bookmark says where it has to go on, over a restart too.
    let running = bench.start().await;
    let progress = running.collector.sources()[0].channels["base"].clone();
    assert_eq!((progress[0].record_id, progress[0].events), (4, 0));
    let mut source = bench.source(&running, SOURCE).await;
    assert!(
        source
            .deliver("base", 9, [written(9, new).as_str()])
            .await
            .is_ack()
    );
    assert_eq!(
        running.collector.sources()[0].subscriptions["base"].missing,
        4
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_may_say_which_channels_it_cannot_read() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let status = |channel: &str, code: u32| {
        format!(
            "<t:QueryStatus xmlns:t=\"http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog\">\
             <t:Channel Name=\"{channel}\" ErrorCode=\"{code}\"/></t:QueryStatus>"
        )
    };
    let said = || {
        let known = running.collector.sources()[0].channel_status.clone();
        let said = known
            .into_iter()
            .map(|(channel, (code, _))| (channel, code));
        said.collect::<Vec<_>>()
    };
    let bookkeeping = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-EventForwarder'/><EventID>111</EventID>\
         <Computer>ws1</Computer></System><SubscriptionBookmarkEvent><SubscriptionId/>{}\
         </SubscriptionBookmarkEvent></Event>",
        status("Security", 5)
    );
    assert!(
        source
            .deliver("base", 1, [bookkeeping.as_str()])
            .await
            .is_ack()
    );
    assert_eq!(said(), [("Security".to_owned(), 5)]);

    // Its own log says it escaped, in an event like any other.
    let forwarding = written(3, Timestamp::now())
        .replace("4624", "101")
        .replace(
            "Microsoft-Windows-Security-Auditing",
            "Microsoft-Windows-Forwarding",
        )
        .replace(
            "user3",
            &status("Setup", 15_007)
                .replace('<', "&lt;")
                .replace('"', "&quot;"),
        );
    assert!(
        source
            .deliver("base", 3, [forwarding.as_str()])
            .await
            .is_ack()
    );
    assert_eq!(
        said(),
        [("Security".to_owned(), 5), ("Setup".to_owned(), 15_007)]
    );

    // Who is refused has no say.
    let refused = client::heartbeat(&source.request(), &status("Application", 5));
    assert!(!source.envelope(&path_of("none"), &refused).await.is_ack());
    assert_eq!(said().len(), 2);

    let heartbeat = client::heartbeat(&source.request(), &status("Security", 0));
    assert!(source.envelope(&path_of("base"), &heartbeat).await.is_ack());
    assert_eq!(said()[0], ("Security".to_owned(), 0), "it may read it now");
    // What only speaks of it is no word of the machine.
    let other = event(4).replace("user4", &status("System", 5).replace('<', "&lt;"));
    assert!(source.deliver("base", 4, [other.as_str()]).await.is_ack());
    assert_eq!(said().len(), 2);
    running.stop().await;
    assert_eq!(bench.stored().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_other_computers_are_counted_with_one_for_example() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let other = |id| event(id).replace(">ws1.corp.example<", ">DC1.corp.example<");
    let all = [event(1), event(2).replace("ws1.corp.example", "WS1")];
    assert!(source.deliver("base", 2, strs(&all)).await.is_ack());
    assert_eq!(running.collector.sources()[0].other_computers, None);
    let all = [other(3), other(4), event(5)];
    assert!(source.deliver("base", 5, strs(&all)).await.is_ack());
    let known = running.collector.sources()[0].other_computers.clone();
    let known = known.unwrap();
    assert_eq!((known.events, &*known.example), (2, "DC1.corp.example"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_was_told_and_when_is_known() {
    let mut bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    source.enumerate().await;
    let first = running.collector.sources()[0].clone();
    assert_eq!(first.called.as_deref(), Some("localhost"));
    assert_eq!(first.rhythm.asks_since, first.last_enumerate);
    assert_eq!(running.collector.terms().asked[0].changed, None);
    source.enumerate().await;
    let offered =
        |name: &str| running.collector.sources()[0].offered.as_ref().unwrap()[name].clone();
    assert_eq!(
        offered("base"),
        first.offered.as_ref().unwrap()["base"],
        "the same, since then"
    );
    let second = running.collector.sources()[0].rhythm;
    assert_eq!(second.asks_since, first.last_enumerate);

    bench.subscriptions[0].max_elements = Some(7);
    bench.subscriptions.push(subscription("new"));
    running.collector.reload(bench.options(running.address));
    let terms = running.collector.terms();
    assert!(
        terms
            .asked
            .iter()
            .all(|asked| asked.changed > first.last_enumerate)
    );
    assert_eq!(terms.issuer_thumbprints.len(), 1);
    assert_eq!(terms.asked[0].whole_channels[..], ["Security".to_owned()]);
    source.enumerate().await;
    assert!(offered("base").since > first.offered.as_ref().unwrap()["base"].since);
    let now = bench.subscriptions[0].revision();
    assert_eq!(
        (&offered("base").revision, &terms.asked[0].revision),
        (&now, &now)
    );
    assert_ne!(first.offered.as_ref().unwrap()["base"].revision, now);
    assert_eq!(offered("new").since, offered("base").since);

    // A refusal is known with how often it came in a row.
    for _ in 0..2 {
        let answer = source.envelope(&path_of("none"), "<x/>").await;
        assert!(!answer.is_ack());
    }
    let refused = running.collector.sources()[0].last_refusal.clone().unwrap();
    assert_eq!(
        (refused.refusal, refused.in_a_row),
        (Refusal::Unreadable, 2)
    );
    assert!(
        source
            .deliver("base", 1, [event(1).as_str()])
            .await
            .is_ack()
    );
    let refused = running.collector.sources()[0].last_refusal.clone().unwrap();
    assert_eq!(refused.in_a_row, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_subscription_is_told_apart() {
    let mut bench = Bench::new();
    let running = bench.start().await;
    bench.subscriptions.push(subscription("new"));
    running.collector.reload(bench.options(running.address));
    let terms = running.collector.terms();
    let asked = terms.asked.iter();
    let added: Vec<bool> = asked.map(|asked| asked.added.is_some()).collect();
    assert_eq!(added, [false, true]);
    // Since when a channel is asked for is found out later, and no change.
    bench.subscriptions[1]
        .gained_channels
        .insert("security".to_owned(), Timestamp::now());
    running.collector.reload(bench.options(running.address));
    assert_eq!(
        running.collector.terms().asked[1].changed,
        terms.asked[1].changed
    );
    // Whom it is for, and what is asked for, says nothing of when something comes.
    let timed = terms.asked[1].timed;
    assert!(timed.is_some() && terms.asked[0].timed.is_none());
    bench.subscriptions[1].max_elements = Some(7);
    bench.subscriptions[1].audience = Audience::new(Vec::new(), Vec::new()).unwrap().into();
    running.collector.reload(bench.options(running.address));
    let asked = running.collector.terms().asked.remove(1);
    assert_eq!(asked.timed, timed);
    assert!(asked.changed > timed);
    bench.subscriptions[1].heartbeat *= 2;
    running.collector.reload(bench.options(running.address));
    assert!(running.collector.terms().asked[1].timed > timed);
    running.stop().await;
}
