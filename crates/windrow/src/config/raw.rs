//! `windrow.toml` as written: the shape alone. Whether it makes sense is the question of [`super::check`].
//!
//! Kind first (`[sink.syslog.siem]`), no untagged enums, no flattening: only so does a wrong word get an error that
//! points at it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::checked::{
    CefVersion, ChannelErrors, Confirmation, ContentFormat, Delivery, EventVolume, ExpiredCrl,
    FileContent, Framing, KerberosAccounts, LeastLevel, LogFormat, MachineFrom, ManagedIdentity,
    NewChannels, PartitionBy, Prefix, Product, Profile, Transport, WadTable, WhenFull,
};
use super::filter::{EventIdRange, OutputSeverity};
use super::units::{Age, ByteSize, Span};
use crate::access::Role;

/// Tables by their names, each with its place in the file.
pub(super) type Named<T> = BTreeMap<Spanned<String>, Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) source: Sources,
    pub(super) subscription: Named<Subscription>,
    pub(super) machine_group: Named<MachineGroup>,
    pub(super) fleet: Fleet,
    pub(super) sink: Sinks,
    pub(super) journal: Journal,
    pub(super) spool: Spool,
    pub(super) lake: Lake,
    pub(super) tls: Tls,
    pub(super) web: Web,
    pub(super) admin: Admin,
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as [source.wef.main]"
)]
pub(super) struct Sources {
    pub(super) wef: Named<WefSource>,
    pub(super) directory: Named<DirectorySource>,
    pub(super) wad_storage: Named<WadStorageSource>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [source.wad_storage.old]"
)]
pub(super) struct WadStorageSource {
    pub(super) enabled: Option<bool>,
    pub(super) account: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) sas_file: Option<Spanned<PathBuf>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) tables: Option<List<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) late: Option<Spanned<Span>>,
    pub(super) interval: Option<Spanned<Span>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [source.directory.iis]"
)]
pub(super) struct DirectorySource {
    pub(super) enabled: Option<bool>,
    pub(super) path: Spanned<PathBuf>,
    pub(super) content: FileContent,
    pub(super) files: Option<List<String>>,
    pub(super) subfolders: Option<bool>,
    pub(super) settled: Option<Spanned<Span>>,
    pub(super) machine: Option<Spanned<String>>,
    pub(super) machine_from: Option<Spanned<MachineFrom>>,
    pub(super) interval: Option<Spanned<Span>>,
    pub(super) manifests: Option<Spanned<Vec<PathBuf>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [spool]")]
pub(super) struct Spool {
    pub(super) quota: Option<Spanned<ByteSize>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as [sink.syslog.siem]"
)]
pub(super) struct Sinks {
    pub(super) syslog: Named<SyslogSink>,
    pub(super) azure_table: Named<AzureTableSink>,
    pub(super) azure_blob: Named<AzureBlobSink>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [sink.azure_blob.wad]"
)]
pub(super) struct AzureBlobSink {
    pub(super) enabled: Option<bool>,
    pub(super) account: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) table_endpoint: Option<Spanned<String>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) sas_file: Option<Spanned<PathBuf>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) deployment_id: Option<Spanned<String>>,
    pub(super) role: Option<Spanned<String>>,
    pub(super) transfer_period: Option<Spanned<Span>>,
    pub(super) directories_table: Option<bool>,
    pub(super) machines: Option<List<String>>,
    pub(super) machine_groups: Option<List<String>>,
    pub(super) keep: Option<Age>,
    pub(super) containers: Spanned<BTreeMap<Spanned<String>, Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [sink.azure_table.wad]"
)]
pub(super) struct AzureTableSink {
    pub(super) enabled: Option<bool>,
    pub(super) account: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) sas_file: Option<Spanned<PathBuf>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) deployment_id: Option<Spanned<String>>,
    pub(super) role: Option<Spanned<String>>,
    pub(super) event_volume: Option<EventVolume>,
    pub(super) partition_by: Option<PartitionBy>,
    pub(super) transfer_period: Option<Spanned<Span>>,
    pub(super) tables: Option<Spanned<BTreeSet<WadTable>>>,
    pub(super) infrastructure_level: Option<LeastLevel>,
    pub(super) directories: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) counters: Option<Vec<Spanned<String>>>,
    pub(super) traces: Option<Vec<TraceTable>>,
    pub(super) keep: Option<Age>,
    pub(super) subscription: Option<Spanned<String>>,
    pub(super) machines: Option<List<String>>,
    pub(super) machine_groups: Option<List<String>>,
    pub(super) output_severity: Option<OutputSeverity>,
    #[serde(default)]
    pub(super) filter: SinkFilter,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { provider = \"Orders\", table = \"WADOrders\" }"
)]
pub(super) struct TraceTable {
    pub(super) provider: Spanned<String>,
    pub(super) event_id: Option<u32>,
    pub(super) table: Spanned<String>,
    pub(super) level: Option<LeastLevel>,
    pub(super) keywords: Option<Spanned<String>>,
}

/// `conf.d/diagnostics.NAME.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Diagnostics {
    pub(super) revision: u64,
    pub(super) set_at: Timestamp,
    pub(super) set_by: String,
    pub(super) account: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) blob_endpoint: Option<String>,
    pub(super) files: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) sas_file: Option<PathBuf>,
    pub(super) deployment_id: Option<String>,
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) machines: Vec<String>,
    #[serde(default)]
    pub(super) machine_groups: Vec<String>,
    pub(super) configuration: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [source.wef.main]"
)]
pub(super) struct WefSource {
    pub(super) listen: Option<SocketAddr>,
    pub(super) hostname: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) max_connections: Option<Spanned<u32>>,
    pub(super) tls: Option<WefTls>,
    pub(super) kerberos: Option<Spanned<WefKerberos>>,
    pub(super) subscriptions: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as [source.wef.main.tls]"
)]
pub(super) struct WefTls {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: PathBuf,
    pub(super) crl: Option<Spanned<Vec<PathBuf>>>,
    pub(super) expired_crl: Option<ExpiredCrl>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as [source.wef.domain.kerberos]"
)]
pub(super) struct WefKerberos {
    pub(super) keytab: PathBuf,
    pub(super) principals: Option<List<String>>,
    pub(super) accounts: Option<KerberosAccounts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table with a name, such as [subscription.base]"
)]
pub(super) struct Subscription {
    pub(super) enabled: Option<bool>,
    pub(super) description: Option<Spanned<String>>,
    pub(super) query: Option<Spanned<String>>,
    pub(super) query_file: Option<Spanned<PathBuf>>,
    pub(super) channels: Option<Spanned<Vec<String>>>,
    pub(super) baseline: Option<Spanned<String>>,
    pub(super) machines: Option<List<String>>,
    pub(super) machine_groups: Option<List<String>>,
    pub(super) except_machines: Option<List<String>>,
    pub(super) except_groups: Option<List<String>>,
    pub(super) content_format: Option<ContentFormat>,
    pub(super) read_existing: Option<bool>,
    pub(super) new_channels: Option<NewChannels>,
    pub(super) channel_errors: Option<ChannelErrors>,
    pub(super) delivery: Option<Delivery>,
    pub(super) heartbeat: Option<Spanned<Span>>,
    pub(super) max_latency: Option<Spanned<Span>>,
    pub(super) max_batch_events: Option<Spanned<u32>>,
    pub(super) max_envelope: Option<Spanned<ByteSize>>,
    pub(super) retry_interval: Option<Spanned<Span>>,
    pub(super) retry_count: Option<Spanned<u32>>,
    pub(super) locale: Option<Spanned<String>>,
    pub(super) data_locale: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [machine_group.servers]"
)]
pub(super) struct MachineGroup {
    pub(super) members: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [fleet]")]
pub(super) struct Fleet {
    pub(super) machines: Option<List<String>>,
    pub(super) machines_file: Option<Spanned<PathBuf>>,
    pub(super) refresh: Option<Spanned<Span>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a name, such as [sink.syslog.siem]"
)]
pub(super) struct SyslogSink {
    pub(super) enabled: Option<bool>,
    pub(super) server_name: Spanned<String>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) transport: Option<Spanned<Transport>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) client_certificate: Option<Spanned<PathBuf>>,
    pub(super) client_key: Option<Spanned<PathBuf>>,
    pub(super) skip_name_check: Option<Spanned<bool>>,
    pub(super) skip_certificate_check: Option<Spanned<bool>>,
    pub(super) fingerprint: Option<Spanned<String>>,
    pub(super) framing: Option<Spanned<Framing>>,
    pub(super) prefix: Option<Prefix>,
    pub(super) profile: Option<Profile>,
    pub(super) product: Option<Spanned<Product>>,
    pub(super) cef_version: Option<Spanned<CefVersion>>,
    pub(super) max_message_bytes: Option<Spanned<u32>>,
    pub(super) confirmation: Option<Spanned<Confirmation>>,
    pub(super) output_severity: Option<OutputSeverity>,
    #[serde(default)]
    pub(super) filter: SinkFilter,
}

/// A list whose items have their places.
pub(super) type List<T> = Spanned<Vec<Spanned<T>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as [sink.syslog.siem.filter]"
)]
pub(super) struct SinkFilter {
    pub(super) channels: Option<List<String>>,
    pub(super) exclude_channels: Option<List<String>>,
    pub(super) event_ids: Option<List<EventIdRange>>,
    pub(super) exclude_event_ids: Option<List<EventIdRange>>,
    pub(super) providers: Option<List<String>>,
    pub(super) exclude_providers: Option<List<String>>,
    pub(super) computers: Option<List<String>>,
    pub(super) exclude_computers: Option<List<String>>,
    pub(super) query: Option<Spanned<String>>,
    pub(super) query_file: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [journal]")]
pub(super) struct Journal {
    pub(super) quota: Option<Spanned<ByteSize>>,
    pub(super) segment_size: Option<Spanned<ByteSize>>,
    pub(super) when_full: Option<WhenFull>,
    pub(super) seal_interval: Option<Spanned<Span>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [lake]")]
pub(super) struct Lake {
    pub(super) enabled: Option<bool>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) sas_file: Option<Spanned<PathBuf>>,
    pub(super) credential: Option<Spanned<ManagedIdentity>>,
    pub(super) flush_interval: Option<Spanned<Span>>,
    pub(super) flush_rows: Option<Spanned<u32>>,
    pub(super) upkeep_after: Option<Spanned<Span>>,
    pub(super) expire: Option<bool>,
    pub(super) retention: Retention,
    pub(super) hold: Named<Hold>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [lake.retention]")]
pub(super) struct Retention {
    pub(super) events: Age,
    pub(super) event_text: Age,
    pub(super) event_counts: Age,
    pub(super) iis: Age,
    pub(super) failed_requests: Age,
    pub(super) counters: Age,
    pub(super) sign_ins: Age,
    pub(super) operations: Age,
    pub(super) channels: BTreeMap<Spanned<String>, Age>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table with a name, such as [lake.hold.case-7]"
)]
pub(super) struct Hold {
    pub(super) tables: Vec<Spanned<String>>,
    pub(super) channels: Vec<Spanned<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [tls]")]
pub(super) struct Tls {
    pub(super) deployment_root: Option<PathBuf>,
}

/// `conf.d/syslog-client.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyslogClient {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) set_at: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [web]")]
pub(super) struct Web {
    pub(super) listen: Option<Spanned<SocketAddr>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [admin]")]
pub(super) struct Admin {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) client_ca: Option<Spanned<PathBuf>>,
    pub(super) certificates: Option<Spanned<BTreeMap<String, Role>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [log]")]
pub(super) struct Log {
    pub(super) level: Option<Spanned<String>>,
    pub(super) format: Option<LogFormat>,
}
