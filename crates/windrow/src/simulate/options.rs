//! What a fleet is to be like.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::connection::UrlScheme;
use super::domain::{Account, Domain};
use super::events::{Fleet, Hostility, Mix};
use super::offer::Adjustments;
use crate::pki::{Authority, Issued};

/// How fast each machine writes events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many a second.
    PerMachine(f64),
    /// As many as are acknowledged.
    Unlimited,
}

/// Whether the machines' logs are those of earlier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// They are: what a collector's bookmark names was written once, and what follows comes after it.
    Kept,
    /// They were made anew, and know no place that they have not come to.
    Anew,
}

/// The machines, and where their certificates come from.
#[derive(Clone)]
pub enum Machines {
    /// So many, with certificates that this authority issues.
    Made {
        /// How many.
        count: usize,
        /// The authority.
        authority: Arc<Authority>,
    },
    /// These, by their fully qualified names, with their certificates.
    Given(Vec<(String, Issued)>),
    /// Those of a domain, which have tickets instead.
    Members(Domain),
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Machines({})", self.count())
    }
}

impl Machines {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Machines::Made { count, .. } => *count,
            Machines::Given(given) => given.len(),
            Machines::Members(domain) => domain.accounts.len(),
        }
    }

    pub(super) fn fleet(&self, seed: u64) -> Fleet {
        match self {
            Machines::Made { count, .. } => Fleet::new(seed, *count),
            Machines::Given(given) => {
                Fleet::with_names(seed, given.iter().map(|(name, _)| name.clone()))
            }
            Machines::Members(domain) => {
                Fleet::with_names(seed, domain.accounts.iter().map(Account::machine_name))
            }
        }
    }
}

/// What a fleet is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// The subscription manager's URL, as in the group policy's `Server=`.
    pub collector: String,
    /// Connect to this address, whatever the URLs name.
    pub connect_to: Option<SocketAddr>,
    /// The authorities of the collector's certificate, in PEM; nothing for machines of a domain.
    pub trust_pem: String,
    /// The machines.
    pub machines: Machines,
    /// How fast each machine writes.
    pub rate: Rate,
    /// Events of each machine; without a duration, it then ends.
    pub events: Option<u64>,
    /// By how much the machines' clocks are ahead of ours, or behind where it is negative.
    pub clock_ahead: SignedDuration,
    /// Whether the machines' logs are those of earlier runs.
    pub logs: Logs,
    /// Events in each log from before, which only a subscription that wants them gets.
    pub existing: u64,
    /// Write no more after this time.
    pub duration: Option<Duration>,
    /// How long machines may take, when no more is written, to send what waits.
    pub drain: Duration,
    /// Most events of a delivery, where the subscription allows more.
    pub batch_events: Option<usize>,
    /// The same seed makes the same events.
    pub seed: u64,
    /// How often each event id comes.
    pub mix: Mix,
    /// Whether texts are harmless.
    pub hostility: Hostility,
    /// Compress nothing, even if the subscription asks for it.
    pub never_compress: bool,
    /// Only the subscription of this name.
    pub subscription: Option<String>,
    /// How often each machine asks for its subscriptions (`Refresh=` of the group policy).
    pub refresh: Duration,
    /// Longest pause before a delivery is tried again, where the subscription says longer.
    pub retry_at_most: Option<Duration>,
    /// How many machines begin in a second.
    pub starts_per_second: f64,
    /// Where to keep the ledger, which is written every second and at the end.
    pub ledger: Option<PathBuf>,
}

impl Options {
    /// Ten events a second of each machine, plain, until the fleet is stopped.
    pub fn new(collector: String, trust_pem: String, machines: Machines) -> Options {
        Options {
            collector,
            connect_to: None,
            trust_pem,
            machines,
            rate: Rate::PerMachine(10.0),
            events: None,
            clock_ahead: SignedDuration::ZERO,
            logs: Logs::Kept,
            existing: 0,
            duration: None,
            drain: Duration::from_secs(30),
            batch_events: None,
            seed: 1,
            mix: Mix::default(),
            hostility: Hostility::Plain,
            never_compress: false,
            subscription: None,
            refresh: Duration::from_secs(60),
            retry_at_most: None,
            starts_per_second: 100.0,
            ledger: None,
        }
    }

    pub(super) fn scheme(&self) -> UrlScheme {
        match self.machines {
            Machines::Made { .. } | Machines::Given(_) => UrlScheme::Https,
            Machines::Members(_) => UrlScheme::Http,
        }
    }

    pub(super) fn adjustments(&self) -> Adjustments {
        Adjustments {
            scheme: self.scheme(),
            batch_events: self.batch_events,
            retry_at_most: self.retry_at_most,
            connect_to: self.connect_to,
            never_compress: self.never_compress,
        }
    }
}
