//! The collector over real TLS on loopback, with a real journal.
#![allow(clippy::unwrap_used)]

#[path = "wef/bad_input.rs"]
mod bad_input;
#[path = "wef/connections.rs"]
mod connections;
#[path = "wef/delivery.rs"]
mod delivery;
#[path = "wef/harness.rs"]
mod harness;
