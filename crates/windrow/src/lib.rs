//! The program windrow: its commands, its configuration, and the wiring of its rooms.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod admin;
mod asker;
pub mod cli;
mod client;
mod clock;
pub mod config;
pub mod datadir;
pub mod demo;
pub mod exit;
pub mod fleet;
mod folder;
mod lake_place;
pub mod logging;
pub mod output;
pub mod pki;
mod retention;
mod secret_file;
pub mod service;
pub mod setup;
pub mod simulate;
pub mod status;
