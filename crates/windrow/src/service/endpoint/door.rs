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
use tokio_util::sync::CancellationToken;
use windrow_pipeline::tls::{self, CertificateSummary};

use super::super::WeakService;
use super::super::http::{Accept, Peer};
use super::patient::Patient;
use super::sessions::Connection;
use super::terms::Terms;
use super::{Endpoint, Fault, Refused, Who, limits, lock, network};

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
    pub(super) place: Place,
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

/// How many connections each network has, and which of them nobody is known to be behind.
#[derive(Default)]
pub(super) struct Places {
    state: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    of_network: HashMap<IpAddr, usize>,
    /// In the order in which they came.
    unknown: Vec<Unknown>,
    next: u64,
}

/// A connection that nobody is known to be behind yet.
struct Unknown {
    number: u64,
    network: IpAddr,
    /// Its place is wanted.
    wanted: CancellationToken,
}

/// One of them, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
    number: u64,
    wanted: CancellationToken,
}

impl Places {
    /// A place for a connection; none where its network has all it may have with somebody known behind each.
    ///
    /// Who says nothing of who he is keeps nobody out for good: where there are too many of those, the oldest one gives its
    /// place up, of the network itself where that has all it may have, else of the network that has the most. Whoever
    /// comes is the newest, and so has the time in which [`limits::CONNECTIONS_OF_NETWORK`] others come from his
    /// network, or [`limits::UNKNOWN_MAX`] from anywhere.
    fn take(self: &Arc<Places>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = lock(&self.state);
        let count = taken.of_network.get(&network).copied().unwrap_or(0);
        if count >= limits::CONNECTIONS_OF_NETWORK {
            taken.end_oldest(network)?;
        } else if taken.unknown.len() >= limits::UNKNOWN_MAX {
            taken.make_room();
        }
        *taken.of_network.entry(network).or_default() += 1;
        let (number, wanted) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.unknown.push(Unknown {
            number,
            network,
            wanted: wanted.clone(),
        });
        Some(Place {
            places: self.clone(),
            network,
            number,
            wanted,
        })
    }
}

impl Taken {
    /// Ends the oldest unknown connection of the network that has the most of them.
    fn make_room(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for unknown in &self.unknown {
            *counts.entry(unknown.network).or_default() += 1;
        }
        let most = counts.values().max().copied().unwrap_or(0);
        let oldest = (self.unknown.iter()).find(|unknown| counts[&unknown.network] == most);
        if let Some(network) = oldest.map(|unknown| unknown.network) {
            self.end_oldest(network);
        }
    }

    /// Ends the oldest unknown connection of a network; none where somebody is known behind each.
    fn end_oldest(&mut self, network: IpAddr) -> Option<()> {
        let mut unknown = self.unknown.iter();
        let oldest = unknown.position(|unknown| unknown.network == network)?;
        self.unknown.remove(oldest).wanted.cancel();
        // It counts no more from now on, and not only from when it has noticed.
        self.gone(network);
        Some(())
    }

    /// A network has one connection less.
    fn gone(&mut self, network: IpAddr) {
        if let Some(count) = self.of_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of_network.remove(&network);
            }
        }
    }

    fn is_known(&mut self, number: u64) {
        self.unknown.retain(|unknown| unknown.number != number);
    }
}

impl Place {
    /// Somebody is known to be there: it is not given up for others.
    pub(super) fn is_known(&self) {
        lock(&self.places.state).is_known(self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.state);
        taken.is_known(self.number);
        if !self.wanted.is_cancelled() {
            taken.gone(self.network);
        }
    }
}

impl Accept for Door {
    type Raw = Caller;
    type Stream = TlsStream<Patient<TcpStream>>;

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
        let wanted = place.wanted.clone();
        // Under TLS, which takes what it is given at once and hands it on as it can.
        let stream = Patient::new(stream, wanted.clone(), limits::WRITE);
        let handshake = TlsAcceptor::from(terms.tls.clone()).accept(stream);
        let handshake = tokio::time::timeout(limits::HANDSHAKE, handshake);
        let reason = match wanted.run_until_cancelled(handshake).await? {
            Ok(Ok(stream)) => {
                let remote = Remote {
                    from,
                    reached,
                    certificate: shown(&stream),
                    terms,
                    connection: Connection::new(endpoint.sessions.clone(), from, reached),
                    place,
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
            detail: None,
            fault: Fault::Other,
        };
        endpoint.refused(refused, &service).await;
        None
    }
}

/// The name in the certificate that the handshake has checked, and the last moment it is good for.
fn shown(stream: &TlsStream<Patient<TcpStream>>) -> Option<(String, Option<Timestamp>)> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates()?.first()?;
    let until = CertificateSummary::of(leaf).map(|summary| summary.not_after);
    // One without a name is one that no name is let in for.
    Some((tls::peer_name(leaf).unwrap_or_default(), until))
}

/// Why a handshake failed; nothing where the other side only looked whether somebody listens.
fn why(error: &io::Error) -> Option<String> {
    let found = error.get_ref().and_then(|inner| inner.downcast_ref())?;
    Some(match found {
        rustls::Error::InvalidCertificate(error) => {
            format!("the client certificate is refused: {}", of_certificate(error))
        }
        rustls::Error::InvalidMessage(_) => "this is not TLS".to_owned(),
        rustls::Error::AlertReceived(_) => {
            "the client ended the TLS handshake: it does not take the endpoint's certificate, or the name in it".to_owned()
        }
        rustls::Error::PeerIncompatible(_) => {
            "the client knows no version or cipher of TLS that is taken here".to_owned()
        }
        rustls::Error::PeerMisbehaved(_) => {
            "the client does not keep to the rules of TLS".to_owned()
        }
        _ => "the TLS handshake failed".to_owned(),
    })
}

/// What is wrong with a client's certificate.
fn of_certificate(error: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as Fault;
    match error {
        Fault::Expired | Fault::ExpiredContext { .. } => "its time is over",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "its time has not come",
        Fault::UnknownIssuer => "no authority of client_ca has issued it",
        Fault::BadSignature => "its signature is not that of the authority it names",
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => "it is not for clients",
        Fault::Revoked => "its authority has taken it back",
        Fault::BadEncoding => "it cannot be read",
        _ => "it cannot be used",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_failed_is_told_in_words() {
        let words = |error: rustls::Error| why(&io::Error::other(error)).unwrap();
        for error in [
            rustls::CertificateError::UnknownIssuer.into(),
            rustls::CertificateError::Expired.into(),
            rustls::CertificateError::ApplicationVerificationFailure.into(),
            rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA),
            rustls::PeerIncompatible::NoCipherSuitesInCommon.into(),
            rustls::PeerMisbehaved::TooManyEmptyFragments.into(),
            rustls::Error::DecryptError,
        ] {
            let (said, raw) = (words(error.clone()), format!("{error:?}"));
            let names = raw.split(|c: char| !c.is_alphanumeric());
            for name in names.filter(|name| name.len() > 4) {
                assert!(!said.contains(name), "{said}: {name}");
            }
        }
        assert_eq!(why(&io::ErrorKind::UnexpectedEof.into()), None);
    }

    fn address(network: u8, host: u8) -> IpAddr {
        IpAddr::from([10, 0, network, host])
    }

    #[test]
    fn who_says_nothing_gives_way_to_who_comes() {
        let places = Arc::<Places>::default();
        let take = |network, host| places.take(address(network, host)).unwrap();
        let patient = take(1, 1);
        let known = take(1, 2);
        known.is_known();
        // All of one network, as far as it may have.
        let silent: Vec<Place> = (0..limits::CONNECTIONS_OF_NETWORK)
            .map(|_| take(2, 1))
            .collect();
        let others: Vec<Place> = (0..limits::UNKNOWN_MAX - silent.len() - 1)
            .map(|number| take(3, u8::try_from(number).unwrap()))
            .collect();
        let wanted = |places: &[Place]| {
            places
                .iter()
                .filter(|place| place.wanted.is_cancelled())
                .count()
        };
        assert_eq!(wanted(&silent) + wanted(&others), 0);
        let newcomer = take(4, 1);
        assert!(
            silent[0].wanted.is_cancelled(),
            "the oldest of those who have the most"
        );
        assert_eq!(wanted(&silent) + wanted(&others), 1);
        assert!(
            [&patient, &known, &newcomer]
                .iter()
                .all(|place| !place.wanted.is_cancelled())
        );
        drop((silent, others));
        assert_eq!(lock(&places.state).unknown.len(), 2);
        drop((patient, known, newcomer));
        assert!(lock(&places.state).of_network.is_empty());
    }

    #[test]
    fn a_network_is_not_shut_out_by_those_of_its_own_that_say_nothing() {
        let places = Arc::<Places>::default();
        let take = |network, host| places.take(address(network, host));
        let known = take(1, 1).unwrap();
        known.is_known();
        let mut others: Vec<Place> = (2..=limits::CONNECTIONS_OF_NETWORK)
            .map(|_| take(1, 1).unwrap())
            .collect();
        let elsewhere = take(2, 1).unwrap();
        let newcomer = take(1, 1).unwrap();
        assert!(others[0].wanted.is_cancelled(), "the oldest makes room");
        let ended = |places: &[Place]| {
            let ended = places.iter().filter(|place| place.wanted.is_cancelled());
            ended.count()
        };
        assert_eq!(ended(&others), 1);
        assert_eq!(ended(&[known, elsewhere, newcomer][..]), 0);
        // Known ones keep their places, and then there are no more.
        others.clear();
        let known: Vec<Place> = (0..limits::CONNECTIONS_OF_NETWORK)
            .map(|_| take(1, 1).unwrap())
            .inspect(Place::is_known)
            .collect();
        assert!(take(1, 1).is_none());
        assert_eq!(ended(&known), 0);
        drop(known);
        assert!(lock(&places.state).of_network.is_empty());
        assert!(take(1, 1).is_some());
    }

    #[test]
    fn a_flood_from_many_networks_leaves_a_newcomer_his_time() {
        let places = Arc::<Places>::default();
        let flood = |from: u8, number: usize| -> Vec<Place> {
            let hosts = (0..number).map(|host| address(from, u8::try_from(host).unwrap()));
            hosts.map(|host| places.take(host).unwrap()).collect()
        };
        let _before = flood(1, limits::UNKNOWN_MAX);
        let newcomer = places.take(address(2, 1)).unwrap();
        let _after = flood(3, limits::UNKNOWN_MAX - 1);
        assert!(!newcomer.wanted.is_cancelled());
        newcomer.is_known();
        let _later = flood(4, 2 * limits::UNKNOWN_MAX);
        assert!(!newcomer.wanted.is_cancelled());
        assert_eq!(lock(&places.state).unknown.len(), limits::UNKNOWN_MAX);
    }
}
