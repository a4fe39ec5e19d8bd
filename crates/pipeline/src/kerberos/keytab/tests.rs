use std::os::unix::fs::PermissionsExt;

use super::super::wire::keytab::encode;
use super::*;

fn entry(principal: &str, kvno: u32, whole_kvno: bool, etype: i64, bytes: usize) -> Entry {
    Entry {
        principal: Principal::parse(principal).unwrap(),
        kvno,
        whole_kvno,
        etype,
        key: Zeroizing::new(vec![kvno as u8; bytes]),
    }
}

fn write(path: &Path, mode: u32, entries: &[Entry]) {
    std::fs::write(path, &*encode(entries)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

const HTTP: &str = "HTTP/c.corp.example@CORP.EXAMPLE";

#[test]
fn a_key_is_found_by_encryption_and_version() {
    let keytab = Keytab::new(vec![
        entry(HTTP, 3, true, 18, 32),
        entry(HTTP, 4, true, 18, 32),
        entry(HTTP, 4, true, 17, 16),
        entry("HOST/c.corp.example@CORP.EXAMPLE", 9, false, 18, 32),
        entry(HTTP, 4, true, 23, 16),
        entry(HTTP, 4, true, 18, 16),
    ]);
    assert_eq!(
        keytab.skipped,
        [
            format!("{HTTP} (version 4, rc4-hmac)"),
            format!("{HTTP} (version 4, aes256-cts-hmac-sha1-96)"),
        ]
    );
    let http = Principal::parse("http/C.corp.example@corp.example").unwrap();
    let find = |etype, kvno| {
        keytab
            .candidates(&http, etype, kvno)
            .first()
            .map(|key| key.kvno)
    };
    assert_eq!(find(Etype::Aes256Sha1, Some(3)), Some(3));
    assert_eq!(find(Etype::Aes256Sha1, None), Some(4));
    assert_eq!(find(Etype::Aes256Sha1, Some(5)), None);
    assert_eq!(find(Etype::Aes128Sha1, Some(3)), None);
    assert_eq!(find(Etype::Aes128Sha256, None), None);
    // Only eight bits of the version were written.
    let host = Principal::parse("HOST/c.corp.example@CORP.EXAMPLE").unwrap();
    let found = keytab.candidates(&host, Etype::Aes256Sha1, Some(256 + 9));
    assert_eq!(found.len(), 1);
    assert!(
        keytab
            .candidates(&host, Etype::Aes256Sha1, Some(8))
            .is_empty()
    );
}

#[test]
fn of_names_that_differ_by_case_alone_the_one_asked_for_is_taken() {
    let keytab = Keytab::new(vec![
        entry("HTTP/wec.corp.example@CORP.EXAMPLE", 2, true, 18, 32),
        entry("http/wec.corp.example@CORP.EXAMPLE", 2, true, 18, 32),
    ]);
    for asked in [
        "HTTP/wec.corp.example@CORP.EXAMPLE",
        "http/wec.corp.example@CORP.EXAMPLE",
    ] {
        for kvno in [None, Some(2)] {
            let name = Principal::parse(asked).unwrap();
            let found = keytab.candidates(&name, Etype::Aes256Sha1, kvno);
            assert_eq!(found[0].principal.to_string(), asked, "version {kvno:?}");
        }
    }
    // Directories compare without case: any other way of writing it finds one of them.
    let shouted = Principal::parse("HTTP/WEC.corp.example@CORP.EXAMPLE").unwrap();
    assert_eq!(
        keytab
            .candidates(&shouted, Etype::Aes256Sha1, Some(2))
            .len(),
        2
    );
}

#[test]
fn where_one_version_is_there_twice_both_are_tried_and_the_last_first() {
    let mut entries = vec![entry(HTTP, 2, true, 18, 32), entry(HTTP, 2, true, 18, 32)];
    entries[1].key = Zeroizing::new(vec![7; 32]);
    let keytab = Keytab::new(entries);
    let http = Principal::parse(HTTP).unwrap();
    let found = keytab.candidates(&http, Etype::Aes256Sha1, Some(2));
    let places = found
        .iter()
        .map(|key| keytab.keys().iter().position(|one| std::ptr::eq(*key, one)));
    assert_eq!(places.collect::<Vec<_>>(), [Some(1), Some(0)]);
    let many = Keytab::new(
        (0..100)
            .map(|kvno| entry(HTTP, kvno, true, 18, 32))
            .collect(),
    );
    let tried = many.candidates(&http, Etype::Aes256Sha1, None);
    assert_eq!((tried.len(), tried[0].kvno), (KEYS_TRIED_MAX, 99));
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.keytab");
    write(&path, 0o640, &[entry(HTTP, 1, true, 18, 32)]);
    let error = Keytab::load(&path).unwrap_err();
    assert!(matches!(
        error,
        KeytabError::Permissions { mode: 0o640, .. }
    ));
    write(&path, 0o600, &[entry(HTTP, 1, true, 18, 32)]);
    assert_eq!(Keytab::load(&path).unwrap().keys().len(), 1);
    std::fs::write(&path, "not one").unwrap();
    assert!(matches!(
        Keytab::load(&path),
        Err(KeytabError::Content { .. })
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Keytab::load(&path), Err(KeytabError::Read { .. })));
}

#[test]
fn a_file_that_has_changed_is_read_anew_but_not_all_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.keytab");
    write(&path, 0o600, &[entry(HTTP, 1, true, 18, 32)]);
    let file = KeytabFile::open(&path).unwrap();
    assert!(file.again(1_000).is_none(), "nothing has changed");
    write(
        &path,
        0o600,
        &[entry(HTTP, 1, true, 18, 32), entry(HTTP, 2, true, 18, 32)],
    );
    assert!(file.again(1_004).is_none(), "it was looked at just now");
    assert_eq!(file.again(1_005).unwrap().keys().len(), 2);
    assert_eq!(file.keytab().keys().len(), 2);
    // What is damaged now does not take away what was known, also when the clock was set back.
    std::fs::write(&path, "not one").unwrap();
    assert!(file.again(10).is_none());
    assert_eq!(file.keytab().keys().len(), 2);
}

#[test]
fn a_file_that_was_refused_is_read_when_others_cannot_read_it_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.keytab");
    write(&path, 0o600, &[entry(HTTP, 1, true, 18, 32)]);
    let file = KeytabFile::open(&path).unwrap();
    let new = [entry(HTTP, 1, true, 18, 32), entry(HTTP, 2, true, 18, 32)];
    write(&path, 0o644, &new);
    assert!(file.again(1_000).is_none());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(file.again(1_005).unwrap().keys().len(), 2);
}
