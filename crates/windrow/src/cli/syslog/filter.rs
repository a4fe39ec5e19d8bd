//! The options of `windrow syslog server set` that say which events a destination gets.

use std::path::{Path, PathBuf};

use windrow_formats::xpath::Filter;

use crate::config::checked::{EventIdRange, OutputSeverity, SinkFilter};
use crate::config::{ConfigError, query};
use crate::exit::UsageError;

use super::server::word;

/// Lists are separated by commas; `*` in a name stands for anything. Everything that is said has to hold.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct Which {
    /// How grave they have to be: default (warning, error, critical; audit failures; what is critical whatever its
    /// level) or verbose [default: verbose]
    #[arg(long, value_parser = word::<OutputSeverity>, value_name = "SEVERITY")]
    output_severity: Option<OutputSeverity>,

    /// Those of these channels
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    channels: Vec<String>,

    /// None of these channels
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    exclude_channels: Vec<String>,

    /// Those with these ids, ranges as 4720-4767
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    event_ids: Vec<EventIdRange>,

    /// None with these ids
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    exclude_event_ids: Vec<EventIdRange>,

    /// Those of these providers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    providers: Vec<String>,

    /// None of these providers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    exclude_providers: Vec<String>,

    /// Those of these computers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    computers: Vec<String>,

    /// None of these computers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    exclude_computers: Vec<String>,

    /// Those that an event query selects: "*[System[EventID=4624]]", "Security!*", or a QueryList
    #[arg(long, value_name = "QUERY", conflicts_with = "query_file")]
    query: Option<String>,

    /// The same from a file, which is read once, now
    #[arg(long, value_name = "FILE")]
    query_file: Option<PathBuf>,
}

impl Which {
    pub(super) fn output_severity(&self) -> Option<OutputSeverity> {
        self.output_severity
    }

    pub(super) fn filter(&self) -> anyhow::Result<SinkFilter> {
        Ok(SinkFilter {
            channels: self.channels.clone(),
            exclude_channels: self.exclude_channels.clone(),
            event_ids: self.event_ids.clone(),
            exclude_event_ids: self.exclude_event_ids.clone(),
            providers: self.providers.clone(),
            exclude_providers: self.exclude_providers.clone(),
            computers: self.computers.clone(),
            exclude_computers: self.exclude_computers.clone(),
            query: self.query()?,
        })
    }

    /// The query, checked here too: only here is it known where its text comes from.
    fn query(&self) -> anyhow::Result<Option<String>> {
        let (text, origin) = match (&self.query, &self.query_file) {
            (Some(text), _) => (text.clone(), Path::new("--query")),
            (None, Some(file)) => (query::read(file).map_err(UsageError)?, file.as_path()),
            (None, None) => return Ok(None),
        };
        match Filter::compile(&text) {
            Ok(_) => Ok(Some(text)),
            Err(error) => {
                let message = error.fault.to_string();
                Err(ConfigError::at(message, origin, &text, error.at).into())
            }
        }
    }
}
