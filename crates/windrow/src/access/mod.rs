//! Who may do what from elsewhere: roles, and the tokens that stand for an account.
//!
//! Roles are the same for everything that asks who somebody is. Tokens are state and not settings: they lie in a file of
//! their own in the data folder, as the SHA-256 of what was shown once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) mod manage;
mod role;
mod secret;
mod tokens;

pub use manage::{Answer, Request, Verb};
pub use role::Role;
pub use tokens::{Shown, TokensError};
pub(crate) use {secret::Secret, tokens::Tokens};

/// The endpoint's address in a record of what was asked on its own machine. One that listens at every address was reached at
/// the one that a machine calls itself by.
pub(crate) fn endpoint_address(listen: SocketAddr) -> IpAddr {
    match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Who asks, once that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The name, and what it was known by: `ada (token)`.
    pub(crate) who: String,
    /// What it may do.
    pub(crate) role: Role,
}

/// The name of an account as records have it.
pub(crate) fn who(name: &str, known_by: &str) -> String {
    format!("{name} ({known_by})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_names_the_address_that_stands_for_all() {
        for (listen, address) in [
            ("0.0.0.0:9443", "127.0.0.1"),
            ("[::]:9443", "::1"),
            ("192.0.2.1:9443", "192.0.2.1"),
        ] {
            let found = endpoint_address(listen.parse().unwrap());
            assert_eq!(found, address.parse::<IpAddr>().unwrap());
        }
    }
}
