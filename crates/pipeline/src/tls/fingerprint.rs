//! The SHA-256 of a certificate: how an administrator names the one that is meant.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use serde::{Serialize, Serializer};

/// Bytes of a SHA-256.
const BYTES: usize = 32;
/// What stands before the digits.
const SCHEME: &str = "sha256:";

/// The SHA-256 over a certificate's DER.
///
/// Written `sha256:` and 64 hexadecimal digits; read in either case, with or without the word and
/// with or without a colon between bytes, as `openssl x509 -fingerprint -sha256` prints it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; BYTES]);

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// Of another kind than SHA-256.
    #[error("only SHA-256 fingerprints are taken: \"sha256:\" and 64 hexadecimal digits")]
    OtherKind,
    /// Too long or too short.
    #[error(
        "a SHA-256 fingerprint has 64 hexadecimal digits, this has {digits}{}",
        if *.digits == 40 { " (a SHA-1 thumbprint, as Windows shows it, is not enough)" } else { "" }
    )]
    Length {
        /// How many it has.
        digits: usize,
    },
    /// Something else than digits in it.
    #[error("{character:?} is no hexadecimal digit")]
    NotHexadecimal {
        /// What stands there.
        character: char,
    },
    /// Colons that are not between bytes.
    #[error("colons in a fingerprint stand between bytes: \"AA:BB:…\"")]
    Colons,
}

impl Fingerprint {
    /// That of `certificate`.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Fingerprint {
        let digest = digest::digest(&digest::SHA256, certificate);
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(digest.as_ref());
        Fingerprint(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let text = text.trim();
        let digits = match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => &text[SCHEME.len()..],
            _ => text,
        };
        let word = digits.split(':').next().unwrap_or_default();
        if word.len() > 2 && digits.contains(':') && !word.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(FingerprintError::OtherKind);
        }
        let groups: Vec<&str> = digits.split(':').collect();
        let stray = digits.chars().find(|c| *c != ':' && !c.is_ascii_hexdigit());
        if let Some(character) = stray {
            return Err(FingerprintError::NotHexadecimal { character });
        }
        if groups.len() > 1 && groups.iter().any(|group| group.len() != 2) {
            return Err(FingerprintError::Colons);
        }
        let digits = groups.concat();
        let mut bytes = [0; BYTES];
        if digits.len() != 2 * BYTES {
            return Err(FingerprintError::Length {
                digits: digits.len(),
            });
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let value = |digit: u8| (digit as char).to_digit(16).unwrap_or_default() as u8;
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
        Ok(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", windrow_formats::text::hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
