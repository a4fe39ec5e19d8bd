//! The configuration after every check: what the rest of the program works with. Every path is absolute or relative to
//! the working directory, every default filled in, every name safe for a file name and a metric label.
//!
//! It serialises to the form of `windrow.toml`, so that `windrow config show` prints what holds, defaults included.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

mod azure;
mod directory;

pub use super::filter::{EventIdRange, OutputSeverity, SinkFilter};
use super::units::{Age, ByteSize, Span};
use crate::access::Role;
pub(crate) use azure::keyword_mask;
pub use azure::{
    AccountCredential, AzureBlobSink, AzureTableSink, Diagnostics, DiagnosticsStorage, EventVolume,
    LeastLevel, PartitionBy, TraceTable, WadStorageSource, WadTable,
};
pub use directory::{DirectorySource, FileContent, MachineFrom, Spool};

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The file it was read from; none when there is none and the defaults hold.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// How often the settings made by command had changed when they were read; 0 when there are none.
    #[serde(skip)]
    pub settings_generation: u64,
    /// The one folder under which windrow keeps everything.
    pub data_dir: PathBuf,
    /// Where events come from.
    pub source: Sources,
    /// What machines are asked to send, by name.
    pub subscription: BTreeMap<String, Subscription>,
    /// Machines that subscriptions name together, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub machine_group: BTreeMap<String, MachineGroup>,
    /// The machines that events are expected of.
    #[serde(skip_serializing_if = "Fleet::is_empty")]
    pub fleet: Fleet,
    /// Configurations of Azure Diagnostics in force, by name; what they mean is among the other settings.
    #[serde(skip)]
    pub diagnostics: BTreeMap<String, Diagnostics>,
    /// Where each subscription and each group is set.
    #[serde(skip)]
    pub homes: Homes,
    /// Where events go.
    pub sink: Sinks,
    /// The journal between the two.
    pub journal: Journal,
    /// Files that wait for sinks.
    pub spool: Spool,
    /// The Delta lake that SQL answers from.
    pub lake: Lake,
    /// What the deployment trusts.
    pub tls: Tls,
    /// The certificate that TLS destinations are shown which name none of their own; set by command.
    #[serde(skip)]
    pub syslog_client: Option<SyslogClient>,
    /// Health and metrics.
    pub web: Web,
    /// The privileged endpoint.
    pub admin: Admin,
    /// The program's own log.
    pub log: Log,
}

/// The certificate that this side shows to syslog receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogClient {
    /// Its files.
    pub identity: ClientIdentity,
    /// When it was set.
    pub set_at: Timestamp,
}

/// `[tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The root that certificates of this deployment lead to: one that is set by command has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_root: Option<PathBuf>,
}

/// Where settings stand that there are several of, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Homes {
    /// Of groups of machines.
    pub machine_group: BTreeMap<String, Home>,
    /// Of subscriptions.
    pub subscription: BTreeMap<String, Home>,
    /// Of table sinks.
    pub azure_table: BTreeMap<String, Home>,
    /// Of sinks that put files into containers.
    pub azure_blob: BTreeMap<String, Home>,
    /// Of watched folders.
    pub directory: BTreeMap<String, Home>,
}

impl Config {
    /// The subscriptions that a source offers, by name, those that are switched off too.
    pub fn offered_at<'a>(
        &'a self,
        source: &'a WefSource,
    ) -> impl Iterator<Item = (&'a String, &'a Subscription)> {
        let all = self.subscription.iter();
        all.filter(|(name, _)| source.offers(name))
    }

    /// A syslog sink as it sends: with the certificate set by command where it names none of its own.
    #[must_use]
    pub fn syslog_sink(&self, name: &str) -> Option<SyslogSink> {
        let mut sink = self.sink.syslog.get(name)?.clone();
        if let Some(client) = &self.syslog_client
            && sink.transport == Transport::Tls
            && sink.client.is_none()
        {
            sink.client = Some(client.identity.clone());
        }
        Some(sink)
    }

    /// All of them, by name.
    #[must_use]
    pub fn syslog_sinks(&self) -> BTreeMap<String, SyslogSink> {
        let names = self.sink.syslog.keys();
        names
            .filter_map(|name| Some((name.clone(), self.syslog_sink(name)?)))
            .collect()
    }
}

/// Sources by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// `[source.wef.NAME]`
    pub wef: BTreeMap<String, WefSource>,
    /// `[source.directory.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub directory: BTreeMap<String, DirectorySource>,
    /// `[source.wad_storage.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub wad_storage: BTreeMap<String, WadStorageSource>,
}

impl Sources {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.wef.len() + self.directory.len() + self.wad_storage.len()
    }
}

/// Sinks by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sinks {
    /// `[sink.syslog.NAME]`
    pub syslog: BTreeMap<String, SyslogSink>,
    /// Where each of them is set.
    #[serde(skip)]
    pub homes: BTreeMap<String, Home>,
    /// `[sink.azure_table.NAME]`
    pub azure_table: BTreeMap<String, AzureTableSink>,
    /// `[sink.azure_blob.NAME]`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub azure_blob: BTreeMap<String, AzureBlobSink>,
}

/// The one place where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// A table of windrow.toml, which is the administrator's to change.
    File {
        /// The file.
        path: PathBuf,
        /// The table's line, from 1.
        line: usize,
    },
    /// A file of `conf.d`, written by command.
    Object {
        /// The file.
        path: PathBuf,
    },
    /// A configuration of Azure Diagnostics, set by command.
    Diagnostics {
        /// The file that holds it.
        path: PathBuf,
        /// Its name.
        name: String,
    },
}

/// `[source.wef.NAME]`: a listener for Windows Event Forwarding (MS-WSMV), over mutual TLS or with Kerberos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WefSource {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// The name machines reach the collector by, which its certificate carries.
    pub hostname: String,
    /// The path of the subscription manager, as in the group policy's `Server=` setting.
    pub path: String,
    /// Connections at once, of all machines together.
    pub max_connections: u32,
    /// How machines prove who they are.
    #[serde(flatten)]
    pub authentication: WefAuthentication,
    /// Names of the subscriptions offered here; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<String>>,
}

impl WefSource {
    /// Whether it offers the subscription of this name.
    #[must_use]
    pub fn offers(&self, name: &str) -> bool {
        let these = self.subscriptions.as_ref();
        these.is_none_or(|these| these.iter().any(|offered| offered == name))
    }
}

/// How machines prove who they are; the name is that of its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WefAuthentication {
    /// By certificates, over HTTPS.
    Tls(WefTls),
    /// By tickets of their domain, over HTTP with sealed bodies.
    Kerberos(WefKerberos),
}

impl WefAuthentication {
    /// The scheme of the address that machines are given.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            WefAuthentication::Tls(_) => "https",
            WefAuthentication::Kerberos(_) => "http",
        }
    }
}

/// `[source.wef.NAME.kerberos]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WefKerberos {
    /// The keys of the collector's account, readable by its owner only.
    pub keytab: PathBuf,
    /// Who the collector is, as `HTTP/collector.example.com@EXAMPLE.COM`; each HTTP and HOST name in the keytab when
    /// there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Whose tickets are taken.
    pub accounts: KerberosAccounts,
}

/// Whose tickets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KerberosAccounts {
    /// Those of machines.
    Machines,
    /// Everybody's: any user of the domain may then send events.
    All,
}

/// `[source.wef.NAME.tls]`, files in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WefTls {
    /// The collector's certificate and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key, readable by its owner only.
    pub key: PathBuf,
    /// The authority that issues the machines' certificates.
    pub client_ca: PathBuf,
    /// Its lists of revoked certificates (RFC 5280 5), in PEM or DER.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crl: Vec<PathBuf>,
    /// What a list says whose successor is overdue.
    pub expired_crl: ExpiredCrl,
}

/// What is done with a list of revoked certificates whose authority promised another one by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredCrl {
    /// It counts, and `check` and the log warn of it.
    Use,
    /// No machine of its authority is taken until there is another.
    Refuse,
}

/// `[subscription.NAME]`: what machines are asked to send, and how (MS-WSMV 2.2.4.41).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// Whether it is offered at all.
    pub enabled: bool,
    /// What it is for, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The QueryList, well-formed XML.
    pub query: String,
    /// Which machines it is for, with `*` and `?`; all when this and `machine_groups` are empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// Names of `[machine_group.NAME]` tables that it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine_groups: Vec<String>,
    /// Which machines it is not for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_machines: Vec<String>,
    /// Names of `[machine_group.NAME]` tables that it is not for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_groups: Vec<String>,
    /// Whether the machine renders the message text.
    pub content_format: ContentFormat,
    /// Whether what is in the logs already is sent too.
    pub read_existing: bool,
    /// From when on a channel is sent that the query gained later.
    pub new_channels: NewChannels,
    /// What a machine does about channels that it lacks or may not read.
    pub channel_errors: ChannelErrors,
    /// What `heartbeat` and `max_latency` were taken from, where they are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// How often a machine without events says that it lives.
    pub heartbeat: Span,
    /// How long a machine may wait to fill a batch.
    pub max_latency: Span,
    /// How many events a batch holds at most; the machine decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_events: Option<u32>,
    /// How large a message may be.
    pub max_envelope: ByteSize,
    /// How long a machine waits before it tries again.
    pub retry_interval: Span,
    /// How often it tries before it waits for its next refresh.
    pub retry_count: u32,
    /// The language of rendered text, such as `en-US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The language that numbers and dates in rendered text follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_locale: Option<String>,
}

/// `[machine_group.NAME]`: machines that subscriptions name together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineGroup {
    /// Their names, with `*` and `?`.
    pub members: Vec<String>,
}

/// `[fleet]`: the machines that events are expected of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// Their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// A file with more of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines_file: Option<PathBuf>,
    /// Those in the file.
    #[serde(skip)]
    pub in_file: Vec<String>,
    /// How often machines ask for their subscriptions, as their group policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Span>,
}

impl Fleet {
    /// Whether nothing is said of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Fleet::default()
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.machines.iter().chain(&self.in_file)
    }
}

/// From when on a machine sends a channel that the query gained after the machine began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewChannels {
    /// What happens from then on.
    FromNow,
    /// Everything that is in the channel, as Windows does of itself.
    Replay,
}

/// What a machine does about channels that it lacks or may not read (option IgnoreChannelError).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelErrors {
    /// It sends what the others hold.
    Ignore,
    /// It does not take the subscription.
    Refuse,
}

/// Heartbeat and latency under the names of Windows' own collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// A quarter of an hour each.
    Normal,
    /// Six hours each.
    MinimizeBandwidth,
    /// Half a minute, and a sign of life every hour.
    MinimizeLatency,
}

/// What a machine sends of an event (MS-WSMV 2.2.4.41, option ContentFormat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentFormat {
    /// The event alone.
    Raw,
    /// With the message and the names of task, opcode and keywords in the machine's language: some five times larger.
    RenderedText,
}

/// `[sink.syslog.NAME]`: CEF messages to a syslog receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyslogSink {
    /// One that is switched off sends nothing and keeps its place in the journal.
    pub enabled: bool,
    /// A name or an address; over TLS the receiver's certificate must carry it.
    pub server_name: String,
    /// 6514 over TLS, 514 otherwise, when not set.
    pub port: u16,
    /// How messages travel.
    pub transport: Transport,
    /// The authority of the receiver's certificate; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What this side shows of itself (mutual TLS).
    #[serde(flatten)]
    pub client: Option<ClientIdentity>,
    /// Any server with a certificate of a trusted authority is taken for the receiver.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_name_check: bool,
    /// Whoever answers is taken for the receiver.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_certificate_check: bool,
    /// The receiver is the one whose certificate has this SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How messages are told apart in a stream; none for datagrams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framing: Option<Framing>,
    /// What stands before the CEF message.
    pub prefix: Prefix,
    /// Which fields of an event go where.
    pub profile: Profile,
    /// The device product that profile `azure-stack` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// The number after `CEF:`.
    pub cef_version: CefVersion,
    /// Longer messages have their values cut.
    pub max_message_bytes: u32,
    /// When an event counts as delivered.
    pub confirmation: Confirmation,
    /// How grave events have to be.
    pub output_severity: OutputSeverity,
    /// Which events it gets.
    #[serde(skip_serializing_if = "SinkFilter::is_empty")]
    pub filter: SinkFilter,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientIdentity {
    /// The certificate and those between it and its root.
    #[serde(rename = "client_certificate")]
    pub certificate: PathBuf,
    /// Its private key, readable by its owner only.
    #[serde(rename = "client_key")]
    pub key: PathBuf,
}

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// One datagram a message (RFC 5426): may be lost without a word.
    Udp,
    /// A stream anybody on the way can read and change (RFC 6587).
    Tcp,
    /// TLS 1.2 or 1.3 with server authentication (RFC 5425).
    Tls,
}

/// When an event counts as delivered, weakest first. What does not is sent again after a connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// The system took it for sending: all that is to be had over UDP.
    Sent,
    /// The receiver's system has it; its program may die before it reads it.
    TcpAcked,
    /// The receiver's program has read it: from time to time the connection is ended in good order and begun anew.
    /// `read-confirmed` is its name of before.
    #[serde(alias = "read-confirmed")]
    PeerRead,
}

impl Confirmation {
    /// As the configuration has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Confirmation::Sent => "sent",
            Confirmation::TcpAcked => "tcp-acked",
            Confirmation::PeerRead => "peer-read",
        }
    }
}

/// How messages are told apart in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// Each ends with a line feed (RFC 6587 3.4.2).
    Lf,
    /// Each begins with its length (RFC 6587 3.4.1, RFC 5425 4.3).
    OctetCounting,
}

/// What stands before the CEF message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefix {
    /// `<PRI>Mmm dd hh:mm:ss host ` (RFC 3164).
    Rfc3164,
    /// The same with an RFC 3339 time.
    Rfc3164Iso,
    /// `<PRI>1 time host app - id - ` (RFC 5424).
    Rfc5424,
    /// Nothing.
    None,
    /// `2018:05:17:-23:59:28 -07:00 host `, and `CEF:0.0`: as Azure Stack's document of 2018 prints it.
    LegacyAzureStack,
}

/// Which fields of an event go where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The 23 `Mas…` extensions of Azure Stack's Windows events.
    AzureStack,
    /// The keys of the CEF dictionary.
    Standard,
}

/// The device product that profile `azure-stack` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Product {
    /// As in 2018.
    #[serde(rename = "Microsoft Azure Stack")]
    Stack,
    /// Its later name.
    #[serde(rename = "Microsoft Azure Stack Hub")]
    StackHub,
    /// The product for a customer's own machines.
    #[serde(rename = "Microsoft Azure Local")]
    Local,
}

/// The number after `CEF:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CefVersion {
    /// What every receiver reads.
    #[serde(rename = "0")]
    V0,
    /// As Azure Stack's documentation prints it; many receivers refuse it.
    #[serde(rename = "0.0")]
    V0Dot0,
    /// CEF 1.x.
    #[serde(rename = "1")]
    V1,
}

/// `[journal]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Journal {
    /// How much disk it may take.
    pub quota: ByteSize,
    /// The size of one of its files.
    pub segment_size: ByteSize,
    /// What happens when the quota is used up and a sink still needs the oldest events.
    pub when_full: WhenFull,
    /// A file is sealed after this time although it is not full, and its signed root leaves through the sinks.
    pub seal_interval: Span,
}

/// What happens when the journal is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// Sources are not acknowledged: machines keep their events and send them later. Nothing is lost.
    Block,
    /// The oldest events go, and the loss is a record.
    DropOldest,
}

/// `[lake]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lake {
    /// Whether events are kept for SQL at all.
    pub enabled: bool,
    /// Where it is in Azure's storage; none where it is in the data folder.
    #[serde(flatten)]
    pub azure: Option<AzureLake>,
    /// A commit at the latest after this time …
    pub flush_interval: Span,
    /// … or this many events.
    pub flush_rows: u32,
    /// From the start to the first time that files of days that are over are merged.
    pub upkeep_after: Span,
    /// Whether this collector takes out what is kept no longer: of several that fill one lake, one does.
    pub expire: bool,
    /// How long rows are kept.
    pub retention: Retention,
    /// What is kept whatever its age.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hold: BTreeMap<String, Hold>,
}

/// A lake in Azure's storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AzureLake {
    /// The container, or a folder in it.
    pub url: String,
    /// What opens it.
    #[serde(flatten)]
    pub credential: LakeCredential,
}

/// What opens Azure's storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LakeCredential {
    /// A file with a key of the account, readable by its owner only.
    KeyFile(PathBuf),
    /// A file with a shared access signature, readable by its owner only.
    SasFile(PathBuf),
    /// No file.
    Credential(ManagedIdentity),
}

/// The identity of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagedIdentity {
    /// That of the virtual machine in Azure.
    ManagedIdentity,
}

/// `[lake.retention]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Rows of `events`.
    pub events: Age,
    /// The Event's text in them.
    pub event_text: Age,
    /// Rows of `event_counts`.
    pub event_counts: Age,
    /// Rows of `iis`.
    pub iis: Age,
    /// Rows of `failed_requests`.
    pub failed_requests: Age,
    /// Rows of `counters`.
    pub counters: Age,
    /// Rows of `sign_ins`.
    pub sign_ins: Age,
    /// Rows of `operations`.
    pub operations: Age,
    /// Events of a channel, in the place of what holds for `events`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Age>,
}

/// `[lake.hold.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Of these tables; of all where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Events of these channels; of all where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Of this date and later ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Of this date and earlier ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Web {
    /// Where `/healthz` and `/metrics` answer: a loopback address, since nobody is asked who they are.
    pub listen: SocketAddr,
}

/// `[admin]`: the privileged endpoint, over TLS in any case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admin {
    /// Whether it listens at all.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What it shows of itself; there is one when it is enabled.
    #[serde(flatten)]
    pub identity: Option<EndpointIdentity>,
    /// The authority of the certificates that accounts may show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// What whoever shows a certificate of this name may do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, Role>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointIdentity {
    /// The certificate and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key, readable by its owner only.
    pub key: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// A level, or levels by target: `info,windrow_pipeline=debug`.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// The form of the program's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}
