//! What a certificate says, for people: nothing here decides anything.
//!
//! Invariant: every text out of a certificate is bounded, and hidden characters in it are seen.

use std::fmt;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Serialize, Serializer};
use windrow_formats::text::visible;
use x509_parser::oid_registry;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

use super::fingerprint::Fingerprint;
use crate::limits::{CERTIFICATE_NAMES_SHOWN_MAX, CERTIFICATE_TEXT_SHOWN_BYTES_MAX};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateSummary {
    /// Whose it is.
    pub subject: String,
    /// Who has issued it.
    pub issuer: String,
    /// Its number with its issuer, in hexadecimal.
    pub serial: String,
    /// The names it is for (subject alternative names).
    pub names: Names,
    /// The first moment it is valid.
    #[serde(serialize_with = "display")]
    pub not_before: Timestamp,
    /// The last moment it is valid.
    #[serde(serialize_with = "display")]
    pub not_after: Timestamp,
    /// The kind of its key, as `RSA 2048` or `ECDSA P-256`.
    pub key: String,
    /// The SHA-256 over its DER.
    pub fingerprint: Fingerprint,
    /// Whether it is an authority's (`CA:TRUE`).
    pub authority: bool,
    /// Whether subject and issuer are the same.
    pub self_issued: bool,
}

/// Names out of a certificate, the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Those shown.
    pub shown: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl CertificateSummary {
    /// What `certificate` says; `None` if it is not one.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<CertificateSummary> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Some(CertificateSummary {
            subject: name(parsed.subject()),
            issuer: name(parsed.issuer()),
            serial: shown(&parsed.raw_serial_as_string()),
            names: names(&parsed),
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            key: key(&parsed),
            fingerprint: Fingerprint::of(certificate),
            authority: parsed.is_ca(),
            self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        })
    }
}

/// A text out of a certificate, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    let text = visible(text);
    if text.len() <= CERTIFICATE_TEXT_SHOWN_BYTES_MAX {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(CERTIFICATE_TEXT_SHOWN_BYTES_MAX);
    format!("{}…", &text[..end])
}

/// A distinguished name.
pub(super) fn name(name: &X509Name<'_>) -> String {
    shown(&name.to_string())
}

/// Seconds since 1970 as a moment; one beyond what can be written is the last or first that can.
pub(super) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Which way a certificate is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// Since then.
    Expired(Timestamp),
    /// Until then.
    Early(Timestamp),
}

/// The first of `certificates` that is not valid at `now`: whose it is, and why.
pub(super) fn lapsed(
    certificates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Option<(String, Lapse)> {
    let now = moment(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    certificates.iter().find_map(|certificate| {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let not_before = moment(parsed.validity().not_before.timestamp());
        let not_after = moment(parsed.validity().not_after.timestamp());
        let lapse = match () {
            () if now > not_after => Lapse::Expired(not_after),
            () if now < not_before => Lapse::Early(not_before),
            () => return None,
        };
        Some((name(parsed.subject()), lapse))
    })
}

/// The DNS names and addresses that a certificate is for.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Names {
    let mut names = Names::default();
    let alternative = certificate.subject_alternative_name().ok().flatten();
    for name in alternative.iter().flat_map(|all| &all.value.general_names) {
        let name = match name {
            GeneralName::DNSName(name) => shown(name),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => continue,
        };
        if names.shown.len() < CERTIFICATE_NAMES_SHOWN_MAX {
            names.shown.push(name);
        } else {
            names.more += 1;
        }
    }
    names
}

/// The subjects of `certificates`.
pub(super) fn subjects(certificates: &[CertificateDer<'_>]) -> Names {
    let mut names = Names::default();
    for certificate in certificates {
        match X509Certificate::from_der(certificate) {
            Ok((_, parsed)) if names.shown.len() < CERTIFICATE_NAMES_SHOWN_MAX => {
                names.shown.push(name(parsed.subject()));
            }
            _ => names.more += 1,
        }
    }
    names
}

fn address(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(v6) => std::net::Ipv6Addr::from(v6).to_string(),
        Err(_) => "(no IP address)".to_owned(),
    }
}

fn key(certificate: &X509Certificate<'_>) -> String {
    let info = certificate.public_key();
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => {
            let curve = info.algorithm.parameters.as_ref();
            let curve = curve.and_then(|oid| oid.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "ECDSA P-256".to_owned(),
                Some("1.3.132.0.34") => "ECDSA P-384".to_owned(),
                Some("1.3.132.0.35") => "ECDSA P-521".to_owned(),
                _ => format!("elliptic curve of {} bits", point.key_size()),
            }
        }
        _ if info.algorithm.algorithm == oid_registry::OID_SIG_ED25519 => "Ed25519".to_owned(),
        _ => shown(&info.algorithm.algorithm.to_id_string()),
    }
}

pub(crate) fn display<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
