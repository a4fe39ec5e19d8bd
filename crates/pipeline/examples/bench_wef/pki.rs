//! Certificates of the machines and of the collector, and the collector's keytab.

use std::io::Write;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use windrow_pipeline::kerberos::Principal;
use windrow_pipeline::kerberos::wire::keytab::{self, Entry};

pub(super) fn make_pki(folder: &Path, machines: usize) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let machines = (0..machines).map(|number| format!("ws{number}"));
    for name in machines.chain(["localhost".to_owned()]) {
        let mut params = CertificateParams::new(vec![name.clone()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, name.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        write_key(
            &folder.join(format!("{name}.key")),
            key.serialize_pem().as_bytes(),
        );
    }
}

/// A keytab of the collector's.
pub(super) fn make_keytab(path: &Path) {
    let entry = Entry {
        principal: Principal::parse("HTTP/localhost@CORP.EXAMPLE").unwrap(),
        kvno: 1,
        whole_kvno: true,
        etype: 18,
        key: vec![7; 32].into(),
    };
    write_key(path, &keytab::encode(&[entry]));
}

fn write_key(path: &Path, key: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).unwrap().write_all(key).unwrap();
}
