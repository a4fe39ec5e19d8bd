//! Authorities out of a file, in PEM or DER, and which of them issues.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use windrow_pipeline::tls;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::plan::PlanError;

/// Bytes of a file with certificates.
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<Vec<u8>, PlanError> {
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
pub(super) struct Authorities {
    /// All of them.
    pub(super) pem: String,
    /// The thumbprint of the one that issues.
    pub(super) issuing: String,
    /// All of them, as they are.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// How the file has them.
    pub(super) form: Form,
}

/// How a file has certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In Base64 between lines, as the service reads them.
    Pem,
    /// As they are.
    Der,
}

impl Form {
    /// That of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Form {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => Form::Pem,
            _ => Form::Der,
        }
    }
}

impl Authorities {
    pub(super) fn of(bytes: &[u8], path: &Path) -> Result<Authorities, PlanError> {
        let none = || PlanError::NoAuthority(path.to_owned());
        let form = Form::of(bytes);
        let (pem, chain) = match form {
            Form::Pem => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
                let pem = String::from_utf8_lossy(bytes).into_owned();
                (pem, chain.map_err(|_| none())?)
            }
            Form::Der => (pem_of(bytes), vec![CertificateDer::from(bytes.to_vec())]),
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
        // The one that has issued none of the others. One that stands for itself was issued by none, whoever else has its name.
        let issuing = parsed.iter().filter(|(thumbprint, certificate)| {
            !parsed.iter().any(|(other, issued)| {
                let issuer = issued.issuer().as_raw();
                other != thumbprint
                    && issuer != issued.subject().as_raw()
                    && issuer == certificate.subject().as_raw()
            })
        });
        let issuing: Vec<String> = issuing.map(|(thumbprint, _)| thumbprint.clone()).collect();
        match &issuing[..] {
            [issuing] => Ok(Authorities {
                pem,
                issuing: issuing.clone(),
                certificates: chain,
                form,
            }),
            _ => Err(PlanError::SeveralAuthorities {
                path: path.to_owned(),
                count: parsed.len(),
            }),
        }
    }
}

pub(super) fn pem_of(der: &[u8]) -> String {
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
