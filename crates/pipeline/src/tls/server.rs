//! The side that listens: it takes only clients with a certificate of its authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::authorities::Authorities;
use super::error::TlsError;
use super::files::{load_certificates, load_key, root_store};
use super::provider;

/// A server's configuration and the authorities that its clients' certificates come from.
#[derive(Debug, Clone)]
pub struct Server {
    /// For a TLS acceptor.
    pub config: Arc<ServerConfig>,
    /// For naming the issuer of a client's certificate.
    pub authorities: Authorities,
}

/// The configuration of a server that takes only clients with a certificate of `client_ca`.
///
/// `certificate` may hold the certificates between the server's and its root. `client_ca` may hold
/// several authorities; each is trusted as it is, so an intermediate one need not come with the
/// client's certificate, and Windows does not send it.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn server_config(certificate: &Path, key: &Path, client_ca: &Path) -> Result<Server, TlsError> {
    let provider = provider();
    let chain = load_certificates(certificate)?;
    let private_key = load_key(key)?;
    let authority_certificates = load_certificates(client_ca)?;
    let roots = root_store(client_ca, &authority_certificates)?;
    let authorities = Authorities::new(client_ca, &authority_certificates)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|source| TlsError::Verifier {
            path: client_ca.to_owned(),
            source,
        })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private_key)
        .map_err(|source| TlsError::Identity {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        })?;
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Server {
        config: Arc::new(config),
        authorities,
    })
}
