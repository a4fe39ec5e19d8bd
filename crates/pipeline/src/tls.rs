//! TLS for every listener and every connection: rustls with aws-lc-rs, chosen here and nowhere else.
//!
//! Invariants: the provider is passed to every configuration, never installed for the process. A
//! server that collects asks each client for a certificate and takes none without. Keys are read
//! only from files that nobody but their owner can read. An error names the file.

mod memory;

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

pub use self::memory::{IdentityPem, MemoryError, client_config_from_pem, server_config_from_pem};
use crate::limits::{PEER_NAME_BYTES_MAX, PEM_BYTES_MAX};

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than any bundle of certificates.
    #[error("{} is over {PEM_BYTES_MAX} bytes, which is no certificate or key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM.
    #[error("{} is not PEM (\"-----BEGIN …\" in Base64)", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// No certificate in a file that has to hold one.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that cannot be used.
    #[error("certificate {place} of {} cannot be used: {reason}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Which one, the first is 1.
        place: usize,
        /// Why.
        reason: String,
    },
    /// No private key in a file that has to hold one.
    #[error("{} holds no private key in the clear (PKCS #8, PKCS #1 or SEC1); decrypt an encrypted one with \"openssl pkey\"", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the private key.
    #[error("private key {} can be read by others (mode {mode:04o}); run \"chmod 600\" on it", path.display())]
    KeyPermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Certificate and key cannot be used together, or not at all.
    #[error("certificate {} and key {} cannot be used", certificate.display(), key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The system has no certificate authorities.
    #[error(
        "the system's certificate authorities cannot be loaded: {reason}; name a file of them instead"
    )]
    SystemRoots {
        /// Why.
        reason: String,
    },
    /// Not the name of a server.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// What was given.
        name: String,
    },
    /// The provider does not have what TLS 1.2 and 1.3 need; not a matter of settings.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    /// The verifier of client certificates cannot be made.
    #[error("{} cannot be used to check client certificates", path.display())]
    Verifier {
        /// The file of the authorities.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::server::VerifierBuilderError,
    },
}

/// The provider of every configuration in this program.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

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

/// The configuration of a client that checks the server's certificate and name, and shows its own
/// certificate when it has one.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn client_config(
    roots: &Roots,
    identity: Option<&IdentityFiles>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match roots {
        Roots::File(path) => root_store(path, &load_certificates(path)?)?,
        Roots::System => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let chain = load_certificates(&identity.certificate)?;
    let key = load_key(&identity.key)?;
    let config = builder
        .with_client_auth_cert(chain, key)
        .map_err(|source| TlsError::Identity {
            certificate: identity.certificate.clone(),
            key: identity.key.clone(),
            source,
        })?;
    Ok(Arc::new(config))
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

/// The certificates of a PEM file, at least one.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path, open(path)?)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::NotPem {
            path: path.to_owned(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// The private key of a PEM file.
///
/// # Errors
///
/// [`TlsError`], with the file; [`TlsError::KeyPermissions`] when others can read it.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = open(path)?;
    check_key_permissions(path, &file)?;
    let pem = read(path, file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|source| match source {
        rustls_pki_types::pem::Error::NoItemsFound => TlsError::NoKey {
            path: path.to_owned(),
        },
        source => TlsError::NotPem {
            path: path.to_owned(),
            source,
        },
    })
}

fn open(path: &Path) -> Result<std::fs::File, TlsError> {
    std::fs::File::open(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path, file: std::fs::File) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    file.take(PEM_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(TlsError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// Looks at the file that is open, not at the name, which might be another file by now. A key of
/// root's may be readable by a group that this process is in; that is how credentials are handed
/// to a service.
#[cfg(unix)]
fn check_key_permissions(path: &Path, file: &std::fs::File) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if ours || metadata.uid() != 0 {
        0o077
    } else {
        0o037
    };
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(TlsError::KeyPermissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_key_permissions(_path: &Path, _file: &std::fs::File) -> Result<(), TlsError> {
    Ok(())
}

fn root_store(
    path: &Path,
    certificates: &[CertificateDer<'static>],
) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        roots
            .add(certificate.clone())
            .map_err(|error| TlsError::BadCertificate {
                path: path.to_owned(),
                place: index + 1,
                reason: error.to_string(),
            })?;
    }
    Ok(Arc::new(roots))
}

fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(TlsError::SystemRoots { reason });
    }
    Ok(Arc::new(roots))
}

/// The authorities of a server's clients, to tell a client which of them issued its certificate.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<Vec<Authority>>);

#[derive(Debug)]
struct Authority {
    /// The subject's DER, which a certificate repeats as its issuer (RFC 5280 4.1.2.4).
    subject: Vec<u8>,
    /// The subject key identifier, which tells authorities of one name apart.
    key_identifier: Option<Vec<u8>>,
    thumbprint: String,
}

impl Authorities {
    fn new(path: &Path, certificates: &[CertificateDer<'_>]) -> Result<Authorities, TlsError> {
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
                key_identifier,
                thumbprint: thumbprint(der),
            });
        }
        Ok(Authorities(Arc::new(authorities)))
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

#[cfg(test)]
mod tests;
