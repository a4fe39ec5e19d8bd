//! The machines of one run: they connect, say so, wait for the end of their input, and send.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use windrow_formats::wsman::Charset;
use windrow_formats::wsman::multipart::{self, Protocol};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::{Keytab, Principal, Scheme, Session};
use windrow_pipeline::sources::wef::{SUBSCRIPTION_PATH, Subscription};
use windrow_pipeline::tls::{self, IdentityFiles, Roots};

use super::events::bodies_sldc;
use super::{Case, Way};

/// How many connect at once.
const CONNECTING: usize = 32;

/// A machine that is connected.
struct Machine {
    sender: SendRequest<Full<Bytes>>,
    /// Its session of Kerberos, if it has one.
    session: Option<Session>,
}

pub(super) fn run(address: SocketAddr, pki: &Path, case: Case) {
    // All send the same texts, and are different sources all the same.
    let bodies: Arc<[Bytes]> = bodies_sldc(case.batches, case.batch)
        .into_iter()
        .map(Bytes::from)
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let turns = Arc::new(Semaphore::new(CONNECTING));
        let connecting: Vec<_> = (0..case.machines)
            .map(|number| {
                let (pki, turns) = (pki.to_owned(), Arc::clone(&turns));
                tokio::spawn(async move {
                    let _turn = turns.acquire().await.unwrap();
                    Machine::connect(address, pki, case.way, number).await
                })
            })
            .collect();
        let mut machines = Vec::new();
        for machine in connecting {
            machines.push(machine.await.unwrap());
        }
        say("ready");
        let waiting = tokio::task::spawn_blocking(|| {
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        });
        waiting.await.unwrap();
        let sending: Vec<_> = machines
            .into_iter()
            .map(|machine| tokio::spawn(machine.send_all(Arc::clone(&bodies))))
            .collect();
        let mut refused = 0;
        for machine in sending {
            refused += machine.await.unwrap();
        }
        say(&refused.to_string());
    });
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

impl Machine {
    async fn connect(address: SocketAddr, pki: PathBuf, way: Way, number: usize) -> Machine {
        let socket = TcpSocket::new_v4().unwrap();
        let [network, host] = [number / 250, number % 250].map(|part| part as u8 + 1);
        let own = SocketAddr::from((Ipv4Addr::new(127, 0, network, host), 0));
        socket.bind(own).unwrap();
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        match way {
            Way::Certificates => with_certificate(stream, &pki, number).await,
            Way::Tickets => with_ticket(stream, &pki, number).await,
        }
    }

    /// Sends each body until it is acknowledged; how often it was not.
    async fn send_all(mut self, bodies: Arc<[Bytes]>) -> u64 {
        let mut refused = 0;
        for body in bodies.iter() {
            while self.send(body).await != StatusCode::OK {
                refused += 1;
            }
        }
        refused
    }

    async fn send(&mut self, body: &Bytes) -> StatusCode {
        let clear = Charset::Utf16Le.content_type();
        let (content_type, body) = match &mut self.session {
            None => (clear, body.clone()),
            Some(session) => {
                let mut sealed = Vec::new();
                let (protocol, signature) = (Protocol::Kerberos, session.signature_bytes());
                multipart::open(&mut sealed, protocol, clear, body.len(), signature);
                session.seal(body, &mut sealed).unwrap();
                multipart::close(&mut sealed);
                (protocol.content_type(), sealed.into())
            }
        };
        let request = request(content_type).header("content-encoding", "SLDC");
        post(&mut self.sender, request, body).await.0
    }
}

async fn speak<S>(stream: S) -> SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = connected.unwrap();
    tokio::spawn(connection);
    sender
}

async fn with_certificate(stream: TcpStream, pki: &Path, number: usize) -> Machine {
    let identity = IdentityFiles {
        certificate: pki.join(format!("ws{number}.pem")),
        key: pki.join(format!("ws{number}.key")),
    };
    let roots = Roots::File(pki.join("ca.pem"));
    let client = tls::client_config(&roots, Some(&identity), tls::ServerCheck::Full).unwrap();
    let name = tls::server_name("localhost").unwrap();
    let connected = TlsConnector::from(client.config)
        .connect(name, stream)
        .await;
    Machine {
        sender: speak(connected.unwrap()).await,
        session: None,
    }
}

async fn with_ticket(stream: TcpStream, pki: &Path, number: usize) -> Machine {
    let keytab = Keytab::load(&pki.join("keytab")).unwrap();
    let (key, now) = (&keytab.keys()[0], jiff::Timestamp::now());
    let machine = Principal::parse(&format!("WS{number}$@CORP.EXAMPLE")).unwrap();
    let ticket = Ticket::made_with(key, &machine, now).unwrap();
    let initiation = ticket.initiate(Scheme::Kerberos, now).unwrap();
    let mut sender = speak(stream).await;
    let token = format!("Kerberos {}", BASE64.encode(&initiation.token));
    let first = request(Charset::Utf16Le.content_type()).header("authorization", token);
    let (status, answer) = post(&mut sender, first, Bytes::new()).await;
    assert_eq!(status, StatusCode::OK);
    let answer = answer["www-authenticate"].to_str().unwrap();
    let token = answer.strip_prefix("Kerberos ").unwrap();
    let session = initiation.finish(&BASE64.decode(token).unwrap()).unwrap();
    Machine {
        sender,
        session: Some(session),
    }
}

fn request(content_type: &str) -> hyper::http::request::Builder {
    let path = format!("{SUBSCRIPTION_PATH}{}", Subscription::id_of("base"));
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", content_type)
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    request: hyper::http::request::Builder,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    sender.ready().await.unwrap();
    let request = request.body(Full::new(body)).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    (head.status, head.headers)
}
