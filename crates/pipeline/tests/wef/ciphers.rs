//! Machines as old as Windows Server 2012 R2: TLS 1.2, the curves P-256 and P-384, and AES-GCM with ECDHE
//! only where the collector's certificate has an ECDSA key. What is older than that is refused.

use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::{ClientConfig, SupportedCipherSuite};
use windrow_pipeline::sources::wef::{Authentication, Refusal};
use windrow_pipeline::tls::{self, IdentityFiles, Revocation};

use crate::harness::*;

/// Everything that 2012 R2 has over TLS 1.2 with an RSA certificate, as openssl calls it: no AES-GCM with
/// ECDHE among it.
const OF_2012_R2_WITH_RSA: &str = "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:\
    ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:\
    DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA:AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:\
    AES128-SHA256:AES256-SHA:AES128-SHA";

/// A client of TLS 1.2 that has these suites, and 2012 R2's curves.
fn old_client(
    bench: &Bench,
    identity: &IdentityFiles,
    suites: &[SupportedCipherSuite],
) -> Arc<ClientConfig> {
    let provider = CryptoProvider {
        cipher_suites: suites.to_vec(),
        kx_groups: vec![kx_group::SECP384R1, kx_group::SECP256R1],
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in tls::load_certificates(&bench.pki.path("ca.pem")).unwrap() {
        roots.add(certificate).unwrap();
    }
    let chain = tls::load_certificates(&identity.certificate).unwrap();
    let key = tls::load_key(&identity.key).unwrap();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.into()
}

/// Has the collector show a certificate with an RSA key from now on.
fn show_rsa(bench: &Bench, running: &Running) {
    let identity = bench.pki.issue_rsa("localhost");
    let ca = bench.pki.path("ca.pem");
    let revocation = Revocation::default();
    let server = tls::server_config(&identity.certificate, &identity.key, &ca, revocation);
    let mut options = bench.options(running.address);
    options.authentication = Authentication::Certificate(server.unwrap());
    running.collector.reload(options);
}

const GCM: [SupportedCipherSuite; 2] = [
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_with_2012_r2_is_served_where_the_collectors_key_is_ecdsa() {
    let bench = Bench::new();
    let running = bench.start().await;
    // The machine's own key may be of either kind.
    let identities = [bench.pki.issue(SOURCE), bench.pki.issue_rsa(SOURCE)];
    for identity in &identities {
        for suite in GCM {
            let config = old_client(&bench, identity, &[suite]);
            let mut source = Source::connect(running.address, config, SOURCE).await;
            assert!(source.heartbeat("base").await.is_ack(), "{suite:?}");
        }
    }
    // With a certificate of RSA the same machine has no suite that is taken.
    show_rsa(&bench, &running);
    let config = old_client(&bench, &identities[0], &GCM);
    assert!(tls(running.address, config).await.is_err());
    // One that knows ECDHE with RSA, as since Server 2016, is served as before.
    let newer = [cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384];
    let config = old_client(&bench, &identities[1], &newer);
    let mut source = Source::connect(running.address, config, SOURCE).await;
    assert!(source.heartbeat("base").await.is_ack());
    until(|| {
        running
            .collector
            .refusals()
            .contains_key(&Refusal::HandshakeFailed)
    })
    .await;
    let refused = running.collector.refused_connections();
    insta::assert_snapshot!(
        refused[0].reason,
        @"the TLS handshake failed: peer is incompatible: NoCipherSuitesInCommon"
    );
    running.stop().await;
}

/// TLS 1.2 with 2012 R2's curves.
fn tls12(suites: &str) -> [&str; 5] {
    ["-tls1_2", "-curves", "P-384:P-256", "-cipher", suites]
}

/// Whether openssl gets as far as a session.
async fn openssl(bench: &Bench, running: &Running, arguments: &[&str]) -> Option<bool> {
    let identity = bench.pki.issue_rsa(SOURCE);
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &running.address.to_string()])
        .args(["-brief", "-CAfile"])
        .arg(bench.pki.path("ca.pem"))
        .arg("-cert")
        .arg(&identity.certificate)
        .arg("-key")
        .arg(&identity.key)
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap();
    let Ok(output) = output else {
        eprintln!("SKIPPED: openssl is not installed (apt-get install openssl)");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(said.contains("CONNECTION ESTABLISHED"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_2012_r2_has_with_an_rsa_certificate_is_refused_and_what_is_newer_taken() {
    let bench = Bench::new();
    let running = bench.start().await;
    show_rsa(&bench, &running);
    let newer = tls12("ECDHE-RSA-AES128-GCM-SHA256");
    let Some(taken) = openssl(&bench, &running, &newer).await else {
        return;
    };
    assert!(taken, "the suite of newer machines is refused");
    let all = format!("{OF_2012_R2_WITH_RSA}:@SECLEVEL=0");
    for suites in all.split(':').filter(|suite| !suite.starts_with('@')) {
        let suites = format!("{suites}:@SECLEVEL=0");
        let taken = openssl(&bench, &running, &tls12(&suites)).await;
        assert_eq!(taken, Some(false), "{suites}");
    }
    let taken = openssl(&bench, &running, &tls12(&all)).await;
    assert_eq!(taken, Some(false), "all of them");
    running.stop().await;
}
