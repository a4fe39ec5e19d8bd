//! Bytes in, values out; values in, bytes out.
//!
//! Nothing here knows a socket, a file or a clock, so that all of it can be fuzzed and
//! property-tested, and every sink reads an event through the same eyes.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod azure;
pub mod batch;
pub mod cef;
pub mod counters;
pub mod criticality;
pub mod describe;
pub mod etl;
pub mod event;
pub mod freb;
pub mod guid;
pub mod identity;
pub mod iis;
mod input;
pub mod limits;
pub mod lines;
pub mod meaning;
pub mod minidump;
pub mod names;
pub mod own;
mod places;
pub mod selection;
pub mod sldc;
pub mod suggest;
pub mod syslog;
pub mod text;
mod tree;
mod varint;
pub mod w3c;
pub mod wad;
pub mod wef;
pub mod wsman;
pub mod xpath;
