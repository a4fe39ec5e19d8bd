//! The certificate shown to receivers, `windrow syslog client`, the checks of the receiver's, and `windrow syslog test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::certs::{Authority, Pair, pfx};
use crate::support::program::{Finished, run};
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::Service;
use crate::support::{Scratch, installed, wait_until};

const PASSWORD: &str = "correct horse battery staple";

fn syslog(scratch: &Scratch, service: &Service<'_>, words: &[&str]) -> Finished {
    let mut arguments = service.arguments("syslog");
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    run(scratch, &arguments)
}

/// Every file below a folder with what it holds.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The certificate is kept for its owner alone, and neither its key nor its password is shown anywhere: not in what a
/// command has said, in its state, in the lake or in the log.
fn stays_secret(scratch: &Scratch, service: &Service<'_>, client: &Pair, said: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let kept = files(&scratch.join("data/pki/syslog-client"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    for file in &kept {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let shown = syslog(scratch, service, &["client", "get", "--output", "json"]).expect(0);
    assert!(
        shown.stdout.contains("windrow.example.com"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("ECDSA"), "{}", shown.stdout);
    let events = service.query("select event_xml from events where origin = 'own'");
    let events = events.iter().map(ToString::to_string).collect::<String>();
    let key = std::fs::read_to_string(&client.key).unwrap();
    let key = key.lines().nth(1).unwrap();
    let said = format!(
        "{said}{}{events}{}",
        shown.stdout,
        service.program().stderr()
    );
    for secret in [PASSWORD, key, "PRIVATE KEY"] {
        assert!(!said.contains(secret), "{secret} was shown");
    }
}

#[test]
fn a_client_certificate_makes_mutual_tls_and_stays_secret() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let server = authority.issue(&scratch, "localhost");
    let client = authority.issue(&scratch, "windrow.example.com");
    let listener = Listener::MutualTls {
        server: &server,
        authority: &authority,
        peer: "windrow.example.com",
    };
    let siem = Rsyslog::start(&scratch, "siem", &listener);
    let mut service = Service::new(&scratch);
    service.configure(&format!(
        "[tls]\ndeployment_root = \"{}\"\n",
        authority.certificate.display()
    ));
    service.start();
    let (port, ca) = (
        siem.port.to_string(),
        authority.certificate.display().to_string(),
    );
    let server = ["server", "set", "--server-name", "localhost"];
    let options = ["--server-port", &*port, "--ca-file", &*ca];
    syslog(&scratch, &service, &[server, options].concat()).expect(0);

    // Without a certificate the receiver refuses, and the test says so.
    let refused = syslog(&scratch, &service, &["test"]).expect(1).stdout;
    assert!(refused.contains("none is set"), "{refused}");

    let pfx = pfx(&scratch, &client, PASSWORD);
    let pfx = pfx.to_string_lossy();
    let wrong = scratch.write("wrong.txt", "wrong\n");
    let right = scratch.write("password.txt", &format!("{PASSWORD}\n"));
    let set = |password: &Path| {
        let file = password.to_string_lossy().into_owned();
        let words = ["client", "set", "--pfx", &pfx, "--password-file", &file];
        syslog(&scratch, &service, &words)
    };
    let said = set(&wrong).expect(2).stderr;
    assert!(said.contains("password"), "{said}");
    assert!(files(&scratch.join("data/pki/syslog-client")).is_empty());
    let said = set(&right).expect(0).stdout;
    assert!(said.contains("not encrypted"), "{said}");
    assert!(!said.contains("deployment_root is not set"), "{said}");
    let passed = syslog(&scratch, &service, &["test"]).expect(0).stdout;
    wait_until("the marked message at the receiver", || {
        let marker = passed.lines().find_map(|line| line.strip_prefix("marker"));
        siem.messages().contains(marker.unwrap().trim())
    });
    let fleet = service.fleet(
        "fleet",
        &["--machines", "3", "--rate", "20", "--for", "10m"],
    );
    wait_until("events", || !siem.events().is_empty());
    let ledger = fleet.stop();
    wait_until("every event at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });

    // A second one replaces it, and nothing of the first is left.
    set(&right).expect(0);
    stays_secret(&scratch, &service, &client, &said);

    syslog(&scratch, &service, &["client", "remove"]).expect(0);
    assert!(files(&scratch.join("data/pki/syslog-client")).is_empty());
    syslog(&scratch, &service, &["client", "remove"]).expect(1);
    service.terminate().expect(0);
}

#[test]
fn a_client_certificate_of_another_root_is_refused() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let [site, other] = ["site", "other"].map(|name| Authority::new(&scratch, name));
    let client = other.issue(&scratch, "windrow.example.com");
    let mut service = Service::new(&scratch);
    service.configure(&format!(
        "[tls]\ndeployment_root = \"{}\"\n",
        site.certificate.display()
    ));
    service.start();
    let pfx = pfx(&scratch, &client, PASSWORD)
        .to_string_lossy()
        .into_owned();
    let password = scratch
        .write("password.txt", PASSWORD)
        .to_string_lossy()
        .into_owned();
    let words = ["client", "set", "--pfx", &pfx, "--password-file", &password];
    let said = syslog(&scratch, &service, &words).expect(2).stderr;
    assert!(
        said.contains("does not lead to the deployment's root"),
        "{said}"
    );
    assert!(files(&scratch.join("data/pki/syslog-client")).is_empty());
    let refused =
        service.query("select message from events where origin = 'own' and event_id = 31");
    assert_eq!(refused.len(), 1, "{refused:?}");
    service.terminate().expect(0);
}

#[test]
fn the_receivers_certificate_is_checked_as_it_is_set() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let server = authority.issue(&scratch, "siem.example.com");
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tls(&server));
    let mut service = Service::new(&scratch);
    service.start();
    let (port, ca) = (
        siem.port.to_string(),
        authority.certificate.display().to_string(),
    );
    let printed = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&server.certificate)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let fingerprint = printed.trim().split_once('=').unwrap().1.to_owned();
    let set = |words: &[&str]| {
        let first = [
            "server",
            "set",
            "--server-name",
            "localhost",
            "--server-port",
            &port,
        ];
        syslog(&scratch, &service, &[&first[..], words].concat())
    };
    let other = fingerprint.replace(':', "").replace(['A', '1'], "0");
    let tries: [(&[&str], bool); 6] = [
        (&["--ca-file", &ca], false),
        (&["--ca-file", &ca, "--skip-cn-check"], true),
        (&["--skip-certificate-check"], true),
        (&["--skip-certificate-check", "--skip-cn-check"], true),
        (&["--fingerprint", &fingerprint], true),
        (&["--fingerprint", &other], false),
    ];
    for (words, passes) in tries {
        let said = set(words).expect(0).stdout;
        assert_eq!(
            said.contains("best first"),
            words[words.len() - 1].ends_with("check"),
            "{said}"
        );
        let tested = syslog(&scratch, &service, &["test"]);
        let code = if passes { 0 } else { 1 };
        assert_eq!(
            tested.code,
            Some(code),
            "{words:?}: {}{}",
            tested.stdout,
            tested.stderr
        );
    }
    let both = set(&["--skip-certificate-check", "--fingerprint", &fingerprint])
        .expect(2)
        .stderr;
    assert!(
        both.contains("--fingerprint asks for a certain one"),
        "{both}"
    );
    let clear = set(&["--no-encryption", "--skip-cn-check"])
        .expect(2)
        .stderr;
    assert!(clear.contains("--skip-cn-check is about TLS"), "{clear}");
    service.terminate().expect(0);
}
