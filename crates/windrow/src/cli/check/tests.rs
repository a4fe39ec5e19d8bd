use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, SerialNumber,
};

use windrow_pipeline::journal::{Entry, Journal, JournalOptions, Start};

use super::*;
use crate::access::Role;
use crate::config::checked::{
    Admin, EndpointIdentity, ExpiredCrl, WefAuthentication, WefSource, WefTls,
};
use crate::output::{SummaryFormat, Terminal};

struct Pki {
    folder: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
    authority_pem: String,
}

/// A day in the middle of what the certificates below are valid for.
fn now() -> i64 {
    "2026-11-21T00:00:00Z"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second()
}

impl Pki {
    fn new() -> Pki {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = params.self_signed(&key).unwrap().pem();
        Pki {
            folder: tempfile::tempdir().unwrap(),
            authority: Issuer::new(params, key),
            authority_pem,
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let pem = params.signed_by(&key, &self.authority).unwrap().pem();
        let both = format!("{pem}{}", self.authority_pem);
        (
            self.write("server.pem", &both),
            self.write("server.key", &key.serialize_pem()),
        )
    }

    /// The findings about a source with these files, with the folder's name left out.
    fn lines(&self, certificate: &Path, key: &Path, client_ca: &Path) -> String {
        self.lines_with(certificate, key, client_ca, Vec::new())
    }

    /// The same with lists of revoked certificates.
    fn lines_with(
        &self,
        certificate: &Path,
        key: &Path,
        client_ca: &Path,
        crl: Vec<PathBuf>,
    ) -> String {
        let source = WefSource {
            listen: ([127, 0, 0, 1], 0).into(),
            hostname: "collector.example.com".into(),
            path: "/wsman/SubscriptionManager/WEC".into(),
            max_connections: 10_000,
            authentication: WefAuthentication::Tls(WefTls {
                certificate: certificate.into(),
                key: key.into(),
                client_ca: client_ca.into(),
                crl,
                expired_crl: ExpiredCrl::Use,
            }),
            subscriptions: None,
        };
        let findings = certificates::source_certificates("main", &source, now());
        let lines: Vec<String> = findings.iter().map(Finding::line).collect();
        lines
            .join("\n")
            .replace(self.folder.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn certificates_that_fit_pass() {
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let (certificate, key) = pki.issue("collector.example.com", |_| {});
    insta::assert_snapshot!(pki.lines(&certificate, &key, &ca), @r"
    Ok source wef.main certificate: DIR/server.pem, valid until 4096-01-01
    Ok source wef.main machines' CA: DIR/ca.pem, valid until 4096-01-01
    ");
    let (certificate, key) = pki.issue("*.example.com", |_| {});
    assert!(pki.lines(&certificate, &key, &ca).starts_with("Ok"));
}

#[test]
fn certificates_that_do_not_fit_say_why() {
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let first = |certificate: &Path, key: &Path| {
        let lines = pki.lines(certificate, key, &ca);
        lines.lines().next().unwrap().to_owned()
    };

    let (certificate, key) = pki.issue("other.example.com", |_| {});
    insta::assert_snapshot!(first(&certificate, &key), @"Failed source wef.main certificate: the certificate is for other.example.com, and `hostname` is collector.example.com -> issue it with the host name as subject alternative name (the common name does not count)");
    let (certificate, key) = pki.issue("collector.example.com", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    insta::assert_snapshot!(first(&certificate, &key), @"Failed source wef.main certificate: the certificate is not for servers -> issue it with extended key usage serverAuth");
    let (certificate, key) = pki.issue("collector.example.com", |params| {
        params.not_after = rcgen::date_time_ymd(2026, 11, 1);
    });
    insta::assert_snapshot!(first(&certificate, &key), @"Failed source wef.main certificate: the certificate ended on 2026-11-01 00:00 UTC -> renew it");
    let (certificate, key) = pki.issue("collector.example.com", |params| {
        params.not_after = rcgen::date_time_ymd(2026, 12, 1);
    });
    insta::assert_snapshot!(first(&certificate, &key), @"Warning source wef.main certificate: DIR/server.pem, valid until 2026-12-01 -> renew it; a reload (SIGHUP) takes it up");
    let (certificate, _) = pki.issue("collector.example.com", |_| {});
    let other = pki.write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    insta::assert_snapshot!(first(&certificate, &other), @"Failed source wef.main certificate: the private key is not that of the certificate -> name the key this certificate was made with, and put the certificate before those of its CA");
    insta::assert_snapshot!(first(&other, &certificate), @"Failed source wef.main certificate: DIR/other.key holds no certificate -> it has to be PEM: -----BEGIN CERTIFICATE-----");
    insta::assert_snapshot!(first(Path::new("/nonexistent.pem"), &other), @"Failed source wef.main certificate: failed to open file `/nonexistent.pem`: No such file or directory (os error 2) -> correct the path, or make the file readable for windrow's user");
    insta::assert_snapshot!(pki.lines(&certificate, &other, &certificate).lines().nth(1).unwrap(), @"Failed source wef.main machines' CA: `CN=rcgen self signed cert` is not an authority's certificate -> name the file of the CA that issues, not of what it issued");
}

#[test]
fn a_list_of_revoked_certificates_that_is_over_soon_is_told() {
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let (certificate, key) = pki.issue("collector.example.com", |_| {});
    let list = |day: u8| {
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 11, 1),
            next_update: rcgen::date_time_ymd(2026, 11, day),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&pki.authority).unwrap().pem().unwrap();
        let file = pki.write("list.crl", &list);
        let said = pki.lines_with(&certificate, &key, &ca, vec![file]);
        said.lines().nth(2).unwrap().to_owned()
    };
    insta::assert_snapshot!(list(24), @"Ok source wef.main revoked certificates: DIR/list.crl of CN=rcgen self signed cert, 0 revoked");
    insta::assert_snapshot!(list(21), @"Warning source wef.main revoked certificates: DIR/list.crl of CN=rcgen self signed cert: the next one is due at 2026-11-21T00:00:00Z -> see that the authority publishes its lists, and that they are fetched");
    insta::assert_snapshot!(list(20), @"Warning source wef.main revoked certificates: DIR/list.crl of CN=rcgen self signed cert: the next one was due at 2026-11-20T00:00:00Z -> fetch the authority's next list; it is taken up by itself");
}

#[test]
fn the_endpoints_certificates_are_looked_at_where_it_is_to_be_open() {
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let outcomes = |admin: &Admin| {
        let findings = certificates::endpoint_certificates(admin, now());
        let lines = findings.iter().map(Finding::line);
        lines.map(|line| line[..2].to_owned()).collect::<Vec<_>>()
    };
    let (certificate, key) = pki.issue("collector.example.com", |_| {});
    let mut admin = Admin {
        enabled: true,
        listen: ([127, 0, 0, 1], 0).into(),
        identity: Some(EndpointIdentity { certificate, key }),
        client_ca: Some(ca),
        certificates: [("ada".to_owned(), Role::Admin)].into(),
    };
    assert_eq!(outcomes(&admin), ["Ok", "Ok"]);
    pki.issue("collector.example.com", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(outcomes(&admin), ["Fa", "Ok"]);
    admin.enabled = false;
    assert!(outcomes(&admin).is_empty());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let (certificate, key) = pki.issue("collector.example.com", |_| {});
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    insta::assert_snapshot!(pki.lines(&certificate, &key, &ca).lines().next().unwrap(), @"Failed source wef.main certificate: DIR/server.key can be read by others (mode 640) -> chmod 600 it; where its group is that of the service, check as the service: sudo -u windrow windrow check");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let line = pki.lines(&certificate, &key, &ca);
    assert!(line.lines().next().unwrap().ends_with("-> chmod 600 it"));
}

#[test]
fn a_chain_leads_from_one_to_the_next() {
    let pki = Pki::new();
    let ca = pki.write("ca.pem", &pki.authority_pem);
    let (certificate, key) = pki.issue("collector.example.com", |_| {});
    let own = std::fs::read_to_string(certificate).unwrap();
    let end = "-----END CERTIFICATE-----";
    let own = own.split_inclusive(end).next().unwrap();
    let mixed = pki.write("mixed.pem", &format!("{own}\n{}", Pki::new().authority_pem));
    insta::assert_snapshot!(pki.lines(&mixed, &key, &ca).lines().next().unwrap(), @"Failed source wef.main certificate: the certificates in the file do not lead from one to the next -> order: the certificate itself, then its issuer, and so on");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let line = network::port("web port", address, false).line();
    assert!(
        line.starts_with(&format!(
            "Failed web port: {address} is in use -> `ss -ltnp"
        )),
        "{line}"
    );
    let line = network::port("web port", address, true).line();
    assert!(line.starts_with("Ok"), "{line}");
    let elsewhere = "192.0.2.1:5986".parse().unwrap();
    insta::assert_snapshot!(network::port("source wef.main port", elsewhere, false).line(), @"Failed source wef.main port: 192.0.2.1:5986 is not an address of this machine -> choose one of `ip address`, or 0.0.0.0 for all");
}

#[tokio::test]
async fn a_sink_that_is_gone_is_told_with_what_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions::new(folder.path().join("journal"));
    let (journal, _) = Journal::open(options).unwrap();
    for name in ["syslog.gone", "syslog.kept", "azure_table.gone", "lake"] {
        journal.cursor(name, Start::Oldest).unwrap();
    }
    let entry = Entry {
        body: b"three".to_vec(),
        events: 3,
        state: None,
    };
    journal.append(entry).await.unwrap();
    journal.close().await;
    let findings = host::removed_sinks(folder.path(), |name| name == "syslog.kept");
    let lines: Vec<String> = findings.iter().map(Finding::line).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    Warning sink azure_table.gone: not configured any more: the next start or reload gives up the 3 events that wait for it -> to send them, configure it under this name until `windrow status` says that none wait
    Warning sink syslog.gone: not configured any more: the next start or reload gives up the 3 events that wait for it -> to send them, configure it under this name until `windrow status` says that none wait
    ");
}

#[test]
fn the_report_shows_result_and_cure() {
    let mut report = Report::default();
    report.push(Finding::new("disk room", Outcome::Ok, "41 GB free"));
    report.push(
        Finding::new(
            "sink syslog.siem",
            Outcome::Failed,
            "siem:6514: refused\u{1b}[2J",
        )
        .cure("start it"),
    );
    report.push(Finding::new("web port", Outcome::Warning, "odd"));
    let show = |format, unicode| {
        let terminal = Terminal {
            stdout_is_terminal: false,
            stdout_can_redraw: false,
            stderr_is_terminal: false,
            color: false,
            stderr_color: false,
            unicode,
            width: 80,
        };
        let mut out = Vec::new();
        report.write(&mut out, format, &terminal).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(show(SummaryFormat::Table, true), @r"
    ✓ disk room         41 GB free
    ✗ sink syslog.siem  siem:6514: refused\u{1b}[2J
                        → start it
    ! web port          odd

    1 of 3 failed, 1 to look at
    ");
    insta::assert_snapshot!(show(SummaryFormat::Table, false), @r"
    ok   disk room         41 GB free
    FAIL sink syslog.siem  siem:6514: refused\u{1b}[2J
                           -> start it
    look web port          odd

    1 of 3 failed, 1 to look at
    ");
    insta::assert_snapshot!(show(SummaryFormat::Json, true), @r#"
    {
      "ok": false,
      "failed": 1,
      "warnings": 1,
      "checks": [
        {
          "what": "disk room",
          "outcome": "ok",
          "result": "41 GB free"
        },
        {
          "what": "sink syslog.siem",
          "outcome": "failed",
          "result": "siem:6514: refused\u001b[2J",
          "cure": "start it"
        },
        {
          "what": "web port",
          "outcome": "warning",
          "result": "odd"
        }
      ]
    }
    "#);
}

#[test]
fn the_group_policy_is_spelled_out() {
    let pki = Pki::new();
    let text = format!(
        "[source.wef.main]\nhostname = \"collector.example.com\"\n\
         [source.wef.main.tls]\ncertificate = \"a\"\nkey = \"a\"\nclient_ca = {:?}\n\
         [subscription.base]\nchannels = [\"Security\"]\n",
        pki.write("ca.pem", &pki.authority_pem)
    );
    let config = crate::config::check_text(Path::new("windrow.toml"), &text).unwrap();
    let findings = certificates::group_policies(&config);
    let line = findings[0].line();
    let (before, thumbprint) = line.split_once("IssuerCA=").unwrap();
    insta::assert_snapshot!(before, @"Ok source wef.main group policy: Server=https://collector.example.com:5986/wsman/SubscriptionManager/WEC,Refresh=60,");
    assert!(
        thumbprint.len() == 40 && thumbprint.chars().all(|c| c.is_ascii_hexdigit()),
        "{thumbprint}"
    );
}
