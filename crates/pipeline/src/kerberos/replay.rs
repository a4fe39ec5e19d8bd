//! Remembers the authenticators that were taken, so that none is taken twice (RFC 4120 3.2.3).
//!
//! What identifies one is its ciphertext: it holds sixteen random bytes, and nobody without the
//! session key can alter it. An entry is forgotten when the authenticator's own time would have it
//! refused. All connections share one memory of them, and so do all listeners of a service: two that
//! have the same key would else each take what the other has taken.
//!
//! A restart forgets them all. Who then repeats a recorded authenticator still has no key: it cannot
//! read the answer, and nothing that it sends afterwards is unsealed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;

use super::wire::limits::REPLAYS_MAX;

/// The authenticators that were taken, by when they may be forgotten. Clones are the same memory.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    taken: Arc<Mutex<Authenticators>>,
}

/// Each by when it may be forgotten, and a digest.
type Authenticators = BTreeSet<(i64, [u8; 16])>;

/// What became of an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    Again,
    /// There is no room to remember it.
    NoRoom,
}

impl Replays {
    /// Takes an authenticator that is refused from `forget_at` on, in seconds since 1970, as `now`.
    pub(super) fn take(&self, authenticator: &[u8], forget_at: i64, now: i64) -> Taken {
        let digest = digest::digest(&digest::SHA256, authenticator);
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest.as_ref()[..16]);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.first().is_some_and(|(forget_at, _)| *forget_at < now) {
            taken.pop_first();
        }
        if taken.contains(&(forget_at, identity)) {
            return Taken::Again;
        }
        if taken.len() >= REPLAYS_MAX {
            return Taken::NoRoom;
        }
        taken.insert((forget_at, identity));
        Taken::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_is_taken_once_for_as_long_as_it_is_fresh() {
        let replays = Replays::default();
        assert_eq!(replays.take(b"one", 100, 0), Taken::New);
        assert_eq!(replays.take(b"one", 100, 100), Taken::Again);
        assert_eq!(replays.take(b"two", 100, 100), Taken::New);
        // By now its time has it refused.
        assert_eq!(replays.take(b"three", 300, 101), Taken::New);
        assert_eq!(replays.taken.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let replays = Replays::default();
        for number in 0..REPLAYS_MAX {
            assert_eq!(replays.take(&number.to_le_bytes(), 100, 0), Taken::New);
        }
        assert_eq!(replays.take(b"one more", 100, 0), Taken::NoRoom);
        assert_eq!(replays.take(b"one more", 301, 101), Taken::New);
    }
}
