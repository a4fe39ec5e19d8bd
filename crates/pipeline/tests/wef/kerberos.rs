//! Collecting over plain HTTP with Kerberos: what is taken, what is refused, and that nothing is read
//! that is not sealed.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrow_formats::sldc;
use windrow_formats::wsman::{Charset, Text, client, encode};
use windrow_pipeline::kerberos::{Replays, Scheme};
use windrow_pipeline::sources::wef::{ENUMERATE_PATH, Refusal};

use crate::harness::*;
use crate::kdc::{COLLECTOR, MACHINE, Realm};
use crate::machine::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_of_the_domain_subscribes() {
    let Some(realm) = Realm::start() else { return };
    for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
        let bench = bench(&realm);
        let running = bench.start().await;
        let ticket = realm.ticket(MACHINE, COLLECTOR).await;
        let mut machine = Machine::connect(running.address, &ticket, scheme).await;
        let answer = machine
            .envelope(ENUMERATE_PATH, &client::enumerate(&request()))
            .await;
        let reply = client::parse_reply(&answer.body).unwrap();
        let [offered] = &reply.subscriptions[..] else {
            panic!("{reply:?}");
        };
        assert_eq!(
            offered.profile.as_deref(),
            Some("http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos")
        );
        assert_eq!(offered.issuer_thumbprint, None);
        let address = format!("http://localhost:{}/", running.address.port());
        assert!(
            offered.notify_to.starts_with(&address),
            "{}",
            offered.notify_to
        );
        let end = machine
            .envelope(ENUMERATE_PATH, &client::end(&request()))
            .await;
        assert_eq!(end.status, StatusCode::NO_CONTENT);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_of_the_domain_delivers() {
    let Some(realm) = Realm::start() else { return };
    for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
        let bench = bench(&realm);
        let running = bench.start().await;
        let ticket = realm.ticket(MACHINE, COLLECTOR).await;
        let mut machine = Machine::connect(running.address, &ticket, scheme).await;
        assert!(machine.deliver(50, 1..51).await.is_ack());
        // A body need not be compressed, and may be declared in the length it had before it was.
        let (events, bookmark) = (events(51..52), bookmark_of(51));
        let xml = client::events(&request(), "", Some(&bookmark), strs(&events));
        let clear = encode(&xml, Charset::Utf16Le);
        let body = machine.sealed(&clear, clear.len());
        assert!(
            machine
                .post_sealed(&path_of("base"), body, false)
                .await
                .is_ack()
        );
        let xml = client::heartbeat(&request(), "");
        let clear = encode(&xml, Charset::Utf16Le);
        let mut body = Vec::new();
        sldc::Encoder::new().encode(&clear, &mut body);
        let body = machine.sealed(&body, clear.len());
        assert!(
            machine
                .post_sealed(&path_of("base"), body, true)
                .await
                .is_ack()
        );
        // An empty POST is nothing; a new ticket on the same connection begins a new session.
        let request = post(ENUMERATE_PATH);
        let (head, _) = send(&mut machine.sender, request, Vec::new())
            .await
            .unwrap();
        assert_eq!(head.status, StatusCode::OK);
        machine.session = authenticate(&mut machine.sender, &ticket, scheme)
            .await
            .unwrap();
        assert!(machine.deliver(60, 52..61).await.is_ack());

        let [source] = &running.collector.sources()[..] else {
            panic!("one source");
        };
        assert_eq!(source.source, NAME);
        assert!(running.collector.refusals().is_empty());
        running.stop().await;
        let stored = bench.stored();
        assert_eq!(stored.len(), 60);
        assert!(stored.iter().all(|(_, _, header)| header.source == NAME));
    }
}

/// MIT's library speaks to the collector itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_mits_library_subscribes_and_delivers() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    for (kind, batch) in [("krb5", 0), ("spnego", 1)] {
        let port = running.address.port().to_string();
        let path = path_of("base");
        let arguments = ["forward", kind, &port, "HTTP@wec.corp.example", &path];
        let Some(mut mit) = realm.mit(&arguments) else {
            return;
        };
        let (from, to) = (batch * 20, batch * 20 + 20);
        let (events, bookmark) = (events(from..to), bookmark_of(to));
        let xml = client::events(&request(), "", Some(&bookmark), strs(&events));
        mit.say(&encode(&xml, Charset::Utf16Le));
        let answer = tokio::task::spawn_blocking(move || {
            let answer = mit.hear();
            mit.finish();
            answer
        });
        let mut text = Text::new();
        text.decode(&answer.await.unwrap(), None);
        assert!(
            text.as_str().contains("/wsman/1/wsman/Ack<"),
            "{}",
            text.as_str()
        );
    }
    running.stop().await;
    assert_eq!(bench.stored().len(), 40);
}

/// curl negotiates with MIT's library, and first sends the body nobody has asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_negotiates() {
    let Some(realm) = Realm::start() else { return };
    if realm.authenticate_with_mit(MACHINE).is_none() {
        return;
    }
    let bench = bench(&realm);
    let running = bench.start().await;
    let port = running.address.port();
    let mut curl = realm.command("curl");
    curl.args([
        "--silent",
        "--include",
        "--negotiate",
        "--user",
        ":",
        "--request",
        "POST",
    ])
    .arg("--resolve")
    .arg(format!("wec.corp.example:{port}:127.0.0.1"))
    .arg(format!("http://wec.corp.example:{port}{ENUMERATE_PATH}"))
    .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || curl.output())
        .await
        .unwrap();
    let Ok(output) = output else {
        eprintln!("SKIPPED: curl is not here (apt-get install curl)");
        return;
    };
    let output = String::from_utf8(output.stdout).unwrap();
    let last = output
        .split("\r\n\r\n")
        .filter(|part| !part.is_empty())
        .last()
        .unwrap();
    assert!(last.starts_with("HTTP/1.1 200 OK"), "{output}");
    assert!(
        last.to_lowercase()
            .contains("www-authenticate: negotiate oy"),
        "{output}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_ticket_is_asked_for_it_and_nothing_is_read() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let mut sender = connect(running.address).await;
    for _ in 0..2 {
        let (head, body) = send(&mut sender, post(ENUMERATE_PATH), Vec::new())
            .await
            .unwrap();
        assert_eq!(head.status, StatusCode::UNAUTHORIZED);
        let offered: Vec<_> = head.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(offered, ["Kerberos", "Negotiate"]);
        assert!(body.is_empty() && !head.headers.contains_key("connection"));
    }
    // Not without end.
    send(&mut sender, post(ENUMERATE_PATH), Vec::new())
        .await
        .unwrap();
    let (head, _) = send(&mut sender, post(ENUMERATE_PATH), Vec::new())
        .await
        .unwrap();
    assert_eq!(head.headers["connection"], "close");
    // An envelope in the clear before, and with the ticket.
    let xml = encode(&client::enumerate(&request()), Charset::Utf16Le);
    let mut sender = connect(running.address).await;
    let (head, _) = send(&mut sender, post(ENUMERATE_PATH), xml.clone())
        .await
        .unwrap();
    assert_eq!(head.status, StatusCode::UNAUTHORIZED);
    assert_eq!(head.headers["connection"], "close");
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let initiation = ticket.initiate(Scheme::Kerberos, Timestamp::now()).unwrap();
    let value = format!("Kerberos {}", BASE64.encode(&initiation.token));
    let mut sender = connect(running.address).await;
    let with_ticket = post(ENUMERATE_PATH).header("authorization", value);
    let (head, _) = send(&mut sender, with_ticket, xml.clone()).await.unwrap();
    assert_eq!(head.status, StatusCode::UNAUTHORIZED);
    // Who has authenticated has to seal.
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    let in_the_clear =
        post(ENUMERATE_PATH).header("content-type", "application/soap+xml;charset=UTF-16");
    let (head, body) = send(&mut machine.sender, in_the_clear, xml).await.unwrap();
    assert_eq!(head.status, StatusCode::BAD_REQUEST);
    assert!(body.is_empty());
    assert_eq!(head.headers["connection"], "close");
    assert_eq!(running.collector.refusals()[&Refusal::InTheClear], 1);
    assert_eq!(running.metrics.events.get(), 0);
    // Who is asked and goes away is counted, when its connection has ended; so is the body in the clear.
    drop(connect(running.address).await);
    until(|| running.collector.refusals().get(&Refusal::NoTicket) == Some(&2)).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_refused_is_counted_with_its_reason() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let show = async |name: &str, token: &[u8]| {
        let mut sender = connect(running.address).await;
        let value = format!("{name} {}", BASE64.encode(token));
        let request = post(ENUMERATE_PATH).header("authorization", value);
        let (head, _) = send(&mut sender, request, Vec::new()).await.unwrap();
        (head.status, head.headers.contains_key("connection"))
    };
    let refused = (StatusCode::UNAUTHORIZED, true);
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let initiation = ticket
        .initiate(Scheme::Negotiate, Timestamp::now())
        .unwrap();
    assert_eq!(show("Negotiate", &initiation.token).await.0, StatusCode::OK);
    assert_eq!(show("Negotiate", &initiation.token).await, refused);
    let late = Timestamp::now() - SignedDuration::from_secs(900);
    let initiation = ticket.initiate(Scheme::Kerberos, late).unwrap();
    assert_eq!(show("Kerberos", &initiation.token).await, refused);
    let other = realm.ticket(MACHINE, "HTTP/other.corp.example").await;
    let initiation = other.initiate(Scheme::Kerberos, Timestamp::now()).unwrap();
    assert_eq!(show("kerberos", &initiation.token).await, refused);
    assert_eq!(show("Negotiate", b"NTLMSSP\0\x01\0\0\0").await, refused);
    assert_eq!(show("Kerberos", b"nonsense").await, refused);
    let refusals: Vec<_> = running.collector.refusals().into_iter().collect();
    assert_eq!(
        refusals,
        [
            (Refusal::NoTicket, 2),
            (Refusal::WrongService, 1),
            (Refusal::ClockSkew, 1),
            (Refusal::TicketReplayed, 1),
        ]
    );
    let refused = running.collector.refused_connections();
    let claims: Vec<_> = (refused.iter())
        .filter_map(|refused| refused.claim.as_ref()?.name.as_deref())
        .collect();
    assert_eq!(
        claims,
        [NAME, NAME],
        "who says it is it, where the ticket could be read"
    );
    let reasons: Vec<String> = refused.into_iter().map(|refused| refused.reason).collect();
    assert_eq!(
        reasons[0],
        "authentication by Kerberos failed: the authenticator of WS00001$@CORP.EXAMPLE came before: somebody repeats what it recorded"
    );
    assert!(
        reasons[1].contains("WS00001$@CORP.EXAMPLE is 90"),
        "{reasons:?}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_altered_or_recorded_is_taken() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let xml = client::heartbeat(&request(), "");
    let clear = encode(&xml, Charset::Utf16Le);
    let path = path_of("base");
    // The same sealed body twice.
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    let recorded = machine.sealed(&clear, clear.len());
    assert!(
        machine
            .post_sealed(&path, recorded.clone(), false)
            .await
            .is_ack()
    );
    let again = machine.post_sealed(&path, recorded.clone(), false).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.headers["connection"], "close");
    // In another session; altered; with another length than it says; with a wrong frame.
    type Fault = Box<dyn Fn(&mut Machine) -> Vec<u8>>;
    let mut faults: Vec<Fault> = Vec::new();
    faults.push(Box::new(move |_| recorded.clone()));
    let text = clear.clone();
    faults.push(Box::new(move |machine| {
        let mut body = machine.sealed(&text, text.len());
        let middle = body.len() / 2;
        body[middle] ^= 1;
        body
    }));
    let text = clear.clone();
    faults.push(Box::new(move |machine| {
        machine.sealed(&text, text.len() + 1)
    }));
    let text = clear.clone();
    faults.push(Box::new(move |machine| {
        let body = machine.sealed(&text, text.len());
        body[..body.len() - 5].to_vec()
    }));
    faults.push(Box::new(|_| b"--Encrypted Boundary--".to_vec()));
    let count = faults.len() as u64;
    for fault in faults {
        let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
        let body = fault(&mut machine);
        let answer = machine.post_sealed(&path, body, false).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(running.collector.refusals()[&Refusal::Unsealed], 1 + count);
    // Too large is answered sealed, before anything is read.
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Negotiate).await;
    let answer = machine.post_sealed(&path, vec![0; 3 << 20], false).await;
    assert_eq!(answer.fault(), "413 w:EncodingLimit");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_few_and_do_not_stay() {
    let Some(realm) = Realm::start() else { return };
    let mut bench = bench(&realm);
    bench.limits.handshake_timeout = Duration::from_millis(300);
    bench.limits.strangers = 2;
    let running = bench.start().await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    // Silent, half a head, and one that has asked and goes no further.
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nAuth")
        .await
        .unwrap();
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    }
    until(|| running.metrics.open_connections.get() == 0).await;
    let mut asked = connect(running.address).await;
    send(&mut asked, post(ENUMERATE_PATH), Vec::new())
        .await
        .unwrap();
    until(|| running.metrics.open_connections.get() == 0).await;
    assert_eq!(running.collector.refusals()[&Refusal::HandshakeTimeout], 3);
    // Who has shown a ticket stays for longer than a stranger that came after it.
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    assert!(matches!(silent.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    assert!(machine.deliver(5, 1..5).await.is_ack());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_cannot_take_every_place() {
    let Some(realm) = Realm::start() else { return };
    let mut bench = bench(&realm);
    bench.limits.connections_per_machine = 1;
    let running = bench.start().await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let mut first = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    assert!(first.deliver(5, 1..5).await.is_ack());
    let second = Machine::connect(running.address, &ticket, Scheme::Negotiate).await;
    until(|| running.metrics.open_connections.get() == 1).await;
    assert_eq!(running.collector.refusals()[&Refusal::TooManyOfMachine], 1);
    drop(second);
    assert!(first.deliver(10, 6..10).await.is_ack());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_connections_and_what_was_taken() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let initiation = ticket.initiate(Scheme::Kerberos, Timestamp::now()).unwrap();
    let value = format!("Kerberos {}", BASE64.encode(&initiation.token));
    let show = async || {
        let mut sender = connect(running.address).await;
        let request = post(ENUMERATE_PATH).header("authorization", &value);
        let (head, _) = send(&mut sender, request, Vec::new()).await.unwrap();
        head.status
    };
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    assert_eq!(show().await, StatusCode::OK);
    let mut options = bench.options(running.address);
    options.authentication =
        windrow_pipeline::sources::wef::Authentication::Kerberos(realm.server());
    running.collector.reload(options);
    assert!(machine.deliver(5, 1..5).await.is_ack());
    assert_eq!(show().await, StatusCode::UNAUTHORIZED);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_listener_has_taken_no_other_takes() {
    let Some(realm) = Realm::start() else { return };
    let replays = Replays::default();
    let mut benches = [bench(&realm), bench(&realm)];
    for bench in &mut benches {
        bench.kerberos = Some(realm.server().sharing(&replays));
    }
    let [first, second] = &benches;
    let [first, second] = [first.start().await, second.start().await];
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let initiation = ticket.initiate(Scheme::Kerberos, Timestamp::now()).unwrap();
    let value = format!("Kerberos {}", BASE64.encode(&initiation.token));
    let show = async |address| {
        let mut sender = connect(address).await;
        let request = post(ENUMERATE_PATH).header("authorization", &value);
        let (head, _) = send(&mut sender, request, Vec::new()).await.unwrap();
        head.status
    };
    assert_eq!(show(first.address).await, StatusCode::OK);
    assert_eq!(show(second.address).await, StatusCode::UNAUTHORIZED);
    assert_eq!(second.collector.refusals()[&Refusal::TicketReplayed], 1);
    // The same ticket with another authenticator is as good as ever.
    let mut machine = Machine::connect(second.address, &ticket, Scheme::Kerberos).await;
    assert!(machine.deliver(5, 1..5).await.is_ack());
    first.stop().await;
    second.stop().await;
}
