//! A fleet of Windows machines that speaks Windows Event Forwarding: the demo's sources, the
//! load generator, and the peer that tests measure a collector by.
//!
//! `events` makes what the machines write, `ledger` keeps account of it, `receiver` is the SIEM
//! at the other end.

pub mod events;
pub mod ledger;
pub mod random;
pub mod ranges;
pub mod receiver;
