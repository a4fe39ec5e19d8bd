//! Failures by network: who fails often is not looked at for a while, and is on record no more often than is useful.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::limits::{
    FAILURE_INTERVAL, FAILURES, NETWORKS_MAX, RECORD_INTERVAL, RECORDS, RECORDS_INTERVAL,
};
use super::{lock, network};

/// All networks that have failed lately.
#[derive(Default)]
pub(super) struct Throttle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    networks: HashMap<IpAddr, Network>,
    records: Bucket,
    /// What is not on record and of no network: of those that were forgotten, and of accounts.
    untold: u64,
}

struct Network {
    failures: Bucket,
    last: Instant,
    recorded: Option<Instant>,
    untold: u64,
}

/// So many at once, and one more in each interval. None yet is an empty one.
#[derive(Clone, Copy, Default)]
struct Bucket {
    empty_at: Option<Instant>,
}

impl Bucket {
    /// How long until there is room for one more, if there is none.
    fn full_for(&self, now: Instant, most: u32, interval: Duration) -> Option<Duration> {
        let fill = self.empty_at?.saturating_duration_since(now);
        let room = interval * (most - 1);
        (fill > room).then(|| fill - room)
    }

    fn add(&mut self, now: Instant, interval: Duration) {
        let from = self.empty_at.map_or(now, |empty_at| empty_at.max(now));
        self.empty_at = Some(from + interval);
    }

    /// Takes one record in, if there is room.
    fn takes(&mut self, now: Instant) -> bool {
        let has_room = self.full_for(now, RECORDS, RECORDS_INTERVAL).is_none();
        if has_room {
            self.add(now, RECORDS_INTERVAL);
        }
        has_room
    }
}

impl Throttle {
    /// How long this address has to wait, if it has.
    pub(super) fn waits(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let state = lock(&self.state);
        let known = state.networks.get(&network(address))?;
        known.failures.full_for(now, FAILURES, FAILURE_INTERVAL)
    }

    /// Counts a failure of somebody who is not known. How many there were since the last record, when this one is to be
    /// put on record.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let place = network(address);
        if !state.networks.contains_key(&place) && state.networks.len() >= NETWORKS_MAX {
            state.forget();
        }
        let known = state.networks.entry(place).or_insert(Network {
            failures: Bucket::default(),
            last: now,
            recorded: None,
            untold: 0,
        });
        // One that is throttled already does not wait longer for asking again.
        if known
            .failures
            .full_for(now, FAILURES, FAILURE_INTERVAL)
            .is_none()
        {
            known.failures.add(now, FAILURE_INTERVAL);
        }
        known.last = now;
        known.untold += 1;
        let is_due = known
            .recorded
            .is_none_or(|recorded| now.saturating_duration_since(recorded) >= RECORD_INTERVAL);
        if !is_due || !state.records.takes(now) {
            return None;
        }
        known.recorded = Some(now);
        let told = std::mem::take(&mut known.untold);
        Some(told + std::mem::take(&mut state.untold))
    }

    /// The same for an account that wants what it may not, which is no guessing: it does not wait.
    pub(super) fn overreached(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.state);
        state.untold += 1;
        if !state.records.takes(now) {
            return None;
        }
        Some(std::mem::take(&mut state.untold))
    }
}

impl State {
    fn forget(&mut self) {
        let oldest = self.networks.iter().min_by_key(|(_, known)| known.last);
        let oldest = oldest.map(|(place, _)| *place);
        if let Some(gone) = oldest.and_then(|place| self.networks.remove(&place)) {
            self.untold += gone.untold;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn who_fails_often_waits_and_others_do_not() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for _ in 0..FAILURES {
            assert_eq!(throttle.waits(address(1), start), None);
            throttle.failed(address(1), start);
        }
        let wait = throttle.waits(address(1), start).unwrap();
        assert_eq!(wait, FAILURE_INTERVAL);
        assert_eq!(throttle.waits(address(2), start), None);
        // Asking again while it waits does not make it wait longer.
        throttle.failed(address(1), start);
        assert_eq!(throttle.waits(address(1), start), Some(wait));
        assert_eq!(throttle.waits(address(1), start + wait), None);
        throttle.failed(address(1), start + wait);
        assert!(throttle.waits(address(1), start + wait).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for host in 0..FAILURES {
            let from = format!("2001:db8::{host:x}").parse().unwrap();
            throttle.failed(from, start);
        }
        let waits = |text: &str| throttle.waits(text.parse().unwrap(), start).is_some();
        assert!(waits("2001:db8::ffff") && !waits("2001:db8:0:1::1"));
    }

    #[test]
    fn records_are_few_and_nothing_goes_uncounted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let mut told = 0;
        let mut records = 0;
        for number in 0..5_000 {
            if let Some(times) = throttle.failed(address(number), start) {
                (told, records) = (told + times, records + 1);
            }
        }
        assert_eq!(records, u64::from(RECORDS));
        assert_eq!(lock(&throttle.state).networks.len(), NETWORKS_MAX);
        let later = start + 2 * RECORD_INTERVAL;
        for number in 0..5_000 {
            told += throttle.failed(address(number), later).unwrap_or(0);
        }
        let state = lock(&throttle.state);
        let untold: u64 = state.networks.values().map(|known| known.untold).sum();
        assert_eq!(told + untold + state.untold, 10_000);
    }
}
