//! Tables of Azure Diagnostics as a source: rows that the old agent wrote, or windrow did elsewhere, as events.
//!
//! A row's PartitionKey is its minute, and rows of a minute come for a while after it: each machine has its own transfer
//! period. So a minute is read early, again after pauses that grow, and once more when it is as old as rows may be late; that
//! last time in the order of keys, which is the place the source remembers. Which rows of a minute came early is remembered until
//! then. Both change in one record of the journal with the events themselves: what is written late is not left out, and a crash takes
//! nothing twice.
//!
//! [`WadStorage::look`] is one round. It knows no clock and takes a bounded number of rows. Nothing in the account is written
//! to or removed.

mod metrics;
mod place;
mod rows;
mod take;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

pub use self::metrics::WadMetrics;
use self::place::TablePlace;
pub use self::rows::{RowPage, Rows};
use crate::azure::AzureError;
use crate::journal::{AppendError, Journal};

/// What is read, and from when on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The source's name, in states.
    pub name: String,
    /// The tables.
    pub tables: Vec<String>,
    /// The first minute; all that there is where it is absent.
    pub from: Option<Timestamp>,
    /// How long after its minute a row may come.
    pub late: SignedDuration,
}

/// Tables that are read.
#[derive(Debug)]
pub struct WadStorage<R> {
    asked: Asked,
    rows: R,
    journal: Journal,
    places: Vec<TablePlace>,
}

/// A state in the journal that is none.
#[derive(Debug, Error)]
#[error(
    "how far {table} of source.wad_storage.{name} was read is not legible ({why}): give the source another name, and it begins anew"
)]
pub struct StateError {
    name: String,
    table: String,
    why: String,
}

/// What one look did.
#[derive(Debug, Default)]
pub struct Round {
    /// Events that were taken.
    pub rows: u64,
    /// Rows that could not be read.
    pub unread: u64,
    /// Whether there is more right now.
    pub more: bool,
    /// Why nothing is taken for want of room.
    pub full: Option<String>,
    /// What became of each table, in the order that was asked for.
    pub tables: Vec<TableRound>,
}

/// What one look did with a table.
#[derive(Debug, Default)]
pub struct TableRound {
    /// Its name.
    pub table: String,
    /// Events that were taken.
    pub rows: u64,
    /// The minute before which nothing is asked for any more.
    pub closed: Option<Timestamp>,
    /// Whether the table is there.
    pub is_there: bool,
    /// What went wrong.
    pub trouble: Option<String>,
}

/// Why a look at a table ended.
#[derive(Debug, Error)]
enum LookError {
    #[error(transparent)]
    Azure(#[from] AzureError),
    #[error(transparent)]
    Journal(#[from] AppendError),
}

impl<R: Rows> WadStorage<R> {
    /// Tables as they were left.
    ///
    /// # Errors
    /// What is remembered of one is not legible.
    pub fn open(asked: Asked, rows: R, journal: Journal) -> Result<WadStorage<R>, StateError> {
        let places = asked.tables.iter().map(|table| {
            TablePlace::open(&asked.name, table, &journal).map_err(|why| StateError {
                name: asked.name.clone(),
                table: table.clone(),
                why,
            })
        });
        Ok(WadStorage {
            places: places.collect::<Result<_, _>>()?,
            asked,
            rows,
            journal,
        })
    }

    /// Looks at each table once.
    pub async fn look(&mut self, now: Timestamp) -> Round {
        let mut round = Round::default();
        for place in &mut self.places {
            let mut look = take::Look {
                asked: &self.asked,
                rows: &self.rows,
                journal: &self.journal,
                now,
                taken: 0,
                unread: 0,
                more: false,
            };
            let done = look.table(place).await;
            let mut table = TableRound {
                table: place.table.clone(),
                rows: look.taken,
                closed: place.closed(),
                is_there: true,
                trouble: None,
            };
            round.rows += look.taken;
            round.unread += look.unread;
            round.more |= look.more;
            match done {
                Ok(()) => {}
                Err(LookError::Azure(error)) if error.is_no_table() => table.is_there = false,
                Err(LookError::Journal(error @ AppendError::Full { .. })) => {
                    round.full = Some(error.to_string());
                }
                Err(error) => table.trouble = Some(error.to_string()),
            }
            round.tables.push(table);
        }
        round
    }

    /// Forgets how far a source that is gone had come.
    ///
    /// # Errors
    /// The journal cannot be written to.
    pub async fn forget(name: &str, journal: &Journal) -> Result<(), AppendError> {
        for (key, _) in journal.states(&place::prefix(name)) {
            journal.forget(&key).await?;
        }
        Ok(())
    }
}
