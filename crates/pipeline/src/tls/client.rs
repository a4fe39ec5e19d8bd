//! The side that connects: whom it believes, what it checks, and the certificate it shows.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::check::{ServerCheck, Verifier};
use super::error::TlsError;
use super::files::{load_certificates, load_key, root_store, system_roots};
use super::provider;
use super::summary::CertificateSummary;

/// Which authorities a client believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those in a PEM file, and no others.
    File(PathBuf),
}

/// A certificate with its chain, and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, then those between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A client's configuration, and what it was made of.
#[derive(Debug, Clone)]
pub struct Client {
    /// For a TLS connector.
    pub config: Arc<ClientConfig>,
    check: ServerCheck,
    pub(super) verifier: Arc<Verifier>,
    certificate: Option<Arc<CertificateSummary>>,
    material: Material,
}

/// What a client's authorities, certificates and key are, without being them: two clients that were
/// made at different times of the same files have the same, unless a file holds something else now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Material([u8; digest::SHA256_OUTPUT_LEN]);

impl Material {
    fn of(
        roots: Option<&RootCertStore>,
        identity: Option<&(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Material {
        // The system's authorities come in the order of a folder.
        let mut parts: Vec<_> = roots
            .iter()
            .flat_map(|roots| &roots.roots)
            .map(|root| {
                let constraints = root.name_constraints.as_deref().unwrap_or_default();
                of_parts([
                    &root.subject[..],
                    &root.subject_public_key_info[..],
                    constraints,
                ])
            })
            .collect();
        parts.sort_unstable();
        if let Some((chain, key)) = identity {
            parts.extend(chain.iter().map(|certificate| of_parts([&certificate[..]])));
            parts.push(of_parts([key.secret_der()]));
        }
        Material(of_parts(parts.iter().map(<[u8; _]>::as_slice)))
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material(…)")
    }
}

/// The SHA-256 of `parts`, each with its length.
fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

impl Client {
    /// `roots` may be missing only where `check` does without.
    pub(super) fn new(
        roots: Option<Arc<RootCertStore>>,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        check: ServerCheck,
    ) -> Result<Client, rustls::Error> {
        let material = Material::of(roots.as_deref(), identity.as_ref());
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier = Arc::new(Verifier::new(check.clone(), roots, algorithms));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut certificate = None;
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                certificate = chain.first().and_then(CertificateSummary::of).map(Arc::new);
                builder.with_client_auth_cert(chain, key)?
            }
        };
        // A resumed session shows no certificate: one that has expired would go on for ever. And a
        // server of OpenSSL's that checks its clients refuses to resume, with an alert.
        config.resumption = Resumption::disabled();
        Ok(Client {
            config: Arc::new(config),
            check,
            verifier,
            certificate,
            material,
        })
    }

    /// What it was made of, to see whether that has changed since.
    #[must_use]
    pub fn material(&self) -> Material {
        self.material
    }

    /// How it checks its server.
    #[must_use]
    pub fn check(&self) -> &ServerCheck {
        &self.check
    }

    /// The certificate it shows to a server that asks for one.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateSummary> {
        self.certificate.as_deref()
    }
}

/// The configuration of a client that checks the server as `check` says, and shows its own
/// certificate when it has one.
///
/// Where `check` does without authorities, those of the system may be missing; a file that is named
/// has to be there.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn client_config(
    roots: &Roots,
    identity: Option<&IdentityFiles>,
    check: ServerCheck,
) -> Result<Client, TlsError> {
    let roots = match (roots, &check) {
        (Roots::File(path), _) => Some(root_store(path, &load_certificates(path)?)?),
        (Roots::System, ServerCheck::Full | ServerCheck::SkipName) => Some(system_roots()?),
        (Roots::System, ServerCheck::Pinned(_) | ServerCheck::None) => system_roots().ok(),
    };
    let Some(files) = identity else {
        return Client::new(roots, None, check).map_err(TlsError::Setup);
    };
    let identity = (
        load_certificates(&files.certificate)?,
        load_key(&files.key)?,
    );
    Client::new(roots, Some(identity), check).map_err(|source| TlsError::Identity {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}

/// The name that a server's certificate has to carry: a DNS name or an IP address.
///
/// # Errors
///
/// [`TlsError::ServerName`].
pub fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName {
        name: name.to_owned(),
    })
}
