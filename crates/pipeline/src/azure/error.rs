//! Why the service did not do what was asked, told apart by what a caller decides.

use std::fmt;
use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use windrow_formats::azure::Refusal;
use windrow_formats::text::visible;

use crate::tls::CertificateFault;

/// Why the service did not do what was asked. It names the account, what was asked of it, and the cure where there is one; never
/// a key or a signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The request itself is refused: sent again it is refused again.
    #[error("{place} refuses it: {}", Words(refusal))]
    Refused {
        /// Who refuses.
        place: Box<Place>,
        /// In which words.
        refusal: Refusal,
    },
    /// The service has too much to do, or did not answer in time. What was asked may be done all the same.
    #[error("{place} is busy: {why}{}", Pause(*after))]
    Busy {
        /// Who is.
        place: Box<Place>,
        /// What it says about it.
        why: Business,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// The service is not there.
    #[error("{place} cannot be reached: {why}")]
    Away {
        /// Who is not.
        place: Box<Place>,
        /// Why not.
        #[source]
        why: Absence,
    },
    /// The service does not let us in.
    #[error("{place} does not let us in: {why}")]
    Denied {
        /// Who does not.
        place: Box<Place>,
        /// Why not.
        why: Denial,
    },
    /// The answer is none that the service gives, so what was done is not known.
    #[error("{place} gave an answer that cannot be read: {why}")]
    Unreadable {
        /// Who did.
        place: Box<Place>,
        /// What is wrong with it.
        why: Unreadable,
    },
    /// Nothing was sent: the service could only refuse it.
    #[error("{place}: {why}")]
    Unfit {
        /// For whom it was.
        place: Box<Place>,
        /// What is wrong with it.
        why: Unfit,
    },
}

impl AzureError {
    /// Whether the same request may succeed at another time, without anybody changing what is asked. A key that is wrong is
    /// renewed one day, and what was done by a request whose answer cannot be read is only known when it is repeated.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            AzureError::Busy { .. }
            | AzureError::Away { .. }
            | AzureError::Denied { .. }
            | AzureError::Unreadable { .. } => true,
            AzureError::Refused { .. } | AzureError::Unfit { .. } => false,
        }
    }

    /// What the service refused, and in which words.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            AzureError::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Whether the table is not there.
    #[must_use]
    pub fn is_no_table(&self) -> bool {
        self.has_code(&["TableNotFound"])
    }

    /// Whether the container is not there. Asked about a blob, the service says no more than that something is not.
    #[must_use]
    pub fn is_no_container(&self) -> bool {
        self.has_code(&["ContainerNotFound"])
    }

    /// How long the service asks to wait.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            AzureError::Busy { after, .. } => *after,
            _ => None,
        }
    }

    /// Whether it is a refusal with this code of the service's.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        self.refusal()
            .is_some_and(|refusal| codes.contains(&&*refusal.code))
    }
}

#[cfg(test)]
impl AzureError {
    /// A refusal, for tests of those who write.
    pub(crate) fn refused(status: u16, code: &str, place: Option<usize>) -> AzureError {
        AzureError::Refused {
            place: Box::new(Place::of_test()),
            refusal: Refusal {
                status,
                code: code.to_owned(),
                message: "as the test wants it".to_owned(),
                place,
            },
        }
    }

    /// A service that has too much to do, for tests of those who write.
    pub(crate) fn busy() -> AzureError {
        AzureError::Busy {
            place: Box::new(Place::of_test()),
            why: Business::BeingDeleted,
            after: None,
        }
    }
}

#[cfg(test)]
impl Place {
    fn of_test() -> Place {
        Place {
            account: "acme".to_owned(),
            what: What::Tables,
        }
    }
}

/// What was asked, and of which account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) account: String,
    pub(super) what: What,
}

/// What in an account was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Tables,
    Table(String),
    Container(String),
    Blob(String, String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Tables => write!(f, "the list of tables")?,
            What::Table(table) => write!(f, "the table {}", visible(table))?,
            What::Container(container) => write!(f, "the container {}", visible(container))?,
            What::Blob(container, blob) => {
                write!(f, "the blob {}/{}", visible(container), visible(blob))?;
            }
        }
        write!(f, " of the storage account {}", self.account)
    }
}

/// The service's own words.
struct Words<'a>(&'a Refusal);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            status,
            code,
            message,
            place,
        } = self.0;
        match (code.as_str(), message.as_str()) {
            ("", "") => write!(f, "HTTP {status}")?,
            ("", message) => write!(f, "{message} (HTTP {status})")?,
            (code, "") => write!(f, "{code} (HTTP {status})")?,
            (code, message) => write!(f, "{message} ({code}, HTTP {status})")?,
        }
        match place {
            None => Ok(()),
            Some(place) => write!(f, ", of operation {place} counted from 0"),
        }
    }
}

struct Pause(Option<Duration>);

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(after) => write!(f, "; it asks to wait for {} s", after.as_secs()),
        }
    }
}

/// Why the service is busy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Business {
    /// It says so.
    #[error("{}", Words(refusal))]
    Told {
        /// In which words.
        refusal: Refusal,
    },
    /// It said nothing for so long.
    #[error("no answer within {} s", limit.as_secs())]
    Silent {
        /// How long it had.
        limit: Duration,
    },
    /// What has this name is being taken away, which takes the service a minute or so.
    #[error("one of this name is still being deleted; that takes the service a minute")]
    BeingDeleted,
}

/// Why the service cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Absence {
    /// Its name is unknown.
    #[error(
        "there is no address for {host}; check the account's name, and the DNS that this machine asks"
    )]
    Name {
        /// The name.
        host: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// None of its addresses takes a connection.
    #[error(
        "no connection to {host}:{port}; check the account's firewall, its private endpoint and this network's"
    )]
    Connect {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
        /// What the system says of the last address.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("no connection to {host}:{port} within {} s; check this network's firewall", limit.as_secs())]
    Slow {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
        /// How long it had.
        limit: Duration,
    },
    /// Its certificate.
    #[error("the certificate of {host} is refused: {fault}")]
    Certificate {
        /// The host.
        host: String,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// TLS did not come about.
    #[error("TLS with {host} does not come about: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// Why not.
        reason: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection broke before the answer was there: {reason}")]
    Broken {
        /// How.
        reason: String,
    },
}

/// Why the service does not let us in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The key.
    #[error(
        "it does not accept the key; it may have been renewed, or be another account's: copy it anew from the portal"
    )]
    Key,
    /// The account accepts no keys.
    #[error(
        "the account accepts no keys (\"Allow storage account key access\" is off); give it a shared access signature that is signed with Entra ID, or have that allowed"
    )]
    KeysForbidden,
    /// The clocks are too far apart for a signed date.
    #[error("this machine's clock is {} the service's, which accepts a quarter of an hour; set the clock right", Apart(*ahead))]
    Clock {
        /// How far ahead ours is.
        ahead: SignedDuration,
    },
    /// The signature is not right.
    #[error(
        "it does not accept the shared access signature; the key that signed it may have been renewed, or it is not complete: have a new one made"
    )]
    Sas,
    /// It is over.
    #[error("the shared access signature ended at {at}; have a new one made")]
    SasEnded {
        /// When.
        at: Timestamp,
    },
    /// It has not begun.
    #[error(
        "the shared access signature begins only at {at}; have one made that begins earlier, or set this machine's clock right"
    )]
    SasNotBegun {
        /// When.
        at: Timestamp,
    },
    /// It does not permit this.
    #[error(
        "the shared access signature does not permit this (it has sp={permissions}); have one made that does"
    )]
    SasPermission {
        /// A letter for each permission that it has.
        permissions: String,
    },
    /// It is for other services.
    #[error(
        "the shared access signature is not for this service (its ss); have one made for tables and blobs"
    )]
    SasService,
    /// It is for other kinds of things.
    #[error(
        "the shared access signature is not for this kind of resource (its srt); have one made for service, container and object"
    )]
    SasResource,
    /// It is for other addresses.
    #[error(
        "the shared access signature is not for this machine's address (its sip); have one made for it"
    )]
    SasAddress,
    /// It is for the other one of HTTP and HTTPS.
    #[error("the shared access signature is for HTTPS alone (its spr)")]
    SasProtocol,
    /// The account's own firewall.
    #[error(
        "the account does not take this from here: its firewall (\"Networking\" in the portal) has to let this machine's address in, or the credential is not for this"
    )]
    Firewall,
    /// The account is off.
    #[error("the account is disabled")]
    Disabled,
    /// Something else.
    #[error("{}", Words(refusal))]
    Other {
        /// In the service's words.
        refusal: Refusal,
    },
}

/// How far a clock is ahead, or behind.
struct Apart(SignedDuration);

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0.is_negative() {
            "behind"
        } else {
            "ahead of"
        };
        let apart = SignedDuration::from_secs(self.0.as_secs()).abs();
        write!(f, "{apart:#} {word}")
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is too long.
    #[error("it has more than {max} bytes")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// It points elsewhere, which the service never does.
    #[error(
        "HTTP {status} points to another address, which is not followed; is something between this machine and the service?"
    )]
    Redirect {
        /// Its status.
        status: u16,
    },
    /// It is a success of another kind.
    #[error(
        "HTTP {status} is no answer to this; is something between this machine and the service?"
    )]
    Status {
        /// Its status.
        status: u16,
    },
    /// It is not HTTP.
    #[error("it is not HTTP: {reason}")]
    Http {
        /// What is wrong.
        reason: String,
    },
    /// Its contents are not what was asked for.
    #[error("{reason}")]
    Contents {
        /// What is wrong.
        reason: String,
    },
}

/// What the service could only refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The name of a table.
    #[error("this is no name of a table: a letter, then letters and digits, 3 to 63 of them")]
    TableName,
    /// A batch for another table or account.
    #[error("the batch is for {url}")]
    OtherTable {
        /// Which.
        url: String,
    },
    /// Nothing in it.
    #[error("there is nothing to send")]
    Empty,
    /// A key.
    #[error("a key has more than 1 KiB, or one of / \\ # ? or a control character")]
    Key,
    /// The name of a container.
    #[error(
        "this is no name of a container: small letters, digits and single hyphens between them, 3 to 63"
    )]
    ContainerName,
    /// The name of a blob.
    #[error(
        "this is no name of a blob that is kept as it is: at most 1,024 characters, no control character or backslash, no part that is empty or ends with a dot"
    )]
    BlobName,
    /// Too much at once.
    #[error("it has {bytes} bytes, and at most {max} are sent or fetched at once")]
    TooLarge {
        /// How much it is.
        bytes: usize,
        /// How much it may be.
        max: usize,
    },
    /// Too many blocks.
    #[error("a blob has at most {max} blocks")]
    TooManyBlocks {
        /// How many it may have.
        max: u32,
    },
    /// What stands in no header or address.
    #[error("{what} cannot stand in a request")]
    Text {
        /// What does not.
        what: &'static str,
    },
}
