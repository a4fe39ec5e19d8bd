//! Whether a client's certificate leads to the root that the deployment trusts.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;
use super::summary::{self, Lapse};

/// Why a client's certificate would not be believed by a server that trusts the given roots alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is none.
    #[error("there is no certificate")]
    NoCertificate,
    /// It is not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// One of the roots is none.
    #[error("certificate {place} of the roots cannot be used: {reason}")]
    Root {
        /// Which one, the first is 1.
        place: usize,
        /// Why.
        reason: String,
    },
    /// No root leads to it.
    #[error(
        "it does not lead to the deployment's root: {subject:?} was issued by {issuer:?}, and the \
         roots are {roots}; export it with its whole chain, or have it issued by that root"
    )]
    NotIssued {
        /// The last certificate of the chain.
        subject: String,
        /// Who has issued that.
        issuer: String,
        /// The subjects of the roots.
        roots: summary::Names,
    },
    /// The root of its issuer's name has another key.
    #[error("the root of its issuer's name has not signed it; was that root made anew?")]
    BadSignature,
    /// Over.
    #[error("it has expired on {not_after}")]
    Expired {
        /// Since when.
        not_after: Timestamp,
    },
    /// Not begun.
    #[error("it is not valid before {not_before}")]
    NotYetValid {
        /// From when.
        not_before: Timestamp,
    },
    /// Another one of the chain is over.
    #[error(
        "it is valid itself, but {subject:?} between it and the root has expired on {not_after}"
    )]
    IssuerExpired {
        /// Whose certificate it is.
        subject: String,
        /// Since when.
        not_after: Timestamp,
    },
    /// Another one of the chain has not begun.
    #[error(
        "it is valid itself, but {subject:?} between it and the root is not valid before \
         {not_before}"
    )]
    IssuerNotYetValid {
        /// Whose certificate it is.
        subject: String,
        /// From when.
        not_before: Timestamp,
    },
    /// For servers, say.
    #[error("it is not meant for clients (extended key usage clientAuth)")]
    Purpose,
    /// A certificate that issues others.
    #[error("it is a certificate authority's own (CA:TRUE) and cannot stand for a client")]
    Authority,
    /// Something else.
    #[error("{reason}")]
    Other {
        /// What the TLS library says.
        reason: String,
    },
}

impl ChainError {
    /// What helps.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            ChainError::Expired { .. } => {
                "have a new certificate issued, export that with its key, and set it"
            }
            ChainError::NotYetValid { .. } | ChainError::IssuerNotYetValid { .. } => {
                "see whether this machine's clock is right"
            }
            ChainError::IssuerExpired { .. } => {
                "export it again with that authority's new certificate in its chain"
            }
            ChainError::Purpose => "have one issued for clients (extended key usage clientAuth)",
            ChainError::Authority => "have that authority issue a certificate for this side",
            ChainError::NoCertificate | ChainError::Unreadable => {
                "export the certificate again, with its key"
            }
            ChainError::NotIssued { .. }
            | ChainError::BadSignature
            | ChainError::Root { .. }
            | ChainError::Other { .. } => "[tls] deployment_root in windrow.toml names the root",
        }
    }
}

/// Checks that `chain` (the certificate first) leads to one of `roots`, is for clients and valid at
/// `now`: what a server does that trusts those roots alone.
///
/// # Errors
///
/// [`ChainError`].
pub fn check_chain(
    chain: &[CertificateDer<'_>],
    roots: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), ChainError> {
    let (leaf, intermediates) = chain.split_first().ok_or(ChainError::NoCertificate)?;
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| ChainError::Unreadable)?;
    let mut store = RootCertStore::empty();
    for (index, root) in roots.iter().enumerate() {
        store.add(root.clone()).map_err(|error| ChainError::Root {
            place: index + 1,
            reason: error.to_string(),
        })?;
    }
    let not_issued = || {
        let last = chain.last().unwrap_or(leaf);
        let (_, last) = X509Certificate::from_der(last).map_err(|_| ChainError::Unreadable)?;
        Err(ChainError::NotIssued {
            subject: summary::name(last.subject()),
            issuer: summary::name(last.issuer()),
            roots: summary::subjects(roots),
        })
    };
    let built = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider()).build();
    let Ok(verifier) = built else {
        return not_issued();
    };
    let Err(error) = verifier.verify_client_cert(leaf, intermediates, now) else {
        return Ok(());
    };
    let at = now;
    let now = summary::moment(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let not_before = summary::moment(certificate.validity().not_before.timestamp());
    let not_after = summary::moment(certificate.validity().not_after.timestamp());
    match error {
        _ if now > not_after => Err(ChainError::Expired { not_after }),
        _ if now < not_before => Err(ChainError::NotYetValid { not_before }),
        _ if certificate.is_ca() => Err(ChainError::Authority),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => not_issued(),
        Error::InvalidCertificate(reason) if is_lapse(&reason) => {
            Err(lapsed(intermediates, at).unwrap_or_else(|| named(&reason)))
        }
        Error::InvalidCertificate(reason) => Err(named(&reason)),
        error => Err(ChainError::Other {
            reason: error.to_string(),
        }),
    }
}

/// Checks that each of `chain` (the certificate first) is valid at `now`, and nothing else.
///
/// # Errors
///
/// [`ChainError`].
pub fn check_validity(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), ChainError> {
    let (leaf, intermediates) = chain.split_first().ok_or(ChainError::NoCertificate)?;
    match summary::lapsed(std::slice::from_ref(leaf), now) {
        Some((_, Lapse::Expired(not_after))) => Err(ChainError::Expired { not_after }),
        Some((_, Lapse::Early(not_before))) => Err(ChainError::NotYetValid { not_before }),
        None => lapsed(intermediates, now).map_or(Ok(()), Err),
    }
}

fn is_lapse(reason: &CertificateError) -> bool {
    use CertificateError as Reason;
    matches!(
        reason,
        Reason::Expired
            | Reason::ExpiredContext { .. }
            | Reason::NotValidYet
            | Reason::NotValidYetContext { .. }
    )
}

/// Which of those between the certificate and its root is not valid.
fn lapsed(intermediates: &[CertificateDer<'_>], now: UnixTime) -> Option<ChainError> {
    let (subject, lapse) = summary::lapsed(intermediates, now)?;
    Some(match lapse {
        Lapse::Expired(not_after) => ChainError::IssuerExpired { subject, not_after },
        Lapse::Early(not_before) => ChainError::IssuerNotYetValid {
            subject,
            not_before,
        },
    })
}

fn named(reason: &CertificateError) -> ChainError {
    use CertificateError as Reason;
    match reason {
        Reason::BadSignature => ChainError::BadSignature,
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => ChainError::Purpose,
        other => ChainError::Other {
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
