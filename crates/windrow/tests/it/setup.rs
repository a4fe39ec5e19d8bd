//! From an empty folder to the first event, by what `windrow setup wef` writes and nothing else: the simulated machine knows
//! only what the registry file and its PFX say.

mod again;
mod refusals;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use windrow_pipeline::tls;
use xtask::docs::{self, Step};
use xtask::project::{Project, root};

use crate::support::certs::Authority;
use crate::support::program::{Program, run};
use crate::support::realm::Realm;
use crate::support::{Scratch, installed, listening_port, or_skipped, wait_until};

/// The arguments of a set-up in the scratch folder, for machines with certificates on loopback.
fn arguments(scratch: &Scratch, more: &[&str]) -> Vec<String> {
    let config = scratch.join("etc/windrow.toml").display().to_string();
    let data = scratch.join("data").display().to_string();
    let fixed = [
        "setup",
        "wef",
        "--yes",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--name",
        "localhost",
        "--baseline",
        "exercises",
        "--listen",
        "127.0.0.1",
    ];
    fixed.iter().chain(more).map(ToString::to_string).collect()
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What a registry file sets the first subscription manager to.
fn subscription_manager(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    let (pairs, rest) = bytes.as_chunks::<2>();
    assert!(
        rest.is_empty() && pairs[0] == [0xff, 0xfe],
        "UTF-16 with a mark, as regedit writes it"
    );
    let units: Vec<u16> = pairs[1..].iter().copied().map(u16::from_le_bytes).collect();
    let text = String::from_utf16(&units).unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("\"1\"=\"")?.strip_suffix('"'));
    value.unwrap().to_owned()
}

/// A machine's PFX opened with its password, as `NAME.pem` beside `NAME.key`.
fn unpack(scratch: &Scratch, folder: &Path, machine: &str) -> PathBuf {
    let password = std::fs::read_to_string(folder.join(format!("{machine}.password.txt"))).unwrap();
    let unpacked = scratch.join("machine");
    std::fs::create_dir_all(&unpacked).unwrap();
    for (options, extension) in [("-clcerts -nokeys", "pem"), ("-nocerts -nodes", "key")] {
        let done = Command::new("openssl")
            .args(["pkcs12", "-in"])
            .arg(folder.join(format!("{machine}.pfx")))
            .args(["-passin", &format!("pass:{}", password.trim())])
            .args(options.split(' '))
            .arg("-out")
            .arg(unpacked.join(format!("{machine}.{extension}")))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    unpacked
}

/// What `check` says of a configuration that it finds no fault with.
fn nothing_is_wrong(scratch: &Scratch, config: &str) -> String {
    let check = ["check", "--config", config, "--output", "json"];
    let said = run(scratch, &check).expect(0).stdout;
    let found: Value = serde_json::from_str(&said).unwrap();
    let counts = (&found["failed"], &found["warnings"]);
    assert_eq!(counts, (&0.into(), &0.into()), "{said}");
    said
}

/// The line of the policy leads to the collector, and is the one that `check` says.
fn machines_are_told(folder: &Path, port: &str, check: &str) {
    let value = subscription_manager(&folder.join("forwarding.reg"));
    let parts: Vec<_> = value.split(',').collect();
    let server = format!("Server=https://localhost:{port}/wsman/SubscriptionManager/WEC");
    assert_eq!(
        (parts[0], parts[1], parts.len()),
        (&*server, "Refresh=60", 3)
    );
    let said = check.replace("\\/", "/");
    assert!(said.contains(&value), "{value}\n{said}");
}

/// Makes a machine's certificate, which nobody else may read, and makes it once only.
fn hand_out(scratch: &Scratch, config: &str, clients: &Path, machine: &str) {
    let make = ["setup", "wef", "client", machine, "--config", config];
    run(scratch, &make).expect(0);
    assert_eq!(mode(clients), 0o700);
    for file in [format!("{machine}.pfx"), format!("{machine}.password.txt")] {
        assert_eq!(mode(&clients.join(&file)), 0o600, "{file}");
    }
    let again = run(scratch, &make).expect(1).stderr;
    assert!(again.contains("nothing was written"), "{again}");
}

/// A machine with the PFX and the policy that lie in the folder for machines with certificates sends twenty events.
fn send_with_certificate(scratch: &Scratch, folder: &Path, machine: &str) {
    let value = subscription_manager(&folder.join("forwarding.reg"));
    let server = value.split(',').next().unwrap();
    let server = server.strip_prefix("Server=").unwrap();
    let clients = unpack(scratch, &folder.join("clients"), machine);
    let clients = clients.display().to_string();
    let ca = folder.join("authority.cer").display().to_string();
    let mut send = vec!["simulate", server, "--ca", &ca, "--clients", &clients];
    send.extend(["--events", "20", "--mix", "4624=1"]);
    run(scratch, &send).expect(0);
}

/// Health of the service is not what is set up here, and its usual port may be taken.
fn health_elsewhere(config: &Path) {
    let text = std::fs::read_to_string(config).unwrap();
    let web = format!("\n[web]\nlisten = \"127.0.0.1:{}\"\n", listening_port());
    std::fs::write(config, text + &web).unwrap();
}

#[test]
fn from_an_empty_folder_to_the_first_event() {
    const MACHINE: &str = "ws01.example.com";
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let port = listening_port().to_string();
    let set_up = arguments(
        &scratch,
        &["--no-domain", "--tls-port", &port, "--expect", MACHINE],
    );
    run(&scratch, &set_up).expect(0);
    let at = |path: &str| scratch.join("etc").join(path);
    for secret in ["pki/ca.key", "pki/collector.key"] {
        assert_eq!(mode(&at(secret)), 0o600, "{secret}");
    }
    assert_eq!(mode(&at("pki")), 0o700);
    health_elsewhere(&at("windrow.toml"));
    let config = at("windrow.toml").display().to_string();
    let check = nothing_is_wrong(&scratch, &config);
    machines_are_told(&at("for-the-machines/certificates"), &port, &check);

    // Nothing has come yet, and the collector does not run.
    let live = ["check", "--config", &config, "--live", "--output", "json"];
    let asleep = run(&scratch, &live).expect(1);
    assert!(asleep.stdout.contains("none runs on"), "{}", asleep.stdout);
    let mut service = Program::start(&scratch, "service", &["run", "--config", &config]);
    wait_until("the collector to listen", || {
        assert!(service.is_running(), "{}", service.stderr());
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
    });
    let waiting = run(&scratch, &live).expect(1);
    for said in ["no machine has asked", "never: it is expected"] {
        assert!(waiting.stdout.contains(said), "{}", waiting.stdout);
    }
    hand_out(
        &scratch,
        &config,
        &at("for-the-machines/certificates/clients"),
        MACHINE,
    );
    send_with_certificate(&scratch, &at("for-the-machines/certificates"), MACHINE);

    let live = run(&scratch, &[&live[..], &["--wait", "60s"]].concat());
    let ticked: Value = serde_json::from_str(&live.stdout).unwrap();
    assert_eq!(ticked["done"], true, "{}", live.stdout);
    assert_eq!(live.code, Some(0), "{}", live.stdout);
    let shown = run(&scratch, &["check", "--config", &config, "--live"])
        .expect(0)
        .stdout;
    assert!(
        shown.contains(MACHINE) && shown.contains("first event"),
        "{shown}"
    );
    service.terminate().expect(0);
}

#[test]
fn nothing_is_written_over() {
    let scratch = Scratch::new();
    let set_up = |more: &[&str]| arguments(&scratch, &[&["--no-domain"], more].concat());
    let dry = run(&scratch, &set_up(&["--dry-run"])).expect(0);
    assert!(
        dry.stdout.contains("[subscription.exercises]"),
        "{}",
        dry.stdout
    );
    assert!(!scratch.join("etc").exists(), "a dry run writes nothing");

    scratch.write("etc/windrow.toml", "# mine\n");
    let before = files(&scratch.join("etc"));
    let refused = run(&scratch, &set_up(&[])).expect(1);
    assert!(
        refused.stderr.contains("windrow.toml") && refused.stderr.contains("--replace"),
        "{}",
        refused.stderr
    );
    assert_eq!(files(&scratch.join("etc")), before);

    run(&scratch, &set_up(&["--replace"])).expect(0);
    let kept = std::fs::read_to_string(scratch.join("etc/windrow.toml.bak")).unwrap();
    assert_eq!(kept, "# mine\n");
    let read = |name: &str| std::fs::read(scratch.join("etc").join(name)).unwrap();
    let authority = (read("pki/ca.pem"), read("pki/ca.key"));
    let before = files(&scratch.join("etc"));
    run(&scratch, &set_up(&[])).expect(1);
    assert_eq!(files(&scratch.join("etc")), before, "a second one refuses");
    // Machines have certificates of the authority: it is never another one.
    run(&scratch, &set_up(&["--replace"])).expect(0);
    assert_eq!((read("pki/ca.pem"), read("pki/ca.key")), authority);
}

#[test]
fn what_is_missing_is_named() {
    let scratch = Scratch::new();
    let missing = |arguments: &[&str], option: &str| {
        let mut all = vec!["setup", "wef", "--config", "windrow.toml"];
        all.extend(arguments);
        let refused = run(&scratch, &all).expect(2);
        assert!(
            refused.stderr.contains(option),
            "{option}: {}",
            refused.stderr
        );
    };
    missing(&[], "--name NAME is missing");
    missing(
        &["--name", "wec.example.com"],
        "--domain REALM or --no-domain is missing",
    );
    let named = ["--name", "wec.example.com", "--no-domain"];
    missing(&named, "--baseline NAME is missing");
    missing(
        &[&named[..], &["--baseline", "all"]].concat(),
        "is none of essential",
    );
    missing(
        &[
            &named[..],
            &["--baseline", "server", "--baseline", "workstation"],
        ]
        .concat(),
        "twice",
    );
    missing(
        &[&named[..], &["--baseline", "server", "--ca-file", "ca.pem"]].concat(),
        "--adcs",
    );
    missing(
        &["--name", "wec_1/x", "--no-domain", "--baseline", "server"],
        "is no name",
    );
    assert!(
        files(scratch.path())
            .iter()
            .all(|(path, _)| !path.ends_with("windrow.toml"))
    );
}

/// A set-up that is refused, and writes nothing; what it says.
fn refused(scratch: &Scratch, more: &[&str]) -> String {
    let done = run(scratch, &arguments(scratch, more));
    assert_ne!(done.code, Some(0), "{}", done.stdout);
    assert!(!scratch.join("etc").exists(), "{}", done.stderr);
    done.stderr
}

/// A certificate as other programs keep it.
fn in_der(scratch: &Scratch, pem: &Path, name: &str) -> String {
    let der = CertificateDer::from_pem_file(pem).unwrap();
    let path = scratch.join(name);
    std::fs::write(&path, &*der).unwrap();
    path.display().to_string()
}

#[test]
fn a_certificate_of_theirs_is_checked() {
    let scratch = Scratch::new();
    let theirs = Authority::new(&scratch, "theirs");
    let pair = theirs.issue(&scratch, "localhost");
    let other = theirs.issue(&scratch, "other.example.com");
    let old = theirs.issue_expired(&scratch, "old.example.com");
    let text = |path: &Path| path.display().to_string();
    let with = |certificate: &str, key: &str| {
        let ca = text(&theirs.certificate);
        let more = [
            "--no-domain",
            "--ca-file",
            &ca,
            "--cert-file",
            certificate,
            "--key-file",
            key,
        ];
        refused(&scratch, &more)
    };
    let (certificate, key) = (text(&pair.certificate), text(&pair.key));
    let absent = scratch.join("none.key").display().to_string();
    let der = in_der(&scratch, &pair.certificate, "collector.cer");
    for (said, expected) in [
        (with(&certificate, &absent), "cannot read"),
        (with(&absent, &key), "cannot read"),
        (with(&certificate, &text(&other.key)), "cannot be used"),
        (
            with(&text(&other.certificate), &text(&other.key)),
            "is for other.example.com, not for localhost",
        ),
        (
            with(&text(&old.certificate), &text(&old.key)),
            "cannot be used",
        ),
        (with(&der, &key), "openssl x509 -inform der"),
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn machines_are_told_to_trust_whoever_issued_the_collectors_certificate() {
    let scratch = Scratch::new();
    let (machines, servers) = (
        Authority::new(&scratch, "machines"),
        Authority::new(&scratch, "servers"),
    );
    let pair = servers.issue(&scratch, "localhost");
    let text = |path: &Path| path.display().to_string();
    let (key, ca) = (
        text(&pair.key),
        in_der(&scratch, &machines.certificate, "ca.cer"),
    );
    let alone = text(&pair.certificate);
    let more = [
        "--no-domain",
        "--ca-file",
        &ca,
        "--key-file",
        &key,
        "--cert-file",
    ];
    let said = refused(&scratch, &[&more[..], &[&alone]].concat());
    assert!(said.contains("put its certificate at the end"), "{said}");

    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let chain = read(&pair.certificate) + &read(&servers.certificate);
    let chain = text(&scratch.write("chain.pem", &chain));
    run(
        &scratch,
        &arguments(&scratch, &[&more[..], &[&chain]].concat()),
    )
    .expect(0);
    let folder = scratch.join("etc/for-the-machines/certificates");
    let thumbprint = |path: &Path| tls::thumbprint(&CertificateDer::from_pem_file(path).unwrap());
    let theirs = thumbprint(&machines.certificate);
    assert_eq!(
        thumbprint(&folder.join("authority.cer")),
        thumbprint(&servers.certificate)
    );
    assert_eq!(thumbprint(&folder.join("machines-authority.cer")), theirs);
    let value = subscription_manager(&folder.join("forwarding.reg"));
    assert!(value.ends_with(&format!("IssuerCA={theirs}")), "{value}");
    // The service reads PEM.
    let config = read(&scratch.join("etc/windrow.toml"));
    assert!(config.contains("pki/machines-ca.pem"), "{config}");
    assert_eq!(thumbprint(&scratch.join("etc/pki/machines-ca.pem")), theirs);
}

#[test]
fn what_was_made_by_command_is_not_made_again() {
    let scratch = Scratch::new();
    scratch.write(
        "data/conf.d/subscription.exercises.toml",
        "baseline = \"exercises\"\n",
    );
    let said = refused(&scratch, &["--no-domain"]);
    assert!(said.contains("set twice"), "{said}");
}

#[test]
fn a_domain_with_its_own_authority_is_told_what_it_needs() {
    let scratch = Scratch::new();
    let own = run(&scratch, &["pki", "theirs"]).expect(0);
    assert!(own.stdout.contains("client_ca"));
    let ca = scratch.join("theirs/ca.pem").display().to_string();
    let more = ["--domain", "corp.example", "--adcs", "--ca-file", &ca];
    let set = run(&scratch, &arguments(&scratch, &more)).expect(0);
    assert!(
        set.stdout.contains("New-Keytab.ps1") && set.stdout.contains("adcs.txt"),
        "{}",
        set.stdout
    );
    let etc = scratch.join("etc");
    let folder = etc.join("for-the-machines");
    let kerberos = subscription_manager(&folder.join("kerberos/forwarding.reg"));
    assert_eq!(
        kerberos,
        "Server=http://localhost:5985/wsman/SubscriptionManager/WEC,Refresh=60"
    );
    let certificates = subscription_manager(&folder.join("certificates/forwarding.reg"));
    let openssl = Command::new("openssl")
        .args(["x509", "-in", &ca, "-noout", "-fingerprint", "-sha1"])
        .output();
    if let Ok(shown) = openssl {
        let shown = String::from_utf8(shown.stdout).unwrap();
        let (_, thumbprint) = shown.trim().split_once('=').unwrap();
        assert!(
            certificates.ends_with(&format!(",IssuerCA={}", thumbprint.replace(':', ""))),
            "{certificates}"
        );
        let request = folder.join("adcs/collector.csr");
        let shown = Command::new("openssl")
            .args(["req", "-noout", "-verify", "-text", "-in"])
            .arg(request)
            .output();
        let shown = shown.unwrap();
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(
            shown.status.success() && text.contains("DNS:localhost"),
            "{text}"
        );
    }
    assert_eq!(mode(&etc.join("pki/collector.key")), 0o600);
    let keytab = std::fs::read_to_string(folder.join("kerberos/New-Keytab.ps1")).unwrap();
    assert!(keytab.contains("$Realm = 'CORP.EXAMPLE'"));
    parse(&folder);
}

/// Every script is PowerShell, as far as its grammar can say.
fn parse(folder: &Path) {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let python = home.map(|home| home.join("windrow-tests/powershell/bin/python"));
    let python = python.filter(|python| python.exists());
    if !or_skipped(python.is_some(), "the parser of PowerShell") {
        return;
    }
    let scripts = files(folder).into_iter().map(|(path, _)| path);
    let scripts: Vec<_> = scripts
        .filter(|path| path.extension().is_some_and(|extension| extension == "ps1"))
        .collect();
    assert!(scripts.len() >= 8, "{scripts:?}");
    let done = Command::new(python.unwrap())
        .arg(root().join("powershell/tests/check.py"))
        .arg("--scripts")
        .args(&scripts)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
}

/// The page that leads from nothing to the first event: each of its commands is run in its order, on a machine that is not
/// root's. Simulated machines stand for Windows, and MIT's KDC for the domain controller.
#[test]
fn the_ways_to_the_first_event_can_be_walked() {
    let needed = ["openssl", "krb5kdc", "kadmin.local"];
    if !needed.into_iter().all(installed) {
        return;
    }
    let project = Project::load(&root()).unwrap();
    let steps = docs::steps(project.get("docs/wef.md").unwrap());
    let commands = steps.iter().filter_map(|step| match step {
        Step::Run { command, fails } => Some((command, *fails)),
        Step::Write { .. } => None,
    });
    let mut walk: Option<Walk> = None;
    let mut tried = 0;
    for (command, fails) in commands {
        let text = command
            .text
            .trim_start_matches("sudo ")
            .replace("-u windrow windrow", "windrow");
        // Each of the two ways begins in an empty folder.
        if text.starts_with("windrow setup wef --replace") {
            walk = Some(Walk::new(walk.map_or(0, |walk| walk.end() + 1)));
        }
        let walk = walk.as_mut().unwrap();
        walk.step(&format!("{}:{}", command.path, command.line), &text, fails);
        tried += 1;
    }
    assert!(tried > 12, "{tried} commands");
    assert_eq!(walk.unwrap().end(), 1, "both ways were walked");
}

/// One of the two ways.
struct Walk {
    number: usize,
    /// Ends before its folder does.
    realm: Option<Realm>,
    scratch: Scratch,
    ports: [(&'static str, u16); 2],
    service: Option<Program>,
}

impl Walk {
    fn new(number: usize) -> Walk {
        let scratch = Scratch::new();
        let realm = (number == 0).then(|| Realm::start(&scratch, 1, 0).unwrap());
        Walk {
            number,
            realm,
            scratch,
            ports: [
                ("--kerberos-port", listening_port()),
                ("--tls-port", listening_port()),
            ],
            service: None,
        }
    }

    fn end(mut self) -> usize {
        self.service.take().unwrap().terminate().expect(0);
        self.number
    }

    fn config(&self) -> String {
        self.scratch
            .join("etc/windrow/windrow.toml")
            .display()
            .to_string()
    }

    fn step(&mut self, place: &str, text: &str, fails: bool) {
        let words: Vec<String> = text
            .split_whitespace()
            .map(|word| word.replace('\'', ""))
            .collect();
        match words[0].as_str() {
            "windrow" => self.windrow(place, &words[1..], fails),
            "install" => self.keytab(),
            // The test's own user runs all of it.
            "chgrp" | "chmod" => {}
            "systemctl" => self.start(),
            other => panic!("{place}: {other} is not run here"),
        }
    }

    fn windrow(&mut self, place: &str, words: &[String], fails: bool) {
        let mut arguments: Vec<String> = words.to_vec();
        let wait = arguments.iter().any(|word| word == "--wait");
        for argument in &mut arguments {
            // The name leads here without a DNS, and the folders are the test's.
            if argument.starts_with("wec.") {
                "localhost".clone_into(argument);
            }
            if argument == "/etc/windrow/windrow.toml" {
                *argument = self.config();
            }
            if argument == "/var/lib/windrow" {
                *argument = self.scratch.join("data").display().to_string();
            }
        }
        let is_setup = arguments.iter().any(|word| word == "--name");
        if is_setup {
            let ports = self
                .ports
                .iter()
                .flat_map(|(option, port)| [(*option).to_owned(), port.to_string()]);
            arguments.extend(ports);
        }
        for (option, value) in [
            ("--config", self.config()),
            (
                "--data-dir",
                self.scratch.join("data").display().to_string(),
            ),
        ] {
            if !arguments.iter().any(|word| word == option) {
                arguments.extend([option.to_owned(), value]);
            }
        }
        if wait {
            match &self.realm {
                Some(realm) => self.send_from_domain(realm),
                None => self.send(),
            }
        }
        let done = run(&self.scratch, &arguments);
        assert_eq!(
            done.code,
            Some(i32::from(fails)),
            "{place}: {arguments:?}\n{}{}",
            done.stdout,
            done.stderr
        );
        if is_setup {
            health_elsewhere(Path::new(&self.config()));
        }
    }

    fn start(&mut self) {
        let mut service = Program::start(
            &self.scratch,
            "service",
            &[
                "run",
                "--config",
                &self.config(),
                "--data-dir",
                &self.scratch.join("data").display().to_string(),
            ],
        );
        let port = self.ports[self.number].1;
        wait_until("the collector to listen", || {
            assert!(service.is_running(), "{}", service.stderr());
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        self.service = Some(service);
    }

    /// The machine whose PFX was made a step before.
    fn send(&self) {
        let folder = self
            .scratch
            .join("etc/windrow/for-the-machines/certificates");
        send_with_certificate(&self.scratch, &folder, "ws01.example.com");
    }

    /// A member of the domain, with the line that its policy has.
    fn send_from_domain(&self, realm: &Realm) {
        let folder = self.scratch.join("etc/windrow/for-the-machines/kerberos");
        let value = subscription_manager(&folder.join("forwarding.reg"));
        let server = value.split(',').next().unwrap();
        let server = server.strip_prefix("Server=").unwrap();
        let of_realm = realm.fleet_of_keys();
        let mut sent = vec!["simulate", server, "--kerberos"];
        sent.extend(of_realm.iter().map(String::as_str));
        sent.extend(["--events", "20", "--mix", "4624=1"]);
        run(&self.scratch, &sent).expect(0);
    }

    /// The one of the realm, in the place of what `New-Keytab.ps1` makes.
    fn keytab(&self) {
        let path = self.scratch.join("etc/windrow/windrow.keytab");
        std::fs::copy(self.realm.as_ref().unwrap().keytab(), &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
