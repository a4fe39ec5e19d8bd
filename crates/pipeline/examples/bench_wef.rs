//! CPU of receiving: from TLS to the acknowledgement of a batch that is on disk, and what of it goes
//! where.
//!
//! ```text
//! cargo run --release -p windrow-pipeline --example bench_wef
//! ```
//!
//! Fifty machines send batches of fifty events of about 1.5 kB as Windows does: UTF-16, SLDC, over
//! mutual TLS, then sealed by Kerberos; and one machine alone. They are another process, so that what is
//! measured is the collector alone.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{self, Flags, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::identity::identity;
use windrow_formats::sldc::{Decoder, Encoder};
use windrow_formats::wsman::multipart::{self, Protocol};
use windrow_formats::wsman::{self, Body, Charset, Text, client, encode};
use windrow_pipeline::journal::{Journal, JournalOptions};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::wire::keytab::{self, Entry};
use windrow_pipeline::kerberos::{Accounts, Keytab, Principal, Scheme, Server};
use windrow_pipeline::sources::wef::{
    Authentication, ENUMERATE_PATH, QueryList, SUBSCRIPTION_PATH, Subscription, WefLimits,
    WefMetrics, WefOptions, run,
};
use windrow_pipeline::tls::{self, IdentityFiles, Roots};

const MACHINES: usize = 50;
const BATCH: usize = 50;
/// Batches of all machines together. Machines send the same texts, and are different sources all the same.
const BATCHES: usize = 60 * MACHINES;
const EVENTS: usize = BATCH * BATCHES;
const RUNS: usize = 3;

/// How machines prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Certificates,
    Tickets,
}

impl Way {
    const ALL: [Way; 2] = [Way::Certificates, Way::Tickets];

    fn name(self) -> &'static str {
        match self {
            Way::Certificates => "certificates",
            Way::Tickets => "tickets",
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[..] {
        [_, role, address, folder, way, count] if role == "machines" => {
            let way = Way::ALL.into_iter().find(|known| known.name() == way);
            let address = address.parse().unwrap();
            machines(
                address,
                Path::new(folder),
                way.unwrap(),
                count.parse().unwrap(),
            );
        }
        _ => collector(),
    }
}

fn collector() {
    let clear = bodies(1);
    let compressed = bodies_sldc(1);
    println!(
        "{MACHINES} machines, {BATCH} events a batch, {} bytes an event, {} as UTF-16, {} as SLDC",
        clear[0].0 / BATCH,
        clear[0].1.len() / BATCH,
        compressed[0].len() / BATCH
    );
    stages(&compressed[0]);
    unsealing(&compressed[0]);
    let pki = tempfile::tempdir().unwrap();
    make_pki(pki.path());
    make_keytab(&pki.path().join("keytab"));
    for (way, machines, what) in [
        (
            Way::Certificates,
            MACHINES,
            "wef to durable acknowledgement, sinks off",
        ),
        (
            Way::Tickets,
            MACHINES,
            "wef by Kerberos to durable acknowledgement",
        ),
        (
            Way::Tickets,
            1,
            "wef by Kerberos to durable acknowledgement, one machine",
        ),
    ] {
        let runs = (0..RUNS).map(|_| receive(pki.path(), way, machines));
        let best = runs.fold(f64::MAX, f64::min);
        println!("  {best:6.3} s per million  {what}");
    }
}

/// One run; CPU seconds of this process for a million events.
fn receive(pki: &Path, way: Way, machines: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (journal, _) = Journal::open(JournalOptions::new(folder.path())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = WefMetrics::default();
        let shutdown = CancellationToken::new();
        let options = options(pki, way, address);
        let collector = run(
            listener,
            options,
            journal.clone(),
            metrics.clone(),
            shutdown.clone(),
        );
        let collector = tokio::spawn(collector);
        let (start, end) = tokio::task::spawn_blocking({
            let pki = pki.to_owned();
            move || drive(&pki, way, machines, address)
        })
        .await
        .unwrap();
        assert_eq!(metrics.events.get(), EVENTS as u64);
        shutdown.cancel();
        collector.await.unwrap();
        journal.close().await;
        (end - start) * 1e6 / EVENTS as f64
    })
}

/// Starts the machines, lets them go when they are ready, and waits for their end.
fn drive(pki: &Path, way: Way, machines: usize, address: SocketAddr) -> (f64, f64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["machines", &address.to_string()])
        .arg(pki)
        .args([way.name(), &machines.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut ready).unwrap();
    let start = cpu_seconds();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    (start, cpu_seconds())
}

fn options(pki: &Path, way: Way, address: SocketAddr) -> WefOptions {
    let authentication = match way {
        Way::Certificates => {
            let files = ["localhost.pem", "localhost.key", "ca.pem"].map(|name| pki.join(name));
            let revocation = tls::Revocation::default();
            let server = tls::server_config(&files[0], &files[1], &files[2], revocation);
            Authentication::Certificate(server.unwrap())
        }
        Way::Tickets => {
            let server = Server::new(&pki.join("keytab"), Vec::new(), Accounts::Machines);
            Authentication::Kerberos(server.unwrap())
        }
    };
    WefOptions {
        authority: format!("localhost:{}", address.port()),
        enumerate_path: ENUMERATE_PATH.to_owned(),
        authentication,
        subscriptions: vec![Subscription::new(
            "base",
            QueryList::new("<QueryList/>").unwrap(),
        )],
        limits: WefLimits::default(),
    }
}

/// What each stage of reading costs by itself.
fn stages(body: &[u8]) {
    let mut decoder = Decoder::new();
    let mut text = Text::new();
    let mut index = Index::new();
    let limit = 8 << 20;
    measure("wef: SLDC", || {
        black_box(decoder.decode(body, limit).unwrap()).len()
    });
    let clear = decoder.decode(body, limit).unwrap().to_vec();
    measure("wef: UTF-16", || {
        text.decode(&clear, None);
        black_box(text.as_str()).len()
    });
    measure("wef: SOAP", || match wsman::parse(&text).unwrap().body {
        Body::Events { events, .. } => black_box(events).len(),
        _ => 0,
    });
    let message = wsman::parse(&text).unwrap();
    let Body::Events { events, .. } = message.body else {
        panic!("no delivery")
    };
    measure("wef: events", || {
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            black_box(&index);
        }
        0
    });
    measure("wef: events, identity", || {
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            black_box(identity(
                "ws1.corp.example",
                Event::new(&event.text, &index),
            ));
        }
        0
    });
    let header = batch::Header {
        kind: Kind::Wef,
        source: "ws1.corp.example".to_owned(),
        address: None,
        subscription: None,
        received_at: jiff::Timestamp::now(),
    };
    measure("wef: events, batch", || {
        let mut encoder = batch::Encoder::new(&header);
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            encoder.push(&event.text, Flags::of(&index), &index);
        }
        black_box(encoder.finish()).len()
    });
}

/// What it costs that a body is sealed.
fn unsealing(body: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keytab");
    make_keytab(&path);
    let server = Server::new(&path, Vec::new(), Accounts::Machines).unwrap();
    let keytab = Keytab::load(&path).unwrap();
    let machine = Principal::parse("WS1$@CORP.EXAMPLE").unwrap();
    let now = jiff::Timestamp::now();
    let ticket = Ticket::made_with(&keytab.keys()[0], &machine, now).unwrap();
    let initiation = ticket.initiate(Scheme::Kerberos, now).unwrap();
    let mut accepted = server
        .accept(Scheme::Kerberos, &initiation.token, now)
        .unwrap();
    let mut client = initiation.finish(&accepted.token).unwrap();
    let mut sealed = Vec::new();
    measure("wef: sealing, for comparison", || {
        sealed.clear();
        client.seal(body, &mut sealed).unwrap();
        sealed.len()
    });
    measure("wef: sealing and unsealing", || {
        sealed.clear();
        client.seal(body, &mut sealed).unwrap();
        black_box(accepted.session.unseal(&mut sealed).unwrap()).len()
    });
}

fn measure(what: &str, mut batch: impl FnMut() -> usize) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = cpu_seconds();
        for _ in 0..200 {
            black_box(batch());
        }
        best = best.min(cpu_seconds() - start);
    }
    let seconds = best * 1e6 / (200 * BATCH) as f64;
    println!("  {seconds:6.3} s per million  {what}");
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The other process: says when everything is prepared, waits for the end of its input, sends.
fn machines(address: SocketAddr, pki: &Path, way: Way, count: usize) {
    let bodies: Vec<Bytes> = bodies_sldc(BATCHES / count)
        .into_iter()
        .map(Bytes::from)
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("ready");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..count)
            .map(|number| {
                let (pki, bodies) = (pki.to_owned(), bodies.clone());
                tokio::spawn(async move {
                    let stream = TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    match way {
                        Way::Certificates => with_certificate(stream, &pki, number, bodies).await,
                        Way::Tickets => with_ticket(stream, &pki, number, bodies).await,
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn with_certificate(stream: TcpStream, pki: &Path, number: usize, bodies: Vec<Bytes>) {
    let identity = IdentityFiles {
        certificate: pki.join(format!("ws{number}.pem")),
        key: pki.join(format!("ws{number}.key")),
    };
    let roots = Roots::File(pki.join("ca.pem"));
    let client = tls::client_config(&roots, Some(&identity), tls::ServerCheck::Full).unwrap();
    let stream = TlsConnector::from(client.config)
        .connect(tls::server_name("localhost").unwrap(), stream)
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for body in bodies {
        let request = request(Charset::Utf16Le.content_type());
        send(
            &mut sender,
            request.header("content-encoding", "SLDC"),
            body,
        )
        .await;
    }
}

async fn with_ticket(stream: TcpStream, pki: &Path, number: usize, bodies: Vec<Bytes>) {
    let keytab = Keytab::load(&pki.join("keytab")).unwrap();
    let (key, now) = (&keytab.keys()[0], jiff::Timestamp::now());
    let machine = Principal::parse(&format!("WS{number}$@CORP.EXAMPLE")).unwrap();
    let ticket = Ticket::made_with(key, &machine, now).unwrap();
    let initiation = ticket.initiate(Scheme::Kerberos, now).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let token = format!("Kerberos {}", BASE64.encode(&initiation.token));
    let first = request(Charset::Utf16Le.content_type()).header("authorization", token);
    let answer = send(&mut sender, first, Bytes::new()).await;
    let answer = answer["www-authenticate"].to_str().unwrap();
    let token = answer.strip_prefix("Kerberos ").unwrap();
    let mut session = initiation.finish(&BASE64.decode(token).unwrap()).unwrap();
    for body in bodies {
        let mut sealed = Vec::new();
        let (content_type, signature) =
            (Charset::Utf16Le.content_type(), session.signature_bytes());
        let protocol = Protocol::Kerberos;
        multipart::open(&mut sealed, protocol, content_type, body.len(), signature);
        session.seal(&body, &mut sealed).unwrap();
        multipart::close(&mut sealed);
        let request = request(protocol.content_type()).header("content-encoding", "SLDC");
        send(&mut sender, request, sealed.into()).await;
    }
}

fn request(content_type: &str) -> hyper::http::request::Builder {
    let path = format!("{SUBSCRIPTION_PATH}{}", Subscription::id_of("base"));
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", content_type)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: hyper::http::request::Builder,
    body: Bytes,
) -> HeaderMap {
    sender.ready().await.unwrap();
    let request = request.body(Full::new(body)).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    assert_eq!(head.status, 200);
    body.collect().await.unwrap();
    head.headers
}

fn make_pki(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let machines = (0..MACHINES).map(|number| format!("ws{number}"));
    for name in machines.chain(["localhost".to_owned()]) {
        let mut params = CertificateParams::new(vec![name.clone()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, name.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        write_key(
            &folder.join(format!("{name}.key")),
            key.serialize_pem().as_bytes(),
        );
    }
}

/// A keytab of the collector's.
fn make_keytab(path: &Path) {
    let entry = Entry {
        principal: Principal::parse("HTTP/localhost@CORP.EXAMPLE").unwrap(),
        kvno: 1,
        whole_kvno: true,
        etype: 18,
        key: vec![7; 32].into(),
    };
    write_key(path, &keytab::encode(&[entry]));
}

fn write_key(path: &Path, key: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).unwrap().write_all(key).unwrap();
}

/// Bodies in the clear, each with the bytes of its events' XML.
fn bodies(batches: usize) -> Vec<(usize, Vec<u8>)> {
    let mut random = Random(1);
    let request = client::Request {
        to: "https://localhost/wsman/subscriptions/1",
        machine_id: "ws1.corp.example",
        message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
        operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
    };
    (0..batches)
        .map(|batch| {
            let texts: Vec<String> = (0..BATCH)
                .map(|number| event_text(batch * BATCH + number, &mut random))
                .collect();
            let bookmark = format!(
                "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"{batch}\" IsCurrent=\"true\"/></BookmarkList>"
            );
            let xml = client::events(&request, "", Some(&bookmark), texts.iter().map(String::as_str));
            (texts.iter().map(String::len).sum(), encode(&xml, Charset::Utf16Le))
        })
        .collect()
}

fn bodies_sldc(batches: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new();
    bodies(batches)
        .into_iter()
        .map(|(_, clear)| {
            let mut body = Vec::new();
            encoder.encode(&clear, &mut body);
            body
        })
        .collect()
}

/// The same on every run (Vigna's xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

/// A logon, a logon that failed or a new process, with names and numbers that differ.
fn event_text(record_id: usize, random: &mut Random) -> String {
    let pick = random.next(3);
    let event_id = [4624, 4625, 4688][pick as usize];
    let data = match pick {
        0 | 1 => logon(random),
        _ => process(random),
    };
    let data: String = data
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>{event_id}</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords>\
         <TimeCreated SystemTime='2026-01-{:02}T{:02}:{:02}:{:02}.{:07}Z'/>\
         <EventRecordID>{record_id}</EventRecordID>\
         <Correlation ActivityID='{{8cb1229f-ce57-0000-8437-b18c57ced801}}'/>\
         <Execution ProcessID='{}' ThreadID='{}'/><Channel>Security</Channel>\
         <Computer>ws1.corp.example</Computer><Security/></System><EventData>{data}</EventData></Event>",
        1 + random.next(28),
        random.next(24),
        random.next(60),
        random.next(60),
        random.next(10_000_000),
        random.next(9999),
        random.next(9999),
    )
}

fn logon(random: &mut Random) -> [(&'static str, String); 16] {
    let user = random.next(500);
    [
        ("SubjectUserSid", "S-1-5-18".to_owned()),
        ("SubjectUserName", "WS1$".to_owned()),
        ("SubjectDomainName", "CORP".to_owned()),
        ("SubjectLogonId", "0x3e7".to_owned()),
        (
            "TargetUserSid",
            format!("S-1-5-21-1004336348-1177238915-682003330-{user}"),
        ),
        ("TargetUserName", format!("user{user}")),
        ("TargetDomainName", "CORP".to_owned()),
        ("TargetLogonId", format!("0x{:x}", random.next(1 << 30))),
        ("LogonType", (2 + random.next(9)).to_string()),
        ("LogonProcessName", "Advapi  ".to_owned()),
        ("AuthenticationPackageName", "Negotiate".to_owned()),
        ("WorkstationName", format!("WS{}", random.next(300))),
        (
            "LogonGuid",
            format!(
                "{{{:08x}-0000-0000-0000-000000000000}}",
                random.next(1 << 30)
            ),
        ),
        (
            "ProcessName",
            "C:\\Windows\\System32\\services.exe".to_owned(),
        ),
        (
            "IpAddress",
            format!("10.0.{}.{}", random.next(256), random.next(256)),
        ),
        ("IpPort", random.next(65536).to_string()),
    ]
}

fn process(random: &mut Random) -> [(&'static str, String); 16] {
    let user = random.next(500);
    [
        (
            "SubjectUserSid",
            format!("S-1-5-21-1004336348-1177238915-682003330-{user}"),
        ),
        ("SubjectUserName", format!("user{user}")),
        ("SubjectDomainName", "CORP".to_owned()),
        ("SubjectLogonId", format!("0x{:x}", random.next(1 << 30))),
        ("NewProcessId", format!("0x{:x}", random.next(1 << 16))),
        (
            "NewProcessName",
            format!("C:\\Program Files\\Tool {}\\tool.exe", random.next(40)),
        ),
        ("TokenElevationType", "%%1936".to_owned()),
        ("ProcessId", format!("0x{:x}", random.next(1 << 16))),
        (
            "CommandLine",
            format!(
                "\"tool.exe\" --job {} --out C:\\Temp\\{:x}.log",
                random.next(9999),
                random.next(1 << 30)
            ),
        ),
        ("TargetUserSid", "S-1-0-0".to_owned()),
        ("TargetUserName", "-".to_owned()),
        ("TargetDomainName", "-".to_owned()),
        ("TargetLogonId", "0x0".to_owned()),
        ("ParentProcessName", "C:\\Windows\\explorer.exe".to_owned()),
        ("MandatoryLabel", "S-1-16-8192".to_owned()),
        ("Reserved", String::new()),
    ]
}
