//! The collector, a fleet that sends to it, and what its lake holds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::certs::{Authority, Pair};
use super::ledger::{Arrived, Ledger, arrive};
use super::program::{Finished, Program, run};
use super::{Scratch, free_port, wait_until};

/// How often each record is there.
const EACH_RECORD: &str = "select computer, channel, record_id, count(*) n from events \
                           where record_id is not null group by 1, 2, 3";

/// How a destination is reached.
pub(crate) enum Transport<'a> {
    Udp,
    Tcp { framing: &'static str },
    Tls { ca: &'a Path },
    MutualTls { ca: &'a Path, client: &'a Pair },
}

/// `windrow run` in the test's folder.
pub(crate) struct Service<'a> {
    scratch: &'a Scratch,
    config: PathBuf,
    data_dir: PathBuf,
    environment: Vec<(String, String)>,
    program: Option<Program>,
    /// The authority of the machines and of the collector.
    authority: Authority,
    authority_key: PathBuf,
    collector_port: u16,
    web_port: u16,
}

impl<'a> Service<'a> {
    /// A collector with its certificates and no destination; not started yet.
    pub(crate) fn new(scratch: &'a Scratch) -> Service<'a> {
        let authority = Authority::new(scratch, "machines");
        let collector = authority.issue(scratch, "localhost");
        let (collector_port, web_port) = (free_port(), free_port());
        let text = format!(
            "[source.wef.main]\nlisten = \"127.0.0.1:{collector_port}\"\nhostname = \"localhost\"\n\n\
             [source.wef.main.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n\n\
             [subscription.base]\nchannels = [\"Security\", \"System\", \"Application\"]\n\
             max_latency = \"1s\"\nretry_interval = \"1s\"\n\n\
             [lake]\nflush_interval = \"1s\"\n\n[web]\nlisten = \"127.0.0.1:{web_port}\"\n\n",
            collector.certificate.display(),
            collector.key.display(),
            authority.certificate.display(),
        );
        Service {
            scratch,
            config: scratch.write("windrow.toml", &text),
            data_dir: scratch.join("data"),
            environment: Vec::new(),
            program: None,
            authority_key: authority.key.clone(),
            authority,
            collector_port,
            web_port,
        }
    }

    /// The test's folder.
    pub(crate) fn scratch(&self) -> &Scratch {
        self.scratch
    }

    /// Adds a destination on loopback to the configuration.
    pub(crate) fn destination(&self, name: &str, port: u16, transport: &Transport<'_>) {
        let mut text =
            format!("[sink.syslog.{name}]\nserver_name = \"localhost\"\nport = {port}\n");
        let _ = match transport {
            Transport::Udp => writeln!(text, "transport = \"udp\""),
            Transport::Tcp { framing } => {
                writeln!(text, "transport = \"tcp\"\nframing = \"{framing}\"")
            }
            Transport::Tls { ca } => writeln!(text, "ca_file = \"{}\"", ca.display()),
            Transport::MutualTls { ca, client } => writeln!(
                text,
                "ca_file = \"{}\"\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
                ca.display(),
                client.certificate.display(),
                client.key.display()
            ),
        };
        self.configure(&text);
    }

    /// Adds lines to the configuration, and answers with the number of the first.
    pub(crate) fn configure(&self, text: &str) -> usize {
        let mut config = std::fs::read_to_string(&self.config).unwrap();
        let line = config.lines().count() + 1;
        config.push_str(text);
        config.push('\n');
        std::fs::write(&self.config, config).unwrap();
        line
    }

    /// Puts other words in the place of some in the configuration.
    pub(crate) fn reconfigure(&self, old: &str, new: &str) {
        let config = std::fs::read_to_string(&self.config).unwrap();
        assert!(config.contains(old), "{old} is not in\n{config}");
        std::fs::write(&self.config, config.replace(old, new)).unwrap();
    }

    /// Starts it, again if need be, and waits until it says that it is well.
    pub(crate) fn start(&mut self) {
        assert!(self.program.is_none(), "the service runs already");
        let mut program = Program::start_with(
            self.scratch,
            "service",
            &self.arguments("run"),
            &self.environment,
        );
        wait_until("the service to be well", || {
            assert!(
                program.is_running(),
                "the service ended: {}",
                program.stderr()
            );
            self.is_well()
        });
        self.program = Some(program);
    }

    /// Whether it says that it is well.
    pub(crate) fn is_well(&self) -> bool {
        let answer = self.get("/healthz");
        answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.program.take().unwrap().kill();
    }

    /// Ends it as a service manager does.
    pub(crate) fn terminate(&mut self) -> Finished {
        self.program.take().unwrap().terminate()
    }

    /// Waits for it to end; somebody has told it to.
    pub(crate) fn finish(&mut self) -> Finished {
        self.program.take().unwrap().finish()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::is_running)
    }

    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    /// The answer to a GET at the loopback port, head and all.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web_port)).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The authority of the machines and of the collector.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The port that machines send to.
    pub(crate) fn port(&self) -> u16 {
        self.collector_port
    }

    /// Where machines send to.
    pub(crate) fn listen_address(&self) -> String {
        format!("127.0.0.1:{}", self.collector_port)
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> serde_json::Value {
        let mut arguments = self.arguments("status");
        arguments.extend(["--output", "json"].map(str::to_owned));
        let finished = run(self.scratch, &arguments).expect(0);
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// The ports at which machines that are connected to the collector sit.
    pub(crate) fn peers(&self) -> BTreeSet<u16> {
        let local = format!("0100007F:{:04X}", self.collector_port);
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let peers = table.lines().filter_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (here, there, state) = (columns.next()?, columns.next()?, columns.next()?);
            // State 01 is ESTABLISHED.
            (here == local && state == "01").then(|| there.split_once(':').unwrap().1)
        });
        peers
            .map(|port| u16::from_str_radix(port, 16).unwrap())
            .collect()
    }

    /// Starts a fleet that sends to it and keeps a ledger of what was acknowledged. Its machines get their certificates
    /// from the authority.
    pub(crate) fn fleet(&self, name: &str, extra: &[&str]) -> Fleet {
        let ca = self.authority.certificate.to_string_lossy().into_owned();
        let key = self.authority_key.to_string_lossy().into_owned();
        let mut arguments = vec!["--ca", &ca, "--issuer", &ca, "--issuer-key", &key];
        arguments.extend(extra);
        self.fleet_at(name, &self.url(), &arguments)
    }

    /// The same with machines that have their certificates in a folder.
    pub(crate) fn fleet_with(&self, name: &str, certificates: &Path, extra: &[&str]) -> Fleet {
        let ca = self.authority.certificate.to_string_lossy().into_owned();
        let certificates = certificates.to_string_lossy().into_owned();
        let mut arguments = vec!["--ca", &ca, "--clients", &certificates];
        arguments.extend(extra);
        self.fleet_at(name, &self.url(), &arguments)
    }

    /// The same at another of its addresses, however its machines prove who they are.
    pub(crate) fn fleet_at(&self, name: &str, url: &str, arguments: &[&str]) -> Fleet {
        let ledger = self.scratch.join(&format!("{name}.ledger"));
        let ledger_path = ledger.to_string_lossy().into_owned();
        let mut all = vec!["simulate", url, "--ledger", &ledger_path];
        all.extend(["--output", "json"]);
        all.extend(arguments);
        Fleet {
            program: Program::start(self.scratch, name, &all),
            ledger,
        }
    }

    /// A folder with the certificate of one machine, issued to `name`.
    pub(crate) fn certificate_of(&self, machine: &str, name: &str) -> PathBuf {
        let pair = self.authority.issue(self.scratch, name);
        let folder = self.scratch.join(&format!("{machine} as {name}"));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, kind) in [(pair.certificate, "pem"), (pair.key, "key")] {
            std::fs::copy(file, folder.join(format!("{machine}.{kind}"))).unwrap();
        }
        folder
    }

    /// The value of a metric, given as it stands before the value.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").unwrap();
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// How often each record is in the lake or its tail.
    pub(crate) fn lake(&self) -> Arrived {
        counted(&self.query(EACH_RECORD))
    }

    /// The same, or nothing when the query fails.
    pub(crate) fn try_lake(&self) -> Option<Arrived> {
        self.try_query(EACH_RECORD).map(|rows| counted(&rows))
    }

    /// The rows that answer a query, also where the lake is held up and they are not all yet (exit code 3).
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Vec<serde_json::Value> {
        let finished = run(self.scratch, &self.query_arguments(sql));
        match finished.code {
            Some(3) if finished.stderr.contains("complete up to event") => rows(&finished),
            _ => rows(&finished.expect(0)),
        }
    }

    /// The same, or nothing when the query fails.
    pub(crate) fn try_query(&self, sql: &str) -> Option<Vec<serde_json::Value>> {
        let finished = run(self.scratch, &self.query_arguments(sql));
        (finished.code == Some(0)).then(|| rows(&finished))
    }

    fn query_arguments(&self, sql: &str) -> Vec<String> {
        let mut arguments = self.arguments("query");
        arguments.extend(["--output", "ndjson", sql].map(str::to_owned));
        arguments
    }

    /// Keeps everything in another folder from the next start on.
    pub(crate) fn keep_data_at(&mut self, folder: PathBuf) {
        self.data_dir = folder;
    }

    /// Starts it with a variable in its environment.
    pub(crate) fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Where machines ask for subscriptions.
    pub(crate) fn url(&self) -> String {
        format!(
            "https://localhost:{}/wsman/SubscriptionManager/WEC",
            self.collector_port
        )
    }

    /// Where machines connect to.
    pub(crate) fn collector_address(&self) -> String {
        format!("127.0.0.1:{}", self.collector_port)
    }

    /// A certificate of the machines' authority. One for `localhost` takes the place of the collector's.
    pub(crate) fn issue(&self, name: &str) -> Pair {
        self.authority.issue(self.scratch, name)
    }

    /// Has fleets sign with this file of the authority's key.
    pub(crate) fn sign_with(&mut self, key: PathBuf) {
        self.authority_key = key;
    }

    /// The authority's key as windrow is given it.
    pub(crate) fn authority_key(&self) -> &Path {
        &self.authority_key
    }

    /// A command with this service's configuration and data folder.
    pub(crate) fn arguments(&self, command: &str) -> Vec<String> {
        let config = self.config.to_string_lossy().into_owned();
        let data_dir = self.data_dir.to_string_lossy().into_owned();
        [command, "--config", &config, "--data-dir", &data_dir]
            .map(str::to_owned)
            .to_vec()
    }
}

fn rows(finished: &Finished) -> Vec<serde_json::Value> {
    let lines = finished.stdout.lines();
    lines
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

fn counted(rows: &[serde_json::Value]) -> Arrived {
    let mut arrived = Arrived::new();
    for row in rows {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let log = (word("computer"), word("channel"));
        for _ in 0..row["n"].as_u64().unwrap() {
            arrive(
                &mut arrived,
                log.clone(),
                row["record_id"].as_u64().unwrap(),
            );
        }
    }
    arrived
}

fn summary(finished: &Finished) -> serde_json::Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

/// A running fleet.
pub(crate) struct Fleet {
    program: Program,
    ledger: PathBuf,
}

impl Fleet {
    /// Waits for its end, and answers with what it wrote down.
    pub(crate) fn finish(self) -> Ledger {
        self.finish_with_summary().0
    }

    /// The same, and what it says of itself at its end.
    pub(crate) fn finish_with_summary(self) -> (Ledger, serde_json::Value) {
        let finished = self.program.finish().expect(0);
        (Ledger::read(&self.ledger), summary(&finished))
    }

    /// Tells it to end, and answers with what it wrote down.
    pub(crate) fn stop(self) -> Ledger {
        self.stop_with_summary().0
    }

    /// The same, and what it says of itself at its end.
    pub(crate) fn stop_with_summary(self) -> (Ledger, serde_json::Value) {
        self.program.signal(Signal::INT);
        let finished = self.program.finish();
        assert!(
            matches!(finished.code, Some(0 | 130)),
            "{}",
            finished.stderr
        );
        (Ledger::read(&self.ledger), summary(&finished))
    }

    /// What it has written down so far.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.ledger)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.program.is_running()
    }

    /// Holds it where it is: its connections stay and nothing comes.
    pub(crate) fn pause(&self) {
        self.program.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.program.signal(Signal::CONT);
    }
}
