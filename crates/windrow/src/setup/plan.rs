//! From answers to files: what `setup wef` writes, complete before the first of it is written.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use windrow_pipeline::tls::{ChainError, MemoryError, TlsError};

use super::authorities::{Authorities, Form, read};
use super::configuration::{Certificates, Settings, Wanted};
use super::files::{File, Secrecy};
use super::given::Given;
use super::own::{self, Key, Own, Pair};
use super::{CertificateDoor, Collector, Issuer, KerberosDoor, Places, Trusted, adcs, machines};
use crate::config::checked::Delivery;
use crate::config::{ConfigError, Loader};
use crate::pki::{self, AUTHORITY, COLLECTOR, PkiError, Store};

/// The authorities of the machines' certificates, where their own file is not one that the service reads.
const MACHINES_CA: &str = "machines-ca.pem";

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
    /// What is kept of what was there, and what is made anew and why.
    pub notes: Vec<String>,
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
    #[error("{} holds {count} authorities, and which of them issues the machines' certificates cannot be told: give a file with that one, and those above it", .path.display())]
    SeveralAuthorities {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// The collector's certificate is in a form that the service does not read.
    #[error("{path} is a certificate in DER, and the service reads PEM: openssl x509 -inform der -in {path} -out {path}.pem, and name that", path = .0.display())]
    Der(PathBuf),
    /// The collector's certificate or its key cannot be used, or not together.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The same, of a key that its group reads.
    #[error("certificate {} and key {} cannot be used", .certificate.display(), .key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong.
        source: MemoryError,
    },
    /// The certificate is for somebody else.
    #[error("{} is for {names}, not for {name}: machines would not believe it; have one issued with {name} as a subject alternative name", .path.display())]
    OtherName {
        /// The certificate's file.
        path: PathBuf,
        /// The collector's name.
        name: String,
        /// Whom it is for.
        names: String,
    },
    /// It is not valid now.
    #[error("{} cannot be used", .path.display())]
    Lapsed {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: ChainError,
    },
    /// Whoever has issued it is not known.
    #[error("{} was issued by {issuer}, whose certificate is neither behind it nor in {}: machines have to trust that authority, so put its certificate at the end of {}", .path.display(), .ca.display(), .path.display())]
    NoIssuer {
        /// The certificate's file.
        path: PathBuf,
        /// The file of the machines' authorities.
        ca: PathBuf,
        /// Who issued it.
        issuer: String,
    },
    /// The configuration would not be one.
    #[error("the configuration would not be accepted")]
    Configuration(#[from] ConfigError),
}

/// Everything that will be written. `loader` knows what was set by command already.
///
/// # Errors
/// [`PlanError`]; nothing was written.
pub fn plan(answers: &Answers, loader: &Loader) -> Result<Plan, PlanError> {
    let mut draft = Draft::default();
    let places = &answers.places;
    let kerberos = answers.domain.as_ref().map(|domain| {
        if !domain.keytab.exists() {
            draft.missing.push(format!(
                "the keytab {}: kerberos/New-Keytab.ps1 makes it on a domain controller; here it is for the service alone: \
                 install -m 0640 -g windrow",
                domain.keytab.display()
            ));
        }
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
    loader.check_text(&places.config, &configuration)?;
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
        notes: draft.notes,
        missing: draft.missing,
        has_new_authority: draft.has_new_authority,
    })
}

#[derive(Default)]
struct Draft {
    files: Vec<File>,
    notes: Vec<String>,
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
    let door = |authorities: &Authorities, issuer| CertificateDoor {
        port: with.port,
        issuer_thumbprint: authorities.issuing.clone(),
        trusted: Trusted {
            pem: authorities.pem.clone(),
            thumbprint: authorities.issuing.clone(),
        },
        machines_authorities_pem: None,
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
            let Pair { issued, note } = own::collector(&answers.name, &store, &authority)?;
            draft.notes.extend(note);
            draft.secret(store.key_path(COLLECTOR), issued.key_pem);
            draft.public(store.certificate_path(COLLECTOR), issued.certificate_pem);
            let ca = store.certificate_path(AUTHORITY);
            let authorities = Authorities::of(authority.certificate_pem().as_bytes(), &ca)?;
            Ok((door(&authorities, Issuer::Own), own_files(ca)))
        }
        CertificatesFrom::Files {
            ca,
            certificate,
            key,
        } => {
            let authorities = Authorities::of(&read(ca)?, ca)?;
            let given = Given {
                name: &answers.name,
                certificate,
                key,
                ca,
            };
            let mut door = door(&authorities, Issuer::Theirs);
            trust(&given, &authorities, &mut door, draft)?;
            let ca = readable(ca, &authorities, pki, draft);
            Ok((door, files(certificate.clone(), key.clone(), ca)))
        }
        CertificatesFrom::Adcs { ca } => {
            let authorities = Authorities::of(&read(ca)?, ca)?;
            let request = request(answers, &store, &authorities, draft)?;
            // Beside the collector's own, whatever form it came in.
            let kept = pki.join(MACHINES_CA);
            draft.public(kept.clone(), authorities.pem.clone());
            Ok((door(&authorities, Issuer::Adcs(request)), own_files(kept)))
        }
    }
}

/// What the collector asks the domain's authority for, with the key that is there: a certificate may be issued for it already.
fn request(
    answers: &Answers,
    store: &Store,
    authorities: &Authorities,
    draft: &mut Draft,
) -> Result<adcs::Request, PlanError> {
    let key = match own::key(store)? {
        Key::Fits(key_pem) => Some(key_pem),
        Key::Absent => None,
        Key::Unfit(fault) => {
            draft
                .notes
                .push(format!("the collector's key is made anew: {fault}"));
            None
        }
    };
    let pki::Request { csr_pem, key_pem } = pki::server_request(&answers.name, key.as_deref())?;
    let certificate = store.certificate_path(COLLECTOR);
    if !own::has_certificate_of(&key_pem, store) {
        draft.missing.push(format!(
            "the collector's certificate {}: adcs/adcs.txt says how the domain's authority issues it",
            certificate.display()
        ));
    }
    draft.secret(store.key_path(COLLECTOR), key_pem);
    Ok(adcs::Request {
        csr_pem: adcs::kept(&answers.places.machines, &csr_pem).unwrap_or(csr_pem),
        certificate,
        key: store.key_path(COLLECTOR),
        thumbprint: authorities.issuing.clone(),
    })
}

/// Has machines trust whoever has issued the certificate that was given.
fn trust(
    given: &Given<'_>,
    authorities: &Authorities,
    door: &mut CertificateDoor,
    draft: &mut Draft,
) -> Result<(), PlanError> {
    let trust = given.check(authorities)?;
    draft.missing.extend(trust.missing);
    if let Some(trusted) = trust.other {
        door.trusted = trusted;
        door.machines_authorities_pem = Some(authorities.pem.clone());
    }
    Ok(())
}

/// A file of these authorities that the service reads: the one that is there, or one in PEM beside the collector's own.
fn readable(ca: &Path, authorities: &Authorities, pki: &Path, draft: &mut Draft) -> PathBuf {
    match authorities.form {
        Form::Pem => ca.to_owned(),
        Form::Der => {
            let kept = pki.join(MACHINES_CA);
            draft.public(kept.clone(), authorities.pem.clone());
            kept
        }
    }
}

/// The authority that is kept, or a new one: never one in the place of another, which would shut out every machine that
/// has a certificate.
fn own_authority(name: &str, store: &Store, draft: &mut Draft) -> Result<Own, PlanError> {
    let (authority, made) = own::authority(name, store)?;
    if let Some(made) = made {
        draft.has_new_authority = true;
        draft.secret(store.key_path(AUTHORITY), made.key_pem);
        draft.public(store.certificate_path(AUTHORITY), made.certificate_pem);
    }
    Ok(authority)
}
