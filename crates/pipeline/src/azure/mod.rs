//! The client of Azure Storage: tables and blobs over HTTP/1.1, opened by an account's key or a shared access signature.
//!
//! Sources: the service's REST reference. What goes over the line and means nothing here is in `windrow_formats::azure`.
//!
//! Invariants: everything that comes from the network is hostile: heads, bodies and pauses have limits, redirects are not
//! followed, words are cut and made visible. No key and no signature is in an error, a debug output or a log line. Plain HTTP
//! goes to this machine alone. A request is sent again by itself only where the connection it was given to was one that the
//! service had closed already, once, and only if nothing of it was sent or the same done twice is the same; everything else is
//! the caller's decision, for which [`AzureError`] is made.

mod account;
mod blob;
mod clear;
mod connection;
mod error;
mod http;
pub mod limits;
mod patience;
mod request;
mod table;
mod verdict;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::account::{Account, AccountError, Credential, Endpoints};
pub use self::blob::{Appended, BlobPart, BlobProperties};
pub use self::clear::{Cleared, Work};
pub use self::error::{Absence, AzureError, Business, Denial, Place, Unfit, Unreadable};
use self::http::Pool;
pub use self::limits::Limits;
pub use self::patience::patiently;
pub use self::table::{Answer, Continuation, Query, TableNames};
use crate::tls::{Roots, ServerCheck, TlsError, client_config};

/// The version of the service's protocol. Pinned, so that answers do not change under us. The newest thing asked of it is that a
/// list gives names of blobs for which XML has no form percent-encoded (2021-02-12); the service and its emulator have had
/// this one for years.
pub const VERSION: &str = "2021-12-02";

/// Whether something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// By this request.
    New,
    /// It was there already.
    There,
}

/// Whether something was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// By this request.
    Now,
    /// It was not there.
    NotThere,
}

/// Where the time comes from that requests are signed with.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Clock {
        Clock::new(Timestamp::now)
    }

    /// Another one.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A client of one account. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    account: Account,
    clock: Clock,
    pool: Pool,
}

impl Client {
    /// A client of an account, which believes these authorities. It connects when it is asked something.
    ///
    /// # Errors
    /// The authorities cannot be read.
    pub fn new(account: Account, roots: &Roots, limits: Limits) -> Result<Client, TlsError> {
        Client::with_clock(account, roots, limits, Clock::system())
    }

    /// The same with another clock than the machine's.
    ///
    /// # Errors
    /// The authorities cannot be read.
    pub fn with_clock(
        account: Account,
        roots: &Roots,
        limits: Limits,
        clock: Clock,
    ) -> Result<Client, TlsError> {
        // An emulator is reached without.
        let needs_tls = !(account.tables().is_plain && account.blobs().is_plain);
        let tls = match needs_tls {
            true => Some(client_config(roots, None, ServerCheck::Full)?.config),
            false => None,
        };
        let pool = Pool::new(tls, limits);
        Ok(Client(Arc::new(Shared {
            account,
            clock,
            pool,
        })))
    }

    /// Whose storage it is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.0.account
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.account).finish()
    }
}
