//! Where events go: each sink reads the journal through its own cursor and moves only that.

pub mod azure_table;
mod backoff;
pub mod syslog;
