//! The side that listens: what collects takes only clients with a certificate of its authorities; the endpoint that
//! administers may ask for something else instead, and then takes a certificate from whoever has one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientCertVerifierBuilder, NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::authorities::Authorities;
use super::error::TlsError;
use super::files::{load_certificates, load_key, root_store};
use super::provider;
use super::revocation::RevocationLists;

/// What is spoken over TLS (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";
/// What is spoken to machines: Windows Server 2012 R2 knows nothing newer than 1.2.
pub(super) const VERSIONS: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A server's configuration and the authorities that its clients' certificates come from.
#[derive(Debug, Clone)]
pub struct Server {
    /// For a TLS acceptor.
    pub config: Arc<ServerConfig>,
    /// For naming the issuer of a client's certificate.
    pub authorities: Authorities,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Another one when other certificates are revoked, or lists that are overdue are taken for something else.
    revocation: Vec<u8>,
}

impl Server {
    /// Whether a client that came in by these certificates, its own first, would be let in now: its authority may have
    /// been replaced since, its certificate revoked, its time over.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn still_takes(&self, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let (leaf, others) = chain
            .split_first()
            .ok_or(rustls::Error::NoCertificatesPresented)?;
        let verified = (self.verifier).verify_client_cert(leaf, others, UnixTime::now());
        verified.map(drop)
    }

    /// Whether both take the same clients: of the same authorities, and none of the same revoked ones.
    #[must_use]
    pub fn takes_the_same_clients(&self, other: &Server) -> bool {
        self.authorities == other.authorities && self.revocation == other.revocation
    }
}

/// Which certificates of clients are revoked (RFC 5280 5).
#[derive(Debug, Clone, Copy, Default)]
pub struct Revocation<'a> {
    /// Files with lists of them, signed by the authorities of the clients. A client's certificate is looked for in the
    /// list of its own authority; where there is none of that authority, nothing of it is revoked.
    pub lists: &'a [PathBuf],
    /// What a list says whose successor is overdue.
    pub expired: ExpiredLists,
}

/// What is done with a list whose authority promised another one by now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExpiredLists {
    /// It counts: what was revoked is revoked.
    #[default]
    Use,
    /// Nobody of its authority is taken until there is another.
    Refuse,
}

/// The configuration of a server that takes only clients with a certificate of `client_ca`, on each
/// connection anew: no session is resumed.
///
/// `certificate` may hold the certificates between the server's and its root. `client_ca` may hold
/// several authorities; each is trusted as it is, so an intermediate one need not come with the
/// client's certificate, and Windows does not send it.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn server_config(
    certificate: &Path,
    key: &Path,
    client_ca: &Path,
    revocation: Revocation<'_>,
) -> Result<Server, TlsError> {
    let authority_certificates = load_certificates(client_ca)?;
    let lists = RevocationLists::read(revocation.lists)?;
    let mut fingerprint = lists.fingerprint();
    fingerprint.push(u8::from(revocation.expired == ExpiredLists::Refuse));
    let verifier = verifier(client_ca, &authority_certificates)?
        .with_crls(lists.lists)
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status();
    let verifier = match revocation.expired {
        ExpiredLists::Use => verifier,
        ExpiredLists::Refuse => verifier.enforce_revocation_expiration(),
    };
    let authorities = Authorities::new(client_ca, &authority_certificates)?;
    let verifier: Arc<dyn ClientCertVerifier> =
        verifier.build().map_err(|source| TlsError::Verifier {
            path: client_ca.to_owned(),
            source,
        })?;
    let mut config = with_identity(certificate, key, Arc::clone(&verifier))?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    resumes_nothing(&mut config);
    Ok(Server {
        verifier,
        config: Arc::new(config),
        authorities,
        revocation: fingerprint,
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
    resumes_nothing(&mut config);
    Ok(Arc::new(config))
}

/// Each connection proves anew who its client is: a certificate that has expired is one at once.
fn resumes_nothing(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
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
        .with_protocol_versions(VERSIONS)
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
