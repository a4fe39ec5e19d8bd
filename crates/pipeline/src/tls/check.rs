//! How a client checks its server's certificate.
//!
//! Invariant: whatever is left out, the server's signature in the handshake is verified: it holds
//! the key of the certificate that was looked at.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Serialize;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::fault::CertificateFault;
use super::fingerprint::Fingerprint;
use super::summary::{self, Lapse};

/// How a client checks its server's certificate, strongest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServerCheck {
    /// That a trusted authority has issued it for a server of this name, and that it is valid now.
    #[default]
    Full,
    /// All that, save the name: any server with a certificate of a trusted authority will do.
    SkipName,
    /// That it is this one and no other, and valid now. It may be self-signed or an authority's own.
    Pinned(Fingerprint),
    /// Nothing: whoever answers is believed.
    None,
}

/// What one of the checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not.
    Failed(CertificateFault),
    /// There is nothing to check against.
    Unknown,
}

/// What each check finds, whether the settings ask for it or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Whether a trusted authority has issued the certificate for servers.
    pub chain: Verdict,
    /// Whether it is for the name.
    pub name: Verdict,
    /// Whether it is valid now.
    pub validity: Verdict,
    /// Whether it is the pinned one.
    pub pin: Verdict,
}

/// What a server shows in the handshake, and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) certificate: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) name: &'a ServerName<'a>,
    pub(super) now: UnixTime,
}

/// The verifier of one configuration.
#[derive(Debug)]
pub(super) struct Verifier {
    check: ServerCheck,
    roots: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// One without roots fails where it needs them.
    pub(super) fn new(
        check: ServerCheck,
        roots: Option<Arc<RootCertStore>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Verifier {
        Verifier {
            check,
            roots,
            algorithms,
        }
    }

    fn decide(&self, shown: Shown<'_>) -> Result<(), CertificateFault> {
        match &self.check {
            ServerCheck::Full => {
                self.chain(shown)?;
                name(shown)
            }
            ServerCheck::SkipName => self.chain(shown),
            ServerCheck::Pinned(pin) => {
                self::pin(*pin, shown)?;
                validity(shown)
            }
            ServerCheck::None => Ok(()),
        }
    }

    /// What each check finds by itself.
    pub(super) fn verdicts(&self, shown: Shown<'_>) -> Verdicts {
        // Whether the chain holds is a question of its own: it is asked of a moment at which the
        // certificate was valid.
        let valid_then = Shown {
            now: moment_of_validity(shown),
            ..shown
        };
        Verdicts {
            chain: match self.roots {
                None => Verdict::Unknown,
                Some(_) => self.chain(valid_then).into(),
            },
            name: name(shown).into(),
            validity: validity(shown).into(),
            pin: match &self.check {
                ServerCheck::Pinned(pin) => self::pin(*pin, shown).into(),
                _ => Verdict::Unknown,
            },
        }
    }

    fn chain(&self, shown: Shown<'_>) -> Result<(), CertificateFault> {
        let empty = RootCertStore::empty();
        let parsed = ParsedCertificate::try_from(shown.certificate);
        let verified = parsed.and_then(|parsed| {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                self.roots.as_deref().unwrap_or(&empty),
                shown.intermediates,
                shown.now,
                self.algorithms.all,
            )
        });
        verified.map_err(|error| chain_fault(shown, &error))
    }
}

/// Whether a certificate is for a server of this name or address, as a client that checks it would say.
#[must_use]
pub fn is_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(parsed), Ok(name)) = (
        ParsedCertificate::try_from(certificate),
        ServerName::try_from(name),
    ) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

impl From<Result<(), CertificateFault>> for Verdict {
    fn from(result: Result<(), CertificateFault>) -> Verdict {
        match result {
            Ok(()) => Verdict::Passed,
            Err(fault) => Verdict::Failed(fault),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown {
            certificate: end_entity,
            intermediates,
            name: server_name,
            now,
        };
        self.decide(shown)
            .map(|()| ServerCertVerified::assertion())
            .map_err(CertificateFault::into_error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| signature_error(certificate, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| signature_error(certificate, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate of version 1 gets as far as its signature where nothing else is checked.
fn signature_error(certificate: &CertificateDer<'_>, error: Error) -> Error {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) if parsed.version() == X509Version::V1 => {
            CertificateFault::Version1.into_error()
        }
        _ => error,
    }
}

fn name(shown: Shown<'_>) -> Result<(), CertificateFault> {
    let parsed = ParsedCertificate::try_from(shown.certificate);
    let Err(_) = parsed.and_then(|parsed| verify_server_name(&parsed, shown.name)) else {
        return Ok(());
    };
    let expected = shown.name.to_str().into_owned();
    let (_, certificate) =
        X509Certificate::from_der(shown.certificate).map_err(|_| CertificateFault::Unreadable)?;
    let names = summary::names(&certificate);
    if !names.shown.is_empty() {
        return Err(CertificateFault::OtherName { expected, names });
    }
    let common_name = certificate.subject().iter_common_name().next();
    Err(match common_name.and_then(|name| name.as_str().ok()) {
        Some(common_name) => CertificateFault::CommonNameOnly {
            expected,
            common_name: summary::shown(common_name),
        },
        None => CertificateFault::NoName { expected },
    })
}

fn pin(pin: Fingerprint, shown: Shown<'_>) -> Result<(), CertificateFault> {
    let found = Fingerprint::of(shown.certificate);
    if found == pin {
        return Ok(());
    }
    Err(CertificateFault::OtherFingerprint {
        expected: pin,
        found,
    })
}

fn validity(shown: Shown<'_>) -> Result<(), CertificateFault> {
    let (not_before, not_after) = period(shown)?;
    let now = summary::moment(i64::try_from(shown.now.as_secs()).unwrap_or(i64::MAX));
    if now > not_after {
        return Err(CertificateFault::Expired { not_after });
    }
    if now < not_before {
        return Err(CertificateFault::NotYetValid { not_before });
    }
    Ok(())
}

/// From when to when a certificate is valid.
fn period(shown: Shown<'_>) -> Result<(Timestamp, Timestamp), CertificateFault> {
    let (_, certificate) =
        X509Certificate::from_der(shown.certificate).map_err(|_| CertificateFault::Unreadable)?;
    let validity = certificate.validity();
    Ok((
        summary::moment(validity.not_before.timestamp()),
        summary::moment(validity.not_after.timestamp()),
    ))
}

/// Now, or where the certificate is not valid now, the moment at which it was that is nearest.
fn moment_of_validity(shown: Shown<'_>) -> UnixTime {
    let nearest = match validity(shown) {
        Err(CertificateFault::Expired { not_after }) => not_after,
        Err(CertificateFault::NotYetValid { not_before }) => not_before,
        _ => return shown.now,
    };
    let seconds = u64::try_from(nearest.as_second()).unwrap_or_default();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// Why a chain does not hold. The library's verdict stands; this finds the words for it.
fn chain_fault(shown: Shown<'_>, error: &Error) -> CertificateFault {
    let Ok((_, certificate)) = X509Certificate::from_der(shown.certificate) else {
        return CertificateFault::Unreadable;
    };
    if certificate.version() == X509Version::V1 {
        return CertificateFault::Version1;
    }
    if let Err(fault) = validity(shown) {
        return fault;
    }
    let fingerprint = Fingerprint::of(shown.certificate);
    if certificate.is_ca() {
        return CertificateFault::Authority { fingerprint };
    }
    let Error::InvalidCertificate(reason) = error else {
        let reason = error.to_string();
        return CertificateFault::Other { reason };
    };
    match reason {
        CertificateError::UnknownIssuer
            if certificate.subject().as_raw() == certificate.issuer().as_raw() =>
        {
            CertificateFault::SelfSigned { fingerprint }
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer {
            issuer: summary::name(certificate.issuer()),
        },
        CertificateError::BadSignature => CertificateFault::BadSignature,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::Purpose
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => issuer_fault(shown, reason),
        other => CertificateFault::of(other),
    }
}

/// Which of those between the certificate and its root is not valid.
fn issuer_fault(shown: Shown<'_>, reason: &CertificateError) -> CertificateFault {
    match summary::lapsed(shown.intermediates, shown.now) {
        Some((subject, Lapse::Expired(not_after))) => {
            CertificateFault::IssuerExpired { subject, not_after }
        }
        Some((subject, Lapse::Early(not_before))) => CertificateFault::IssuerNotYetValid {
            subject,
            not_before,
        },
        None => CertificateFault::of(reason),
    }
}

#[cfg(test)]
mod tests;
