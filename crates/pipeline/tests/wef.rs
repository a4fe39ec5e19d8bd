//! The collector over real TLS, and with tickets of a real KDC, on loopback, with a real journal.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "wef/bad_input.rs"]
mod bad_input;
#[path = "wef/ciphers.rs"]
mod ciphers;
#[path = "wef/connections.rs"]
mod connections;
#[path = "wef/delivery.rs"]
mod delivery;
#[path = "wef/flood.rs"]
mod flood;
#[path = "wef/forgers.rs"]
mod forgers;
#[path = "wef/harness.rs"]
mod harness;
#[path = "wef/healthy.rs"]
mod healthy;
#[path = "wef/hostile.rs"]
mod hostile;
#[path = "wef/impostors.rs"]
mod impostors;
#[path = "wef/kdc.rs"]
mod kdc;
#[path = "wef/kerberos.rs"]
mod kerberos;
#[path = "wef/machine.rs"]
mod machine;
#[path = "wef/registry.rs"]
mod registry;
#[path = "wef/tickets.rs"]
mod tickets;
