//! A private realm: MIT's KDC as Debian packages it, on loopback.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Scratch, installed, listening_port, wait_until};

pub(crate) const REALM: &str = "CORP.EXAMPLE";

/// The collector's name in the realm.
pub(crate) const COLLECTOR: &str = "HTTP/wec.corp.example";

/// The password of the machines that have one.
const PASSWORD: &str = "correct horse";

/// A realm; ends with this.
pub(crate) struct Realm {
    folder: PathBuf,
    port: u16,
    kdc: Child,
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

impl Realm {
    /// Starts one with the collector's keytab, so many machines with keys, and so many more with passwords; `None` if there
    /// is no KDC here.
    pub(crate) fn start(
        scratch: &Scratch,
        with_keys: usize,
        with_passwords: usize,
    ) -> Option<Realm> {
        if !installed("krb5kdc") || !installed("kadmin.local") {
            return None;
        }
        let folder = scratch.join("realm");
        let port = listening_port();
        configure(&folder, port);
        let master = ["create", "-s", "-r", REALM, "-P", "master"];
        administer(&folder, "/usr/sbin/kdb5_util", &master, "");
        let machine = |number: usize| format!("WS{number:05}$");
        let mut orders =
            format!("addprinc -randkey {COLLECTOR}\nktadd -k wec.keytab {COLLECTOR}\n");
        let mut passwords = String::new();
        for name in (1..=with_keys).map(machine) {
            orders += &format!(
                "addprinc -randkey +requires_preauth {name}\nktadd -k machines.keytab {name}\n"
            );
        }
        for name in (with_keys + 1..=with_keys + with_passwords).map(machine) {
            orders += &format!("addprinc -pw \"{PASSWORD}\" +requires_preauth {name}\n");
            passwords += &format!("{name} {PASSWORD}\n");
        }
        std::fs::write(folder.join("passwords"), passwords).unwrap();
        administer(&folder, "/usr/sbin/kadmin.local", &[], &orders);
        let kdc = command(&folder, "/usr/sbin/krb5kdc")
            .args(["-n", "-r", REALM])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut realm = Realm { folder, port, kdc };
        // Not by connecting: as long as nobody listens, that may end in a connection with itself.
        wait_until("the KDC", || {
            assert_eq!(realm.kdc.try_wait().unwrap(), None, "the KDC has ended");
            let log = std::fs::read_to_string(realm.folder.join("log"));
            log.is_ok_and(|log| log.contains("commencing operation"))
        });
        Some(realm)
    }

    /// The collector's keytab.
    pub(crate) fn keytab(&self) -> PathBuf {
        self.folder.join("wec.keytab")
    }

    /// What a fleet of the machines with keys is started with.
    pub(crate) fn fleet_of_keys(&self) -> Vec<String> {
        self.fleet("--keytab", &self.folder.join("machines.keytab"))
    }

    /// What a fleet of the machines with passwords is started with.
    pub(crate) fn fleet_of_passwords(&self) -> Vec<String> {
        self.fleet("--passwords", &self.folder.join("passwords"))
    }

    fn fleet(&self, secrets: &str, file: &Path) -> Vec<String> {
        let (kdc, file) = (format!("127.0.0.1:{}", self.port), file.to_string_lossy());
        let words = [
            "--kdc",
            &kdc,
            "--realm",
            REALM,
            "--service",
            COLLECTOR,
            secrets,
            &file,
        ];
        words.map(str::to_owned).to_vec()
    }
}

fn administer(folder: &Path, program: &str, arguments: &[&str], input: &str) {
    let mut child = command(folder, program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{program}");
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command
}

fn configure(folder: &Path, port: u16) {
    let here = folder.display();
    let client = format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n rdns = false\n\
         [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n[logging]\n default = FILE:{here}/log\n"
    );
    let server = format!(
        "[kdcdefaults]\n kdc_listen = \"\"\n kdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n {REALM} = {{\n  database_name = {here}/principal\n  key_stash_file = {here}/stash\n  \
         acl_file = {here}/acl\n  supported_enctypes = aes256-cts:normal aes128-cts:normal\n }}\n\
         [logging]\n kdc = FILE:{here}/log\n"
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("krb5.conf"), client).unwrap();
    std::fs::write(folder.join("kdc.conf"), server).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}
