//! Where an account's storage is, and what opens it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use http::uri::Scheme;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::limits::SAS_BYTES_MAX;

/// The cloud that an account is in where nothing else is said.
const PUBLIC_CLOUD: &str = "core.windows.net";

/// The account that the emulator has.
const EMULATED: &str = "devstoreaccount1";

/// What opens an account.
#[derive(Clone, Debug)]
pub enum Credential {
    /// One of its two keys, in Base64.
    Key(SecretString),
    /// A shared access signature: what follows the question mark in its address, with or without it.
    Sas(SecretString),
}

/// Where an account's services are, where that is not in the public cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The URL of its tables.
    pub table: Option<String>,
    /// The URL of its blobs.
    pub blob: Option<String>,
}

impl Endpoints {
    /// Those of an account in the cloud of this suffix, such as `core.chinacloudapi.cn`. A URL is taken for its host, since
    /// configurations of Azure Diagnostics have `https://core.windows.net/`.
    pub fn of_cloud(account: &str, suffix: &str) -> Endpoints {
        let suffix = suffix.trim().trim_start_matches("https://");
        let suffix = suffix.trim_end_matches('/').trim_matches('.');
        Endpoints {
            table: Some(format!("https://{account}.table.{suffix}")),
            blob: Some(format!("https://{account}.blob.{suffix}")),
        }
    }
}

/// Why something is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The name.
    #[error("{name:?} is no name of a storage account: 3 to 24 small letters and digits")]
    Name {
        /// It, cut.
        name: String,
    },
    /// The key.
    #[error(
        "what is given as the key of the storage account {account} is not Base64; copy it as the portal shows it under \
         \"Access keys\""
    )]
    Key {
        /// Whose.
        account: String,
    },
    /// The shared access signature.
    #[error(
        "what is given as the shared access signature of the storage account {account} is none: it is what follows the \
         question mark in its address, and has sig="
    )]
    Sas {
        /// Whose.
        account: String,
    },
    /// An address.
    #[error(
        "{url:?} is no address of a storage service, such as https://acme.table.core.windows.net"
    )]
    Endpoint {
        /// It, without what follows a question mark.
        url: String,
    },
    /// An address where everybody between could read along.
    #[error("{url} is plain HTTP, which is for an emulator on this machine alone; use https://")]
    Plain {
        /// It.
        url: String,
    },
}

/// Where an account's storage is, and what opens it. Its debug output shows no secret.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    name: String,
    opens: Opens,
    tables: Endpoint,
    blobs: Endpoint,
}

/// What opens an account, as it is used.
pub(super) enum Opens {
    Key(Box<hmac::Key>),
    Sas(Sas),
}

/// A shared access signature.
pub(super) struct Sas {
    /// Without a question mark.
    pub(super) query: SecretString,
    /// Its `sig`, as it stands there and decoded.
    pub(super) signature: [Zeroizing<String>; 2],
    /// From when it holds, where it says so itself.
    pub(super) begins: Option<Timestamp>,
    /// Until when.
    pub(super) ends: Option<Timestamp>,
    /// Its `sp`: a letter for each permission.
    pub(super) permissions: String,
}

/// One of the services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) is_plain: bool,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As it stands in `Host`.
    pub(super) authority: String,
    /// What every path begins with: nothing, or the account's name after a slash, as the emulator has it. Since it is part of
    /// the path it is signed with it, beside the name that stands in what is signed anyway.
    pub(super) base: String,
}

impl Account {
    /// An account by its name.
    ///
    /// # Errors
    /// [`AccountError`], without a secret.
    pub fn new(
        name: &str,
        credential: Credential,
        endpoints: Endpoints,
    ) -> Result<Account, AccountError> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(3..=24).contains(&name.len()) || !name.bytes().all(is_name) {
            let name = name.chars().take(80).collect();
            return Err(AccountError::Name { name });
        }
        let usual = Endpoints::of_cloud(name, PUBLIC_CLOUD);
        let endpoint = |given: Option<String>, usual: Option<String>| {
            Endpoint::of(&given.or(usual).unwrap_or_default())
        };
        Ok(Account(Arc::new(Inner {
            name: name.to_owned(),
            opens: Opens::of(name, &credential)?,
            tables: endpoint(endpoints.table, usual.table)?,
            blobs: endpoint(endpoints.blob, usual.blob)?,
        })))
    }

    /// The account of an emulator on this machine: `devstoreaccount1`, at its usual ports where no URL is given.
    ///
    /// # Errors
    /// [`AccountError`], without a secret.
    pub fn emulator(
        table: Option<&str>,
        blob: Option<&str>,
        credential: Credential,
    ) -> Result<Account, AccountError> {
        let url = |given: Option<&str>, port: u16| match given {
            Some(url) => url.to_owned(),
            None => format!("http://127.0.0.1:{port}/{EMULATED}"),
        };
        let endpoints = Endpoints {
            table: Some(url(table, 10_002)),
            blob: Some(url(blob, 10_000)),
        };
        Account::new(EMULATED, credential, endpoints)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn opens(&self) -> &Opens {
        &self.0.opens
    }

    pub(super) fn tables(&self) -> &Endpoint {
        &self.0.tables
    }

    pub(super) fn blobs(&self) -> &Endpoint {
        &self.0.blobs
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opens = match &self.0.opens {
            Opens::Key(_) => "key",
            Opens::Sas(_) => "shared access signature",
        };
        f.debug_struct("Account")
            .field("name", &self.0.name)
            .field("opens", &opens)
            .field("tables", &self.0.tables.url())
            .field("blobs", &self.0.blobs.url())
            .finish()
    }
}

impl Opens {
    fn of(account: &str, credential: &Credential) -> Result<Opens, AccountError> {
        let account = || account.to_owned();
        match credential {
            Credential::Key(key) => {
                let key = BASE64
                    .decode(key.expose_secret().trim())
                    .map(Zeroizing::new);
                match key {
                    Ok(key) if !key.is_empty() => {
                        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                        Ok(Opens::Key(Box::new(key)))
                    }
                    _ => Err(AccountError::Key { account: account() }),
                }
            }
            Credential::Sas(sas) => Sas::of(sas.expose_secret())
                .map(Opens::Sas)
                .ok_or_else(|| AccountError::Sas { account: account() }),
        }
    }
}

impl Sas {
    fn of(text: &str) -> Option<Sas> {
        let query = text.trim().trim_start_matches('?');
        let is_query =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>');
        if query.len() > SAS_BYTES_MAX || !query.bytes().all(is_query) {
            return None;
        }
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
        };
        let moment = |name: &str| {
            // The time may be written without seconds, or be missing.
            let text = decoded(value(name)?);
            let full = || text.parse().ok();
            let minutes = || format!("{}:00Z", text.strip_suffix('Z')?).parse().ok();
            full()
                .or_else(minutes)
                .or_else(|| format!("{text}T00:00:00Z").parse().ok())
        };
        let signature = value("sig")?;
        Some(Sas {
            signature: [
                Zeroizing::new(signature.to_owned()),
                Zeroizing::new(decoded(signature)),
            ],
            begins: moment("st"),
            ends: moment("se"),
            permissions: decoded(value("sp").unwrap_or_default())
                .chars()
                .filter(char::is_ascii_alphabetic)
                .collect(),
            query: SecretString::from(query.to_owned()),
        })
    }
}

/// A value of a query without the encoding of a URL; what is not encoded right stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        (rest, _) = match (byte, hex) {
            (b'%', Some(byte)) => (&after[2..], bytes.push(byte)),
            _ => (after, bytes.push(byte)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Endpoint {
    fn of(url: &str) -> Result<Endpoint, AccountError> {
        // What follows may be a shared access signature, which no error shows.
        let shown = url.split('?').next().unwrap_or_default();
        let none = || AccountError::Endpoint {
            url: shown.chars().take(200).collect(),
        };
        let uri: Uri = url.trim().parse().map_err(|_| none())?;
        let authority = uri.authority().ok_or_else(none)?;
        let is_plain = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => false,
            Some(scheme) if *scheme == Scheme::HTTP => true,
            _ => return Err(none()),
        };
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(none());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if is_plain && !is_loopback(host) {
            return Err(AccountError::Plain {
                url: shown.chars().take(200).collect(),
            });
        }
        let usual = if is_plain { 80 } else { 443 };
        Ok(Endpoint {
            is_plain,
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(usual),
            authority: authority.as_str().to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        format!("{scheme}://{}{}", self.authority, self.base)
    }
}

/// Whether a host is this machine by its address; a name could be another one's.
fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}
