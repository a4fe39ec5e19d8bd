//! The fleet's dice: SplitMix64, written here so that a seed means the same events in every
//! version of the program and of its dependencies.

/// What SplitMix64 adds at every step.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scatters one number (the finaliser of SplitMix64).
pub fn scatter(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// One number of the two, scattered: the seed of a part of the whole.
pub fn derive(seed: u64, part: u64) -> u64 {
    scatter(seed.wrapping_add(part.wrapping_add(1).wrapping_mul(STEP)))
}

/// `value`, which is scattered, brought below `limit`; 0 when `limit` is 0.
pub fn below(value: u64, limit: u64) -> u64 {
    let product = u128::from(value) * u128::from(limit);
    u64::try_from(product >> 64).unwrap_or(0)
}

/// As [`below`], with the low numbers the likelier ones: half of them lie in the first quarter.
pub fn skewed_below(value: u64, limit: u64) -> u64 {
    let root = value >> 32;
    below(root * root, limit)
}

/// A stream of scattered numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scatter(self.0)
    }

    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        below(self.draw(), limit)
    }

    /// A message identifier as WS-Management wants it, `uuid:` and a version 4 UUID in capitals.
    pub fn message_id(&mut self) -> String {
        let id = uuid::Builder::from_random_bytes(
            (u128::from(self.draw()) << 64 | u128::from(self.draw())).to_be_bytes(),
        )
        .into_uuid();
        format!("uuid:{:X}", id.hyphenated())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut random = Random::new(7);
        assert_eq!(random.draw(), 7_191_089_600_892_374_487);
        assert_eq!(derive(7, 0), 7_191_089_600_892_374_487);
        assert_eq!(random.message_id().len(), "uuid:".len() + 36);
    }

    #[test]
    fn below_stays_below_and_reaches_the_ends() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u64::MAX, 10), 9);
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(skewed_below(u64::MAX, 10), 9);
        let mut random = Random::new(1);
        let low = (0..10_000)
            .filter(|_| skewed_below(random.draw(), 100) < 25)
            .count();
        assert!((4_700..5_300).contains(&low), "{low}");
    }
}
