//! Machines that are who they prove to be, and act as another one: whatever they say of themselves,
//! nothing of the other one is touched.

use std::sync::Arc;

use windrow_formats::wef::audience::{Audience, Pattern};
use windrow_formats::wsman::client;
use windrow_pipeline::sources::wef::{Subscription, parse_state_key, state_key};

use crate::harness::*;
use crate::healthy::{Healthy, counted};

const VICTIM: &str = "dc1.corp.example";
const IMPOSTOR: &str = "ws66.corp.example";

/// One subscription for everybody, and one for the domain controller alone.
fn bench() -> Bench {
    let mut bench = Bench::new();
    let mut controllers = subscription("controllers");
    let include = vec![Pattern::compile("dc*.corp.example").unwrap()];
    controllers.audience = Arc::new(Audience::new(include, Vec::new()).unwrap());
    bench.subscriptions.push(controllers);
    bench
}

/// Everything that is kept of bookmarks: whose, and what.
fn bookmarks(running: &Running) -> Vec<(String, Vec<u8>)> {
    let states = running.journal.states("wef/bookmark/");
    assert!(states.iter().all(|(key, _)| parse_state_key(key).is_some()));
    states
}

/// The address that this machine is told to send the events of a subscription to.
async fn notify_to(source: &mut Source, name: &str) -> Option<(String, String)> {
    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    let offered = reply.subscriptions.iter().find(|one| one.name == name)?;
    Some((path_in(offered), offered.echo.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_handed_to_another_machine_is_of_no_use() {
    let bench = bench();
    let running = bench.start().await;
    let mut victim = bench.source(&running, VICTIM).await;
    let healthy = Healthy::beside(&bench, &running, "dc2.corp.example").await;
    let mut impostor = bench.source(&running, IMPOSTOR).await;
    let (path, echo) = notify_to(&mut victim, "controllers").await.unwrap();
    assert_eq!(notify_to(&mut impostor, "controllers").await, None);
    let xml = client::events(
        &victim.request(),
        &echo,
        Some(&bookmark_of(7)),
        strs(&events(1..8)),
    );
    assert!(victim.envelope(&path, &xml).await.is_ack());
    healthy.goes_on().await;
    let id = Subscription::id_of("controllers");
    let of_both = |running: &Running| {
        [VICTIM, IMPOSTOR].map(|name| running.journal.state(&state_key(id, name)))
    };
    let before = of_both(&running);
    assert!(before[0].is_some() && before[1].is_none());

    // To the letter what the victim sends, further on, and a sign of life in its name.
    let forged = client::events(
        &request_of(VICTIM),
        &echo,
        Some(&bookmark_of(1_000_000)),
        strs(&events(8..20)),
    );
    let alive = client::heartbeat(&request_of(VICTIM), &echo);
    for xml in [&forged, &alive, &xml] {
        let answer = impostor.envelope(&path, xml).await;
        assert_eq!(answer.fault(), "404 a:DestinationUnreachable");
    }
    assert_eq!(counted(&running), "not_for_machine 3");
    assert_eq!(of_both(&running), before, "a bookmark was touched");
    let known = running.collector.sources();
    let of = |name: &str| known.iter().find(|one| one.source == name).unwrap();
    assert_eq!((of(IMPOSTOR).refusals, of(VICTIM).refusals), (3, 0));
    assert_eq!(of(VICTIM).last_heartbeat, None);
    assert!(of(IMPOSTOR).subscriptions.is_empty());
    // The victim goes on where it was.
    assert!(
        victim
            .deliver("controllers", 8, strs(&events(8..9)))
            .await
            .is_ack()
    );
    let quarantined = running.quarantine.files();
    assert_eq!(quarantined, 0, "what is readable is refused, and not kept");
    healthy.stop(&bench, running).await;
    let stored = bench.stored().into_iter();
    let sources: Vec<String> = stored
        .filter(|(_, _, header)| header.subscription.as_deref() == Some("controllers"))
        .map(|(_, _, header)| header.source)
        .collect();
    assert_eq!(sources, vec![VICTIM; 8]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_taken_out_of_a_subscription_is_refused_and_may_say_that_it_ends() {
    let mut bench = bench();
    let running = bench.start().await;
    let mut source = bench.source(&running, VICTIM).await;
    let first = events(1..4);
    assert!(
        source
            .deliver("controllers", 3, strs(&first))
            .await
            .is_ack()
    );
    bench.subscriptions[1].audience = Arc::new(
        Audience::new(
            vec![Pattern::compile("*").unwrap()],
            vec![Pattern::compile(VICTIM).unwrap()],
        )
        .unwrap(),
    );
    running.collector.reload(bench.options(running.address));
    let answer = source.deliver("controllers", 9, strs(&events(4..10))).await;
    assert_eq!(answer.fault(), "404 a:DestinationUnreachable");
    assert_eq!(notify_to(&mut source, "controllers").await, None);
    // On the same connection, its other subscription goes on.
    assert!(source.deliver("base", 3, strs(&first)).await.is_ack());
    assert_eq!(counted(&running), "not_for_machine 1");
    running.stop().await;
    assert_eq!(bench.stored().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_calls_itself_changes_nothing_but_what_is_shown_of_it() {
    let bench = Bench::new();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, VICTIM).await;
    healthy.goes_on().await;
    let identity = bench.pki.issue(IMPOSTOR);
    let config = bench.pki.client(Some(&identity));
    // Its certificate is its own, and its MachineID the victim's.
    let mut impostor = Source::connect(running.address, config.clone(), VICTIM).await;
    let answer = impostor.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(
        reply.subscriptions[0].bookmark, None,
        "another's bookmark is shown"
    );
    // The same events as the victim's, from its very beginning, are other events of another machine.
    let copied = events(1..6);
    assert!(
        impostor
            .deliver("base", 1_000_000, strs(&copied))
            .await
            .is_ack()
    );
    assert_eq!(running.metrics.duplicate_events.get(), 0);
    let owners: Vec<String> = (bookmarks(&running).iter())
        .map(|(key, _)| parse_state_key(key).unwrap().1.to_owned())
        .collect();
    assert_eq!(owners, [VICTIM, IMPOSTOR]);
    let known = running.collector.sources();
    let of = |name: &str| known.iter().find(|one| one.source == name).unwrap();
    assert_eq!(of(IMPOSTOR).machine_id.as_deref(), Some(VICTIM));
    assert_eq!(of(VICTIM).machine_id, None, "the victim has not enumerated");

    // However long a name it makes up, no more is kept of it than a name has.
    let long = "x".repeat(8_000);
    let mut boaster = Source::connect(running.address, config, &long).await;
    boaster.enumerate().await;
    boaster.heartbeat("base").await;
    let known = running.collector.sources();
    let shown = known.iter().find(|one| one.source == IMPOSTOR).unwrap();
    assert_eq!(shown.machine_id.as_deref().map(str::len), Some(253));
    healthy.stop(&bench, running).await;
    let copies = bench.stored().into_iter();
    let copies = copies.filter(|(_, _, header)| header.source == IMPOSTOR);
    assert_eq!(copies.count(), 5);
}
