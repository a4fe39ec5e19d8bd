//! Where the lake is, as its settings say, with the secret that opens it.

use std::path::Path;

use anyhow::Context as _;
use windrow_lake::{Azure, AzureUrl, Credential, Place};

use crate::config::checked::{self, LakeCredential};
use crate::datadir::DataDir;
use crate::secret_file;

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
        LakeCredential::KeyFile(file) => Credential::Key(secret_file::read(file, "[lake]")?),
        LakeCredential::SasFile(file) => Credential::Sas(secret_file::read(file, "[lake]")?),
        LakeCredential::Credential(_) => Credential::ManagedIdentity,
    };
    Ok(Azure::new(url, &credential, scratch.join("scratch"))?)
}
