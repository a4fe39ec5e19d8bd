use super::*;

fn finding(reason: &str) -> Finding<'_> {
    Finding {
        room: "wef",
        reason,
        source: Some("ws1\n\"quoted\""),
        address: Some([192, 0, 2, 1].into()),
        received_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        events: None,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_kept_can_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path(), QuarantineLimits::default()).unwrap();
    let name = quarantine.keep(&finding("cut"), b"abc").unwrap().unwrap();
    assert_eq!(name, "00000001-ba7816bf8f01cfea.bin");
    assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"abc");
    assert_eq!(quarantine.keep(&finding("cut"), b"abc").unwrap(), None);
    insta::assert_snapshot!(fs::read_to_string(folder.path().join(INDEX)).unwrap(), @r#"{"file":"00000001-ba7816bf8f01cfea.bin","room":"wef","reason":"cut","source":"ws1\n\"quoted\"","address":"192.0.2.1","received_at":"2026-01-02T03:04:05Z","bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#);
}

#[test]
fn the_oldest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QuarantineLimits {
        files: 3,
        bytes: 100,
    };
    let quarantine = Quarantine::open(folder.path(), limits).unwrap();
    for content in 0..5u8 {
        quarantine.keep(&finding("x"), &[content; 10]).unwrap();
    }
    assert_eq!(quarantine.files(), 3);
    let numbers: Vec<_> = names(folder.path())
        .iter()
        .filter_map(|name| number_of(name))
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
    quarantine.keep(&finding("x"), &[9; 95]).unwrap();
    assert_eq!(quarantine.files(), 1);

    // Counting goes on after a start, within limits that may be tighter.
    quarantine.keep(&finding("x"), &[8; 5]).unwrap();
    let limits = QuarantineLimits {
        files: 1,
        bytes: 100,
    };
    let quarantine = Quarantine::open(folder.path(), limits).unwrap();
    quarantine.keep(&finding("x"), b"last").unwrap();
    let numbers: Vec<_> = names(folder.path())
        .iter()
        .filter_map(|name| number_of(name))
        .collect();
    assert_eq!(numbers, [8]);
}

#[test]
fn long_content_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path(), QuarantineLimits::default()).unwrap();
    let content = vec![1; QUARANTINE_ENTRY_BYTES_MAX + 7];
    let name = quarantine
        .keep(&finding("long"), &content)
        .unwrap()
        .unwrap();
    assert_eq!(
        fs::read(folder.path().join(name)).unwrap().len(),
        QUARANTINE_ENTRY_BYTES_MAX
    );
    let index = fs::read_to_string(folder.path().join(INDEX)).unwrap();
    assert!(index.contains(&format!("\"bytes\":{}", content.len())));
}

#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("00000001-notes.bin"), b"x").unwrap();
    fs::write(folder.path().join("readme"), b"x").unwrap();
    let limits = QuarantineLimits { files: 1, bytes: 1 };
    let quarantine = Quarantine::open(folder.path(), limits).unwrap();
    quarantine.keep(&finding("x"), b"y").unwrap();
    quarantine.keep(&finding("x"), b"z").unwrap();
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_look() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("quarantine");
    let quarantine = Quarantine::open(&inside, QuarantineLimits::default()).unwrap();
    quarantine.keep(&finding("x"), b"y").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for name in names(&inside) {
        assert_eq!(mode(&inside.join(name)), 0o600);
    }
}

#[test]
fn an_event_is_named_by_its_sequence() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path(), QuarantineLimits::default()).unwrap();
    let finding = Finding {
        events: Some((41, 3)),
        ..finding("too long")
    };
    quarantine.keep(&finding, b"<Event/>").unwrap();
    let index = fs::read_to_string(folder.path().join(INDEX)).unwrap();
    assert!(index.contains(r#""first_seq":41,"events":3"#), "{index}");
}
