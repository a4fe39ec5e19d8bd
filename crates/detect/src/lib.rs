//! What the counts of events mean: state machines that take a bucket or an event and say what is unusual.
//!
//! Nothing here knows a socket, a file, a clock or a thread: time comes with what is counted, so that
//! the same detector runs over last month's events and over the ones that are just arriving.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod limits;
pub mod spikes;
