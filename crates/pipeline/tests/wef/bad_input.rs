//! What is not as it should be, and what it gets. Everything else lives on.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windrow_formats::batch::Flags;
use windrow_formats::sldc::Encoder;
use windrow_formats::wsman::client;
use windrow_formats::wsman::{Charset, encode};

use crate::harness::*;

fn sldc(clear: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    Encoder::new().encode(clear, &mut body);
    body
}

fn delivery(bookmark: &str) -> String {
    client::events(&request_of(SOURCE), "", Some(bookmark), [event(1).as_str()])
}

/// A delivery with nothing wrong.
fn good() -> String {
    delivery(&bookmark_of(1))
}

/// A body that is wrong, sent as it is.
struct Case {
    what: &'static str,
    path: String,
    body: Vec<u8>,
    /// Whether it says that it is SLDC.
    sldc: bool,
    answer: &'static str,
    /// Bodies that the quarantine gains.
    quarantined: usize,
}

/// One to the subscription's own address that cannot be read.
fn unreadable(what: &'static str, body: impl Into<Vec<u8>>) -> Case {
    Case {
        what,
        path: path_of("base"),
        body: body.into(),
        sldc: false,
        answer: "400 w:SchemaValidationError",
        quarantined: 1,
    }
}

/// One that is refused for what it asks for, in an envelope that can be read.
fn refused(what: &'static str, path: &str, body: String, answer: &'static str) -> Case {
    Case {
        path: path.to_owned(),
        answer,
        quarantined: 0,
        ..unreadable(what, body)
    }
}

/// Sends each of them over one connection, which lives on, and says what was counted.
async fn counted(cases: Vec<Case>) -> String {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let mut bystander = bench.source(&running, "ws2.corp.example").await;
    let (mut kept, mut refusals) = (0, 0);
    for case in cases {
        let Case { what, path, .. } = case;
        let answer = source.post(&path, case.body, case.sldc).await.unwrap();
        assert_eq!(answer.fault(), case.answer, "{what}");
        refusals += u64::from(!answer.status.is_success());
        kept += case.quarantined;
        assert_eq!(running.quarantine.files(), kept, "{what}");
        assert!(source.heartbeat("base").await.is_ack(), "{what}");
        assert!(bystander.heartbeat("base").await.is_ack(), "{what}");
    }
    assert_eq!(running.metrics.quarantined.get(), kept as u64);
    let known = &running.collector.sources()[0];
    assert_eq!(known.refusals, refusals);
    assert!(known.last_refusal.is_some());
    let by_reason: Vec<String> = (running.collector.refusals().into_iter())
        .map(|(refusal, count)| format!("{} {count}", refusal.name()))
        .collect();
    running.stop().await;
    assert!(bench.stored().is_empty());
    by_reason.join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_envelope_gets_its_fault_and_the_connection_lives() {
    let good = good();
    let cases = vec![
        unreadable("not XML", "hello"),
        unreadable("cut", &good.as_bytes()[..good.len() / 2]),
        unreadable("a document type", format!("<!DOCTYPE a>{good}")),
        unreadable(
            "too deep",
            good.replace("<s:Body>", &"<s:Body>".repeat(1000)),
        ),
        unreadable(
            "two bodies",
            good.replace(
                "</s:Body>",
                "</s:Body><s:Body><w:Events></w:Events></s:Body>",
            ),
        ),
        Case {
            sldc: true,
            answer: "200",
            quarantined: 0,
            ..unreadable("nothing", "")
        },
    ];
    insta::assert_snapshot!(counted(cases).await, @"unreadable 5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_compressed_wrongly_gets_its_fault_and_the_connection_lives() {
    let good = good();
    let saying = |clear: &[u8], length: u32| {
        let mut body = sldc(clear);
        let trailer = body.len() - 4;
        body[trailer..].copy_from_slice(&length.to_le_bytes());
        body
    };
    let compressed = |what, body: Vec<u8>| Case {
        sldc: true,
        ..unreadable(what, body)
    };
    let bomb = |what, body| Case {
        answer: "413 w:EncodingLimit",
        quarantined: 0,
        ..compressed(what, body)
    };
    let cases = vec![
        compressed("not SLDC", good.clone().into_bytes()),
        compressed("a wrong length", saying(good.as_bytes(), 1_000_000)),
        compressed(
            "more than it says",
            saying(&vec![0; 8 << 20], good.len().try_into().unwrap()),
        ),
        bomb("a bomb", saying(&vec![0; 1_000_000], 9 << 20)),
        bomb("too large in the clear", sldc(&vec![b' '; (8 << 20) + 1])),
    ];
    insta::assert_snapshot!(counted(cases).await, @"too_large 2, unreadable 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_to_a_wrong_address_or_without_a_head_gets_its_fault() {
    let (good, base) = (good(), path_of("base"));
    let elsewhere = "/wsman/subscriptions/00000000-0000-0000-0000-000000000000";
    let nowhere = "404 a:DestinationUnreachable";
    let headless = "400 a:MessageInformationHeaderRequired";
    let cases = vec![
        refused("no such subscription", elsewhere, good.clone(), nowhere),
        refused("no such path", "/else", good.clone(), nowhere),
        refused(
            "events to the wrong path",
            "/wsman/SubscriptionManager/WEC",
            good.clone(),
            "400 a:ActionNotSupported",
        ),
        refused(
            "no MessageID",
            &base,
            good.replace("a:MessageID", "a:Message"),
            headless,
        ),
        refused(
            "no Action",
            &base,
            good.replace("a:Action", "a:Act"),
            headless,
        ),
    ];
    insta::assert_snapshot!(
        counted(cases).await,
        @"unreadable 1, unknown_subscription 1, wrong_path 1, action 2"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_contradicts_itself_is_not_acknowledged() {
    let good = good();
    let bookmarked = |what, bookmark| Case {
        answer: "400 w:InvalidBookmark",
        ..unreadable(what, delivery(bookmark))
    };
    let cases = vec![
        bookmarked("a bookmark that is not XML", "soon"),
        bookmarked("a bookmark with a foreign prefix", "<w:a/>"),
        unreadable(
            "events twice",
            good.replace("</w:Events>", "</w:Events><w:Events></w:Events>"),
        ),
        unreadable(
            "a bookmark and no events",
            good.replace("w:Events>", "w:Evenst>"),
        ),
        unreadable(
            "a sign of life with events",
            good.replace("wsman/Events</a:Action>", "wsman/Heartbeat</a:Action>"),
        ),
    ];
    insta::assert_snapshot!(counted(cases).await, @"unreadable 3, bookmark 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quarantine_names_nothing_from_the_network() {
    let bench = Bench::new();
    let running = bench.start().await;
    let identity = bench.pki.issue_odd("../../etc|=\"evil");
    let client = bench.pki.client(Some(&identity));
    let mut source = Source::connect(running.address, client, "odd").await;
    source
        .post("/wsman/subscriptions/../../etc", b"<x>".to_vec(), false)
        .await
        .unwrap();
    running.stop().await;
    let folder = bench.folder.path().join("quarantine");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    insta::assert_debug_snapshot!(names, @r#"
    [
        "00000001-22305fe27eeb363e.bin",
        "index.ndjson",
    ]
    "#);
    let index = std::fs::read_to_string(folder.join("index.ndjson")).unwrap();
    assert_eq!(index.lines().count(), 1);
    assert!(serde_json::from_str::<serde_json::Value>(&index).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_event_does_not_cost_its_batch() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut source = bench.source(&running, SOURCE).await;
    let cut = &event(2)[..150];
    let control = event(3).replace("user3", "a\u{4}\u{1b}b");
    let end_mark = event(4).replace("user4", "]]>");
    let not_xml = "no XML at all";
    let [first, last] = [event(1), event(5)];
    let batch = [first.as_str(), cut, &control, &end_mark, not_xml, &last];
    assert!(source.deliver("base", 5, batch).await.is_ack());

    // A lone surrogate, on the wire and not in a string.
    let xml = client::events(
        &source.request(),
        "",
        None,
        [event(6).replace("user6", "a\u{E000}b").as_str()],
    );
    let mut units: Vec<u16> = std::iter::once(0xFEFF).chain(xml.encode_utf16()).collect();
    units
        .iter_mut()
        .filter(|unit| **unit == 0xE000)
        .for_each(|unit| *unit = 0xD800);
    let body: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
    assert!(
        source
            .post(&path_of("base"), sldc(&body), true)
            .await
            .unwrap()
            .is_ack()
    );
    assert_eq!(running.metrics.malformed_events.get(), 2);
    assert_eq!(running.metrics.lossy_events.get(), 1);
    running.stop().await;

    let stored = bench.stored();
    let texts: Vec<&str> = stored.iter().map(|(text, ..)| text.as_str()).collect();
    assert_eq!(texts[..6], batch);
    assert!(texts[6].contains("a\u{FFFD}b"));
    let flags: Vec<Flags> = stored.iter().map(|(_, flags, _)| *flags).collect();
    let malformed = Flags::MALFORMED;
    assert_eq!(
        flags,
        [
            Flags::NONE,
            malformed,
            Flags::NONE,
            Flags::NONE,
            malformed,
            Flags::NONE,
            Flags::LOSSY_UTF16
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_asks_for_too_much_is_refused() {
    let mut bench = Bench::new();
    bench.limits.idle_timeout = Duration::from_secs(20);
    let running = bench.start().await;
    let mut bystander = bench.source(&running, "ws2.corp.example").await;

    let mut source = bench.source(&running, SOURCE).await;
    let get = Request::get("/wsman/SubscriptionManager/WEC")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let answer = source.send(get).await.unwrap();
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers["allow"], "POST");

    let mut source = bench.source(&running, SOURCE).await;
    let gzip = Request::post(path_of("base"))
        .header("content-encoding", "gzip")
        .body(Full::new(Bytes::from("x")))
        .unwrap();
    assert_eq!(
        source.send(gzip).await.unwrap().fault(),
        "415 w:EncodingLimit"
    );
    assert!(source.heartbeat("base").await.is_ack());

    // Declared and sent.
    let answer = source
        .post(&path_of("base"), vec![b'x'; (2 << 20) + 1], false)
        .await;
    if let Ok(answer) = answer {
        assert_eq!(answer.fault(), "413 w:EncodingLimit");
        assert_eq!(answer.headers["connection"], "close");
    }

    // Declared and not sent: the answer comes all the same, and soon.
    let answer = raw(&bench, &running, "POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Asked for leave first.
    let answer = raw(&bench, &running, "POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 104857600\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Not declared: counted.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(33);
    let answer = raw(&bench, &running, &format!("POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let long = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let answer = raw(&bench, &running, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    let answer = raw(&bench, &running, &many).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    assert!(bystander.heartbeat("base").await.is_ack());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stalls_is_given_up() {
    let mut bench = Bench::new();
    bench.limits.body_pause_timeout = Duration::from_millis(300);
    bench.limits.idle_timeout = Duration::from_millis(500);
    bench.limits.first_request_timeout = Duration::from_millis(300);
    bench.limits.handshake_timeout = Duration::from_millis(300);
    let running = bench.start().await;

    let stalled =
        "POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<s:";
    let answer = raw(&bench, &running, stalled).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // Half a head, no head at all, no TLS at all: the connection just ends.
    assert_eq!(raw(&bench, &running, "POST / HT").await, "");
    assert_eq!(raw(&bench, &running, "").await, "");
    let mut silent = tokio::net::TcpStream::connect(running.address)
        .await
        .unwrap();
    assert!(matches!(silent.read(&mut [0]).await, Ok(0) | Err(_)));
    until(|| running.metrics.open_connections.get() == 0).await;
    let refused = running.collector.refused_connections();
    assert_eq!(refused.len(), 1);
    insta::assert_snapshot!(refused[0].reason, @"the TLS handshake took too long");
    running.stop().await;
}

/// Sends these bytes over TLS as a known source, and reads until the end.
async fn raw(bench: &Bench, running: &Running, request: &str) -> String {
    let identity = bench.pki.issue(SOURCE);
    let mut stream = tls(running.address, bench.pki.client(Some(&identity)))
        .await
        .unwrap();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let write = async {
        let _ = writer.write_all(request.as_bytes()).await;
        let _ = writer.flush().await;
    };
    let mut answer = Vec::new();
    let (_, _) = tokio::join!(write, reader.read_to_end(&mut answer));
    // The body of a fault is UTF-16; the head is what is looked at.
    let head = answer
        .iter()
        .position(|byte| *byte == b'\r')
        .unwrap_or(answer.len());
    String::from_utf8_lossy(&answer[..head]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_announces_much_and_sends_little_starves_nobody_but_itself() {
    let mut bench = Bench::new();
    // Far beyond the test: only room can let the others in.
    bench.limits.body_pause_timeout = Duration::from_secs(3_600);
    bench.limits.request_timeout = Duration::from_secs(3_600);
    bench.limits.shutdown_timeout = Duration::from_millis(100);
    let running = bench.start().await;
    let identity = bench.pki.issue("hog.corp.example");
    let body_bytes = bench.limits.body_bytes;
    let enough = bench.limits.bodies_in_flight_bytes / body_bytes + 8;
    let mut trickles = Vec::new();
    for _ in 0..enough {
        let config = bench.pki.client(Some(&identity));
        let mut stream = tls(running.address, config).await.unwrap();
        let path = path_of("base");
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {body_bytes}\r\n\r\nx");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        trickles.push(stream);
    }
    until(|| running.metrics.open_connections.get() >= i64::try_from(enough).unwrap()).await;
    let bystander = async {
        let mut source = bench.source(&running, SOURCE).await;
        let mut acknowledged = true;
        for number in 0..20 {
            let event = event(number);
            acknowledged &= source
                .deliver("base", number, [event.as_str()])
                .await
                .is_ack();
        }
        acknowledged
    };
    let patience = Duration::from_secs(60);
    assert!(tokio::time::timeout(patience, bystander).await.unwrap());
    drop(trickles);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_under_way_at_the_end_is_put_off() {
    let bench = Bench::new();
    let running = bench.start().await;
    let xml = encode("<s:Envelope", Charset::Utf8);
    let head = format!(
        "POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}",
        String::from_utf8(xml).unwrap()
    );
    let shutdown = running.shutdown.clone();
    let stop = async {
        until(|| running.metrics.open_connections.get() == 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(raw(&bench, &running, &head), stop);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    running.stop().await;
}
