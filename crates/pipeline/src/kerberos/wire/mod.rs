//! Bytes in, values out; values in, bytes out: the messages of Kerberos (RFC 4120) and of what carries
//! them. Nothing here knows a key, a clock or a socket, so that all of it can be fuzzed.

pub mod der;
pub mod gss;
pub mod kdc;
pub mod keytab;
pub mod limits;
pub mod messages;
pub mod principal;
pub mod spnego;
pub mod time;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read")]
pub struct Malformed {
    /// What was read.
    pub what: &'static str,
}
