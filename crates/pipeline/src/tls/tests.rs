use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    DnValue, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::HandshakeKind;
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use super::*;
use crate::limits::PEM_BYTES_MAX;

struct Pki {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(
    authority: &CertifiedIssuer<'static, KeyPair>,
    params: CertificateParams,
) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params
}

impl Pki {
    fn new() -> Pki {
        let pki = Pki {
            folder: tempfile::tempdir().unwrap(),
            authority: authority("Test CA"),
        };
        let (certificate, key) = leaf(&pki.authority, named("collector.example"));
        pki.write("cert.pem", &certificate);
        pki.write("key.pem", &key);
        pki.write("ca.pem", &pki.authority.pem());
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        chmod(&path, 0o600);
        path
    }

    fn server(&self) -> Result<Server, TlsError> {
        server_config(
            &self.path("cert.pem"),
            &self.path("key.pem"),
            &self.path("ca.pem"),
            Revocation::default(),
        )
    }

    /// The whole chain of an error, the folder's name taken out.
    fn error(&self, error: &TlsError) -> String {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        text.replace(&self.folder.path().display().to_string(), "DIR")
    }
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn chmod(_path: &Path, _mode: u32) {}

#[test]
fn good_files_make_configurations() {
    let pki = Pki::new();
    let server = pki.server().unwrap();
    assert!(server.config.ignore_client_order);
    let identity = IdentityFiles {
        certificate: pki.path("cert.pem"),
        key: pki.path("key.pem"),
    };
    client_config(
        &Roots::File(pki.path("ca.pem")),
        Some(&identity),
        ServerCheck::Full,
    )
    .unwrap();
    client_config(&Roots::File(pki.path("ca.pem")), None, ServerCheck::Full).unwrap();
}

#[test]
fn files_that_hold_something_else_make_another_client() {
    let pki = Pki::new();
    let identity = IdentityFiles {
        certificate: pki.path("cert.pem"),
        key: pki.path("key.pem"),
    };
    let roots = Roots::File(pki.path("ca.pem"));
    let material = || {
        let client = client_config(&roots, Some(&identity), ServerCheck::Full);
        client.unwrap().material()
    };
    let first = material();
    assert_eq!(first, material());
    let (certificate, key) = leaf(&pki.authority, named("collector.example"));
    pki.write("cert.pem", &certificate);
    pki.write("key.pem", &key);
    let renewed = material();
    assert_ne!(first, renewed);
    let other = authority("Other CA");
    pki.write("ca.pem", &(pki.authority.pem() + &other.pem()));
    let both = material();
    assert_ne!(renewed, both);
    pki.write("ca.pem", &(other.pem() + &pki.authority.pem()));
    assert_eq!(both, material(), "the order of authorities means nothing");
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_refused() {
    let pki = Pki::new();
    for mode in [0o640, 0o604, 0o660, 0o777] {
        chmod(&pki.path("key.pem"), mode);
        assert!(
            matches!(pki.server(), Err(TlsError::KeyPermissions { mode: found, .. }) if found == mode)
        );
    }
    let error = pki.error(&pki.server().unwrap_err());
    insta::assert_snapshot!(error, @r#"private key DIR/key.pem can be read by others (mode 0777); run "chmod 600" on it"#);
    chmod(&pki.path("key.pem"), 0o400);
    pki.server().unwrap();
}

#[test]
fn errors_name_the_file() {
    let pki = Pki::new();
    let missing = load_certificates(&pki.path("none.pem")).unwrap_err();
    insta::assert_snapshot!(pki.error(&missing), @"cannot read DIR/none.pem: No such file or directory (os error 2)");
    let empty = pki.write("empty.pem", "no PEM here");
    insta::assert_snapshot!(pki.error(&load_certificates(&empty).unwrap_err()), @"DIR/empty.pem holds no certificate");
    insta::assert_snapshot!(pki.error(&load_key(&empty).unwrap_err()), @r#"DIR/empty.pem holds no private key in the clear (PKCS #8, PKCS #1 or SEC1); decrypt an encrypted one with "openssl pkey""#);
    let broken = pki.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    insta::assert_snapshot!(pki.error(&load_certificates(&broken).unwrap_err()), @r#"DIR/broken.pem is not PEM ("-----BEGIN …" in Base64): base64 decode error: InvalidCharacter(33)"#);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = pki.write("encrypted.pem", encrypted);
    insta::assert_snapshot!(pki.error(&load_key(&encrypted).unwrap_err()), @r#"DIR/encrypted.pem holds no private key in the clear (PKCS #8, PKCS #1 or SEC1); decrypt an encrypted one with "openssl pkey""#);
    let odd = pki.write(
        "odd.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let error = server_config(
        &pki.path("cert.pem"),
        &pki.path("key.pem"),
        &odd,
        Revocation::default(),
    )
    .unwrap_err();
    insta::assert_snapshot!(pki.error(&error), @"certificate 1 of DIR/odd.pem cannot be used: invalid peer certificate: BadEncoding");
    let other = pki.write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let error = server_config(
        &pki.path("cert.pem"),
        &other,
        &pki.path("ca.pem"),
        Revocation::default(),
    )
    .unwrap_err();
    insta::assert_snapshot!(pki.error(&error), @"certificate DIR/cert.pem and key DIR/other.pem cannot be used: keys may not be consistent: KeyMismatch");
    let large = pki.write("large.pem", &" ".repeat(PEM_BYTES_MAX as usize + 1));
    insta::assert_snapshot!(pki.error(&load_key(&large).unwrap_err()), @"DIR/large.pem is over 1048576 bytes, which is no certificate or key");
    insta::assert_snapshot!(server_name("not a name").unwrap_err(), @r#""not a name" is neither a DNS name nor an IP address"#);
}

#[test]
fn a_name_is_the_common_name_then_a_dns_name() {
    let authority = authority("Test CA");
    let der = |params: CertificateParams| {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &authority).unwrap().der().clone()
    };
    let san = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::DnsName("ws1.corp.example".try_into().unwrap()),
        ];
    };
    let mut both = named("WS1.corp.example");
    san(&mut both);
    assert_eq!(peer_name(&der(both)).unwrap(), "WS1.corp.example");

    let mut only_san = CertificateParams::default();
    only_san.distinguished_name = rcgen::DistinguishedName::new();
    assert_eq!(peer_name(&der(only_san.clone())), Err(PeerError::NoName));
    san(&mut only_san);
    assert_eq!(peer_name(&der(only_san)).unwrap(), "ws1.corp.example");

    let mut control = CertificateParams::default();
    control.distinguished_name = rcgen::DistinguishedName::new();
    control
        .distinguished_name
        .push(DnType::CommonName, DnValue::Utf8String("a\nb".into()));
    assert_eq!(peer_name(&der(control)), Err(PeerError::NoName));
    assert_eq!(
        peer_name(&der(named(&"n".repeat(254)))),
        Err(PeerError::NoName)
    );
    assert_eq!(
        peer_name(&CertificateDer::from(vec![1, 2, 3])),
        Err(PeerError::Unreadable)
    );
}

#[test]
fn the_issuer_is_found_among_several_of_one_name() {
    let folder = Pki::new();
    let [first, second, other] = [authority("Same"), authority("Same"), authority("Other")];
    let bundle = format!("{}{}{}", first.pem(), second.pem(), other.pem());
    let certificates = load_certificates(&folder.write("bundle.pem", &bundle)).unwrap();
    let authorities = Authorities::new(Path::new("bundle.pem"), &certificates).unwrap();
    for (issuer, certificate) in [&first, &second, &other].into_iter().zip(&certificates) {
        let key = KeyPair::generate().unwrap();
        let leaf = named("ws1").signed_by(&key, issuer).unwrap();
        assert_eq!(
            authorities.issuer_thumbprint(leaf.der()),
            Some(thumbprint(certificate).as_str())
        );
    }
    let key = KeyPair::generate().unwrap();
    let stranger = named("ws1")
        .signed_by(&key, &authority("Stranger"))
        .unwrap();
    assert_eq!(authorities.issuer_thumbprint(stranger.der()), None);
}

#[test]
fn a_root_beside_its_issuing_authority_issues_to_nobody() {
    let folder = Pki::new();
    let (root, other) = (authority("Root"), authority("Other"));
    let mut params = named("Issuing");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let issuing = params.signed_by(&key, &root).unwrap();
    let bundle = format!("{}{}{}", root.pem(), issuing.pem(), other.pem());
    let certificates = load_certificates(&folder.write("bundle.pem", &bundle)).unwrap();
    let authorities = Authorities::new(Path::new("bundle.pem"), &certificates).unwrap();
    let [_, issuing, other] = &certificates[..] else {
        panic!("{}", certificates.len());
    };
    assert_eq!(
        authorities.issuing(),
        [thumbprint(issuing), thumbprint(other)]
    );
    let alone = Authorities::new(Path::new("root.pem"), &certificates[..1]).unwrap();
    assert_eq!(alone.issuing(), [thumbprint(&certificates[0])]);
}

#[test]
fn thumbprints_are_those_of_windows() {
    // SHA-1 of "abc" (FIPS 180-1, appendix A).
    let bytes = CertificateDer::from(b"abc".to_vec());
    assert_eq!(
        thumbprint(&bytes),
        "A9993E364706816ABA3E25717850C26C9CD0D89D"
    );
}

#[test]
fn lists_of_revoked_certificates_are_read_in_both_forms() {
    let pki = Pki::new();
    let list = |number: u64, revoked| {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2026, 2, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&pki.authority).unwrap()
    };
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(7),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let (empty, one) = (list(1, vec![]), list(2, vec![revoked]));
    let pem = pki.write("two.crl", &(empty.pem().unwrap() + &one.pem().unwrap()));
    let der = pki.path("der.crl");
    fs::write(&der, one.der()).unwrap();
    let lists = revocation_lists(&[pem, der.clone()]).unwrap();
    let seen: Vec<_> = lists
        .iter()
        .map(|list| (&*list.issuer, list.revoked))
        .collect();
    assert_eq!(
        seen,
        [("CN=Test CA", 0), ("CN=Test CA", 1), ("CN=Test CA", 1)]
    );
    assert_eq!(
        lists[0].next_update,
        Some("2026-02-01T00:00:00Z".parse().unwrap())
    );

    let certificate = revocation_lists(&[pki.path("cert.pem")]).unwrap_err();
    insta::assert_snapshot!(pki.error(&certificate), @r#"DIR/cert.pem holds no list of revoked certificates (PEM "-----BEGIN X509 CRL-----", or DER)"#);
    let mut bytes = one.der().to_vec();
    bytes.push(0);
    fs::write(&der, &bytes).unwrap();
    insta::assert_snapshot!(pki.error(&revocation_lists(std::slice::from_ref(&der)).unwrap_err()), @"the list of revoked certificates DIR/der.crl cannot be used: something follows it");
    fs::write(&der, &bytes[..40]).unwrap();
    insta::assert_snapshot!(pki.error(&revocation_lists(&[der]).unwrap_err()), @"the list of revoked certificates DIR/der.crl cannot be used: it is cut off, or not DER");
}

/// One handshake over no network, with what the server says after it.
fn handshake(
    client: &Arc<rustls::ClientConfig>,
    server: &Arc<rustls::ServerConfig>,
) -> HandshakeKind {
    let name = server_name("collector.example").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::clone(server)).unwrap();
    let mut wire = Vec::new();
    for _ in 0..8 {
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        pass(&wire, |bytes| server.read_tls(bytes));
        server.process_new_packets().unwrap();
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        pass(&wire, |bytes| client.read_tls(bytes));
        client.process_new_packets().unwrap();
    }
    client.handshake_kind().unwrap()
}

fn pass(mut wire: &[u8], mut read: impl FnMut(&mut &[u8]) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        read(&mut wire).unwrap();
    }
}

#[test]
fn every_connection_shows_its_certificate_anew() {
    let pki = Pki::new();
    let identity = IdentityFiles {
        certificate: pki.path("cert.pem"),
        key: pki.path("key.pem"),
    };
    let (certificate, key) = leaf(&pki.authority, {
        let mut params = named("collector.example");
        params.subject_alt_names = vec![SanType::DnsName("collector.example".try_into().unwrap())];
        params
    });
    pki.write("cert.pem", &certificate);
    pki.write("key.pem", &key);
    let roots = Roots::File(pki.path("ca.pem"));
    let ours = client_config(&roots, Some(&identity), ServerCheck::Full).unwrap();
    // Of a server that would resume, and of a client that would.
    let willing_server = {
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let chain = load_certificates(&identity.certificate).unwrap();
        Arc::new(
            config
                .with_single_cert(chain, load_key(&identity.key).unwrap())
                .unwrap(),
        )
    };
    let willing_client = {
        let mut config = (*ours.config).clone();
        config.resumption = rustls::client::Resumption::default();
        Arc::new(config)
    };
    assert_eq!(
        handshake(&willing_client, &willing_server),
        HandshakeKind::Full
    );
    assert_eq!(
        handshake(&willing_client, &willing_server),
        HandshakeKind::Resumed
    );
    for _ in 0..2 {
        assert_eq!(
            handshake(&ours.config, &willing_server),
            HandshakeKind::Full
        );
    }
    let willing_client = {
        let mut config = (*ours.config).clone();
        config.resumption = rustls::client::Resumption::default();
        Arc::new(config)
    };
    let watched = pki.server().unwrap().watched(&Claimed::default());
    let watched = watched.unwrap();
    for server in [&pki.server().unwrap().config, &watched] {
        for _ in 0..2 {
            assert_eq!(handshake(&willing_client, server), HandshakeKind::Full);
        }
    }
}
