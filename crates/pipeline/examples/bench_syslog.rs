//! CPU seconds per million events from the journal's disk to the receiver's socket.
//!
//! ```sh
//! cargo run --release -p windrow-pipeline --example bench_syslog [EVENTS [PATH [DIR-WITH-QUERY-LISTS]]]
//! ```
//!
//! PATH is part of the name of the only paths to measure. Without a folder the filters have queries of the program's
//! own making.
//!
//! The receiver is a child process and its CPU time is not counted. The floor is the same
//! bytes, encoded beforehand, through the same kind of socket in writes of the same size.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

mod common;
#[path = "common/queries.rs"]
mod queries;

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rcgen::{CertificateParams, KeyPair};
use rustix::time::{ClockId, clock_gettime};
use rustls::{ClientConfig, ClientConnection, ServerConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{self, Flags};
use windrow_formats::cef::Profile;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::syslog::{Encoder, Settings};
use windrow_pipeline::journal::{Entry, Journal, JournalOptions, Start};
use windrow_pipeline::sinks::syslog::{
    self, Confirmation, Destination, SharedMessages, Status, SyslogMetrics, Tls, Transport,
};
use windrow_pipeline::tls::{self, ServerCheck};

use common::{header, logon, server};

const EVENTS: u64 = 400_000;
const BATCH_EVENTS: u64 = 50;
const WRITE_BYTES: usize = 64 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "receive") {
        return receive(arguments.get(1).map(Path::new));
    }
    let events = arguments
        .first()
        .map_or(EVENTS, |text| text.parse().unwrap());
    let wanted = arguments.get(1).cloned().unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let pki = folder.path().join("pki");
    std::fs::create_dir(&pki).unwrap();
    let client = make_certificates(&pki);

    let bytes = frame_bytes();
    println!(
        "logon 4624: {events} events, {} bytes on average, {bytes} bytes as CEF",
        logon(1).len()
    );
    if wanted.is_empty() {
        encode_alone(events);
        floor_tcp(events, bytes);
        floor_tls(events, bytes, &client.config, &pki);
    }
    runtime.block_on(fill(folder.path(), events));
    if wanted.is_empty() {
        runtime.block_on(read_alone(folder.path(), events));
    }
    if "fan-out".contains(&wanted) {
        runtime.block_on(fan_out(folder.path(), events));
    }
    let lists = arguments.get(2).map(Path::new);
    for case in cases(&client, lists) {
        if case.what.contains(&wanted) {
            runtime.block_on(forward(folder.path(), events, &pki, case));
        }
    }
}

/// A destination to measure.
struct Case {
    what: String,
    destination: Destination,
    /// Whether it gets every event, or none.
    kept: bool,
}

/// Every transport and what it can confirm; and over TCP both profiles through filters.
fn cases(client: &tls::Client, lists: Option<&Path>) -> Vec<Case> {
    let mut cases = Vec::new();
    let to = |transport, confirmation| {
        let (name, host) = ("siem".to_owned(), "localhost".to_owned());
        let mut destination = Destination::new(name, host, 0, transport);
        destination.confirmation = confirmation;
        destination
    };
    for confirmation in [Confirmation::TcpAcked, Confirmation::PeerRead] {
        let tls = Transport::Tls(Tls {
            client: client.clone(),
            server_name: None,
        });
        for transport in [Transport::Tcp, tls] {
            cases.push(Case {
                what: format!("journal to cef to {transport}, {confirmation}"),
                destination: to(transport, confirmation),
                kept: true,
            });
        }
    }
    let queries = queries::selects(lists);
    let filters = [
        ("", None, true),
        (
            ", 50 queries, one keeps all",
            Some(queries::keep_all(&queries)),
            true,
        ),
        (
            ", 50 queries keep nothing",
            Some(queries::list(&queries)),
            false,
        ),
    ];
    for (profile, word) in [
        (Profile::AzureStack, "azure-stack"),
        (Profile::Standard, "standard"),
    ] {
        for (how, query, kept) in &filters {
            let mut destination = to(Transport::Tcp, Confirmation::TcpAcked);
            destination.format.cef.profile = profile;
            destination.selection.query = query.clone();
            cases.push(Case {
                what: format!("journal to {word} to tcp{how}"),
                destination,
                kept: *kept,
            });
        }
    }
    cases
}

/// Several destinations that send alike, side by side: what one costs, and what four do, each by
/// itself and together.
async fn fan_out(folder: &Path, events: u64) {
    for (destinations, shared) in [(1, true), (4, false), (4, true)] {
        let together = SharedMessages::default();
        let (journal, _) = open(folder);
        let receivers: Vec<_> = (0..destinations).map(|_| Receiver::start(None)).collect();
        let shutdown = CancellationToken::new();
        let (start, clock) = (cpu_seconds(), Instant::now());
        let mut sinks = Vec::new();
        for (number, receiver) in receivers.iter().enumerate() {
            let name = format!("fan-out {destinations} {shared} {number}");
            let host = "localhost".to_owned();
            let mut destination = Destination::new(name, host, receiver.port, Transport::Tcp);
            destination.confirmation = Confirmation::TcpAcked;
            if shared {
                destination.shared = together.clone();
            }
            let cursor = journal.cursor(&destination.name, Start::Oldest).unwrap();
            let (status, watch) = watch::channel(Status::new(&destination));
            let stop = shutdown.clone();
            let sink = tokio::spawn(async move {
                let metrics = SyslogMetrics::default();
                syslog::run(destination, cursor, &metrics, status, stop).await;
            });
            sinks.push((sink, watch));
        }
        for (_, watch) in &mut sinks {
            let all = watch.wait_for(|status| status.sent_seq >= events);
            all.await.unwrap();
        }
        shutdown.cancel();
        for (sink, watch) in sinks {
            sink.await.unwrap();
            assert_eq!(watch.borrow().confirmed, events);
        }
        let how = if shared { "alike" } else { "each by itself" };
        report(
            &format!("to {destinations} destinations, {how}"),
            start,
            events,
        );
        let rate = events as f64 / clock.elapsed().as_secs_f64();
        println!("    {rate:.0} events a second by the wall clock, to each");
        journal.close().await;
    }
}

fn frame_bytes() -> usize {
    let (text, mut index, mut out) = (logon(1), Index::default(), Vec::new());
    parse(&text, &mut index).unwrap();
    let mut encoder = Encoder::new(Settings::default());
    encoder
        .encode(Event::new(&text, &index), &header(), &mut out)
        .unwrap();
    out.len()
}

/// The encoder by itself, the index decoded before each event as from the journal.
fn encode_alone(events: u64) {
    let (header, mut index) = (header(), Index::default());
    let stored: Vec<(String, Vec<u8>)> = (0..1_000)
        .map(|id| {
            let (text, mut bytes) = (logon(id), Vec::new());
            parse(&text, &mut index).unwrap();
            index.encode(&mut bytes);
            (text, bytes)
        })
        .collect();
    let mut encoder = Encoder::new(Settings::default());
    let mut out = Vec::new();
    let start = cpu_seconds();
    for id in 0..events {
        let (text, bytes) = &stored[id as usize % stored.len()];
        index.decode(bytes, text).unwrap();
        encoder
            .encode(Event::new(text, &index), &header, &mut out)
            .unwrap();
        if out.len() >= WRITE_BYTES {
            out.clear();
        }
    }
    report("index to cef, alone", start, events);
}

/// Prebuilt bytes in the writes the sink makes.
fn floor_tcp(events: u64, bytes: usize) {
    let receiver = Receiver::start(None);
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, receiver.port)).unwrap();
    let block = vec![b'x'; WRITE_BYTES];
    let start = cpu_seconds();
    for _ in 0..events * bytes as u64 / WRITE_BYTES as u64 {
        tcp.write_all(&block).unwrap();
    }
    tcp.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = tcp.read(&mut [0; 16]);
    report("floor: prebuilt bytes to tcp", start, events);
}

fn floor_tls(events: u64, bytes: usize, client: &Arc<ClientConfig>, pki: &Path) {
    let receiver = Receiver::start(Some(pki));
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, receiver.port)).unwrap();
    let name = "localhost".try_into().unwrap();
    let mut session = ClientConnection::new(client.clone(), name).unwrap();
    session.complete_io(&mut tcp).unwrap();
    let block = vec![b'x'; WRITE_BYTES];
    let start = cpu_seconds();
    for _ in 0..events * bytes as u64 / WRITE_BYTES as u64 {
        rustls::Stream::new(&mut session, &mut tcp)
            .write_all(&block)
            .unwrap();
    }
    session.send_close_notify();
    let _ = session.complete_io(&mut tcp);
    let _ = tcp.shutdown(std::net::Shutdown::Write);
    let _ = tcp.read(&mut [0; 1024]);
    report("floor: prebuilt bytes to tls", start, events);
}

async fn fill(folder: &Path, events: u64) {
    let (journal, _) = open(folder);
    let mut index = Index::default();
    for first in (1..=events).step_by(BATCH_EVENTS as usize) {
        let mut encoder = batch::Encoder::new(&header());
        for id in first..first + BATCH_EVENTS {
            let text = logon(id);
            parse(&text, &mut index).unwrap();
            encoder.push(&text, Flags::NONE, &index);
        }
        let entry = Entry {
            events: encoder.events(),
            body: encoder.finish(),
            state: None,
        };
        journal.append(entry).await.unwrap();
    }
    journal.close().await;
}

fn open(folder: &Path) -> (Journal, windrow_pipeline::journal::Recovery) {
    Journal::open(JournalOptions {
        keep_segments: 10_000,
        ..JournalOptions::new(folder.join("journal"))
    })
    .unwrap()
}

/// The journal's part: read, checked and decompressed.
async fn read_alone(folder: &Path, events: u64) {
    let (journal, _) = open(folder);
    let mut cursor = journal.cursor("read", Start::Oldest).unwrap();
    let start = cpu_seconds();
    let mut read = 0;
    while read < events {
        let frame = cursor.next().await.unwrap().unwrap();
        read += frame
            .entries
            .iter()
            .map(|entry| u64::from(entry.events))
            .sum::<u64>();
    }
    report("journal, alone", start, events);
    journal.close().await;
}

async fn forward(folder: &Path, events: u64, pki: &Path, case: Case) {
    let mut destination = case.destination;
    let is_tls = matches!(destination.transport, Transport::Tls(_));
    let receiver = Receiver::start(is_tls.then_some(pki));
    destination.port = receiver.port;
    let (journal, _) = open(folder);
    let cursor = journal.cursor(&case.what, Start::Oldest).unwrap();
    let (status, mut watch) = watch::channel(Status::new(&destination));
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let start = cpu_seconds();
    let clock = Instant::now();
    let sink = tokio::spawn(async move {
        let metrics = SyslogMetrics::default();
        syslog::run(destination, cursor, &metrics, status, stop).await;
    });
    watch
        .wait_for(|status| status.sent_seq >= events)
        .await
        .unwrap();
    shutdown.cancel();
    sink.await.unwrap();
    report(&case.what, start, events);
    let rate = events as f64 / clock.elapsed().as_secs_f64();
    let status = watch.borrow().clone();
    let sent = if case.kept { events } else { 0 };
    let seen = (status.confirmed, status.filtered, status.resent);
    assert_eq!(seen, (sent, events - sent, 0));
    println!("    {rate:.0} events a second by the wall clock");
    journal.close().await;
}

fn report(what: &str, start: f64, events: u64) {
    let seconds = (cpu_seconds() - start) * 1e6 / events as f64;
    println!("  {seconds:6.3} s per million  {what}");
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Writes a server's certificate and key; the configuration of a client that trusts it.
fn make_certificates(folder: &Path) -> tls::Client {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("certificate"), certificate.der()).unwrap();
    std::fs::write(folder.join("key"), key.serialize_der()).unwrap();
    tls::client_from_pem(&certificate.pem(), None, ServerCheck::Full).unwrap()
}

/// A receiver in a process of its own.
struct Receiver {
    port: u16,
    child: Child,
}

impl Receiver {
    fn start(pki: Option<&Path>) -> Receiver {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("receive")
            .args(pki)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Receiver { port, child }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: accepts one connection after the other and reads each to its end.
fn receive(pki: Option<&Path>) {
    let config = pki.map(server);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let mut buffer = vec![0; 256 * 1024];
    for tcp in listener.incoming() {
        let mut tcp = tcp.unwrap();
        match &config {
            None => while matches!(tcp.read(&mut buffer), Ok(1..)) {},
            Some(config) => {
                let session = ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(session, tcp);
                while matches!(stream.read(&mut buffer), Ok(1..)) {}
            }
        }
    }
}
