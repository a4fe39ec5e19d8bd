//! TLS for every listener and every connection: rustls with aws-lc-rs, chosen here and nowhere else.
//!
//! Invariants: the provider is passed to every configuration, never installed for the process. A
//! server that collects asks each client for a certificate and takes none without. A client checks
//! its server as the administrator chose ([`ServerCheck`]); whatever was chosen, the server proves
//! that it holds the key of the certificate it shows. Keys are read only from files that nobody but
//! their owner can read, or out of a PFX. An error names the file, and where it is known the cure.

mod authorities;
mod chain;
mod check;
mod client;
mod error;
mod fault;
mod files;
mod fingerprint;
mod inspect;
mod memory;
mod peer;
pub mod pfx;
mod revocation;
mod server;
mod summary;
mod watched;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use self::authorities::{Authorities, thumbprint};
pub use self::chain::{ChainError, check_chain, check_validity};
pub use self::check::{ServerCheck, Verdict, Verdicts, is_for};
pub use self::client::{Client, IdentityFiles, Material, Roots, client_config, server_name};
pub use self::error::TlsError;
pub use self::fault::CertificateFault;
pub(crate) use self::files::readable_by_others;
pub use self::files::{load_certificates, load_key};
pub use self::fingerprint::{Fingerprint, FingerprintError};
pub(crate) use self::inspect::{Inspection, Seen};
pub use self::memory::{
    IdentityPem, MemoryError, client_config_from_pem, client_from_pem, server_config_from_pem,
};
pub use self::peer::{PeerError, peer_name};
pub use self::revocation::{RevocationList, revocation_lists};
pub use self::server::{ExpiredLists, Revocation, Server, open_server_config, server_config};
pub use self::summary::{CertificateSummary, Names};
pub use self::watched::Claim;
pub(crate) use self::watched::Claimed;

/// The provider of every configuration in this program.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
