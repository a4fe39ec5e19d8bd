//! A certificate for a machine without a domain: a PFX file that only whoever has its password opens.

use std::path::Path;

use rand::TryRng as _;
use rand::rngs::SysRng;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use windrow_pipeline::tls::pfx::{self, PfxError};

use super::files::{File, Secrecy};
use crate::pki::{Authority, PkiError};

/// What a password is made of: characters that nobody mistakes for another; 32 of them, so that each is five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password: 150 bits.
const PASSWORD_CHARS: usize = 30;

/// What follows a machine's name in that of its certificate's file.
pub const PFX: &str = ".pfx";
/// What follows it in that of the password's.
pub const PASSWORD: &str = ".password.txt";

/// Why a machine has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// It could not be put into a PFX file.
    #[error("cannot write a PFX file")]
    Pfx(#[from] PfxError),
    /// What was made cannot be read.
    #[error("the certificate that was made cannot be read")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The system has no chance to give.
    #[error("the system gives no random numbers: {0}")]
    Chance(String),
}

/// The files of one machine: its PFX and the password in `folder`, and its certificate, which is no secret, in `record`.
///
/// # Errors
/// [`ClientError`].
pub fn files(
    authority: &Authority,
    machine: &str,
    folder: &Path,
    record: &Path,
) -> Result<Vec<File>, ClientError> {
    let issued = authority.client(machine)?;
    let password = password()?;
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes())?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(issued.key_pem.as_bytes())?;
    let pfx = pfx::write(&[certificate], &key, &password)?;
    let text = format!("{}\r\n", password.expose_secret());
    Ok(vec![
        File {
            path: folder.join(format!("{machine}{PFX}")),
            content: pfx.to_vec(),
            secrecy: Secrecy::Private,
        },
        File {
            path: folder.join(format!("{machine}{PASSWORD}")),
            content: text.into_bytes(),
            secrecy: Secrecy::Private,
        },
        File {
            path: record.join(format!("{machine}.pem")),
            content: issued.certificate_pem.into_bytes(),
            secrecy: Secrecy::Public,
        },
    ])
}

fn password() -> Result<SecretString, ClientError> {
    let mut bytes = [0; PASSWORD_CHARS];
    let filled = SysRng.try_fill_bytes(&mut bytes);
    filled.map_err(|error| ClientError::Chance(error.to_string()))?;
    let chars = bytes.iter().map(|byte| {
        let at = usize::from(byte % 32);
        char::from(ALPHABET[at])
    });
    Ok(SecretString::from(chars.collect::<String>()))
}
