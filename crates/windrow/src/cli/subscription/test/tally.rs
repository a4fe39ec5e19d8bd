//! Counts what a QueryList says of events, query by query.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use windrow_formats::describe;
use windrow_formats::event::Event;
use windrow_formats::wef::baseline::{Baseline, is_off_by_default};
use windrow_formats::wef::query::{self, Outline};
use windrow_formats::xpath::{Filter, Verdict};

use super::What;
use crate::config::query::place_in;
use crate::exit::UsageError;

/// Kinds of events that no query takes which are counted apart.
const KINDS_MAX: usize = 10_000;
/// Of these, shown.
const KINDS_SHOWN: usize = 20;

/// Counts so far.
pub(super) struct Tally {
    filter: Filter,
    queries: Vec<Asked>,
    channels: Vec<Seen>,
    events: u64,
    selected: u64,
    /// Events, and those of them that a Suppress holds back.
    untaken: BTreeMap<Kind, (u64, u64)>,
    untaken_events: u64,
    notes: Vec<String>,
}

/// One Query.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    /// Its place, from 0.
    pub(super) place: usize,
    /// Its Id, where it has one.
    pub(super) id: Option<String>,
    /// What it is about, where it is of a baseline.
    pub(super) topic: Option<&'static str>,
    /// Its channels.
    pub(super) channels: Vec<String>,
    /// Events that it selects.
    pub(super) events: u64,
    /// Events that it selects and a Suppress of its holds back.
    pub(super) held_back: u64,
    /// The newest event that it selects.
    pub(super) example: Option<Example>,
}

/// An event.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Example {
    pub(super) time: Option<Timestamp>,
    pub(super) computer: String,
    pub(super) channel: String,
    pub(super) provider: String,
    pub(super) event_id: u32,
    /// What it is, where that is known.
    pub(super) what: Option<&'static str>,
}

/// A channel that is asked for.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) name: String,
    /// Events of it that were looked at.
    pub(super) events: u64,
    /// Whether a Windows as it comes writes nothing to it.
    pub(super) off_by_default: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    channel: String,
    provider: String,
    event_id: u32,
}

/// Events of one kind that no query takes.
#[derive(Debug, Serialize)]
pub(super) struct Untaken {
    pub(super) channel: String,
    pub(super) provider: String,
    pub(super) event_id: u32,
    pub(super) what: Option<&'static str>,
    pub(super) events: u64,
    /// Those of them that a Suppress holds back.
    pub(super) held_back: u64,
    /// Whether the channel is asked for at all.
    pub(super) channel_is_asked_for: bool,
}

/// What came out.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Report {
    pub(super) tested: String,
    /// Events that were looked at.
    pub(in crate::cli) events: u64,
    /// Events that at least one query selects.
    pub(in crate::cli) selected: u64,
    pub(super) queries: Vec<Asked>,
    pub(super) channels: Vec<Seen>,
    /// Events that no query takes.
    pub(super) untaken_events: u64,
    /// The most frequent of them.
    pub(super) untaken: Vec<Untaken>,
    /// What is doubtful about the subscription.
    pub(super) warnings: Vec<String>,
    /// What could not be looked at.
    pub(super) notes: Vec<String>,
}

impl Tally {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// windrow cannot evaluate the query.
    pub(super) fn new(list: &str) -> Result<Tally, UsageError> {
        let unusable = |error: windrow_formats::xpath::FilterError| {
            let place = place_in(list, &error.at);
            UsageError(format!("in the query, {place}: {}", error.fault))
        };
        let filter = Filter::query_list(list).map_err(unusable)?;
        let outlines = query::outline(list).map_err(unusable)?;
        let channels = query::channels(list).map_err(unusable)?;
        let asked = |(place, outline): (usize, Outline)| Asked {
            place,
            id: outline.id,
            topic: None,
            channels: outline.channels,
            events: 0,
            held_back: 0,
            example: None,
        };
        let seen = |name: String| Seen {
            off_by_default: is_off_by_default(&name),
            name,
            events: 0,
        };
        Ok(Tally {
            filter,
            queries: outlines.into_iter().enumerate().map(asked).collect(),
            channels: channels.into_iter().map(seen).collect(),
            events: 0,
            selected: 0,
            untaken: BTreeMap::new(),
            untaken_events: 0,
            notes: Vec::new(),
        })
    }

    /// Whether no event was looked at.
    pub(super) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Something that could not be looked at.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Counts an event.
    pub(super) fn count(&mut self, event: Event<'_>) {
        self.events += 1;
        let time = event.time_created();
        // What a machine asks when it happens.
        let now = time.unwrap_or_else(Timestamp::now);
        let (mut is_selected, mut is_held_back) = (false, false);
        for (place, verdict) in self.filter.verdicts(event, now) {
            let Some(query) = self.queries.get_mut(place) else {
                continue;
            };
            match verdict {
                Verdict::HeldBack => {
                    is_held_back = true;
                    query.held_back += 1;
                }
                Verdict::Selected => {
                    is_selected = true;
                    query.events += 1;
                    let newest = query.example.as_ref().and_then(|example| example.time);
                    if query.example.is_none() || time > newest {
                        query.example = Some(Example::of(event));
                    }
                }
            }
        }
        let channel = event.channel().unwrap_or_default();
        let seen = self.channels.iter_mut();
        let mut seen = seen.filter(|seen| seen.name.eq_ignore_ascii_case(&channel));
        if let Some(seen) = seen.next() {
            seen.events += 1;
        }
        self.selected += u64::from(is_selected);
        if is_selected {
            return;
        }
        self.untaken_events += 1;
        let kind = Kind {
            channel: channel.into_owned(),
            provider: event.provider_name().unwrap_or_default().into_owned(),
            event_id: event.event_id().unwrap_or_default(),
        };
        let held_back = u64::from(is_held_back);
        if let Some(counts) = self.untaken.get_mut(&kind) {
            *counts = (counts.0 + 1, counts.1 + held_back);
        } else if self.untaken.len() < KINDS_MAX {
            self.untaken.insert(kind, (1, held_back));
        }
    }
}

impl Example {
    fn of(event: Event<'_>) -> Example {
        let (provider, event_id) = (
            event.provider_name().unwrap_or_default().into_owned(),
            event.event_id().unwrap_or_default(),
        );
        Example {
            time: event.time_created(),
            computer: event.computer().unwrap_or_default().into_owned(),
            channel: event.channel().unwrap_or_default().into_owned(),
            what: describe::title(&provider, event_id),
            provider,
            event_id,
        }
    }
}

impl Report {
    pub(super) fn new(what: What, tally: Tally) -> Report {
        let mut queries = tally.queries;
        if let Some(baseline) = what.baseline.as_deref().and_then(Baseline::named) {
            for (query, told) in queries.iter_mut().zip(baseline.queries()) {
                query.topic = Some(told.topic);
            }
        }
        let channels = tally.channels;
        let is_asked_for = |channel: &str| {
            let mut names = channels.iter().map(|seen| &seen.name);
            names.any(|name| name.eq_ignore_ascii_case(channel))
        };
        let mut untaken: Vec<Untaken> = tally
            .untaken
            .into_iter()
            .map(|(kind, (events, held_back))| Untaken {
                what: describe::title(&kind.provider, kind.event_id),
                channel_is_asked_for: is_asked_for(&kind.channel),
                channel: kind.channel,
                provider: kind.provider,
                event_id: kind.event_id,
                events,
                held_back,
            })
            .collect();
        untaken.sort_by_key(|kind| Reverse(kind.events));
        untaken.truncate(KINDS_SHOWN);
        Report {
            tested: what.title,
            events: tally.events,
            selected: tally.selected,
            queries,
            channels,
            untaken_events: tally.untaken_events,
            untaken,
            warnings: what.warnings,
            notes: tally.notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use windrow_formats::event::{Index, parse};

    use super::*;

    fn counted(list: &str, events: &[(&str, u32)]) -> Report {
        let mut tally = Tally::new(list).unwrap();
        let mut index = Index::default();
        for (channel, id) in events {
            let xml = format!(
                "<Event><System><Provider Name='P'/><EventID>{id}</EventID><TimeCreated SystemTime='2026-11-22T12:00:{id:02}Z'/>\
                 <Channel>{channel}</Channel><Computer>ws1</Computer></System></Event>"
            );
            parse(&xml, &mut index).unwrap();
            tally.count(Event::new(&xml, &index));
        }
        let what = What {
            title: "t".to_owned(),
            baseline: None,
            query: String::new(),
            warnings: Vec::new(),
        };
        Report::new(what, tally)
    }

    #[test]
    fn each_query_has_its_count_and_its_newest() {
        let list = "<QueryList><Query Id='a'><Select Path='Security'>*[System[EventID&lt;10]]</Select>\
                    <Suppress Path='Security'>*[System[EventID=2]]</Suppress></Query>\
                    <Query><Select Path='SECURITY'>*[System[TimeCreated[timediff(@SystemTime)&lt;=1000]]]</Select>\
                    <Select Path='Setup'>*</Select></Query></QueryList>";
        let events = [
            ("security", 3),
            ("Security", 1),
            ("Security", 2),
            ("System", 7),
            ("System", 7),
            ("Security", 20),
        ];
        let report = counted(list, &events);
        let told: Vec<String> = report
            .queries
            .iter()
            .map(|query| {
                let id = query.id.as_deref().unwrap_or("-");
                let newest = query.example.as_ref().map(|example| example.event_id);
                format!("{id}: {} {} {newest:?}", query.events, query.held_back)
            })
            .collect();
        // What timediff() counts to is the event's own time: all of them are new.
        assert_eq!(told, ["a: 2 1 Some(3)", "-: 4 0 Some(20)"]);
        assert_eq!((report.events, report.selected), (6, 4));
        assert_eq!(report.untaken_events, 2);
        let untaken = &report.untaken[0];
        assert_eq!((&*untaken.channel, untaken.events), ("System", 2));
        assert!(report.untaken.iter().all(|kind| kind.held_back == 0));
        let held = counted(
            &list.replace("timediff(@SystemTime)&lt;=1000", "@SystemTime='x'"),
            &[("Security", 2)],
        );
        assert_eq!((held.untaken[0].events, held.untaken[0].held_back), (1, 1));
        assert!(!untaken.channel_is_asked_for);
        let seen: Vec<_> = report
            .channels
            .iter()
            .map(|seen| (seen.name.as_str(), seen.events))
            .collect();
        assert_eq!(seen, [("Security", 4), ("Setup", 0)]);
    }

    #[test]
    fn a_query_that_cannot_be_asked_is_wrong_usage() {
        let list = "<QueryList><Query><Select Path='Security'>[x]</Select></Query></QueryList>";
        let error = Tally::new(list).err().unwrap();
        assert!(
            error.0.contains("column") && error.0.contains("brackets"),
            "{}",
            error.0
        );
    }
}
