//! What a collector of Windows Event Forwarding is told and decides, without its wire: whom a
//! subscription is for ([`audience`]), what its query asks for ([`query`]), subscriptions as
//! Windows writes them ([`subscription_xml`]), queries that are ready to use ([`baseline`]), and what a
//! machine says of channels that it cannot read ([`channel_status`]).
//!
//! Invariants: no file, clock or socket. Text that came from outside is kept as it was; what is
//! changed in a query is inserted, so that everything else stays byte for byte.

pub mod audience;
pub mod baseline;
pub mod channel_status;
pub mod query;
mod sddl;
pub mod subscription_xml;

pub use crate::places::Place;
