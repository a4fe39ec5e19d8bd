//! A private rsyslogd, as Debian packages it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::pki::Pki;
use super::receiver::record_id;

const PROGRAM: &str = "/usr/sbin/rsyslogd";
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/rsyslog",
    "/usr/lib/aarch64-linux-gnu/rsyslog",
];

/// The TLS library rsyslog uses.
#[derive(Debug, Clone, Copy)]
pub enum Driver {
    Gnutls,
    Openssl,
}

impl Driver {
    fn name(self) -> &'static str {
        match self {
            Driver::Gnutls => "gtls",
            Driver::Openssl => "ossl",
        }
    }

    /// TLS 1.2 or higher.
    fn floor(self) -> &'static str {
        match self {
            Driver::Gnutls => "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
            Driver::Openssl => "MinProtocol=TLSv1.2",
        }
    }
}

/// Where rsyslog keeps what it has read and not written down yet.
#[derive(Clone, Copy)]
pub enum Queue {
    /// Nowhere: it reads on when a message is written down, so that killing it shows what it had not read.
    None,
    /// In memory, as where nothing is said.
    Memory,
}

pub struct Rsyslog {
    pub udp: u16,
    pub tcp: u16,
    pub tls: u16,
    pub mutual: u16,
    config: PathBuf,
    folder: tempfile::TempDir,
    child: Child,
}

impl Rsyslog {
    /// Starts one whose mutual TLS input permits only `permitted`; `None` if it is not
    /// installed.
    pub fn start(driver: Driver, pki: &Pki, permitted: &str) -> Option<Rsyslog> {
        Rsyslog::start_with(driver, pki, permitted, Queue::None)
    }

    /// The same with another queue.
    pub fn start_with(driver: Driver, pki: &Pki, permitted: &str, queue: Queue) -> Option<Rsyslog> {
        let driver_file = format!("lmnsd_{}.so", driver.name());
        let installed = |file: &str| {
            LIBRARIES
                .iter()
                .any(|dir| PathBuf::from(dir).join(file).exists())
        };
        if !PathBuf::from(PROGRAM).exists() || !installed(&driver_file) {
            eprintln!(
                "SKIPPED: rsyslogd with {driver_file} is not installed (apt-get install rsyslog rsyslog-gnutls rsyslog-openssl)"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        pki.write(folder.path());
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ports: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        let port = |index: usize| ports[index].local_addr().unwrap().port();
        let udp = datagrams.local_addr().unwrap().port();
        let (tcp, tls, mutual) = (port(0), port(1), port(2));
        drop((datagrams, ports));
        let config = folder.path().join("rsyslog.conf");
        let text = configuration(
            folder.path().to_str().unwrap(),
            driver,
            permitted,
            queue,
            [udp, tcp, tls, mutual],
        );
        std::fs::write(&config, text).unwrap();
        let child = spawn(&config);
        let this = Rsyslog {
            udp,
            tcp,
            tls,
            mutual,
            config,
            folder,
            child,
        };
        this.wait_ready();
        Some(this)
    }

    /// Waits until all TCP ports accept; the UDP one is bound before them.
    fn wait_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        for port in [self.tcp, self.tls, self.mutual] {
            while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                assert!(
                    Instant::now() < deadline,
                    "rsyslogd does not listen: {}",
                    self.log()
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Kills it and starts it again on the same ports.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.config);
        self.wait_ready();
    }

    /// Record ids of the whole messages that an input has written down.
    pub fn ids(&self, input: &str) -> Vec<u64> {
        let file = self.folder.path().join(format!("{input}.raw"));
        let Ok(bytes) = std::fs::read(file) else {
            return Vec::new();
        };
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter_map(record_id)
            .collect()
    }

    /// Bytes that an input has written down.
    pub fn bytes(&self, input: &str) -> u64 {
        let file = self.folder.path().join(format!("{input}.raw"));
        std::fs::metadata(file).map_or(0, |file| file.len())
    }

    /// The first message that an input has written down.
    pub fn first(&self, input: &str) -> String {
        let file = self.folder.path().join(format!("{input}.raw"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    }

    /// Waits until `input` has written `count` different messages.
    pub async fn wait_for(&self, input: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ids = self.ids(input);
            ids.sort_unstable();
            ids.dedup();
            if ids.len() >= count {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} messages: {}",
                ids.len(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `input` has written down `text`.
    pub async fn wait_for_text(&self, input: &str, text: &str) {
        let file = self.folder.path().join(format!("{input}.raw"));
        let deadline = Instant::now() + PATIENCE;
        while !std::fs::read_to_string(&file).is_ok_and(|written| written.contains(text)) {
            assert!(Instant::now() < deadline, "no {text}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What rsyslogd says of itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("own.log")).unwrap_or_default()
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(config: &std::path::Path) -> Child {
    Command::new(PROGRAM)
        .args(["-n", "-i", "NONE", "-f"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn configuration(
    folder: &str,
    driver: Driver,
    permitted: &str,
    queue: Queue,
    ports: [u16; 4],
) -> String {
    let (name, floor) = (driver.name(), driver.floor());
    let queue = match queue {
        Queue::None => "main_queue(queue.type=\"Direct\")\n",
        Queue::Memory => "",
    };
    let mut text = format!(
        r#"global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="{name}"
  defaultNetstreamDriverCAFile="{folder}/ca.pem" defaultNetstreamDriverCertFile="{folder}/server.pem"
  defaultNetstreamDriverKeyFile="{folder}/server.key")
{queue}module(load="imtcp")
module(load="imudp")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{folder}/own.log")
"#
    );
    for input in ["udp", "tcp", "tls", "mutual"] {
        writeln!(
            text,
            r#"ruleset(name="{input}") {{ action(type="omfile" file="{folder}/{input}.raw" template="raw" flushOnTXEnd="on") }}"#
        )
        .unwrap();
    }
    let [udp, tcp, tls, mutual] = ports;
    write!(
        text,
        r#"input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="udp" rcvbufSize="8m")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="tcp" streamDriver.name="ptcp" streamDriver.mode="0")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="tls" streamDriver.name="{name}" streamDriver.mode="1"
  streamDriver.authMode="anon" gnutlsPriorityString="{floor}")
input(type="imtcp" address="127.0.0.1" port="{mutual}" ruleset="mutual" streamDriver.name="{name}" streamDriver.mode="1"
  streamDriver.authMode="x509/name" permittedPeer=["{permitted}"] gnutlsPriorityString="{floor}")
"#
    )
    .unwrap();
    text
}
