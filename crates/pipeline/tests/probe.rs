//! The test of a destination against real peers: what it shows, and the cause it names.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, dead_code)]

mod support;

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, date_time_ymd,
};
use support::PATIENCE;
use support::openssl::OpensslServer;
use support::pki::{Identity, Pki};
use support::rsyslog::{Driver, Rsyslog};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, UdpSocket};
use windrow_formats::syslog::Framing;
use windrow_pipeline::sinks::syslog::probe::{Cause, Ending, Report, Step, probe};
use windrow_pipeline::sinks::syslog::{Destination, Security, Transport};
use windrow_pipeline::tls::{CertificateFault, Fingerprint, ServerCheck, Verdict};

fn destination(port: u16, transport: Transport) -> Destination {
    let mut destination = support::destination(port, transport);
    destination.limits.close_timeout = Duration::from_secs(5);
    destination
}

async fn run(destination: &Destination) -> Report {
    probe(destination, "collector.example").await
}

/// The step and the cause of a test that has to fail.
fn failed(report: &Report) -> (Step, Cause) {
    let failure = report.failure.as_ref();
    let failure = failure.unwrap_or_else(|| panic!("did not fail: {report:#?}"));
    assert!(!failure.cure.is_empty());
    (failure.step, failure.cause.clone())
}

fn fault(report: &Report) -> CertificateFault {
    match failed(report) {
        (Step::Handshake, Cause::ServerCertificate { fault }) => fault,
        other => panic!("{other:?}"),
    }
}

fn params(name: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.subject_alt_names = name
        .map(|name| rcgen::SanType::DnsName(name.try_into().unwrap()))
        .into_iter()
        .collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// Each certificate that a server may show, against each check.
#[tokio::test]
async fn openssl_certificates_get_the_verdict_they_deserve() {
    let pki = Pki::new();
    let mut expired = params(Some("localhost"));
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params(Some("localhost"));
    early.not_before = date_time_ymd(3999, 1, 1);
    let mut own = params(Some("localhost"));
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let good = pki.issue(params(Some("localhost")));
    for (identity, full, skipped, pinned) in [
        (good, "", "", ""),
        (
            pki.issue(params(Some("siem.example"))),
            "other-name",
            "",
            "",
        ),
        (pki.issue(params(None)), "common-name-only", "", ""),
        (pki.issue(expired), "expired", "expired", "expired"),
        (
            pki.issue(early),
            "not-yet-valid",
            "not-yet-valid",
            "not-yet-valid",
        ),
        (
            Pki::new().issue(params(Some("localhost"))),
            "unknown-issuer",
            "unknown-issuer",
            "",
        ),
        (
            Identity::self_signed(params(Some("localhost"))),
            "self-signed",
            "self-signed",
            "",
        ),
        (Identity::self_signed(own), "authority", "authority", ""),
    ] {
        let Some(server) = OpensslServer::start(&identity, &pki, &[]) else {
            return;
        };
        let pin = Fingerprint::of(identity.certificate());
        for (check, expected) in [
            (ServerCheck::Full, full),
            (ServerCheck::SkipName, skipped),
            (ServerCheck::Pinned(pin), pinned),
            (ServerCheck::None, ""),
        ] {
            let what = format!("{check:?}, {full:?} with full checks");
            let report = run(&destination(server.port, pki.checking(None, check))).await;
            let tls = report.tls.as_ref().unwrap();
            assert_eq!(tls.chain[0].fingerprint, pin, "{what}");
            assert!(tls.verdicts.is_some(), "{what}");
            if expected.is_empty() {
                assert!(report.failure.is_none(), "{what}: {report:#?}");
                let marked = report.message.as_ref().unwrap();
                assert!(marked.text.contains(&marked.marker));
                server.wait_for(&marked.marker).await;
            } else {
                let json = serde_json::to_value(fault(&report)).unwrap();
                assert_eq!(json["fault"], expected, "{what}");
                assert!(report.message.is_none(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_report_of_a_good_receiver_says_all_there_is_to_say() {
    let pki = Pki::new();
    let Some(server) = OpensslServer::start(&pki.server, &pki, &["-verify", "1"]) else {
        return;
    };
    let report = run(&destination(server.port, pki.transport(Some(&pki.client)))).await;
    assert!(report.failure.is_none(), "{report:#?}");
    assert_eq!(report.security, Security::MutualTls);
    assert_eq!(report.ending, Some(Ending::Read), "{report:#?}");
    assert!(report.warnings.is_empty());
    let tls = report.tls.as_ref().unwrap();
    assert_eq!(tls.version, Some("TLS 1.3"));
    assert!(tls.cipher_suite.unwrap().starts_with("TLS13_"));
    assert_eq!((tls.server_name.as_str(), tls.check), ("localhost", "full"));
    let verdicts = tls.verdicts.as_ref().unwrap();
    assert_eq!(verdicts.chain, Verdict::Passed);
    assert_eq!(verdicts.name, Verdict::Passed);
    assert_eq!(verdicts.validity, Verdict::Passed);
    assert_eq!(verdicts.pin, Verdict::Unknown);
    assert_eq!(tls.chain[0].names.shown, ["localhost"]);
    assert_eq!(tls.chain[0].key, "ECDSA P-256");
    assert!(tls.client_certificate.requested);
    assert!(tls.client_certificate.authorities.shown[0].contains("Root"));
    let ours = tls.client_certificate.ours.as_ref().unwrap();
    assert_eq!(ours.names.shown, ["windrow.example.com"]);
    server.wait_for("Windrow:32").await;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ending"]["ending"], "read");
    assert_eq!(json["tls"]["verdicts"]["name"]["verdict"], "passed");
}

/// Under TLS 1.2 in the handshake, under TLS 1.3 after it.
#[tokio::test]
async fn openssl_refuses_a_client_certificate_and_is_understood() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    for (version, step) in [("-tls1_2", Step::Handshake), ("-tls1_3", Step::Accept)] {
        let options = [version, "-Verify", "1", "-verify_return_error"];
        let Some(server) = OpensslServer::start(&pki.server, &pki, &options) else {
            return;
        };
        let none = run(&destination(server.port, pki.transport(None))).await;
        assert_eq!(failed(&none), (step, Cause::ClientCertificateMissing));
        let other = pki.transport(Some(&stranger.client));
        let other = run(&destination(server.port, other)).await;
        let (at, cause) = failed(&other);
        assert_eq!(at, step);
        assert!(
            matches!(cause, Cause::ClientCertificateRefused { .. }),
            "{version}: {cause:?}"
        );
        let ours = run(&destination(server.port, pki.transport(Some(&pki.client)))).await;
        assert!(ours.failure.is_none(), "{version}: {ours:#?}");
    }
}

#[tokio::test]
async fn openssl_that_speaks_tls_1_1_only_is_refused() {
    let pki = Pki::new();
    let options = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let Some(server) = OpensslServer::start(&pki.server, &pki, &options) else {
        return;
    };
    for check in [ServerCheck::Full, ServerCheck::None] {
        let report = run(&destination(server.port, pki.checking(None, check))).await;
        assert_eq!(failed(&report), (Step::Handshake, Cause::OldTls));
    }
}

#[tokio::test]
async fn openssl_with_other_cipher_suites_is_refused() {
    let pki = Pki::new();
    let options = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"];
    let Some(server) = OpensslServer::start(&pki.server, &pki, &options) else {
        return;
    };
    let report = run(&destination(server.port, pki.transport(None))).await;
    assert_eq!(failed(&report), (Step::Handshake, Cause::NothingInCommon));
}

#[tokio::test]
async fn rsyslog_gets_the_message_over_every_transport() {
    for driver in [Driver::Openssl, Driver::Gnutls] {
        let pki = Pki::new();
        let Some(rsyslog) = Rsyslog::start(driver, &pki, "windrow.example.com") else {
            continue;
        };
        for (input, port, transport) in [
            ("udp", rsyslog.udp, Transport::Udp),
            ("tcp", rsyslog.tcp, Transport::Tcp),
            ("tls", rsyslog.tls, pki.transport(None)),
            ("mutual", rsyslog.mutual, pki.transport(Some(&pki.client))),
        ] {
            let mut destination = destination(port, transport);
            destination.format.framing = Framing::OctetCounting;
            let mut report = run(&destination).await;
            // It listens for datagrams some time after it accepts connections.
            let deadline = std::time::Instant::now() + PATIENCE;
            while input == "udp" && report.failure.is_some() && deadline.elapsed().is_zero() {
                assert_eq!(failed(&report), (Step::Send, Cause::DatagramRefused));
                report = run(&destination).await;
            }
            assert!(report.failure.is_none(), "{input}: {report:#?}");
            let ending = report.ending.unwrap();
            let expected = match (input, driver) {
                ("udp", _) => Ending::Unknown,
                // Its driver ends TCP without ending TLS (docs/forwarding.md says so).
                ("tls" | "mutual", Driver::Gnutls) => Ending::ReadUnsigned,
                _ => Ending::Read,
            };
            assert_eq!(ending, expected, "{input}, {driver:?}");
            let marker = &report.message.as_ref().unwrap().marker;
            rsyslog.wait_for_text(input, marker).await;
        }
        let none = run(&destination(rsyslog.mutual, pki.transport(None))).await;
        assert_eq!(failed(&none).1, Cause::ClientCertificateMissing);
        let mut plain = destination(rsyslog.tcp, pki.transport(None));
        plain.limits.handshake_timeout = Duration::from_millis(500);
        let plain = run(&plain).await;
        assert_eq!(failed(&plain), (Step::Handshake, Cause::HandshakeTimeout));
    }
}

/// rsyslog with OpenSSL lets any name pass, so this is for GnuTLS alone.
#[tokio::test]
async fn rsyslog_that_does_not_permit_our_name_is_understood() {
    let pki = Pki::new();
    let Some(rsyslog) = Rsyslog::start(Driver::Gnutls, &pki, "somebody.else.example") else {
        return;
    };
    let report = run(&destination(
        rsyslog.mutual,
        pki.transport(Some(&pki.client)),
    ))
    .await;
    let (_, cause) = failed(&report);
    assert!(
        matches!(cause, Cause::ClientCertificateRefused { .. }),
        "{cause:?}"
    );
}

#[tokio::test]
async fn what_is_no_tls_server_is_told_from_one_that_hangs() {
    let pki = Pki::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut target = destination(port, pki.transport(None));
    target.limits.handshake_timeout = Duration::from_millis(300);

    let (report, _held) = tokio::join!(run(&target), listener.accept());
    assert_eq!(failed(&report), (Step::Handshake, Cause::HandshakeTimeout));

    let web = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tcp.write_all(answer).await.unwrap();
        tcp
    };
    let (report, _held) = tokio::join!(run(&target), web);
    assert_eq!(failed(&report), (Step::Handshake, Cause::PlainText));

    // A record of TLS that a server's first flight begins with, and nothing behind it.
    let stalls = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"\x16\x03\x03\x00\x7a\x02").await.unwrap();
        tcp
    };
    let (report, _held) = tokio::join!(run(&target), stalls);
    assert_eq!(failed(&report), (Step::Handshake, Cause::HandshakeStalled));

    // A prompt is too short for a record of TLS: nothing in it is refused before the time is over.
    for prompt in [&b">"[..], b"> ", b"ogin"] {
        let prompts = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(prompt).await.unwrap();
            tcp
        };
        let (report, _held) = tokio::join!(run(&target), prompts);
        assert_eq!(failed(&report), (Step::Handshake, Cause::PlainText));
    }

    let hangs_up = async { drop(listener.accept().await.unwrap()) };
    let (report, ()) = tokio::join!(run(&target), hangs_up);
    assert_eq!(failed(&report), (Step::Handshake, Cause::HandshakeClosed));
}

#[tokio::test]
async fn where_nobody_listens_it_is_said() {
    let pki = Pki::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for transport in [Transport::Tcp, pki.transport(None)] {
        let report = run(&destination(port, transport)).await;
        assert_eq!(failed(&report), (Step::Connect, Cause::NothingListening));
        assert!(!report.attempts.is_empty());
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let mut datagrams = destination(port, Transport::Udp);
    datagrams.host = "127.0.0.1".to_owned();
    let report = run(&datagrams).await;
    assert_eq!(failed(&report), (Step::Send, Cause::DatagramRefused));
    let mut nameless = destination(514, Transport::Tcp);
    nameless.host = "siem.invalid".to_owned();
    let report = run(&nameless).await;
    assert_eq!(failed(&report), (Step::Resolve, Cause::NameUnknown));
}

#[tokio::test]
async fn weak_settings_are_warned_of_in_the_order_of_advice() {
    let pki = Pki::new();
    let pin = Fingerprint::of(pki.server.certificate());
    let client = Some(&pki.client);
    let ordered = [
        pki.checking(client, ServerCheck::Full),
        pki.checking(None, ServerCheck::Pinned(pin)),
        pki.checking(client, ServerCheck::SkipName),
        pki.checking(client, ServerCheck::None),
        Transport::Tcp,
        Transport::Udp,
    ];
    assert!(ordered.iter().map(Transport::security).is_sorted());
    let warnings = ordered.map(|transport| destination(514, transport).warnings().len());
    assert_eq!(warnings, [0, 0, 1, 1, 1, 2]);
}
