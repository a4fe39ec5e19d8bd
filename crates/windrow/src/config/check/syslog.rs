//! Syslog sinks, of windrow.toml and of `conf.d`.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use toml::Spanned;
use windrow_formats::limits::{SYSLOG_MESSAGE_DEFAULT, SYSLOG_MESSAGE_MIN};
use windrow_pipeline::tls::Fingerprint;

use super::{
    At, Source, azure_blob, azure_table, check_name, filter, homes, named, number, number_or,
};
use crate::config::checked::{self, ClientIdentity, Confirmation, Framing, Transport};
use crate::config::{ConfigError, raw};

pub(super) fn sinks(
    source: Source<'_>,
    raw: raw::Sinks,
    groups: &[&str],
    folders: &[&str],
) -> Result<checked::Sinks, ConfigError> {
    Ok(checked::Sinks {
        homes: homes(source, &raw.syslog),
        syslog: named(source, raw.syslog, syslog_sink)?,
        azure_table: named(source, raw.azure_table, |at, raw| {
            azure_table::sink(at, raw, groups, folders)
        })?,
        azure_blob: named(source, raw.azure_blob, |at, raw| {
            azure_blob::sink(at, raw, groups, folders)
        })?,
    })
}

/// The file of `conf.d` that holds the certificate for syslog receivers.
pub(in crate::config) fn client_object(
    raw: raw::SyslogClient,
    source: Source<'_>,
) -> checked::SyslogClient {
    checked::SyslogClient {
        identity: ClientIdentity {
            certificate: source.resolve(raw.certificate),
            key: source.resolve(raw.key),
        },
        set_at: raw.set_at,
    }
}

/// A file of `conf.d` that holds one syslog sink of this name.
pub(in crate::config) fn syslog_object(
    name: &str,
    raw: raw::SyslogSink,
    source: Source<'_>,
) -> Result<checked::SyslogSink, ConfigError> {
    let at = At { source, span: 0..0 };
    check_name(&at, name)?;
    syslog_sink(&at, raw)
}

fn syslog_sink(at: &At<'_>, raw: raw::SyslogSink) -> Result<checked::SyslogSink, ConfigError> {
    let source = at.source;
    let transport = raw
        .transport
        .as_ref()
        .map_or(Transport::Tls, |given| *given.get_ref());
    let server_name = server_name(source, &raw.server_name)?;
    check_fits_transport(source, &raw, transport)?;
    let fingerprint = fingerprint(source, &raw)?;
    const DEFAULT: u32 = SYSLOG_MESSAGE_DEFAULT as u32;
    let (port, framing, max_bytes, confirmation) = match transport {
        Transport::Udp => (514, None, 2_048, Confirmation::Sent),
        Transport::Tcp => (514, Some(Framing::Lf), DEFAULT, Confirmation::PeerRead),
        Transport::Tls => (
            6514,
            Some(Framing::OctetCounting),
            DEFAULT,
            Confirmation::PeerRead,
        ),
    };
    // What the encoder needs when every text is cut.
    const LEAST: u32 = SYSLOG_MESSAGE_MIN as u32;
    let most = if transport == Transport::Udp {
        65_507
    } else {
        1 << 20
    };
    Ok(checked::SyslogSink {
        enabled: raw.enabled.unwrap_or(true),
        server_name,
        port: raw
            .port
            .map_or(Ok(port), |port| number(source, port, 1..=u16::MAX))?,
        transport,
        ca_file: raw.ca_file.map(|file| source.resolve(file.into_inner())),
        skip_name_check: is_set(raw.skip_name_check.as_ref()),
        skip_certificate_check: is_set(raw.skip_certificate_check.as_ref()),
        fingerprint,
        client: client_identity(source, raw.client_certificate, raw.client_key)?,
        framing: raw.framing.map(Spanned::into_inner).or(framing),
        prefix: raw.prefix.unwrap_or(checked::Prefix::Rfc3164),
        profile: raw.profile.unwrap_or(checked::Profile::AzureStack),
        product: product(source, raw.profile, raw.product)?,
        cef_version: cef_version(source, raw.prefix, raw.cef_version)?,
        max_message_bytes: number_or(source, raw.max_message_bytes, max_bytes, LEAST..=most)?,
        confirmation: raw.confirmation.map_or(confirmation, Spanned::into_inner),
        output_severity: raw.output_severity.unwrap_or_default(),
        filter: filter::sink_filter(source, raw.filter)?,
    })
}

/// Only profile `azure-stack` names a product, and it always names one.
fn product(
    source: Source<'_>,
    profile: Option<checked::Profile>,
    product: Option<Spanned<checked::Product>>,
) -> Result<Option<checked::Product>, ConfigError> {
    if profile != Some(checked::Profile::Standard) {
        let named = product.map_or(checked::Product::Stack, Spanned::into_inner);
        return Ok(Some(named));
    }
    match product {
        None => Ok(None),
        Some(product) => {
            let error = source.error("profile = \"standard\" has no product", product.span());
            Err(error.with_hint("leave `product` out, or set profile = \"azure-stack\""))
        }
    }
}

/// The prefix of 2018 brings its version along.
fn cef_version(
    source: Source<'_>,
    prefix: Option<checked::Prefix>,
    version: Option<Spanned<checked::CefVersion>>,
) -> Result<checked::CefVersion, ConfigError> {
    if prefix != Some(checked::Prefix::LegacyAzureStack) {
        return Ok(version.map_or(checked::CefVersion::V0, Spanned::into_inner));
    }
    match version {
        Some(other) if *other.get_ref() != checked::CefVersion::V0Dot0 => {
            let message = "prefix = \"legacy-azure-stack\" goes with CEF:0.0";
            let error = source.error(message, other.span());
            Err(error.with_hint("leave `cef_version` out, or choose another prefix"))
        }
        _ => Ok(checked::CefVersion::V0Dot0),
    }
}

/// The name or address of a receiver, an IPv6 address without the brackets that it may stand in.
fn server_name(source: Source<'_>, name: &Spanned<String>) -> Result<String, ConfigError> {
    let text = name.get_ref();
    let wrong = |why: &str| {
        let error = source.error(why, name.span());
        error.expected("a name or address such as \"siem.example.com\", without port")
    };
    let with_port = || {
        wrong("this is a name with a port")
            .with_hint("the port goes by itself: with --server-port, or as `port` in windrow.toml")
    };
    if let Some(inner) = text.strip_prefix('[') {
        return match inner.split_once(']') {
            Some((address, "")) if address.parse::<Ipv6Addr>().is_ok() => Ok(address.to_owned()),
            Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => Err(with_port()),
            _ => Err(wrong("there is no IPv6 address in the brackets")),
        };
    }
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.clone());
    }
    if let Some((_, port)) = text.rsplit_once(':') {
        let is_port = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        return Err(match is_port && text.matches(':').count() == 1 {
            true => with_port(),
            false => wrong("this is not the name or address of a machine"),
        });
    }
    match fault_of_name(text) {
        None => Ok(text.clone()),
        Some(fault) => Err(wrong(fault)),
    }
}

/// What keeps a text from being a host name (RFC 1123 2.1, RFC 1035 2.3.4).
fn fault_of_name(text: &str) -> Option<&'static str> {
    // One dot at the end says that the name is whole.
    let name = text.strip_suffix('.').unwrap_or(text);
    let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if name.is_empty() || !name.chars().all(good) {
        return Some("this is not the name or address of a machine");
    }
    if name.len() > 253 {
        return Some("a name has 253 characters at most");
    }
    let labels = || name.split('.');
    if labels().any(str::is_empty) {
        return Some("between two dots of a name stands something");
    }
    if labels().any(|label| label.len() > 63) {
        return Some("a part of a name has 63 characters at most");
    }
    if labels().any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Some("no part of a name begins or ends with a hyphen");
    }
    let last = labels().next_back().unwrap_or_default();
    let is_number = last.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some("this is no IPv4 address, and no name ends in a number")
}

/// Refuses what has no meaning over this transport.
fn check_fits_transport(
    source: Source<'_>,
    raw: &raw::SyslogSink,
    transport: Transport,
) -> Result<(), ConfigError> {
    if transport != Transport::Tls {
        let certificates = [&raw.ca_file, &raw.client_certificate, &raw.client_key];
        if let Some(file) = certificates.into_iter().flatten().next() {
            let error = source.error("certificates are for transport = \"tls\" only", file.span());
            return Err(error.with_hint("set transport = \"tls\", or leave the certificates out"));
        }
        let skips = [&raw.skip_name_check, &raw.skip_certificate_check];
        let skip = skips.into_iter().flatten().find(|skip| *skip.get_ref());
        let check = skip.map(Spanned::span);
        if let Some(span) = check.or(raw.fingerprint.as_ref().map(Spanned::span)) {
            let error = source.error("only transport = \"tls\" checks the receiver at all", span);
            return Err(error.with_hint("set transport = \"tls\", or leave it out"));
        }
    }
    if transport != Transport::Udp {
        return Ok(());
    }
    if let Some(framing) = &raw.framing {
        let error = source.error(
            "a datagram holds one message: it has no framing",
            framing.span(),
        );
        return Err(error.with_hint("leave `framing` out"));
    }
    match &raw.confirmation {
        Some(given) if *given.get_ref() != Confirmation::Sent => {
            let error = source.error("over udp nobody confirms anything", given.span());
            Err(error.with_hint("leave `confirmation` out, or use tcp or tls"))
        }
        _ => Ok(()),
    }
}

fn is_set(key: Option<&Spanned<bool>>) -> bool {
    key.is_some_and(|key| *key.get_ref())
}

/// The fingerprint in the one form that it is compared in.
fn fingerprint(source: Source<'_>, raw: &raw::SyslogSink) -> Result<Option<String>, ConfigError> {
    let Some(given) = &raw.fingerprint else {
        return Ok(None);
    };
    if let Some(skip) = raw
        .skip_certificate_check
        .as_ref()
        .filter(|skip| *skip.get_ref())
    {
        let error = source.error(
            "a certificate that is not looked at has no fingerprint to be held to",
            skip.span(),
        );
        return Err(
            error.with_hint("leave one of the two out: the fingerprint alone is the safe one")
        );
    }
    match given.get_ref().parse::<Fingerprint>() {
        Ok(fingerprint) => Ok(Some(fingerprint.to_string())),
        Err(error) => Err(source.error(error.to_string(), given.span())),
    }
}

fn client_identity(
    source: Source<'_>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
) -> Result<Option<ClientIdentity>, ConfigError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(ClientIdentity {
            certificate: source.resolve(certificate.into_inner()),
            key: source.resolve(key.into_inner()),
        })),
        (None, None) => Ok(None),
        (Some(alone), None) => Err(source.error("`client_key` is missing beside it", alone.span())),
        (None, Some(alone)) => {
            Err(source.error("`client_certificate` is missing beside it", alone.span()))
        }
    }
}
