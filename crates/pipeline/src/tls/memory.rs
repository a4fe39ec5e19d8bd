//! Configurations from PEM that is held in memory: for certificates that this program made a
//! moment ago, which never were in a file (the demo, simulated machines, tests).

use std::sync::Arc;

use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::check::ServerCheck;
use super::client::Client;
use super::provider;

/// Why such a configuration cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// What was given is not PEM.
    #[error("a certificate or key is not PEM")]
    NotPem(#[from] rustls_pki_types::pem::Error),
    /// A certificate or key cannot be used.
    #[error("a certificate or key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The authorities cannot be used to check clients.
    #[error("the authorities cannot be used to check client certificates")]
    Verifier(#[from] VerifierBuilderError),
}

/// A certificate, its chain behind it, and its key, in PEM.
#[derive(Clone, Copy)]
pub struct IdentityPem<'a> {
    /// The certificate.
    pub certificate: &'a str,
    /// Its private key.
    pub key: &'a str,
}

impl IdentityPem<'_> {
    fn read(
        self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), rustls_pki_types::pem::Error>
    {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        Ok((chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes())?))
    }
}

/// As [`super::client_config`], from memory.
///
/// # Errors
///
/// [`MemoryError`].
pub fn client_from_pem(
    roots: &str,
    identity: Option<IdentityPem<'_>>,
    check: ServerCheck,
) -> Result<Client, MemoryError> {
    let roots = Arc::new(read_roots(roots)?);
    let identity = identity.map(IdentityPem::read).transpose()?;
    Ok(Client::new(Some(roots), identity, check)?)
}

/// The same with all checks, as a configuration alone.
///
/// # Errors
///
/// [`MemoryError`].
pub fn client_config_from_pem(
    roots: &str,
    identity: Option<IdentityPem<'_>>,
) -> Result<ClientConfig, MemoryError> {
    let client = client_from_pem(roots, identity, ServerCheck::Full)?;
    Ok(Arc::unwrap_or_clone(client.config))
}

/// A server that takes every client, or only those with a certificate of `client_ca`.
///
/// # Errors
///
/// [`MemoryError`].
pub fn server_config_from_pem(
    identity: IdentityPem<'_>,
    client_ca: Option<&str>,
) -> Result<ServerConfig, MemoryError> {
    let (chain, key) = identity.read()?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(read_roots(pem)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(builder.with_single_cert(chain, key)?)
}

fn read_roots(pem: &str) -> Result<RootCertStore, MemoryError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    Ok(roots)
}
