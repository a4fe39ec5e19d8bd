//! A subscription as Windows writes it: what `wecutil gs NAME /f:xml` prints and `wecutil cs`
//! takes, and files that hold a QueryList alone.
//!
//! ```text
//! <Subscription xmlns="http://schemas.microsoft.com/2006/03/windows/events/subscription">
//!   <SubscriptionId>Logons</SubscriptionId>
//!   <SubscriptionType>SourceInitiated</SubscriptionType>
//!   <Query><![CDATA[<QueryList>…</QueryList>]]></Query> …
//! ```
//!
//! Nothing is lost in silence: what means something else here, or nothing, is a [`Note`] with its
//! place; what cannot be used is a [`Fault`] with line and column.

mod error;
mod read;
mod tree;
mod write;

use std::time::Duration;

pub use error::{Fault, Note, Noted, ReadError};
pub use read::read;
pub use write::write;

use super::sddl;
use crate::wsman::reply::ContentFormat;

/// The namespace of a subscription.
pub const NAMESPACE: &str = "http://schemas.microsoft.com/2006/03/windows/events/subscription";

/// The access list of machines of a domain that lets in all of them, controllers too.
pub const ALL_DOMAIN_MACHINES: &str = "O:NSG:NSD:(A;;GA;;;DC)(A;;GA;;;DD)(A;;GA;;;NS)";

/// What a file held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A whole subscription.
    Subscription(Box<Subscription>),
    /// A QueryList alone, with its place for everything else to be said.
    QueryList(String),
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it held.
    pub document: Document,
    /// What is to be known of it, in the order of the file.
    pub notes: Vec<Noted>,
}

/// A source-initiated subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// SubscriptionId: its name.
    pub name: String,
    /// What it is for, in words.
    pub description: Option<String>,
    /// Whether machines are offered it.
    pub enabled: bool,
    /// The QueryList.
    pub query: String,
    /// How soon machines send.
    pub delivery: Delivery,
    /// Whether a machine begins with its oldest event.
    pub read_existing: bool,
    /// Whether events come with rendered messages.
    pub content_format: ContentFormat,
    /// Language of rendered messages.
    pub locale: Option<String>,
    /// The log of a Windows collector that its events go to.
    pub log_file: Option<String>,
    /// Which machines of a domain, as an access list (SDDL).
    pub domain_machines: Option<String>,
    /// Which other machines.
    pub other_machines: OtherMachines,
}

/// How soon machines send (ConfigurationMode and Delivery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every 15 minutes.
    Normal,
    /// Every six hours.
    MinimizeBandwidth,
    /// Within 30 seconds.
    MinimizeLatency,
    /// As it says; what is not said is as in [`Delivery::Normal`].
    Custom {
        /// Most events of a batch.
        max_items: Option<u32>,
        /// Longest wait for a batch to fill.
        max_latency: Option<Duration>,
        /// Interval of signs of life.
        heartbeat: Option<Duration>,
    },
}

const NORMAL: Duration = Duration::from_secs(900);

impl Delivery {
    /// Most events of a batch, where that is limited.
    #[must_use]
    pub fn max_items(self) -> Option<u32> {
        match self {
            Delivery::Custom { max_items, .. } => max_items,
            _ => None,
        }
    }

    /// Longest wait for a batch to fill.
    #[must_use]
    pub fn max_latency(self) -> Duration {
        match self {
            Delivery::Normal => NORMAL,
            Delivery::MinimizeBandwidth => Duration::from_secs(6 * 3600),
            Delivery::MinimizeLatency => Duration::from_secs(30),
            Delivery::Custom { max_latency, .. } => max_latency.unwrap_or(NORMAL),
        }
    }

    /// Interval of signs of life.
    #[must_use]
    pub fn heartbeat(self) -> Duration {
        match self {
            Delivery::Normal => NORMAL,
            Delivery::MinimizeBandwidth => Duration::from_secs(6 * 3600),
            Delivery::MinimizeLatency => Duration::from_secs(3600),
            Delivery::Custom { heartbeat, .. } => heartbeat.unwrap_or(NORMAL),
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Delivery::Normal => "Normal",
            Delivery::MinimizeBandwidth => "MinBandwidth",
            Delivery::MinimizeLatency => "MinLatency",
            Delivery::Custom { .. } => "Custom",
        }
    }
}

/// Machines without a domain, which prove their names by certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherMachines {
    /// Thumbprints of the authorities whose certificates count.
    pub issuers: Vec<String>,
    /// Names, with `*`.
    pub allowed: Vec<String>,
    /// Names that are kept out all the same.
    pub denied: Vec<String>,
}

/// Whom a subscription is for, as patterns of [`super::audience`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machines {
    /// Who gets it.
    pub include: Include,
    /// Who does not all the same.
    pub except: Vec<String>,
}

/// Who gets a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// Every machine that proves its name.
    Everyone,
    /// Those that these patterns mean.
    Patterns(Vec<String>),
    /// The file names groups and accounts of a domain that only its directory knows: somebody has
    /// to say who they are.
    Unknown,
}

/// Every machine account of every domain, as Kerberos names them.
const EVERY_ACCOUNT: &str = "*$@*";

impl Subscription {
    /// Whom it is for, as far as that can be told without asking a directory.
    #[must_use]
    pub fn machines(&self) -> Machines {
        let said = self.domain_machines.as_deref().map(str::trim);
        let said = said.filter(|sddl| !sddl.is_empty());
        let domain = said.map_or(OfDomain::NotSaid, |sddl| match sddl::read(sddl) {
            Some(machines) => of_domain(&machines),
            None => OfDomain::Unknown,
        });
        let others = &self.other_machines;
        let include = match (domain, others.allowed.as_slice()) {
            (OfDomain::Unknown, _) | (OfDomain::None, []) => Include::Unknown,
            (OfDomain::All | OfDomain::NotSaid, []) => Include::Everyone,
            (OfDomain::All, names) => {
                let accounts = std::iter::once(EVERY_ACCOUNT.to_owned());
                Include::Patterns(accounts.chain(names.iter().cloned()).collect())
            }
            (OfDomain::None | OfDomain::NotSaid, names) => Include::Patterns(names.to_vec()),
        };
        Machines {
            include,
            except: others.denied.clone(),
        }
    }
}

/// Which machines of a domain an access list lets in.
enum OfDomain {
    /// There is no list.
    NotSaid,
    /// None of them.
    None,
    All,
    /// Some, and only the directory knows which; whoever is left out or let in by mistake would not
    /// be noticed.
    Unknown,
}

fn of_domain(machines: &sddl::Machines) -> OfDomain {
    let is_all = machines.members && machines.controllers;
    let is_some = machines.members || machines.controllers || !machines.unknown.is_empty();
    match () {
        // Who is kept out is known to the directory alone.
        () if !machines.denied.is_empty() => OfDomain::Unknown,
        () if is_all => OfDomain::All,
        () if is_some => OfDomain::Unknown,
        () => OfDomain::None,
    }
}

#[cfg(test)]
mod tests;
