//! What can be asked about destinations, with the options of the document on Azure Stack's syslog forwarding
//! (`Set-SyslogServer`, `Get-SyslogServer`) and those beyond it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::refusal::Refusal;
use crate::config::checked::{
    CefVersion, Confirmation, Framing, OutputSeverity, Prefix, Product, Profile, SinkFilter,
    SyslogSink, Transport,
};

/// The destination that is meant when none is named.
pub const DEFAULT_NAME: &str = "default";
/// The port of TCP, with TLS and without, where nothing else is said.
const TCP_PORT: u16 = 6514;
/// The port of UDP.
const UDP_PORT: u16 = 514;

/// Sets a destination, all of it: what is not said has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSet {
    /// The destination's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name or address of the receiver.
    pub server_name: String,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_port: Option<u16>,
    /// TCP in the clear.
    pub no_encryption: bool,
    /// UDP, always in the clear.
    pub use_udp: bool,
    /// Nothing of the receiver's certificate is looked at.
    pub skip_certificate_check: bool,
    /// The name in the receiver's certificate is not looked at.
    #[serde(rename = "skip_cn_check")]
    pub skip_name_check: bool,
    /// The SHA-256 of the receiver's certificate, which then has to be that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The authorities that the receiver's certificate may come from, as a file beside the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// As `framing` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framing: Option<Framing>,
    /// As `prefix` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    /// As `profile` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// As `product` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// As `cef_version` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cef_version: Option<CefVersion>,
    /// As `max_message_bytes` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_bytes: Option<u32>,
    /// As `confirmation` in windrow.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// How grave events have to be; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_severity: Option<OutputSeverity>,
    /// Which events it gets; all when empty.
    #[serde(
        skip_serializing_if = "SinkFilter::is_empty",
        deserialize_with = "by_name"
    )]
    pub filter: SinkFilter,
}

/// Values by their names: a list of them without would be taken for a filter too.
fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SinkFilter, D::Error> {
    let map = serde_json::Map::deserialize(deserializer)?;
    serde_json::from_value(map.into()).map_err(D::Error::custom)
}

/// Which destinations to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerGet {
    /// This one; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Which destination is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerName {
    /// Its name; when absent [`DEFAULT_NAME`], or the only one where that is called otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl ServerName {
    /// The destination that is meant, of those that there are.
    pub(crate) fn among<'a>(&'a self, sinks: &'a BTreeMap<String, SyslogSink>) -> Meant<'a> {
        let mut names = sinks.keys();
        match (&self.name, names.next(), names.next()) {
            (Some(name), _, _) => Meant { name, note: None },
            (None, Some(only), None) if only != DEFAULT_NAME => Meant {
                name: only,
                note: Some(format!(
                    "no destination was named: {only} was taken, the only one there is"
                )),
            },
            (None, _, _) => Meant {
                name: DEFAULT_NAME,
                note: None,
            },
        }
    }
}

/// A destination that is meant.
#[derive(Debug)]
pub(crate) struct Meant<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Said where nobody has named it.
    pub(crate) note: Option<String>,
}

/// The keys of a destination as its file has them.
#[derive(Serialize)]
struct Keys<'a> {
    server_name: &'a str,
    port: u16,
    transport: Transport,
    ca_file: &'a Option<PathBuf>,
    skip_name_check: Option<bool>,
    skip_certificate_check: Option<bool>,
    fingerprint: &'a Option<String>,
    framing: Option<Framing>,
    prefix: Option<Prefix>,
    profile: Option<Profile>,
    product: Option<Product>,
    cef_version: Option<CefVersion>,
    max_message_bytes: Option<u32>,
    confirmation: Option<Confirmation>,
    output_severity: Option<OutputSeverity>,
    #[serde(skip_serializing_if = "SinkFilter::is_empty")]
    filter: &'a SinkFilter,
}

impl ServerSet {
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(DEFAULT_NAME)
    }

    fn transport(&self) -> Transport {
        if self.use_udp {
            Transport::Udp
        } else if self.no_encryption {
            Transport::Tcp
        } else {
            Transport::Tls
        }
    }

    /// The port where none is named.
    pub(crate) fn usual_port(transport: Transport) -> u16 {
        match transport {
            Transport::Udp => UDP_PORT,
            Transport::Tcp | Transport::Tls => TCP_PORT,
        }
    }

    /// The keys of the destination's file.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub(crate) fn keys(&self) -> Result<toml::Table, Refusal> {
        let transport = self.transport();
        self.check_fits(transport)?;
        let port = ServerSet::usual_port(transport);
        let keys = Keys {
            server_name: &self.server_name,
            port: self.server_port.unwrap_or(port),
            transport,
            ca_file: &self.ca_file,
            skip_name_check: self.skip_name_check.then_some(true),
            skip_certificate_check: self.skip_certificate_check.then_some(true),
            fingerprint: &self.fingerprint,
            framing: self.framing,
            prefix: self.prefix,
            profile: self.profile,
            product: self.product,
            cef_version: self.cef_version,
            max_message_bytes: self.max_message_bytes,
            confirmation: self.confirmation,
            output_severity: self.output_severity,
            filter: &self.filter,
        };
        toml::Table::try_from(keys).map_err(|error| Refusal::invalid(error.to_string()))
    }

    /// Refuses, by its name, what has no meaning without TLS.
    fn check_fits(&self, transport: Transport) -> Result<(), Refusal> {
        let cause = match transport {
            Transport::Tls if self.skip_certificate_check && self.fingerprint.is_some() => {
                let reason = "--skip-certificate-check looks at no certificate, and --fingerprint asks for a certain one";
                return Err(Refusal::invalid(reason)
                    .hint("leave out --skip-certificate-check: the fingerprint alone is safe, also with a self-signed certificate"));
            }
            Transport::Tls => return Ok(()),
            Transport::Tcp => "--no-encryption",
            Transport::Udp => "--use-udp",
        };
        let of_tls = [
            ("--ca-file", self.ca_file.is_some()),
            ("--skip-certificate-check", self.skip_certificate_check),
            ("--skip-cn-check", self.skip_name_check),
            ("--fingerprint", self.fingerprint.is_some()),
        ];
        match of_tls.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Refusal::invalid(format!(
                "{option} is about TLS, and {cause} sends in the clear"
            ))
            .hint(format!("leave out {option}, or {cause}"))),
        }
    }
}
