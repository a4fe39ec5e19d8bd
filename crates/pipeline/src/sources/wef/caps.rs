//! How many connections there are: altogether, of one machine, and from those who have not said yet
//! who they are.
//!
//! An address, and a network of IPv6, of which one machine has all addresses, have a share of their
//! own only as long as their peers are strangers: a whole site may stand behind one. Who has
//! authenticated is counted by name from then on. Networks that nobody ever did so from leave room for
//! the others.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
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
    /// Connections that nobody has authenticated on yet, by address.
    by_address: HashMap<IpAddr, usize>,
    /// The same by network.
    strangers: HashMap<IpAddr, usize>,
    /// All of them from networks that are not known.
    unknown: usize,
    /// Networks somebody has authenticated from, by how many had before.
    known: HashMap<IpAddr, u64>,
    authenticated: u64,
    /// The other connections, by who has authenticated on them.
    by_machine: HashMap<Arc<str>, usize>,
}

/// Which cap a connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Altogether,
    OfAddress,
    OfMachine,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    caps: Caps,
    address: IpAddr,
    holder: Holder,
}

/// Who has a place.
#[derive(Debug)]
enum Holder {
    Stranger(Stranger),
    Machine(Arc<str>),
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
            holder: Holder::Stranger(stranger),
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
    /// A place at `address` is not this holder's any more.
    fn leave(&mut self, holder: &Holder, address: IpAddr) {
        let stranger = match holder {
            Holder::Machine(name) => return give_back(&mut self.by_machine, &**name),
            Holder::Stranger(stranger) => stranger,
        };
        give_back(&mut self.by_address, &address);
        give_back(&mut self.strangers, &network(address));
        if *stranger == Stranger::OfUnknownNetwork {
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

fn give_back<K, Q>(counts: &mut HashMap<K, usize>, key: &Q)
where
    K: Borrow<Q> + Eq + Hash,
    Q: Eq + Hash + ?Sized,
{
    if let Some(here) = counts.get_mut(key) {
        *here -= 1;
        if *here == 0 {
            counts.remove(key);
        }
    }
}

impl Place {
    /// Who holds it has shown a certificate or ticket of `machine`.
    ///
    /// # Errors
    ///
    /// The machine has all its places; this one stays with who had it until it is given back.
    pub(super) fn authenticated(&mut self, machine: &str, limits: &WefLimits) -> Result<(), Full> {
        if matches!(&self.holder, Holder::Machine(name) if **name == *machine) {
            return Ok(());
        }
        let mut counts = self.caps.lock();
        counts.know(network(self.address));
        let (name, held) = match counts.by_machine.get_key_value(machine) {
            Some((name, held)) => (Arc::clone(name), *held),
            None => (machine.into(), 0),
        };
        if held >= limits.connections_per_machine {
            return Err(Full::OfMachine);
        }
        counts.by_machine.insert(Arc::clone(&name), held + 1);
        counts.leave(&self.holder, self.address);
        drop(counts);
        self.holder = Holder::Machine(name);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.total -= 1;
        counts.leave(&self.holder, self.address);
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
        let first = caps.take(one, &limits).unwrap();
        let second = caps.take(mapped, &limits).unwrap();
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

    #[test]
    fn machines_behind_one_address_are_counted_by_name() {
        let caps = Caps::new(Gauge::default());
        let limits = WefLimits {
            connections_per_machine: 3,
            ..limits(1_000, 2)
        };
        let shared: IpAddr = [192, 0, 2, 1].into();
        let site: Vec<Place> = (0..300)
            .map(|number| {
                let mut place = caps.take(shared, &limits).unwrap();
                let machine = format!("ws{}.corp.example", number / 3);
                place.authenticated(&machine, &limits).unwrap();
                // Whoever says it twice is counted once.
                place.authenticated(&machine, &limits).unwrap();
                place
            })
            .collect();
        let mut more = caps.take(shared, &limits).unwrap();
        let refused = more.authenticated("ws7.corp.example", &limits);
        assert_eq!(refused.unwrap_err(), Full::OfMachine);
        // Who was refused is a stranger still.
        let _second = caps.take(shared, &limits).unwrap();
        assert_eq!(caps.take(shared, &limits).unwrap_err(), Full::OfAddress);
        drop(site);
        more.authenticated("ws7.corp.example", &limits).unwrap();
        // Who is somebody else from now on is counted as that.
        more.authenticated("ws8.corp.example", &limits).unwrap();
        let names: Vec<Arc<str>> = caps.lock().by_machine.keys().cloned().collect();
        assert_eq!(names, ["ws8.corp.example".into()]);
        drop(more);
        assert!(caps.lock().by_machine.is_empty());
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
        other.authenticated("ws1", &limits).unwrap();
        let mut site = vec![other];
        for host in 2..50 {
            let mut place = caps.take(of_network(2, host), &limits).unwrap();
            place.authenticated(&format!("ws{host}"), &limits).unwrap();
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
            .authenticated("ws1", &limits)
            .unwrap();
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
                .authenticated("ws1", &limits)
                .unwrap();
        }
        let counts = caps.lock();
        assert_eq!(counts.known.len(), KNOWN_NETWORKS_MAX);
        assert!(!counts.known.contains_key(&network(of_network(0, 1))));
    }
}
