//! Each check against each kind of certificate a server may show.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::*;
use crate::tls::{FingerprintError, provider};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(4000, 1, 1);
    params
}

/// A server's certificate for `siem.example` and 192.0.2.1.
fn server() -> CertificateParams {
    let mut params = named("siem");
    params.subject_alt_names = vec![
        SanType::DnsName("siem.example".try_into().unwrap()),
        SanType::IpAddress([192, 0, 2, 1].into()),
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn issued(authority: &Authority, params: CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, authority).unwrap().der().clone()
}

fn self_signed(params: CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn verifier(check: ServerCheck, roots: &[&CertificateDer<'static>]) -> Verifier {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add((*root).clone()).unwrap();
    }
    let algorithms = provider().signature_verification_algorithms;
    Verifier::new(check, Some(Arc::new(store)), algorithms)
}

fn decide(
    check: ServerCheck,
    root: &CertificateDer<'static>,
    certificate: &CertificateDer<'static>,
    name: &str,
) -> Result<(), CertificateFault> {
    let name = ServerName::try_from(name).unwrap();
    let verified =
        verifier(check, &[root]).verify_server_cert(certificate, &[], &name, &[], UnixTime::now());
    match verified {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(reason)) => Err(CertificateFault::of(&reason)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn names_are_checked_unless_they_are_skipped() {
    let authority = authority("Root");
    let root = authority.der();
    let good = issued(&authority, server());
    let common_name_only = issued(&authority, named("siem.example"));
    let mut nameless = named("");
    nameless.distinguished_name = rcgen::DistinguishedName::new();
    let nameless = issued(&authority, nameless);
    let full = |certificate, name| decide(ServerCheck::Full, root, certificate, name);
    for name in ["siem.example", "SIEM.example", "192.0.2.1"] {
        assert_eq!(full(&good, name), Ok(()), "{name}");
    }
    insta::assert_snapshot!(full(&good, "other.example").unwrap_err(), @"it is for siem.example, 192.0.2.1 and not for other.example; reach the receiver by one of those names or have other.example put into its certificate; skip_name_check still checks who has issued it");
    insta::assert_snapshot!(full(&good, "192.0.2.2").unwrap_err(), @"it is for siem.example, 192.0.2.1 and not for 192.0.2.2; reach the receiver by one of those names or have 192.0.2.2 put into its certificate; skip_name_check still checks who has issued it");
    insta::assert_snapshot!(full(&common_name_only, "siem.example").unwrap_err(), @r#"it has the common name "siem.example" and no subject alternative name, and a common name alone does not count; have one made with siem.example as subject alternative name; skip_name_check still checks who has issued it"#);
    insta::assert_snapshot!(full(&nameless, "siem.example").unwrap_err(), @"it names no server; have one made with siem.example as subject alternative name; skip_name_check still checks who has issued it");
    for certificate in [&good, &common_name_only, &nameless] {
        for name in ["other.example", "192.0.2.2", "2001:db8::1"] {
            let decided = decide(ServerCheck::SkipName, root, certificate, name);
            assert_eq!(decided, Ok(()), "{name}");
        }
    }
}

#[test]
fn the_one_of_the_chain_that_is_not_valid_is_named() {
    let root = authority("Root");
    let between = |not_before, not_after| {
        let mut params = named("Middle");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (not_before, not_after);
        let key = KeyPair::generate().unwrap();
        let middle = CertifiedIssuer::signed_by(params, key, &root).unwrap();
        let name = ServerName::try_from("siem.example").unwrap();
        let verified = verifier(ServerCheck::Full, &[root.der()]).verify_server_cert(
            &issued(&middle, server()),
            std::slice::from_ref(middle.der()),
            &name,
            &[],
            UnixTime::now(),
        );
        match verified.unwrap_err() {
            Error::InvalidCertificate(reason) => CertificateFault::of(&reason),
            other => panic!("{other}"),
        }
    };
    let over = between(date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    insta::assert_snapshot!(over, @r#"it is valid itself, but "CN=Middle" between it and its root has expired on 2021-01-01T00:00:00Z; the receiver has to send that authority's new certificate"#);
    let early = between(date_time_ymd(3999, 1, 1), date_time_ymd(4000, 1, 1));
    insta::assert_snapshot!(early, @r#"it is valid itself, but "CN=Middle" between it and its root is not valid before 3999-01-01T00:00:00Z; are both clocks right?"#);
}

#[test]
fn names_are_shown_bounded_and_harmless() {
    let authority = authority("Root");
    let mut params = server();
    params.subject_alt_names = (0..40)
        .map(|number| SanType::DnsName(format!("host-{number}.example").try_into().unwrap()))
        .collect();
    let many = issued(&authority, params);
    let fault = decide(ServerCheck::Full, authority.der(), &many, "siem.example");
    let text = fault.unwrap_err().to_string();
    assert!(text.contains("host-15.example and 24 more"), "{text}");
    let hostile = issued(&authority, named("a\u{1b}[2Jb\n\u{202e}c"));
    let fault = decide(ServerCheck::Full, authority.der(), &hostile, "siem.example");
    let text = fault.unwrap_err().to_string();
    assert!(
        !text.chars().any(windrow_formats::text::is_hidden),
        "{text:?}"
    );
}

/// What neither check lets pass, with the words for it.
#[test]
fn skipping_the_name_skips_nothing_else() {
    let authority = authority("Root");
    let (stranger, impostor) = (self::authority("Stranger"), self::authority("Root"));
    let mut expired = server();
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = server();
    early.not_before = date_time_ymd(3999, 1, 1);
    let mut client = server();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut own = server();
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cases = [
        ("unknown-issuer", issued(&stranger, server())),
        ("bad-signature", issued(&impostor, server())),
        ("expired", issued(&authority, expired)),
        ("not-yet-valid", issued(&authority, early)),
        ("purpose", issued(&authority, client)),
        ("self-signed", self_signed(server())),
        ("authority", self_signed(own.clone())),
        ("unreadable", CertificateDer::from(vec![1, 2, 3])),
    ];
    for (expected, certificate) in cases {
        for check in [ServerCheck::Full, ServerCheck::SkipName] {
            let fault = decide(check, authority.der(), &certificate, "siem.example").unwrap_err();
            let json = serde_json::to_value(&fault).unwrap();
            assert_eq!(json["fault"], expected, "{fault}");
        }
    }
    // Not even where it is trusted itself.
    let own = self_signed(own);
    let fault = decide(ServerCheck::Full, &own, &own, "siem.example").unwrap_err();
    assert!(
        matches!(fault, CertificateFault::Authority { .. }),
        "{fault}"
    );
}

#[test]
fn a_pin_is_for_one_certificate_whoever_made_it() {
    let authority = authority("Root");
    let mut own = named("other");
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut expired = named("other");
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = named("other");
    early.not_before = date_time_ymd(3999, 1, 1);
    let pinned = |pin: &CertificateDer<'static>, shown: &CertificateDer<'static>| {
        let check = ServerCheck::Pinned(Fingerprint::of(pin));
        decide(check, authority.der(), shown, "siem.example")
    };
    let (own, other) = (self_signed(own), self_signed(named("other")));
    for certificate in [&own, &other, &issued(&authority, server())] {
        assert_eq!(pinned(certificate, certificate), Ok(()));
    }
    let fault = pinned(&own, &other).unwrap_err();
    assert_eq!(
        fault,
        CertificateFault::OtherFingerprint {
            expected: Fingerprint::of(&own),
            found: Fingerprint::of(&other),
        }
    );
    let expired = self_signed(expired);
    let fault = pinned(&expired, &expired).unwrap_err();
    assert!(matches!(fault, CertificateFault::Expired { .. }), "{fault}");
    let early = self_signed(early);
    let fault = pinned(&early, &early).unwrap_err();
    assert!(
        matches!(fault, CertificateFault::NotYetValid { .. }),
        "{fault}"
    );
}

#[test]
fn each_check_has_a_verdict_of_its_own() {
    let authority = authority("Root");
    let mut expired = server();
    expired.not_after = date_time_ymd(2021, 1, 1);
    let certificate = issued(&authority, expired);
    let name = ServerName::try_from("other.example").unwrap();
    let shown = Shown {
        certificate: &certificate,
        intermediates: &[],
        name: &name,
        now: UnixTime::now(),
    };
    let verdicts = verifier(ServerCheck::None, &[authority.der()]).verdicts(shown);
    assert_eq!(verdicts.chain, Verdict::Passed);
    assert!(matches!(
        verdicts.name,
        Verdict::Failed(CertificateFault::OtherName { .. })
    ));
    assert!(matches!(
        verdicts.validity,
        Verdict::Failed(CertificateFault::Expired { .. })
    ));
    assert_eq!(verdicts.pin, Verdict::Unknown);
    let before = Shown {
        now: UnixTime::since_unix_epoch(Duration::from_secs(1)),
        ..shown
    };
    let pin = ServerCheck::Pinned(Fingerprint::of(&certificate));
    let verdicts = verifier(pin, &[]).verdicts(before);
    assert!(matches!(
        verdicts.chain,
        Verdict::Failed(CertificateFault::UnknownIssuer { .. })
    ));
    assert!(matches!(
        verdicts.validity,
        Verdict::Failed(CertificateFault::NotYetValid { .. })
    ));
    assert_eq!(verdicts.pin, Verdict::Passed);
}

#[test]
fn fingerprints_are_read_in_every_usual_form() {
    let expected = Fingerprint::of(&CertificateDer::from(b"abc".to_vec()));
    // FIPS 180-4: SHA-256 of "abc".
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(expected.to_string(), format!("sha256:{hex}"));
    let pairs: Vec<&str> = (0..32).map(|at| &hex[2 * at..2 * at + 2]).collect();
    let colons = pairs.join(":");
    for text in [
        hex.to_owned(),
        hex.to_uppercase(),
        colons.clone(),
        colons.to_uppercase(),
        format!("sha256:{hex}"),
        format!("SHA256:{}", colons.to_uppercase()),
        format!(" sha256:{hex}\n"),
        format!("sha256 Fingerprint={}\n", colons.to_uppercase()),
        format!("SHA256 Fingerprint={}", colons.to_uppercase()),
        format!("SHA-256 Fingerprint: {colons}"),
        format!("sha256: {}", pairs.join(" ")),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    let refused = |text: &str| text.parse::<Fingerprint>().unwrap_err().to_string();
    insta::assert_snapshot!(refused(""), @"a SHA-256 fingerprint has 64 hexadecimal digits, this has 0");
    insta::assert_snapshot!(refused(&hex[1..]), @"a SHA-256 fingerprint has 64 hexadecimal digits, this has 63");
    insta::assert_snapshot!(refused(&hex[..40]), @r#"this is the SHA-1 of a certificate (a thumbprint, as Windows shows it), which can be forged; "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE.pem" prints the SHA-256"#);
    for sha1 in [
        format!("SHA1 Fingerprint={}", pairs[..20].join(":")),
        format!("sha1:{}", &hex[..40]),
        pairs[..20].join(" "),
    ] {
        assert_eq!(
            sha1.parse::<Fingerprint>(),
            Err(FingerprintError::Sha1),
            "{sha1}"
        );
    }
    let pin = "pin-sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    assert_eq!(pin.parse::<Fingerprint>(), Err(FingerprintError::OtherKind));
    insta::assert_snapshot!(refused(&format!("sha1:{hex}")), @r#"only SHA-256 fingerprints are taken: "sha256:" and 64 hexadecimal digits"#);
    insta::assert_snapshot!(refused(&format!("sha256:{}g", &hex[1..])), @"'g' is no hexadecimal digit");
    insta::assert_snapshot!(refused(&format!("sha256:{}:{}", &hex[..3], &hex[3..])), @r#"colons in a fingerprint stand between bytes: "AA:BB:…""#);
    insta::assert_snapshot!(refused("sha256:€"), @"'€' is no hexadecimal digit");
}
