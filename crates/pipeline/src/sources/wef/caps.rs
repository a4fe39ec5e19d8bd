//! How many connections there are: altogether, from one address, and from those who have not said
//! yet who they are.
//!
//! Whoever has IPv6 has all addresses of a network, and a machine's neighbours are in the same one:
//! so a network has a share of its own only as long as its peers are strangers. Networks that
//! nobody ever came from with a certificate leave room for the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

use super::WefLimits;
use super::shares::network;
use crate::limits::KNOWN_NETWORKS_MAX;

/// Counts connections.
#[derive(Debug, Clone)]
pub(super) struct Caps {
    counts: Arc<Mutex<Counts>>,
    open: Gauge,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Connections that nobody has authenticated on yet.
    strangers: HashMap<IpAddr, usize>,
    /// All of them from networks that are not known.
    unknown: usize,
    /// Networks somebody has authenticated from, by how many had before.
    known: HashMap<IpAddr, u64>,
    authenticated: u64,
}

/// Which cap a connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Altogether,
    OfAddress,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    caps: Caps,
    address: IpAddr,
    stranger: Option<Stranger>,
}

/// What the place of somebody counts as who has not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    OfKnownNetwork,
    OfUnknownNetwork,
}

impl Caps {
    pub(super) fn new(open: Gauge) -> Caps {
        Caps {
            counts: Arc::default(),
            open,
        }
    }

    /// A place for a connection from `address`, where there is one.
    pub(super) fn take(&self, address: IpAddr, limits: &WefLimits) -> Result<Place, Full> {
        // A dual-stack socket shows IPv4 peers as mapped addresses.
        let address = address.to_canonical();
        let network = network(address);
        let mut counts = self.lock();
        let stranger = if counts.known.contains_key(&network) {
            Stranger::OfKnownNetwork
        } else {
            Stranger::OfUnknownNetwork
        };
        if counts.total >= limits.connections {
            return Err(Full::Altogether);
        }
        let held = |by: &HashMap<IpAddr, usize>, key| by.get(key).copied().unwrap_or(0);
        if held(&counts.by_address, &address) >= limits.connections_per_address
            || held(&counts.strangers, &network) >= limits.strangers_per_network
        {
            return Err(Full::OfAddress);
        }
        if stranger == Stranger::OfUnknownNetwork {
            if counts.unknown >= limits.strangers {
                return Err(Full::Altogether);
            }
            counts.unknown += 1;
        }
        *counts.by_address.entry(address).or_default() += 1;
        *counts.strangers.entry(network).or_default() += 1;
        counts.total += 1;
        self.open.inc();
        Ok(Place {
            caps: self.clone(),
            address,
            stranger: Some(stranger),
        })
    }

    /// Places that are taken.
    pub(super) fn open(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Somebody from `network` is a stranger no more.
    fn leave_strangers(&mut self, stranger: Stranger, network: IpAddr) {
        give_back(&mut self.strangers, network);
        if stranger == Stranger::OfUnknownNetwork {
            self.unknown -= 1;
        }
    }

    /// Remembers a network, instead of that which was heard of longest ago if there are many.
    fn know(&mut self, network: IpAddr) {
        self.authenticated += 1;
        if self.known.len() >= KNOWN_NETWORKS_MAX && !self.known.contains_key(&network) {
            let oldest = self.known.iter().min_by_key(|(_, last)| **last);
            if let Some(oldest) = oldest.map(|(network, _)| *network) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(network, self.authenticated);
    }
}

fn give_back(counts: &mut HashMap<IpAddr, usize>, key: IpAddr) {
    if let Some(here) = counts.get_mut(&key) {
        *here -= 1;
        if *here == 0 {
            counts.remove(&key);
        }
    }
}

impl Place {
    /// Who holds it has shown a certificate.
    pub(super) fn authenticated(&mut self) {
        if let Some(stranger) = self.stranger.take() {
            let network = network(self.address);
            let mut counts = self.caps.lock();
            counts.leave_strangers(stranger, network);
            counts.know(network);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.total -= 1;
        give_back(&mut counts.by_address, self.address);
        if let Some(stranger) = self.stranger {
            counts.leave_strangers(stranger, network(self.address));
        }
        drop(counts);
        self.caps.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, connections_per_address: usize) -> WefLimits {
        WefLimits {
            connections,
            connections_per_address,
            ..WefLimits::default()
        }
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let caps = Caps::new(Gauge::default());
        let limits = limits(3, 2);
        let [one, two]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let mut first = caps.take(one, &limits).unwrap();
        let second = caps.take(mapped, &limits).unwrap();
        first.authenticated();
        assert_eq!(caps.take(one, &limits).unwrap_err(), Full::OfAddress);
        let third = caps.take(two, &limits).unwrap();
        assert_eq!(caps.take(two, &limits).unwrap_err(), Full::Altogether);
        assert_eq!(caps.open.get(), 3);
        drop((first, second, third));
        assert_eq!(caps.open.get(), 0);
        let counts = caps.lock();
        assert!(counts.by_address.is_empty() && counts.strangers.is_empty());
        assert_eq!((counts.total, counts.unknown), (0, 0));
    }

    fn of_network(network: u16, host: u16) -> IpAddr {
        [0x2001, 0xdb8, 0, network, 0, 0, 0, host].into()
    }

    #[test]
    fn strangers_of_one_network_leave_room_however_many_addresses_they_have() {
        let caps = Caps::new(Gauge::default());
        let limits = WefLimits {
            strangers_per_network: 10,
            ..limits(100, 5)
        };
        let flood = |network| -> Vec<Place> {
            (0..1_000)
                .filter_map(|host| caps.take(of_network(network, host), &limits).ok())
                .collect()
        };
        let silent = flood(1);
        assert_eq!(silent.len(), 10);
        let mut other = caps.take(of_network(2, 1), &limits).unwrap();
        // Those who have shown a certificate are no strangers: a whole site may be one network.
        other.authenticated();
        let mut site = vec![other];
        for host in 2..50 {
            let mut place = caps.take(of_network(2, host), &limits).unwrap();
            place.authenticated();
            site.push(place);
        }
        drop(silent);
        assert_eq!(flood(1).len(), 10);
    }

    #[test]
    fn strangers_leave_room_for_networks_that_are_known() {
        let caps = Caps::new(Gauge::default());
        let limits = WefLimits {
            strangers: 50,
            ..limits(100, 5)
        };
        caps.take(of_network(0, 1), &limits)
            .unwrap()
            .authenticated();
        let silent: Vec<Place> = (1..1_000)
            .filter_map(|network| caps.take(of_network(network, 1), &limits).ok())
            .collect();
        assert_eq!(silent.len(), 50);
        caps.take(of_network(0, 1), &limits).unwrap();
        // Of networks, too, only so many are remembered.
        drop(silent);
        for network in 1..=u16::try_from(KNOWN_NETWORKS_MAX).unwrap() {
            caps.take(of_network(network, 1), &limits)
                .unwrap()
                .authenticated();
        }
        let counts = caps.lock();
        assert_eq!(counts.known.len(), KNOWN_NETWORKS_MAX);
        assert!(!counts.known.contains_key(&network(of_network(0, 1))));
    }
}
