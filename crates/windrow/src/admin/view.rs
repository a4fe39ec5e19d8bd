//! What is shown of destinations: how they are set, what they do, and what is weak about them. Nothing secret: keys are
//! files, and only certificates are looked into.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windrow_pipeline::sinks::syslog::Security;

use super::client::Client;
use super::refusal::{Refusal, RefusalKind};
use super::server::ServerGet;
use crate::config::checked::{
    self, CefVersion, Confirmation, Framing, Home, OutputSeverity, Prefix, Product, Profile,
    SinkFilter, SyslogSink, Transport,
};
use crate::service::{sink_destination, sink_warnings};
use crate::status;

/// All destinations that were asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Servers {
    /// Whether the service runs: where it does not, nothing is known of what they do.
    pub running: bool,
    /// The generation of the settings made by command.
    pub generation: u64,
    /// The destinations, by name.
    pub servers: Vec<Server>,
}

/// A destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Whether it sends.
    pub enabled: bool,
    /// Whether it is set by command.
    pub by_command: bool,
    /// The file it stands in.
    pub file: PathBuf,
    /// The receiver.
    pub server_name: String,
    /// Its port.
    pub port: u16,
    /// How messages travel.
    pub transport: Transport,
    /// What is checked of the receiver, in words.
    pub checks: String,
    /// The authorities that the receiver's certificate may come from; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// The certificate this side shows.
    pub client_certificate: Option<PathBuf>,
    /// When an event counts as delivered.
    pub confirmation: Confirmation,
    /// How messages are told apart.
    pub framing: Option<Framing>,
    /// What stands before the message.
    pub prefix: Prefix,
    /// Which fields go where.
    pub profile: Profile,
    /// The device product that profile `azure-stack` names.
    pub product: Option<Product>,
    /// The number after `CEF:`.
    pub cef_version: CefVersion,
    /// Longer messages are cut.
    pub max_message_bytes: u32,
    /// How grave events have to be.
    pub output_severity: OutputSeverity,
    /// Which events it gets, as set.
    pub filter: SinkFilter,
    /// The same in words; all have to hold.
    pub gets: Vec<String>,
    /// What it does now; absent when the service does not run.
    pub now: Option<status::Sink>,
    /// What is weak about it, the order of advice first.
    pub warnings: Vec<String>,
}

/// The answer to a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerChanged {
    /// `set`, `remove`, `enable` or `disable`.
    pub verb: String,
    /// The destination.
    pub name: String,
    /// Whether anything is other than before.
    pub changed: bool,
    /// The generation of the settings now.
    pub generation: u64,
    /// Whether the running service has taken it up; else the next start will.
    pub running: bool,
    /// After a removal: how many events at most it did not get and will not. Those between its place and the journal's end:
    /// some may have arrived and not been confirmed, others it would not have got as it was set.
    pub unsent_events: Option<u64>,
    /// What deserves a look about the change itself.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The destination now; absent after a removal.
    pub server: Option<Server>,
}

/// The answer to a change of the certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientChanged {
    /// `set` or `remove`.
    pub verb: String,
    /// The generation of the settings now.
    pub generation: u64,
    /// Whether the running service has taken it up; else the next start will.
    pub running: bool,
    /// The certificate now.
    pub client: Client,
}

/// The destinations asked for.
///
/// # Errors
/// There is none of the name.
pub(super) fn servers(
    config: &checked::Config,
    get: &ServerGet,
    status: Option<&status::Status>,
) -> Result<Servers, Refusal> {
    let names: Vec<&String> = match &get.name {
        Some(name) => {
            find(config, name)?;
            vec![name]
        }
        None => config.sink.syslog.keys().collect(),
    };
    let servers = names
        .into_iter()
        .filter_map(|name| server(config, name, status))
        .collect();
    Ok(Servers {
        running: status.is_some(),
        generation: config.settings_generation,
        servers,
    })
}

/// A destination by its name.
///
/// # Errors
/// There is none; names those there are.
pub(super) fn find<'a>(config: &'a checked::Config, name: &str) -> Result<&'a SyslogSink, Refusal> {
    if let Some(sink) = config.sink.syslog.get(name) {
        return Ok(sink);
    }
    let names: Vec<&str> = config.sink.syslog.keys().map(String::as_str).collect();
    let refusal = Refusal::new(
        RefusalKind::NotFound,
        format!("there is no destination {name}"),
    );
    Err(if names.is_empty() {
        refusal.hint("none is set; `windrow syslog server set --server-name NAME` sets one")
    } else {
        refusal.hint(format!("name one with --name: {}", names.join(", ")))
    })
}

pub(super) fn server(
    config: &checked::Config,
    name: &str,
    status: Option<&status::Status>,
) -> Option<Server> {
    let sink = &config.syslog_sink(name)?;
    let (by_command, file) = match config.sink.homes.get(name)? {
        Home::File { path, .. } => (false, path.clone()),
        Home::Object { path } | Home::Diagnostics { path, .. } => (true, path.clone()),
    };
    let mut now = status.and_then(|status| status.sinks.get(&format!("syslog.{name}")).cloned());
    let mut warnings: Vec<String> = advice(name, sink).into_iter().collect();
    match now.as_mut().map(|now| std::mem::take(&mut now.warnings)) {
        Some(found) if !found.is_empty() => {
            warnings.extend(found);
            warnings.extend(sink.filter.doubts());
        }
        _ => warnings.extend(sink_warnings(name, sink)),
    }
    Some(Server {
        name: name.to_owned(),
        enabled: sink.enabled,
        by_command,
        file,
        server_name: sink.server_name.clone(),
        port: sink.port,
        transport: sink.transport,
        checks: checks(sink),
        ca_file: sink.ca_file.clone(),
        client_certificate: sink
            .client
            .as_ref()
            .map(|client| client.certificate.clone()),
        confirmation: sink.confirmation,
        framing: sink.framing,
        prefix: sink.prefix,
        profile: sink.profile,
        product: sink.product,
        cef_version: sink.cef_version,
        max_message_bytes: sink.max_message_bytes,
        output_severity: sink.output_severity,
        filter: sink.filter.clone(),
        gets: sink.filter.explain(sink.output_severity),
        now,
        warnings,
    })
}

fn checks(sink: &SyslogSink) -> String {
    match sink.transport {
        Transport::Tcp | Transport::Udp => "none: whoever answers gets the events".to_owned(),
        Transport::Tls => match &sink.fingerprint {
            Some(fingerprint) => format!("the receiver's certificate is {fingerprint}"),
            None if sink.skip_certificate_check => {
                "none: whoever answers gets the events".to_owned()
            }
            None if sink.skip_name_check => "the receiver's certificate, not its name".to_owned(),
            None => "the receiver's certificate and its name".to_owned(),
        },
    }
}

/// Where the way to the receiver stands in the order of advice, if it is weaker than TLS with every check.
fn advice(name: &str, sink: &SyslogSink) -> Option<String> {
    const ORDER: [Security; 6] = [
        Security::MutualTls,
        Security::Tls,
        Security::TlsAnyName,
        Security::TlsUnchecked,
        Security::Cleartext,
        Security::Datagrams,
    ];
    let security = sink_destination(name, sink).ok()?.transport.security();
    if security <= Security::Tls {
        return None;
    }
    let place = ORDER.iter().position(|known| *known == security)? + 1;
    let order: Vec<String> = ORDER.iter().map(ToString::to_string).collect();
    let order = order.join("; ");
    Some(format!(
        "{security}: number {place} of {} ways, best first: {order}",
        ORDER.len()
    ))
}
