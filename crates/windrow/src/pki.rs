//! The certificates that windrow makes for itself: an authority, the collector's certificate,
//! one client certificate a machine, one for a syslog receiver.
//!
//! Invariants: keys are P-256 and never leave their folder except as the PEM a caller asked for;
//! folders are 0700, keys 0600 from the moment they exist; a file that is there is replaced only
//! when the caller says so; a file appears whole or not at all.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

/// How long an authority is good for, in days.
pub const AUTHORITY_DAYS: i64 = 3650;

/// How long the certificates that it signs are good for, in days: the longest that every
/// platform accepts.
pub const LEAF_DAYS: i64 = 825;

/// The stem of the authority's files.
pub const AUTHORITY: &str = "ca";

/// The stem of the collector's files.
pub const COLLECTOR: &str = "collector";

/// The stem of the syslog receiver's files.
pub const SYSLOG: &str = "syslog";

/// The folder, inside the store, of the machines' certificates.
pub const CLIENTS: &str = "clients";

/// Longest name that becomes a subject or a file: a fully qualified domain name (RFC 1035 2.3.4).
const NAME_BYTES: usize = 253;

/// Longest common name that X.509 allows (RFC 5280, ub-common-name).
const COMMON_NAME_BYTES: usize = 64;

/// Largest PEM file that is read.
const PEM_BYTES: u64 = 1 << 20;

/// Most pairs that are read out of a folder.
const PAIRS_MAX: usize = 100_000;

/// Why a certificate could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The name cannot be a subject or a file.
    #[error(
        "{0:?} cannot name a certificate: use letters, digits, dots and hyphens, {COMMON_NAME_BYTES} at most"
    )]
    Name(String),
    /// rcgen refused.
    #[error("cannot make the certificate of {name}")]
    Make {
        /// Whose certificate.
        name: String,
        /// What rcgen says.
        source: rcgen::Error,
    },
    /// A key cannot be used.
    #[error("the key cannot be used")]
    Key(#[source] rcgen::Error),
    /// The authority's key is kept elsewhere.
    #[error("a new certificate has to be signed, and the authority's key {} is not there: bring it back", .0.display())]
    AuthorityKey(PathBuf),
    /// The authority's files cannot be used to sign.
    #[error("cannot sign with the authority in {}", .path.display())]
    Authority {
        /// The authority's folder.
        path: PathBuf,
        /// What rcgen says.
        source: rcgen::Error,
    },
    /// The file is there, and the caller did not ask to replace it.
    #[error("{} exists; remove it first", .0.display())]
    Exists(PathBuf),
    /// A file is too large to be a certificate or a key.
    #[error("{} is too large for a PEM file", .0.display())]
    TooLarge(PathBuf),
    /// A folder holds more pairs than are read.
    #[error("{} holds more than {PAIRS_MAX} certificates", .0.display())]
    TooMany(PathBuf),
    /// The file system refused.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate alone, without its authority.
    pub certificate_pem: String,
    /// The private key; PKCS #8 when it was made here.
    pub key_pem: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// An authority that can sign.
pub struct Authority {
    own: Issued,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority with the common name `name`.
    pub fn new(name: &str) -> Result<Authority, PkiError> {
        let make = |source| PkiError::Make {
            name: name.to_owned(),
            source,
        };
        let key = new_key().map_err(make)?;
        let mut params = params(name, AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(make)?;
        let own = Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        };
        Ok(Authority {
            own,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority whose certificate and key these are.
    pub fn from_pem(own: Issued) -> Result<Authority, rcgen::Error> {
        let key = read_key(&own.key_pem)?;
        let issuer = Issuer::from_ca_cert_pem(&own.certificate_pem, key)?;
        Ok(Authority { own, issuer })
    }

    /// The authority's own certificate, in PEM: what peers are told to trust.
    pub fn certificate_pem(&self) -> &str {
        &self.own.certificate_pem
    }

    /// The authority's own certificate and key.
    #[must_use]
    pub fn own(&self) -> &Issued {
        &self.own
    }

    /// A server's certificate. `names` are the DNS names and IP addresses it answers to; the
    /// first is the common name too.
    pub fn server(&self, names: &[String]) -> Result<Issued, PkiError> {
        self.server_of(names, None)
    }

    /// A server's certificate for a key that is there, PKCS #8, SEC 1 or PKCS #1 in PEM.
    ///
    /// # Errors
    /// A name that cannot be in a certificate, or a key that cannot be used.
    pub fn server_with_key(&self, names: &[String], key_pem: &str) -> Result<Issued, PkiError> {
        self.server_of(names, Some(key_pem))
    }

    fn server_of(&self, names: &[String], key_pem: Option<&str>) -> Result<Issued, PkiError> {
        let Some(first) = names.first() else {
            return Err(PkiError::Name(String::new()));
        };
        self.issue(first, names, ExtendedKeyUsagePurpose::ServerAuth, key_pem)
    }

    /// A machine's certificate: its fully qualified name is the common name, by which a collector
    /// knows it, and a subject alternative name.
    pub fn client(&self, machine: &str) -> Result<Issued, PkiError> {
        self.issue(
            machine,
            &[machine.to_owned()],
            ExtendedKeyUsagePurpose::ClientAuth,
            None,
        )
    }

    fn issue(
        &self,
        common_name: &str,
        names: &[String],
        usage: ExtendedKeyUsagePurpose,
        key_pem: Option<&str>,
    ) -> Result<Issued, PkiError> {
        check_common_name(common_name)?;
        let make = |source| PkiError::Make {
            name: common_name.to_owned(),
            source,
        };
        let key = key_pem.map_or_else(new_key, read_key).map_err(make)?;
        let mut params = params(common_name, LEAF_DAYS);
        params.subject_alt_names = alternative_names(names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(make)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key_pem.map_or_else(|| key.serialize_pem(), str::to_owned),
        })
    }
}

/// The request (PKCS #10, in PEM) for a server's certificate that somebody else is to issue, with this key or a new one.
///
/// # Errors
/// A name that cannot be in a certificate, or a key that cannot be used.
pub fn server_request(name: &str, key_pem: Option<&str>) -> Result<Request, PkiError> {
    check_common_name(name)?;
    let make = |source| PkiError::Make {
        name: name.to_owned(),
        source,
    };
    let key = key_pem.map_or_else(new_key, read_key).map_err(make)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = alternative_names(&[name.to_owned()])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let request = params.serialize_request(&key).map_err(make)?;
    Ok(Request {
        csr_pem: request.pem().map_err(make)?,
        key_pem: key_pem.map_or_else(|| key.serialize_pem(), str::to_owned),
    })
}

/// What asks for a certificate, and the key that it will belong to.
pub struct Request {
    /// The request, in PEM.
    pub csr_pem: String,
    /// The private key, in PEM.
    pub key_pem: String,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("csr_pem", &self.csr_pem)
            .finish_non_exhaustive()
    }
}

/// What a certificate of this key says that its public key is (SubjectPublicKeyInfo, in DER).
///
/// # Errors
/// It is none that can be used.
pub fn public_key(key_pem: &str) -> Result<Vec<u8>, PkiError> {
    let key = read_key(key_pem).map_err(PkiError::Key)?;
    Ok(key.subject_public_key_info())
}

/// PKCS #8, SEC 1 or PKCS #1; other blocks, such as the curve's parameters that OpenSSL writes, may stand before it.
fn read_key(pem: &str) -> Result<KeyPair, rcgen::Error> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    let key = key.map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    KeyPair::try_from(&key)
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// Good from yesterday, for peers whose clock is behind, for `days` days.
fn params(common_name: &str, days: i64) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let (year, month, day) = year_month_day(today.saturating_sub(1.day()));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = year_month_day(today.saturating_add(days.days()));
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params
}

fn year_month_day(date: Date) -> (i32, u8, u8) {
    (
        i32::from(date.year()),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}

fn alternative_names(names: &[String]) -> Result<Vec<SanType>, PkiError> {
    names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => match name.as_str().try_into() {
                Ok(dns) if is_name(name) => Ok(SanType::DnsName(dns)),
                _ => Err(PkiError::Name(name.clone())),
            },
        })
        .collect()
}

/// Whether a machine of this name can have a certificate.
///
/// # Errors
/// [`PkiError::Name`].
pub fn check_common_name(name: &str) -> Result<(), PkiError> {
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    if name.len() <= COMMON_NAME_BYTES && (is_name(name) || is_address) {
        return Ok(());
    }
    Err(PkiError::Name(name.to_owned()))
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.len() <= NAME_BYTES
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

/// What to do about a file that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and say so.
    Refuse,
    /// Put the new one in its place.
    Replace,
}

/// A folder of certificates: `NAME.pem` beside `NAME.key`, the machines' under `clients/`.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir`, which is made, 0700, if it is missing.
    pub fn open(dir: &Path) -> Result<Store, PkiError> {
        make_private_folder(dir)?;
        Ok(Store {
            dir: dir.to_owned(),
        })
    }

    /// The store in `dir`, which is left as it is; none is there, nothing is in it.
    #[must_use]
    pub fn at(dir: &Path) -> Store {
        Store {
            dir: dir.to_owned(),
        }
    }

    /// The certificate's file of `name`, which need not exist.
    pub fn certificate_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.pem"))
    }

    /// The key's file of `name`, which need not exist.
    pub fn key_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.key"))
    }

    /// The store of the machines' certificates.
    pub fn clients(&self) -> Result<Store, PkiError> {
        Store::open(&self.dir.join(CLIENTS))
    }

    /// The pair of `name`, or `None` if neither file is there.
    pub fn load(&self, name: &str) -> Result<Option<Issued>, PkiError> {
        check_file_stem(name)?;
        let (certificate, key) = (self.certificate_path(name), self.key_path(name));
        if !certificate.exists() && !key.exists() {
            return Ok(None);
        }
        Ok(Some(Issued {
            certificate_pem: read_pem(&certificate)?,
            key_pem: read_pem(&key)?,
        }))
    }

    /// Writes the pair of `name`, the key first.
    pub fn save(&self, name: &str, pair: &Issued, existing: Existing) -> Result<(), PkiError> {
        check_file_stem(name)?;
        let (certificate, key) = (self.certificate_path(name), self.key_path(name));
        if existing == Existing::Refuse {
            for path in [&certificate, &key] {
                if path.exists() {
                    return Err(PkiError::Exists(path.clone()));
                }
            }
        }
        write_file(&key, &pair.key_pem, Secrecy::Private, existing)?;
        write_file(
            &certificate,
            &pair.certificate_pem,
            Secrecy::Public,
            existing,
        )
    }

    /// The key of `name`, if it is here; its certificate need not be.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn key_pem(&self, name: &str) -> Result<Option<String>, PkiError> {
        check_file_stem(name)?;
        let key = self.key_path(name);
        key.exists().then(|| read_pem(&key)).transpose()
    }

    /// The certificate of `name`, if it is here; its key need not be.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn certificate_pem(&self, name: &str) -> Result<Option<String>, PkiError> {
        check_file_stem(name)?;
        let certificate = self.certificate_path(name);
        certificate
            .exists()
            .then(|| read_pem(&certificate))
            .transpose()
    }

    /// All pairs that are here, by name: every `NAME.pem` with its `NAME.key`, in order.
    pub fn pairs(&self) -> Result<Vec<(String, Issued)>, PkiError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(|source| io_error(&self.dir, source))? {
            let path = entry.map_err(|source| io_error(&self.dir, source))?.path();
            let is_pem = path.extension().is_some_and(|extension| extension == "pem");
            if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
                && is_pem
                && self.key_path(stem).exists()
            {
                names.push(stem.to_owned());
            }
        }
        names.sort_unstable();
        if names.len() > PAIRS_MAX {
            return Err(PkiError::TooMany(self.dir.clone()));
        }
        let load = |name: String| Ok(self.load(&name)?.map(|pair| (name, pair)));
        names
            .into_iter()
            .filter_map(|name| load(name).transpose())
            .collect()
    }

    /// The authority kept here; made with the common name `name` if there is none yet.
    pub fn authority(&self, name: &str) -> Result<Authority, PkiError> {
        if let Some(authority) = self.kept_authority()? {
            return Ok(authority);
        }
        let authority = Authority::new(name)?;
        self.save(AUTHORITY, &authority.own, Existing::Refuse)?;
        Ok(authority)
    }

    /// The authority kept here, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or cannot sign.
    pub fn kept_authority(&self) -> Result<Option<Authority>, PkiError> {
        let own = self.load(AUTHORITY)?;
        let authority = own.map(Authority::from_pem).transpose();
        authority.map_err(|source| PkiError::Authority {
            path: self.dir.clone(),
            source,
        })
    }

    /// The pair of `name` kept here; if there is none, `make` makes it and it is kept.
    pub fn load_or(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Issued, PkiError>,
    ) -> Result<Issued, PkiError> {
        if let Some(pair) = self.load(name)? {
            return Ok(pair);
        }
        let pair = make()?;
        self.save(name, &pair, Existing::Refuse)?;
        Ok(pair)
    }
}

fn check_file_stem(name: &str) -> Result<(), PkiError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(PkiError::Name(name.to_owned()))
    }
}

fn io_error(path: &Path, source: io::Error) -> PkiError {
    PkiError::Io {
        path: path.to_owned(),
        source,
    }
}

fn make_private_folder(dir: &Path) -> Result<(), PkiError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| io_error(dir, source))
}

fn read_pem(path: &Path) -> Result<String, PkiError> {
    let length = std::fs::metadata(path)
        .map_err(|source| io_error(path, source))?
        .len();
    if length > PEM_BYTES {
        return Err(PkiError::TooLarge(path.to_owned()));
    }
    std::fs::read_to_string(path).map_err(|source| io_error(path, source))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Public,
    Private,
}

/// Writes `text` to a temporary file beside `path`, which is 0600 from its birth, and renames it.
fn write_file(
    path: &Path,
    text: &str,
    secrecy: Secrecy,
    existing: Existing,
) -> Result<(), PkiError> {
    let fail = |source| io_error(path, source);
    let mut file =
        tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("."))).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    #[cfg(unix)]
    if secrecy == Secrecy::Public {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))
            .map_err(fail)?;
    }
    file.as_file().sync_all().map_err(fail)?;
    let kept = match existing {
        Existing::Replace => file.persist(path),
        Existing::Refuse => file.persist_noclobber(path),
    };
    match kept {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(PkiError::Exists(path.to_owned()))
        }
        Err(e) => Err(fail(e.error)),
    }
}
