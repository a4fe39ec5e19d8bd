//! Who may do what from elsewhere: roles, and the tokens that stand for an account.
//!
//! Roles are the same for everything that asks who somebody is. Tokens are state and not settings: they lie in a file of
//! their own in the data folder, as the SHA-256 of what was shown once.

pub(crate) mod manage;
mod role;
mod secret;
mod tokens;

pub use manage::{Answer, Request, Verb};
pub use role::Role;
pub use tokens::{Shown, TokensError};
pub(crate) use {secret::Secret, tokens::Tokens};

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
