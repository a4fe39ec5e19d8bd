//! From answers to files: what `setup wef` writes, complete before the first of it is written.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use windrow_pipeline::tls;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::configuration::{Certificates, Settings, Wanted};
use super::files::{File, Secrecy};
use super::{CertificateDoor, Collector, Issuer, KerberosDoor, Places, adcs, machines};
use crate::config::checked::Delivery;
use crate::config::{self, ConfigError};
use crate::pki::{self, AUTHORITY, Authority, COLLECTOR, PkiError, Store};

/// Bytes of a file with certificates.
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The name that machines reach the collector by.
    pub name: String,
    /// The address to listen at.
    pub listen: IpAddr,
    /// Machines of a domain.
    pub domain: Option<Domain>,
    /// Machines with certificates.
    pub certificates: Option<WithCertificates>,
    /// What machines are asked for.
    pub baselines: Vec<Wanted>,
    /// How soon.
    pub delivery: Option<Delivery>,
    /// How often machines ask, in seconds.
    pub refresh_seconds: u32,
    /// Machines that events are expected of.
    pub expected: Vec<String>,
    /// Where everything goes.
    pub places: Places,
}

/// Machines of a domain.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its realm.
    pub realm: String,
    /// The port to listen at.
    pub port: u16,
    /// Where the keytab is, or will be.
    pub keytab: PathBuf,
}

/// Machines with certificates.
#[derive(Debug, Clone)]
pub struct WithCertificates {
    /// The port to listen at.
    pub port: u16,
    /// Where the certificates come from.
    pub from: CertificatesFrom,
}

/// Where the certificates come from.
#[derive(Debug, Clone)]
pub enum CertificatesFrom {
    /// An authority of windrow's own, made if none is kept.
    Own,
    /// Files that are there.
    Files {
        /// The authority of the machines' certificates.
        ca: PathBuf,
        /// The collector's certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Active Directory Certificate Services, whose authority's certificate this is.
    Adcs {
        /// In PEM or DER.
        ca: PathBuf,
    },
}

/// What will be written.
#[derive(Debug)]
pub struct Plan {
    /// The files, the configuration last.
    pub files: Vec<File>,
    /// What machines are told.
    pub collector: Collector,
    /// The configuration.
    pub configuration: String,
    /// What is missing before it can run, and where it comes from.
    pub missing: Vec<String>,
    /// An authority was made, so the thumbprint is of this plan alone.
    pub has_new_authority: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A file of certificates cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It holds none of an authority.
    #[error("{} holds no certificate of an authority, in PEM or DER", .0.display())]
    NoAuthority(PathBuf),
    /// It holds several that may issue.
    #[error("{} holds {count} authorities of which none has issued another: which of them issues the machines' certificates cannot be told; give a file with that one, and those above it", .path.display())]
    SeveralAuthorities {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// The configuration would not be one.
    #[error("the configuration would not be accepted")]
    Configuration(#[from] ConfigError),
}

/// Everything that will be written.
///
/// # Errors
/// [`PlanError`]; nothing was written.
pub fn plan(answers: &Answers) -> Result<Plan, PlanError> {
    let mut draft = Draft::default();
    let places = &answers.places;
    let kerberos = answers.domain.as_ref().map(|domain| {
        draft.missing.push(format!(
            "the keytab {}: kerberos/New-Keytab.ps1 makes it on a domain controller; chmod 600 it here",
            domain.keytab.display()
        ));
        KerberosDoor {
            port: domain.port,
            realm: domain.realm.to_uppercase(),
        }
    });
    let with_certificates = answers.certificates.as_ref();
    let certificates = with_certificates.map(|with| certificates(answers, with, &mut draft));
    let (door, files) = certificates.transpose()?.unzip();
    let collector = Collector {
        name: answers.name.clone(),
        refresh_seconds: answers.refresh_seconds,
        kerberos,
        certificates: door,
    };
    let settings = Settings {
        name: answers.name.clone(),
        listen: answers.listen,
        kerberos: (answers.domain.as_ref()).map(|domain| (domain.port, domain.keytab.clone())),
        certificates: files,
        baselines: answers.baselines.clone(),
        delivery: answers.delivery,
        refresh_seconds: answers.refresh_seconds,
        expected: answers.expected.clone(),
    };
    let configuration = settings.text(places);
    // What the service would refuse is not written.
    config::check_text(&places.config, &configuration)?;
    let mut files = draft.files;
    files.extend(machines::handout(&collector).files(&places.machines));
    files.push(File {
        path: places.config.clone(),
        content: configuration.clone().into_bytes(),
        secrecy: Secrecy::Public,
    });
    Ok(Plan {
        files,
        collector,
        configuration,
        missing: draft.missing,
        has_new_authority: draft.has_new_authority,
    })
}

#[derive(Default)]
struct Draft {
    files: Vec<File>,
    missing: Vec<String>,
    has_new_authority: bool,
}

impl Draft {
    fn secret(&mut self, path: PathBuf, text: String) {
        self.files.push(File {
            path,
            content: text.into_bytes(),
            secrecy: Secrecy::Private,
        });
    }

    fn public(&mut self, path: PathBuf, text: String) {
        self.files.push(File {
            path,
            content: text.into_bytes(),
            secrecy: Secrecy::Public,
        });
    }
}

fn certificates(
    answers: &Answers,
    with: &WithCertificates,
    draft: &mut Draft,
) -> Result<(CertificateDoor, Certificates), PlanError> {
    let pki = &answers.places.pki;
    let store = Store::at(pki);
    let door = |issuer_thumbprint, authorities_pem, issuer| CertificateDoor {
        port: with.port,
        issuer_thumbprint,
        authorities_pem,
        issuer,
    };
    let files = |certificate, key, client_ca| Certificates {
        port: with.port,
        certificate,
        key,
        client_ca,
    };
    let own_files = |client_ca| {
        let certificate = store.certificate_path(COLLECTOR);
        files(certificate, store.key_path(COLLECTOR), client_ca)
    };
    match &with.from {
        CertificatesFrom::Own => {
            let authority = own_authority(&answers.name, &store, draft)?;
            let collector = authority.server(std::slice::from_ref(&answers.name))?;
            draft.secret(store.key_path(COLLECTOR), collector.key_pem);
            draft.public(store.certificate_path(COLLECTOR), collector.certificate_pem);
            let pem = authority.certificate_pem().to_owned();
            let ca = store.certificate_path(AUTHORITY);
            let authorities = Authorities::of(pem.as_bytes(), &ca)?;
            Ok((door(authorities.issuing, pem, Issuer::Own), own_files(ca)))
        }
        CertificatesFrom::Files {
            ca,
            certificate,
            key,
        } => {
            let authorities = Authorities::of(&read(ca)?, ca)?;
            let door = door(authorities.issuing, authorities.pem, Issuer::Theirs);
            Ok((door, files(certificate.clone(), key.clone(), ca.clone())))
        }
        CertificatesFrom::Adcs { ca } => {
            let authorities = Authorities::of(&read(ca)?, ca)?;
            let csr_pem = collector_request(&answers.name, &store, draft)?;
            let certificate = store.certificate_path(COLLECTOR);
            draft.missing.push(format!(
                "the collector's certificate {}: adcs/adcs.txt says how the domain's authority issues it",
                certificate.display()
            ));
            // The service reads PEM, whatever form they came in.
            let ca = pki.join("machines-ca.pem");
            draft.public(ca.clone(), authorities.pem.clone());
            let request = adcs::Request {
                csr_pem,
                certificate,
                thumbprint: authorities.issuing.clone(),
            };
            let issuer = Issuer::Adcs(request);
            Ok((
                door(authorities.issuing, authorities.pem, issuer),
                own_files(ca),
            ))
        }
    }
}

/// The authority that is kept, or a new one: never one in the place of another, which would shut out every machine that
/// has a certificate.
fn own_authority(name: &str, store: &Store, draft: &mut Draft) -> Result<Authority, PlanError> {
    if let Some(authority) = store.kept_authority()? {
        return Ok(authority);
    }
    let authority = Authority::new(&format!("windrow authority of {name}"))?;
    let own = authority.own().clone();
    draft.has_new_authority = true;
    draft.secret(store.key_path(AUTHORITY), own.key_pem);
    draft.public(store.certificate_path(AUTHORITY), own.certificate_pem);
    Ok(authority)
}

/// The request for the collector's certificate, and its key: the one that is there, for which one may be issued already.
fn collector_request(name: &str, store: &Store, draft: &mut Draft) -> Result<String, PlanError> {
    let kept = store.key_pem(COLLECTOR)?;
    let request = pki::server_request(name, kept.as_deref())?;
    draft.secret(store.key_path(COLLECTOR), request.key_pem);
    Ok(request.csr_pem)
}

fn read(path: &Path) -> Result<Vec<u8>, PlanError> {
    use std::io::Read as _;
    let fail = |source| PlanError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut file = file.take(CERTIFICATES_BYTES_MAX);
    file.read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Authorities out of a file.
struct Authorities {
    /// All of them.
    pem: String,
    /// The thumbprint of the one that issues.
    issuing: String,
}

impl Authorities {
    fn of(bytes: &[u8], path: &Path) -> Result<Authorities, PlanError> {
        let none = || PlanError::NoAuthority(path.to_owned());
        let (pem, chain) = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
                (text.to_owned(), chain.map_err(|_| none())?)
            }
            _ => (pem_of(bytes), vec![CertificateDer::from(bytes.to_vec())]),
        };
        let parsed = chain.iter().map(|der| {
            let certificate = X509Certificate::from_der(der).ok();
            certificate.map(|(_, certificate)| (tls::thumbprint(der), certificate))
        });
        let parsed: Option<Vec<_>> = parsed.collect();
        let parsed = parsed.ok_or_else(none)?;
        if parsed.is_empty() || parsed.iter().any(|(_, certificate)| !certificate.is_ca()) {
            return Err(none());
        }
        // The one that has issued none of the others.
        let issuing = parsed.iter().filter(|(thumbprint, certificate)| {
            !parsed.iter().any(|(other, issued)| {
                other != thumbprint && issued.issuer().as_raw() == certificate.subject().as_raw()
            })
        });
        let issuing: Vec<&String> = issuing.map(|(thumbprint, _)| thumbprint).collect();
        match issuing[..] {
            [issuing] => Ok(Authorities {
                pem,
                issuing: issuing.clone(),
            }),
            _ => Err(PlanError::SeveralAuthorities {
                path: path.to_owned(),
                count: issuing.len(),
            }),
        }
    }
}

fn pem_of(der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
