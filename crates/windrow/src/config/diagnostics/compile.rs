//! What a configuration of Azure Diagnostics means, as settings of windrow.

use toml::{Table, Value};
use windrow_formats::wad::{
    Configuration, DiagnosticMonitorConfiguration, EventVolume, LogLevel, PublicConfig,
    StorageType, TransferPeriod,
};

use crate::config::checked::{self, AccountCredential, DiagnosticsStorage};

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
        Ok(())
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
            ("Directories", monitor.directories.is_some()),
            (
                "PerformanceCounters",
                monitor.performance_counters.is_some(),
            ),
            ("EtwProviders", monitor.etw_providers.is_some()),
            ("CrashDumps", monitor.crash_dumps.is_some()),
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
        if !self.sinks.is_empty() {
            let sinks = Table::from_iter([("azure_table".to_owned(), self.sinks.into())]);
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
