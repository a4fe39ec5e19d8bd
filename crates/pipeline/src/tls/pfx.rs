//! A client's identity out of a PFX file (PKCS #12): the certificate, those between it and its
//! root, and its private key. And into one, for machines that are to have an identity.
//!
//! Read here and not with a library: the ones there are take files without a MAC, bound no work
//! that all parts of a file ask for together, and do not wipe what they have decrypted.

mod archive;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use self::archive::Archive;
pub use self::archive::{PFX_BAGS_MAX, PFX_BYTES_MAX, PFX_DEPTH_MAX, PFX_ROUNDS_MAX, PfxError};
use super::summary::CertificateSummary;
use crate::limits::CHAIN_CERTIFICATES_MAX;

/// A certificate with the private key that belongs to it.
pub struct ClientIdentity {
    /// The certificate, then its issuer, and so on, the root left out.
    chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    key: Zeroizing<Vec<u8>>,
}

impl ClientIdentity {
    /// The certificate, then those between it and its root, each issued by the next.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key as PKCS #8.
    #[must_use]
    pub fn key(&self) -> PrivatePkcs8KeyDer<'_> {
        PrivatePkcs8KeyDer::from(&self.key[..])
    }

    /// What its certificate says.
    #[must_use]
    pub fn summary(&self) -> Option<CertificateSummary> {
        self.chain.first().and_then(CertificateSummary::of)
    }

    /// [`ClientIdentity::chain`] as PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let mut pem = String::new();
        for certificate in &self.chain {
            push_pem(&mut pem, "CERTIFICATE", certificate);
        }
        pem
    }

    /// The private key as PEM, in the clear.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        // Room for all of it, so that no part stays behind where it grew out of its place.
        let room = self.key.len().div_ceil(PEM_LINE_BYTES) * (PEM_LINE_BYTES / 3 * 4 + 1) + 64;
        let mut pem = Zeroizing::new(String::with_capacity(room));
        push_pem(&mut pem, "PRIVATE KEY", &self.key);
        pem
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("certificate", &self.summary())
            .finish_non_exhaustive()
    }
}

/// The bytes of a PFX file, at most one more than [`PFX_BYTES_MAX`], wiped when they go.
///
/// # Errors
///
/// Those of `source`.
pub fn take(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = PFX_BYTES_MAX + 1;
    let room = usize::try_from(most).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The one identity in a PFX file. Takes as long as the file asks for, at most some seconds: see
/// [`PFX_ROUNDS_MAX`].
///
/// # Errors
///
/// [`PfxError`].
pub fn read(bytes: &[u8], password: &SecretString) -> Result<ClientIdentity, PfxError> {
    let archive = archive::open(bytes, password.expose_secret())?;
    let certificates: Vec<_> = archive
        .certificates
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let (certificate, key) = pair(&archive, &certificates)?;
    let chain = chain(certificate, &certificates);
    Ok(ClientIdentity {
        chain: chain.into_iter().map(CertificateDer::into_owned).collect(),
        key: key.clone(),
    })
}

/// A PFX file with one identity, as every Windows reads it: `certificates` begins with that of the key, and those between
/// it and its root may follow. The password is what protects it: one of chance, and long.
///
/// # Errors
///
/// [`PfxError`].
pub fn write(
    certificates: &[CertificateDer<'_>],
    key: &PrivatePkcs8KeyDer<'_>,
    password: &SecretString,
) -> Result<Zeroizing<Vec<u8>>, PfxError> {
    let certificates: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
    let mut salts = archive::Salts::default();
    for salt in &mut salts {
        // The system's source fails only where there is none.
        aws_lc_rs::rand::fill(salt).map_err(|_| PfxError::UnusableKey)?;
    }
    let (key, password) = (key.secret_pkcs8_der(), password.expose_secret());
    archive::seal(&certificates, key, password, &salts)
}

type Pair<'a> = (&'a CertificateDer<'a>, &'a Zeroizing<Vec<u8>>);

/// The certificate and the key that fit each other.
fn pair<'a>(
    archive: &'a Archive,
    certificates: &'a [CertificateDer<'a>],
) -> Result<Pair<'a>, PfxError> {
    if archive.keys.is_empty() {
        return Err(PfxError::NoKey);
    }
    if certificates.is_empty() {
        return Err(PfxError::NoCertificate);
    }
    let mut usable = 0;
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for key in &archive.keys {
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&key[..]));
        let Ok(signing) = any_supported_type(&pkcs8) else {
            continue;
        };
        usable += 1;
        let fitting = certificates
            .iter()
            .filter(|certificate| fits(certificate, &signing));
        for certificate in fitting {
            if !pairs.iter().any(|(known, _)| *known == certificate) {
                pairs.push((certificate, key));
            }
        }
    }
    match pairs[..] {
        [pair] => Ok(pair),
        [] if usable == 0 => Err(PfxError::UnusableKey),
        [] => Err(PfxError::KeyMismatch),
        [..] => Err(PfxError::SeveralIdentities { count: pairs.len() }),
    }
}

fn fits(certificate: &CertificateDer<'_>, key: &Arc<dyn SigningKey>) -> bool {
    CertifiedKey::new(vec![certificate.clone().into_owned()], Arc::clone(key))
        .keys_match()
        .is_ok()
}

/// `leaf` and what leads from it towards its root, in that order, whatever order the file has.
fn chain<'a>(
    leaf: &'a CertificateDer<'a>,
    all: &'a [CertificateDer<'a>],
) -> Vec<CertificateDer<'a>> {
    let mut chain = vec![leaf.clone()];
    let mut last = X509Certificate::from_der(leaf).ok();
    while let Some((_, certificate)) = last.take() {
        if chain.len() >= CHAIN_CERTIFICATES_MAX {
            break;
        }
        let issuer = all.iter().find_map(|der| {
            let (_, candidate) = X509Certificate::from_der(der).ok()?;
            let issues = candidate.subject().as_raw() == certificate.issuer().as_raw()
                && candidate.subject().as_raw() != candidate.issuer().as_raw()
                && key_fits(&certificate, &candidate)
                && !chain.contains(der);
            issues.then_some((der, candidate))
        });
        if let Some((der, candidate)) = issuer {
            chain.push(der.clone());
            last = Some((&[], candidate));
        }
    }
    chain
}

/// Whether the key that `certificate` says it was signed with is that of `issuer`, as far as they
/// say. It tells issuers of one name apart.
fn key_fits(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    use x509_parser::prelude::ParsedExtension as Extension;
    let wanted =
        certificate
            .iter_extensions()
            .find_map(|extension| match extension.parsed_extension() {
                Extension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
                _ => None,
            });
    let found = issuer
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            Extension::SubjectKeyIdentifier(id) => Some(id),
            _ => None,
        });
    match (wanted, found) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => true,
    }
}

/// Bytes on a line of PEM (RFC 7468 2).
const PEM_LINE_BYTES: usize = 48;

fn push_pem(pem: &mut String, label: &str, der: &[u8]) {
    for part in ["-----BEGIN ", label, "-----\n"] {
        pem.push_str(part);
    }
    for line in der.chunks(PEM_LINE_BYTES) {
        for group in line.chunks(3) {
            push_base64(pem, group);
        }
        pem.push('\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        pem.push_str(part);
    }
}

/// One to three bytes as four characters (RFC 4648 4).
fn push_base64(text: &mut String, group: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for at in 0..4 {
        if at > group.len() {
            text.push('=');
        } else {
            let index = bits >> (18 - 6 * at) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
}

#[cfg(test)]
mod tests;
