//! Lists of revoked certificates (RFC 5280 5), from files.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, SHA256};
use jiff::Timestamp;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::error::TlsError;
use super::files;

/// What a list says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The file it was read from.
    pub path: PathBuf,
    /// Whose certificates it is about, as a distinguished name.
    pub issuer: String,
    /// When its authority promised the next one; none when it promised nothing.
    pub next_update: Option<Timestamp>,
    /// How many certificates are on it.
    pub revoked: usize,
}

/// The lists of some files, to check certificates against.
#[derive(Debug, Default)]
pub(super) struct RevocationLists {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    pub(super) about: Vec<RevocationList>,
}

impl RevocationLists {
    /// Reads each file: PEM with one list or several, or DER, as Windows' authorities publish it.
    pub(super) fn read(paths: &[PathBuf]) -> Result<RevocationLists, TlsError> {
        let mut read = RevocationLists::default();
        for path in paths {
            for list in of_file(path)? {
                read.about.push(about(path, &list)?);
                read.lists.push(list);
            }
        }
        Ok(read)
    }

    /// The same for the same lists, whatever files they came from.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&SHA256);
        for list in &self.lists {
            context.update(&(list.len() as u64).to_le_bytes());
            context.update(list);
        }
        context.finish().as_ref().to_owned()
    }
}

/// What the lists of these files say of themselves.
///
/// # Errors
///
/// [`TlsError`], with the file.
pub fn revocation_lists(paths: &[PathBuf]) -> Result<Vec<RevocationList>, TlsError> {
    Ok(RevocationLists::read(paths)?.about)
}

fn of_file(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let bytes = files::read_revocation_lists(path)?;
    // DER begins with the tag of a sequence, and PEM with words.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(bytes.to_vec())]);
    }
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::NotPem {
            path: path.to_owned(),
            source,
        })?;
    if lists.is_empty() {
        return Err(TlsError::NoRevocationList {
            path: path.to_owned(),
        });
    }
    Ok(lists)
}

fn about(path: &Path, list: &CertificateRevocationListDer<'_>) -> Result<RevocationList, TlsError> {
    let bad = |reason: String| TlsError::BadRevocationList {
        path: path.to_owned(),
        reason,
    };
    let (rest, parsed) = CertificateRevocationList::from_der(list)
        .map_err(|_| bad("it is cut off, or not DER".to_owned()))?;
    if !rest.is_empty() {
        return Err(bad("something follows it".to_owned()));
    }
    let next_update = parsed.next_update().map(|time| time.timestamp());
    Ok(RevocationList {
        path: path.to_owned(),
        issuer: parsed.issuer().to_string(),
        next_update: next_update.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        revoked: parsed.iter_revoked_certificates().count(),
    })
}
