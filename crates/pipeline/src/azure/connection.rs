//! One connection: the name, the addresses, TLS, and how HTTP/1.1 is spoken over it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::account::Endpoint;
use super::error::Absence;
use super::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use super::verdict::told;
use crate::tls::{CertificateFault, server_name};

/// What requests go into.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Connects to a service, within the time.
pub(super) async fn connect(
    endpoint: &Endpoint,
    tls: Option<&Arc<ClientConfig>>,
    limit: Duration,
) -> Result<Sender, Absence> {
    match timeout(limit, open(endpoint, tls)).await {
        Ok(opened) => opened,
        Err(_) => Err(Absence::Slow {
            host: endpoint.host.clone(),
            port: endpoint.port,
            limit,
        }),
    }
}

async fn open(endpoint: &Endpoint, tls: Option<&Arc<ClientConfig>>) -> Result<Sender, Absence> {
    let tcp = dial(endpoint).await?;
    let host = &endpoint.host;
    let failed = |reason: String| Absence::Tls {
        host: host.clone(),
        reason,
    };
    match (endpoint.is_plain, tls) {
        (true, _) => speak(tcp).await,
        (false, None) => Err(failed("it is not set up".to_owned())),
        (false, Some(config)) => {
            let name = server_name(host).map_err(|error| failed(error.to_string()))?;
            let greeted = TlsConnector::from(config.clone()).connect(name, tcp).await;
            speak(greeted.map_err(|error| of_handshake(host, &error))?).await
        }
    }
}

/// The first of its addresses that takes a connection, asked for anew each time: the service moves.
async fn dial(endpoint: &Endpoint) -> Result<TcpStream, Absence> {
    let (host, port) = (&endpoint.host, endpoint.port);
    let unknown = |source| Absence::Name {
        host: host.clone(),
        source,
    };
    let addresses = tokio::net::lookup_host((host.as_str(), port)).await;
    let mut last = None;
    for address in addresses.map_err(unknown)? {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Requests are written whole; waiting for more would only delay them.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        None => unknown(io::ErrorKind::NotFound.into()),
        Some(source) => Absence::Connect {
            host: host.clone(),
            port,
            source,
        },
    })
}

fn of_handshake(host: &str, error: &io::Error) -> Absence {
    let host = host.to_owned();
    let source = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match source {
        Some(rustls::Error::InvalidCertificate(fault)) => Absence::Certificate {
            host,
            fault: CertificateFault::of(fault),
        },
        _ => Absence::Tls {
            host,
            reason: told(&error.to_string()),
        },
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Sender, Absence> {
    let spoken = Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = spoken.map_err(|error| Absence::Broken {
        reason: told(&error.to_string()),
    })?;
    // It ends when the sender is dropped, or with the other side.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to Azure Storage ended early");
        }
    });
    Ok(sender)
}
