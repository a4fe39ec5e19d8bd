//! Tables of Azure Diagnostics, and configurations of it in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::filter::{OutputSeverity, SinkFilter};
use crate::config::units::{Age, Span};

/// A configuration of Azure Diagnostics that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// How often one of this name was set.
    pub revision: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// Who has set it.
    pub set_by: String,
    /// Where it writes to, and what opens that.
    pub storage: Option<DiagnosticsStorage>,
    /// The folder in which files of the machines arrive, where there is one.
    pub files: Option<PathBuf>,
    /// Which machines it is for, with `*` and `?`; all when this and `machine_groups` are empty.
    pub machines: Vec<String>,
    /// Names of `[machine_group.NAME]` tables that it is for.
    pub machine_groups: Vec<String>,
    /// What stands for the deployment in the tables.
    pub deployment_id: String,
    /// What stands for the role of its machines in the tables.
    pub role: String,
    /// The configuration in XML, without keys.
    pub configuration: String,
    /// The settings that it means, as windrow.toml would have them.
    pub settings: String,
    /// What of it is not done, and why; a sentence each.
    pub undone: Vec<String>,
}

/// The storage account of a configuration of Azure Diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosticsStorage {
    /// Its name.
    pub account: String,
    /// Where its tables are, where that is not at Azure's usual address.
    pub endpoint: Option<String>,
    /// Where its blobs are, where that is not at Azure's usual address.
    pub blob_endpoint: Option<String>,
    /// The authority of the service's certificate; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// What opens it.
    pub credential: AccountCredential,
}

/// `[source.wad_storage.NAME]`: tables of Azure Diagnostics, whose rows are taken as events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WadStorageSource {
    /// One that is switched off takes nothing and goes on later where it was.
    pub enabled: bool,
    /// The storage account.
    pub account: String,
    /// Where its tables are; `https://ACCOUNT.table.core.windows.net` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What opens it.
    #[serde(flatten)]
    pub credential: AccountCredential,
    /// The authority of the service's certificate; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The tables.
    pub tables: Vec<String>,
    /// The first minute; all that there is when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// How long after its minute a row may come.
    pub late: Span,
    /// How often it is looked what is new.
    pub interval: Span,
}

/// `[sink.azure_table.NAME]`: rows in the tables that Azure Diagnostics wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AzureTableSink {
    /// One that is switched off writes nothing and keeps its place in the journal.
    pub enabled: bool,
    /// The storage account.
    pub account: String,
    /// Where its tables are; `https://ACCOUNT.table.core.windows.net` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What opens it.
    #[serde(flatten)]
    pub credential: AccountCredential,
    /// The authority of the service's certificate; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What stands for this collector in the tables; the journal's id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// What stands for the role of the machines.
    pub role: String,
    /// Over how many partitions the rows of a minute are spread.
    pub event_volume: EventVolume,
    /// Which minute a row is put under.
    pub partition_by: PartitionBy,
    /// How often events are transferred; as they come where it is zero.
    pub transfer_period: Span,
    /// The tables that are written.
    pub tables: BTreeSet<WadTable>,
    /// How grave windrow's own events have to be, graver ones included.
    pub infrastructure_level: LeastLevel,
    /// The `[source.directory.NAME]` whose performance counters and traces it gets; those of all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
    /// Paths of the performance counters that it gets, in which `*` stands for anything; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<String>,
    /// The tables of providers of traces; all their events go to `WADETWEventTable` when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<TraceTable>,
    /// How long what is there is kept; for ever when absent. Whoever wrote it.
    #[serde(skip_serializing_if = "Age::is_for_ever")]
    pub keep: Age,
    /// Of what machines forward it gets what came by this subscription alone; whatever came when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Whose events of Windows it gets, with `*` and `?`; everybody's when this and `machine_groups` are empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// Names of `[machine_group.NAME]` tables whose events it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine_groups: Vec<String>,
    /// How grave events have to be.
    pub output_severity: OutputSeverity,
    /// Which events it gets.
    #[serde(skip_serializing_if = "SinkFilter::is_empty")]
    pub filter: SinkFilter,
}

/// The table of a provider's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceTable {
    /// Its name, or its GUID.
    pub provider: String,
    /// The event that it is for; all others of the provider when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<u32>,
    /// The table.
    pub table: String,
    /// How grave events have to be, graver ones included.
    pub level: LeastLevel,
    /// Of these keywords events have to have one, as `0x10`; any will do when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<String>,
}

/// Keywords as they are written: in hexadecimal behind `0x`, else in decimal.
pub(crate) fn keyword_mask(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `[sink.azure_blob.NAME]`: files of watched folders in the containers that Azure Diagnostics filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AzureBlobSink {
    /// One that is switched off puts nothing there and keeps its place in the journal.
    pub enabled: bool,
    /// The storage account.
    pub account: String,
    /// Where its blobs are; `https://ACCOUNT.blob.core.windows.net` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where its tables are; `https://ACCOUNT.table.core.windows.net` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_endpoint: Option<String>,
    /// What opens it.
    #[serde(flatten)]
    pub credential: AccountCredential,
    /// The authority of the service's certificate; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What stands for this collector in names and rows; the journal's id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// What stands for the role of the machines.
    pub role: String,
    /// How often files are transferred.
    pub transfer_period: Span,
    /// Whether each file has a row in `WADDirectoriesTable`.
    pub directories_table: bool,
    /// Whose files it gets, with `*` and `?`; everybody's when this and `machine_groups` are empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// Names of `[machine_group.NAME]` tables whose files it gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine_groups: Vec<String>,
    /// How long what is there is kept; for ever when absent. Whoever wrote it.
    #[serde(skip_serializing_if = "Age::is_for_ever")]
    pub keep: Age,
    /// The container for each `[source.directory.NAME]` that it serves.
    pub containers: BTreeMap<String, String>,
}

/// What opens a storage account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountCredential {
    /// A file with a key of the account, readable by its owner only.
    KeyFile(PathBuf),
    /// A file with a shared access signature, readable by its owner only.
    SasFile(PathBuf),
}

/// Over how many partitions the rows of a minute are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventVolume {
    /// One.
    #[default]
    Small,
    /// Ten.
    Medium,
    /// A hundred.
    Large,
}

/// A table of Azure Diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WadTable {
    /// Windows events.
    #[serde(rename = "WADWindowsEventLogsTable")]
    WindowsEventLogs,
    /// Windrow's own events.
    #[serde(rename = "WADDiagnosticInfrastructureLogsTable")]
    InfrastructureLogs,
    /// Values of performance counters.
    #[serde(rename = "WADPerformanceCountersTable")]
    PerformanceCounters,
    /// Events of traces; `traces` may name others in its place.
    #[serde(rename = "WADETWEventTable")]
    EventTraces,
}

impl WadTable {
    /// All of them.
    pub const ALL: [WadTable; 4] = [
        WadTable::WindowsEventLogs,
        WadTable::InfrastructureLogs,
        WadTable::PerformanceCounters,
        WadTable::EventTraces,
    ];

    /// Its name in the account.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WadTable::WindowsEventLogs => "WADWindowsEventLogsTable",
            WadTable::InfrastructureLogs => "WADDiagnosticInfrastructureLogsTable",
            WadTable::PerformanceCounters => "WADPerformanceCountersTable",
            WadTable::EventTraces => "WADETWEventTable",
        }
    }
}

/// How grave events have to be at least: each takes all graver ones with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeastLevel {
    /// Not at all: everything.
    #[default]
    Undefined,
    /// Everything that has a level.
    Verbose,
    /// Information.
    Information,
    /// Warnings.
    Warning,
    /// Errors.
    Error,
    /// Critical events.
    Critical,
}

/// Which minute a row is put under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionBy {
    /// That in which the event came in.
    #[default]
    Arrival,
    /// That in which it happened.
    Event,
}
