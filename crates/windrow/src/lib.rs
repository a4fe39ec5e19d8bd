//! The program windrow: its commands, its configuration, and the wiring of its rooms.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
