//! Why a client's ticket is not taken, in words for the administrator.

use super::crypto::etype_name;
use super::wire::limits::{REPLAYS_PER_CLIENT_MAX, SKEW_SECONDS};

impl Refused {
    /// The client, where the ticket could be read; it has proved nothing.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        match self {
            Refused::Skew { client, .. }
            | Refused::Expired { client, .. }
            | Refused::NotYetValid { client }
            | Refused::Replayed { client }
            | Refused::Authenticator { client }
            | Refused::Lacking { client, .. }
            | Refused::NotMachine { client }
            | Refused::TooMany { client } => Some(client),
            Refused::Malformed { .. }
            | Refused::Ntlm
            | Refused::NoKerberos
            | Refused::WrongService { .. }
            | Refused::UnknownKey { .. }
            | Refused::WeakEncryption { .. }
            | Refused::WrongKey { .. }
            | Refused::Failed { .. } => None,
        }
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not a token.
    #[error("the client's token cannot be read: {what}")]
    Malformed {
        /// What in it.
        what: &'static str,
    },
    /// The client has no ticket and offers NTLM instead.
    #[error("the client has no Kerberos ticket and offers NTLM")]
    Ntlm,
    /// The client offers neither.
    #[error("the client does not offer Kerberos first")]
    NoKerberos,
    /// The ticket is for somebody else.
    #[error("the ticket is for {asked}, and this collector is {ours}")]
    WrongService {
        /// The SPN that the client asked for.
        asked: String,
        /// Ours.
        ours: String,
    },
    /// The ticket is encrypted in a key that is not in the keytab.
    #[error(
        "the ticket for {service} is encrypted with key version {} and {}, and the keytab has {known}",
        kvno.map_or_else(|| "unknown".to_owned(), |kvno| kvno.to_string()),
        etype_name(*etype)
    )]
    UnknownKey {
        /// The SPN.
        service: String,
        /// Version of the key, if the ticket names it.
        kvno: Option<u32>,
        /// Number of the encryption.
        etype: i64,
        /// What the keytab has for it.
        known: String,
    },
    /// The ticket is encrypted in a way that is not taken any more.
    #[error("the ticket for {service} is encrypted with {}, which is not safe", etype_name(*etype))]
    WeakEncryption {
        /// The SPN.
        service: String,
        /// Number of the encryption.
        etype: i64,
    },
    /// The keytab has the key, and it is another one.
    #[error(
        "the ticket for {service} cannot be decrypted with the keytab's key (version {kvno}, {}): the key is not that of the account",
        etype_name(*etype)
    )]
    WrongKey {
        /// The SPN.
        service: String,
        /// Version of the key.
        kvno: u32,
        /// Number of the encryption.
        etype: i64,
    },
    /// The clocks differ.
    #[error(
        "the clock of {client} is {} s {} ours, and {SKEW_SECONDS} s are allowed",
        ahead_seconds.unsigned_abs(),
        if *ahead_seconds > 0 { "ahead of" } else { "behind" }
    )]
    Skew {
        /// The client.
        client: String,
        /// How far it is ahead, below 0 behind.
        ahead_seconds: i64,
    },
    /// The ticket's time is over.
    #[error("the ticket of {client} expired {seconds} s ago")]
    Expired {
        /// The client.
        client: String,
        /// How long ago.
        seconds: i64,
    },
    /// The ticket's time has not come.
    #[error("the ticket of {client} is not valid yet")]
    NotYetValid {
        /// The client.
        client: String,
    },
    /// The authenticator came before.
    #[error("the authenticator of {client} came before: somebody repeats what it recorded")]
    Replayed {
        /// The client.
        client: String,
    },
    /// The authenticator was not made by whose ticket it is.
    #[error("the authenticator is not of {client}, whose ticket it came with")]
    Authenticator {
        /// The client.
        client: String,
    },
    /// The client does not want what has to be.
    #[error("{client} does not ask for {lacking}")]
    Lacking {
        /// The client.
        client: String,
        /// What.
        lacking: &'static str,
    },
    /// Not a machine.
    #[error("{client} is not a machine's account")]
    NotMachine {
        /// The client.
        client: String,
    },
    /// It has authenticated more often than can be remembered of one client.
    #[error(
        "{client} has authenticated more than {REPLAYS_PER_CLIENT_MAX} times within {} minutes",
        2 * SKEW_SECONDS / 60
    )]
    TooMany {
        /// The client.
        client: String,
    },
    /// Something failed here.
    #[error("a session could not be set up: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}
