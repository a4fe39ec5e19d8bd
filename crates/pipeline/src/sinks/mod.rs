//! Where events go: each sink reads the journal through its own cursor and moves only that.

pub mod azure_blob;
pub mod azure_table;
mod backoff;
mod chunk;
mod lags;
mod piece;
pub mod syslog;
