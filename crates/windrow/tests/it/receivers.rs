//! Who is believed and who is let in: every way to check a receiver against every kind of certificate, at receivers with
//! TLS that is not ours (GnuTLS and OpenSSL in rsyslog, OpenSSL in syslog-ng).
//!
//! Each try is `windrow syslog test`: it takes the connection of the sink, with its settings, and sends one message with
//! a marker of its own. What is accepted must be found at the receiver, and what is refused must not.

use std::path::Path;

use crate::support::certs::{Authority, Pair, self_signed};
use crate::support::program::run;
use crate::support::rsyslog::{Driver, Listener, Rsyslog, Stack};
use crate::support::service::{Service, Transport};
use crate::support::syslog_ng::{self, Source, SyslogNg};
use crate::support::{Scratch, installed, wait_until};

/// A receiver of either kind.
enum Receiver {
    Rsyslog(Rsyslog),
    SyslogNg(SyslogNg),
}

/// The three whose TLS is tried.
#[derive(Clone, Copy, Debug)]
enum Kind {
    RsyslogGnuTls,
    RsyslogOpenSsl,
    SyslogNg,
}

/// Whether a receiver lets in a client. Where it is as it happens, what windrow says of it has to be what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Welcome {
    Yes,
    No,
    AsItHappens,
}

impl Kind {
    fn is_here(self) -> bool {
        match self {
            Kind::RsyslogGnuTls | Kind::RsyslogOpenSsl => installed("rsyslogd"),
            Kind::SyslogNg => syslog_ng::is_here(),
        }
    }

    /// What it does with a certificate of the authority that is of another name. rsyslog's OpenSSL driver (8.2302,
    /// Debian 12) mostly lets in any of them, whatever `permittedPeer` says, and sometimes does not, as the packets of
    /// the handshake come. An administrator who goes by names takes the other driver.
    fn of_another_name(self) -> Welcome {
        match self {
            Kind::RsyslogOpenSsl => Welcome::AsItHappens,
            Kind::RsyslogGnuTls | Kind::SyslogNg => Welcome::No,
        }
    }

    fn driver(self) -> Stack {
        Stack::of(match self {
            Kind::RsyslogOpenSsl => Driver::OpenSsl,
            Kind::RsyslogGnuTls | Kind::SyslogNg => Driver::GnuTls,
        })
    }

    /// One that shows `server` and asks for nothing.
    fn open(self, scratch: &Scratch, name: &str, server: &Pair) -> Receiver {
        match self {
            Kind::SyslogNg => {
                Receiver::SyslogNg(SyslogNg::start(scratch, name, &Source::Tls(server)))
            }
            _ => Receiver::Rsyslog(Rsyslog::start_with(
                scratch,
                name,
                &Listener::Tls(server),
                self.driver(),
            )),
        }
    }

    /// One that lets in who has a certificate of `authority` for `peer`.
    fn guarded(
        self,
        scratch: &Scratch,
        server: &Pair,
        authority: &Authority,
        peer: &str,
    ) -> Receiver {
        match self {
            Kind::SyslogNg => {
                let source = Source::MutualTls {
                    server,
                    authority,
                    peer,
                };
                Receiver::SyslogNg(SyslogNg::start(scratch, "guarded", &source))
            }
            _ => {
                let listener = Listener::MutualTls {
                    server,
                    authority,
                    peer,
                };
                let driver = self.driver();
                Receiver::Rsyslog(Rsyslog::start_with(scratch, "guarded", &listener, driver))
            }
        }
    }
}

impl Receiver {
    fn port(&self) -> u16 {
        match self {
            Receiver::Rsyslog(receiver) => receiver.port,
            Receiver::SyslogNg(receiver) => receiver.port,
        }
    }

    fn messages(&self) -> String {
        match self {
            Receiver::Rsyslog(receiver) => receiver.messages(),
            Receiver::SyslogNg(receiver) => receiver.messages(),
        }
    }
}

/// What a try came to.
struct Outcome {
    passed: bool,
    /// `cause`, and `fault` where the receiver's certificate is it; empty when it passed.
    cause: String,
    version: String,
    marker: Option<String>,
}

/// Tests a destination with these settings, each message behind its length.
fn try_with(scratch: &Scratch, port: u16, settings: &str) -> Outcome {
    let settings = format!("framing = \"octet-counting\"\n{settings}");
    try_framed(scratch, port, &settings)
}

/// Tests a destination with these settings.
fn try_framed(scratch: &Scratch, port: u16, settings: &str) -> Outcome {
    let text = format!(
        "data_dir = \"data\"\n[sink.syslog.default]\nserver_name = \"localhost\"\nport = {port}\n\
         {settings}"
    );
    scratch.write("try.toml", &text);
    let arguments = ["syslog", "test", "--config", "try.toml", "--output", "json"];
    let finished = run(scratch, &arguments);
    let said = format!("{settings}: {}{}", finished.stdout, finished.stderr);
    let tested: serde_json::Value = serde_json::from_str(&finished.stdout).expect(&said);
    let passed = tested["passed"].as_bool().unwrap();
    assert_eq!(finished.code, Some(i32::from(!passed)), "{said}");
    let report = &tested["report"];
    let cause = &report["failure"]["cause"];
    let words = ["cause", "fault"].map(|key| cause[key].as_str().unwrap_or_default());
    Outcome {
        passed,
        cause: words.join(" ").trim().to_owned(),
        version: report["tls"]["version"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        marker: report["message"]["marker"].as_str().map(ToOwned::to_owned),
    }
}

/// What the receiver has is what was let through, and nothing else.
fn has_what_passed(receiver: &Receiver, passed: &[Outcome], refused: &[Outcome]) {
    for outcome in passed {
        let marker = outcome.marker.as_deref().unwrap();
        wait_until("the message that was let through", || {
            receiver.messages().contains(marker)
        });
    }
    for outcome in refused {
        let marker = outcome.marker.as_deref().unwrap_or("no message was sent");
        assert!(!receiver.messages().contains(marker), "{}", outcome.cause);
    }
    let lines = receiver.messages().lines().count();
    assert_eq!(lines, passed.len(), "{}", receiver.messages());
}

fn fingerprint_of(pair: &Pair) -> String {
    let printed = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&pair.certificate)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    printed.trim().split_once('=').unwrap().1.to_owned()
}

/// A receiver's certificate, and what each check says of it: nothing, or the fault.
struct Shown {
    name: &'static str,
    pair: Pair,
    full: &'static str,
    skip_name: &'static str,
    pinned: &'static str,
}

fn shown(scratch: &Scratch, authority: &Authority) -> [Shown; 5] {
    let stranger = Authority::new(scratch, "stranger");
    let row = |name, pair, full, skip_name, pinned| Shown {
        name,
        pair,
        full,
        skip_name,
        pinned,
    };
    let good = authority.issue(scratch, "localhost");
    let other = authority.issue(scratch, "siem.example.com");
    // Files are named by who issued and for whom: this one would take the good one's.
    let late = Authority::renamed(scratch, authority, "late").issue_expired(scratch, "localhost");
    let foreign = stranger.issue(scratch, "localhost");
    let itself = self_signed(scratch, "localhost");
    [
        row("good", good, "", "", ""),
        row("of another name", other, "other-name", "", ""),
        row("expired", late, "expired", "expired", "expired"),
        row(
            "of another authority",
            foreign,
            "unknown-issuer",
            "unknown-issuer",
            "",
        ),
        row("of itself", itself, "authority", "authority", ""),
    ]
}

fn every_check_at(kind: Kind) {
    if !kind.is_here() || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    for certificate in shown(&scratch, &authority) {
        let name = certificate.name;
        let folder = name.replace(' ', "-");
        let receiver = kind.open(&scratch, &folder, &certificate.pair);
        let ca = format!("ca_file = \"{}\"\n", authority.certificate.display());
        let pin = |pair| format!("fingerprint = \"{}\"\n", fingerprint_of(pair));
        let elsewhere = self_signed(&scratch, "elsewhere");
        let tries = [
            (ca.clone(), certificate.full),
            (
                format!("{ca}skip_name_check = true\n"),
                certificate.skip_name,
            ),
            (pin(&certificate.pair), certificate.pinned),
            (pin(&elsewhere), "other-fingerprint"),
            ("skip_certificate_check = true\n".to_owned(), ""),
        ];
        let (mut passed, mut refused) = (Vec::new(), Vec::new());
        for (settings, fault) in tries {
            let outcome = try_with(&scratch, receiver.port(), &settings);
            let expected = match fault {
                "" => String::new(),
                fault => format!("server-certificate {fault}"),
            };
            assert_eq!(
                outcome.cause, expected,
                "{kind:?}, a certificate {name}, {settings}"
            );
            match outcome.passed {
                true => passed.push(outcome),
                false => refused.push(outcome),
            }
        }
        has_what_passed(&receiver, &passed, &refused);
    }
}

#[test]
fn every_check_says_the_same_of_rsyslog_with_gnutls() {
    every_check_at(Kind::RsyslogGnuTls);
}

#[test]
fn every_check_says_the_same_of_rsyslog_with_openssl() {
    every_check_at(Kind::RsyslogOpenSsl);
}

#[test]
fn every_check_says_the_same_of_syslog_ng() {
    every_check_at(Kind::SyslogNg);
}

fn every_client_at(kind: Kind) {
    if !kind.is_here() {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let stranger = Authority::new(&scratch, "stranger");
    let server = authority.issue(&scratch, "localhost");
    let receiver = kind.guarded(&scratch, &server, &authority, "collector.test");
    let late = Authority::renamed(&scratch, &authority, "late");
    let clients = [
        (
            Some(authority.issue(&scratch, "collector.test")),
            Welcome::Yes,
        ),
        (None, Welcome::No),
        (
            Some(authority.issue(&scratch, "somebody.test")),
            kind.of_another_name(),
        ),
        (
            Some(stranger.issue(&scratch, "collector.test")),
            Welcome::No,
        ),
        (
            Some(late.issue_expired(&scratch, "collector.test")),
            Welcome::No,
        ),
    ];
    let ca = format!("ca_file = \"{}\"\n", authority.certificate.display());
    let (mut passed, mut refused) = (Vec::new(), Vec::new());
    for (client, welcome) in &clients {
        let ours = client.as_ref().map(client_settings).unwrap_or_default();
        let outcome = try_with(&scratch, receiver.port(), &format!("{ca}{ours}"));
        let said = match outcome.passed {
            true => Welcome::Yes,
            false => Welcome::No,
        };
        assert!(
            said == *welcome || *welcome == Welcome::AsItHappens,
            "{kind:?}: {ours}: {}",
            outcome.cause
        );
        if outcome.passed {
            passed.push(outcome);
            continue;
        }
        let expected = match client {
            None => "client-certificate-missing",
            Some(_) => "client-certificate-refused",
        };
        assert_eq!(outcome.cause, expected, "{kind:?}: {ours}");
        refused.push(outcome);
    }
    has_what_passed(&receiver, &passed, &refused);
}

fn client_settings(client: &Pair) -> String {
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    format!(
        "client_certificate = {}\nclient_key = {}\n",
        quoted(&client.certificate),
        quoted(&client.key)
    )
}

#[test]
fn rsyslog_with_gnutls_lets_in_its_client_alone() {
    every_client_at(Kind::RsyslogGnuTls);
}

#[test]
fn rsyslog_with_openssl_lets_in_its_client_alone() {
    every_client_at(Kind::RsyslogOpenSsl);
}

#[test]
fn syslog_ng_lets_in_its_client_alone() {
    every_client_at(Kind::SyslogNg);
}

#[test]
fn tls_is_of_version_1_2_at_least() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let server = authority.issue(&scratch, "localhost");
    let ca = format!("ca_file = \"{}\"\n", authority.certificate.display());
    for (version, spoken) in [("1.1", ""), ("1.2", "TLS 1.2"), ("1.3", "TLS 1.3")] {
        let stack = Stack {
            driver: Driver::OpenSsl,
            settings: format!(
                "MinProtocol=TLSv{version}\nMaxProtocol=TLSv{version}\nCipherString=ALL:@SECLEVEL=0"
            ),
        };
        let listener = Listener::Tls(&server);
        let rsyslog = Rsyslog::start_with(&scratch, version, &listener, stack);
        let outcome = try_with(&scratch, rsyslog.port, &ca);
        assert_eq!(outcome.version, spoken);
        let cause = if spoken.is_empty() { "old-tls" } else { "" };
        assert_eq!(outcome.cause, cause, "TLS {version}");
    }
}

#[test]
fn syslog_ng_of_an_old_tls_is_refused() {
    if !syslog_ng::is_here() {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let server = authority.issue(&scratch, "localhost");
    let ca = format!("ca_file = \"{}\"\n", authority.certificate.display());
    let receiver = SyslogNg::start(&scratch, "old", &Source::OldTls(&server));
    assert_eq!(try_with(&scratch, receiver.port, &ca).cause, "old-tls");
    assert_eq!(receiver.messages(), "");
}

/// Without TLS nothing is checked, and what is said of checks is refused before anything is sent.
#[test]
fn clear_text_reaches_every_receiver() {
    let scratch = Scratch::new();
    for transport in ["tcp", "udp"] {
        let mut receivers = Vec::new();
        if installed("rsyslogd") {
            let listener = match transport {
                "tcp" => Listener::Tcp,
                _ => Listener::Udp,
            };
            let name = format!("rsyslog-{transport}");
            receivers.push(Receiver::Rsyslog(Rsyslog::start(
                &scratch, &name, &listener,
            )));
        }
        if syslog_ng::is_here() {
            let source = match transport {
                "tcp" => Source::Octets,
                _ => Source::Datagrams,
            };
            let name = format!("syslog-ng-{transport}");
            receivers.push(Receiver::SyslogNg(SyslogNg::start(
                &scratch, &name, &source,
            )));
        }
        for receiver in receivers {
            let framing = match transport {
                "tcp" => "framing = \"octet-counting\"\n",
                _ => "",
            };
            let settings = format!("transport = \"{transport}\"\n{framing}");
            let outcome = try_framed(&scratch, receiver.port(), &settings);
            assert!(outcome.passed, "{transport}: {}", outcome.cause);
            has_what_passed(&receiver, &[outcome], &[]);
        }
    }
}

#[test]
fn syslog_ng_is_believed_again_when_its_certificate_was_renewed() {
    if !syslog_ng::is_here() {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let late = Authority::renamed(&scratch, &authority, "late");
    let expired = late.issue_expired(&scratch, "localhost");
    let siem = SyslogNg::start(&scratch, "siem", &Source::Tls(&expired));
    let port = siem.port;
    let mut service = Service::new(&scratch);
    let ca = &authority.certificate;
    service.destination("siem", port, &Transport::Tls { ca });
    service.start();
    wait_until("a word about the certificate", || {
        let error = service.status()["sinks"]["syslog.siem"]["last_error"].clone();
        error
            .as_str()
            .is_some_and(|error| error.contains("expired"))
    });
    assert_eq!(siem.messages(), "");
    drop(siem);
    let renewed = authority.issue(&scratch, "localhost");
    let siem = SyslogNg::start_at(&scratch, "siem", &Source::Tls(&renewed), port);
    wait_until("what waited meanwhile", || {
        siem.messages().contains("MasEventID=1 ")
    });
    service.terminate().expect(0);
}

#[test]
fn a_receiver_is_believed_again_when_its_certificate_was_renewed() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "site");
    let late = Authority::renamed(&scratch, &authority, "late");
    let expired = late.issue_expired(&scratch, "localhost");
    let mut siem = Rsyslog::start(&scratch, "siem", &Listener::Tls(&expired));
    let mut service = Service::new(&scratch);
    let ca = &authority.certificate;
    service.destination("siem", siem.port, &Transport::Tls { ca });
    service.start();
    let sink = || service.status()["sinks"]["syslog.siem"].clone();
    wait_until("a word about the certificate", || {
        let error = sink()["last_error"].clone();
        error
            .as_str()
            .is_some_and(|error| error.contains("expired"))
    });
    assert_eq!(siem.messages(), "");
    siem.stop();
    siem.reconfigure(&Listener::Tls(&authority.issue(&scratch, "localhost")));
    siem.resume();
    wait_until("what waited meanwhile", || {
        siem.messages().contains("MasEventID=1 ")
    });
    service.terminate().expect(0);
}
