//! Certificates and keys from PEM files, and the system's authorities.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::error::TlsError;
use crate::limits::{PEM_BYTES_MAX, REVOCATION_LIST_BYTES_MAX};

/// Room beyond a file's length to read it without another buffer: its end is seen by a read of
/// nothing, for which there has to be room.
const READ_ROOM_BYTES: usize = 64;

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

/// A file with lists of revoked certificates.
pub(super) fn read_revocation_lists(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bytes = read_up_to(path, open(path)?, REVOCATION_LIST_BYTES_MAX)?;
    bytes.ok_or_else(|| TlsError::BadRevocationList {
        path: path.to_owned(),
        reason: format!("it is over {REVOCATION_LIST_BYTES_MAX} bytes"),
    })
}

fn read(path: &Path, file: std::fs::File) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bytes = read_up_to(path, file, PEM_BYTES_MAX)?;
    bytes.ok_or_else(|| TlsError::TooLarge {
        path: path.to_owned(),
    })
}

/// The bytes of a file; none when there are more. They may be a key's, so they are wiped when they
/// are done with, and lie in one place: a buffer that grew would leave what it had behind.
fn read_up_to(
    path: &Path,
    file: std::fs::File,
    most: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, TlsError> {
    let failed = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let known = file.metadata().map_err(failed)?.len();
    let room = usize::try_from(known.min(most)).unwrap_or_default() + READ_ROOM_BYTES;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// Looks at the file that is open, not at the name, which might be another file by now.
fn check_key_permissions(path: &Path, file: &std::fs::File) -> Result<(), TlsError> {
    let metadata = file.metadata().map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })?;
    match readable_by_others(&metadata) {
        None => Ok(()),
        Some(mode) => Err(TlsError::KeyPermissions {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// The permission bits of a file with a secret in it, if others can read it. One of root's may be
/// readable by a group that this process is in; that is how credentials are handed to a service.
#[cfg(unix)]
pub(crate) fn readable_by_others(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if ours || metadata.uid() != 0 {
        0o077
    } else {
        0o037
    };
    let mode = metadata.mode() & 0o7777;
    (mode & forbidden != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) fn readable_by_others(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}

pub(super) fn root_store(
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

pub(super) fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
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
