//! Where the lake is, as its settings say, with the secret that opens it.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use windrow_lake::{Azure, AzureUrl, Credential, Place};
use zeroize::Zeroizing;

use crate::config::checked::{self, LakeCredential};
use crate::datadir::DataDir;
use crate::exit::Hint as _;

/// Bytes of a file with a key or a signature.
const SECRET_BYTES: u64 = 16 << 10;

/// The place of a data folder's lake.
///
/// # Errors
/// The secret cannot be read, is open to others, or is none.
pub(crate) fn of(config: &checked::Lake, data_dir: &DataDir) -> anyhow::Result<Place> {
    match &config.azure {
        None => Ok(Place::Folder(data_dir.lake())),
        Some(azure) => Ok(Place::Azure(in_azure(azure, &data_dir.lake())?)),
    }
}

/// The place in Azure's storage; `scratch` is for files that are read or made in one piece.
///
/// # Errors
/// As [`of`].
pub(crate) fn in_azure(azure: &checked::AzureLake, scratch: &Path) -> anyhow::Result<Azure> {
    let url: AzureUrl = azure.url.parse().context("[lake] url")?;
    let credential = match &azure.credential {
        LakeCredential::KeyFile(file) => Credential::Key(secret(file)?),
        LakeCredential::SasFile(file) => Credential::Sas(secret(file)?),
        LakeCredential::Credential(_) => Credential::ManagedIdentity,
    };
    Ok(Azure::new(url, &credential, scratch.join("scratch"))?)
}

/// What a file that only its owner may read has on its one line.
fn secret(path: &Path) -> anyhow::Result<SecretString> {
    let file = fs_err::File::open(path).context("[lake] the credential cannot be read")?;
    closed_to_others(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES).read_to_string(&mut text)?;
    match text.trim() {
        "" => bail!(
            "{} is empty: it has to hold the lake's credential",
            path.display()
        ),
        secret => Ok(SecretString::from(secret)),
    }
}

#[cfg(unix)]
fn closed_to_others(path: &Path, file: &fs_err::File) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let error = anyhow::anyhow!(
        "{path} is open to others (mode {mode:04o}), and holds the lake's credential"
    );
    Err(error).hint(format!("chmod 600 {path}"))
}

#[cfg(not(unix))]
fn closed_to_others(_path: &Path, _file: &fs_err::File) -> anyhow::Result<()> {
    Ok(())
}
