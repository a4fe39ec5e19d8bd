//! Connections to the endpoint: so many a network, a TLS handshake, and who is at the other end as far as that says.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use windrow_pipeline::tls::{self, CertificateSummary};

use super::super::WeakService;
use super::super::http::{Accept, Peer};
use super::sessions::Connection;
use super::terms::Terms;
use super::{Endpoint, Refused, Who, limits, lock, network};

/// The listener, and what a connection needs.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) service: WeakService,
}

/// Somebody over TLS.
pub(crate) struct Remote {
    /// Where it comes from.
    pub(super) from: IpAddr,
    /// The address that it reached.
    pub(super) reached: IpAddr,
    /// The name in the certificate that it has shown, and until when that is good.
    pub(super) certificate: Option<(String, Option<Timestamp>)>,
    /// What that was checked by.
    pub(super) terms: Arc<Terms>,
    pub(super) connection: Connection,
    _place: Place,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// A connection that has said nothing yet.
pub(super) struct Caller {
    stream: TcpStream,
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    service: WeakService,
    place: Place,
}

/// How many connections each network has.
#[derive(Default)]
pub(super) struct Places {
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them, until it is dropped.
struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

impl Places {
    fn take(self: &Arc<Places>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = lock(&self.taken);
        let count = taken.entry(network).or_default();
        if *count >= limits::CONNECTIONS_OF_NETWORK {
            return None;
        }
        *count += 1;
        Some(Place {
            places: self.clone(),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

impl Accept for Door {
    type Raw = Caller;
    type Stream = TlsStream<TcpStream>;

    async fn accept(&self) -> io::Result<Caller> {
        loop {
            let (stream, address) = self.listener.accept().await?;
            let from = address.ip().to_canonical();
            let Some(place) = self.endpoint.places.take(from) else {
                tracing::debug!(%from, "too many connections to the endpoint from this address");
                continue;
            };
            return Ok(Caller {
                stream,
                address,
                endpoint: self.endpoint.clone(),
                service: self.service.clone(),
                place,
            });
        }
    }

    async fn open(caller: Caller) -> Option<(Self::Stream, Peer)> {
        let Caller {
            stream,
            address,
            endpoint,
            service,
            place,
        } = caller;
        let from = address.ip().to_canonical();
        let reached = stream.local_addr().ok()?.ip().to_canonical();
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let terms = endpoint.terms();
        let handshake = TlsAcceptor::from(terms.tls.clone()).accept(stream);
        let reason = match tokio::time::timeout(limits::HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => {
                let remote = Remote {
                    from,
                    reached,
                    certificate: shown(&stream),
                    terms,
                    connection: Connection::new(endpoint.sessions.clone(), from, reached),
                    _place: place,
                };
                return Some((stream, Peer::Remote(Arc::new(remote))));
            }
            Ok(Err(error)) => why(&error)?,
            Err(_) => "the TLS handshake took too long".to_owned(),
        };
        let service = service.upgrade()?;
        let refused = Refused {
            who: Who::Unknown,
            from,
            verb: "connect",
            reason: &reason,
        };
        endpoint.refused(refused, &service).await;
        None
    }
}

/// The name in the certificate that the handshake has checked, and the last moment it is good for.
fn shown(stream: &TlsStream<TcpStream>) -> Option<(String, Option<Timestamp>)> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates()?.first()?;
    let until = CertificateSummary::of(leaf).map(|summary| summary.not_after);
    // One without a name is one that no name is let in for.
    Some((tls::peer_name(leaf).unwrap_or_default(), until))
}

/// Why a handshake failed; nothing where the other side only looked whether somebody listens.
fn why(error: &io::Error) -> Option<String> {
    let found = error.get_ref().and_then(|inner| inner.downcast_ref());
    match found {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            Some(format!("the client certificate is refused: {reason}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => Some("this is not TLS".to_owned()),
        Some(other) => Some(format!("the TLS handshake failed: {other}")),
        None => None,
    }
}
