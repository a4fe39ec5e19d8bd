//! A handshake that is watched: what the server has shown, what each check finds, and whether the
//! server has asked for a client's certificate. It is decided as ever.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Name};

use super::check::{Shown, Verdicts, Verifier};
use super::client::Client;
use super::summary::{self, CertificateSummary, Names};
use crate::limits::{CERTIFICATE_NAMES_SHOWN_MAX, CHAIN_CERTIFICATES_MAX};

/// What was seen of a handshake so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The server's certificate, then those it sent along.
    pub(crate) chain: Vec<CertificateSummary>,
    /// What each check finds, once there was a certificate.
    pub(crate) verdicts: Option<Verdicts>,
    /// The authorities whose certificates the server takes from clients, if it has asked for one.
    pub(crate) asked: Option<Names>,
}

/// Watches the handshakes of one configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inspection(Arc<Mutex<Seen>>);

impl Inspection {
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// The same client with its handshakes watched. It resumes no session: the server has to show
    /// its certificate.
    pub(crate) fn inspected(&self) -> (Client, Inspection) {
        let inspection = Inspection::default();
        let mut config = (*self.config).clone();
        config.resumption = Resumption::disabled();
        config.client_auth_cert_resolver = Arc::new(WatchedResolver {
            inner: Arc::clone(&config.client_auth_cert_resolver),
            inspection: inspection.clone(),
        });
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(WatchedVerifier {
                inner: Arc::clone(&self.verifier),
                inspection: inspection.clone(),
            }));
        let mut client = self.clone();
        client.config = Arc::new(config);
        (client, inspection)
    }
}

#[derive(Debug)]
struct WatchedVerifier {
    inner: Arc<Verifier>,
    inspection: Inspection,
}

impl ServerCertVerifier for WatchedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown {
            certificate: end_entity,
            intermediates,
            name: server_name,
            now,
        };
        let verdicts = self.inner.verdicts(shown);
        let mut seen = self.inspection.lock();
        seen.verdicts = Some(verdicts);
        seen.chain = std::iter::once(end_entity)
            .chain(intermediates)
            .take(CHAIN_CERTIFICATES_MAX)
            .filter_map(CertificateSummary::of)
            .collect();
        drop(seen);
        let inner = &self.inner;
        inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[derive(Debug)]
struct WatchedResolver {
    inner: Arc<dyn ResolvesClientCert>,
    inspection: Inspection,
}

impl ResolvesClientCert for WatchedResolver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let mut names = Names::default();
        for subject in root_hint_subjects {
            match X509Name::from_der(subject) {
                Ok((_, name)) if names.shown.len() < CERTIFICATE_NAMES_SHOWN_MAX => {
                    names.shown.push(summary::name(&name));
                }
                _ => names.more += 1,
            }
        }
        self.inspection.lock().asked = Some(names);
        self.inner.resolve(root_hint_subjects, sigschemes)
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}
