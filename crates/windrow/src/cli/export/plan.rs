//! Which rows are asked for, by their keys, in which order.
//!
//! The agent put `0` and the .NET ticks of a minute into the PartitionKey, and with a larger `eventVolume` a shard before it:
//!
//! ```text
//! 0636310229400000000
//! 0000000000000000007___0636310229400000000
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windrow_formats::azure::ticks;

/// Ticks of a minute.
const MINUTE: i64 = 600_000_000;

/// Shards that the agent made at most.
pub(super) const SHARDS: u64 = 100;

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) account: String,
    pub(super) table: String,
    /// The first minute; all from the beginning where it is absent.
    pub(super) from: Option<Timestamp>,
    /// The first moment that is not asked for.
    pub(super) to: Option<Timestamp>,
}

/// The keys of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    pub(super) partition: String,
    pub(super) row: String,
}

impl Plan {
    /// Whether rows of shards are to be looked for.
    pub(super) fn has_span(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// What finds out whether there are any.
    pub(super) fn shards() -> String {
        let (first, behind) = (shard(0), shard(SHARDS));
        format!("PartitionKey ge '{first}' and PartitionKey lt '{behind}'")
    }

    /// Filters for one part of the rows, in the order of their keys: those without a shard are the first part, those of a shard the
    /// others. `after` is the last row of the part that was had. None asks for everything.
    pub(super) fn filters(&self, part: u64, after: Option<&Keys>) -> Vec<Option<String>> {
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

    /// The first PartitionKey of a part, and the first behind it.
    fn bounds(&self, part: u64) -> Option<(String, String)> {
        if !self.has_span() {
            return None;
        }
        let before = match part {
            0 => String::new(),
            part => shard(part - 1),
        };
        let minute = |at: i64| format!("{before}0{at}");
        let low = self.from.map(|at| ticks(at) - ticks(at).rem_euclid(MINUTE));
        // A part of a minute is asked for whole.
        let high = self
            .to
            .map(|at| ticks(at) + (-ticks(at)).rem_euclid(MINUTE));
        Some((
            // Behind every shard, and before every minute since the year 318.
            low.map_or_else(|| format!("{before}01"), minute),
            high.map_or_else(|| format!("{before}1"), minute),
        ))
    }
}

/// What stands before the minute in a PartitionKey of a shard.
fn shard(number: u64) -> String {
    format!("{number:019}___")
}

fn quoted(key: &str) -> String {
    key.replace('\'', "''")
}
