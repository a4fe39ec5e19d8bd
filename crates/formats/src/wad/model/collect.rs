//! What is collected, kind by kind.

use super::super::doubt::WadDoubt;
use super::super::fields::{Fields, MANY, Node, Said, say};
use super::super::finding::{Report, excerpt};
use super::super::tree::Element;
use super::super::value::{
    AbsolutePath, ContainerName, CounterPath, DumpType, EventLogQuery, Guid, LogLevel,
    NamedElementName, Percentage, RelativePath, SampleRate, TransferPeriod,
};
use super::SINKS;

pub(super) const PERIOD: Said = say(
    "scheduledTransferPeriod",
    "How often this is transferred, rounded up to the minute; PT0S is never.",
)
.default("PT0S");

pub(super) const LEVEL: Said = say(
    "scheduledTransferLogLevelFilter",
    "How grave events have to be at least: Warning also takes Error and Critical.",
)
.default("Undefined");

/// Reports an element that is collected and goes nowhere.
pub(super) fn check_period(
    period: Option<TransferPeriod>,
    sinks: Option<&String>,
    element: &Element,
    report: &mut Report,
) {
    let goes_elsewhere = sinks.is_some_and(|sinks| !sinks.trim().is_empty());
    let is_said = period.is_some() || element.attribute(PERIOD.name).is_some();
    if !is_said && !goes_elsewhere {
        report.add(WadDoubt::NoPeriod(element.name.clone()), element.at);
    }
}

/// Reports items that stand in their list twice.
fn check_twice<'a>(
    what: &'static str,
    items: impl Iterator<Item = (String, &'a Element)>,
    report: &mut Report,
) {
    let mut seen = std::collections::BTreeSet::new();
    for (key, element) in items {
        if !seen.insert(key.clone()) {
            let name = excerpt(&key);
            report.add(WadDoubt::Twice { what, name }, element.at);
        }
    }
}

/// Counters summed up by the minute and the hour (`Metrics`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The machine that they are of.
    pub resource_id: String,
    /// Over which times.
    pub metric_aggregation: Vec<MetricAggregation>,
}

/// Most aggregations of metrics.
const AGGREGATIONS_MAX: usize = 5;

impl Node for Metrics {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "resourceId",
            "The resource id of the machine that they are of.",
        );
        f.required(said, &mut self.resource_id);
        let said = say(
            "MetricAggregation",
            "A time over which counters are summed up.",
        );
        f.children(said, 0..=AGGREGATIONS_MAX, &mut self.metric_aggregation);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        let Some(id) = element.attribute("resourceId") else {
            return;
        };
        let start: String = id.value.as_str().chars().take(15).collect();
        if !start.eq_ignore_ascii_case("/subscriptions/") {
            report.add(WadDoubt::ResourceId, id.value_at.start);
        }
    }
}

/// A time over which counters are summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricAggregation {
    /// That time.
    pub scheduled_transfer_period: TransferPeriod,
}

impl Node for MetricAggregation {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(PERIOD.name, "The time over which counters are summed up.");
        f.required(said, &mut self.scheduled_transfer_period);
    }

    fn key(&self) -> String {
        super::super::value::Value::write(&self.scheduled_transfer_period)
    }
}

/// What the agent says of its own work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiagnosticInfrastructureLogs {
    /// How often it is transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// How grave it has to be.
    pub scheduled_transfer_log_level_filter: Option<LogLevel>,
    /// Where else it goes.
    pub sinks: Option<String>,
}

impl Node for DiagnosticInfrastructureLogs {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(LEVEL, &mut self.scheduled_transfer_log_level_filter);
        f.attribute(SINKS, &mut self.sinks);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(
            self.scheduled_transfer_period,
            self.sinks.as_ref(),
            element,
            report,
        );
    }
}

/// Files below folders, each into a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directories {
    /// How often they are transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// Logs of IIS.
    pub iis_logs: Option<SpecialLogDirectory>,
    /// Its logs of failed requests.
    pub failed_request_logs: Option<SpecialLogDirectory>,
    /// Other folders.
    pub data_sources: Option<DataSources>,
}

impl Node for Directories {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.child(say("IISLogs", "Logs of IIS."), &mut self.iis_logs);
        let said = say("FailedRequestLogs", "Logs of failed requests of IIS.");
        f.child(said, &mut self.failed_request_logs);
        f.child(say("DataSources", "Other folders."), &mut self.data_sources);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(self.scheduled_transfer_period, None, element, report);
    }
}

/// A folder that is known where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialLogDirectory {
    /// The container its files go to.
    pub container_name: ContainerName,
}

const CONTAINER: Said = say("containerName", "The blob container that the files go to.");

impl Node for SpecialLogDirectory {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(CONTAINER, &mut self.container_name);
    }
}

/// Other folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSources {
    /// Each of them.
    pub directory_configuration: Vec<DirectoryConfiguration>,
}

impl Node for DataSources {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "DirectoryConfiguration",
            "A folder, and the container its files go to.",
        );
        f.children(said, 1..=MANY, &mut self.directory_configuration);
    }
}

/// A folder, and the container its files go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryConfiguration {
    /// The container.
    pub container_name: ContainerName,
    /// The folder, or
    pub absolute: Option<DirectoryPath>,
    /// the folder of a role.
    pub local_resource: Option<LocalResource>,
}

impl Node for DirectoryConfiguration {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(CONTAINER, &mut self.container_name);
        f.child(say("Absolute", "A folder by its path."), &mut self.absolute);
        let said = say(
            "LocalResource",
            "A folder below a local resource of the role.",
        );
        f.child(said, &mut self.local_resource);
        f.one_of(&["Absolute", "LocalResource"]);
    }

    fn key(&self) -> String {
        let container = self.container_name.as_str();
        let path = self
            .absolute
            .as_ref()
            .map(|folder| folder.path.as_str().to_lowercase());
        let resource =
            |of: &LocalResource| format!("{}:{}", of.name.as_str(), of.relative_path.as_str());
        let place = path.or_else(|| self.local_resource.as_ref().map(resource));
        format!("{container} {}", place.unwrap_or_default())
    }
}

/// A folder by its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryPath {
    /// The path.
    pub path: AbsolutePath,
    /// Whether `%…%` in it stands for variables.
    pub expand_environment: bool,
}

impl Node for DirectoryPath {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("path", "The path of the folder."), &mut self.path);
        let said = say(
            "expandEnvironment",
            "Whether %…% in the path stands for variables.",
        );
        f.required(said, &mut self.expand_environment);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        let has_variable = self.path.as_str().matches('%').count() > 1;
        if has_variable
            && !self.expand_environment
            && let Some(expand) = element.attribute("expandEnvironment")
        {
            report.add(WadDoubt::NotExpanded, expand.value_at.start);
        }
    }
}

/// A folder below a local resource of the role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalResource {
    /// The local resource.
    pub name: NamedElementName,
    /// The path below it.
    pub relative_path: RelativePath,
}

impl Node for LocalResource {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("name", "The local resource."), &mut self.name);
        f.required(
            say("relativePath", "The path below it."),
            &mut self.relative_path,
        );
    }
}

/// Performance counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerformanceCounters {
    /// How often they are transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// Where else they go.
    pub sinks: Option<String>,
    /// Each of them.
    pub performance_counter_configuration: Vec<PerformanceCounterConfiguration>,
}

impl Node for PerformanceCounters {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(SINKS, &mut self.sinks);
        let said = say("PerformanceCounterConfiguration", "A counter.");
        f.children(said, 1..=MANY, &mut self.performance_counter_configuration);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(
            self.scheduled_transfer_period,
            self.sinks.as_ref(),
            element,
            report,
        );
        let counters = self.performance_counter_configuration.iter().map(Node::key);
        let items = counters.zip(element.children("PerformanceCounterConfiguration"));
        check_twice("counter", items, report);
    }
}

/// A counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerformanceCounterConfiguration {
    /// Its path.
    pub counter_specifier: CounterPath,
    /// How often it is sampled.
    pub sample_rate: SampleRate,
    /// Its unit, for those who look at it.
    pub unit: Option<String>,
    /// Where else it goes.
    pub sinks: Option<String>,
    /// Its names for those who look at it.
    pub annotation: Vec<Annotation>,
}

impl Node for PerformanceCounterConfiguration {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "counterSpecifier",
            "The path of the counter, as typeperf prints it.",
        );
        f.required(said, &mut self.counter_specifier);
        f.required(
            say("sampleRate", "How often it is sampled."),
            &mut self.sample_rate,
        );
        f.attribute(
            say("unit", "Its unit, for those who look at it."),
            &mut self.unit,
        );
        f.attribute(SINKS, &mut self.sinks);
        let said = say("annotation", "A name of the counter, in a language.");
        f.children(said, 0..=MANY, &mut self.annotation);
    }

    fn key(&self) -> String {
        self.counter_specifier.as_str().to_lowercase()
    }
}

/// A name of a counter, in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    /// The name.
    pub display_name: String,
    /// The language.
    pub locale: Option<String>,
}

impl Node for Annotation {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("displayName", "The name."), &mut self.display_name);
        let said = say("locale", "The language of the name.");
        f.attribute(said.default("en-US"), &mut self.locale);
    }

    fn key(&self) -> String {
        self.locale.as_deref().unwrap_or("en-US").to_lowercase()
    }
}

/// Event logs of Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowsEventLog {
    /// How often they are transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// Where else they go.
    pub sinks: Option<String>,
    /// Which of them.
    pub data_source: Vec<DataSource>,
}

impl Node for WindowsEventLog {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(SINKS, &mut self.sinks);
        let said = say("DataSource", "Events of a channel.");
        f.children(said, 1..=MANY, &mut self.data_source);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(
            self.scheduled_transfer_period,
            self.sinks.as_ref(),
            element,
            report,
        );
        let queries = self.data_source.iter().map(Node::key);
        check_twice("query", queries.zip(element.children("DataSource")), report);
    }
}

/// Events of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSource {
    /// Which: `Channel!XPath`.
    pub name: EventLogQuery,
    /// Where else they go.
    pub sinks: Option<String>,
}

impl Node for DataSource {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "name",
            "Channel!XPath, as Security!*[System[EventID=4624]].",
        );
        f.required(said, &mut self.name);
        f.attribute(SINKS, &mut self.sinks);
    }

    fn key(&self) -> String {
        self.name.as_str().trim().to_owned()
    }
}

/// Dumps of processes that crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashDumps {
    /// Their share of the quota.
    pub directory_quota_percentage: Option<Percentage>,
    /// How much they hold.
    pub dump_type: Option<DumpType>,
    /// The container they go to.
    pub container_name: Option<ContainerName>,
    /// Where else they go.
    pub sinks: Option<String>,
    /// Of which processes.
    pub crash_dump_configuration: Vec<CrashDumpConfiguration>,
}

impl Node for CrashDumps {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say(
            "directoryQuotaPercentage",
            "The share of overallQuotaInMB that dumps may take.",
        );
        f.attribute(said.default("10"), &mut self.directory_quota_percentage);
        let said = say("dumpType", "How much of a process a dump holds.");
        f.attribute(said.default("Mini"), &mut self.dump_type);
        let said = say("containerName", "The blob container that dumps go to.");
        f.attribute(said.default("wad-crashdumps"), &mut self.container_name);
        f.attribute(SINKS, &mut self.sinks);
        let said = say("CrashDumpConfiguration", "A process.");
        f.children(said, 1..=MANY, &mut self.crash_dump_configuration);
    }

    fn check(&self, element: &Element, report: &mut Report) {
        if self.directory_quota_percentage == Some(Percentage(100))
            && let Some(quota) = element.attribute("directoryQuotaPercentage")
        {
            report.add(WadDoubt::DumpsTakeAll, quota.value_at.start);
        }
        let processes = self.crash_dump_configuration.iter().map(Node::key);
        let items = processes.zip(element.children("CrashDumpConfiguration"));
        check_twice("process", items, report);
    }
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashDumpConfiguration {
    /// The name of its program: `w3wp.exe`.
    pub process_name: String,
    /// Where else its dumps go.
    pub sinks: Option<String>,
}

impl Node for CrashDumpConfiguration {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("processName", "The name of its program, as w3wp.exe.");
        f.required(said, &mut self.process_name);
        f.attribute(SINKS, &mut self.sinks);
    }

    fn key(&self) -> String {
        self.process_name.to_lowercase()
    }
}

/// What applications trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// How often it is transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// How grave it has to be.
    pub scheduled_transfer_log_level_filter: Option<LogLevel>,
    /// Where else it goes.
    pub sinks: Option<String>,
    /// Another provider than the listener's own.
    pub provider: Option<LogsProvider>,
}

impl Node for Logs {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(LEVEL, &mut self.scheduled_transfer_log_level_filter);
        f.attribute(SINKS, &mut self.sinks);
        f.child(
            say("Provider", "Another provider than the listener's own."),
            &mut self.provider,
        );
    }

    fn check(&self, element: &Element, report: &mut Report) {
        check_period(
            self.scheduled_transfer_period,
            self.sinks.as_ref(),
            element,
            report,
        );
    }
}

/// The provider of a trace listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsProvider {
    /// Its GUID.
    pub guid: Guid,
}

impl Node for LogsProvider {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.required(say("guid", "The GUID of the provider."), &mut self.guid);
    }
}

/// Counters of containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerSources {
    /// Which.
    pub stats: Option<DockerStats>,
}

impl Node for DockerSources {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.child(say("Stats", "What docker stats prints."), &mut self.stats);
    }
}

/// What `docker stats` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerStats {
    /// Whether it is collected.
    pub enabled: Option<bool>,
    /// How often it is sampled.
    pub sample_rate: Option<SampleRate>,
    /// How often it is transferred.
    pub scheduled_transfer_period: Option<TransferPeriod>,
    /// Where else it goes.
    pub sinks: Option<String>,
}

impl Node for DockerStats {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(
            say("enabled", "Whether it is collected."),
            &mut self.enabled,
        );
        f.attribute(
            say("sampleRate", "How often it is sampled."),
            &mut self.sample_rate,
        );
        f.attribute(PERIOD, &mut self.scheduled_transfer_period);
        f.attribute(SINKS, &mut self.sinks);
    }
}
