//! Clients' certificates against the root of a deployment.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params
}

fn authority_of(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(name: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    CertifiedIssuer::self_signed(authority_of(name), key).unwrap()
}

fn issued(authority: &Authority, params: CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, authority).unwrap().der().clone()
}

fn check(chain: &[CertificateDer<'_>], root: &Authority) -> Result<(), ChainError> {
    check_chain(chain, &[root.der().clone()], UnixTime::now())
}

#[test]
fn a_chain_to_the_root_is_accepted_however_long() {
    let root = root("Root");
    let key = KeyPair::generate().unwrap();
    let middle = CertifiedIssuer::signed_by(authority_of("Middle"), key, &root).unwrap();
    assert_eq!(check(&[issued(&root, named("a"))], &root), Ok(()));
    let leaf = issued(&middle, named("b"));
    assert_eq!(check(&[leaf.clone(), middle.der().clone()], &root), Ok(()));
    let missing = check(&[leaf], &root).unwrap_err();
    insta::assert_snapshot!(missing, @r#"it does not lead to the deployment's root: "CN=b" was issued by "CN=Middle", and the roots are CN=Root; export it with its whole chain, or have it issued by that root"#);
}

#[test]
fn a_self_signed_certificate_can_be_the_root_itself() {
    let key = KeyPair::generate().unwrap();
    let own = named("own").self_signed(&key).unwrap().der().clone();
    let own = [own];
    assert_eq!(check_chain(&own, &own, UnixTime::now()), Ok(()));
    assert!(matches!(
        check(&own, &root("Root")),
        Err(ChainError::NotIssued { .. })
    ));
}

#[test]
fn what_a_server_would_not_take_is_named() {
    let root = root("Root");
    let mut expired = named("expired");
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = named("early");
    early.not_before = date_time_ymd(3999, 1, 1);
    let mut server = named("server");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let refused = |params| check(&[issued(&root, params)], &root).unwrap_err();
    let cure = refused(expired.clone()).cure();
    insta::assert_snapshot!(cure, @"have a new certificate issued, export that with its key, and set it");
    insta::assert_snapshot!(refused(expired), @"it has expired on 2021-01-01T00:00:00Z");
    insta::assert_snapshot!(refused(early), @"it is not valid before 3999-01-01T00:00:00Z");
    assert_eq!(refused(server), ChainError::Purpose);
    assert_eq!(refused(authority_of("ca")), ChainError::Authority);
    let impostor = self::root("Root");
    assert_eq!(
        check(&[issued(&impostor, named("a"))], &root),
        Err(ChainError::BadSignature)
    );
    assert_eq!(check(&[], &root), Err(ChainError::NoCertificate));
    assert_eq!(
        check(&[CertificateDer::from(vec![1])], &root),
        Err(ChainError::Unreadable)
    );
}

#[test]
fn the_one_of_the_chain_that_is_not_valid_is_named() {
    let root = root("Root");
    let chain = |mut params: CertificateParams| {
        params.serial_number = Some(7.into());
        let key = KeyPair::generate().unwrap();
        let middle = CertifiedIssuer::signed_by(params, key, &root).unwrap();
        [issued(&middle, named("a")), middle.der().clone()]
    };
    let mut over = authority_of("Middle");
    over.not_after = date_time_ymd(2021, 1, 1);
    let mut early = authority_of("Middle");
    early.not_before = date_time_ymd(3999, 1, 1);
    let chains = [chain(over), chain(early)];
    let over = check(&chains[0], &root).unwrap_err();
    insta::assert_snapshot!(over, @r#"it is valid itself, but "CN=Middle" between it and the root has expired on 2021-01-01T00:00:00Z"#);
    insta::assert_snapshot!(over.cure(), @"export it again with that authority's new certificate in its chain");
    let early = check(&chains[1], &root).unwrap_err();
    for (chain, fault) in chains.iter().zip([over, early.clone()]) {
        assert_eq!(check_validity(chain, UnixTime::now()), Err(fault));
    }
    insta::assert_snapshot!(early, @r#"it is valid itself, but "CN=Middle" between it and the root is not valid before 3999-01-01T00:00:00Z"#);
}
