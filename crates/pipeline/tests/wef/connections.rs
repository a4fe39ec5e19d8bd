//! Who gets in, how many, and how it ends.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windrow_pipeline::sources::wef::{Authentication, Claim, Refusal};
use windrow_pipeline::tls::{ExpiredLists, Revocation};

use crate::harness::*;

/// What a client sees that is refused: with TLS 1.3 its own handshake is done before the server
/// has looked at its certificate, so the refusal comes with the first read.
async fn is_refused(
    address: std::net::SocketAddr,
    config: std::sync::Arc<rustls::ClientConfig>,
) -> bool {
    let Ok(mut stream) = tls(address, config).await else {
        return true;
    };
    let _ = stream
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await;
    !matches!(stream.read(&mut [0; 16]).await, Ok(1..))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_certificates_of_the_authority_get_in() {
    let bench = Bench::new();
    let running = bench.start().await;
    let known = bench.pki.issue(SOURCE);
    assert!(!is_refused(running.address, bench.pki.client(Some(&known))).await);

    assert!(is_refused(running.address, bench.pki.client(None)).await);
    let stranger = Pki::of("Strangers");
    let foreign = stranger.issue(SOURCE);
    assert!(is_refused(running.address, bench.pki.client(Some(&foreign))).await);
    // The other way round: a source does not speak to a collector of another authority.
    assert!(
        tls(running.address, stranger.client(Some(&foreign)))
            .await
            .is_err()
    );

    until(|| running.collector.refused_connections().len() == 3).await;
    let refusals: Vec<_> = running.collector.refusals().into_iter().collect();
    assert_eq!(
        refusals,
        [
            (Refusal::NoCertificate, 1),
            (Refusal::BadCertificate, 1),
            (Refusal::OwnCertificate, 1),
        ]
    );
    let refused = running.collector.refused_connections();
    let claims: Vec<_> = refused.iter().filter_map(|one| one.claim.clone()).collect();
    let foreign = Claim {
        name: Some(SOURCE.to_owned()),
        issuer: Some("CN=Strangers".to_owned()),
    };
    assert_eq!(claims, [foreign], "who it says it is helps to find it");
    let mut reasons: Vec<String> = running
        .collector
        .refused_connections()
        .into_iter()
        .map(|refused| refused.reason)
        .collect();
    reasons.sort();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    the TLS handshake failed: invalid peer certificate: UnknownIssuer
    the TLS handshake failed: peer sent no certificates
    the TLS handshake failed: received fatal alert: CertificateUnknown
    "#);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_for_clients_is_refused_as_that() {
    let bench = Bench::new();
    let running = bench.start().await;
    let server = bench.pki.issue_for_servers(SOURCE);
    assert!(is_refused(running.address, bench.pki.client(Some(&server))).await);
    until(|| running.collector.refused_connections().len() == 1).await;
    let refused = running.collector.refused_connections().remove(0);
    assert_eq!(refused.refusal, Refusal::CertificateUsage, "{refused:?}");
    let claimed = refused.claim.and_then(|claim| claim.name);
    assert_eq!(claimed.as_deref(), Some(SOURCE));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_expires_ends_its_connection() {
    let bench = Bench::new();
    let running = bench.start().await;
    // Longer where the machine is so busy that it is over before the handshake is.
    for seconds in [4, 8, 16] {
        let name = format!("ws{seconds}.corp.example");
        let identity = bench.pki.issue_for(&name, Duration::from_secs(seconds));
        let client = bench.pki.client(Some(&identity));
        let Ok(mut stream) = tls(running.address, client).await else {
            continue;
        };
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        let refusal = || {
            let sources = running.collector.sources();
            let known = sources.into_iter().find(|one| one.source == name);
            known.and_then(|known| Some(known.last_refusal.as_ref()?.refusal))
        };
        let is_too_late = || !running.collector.refused_connections().is_empty();
        until(|| refusal().is_some() || is_too_late()).await;
        if refusal() == Some(Refusal::CertificateExpired) {
            return running.stop().await;
        }
    }
    panic!("no certificate was over after the handshake");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_certificates_are_refused_and_their_connections_ended() {
    let bench = Bench::new();
    let running = bench.start().await;
    let (good, bad) = (bench.pki.issue(SOURCE), bench.pki.issue("ws2.corp.example"));
    let [good, stolen] = [&good, &bad].map(|identity| bench.pki.client(Some(identity)));
    let mut stream = tls(running.address, stolen.clone()).await.unwrap();
    let mut stands = Source::connect(running.address, good.clone(), SOURCE).await;
    assert!(stands.heartbeat("base").await.is_ack());
    assert!(!is_refused(running.address, stolen.clone()).await);

    let with = |lists: &[PathBuf], expired| {
        let server = bench.pki.server(Revocation { lists, expired });
        let mut options = bench.options(running.address);
        options.authentication = Authentication::Certificate(server);
        running.collector.reload(options);
    };
    let list = bench.pki.revoke("revoked.crl", &[&bad], 2200);
    with(&[list], ExpiredLists::Use);
    assert!(is_refused(running.address, stolen.clone()).await);
    assert!(!is_refused(running.address, good.clone()).await);
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "a connection from before goes on"
    );
    until(|| running.collector.refused_connections().len() == 1).await;
    let refused = running.collector.refused_connections();
    assert_eq!(
        refused[0].reason,
        "the TLS handshake failed: invalid peer certificate: Revoked"
    );
    let sources = running.collector.sources();
    let revoked = sources.iter().find(|one| one.source == "ws2.corp.example");
    insta::assert_snapshot!(
        revoked.unwrap().last_refusal.as_ref().unwrap().reason,
        @"the certificate is not taken any more: invalid peer certificate: Revoked"
    );
    // Nobody else is asked to come again: the connection from before is the one that is used.
    assert!(stands.heartbeat("base").await.is_ack());

    // A list that is overdue counts, or shuts the door, as is asked for.
    let overdue = [bench.pki.revoke("overdue.crl", &[&bad], 2026)];
    with(&overdue, ExpiredLists::Use);
    assert!(is_refused(running.address, stolen.clone()).await);
    assert!(!is_refused(running.address, good.clone()).await);
    assert!(stands.heartbeat("base").await.is_ack());
    with(&overdue, ExpiredLists::Refuse);
    assert!(is_refused(running.address, good.clone()).await);
    until(|| running.metrics.open_connections.get() == 0).await;

    // One of another authority says nothing of this one's certificates.
    let strangers = Pki::of("Strangers");
    with(
        &[strangers.revoke("foreign.crl", &[&bad], 2200)],
        ExpiredLists::Use,
    );
    assert!(!is_refused(running.address, stolen.clone()).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_tls_are_spoken_and_no_older_one() {
    let bench = Bench::new();
    let running = bench.start().await;
    let identity = bench.pki.issue(SOURCE);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in
            windrow_pipeline::tls::load_certificates(&bench.pki.path("ca.pem")).unwrap()
        {
            roots.add(certificate).unwrap();
        }
        let chain = windrow_pipeline::tls::load_certificates(&identity.certificate).unwrap();
        let key = windrow_pipeline::tls::load_key(&identity.key).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(windrow_pipeline::tls::provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let mut source = Source::connect(running.address, config.into(), SOURCE).await;
        assert!(source.heartbeat("base").await.is_ack(), "{version:?}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_behind_one_address_all_come_in() {
    let mut bench = Bench::new();
    bench.limits.connections_per_address = 1;
    let running = bench.start().await;
    let mut site = Vec::new();
    for number in 0..20 {
        let machine = format!("ws{number}.corp.example");
        let mut source = bench.source(&running, &machine).await;
        assert!(source.heartbeat("base").await.is_ack());
        site.push(source);
    }
    assert_eq!(running.metrics.open_connections.get(), 20);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_machine_cannot_take_every_place() {
    let mut bench = Bench::new();
    bench.limits.connections_per_machine = 2;
    let running = bench.start().await;
    let mut first = bench.source(&running, SOURCE).await;
    let second = bench.source(&running, SOURCE).await;
    let identity = bench.pki.issue(SOURCE);
    assert!(is_refused(running.address, bench.pki.client(Some(&identity))).await);
    let refusals = running.collector.refusals();
    assert_eq!(refusals.get(&Refusal::TooManyOfMachine), Some(&1));
    let _other = bench.source(&running, "ws2.corp.example").await;
    drop(second);
    until(|| running.metrics.open_connections.get() == 2).await;
    assert!(!is_refused(running.address, bench.pki.client(Some(&identity))).await);
    assert!(first.heartbeat("base").await.is_ack());
    running.stop().await;
}

/// A connection from another address of this machine.
pub(crate) async fn from_elsewhere(address: std::net::SocketAddr) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_begins_a_handshake_and_is_silent_holds_nobody_up() {
    let mut bench = Bench::new();
    // Far beyond the test: only a turn can let the newcomer in.
    bench.limits.handshake_timeout = Duration::from_secs(3_600);
    let running = bench.start().await;
    let identity = bench.pki.issue(SOURCE);
    // More than there are turns: some say nothing, some a hello and nothing more.
    let mut silent = Vec::new();
    for number in 0..bench.limits.handshakes + 16 {
        let mut stream = from_elsewhere(running.address).await;
        if number % 2 == 0 {
            let config = bench.pki.client(Some(&identity));
            let name = windrow_pipeline::tls::server_name("localhost").unwrap();
            let mut session = rustls::ClientConnection::new(config, name).unwrap();
            let mut hello = Vec::new();
            session.write_tls(&mut hello).unwrap();
            stream.write_all(&hello).await.unwrap();
        }
        silent.push(stream);
    }
    let places = i64::try_from(silent.len()).unwrap();
    until(|| running.metrics.open_connections.get() == places).await;
    let newcomer = async {
        let mut source = bench.source(&running, SOURCE).await;
        source.heartbeat("base").await.is_ack()
    };
    let patience = Duration::from_secs(60);
    assert!(tokio::time::timeout(patience, newcomer).await.unwrap());
    drop(silent);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_the_end_is_stored() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut senders = Vec::new();
    for number in 0..6 {
        let name = format!("ws{number}.corp.example");
        let mut source = bench.source(&running, &name).await;
        senders.push(tokio::spawn(async move {
            let mut acknowledged = 0;
            for batch in 0..1000 {
                let events = events(batch * 5..batch * 5 + 5);
                let xml = windrow_formats::wsman::client::events(
                    &source.request(),
                    "",
                    Some(&bookmark_of(batch)),
                    strs(&events),
                );
                let body =
                    windrow_formats::wsman::encode(&xml, windrow_formats::wsman::Charset::Utf8);
                match source.post(&path_of("base"), body, false).await {
                    Ok(answer) if answer.is_ack() => acknowledged += 5,
                    _ => break,
                }
            }
            acknowledged
        }));
    }
    until(|| running.metrics.batches.get() > 60).await;
    let (journal, address) = (running.journal.clone(), running.address);
    running.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(15), running.task)
        .await
        .unwrap()
        .unwrap();
    // Nobody listens any more.
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let mut acknowledged = 0;
    for sender in senders {
        acknowledged += sender.await.unwrap();
    }
    journal.close().await;
    let stored = bench.stored().len();
    // What was under way and not acknowledged may be there: one batch a source.
    assert!(
        (acknowledged..=acknowledged + 6 * 5).contains(&stored),
        "{acknowledged} {stored}"
    );
    assert!(acknowledged >= 300);
}
