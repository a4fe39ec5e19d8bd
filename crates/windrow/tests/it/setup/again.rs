//! Set up once more, and by several at once: what fits is kept, and what is left fits together.

use std::os::unix::fs::{MetadataExt as _, chown};

use super::*;

/// The state of a file: what is in it, its mode, its group.
fn state(path: &Path) -> (Vec<u8>, u32, u32) {
    let group = std::fs::metadata(path).unwrap().gid();
    (std::fs::read(path).unwrap(), mode(path), group)
}

/// A collector that is set up, its key given to a group as the next steps have it.
fn set_up(scratch: &Scratch) -> [PathBuf; 2] {
    run(scratch, &arguments(scratch, &["--no-domain"])).expect(0);
    let [key, certificate] =
        ["key", "pem"].map(|end| scratch.join(&format!("etc/pki/collector.{end}")));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    // Who is not root has no other group to give it to.
    let _ = chown(&key, None, Some(7));
    [key, certificate]
}

/// Sets up again, and answers with what was said of the pair.
fn again(scratch: &Scratch, more: &[&str]) -> String {
    let more = [&["--no-domain", "--replace"], more].concat();
    run(scratch, &arguments(scratch, &more)).expect(0).stdout
}

#[test]
fn a_pair_that_fits_is_kept() {
    let scratch = Scratch::new();
    let [key, certificate] = set_up(&scratch);
    let before = [state(&key), state(&certificate)];
    let said = again(&scratch, &["--refresh", "120"]);
    assert_eq!([state(&key), state(&certificate)], before);
    let row = format!("{} (as it was, 0640)", key.display());
    assert!(said.contains("are kept: ") && said.contains(&row), "{said}");
    assert!(!said.contains("chgrp"), "it is given already: {said}");
    assert!(!scratch.join("etc/pki/collector.key.bak").exists());
    let shown = again(&scratch, &["--output", "json", "--dry-run"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let note = shown["notes"][0].as_str().unwrap();
    assert!(note.contains("are kept"), "{note}");
}

#[test]
fn a_certificate_that_does_not_fit_is_made_for_the_key_that_is_there() {
    let scratch = Scratch::new();
    let [key, certificate] = set_up(&scratch);
    let made_anew = |said: &str, why: &str| {
        assert!(
            said.contains("made anew, for the key that is there") && said.contains(why),
            "{why}: {said}"
        );
    };
    let (kept, old) = (state(&key), std::fs::read(&certificate).unwrap());
    let other = Authority::new(&scratch, "other");
    let foreign = other.issue(&scratch, "localhost");
    for (content, why) in [
        (
            std::fs::read(&foreign.certificate).unwrap(),
            "is of another key",
        ),
        (b"\xff\xfe".to_vec(), "is no certificate"),
    ] {
        std::fs::write(&certificate, content).unwrap();
        made_anew(&again(&scratch, &[]), why);
        assert_eq!(state(&key), kept);
    }
    std::fs::remove_file(&certificate).unwrap();
    made_anew(&again(&scratch, &[]), "is not there");
    // An authority that somebody has put in the place of ours.
    for (theirs, ours) in [(&other.certificate, "ca.pem"), (&other.key, "ca.key")] {
        std::fs::copy(theirs, scratch.join("etc/pki").join(ours)).unwrap();
    }
    made_anew(&again(&scratch, &[]), "is of another authority");
    assert_eq!(state(&key), kept);
    assert_ne!(std::fs::read(&certificate).unwrap(), old);
    let mut renamed = arguments(&scratch, &["--no-domain", "--replace"]);
    let name = renamed.iter_mut().find(|argument| *argument == "localhost");
    "wec.example.com".clone_into(name.unwrap());
    made_anew(
        &run(&scratch, &renamed).expect(0).stdout,
        "is not for wec.example.com",
    );
    assert_eq!(state(&key), kept);
}

#[test]
fn a_key_that_cannot_stay_is_made_anew_for_its_group() {
    let scratch = Scratch::new();
    let [key, _] = set_up(&scratch);
    let (_, mode, group) = state(&key);
    std::fs::write(&key, "-----BEGIN NOTHING-----\n").unwrap();
    let said = again(&scratch, &[]);
    assert!(said.contains("no key that can be used"), "{said}");
    let (new, ..) = state(&key);
    assert_eq!(state(&key), (new.clone(), mode, group));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = again(&scratch, &[]);
    assert!(said.contains("readable by others"), "{said}");
    assert_eq!(super::mode(&key), 0o600);
    assert_ne!(state(&key).0, new);
    assert!(again(&scratch, &[]).contains("are kept"), "the two fit");
}

/// Who has the authority's key can be any machine, so it may be kept elsewhere.
#[test]
fn the_authoritys_key_may_be_elsewhere() {
    let scratch = Scratch::new();
    set_up(&scratch);
    let [ours, elsewhere] = ["etc/pki/ca.key", "ca.key"].map(|name| scratch.join(name));
    std::fs::rename(&ours, &elsewhere).unwrap();
    assert!(again(&scratch, &[]).contains("are kept"));
    std::fs::remove_file(scratch.join("etc/pki/collector.pem")).unwrap();
    let refused = run(
        &scratch,
        &arguments(&scratch, &["--no-domain", "--replace"]),
    )
    .expect(1);
    assert!(
        refused
            .stderr
            .contains("ca.key is not there: bring it back"),
        "{}",
        refused.stderr
    );
    std::fs::rename(&elsewhere, &ours).unwrap();
    assert!(again(&scratch, &[]).contains("made anew, for the key that is there"));
}

#[test]
fn several_at_once_leave_what_one_has_made() {
    const AT_ONCE: usize = 6;
    let scratch = Scratch::new();
    let arguments = arguments(&scratch, &["--no-domain"]);
    let started: Vec<_> = (0..AT_ONCE)
        .map(|number| Program::start(&scratch, &format!("setup-{number}"), &arguments))
        .collect();
    let mut written = 0;
    for program in started {
        let done = program.finish();
        match done.code {
            Some(0) => written += 1,
            _ => assert!(
                done.stderr.contains("is at work in") || done.stderr.contains("there already"),
                "{}",
                done.stderr
            ),
        }
    }
    assert_eq!(written, 1);
    let etc = scratch.join("etc");
    let names = files(&etc).into_iter().map(|(path, _)| path);
    let left: Vec<_> = names
        .filter(|path| path.to_string_lossy().contains("/."))
        .filter(|path| path.starts_with(etc.join(".")))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert!(!etc.join(".windrow-setup.lock").exists());
    assert!(
        again(&scratch, &[]).contains("are kept"),
        "the pair is of the authority"
    );
}

/// The key of a request to somebody else's authority is kept too, whatever kind it is.
#[test]
fn a_request_is_for_the_key_that_is_there() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    run(&scratch, &["pki", "theirs"]).expect(0);
    let ca = scratch.join("theirs/ca.pem").display().to_string();
    let key = scratch.write("etc/pki/collector.key", "");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:3072",
            "-out",
        ])
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let rsa = state(&key);
    let more = ["--no-domain", "--adcs", "--ca-file", &ca];
    run(&scratch, &arguments(&scratch, &more)).expect(0);
    assert_eq!(state(&key), rsa);
    let shown = Command::new("openssl")
        .args(["req", "-noout", "-verify", "-text", "-in"])
        .arg(scratch.join("etc/for-the-machines/adcs/collector.csr"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.status.success() && text.contains("3072 bit"),
        "{text}"
    );
    // It may be on its way.
    let again = [&more[..], &["--replace"]].concat();
    let said = run(&scratch, &arguments(&scratch, &again)).expect(0).stdout;
    assert!(said.contains("collector.csr (as it was)"), "{said}");
    assert!(said.contains("get the collector's certificate"), "{said}");
    std::fs::write(&key, "no key").unwrap();
    let said = run(&scratch, &arguments(&scratch, &again)).expect(0).stdout;
    assert!(
        said.contains("key is made anew") && said.contains("collector.csr (replaced)"),
        "{said}"
    );
}
