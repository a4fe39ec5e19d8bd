//! Certificates made for one test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use windrow_pipeline::sinks::syslog::{Tls, Transport};

pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// An authority with a server's and a client's certificate.
pub struct Pki {
    authority: rcgen::Certificate,
    pub server: Identity,
    pub client: Identity,
}

impl Pki {
    pub fn new() -> Pki {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(
            rcgen::DnType::CommonName,
            format!("Root {}", key_number(&key)),
        );
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::from_params(&params, &key);
        let server = Identity::new("localhost", ExtendedKeyUsagePurpose::ServerAuth, &issuer);
        let client = Identity::new(
            "windrow.example.com",
            ExtendedKeyUsagePurpose::ClientAuth,
            &issuer,
        );
        Pki {
            authority,
            server,
            client,
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        roots
    }

    /// A server that speaks `version` and wants a client certificate of this authority.
    pub fn mutual_server(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots().into(), provider.clone())
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.server.chain(), self.server.key())
            .unwrap();
        Arc::new(config)
    }

    pub fn server(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.server.chain(), self.server.key())
            .unwrap();
        Arc::new(config)
    }

    /// A transport that trusts this authority and shows `identity`.
    pub fn transport(&self, identity: Option<&Identity>) -> Transport {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain(), identity.key())
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        Transport::Tls(Tls {
            config: Arc::new(config),
            server_name: None,
        })
    }

    /// Writes `ca.pem`, `server.pem` and `server.key` for another program.
    pub fn write(&self, folder: &Path) -> PathBuf {
        std::fs::write(folder.join("ca.pem"), self.authority.pem()).unwrap();
        std::fs::write(folder.join("server.pem"), self.server.certificate.pem()).unwrap();
        std::fs::write(folder.join("server.key"), self.server.key.serialize_pem()).unwrap();
        folder.to_owned()
    }
}

impl Identity {
    fn new(
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
        issuer: &Issuer<'_, &KeyPair>,
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, issuer).unwrap();
        Identity { certificate, key }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// Tells one authority from another.
fn key_number(key: &KeyPair) -> u64 {
    key.public_key_raw().iter().fold(0, |number: u64, byte| {
        number.wrapping_mul(31) + u64::from(*byte)
    })
}
