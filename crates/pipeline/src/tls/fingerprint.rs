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
/// Digits of a SHA-1, as Windows shows it and older tools print it.
const SHA1_DIGITS: usize = 40;

/// The SHA-256 over a certificate's DER.
///
/// Written `sha256:` and 64 hexadecimal digits; read in either case, with or without the word, with
/// or without colons or spaces between bytes, and the whole line that
/// `openssl x509 -fingerprint -sha256` prints: `sha256 Fingerprint=AA:BB:…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; BYTES]);

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// Of another kind than SHA-256.
    #[error("only SHA-256 fingerprints are taken: \"sha256:\" and 64 hexadecimal digits")]
    OtherKind,
    /// A SHA-1.
    #[error(
        "this is the SHA-1 of a certificate (a thumbprint, as Windows shows it), which can be \
         forged; \"openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE.pem\" prints the SHA-256"
    )]
    Sha1,
    /// Too long or too short.
    #[error("a SHA-256 fingerprint has 64 hexadecimal digits, this has {digits}")]
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
        let (kind, digits) = parts(text);
        let digits: String = digits.split_ascii_whitespace().collect();
        let is_digit = |c: char| c.is_ascii_hexdigit();
        if digits.chars().filter(|c| is_digit(*c)).count() == SHA1_DIGITS
            && digits.chars().all(|c| c == ':' || is_digit(c))
        {
            return Err(FingerprintError::Sha1);
        }
        if !matches!(kind.as_str(), "" | "sha256") {
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

/// The word in front of the digits, in its plain form, and the digits.
fn parts(text: &str) -> (String, &str) {
    let text = text.trim();
    let (label, digits) = match (text.rsplit_once('='), text.split_once(':')) {
        (Some(parts), _) => parts,
        (None, Some((word, digits)))
            if word.len() > 2 && !word.chars().all(|c| c.is_ascii_hexdigit()) =>
        {
            (word, digits)
        }
        (None, _) => ("", text),
    };
    let letters = label.chars().filter(char::is_ascii_alphanumeric);
    let label: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    (label.replace("fingerprint", ""), digits)
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
