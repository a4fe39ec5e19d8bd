//! What a configuration says, under the names of its schema.

mod collect;
mod etw;
mod private;
mod sinks;

pub use collect::{
    Annotation, CrashDumpConfiguration, CrashDumps, DataSource, DataSources,
    DiagnosticInfrastructureLogs, Directories, DirectoryConfiguration, DirectoryPath,
    DockerSources, DockerStats, LocalResource, Logs, LogsProvider, MetricAggregation, Metrics,
    PerformanceCounterConfiguration, PerformanceCounters, SpecialLogDirectory, WindowsEventLog,
};
pub use etw::{DefaultEvents, EtwEvent, EtwProvider, EtwProviders};
pub use private::{
    AzureMonitorAccount, EventHubKey, PrivateConfig, PrivateStorageAccount, SecondaryEventHubs,
    SecondaryStorageAccounts, ServicePrincipal,
};
pub use sinks::{
    AzureMonitorSink, EventHubSink, Sink, SinkChannel, SinkChannels, SinkStorageAccount,
    SinksConfig,
};

use super::doubt::WadDoubt;
use super::fields::{Fields, Node, say};
use super::finding::{Report, excerpt, holds_key};
use super::tree::Element;
use super::value::{EventVolume, StorageType, account_doubt};

/// A configuration of Azure Diagnostics: what is public, what is not, and whether it is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// What is collected, and where to.
    pub public: Option<PublicConfig>,
    /// The keys for it.
    pub private: Option<PrivateConfig>,
    /// Whether anything is collected.
    pub is_enabled: Option<bool>,
}

impl Node for Configuration {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.child(
            say("PublicConfig", "What is collected, and where to."),
            &mut self.public,
        );
        f.child(say("PrivateConfig", "The keys for it."), &mut self.private);
        let said = say("IsEnabled", "Whether anything is collected.");
        f.text(said, &mut self.is_enabled);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        if self.is_enabled == Some(false)
            && let Some(enabled) = text_place(element, "IsEnabled")
        {
            report.add(WadDoubt::Disabled, enabled);
        }
        if self.public.is_none() || self.private.is_none() {
            return;
        }
        let Some(private) = element.child("PrivateConfig") else {
            return;
        };
        private.walk(&mut |inside| {
            for name in private::SECRETS {
                let found = inside.attribute(name);
                let filled = found.filter(|found| !found.value.as_str().is_empty());
                if let Some(key) = filled {
                    report.add(WadDoubt::KeyInFile(name), key.at);
                }
                if inside.name == name && !inside.text.as_str().trim().is_empty() {
                    report.add(WadDoubt::KeyInFile(name), inside.at);
                }
            }
        });
    }
}

/// What is collected, and where to (`PublicConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicConfig {
    /// What is collected.
    pub wad_cfg: Option<WadCfg>,
    /// A blob that says it instead.
    pub wad_cfg_blob: Option<WadCfgBlob>,
    /// Where data waits on the machine.
    pub local_resource_directory: Option<DirectoryPath>,
    /// The storage account; it may be said when it is deployed.
    pub storage_account: Option<String>,
    /// Tables, blobs or both.
    pub storage_type: Option<StorageType>,
}

impl Node for PublicConfig {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.child(say("WadCfg", "What is collected."), &mut self.wad_cfg);
        let said = say("WadCfgBlob", "A blob that holds the configuration.");
        f.child(said, &mut self.wad_cfg_blob);
        let said = say("LocalResourceDirectory", "Where data waits on the machine.");
        f.child(said, &mut self.local_resource_directory);
        let said = say(
            "StorageAccount",
            "The name of the storage account that data goes to.",
        );
        f.text(said, &mut self.storage_account);
        let said = say("StorageType", "Whether data goes to tables, blobs or both.");
        f.text(said.default("Table").since("1.8"), &mut self.storage_type);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        if self.wad_cfg.is_none() && self.wad_cfg_blob.is_none() {
            report.add(WadDoubt::Nothing, element.at);
        }
        let account = self.storage_account.as_deref().unwrap_or_default();
        if let Some(doubt) = account_doubt(account)
            && let Some(at) = text_place(element, "StorageAccount")
        {
            report.add(doubt, at);
        }
        secrets(element, report);
    }
}

/// Reports keys in the public part, where they are read by whoever reads the deployment.
fn secrets(public: &Element, report: &mut Report) {
    public.walk(&mut |element| {
        for attribute in &element.attributes {
            let is_name = |name: &&str| attribute.name.eq_ignore_ascii_case(name);
            let is_key =
                private::SECRETS.iter().any(is_name) && !attribute.value.as_str().is_empty();
            if is_key || holds_key(attribute.value.as_str()) {
                let name = excerpt(&attribute.name);
                report.add(WadDoubt::SecretInPublic(name), attribute.at);
            }
        }
        if holds_key(element.text.as_str()) {
            let name = format!("<{}>", excerpt(&element.name));
            report.add(WadDoubt::SecretInPublic(name), element.at);
        }
    });
}

/// Where an element with text alone stands, in either notation.
pub(super) fn text_place(element: &Element, name: &str) -> Option<usize> {
    let child = element.child(name).map(|child| child.at);
    child.or_else(|| Some(element.attribute(name)?.value_at.start))
}

/// What is collected (`WadCfg`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WadCfg {
    /// What is collected.
    pub monitor: DiagnosticMonitorConfiguration,
    /// Where else it goes.
    pub sinks_config: Option<SinksConfig>,
}

impl Node for WadCfg {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("DiagnosticMonitorConfiguration", "What is collected.");
        f.one(said, &mut self.monitor);
        let said = say("SinksConfig", "Where else it goes.");
        f.child(said, &mut self.sinks_config);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        let none = SinksConfig::default();
        let sinks = self.sinks_config.as_ref().unwrap_or(&none);
        element.walk(&mut |inside| {
            if let Some(named) = inside.attribute("sinks") {
                sinks.check_named(named, report);
            }
        });
    }
}

/// A blob that holds the configuration (`WadCfgBlob`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WadCfgBlob {
    /// Its container.
    pub container_name: Option<String>,
    /// Its name.
    pub blob_name: Option<String>,
}

impl Node for WadCfgBlob {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(
            say("containerName", "The container of the blob."),
            &mut self.container_name,
        );
        f.attribute(
            say("blobName", "The name of the blob."),
            &mut self.blob_name,
        );
    }
}

/// What is collected, and how much of it may wait on the machine (`DiagnosticMonitorConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiagnosticMonitorConfiguration {
    /// Room for all that waits, in MB.
    pub overall_quota_in_mb: Option<u32>,
    /// Whether the machine's proxy is used.
    pub use_proxy_server: Option<bool>,
    /// How rows spread over partitions.
    pub event_volume: Option<EventVolume>,
    /// Where else all of it goes.
    pub sinks: Option<String>,
    /// Counters summed up.
    pub metrics: Option<Metrics>,
    /// What the agent says of its own work.
    pub diagnostic_infrastructure_logs: Option<DiagnosticInfrastructureLogs>,
    /// Files.
    pub directories: Option<Directories>,
    /// Counters.
    pub performance_counters: Option<PerformanceCounters>,
    /// Event logs.
    pub windows_event_log: Option<WindowsEventLog>,
    /// Events of ETW.
    pub etw_providers: Option<EtwProviders>,
    /// Crash dumps.
    pub crash_dumps: Option<CrashDumps>,
    /// What applications trace.
    pub logs: Option<Logs>,
    /// Containers.
    pub docker_sources: Option<DockerSources>,
}

/// How `sinks` reads in every element.
pub(super) const SINKS: super::fields::Said = say(
    "sinks",
    "Sinks that this goes to as well, separated by commas: sink or sink.channel.",
);

impl Node for DiagnosticMonitorConfiguration {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "overallQuotaInMB",
            "Room on the machine for all that waits, in MB.",
        );
        f.attribute(said.default("5120"), &mut self.overall_quota_in_mb);
        let said = say(
            "useProxyServer",
            "Whether the proxy of the machine is used.",
        );
        f.attribute(said.default("true"), &mut self.use_proxy_server);
        let said = say(
            "eventVolume",
            "How many events are expected: rows spread over more partitions.",
        );
        f.attribute(said, &mut self.event_volume);
        f.attribute(SINKS, &mut self.sinks);
        f.child(say("Metrics", "Counters summed up."), &mut self.metrics);
        let said = say(
            "DiagnosticInfrastructureLogs",
            "What the agent says of its own work.",
        );
        f.child(said, &mut self.diagnostic_infrastructure_logs);
        f.child(
            say("Directories", "Files that are written below folders."),
            &mut self.directories,
        );
        f.child(
            say("PerformanceCounters", "Performance counters."),
            &mut self.performance_counters,
        );
        f.child(
            say("WindowsEventLog", "Event logs of Windows."),
            &mut self.windows_event_log,
        );
        f.child(
            say("EtwProviders", "Events of ETW."),
            &mut self.etw_providers,
        );
        f.child(
            say("CrashDumps", "Dumps of processes that crash."),
            &mut self.crash_dumps,
        );
        f.child(say("Logs", "What applications trace."), &mut self.logs);
        let said = say("DockerSources", "Counters of containers.");
        f.child(said.since("1.9"), &mut self.docker_sources);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        match self.overall_quota_in_mb {
            None if element.attribute("overallQuotaInMB").is_none() => {
                report.add(WadDoubt::NoQuota, element.at);
            }
            Some(0) => {
                let quota = element.attribute("overallQuotaInMB");
                let at = quota.map_or(element.at, |quota| quota.value_at.start);
                report.add(WadDoubt::ZeroQuota, at);
            }
            _ => {}
        }
    }
}
