//! What a scanner of TLS that shares no code with windrow finds at the two doors that others reach: the
//! listener for machines, and the privileged endpoint.

use std::process::Command;

use crate::endpoint::Site;
use crate::support::certs::Pair;
use crate::support::{Scratch, sslyze};

/// What is asked of the scanner.
const SCANS: [&str; 15] = [
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--compression",
    "--early_data",
    "--openssl_ccs",
    "--fallback",
    "--heartbleed",
    "--robot",
    "--reneg",
    "--resum",
    "--elliptic_curves",
];

/// What it has to say, by the head of its paragraph: TLS 1.2 and 1.3 alone, AEAD with ECDHE alone, no
/// compression, renegotiation, resumption or early data, and none of the holes that have names.
const EXPECTED: [(&str, &str); 14] = [
    (
        "SSL 2.0 Cipher Suites",
        "Attempted to connect using 7 cipher suites; the server rejected all cipher suites.",
    ),
    (
        "SSL 3.0 Cipher Suites",
        "Attempted to connect using 80 cipher suites; the server rejected all cipher suites.",
    ),
    (
        "TLS 1.0 Cipher Suites",
        "Attempted to connect using 80 cipher suites; the server rejected all cipher suites.",
    ),
    (
        "TLS 1.1 Cipher Suites",
        "Attempted to connect using 80 cipher suites; the server rejected all cipher suites.",
    ),
    (
        "TLS 1.2 Cipher Suites",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (
        "TLS 1.3 Cipher Suites",
        "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256",
    ),
    ("Deflate Compression", "OK - Compression disabled"),
    ("TLS 1.3 Early Data", "Not Supported"),
    (
        "OpenSSL CCS Injection",
        "OK - Not vulnerable to OpenSSL CCS injection",
    ),
    ("Downgrade Attacks", "TLS_FALLBACK_SCSV: OK - Supported"),
    ("OpenSSL Heartbleed", "OK - Not vulnerable to Heartbleed"),
    (
        "ROBOT Attack",
        "OK - Not vulnerable, RSA cipher suites not supported.",
    ),
    (
        "Session Renegotiation",
        "Client Renegotiation DoS Attack: OK - Not vulnerable Secure Renegotiation: OK - Supported",
    ),
    (
        "TLS 1.2 Session Resumption Support",
        "With Session IDs: NOT SUPPORTED (0 successful resumptions out of 5 attempts). With TLS Tickets: NOT SUPPORTED (0 successful resumptions out of 5 attempts).",
    ),
];

/// What the scanner says of an address, to which it shows this certificate.
fn scan(mut scanner: Command, address: &str, identity: Option<&Pair>) -> String {
    let command = scanner.args(SCANS);
    if let Some(pair) = identity {
        command.arg("--cert").arg(&pair.certificate);
        command.arg("--key").arg(&pair.key);
    }
    let output = command.arg(address).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("SCANS COMPLETED"), "{said}");
    said
}

/// One paragraph of it, in one line. Of suites that were accepted, their names in order.
fn paragraph(said: &str, head: &str) -> String {
    let start = format!(" * {head}:");
    let (_, rest) = said
        .split_once(&start)
        .unwrap_or_else(|| panic!("nothing about {head}: {said}"));
    let end = rest.find("\n * ").unwrap_or(rest.len());
    let end = end.min(rest.find("\n SCANS COMPLETED").unwrap_or(end));
    let paragraph = &rest[..end];
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let mut suites: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| word.starts_with("TLS_") && word.contains("_SHA"))
        .collect();
    suites.sort_unstable();
    match suites.is_empty() {
        true => words.join(" "),
        false => suites.join(" "),
    }
}

fn assert_as_expected(said: &str) {
    for (head, expected) in EXPECTED {
        assert_eq!(paragraph(said, head), expected, "{head}: {said}");
    }
    let curves = paragraph(said, "Elliptic Curve Key Exchange");
    let supported = "Supported curves: X25519, secp256r1, secp384r1 Rejected curves:";
    assert!(curves.starts_with(supported), "{curves}");
}

#[test]
fn a_scanner_finds_nothing_old_at_the_listener_and_at_the_endpoint() {
    let (Some(first), Some(second), Some(third)) = (sslyze(), sslyze(), sslyze()) else {
        return;
    };
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    site.service.start();
    let machine = site.service.issue("ws1.corp.example");
    let collector = site.service.collector_address();
    let stranger = scan(first, &collector, None);
    assert!(
        stranger.contains("Server REQUIRED client authentication"),
        "{stranger}"
    );
    assert_as_expected(&scan(second, &collector, Some(&machine)));
    // Who may show a certificate there need not.
    let endpoint = format!("127.0.0.1:{}", site.port);
    let said = scan(third, &endpoint, None);
    assert!(!said.contains("REQUIRED client authentication"), "{said}");
    assert_as_expected(&said);
    site.service.terminate().expect(0);
}
