//! What is wrong with a file, what is to be known of it, and where.

use std::time::Duration;

use crate::limits::{
    SUBSCRIPTION_XML_BYTES_MAX, SUBSCRIPTION_XML_DEPTH_MAX, SUBSCRIPTION_XML_ELEMENTS_MAX,
};
use crate::places::Place;
use crate::xpath::{Doubt, FilterFault};

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {fault}")]
pub struct ReadError {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub at: Place,
}

/// What can be wrong with a file. Each message says the cure, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Above [`SUBSCRIPTION_XML_BYTES_MAX`].
    #[error("the file is larger than {SUBSCRIPTION_XML_BYTES_MAX} bytes")]
    TooLarge,
    /// Bytes that are no text.
    #[error("this is neither UTF-8 nor UTF-16")]
    Encoding,
    /// Not XML.
    #[error("this is not well-formed XML: {0}")]
    Xml(String),
    /// Cut off.
    #[error("the file ends before its last element is closed")]
    CutOff,
    /// A document type.
    #[error("a subscription has no document type")]
    DocType,
    /// Above [`SUBSCRIPTION_XML_DEPTH_MAX`].
    #[error("elements are nested deeper than {SUBSCRIPTION_XML_DEPTH_MAX} levels")]
    TooDeep,
    /// Above [`SUBSCRIPTION_XML_ELEMENTS_MAX`].
    #[error("more than {SUBSCRIPTION_XML_ELEMENTS_MAX} elements")]
    TooManyElements,
    /// Another document.
    #[error("<{0}> where <Subscription> of Windows' namespace or <QueryList> has to be")]
    Root(String),
    /// An element is not there.
    #[error("there is no <{0}>, or nothing in it")]
    Missing(&'static str),
    /// An element is there twice.
    #[error("a second <{0}>")]
    Repeated(String),
    /// Elements where a value has to be.
    #[error("<{0}> holds elements where text has to be: a query goes into <![CDATA[…]]>")]
    Nested(String),
    /// A value that it cannot have.
    #[error("<{element}> is {found:?}: {expected}")]
    Value {
        /// Of which element or attribute.
        element: &'static str,
        /// What stands there, shortened.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// The collector would have to fetch.
    #[error(
        "a collector-initiated subscription fetches events from machines that it lists; here \
         machines send by themselves: make it SourceInitiated and point them here"
    )]
    CollectorInitiated,
    /// The query.
    #[error("in the query: {0}")]
    Query(#[from] FilterFault),
}

/// A note and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What is to be known.
    pub note: Note,
    /// Where.
    pub at: Place,
}

/// What is to be known of a file that can be used: what it says and means nothing here, and what
/// is most likely not meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// An expression of the query.
    #[error("in the query: {0}")]
    Query(#[from] Doubt),
    /// An analytic or debug channel.
    #[error("Windows forwards no analytic and debug channels: {0} will bring nothing")]
    DirectChannel(String),
    /// LogFile.
    #[error(
        "events keep the channel they were written to; the log {0} of a collector means nothing here"
    )]
    LogFile(String),
    /// PublisherName.
    #[error("the publisher {0} of a collector's log means nothing here")]
    Publisher(String),
    /// TransportName.
    #[error("how machines connect is said at the listener, not by the transport {0}")]
    Transport(String),
    /// TransportPort.
    #[error("the port is said at the listener, not here")]
    TransportPort,
    /// Delivery Mode="Pull".
    #[error("machines always send by themselves; Pull means nothing here")]
    Pull,
    /// Numbers beside a preset.
    #[error("{mode} decides how soon machines send; the numbers in <Delivery> mean nothing")]
    PresetWins {
        /// The preset.
        mode: &'static str,
    },
    /// MaxItems of 1 and little more.
    #[error("at most {0} events a batch: leave <MaxItems> out, and machines fill their envelopes")]
    SmallBatches(u32),
    /// A heartbeat of less than a minute.
    #[error("a sign of life from each machine every {} s", .0.as_secs_f64())]
    FrequentHeartbeat(Duration),
    /// Expires.
    #[error("subscriptions do not expire here; it would have at {0}")]
    Expires(String),
    /// IssuerCA.
    #[error("which authorities are trusted is said at the listener; {0} are named here")]
    Issuers(usize),
    /// No access list.
    #[error("no machines are named: it is for every machine unless you say which")]
    NoMachines,
    /// An access list that is none.
    #[error("the access list of domain machines cannot be read: say which machines it is for")]
    BadSddl,
    /// Domain computers without controllers, or the reverse.
    #[error("it is for domain {0} alone, which names do not tell: say which machines")]
    HalfDomain(&'static str),
    /// A group or account.
    #[error("which machines {0} stands for only the directory knows: say their names or a group")]
    Trustee(String),
    /// One that is kept out.
    #[error(
        "which machines {0}, who are kept out, stands for only the directory knows: say their names in `except`"
    )]
    DeniedTrustee(String),
    /// An element that means nothing here.
    #[error("<{0}> means nothing here")]
    PassedOver(String),
}
