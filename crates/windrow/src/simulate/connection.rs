//! One connection of a machine, and one request at a time, as WinRM does it: over HTTPS with a full
//! TLS handshake and the machine's certificate, or over HTTP with its ticket, every body sealed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use windrow_formats::wsman::{Charset, uri};

use super::domain::{Tickets, in_words};
use super::sealed::{self, Sealed};

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

/// What a machine proves with who it is.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// Its certificate, over HTTPS.
    Certificate(Arc<ClientConfig>),
    /// A ticket of its domain, over HTTP.
    Ticket(Arc<Tickets>),
}

/// What a fleet's URLs begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlScheme {
    /// For machines with certificates.
    #[default]
    Https,
    /// For machines with tickets.
    Http,
}

impl UrlScheme {
    fn name(self) -> &'static str {
        match self {
            UrlScheme::Https => "https",
            UrlScheme::Http => "http",
        }
    }

    /// A URL as it might be.
    fn example(self) -> &'static str {
        match self {
            UrlScheme::Https => {
                "https://collector.example:5986/wsman/SubscriptionManager/WEC, for certificates"
            }
            UrlScheme::Http => {
                "http://collector.example:5985/wsman/SubscriptionManager/WEC, for Kerberos"
            }
        }
    }
}

/// Why a URL cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is not a URL such as {}", .scheme.example())]
pub struct UrlError {
    url: String,
    scheme: UrlScheme,
}

impl Target {
    /// The target that `url` names, an absolute URL of this scheme.
    pub(super) fn new(
        url: &str,
        scheme: UrlScheme,
        connect_to: Option<SocketAddr>,
    ) -> Result<Target, UrlError> {
        let fail = || UrlError {
            url: url.to_owned(),
            scheme,
        };
        let uri: Uri = url.parse().map_err(|_| fail())?;
        if uri.scheme_str() != Some(scheme.name()) {
            return Err(fail());
        }
        let host = uri.host().ok_or_else(fail)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(match scheme {
            UrlScheme::Https => 443,
            UrlScheme::Http => 80,
        });
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
    /// No ticket, or no session by it.
    #[error("ticket: {0}")]
    Ticket(String),
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
    /// The session, where there is one of Kerberos: some kilobytes of keys.
    sealed: Option<Box<Sealed>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Connects to `target` and proves who the machine is.
    pub(super) async fn open(target: &Target, proof: &Proof) -> Result<Connection, Fault> {
        // Large, and seldom: it should not make every machine as large.
        let connecting = Box::pin(Connection::connect(target, proof));
        tokio::time::timeout(CONNECT_TIME, connecting)
            .await
            .unwrap_or(Err(Fault::Timeout))
    }

    async fn connect(target: &Target, proof: &Proof) -> Result<Connection, Fault> {
        let refused = |error: std::io::Error| Fault::Connect(error.kind());
        let stream = match target.connect_to {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((target.host.as_str(), target.port)).await,
        }
        .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        match proof {
            Proof::Certificate(tls) => {
                let name = windrow_pipeline::tls::server_name(&target.host)
                    .map_err(|error| Fault::Tls(error.to_string()))?;
                let stream = TlsConnector::from(Arc::clone(tls))
                    .connect(name, stream)
                    .await
                    .map_err(|error| Fault::Tls(error.to_string()))?;
                Connection::over(stream).await
            }
            Proof::Ticket(tickets) => {
                let mut connection = Connection::over(stream).await?;
                connection.authenticate(target, tickets).await?;
                Ok(connection)
            }
        }
    }

    /// Speaks HTTP over `stream`.
    async fn over<S>(stream: S) -> Result<Connection, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Fault::Closed)?;
        // What goes wrong shows in the requests.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection {
            sender,
            task,
            sealed: None,
        })
    }

    /// Shows a ticket, with an empty request. The connection is the session from then on.
    async fn authenticate(&mut self, target: &Target, tickets: &Tickets) -> Result<(), Fault> {
        let failed = |error| Fault::Ticket(in_words(&error));
        let ticket = tickets.get().await.map_err(failed)?;
        let initiation = ticket.initiate(tickets.scheme, tickets.now());
        let initiation = initiation.map_err(failed)?;
        let mut request = request(target, Bytes::new(), Encoding::Identity);
        if let Some(shown) = sealed::authorization(tickets.scheme, &initiation) {
            request.headers_mut().insert(AUTHORIZATION, shown);
        }
        let (status, headers, _) = self.exchange(request).await?;
        if status != StatusCode::OK {
            tickets.forget().await;
            return Err(Fault::Status {
                status: status.as_u16(),
                fault: None,
            });
        }
        let sealed = Sealed::begin(tickets.scheme, initiation, &headers)?;
        self.sealed = Some(Box::new(sealed));
        Ok(())
    }

    /// Posts a SOAP body to `target` and answers the status and the answer's body.
    pub(super) async fn post(
        &mut self,
        target: &Target,
        body: Bytes,
        encoding: Encoding,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let request = match &mut self.sealed {
            None => {
                let mut request = request(target, body, encoding);
                let mutual = HeaderValue::from_static(uri::HTTPS_MUTUAL);
                request.headers_mut().insert(AUTHORIZATION, mutual);
                request
            }
            Some(sealed) => {
                let mut request = request(target, sealed.seal(&body)?.into(), encoding);
                let content_type = HeaderValue::from_static(sealed.content_type());
                request.headers_mut().insert(CONTENT_TYPE, content_type);
                request
            }
        };
        let exchange = tokio::time::timeout(ANSWER_TIME, self.exchange(request));
        let (status, headers, body) = exchange.await.unwrap_or(Err(Fault::Timeout))?;
        let body = match &mut self.sealed {
            Some(sealed) if !body.is_empty() => {
                let content_type = headers.get(CONTENT_TYPE);
                let content_type = content_type.and_then(|value| value.to_str().ok());
                sealed
                    .unseal(content_type.unwrap_or_default(), body.into())?
                    .into()
            }
            _ => body,
        };
        Ok((status, body))
    }

    /// Sends a request and reads the answer, as it comes.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Fault> {
        let response = self.sender.send_request(request).await;
        let (head, body) = response.map_err(|_| Fault::Closed)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| Fault::Closed)?;
        Ok((head.status, head.headers, body.to_bytes()))
    }
}

/// The headers of a WinRM client, but for its proof.
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
    if encoding == Encoding::Sldc {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("SLDC"));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url_of_the_fleets_scheme() {
        for (url, scheme, host, port) in [
            (
                "https://collector.example:5986/wsman",
                UrlScheme::Https,
                "collector.example",
                5986,
            ),
            ("https://[::1]:5986/wsman", UrlScheme::Https, "::1", 5986),
            ("https://10.0.0.1/", UrlScheme::Https, "10.0.0.1", 443),
            ("http://10.0.0.1/", UrlScheme::Http, "10.0.0.1", 80),
        ] {
            let target = Target::new(url, scheme, None).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
        }
        for url in [
            "http://collector.example/",
            "collector.example",
            "https:///x",
            "",
        ] {
            assert!(Target::new(url, UrlScheme::Https, None).is_err(), "{url}");
        }
        let error = Target::new("https://c.example/", UrlScheme::Http, None).unwrap_err();
        insta::assert_snapshot!(error, @r#""https://c.example/" is not a URL such as http://collector.example:5985/wsman/SubscriptionManager/WEC, for Kerberos"#);
    }
}
