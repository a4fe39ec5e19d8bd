//! What can be asked about the certificate that this side shows to receivers (`Set-SyslogClient`, `Get-SyslogClient`).
//!
//! A certificate with its key comes as a PFX, is checked, and lies from then on in `pki/syslog-client` of the data
//! folder, readable by its owner only. What is secret is in no answer, record or log; what is read of it is
//! wiped when it goes, and the buffers of the connection that it came over are not.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use rustls_pki_types::UnixTime;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use windrow_pipeline::tls::pfx::{self, ClientIdentity};
use windrow_pipeline::tls::{self, CertificateSummary};
use zeroize::Zeroizing;

use super::refusal::{Refusal, RefusalKind};
use crate::config::checked;
use crate::datadir;

/// The folder of the client's certificates, in the data folder.
const FOLDER: &str = "pki/syslog-client";

/// Sets the certificate that this side shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSet {
    /// The PFX file, in Base64.
    #[serde(deserialize_with = "secret")]
    pub pfx: SecretString,
    /// Its password; none is the empty one.
    #[serde(default, deserialize_with = "secret")]
    pub password: SecretString,
}

/// A text that is wiped when it goes.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl ClientSet {
    /// A request with the bytes of a PFX file.
    #[must_use]
    pub fn new(pfx: &[u8], password: SecretString) -> ClientSet {
        ClientSet {
            pfx: BASE64.encode(pfx).into(),
            password,
        }
    }

    /// The JSON of the request, secrets and all.
    ///
    /// # Errors
    /// None that a text could bring about.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Bare<'a> {
            pfx: &'a str,
            password: &'a str,
        }
        serde_json::to_vec(&Bare {
            pfx: self.pfx.expose_secret(),
            password: self.password.expose_secret(),
        })
    }

    /// Reads the PFX and checks what is in it.
    ///
    /// # Errors
    /// It cannot be read, or its certificate is not one for this deployment.
    pub(super) fn open(&self, config: &checked::Config) -> Result<Opened, Refusal> {
        let bytes = BASE64.decode(self.pfx.expose_secret().trim());
        let bytes = Zeroizing::new(bytes.map_err(|_| Refusal::invalid("the PFX is not Base64"))?);
        let identity = pfx::read(&bytes, &self.password);
        let identity = identity.map_err(|error| Refusal::invalid(error.to_string()))?;
        let mut warnings = Vec::new();
        match &config.tls.deployment_root {
            Some(root) => leads_to(&identity, root)?,
            None => {
                is_valid(&identity)?;
                warnings.push(NO_ROOT.to_owned());
            }
        }
        let subject = identity.summary();
        Ok(Opened {
            subject: subject.map_or_else(String::new, |summary| summary.subject),
            identity,
            warnings,
        })
    }
}

/// Said where there is nothing to check the certificate against.
const NO_ROOT: &str = "[tls] deployment_root is not set in windrow.toml: whether the certificate leads to the root that \
                       the deployment trusts was not checked";

/// How the private key is kept.
const KEPT: &str = "in the data folder, readable by its owner only, not encrypted";

/// A PFX that was read and checked.
pub(super) struct Opened {
    identity: ClientIdentity,
    pub(super) warnings: Vec<String>,
    /// Whose it is.
    pub(super) subject: String,
}

impl fmt::Debug for ClientSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSet(..)")
    }
}

impl Clone for ClientSet {
    fn clone(&self) -> ClientSet {
        ClientSet {
            pfx: self.pfx.clone(),
            password: self.password.clone(),
        }
    }
}

fn leads_to(identity: &ClientIdentity, root: &Path) -> Result<(), Refusal> {
    let hint = "[tls] deployment_root in windrow.toml names the root";
    let roots = tls::load_certificates(root);
    let roots = roots.map_err(|error| Refusal::invalid(crate::exit::chain(&error)).hint(hint))?;
    tls::check_chain(identity.chain(), &roots, UnixTime::now()).map_err(refused)
}

/// What can be told of a certificate without knowing whom the receivers trust.
fn is_valid(identity: &ClientIdentity) -> Result<(), Refusal> {
    tls::check_validity(identity.chain(), UnixTime::now()).map_err(refused)
}

fn refused(error: tls::ChainError) -> Refusal {
    Refusal::invalid(format!("the certificate is refused: {error}")).hint(error.cure())
}

/// The two files of a certificate, relative to the data folder.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    fn numbered(number: u64) -> Files {
        Files {
            certificate: Path::new(FOLDER).join(format!("{number:03}.pem")),
            key: Path::new(FOLDER).join(format!("{number:03}.key")),
        }
    }
}

impl Opened {
    /// Writes both files, under the first number from `number` on that is free: one in use is never written over.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, data_dir: &Path, number: u64) -> Result<Files, Refusal> {
        let is_free = |files: &Files| {
            let files = [&files.certificate, &files.key];
            files.iter().all(|file| !data_dir.join(file).exists())
        };
        let files = (number..).map(Files::numbered).find(is_free);
        let files = files.ok_or_else(|| Refusal::new(RefusalKind::Failed, "no number is free"))?;
        let write = || {
            let folder = data_dir.join(FOLDER);
            datadir::create_private(&folder)?;
            let chain = self.identity.chain_pem();
            datadir::write_private(&data_dir.join(&files.certificate), chain.as_bytes())?;
            let key = self.identity.key_pem();
            datadir::write_private(&data_dir.join(&files.key), key.as_bytes())?;
            datadir::sync_folder(&folder)
        };
        match write() {
            Ok(()) => Ok(files),
            Err(error) => {
                forget(data_dir, &files);
                Err(Refusal::new(RefusalKind::Failed, error.to_string()))
            }
        }
    }
}

/// Takes files away that are not used.
pub(super) fn forget(data_dir: &Path, files: &Files) {
    for file in [&files.certificate, &files.key] {
        // What stays behind goes with the next change.
        let _ = fs_err::remove_file(data_dir.join(file));
    }
}

/// Takes every file away but those of `current`.
pub(super) fn tidy(config: &checked::Config) {
    let current = config.syslog_client.as_ref();
    let current = current.map(|client| [&client.identity.certificate, &client.identity.key]);
    let entries = fs_err::read_dir(config.data_dir.join(FOLDER));
    for entry in entries.into_iter().flatten().flatten() {
        let path = entry.path();
        let is_current = current.is_some_and(|files| files.contains(&&path));
        if !is_current && let Err(error) = fs_err::remove_file(&path) {
            tracing::warn!(%error, "a key that is not used any more stays behind");
        }
    }
}

/// The certificate that this side shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client {
    /// Whether there is one.
    pub set: bool,
    /// When it was set.
    pub set_at: Option<Timestamp>,
    /// Its file.
    pub certificate_file: Option<PathBuf>,
    /// What it says.
    pub certificate: Option<Certificate>,
    /// How its key is kept.
    pub key: Option<String>,
    /// The destinations that are shown it.
    pub used_by: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
}

impl Client {
    /// The certificate of a configuration.
    pub(super) fn of(config: &checked::Config) -> Client {
        let none = Client {
            set: false,
            set_at: None,
            certificate_file: None,
            certificate: None,
            key: None,
            used_by: Vec::new(),
            warnings: Vec::new(),
        };
        let Some(client) = &config.syslog_client else {
            return none;
        };
        let mut warnings = Vec::new();
        let certificate = match tls::load_certificates(&client.identity.certificate) {
            Ok(chain) => chain.first().and_then(CertificateSummary::of),
            Err(error) => {
                warnings.push(crate::exit::chain(&error));
                None
            }
        };
        if let Some(ended) = certificate.as_ref().map(|found| found.not_after)
            && ended <= Timestamp::now()
        {
            warnings.push(format!("it has expired on {ended}: receivers refuse it"));
        }
        let shown = config.syslog_sinks().into_iter();
        let shown = shown.filter(|(_, sink)| sink.client.as_ref() == Some(&client.identity));
        Client {
            set: true,
            set_at: Some(client.set_at),
            certificate_file: Some(client.identity.certificate.clone()),
            certificate: certificate.map(Certificate::from),
            key: Some(KEPT.to_owned()),
            used_by: shown.map(|(name, _)| name).collect(),
            warnings,
        }
    }
}

/// What a certificate says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who has issued it.
    pub issuer: String,
    /// The first moment it is valid.
    pub not_before: Timestamp,
    /// The last moment it is valid.
    pub not_after: Timestamp,
    /// The kind of its key.
    pub key_type: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
}

impl From<CertificateSummary> for Certificate {
    fn from(summary: CertificateSummary) -> Certificate {
        Certificate {
            subject: summary.subject,
            issuer: summary.issuer,
            not_before: summary.not_before,
            not_after: summary.not_after,
            key_type: summary.key,
            fingerprint: summary.fingerprint.to_string(),
        }
    }
}
