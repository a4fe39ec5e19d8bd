//! Why a test failed, and what helps.

use std::io;

use serde::Serialize;

use super::super::error::LinkError;
use super::report::ClientCertificate;
use crate::tls::CertificateFault;

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The host's name has no address, or nobody says which.
    NameUnknown,
    /// The host is there and nobody listens at the port.
    NothingListening,
    /// The host does not answer.
    NoAnswer,
    /// The way there is closed.
    Unreachable,
    /// It takes the connection and says nothing to a handshake.
    HandshakeTimeout,
    /// It speaks TLS and does not come to the end of a handshake.
    HandshakeStalled,
    /// It speaks something else than TLS.
    PlainText,
    /// It hangs up in the handshake.
    HandshakeClosed,
    /// It speaks no version of TLS that is spoken here.
    OldTls,
    /// It has nothing in common with what is offered.
    NothingInCommon,
    /// The handshake fails in another way.
    Handshake,
    /// Its certificate does not pass.
    ServerCertificate {
        /// Why.
        #[serde(flatten)]
        fault: CertificateFault,
    },
    /// The host can be no name in a certificate.
    ServerName,
    /// It wants a client certificate and we have none.
    ClientCertificateMissing,
    /// It does not take ours.
    ClientCertificateRefused {
        /// The alert it sent (RFC 8446 6.2), if it sent one.
        alert: Option<String>,
    },
    /// It ends TLS with another alert.
    Alert {
        /// Which one (RFC 8446 6.2).
        alert: String,
    },
    /// It hangs up after the handshake.
    Closed,
    /// It takes nothing.
    Stalled,
    /// The connection broke.
    Broken,
    /// The datagram was refused: nobody listens.
    DatagramRefused,
}

impl Cause {
    pub(super) fn of(error: &LinkError, client: Option<&ClientCertificate>) -> Cause {
        // The server has asked for a certificate and got none.
        let missing = client.is_some_and(|client| client.requested && client.ours.is_none());
        let refused = client.is_some_and(|client| client.requested && client.ours.is_some());
        let hung_up = match error {
            LinkError::NothingInCommon { .. }
            | LinkError::HandshakeClosed { .. }
            | LinkError::ClosedByPeer
            | LinkError::EndedFirst => true,
            // rsyslog with GnuTLS closes without an alert, with our message unread.
            LinkError::Broken(source) => matches!(
                source.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
            _ => false,
        };
        match error {
            LinkError::Resolve { .. } | LinkError::NoAddress { .. } => Cause::NameUnknown,
            LinkError::Connect { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused => Cause::NothingListening,
                io::ErrorKind::TimedOut => Cause::NoAnswer,
                _ => Cause::Unreachable,
            },
            LinkError::ConnectTimeout { .. } => Cause::NoAnswer,
            LinkError::HandshakeTimeout { .. } => Cause::HandshakeTimeout,
            LinkError::HandshakeStalled { .. } => Cause::HandshakeStalled,
            LinkError::PlainText { .. } => Cause::PlainText,
            LinkError::OldTls { .. } => Cause::OldTls,
            LinkError::ServerCertificate { reason, .. } => Cause::ServerCertificate {
                fault: reason.clone(),
            },
            LinkError::ServerName { .. } => Cause::ServerName,
            LinkError::ClientCertificateRefused { .. } if missing => {
                Cause::ClientCertificateMissing
            }
            _ if hung_up && missing => Cause::ClientCertificateMissing,
            LinkError::ClientCertificateRefused { alert } => Cause::ClientCertificateRefused {
                alert: alert.as_str().map(ToOwned::to_owned),
            },
            _ if hung_up && refused => Cause::ClientCertificateRefused { alert: None },
            LinkError::NothingInCommon { .. } => Cause::NothingInCommon,
            LinkError::HandshakeClosed { .. } => Cause::HandshakeClosed,
            LinkError::Handshake { .. } => Cause::Handshake,
            LinkError::Alert { alert } => Cause::Alert {
                alert: alert.as_str().unwrap_or("unknown").to_owned(),
            },
            LinkError::ClosedByPeer | LinkError::EndedFirst => Cause::Closed,
            LinkError::Stalled { .. } => Cause::Stalled,
            LinkError::Broken(source) if source.kind() == io::ErrorKind::ConnectionRefused => {
                Cause::DatagramRefused
            }
            LinkError::Broken(_)
            | LinkError::Unproven
            | LinkError::NoCloseNotify
            | LinkError::Journal(_) => Cause::Broken,
        }
    }

    /// What helps.
    #[must_use]
    pub fn cure(&self) -> String {
        let cure = match self {
            Cause::ServerCertificate { fault } => return fault.to_string(),
            Cause::NameUnknown => {
                "see that the name is spelled as the name server has it, or give the address"
            }
            Cause::NothingListening => {
                "see that the receiver runs, listens on this port and not on 127.0.0.1 alone; \
                 TLS is usually at 6514, plain TCP at 514 or 6514, and UDP is a setting of its own"
            }
            Cause::NoAnswer => {
                "see that the host is up and that no firewall swallows what goes to this port"
            }
            Cause::Unreachable => "see that there is a route to the host and no firewall refuses",
            Cause::HandshakeTimeout => {
                "most receivers of plain text stay silent so; see that this is the receiver's TLS \
                 port, or take TLS off this destination"
            }
            Cause::HandshakeStalled => {
                "it does speak TLS: see whether the receiver is overloaded or waits for something \
                 itself, and whether large packets get lost on the way (MTU)"
            }
            Cause::PlainText => {
                "this port does not speak TLS; name the receiver's TLS port, or take TLS off this \
                 destination"
            }
            Cause::HandshakeClosed => {
                "see that this is the receiver's TLS port, and in its log what it does not like"
            }
            Cause::OldTls => "have the receiver speak TLS 1.2 or 1.3",
            Cause::NothingInCommon => {
                "have the receiver offer a cipher suite with forward secrecy and AES-GCM or \
                 ChaCha20 (RFC 9662 4), and a certificate with an ECDSA key or one of RSA"
            }
            Cause::Handshake | Cause::Alert { .. } => "the receiver's log may say why",
            Cause::ServerName => "name the receiver by a DNS name or an IP address",
            Cause::ClientCertificateMissing => {
                "it wants a client certificate: set one that an authority it trusts has issued"
            }
            Cause::ClientCertificateRefused { .. } => {
                "see that an authority the receiver trusts has issued the client certificate, that \
                 it is valid, for clients, and that its name is permitted there; its log says which"
            }
            Cause::Closed => {
                "the receiver's log says why; rsyslog closes so when it does not permit our name \
                 or address"
            }
            Cause::Stalled => "see whether the receiver hangs or its disk is full",
            Cause::Broken => "see whether the receiver, or something on the way, ends connections",
            Cause::DatagramRefused => "see that the receiver listens for UDP on this port",
        };
        cure.to_owned()
    }
}
