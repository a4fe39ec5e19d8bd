//! A private realm: MIT's KDC as Debian packages it, on loopback, and MIT's own library as a peer.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_pipeline::kerberos::client::{Kdc, Secret, Ticket, log_in};
use windrow_pipeline::kerberos::crypto::Etype;
use windrow_pipeline::kerberos::{Accounts, Keytab, Principal, Server};

pub(crate) const REALM: &str = "CORP.EXAMPLE";
pub(crate) const COLLECTOR: &str = "HTTP/wec.corp.example";
pub(crate) const MACHINE: &str = "WS00001$";

const PROGRAMS: [&str; 3] = [
    "/usr/sbin/krb5kdc",
    "/usr/sbin/kadmin.local",
    "/usr/sbin/kdb5_util",
];

/// What the KDC starts with: the collector under two names, one that knows AES-128 only, one that
/// knows RC4 only, two machines, and two people with a
/// password. The first machine and the first person have to prove themselves before they are answered.
const PRINCIPALS: &str = "\
addprinc -randkey HTTP/wec.corp.example
addprinc -randkey HOST/wec.corp.example
addprinc -randkey HTTP/other.corp.example
addprinc -randkey -e aes128-cts:normal HTTP/small.corp.example
addprinc -randkey -e aes256-sha2:normal HTTP/new.corp.example
addprinc -randkey -e arcfour-hmac:normal HTTP/old.corp.example
addprinc -randkey +requires_preauth WS00001$
addprinc -randkey WS00002$
addprinc -pw correct-horse +requires_preauth alice
addprinc -pw correct-horse bob
ktadd -k wec.keytab HTTP/wec.corp.example HOST/wec.corp.example
ktadd -k wec.keytab -e aes128-cts:normal HTTP/small.corp.example
ktadd -k wec.keytab -e aes256-sha2:normal HTTP/new.corp.example
ktadd -k wec.keytab -e arcfour-hmac:normal HTTP/old.corp.example
ktadd -k ws.keytab WS00001$ WS00002$
";

/// A realm; ends with this.
pub(crate) struct Realm {
    folder: tempfile::TempDir,
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
    /// Starts one; `None` if there is no KDC here.
    pub(crate) fn start() -> Option<Realm> {
        if let Some(missing) = PROGRAMS.iter().find(|program| !Path::new(program).exists()) {
            eprintln!(
                "SKIPPED: {missing} is not here (apt-get install krb5-kdc krb5-admin-server)"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        configure(folder.path(), port);
        let run = |program: &str, arguments: &[&str], input: &str| {
            let mut command = command(folder.path(), program);
            let mut child = command
                .args(arguments)
                .current_dir(folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(input.as_bytes()).unwrap();
            drop(stdin);
            assert!(child.wait().unwrap().success(), "{program}");
        };
        run(
            PROGRAMS[2],
            &["create", "-s", "-r", REALM, "-P", "master"],
            "",
        );
        run(PROGRAMS[1], &[], PRINCIPALS);
        let kdc = command(folder.path(), PROGRAMS[0])
            .args(["-n", "-r", REALM])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut realm = Realm { folder, port, kdc };
        let deadline = Instant::now() + Duration::from_secs(60);
        // Not by connecting: as long as nobody listens, that may end in a connection with itself.
        let started = |log: String| log.contains("commencing operation");
        while !std::fs::read_to_string(realm.path("log")).is_ok_and(started) {
            assert_eq!(realm.kdc.try_wait().unwrap(), None, "the KDC has ended");
            assert!(Instant::now() < deadline, "the KDC does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(realm)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the administration program do something.
    pub(crate) fn administer(&self, query: &str) {
        let mut command = command(self.folder.path(), PROGRAMS[1]);
        let output = command
            .current_dir(self.folder.path())
            .args(["-q", query])
            .output()
            .unwrap();
        assert!(output.status.success(), "{query}: {output:?}");
    }

    pub(crate) fn kdc(&self) -> Kdc {
        Kdc::new(&format!("127.0.0.1:{}", self.port))
    }

    /// The collector's side, with every name in its keytab.
    pub(crate) fn server(&self) -> Server {
        Server::new(&self.path("wec.keytab"), Vec::new(), Accounts::Machines).unwrap()
    }

    /// The first ticket of a machine.
    pub(crate) async fn log_in(&self, machine: &str) -> Ticket {
        let keytab = Keytab::load(&self.path("ws.keytab")).unwrap();
        let secret = Secret::Keytab(keytab);
        let client = principal(machine);
        log_in(&self.kdc(), &client, &secret, Timestamp::now())
            .await
            .unwrap()
    }

    /// A ticket of a machine for a service.
    pub(crate) async fn ticket(&self, machine: &str, service: &str) -> Ticket {
        let first = self.log_in(machine).await;
        self.ticket_by(&first, service).await
    }

    pub(crate) async fn ticket_by(&self, first: &Ticket, service: &str) -> Ticket {
        let service = principal(service).name;
        let now = Timestamp::now();
        let kdc = self.kdc();
        let ticket = first.for_service(&kdc, &service, &Etype::ALL, now);
        ticket.await.unwrap()
    }

    /// MIT's library, in a process that does one thing; `None` if it is not here.
    pub(crate) fn mit(&self, arguments: &[&str]) -> Option<Mit> {
        const PYTHON: &str = "/usr/bin/python3";
        let has_gssapi = Command::new(PYTHON).args(["-c", "import gssapi"]).output();
        if !has_gssapi.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "SKIPPED: MIT's library is not here (apt-get install krb5-user python3-gssapi)"
            );
            return None;
        }
        self.authenticate_with_mit(MACHINE)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wef/mit.py");
        let mut child = command(self.folder.path(), PYTHON)
            .arg(script)
            .args(arguments)
            .env("KRB5_KTNAME", self.path("wec.keytab"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Mit {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        })
    }

    /// A ticket of a machine in MIT's own cache.
    pub(crate) fn authenticate_with_mit(&self, machine: &str) -> Option<()> {
        let mut command = command(self.folder.path(), "/usr/bin/kinit");
        let keytab = self.path("ws.keytab");
        let output = command
            .arg("-k")
            .arg("-t")
            .arg(keytab)
            .arg(machine)
            .output();
        let Ok(output) = output else {
            eprintln!("SKIPPED: kinit is not here (apt-get install krb5-user)");
            return None;
        };
        assert!(output.status.success(), "{output:?}");
        Some(())
    }

    /// A program that is in this realm.
    pub(crate) fn command(&self, program: &str) -> Command {
        command(self.folder.path(), program)
    }
}

/// A port that nobody listens at, and below those that connections are given for their own end.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| 10_000 + rand::random::<u16>() % 20_000);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(free).unwrap()
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal::parse(&format!("{name}@{REALM}")).unwrap()
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"))
        .env(
            "KRB5CCNAME",
            format!("FILE:{}", folder.join("cache").display()),
        );
    command
}

fn configure(folder: &Path, port: u16) {
    let here = folder.display();
    let client = format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n \
         rdns = false\n dns_canonicalize_hostname = false\n udp_preference_limit = 1\n \
         permitted_enctypes = aes256-sha2 aes128-sha2 aes256-cts aes128-cts arcfour-hmac\n\
         [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n\
         [domain_realm]\n .corp.example = {REALM}\n\
         [logging]\n default = FILE:{here}/log\n"
    );
    let server = format!(
        "[kdcdefaults]\n kdc_listen = \"\"\n kdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n {REALM} = {{\n  database_name = {here}/principal\n  key_stash_file = {here}/stash\n  \
         acl_file = {here}/acl\n  supported_enctypes = aes256-cts:normal aes128-cts:normal\n }}\n\
         [logging]\n kdc = FILE:{here}/log\n"
    );
    std::fs::write(folder.join("krb5.conf"), client).unwrap();
    std::fs::write(folder.join("kdc.conf"), server).unwrap();
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder, mode).unwrap();
}

/// MIT's library at work: a line in, a line out, both Base64.
pub(crate) struct Mit {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Mit {
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        use base64::Engine;
        let line = base64::engine::general_purpose::STANDARD.encode(bytes);
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> Vec<u8> {
        use base64::Engine;
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(line.trim());
        bytes.unwrap()
    }

    pub(crate) fn finish(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}
