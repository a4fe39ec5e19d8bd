//! What a test of a destination found.

use std::net::SocketAddr;

use serde::Serialize;
use windrow_formats::text::Chain;

use super::super::destination::{Destination, Security, Warning};
use super::super::error::LinkError;
use super::cause::Cause;
use super::message::Message;
use crate::tls::{CertificateSummary, Names, Verdicts};

/// What a test of a destination found, as far as it got.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The destination's name.
    pub destination: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// What the way there protects events from.
    pub security: Security,
    /// What is weak about its settings.
    pub warnings: Vec<Warning>,
    /// What its host was resolved to, the first of them.
    pub addresses: Vec<SocketAddr>,
    /// The addresses that could not be connected to.
    pub attempts: Vec<Attempt>,
    /// The address that was spoken to.
    pub peer: Option<SocketAddr>,
    /// What was seen of TLS, if it is spoken.
    pub tls: Option<TlsReport>,
    /// The marked message, if it left.
    pub message: Option<Marked>,
    /// How the connection ended, if nothing failed.
    pub ending: Option<Ending>,
    /// What failed.
    pub failure: Option<Failure>,
}

/// An address that could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Which one.
    pub address: SocketAddr,
    /// Why not.
    pub error: String,
}

/// A handshake, as far as it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsReport {
    /// `TLS 1.3` or `TLS 1.2`, once it is agreed upon.
    pub version: Option<&'static str>,
    /// The cipher suite agreed upon.
    pub cipher_suite: Option<&'static str>,
    /// The name that the server's certificate is compared with.
    pub server_name: String,
    /// What is checked: `full`, `skip-name`, `pinned` or `none`.
    pub check: &'static str,
    /// The server's certificate, then those it sent along.
    pub chain: Vec<CertificateSummary>,
    /// What each check finds, also where the settings do not ask for it.
    pub verdicts: Option<Verdicts>,
    /// The other direction.
    pub client_certificate: ClientCertificate,
}

/// What was asked of us, and what we have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientCertificate {
    /// Whether the server has asked for a certificate.
    pub requested: bool,
    /// The authorities whose certificates it says that it takes.
    pub authorities: Names,
    /// Ours.
    pub ours: Option<CertificateSummary>,
}

/// The message that left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marked {
    /// What to look for at the receiver.
    pub marker: String,
    /// The whole of it, framing included.
    pub text: String,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "ending", rename_all = "kebab-case")]
pub enum Ending {
    /// The receiver has read everything and closed in order.
    Read,
    /// The same, but it has ended TCP and not TLS.
    ReadUnsigned,
    /// The receiver did not close its side: it may have read the message or not.
    Unproven {
        /// Whether its TCP has taken every byte.
        acknowledged: bool,
    },
    /// UDP: nothing comes back but a refusal, and none came.
    Unknown,
}

/// A step of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Finding the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Sending the marked message.
    Send,
    /// Waiting for a refusal.
    Accept,
    /// The orderly end.
    Close,
}

/// What failed.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Where.
    pub step: Step,
    /// Why.
    pub cause: Cause,
    /// The error as the sink would tell it.
    pub error: String,
    /// What helps.
    pub cure: String,
}

impl Report {
    pub(super) fn new(destination: &Destination) -> Report {
        Report {
            destination: destination.name.clone(),
            host: destination.host.clone(),
            port: destination.port,
            transport: destination.transport.to_string(),
            security: destination.transport.security(),
            warnings: destination.warnings(),
            addresses: Vec::new(),
            attempts: Vec::new(),
            peer: None,
            tls: None,
            message: None,
            ending: None,
            failure: None,
        }
    }
}

impl Attempt {
    pub(super) fn new(address: SocketAddr, error: &LinkError) -> Attempt {
        Attempt {
            address,
            error: Chain(error).to_string(),
        }
    }
}

impl Failure {
    pub(super) fn new(step: Step, error: &LinkError, report: &Report) -> Failure {
        let cause = Cause::of(
            error,
            report.tls.as_ref().map(|tls| &tls.client_certificate),
        );
        Failure {
            step,
            error: Chain(error).to_string(),
            cure: cause.cure(),
            cause,
        }
    }
}

impl From<Message> for Marked {
    fn from(message: Message) -> Marked {
        Marked {
            marker: message.marker,
            text: String::from_utf8_lossy(&message.frame).into_owned(),
        }
    }
}
