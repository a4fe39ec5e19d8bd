//! The side that listens: what collects takes only clients with a certificate of its authorities; the endpoint that
//! administers may ask for something else instead, and then takes a certificate from whoever has one.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientCertVerifierBuilder, NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier,
};
use rustls_pki_types::CertificateDer;

use super::authorities::Authorities;
use super::error::TlsError;
use super::files::{load_certificates, load_key, root_store};
use super::provider;

/// What is spoken over TLS (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

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
    let authority_certificates = load_certificates(client_ca)?;
    let verifier = verifier(client_ca, &authority_certificates)?;
    let authorities = Authorities::new(client_ca, &authority_certificates)?;
    let verifier = verifier.build().map_err(|source| TlsError::Verifier {
        path: client_ca.to_owned(),
        source,
    })?;
    let mut config = with_identity(certificate, key, verifier)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Server {
        config: Arc::new(config),
        authorities,
    })
}

/// The configuration of a server that asks who its clients are in another way too: it takes a client without a
/// certificate, and one with a certificate of `client_ca`, if that is named. Nothing is resumed: each connection proves
/// anew who it is, so that a certificate that has expired is one at once.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn open_server_config(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let asked: Arc<dyn ClientCertVerifier> = match client_ca {
        None => Arc::new(NoClientAuth),
        Some(client_ca) => {
            let verifier = verifier(client_ca, &load_certificates(client_ca)?)?;
            let verifier = verifier.allow_unauthenticated().build();
            verifier.map_err(|source| TlsError::Verifier {
                path: client_ca.to_owned(),
                source,
            })?
        }
    };
    let mut config = with_identity(certificate, key, asked)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn verifier(
    client_ca: &Path,
    certificates: &[CertificateDer<'static>],
) -> Result<ClientCertVerifierBuilder, TlsError> {
    let roots = root_store(client_ca, certificates)?;
    Ok(WebPkiClientVerifier::builder_with_provider(
        roots,
        provider(),
    ))
}

fn with_identity(
    certificate: &Path,
    key: &Path,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, TlsError> {
    let chain = load_certificates(certificate)?;
    let private_key = load_key(key)?;
    let mut config = ServerConfig::builder_with_provider(provider())
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
    Ok(config)
}
