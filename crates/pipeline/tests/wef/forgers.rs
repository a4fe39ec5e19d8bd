//! Kerberos in bad hands: tickets that were recorded, forged or made elsewhere, and sealed bodies in every
//! wrong form. Each is refused for what it is, and a machine beside is served.

use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use jiff::Timestamp;
use windrow_formats::wsman::{Charset, client, encode};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::wire::keytab;
use windrow_pipeline::kerberos::{Keytab, KeytabKey, Principal, Scheme};
use windrow_pipeline::sources::wef::ENUMERATE_PATH;

use crate::harness::*;
use crate::healthy::{Healthy, counted};
use crate::kdc::{COLLECTOR, MACHINE, Realm, principal};
use crate::machine::*;

async fn healthy(realm: &Realm, running: &Running) -> Healthy {
    let ticket = realm.ticket("WS00002$", COLLECTOR).await;
    let machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    Healthy::start("WS00002$@CORP.EXAMPLE", machine)
}

/// A key for the collector that somebody else has made: of another realm, or with other bytes.
fn forged_key(realm: &Realm, of: &str, change: impl Fn(&mut Vec<u8>)) -> KeytabKey {
    let file = std::fs::read(realm.path("wec.keytab")).unwrap();
    let mut entries = keytab::parse(&file).unwrap();
    entries.retain(|entry| entry.etype == 18);
    for entry in &mut entries {
        of.clone_into(&mut entry.principal.realm);
        let mut key = entry.key.to_vec();
        change(&mut key);
        entry.key = key.into();
    }
    let path = realm.path("forged.keytab");
    std::fs::write(&path, &*keytab::encode(&entries)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Keytab::load(&path).unwrap().keys()[0].clone()
}

/// What whoever shows this token is answered.
async fn show(running: &Running, token: &[u8]) -> StatusCode {
    let mut sender = connect(running.address).await;
    let value = format!("Kerberos {}", BASE64.encode(token));
    let request = post(ENUMERATE_PATH).header("authorization", value);
    let (head, _) = send(&mut sender, request, Vec::new()).await.unwrap();
    head.status
}

async fn show_ticket(running: &Running, key: &KeytabKey, client: &Principal) -> StatusCode {
    let now = Timestamp::now();
    let ticket = Ticket::made_with(key, client, now).unwrap();
    let initiation = ticket.initiate(Scheme::Kerberos, now).unwrap();
    show(running, &initiation.token).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_authenticator_is_of_no_use_on_any_connection() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let healthy = healthy(&realm, &running).await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let initiation = ticket.initiate(Scheme::Kerberos, Timestamp::now()).unwrap();
    assert_eq!(show(&running, &initiation.token).await, StatusCode::OK);
    for _ in 0..5 {
        let again = show(&running, &initiation.token).await;
        assert_eq!(again, StatusCode::UNAUTHORIZED);
        healthy.goes_on().await;
    }
    // The same ticket with an authenticator of its own is the machine itself.
    let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
    assert!(machine.deliver(5, 1..6).await.is_ack());
    // Whoever has recorded it and cuts it, or alters a byte, does not get farther.
    let token = &initiation.token;
    for place in [40, token.len() / 2, token.len() - 1] {
        let mut altered = token.clone();
        altered[place] ^= 0x20;
        assert_eq!(show(&running, &altered).await, StatusCode::UNAUTHORIZED);
        assert_eq!(
            show(&running, &token[..place]).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let refusals = running.collector.refusals();
    assert_eq!(refusals.values().sum::<u64>(), 11, "{}", counted(&running));
    assert!(
        counted(&running).contains("ticket_replayed 5"),
        "{}",
        counted(&running)
    );
    healthy.stop(&bench, running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_another_realm_or_of_another_kdc_is_refused() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let healthy = healthy(&realm, &running).await;
    let machine = principal(MACHINE);
    let evil = Principal::parse("WS00001$@EVIL.EXAMPLE").unwrap();
    // Another realm's KDC has a key for the same host's name.
    let other_realm = forged_key(&realm, "EVIL.EXAMPLE", |key| key.fill(7));
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!(show_ticket(&running, &other_realm, &evil).await, refused);
    assert_eq!(show_ticket(&running, &other_realm, &machine).await, refused);
    // A KDC of somebody's own, which says it is ours, for a name of ours.
    let own_kdc = forged_key(&realm, "CORP.EXAMPLE", |key| key.fill(7));
    assert_eq!(show_ticket(&running, &own_kdc, &machine).await, refused);
    healthy.goes_on().await;
    assert_eq!(counted(&running), "wrong_service 2, unknown_key 1");
    // A realm that ours trusts: the ticket is of our KDC, and its owner is somebody else than who has the
    // same account in ours.
    let ours = forged_key(&realm, "CORP.EXAMPLE", |_| {});
    let now = Timestamp::now();
    let trusted = Ticket::made_with(&ours, &evil, now).unwrap();
    let mut namesake = Machine::connect(running.address, &trusted, Scheme::Kerberos).await;
    assert!(namesake.deliver(5, 1..6).await.is_ack());
    let sources = running.collector.sources();
    assert!(
        sources
            .iter()
            .any(|known| known.source == "WS00001$@EVIL.EXAMPLE")
    );
    assert!(!sources.iter().any(|known| known.source == NAME));
    // And people are none of the machines.
    let person = show_ticket(&running, &ours, &principal("alice")).await;
    assert_eq!(person, refused);
    assert_eq!(
        counted(&running),
        "wrong_service 2, unknown_key 1, not_a_machine 1"
    );
    healthy.stop(&bench, running).await;
}

/// A sealed body that is wrong in one place.
type Wrong = fn(&str, &[u8]) -> Vec<u8>;

/// Where the data of a sealed body begins.
fn data_at(body: &[u8]) -> usize {
    let mark = b"octet-stream\r\n";
    let found = body.windows(mark.len()).position(|part| part == mark);
    found.unwrap() + mark.len()
}

/// Another text in the part of the body that is one.
fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = data_at(body);
    let head = std::str::from_utf8(&body[..at]).unwrap();
    assert!(head.contains(from), "{from}");
    [head.replacen(from, to, 1).as_bytes(), &body[at..]].concat()
}

/// Every wrong form, by what is wrong.
const WRONG: [(&str, Wrong); 18] = [
    ("nothing", |_, _| b"\r\n".to_vec()),
    ("a boundary alone", |_, _| {
        b"--Encrypted Boundary--\r\n".to_vec()
    }),
    ("no first boundary", |_, body| body[22..].to_vec()),
    ("another boundary", |_, body| {
        replaced(body, "--Encrypted Boundary", "--Other Boundary")
    }),
    ("no closing boundary", |_, body| {
        body[..body.len() - 24].to_vec()
    }),
    ("a closing boundary that is cut", |_, body| {
        body[..body.len() - 4].to_vec()
    }),
    ("something behind the end", |_, body| {
        [body, b"more"].concat()
    }),
    ("too much white space behind the end", |_, body| {
        [body, &[b' '; 100][..]].concat()
    }),
    ("a part more", |_, body| [body, body].concat()),
    ("the wrong protocol in the first part", |_, body| {
        replaced(body, "HTTP-Kerberos-", "HTTP-SPNEGO-")
    }),
    ("no OriginalContent", |_, body| {
        replaced(body, "OriginalContent", "Content")
    }),
    ("no length", |_, body| replaced(body, "Length=", "Size=")),
    ("a length that is none", |_, body| {
        replaced(body, "Length=", "Length=-")
    }),
    ("a length beyond counting", |_, body| {
        replaced(body, "Length=", "Length=99999999999999999999")
    }),
    ("no octet-stream", |_, body| {
        let at = data_at(body);
        [&body[..at - 2], b"x\r\n", &body[at..]].concat()
    }),
    ("headers without end", |_, body| {
        replaced(
            body,
            "OriginalContent",
            &format!("{}OriginalContent", "X: y\r\n".repeat(10_000)),
        )
    }),
    ("a signature longer than everything", |_, body| {
        let mut body = body.to_vec();
        let at = data_at(&body);
        body[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        body
    }),
    ("a signature of nothing", |_, body| {
        let mut body = body.to_vec();
        let at = data_at(&body);
        body[at..at + 4].fill(0);
        body
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_body_in_a_wrong_form_ends_its_session() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let healthy = healthy(&realm, &running).await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let clear = encode(&client::heartbeat(&request(), ""), Charset::Utf16Le);
    let path = path_of("base");
    for (what, wrong) in WRONG {
        let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
        let body = machine.sealed(&clear, clear.len());
        let answer = machine.post_sealed(&path, wrong(what, &body), false).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(answer.headers["connection"], "close", "{what}");
        healthy.goes_on().await;
    }
    assert_eq!(counted(&running), format!("unsealed {}", WRONG.len()));
    healthy.stop(&bench, running).await;
}

/// Types of a body that are not what the session seals with.
const TYPES: [(&str, &str); 6] = [
    ("application/soap+xml;charset=UTF-16", "in_the_clear"),
    (
        "multipart/mixed;boundary=\"Encrypted Boundary\"",
        "in_the_clear",
    ),
    (
        "multipart/encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\"",
        "in_the_clear",
    ),
    (
        "multipart/encrypted;boundary=\"Encrypted Boundary\"",
        "in_the_clear",
    ),
    (
        "multipart/encrypted;protocol=\"application/HTTP-CredSSP-session-encrypted\";boundary=\"Encrypted Boundary\"",
        "in_the_clear",
    ),
    (
        "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"",
        "unsealed",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_type_than_the_session_seals_is_not_read() {
    let Some(realm) = Realm::start() else { return };
    let bench = bench(&realm);
    let running = bench.start().await;
    let healthy = healthy(&realm, &running).await;
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let clear = encode(&client::heartbeat(&request(), ""), Charset::Utf16Le);
    for (content_type, reason) in TYPES {
        let mut machine = Machine::connect(running.address, &ticket, Scheme::Kerberos).await;
        let body = machine.sealed(&clear, clear.len());
        let request = post(&path_of("base")).header("content-type", content_type);
        let (head, _) = send(&mut machine.sender, request, body).await.unwrap();
        assert_eq!(head.status, StatusCode::BAD_REQUEST, "{content_type}");
        assert!(
            counted(&running).contains(reason),
            "{content_type}: {}",
            counted(&running)
        );
        healthy.goes_on().await;
    }
    assert_eq!(counted(&running), "in_the_clear 5, unsealed 1");
    healthy.stop(&bench, running).await;
}
