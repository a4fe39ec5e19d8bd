//! What one peer may hold of something that all of them need.
//!
//! A limit on the whole alone lets the first who comes take it and keep it. With a share for each
//! key whoever holds a lot waits for itself, and the others find room.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The shares of all keys; one that holds nothing and waits for nothing is not kept.
#[derive(Debug)]
pub(super) struct Shares<K: Eq + Hash> {
    keys: Mutex<HashMap<K, Arc<Semaphore>>>,
    each: u32,
}

/// A part of a key's share; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<K: Eq + Hash> {
    shares: Arc<Shares<K>>,
    key: K,
    /// `None` while it is waited for.
    permit: Option<OwnedSemaphorePermit>,
    free: Option<Arc<Semaphore>>,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Shares of `each` units.
    pub(super) fn new(each: u32) -> Arc<Shares<K>> {
        Arc::new(Shares {
            keys: Mutex::default(),
            each: each.max(1),
        })
    }

    /// Waits until `key` has so many units free. What is more than a whole share waits for all of
    /// it, so that it comes through, alone.
    pub(super) async fn take(self: &Arc<Self>, key: &K, units: u32) -> Option<Share<K>> {
        let new = || Arc::new(Semaphore::new(self.each as usize));
        let free = Arc::clone(self.lock().entry(key.clone()).or_insert_with(new));
        let mut share = Share {
            shares: Arc::clone(self),
            key: key.clone(),
            permit: None,
            free: Some(Arc::clone(&free)),
        };
        let units = units.clamp(1, self.each);
        share.permit = Some(free.acquire_many_owned(units).await.ok()?);
        Some(share)
    }
}

impl<K: Eq + Hash> Shares<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        self.permit = None;
        self.free = None;
        let mut keys = self.shares.lock();
        // Whoever else holds or waits for a part of it has a reference of its own.
        if keys
            .get(&self.key)
            .is_some_and(|free| Arc::strong_count(free) == 1)
        {
            keys.remove(&self.key);
        }
    }
}

/// What shares an uplink with this address: of IPv6 the network of 64 bits, since one machine has
/// all of its addresses.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn a_key_waits_for_its_own_share_and_leaves_nothing_behind() {
        let shares = Shares::new(10);
        let first = shares.take(&"a", 7).await.unwrap();
        assert!(poll_immediate(shares.take(&"a", 4)).await.is_none());
        let large = shares.take(&"b", 1_000).await.unwrap();
        assert!(poll_immediate(shares.take(&"b", 1)).await.is_none());
        let second = shares.take(&"a", 3).await.unwrap();
        drop(first);
        let third = shares.take(&"a", 7).await.unwrap();
        drop((second, third, large));
        assert!(shares.lock().is_empty());
    }

    #[test]
    fn a_network_is_what_one_machine_can_have_addresses_of() {
        let network = |text: &str| super::network(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
