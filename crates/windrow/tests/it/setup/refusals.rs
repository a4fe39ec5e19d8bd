//! What is refused before anything is written, with what helps.

use super::*;

/// A set-up that is wrong usage, and leaves the folder as it is; what it says.
fn wrong(scratch: &Scratch, arguments: &[String]) -> String {
    let before = files(scratch.path()).len();
    let done = run(scratch, arguments).expect(2);
    // What it says is kept in the folder, in two files.
    assert!(files(scratch.path()).len() <= before + 2, "{}", done.stderr);
    assert!(!scratch.join("etc").exists(), "{}", done.stderr);
    done.stderr
}

#[test]
fn what_cannot_work_is_not_written() {
    let scratch = Scratch::new();
    let domain = ["--domain", "CORP.EXAMPLE"];
    let alone = ["--no-domain"];
    for (more, said) in [
        (&[&alone[..], &["--tls-port", "0"]].concat(), "--tls-port"),
        (
            &[&domain[..], &["--kerberos-port", "0"]].concat(),
            "--kerberos-port",
        ),
        (
            &[&domain[..], &["--make-ca", "--kerberos-port", "5986"]].concat(),
            "are both 5986",
        ),
        (&[&alone[..], &["--keytab", "x"]].concat(), "--keytab"),
        (
            &[&alone[..], &["--baseline", "server="]].concat(),
            "names no machine after =",
        ),
        (
            &[&alone[..], &["--baseline", "server=a b"]].concat(),
            "has a blank in it",
        ),
        (&vec!["--domain", "10.0.0.5"], "is no realm"),
    ] {
        let refused = wrong(&scratch, &arguments(&scratch, more));
        assert!(refused.contains(said), "{said}: {refused}");
    }
    let mut address = arguments(&scratch, &domain);
    let name = address.iter_mut().find(|argument| *argument == "localhost");
    "10.0.0.5".clone_into(name.unwrap());
    let refused = wrong(&scratch, &address);
    assert!(refused.contains("tickets are for names"), "{refused}");
}

#[test]
fn a_place_that_is_none_is_seen_before_anything_is_written() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.join("empty")).unwrap();
    scratch.write("file", "");
    for (place, said) in [
        ("empty", "is a folder: name the file in it"),
        ("file/w.toml", "is a file, and no folder"),
    ] {
        let mut arguments = arguments(&scratch, &["--no-domain"]);
        let config = scratch.join("etc/windrow.toml").display().to_string();
        let at = arguments.iter_mut().find(|argument| **argument == config);
        *at.unwrap() = scratch.join(place).display().to_string();
        let refused = wrong(&scratch, &arguments);
        assert!(refused.contains(said), "{said}: {refused}");
        assert!(!scratch.join("pki").exists());
    }
    let folder = scratch.join("file").display().to_string();
    let refused = wrong(
        &scratch,
        &arguments(&scratch, &["--no-domain", "--folder", &folder]),
    );
    assert!(refused.contains("--folder"), "{refused}");
}

#[test]
fn two_authorities_are_counted_as_two() {
    let scratch = Scratch::new();
    let read = |authority: &Authority| std::fs::read_to_string(&authority.certificate).unwrap();
    let first = Authority::new(&scratch, "same");
    let one = read(&first);
    let pair = first.issue(&scratch, "localhost");
    for second in ["same", "another"] {
        let both = one.clone() + &read(&Authority::new(&scratch, second));
        let both = scratch.write("two.pem", &both).display().to_string();
        let (certificate, key) = (
            pair.certificate.display().to_string(),
            pair.key.display().to_string(),
        );
        let more = [
            "--no-domain",
            "--ca-file",
            &both,
            "--cert-file",
            &certificate,
            "--key-file",
            &key,
        ];
        let said = refused(&scratch, &more);
        assert!(said.contains("two.pem holds 2 authorities"), "{said}");
    }
}

/// The key of a service that is another user: root's, read by a group.
#[test]
fn a_key_of_theirs_may_be_read_by_a_group() {
    use std::os::unix::fs::MetadataExt as _;
    let scratch = Scratch::new();
    let theirs = Authority::new(&scratch, "theirs");
    let pair = theirs.issue(&scratch, "localhost");
    let other = theirs.issue(&scratch, "other.example.com");
    let is_of_root = std::fs::metadata(&pair.key).unwrap().uid() == 0;
    let set = |key: &Path| {
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o640)).unwrap();
        let text = |path: &Path| path.display().to_string();
        let (ca, certificate, key) = (
            text(&theirs.certificate),
            text(&pair.certificate),
            text(key),
        );
        let more = [
            "--no-domain",
            "--ca-file",
            &ca,
            "--cert-file",
            &certificate,
            "--key-file",
            &key,
        ];
        run(&scratch, &arguments(&scratch, &more))
    };
    let foreign = set(&other.key).expect(1).stderr;
    assert!(
        foreign.contains("cannot be used") || !is_of_root,
        "{foreign}"
    );
    let done = set(&pair.key);
    assert_eq!(done.code, Some(i32::from(!is_of_root)), "{}", done.stderr);
}

#[test]
fn a_machine_has_one_certificate() {
    let scratch = Scratch::new();
    run(&scratch, &arguments(&scratch, &["--no-domain"])).expect(0);
    let config = scratch.join("etc/windrow.toml").display().to_string();
    let make = |names: &[&str]| {
        let all = [&["setup", "wef", "client", "--config", &config], names].concat();
        run(&scratch, &all)
    };
    for bad in ["a b", "../x", &"x".repeat(65)] {
        let refused = make(&["ws01", bad]).expect(2).stderr;
        assert!(refused.contains("cannot name a certificate"), "{refused}");
    }
    let clients = scratch.join("etc/for-the-machines/certificates/clients");
    assert!(!clients.exists());
    let made = make(&["ws03", "ws03", "WS03", "ws04"]).expect(0).stdout;
    assert!(made.contains("made once: ws03, WS03"), "{made}");
    assert_eq!(files(&clients).len(), 4, "a PFX and a password each");
    assert_eq!(files(&scratch.join("etc/pki/clients")).len(), 2);
    let refused = make(&["WS03"]).expect(1).stderr;
    assert!(
        refused.contains("ws03.pfx") && refused.contains("nothing was written"),
        "{refused}"
    );
    let refused = make(&["WS03", "--replace"]).expect(2).stderr;
    assert!(refused.contains("has a certificate as ws03"), "{refused}");
    make(&["ws03", "--replace"]).expect(0);
    assert_eq!(files(&clients).len(), 4);
}

#[test]
fn what_is_for_machines_lies_beside_the_configuration() {
    let scratch = Scratch::new();
    run(&scratch, &["pki", "theirs/pki"]).expect(0);
    run(&scratch, &arguments(&scratch, &["--no-domain"])).expect(0);
    let config = scratch.join("etc/windrow.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (ours, theirs) = (
        scratch.join("etc/pki/ca.pem"),
        scratch.join("theirs/pki/ca.pem"),
    );
    let text = text.replace(&ours.display().to_string(), &theirs.display().to_string());
    std::fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    run(
        &scratch,
        &["setup", "wef", "client", "ws01", "--config", &config],
    )
    .expect(0);
    assert!(
        scratch
            .join("etc/for-the-machines/certificates/clients/ws01.pfx")
            .exists()
    );
    assert!(!scratch.join("theirs/for-the-machines").exists());

    // A set-up that was told another folder has put both there.
    let folder = scratch.join("srv").display().to_string();
    let elsewhere = Scratch::new();
    run(
        &elsewhere,
        &arguments(&elsewhere, &["--no-domain", "--folder", &folder]),
    )
    .expect(0);
    let config = elsewhere.join("etc/windrow.toml").display().to_string();
    run(
        &elsewhere,
        &["setup", "wef", "client", "ws02", "--config", &config],
    )
    .expect(0);
    assert!(
        scratch
            .join("srv/for-the-machines/certificates/clients/ws02.pfx")
            .exists()
    );
}
