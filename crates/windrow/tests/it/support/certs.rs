//! Certificates for the receivers. Made here and not by windrow, so that a mistake in its own
//! certificates cannot hide behind a peer that shares it.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::Scratch;

/// An authority, and the folder its certificates go to.
pub(crate) struct Authority {
    name: String,
    issuer: Issuer<'static, KeyPair>,
    /// The authority's own certificate.
    pub(crate) certificate: PathBuf,
    /// Its key, for who has to issue certificates too.
    pub(crate) key: PathBuf,
}

/// A certificate and its key, as files.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(scratch: &Scratch, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let files = Pair {
            certificate: scratch.write(&format!("certs/{name}/ca.pem"), &certificate.pem()),
            key: scratch.write(&format!("certs/{name}/ca.key"), &key.serialize_pem()),
        };
        restrict(&files.key);
        Authority {
            name: name.to_owned(),
            issuer: Issuer::new(params, key),
            certificate: files.certificate,
            key: files.key,
        }
    }

    /// A certificate for `name`, good for a server and for a client.
    pub(crate) fn issue(&self, scratch: &Scratch, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut names = vec![name.to_owned()];
        if name == "localhost" {
            names.push("127.0.0.1".to_owned());
        }
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pair = Pair {
            certificate: scratch.write(
                &format!("certs/{}/{name}.pem", self.name),
                &certificate.pem(),
            ),
            key: scratch.write(
                &format!("certs/{}/{name}.key", self.name),
                &key.serialize_pem(),
            ),
        };
        restrict(&pair.key);
        pair
    }
}

/// 0600: what windrow asks of a key file.
fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
