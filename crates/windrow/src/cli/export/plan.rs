//! Which rows are asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windrow_formats::wad::rows::{Minutes, RowKeys};

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
        self.minutes().are_bounded()
    }

    /// Filters for one part of the rows, as [`Minutes::filters`] has them.
    pub(super) fn filters(&self, part: u64, after: Option<&Keys>) -> Vec<Option<String>> {
        let after = after.map(|Keys { partition, row }| RowKeys {
            partition: partition.clone(),
            row: row.clone(),
        });
        self.minutes().filters(part, after.as_ref())
    }

    fn minutes(&self) -> Minutes {
        Minutes {
            from: self.from,
            to: self.to,
        }
    }
}
