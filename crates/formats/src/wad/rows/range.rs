//! Which rows are asked for, by their keys, in which order.
//!
//! The agent put `0` and the .NET ticks of a minute into the PartitionKey, and with a larger `eventVolume` a shard before it:
//!
//! ```text
//! 0636310229400000000
//! 0000000000000000007___0636310229400000000
//! ```
//!
//! So the rows of some minutes are several ranges of keys: those without a shard, which are part 0, and those of each shard.

use jiff::Timestamp;

use super::keys::MINUTE_TICKS;
use crate::azure::{EPOCH_TICKS, ticks};

/// Shards that the agent made at most; so many parts follow part 0.
pub const SHARDS: u64 = 100;

/// The keys of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKeys {
    /// Its PartitionKey.
    pub partition: String,
    /// Its RowKey.
    pub row: String,
}

/// Some minutes in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minutes {
    /// The first one; all from the beginning where it is absent.
    pub from: Option<Timestamp>,
    /// The first moment that is not asked for; a part of a minute is asked for whole.
    pub to: Option<Timestamp>,
}

impl Minutes {
    /// Whether any end of them is said. Without one, all rows are one range, whatever their keys are.
    #[must_use]
    pub fn are_bounded(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Filters for one part of the rows, in the order of their keys. `after` is the last row of the part that was had. None asks
    /// for everything.
    #[must_use]
    pub fn filters(&self, part: u64, after: Option<&RowKeys>) -> Vec<Option<String>> {
        let bounds = self.bounds(part);
        let lower = match after {
            None => bounds
                .as_ref()
                .map(|(low, _)| format!("PartitionKey ge '{low}'")),
            Some(after) => Some(format!("PartitionKey gt '{}'", quoted(&after.partition))),
        };
        let upper = bounds.map(|(_, high)| format!("PartitionKey lt '{high}'"));
        let both: Vec<String> = lower.into_iter().chain(upper).collect();
        let rest = (!both.is_empty()).then(|| both.join(" and "));
        // An `or` of both would have the service read the table from its beginning.
        let of_partition = after.map(|after| {
            let (partition, row) = (quoted(&after.partition), quoted(&after.row));
            Some(format!(
                "PartitionKey eq '{partition}' and RowKey gt '{row}'"
            ))
        });
        of_partition.into_iter().chain([rest]).collect()
    }

    /// The first PartitionKey of a part, and the first behind it; none where everything is asked for.
    #[must_use]
    pub fn bounds(&self, part: u64) -> Option<(String, String)> {
        if !self.are_bounded() {
            return None;
        }
        let before = before(part);
        Some((
            // Behind every shard, and before every minute since the year 318.
            (self.from).map_or_else(|| format!("{before}01"), |at| key_of(part, at)),
            self.to.map_or_else(
                || format!("{before}1"),
                |at| {
                    let ticks = ticks(at) + (-ticks(at)).rem_euclid(MINUTE_TICKS);
                    format!("{before}0{ticks}")
                },
            ),
        ))
    }
}

/// The PartitionKey of the minute of a moment, in a part.
#[must_use]
pub fn key_of(part: u64, at: Timestamp) -> String {
    let ticks = ticks(at);
    let minute = ticks - ticks.rem_euclid(MINUTE_TICKS);
    format!("{}0{minute}", before(part))
}

/// The filter that finds rows of shards, if there are any.
#[must_use]
pub fn filter_of_shards() -> String {
    let (first, behind) = (before(1), before(SHARDS + 1));
    format!("PartitionKey ge '{first}' and PartitionKey lt '{behind}'")
}

/// The minute of a PartitionKey; none of keys that the agent did not make.
#[must_use]
pub fn minute_of(partition: &str) -> Option<Timestamp> {
    let minute = match partition.split_once("___") {
        None => partition,
        Some((shard, minute)) => {
            let is_shard = shard.len() == 19 && shard.bytes().all(|b| b.is_ascii_digit());
            is_shard.then_some(minute)?
        }
    };
    if minute.len() != 19 || !minute.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let ticks: i64 = minute.parse().ok()?;
    let since = i128::from(ticks.checked_sub(EPOCH_TICKS)?) * 100;
    Timestamp::from_nanosecond(since).ok()
}

/// What stands before the minute in a PartitionKey of a part.
fn before(part: u64) -> String {
    match part {
        0 => String::new(),
        part => format!("{:019}___", part - 1),
    }
}

fn quoted(key: &str) -> String {
    key.replace('\'', "''")
}
