//! One TCP or TLS connection to a receiver.
//!
//! Invariant: the socket is read whenever it is written to or waited on. A receiver that
//! refuses, closes or breaks off says so on the way back, and unread bytes there would turn
//! our own orderly close into a reset that destroys what is still on its way.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::poll_immediate;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::destination::{Destination, Tls, Transport};
use super::error::LinkError;
use super::limits::{HEARD_AT_ONCE_MAX, Limits};
use super::metered::Metered;
use super::outq;

/// Bytes a syslog receiver sends are looked at for their absence only.
const READ_BYTES: usize = 1024;
/// What a server's first record can be (RFC 8446 5.1): an alert, or its side of the handshake.
const TLS_ALERT: u8 = 0x15;
const TLS_HANDSHAKE: u8 = 0x16;

#[derive(Debug)]
enum Stream {
    Tcp(Metered),
    Tls(Box<TlsStream<Metered>>),
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    peer: SocketAddr,
    opened: Instant,
    /// Bytes received when the handshake was done.
    received_at_open: u64,
    /// Set when the peer has ended its side and we have not ended ours: an end that answers nothing
    /// and proves nothing.
    peer_ended_first: bool,
    stall_timeout: Duration,
    acceptance_timeout: Duration,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Finish {
    /// The receiver has read everything and closed in order, after we did.
    Read,
    /// The same, but it has ended TCP only and not TLS, which anybody on the way can do in its
    /// name (RFC 8446 6.1).
    ReadUnsigned,
    /// It refused, broke off, stayed silent or ended before we did; `acknowledged` if its TCP has taken every byte.
    Unproven {
        acknowledged: bool,
        error: LinkError,
    },
}

impl Connection {
    /// Resolves the host and connects to the first of its addresses that accepts.
    pub(super) async fn open(destination: &Destination) -> Result<Connection, LinkError> {
        let (tcp, peer) = connect(destination).await?;
        Connection::over(tcp, peer, destination).await
    }

    /// Makes the destination's handshake with `peer` over `tcp`.
    pub(super) async fn over(
        tcp: TcpStream,
        peer: SocketAddr,
        destination: &Destination,
    ) -> Result<Connection, LinkError> {
        let limits = &destination.limits;
        tune(&tcp, limits).map_err(|source| LinkError::Connect { peer, source })?;
        let stream = match &destination.transport {
            Transport::Udp | Transport::Tcp => Stream::Tcp(Metered::new(tcp)),
            Transport::Tls(tls) => {
                let name = server_name(tls, &destination.host)?;
                let handshake =
                    TlsConnector::from(tls.client.config.clone()).connect(name, Metered::new(tcp));
                let mut handshake = pin!(handshake);
                let stream = timeout(limits.handshake_timeout, handshake.as_mut())
                    .await
                    .map_err(|_| {
                        let first = handshake.get_ref().and_then(Metered::first);
                        unfinished(peer, limits.handshake_timeout, first)
                    })?
                    .map_err(|source| LinkError::handshake(peer, source))?;
                Stream::Tls(Box::new(stream))
            }
        };
        let received_at_open = stream.metered().received();
        Ok(Connection {
            stream,
            peer,
            opened: Instant::now(),
            received_at_open,
            peer_ended_first: false,
            stall_timeout: limits.stall_timeout,
            acceptance_timeout: limits.acceptance_timeout,
        })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The protocol as spoken: `TCP`, or the TLS version and cipher suite.
    pub(super) fn protocol(&self) -> String {
        match self.session() {
            None => "TCP".to_owned(),
            Some((version, None)) => version.to_owned(),
            Some((version, Some(suite))) => format!("{version} {suite}"),
        }
    }

    /// The TLS version and the cipher suite.
    pub(super) fn session(&self) -> Option<(&'static str, Option<&'static str>)> {
        let session = match &self.stream {
            Stream::Tcp(_) => return None,
            Stream::Tls(stream) => stream.get_ref().1,
        };
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let suite = session.negotiated_cipher_suite();
        Some((version, suite.and_then(|suite| suite.suite().as_str())))
    }

    /// Bytes handed to TCP so far, under TLS those of the ciphertext.
    pub(super) fn written(&self) -> u64 {
        self.stream.metered().written()
    }

    /// Bytes that the peer's TCP has acknowledged; if the system does not tell, those handed
    /// to TCP.
    pub(super) fn acknowledged(&self) -> u64 {
        let written = self.written();
        written
            - outq::unacknowledged(self.stream.tcp())
                .unwrap_or(0)
                .min(written)
    }

    /// Whether the peer's TCP has acknowledged all that was handed to TCP.
    pub(super) fn all_arrived(&self) -> bool {
        self.acknowledged() >= self.written()
    }

    /// When the peer can no longer be about to refuse our certificate: at once without TLS,
    /// and under TLS once it has said anything after the handshake (TLS 1.3 servers send
    /// session tickets) or has stayed silent for long enough.
    pub(super) fn accepted_at(&self) -> Instant {
        match &self.stream {
            Stream::Tls(_) if self.stream.metered().received() == self.received_at_open => {
                self.opened + self.acceptance_timeout
            }
            _ => self.opened,
        }
    }

    /// Writes all of `bytes` and leaves nothing of them in a buffer of ours.
    ///
    /// # Errors
    /// When the receiver refuses, closes, breaks off or takes nothing for too long; how much
    /// it has got is then unknown. The same if the future is dropped.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let mut sent = 0;
        let stall_timeout = self.stall_timeout;
        while sent < bytes.len() {
            let some = poll_fn(|cx| self.poll_send(cx, &bytes[sent..]));
            sent += progress(stall_timeout, some).await?;
        }
        let flush = poll_fn(|cx| self.poll_flush(cx));
        progress(stall_timeout, flush).await
    }

    /// Waits until the receiver closes or breaks off. Dropping the future loses nothing.
    pub(super) async fn closed(&mut self) -> LinkError {
        poll_fn(|cx| self.poll_peer(cx)).await
    }

    /// Ends our side and waits until `deadline` for the receiver to end its own, in answer to that.
    pub(super) async fn finish(mut self, deadline: Instant) -> Finish {
        let error = match timeout_at(deadline, self.drain()).await {
            // Also where our own end failed after that.
            _ if self.peer_ended_first => LinkError::EndedFirst,
            Ok(Err(error)) => error,
            Ok(Ok(finish)) if self.all_acknowledged(deadline).await => return finish,
            _ => LinkError::Unproven,
        };
        Finish::Unproven {
            acknowledged: outq::unacknowledged(self.stream.tcp()) == Some(0),
            error,
        }
    }

    /// Closes for writing and reads to the end of the stream; the error is a reset.
    async fn drain(&mut self) -> Result<Finish, LinkError> {
        let mut scrap = [0; READ_BYTES];
        // What has come before our own end cannot be an answer to it.
        self.hear_out().await?;
        self.stream.shutdown().await.map_err(LinkError::broken)?;
        let finish = loop {
            match self.stream.read(&mut scrap).await {
                Ok(0) => break Finish::Read,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    break Finish::ReadUnsigned;
                }
                Err(error) => return Err(LinkError::broken(error)),
            }
        };
        // The end of TLS may come from a receiver that was closing anyway: then a reset follows if
        // it has left something unread, and nothing at all if it hangs.
        let tcp = self.stream.tcp_mut();
        while tcp.read(&mut scrap).await.map_err(LinkError::broken)? > 0 {}
        Ok(finish)
    }

    /// Takes what has come by now. The runtime may not have noticed all of it yet, so the system is
    /// asked. A receiver that goes on talking is not listened to for ever.
    ///
    /// # Errors
    /// What of it is a refusal or the end of the connection other than in order.
    pub(super) async fn hear_out(&mut self) -> Result<Heard, LinkError> {
        for _ in 0..HEARD_AT_ONCE_MAX {
            // What a task may read before others have their turn is rationed, and asking the system
            // is not: with nothing left this would go round for ever.
            tokio::task::consume_budget().await;
            match poll_immediate(self.closed()).await {
                None => {}
                Some(LinkError::ClosedByPeer) => return Ok(Heard::End),
                Some(error) => return Err(error),
            }
            let tcp = self.stream.tcp();
            match SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]) {
                Ok(_) => tcp.readable().await.map_err(LinkError::broken)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(LinkError::broken(error)),
            }
        }
        Ok(Heard::NoEnd)
    }

    #[cfg(test)]
    pub(super) async fn tcp_readable(&self) {
        self.stream.tcp().readable().await.unwrap();
    }

    /// The receiver has closed in order. If bytes of ours were still on their way then, they
    /// will never be acknowledged and are answered by a reset.
    async fn all_acknowledged(&self, deadline: Instant) -> bool {
        let tcp = self.stream.tcp();
        loop {
            if !matches!(tcp.take_error(), Ok(None)) {
                return false;
            }
            match outq::unacknowledged(tcp) {
                None | Some(0) => return true,
                Some(_) if Instant::now() >= deadline => return false,
                Some(_) => sleep(Duration::from_millis(1)).await,
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, LinkError>> {
        let mut sent = 0;
        while sent < bytes.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[sent..]) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(LinkError::Broken(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(some)) => sent += some,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.explain(cx, error))),
                Poll::Pending if sent > 0 => break,
                Poll::Pending => {
                    // Full: nothing will move unless the peer reads, so see what it says.
                    let error = ready!(self.poll_peer(cx));
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        if let Poll::Ready(error) = self.poll_peer(cx) {
            return Poll::Ready(Err(error));
        }
        match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(self.explain(cx, error))),
        }
    }

    /// Reads and discards until there is nothing more, or the peer has ended.
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> Poll<LinkError> {
        let mut scrap = [0; READ_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) => {
                    self.peer_ended_first = true;
                    return Poll::Ready(LinkError::ClosedByPeer);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.peer_ended_first = true;
                    return Poll::Ready(LinkError::ClosedByPeer);
                }
                Err(error) => return Poll::Ready(LinkError::broken(error)),
            }
        }
    }

    /// A failed write says less than what the peer may have sent before it closed.
    fn explain(&mut self, cx: &mut Context<'_>, error: io::Error) -> LinkError {
        match self.poll_peer(cx) {
            Poll::Ready(LinkError::ClosedByPeer) | Poll::Pending => LinkError::broken(error),
            Poll::Ready(named) => named,
        }
    }
}

/// What the receiver has said of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing.
    NoEnd,
    /// It has ended its side in order.
    End,
}

/// A handshake that took too long: what the peer has said first, if anything, tells whether it speaks TLS. Text too short
/// for a record of TLS, a prompt say, is not refused as none before the time is over.
fn unfinished(peer: SocketAddr, timeout: Duration, first: Option<u8>) -> LinkError {
    match first {
        None => LinkError::HandshakeTimeout { peer, timeout },
        Some(TLS_ALERT | TLS_HANDSHAKE) => LinkError::HandshakeStalled { peer, timeout },
        Some(_) => LinkError::PlainText { peer },
    }
}

/// Waits for some progress, at most `limit`.
async fn progress<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match timeout(limit, future).await {
        Ok(outcome) => outcome,
        Err(_) => Err(LinkError::Stalled { timeout: limit }),
    }
}

async fn connect(destination: &Destination) -> Result<(TcpStream, SocketAddr), LinkError> {
    let limit = destination.limits.connect_timeout;
    let mut last = LinkError::NoAddress {
        host: destination.host.clone(),
    };
    for peer in resolve(destination).await? {
        match dial(peer, limit).await {
            Ok(tcp) => return Ok((tcp, peer)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to one address.
pub(super) async fn dial(peer: SocketAddr, limit: Duration) -> Result<TcpStream, LinkError> {
    match timeout(limit, TcpStream::connect(peer)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(source)) => Err(LinkError::Connect { peer, source }),
        Err(_) => Err(LinkError::ConnectTimeout {
            peer,
            timeout: limit,
        }),
    }
}

/// All addresses of the host, asked for anew each time: receivers move.
pub(super) async fn resolve(destination: &Destination) -> Result<Vec<SocketAddr>, LinkError> {
    let host = destination.host.as_str();
    let lookup = tokio::net::lookup_host((host, destination.port));
    let limit = destination.limits.connect_timeout;
    let failed = |source| LinkError::Resolve {
        host: host.to_owned(),
        source,
    };
    match timeout(limit, lookup).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

fn tune(tcp: &TcpStream, limits: &Limits) -> io::Result<()> {
    // Writes are collected here already; waiting for more would only delay the last one.
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits.keepalive)
        .with_interval(limits.keepalive / 3);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        let timeout_ms = u32::try_from(limits.user_timeout.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(tcp, timeout_ms)?;
    }
    Ok(())
}

pub(super) fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, LinkError> {
    if let Some(name) = &tls.server_name {
        return Ok(name.clone());
    }
    ServerName::try_from(host.to_owned()).map_err(|_| LinkError::ServerName {
        host: host.to_owned(),
    })
}

impl Stream {
    fn metered(&self) -> &Metered {
        match self {
            Stream::Tcp(metered) => metered,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }

    fn tcp(&self) -> &TcpStream {
        self.metered().tcp()
    }

    /// The bare socket, for after the end of TLS.
    fn tcp_mut(&mut self) -> &mut TcpStream {
        match self {
            Stream::Tcp(metered) => metered.tcp_mut(),
            Stream::Tls(stream) => stream.get_mut().0.tcp_mut(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
