//! One HTTPS connection of a machine: a full TLS handshake with the machine's certificate, then
//! one request at a time, as WinRM does it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use windrow_formats::wsman::{Charset, uri};

/// How long connecting may take, the handshake in it.
const CONNECT_TIME: Duration = Duration::from_secs(15);

/// How long an answer may take: the OperationTimeout that requests state.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Largest answer that is read: some subscriptions with long queries.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where to go: the URL, and the address to connect to where that is not the URL's.
#[derive(Clone, Debug)]
pub(super) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    connect_to: Option<SocketAddr>,
}

/// Why a URL cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a URL such as https://collector.example:5986/wsman/SubscriptionManager/WEC")]
pub struct UrlError(String);

impl Target {
    /// The target that `url` names, an absolute `https` URL.
    pub(super) fn new(url: &str, connect_to: Option<SocketAddr>) -> Result<Target, UrlError> {
        let fail = || UrlError(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| fail())?;
        if uri.scheme_str() != Some("https") {
            return Err(fail());
        }
        let host = uri.host().ok_or_else(fail)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(443);
        Ok(Target {
            uri,
            host,
            port,
            connect_to,
        })
    }
}

/// What came instead of the answer that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// No connection.
    #[error("connect: {0}")]
    Connect(std::io::ErrorKind),
    /// No TLS session.
    #[error("tls: {0}")]
    Tls(String),
    /// The connection ended before the answer came.
    #[error("connection closed")]
    Closed,
    /// Nothing came in time.
    #[error("timeout")]
    Timeout,
    /// The answer has another status than 200, and perhaps a SOAP fault.
    #[error("http {status}{}", fault.as_deref().map(|code| format!(" {code}")).unwrap_or_default())]
    Status {
        /// The status.
        status: u16,
        /// The code of the fault.
        fault: Option<String>,
    },
    /// The answer is not an envelope, or not the right one.
    #[error("answer: {0}")]
    Answer(&'static str),
}

/// What a body is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Nothing.
    Identity,
    /// SLDC.
    Sldc,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Connects to `target` with the certificate in `tls`.
    pub(super) async fn open(
        target: &Target,
        tls: &Arc<ClientConfig>,
    ) -> Result<Connection, Fault> {
        tokio::time::timeout(CONNECT_TIME, Connection::connect(target, tls))
            .await
            .unwrap_or(Err(Fault::Timeout))
    }

    async fn connect(target: &Target, tls: &Arc<ClientConfig>) -> Result<Connection, Fault> {
        let refused = |error: std::io::Error| Fault::Connect(error.kind());
        let stream = match target.connect_to {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((target.host.as_str(), target.port)).await,
        }
        .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let name = windrow_pipeline::tls::server_name(&target.host)
            .map_err(|error| Fault::Tls(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await
            .map_err(|error| Fault::Tls(error.to_string()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Fault::Closed)?;
        // What goes wrong shows in the requests.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, task })
    }

    /// Posts a SOAP body to `target` and answers the status and the answer's body.
    pub(super) async fn post(
        &mut self,
        target: &Target,
        body: Bytes,
        encoding: Encoding,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let request = request(target, body, encoding);
        let exchange = async {
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|_| Fault::Closed)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(|_| Fault::Closed)?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(ANSWER_TIME, exchange)
            .await
            .unwrap_or(Err(Fault::Timeout))
    }
}

/// The headers of a WinRM client that shows a certificate.
fn request(target: &Target, body: Bytes, encoding: Encoding) -> Request<Full<Bytes>> {
    let path = target
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    // A path taken from a URI is one.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    if let Some(Ok(host)) = target
        .uri
        .authority()
        .map(|a| HeaderValue::from_str(a.as_str()))
    {
        headers.insert(HOST, host);
    }
    let content_type = HeaderValue::from_static(Charset::Utf16Le.content_type());
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static("Microsoft WinRM Client"),
    );
    headers.insert(CONNECTION, HeaderValue::from_static("Keep-Alive"));
    headers.insert(AUTHORIZATION, HeaderValue::from_static(uri::HTTPS_MUTUAL));
    if encoding == Encoding::Sldc {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("SLDC"));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_https_url() {
        for (url, host, port) in [
            (
                "https://collector.example:5986/wsman",
                "collector.example",
                5986,
            ),
            ("https://[::1]:5986/wsman", "::1", 5986),
            ("https://10.0.0.1/", "10.0.0.1", 443),
        ] {
            let target = Target::new(url, None).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
        }
        for url in [
            "http://collector.example/",
            "collector.example",
            "https:///x",
            "",
        ] {
            assert!(Target::new(url, None).is_err(), "{url}");
        }
    }
}
