//! Kerberos, for machines of a domain: the collector's side, and a client's for a simulated machine.
//!
//! A machine asks its domain controller for a ticket to `HTTP/collector` or `HOST/collector` and shows
//! it in an HTTP header, bare or within SPNEGO. The collector decrypts the ticket with a key of its
//! keytab; nothing but the keytab is needed, no domain controller is asked, no library of the system
//! is called. Of the ticket the client's name and the session key are used, and nothing else.
//!
//! ```text
//! wire      bytes ⇄ messages: DER, Kerberos, GSS-API, SPNEGO, keytabs
//! crypto    AES with SHA-1 and SHA-2, keys from keys
//! server    token ─▶ ticket ─▶ authenticator ─▶ session and answer
//! session   seals and unseals what follows
//! client    password or keytab ─▶ KDC ─▶ ticket ─▶ session
//! ```
//!
//! Invariants
//! 1. Whoever is let in has proved that it has the session key, within five minutes of our clock, and
//!    with a message that nobody was let in with before.
//! 2. A session has a key of the service's own making; its messages are encrypted, in order, and
//!    taken once. There is no session without encryption.
//! 3. RC4 and DES are refused, by name.

pub mod client;
pub mod crypto;
mod keytab;
mod refused;
mod replay;
mod server;
mod session;
pub mod wire;

pub use self::keytab::{Keytab, KeytabError, KeytabKey};
pub use self::refused::Refused;
pub use self::replay::Replays;
pub use self::server::{Accepted, Accounts, Scheme, Server};
pub use self::session::{SealError, Session};
pub use self::wire::principal::{Name, NotPrincipal, Principal};

#[cfg(test)]
mod tests;
