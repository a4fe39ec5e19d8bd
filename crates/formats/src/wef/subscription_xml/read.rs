//! From the bytes of a file to what it says.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::{Fault, Note, Noted, ReadError};
use super::tree::{self, At, Element};
use super::{Delivery, Document, OtherMachines, Reading, Subscription};
use crate::limits::SUBSCRIPTION_XML_BYTES_MAX;
use crate::places::{Place, PlacedText};
use crate::text::visible;
use crate::wef::{query, sddl};
use crate::wsman::reply::ContentFormat;
use crate::wsman::{self, uri};
use crate::xpath::Filter;

/// Batches below this are noted: a request each.
const SMALL_BATCH: u32 = 10;

/// Heartbeats below this are noted.
const FREQUENT: Duration = Duration::from_secs(60);

/// Reads a file: UTF-8 or UTF-16, with or without a byte order mark, whatever its declaration
/// says.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(file: &[u8]) -> Result<Reading, ReadError> {
    let mut text = wsman::Text::new();
    if file.len() > SUBSCRIPTION_XML_BYTES_MAX {
        return Err(ReadError {
            fault: Fault::TooLarge,
            at: Place::of("", 0),
        });
    }
    text.decode(file, None);
    let xml = text.as_str();
    let located = |(fault, at): At<Fault>| ReadError {
        fault,
        at: Place::of(xml, at),
    };
    let mut replaced = xml.match_indices('\u{FFFD}');
    if let Some((at, _)) = replaced.find(|(at, found)| text.is_lossy(*at..at + found.len())) {
        return Err(located((Fault::Encoding, at)));
    }
    let root = tree::read(xml).map_err(located)?;
    let mut notes = Notes::default();
    let document = match root.name.as_str() {
        "Subscription" if root.is_ours => {
            let subscription = subscription(&root, &mut notes).map_err(located)?;
            Document::Subscription(Box::new(subscription))
        }
        "QueryList" => {
            let mut whole = PlacedText::default();
            whole.push(xml, 0..xml.len());
            Document::QueryList(query_list(&whole, root.at, &mut notes).map_err(located)?)
        }
        _ => return Err(located((Fault::Root(excerpt(&root.name)), root.at))),
    };
    let noted = |(note, at)| Noted {
        note,
        at: Place::of(xml, at),
    };
    let mut notes = notes.0;
    notes.sort_by_key(|(_, at)| *at);
    Ok(Reading {
        document,
        notes: notes.into_iter().map(noted).collect(),
    })
}

#[derive(Default)]
struct Notes(Vec<At<Note>>);

impl Notes {
    fn add(&mut self, note: Note, at: usize) {
        self.0.push((note, at));
    }
}

/// The elements inside a subscription by name, each of them once.
struct Parts<'a>(&'a Element);

impl<'a> Parts<'a> {
    fn of(parent: &'a Element) -> Result<Self, At<Fault>> {
        let mut names = BTreeSet::new();
        for child in &parent.children {
            if !names.insert(child.name.as_str()) {
                return Err((Fault::Repeated(excerpt(&child.name)), child.at));
            }
        }
        Ok(Self(parent))
    }

    fn get(&self, name: &str) -> Option<&'a Element> {
        let mut ours = self.0.children.iter().filter(|child| child.is_ours);
        ours.find(|child| child.name == name)
    }

    /// An element with text alone, and something in it.
    fn text(&self, name: &str) -> Result<Option<(&'a str, usize)>, At<Fault>> {
        let Some(element) = self.get(name) else {
            return Ok(None);
        };
        if let Some(child) = element.children.first() {
            return Err((Fault::Nested(name.to_owned()), child.at));
        }
        let value = element.value();
        Ok((!value.is_empty()).then_some((value, element.at)))
    }

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, At<Fault>> {
        let Some((value, at)) = self.text(name)? else {
            return Ok(default);
        };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(bad(name, value, "write true or false", at)),
        }
    }
}

/// What a subscription is made of. What else stands in it is noted.
const KNOWN: [&str; 21] = [
    "SubscriptionId",
    "SubscriptionType",
    "Description",
    "Enabled",
    "Uri",
    "ConfigurationMode",
    "Delivery",
    "Query",
    "ReadExistingEvents",
    "TransportName",
    "TransportPort",
    "ContentFormat",
    "Locale",
    "LogFile",
    "PublisherName",
    "Expires",
    "AllowedSourceNonDomainComputers",
    "AllowedSourceDomainComputers",
    "EventSources",
    "CredentialsType",
    "HostName",
];

fn subscription(root: &Element, notes: &mut Notes) -> Result<Subscription, At<Fault>> {
    let parts = Parts::of(root)?;
    check_type(&parts)?;
    let name = parts.text("SubscriptionId")?;
    let (name, _) = name.ok_or((Fault::Missing("SubscriptionId"), root.at))?;
    let query = parts.get("Query");
    let query = query.ok_or((Fault::Missing("Query"), root.at))?;
    if parts.text("Query")?.is_none() {
        return Err((Fault::Missing("Query"), query.at));
    }
    let log_file = parts.text("LogFile")?;
    note_what_is_left_out(root, &parts, notes)?;
    let description = parts.text("Description")?;
    let domain_machines = parts.text("AllowedSourceDomainComputers")?;
    let other_machines = other_machines(&parts, notes)?;
    note_machines(&parts, domain_machines, &other_machines, root.at, notes);
    Ok(Subscription {
        name: name.to_owned(),
        description: description.map(|(text, _)| text.to_owned()),
        enabled: parts.flag("Enabled", true)?,
        query: query_list(&query.text, query.at, notes)?,
        delivery: delivery(&parts, notes)?,
        read_existing: parts.flag("ReadExistingEvents", false)?,
        content_format: content_format(&parts)?,
        locale: locale(&parts),
        log_file: log_file.map(|(log, _)| log.to_owned()),
        domain_machines: domain_machines.map(|(sddl, _)| sddl.to_owned()),
        other_machines,
    })
}

fn check_type(parts: &Parts<'_>) -> Result<(), At<Fault>> {
    match parts.text("SubscriptionType")? {
        Some((kind, at)) if kind.eq_ignore_ascii_case("CollectorInitiated") => {
            return Err((Fault::CollectorInitiated, at));
        }
        Some((kind, at)) if !kind.eq_ignore_ascii_case("SourceInitiated") => {
            return Err(bad("SubscriptionType", kind, "write SourceInitiated", at));
        }
        Some(_) => {}
        None => {
            if let Some(sources) = parts.get("EventSources") {
                return Err((Fault::CollectorInitiated, sources.at));
            }
        }
    }
    match parts.text("Uri")? {
        Some((resource, at)) if !resource.eq_ignore_ascii_case(uri::EVENT_LOG) => {
            let expected = "only Windows' event logs are collected";
            Err(bad("Uri", resource, expected, at))
        }
        _ => Ok(()),
    }
}

/// Texts that mean nothing here.
const LEFT_OUT: [&str; 5] = [
    "LogFile",
    "PublisherName",
    "TransportName",
    "TransportPort",
    "Expires",
];

fn left_out(name: &str, value: String) -> Note {
    match name {
        "LogFile" => Note::LogFile(value),
        "PublisherName" => Note::Publisher(value),
        "TransportName" => Note::Transport(value),
        "TransportPort" => Note::TransportPort,
        "Expires" => Note::Expires(value),
        _ => Note::PassedOver(name.to_owned()),
    }
}

fn note_what_is_left_out(
    root: &Element,
    parts: &Parts<'_>,
    notes: &mut Notes,
) -> Result<(), At<Fault>> {
    for name in LEFT_OUT {
        if let Some((value, at)) = parts.text(name)? {
            notes.add(left_out(name, excerpt(value)), at);
        }
    }
    for child in &root.children {
        let is_known = child.is_ours && KNOWN.contains(&child.name.as_str());
        if !is_known
            || ["EventSources", "CredentialsType", "HostName"].contains(&child.name.as_str())
        {
            notes.add(Note::PassedOver(excerpt(&child.name)), child.at);
        }
    }
    Ok(())
}

fn query_list(text: &PlacedText, at: usize, notes: &mut Notes) -> Result<String, At<Fault>> {
    let xml = text.as_str();
    // Errors are said at the place that the file has them in.
    let place = |within: &std::ops::Range<usize>| text.place_of(within).map_or(at, |at| at.start);
    let filter =
        Filter::query_list(xml).map_err(|error| (Fault::Query(error.fault), place(&error.at)))?;
    for warning in filter.warnings() {
        notes.add(Note::Query(warning.doubt.clone()), place(&warning.at));
    }
    for channel in query::channels(xml).unwrap_or_default() {
        if query::is_direct(&channel) {
            let found = xml.find(&channel).unwrap_or_default();
            notes.add(
                Note::DirectChannel(excerpt(&channel)),
                place(&(found..found)),
            );
        }
    }
    Ok(xml.trim_start_matches('\u{FEFF}').trim().to_owned())
}

fn delivery(parts: &Parts<'_>, notes: &mut Notes) -> Result<Delivery, At<Fault>> {
    let custom = custom_delivery(parts, notes)?;
    let mode = match parts.text("ConfigurationMode")? {
        None => Delivery::Normal,
        Some((mode, at)) => match mode.to_ascii_lowercase().as_str() {
            "normal" => Delivery::Normal,
            "minbandwidth" => Delivery::MinimizeBandwidth,
            "minlatency" => Delivery::MinimizeLatency,
            "custom" => custom,
            _ => {
                let expected = "write Normal, MinBandwidth, MinLatency or Custom";
                return Err(bad("ConfigurationMode", mode, expected, at));
            }
        },
    };
    let Some(element) = parts.get("Delivery") else {
        return Ok(mode);
    };
    match mode {
        Delivery::Custom {
            max_items,
            heartbeat,
            ..
        } => {
            if let Some(items) = max_items.filter(|items| *items < SMALL_BATCH) {
                notes.add(Note::SmallBatches(items), element.at);
            }
            if let Some(interval) = heartbeat.filter(|interval| *interval < FREQUENT) {
                notes.add(Note::FrequentHeartbeat(interval), element.at);
            }
        }
        preset => {
            let Delivery::Custom {
                max_latency,
                heartbeat,
                ..
            } = custom
            else {
                return Ok(mode);
            };
            let differs = max_latency.is_some_and(|said| said != preset.max_latency())
                || heartbeat.is_some_and(|said| said != preset.heartbeat());
            if differs {
                let mode = preset.mode();
                notes.add(Note::PresetWins { mode }, element.at);
            }
        }
    }
    Ok(mode)
}

fn custom_delivery(parts: &Parts<'_>, notes: &mut Notes) -> Result<Delivery, At<Fault>> {
    let (mut max_items, mut max_latency, mut heartbeat) = (None, None, None);
    if let Some(delivery) = parts.get("Delivery") {
        if delivery
            .attribute("Mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("Pull"))
        {
            notes.add(Note::Pull, delivery.at);
        }
        let inside = Parts::of(delivery)?;
        if let Some(batching) = inside.get("Batching") {
            let batching = Parts::of(batching)?;
            if let Some((items, at)) = batching.text("MaxItems")? {
                max_items = Some(number("MaxItems", items, at)?);
            }
            if let Some((latency, at)) = batching.text("MaxLatencyTime")? {
                max_latency = Some(milliseconds("MaxLatencyTime", latency, at)?);
            }
        }
        let push = inside.get("PushSettings").map(Parts::of).transpose()?;
        if let Some(element) = push.and_then(|push| push.get("Heartbeat"))
            && let Some(interval) = element.attribute("Interval")
        {
            heartbeat = Some(milliseconds("Heartbeat Interval", interval, element.at)?);
        }
    }
    Ok(Delivery::Custom {
        max_items,
        max_latency,
        heartbeat,
    })
}

fn number(element: &'static str, value: &str, at: usize) -> Result<u32, At<Fault>> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| bad(element, value, "write a whole number above 0", at))
}

fn milliseconds(element: &'static str, value: &str, at: usize) -> Result<Duration, At<Fault>> {
    number(element, value, at).map(|number| Duration::from_millis(number.into()))
}

fn content_format(parts: &Parts<'_>) -> Result<ContentFormat, At<Fault>> {
    match parts.text("ContentFormat")? {
        Some((format, _)) if format.eq_ignore_ascii_case("Events") => Ok(ContentFormat::Raw),
        Some((format, at)) if !format.eq_ignore_ascii_case("RenderedText") => Err(bad(
            "ContentFormat",
            format,
            "write Events or RenderedText",
            at,
        )),
        _ => Ok(ContentFormat::RenderedText),
    }
}

fn locale(parts: &Parts<'_>) -> Option<String> {
    let language = parts.get("Locale")?.attribute("Language")?;
    (!language.is_empty()).then(|| language.to_owned())
}

fn other_machines(parts: &Parts<'_>, notes: &mut Notes) -> Result<OtherMachines, At<Fault>> {
    let Some(element) = parts.get("AllowedSourceNonDomainComputers") else {
        return Ok(OtherMachines::default());
    };
    let lists = Parts::of(element)?;
    let list = |name: &str, item: &str| {
        let items = lists.get(name).map_or(&[][..], |list| &list.children);
        let items = items.iter().filter(|child| child.name == item);
        let values = items.map(|child| child.value().to_owned());
        values.filter(|value| !value.is_empty()).collect::<Vec<_>>()
    };
    let machines = OtherMachines {
        issuers: list("AllowedIssuerCAList", "IssuerCA"),
        allowed: list("AllowedSubjectList", "Subject"),
        denied: list("DeniedSubjectList", "Subject"),
    };
    if !machines.issuers.is_empty() {
        notes.add(Note::Issuers(machines.issuers.len()), element.at);
    }
    Ok(machines)
}

fn note_machines(
    parts: &Parts<'_>,
    domain: Option<(&str, usize)>,
    others: &OtherMachines,
    root_at: usize,
    notes: &mut Notes,
) {
    let Some((list, at)) = domain else {
        if others.allowed.is_empty() {
            let element = parts.get("AllowedSourceDomainComputers");
            notes.add(
                Note::NoMachines,
                element.map_or(root_at, |element| element.at),
            );
        }
        return;
    };
    let Some(machines) = sddl::read(list) else {
        notes.add(Note::BadSddl, at);
        return;
    };
    match (machines.members, machines.controllers) {
        (true, false) => notes.add(Note::HalfDomain("computers"), at),
        (false, true) => notes.add(Note::HalfDomain("controllers"), at),
        _ => {}
    }
    for trustee in &machines.unknown {
        notes.add(Note::Trustee(excerpt(trustee)), at);
    }
    for trustee in &machines.denied {
        notes.add(Note::DeniedTrustee(excerpt(trustee)), at);
    }
}

fn bad(element: &'static str, found: &str, expected: &'static str, at: usize) -> At<Fault> {
    let found = excerpt(found);
    let fault = Fault::Value {
        element,
        found,
        expected,
    };
    (fault, at)
}

/// Text of the file for a message: short, and on one line.
fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let shown: String = text.chars().take(CHARACTERS_MAX).collect();
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", visible(&shown))
}
