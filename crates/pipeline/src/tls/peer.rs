//! Who a client is, by its certificate.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::limits::PEER_NAME_BYTES_MAX;

/// Why a client's certificate does not say who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Not a certificate.
    #[error("client certificate cannot be read")]
    Unreadable,
    /// No name in it, or one that no machine has.
    #[error(
        "client certificate has neither a common name nor a DNS name of at most {PEER_NAME_BYTES_MAX} printable characters"
    )]
    NoName,
}

/// Who a client is: the common name of its certificate's subject, or where there is none, the
/// first DNS name among the alternative names. Case is kept.
///
/// # Errors
///
/// [`PeerError`].
pub fn peer_name(certificate: &CertificateDer<'_>) -> Result<String, PeerError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| PeerError::Unreadable)?;
    let common_name = certificate
        .subject()
        .iter_common_name()
        .find_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let dns_name = alternative.iter().find_map(|names| {
        names
            .value
            .general_names
            .iter()
            .find_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
    });
    [common_name, dns_name]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|name| is_name(name))
        .map(ToOwned::to_owned)
        .ok_or(PeerError::NoName)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= PEER_NAME_BYTES_MAX && !name.chars().any(char::is_control)
}
