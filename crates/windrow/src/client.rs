//! Talks to the running service: over its local socket, or over TLS to the privileged endpoint of another machine
//! (HTTP/1.1).

pub(crate) mod endpoint;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::endpoint::Target;
use crate::exit::UsageError;

/// Bytes of an answer that is taken whole: a status, or a reason.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long a connection that failed may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection to the service.
#[derive(Debug)]
pub(crate) struct Client {
    /// The local socket, where it is one: the way to another connection.
    socket: Option<PathBuf>,
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// The service's refusal, in its own words.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Refused {
    /// Its kind.
    pub(crate) status: StatusCode,
    /// The words.
    pub(crate) reason: String,
}

impl Client {
    /// Connects; none when no service runs on the data folder of this socket.
    pub(crate) async fn connect(socket: &Path) -> anyhow::Result<Option<Client>> {
        let stream = match UnixStream::connect(socket).await {
            Ok(stream) => stream,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => {
                let context = match error.kind() {
                    io::ErrorKind::PermissionDenied => format!(
                        "{} is in a folder that only its owner may look into: run this as that user",
                        socket.display()
                    ),
                    _ => format!("cannot reach the service at {}", socket.display()),
                };
                return Err(anyhow::Error::new(error).context(context));
            }
        };
        let host = HeaderValue::from_static("windrow");
        let client = Client::over(stream, host, None).await?;
        Ok(Some(Client {
            socket: Some(socket.to_owned()),
            ..client
        }))
    }

    /// Connects to the endpoint of another machine.
    ///
    /// # Errors
    /// With what helps.
    pub(crate) async fn connect_to(target: &Target) -> anyhow::Result<Client> {
        let host = HeaderValue::try_from(target.place.authority())?;
        let authorization = match &target.token {
            None => None,
            Some(token) => {
                let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
                let mut header = HeaderValue::try_from(text.as_str())
                    .map_err(|_| UsageError("what is in the token file is no token".to_owned()))?;
                header.set_sensitive(true);
                Some(header)
            }
        };
        let stream = endpoint::open(target).await?;
        Client::over(stream, host, authorization).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: HeaderValue,
        authorization: Option<HeaderValue>,
    ) -> anyhow::Result<Client> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            let ended = connection.await;
            if let Err(error) = &ended {
                tracing::debug!(%error, "the connection to the service ended early");
            }
            ended
        });
        Ok(Client {
            socket: None,
            sender,
            connection,
            host,
            authorization,
        })
    }

    /// The whole answer to a GET.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        let (_, body) = self.send(Method::GET, path, Bytes::new()).await?;
        whole(body).await
    }

    /// The answer to a POST, as it comes, and its head.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: String,
    ) -> anyhow::Result<(HeaderMap, BoxStream<'static, io::Result<Bytes>>)> {
        let (head, body) = self.send(Method::POST, path, body.into()).await?;
        let frames = stream::unfold(body, |mut body| async move {
            loop {
                match body.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(data) => return Some((Ok(data), body)),
                        Err(_trailers) => {}
                    },
                    Err(error) => return Some((Err(io::Error::other(error)), body)),
                }
            }
        });
        Ok((head.headers, frames.boxed()))
    }

    /// The whole answer to a POST.
    pub(crate) async fn post_whole(&mut self, path: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
        let (_, body) = self.send(Method::POST, path, body.into()).await?;
        whole(body).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(Parts, Incoming)> {
        let sent = self.sent(&method, path, &body).await?;
        let response = match sent {
            // The connection ended with the answer before: of this request nothing was sent.
            Err(error) if error.is_canceled() || error.is_closed() => match self.again().await? {
                true => self.sent(&method, path, &body).await?,
                false => Err(error),
            },
            sent => sent,
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => return Err(self.broken(error).await),
        };
        let (head, body) = response.into_parts();
        let status = head.status;
        if status == StatusCode::OK {
            return Ok((head, body));
        }
        let reason = whole(body).await?;
        let reason = String::from_utf8_lossy(&reason).trim_end().to_owned();
        Err(Refused { status, reason }.into())
    }

    async fn sent(
        &mut self,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> anyhow::Result<hyper::Result<Response<Incoming>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.host)
            .header(http::header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(http::header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body.clone()))?;
        Ok(match self.sender.ready().await {
            Ok(()) => self.sender.send_request(request).await,
            Err(error) => Err(error),
        })
    }

    /// Connects once more to the local service; whether that is there.
    async fn again(&mut self) -> anyhow::Result<bool> {
        let Some(socket) = &self.socket else {
            return Ok(false);
        };
        match Client::connect(socket).await? {
            None => Ok(false),
            Some(client) => {
                *self = client;
                Ok(true)
            }
        }
    }

    /// Why there is no answer. What the other side does not like of a certificate it says late, and it may be the
    /// connection that has heard it.
    async fn broken(&mut self, error: hyper::Error) -> anyhow::Error {
        if let Some(refusal) = endpoint::late_refusal(&error) {
            return refusal;
        }
        if let Ok(Ok(Err(ended))) = timeout(LAST_WORDS, &mut self.connection).await
            && let Some(refusal) = endpoint::late_refusal(&ended)
        {
            return refusal;
        }
        anyhow::Error::new(error).context("the service does not answer")
    }
}

async fn whole(body: Incoming) -> anyhow::Result<Bytes> {
    let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    Ok(collected
        .map_err(|error| anyhow::anyhow!(error))
        .context("the service broke off")?
        .to_bytes())
}

/// No socket, or one that a service left behind when it died.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused
    )
}
