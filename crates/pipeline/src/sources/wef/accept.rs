//! Connections: taken in, authenticated, served, and ended in order.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::server::Acceptor;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windrow_formats::identity::canonical_source;
use windrow_formats::wef::audience::MachineName;

use super::caps::{Full as Cap, Place};
use super::conversation::Conversation;
use super::expiry;
use super::options::{Authentication, WefOptions};
use super::process::{Peer, Proof, handle, note_refusal};
use super::refusal::Refusal;
use super::shares::network;
use super::stream::{Heard, Stream};
use super::{Shared, WefLimits};
use crate::tls::{self, Claimed};

/// The pause after the system refused a connection (too many open files), doubled up to a second.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

const OF_MACHINE: &str = "too many connections of this machine";

/// How a connection learns that it has to end.
#[derive(Debug, Clone)]
struct Ends {
    /// Answer what is under way, then close.
    gracefully: CancellationToken,
    /// The same, where its client would not be let in any more.
    outdated: CancellationToken,
    /// Close.
    at_once: CancellationToken,
}

impl Ends {
    /// Until it has to end.
    async fn gracefully(&self) {
        tokio::select! {
            () = self.gracefully.cancelled() => {}
            () = self.outdated.cancelled() => {}
        }
    }
}

pub(super) async fn run(shared: &Arc<Shared>, listener: TcpListener, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    let ends = Ends {
        gracefully: shutdown.child_token(),
        outdated: CancellationToken::new(),
        at_once: CancellationToken::new(),
    };
    let mut pause = ACCEPT_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                pause = ACCEPT_PAUSE;
                begin(shared, stream, address, &connections, &ends);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
    drop(listener);
    connections.close();
    let all_done = async {
        connections.wait().await;
        shared.requests.close();
        shared.requests.wait().await;
    };
    if timeout(shared.options().limits.shutdown_timeout, all_done)
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            requests = shared.requests.len(),
            "connections did not end in time and are cut"
        );
        ends.at_once.cancel();
        connections.wait().await;
    }
    // Another run of the same collector may follow.
    shared.requests.reopen();
}

/// Gives the connection its place and its task.
fn begin(
    shared: &Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    connections: &TaskTracker,
    ends: &Ends,
) {
    // Before the options: a reload in between ends this connection needlessly, and never too late.
    let ends = Ends {
        outdated: shared.outdated(),
        ..ends.clone()
    };
    let options = shared.options();
    let limits = &options.limits;
    let address = address.ip().to_canonical();
    let mut place = match shared.caps.take(address, limits) {
        Ok(place) => place,
        Err(Cap::Altogether) => {
            let reason = "too many connections altogether".to_owned();
            return shared.refuse(address, Refusal::TooManyConnections, reason);
        }
        Err(Cap::OfAddress | Cap::OfMachine) => {
            let reason = "too many connections from this address".to_owned();
            return shared.refuse(address, Refusal::TooManyOfAddress, reason);
        }
    };
    let shared = Arc::clone(shared);
    connections.spawn(async move {
        let at_once = ends.at_once.clone();
        tokio::select! {
            biased;
            () = at_once.cancelled() => {}
            () = connection(shared, options, stream, address, &mut place, ends) => {}
        }
        drop(place);
    });
}

async fn connection(
    shared: Arc<Shared>,
    options: Arc<WefOptions>,
    stream: TcpStream,
    address: IpAddr,
    place: &mut Place,
    ends: Ends,
) {
    set_options(&stream, &options.limits);
    let limits = &options.limits;
    match &options.authentication {
        Authentication::Certificate(server) => {
            with_certificate(shared, server, limits, stream, (address, place), &ends).await;
        }
        Authentication::Kerberos(server) => {
            let conversation = Conversation::new(Arc::clone(&shared), server.clone(), address);
            with_ticket(&shared, &conversation, limits, stream, place, &ends).await;
        }
    }
}

/// A connection over TLS, whose client is known when that is established.
async fn with_certificate(
    shared: Arc<Shared>,
    server: &tls::Server,
    limits: &WefLimits,
    stream: TcpStream,
    (address, place): (IpAddr, &mut Place),
    ends: &Ends,
) {
    let limit = limits.handshake_timeout;
    let established = tokio::select! {
        biased;
        () = ends.gracefully() => return,
        established = establish(&shared, server, stream, address, limit) => established,
    };
    let Some(stream) = established else {
        return;
    };
    let chain = certificates(&stream);
    let peer = match identify(server, &stream, address) {
        Ok(peer) => Arc::new(peer),
        Err(error) => return shared.refuse(address, Refusal::NoName, error.to_string()),
    };
    if place.authenticated(&peer.canonical, limits).is_err() {
        return note_refusal(&shared, &peer, Refusal::TooManyOfMachine, OF_MACHINE);
    }
    shared.metrics.connection("accepted");
    tracing::debug!(%address, source = ?peer.name, "connected");
    let asked = Arc::new(AtomicBool::new(false));
    let stopping = ends.gracefully.clone();
    let service = {
        let (shared, peer, asked) = (Arc::clone(&shared), Arc::clone(&peer), Arc::clone(&asked));
        service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
            let answer = handle(shared, peer, request, stopping.clone());
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let silent = async {
        sleep(limits.first_request_timeout).await;
        if asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    let still_welcome = || match shared.still_takes(&chain) {
        Ok(until) => Some(until),
        Err((refusal, reason)) => {
            note_refusal(&shared, &peer, refusal, &reason);
            None
        }
    };
    let stay = Stay {
        ends,
        still_welcome,
        over: expiry::Ends::of(&chain),
    };
    let served = serve(limits, stream, service, silent, stay);
    let (refusal, reason) = match served.await {
        Ended::InOrder => return,
        Ended::Cut => (Refusal::TooSlow, "no request came in time"),
        Ended::Broken(refusal, reason) => (refusal, reason),
    };
    note_refusal(&shared, &peer, refusal, reason);
}

/// TLS over a connection; none where that is refused, which is counted.
async fn establish(
    shared: &Shared,
    server: &tls::Server,
    stream: TcpStream,
    address: IpAddr,
    limit: Duration,
) -> Option<TlsStream<TcpStream>> {
    let claimed = Claimed::default();
    let handshake = shake_hands(shared, (server, &claimed), stream, address, limit);
    match timeout(limit, handshake).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            let reason = format!("the TLS handshake failed: {error}");
            let refusal = Refusal::of_handshake(&error);
            let claim = claimed.claim().map(Into::into);
            shared.refuse_claim(address, refusal, reason, claim);
            None
        }
        Err(_) => {
            let reason = "the TLS handshake took too long".to_owned();
            shared.refuse(address, Refusal::HandshakeTimeout, reason);
            None
        }
    }
}

/// A connection over plain HTTP, whose client is a stranger until it has shown a ticket.
async fn with_ticket(
    shared: &Shared,
    conversation: &Arc<Conversation>,
    limits: &WefLimits,
    stream: TcpStream,
    place: &mut Place,
    ends: &Ends,
) {
    let stopping = ends.gracefully.clone();
    let service = {
        let conversation = Arc::clone(conversation);
        service_fn(move |request| {
            let answer = Arc::clone(&conversation).handle(request, stopping.clone());
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let stranger = async {
        let known = conversation.authenticated.notified();
        if timeout(limits.handshake_timeout, known).await.is_err() {
            return conversation.refuse_silent();
        }
        shared.metrics.connection("accepted");
        // Whoever authenticates again may do so as somebody else.
        while let Some(peer) = conversation.peer() {
            if place.authenticated(&peer.canonical, limits).is_err() {
                return conversation.refuse_broken(Refusal::TooManyOfMachine, OF_MACHINE);
            }
            conversation.authenticated.notified().await;
        }
    };
    let stay = Stay {
        ends,
        still_welcome: || None,
        over: expiry::Ends::default(),
    };
    match serve(limits, stream, service, stranger, stay).await {
        Ended::InOrder if ends.gracefully.is_cancelled() || ends.outdated.is_cancelled() => {}
        Ended::InOrder => conversation.note_gone(),
        // The reason was noted where it was found.
        Ended::Cut => {}
        Ended::Broken(refusal, reason) => conversation.refuse_broken(refusal, reason),
    }
}

/// Nobody takes a turn before it has said hello, nobody keeps one for long, and nobody has more
/// than a few: whoever is silent costs a connection and holds nobody up.
async fn shake_hands(
    shared: &Shared,
    (server, claimed): (&tls::Server, &Claimed),
    stream: TcpStream,
    address: IpAddr,
    limit: Duration,
) -> io::Result<TlsStream<TcpStream>> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let _share = shared
        .handshakes_by_network
        .take(&network(address), 1)
        .await;
    let _turn = shared.handshakes.acquire().await;
    // Not before: it takes memory that who is silent does not cost.
    let config = server.watched(claimed).map_err(io::Error::other)?;
    let handshake = hello.into_stream(config);
    match timeout(limit / 2, handshake).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer said hello and no more",
        )),
    }
}

/// The client's certificates, its own first.
fn certificates(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap_or_default().to_vec()
}

/// Who is at the other end, by the certificate that the handshake has checked.
fn identify(
    server: &tls::Server,
    stream: &TlsStream<TcpStream>,
    address: IpAddr,
) -> Result<Peer, tls::PeerError> {
    let (_, session) = stream.get_ref();
    let leaf = session
        .peer_certificates()
        .and_then(<[_]>::first)
        .ok_or(tls::PeerError::Unreadable)?;
    let name = tls::peer_name(leaf)?;
    Ok(Peer {
        canonical: canonical_source(&name).into_owned(),
        machine: MachineName::of_certificate(&name).map_err(|_| tls::PeerError::NoName)?,
        name,
        address,
        proof: Proof::Certificate {
            issuer_thumbprint: server
                .authorities
                .issuer_thumbprint(leaf)
                .map(ToOwned::to_owned),
        },
    })
}

/// How long a connection may stay.
struct Stay<'a, W> {
    ends: &'a Ends,
    /// Whether its client would be let in now, and then until when that is known.
    still_welcome: W,
    /// When what its client has shown is over.
    over: expiry::Ends,
}

/// How a connection ended.
enum Ended {
    /// By its client, or because the collector goes down.
    InOrder,
    /// Because its time was over.
    Cut,
    /// Because what came was no request, or half of one; with the reason in words.
    Broken(Refusal, &'static str),
}

impl Ended {
    /// What hyper says of its end. A connection that was idle for long enough ends in the same error as
    /// one that stands still in the middle of a head.
    fn of(error: &hyper::Error, heard: &Heard) -> Ended {
        match () {
            () if heard.is_nothing() => Ended::InOrder,
            () if error.is_timeout() => {
                Ended::Broken(Refusal::TooSlow, "half the head of a request, and no more")
            }
            () if error.is_parse_too_large() => {
                Ended::Broken(Refusal::Head, "the head of the request is too large")
            }
            () if error.is_parse() => Ended::Broken(Refusal::Head, "this is no HTTP"),
            () if error.is_incomplete_message() => {
                Ended::Broken(Refusal::BrokeOff, "the request broke off in its head")
            }
            () => Ended::InOrder,
        }
    }
}

/// Serves HTTP until the client goes, the collector goes down, or `time_is_over`. Where other clients are let in
/// than before, or what this one has shown is over, the connection goes on if it is still welcome.
async fn serve<S, V>(
    limits: &WefLimits,
    stream: S,
    service: V,
    time_is_over: impl Future<Output = ()>,
    stay: Stay<'_, impl Fn() -> Option<CancellationToken>>,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let heard = Heard::default();
    let stream = Stream::new(stream, heard.clone());
    let service = service_fn(|request| {
        let (answer, heard) = (service.call(request), heard.clone());
        async move {
            let answer = answer.await;
            heard.forget();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(8 * 1024))
        .serve_connection(TokioIo::new(stream), service);
    let Stay {
        ends,
        still_welcome,
        mut over,
    } = stay;
    tokio::pin!(connection, time_is_over);
    let mut ending = false;
    let mut outdated = ends.outdated.clone();
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                let Err(error) = result else {
                    return Ended::InOrder;
                };
                tracing::debug!(%error, "connection ended");
                return Ended::of(&error, &heard);
            }
            () = ends.gracefully.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = async {
                tokio::select! {
                    () = outdated.cancelled() => {}
                    () = over.next() => {}
                }
            }, if !ending => match still_welcome() {
                Some(until) => outdated = until,
                None => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            },
            () = time_is_over.as_mut() => return Ended::Cut,
        }
    }
}

/// Answers are small and waited for: no delay. A peer that no longer answers is given up.
fn set_options(stream: &TcpStream, limits: &WefLimits) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    #[cfg(target_os = "linux")]
    {
        let timeout_ms = u32::try_from(limits.request_timeout.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, timeout_ms) {
            tracing::debug!(%error, "cannot set TCP_USER_TIMEOUT");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = limits;
}
