//! Where a lake is: in a local folder, or in a container of Azure's blobs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use crate::error::LakeError;
use crate::limits::{BLOB_CONNECT, BLOB_PART_BYTES, BLOB_REQUEST, BLOB_RETRIES, BLOB_RETRY};
use crate::store::blobs::{Blobs, Listing};

/// Where the tables of a lake are.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this folder, one each.
    Folder(PathBuf),
    /// In Azure's blobs.
    Azure(Azure),
}

/// A place in Azure's blobs, what opens it, and a local folder for what is read and written in one piece.
#[derive(Clone, Debug)]
pub struct Azure {
    pub(crate) url: AzureUrl,
    pub(crate) scratch: PathBuf,
    pub(crate) blobs: Arc<dyn ObjectStore>,
    /// Bytes of a data file that go in one request.
    pub(crate) part_bytes: usize,
}

/// What opens the storage. It shows itself nowhere.
#[derive(Clone, Debug)]
pub enum Credential {
    /// One of the account's two keys.
    Key(SecretString),
    /// A shared access signature: the part of its address after the question mark.
    Sas(SecretString),
    /// The identity of the virtual machine this runs on.
    ManagedIdentity,
}

/// A container, or a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureUrl {
    account: String,
    container: String,
    /// Without slashes around it.
    prefix: String,
    /// The emulator's address; none for Azure itself.
    emulator: Option<String>,
}

/// An address that is none of the storage.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct AzureUrlError(String);

/// Takes connections from nobody. With a proxy that is named, the client does not look for others in the environment, which
/// only the configuration may read; and every host there can be goes without it.
const NO_PROXY: &str = "http://127.0.0.1:9";

/// See [`NO_PROXY`]: names, and addresses of both kinds.
const ALL_HOSTS: &str = "*,0.0.0.0/0,::/0";

const HOSTS: [&str; 2] = [".blob.core.windows.net", ".dfs.core.windows.net"];

impl FromStr for AzureUrl {
    type Err = AzureUrlError;

    fn from_str(text: &str) -> Result<AzureUrl, AzureUrlError> {
        let wrong = |what: &str| Err(AzureUrlError(what.to_owned()));
        let Ok(url) = Url::parse(text) else {
            return wrong("it is not an address");
        };
        if url.query().is_some() || url.fragment().is_some() || url.password().is_some() {
            return wrong("no secret belongs into the address: name a file with it");
        }
        let mut parts: Vec<&str> = url.path().split('/').filter(|it| !it.is_empty()).collect();
        if parts.iter().any(|part| !part.chars().all(is_plain)) {
            return wrong("its path may have letters, digits and the characters - _ . only");
        }
        let mut first = |what: &str| match parts.is_empty() {
            true => Err(AzureUrlError(what.to_owned())),
            false => Ok(parts.remove(0).to_owned()),
        };
        let (account, container, emulator) = match url.scheme() {
            "https" | "abfss" => {
                let Some(account) = account(&url) else {
                    return wrong("its host is not one of Azure's storage");
                };
                let container = match (url.scheme(), url.username()) {
                    ("https", "") => first("it names no container")?,
                    ("abfss", name) if !name.is_empty() => name.to_owned(),
                    _ => return wrong("it names no container where one belongs"),
                };
                (account, container, None)
            }
            "http" => {
                let Some(at) = loopback(&url) else {
                    return wrong("without TLS only an emulator on this machine is spoken to");
                };
                let account = first("it names no account")?;
                let endpoint = format!("http://{at}/{account}");
                (account, first("it names no container")?, Some(endpoint))
            }
            _ => return wrong("it begins neither with https:// nor with abfss://"),
        };
        Ok(AzureUrl {
            account,
            container,
            prefix: parts.join("/"),
            emulator,
        })
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

fn account(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|_| url.port().is_none())?;
    let name = HOSTS.iter().find_map(|known| host.strip_suffix(known))?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (!name.is_empty() && name.chars().all(good)).then(|| name.to_owned())
}

/// Host and port of an emulator.
fn loopback(url: &Url) -> Option<String> {
    let is_here = match url.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    let port = url.port_or_known_default()?;
    is_here.then(|| format!("{}:{port}", url.host_str().unwrap_or_default()))
}

impl fmt::Display for AzureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.container())?;
        match self.prefix.as_str() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

impl AzureUrl {
    /// The container's address.
    pub(crate) fn container(&self) -> String {
        let AzureUrl {
            account, container, ..
        } = self;
        match &self.emulator {
            Some(endpoint) => format!("{endpoint}/{container}"),
            None => format!("https://{account}.blob.core.windows.net/{container}"),
        }
    }

    /// How the table format names a table here.
    pub(crate) fn table(&self, name: &str) -> String {
        let host = match &self.emulator {
            Some(_) => "emulator".to_owned(),
            None => format!("{}.dfs.core.windows.net", self.account),
        };
        let path = self.path(name);
        format!("abfss://{}@{host}/{path}/", self.container)
    }

    /// Where a table is in the container.
    pub(crate) fn path(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }
}

impl Azure {
    /// The storage at this address. Nothing is connected to yet.
    ///
    /// # Errors
    /// The credential has not the form of one.
    pub fn new(
        url: AzureUrl,
        credential: &Credential,
        scratch: PathBuf,
    ) -> Result<Azure, LakeError> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: BLOB_RETRIES,
            retry_timeout: BLOB_RETRY,
        };
        let client = ClientOptions::new()
            .with_connect_timeout(BLOB_CONNECT)
            .with_timeout(BLOB_REQUEST)
            .with_proxy_url(NO_PROXY)
            .with_proxy_excludes(ALL_HOSTS)
            .with_allow_http(url.emulator.is_some());
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(&url.account)
            .with_container_name(&url.container)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &url.emulator {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let mut expires = None;
        builder = match credential {
            Credential::Key(key) => builder.with_access_key(key.expose_secret()),
            Credential::Sas(sas) => {
                expires = expiry(sas.expose_secret());
                builder.with_config(AzureConfigKey::SasKey, sas.expose_secret())
            }
            Credential::ManagedIdentity => builder,
        };
        // What it says of it could show a part of it.
        let store = builder.build().map_err(|_| LakeError::Credential {
            place: url.to_string(),
        })?;
        let listing = match url.emulator {
            Some(_) => Listing::Whole,
            None => Listing::FromOffset,
        };
        let blobs = Blobs::new(Arc::new(store), listing, expires);
        Ok(Azure {
            url,
            scratch,
            blobs: Arc::new(blobs),
            part_bytes: BLOB_PART_BYTES,
        })
    }
}

impl Azure {
    /// Asks the storage for one name in the place.
    ///
    /// # Errors
    /// It cannot be reached, has no such container or does not accept the credential.
    pub async fn reach(&self) -> Result<(), LakeError> {
        let prefix = self.url.path("");
        let prefix = object_store::path::Path::from(prefix);
        let mut names = self.blobs.list(Some(&prefix));
        let first = names.try_next().await;
        first.map_err(|error| LakeError::table("reach")(error.into()))?;
        Ok(())
    }
}

/// When a shared access signature ends.
fn expiry(sas: &str) -> Option<Timestamp> {
    let sas = sas.trim_start_matches('?');
    let mut pairs = url::form_urlencoded::parse(sas.as_bytes());
    let (_, end) = pairs.find(|(name, _)| name == "se")?;
    end.parse().ok()
}

impl From<&Path> for Place {
    fn from(folder: &Path) -> Place {
        Place::Folder(folder.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(folder: &PathBuf) -> Place {
        Place::Folder(folder.clone())
    }
}

#[cfg(test)]
mod tests;
