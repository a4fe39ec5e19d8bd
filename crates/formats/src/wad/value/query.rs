//! What a DataSource of event logs selects: `Channel!XPath`.

use super::super::doubt::WadDoubt;
use super::super::finding::{Fault, Report, excerpt};
use super::{Facet, Kind, Seen, Value};
use crate::limits::CHANNEL_NAME_BYTES_MAX;
use crate::wef::query::is_direct;
use crate::xpath::{Filter, FilterError, channel_of};

/// Characters that no channel has in its name (`wevtutil`, and the manifest's schema).
const NOT_IN_CHANNELS: [char; 10] = ['<', '>', '&', '"', '|', '\\', ':', '\'', '?', '*'];

/// A query of event logs as it is written: `Security!*[System[EventID=4624]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventLogQuery(String);

impl EventLogQuery {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel, where one is named.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.split().map(|(channel, _)| channel.trim())
    }

    /// The expression: `*` where none is said.
    #[must_use]
    pub fn xpath(&self) -> &str {
        let xpath = self.split().map_or(&*self.0, |(_, xpath)| xpath).trim();
        if xpath.is_empty() { "*" } else { xpath }
    }

    /// Which events it selects.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn filter(&self) -> Result<Filter, FilterError> {
        Filter::compile(&self.0)
    }

    fn split(&self) -> Option<(&str, &str)> {
        let (_, start) = channel_of(&self.0)?;
        Some((&self.0[..start - 1], &self.0[start..]))
    }
}

impl Value for EventLogQuery {
    const KIND: Kind = Kind::text(
        "Channel!XPath, as Security!*[System[EventID=4624]]",
        Facet::None,
    );

    fn read(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn doubts(&self, seen: &Seen<'_>, report: &mut Report) {
        let text = self.0.trim();
        if text.starts_with('<') {
            return report.add(WadDoubt::QueryList, seen.at);
        }
        match self.split() {
            Some((channel, xpath)) => channel_doubts(channel, xpath, seen, report),
            None if text.starts_with('*') || text.starts_with("Event") => {
                report.add(WadDoubt::NoChannel(excerpt(text)), seen.at);
            }
            None => {
                let is_name = !text.is_empty() && !text.contains(['!', '[']);
                let name = if is_name { text } else { "Security" };
                let doubt = WadDoubt::NoQuery(excerpt(text), excerpt(name));
                return report.add(doubt, seen.at);
            }
        }
        match self.filter() {
            Ok(filter) => {
                for warning in filter.warnings() {
                    let fault = Fault::QueryDoubt(warning.doubt.clone());
                    report.add(fault, seen.place_of(&warning.at));
                }
                level_doubt(&filter, seen, report);
            }
            Err(error) => report.add(Fault::Query(error.fault), seen.place_of(&error.at)),
        }
    }
}

fn channel_doubts(channel: &str, xpath: &str, seen: &Seen<'_>, report: &mut Report) {
    let name = channel.trim();
    let is_name =
        !name.is_empty() && name.len() <= CHANNEL_NAME_BYTES_MAX && !name.contains(NOT_IN_CHANNELS);
    if !is_name {
        return report.add(WadDoubt::ChannelName(excerpt(name)), seen.at);
    }
    if name.len() < channel.len() {
        report.add(WadDoubt::ChannelBlanks, seen.at);
    }
    if is_direct(name) {
        report.add(WadDoubt::DirectChannel(excerpt(name)), seen.at);
    }
    if xpath.trim().is_empty() {
        report.add(WadDoubt::EmptyQuery(excerpt(name)), seen.at);
    }
}

/// A query that takes errors and no critical events: who writes so thinks of a least level.
fn level_doubt(filter: &Filter, seen: &Seen<'_>, report: &mut Report) {
    // LogAlways (0) is graver than nothing, and what is for information comes with it.
    let (taken, not): (Vec<u8>, Vec<u8>) =
        (1..=5).partition(|level| filter.can_select_level(*level));
    let Some(last) = taken.last().copied() else {
        return;
    };
    let left_out: Vec<u8> = not.into_iter().filter(|level| *level < last).collect();
    if !left_out.is_empty() {
        let doubt = WadDoubt::NotCumulative {
            taken,
            left_out,
            last,
        };
        report.add(doubt, seen.at);
    }
}
