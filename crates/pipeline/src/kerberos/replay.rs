//! Remembers the authenticators that were taken, so that none is taken twice (RFC 4120 3.2.3).
//!
//! What identifies one is its ciphertext: it holds sixteen random bytes, and nobody without the
//! session key can alter it. An entry is forgotten when the authenticator's own time would have it
//! refused. All connections share one memory of them, and so do all listeners of a service: two that
//! have the same key would else each take what the other has taken.
//!
//! A client has a share: who authenticates more often than that within ten minutes is refused, and
//! nobody else. When a hundred clients fill all of it together, the oldest are forgotten early, for
//! to refuse would shut out everybody.
//!
//! A restart forgets them all. Who repeats an authenticator that was forgotten still has no key: it
//! cannot read the answer, and nothing that it sends afterwards is unsealed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;

use super::wire::limits::{REPLAYS_MAX, REPLAYS_PER_CLIENT_MAX};

/// The authenticators that were taken, by when they may be forgotten. Clones are the same memory.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    taken: Arc<Mutex<Authenticators>>,
}

/// The first half of a SHA-256.
type Identity = [u8; 16];

#[derive(Debug, Default)]
struct Authenticators {
    /// Each by when it may be forgotten and what it is, and of whom.
    taken: BTreeMap<(i64, Identity), Identity>,
    /// How many each client has.
    by_client: HashMap<Identity, u32>,
}

/// What became of an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    Again,
    /// Its client has as many as one may have.
    TooMany,
}

impl Replays {
    /// Takes an authenticator of a client, refused from `forget_at` on, in seconds since 1970, as
    /// `now`.
    pub(super) fn take(
        &self,
        client: &str,
        authenticator: &[u8],
        forget_at: i64,
        now: i64,
    ) -> Taken {
        let (client, key) = (
            identity(client.as_bytes()),
            (forget_at, identity(authenticator)),
        );
        let mut held = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        held.forget_before(now);
        if held.taken.contains_key(&key) {
            return Taken::Again;
        }
        let share = held.by_client.get(&client).copied().unwrap_or(0);
        if share >= REPLAYS_PER_CLIENT_MAX {
            return Taken::TooMany;
        }
        while held.taken.len() >= REPLAYS_MAX {
            held.forget_oldest();
        }
        held.taken.insert(key, client);
        *held.by_client.entry(client).or_default() += 1;
        Taken::New
    }
}

impl Authenticators {
    fn forget_before(&mut self, now: i64) {
        let is_over = |((forget_at, _), _): (&(i64, Identity), &Identity)| *forget_at < now;
        while self.taken.first_key_value().is_some_and(is_over) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, client)) = self.taken.pop_first() else {
            return;
        };
        match self.by_client.get_mut(&client) {
            Some(share) if *share > 1 => *share -= 1,
            _ => drop(self.by_client.remove(&client)),
        }
    }
}

fn identity(bytes: &[u8]) -> Identity {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut identity = [0; 16];
    identity.copy_from_slice(&digest.as_ref()[..16]);
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_is_taken_once_for_as_long_as_it_is_fresh() {
        let replays = Replays::default();
        assert_eq!(replays.take("a", b"one", 100, 0), Taken::New);
        assert_eq!(replays.take("a", b"one", 100, 100), Taken::Again);
        assert_eq!(replays.take("b", b"one", 100, 100), Taken::Again);
        assert_eq!(replays.take("a", b"two", 100, 100), Taken::New);
        // By now its time has it refused.
        assert_eq!(replays.take("a", b"three", 300, 101), Taken::New);
        let held = replays.taken.lock().unwrap();
        assert_eq!((held.taken.len(), held.by_client[&identity(b"a")]), (1, 1));
    }

    #[test]
    fn who_fills_its_share_shuts_nobody_else_out() {
        let replays = Replays::default();
        for number in 0..REPLAYS_PER_CLIENT_MAX {
            assert_eq!(
                replays.take("thief", &number.to_le_bytes(), 100, 0),
                Taken::New
            );
        }
        assert_eq!(replays.take("thief", b"one more", 100, 0), Taken::TooMany);
        assert_eq!(replays.take("dc1", b"its first", 100, 0), Taken::New);
        assert_eq!(replays.take("thief", b"one more", 301, 101), Taken::New);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let replays = Replays::default();
        for number in 0..REPLAYS_MAX {
            let client = (number / 1_000).to_string();
            let taken = replays.take(&client, &number.to_le_bytes(), 100 + number as i64, 0);
            assert_eq!(taken, Taken::New);
        }
        assert_eq!(replays.take("dc1", b"its first", 200, 0), Taken::New);
        let held = replays.taken.lock().unwrap();
        assert_eq!(held.taken.len(), REPLAYS_MAX);
        assert_eq!(held.by_client[&identity(b"0")], 999);
    }
}
