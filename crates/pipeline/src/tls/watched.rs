//! What a client showed that was refused: its certificate's name and authority, for the administrator
//! to find the machine by. Nothing of it is proven.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::peer::peer_name;
use super::server::Server;
use super::summary::CertificateSummary;

/// A certificate that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name in it.
    pub name: Option<String>,
    /// The distinguished name of its authority.
    pub issuer: String,
}

/// What the client of one connection showed, if it was refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claimed(Arc<Mutex<Option<Claim>>>);

impl Claimed {
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Server {
    /// The configuration for one connection, which notes in `claimed` what its client has shown when it
    /// is refused.
    ///
    /// # Errors
    ///
    /// The provider lacks what it had before.
    pub(crate) fn watched(&self, claimed: &Claimed) -> Result<Arc<ServerConfig>, Error> {
        let verifier = Arc::new(WatchedVerifier {
            inner: Arc::clone(&self.verifier),
            claimed: claimed.clone(),
        });
        let provider = Arc::clone(self.config.crypto_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(super::server::VERSIONS)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&self.config.cert_resolver));
        config.ignore_client_order = self.config.ignore_client_order;
        config.session_storage = Arc::clone(&self.config.session_storage);
        config.send_tls13_tickets = self.config.send_tls13_tickets;
        config
            .alpn_protocols
            .clone_from(&self.config.alpn_protocols);
        Ok(Arc::new(config))
    }
}

#[derive(Debug)]
struct WatchedVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    claimed: Claimed,
}

impl ClientCertVerifier for WatchedVerifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = (self.inner).verify_client_cert(end_entity, intermediates, now);
        if verified.is_err()
            && let Some(summary) = CertificateSummary::of(end_entity)
        {
            let claim = Claim {
                name: peer_name(end_entity).ok(),
                issuer: summary.issuer,
            };
            let mut claimed = self
                .claimed
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *claimed = Some(claim);
        }
        verified
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
