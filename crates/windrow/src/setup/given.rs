//! The collector's certificate and its key as somebody else has made them: read and checked before anything is written, and
//! what machines have to trust to believe that certificate.

use std::path::Path;

use rustls_pki_types::{CertificateDer, UnixTime};
use windrow_pipeline::tls::{self, CertificateSummary, IdentityPem, TlsError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Trusted;
use super::authorities::{Authorities, Form, pem_of, read};
use super::plan::PlanError;

/// The mode of a key that its owner and a group read.
const KEY_OF_A_GROUP: u32 = 0o640;

/// What was named.
pub(super) struct Given<'a> {
    /// The collector's name.
    pub(super) name: &'a str,
    /// Its certificate.
    pub(super) certificate: &'a Path,
    /// Its key.
    pub(super) key: &'a Path,
    /// The authorities of the machines' certificates.
    pub(super) ca: &'a Path,
}

/// What machines have to trust.
pub(super) struct Trust {
    /// Another authority than those of their own certificates.
    pub(super) other: Option<Trusted>,
    /// What is not there of it.
    pub(super) missing: Option<String>,
}

impl Given<'_> {
    /// Whether the service can use them, and what machines have to trust.
    pub(super) fn check(&self, authorities: &Authorities) -> Result<Trust, PlanError> {
        let path = self.certificate.to_owned();
        if Form::of(&read(self.certificate)?) == Form::Der {
            return Err(PlanError::Der(path));
        }
        let chain = tls::load_certificates(self.certificate)?;
        // That the key is there, for its owner alone, and the certificate's.
        self.check_pair()?;
        let checked = tls::check_validity(&chain, UnixTime::now());
        checked.map_err(|source| PlanError::Lapsed {
            path: path.clone(),
            source,
        })?;
        let leaf = &chain[0];
        let says = CertificateSummary::of(leaf);
        if !tls::is_for(leaf, self.name) {
            let names = says.map(|says| says.names.to_string());
            return Err(PlanError::OtherName {
                path,
                name: self.name.to_owned(),
                names: names
                    .filter(|names| !names.is_empty())
                    .unwrap_or_else(|| "nobody".to_owned()),
            });
        }
        let known = chain.iter().chain(&authorities.certificates);
        let known: Vec<&CertificateDer<'_>> = known.collect();
        let top = top(leaf, &known);
        let above = CertificateSummary::of(top).filter(|top| !top.self_issued);
        if let Some(above) = &above
            && top == leaf
        {
            return Err(PlanError::NoIssuer {
                path,
                ca: self.ca.to_owned(),
                issuer: above.issuer.clone(),
            });
        }
        let missing = above.map(|above| {
            format!(
                "the certificate of {} for the machines that do not trust it yet: {} leads to it and does not hold it",
                above.issuer,
                self.certificate.display()
            )
        });
        let is_theirs = authorities.certificates.contains(top);
        let other = (!is_theirs).then(|| Trusted {
            pem: pem_of(top),
            thumbprint: tls::thumbprint(top),
        });
        Ok(Trust { other, missing })
    }
}

impl Given<'_> {
    /// That the key is the certificate's, and for no more eyes than the service takes: its owner's, and where it is root's
    /// those of its group, which is how a service of another user has it.
    fn check_pair(&self) -> Result<(), PlanError> {
        let checked = tls::open_server_config(self.certificate, self.key, None);
        match checked {
            Err(TlsError::KeyPermissions { mode, .. })
                if mode & !KEY_OF_A_GROUP == 0 && is_of_root(self.key) => {}
            checked => return Ok(checked.map(drop)?),
        }
        let text = |path| Ok::<_, PlanError>(String::from_utf8_lossy(&read(path)?).into_owned());
        let (certificate, key) = (text(self.certificate)?, text(self.key)?);
        let pair = IdentityPem {
            certificate: &certificate,
            key: &key,
        };
        let checked = tls::server_config_from_pem(pair, None);
        checked.map(drop).map_err(|source| PlanError::Pair {
            certificate: self.certificate.to_owned(),
            key: self.key.to_owned(),
            source,
        })
    }
}

#[cfg(unix)]
fn is_of_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(not(unix))]
fn is_of_root(_: &Path) -> bool {
    false
}

/// The last of those above a certificate that are known; it alone when none is.
fn top<'a>(
    leaf: &'a CertificateDer<'a>,
    known: &[&'a CertificateDer<'a>],
) -> &'a CertificateDer<'a> {
    let mut top = leaf;
    // Each step takes one, so a ring of them ends too.
    for _ in known {
        let Ok((_, below)) = X509Certificate::from_der(top) else {
            break;
        };
        let issuer = known.iter().copied().find(|above| {
            X509Certificate::from_der(above).is_ok_and(|(_, above)| {
                above.subject().as_raw() == below.issuer().as_raw()
                    && above.subject().as_raw() != below.subject().as_raw()
                    // Two authorities may have one name.
                    && below.verify_signature(Some(above.public_key())).is_ok()
            })
        });
        match issuer {
            Some(issuer) => top = issuer,
            None => break,
        }
    }
    top
}
