//! Where data goes beside the storage account.

use super::super::doubt::WadDoubt;
use super::super::fields::{Fields, MANY, Node, say};
use super::super::finding::{Report, excerpt};
use super::super::tree::{Attribute, Element};
use super::super::value::{LogLevel, SinkName, Uri, account_doubt};
use crate::suggest::nearest;

/// Sinks that other elements name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinksConfig {
    /// Each of them.
    pub sink: Vec<Sink>,
}

impl Node for SinksConfig {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.children(say("Sink", "A sink."), 1..=MANY, &mut self.sink);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        let mut seen = std::collections::BTreeSet::new();
        for (sink, found) in self.sink.iter().zip(element.children("Sink")) {
            if !seen.insert(sink.key()) {
                let name = excerpt(sink.name.as_str());
                report.add(WadDoubt::Twice { what: "sink", name }, found.at);
            }
        }
    }
}

impl SinksConfig {
    /// Reports sinks and channels that are named and not there.
    pub(super) fn check_named(&self, named: &Attribute, report: &mut Report) {
        let text = named.value.as_str();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let (sink, channel) = match name.split_once('.') {
                Some((sink, channel)) => (sink, Some(channel)),
                None => (name, None),
            };
            let mut sinks = self.sink.iter();
            let found = sinks.find(|of| of.name.as_str().eq_ignore_ascii_case(sink));
            let Some(found) = found else {
                let names = self.sink.iter().map(|of| of.name.as_str());
                let near = nearest(sink, names).map(str::to_owned);
                let name = excerpt(sink);
                report.add(WadDoubt::NoSink { name, near }, named.value_at.start);
                continue;
            };
            if let Some(channel) = channel.filter(|channel| !found.has_channel(channel)) {
                let doubt = WadDoubt::NoSinkChannel {
                    sink: excerpt(sink),
                    channel: excerpt(channel),
                };
                report.add(doubt, named.value_at.start);
            }
        }
    }
}

/// A sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    /// The name that others name it by.
    pub name: SinkName,
    /// Application Insights, by its instrumentation key, or
    pub application_insights: Option<String>,
    /// its profiler, or
    pub application_insights_profiler: Option<String>,
    /// an event hub, or
    pub event_hub: Option<EventHubSink>,
    /// another storage account, or
    pub storage_account: Option<SinkStorageAccount>,
    /// Azure Monitor.
    pub azure_monitor: Option<AzureMonitorSink>,
    /// What of the data it takes.
    pub channels: Option<SinkChannels>,
}

impl Sink {
    fn has_channel(&self, name: &str) -> bool {
        let channels = self.channels.iter().flat_map(|channels| &channels.channel);
        let mut names = channels.map(|channel| channel.name.as_str());
        names.any(|channel| channel.eq_ignore_ascii_case(name))
    }
}

impl Node for Sink {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(
            say("name", "The name that sinks attributes name it by."),
            &mut self.name,
        );
        let said = say(
            "ApplicationInsights",
            "The instrumentation key of Application Insights.",
        );
        f.text(said, &mut self.application_insights);
        let said = say(
            "ApplicationInsightsProfiler",
            "The instrumentation key of its profiler.",
        );
        f.text(said.since("1.9"), &mut self.application_insights_profiler);
        f.child(say("EventHub", "An event hub."), &mut self.event_hub);
        let said = say("StorageAccount", "Another storage account.");
        f.child(said.since("1.7"), &mut self.storage_account);
        let said = say("AzureMonitor", "Azure Monitor.");
        f.child(said.since("1.11"), &mut self.azure_monitor);
        let names = &[
            "ApplicationInsights",
            "ApplicationInsightsProfiler",
            "EventHub",
            "StorageAccount",
            "AzureMonitor",
        ];
        f.one_of(names);
        f.child(
            say("Channels", "What of the data it takes."),
            &mut self.channels,
        );
        f.in_order(&[
            "ApplicationInsights",
            "ApplicationInsightsProfiler",
            "EventHub",
            "StorageAccount",
            "AzureMonitor",
            "Channels",
        ]);
    }

    fn key(&self) -> String {
        self.name.as_str().to_lowercase()
    }
}

/// An event hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventHubSink {
    /// Its address.
    pub url: Uri,
    /// The name of the key that may send; the key itself is private.
    pub shared_access_key_name: String,
    /// Whether the machine's name is its publisher id.
    pub use_publisher_id: Option<bool>,
}

impl Node for EventHubSink {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("Url", "The address of the event hub."), &mut self.url);
        let said = say("SharedAccessKeyName", "The name of the key that may send.");
        f.required(said, &mut self.shared_access_key_name);
        let said = say(
            "usePublisherId",
            "Whether a machine is a publisher of its own.",
        );
        f.attribute(said.since("1.7"), &mut self.use_publisher_id);
    }
}

/// Another storage account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStorageAccount {
    /// Its name.
    pub name: String,
    /// Its endpoint.
    pub endpoint: Option<Uri>,
}

impl Node for SinkStorageAccount {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("name", "The name of the account."), &mut self.name);
        f.attribute(
            say("endpoint", "Its endpoint, as https://core.windows.net."),
            &mut self.endpoint,
        );
    }

    fn check(&self, element: &Element, report: &mut Report) {
        // The schema's own examples have capitals here; the service refuses them.
        if let Some(doubt) = account_doubt(&self.name)
            && let Some(name) = element.attribute("name")
        {
            report.add(doubt, name.value_at.start);
        }
    }
}

/// Azure Monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureMonitorSink {
    /// The machine, where the service cannot know it.
    pub resource_id: Option<String>,
    /// Its region.
    pub region: Option<String>,
}

impl Node for AzureMonitorSink {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.text(
            say("ResourceId", "The resource id of a classic machine."),
            &mut self.resource_id,
        );
        f.text(
            say("Region", "The region of a classic machine."),
            &mut self.region,
        );
    }
}

/// What of the data a sink takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkChannels {
    /// Each stream of it.
    pub channel: Vec<SinkChannel>,
}

impl Node for SinkChannels {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.children(
            say("Channel", "A stream of the sink."),
            1..=MANY,
            &mut self.channel,
        );
    }
}

/// A stream of a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkChannel {
    /// Its name, which others name it by behind that of the sink and a dot.
    pub name: SinkName,
    /// How grave events have to be.
    pub log_level: LogLevel,
}

impl Node for SinkChannel {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(
            say(
                "name",
                "The name that others name it by, behind sink and dot.",
            ),
            &mut self.name,
        );
        f.required(
            say("logLevel", "How grave events have to be at least."),
            &mut self.log_level,
        );
    }

    fn key(&self) -> String {
        self.name.as_str().to_lowercase()
    }
}
