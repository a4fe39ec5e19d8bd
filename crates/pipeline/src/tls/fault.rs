//! What is wrong with a server's certificate, and what helps.

use jiff::Timestamp;
use rustls::CertificateError;
use serde::Serialize;

use super::fingerprint::Fingerprint;
use super::summary::{Names, display};

/// Why a server's certificate does not pass a check. Reads on from "the certificate is refused: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CertificateFault {
    /// Issued to somebody else, or to the same by another name.
    #[error(
        "it is for {names} and not for {expected}; reach the receiver by one of those names or \
         have {expected} put into its certificate; skip_name_check still checks who has issued it"
    )]
    OtherName {
        /// What it should be for.
        expected: String,
        /// What it is for.
        names: Names,
    },
    /// A name where none is looked for since RFC 6125.
    #[error(
        "it has the common name {common_name:?} and no subject alternative name, and a common \
         name alone does not count; have one made with {expected} as subject alternative name; \
         skip_name_check still checks who has issued it"
    )]
    CommonNameOnly {
        /// What it should be for.
        expected: String,
        /// The common name it has.
        common_name: String,
    },
    /// No name at all.
    #[error(
        "it names no server; have one made with {expected} as subject alternative name; \
         skip_name_check still checks who has issued it"
    )]
    NoName {
        /// What it should be for.
        expected: String,
    },
    /// No root leads to it.
    #[error(
        "no trusted authority has issued it (its issuer is {issuer:?}); set that authority's \
         certificate as ca_file; if it is in it, the receiver does not send those in between"
    )]
    UnknownIssuer {
        /// Who has.
        issuer: String,
    },
    /// Made by the server itself.
    #[error(
        "it is self-signed and not trusted; compare {fingerprint} with what the receiver's \
         administrator sees, and set it as fingerprint"
    )]
    SelfSigned {
        /// Its SHA-256.
        fingerprint: Fingerprint,
    },
    /// A certificate that issues others.
    #[error(
        "it is a certificate authority's own (CA:TRUE, as \"openssl req -x509\" makes it), which \
         does not stand for a server even where it is trusted; have it issue one for the \
         receiver, or compare {fingerprint} with what the receiver's administrator sees and set \
         it as fingerprint"
    )]
    Authority {
        /// Its SHA-256.
        fingerprint: Fingerprint,
    },
    /// The trusted authority of its issuer's name has another key.
    #[error(
        "the trusted authority of its issuer's name has not signed it; was that authority made \
         anew?"
    )]
    BadSignature,
    /// Over.
    #[error("it has expired on {not_after}; the receiver needs a new one")]
    Expired {
        /// Since when.
        #[serde(serialize_with = "display")]
        not_after: Timestamp,
    },
    /// Not begun.
    #[error("it is not valid before {not_before}; are both clocks right?")]
    NotYetValid {
        /// From when.
        #[serde(serialize_with = "display")]
        not_before: Timestamp,
    },
    /// Another one of the chain is over.
    #[error(
        "it is valid itself, but {subject:?} between it and its root has expired on {not_after}; \
         the receiver has to send that authority's new certificate"
    )]
    IssuerExpired {
        /// Whose certificate it is.
        subject: String,
        /// Since when.
        #[serde(serialize_with = "display")]
        not_after: Timestamp,
    },
    /// Another one of the chain has not begun.
    #[error(
        "it is valid itself, but {subject:?} between it and its root is not valid before \
         {not_before}; are both clocks right?"
    )]
    IssuerNotYetValid {
        /// Whose certificate it is.
        subject: String,
        /// From when.
        #[serde(serialize_with = "display")]
        not_before: Timestamp,
    },
    /// For clients, say, or for signing code.
    #[error("it is not meant for servers (extended key usage serverAuth)")]
    Purpose,
    /// Not the one that is pinned.
    #[error(
        "its fingerprint is {found} and not {expected}; if the receiver has a new certificate, \
         compare the value with what its administrator sees before setting it"
    )]
    OtherFingerprint {
        /// The pinned one.
        expected: Fingerprint,
        /// Its own.
        found: Fingerprint,
    },
    /// Older than extensions.
    #[error("it is of X.509 version 1, which cannot be checked; have one of version 3 made")]
    Version1,
    /// Not X.509 as it should be.
    #[error("it cannot be read")]
    Unreadable,
    /// Something else.
    #[error("{reason}")]
    Other {
        /// What the TLS library says.
        reason: String,
    },
}

impl CertificateFault {
    /// What an error of the TLS library says, in our words where it was ours.
    #[must_use]
    pub fn of(error: &CertificateError) -> CertificateFault {
        if let CertificateError::Other(other) = error
            && let Some(fault) = other.0.downcast_ref::<CertificateFault>()
        {
            return fault.clone();
        }
        CertificateFault::Other {
            reason: error.to_string(),
        }
    }

    /// For a verifier to return.
    pub(super) fn into_error(self) -> rustls::Error {
        let other = rustls::OtherError(std::sync::Arc::new(self));
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
    }
}
