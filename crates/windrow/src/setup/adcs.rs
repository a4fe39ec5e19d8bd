//! What Active Directory Certificate Services need to issue the certificates: a request for the collector's, the steps
//! for a template of the machines', and a request file for machines that are not enrolled by policy.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use super::handout::Sheet;
use super::script::lines;

const STEPS: &str = include_str!("templates/adcs.txt");
const CLIENT: &str = include_str!("templates/client.inf");

/// The folder in that of the machines.
pub const FOLDER: &str = "adcs";
/// The collector's request in it.
const REQUEST: &str = "collector.csr";

/// What the collector asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its request (PKCS #10), in PEM.
    pub csr_pem: String,
    /// Where its certificate is expected.
    pub certificate: PathBuf,
    /// Where its key is.
    pub key: PathBuf,
    /// The thumbprint of the authority that issues the machines' certificates.
    pub thumbprint: String,
}

/// A request that asks for the same as `made` and stands in the folder for the machines: it may be on its way. Two differ
/// in their signatures each time.
pub(super) fn kept(machines: &Path, made: &str) -> Option<String> {
    let text = std::fs::read_to_string(machines.join(FOLDER).join(REQUEST)).ok()?;
    let der = |text: &str| CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).ok();
    let (there, made) = (der(&text)?, der(made)?);
    let (_, there) = X509CertificationRequest::from_der(&there).ok()?;
    let (_, made) = X509CertificationRequest::from_der(&made).ok()?;
    let is_same = there.certification_request_info.raw == made.certification_request_info.raw
        && there.verify_signature().is_ok();
    is_same.then_some(text)
}

/// The files.
pub(super) fn sheets(request: &Request, name: &str) -> Vec<Sheet> {
    let certificate = request.certificate.display().to_string();
    let steps = STEPS
        .replace("@NAME@", name)
        .replace("@CERTIFICATE@", &certificate)
        .replace("@KEY@", &request.key.display().to_string())
        .replace("@THUMBPRINT@", &request.thumbprint);
    vec![
        Sheet {
            path: format!("{FOLDER}/adcs.txt"),
            content: lines(&steps),
            what: "How to have the collector's certificate and the machines' issued, step by step.".to_owned(),
            place: "nowhere; it is read".to_owned(),
            undo: "revoke the certificates, take the template off the list of those to issue, and delete it".to_owned(),
        },
        Sheet {
            path: format!("{FOLDER}/{REQUEST}"),
            content: lines(&request.csr_pem.replace('\r', "")),
            what: format!("The request for the collector's certificate, for {name}. Its key stays on the collector."),
            place: "a machine of the domain, for `certreq -submit`".to_owned(),
            undo: "revoke what was issued for it".to_owned(),
        },
        Sheet {
            path: format!("{FOLDER}/client.inf"),
            content: lines(CLIENT),
            what: "The request of a machine that is not enrolled by policy, for `certreq -new`; its key readable for \
                   NETWORK SERVICE."
                .to_owned(),
            place: "that machine, after its name was put in".to_owned(),
            undo: "delete the certificate in certlm.msc, and revoke it".to_owned(),
        },
    ]
}
