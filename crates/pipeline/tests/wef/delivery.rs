//! Subscriptions, deliveries, acknowledgements, bookmarks.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use windrow_formats::batch::{Flags, Kind};
use windrow_formats::wef::audience::{Audience, Pattern};
use windrow_formats::wsman::client;
use windrow_formats::wsman::{Action, Charset, encode};
use windrow_pipeline::journal::{Entry, Pressure, Start};
use windrow_pipeline::sources::wef::{QueryList, Stored, Subscription, learn_channels, state_key};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_enumerates_and_delivers() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;

    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(reply.header.action(), Action::EnumerateResponse);
    assert_eq!(
        reply.header.relates_to.as_deref(),
        Some(source.request().message_id)
    );
    let [offered] = &reply.subscriptions[..] else {
        panic!("{reply:?}")
    };
    assert_eq!(offered.name, "base");
    assert_eq!(offered.bookmark, None);
    assert!(offered.sldc);
    let ca = windrow_pipeline::tls::load_certificates(&bench.pki.path("ca.pem")).unwrap();
    let thumbprint = windrow_pipeline::tls::thumbprint(&ca[0]);
    assert_eq!(
        offered.issuer_thumbprint.as_deref(),
        Some(thumbprint.as_str())
    );
    let path = path_in(offered);
    let echo = offered.echo.to_owned();

    let end = source
        .envelope(
            "/wsman/SubscriptionManager/WEC",
            &client::end(&source.request()),
        )
        .await;
    assert_eq!(end.status, StatusCode::NO_CONTENT);

    let first = events(1..51);
    let bookmark = bookmark_of(50);
    let xml = client::events(&source.request(), &echo, Some(&bookmark), strs(&first));
    let answer = source.envelope(&path, &xml).await;
    assert!(answer.is_ack(), "{answer:?}");
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(
        reply.header.relates_to.as_deref(),
        Some(source.request().message_id)
    );
    running.stop().await;

    let stored = bench.stored();
    let texts: Vec<&str> = stored.iter().map(|(text, ..)| text.as_str()).collect();
    assert_eq!(texts, first);
    let (_, flags, header) = &stored[0];
    assert_eq!(*flags, Flags::NONE);
    assert_eq!(header.kind, Kind::Wef);
    assert_eq!(header.source, SOURCE);
    assert_eq!(header.subscription.as_deref(), Some("base"));
    assert!(header.address.is_some_and(|address| address.is_loopback()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_a_source_is_offered_its_bookmark_and_no_others() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    let version = reply.subscriptions[0].version.clone().into_owned();
    assert!(
        source
            .deliver("base", 50, strs(&events(1..51)))
            .await
            .is_ack()
    );
    running.stop().await;

    let running = bench.start().await;
    let known = running.collector.sources();
    assert_eq!(known[0].source, SOURCE);
    assert!(known[0].last_events.is_some() && known[0].last_enumerate.is_some());
    assert_eq!(known[0].offered, None, "since the start nothing was asked");
    let mut source = bench.source(&running, SOURCE).await;
    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(
        reply.subscriptions[0].bookmark,
        Some(bookmark_of(50).as_str())
    );
    // Other sources get none.
    let mut other = bench.source(&running, "ws2.corp.example").await;
    let answer = other.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(reply.subscriptions[0].bookmark, None);
    // The port is another one now, and so is what the source sees.
    assert_ne!(reply.subscriptions[0].version, version);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_is_stored_once() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let first = events(1..21);
    assert!(source.deliver("base", 20, strs(&first)).await.is_ack());
    // The same delivery, because its acknowledgement was lost.
    assert!(source.deliver("base", 20, strs(&first)).await.is_ack());
    // One that overlaps, from an older bookmark.
    let second = events(11..31);
    assert!(source.deliver("base", 30, strs(&second)).await.is_ack());
    assert_eq!(running.metrics.duplicate_events.get(), 30);
    // The same ids from another machine are other events.
    let mut other = bench.source(&running, "ws2.corp.example").await;
    assert!(other.deliver("base", 20, strs(&first)).await.is_ack());
    running.stop().await;
    assert_eq!(bench.stored().len(), 50);

    // A restart forgets nothing: here the service died between commit and acknowledgement.
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    assert!(source.deliver("base", 30, strs(&second)).await.is_ack());
    assert!(
        source
            .deliver("base", 40, strs(&events(31..41)))
            .await
            .is_ack()
    );
    running.stop().await;
    let mut ids: Vec<String> = bench
        .stored()
        .into_iter()
        .map(|(text, _, header)| header.source + &text)
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (60, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_delivery_twice_at_once_is_stored_once() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut sources = Vec::new();
    for _ in 0..8 {
        sources.push(bench.source(&running, SOURCE).await);
    }
    for round in 0..20 {
        let batch = events(round * 10..round * 10 + 10);
        let deliveries = sources
            .iter_mut()
            .map(|source| source.deliver("base", round, strs(&batch)));
        for answer in futures::future::join_all(deliveries).await {
            assert!(answer.is_ack());
        }
    }
    running.stop().await;
    assert_eq!(bench.stored().len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_outlives_its_connection() {
    let bench = Bench::new();
    let running = bench.start().await;
    let batch = events(1..11);
    for round in 0..10 {
        let mut source = bench.source(&running, SOURCE).await;
        // The source goes away at some moment of the request.
        let delivery = source.deliver("base", 10, strs(&batch));
        let _ = tokio::time::timeout(Duration::from_millis(round), delivery).await;
        drop(source);
    }
    let mut source = bench.source(&running, SOURCE).await;
    assert!(source.deliver("base", 10, strs(&batch)).await.is_ack());
    running.stop().await;
    assert_eq!(bench.stored().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_encoding_is_understood_and_answered_in_kind() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let mut clear_bytes = 0;
    let text = format!("{}é☃😀", event(1));
    for (id, charset) in [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be]
        .into_iter()
        .enumerate()
    {
        let text = text.replace("user1", &format!("user{id}"));
        let text = text.replace("ID>1<", &format!("ID>{id}<"));
        let xml = client::events(&source.request(), "", None, [text.as_str()]);
        let body = encode(&xml, charset);
        clear_bytes += body.len() as u64;
        let answer = source.post(&path_of("base"), body, false).await.unwrap();
        assert!(answer.is_ack());
        assert_eq!(answer.headers["content-type"], charset.content_type());
        // The same again, compressed.
        clear_bytes += encode(&xml, Charset::Utf16Le).len() as u64;
        assert!(source.envelope(&path_of("base"), &xml).await.is_ack());
    }
    assert_eq!(running.metrics.clear_bytes.get(), clear_bytes);
    assert!(running.metrics.received_bytes.get() < clear_bytes);
    running.stop().await;
    let stored = bench.stored();
    assert_eq!(stored.len(), 3);
    assert!(
        stored
            .iter()
            .all(|(text, ..)| text.ends_with("</Event>é☃😀"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookkeeping_is_counted_and_seen_when_it_should_not_come() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let bookkeeping = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-EventForwarder'/><EventID>111</EventID>\
         <TimeCreated SystemTime='2026-01-02T03:04:05Z'/><Computer>ws1</Computer></System>\
         <SubscriptionBookmarkEvent><SubscriptionId></SubscriptionId></SubscriptionBookmarkEvent></Event>";
    // Another event that only looks like it is an event like any other.
    let lookalike = event(1).replace("4624", "111").replace(
        "Microsoft-Windows-Security-Auditing",
        "Microsoft-Windows-EventForwarder",
    );
    let answer = source
        .deliver("base", 1, [bookkeeping, lookalike.as_str()])
        .await;
    assert!(answer.is_ack());
    let counts = running.collector.sources()[0].subscriptions["base"];
    assert_eq!(
        (
            counts.events,
            counts.bookmark_events,
            counts.unexpected_bookmark_events
        ),
        (1, 1, 0)
    );

    // The bookmark of a delivery that held nothing else is kept too.
    assert!(source.deliver("base", 2, [bookkeeping]).await.is_ack());
    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(
        reply.subscriptions[0].bookmark,
        Some(bookmark_of(2).as_str())
    );
    let counts = running.collector.sources()[0].subscriptions["base"];
    assert_eq!(
        (counts.bookmark_events, counts.unexpected_bookmark_events),
        (2, 1)
    );
    assert!(counts.last_unexpected_bookmark_event.is_some());
    assert_eq!(running.metrics.unexpected_bookmark_events.get(), 1);
    running.stop().await;
    assert_eq!(bench.stored().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_are_seen() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    assert!(running.collector.sources().is_empty());
    source.enumerate().await;
    assert!(source.heartbeat("base").await.is_ack());
    let xml = client::subscription_end(&source.request(), "", "policy changed");
    assert_eq!(
        source.envelope(&path_of("base"), &xml).await.status,
        StatusCode::OK
    );
    let [known] = &running.collector.sources()[..] else {
        panic!()
    };
    assert!(known.last_enumerate.is_some() && known.last_heartbeat.is_some());
    assert_eq!(known.last_events, None);
    assert_eq!(known.machine_id.as_deref(), Some(SOURCE));
    assert!(known.address.is_some() && known.last_seen().is_some());
    assert!(known.subscriptions["base"].ended.is_some());
    running.stop().await;
    assert!(bench.stored().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_journal_asks_for_patience_and_goes_on() {
    let mut bench = Bench::new();
    bench.journal_quota_bytes = 1 << 20;
    let running = bench.start().await;
    let mut cursor = running.journal.cursor("slow", Start::Oldest).unwrap();
    let mut source = bench.source(&running, SOURCE).await;
    let mut next = 1;
    let refused = loop {
        // Nothing that zstd could make small.
        let noise: String = (0..20_000)
            .map(|_| char::from(rand::random_range(b'a'..=b'z')))
            .collect();
        let batch = [event(next).replace("user", &noise)];
        let answer = source.deliver("base", next, strs(&batch)).await;
        if !answer.is_ack() {
            break answer;
        }
        next += 1;
        assert!(next < 1000, "the quota is not kept");
    };
    assert_eq!(refused.fault(), "503 w:QuotaLimit");
    assert_eq!(refused.headers["retry-after"], "30");
    let counted = running.metrics.events.get();
    assert_eq!(counted, next - 1);

    // The sink catches up, and the same connection delivers again.
    while cursor.position() < next - 1 {
        let frame = cursor.next().await.unwrap().unwrap();
        cursor.advance(frame.end_seq - 1);
    }
    let mut patience = 0;
    while !source
        .deliver("base", next, strs(&events(next..next + 1)))
        .await
        .is_ack()
    {
        patience += 1;
        assert!(patience < 500, "it never resumed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn near_the_quota_an_answer_waits_for_a_sink_to_move() {
    let mut bench = Bench::new();
    bench.journal_quota_bytes = 1 << 20;
    // Longer than a request may take: only a sink's progress ends it in time.
    bench.limits.late_answer = Duration::from_secs(600);
    bench.limits.request_timeout = Duration::from_secs(300);
    // One delivery of a source takes all its room.
    bench.limits.deliveries_per_source_bytes = 1;
    bench.subscriptions.push(subscription("more"));
    let running = bench.start().await;
    let journal = &running.journal;
    let mut cursor = journal.cursor("slow", Start::Oldest).unwrap();
    let mut source = bench.source(&running, SOURCE).await;
    let mut other = bench.source(&running, SOURCE).await;
    let mut pressure = journal.pressure();
    while *pressure.borrow_and_update() < Pressure::Slow {
        let body = (0..4_000).map(|_| rand::random()).collect();
        let entry = Entry {
            body,
            events: 1,
            state: None,
        };
        journal.append(entry).await.unwrap();
    }
    let mut durable = journal.durable();
    let before = *durable.borrow_and_update();
    let answer = tokio::spawn(async move {
        let answer = source.deliver("base", 1, strs(&events(1..2))).await;
        answer.is_ack()
    });
    durable.wait_for(|seq| *seq > before).await.unwrap();
    // What waits has given its room back, and it waits as long as another delivery takes.
    let answer_of_other = tokio::spawn(async move {
        let answer = other.deliver("more", 1, strs(&events(2..3))).await;
        answer.is_ack()
    });
    durable.wait_for(|seq| *seq > before + 1).await.unwrap();
    assert!(!answer.is_finished() && !answer_of_other.is_finished());
    while cursor.position() < before {
        let frame = cursor.next().await.unwrap().unwrap();
        cursor.advance(frame.end_seq - 1);
    }
    assert!(answer.await.unwrap() && answer_of_other.await.unwrap());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_seen_by_sources() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let answer = source.enumerate().await;
    let version = client::parse_reply(&answer.body).unwrap().subscriptions[0]
        .version
        .clone()
        .into_owned();
    let answer = source.enumerate().await;
    assert_eq!(
        client::parse_reply(&answer.body).unwrap().subscriptions[0].version,
        version
    );

    let mut options = bench.options(running.address);
    options.subscriptions[0].max_time = Duration::from_secs(5);
    options.subscriptions.push(subscription("extra"));
    running.collector.reload(options);
    let answer = source.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    assert_eq!(reply.subscriptions.len(), 2);
    assert_ne!(reply.subscriptions[0].version, version);
    assert!(
        source
            .deliver("extra", 1, strs(&events(1..2)))
            .await
            .is_ack()
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_offered_to_whom_it_is_for() {
    let mut bench = Bench::new();
    let mut for_controllers = subscription("controllers");
    let controllers = vec![Pattern::compile("dc*").unwrap()];
    for_controllers.audience = Arc::new(Audience::new(controllers, Vec::new()).unwrap());
    bench.subscriptions.push(for_controllers);
    let running = bench.start().await;
    for (name, offered) in [
        (SOURCE, &["base"][..]),
        ("DC1.corp.example", &["base", "controllers"]),
    ] {
        let answer = bench.source(&running, name).await.enumerate().await;
        let reply = client::parse_reply(&answer.body).unwrap();
        let names: Vec<_> = reply.subscriptions.iter().map(|one| &*one.name).collect();
        assert_eq!(names, offered, "{name}");
        let sources = running.collector.sources();
        let known = sources.iter().find(|known| known.source == name).unwrap();
        let told = known.offered.as_ref().unwrap();
        let names: Vec<_> = told.keys().map(String::as_str).collect();
        assert_eq!(names, offered, "{name}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_came_later_is_not_replayed() {
    let bench = Bench::new();
    let running = bench.start().await;
    let take_up = async |query: &str, hour: i64| {
        let mut options = bench.options(running.address);
        options.subscriptions[0].query = QueryList::new(query).unwrap();
        let now = jiff::Timestamp::from_second(1_700_000_000 + hour * 3_600).unwrap();
        learn_channels(&running.journal, &mut options.subscriptions, now)
            .await
            .unwrap();
        running.collector.reload(options);
    };
    let offered = async |source: &mut Source| {
        let answer = source.enumerate().await;
        let reply = client::parse_reply(&answer.body).unwrap();
        let offer = &reply.subscriptions[0];
        (offer.version.clone().into_owned(), offer.query.to_owned())
    };
    let one = "<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>";
    let two = "<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select></Query></QueryList>";
    take_up(one, 0).await;
    let mut source = bench.source(&running, SOURCE).await;
    let batch = events(1..2);
    assert!(source.deliver("base", 1, strs(&batch)).await.is_ack());
    take_up(two, 24).await;
    let (held_back, query) = offered(&mut source).await;
    insta::assert_snapshot!(query, @r#"<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select><Suppress Path="System">*[System[TimeCreated[@SystemTime&lt;'2023-11-15T21:13:20.000Z']]]</Suppress></Query></QueryList>"#);
    assert_eq!(
        offered(&mut source).await.0,
        held_back,
        "it changes by itself"
    );
    // A source that is new begins as the subscription says.
    let mut fresh = bench.source(&running, "ws2.corp.example").await;
    let (plain, query) = offered(&mut fresh).await;
    assert_eq!(query, two);

    let bookmark = "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"1\" IsCurrent=\"true\"/><Bookmark Channel=\"System\" RecordId=\"5\"/></BookmarkList>";
    let later = events(2..3);
    let xml = client::events(&source.request(), "", Some(bookmark), strs(&later));
    assert!(source.envelope(&path_of("base"), &xml).await.is_ack());
    assert_eq!(offered(&mut source).await, (plain, two.to_owned()));
    running.stop().await;
}

/// A query that has a channel no longer, and then again: machines go on from where they were in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_comes_back_goes_on_from_where_it_was() {
    let one = "<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>";
    let two = "<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select></Query></QueryList>";
    let bench = Bench::new();
    let running = bench.start().await;
    let take_up = async |query: &str| {
        let mut options = bench.options(running.address);
        options.subscriptions[0].query = QueryList::new(query).unwrap();
        let now = jiff::Timestamp::now();
        learn_channels(&running.journal, &mut options.subscriptions, now)
            .await
            .unwrap();
        running.collector.reload(options);
    };
    let deliver = async |source: &mut Source, id: u64, bookmarks: &str| {
        let batch = events(id..id + 1);
        let bookmark = format!("<BookmarkList>{bookmarks}</BookmarkList>");
        let xml = client::events(&source.request(), "", Some(&bookmark), strs(&batch));
        assert!(source.envelope(&path_of("base"), &xml).await.is_ack());
    };
    let offered = async |source: &mut Source| {
        let answer = source.enumerate().await;
        let reply = client::parse_reply(&answer.body).unwrap();
        let offer = &reply.subscriptions[0];
        (
            offer.bookmark.unwrap_or_default().to_owned(),
            offer.query.to_owned(),
        )
    };
    let security = |id| format!("<Bookmark Channel='Security' RecordId='{id}' IsCurrent='true'/>");
    take_up(two).await;
    let mut source = bench.source(&running, SOURCE).await;
    let system = "<Bookmark Channel='System' RecordId='50'/>";
    deliver(&mut source, 1, &(security(1) + system)).await;
    take_up(one).await;
    deliver(&mut source, 2, &security(2)).await;
    deliver(&mut source, 3, &security(3)).await;
    let (bookmark, _) = offered(&mut source).await;
    assert!(!bookmark.contains("System"), "{bookmark}");
    take_up(two).await;
    let (bookmark, query) = offered(&mut source).await;
    assert!(
        bookmark.contains("<Bookmark Channel=\"System\" RecordId=\"50\"/>"),
        "{bookmark}"
    );
    assert!(bookmark.contains("RecordId='3'"), "{bookmark}");
    assert_eq!(query, two, "nothing of it is held back");
    deliver(
        &mut source,
        4,
        &(security(4) + "<Bookmark Channel='System' RecordId='60'/>"),
    )
    .await;
    let (bookmark, _) = offered(&mut source).await;
    assert!(
        !bookmark.contains("'50'") && !bookmark.contains("\"50\""),
        "{bookmark}"
    );
    running.stop().await;
}

/// From when on the query that a machine is offered asks for System, once its bookmark has Security alone.
async fn asked_from(bench: &Bench, running: &Running, machine: &str) -> Option<jiff::Timestamp> {
    let mut fresh = bench.source(running, machine).await;
    let plain = fresh.enumerate().await;
    let plain = client::parse_reply(&plain.body).unwrap();
    assert!(!plain.subscriptions[0].query.contains("Suppress"));
    let batch = events(1..2);
    assert!(fresh.deliver("base", 1, strs(&batch)).await.is_ack());
    let answer = fresh.enumerate().await;
    let reply = client::parse_reply(&answer.body).unwrap();
    let (_, held) = reply.subscriptions[0].query.split_once("SystemTime&lt;'")?;
    Some(held.split('\'').next().unwrap().parse().unwrap())
}

/// A subscription may be older than a machine by far.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_comes_later_sends_nothing_from_before_it_came() {
    let both = "<QueryList><Query Id='0'><Select Path='Security'>*</Select><Select Path='System'>*</Select></Query></QueryList>";
    let bench = Bench::new();
    let running = bench.start().await;
    let mut options = bench.options(running.address);
    options.subscriptions[0].query = QueryList::new(both).unwrap();
    let now = jiff::Timestamp::now();
    let long_ago = now - jiff::SignedDuration::from_hours(90 * 24);
    learn_channels(&running.journal, &mut options.subscriptions, long_ago)
        .await
        .unwrap();
    running.collector.reload(options.clone());
    let line = asked_from(&bench, &running, SOURCE).await.unwrap();
    let its_own = now - jiff::SignedDuration::from_hours(1);
    let off = line.duration_since(its_own).abs();
    assert!(
        off < jiff::SignedDuration::from_mins(30),
        "{line} {its_own}"
    );
    // Nothing is kept anew of who has begun.
    let place = || {
        running
            .journal
            .state(&state_key(Subscription::id_of("base"), SOURCE))
    };
    let began = Stored::decode(&place().unwrap()).unwrap().began_at;
    assert!(began.is_some());
    let mut again = bench.source(&running, SOURCE).await;
    assert_eq!(again.enumerate().await.status, StatusCode::OK);
    assert_eq!(Stored::decode(&place().unwrap()).unwrap().began_at, began);
    // Who was to send all that it had is held back nothing that was asked for by then.
    options.subscriptions[0].read_existing = true;
    running.collector.reload(options);
    assert_eq!(asked_from(&bench, &running, "ws2.corp.example").await, None);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_came_with_a_certificate_of_a_replaced_authority_is_sent_away() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    assert!(
        source
            .deliver("base", 1, strs(&events(1..2)))
            .await
            .is_ack()
    );
    // The same once more ends nothing.
    running.collector.reload(bench.options(running.address));
    assert!(
        source
            .deliver("base", 2, strs(&events(2..3)))
            .await
            .is_ack()
    );
    let other = Bench::new();
    running.collector.reload(other.options(running.address));
    let mut patience = 0;
    while running.collector.connections() > 0 {
        patience += 1;
        assert!(patience < 500, "the connection stands");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_no_larger_than_the_source_takes() {
    let mut bench = Bench::new();
    // Sources take 512,000 bytes of UTF-16.
    let query = format!("<QueryList><!-- {} --></QueryList>", "x".repeat(60_000));
    bench.subscriptions = (0..5)
        .map(|number| {
            let query = QueryList::new(&query).unwrap();
            Subscription::new(&format!("s{number}"), query)
        })
        .collect();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    assert_eq!(source.enumerate().await.fault(), "500 w:EncodingLimit");
    let refused = running.collector.sources()[0].last_refusal.clone();
    let reason = refused.unwrap().reason;
    assert!(reason.contains("the source takes 512000"), "{reason}");
    bench.subscriptions.truncate(4);
    running.collector.reload(bench.options(running.address));
    assert_eq!(source.enumerate().await.status, StatusCode::OK);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_as_large_as_a_subscription_allows_is_taken() {
    let mut bench = Bench::new();
    bench.limits.body_bytes = 64 * 1024;
    bench.limits.clear_bytes = 64 * 1024;
    bench.limits.bodies_in_flight_bytes = 64 * 1024;
    bench.limits.deliveries_in_flight_bytes = 64 * 1024;
    bench.subscriptions[0].max_envelope_bytes = 300_000;
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let batch = events(1..301);
    let xml = client::events(&source.request(), "", None, strs(&batch));
    let body = encode(&xml, Charset::Utf16Le);
    assert!(
        body.len() > 256 * 1024 && body.len() < 300_000,
        "{}",
        body.len()
    );
    assert!(
        source
            .post(&path_of("base"), body, false)
            .await
            .unwrap()
            .is_ack()
    );
    let body = vec![b' '; 400_000];
    if let Ok(answer) = source.post(&path_of("base"), body, false).await {
        assert_eq!(answer.fault(), "413 w:EncodingLimit");
    }
    running.stop().await;
    assert_eq!(bench.stored().len(), 300);
}
