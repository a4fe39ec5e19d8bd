//! Keys of rows: the minute, spread over shards where the configuration says so; and who wrote which row.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::super::value::EventVolume;
use crate::azure::{EPOCH_TICKS, ticks};
use crate::limits::AZURE_ORIGIN_UNITS_MAX;
use crate::text::utf16_prefix;

/// Ticks of a minute.
pub(super) const MINUTE_TICKS: i64 = 600_000_000;

/// Where rows of a minute are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Ticks of its minute.
    ticks: i64,
    /// Of how many, and which.
    shard: Option<u32>,
}

impl Partition {
    /// The partition of this moment for rows of this origin. With a volume beyond Small, machines are spread over shards:
    /// ten, or a hundred.
    pub fn new(at: Timestamp, volume: EventVolume, origin: &Origin<'_>) -> Partition {
        let shards = match volume {
            EventVolume::Small => None,
            EventVolume::Medium => Some(10),
            EventVolume::Large => Some(100),
        };
        let ticks = ticks(at);
        Partition {
            ticks: ticks - ticks.rem_euclid(MINUTE_TICKS),
            shard: shards.map(|shards| origin.spread() % shards),
        }
    }

    /// The first moment of its minute.
    pub fn minute(&self) -> Timestamp {
        let since = i128::from(self.ticks - EPOCH_TICKS) * 100;
        Timestamp::from_nanosecond(since).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// `0` and the ticks, after the shard where there are any: `0000000000000000007___0636632154000000000`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shard) = self.shard {
            write!(f, "{shard:019}___")?;
        }
        write!(f, "0{}", self.ticks)
    }
}

/// Of whom a row is, as the agent named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The deployment: here one of a collector.
    pub deployment_id: &'a str,
    /// The role: `IaaS` for machines.
    pub role: &'a str,
    /// The machine, with the agent's underscore before it.
    pub role_instance: &'a str,
}

impl Origin<'_> {
    /// The RowKey of the row of this number. What no key may have becomes an underscore; the columns keep it.
    pub fn row_key(&self, counter: Counter) -> String {
        let mut key = String::with_capacity(96);
        for part in [self.deployment_id, self.role, self.role_instance] {
            let part = utf16_prefix(part, AZURE_ORIGIN_UNITS_MAX);
            key.extend(part.chars().map(|character| match character {
                '/' | '\\' | '#' | '?' => '_',
                control if control.is_control() => '_',
                other => other,
            }));
            key.push_str("___");
        }
        key.push_str(&counter.to_string());
        key
    }

    fn spread(&self) -> u32 {
        let digest = Sha256::digest(self.role_instance.as_bytes());
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// The number of a row: a sequence of a journal, and which journal that is. The same event always has the same one, so that
/// a row that is written again takes its own place and nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter(u64);

/// Numbers of a journal: room for ten thousand events a second over thirty years.
const SEQUENCES: u64 = 10_000_000_000_000;
/// Journals told apart, so that the highest number is still one of 63 bits.
const JOURNALS: u64 = 922_336;

impl Counter {
    /// The row of a journal's sequence. Two collectors under one deployment's name do not meet in it, unless by a chance of
    /// one in a million.
    pub fn new(journal: [u8; 16], sequence: u64) -> Counter {
        let digest = Sha256::digest(journal);
        let [a, b, c, d, ..] = digest[..] else {
            return Counter(sequence % SEQUENCES);
        };
        let journal = u64::from(u32::from_le_bytes([a, b, c, d])) % JOURNALS;
        Counter(journal * SEQUENCES + sequence % SEQUENCES)
    }
}

/// Nineteen digits.
impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:019}", self.0)
    }
}
