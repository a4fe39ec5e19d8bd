//! Why a PFX file cannot be used.

use super::limits::{PFX_BAGS_MAX, PFX_BYTES_MAX, PFX_ROUNDS_MAX};

/// Why a PFX file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PfxError {
    /// Larger than any.
    #[error("it is over {PFX_BYTES_MAX} bytes, which is no PFX file with one identity")]
    TooLarge,
    /// Another format.
    #[error("it is not a PFX file (PKCS #12)")]
    NotPfx,
    /// PEM.
    #[error("it is PEM and not PFX; make one with \"openssl pkcs12 -export -in FILE -inkey KEY\"")]
    Pem,
    /// The end is missing.
    #[error("it is cut off: {missing} bytes are missing")]
    Truncated {
        /// How many.
        missing: usize,
    },
    /// Written with lengths that are not known in advance.
    #[error(
        "it is written in BER with indefinite lengths; write it anew: \"openssl pkcs12 -in OLD \
         -nodes | openssl pkcs12 -export -out NEW\""
    )]
    IndefiniteLengths,
    /// Not as RFC 7292 has it.
    #[error("it is damaged: {place} cannot be read")]
    Damaged {
        /// What.
        place: &'static str,
    },
    /// Anybody could have changed it.
    #[error("it has no MAC, so nobody can tell whether it was changed; export it with a password")]
    NoMac,
    /// The MAC does not fit.
    #[error("the password is wrong, or the file was changed after it was written")]
    WrongPassword,
    /// Encrypted or signed in a way that is not read.
    #[error(
        "it is protected with {scheme}, which is not read; export it with AES-256 (PBES2) or \
         Triple DES"
    )]
    Unsupported {
        /// The name, or the number where it has none here.
        scheme: String,
    },
    /// It would keep the machine busy.
    #[error("it asks for more than {PFX_ROUNDS_MAX} rounds of key derivation")]
    TooManyRounds,
    /// More in it than one identity needs.
    #[error("it holds more than {PFX_BAGS_MAX} keys and certificates")]
    TooManyBags,
    /// Certificates only, or nothing.
    #[error("it holds no private key; export the certificate with its private key")]
    NoKey,
    /// Keys only.
    #[error("it holds a private key and no certificate; export both")]
    NoCertificate,
    /// No certificate is that of a key in it.
    #[error("its private key belongs to none of its certificates")]
    KeyMismatch,
    /// A kind of key that TLS does not use, or too short.
    #[error(
        "its private key cannot be used with TLS here; use ECDSA P-256, P-384, P-521, Ed25519, \
         or RSA of at least 2048 bits"
    )]
    UnusableKey,
    /// Which one is meant?
    #[error("it holds {count} certificates with their private keys; export one alone")]
    SeveralIdentities {
        /// How many.
        count: usize,
    },
}
