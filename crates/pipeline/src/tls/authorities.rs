//! Who issued a client's certificate, and the thumbprint it is known by.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::error::TlsError;

/// The authorities of a server's clients, to tell a client which of them issued its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Arc<Vec<Authority>>);

#[derive(Debug, PartialEq, Eq)]
struct Authority {
    /// The subject's DER, which a certificate repeats as its issuer (RFC 5280 4.1.2.4).
    subject: Vec<u8>,
    /// The DER of its own issuer.
    issuer: Vec<u8>,
    /// The subject key identifier, which tells authorities of one name apart.
    key_identifier: Option<Vec<u8>>,
    thumbprint: String,
}

impl Authorities {
    /// Those in a file.
    ///
    /// # Errors
    /// One of them is no certificate.
    pub fn new(path: &Path, certificates: &[CertificateDer<'_>]) -> Result<Authorities, TlsError> {
        let mut authorities = Vec::with_capacity(certificates.len());
        for (index, der) in certificates.iter().enumerate() {
            let (_, certificate) =
                X509Certificate::from_der(der).map_err(|error| TlsError::BadCertificate {
                    path: path.to_owned(),
                    place: index + 1,
                    reason: error.to_string(),
                })?;
            let key_identifier =
                certificate.iter_extensions().find_map(|extension| {
                    match extension.parsed_extension() {
                        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                        _ => None,
                    }
                });
            authorities.push(Authority {
                subject: certificate.subject().as_raw().to_vec(),
                issuer: certificate.issuer().as_raw().to_vec(),
                key_identifier,
                thumbprint: thumbprint(der),
            });
        }
        Ok(Authorities(Arc::new(authorities)))
    }

    /// The thumbprints of those that issue to clients, as far as can be told: of all that have issued
    /// none of the others. A root beside its issuing authority is none of them.
    #[must_use]
    pub fn issuing(&self) -> Vec<&str> {
        let has_issued = |one: &Authority| {
            let mut others = self.0.iter().filter(|other| other.subject != one.subject);
            others.any(|other| other.issuer == one.subject)
        };
        let issuing = self.0.iter().filter(|authority| !has_issued(authority));
        issuing.map(|authority| &*authority.thumbprint).collect()
    }

    /// The thumbprint of the authority that issued `leaf`: the one of the issuer's name, and where
    /// there are several, the one whose key the leaf names.
    #[must_use]
    pub fn issuer_thumbprint(&self, leaf: &CertificateDer<'_>) -> Option<&str> {
        let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
        let key_identifier = certificate.iter_extensions().find_map(|extension| {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
                _ => None,
            }
        });
        let issuer = certificate.issuer().as_raw();
        let mut named = self
            .0
            .iter()
            .filter(|authority| authority.subject == issuer);
        let by_key = named.clone().find(|authority| {
            key_identifier.is_some_and(|id| authority.key_identifier.as_deref() == Some(id.0))
        });
        let found = by_key.or_else(|| named.next())?;
        Some(&found.thumbprint)
    }
}

/// The SHA-1 of a certificate in capital hexadecimal, as Windows shows it.
///
/// It is a name for a certificate and protects nothing.
#[must_use]
pub fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        certificate.as_ref(),
    );
    let mut text = String::with_capacity(40);
    for byte in digest.as_ref() {
        let _ = write!(text, "{byte:02X}");
    }
    text
}
