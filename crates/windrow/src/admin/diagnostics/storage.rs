//! Which account a configuration writes to, and what opens that.

use secrecy::ExposeSecret as _;
use windrow_formats::wad::{Configuration, PrivateStorageAccount};

use super::super::refusal::Refusal;
use super::{DiagnosticsSet, Hidden, Key};
use crate::config::checked::{AccountCredential, DiagnosticsStorage};
use crate::secret_file;

/// The account of a new revision.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) name: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) blob_endpoint: Option<String>,
    /// None where the key in force stays, or nothing is opened.
    pub(super) key: Option<Key>,
    /// Whether endpoint, authority and key in force are of this account.
    pub(super) is_that_in_force: bool,
}

/// What is said with the command counts first, then what the configuration says, then what is in force.
///
/// # Errors
/// An account without a key.
pub(super) fn account(
    set: &DiagnosticsSet,
    configuration: &Configuration,
    current: Option<&DiagnosticsStorage>,
) -> Result<Account, Refusal> {
    let private = configuration.private.as_ref();
    let private = private.and_then(|private| private.storage_account.as_ref());
    let public = configuration.public.as_ref();
    let public = public.and_then(|public| public.storage_account.clone());
    let of_file = filled(public).or_else(|| filled(private.and_then(|of| of.name.clone())));
    let of_force = current.map(|storage| storage.account.clone());
    let name = (set.storage_account.clone()).or(of_file).or(of_force);
    let Some(name) = name else {
        return Ok(Account::default());
    };
    let is_that_in_force = current.is_some_and(|storage| storage.account == name);
    // A key in the file is of the account that the file names with it.
    let private = private.filter(|of| filled(of.name.clone()).is_none_or(|of| of == name));
    let key = set.key.clone().or_else(|| private.and_then(key_of));
    let in_force = current.filter(|_| is_that_in_force);
    // The same file set again brings nothing new.
    let key = key.filter(|key| !in_force.is_some_and(|storage| opens(key, storage)));
    if key.is_none() && !is_that_in_force {
        let message = format!("nothing is said that opens the account {name}");
        return Err(Refusal::invalid(message)
            .hint("--key-file or --sas-file names a file with a key or a signature of it"));
    }
    let said = |service| private.and_then(|of| endpoint_of(of, &name, service));
    Ok(Account {
        endpoint: set.table_endpoint.clone().or_else(|| said("table")),
        blob_endpoint: set.blob_endpoint.clone().or_else(|| said("blob")),
        name: Some(name),
        key,
        is_that_in_force,
    })
}

/// Whether this is what opens the account in force.
fn opens(key: &Key, storage: &DiagnosticsStorage) -> bool {
    let (said, file) = match (key, &storage.credential) {
        (Key::AccountKey(said), AccountCredential::KeyFile(file))
        | (Key::Sas(said), AccountCredential::SasFile(file)) => (said, file),
        _ => return false,
    };
    let in_force = secret_file::read(file, "diagnostics");
    in_force.is_ok_and(|in_force| in_force.expose_secret() == said.expose().trim())
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A signature is used before a key.
fn key_of(private: &PrivateStorageAccount) -> Option<Key> {
    let text = |secret: &Option<windrow_formats::wad::Secret>| {
        let secret = secret.as_ref()?.expose();
        (!secret.is_empty()).then(|| Hidden::new(secret.to_owned()))
    };
    let sas = text(&private.sas_token).map(Key::Sas);
    sas.or_else(|| text(&private.key).map(Key::AccountKey))
}

/// Where the tables or blobs of an account are whose endpoint is not Azure's usual one: `https://core.chinacloudapi.cn` has them at
/// `https://ACCOUNT.table.core.chinacloudapi.cn`.
fn endpoint_of(private: &PrivateStorageAccount, account: &str, service: &str) -> Option<String> {
    let endpoint = private.endpoint.as_ref()?.as_str();
    let endpoint = endpoint.trim().trim_end_matches('/');
    let (scheme, host) = endpoint.split_once("://")?;
    if host.is_empty() || host.eq_ignore_ascii_case("core.windows.net") {
        return None;
    }
    Some(format!("{scheme}://{account}.{service}.{host}"))
}
