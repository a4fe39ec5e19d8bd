//! What makes forwarding work, as files: the collector's configuration and certificates, and for the machines a folder
//! with everything that has to be set there, each file with what it is, where it goes and how to undo it.
//!
//! Facts in, files out: nothing here reads an environment, asks a question or looks at a clock beyond the dates of
//! certificates. What is written is written last and together, and never over what is there unless told so.

pub mod adcs;
mod authorities;
pub mod clients;
pub mod configuration;
pub mod files;
mod given;
pub mod handout;
pub mod lock;
pub mod machines;
pub mod manager;
mod own;
pub mod plan;
mod registry;
mod script;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

/// The path of the subscription manager that Windows' own collector has.
pub const MANAGER_PATH: &str = "/wsman/SubscriptionManager/WEC";

/// The folder of what is set on Windows machines.
pub const FOR_THE_MACHINES: &str = "for-the-machines";

/// How often machines ask for their subscriptions, in seconds, where nobody says.
pub const REFRESH_SECONDS: u32 = 60;

/// A collector as machines know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// The name that machines reach it by.
    pub name: String,
    /// How often they ask for their subscriptions, in seconds.
    pub refresh_seconds: u32,
    /// For machines of a domain.
    pub kerberos: Option<KerberosDoor>,
    /// For machines with certificates.
    pub certificates: Option<CertificateDoor>,
}

/// Where machines of a domain come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerberosDoor {
    /// The port.
    pub port: u16,
    /// The domain's realm, in capitals.
    pub realm: String,
}

/// Where machines with certificates come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDoor {
    /// The port.
    pub port: u16,
    /// The SHA-1 of the authority that issues the machines' certificates, in capital hexadecimal.
    pub issuer_thumbprint: String,
    /// What machines have to trust to believe the collector.
    pub trusted: Trusted,
    /// The authorities of the machines' certificates, in PEM, where they are others than those trusted.
    pub machines_authorities_pem: Option<String>,
    /// Who issues the machines' certificates.
    pub issuer: Issuer,
}

/// Authorities that machines have to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// In PEM.
    pub pem: String,
    /// The SHA-1 of the one that matters, in capital hexadecimal.
    pub thumbprint: String,
}

/// Who issues the machines' certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// windrow's own authority: a PFX for each machine.
    Own,
    /// Somebody else's, who knows how.
    Theirs,
    /// Active Directory Certificate Services, which are to be told.
    Adcs(adcs::Request),
}

/// Where everything goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The configuration file.
    pub config: PathBuf,
    /// The data folder, where it is to be said.
    pub data_dir: Option<PathBuf>,
    /// The folder of certificates and keys.
    pub pki: PathBuf,
    /// The folder for the machines.
    pub machines: PathBuf,
}
