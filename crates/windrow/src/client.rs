//! Talks to the running service over its local socket (HTTP/1.1).

use std::io;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::response::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Bytes of an answer that is taken whole: a status, or a reason.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A connection to the service.
#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
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
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the service ended early");
            }
        });
        Ok(Some(Client { sender }))
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
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "windrow")
            .body(Full::new(body))?;
        self.sender.ready().await.context("the service is gone")?;
        let response = self
            .sender
            .send_request(request)
            .await
            .context("the service does not answer")?;
        let (head, body) = response.into_parts();
        let status = head.status;
        if status == StatusCode::OK {
            return Ok((head, body));
        }
        let reason = whole(body).await?;
        let reason = String::from_utf8_lossy(&reason).trim_end().to_owned();
        Err(Refused { status, reason }.into())
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
