//! Clients that mean harm, or that nobody has taught manners: what each of them gets, what is counted of
//! it, and that a machine beside them is served all the while.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrow_formats::wsman::{client, uri};
use windrow_pipeline::sources::wef::Refusal;

use crate::harness::*;
use crate::healthy::{Healthy, counted, counted_after, resident_kib};

const HEALTHY: &str = "healthy.corp.example";
/// What an attack may cost in memory, of all that its test needs beside: far less than what it asks for.
const ATTACK_KIB_MAX: u64 = 200 * 1024;

/// Waits that are too long for nobody's test.
fn impatient() -> Bench {
    let mut bench = Bench::new();
    bench.limits.handshake_timeout = Duration::from_millis(500);
    bench.limits.first_request_timeout = Duration::from_secs(1);
    bench.limits.idle_timeout = Duration::from_secs(2);
    bench.limits.body_pause_timeout = Duration::from_millis(500);
    bench
}

/// Reads until the collector closes, which it has to.
async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest));
    let _ = closed.await.expect("the connection stays open");
}

/// The first message of a TLS client.
fn hello(bench: &Bench) -> Vec<u8> {
    let name = windrow_pipeline::tls::server_name("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(bench.pki.client(None), name).unwrap();
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_finish_a_handshake_is_let_go() {
    let bench = impatient();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    let hello = hello(&bench);
    let half = hello.len() / 2;
    let mut grease = hello.clone();
    // A record that says it is longer than any may be, and then nothing.
    grease[3..5].copy_from_slice(&[0xff, 0xff]);
    let attempts: [(&str, &[u8]); 6] = [
        ("no hello", b""),
        ("half a hello", &hello[..half]),
        ("a hello and no more", &hello),
        ("a record that is too long", &grease),
        ("HTTP in the clear", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    ];
    for (_, bytes) in attempts {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        is_closed(&mut stream).await;
    }
    // Gone before anything was said, and in the middle of it.
    for bytes in [&b""[..], &hello[..half]] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        drop(stream);
    }
    insta::assert_snapshot!(counted_after(&running, 8).await, @"hung_up 2, handshake_timeout 3, handshake_failed 3");
    // All of it is kept for whoever asks, in three lines of one address.
    let kept = running.collector.refused_connections();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(kept.iter().map(|one| one.count).sum::<u64>(), 8);
    healthy.stop(&bench, running).await;
}

/// A machine with a good certificate, and what it sends over TLS is not HTTP, or never ends.
struct Authenticated<'a> {
    bench: &'a Bench,
    running: &'a Running,
    config: Arc<rustls::ClientConfig>,
}

impl Authenticated<'_> {
    /// Sends this and waits for the end; the first line of the answer.
    async fn send(&self, request: &[u8]) -> String {
        let mut stream = tls(self.running.address, self.config.clone())
            .await
            .unwrap();
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let write = async {
            let _ = writer.write_all(request).await;
            let _ = writer.flush().await;
        };
        let mut answer = Vec::new();
        let both = async { tokio::join!(write, reader.read_to_end(&mut answer)) };
        let both = tokio::time::timeout(Duration::from_secs(60), both).await;
        let _ = both.expect("the connection stays open");
        let end = answer.iter().position(|byte| *byte == b'\r');
        let line = &answer[..end.unwrap_or(answer.len())];
        let line = String::from_utf8_lossy(line).into_owned();
        line.strip_prefix("HTTP/1.1 ").unwrap_or(&line).to_owned()
    }

    fn new<'a>(bench: &'a Bench, running: &'a Running) -> Authenticated<'a> {
        let identity = bench.pki.issue("stolen.corp.example");
        let config = bench.pki.client(Some(&identity));
        Authenticated {
            bench,
            running,
            config,
        }
    }

    fn head(&self, headers: &str) -> Vec<u8> {
        let path = path_of(&self.bench.subscriptions[0].name);
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").into_bytes()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_end_or_is_none_is_refused() {
    let bench = impatient();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    let stolen = Authenticated::new(&bench, &running);
    let endless = |line: &str| {
        let mut head = b"POST / HTTP/1.1\r\nHost: x\r\n".to_vec();
        while head.len() < 1 << 20 {
            head.extend_from_slice(line.as_bytes());
        }
        head
    };
    let attempts: [(&str, Vec<u8>, &str); 7] = [
        ("nothing", Vec::new(), ""),
        (
            "half a head",
            b"POST /wsman HTTP/1.1\r\nHost: x\r\nX".to_vec(),
            "",
        ),
        (
            "headers without end",
            endless("X: y\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            "a header without end",
            endless("x"),
            "431 Request Header Fields Too Large",
        ),
        (
            "an address without end",
            [&b"POST /"[..], &vec![b'x'; 1 << 20]].concat(),
            "431 Request Header Fields Too Large",
        ),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), ""),
        ("noise", vec![0x9d; 4096], "400 Bad Request"),
    ];
    for (what, bytes, expected) in attempts {
        let answer = stolen.send(&bytes).await;
        // What is cut off while it still sends may not hear the answer.
        assert!([expected, ""].contains(&&*answer), "{what}: {answer}");
        healthy.goes_on().await;
    }
    insta::assert_snapshot!(counted_after(&running, 7).await, @"head 5, too_slow 2");
    healthy.stop(&bench, running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_or_does_not_end_is_refused() {
    let bench = impatient();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    let stolen = Authenticated::new(&bench, &running);
    let with = |headers: &str, body: &[u8]| [stolen.head(headers), body.to_vec()].concat();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let extension = format!("1;{}\r\nx\r\n", "x".repeat(1 << 20));
    let trailers = format!("1\r\nx\r\n0\r\n{}", "X: y\r\n".repeat(100_000));
    let attempts: [(&str, Vec<u8>, &str); 9] = [
        (
            "a stalled body",
            with("Content-Length: 100\r\n", b"<s:"),
            "408 Request Timeout",
        ),
        (
            "a stalled chunk",
            with(chunked, b"10000\r\nx"),
            "408 Request Timeout",
        ),
        (
            "100 MB declared",
            with("Content-Length: 104857600\r\n", b""),
            "413 Payload Too Large",
        ),
        (
            "more than can be counted",
            with("Content-Length: 18446744073709551615\r\n", b"x"),
            "431 Request Header Fields Too Large",
        ),
        (
            "chunks without end",
            with(chunked, chunk.repeat(200).as_bytes()),
            "413 Payload Too Large",
        ),
        (
            "an extension without end",
            with(chunked, extension.as_bytes()),
            "400 Bad Request",
        ),
        (
            "trailers without end",
            with(chunked, trailers.as_bytes()),
            "400 Bad Request",
        ),
        ("no chunk", with(chunked, b"zz\r\n"), "400 Bad Request"),
        (
            "two lengths",
            with("Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
            "400 Bad Request",
        ),
    ];
    let before = resident_kib();
    for (what, bytes, expected) in attempts {
        let answer = stolen.send(&bytes).await;
        assert!([expected, ""].contains(&&*answer), "{what}: {answer}");
        healthy.goes_on().await;
    }
    insta::assert_snapshot!(counted_after(&running, 9).await, @"head 2, too_large 2, too_slow 2, broke_off 3");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < ATTACK_KIB_MAX, "{grown} KiB");
    healthy.stop(&bench, running).await;
}

/// Whoever may make accounts for machines has many names, and each of them a share of the room for bodies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_machines_whose_bodies_hardly_come_hold_nobody_up() {
    const NAMES: usize = 10;
    const EACH: usize = 2;
    let mut bench = Bench::new();
    bench.limits.body_grace = Duration::from_millis(300);
    // Far beyond the test: nobody is let go because its time is over.
    bench.limits.body_pause_timeout = Duration::from_secs(3_600);
    bench.limits.request_timeout = Duration::from_secs(3_600);
    let each = bench.limits.body_bytes;
    assert!(NAMES * EACH * each > bench.limits.bodies_in_flight_bytes);
    let running = bench.start().await;
    let path = path_of(&bench.subscriptions[0].name);
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {each}\r\n\r\n");
    let mut trickling = Vec::new();
    for name in 0..NAMES {
        let identity = bench.pki.issue(&format!("made{name}.corp.example"));
        for _ in 0..EACH {
            let config = bench.pki.client(Some(&identity));
            let mut stream = tls(running.address, config).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            trickling.push(tokio::spawn(async move {
                while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }));
        }
    }
    // Those that found no room wait for it, which takes it from the others.
    until(|| refused(&running, Refusal::TooSlow) > 0).await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    healthy.goes_on().await;
    for one in trickling {
        one.abort();
    }
    healthy.stop(&bench, running).await;
}

fn refused(running: &Running, refusal: Refusal) -> u64 {
    let refusals = running.collector.refusals();
    refusals.get(&refusal).copied().unwrap_or(0)
}

/// An envelope with a head, and this as the body of it.
fn envelope(body: &str) -> String {
    let good = client::heartbeat(&request_of("stolen.corp.example"), "");
    let start = good.find("<s:Body>").unwrap();
    format!("{}<s:Body>{body}</s:Body></s:Envelope>", &good[..start])
}

/// Entities that stand for entities: ten times ten times …
fn laughs() -> String {
    let mut document = "<!DOCTYPE s [<!ENTITY a0 \"ha\">".to_owned();
    for depth in 1..12 {
        let inner = format!("&a{};", depth - 1).repeat(10);
        document.push_str(&format!("<!ENTITY a{depth} \"{inner}\">"));
    }
    format!("{document}]>{}", envelope("&a11;"))
}

/// A delivery with this instead of its events.
fn delivery(inside: &str) -> String {
    let wsman = uri::WSMAN;
    let heartbeat = envelope(&format!("<w:Events xmlns:w='{wsman}'>{inside}</w:Events>"));
    heartbeat.replace("wsman/Heartbeat<", "wsman/Events<")
}

/// Fifty thousand attributes.
fn attributes(name: &str) -> String {
    (0..50_000)
        .map(|number| format!(" {name}{number}='x'"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xml_that_grows_when_it_is_read_is_refused_before_it_has_grown() {
    let bench = Bench::new();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    let mut stolen = bench.source(&running, "stolen.corp.example").await;
    let outside = format!(
        "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>{}",
        envelope("&x;")
    );
    let bombs: [(&str, String); 6] = [
        ("entities", laughs()),
        ("an outside entity", outside),
        (
            "an unknown entity",
            envelope("<x>&nbsp;</x>").replace("<x>", "<w:x>"),
        ),
        ("depth", envelope(&"<a>".repeat(500_000))),
        (
            "namespaces at every depth",
            envelope(&format!("<a{}>", attributes("xmlns:n")).repeat(2)),
        ),
        (
            "events without end",
            delivery(&"<w:Event/>".repeat(200_000)),
        ),
    ];
    let before = resident_kib();
    let path = path_of("base");
    for (what, xml) in bombs {
        let answer = stolen.envelope(&path, &xml).await;
        assert_eq!(answer.fault(), "400 w:SchemaValidationError", "{what}");
        healthy.goes_on().await;
    }
    // Large, and nothing else: it is skipped.
    let large = envelope(&format!("<a{}/>", attributes("a")));
    assert!(stolen.envelope(&path, &large).await.is_ack());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < ATTACK_KIB_MAX, "{grown} KiB");
    insta::assert_snapshot!(counted(&running), @"unreadable 6");
    healthy.stop(&bench, running).await;
}

/// The largest body that can be made of zeros, from many connections of a machine at once.
async fn drop_bombs(bench: &Bench, running: &Running) {
    let mut bomb = Vec::new();
    windrow_formats::sldc::Encoder::new().encode(&vec![0; 8 << 20], &mut bomb);
    assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
    let identity = bench.pki.issue("stolen.corp.example");
    let mut many = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (address, bomb) = (running.address, bomb.clone());
        let config = bench.pki.client(Some(&identity));
        many.spawn(async move {
            let mut source = Source::connect(address, config, "stolen").await;
            let answer = source.post(&path_of("base"), bomb, true).await;
            answer.unwrap().fault()
        });
    }
    while let Some(fault) = many.join_next().await {
        assert_eq!(fault.unwrap(), "400 w:SchemaValidationError");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_compressed_is_unpacked_within_its_machines_share() {
    let bench = Bench::new();
    let running = bench.start().await;
    let healthy = Healthy::beside(&bench, &running, HEALTHY).await;
    let before = resident_kib();
    drop_bombs(&bench, &running).await;
    healthy.goes_on().await;
    // gzip is none of the encodings of the protocol, and nothing of it is unpacked.
    let mut stolen = bench.source(&running, "stolen.corp.example").await;
    let gzip = bytes::Bytes::from(vec![0x1f; 100_000]);
    let gzip = hyper::Request::post(path_of("base"))
        .header("host", "localhost")
        .header("content-encoding", "gzip")
        .body(http_body_util::Full::new(gzip));
    let answer = stolen.send(gzip.unwrap()).await.unwrap();
    assert_eq!(answer.fault(), "415 w:EncodingLimit");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < ATTACK_KIB_MAX, "{grown} KiB");
    insta::assert_snapshot!(counted(&running), @"encoding 1, unreadable 32");
    healthy.stop(&bench, running).await;
}
