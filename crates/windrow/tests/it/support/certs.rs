//! Certificates for the receivers. Made here and not by windrow, so that a mistake in its own
//! certificates cannot hide behind a peer that shares it.

use std::path::PathBuf;
use std::process::Command;

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
        let files = write(scratch, &format!("{name}/ca"), &certificate.pem(), &key);
        Authority {
            name: name.to_owned(),
            issuer: Issuer::new(params, key),
            certificate: files.certificate,
            key: files.key,
        }
    }

    /// `authority` again, whose certificates go to a folder of another name.
    pub(crate) fn renamed(scratch: &Scratch, authority: &Authority, name: &str) -> Authority {
        let key = std::fs::read_to_string(&authority.key).unwrap();
        let certificate = std::fs::read_to_string(&authority.certificate).unwrap();
        let key = KeyPair::from_pem(&key).unwrap();
        Authority {
            name: name.to_owned(),
            certificate: scratch.write(&format!("certs/{name}/ca.pem"), &certificate),
            key: authority.key.clone(),
            issuer: Issuer::from_ca_cert_pem(&certificate, key).unwrap(),
        }
    }

    /// A certificate for `name`, good for a server and for a client.
    pub(crate) fn issue(&self, scratch: &Scratch, name: &str) -> Pair {
        self.sign(scratch, name, params(name))
    }

    /// One that is good no more.
    pub(crate) fn issue_expired(&self, scratch: &Scratch, name: &str) -> Pair {
        let mut params = params(name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        self.sign(scratch, name, params)
    }

    fn sign(&self, scratch: &Scratch, name: &str, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(
            scratch,
            &format!("{}/{name}", self.name),
            &certificate.pem(),
            &key,
        )
    }
}

/// A certificate that an authority has made of itself and that a server shows: what many a SIEM is delivered with.
pub(crate) fn self_signed(scratch: &Scratch, name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let certificate = params.self_signed(&key).unwrap();
    write(scratch, &format!("itself/{name}"), &certificate.pem(), &key)
}

fn params(name: &str) -> CertificateParams {
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
    params
}

fn write(scratch: &Scratch, name: &str, certificate: &str, key: &KeyPair) -> Pair {
    let pair = Pair {
        certificate: scratch.write(&format!("certs/{name}.pem"), certificate),
        key: scratch.write(&format!("certs/{name}.key"), &key.serialize_pem()),
    };
    restrict(&pair.key);
    pair
}

/// A PFX of a certificate and its key, made by openssl.
pub(crate) fn pfx(scratch: &Scratch, pair: &Pair, password: &str) -> PathBuf {
    let file = scratch.join("client.pfx");
    let made = Command::new("openssl")
        .args(["pkcs12", "-export", "-in"])
        .arg(&pair.certificate)
        .arg("-inkey")
        .arg(&pair.key)
        .args(["-passout", &format!("pass:{password}"), "-out"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    file
}

/// 0600: what windrow asks of a key file.
fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
