//! `[sink.syslog.NAME.filter]`: which events a destination gets, checked; and the same as a command says it.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use windrow_formats::criticality;
use windrow_formats::own;
use windrow_formats::selection::{Choice, EventIds, IdRange, Names, Selection};
use windrow_formats::xpath::Filter;

use super::query::place_in;

/// How grave events have to be, as the document on Azure Stack's syslog client has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputSeverity {
    /// Warning, error, critical; audit failures and what is critical whatever its level; everything of our own.
    Default,
    /// All.
    #[default]
    Verbose,
}

/// Lists of what a destination gets and does not get, and a query; all have to hold. Empty is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkFilter {
    /// Channels it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Channels it does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_channels: Vec<String>,
    /// Event ids it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<EventIdRange>,
    /// Event ids it does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_event_ids: Vec<EventIdRange>,
    /// Providers it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// Providers it does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_providers: Vec<String>,
    /// Computers whose events it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub computers: Vec<String>,
    /// Computers whose events it does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_computers: Vec<String>,
    /// An event query in any of its forms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl SinkFilter {
    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == SinkFilter::default()
    }

    /// The same as the sink asks it of each event.
    ///
    /// # Errors
    /// A name, an id or a query that is none; in words.
    pub fn selection(&self, severity: OutputSeverity) -> anyhow::Result<Selection> {
        Ok(Selection {
            output_severity: match severity {
                OutputSeverity::Default => criticality::OutputSeverity::Default,
                OutputSeverity::Verbose => criticality::OutputSeverity::Verbose,
            },
            channels: names(&self.channels, &self.exclude_channels)?,
            event_ids: Choice {
                only: ids(&self.event_ids)?,
                except: ids(&self.exclude_event_ids)?,
            },
            providers: names(&self.providers, &self.exclude_providers)?,
            computers: names(&self.computers, &self.exclude_computers)?,
            query: self.query.as_deref().map(Filter::compile).transpose()?,
        })
    }

    /// What a destination gets, a sentence each.
    #[must_use]
    pub fn explain(&self, severity: OutputSeverity) -> Vec<String> {
        let mut lines = Vec::new();
        if severity == OutputSeverity::Default {
            lines.push(
                "warnings, errors and critical events, audit failures, and what is critical whatever its level \
                 (output severity default)"
                    .to_owned(),
            );
        }
        let ids = |ids: &[EventIdRange]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (what, only, except) in [
            (
                "channels",
                self.channels.clone(),
                self.exclude_channels.clone(),
            ),
            (
                "event ids",
                ids(&self.event_ids),
                ids(&self.exclude_event_ids),
            ),
            (
                "providers",
                self.providers.clone(),
                self.exclude_providers.clone(),
            ),
            (
                "computers",
                self.computers.clone(),
                self.exclude_computers.clone(),
            ),
        ] {
            if !only.is_empty() {
                lines.push(format!("{what} {}", only.join(", ")));
            }
            if !except.is_empty() {
                lines.push(format!("not {what} {}", except.join(", ")));
            }
        }
        let filter = self.query.as_deref().map(Filter::compile);
        if let Some(Ok(filter)) = filter {
            lines.extend(
                filter
                    .explain()
                    .into_iter()
                    .map(|line| format!("query: {line}")),
            );
        }
        if lines.is_empty() {
            lines.push("every event".to_owned());
        }
        lines
    }

    /// What is allowed and most likely not meant.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let query = self.query.as_deref().unwrap_or_default();
        if let Ok(filter) = Filter::compile(query) {
            let warnings = filter.warnings().iter();
            doubts.extend(warnings.map(|warning| {
                format!(
                    "the query, {}: {}",
                    place_in(query, &warning.at),
                    warning.doubt
                )
            }));
        }
        if let Ok(selection) = self.selection(OutputSeverity::Verbose) {
            let nothing = selection.doubts();
            doubts.extend(nothing.iter().map(ToString::to_string));
        }
        let leaves_out = |names: &[String], own: &str| {
            Names::new(names.iter().map(String::as_str)).is_ok_and(|names| names.contain(own))
        };
        if leaves_out(&self.exclude_channels, own::CHANNEL)
            || leaves_out(&self.exclude_providers, own::PROVIDER)
        {
            doubts.push(
                "windrow's own records (losses, changed settings, alerts) are left out: what is lost on the way goes unseen \
                 there"
                    .to_owned(),
            );
        }
        doubts
    }
}

fn names(only: &[String], except: &[String]) -> anyhow::Result<Choice<Names>> {
    Ok(Choice {
        only: Names::new(only.iter().map(String::as_str))?,
        except: Names::new(except.iter().map(String::as_str))?,
    })
}

fn ids(ranges: &[EventIdRange]) -> anyhow::Result<EventIds> {
    Ok(EventIds::new(ranges.iter().map(|range| range.0))?)
}

/// An event id, written as a number, or a range of them: `"4720-4767"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventIdRange(pub IdRange);

/// What it looks like, for messages.
const ID_FORM: &str = "an event id such as 4624, or a range such as \"4720-4767\"";

impl std::str::FromStr for EventIdRange {
    type Err = String;

    fn from_str(text: &str) -> Result<EventIdRange, String> {
        let range = text.parse().map(EventIdRange);
        range.map_err(|error: windrow_formats::selection::IdRangeError| {
            format!("{error}, expected {ID_FORM}")
        })
    }
}

impl fmt::Display for EventIdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for EventIdRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.single() {
            Some(id) => serializer.serialize_u32(id),
            None => serializer.collect_str(&self.0),
        }
    }
}

struct EventIdVisitor;

impl Visitor<'_> for EventIdVisitor {
    type Value = EventIdRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ID_FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EventIdRange, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<EventIdRange, E> {
        self.visit_str(&id.to_string())
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<EventIdRange, E> {
        self.visit_str(&id.to_string())
    }
}

impl<'de> Deserialize<'de> for EventIdRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventIdVisitor)
    }
}

#[cfg(test)]
mod tests;
