//! Why a configuration cannot be made, naming the file.

use std::path::PathBuf;

use crate::limits::PEM_BYTES_MAX;

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than any bundle of certificates.
    #[error("{} is over {PEM_BYTES_MAX} bytes, which is no certificate or key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM.
    #[error("{} is not PEM (\"-----BEGIN …\" in Base64)", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// No certificate in a file that has to hold one.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that cannot be used.
    #[error("certificate {place} of {} cannot be used: {reason}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Which one, the first is 1.
        place: usize,
        /// Why.
        reason: String,
    },
    /// No list of revoked certificates in a file that has to hold one.
    #[error("{} holds no list of revoked certificates (PEM \"-----BEGIN X509 CRL-----\", or DER)", path.display())]
    NoRevocationList {
        /// The file.
        path: PathBuf,
    },
    /// A list of revoked certificates that cannot be used.
    #[error("the list of revoked certificates {} cannot be used: {reason}", path.display())]
    BadRevocationList {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No private key in a file that has to hold one.
    #[error("{} holds no private key in the clear (PKCS #8, PKCS #1 or SEC1); decrypt an encrypted one with \"openssl pkey\"", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the private key.
    #[error("private key {} can be read by others (mode {mode:04o}); run \"chmod 600\" on it", path.display())]
    KeyPermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Certificate and key cannot be used together, or not at all.
    #[error("certificate {} and key {} cannot be used", certificate.display(), key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The system has no certificate authorities.
    #[error(
        "the system's certificate authorities cannot be loaded: {reason}; name a file of them instead"
    )]
    SystemRoots {
        /// Why.
        reason: String,
    },
    /// Not the name of a server.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// What was given.
        name: String,
    },
    /// The provider does not have what TLS 1.2 and 1.3 need; not a matter of settings.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    /// The verifier of client certificates cannot be made.
    #[error("{} cannot be used to check client certificates", path.display())]
    Verifier {
        /// The file of the authorities.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::server::VerifierBuilderError,
    },
}
