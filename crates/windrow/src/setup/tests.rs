//! What is written, to the letter.

use std::path::PathBuf;

use super::*;
use crate::setup::files::{Existing, Fate, Secrecy};
use crate::setup::handout::Handout;

const THUMBPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn collector() -> Collector {
    Collector {
        name: "wec.corp.example".to_owned(),
        refresh_seconds: 60,
        kerberos: Some(KerberosDoor {
            port: 5985,
            realm: "CORP.EXAMPLE".to_owned(),
        }),
        certificates: Some(CertificateDoor {
            port: 5986,
            issuer_thumbprint: THUMBPRINT.to_owned(),
            trusted: Trusted {
                pem: "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n".to_owned(),
                thumbprint: THUMBPRINT.to_owned(),
            },
            machines_authorities_pem: None,
            issuer: Issuer::Own,
        }),
    }
}

fn with_adcs() -> Collector {
    let mut collector = collector();
    collector.kerberos = None;
    if let Some(door) = &mut collector.certificates {
        door.issuer = Issuer::Adcs(adcs::Request {
            csr_pem:
                "-----BEGIN CERTIFICATE REQUEST-----\r\n…\r\n-----END CERTIFICATE REQUEST-----\r\n"
                    .to_owned(),
            certificate: "/etc/windrow/pki/collector.pem".into(),
            key: "/etc/windrow/pki/collector.key".into(),
            thumbprint: THUMBPRINT.to_owned(),
        });
    }
    collector
}

/// The text of a file of the folder; each of its lines ends as Windows wants it.
fn text(handout: &Handout, path: &str) -> String {
    let sheet = handout.sheets.iter().find(|sheet| sheet.path == path);
    let text = String::from_utf8(sheet.unwrap().content.clone()).unwrap();
    assert_eq!(
        text.matches('\n').count(),
        text.matches("\r\n").count(),
        "{path}"
    );
    text.replace("\r\n", "\n")
}

/// The one value of a registry file as regedit reads it, with its key and its name.
fn registry_value(bytes: &[u8]) -> (String, String, Option<String>) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    assert!(rest.is_empty());
    let units: Vec<u16> = pairs.iter().copied().map(u16::from_le_bytes).collect();
    let text = String::from_utf16(&units).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let [
        "Windows Registry Editor Version 5.00",
        "",
        key,
        value,
        "",
        "",
    ] = lines[..]
    else {
        panic!("{lines:?}");
    };
    let key = key
        .strip_prefix('[')
        .and_then(|key| key.strip_suffix(']'))
        .unwrap();
    let (name, value) = value.split_once('=').unwrap();
    let unquoted = |text: &str| {
        let text = text.strip_prefix('"')?.strip_suffix('"')?;
        Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
    };
    (key.to_owned(), unquoted(name).unwrap(), unquoted(value))
}

#[test]
fn the_subscription_manager_is_as_windows_wants_it() {
    let collector = collector();
    assert_eq!(
        collector.kerberos_value().unwrap(),
        "Server=http://wec.corp.example:5985/wsman/SubscriptionManager/WEC,Refresh=60"
    );
    assert_eq!(
        collector.certificate_value().unwrap(),
        "Server=https://wec.corp.example:5986/wsman/SubscriptionManager/WEC,Refresh=60,IssuerCA=0123456789ABCDEF0123456789ABCDEF01234567"
    );
    let loopback = manager::value(manager::Proof::Kerberos, ("::1", 5985), MANAGER_PATH, 900);
    assert_eq!(
        loopback,
        "Server=http://[::1]:5985/wsman/SubscriptionManager/WEC,Refresh=900"
    );
}

#[test]
fn a_registry_file_sets_what_its_counterpart_removes() {
    let handout = machines::handout(&collector());
    let content = |path: &str| {
        let sheet = handout.sheets.iter().find(|sheet| sheet.path == path);
        sheet.unwrap().content.clone()
    };
    for (folder, value) in [
        ("kerberos", collector().kerberos_value()),
        ("certificates", collector().certificate_value()),
    ] {
        let (key, name, set) = registry_value(&content(&format!("{folder}/forwarding.reg")));
        assert_eq!(
            key,
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager"
        );
        assert_eq!((name.as_str(), set), ("1", value));
        let undo = registry_value(&content(&format!("{folder}/undo-forwarding.reg")));
        assert_eq!(undo, (key, name, None));
    }
    let odd = registry_value(&registry::set(r#"a\b"c"#));
    assert_eq!(odd.2.unwrap(), r#"a\b"c"#);
}

#[test]
fn the_readme_says_of_each_file_what_it_is() {
    for collector in [collector(), with_adcs()] {
        let handout = machines::handout(&collector);
        let readme = handout.readme();
        for sheet in &handout.sheets {
            assert!(readme.contains(&format!("### {}\n", sheet.path)));
            assert!(!sheet.what.is_empty() && !sheet.place.is_empty() && !sheet.undo.is_empty());
        }
        assert!(readme.lines().all(|line| !line.contains("@")), "{readme}");
    }
    insta::assert_snapshot!("readme", machines::handout(&collector()).readme());
}

#[test]
fn the_files_for_machines_are_these() {
    let both = machines::handout(&collector());
    let adcs = machines::handout(&with_adcs());
    insta::assert_snapshot!("group_policy", text(&both, "certificates/group-policy.txt"));
    insta::assert_snapshot!(
        "group_policy_kerberos",
        text(&both, "kerberos/group-policy.txt")
    );
    for (snapshot, file) in [
        ("set_forwarding", "kerberos/Set-Forwarding.ps1"),
        ("remove_forwarding", "kerberos/Remove-Forwarding.ps1"),
        ("test_forwarding", "certificates/Test-Forwarding.ps1"),
        ("new_forwarding_policy", "kerberos/New-ForwardingPolicy.ps1"),
        ("new_keytab", "kerberos/New-Keytab.ps1"),
        (
            "import_client_certificate",
            "certificates/Import-ClientCertificate.ps1",
        ),
    ] {
        insta::assert_snapshot!(snapshot, text(&both, file));
    }
    insta::assert_snapshot!("adcs", text(&adcs, "adcs/adcs.txt"));
    insta::assert_snapshot!("client_inf", text(&adcs, "adcs/client.inf"));
    assert!(
        adcs.sheets
            .iter()
            .all(|sheet| !sheet.path.contains("Import"))
    );
}

#[test]
fn nothing_is_left_open_in_a_script() {
    for collector in [collector(), with_adcs()] {
        let handout = machines::handout(&collector);
        let scripts = handout
            .sheets
            .iter()
            .filter(|sheet| sheet.path.ends_with(".ps1"));
        for sheet in scripts {
            let text = text(&handout, &sheet.path);
            assert!(text.is_ascii(), "{}: PowerShell 5 reads ANSI", sheet.path);
            assert!(!text.contains("# include"), "{}", sheet.path);
            for word in [
                "@NAME@",
                "@VALUE@",
                "@SCHEME@",
                "@PORT@",
                "@REALM@",
                "@THUMBPRINT@",
                "@KIND@",
                "@MANAGERS@",
            ] {
                assert!(!text.contains(word), "{} has {word}", sheet.path);
            }
        }
    }
}

#[test]
fn two_doors_make_two_policies_and_two_records() {
    let both = machines::handout(&collector());
    let line = |file: &str, start: &str| {
        let text = text(&both, file);
        let found = text
            .lines()
            .find(|line| line.trim_start().starts_with(start));
        found.unwrap().to_owned()
    };
    for (script, start) in [
        ("New-ForwardingPolicy.ps1", "[string] $Name"),
        ("Set-Forwarding.ps1", "$Record ="),
        ("Remove-Forwarding.ps1", "$Record ="),
    ] {
        let of = |folder: &str| line(&format!("{folder}/{script}"), start);
        assert_ne!(of("kerberos"), of("certificates"), "{script}");
    }
    let set = line("kerberos/Set-Forwarding.ps1", "$Record =");
    assert_eq!(set, line("kerberos/Remove-Forwarding.ps1", "$Record ="));
}

#[test]
fn another_authority_of_the_machines_is_a_file_of_its_own() {
    let mut collector = collector();
    let door = collector.certificates.as_mut().unwrap();
    door.issuer = Issuer::Theirs;
    door.trusted.thumbprint = "F".repeat(40);
    door.machines_authorities_pem = Some("theirs\n".to_owned());
    let handout = machines::handout(&collector);
    let sheet = |path: &str| handout.sheets.iter().find(|sheet| sheet.path == path);
    let theirs = sheet("certificates/machines-authority.cer").unwrap();
    assert_eq!(theirs.content, b"theirs\n");
    let trusted = sheet("certificates/authority.cer").unwrap();
    assert!(trusted.undo.contains(&"F".repeat(40)), "{}", trusted.undo);
    let value = collector.certificate_value().unwrap();
    assert!(
        value.ends_with(THUMBPRINT),
        "IssuerCA is that of the machines' certificates"
    );
}

#[test]
fn a_value_in_a_script_stays_a_value() {
    let words = script::Words {
        name: "it's'; Remove-Item C:\\",
        ..script::Words::default()
    };
    let made = script::script("$a = '@NAME@'\n", &words);
    assert_eq!(made, b"$a = 'it''s''; Remove-Item C:\\'\r\n");
}

#[test]
fn files_are_written_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, secrecy| files::File {
        path: folder.path().join(name),
        content: text.as_bytes().to_vec(),
        secrecy,
    };
    let first = [
        file("pki/key", "secret", Secrecy::Private),
        file("pki/certificate", "public", Secrecy::Public),
    ];
    assert_eq!(
        files::write(&first, Existing::Refuse).unwrap(),
        [Fate::New; 2]
    );
    assert_eq!(
        files::write(&first, Existing::Refuse).unwrap(),
        [Fate::Same; 2]
    );
    let second = [
        file("new", "n", Secrecy::Public),
        file("pki/key", "other", Secrecy::Private),
    ];
    let refused = files::write(&second, Existing::Refuse).unwrap_err();
    assert!(refused.to_string().ends_with("pki/key"), "{refused}");
    assert!(!folder.path().join("new").exists());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for text in ["other", "third"] {
        let files = [file("pki/key", text, Secrecy::Private)];
        assert_eq!(
            files::write(&files, Existing::Replace).unwrap(),
            [Fate::Differs]
        );
    }
    assert_eq!(
        [read("pki/key"), read("pki/key.bak"), read("pki/key.bak.2")],
        ["third", "secret", "other"]
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| {
            let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        let modes = ["pki", "pki/key", "pki/key.bak", "pki/certificate"].map(mode);
        assert_eq!(modes, [0o700, 0o600, 0o600, 0o644]);
        // The service passes through those above the folder with the keys.
        let deep = [file("made/for/pki/key", "secret", Secrecy::Private)];
        files::write(&deep, Existing::Refuse).unwrap();
        let modes = ["made", "made/for", "made/for/pki"].map(mode);
        assert_eq!(modes, [0o755, 0o755, 0o700]);
    }
}

/// A file for a test.
fn file(path: PathBuf, text: &str) -> files::File {
    files::File {
        path,
        content: text.as_bytes().to_vec(),
        secrecy: Secrecy::Private,
    }
}

/// What is below a folder, folders too, with what is in files.
fn below(folder: &std::path::Path) -> Vec<(PathBuf, Option<String>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), std::fs::read_to_string(&path).ok()));
        if path.is_dir() {
            found.extend(below(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn what_cannot_be_whole_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    std::fs::create_dir(at("mine")).unwrap();
    for (name, text) in [("kept", "old"), ("file", "")] {
        std::fs::write(at(name), text).unwrap();
    }
    let before = below(scratch.path());
    let written = [file(at("kept"), "new"), file(at("mine/made/key"), "k")];
    let long = format!("{}/w.toml", "n".repeat(300));
    for (last, said) in [
        // Seen before anything is written.
        (at("mine"), "mine is a folder"),
        (at("file/w.toml"), "file is a file, and no folder"),
        // Seen while they are made ready, and when they get their names.
        (at(&long), "cannot write"),
        (at("mine/made/key"), "cannot write"),
    ] {
        let mut all = written.to_vec();
        all.push(file(last, "last"));
        let refused = files::write(&all, Existing::Replace).unwrap_err();
        assert!(refused.to_string().contains(said), "{said}: {refused}");
        assert_eq!(below(scratch.path()), before, "{said}");
    }
}

#[cfg(unix)]
#[test]
fn who_read_a_file_reads_the_one_in_its_place() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("key");
    let state = || {
        let metadata = std::fs::metadata(&path).unwrap();
        (metadata.mode() & 0o777, metadata.gid())
    };
    files::write(&[file(path.clone(), "first")], Existing::Replace).unwrap();
    // Who is not root has no other group to give it to.
    let _ = chown(&path, None, Some(7));
    let group = state().1;
    for (mode, expected) in [
        (0o640, 0o640),
        (0o600, 0o600),
        (0o660, 0o640),
        (0o644, 0o600),
    ] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let text = format!("{mode:o}");
        files::write(&[file(path.clone(), &text)], Existing::Replace).unwrap();
        assert_eq!(state(), (expected, group), "{mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    files::write(&[file(path.clone(), "alone")], Existing::Overwrite).unwrap();
    assert_eq!(state().0, 0o600, "a machine's key was for nobody else");
}

#[test]
fn the_configuration_is_taken() {
    use crate::config::checked::{Delivery, WefAuthentication};
    let wanted = |baseline: &str, machines: &[&str]| configuration::Wanted {
        baseline: baseline.to_owned(),
        machines: machines.iter().map(|name| (*name).to_owned()).collect(),
    };
    let settings = configuration::Settings {
        name: "wec.corp.example".to_owned(),
        listen: [0, 0, 0, 0].into(),
        kerberos: Some((5985, PathBuf::from("/etc/windrow/windrow.keytab"))),
        certificates: Some(configuration::Certificates {
            port: 5986,
            certificate: "/etc/windrow/pki/collector.pem".into(),
            key: "/etc/windrow/pki/collector.key".into(),
            client_ca: "/etc/windrow/pki/ca.pem".into(),
        }),
        baselines: vec![
            wanted("domain-controller", &["dc*"]),
            wanted("workstation", &[]),
        ],
        delivery: Some(Delivery::MinimizeLatency),
        refresh_seconds: 60,
        expected: vec!["DC01$@CORP.EXAMPLE".to_owned()],
    };
    let places = Places {
        config: "/etc/windrow/windrow.toml".into(),
        data_dir: Some("/srv/windrow".into()),
        pki: "/etc/windrow/pki".into(),
        machines: "/etc/windrow/for-the-machines".into(),
    };
    let text = settings.text(&places);
    insta::assert_snapshot!("configuration", text);
    let config = crate::config::check_text(&places.config, &text).unwrap();
    let kinds: Vec<_> = config
        .source
        .wef
        .values()
        .map(|source| source.authentication.scheme())
        .collect();
    assert_eq!(kinds, ["https", "http"]);
    assert!(matches!(
        config.source.wef["domain"].authentication,
        WefAuthentication::Kerberos(_)
    ));
    assert_eq!(config.subscription["workstation"].except_machines, ["dc*"]);
    assert_eq!(config.subscription["domain-controller"].machines, ["dc*"]);
    assert_eq!(config.fleet.machines, ["DC01$@CORP.EXAMPLE"]);
}
