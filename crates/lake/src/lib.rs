//! The lake: an open Delta table of events, and SQL over it.
//!
//! The only crate that names arrow, parquet, DataFusion and deltalake. Events come in through
//! [`RowBuilder`], which turns them into [`Rows`]; [`Lake::append`] commits rows exactly once and
//! [`Lake::query`] answers SQL over the committed rows and a tail of rows not yet committed.
//! [`QueryOutput`] is written as a table, JSON, CSV or a stream for the local socket.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod azure_tables;
mod builder;
mod counter_rows;
mod counts;
mod datafile;
mod day_counts;
mod distribution;
mod error;
mod failed_request_rows;
mod failures;
mod file_rows;
mod files;
mod footer;
mod import;
mod lake;
mod limits;
mod output;
mod place;
mod promote;
mod query;
mod request_rows;
mod requests;
mod retention;
mod rows;
mod schema;
mod store;
mod table;
#[cfg(test)]
mod testing;
mod texts;
mod top;
mod values;

pub use azure_tables::{AZURE, AzureTables, Pages, names_azure};
pub use builder::{JournalEntry, RowBuilder, Unreadable};
pub use day_counts::{DayCount, DayCounts, Days, Wanted, Whose};
pub use distribution::{Bucket, Buckets, By, Distribution, Precision, Strays, TimeSpan, Unplaced};
pub use error::{LakeError, QueryError};
pub use failures::{Done, Failures};
pub use file_rows::{FileTable, PieceRows};
pub use files::{EventFiles, Files, Given, Kind, Source, SourceError, Tally, Unread, is_w3c_log};
pub use lake::{Lake, table_names};
pub use limits::SQL_BYTES;
pub use output::{Format, Layout, QueryOutput, Written};
pub use place::{Azure, AzureUrl, AzureUrlError, Credential, Place};
pub use query::{Described, Period, QueryLimits, Tail, View, functions, views};
pub use request_rows::{RequestBuilder, RequestFile};
pub use requests::{RequestKey, RequestSpan, Requests};
pub use retention::{Hold, Retention, Rule, What};
pub use rows::Rows;
pub use table::{
    Appended, Checked, Cure, Expired, Extent, Kept, Overview, Run, TakenOut, Told, Upkeep,
};
pub use top::{Top, TopBy, TopRow, Topped};
