use super::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

fn parse(pem: &str) -> x509_parser::pem::Pem {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1
}

#[test]
fn a_server_certificate_carries_its_names_and_its_authority() {
    let authority = Authority::new("Test CA").unwrap();
    let issued = authority
        .server(&names(&["collector.corp.example", "127.0.0.1", "::1"]))
        .unwrap();

    let (pem, ca) = (
        parse(&issued.certificate_pem),
        parse(authority.certificate_pem()),
    );
    let (certificate, ca) = (pem.parse_x509().unwrap(), ca.parse_x509().unwrap());
    assert_eq!(
        certificate.subject().to_string(),
        "CN=collector.corp.example"
    );
    assert_eq!(certificate.issuer(), ca.subject());
    certificate.verify_signature(Some(ca.public_key())).unwrap();
    let alternative = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(alternative.value.general_names.len(), 3);
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth);
    assert!(!certificate.is_ca() && ca.is_ca());
    assert!(certificate.validity().is_valid() && ca.validity().is_valid());
}

#[test]
fn a_machine_is_its_common_name() {
    let authority = Authority::new("Test CA").unwrap();
    let issued = authority.client("srv0001.corp.example").unwrap();
    let pem = parse(&issued.certificate_pem);
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=srv0001.corp.example");
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
}

#[test]
fn names_that_could_leave_the_folder_or_the_subject_are_refused() {
    let authority = Authority::new("Test CA").unwrap();
    for name in [
        "",
        "../ca",
        "a/b",
        ".hidden",
        "a b",
        "a\nb",
        "é",
        &"x".repeat(65),
    ] {
        assert!(
            matches!(authority.client(name), Err(PkiError::Name(_))),
            "{name:?}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let pair = authority.client("a").unwrap();
    assert!(matches!(
        store.save("../a", &pair, Existing::Replace),
        Err(PkiError::Name(_))
    ));
    assert!(matches!(store.load("a/b"), Err(PkiError::Name(_))));
}

#[test]
fn what_is_there_is_kept_until_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("pki")).unwrap();
    let authority = store.authority("Test CA").unwrap();
    let again = store.authority("Another CA").unwrap();
    assert_eq!(authority.certificate_pem(), again.certificate_pem());

    // The authority read back signs certificates that the first one's certificate verifies.
    let issued = again.client("srv0001.corp.example").unwrap();
    let (pem, ca) = (
        parse(&issued.certificate_pem),
        parse(authority.certificate_pem()),
    );
    let (certificate, ca) = (pem.parse_x509().unwrap(), ca.parse_x509().unwrap());
    certificate.verify_signature(Some(ca.public_key())).unwrap();

    store.save(COLLECTOR, &issued, Existing::Refuse).unwrap();
    let other = authority.client("srv0002.corp.example").unwrap();
    assert!(matches!(
        store.save(COLLECTOR, &other, Existing::Refuse),
        Err(PkiError::Exists(_))
    ));
    let kept = store.load_or(COLLECTOR, || Ok(other.clone())).unwrap();
    assert_eq!(kept.key_pem, issued.key_pem);
    store.save(COLLECTOR, &other, Existing::Replace).unwrap();
    assert_eq!(
        store.load(COLLECTOR).unwrap().unwrap().key_pem,
        other.key_pem
    );
}

#[test]
fn half_a_pair_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.authority("Test CA").unwrap();
    std::fs::remove_file(store.key_path(AUTHORITY)).unwrap();
    let error = store.authority("Test CA").unwrap_err();
    assert!(
        matches!(&error, PkiError::Io { path, .. } if path.ends_with("ca.key")),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn folders_and_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a/pki")).unwrap();
    store.authority("Test CA").unwrap();
    let clients = store.clients().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("a/pki")), 0o700);
    assert_eq!(mode(&clients.dir), 0o700);
    assert_eq!(mode(&store.key_path(AUTHORITY)), 0o600);
    assert_eq!(mode(&store.certificate_path(AUTHORITY)), 0o644);
}

#[test]
fn the_pairs_of_a_folder_are_its_certificates_with_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.pairs().unwrap().is_empty());
    let authority = Authority::new("Test CA").unwrap();
    for name in ["b.example", "a.example", "c.example"] {
        store
            .save(name, &authority.client(name).unwrap(), Existing::Refuse)
            .unwrap();
    }
    std::fs::remove_file(store.key_path("c.example")).unwrap();
    std::fs::write(dir.path().join("notes.txt"), "").unwrap();
    let found: Vec<String> = store
        .pairs()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(found, ["a.example", "b.example"]);
}
