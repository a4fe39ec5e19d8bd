//! What a configuration of Azure Diagnostics means, as settings of windrow.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};
use windrow_formats::text::hex;
use windrow_formats::wad::{
    Configuration, DiagnosticMonitorConfiguration, Directories, EtwProvider, EtwProviders,
    EventDestination, EventVolume, LogLevel, PerformanceCounters, PublicConfig, StorageType,
    TransferPeriod,
};

use crate::config::checked::{self, AccountCredential, DiagnosticsStorage};

/// Where dumps go of which nothing else is said.
const USUAL_DUMPS: &str = "wad-crashdumps";

/// What is said of an element whose files come from nowhere.
const NO_FILES: &str = "{}: --files names the folder in which files of the machines arrive; without one nothing of them is collected";

/// What stands for other folders than those of IIS.
const DIRECTORY: &str = "dir";

/// Settings as text, and what is not among them.
pub(super) struct Compiled {
    pub(super) settings: String,
    pub(super) undone: Vec<String>,
}

/// The subscription that asks machines for the events of a configuration.
pub(crate) fn subscription_name(name: &str) -> String {
    format!("wad-{name}")
}

/// The sink that writes Windows events.
fn events_sink(name: &str) -> String {
    format!("wad-{name}-events")
}

/// The sink that writes windrow's own events.
fn own_sink(name: &str) -> String {
    format!("wad-{name}-own")
}

/// The sink that writes values of performance counters, and the folder with their logs.
fn counters_sink(name: &str) -> String {
    format!("wad-{name}-perf")
}

/// The sink that writes events of traces, and the folder with those.
fn traces_sink(name: &str) -> String {
    format!("wad-{name}-etw")
}

/// The longest name of a setting that a configuration means.
pub(super) fn longest_name(name: &str) -> String {
    events_sink(name)
}

/// What a configuration means under this name, for these machines and this account.
///
/// # Errors
/// It asks for something that cannot be said; in words.
pub(super) fn compile(
    name: &str,
    diagnostics: &checked::Diagnostics,
    configuration: &Configuration,
) -> Result<Compiled, String> {
    let none = PublicConfig::default();
    let public = configuration.public.as_ref().unwrap_or(&none);
    let mut parts = Parts {
        name,
        diagnostics,
        subscriptions: Table::new(),
        sinks: Table::new(),
        folders: Table::new(),
        blob_sinks: Table::new(),
        undone: Vec::new(),
    };
    match &public.wad_cfg {
        _ if configuration.is_enabled == Some(false) => {
            parts.undone("IsEnabled is false: nothing is collected");
        }
        Some(wad_cfg) => parts.monitor(&wad_cfg.monitor)?,
        None => {}
    }
    parts.what_is_not_done(public);
    Ok(parts.compiled())
}

struct Parts<'a> {
    name: &'a str,
    diagnostics: &'a checked::Diagnostics,
    subscriptions: Table,
    sinks: Table,
    folders: Table,
    blob_sinks: Table,
    undone: Vec<String>,
}

impl Parts<'_> {
    fn undone(&mut self, what: &str) {
        self.undone.push(what.to_owned());
    }

    fn monitor(&mut self, monitor: &DiagnosticMonitorConfiguration) -> Result<(), String> {
        let volume = monitor.event_volume;
        if let Some(log) = &monitor.windows_event_log {
            let query = log.query_list().map_err(|source| {
                let source = source.name.as_str();
                format!("DataSource {source:?} names no channel: write Channel!XPath")
            })?;
            self.subscription(&query);
            let what = Transfer {
                sink: events_sink(self.name),
                table: "WADWindowsEventLogsTable",
                element: "WindowsEventLog",
                period: log.scheduled_transfer_period,
                volume,
            };
            self.transfer(what, |sink| {
                // A machine with two subscriptions sends what both ask for twice; a row is to be there once.
                let subscription = subscription_name(self.name);
                sink.insert("subscription".to_owned(), subscription.into());
                let filter = Table::from_iter([("query".to_owned(), Value::String(query))]);
                sink.insert("filter".to_owned(), filter.into());
            });
        }
        if let Some(logs) = &monitor.diagnostic_infrastructure_logs {
            let what = Transfer {
                sink: own_sink(self.name),
                table: "WADDiagnosticInfrastructureLogsTable",
                element: "DiagnosticInfrastructureLogs",
                period: logs.scheduled_transfer_period,
                volume,
            };
            let level = logs.scheduled_transfer_log_level_filter.unwrap_or_default();
            self.transfer(what, |sink| {
                sink.insert("infrastructure_level".to_owned(), word(level).into());
            });
        }
        if let Some(counters) = &monitor.performance_counters {
            self.counters(counters, volume);
        }
        if let Some(providers) = &monitor.etw_providers {
            self.traces(providers, volume);
        }
        if let Some(directories) = &monitor.directories {
            self.directories(directories);
        }
        if let Some(dumps) = &monitor.crash_dumps {
            let container = dumps.container_name.as_ref();
            let container = container.map_or(USUAL_DUMPS, |name| name.as_str());
            let folder = Folder {
                what: "dumps",
                below: "crash-dumps".to_owned(),
                content: "crash-dump",
                container,
            };
            let files = Files {
                sink: format!("wad-{}-dumps", self.name),
                element: "CrashDumps",
                // The agent sent a dump when it was there.
                minutes: Some(1),
            };
            self.files(files, &[folder]);
        }
        Ok(())
    }

    /// Logs of performance counters from machines, and their rows.
    fn counters(&mut self, counters: &PerformanceCounters, volume: Option<EventVolume>) {
        let Some(root) = &self.diagnostics.files else {
            self.undone(NO_FILES.replace("{}", "PerformanceCounters").as_str());
            return;
        };
        let folder = counters_sink(self.name);
        let source = arriving(root.join("counters"), "counters");
        self.folders.insert(folder.clone(), source.into());
        let what = Transfer {
            sink: counters_sink(self.name),
            table: "WADPerformanceCountersTable",
            element: "PerformanceCounters",
            period: counters.scheduled_transfer_period,
            volume,
        };
        let wanted = &counters.performance_counter_configuration;
        let wanted: BTreeSet<&str> = (wanted.iter())
            .map(|counter| counter.counter_specifier.as_str())
            .collect();
        self.transfer(what, |sink| {
            sink.insert("directories".to_owned(), vec![Value::from(folder)].into());
            let wanted: Vec<Value> = wanted.into_iter().map(Value::from).collect();
            sink.insert("counters".to_owned(), wanted.into());
        });
    }

    /// Traces from machines, and the rows of their events.
    fn traces(&mut self, providers: &EtwProviders, volume: Option<EventVolume>) {
        let Some(root) = &self.diagnostics.files else {
            self.undone(NO_FILES.replace("{}", "EtwProviders").as_str());
            return;
        };
        let folder = traces_sink(self.name);
        let source = arriving(root.join("traces"), "etl");
        self.folders.insert(folder.clone(), source.into());
        let all = || providers.event_source.iter().chain(&providers.manifest);
        let minutes = |provider: &EtwProvider| {
            let period = provider.scheduled_transfer_period?;
            Some((period.minutes()?, period))
        };
        let mut tables = Vec::new();
        for provider in all() {
            if minutes(provider).is_none() {
                let name = &provider.provider;
                self.undone.push(format!(
                    "{name} has no scheduledTransferPeriod: its events are collected, and no row is written"
                ));
                continue;
            }
            tables.extend(trace_tables(provider));
        }
        if tables.iter().any(|(_, is_usual)| *is_usual) {
            self.undone("events without an eventDestination go to WADETWEventTable: how the agent made names of hashes is not known");
        }
        let tables: Vec<Value> = tables.into_iter().map(|(table, _)| table.into()).collect();
        // Each could have its own; whoever reads finds all of them sooner.
        let shortest = all()
            .filter_map(minutes)
            .min_by_key(|(minutes, _)| *minutes);
        let Some((_, period)) = shortest else {
            return;
        };
        let what = Transfer {
            sink: folder.clone(),
            table: "WADETWEventTable",
            element: "EtwProviders",
            period: Some(period),
            volume,
        };
        self.transfer(what, |sink| {
            sink.insert("directories".to_owned(), vec![Value::from(folder)].into());
            sink.insert("traces".to_owned(), tables.into());
        });
    }

    fn directories(&mut self, directories: &Directories) {
        let mut folders = Vec::new();
        let logs = [
            ("iis", "iis-logs", "iis-log", &directories.iis_logs),
            (
                "failed",
                "failed-requests",
                "failed-request",
                &directories.failed_request_logs,
            ),
        ];
        for (what, below, content, log) in logs {
            folders.extend(log.as_ref().map(|log| Folder {
                what,
                below: below.to_owned(),
                content,
                container: log.container_name.as_str(),
            }));
        }
        let sources = directories.data_sources.iter();
        let sources = sources.flat_map(|sources| &sources.directory_configuration);
        let containers: BTreeSet<&str> = sources.map(|of| of.container_name.as_str()).collect();
        folders.extend(containers.into_iter().map(|container| Folder {
            what: DIRECTORY,
            below: format!("directories/{container}"),
            content: "other",
            container,
        }));
        let files = Files {
            sink: format!("wad-{}-files", self.name),
            element: "Directories",
            minutes: (directories.scheduled_transfer_period).and_then(TransferPeriod::minutes),
        };
        self.files(files, &folders);
    }

    /// Folders whose files come from machines, and the sink that puts those into containers.
    fn files(&mut self, files: Files<'_>, folders: &[Folder<'_>]) {
        let Some(root) = &self.diagnostics.files else {
            self.undone(NO_FILES.replace("{}", files.element).as_str());
            return;
        };
        let mut containers = Table::new();
        for folder in folders {
            let name = match folder.what {
                DIRECTORY => format!("wad-{}-d{}", self.name, mark(folder.container)),
                what => format!("wad-{}-{what}", self.name),
            };
            let source = arriving(root.join(&folder.below), folder.content);
            self.folders.insert(name.clone(), source.into());
            containers.insert(name, folder.container.into());
        }
        let Some(minutes) = files.minutes else {
            self.undone.push(format!(
                "{} has no scheduledTransferPeriod: files are collected, and no blob is written",
                files.element
            ));
            return;
        };
        let Some(storage) = &self.diagnostics.storage else {
            self.undone.push(format!(
                "{}: there is no storage account and key, and no blob is written",
                files.element
            ));
            return;
        };
        let mut sink = blob_account(storage);
        let given = [
            ("deployment_id", self.diagnostics.deployment_id.clone()),
            ("role", self.diagnostics.role.clone()),
            ("transfer_period", format!("{}m", minutes.max(1))),
        ];
        sink.extend(given.map(|(key, value)| (key.to_owned(), value.into())));
        self.machines(&mut sink);
        sink.insert("containers".to_owned(), containers.into());
        self.blob_sinks.insert(files.sink, sink.into());
    }

    fn subscription(&mut self, query: &str) {
        let mut table = Table::new();
        let description = format!("Azure Diagnostics {}", self.name);
        table.insert("description".to_owned(), description.into());
        self.machines(&mut table);
        table.insert("query".to_owned(), query.into());
        let name = subscription_name(self.name);
        self.subscriptions.insert(name, table.into());
    }

    fn machines(&self, table: &mut Table) {
        let lists = [
            ("machines", &self.diagnostics.machines),
            ("machine_groups", &self.diagnostics.machine_groups),
        ];
        for (key, list) in lists {
            if !list.is_empty() {
                let list: Vec<Value> = list.iter().map(|name| name.as_str().into()).collect();
                table.insert(key.to_owned(), list.into());
            }
        }
    }

    /// A sink for one table, where it is transferred at all.
    fn transfer(&mut self, what: Transfer<'_>, add: impl FnOnce(&mut Table)) {
        let Some(minutes) = what.period.and_then(TransferPeriod::minutes) else {
            self.undone.push(format!(
                "{} has no scheduledTransferPeriod: it is collected, and no row is written",
                what.element
            ));
            return;
        };
        let Some(storage) = &self.diagnostics.storage else {
            self.undone.push(format!(
                "{}: there is no storage account and key, and no row is written",
                what.element
            ));
            return;
        };
        let mut sink = account(storage);
        let given = [
            ("deployment_id", self.diagnostics.deployment_id.clone()),
            ("role", self.diagnostics.role.clone()),
            ("transfer_period", format!("{minutes}m")),
        ];
        sink.extend(given.map(|(key, value)| (key.to_owned(), value.into())));
        let volume = match what.volume {
            None | Some(EventVolume::Small) => None,
            Some(EventVolume::Medium) => Some("medium"),
            Some(EventVolume::Large) => Some("large"),
        };
        sink.extend(volume.map(|volume| ("event_volume".to_owned(), volume.into())));
        sink.insert("tables".to_owned(), vec![Value::from(what.table)].into());
        self.machines(&mut sink);
        add(&mut sink);
        self.sinks.insert(what.sink, sink.into());
    }

    /// Says what of a configuration no setting stands for.
    fn what_is_not_done(&mut self, public: &PublicConfig) {
        if matches!(public.storage_type, Some(of) if of != StorageType::Table) {
            self.undone("StorageType: rows go to tables alone");
        }
        if public.wad_cfg_blob.is_some() {
            self.undone("WadCfgBlob: a configuration in a blob is not fetched");
        }
        let Some(wad_cfg) = &public.wad_cfg else {
            return;
        };
        if wad_cfg.sinks_config.is_some() {
            self.undone("SinksConfig: [sink.syslog.NAME] and the lake are where else events go");
        }
        let monitor = &wad_cfg.monitor;
        let later = [
            ("Logs", monitor.logs.is_some()),
            ("Metrics", monitor.metrics.is_some()),
            ("DockerSources", monitor.docker_sources.is_some()),
        ];
        for (element, is_there) in later {
            if is_there {
                self.undone
                    .push(format!("{element}: not collected by this version"));
            }
        }
    }

    fn compiled(self) -> Compiled {
        let mut settings = Table::new();
        if !self.subscriptions.is_empty() {
            settings.insert("subscription".to_owned(), self.subscriptions.into());
        }
        if !self.folders.is_empty() {
            let sources = Table::from_iter([("directory".to_owned(), self.folders.into())]);
            settings.insert("source".to_owned(), sources.into());
        }
        let kinds = [("azure_table", self.sinks), ("azure_blob", self.blob_sinks)];
        let kinds = kinds.into_iter().filter(|(_, sinks)| !sinks.is_empty());
        let sinks: Table = (kinds.map(|(kind, sinks)| (kind.to_owned(), sinks.into()))).collect();
        if !sinks.is_empty() {
            settings.insert("sink".to_owned(), sinks.into());
        }
        Compiled {
            // Tables of texts and lists of texts, which TOML can always write.
            settings: toml::to_string_pretty(&settings).unwrap_or_default(),
            undone: self.undone,
        }
    }
}

/// What is transferred to a table.
struct Transfer<'a> {
    sink: String,
    table: &'a str,
    /// Of the configuration.
    element: &'a str,
    period: Option<TransferPeriod>,
    volume: Option<EventVolume>,
}

/// What tells a container from others in a name that is too short for it, wherever it stands in the configuration.
fn mark(container: &str) -> String {
    let digest = Sha256::digest(container.as_bytes());
    let mut mark = hex(&digest[..3]);
    mark.truncate(5);
    mark
}

/// A folder with files of machines.
struct Folder<'a> {
    /// In the names of settings.
    what: &'a str,
    /// Below the folder in which files arrive.
    below: String,
    content: &'a str,
    container: &'a str,
}

/// Files that go to containers together.
struct Files<'a> {
    sink: String,
    /// Of the configuration.
    element: &'a str,
    /// How often, where it is said.
    minutes: Option<u64>,
}

/// The tables of a provider's events; whether each is the usual one, since none is named.
fn trace_tables(provider: &EtwProvider) -> Vec<(Table, bool)> {
    let destination = |named: Option<&EventDestination>| match named {
        Some(named) => (format!("WAD{}", named.as_str()), false),
        None => ("WADETWEventTable".to_owned(), true),
    };
    let events = provider.event.iter().map(|event| {
        let id = i64::from(event.id);
        (Some(id), destination(event.event_destination.as_ref()))
    });
    // Without a word on the others, all are meant where none is named, and only the named ones else.
    let others = match &provider.default_events {
        Some(others) => Some(destination(others.event_destination.as_ref())),
        None if provider.event.is_empty() => Some(destination(None)),
        None => None,
    };
    let tables = events.chain(others.map(|others| (None, others)));
    let tables = tables.map(|(id, (name, is_usual))| {
        let mut table = Table::new();
        table.insert("provider".to_owned(), provider.provider.trim().into());
        table.extend(id.map(|id| ("event_id".to_owned(), id.into())));
        table.insert("table".to_owned(), name.into());
        let level = provider.scheduled_transfer_log_level_filter;
        table.extend(level.map(|level| ("level".to_owned(), word(level).into())));
        let keywords = provider.scheduled_transfer_keyword_filter;
        let keywords = keywords.filter(|keywords| keywords.0 != 0);
        table.extend(keywords.map(|it| ("keywords".to_owned(), format!("{:#x}", it.0).into())));
        (table, is_usual)
    });
    tables.collect()
}

/// A folder in which files of machines arrive, in a folder a machine.
fn arriving(path: PathBuf, content: &str) -> Table {
    let keys = [
        ("path", path.display().to_string()),
        ("content", content.to_owned()),
        ("machine_from", "folder".to_owned()),
    ];
    Table::from_iter(keys.map(|(key, value)| (key.to_owned(), value.into())))
}

fn blob_account(storage: &DiagnosticsStorage) -> Table {
    let mut table = account(storage);
    if let Some(tables) = table.remove("endpoint") {
        table.insert("table_endpoint".to_owned(), tables);
    }
    if let Some(endpoint) = &storage.blob_endpoint {
        table.insert("endpoint".to_owned(), endpoint.clone().into());
    }
    table
}

fn account(storage: &DiagnosticsStorage) -> Table {
    let (key, file) = match &storage.credential {
        AccountCredential::KeyFile(file) => ("key_file", file),
        AccountCredential::SasFile(file) => ("sas_file", file),
    };
    let path = |file: &std::path::Path| Value::String(file.display().to_string());
    let mut table = Table::new();
    table.insert("account".to_owned(), storage.account.clone().into());
    if let Some(endpoint) = &storage.endpoint {
        table.insert("endpoint".to_owned(), endpoint.clone().into());
    }
    if let Some(file) = &storage.ca_file {
        table.insert("ca_file".to_owned(), path(file));
    }
    table.insert(key.to_owned(), path(file));
    table
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Undefined => "undefined",
        LogLevel::Verbose => "verbose",
        LogLevel::Information => "information",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    }
}
