//! The whole program against real peers: one binary, a file a capability.
//!
//! Runs the built program and never links it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

mod azure_blobs;
mod azure_tables;
mod backup;
mod cli;
mod counters;
mod damage;
mod delivery;
mod diagnostics;
mod diagnostics_set;
mod directories;
mod docs;
mod durability;
mod endpoint;
mod event_files;
mod export;
mod fleet;
mod import;
mod kerberos;
mod killed;
mod lake;
mod lake_azure;
mod peers;
mod powershell;
mod query;
mod receivers;
mod reload;
mod renewal;
mod report;
mod retention;
mod rigs;
mod scanners;
mod selection;
mod service;
mod settings;
mod settings_client;
mod setup;
mod sources;
mod subscriptions;
mod support;
mod wad_storage;
mod walk;
mod white_paper;
