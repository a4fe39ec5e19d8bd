//! How many connections there are, altogether and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

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
}

/// Which cap a connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Total,
    Address,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    caps: Caps,
    address: IpAddr,
}

impl Caps {
    pub(super) fn new(open: Gauge) -> Caps {
        Caps {
            counts: Arc::default(),
            open,
        }
    }

    /// A place for a connection from `address`, where there is one.
    pub(super) fn take(
        &self,
        address: IpAddr,
        total_max: usize,
        address_max: usize,
    ) -> Result<Place, Refusal> {
        // A dual-stack socket shows IPv4 peers as mapped addresses.
        let address = address.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= total_max {
            return Err(Refusal::Total);
        }
        let here = counts.by_address.entry(address).or_default();
        if *here >= address_max {
            if *here == 0 {
                counts.by_address.remove(&address);
            }
            return Err(Refusal::Address);
        }
        *here += 1;
        counts.total += 1;
        self.open.inc();
        Ok(Place {
            caps: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .caps
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        self.caps.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let caps = Caps::new(Gauge::default());
        let [one, two]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let first = caps.take(one, 3, 2).unwrap();
        let second = caps.take(mapped, 3, 2).unwrap();
        assert_eq!(caps.take(one, 3, 2).unwrap_err(), Refusal::Address);
        let third = caps.take(two, 3, 2).unwrap();
        assert_eq!(caps.take(two, 3, 2).unwrap_err(), Refusal::Total);
        assert_eq!(caps.open.get(), 3);
        drop((first, second, third));
        assert_eq!(caps.open.get(), 0);
        assert!(caps.counts.lock().unwrap().by_address.is_empty());
    }
}
