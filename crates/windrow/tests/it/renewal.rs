//! Certificates that are renewed under their names: taken up without a word from anybody, and without a
//! connection lost.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::endpoint::Site;
use crate::reload::accepted;
use crate::support::certs::Pair;
use crate::support::{Scratch, installed, wait_until};

/// The certificate that is shown at an address, in PEM.
fn shown(address: &str) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", address, "-showcerts"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let pem = said
        .split(begin)
        .nth(1)
        .and_then(|rest| rest.split(end).next());
    pem.unwrap_or_default().split_whitespace().collect()
}

fn is_shown(address: &str, pair: &Pair) -> bool {
    let pem = std::fs::read_to_string(&pair.certificate).unwrap();
    let pem: String = pem.split_whitespace().collect();
    let shown = shown(address);
    !shown.is_empty() && pem.contains(&shown)
}

/// Puts a file in the place of another one, as careful programs do.
fn replace(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(next, path).unwrap();
}

#[test]
fn renewed_certificates_are_taken_up_and_nobody_is_disconnected() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let service = &mut site.service;
    service.start();
    let fleet = service.fleet(
        "fleet",
        &[
            "--machines",
            "3",
            "--rate",
            "20",
            "--for",
            "10m",
            "--refresh",
            "1h",
        ],
    );
    wait_until("events of every machine", || {
        service.status()["sources"]["wef.main"]["machines"] == 3
            && service.status()["sources"]["wef.main"]["events"].as_u64() > Some(100)
    });
    let connections = accepted(service);
    let (collector, endpoint) = (
        service.collector_address(),
        format!("127.0.0.1:{}", site.port),
    );

    // The collector's own, whole; of the endpoint's the key is another's.
    let renewed = site.service.issue("localhost");
    let own = site.authority.issue(&scratch, "other.example.com");
    let key = scratch.join("certs/site/localhost.key");
    let good = std::fs::read_to_string(&key).unwrap();
    replace(&key, &std::fs::read_to_string(&own.key).unwrap());
    wait_until("the collector's new certificate", || {
        is_shown(&collector, &renewed)
    });
    wait_until("the record of it", || !site.records(7).is_empty());
    let taken_up = site.records(7);
    assert_eq!(taken_up.len(), 1, "{taken_up:?}");
    assert!(
        taken_up[0].contains("source.wef.main: its files have changed and are in force"),
        "{taken_up:?}"
    );
    wait_until("the record of the key that does not fit", || {
        !site.records(8).is_empty()
    });
    let refused = site.records(8);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0].contains("admin: its files have changed and the old ones stay: "),
        "{refused:?}"
    );
    // The endpoint goes on with what it had, until that is right again.
    let before = shown(&endpoint);
    assert!(!before.is_empty());
    replace(&key, &good);
    wait_until("the endpoint's files in force", || {
        site.records(7).len() == 2
    });
    assert_eq!(shown(&endpoint), before);

    // Nobody had to connect anew, and what they sent is there.
    assert_eq!(accepted(&site.service), connections);
    let ledger = fleet.stop();
    wait_until("every event in the lake", || {
        site.service
            .try_lake()
            .is_some_and(|lake| ledger.missing(&lake).is_empty())
    });
    site.service.terminate().expect(0);
}
