//! A small HTTP/1.1 server: accept loop, limits and graceful stop.
//!
//! One function serves every door, the loopback TCP port (health, metrics), the local socket (status, query, tail) and
//! the privileged endpoint over TLS; what they answer is their own business.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::Remote;

/// Connections served at the same time, a door.
const CONNECTIONS_MAX: usize = 64;
/// Size of a request's head, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Time a connection may take to finish when the service stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept (no file descriptors left, most often).
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The body of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A whole body from memory.
pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// An answer with a status, a content type and a text.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    response
}

/// Who is on the other side, as far as the system says; an extension of each request.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// The user with this id, on this machine.
    User(u32),
    /// Somebody over TLS.
    Remote(Arc<Remote>),
    /// Somebody: the system does not say who.
    Unknown,
}

/// What every listener can do.
pub(crate) trait Accept {
    /// A connection that has said nothing yet.
    type Raw: Send + 'static;
    /// The stream of one connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Raw>> + Send;
    /// What comes before its first request, in the connection's own task; none where it ends with that.
    fn open(raw: Self::Raw) -> impl Future<Output = Option<(Self::Stream, Peer)>> + Send;
}

impl Accept for tokio::net::TcpListener {
    type Raw = tokio::net::TcpStream;
    type Stream = tokio::net::TcpStream;
    async fn accept(&self) -> std::io::Result<Self::Raw> {
        Ok(tokio::net::TcpListener::accept(self).await?.0)
    }
    async fn open(raw: Self::Raw) -> Option<(Self::Stream, Peer)> {
        Some((raw, Peer::Unknown))
    }
}

impl Accept for tokio::net::UnixListener {
    type Raw = tokio::net::UnixStream;
    type Stream = tokio::net::UnixStream;
    async fn accept(&self) -> std::io::Result<Self::Raw> {
        Ok(tokio::net::UnixListener::accept(self).await?.0)
    }
    async fn open(raw: Self::Raw) -> Option<(Self::Stream, Peer)> {
        let user = raw.peer_cred().map(|credentials| credentials.uid());
        Some((raw, user.map_or(Peer::Unknown, Peer::User)))
    }
}

/// What becomes of a connection on which nothing is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// It is closed after this time, which is also that in which a request's head must be there: who is on the
    /// other side is not known.
    ClosedAfter(Duration),
    /// It is closed after `first` when nothing was asked by then, and after `between` later on, which is also the time in
    /// which a head must be there.
    AskedWithin {
        /// For the first request, from the time when the connection is open.
        first: Duration,
        /// For the next one.
        between: Duration,
    },
    /// It stays: only the folder's owner reaches this door, and `top --interval 10m` is in no hurry.
    Kept,
}

/// Serves `handler` on `listener` until `shutdown`, then lets open connections finish.
pub(crate) async fn serve<L, H, F>(listener: L, handler: H, idle: Idle, shutdown: CancellationToken)
where
    L: Accept,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let permits = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            break;
        };
        let raw = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                    continue;
                }
            },
        };
        let (handler, shutdown) = (handler.clone(), shutdown.clone());
        connections.spawn(async move {
            let opened = tokio::select! {
                () = shutdown.cancelled() => None,
                opened = L::open(raw) => opened,
            };
            if let Some((stream, peer)) = opened {
                serve_connection(stream, peer, handler, idle, shutdown).await;
            }
            drop(permit);
        });
    }
    connections.close();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await;
}

async fn serve_connection<S, H, F>(
    stream: S,
    peer: Peer,
    handler: H,
    idle: Idle,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = asked.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer.clone());
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(match idle {
            Idle::ClosedAfter(timeout) => Some(timeout),
            Idle::AskedWithin { between, .. } => Some(between),
            Idle::Kept => None,
        })
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let never_asked = async {
        if let Idle::AskedWithin { first, .. } = idle {
            tokio::time::sleep(first).await;
            if !was_asked.load(Ordering::Relaxed) {
                return;
            }
        }
        std::future::pending().await
    };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = never_asked => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: windrow\r\n\r\n";

    async fn open(folder: &std::path::Path, idle: Idle) -> UnixStream {
        let socket = folder.join(format!("{idle:?}"));
        let listener = UnixListener::bind(&socket).unwrap();
        let handler = |_| std::future::ready(answer(StatusCode::OK, "text/plain", "here"));
        tokio::spawn(serve(listener, handler, idle, CancellationToken::new()));
        UnixStream::connect(socket).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_may_rest_where_it_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = open(folder.path(), Idle::Kept).await;
        let short = Duration::from_millis(20);
        let asked_within = Idle::AskedWithin {
            first: short,
            between: Duration::from_secs(3_600),
        };
        for idle in [Idle::ClosedAfter(short), asked_within] {
            let mut closed = open(folder.path(), idle).await;
            let mut rest = Vec::new();
            closed.read_to_end(&mut rest).await.unwrap();
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "it was asked nothing");
        }
        kept.write_all(REQUEST).await.unwrap();
        let mut start = [0; 15];
        kept.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn a_connection_that_asks_no_more_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let idle = Idle::AskedWithin {
            first: Duration::from_secs(3_600),
            between: Duration::from_millis(20),
        };
        let mut stream = open(folder.path(), idle).await;
        stream.write_all(REQUEST).await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        assert!(said.starts_with(b"HTTP/1.1 200 OK"), "it was asked once");
    }
}
