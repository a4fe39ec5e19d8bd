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
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use windrow_pipeline::sinks::syslog::{Tls, Transport};
use windrow_pipeline::tls::{self, IdentityPem, ServerCheck};

pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// An authority with a server's and a client's certificate.
pub struct Pki {
    authority: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
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
        let issuer = Issuer::new(params, key);
        let server = Identity::new("localhost", ExtendedKeyUsagePurpose::ServerAuth, &issuer);
        let client = Identity::new(
            "windrow.example.com",
            ExtendedKeyUsagePurpose::ClientAuth,
            &issuer,
        );
        Pki {
            authority,
            issuer,
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

    /// A certificate of this authority.
    pub fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }

    /// A transport that trusts this authority, shows `identity` and makes all checks.
    pub fn transport(&self, identity: Option<&Identity>) -> Transport {
        self.checking(identity, ServerCheck::Full)
    }

    /// A transport that trusts this authority, shows `identity` and checks as told.
    pub fn checking(&self, identity: Option<&Identity>, check: ServerCheck) -> Transport {
        let pem = identity.map(|identity| (identity.certificate_pem(), identity.key_pem()));
        let identity = pem
            .as_ref()
            .map(|(certificate, key)| IdentityPem { certificate, key });
        let client = tls::client_from_pem(&self.pem(), identity, check).unwrap();
        Transport::Tls(Tls {
            client,
            server_name: None,
        })
    }

    /// The authority.
    pub fn pem(&self) -> String {
        self.authority.pem()
    }

    /// Writes `ca.pem`, `server.pem` and `server.key` for another program.
    pub fn write(&self, folder: &Path) -> PathBuf {
        std::fs::write(folder.join("ca.pem"), self.authority.pem()).unwrap();
        std::fs::write(folder.join("server.pem"), self.server.certificate.pem()).unwrap();
        std::fs::write(folder.join("server.key"), self.server.key_pem()).unwrap();
        folder.to_owned()
    }
}

impl Identity {
    fn new(name: &str, purpose: ExtendedKeyUsagePurpose, issuer: &Issuer<'_, KeyPair>) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, issuer).unwrap();
        Identity { certificate, key }
    }

    /// One that nobody else has issued.
    pub fn self_signed(params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Identity { certificate, key }
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
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
