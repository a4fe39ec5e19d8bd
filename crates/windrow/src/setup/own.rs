//! The authority of windrow's own and the collector's certificate of it. What is there and fits is kept: a key that is made
//! anew is one that the service cannot read yet, and an authority that is made anew shuts out every machine.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use windrow_pipeline::tls;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pki::{self, AUTHORITY, Authority, COLLECTOR, Issued, PkiError, Store};

/// A certificate that ends sooner is made anew.
const ENDS_SOON_SECONDS: i64 = 30 * 86_400;

/// The authority.
pub(super) struct Own {
    certificate_pem: String,
    /// Its key may be kept elsewhere: who has it can be any machine.
    signer: Option<Authority>,
}

/// The authority that is kept, or a new one, which has to be kept.
pub(super) fn authority(name: &str, store: &Store) -> Result<(Own, Option<Issued>), PkiError> {
    if !store.key_path(AUTHORITY).exists()
        && let Some(certificate_pem) = store.certificate_pem(AUTHORITY)?
    {
        let signer = None;
        return Ok((
            Own {
                certificate_pem,
                signer,
            },
            None,
        ));
    }
    let (authority, made) = match store.kept_authority()? {
        Some(authority) => (authority, None),
        None => {
            let authority = Authority::new(&format!("windrow authority of {name}"))?;
            let made = authority.own().clone();
            (authority, Some(made))
        }
    };
    let own = Own {
        certificate_pem: authority.certificate_pem().to_owned(),
        signer: Some(authority),
    };
    Ok((own, made))
}

impl Own {
    /// Its certificate.
    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    fn signer(&self, store: &Store) -> Result<&Authority, PkiError> {
        let absent = || PkiError::AuthorityKey(store.key_path(AUTHORITY));
        self.signer.as_ref().ok_or_else(absent)
    }
}

/// The collector's certificate and its key.
pub(super) struct Pair {
    pub(super) issued: Issued,
    /// What became of what was there.
    pub(super) note: Option<String>,
}

/// The pair that is kept where it fits; else a new certificate, and a new key where there is none that can be used.
pub(super) fn collector(name: &str, store: &Store, authority: &Own) -> Result<Pair, PkiError> {
    let names = [name.to_owned()];
    let path = store.certificate_path(COLLECTOR);
    let shown = path.display();
    let certificate_pem = text(store.certificate_pem(COLLECTOR))?;
    let key_pem = match key(store)? {
        Key::Fits(key_pem) => key_pem,
        Key::Absent => {
            let issued = authority.signer(store)?.server(&names)?;
            let note = None;
            return Ok(Pair { issued, note });
        }
        Key::Unfit(fault) => {
            let issued = authority.signer(store)?.server(&names)?;
            let note = format!("the collector's key and certificate are made anew: {fault}");
            let note = Some(note);
            return Ok(Pair { issued, note });
        }
    };
    let fault = match certificate_pem {
        Kept::Text(certificate_pem) => {
            let issued = Issued {
                certificate_pem,
                key_pem: key_pem.clone(),
            };
            match certificate_fault(&issued, name, &authority.certificate_pem)? {
                Fit::Until(end) => {
                    let note = format!(
                        "the collector's certificate and its key are kept: {shown} is good until {end:.0}"
                    );
                    let note = Some(note);
                    return Ok(Pair { issued, note });
                }
                Fit::Fault(fault) => fault,
            }
        }
        Kept::Absent => "is not there".to_owned(),
        Kept::Unreadable => "is no certificate".to_owned(),
    };
    Ok(Pair {
        issued: authority.signer(store)?.server_with_key(&names, &key_pem)?,
        note: Some(format!(
            "the collector's certificate is made anew, for the key that is there: {shown} {fault}"
        )),
    })
}

/// The collector's key that is there.
pub(super) enum Key {
    /// None is.
    Absent,
    /// It can be used again; in PEM.
    Fits(String),
    /// It cannot, and why.
    Unfit(String),
}

/// Whether the collector has a key that can be used again.
pub(super) fn key(store: &Store) -> Result<Key, PkiError> {
    let path = store.key_path(COLLECTOR);
    let fault = match text(store.key_pem(COLLECTOR))? {
        Kept::Absent => return Ok(Key::Absent),
        Kept::Text(pem) => match key_fault(&path, &pem) {
            None => return Ok(Key::Fits(pem)),
            Some(fault) => fault,
        },
        Kept::Unreadable => "no key",
    };
    Ok(Key::Unfit(format!("{} is {fault}", path.display())))
}

/// Whether the certificate that is there is of this key.
pub(super) fn has_certificate_of(key_pem: &str, store: &Store) -> bool {
    let Ok(Some(certificate)) = store.certificate_pem(COLLECTOR) else {
        return false;
    };
    let Ok(der) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
        return false;
    };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else {
        return false;
    };
    pki::public_key(key_pem).is_ok_and(|key| key == certificate.public_key().raw)
}

enum Kept {
    Absent,
    /// It is not even text.
    Unreadable,
    Text(String),
}

fn text(read: Result<Option<String>, PkiError>) -> Result<Kept, PkiError> {
    match read {
        Ok(None) => Ok(Kept::Absent),
        Ok(Some(text)) => Ok(Kept::Text(text)),
        Err(PkiError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
            Ok(Kept::Unreadable)
        }
        Err(PkiError::TooLarge(_)) => Ok(Kept::Unreadable),
        Err(error) => Err(error),
    }
}

/// What keeps a key from being used again.
fn key_fault(path: &Path, pem: &str) -> Option<&'static str> {
    if is_known_to_others(path) {
        return Some("readable by others");
    }
    pki::public_key(pem)
        .is_err()
        .then_some("no key that can be used")
}

/// Whether more than the owner of a file and its group have read it.
#[cfg(unix)]
fn is_known_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS: u32 = 0o007;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & OTHERS != 0)
}

#[cfg(not(unix))]
fn is_known_to_others(_: &Path) -> bool {
    false
}

/// Whether a certificate can be used again.
enum Fit {
    Until(Timestamp),
    /// What keeps it, as in "collector.pem is …".
    Fault(String),
}

fn certificate_fault(issued: &Issued, name: &str, authority: &str) -> Result<Fit, PkiError> {
    let fault = |fault: &str| Ok(Fit::Fault(fault.to_owned()));
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).ok();
    let (Some(leaf), Some(above)) = (der(&issued.certificate_pem), der(authority)) else {
        return fault("is no certificate");
    };
    let parsed = (
        X509Certificate::from_der(&leaf),
        X509Certificate::from_der(&above),
    );
    let (Ok((_, certificate)), Ok((_, above))) = parsed else {
        return fault("is no certificate");
    };
    if pki::public_key(&issued.key_pem)? != certificate.public_key().raw {
        return fault("is of another key");
    }
    let is_issued = certificate.issuer().as_raw() == above.subject().as_raw()
        && certificate
            .verify_signature(Some(above.public_key()))
            .is_ok();
    if !is_issued {
        let authority = format!("{AUTHORITY}.pem");
        return fault(&format!("is of another authority than {authority}"));
    }
    if !tls::is_for(&leaf, name) {
        return fault(&format!("is not for {name}"));
    }
    let usage = certificate.extended_key_usage().ok().flatten();
    if !usage.is_some_and(|usage| usage.value.server_auth) {
        return fault("is not for servers");
    }
    let (now, validity) = (Timestamp::now().as_second(), certificate.validity());
    if validity.not_before.timestamp() > now {
        return fault("is not valid yet");
    }
    let end = validity.not_after.timestamp();
    let shown = Timestamp::from_second(end).unwrap_or(Timestamp::MAX);
    match end {
        end if end < now => fault(&format!("has ended at {shown}")),
        end if end < now + ENDS_SOON_SECONDS => fault(&format!("ends at {shown}")),
        _ => Ok(Fit::Until(shown)),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};

    use super::*;

    const NAME: &str = "wec.example.com";

    /// What is wrong with a certificate of the authority with these dates and for these purposes.
    fn fault(ends: (i32, u8, u8), purposes: &[ExtendedKeyUsagePurpose]) -> String {
        let authority = Authority::new("Test CA").unwrap();
        let own = authority.own();
        let issuer = KeyPair::from_pem(&own.key_pem).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&own.certificate_pem, issuer).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.extended_key_usages = purposes.to_vec();
        params.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
        let issued = Issued {
            certificate_pem: params.signed_by(&key, &issuer).unwrap().pem(),
            key_pem: key.serialize_pem(),
        };
        match certificate_fault(&issued, NAME, authority.certificate_pem()).unwrap() {
            Fit::Fault(fault) => fault,
            Fit::Until(end) => end.to_string(),
        }
    }

    #[test]
    fn a_certificate_that_ends_or_is_for_clients_is_made_anew() {
        let server = [ExtendedKeyUsagePurpose::ServerAuth];
        assert_eq!(fault((2999, 1, 1), &server), "2999-01-01T00:00:00Z");
        assert_eq!(
            fault((2021, 1, 1), &server),
            "has ended at 2021-01-01T00:00:00Z"
        );
        let soon = jiff::Zoned::now()
            .date()
            .checked_add(jiff::Span::new().days(20))
            .unwrap();
        let date = (
            i32::from(soon.year()),
            soon.month().unsigned_abs(),
            soon.day().unsigned_abs(),
        );
        assert!(fault(date, &server).starts_with("ends at 20"));
        let client = [ExtendedKeyUsagePurpose::ClientAuth];
        assert_eq!(fault((2999, 1, 1), &client), "is not for servers");
    }
}
