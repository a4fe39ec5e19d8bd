//! The lake: an open Delta table of events, and SQL over it.
//!
//! The only crate that names arrow, parquet, DataFusion and deltalake.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
