//! Why a destination cannot be written to, named so that an administrator knows the cure.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::{AlertDescription, PeerIncompatible};
use thiserror::Error;

use crate::journal::ReadError;
use crate::tls::CertificateFault;

/// What ended a connection, or kept it from being made. All of it is tried again.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The name server does not know the host, or does not answer.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The destination's host.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The destination's host.
        host: String,
    },
    /// Nobody accepts there.
    #[error("cannot connect to {peer}")]
    Connect {
        /// The last address tried.
        peer: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("{peer} did not answer within {timeout:?}")]
    ConnectTimeout {
        /// The last address tried.
        peer: SocketAddr,
        /// The limit.
        timeout: Duration,
    },
    /// The receiver accepts and does not speak TLS in time.
    #[error("{peer} did not finish the TLS handshake within {timeout:?}; is that its TLS port?")]
    HandshakeTimeout {
        /// The receiver.
        peer: SocketAddr,
        /// The limit.
        timeout: Duration,
    },
    /// The receiver speaks TLS and does not come to its end in time.
    #[error("{peer} began the TLS handshake and did not finish it within {timeout:?}")]
    HandshakeStalled {
        /// The receiver.
        peer: SocketAddr,
        /// The limit.
        timeout: Duration,
    },
    /// What the receiver says is not TLS.
    #[error("{peer} does not speak TLS; is that its port for plain text?")]
    PlainText {
        /// The receiver.
        peer: SocketAddr,
    },
    /// The receiver hangs up on a handshake.
    #[error(
        "{peer} closed the connection in the TLS handshake; either that is not its TLS port, or \
         its log says what it does not like"
    )]
    HandshakeClosed {
        /// The receiver.
        peer: SocketAddr,
    },
    /// The receiver speaks only versions that are broken.
    #[error("{peer} speaks neither TLS 1.2 nor TLS 1.3; older versions are not spoken here")]
    OldTls {
        /// The receiver.
        peer: SocketAddr,
    },
    /// The receiver finds nothing in what is offered to it.
    #[error(
        "{peer} refuses the TLS handshake: it has no cipher suite, key exchange or signature in \
         common, or under TLS 1.2 wants a client certificate"
    )]
    NothingInCommon {
        /// The receiver.
        peer: SocketAddr,
    },
    /// The handshake failed for another reason than a certificate.
    #[error("TLS handshake with {peer} failed")]
    Handshake {
        /// The receiver.
        peer: SocketAddr,
        /// What the TLS library or the system said.
        #[source]
        source: io::Error,
    },
    /// The server's certificate is not good enough.
    #[error("certificate of {peer} is refused: {reason}")]
    ServerCertificate {
        /// The receiver.
        peer: SocketAddr,
        /// What is wrong with it.
        reason: CertificateFault,
    },
    /// The destination's host cannot be the name of a certificate.
    #[error("{host} is neither a DNS name nor an IP address; set the name of its certificate")]
    ServerName {
        /// The destination's host.
        host: String,
    },
    /// The receiver wants another client certificate than the one it got. Under TLS 1.3 it
    /// says so only after the handshake.
    #[error("receiver refuses the client certificate ({alert:?}): {}", client_cure(.alert))]
    ClientCertificateRefused {
        /// Its alert (RFC 8446 6.2).
        alert: AlertDescription,
    },
    /// The receiver ended the TLS session with an alert.
    #[error("receiver ended the TLS session with the alert {alert:?}")]
    Alert {
        /// Its alert (RFC 8446 6.2).
        alert: AlertDescription,
    },
    /// The receiver has closed the connection.
    #[error("receiver closed the connection")]
    ClosedByPeer,
    /// The receiver has closed the connection before it was asked to, which does not say what of it
    /// it has read.
    #[error(
        "receiver closed the connection before it confirmed what it has read; if it always does, \
         set confirmation = \"tcp-acked\" for this sink"
    )]
    EndedFirst,
    /// The receiver takes nothing any more.
    #[error("receiver took no byte for {timeout:?}")]
    Stalled {
        /// The limit.
        timeout: Duration,
    },
    /// The connection broke: reset, vanished peer, refused datagram.
    #[error("connection broke")]
    Broken(#[source] io::Error),
    /// Everything was sent, and whether it was read remains unknown.
    #[error(
        "receiver did not close its side in order to confirm what it has read; if it never does, \
         set confirmation = \"tcp-acked\" for this sink"
    )]
    Unproven,
    /// The receiver has ended TCP and not TLS, and did better before.
    #[error(
        "connection was closed without the end of TLS (close_notify) that this receiver used to \
         send: either it has changed, or somebody on the way has closed it"
    )]
    NoCloseNotify,
    /// The journal cannot be read.
    #[error("journal cannot be read")]
    Journal(#[source] ReadError),
}

impl LinkError {
    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            LinkError::Resolve { .. } | LinkError::NoAddress { .. } => "resolve",
            LinkError::Connect { .. } | LinkError::ConnectTimeout { .. } => "connect",
            LinkError::HandshakeTimeout { .. }
            | LinkError::HandshakeStalled { .. }
            | LinkError::Handshake { .. }
            | LinkError::PlainText { .. }
            | LinkError::HandshakeClosed { .. }
            | LinkError::OldTls { .. }
            | LinkError::NothingInCommon { .. } => "handshake",
            LinkError::ServerCertificate { .. } | LinkError::ServerName { .. } => {
                "server_certificate"
            }
            LinkError::ClientCertificateRefused { .. } => "client_certificate",
            LinkError::Alert { .. } => "alert",
            LinkError::ClosedByPeer | LinkError::EndedFirst => "closed",
            LinkError::Stalled { .. } => "stalled",
            LinkError::Broken(_) => "broken",
            LinkError::Unproven => "unproven",
            LinkError::NoCloseNotify => "no_close_notify",
            LinkError::Journal(_) => "journal",
        }
    }

    /// Whether the receiver says that it does not take what is sent, whatever its TCP has taken.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            LinkError::ClientCertificateRefused { .. } | LinkError::Alert { .. }
        )
    }

    /// Names a failed handshake.
    pub(super) fn handshake(peer: SocketAddr, source: io::Error) -> LinkError {
        use AlertDescription as Alert;
        use rustls::Error as Tls;
        match tls_error(&source) {
            Some(Tls::InvalidCertificate(reason)) => LinkError::ServerCertificate {
                peer,
                reason: CertificateFault::of(reason),
            },
            Some(Tls::AlertReceived(alert)) if blames_client(*alert) => {
                LinkError::ClientCertificateRefused { alert: *alert }
            }
            Some(
                Tls::AlertReceived(Alert::ProtocolVersion)
                | Tls::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ),
            ) => LinkError::OldTls { peer },
            Some(Tls::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)) => {
                LinkError::NothingInCommon { peer }
            }
            Some(Tls::InvalidMessage(_)) => LinkError::PlainText { peer },
            None if matches!(
                source.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
            {
                LinkError::HandshakeClosed { peer }
            }
            _ => LinkError::Handshake { peer, source },
        }
    }

    /// Names a failed read or write.
    pub(super) fn broken(source: io::Error) -> LinkError {
        match tls_error(&source) {
            Some(rustls::Error::AlertReceived(alert)) if blames_client(*alert) => {
                LinkError::ClientCertificateRefused { alert: *alert }
            }
            Some(rustls::Error::AlertReceived(alert)) => LinkError::Alert { alert: *alert },
            _ => LinkError::Broken(source),
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Alerts that a server sends about the certificate of its client (RFC 8446 6.2).
fn blames_client(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

fn client_cure(alert: &AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => "it wants one; set certificate and key",
        AlertDescription::UnknownCA => "it was not issued by an authority the receiver trusts",
        AlertDescription::CertificateExpired => "it has expired",
        AlertDescription::CertificateRevoked => "it was revoked",
        AlertDescription::AccessDenied => "its name is not permitted there",
        _ => "see the receiver's log for what it permits",
    }
}
