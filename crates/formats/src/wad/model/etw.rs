//! Events of ETW.

use super::super::doubt::WadDoubt;
use super::super::fields::{Fields, MANY, Node, say};
use super::super::finding::{Report, excerpt};
use super::super::tree::Element;
use super::super::value::{EventDestination, KeywordFilter, LogLevel, TransferPeriod, is_guid};
use super::SINKS;
use super::collect::{LEVEL, PERIOD, check_period};

/// Events of ETW, by provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtwProviders {
    /// Where else they go.
    pub sinks: Option<String>,
    /// Providers that are classes of .NET.
    pub event_source: Vec<EtwProvider>,
    /// Providers with a manifest.
    pub manifest: Vec<EtwProvider>,
}

const MANIFEST: &str = "EtwManifestProviderConfiguration";

impl Node for EtwProviders {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(SINKS, &mut self.sinks);
        let said = say(
            "EtwEventSourceProviderConfiguration",
            "A provider that is a class of .NET.",
        );
        f.children(said, 0..=MANY, &mut self.event_source);
        f.children(
            say(MANIFEST, "A provider with a manifest."),
            0..=MANY,
            &mut self.manifest,
        );
    }

    fn check(&self, element: &Element, report: &mut Report) {
        for provider in element.children(MANIFEST) {
            let named = provider.attribute("provider");
            let named = named.filter(|named| !is_guid(named.value.as_str().trim()));
            if let Some(named) = named {
                let name = excerpt(named.value.as_str());
                report.add(WadDoubt::ProviderNoGuid(name), named.value_at.start);
            }
        }
    }
}

/// A provider, and where its events go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtwProvider {
    /// Its class, or its GUID.
    pub provider: String,
    /// How often its events are transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// How grave they have to be.
    pub scheduled_transfer_log_level_filter: Option<LogLevel>,
    /// Keywords of which an event has to have one.
    pub scheduled_transfer_keyword_filter: Option<KeywordFilter>,
    /// Where else they go.
    pub sinks: Option<String>,
    /// Events that are told from the others.
    pub event: Vec<EtwEvent>,
    /// The others.
    pub default_events: Option<DefaultEvents>,
}

impl Node for EtwProvider {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(
            say("provider", "The class of the provider, or its GUID."),
            &mut self.provider,
        );
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(LEVEL, &mut self.scheduled_transfer_log_level_filter);
        let said = say(
            "scheduledTransferKeywordFilter",
            "Keywords of which an event has to have one; 0 is every event.",
        );
        f.attribute(
            said.default("0"),
            &mut self.scheduled_transfer_keyword_filter,
        );
        f.attribute(SINKS, &mut self.sinks);
        let said = say("Event", "An event that is told from the others.");
        f.children(said, 0..=MANY, &mut self.event);
        f.child(
            say("DefaultEvents", "All other events."),
            &mut self.default_events,
        );
        f.in_order(&["Event", "DefaultEvents"]);
    }

    fn key(&self) -> String {
        self.provider.to_lowercase()
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(
            self.scheduled_transfer_period,
            self.sinks.as_ref(),
            element,
            report,
        );
        let mut seen = std::collections::BTreeSet::new();
        for (event, found) in self.event.iter().zip(element.children("Event")) {
            if !seen.insert(event.id) {
                let name = event.id.to_string();
                report.add(
                    WadDoubt::Twice {
                        what: "event",
                        name,
                    },
                    found.at,
                );
            }
        }
    }
}

/// An event of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtwEvent {
    /// Its id.
    pub id: i32,
    /// Its table, without `WAD`.
    pub event_destination: Option<EventDestination>,
    /// Where else it goes.
    pub sinks: Option<String>,
}

const DESTINATION: super::super::fields::Said = say(
    "eventDestination",
    "The table that it goes to, without the WAD in front.",
);

impl Node for EtwEvent {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("id", "The id of the event."), &mut self.id);
        f.attribute(DESTINATION, &mut self.event_destination);
        f.attribute(SINKS, &mut self.sinks);
    }

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// Events that are not named one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultEvents {
    /// Their table, without `WAD`.
    pub event_destination: Option<EventDestination>,
    /// Where else they go.
    pub sinks: Option<String>,
}

impl Node for DefaultEvents {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(DESTINATION, &mut self.event_destination);
        f.attribute(SINKS, &mut self.sinks);
    }
}
