//! The event's way: source → journal → sink.
//!
//! A source is acknowledged after its batch is on disk; each sink moves its own cursor.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod azure;
pub mod journal;
pub mod kerberos;
pub mod limits;
pub mod quarantine;
pub mod sinks;
pub mod sources;
pub mod spool;
pub mod stamp;
pub mod tls;
