//! The collector over real TLS, and with tickets of a real KDC, on loopback, with a real journal.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "wef/bad_input.rs"]
mod bad_input;
#[path = "wef/connections.rs"]
mod connections;
#[path = "wef/delivery.rs"]
mod delivery;
#[path = "wef/harness.rs"]
mod harness;
#[path = "wef/kdc.rs"]
mod kdc;
#[path = "wef/kerberos.rs"]
mod kerberos;
#[path = "wef/tickets.rs"]
mod tickets;
