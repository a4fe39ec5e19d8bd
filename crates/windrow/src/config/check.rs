//! From what is written to what holds: names, defaults, and what only makes sense together.
//!
//! The same checks hold for `windrow.toml` and for each object of `conf.d`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use windrow_formats::limits::SYSLOG_MESSAGE_MIN;
use windrow_pipeline::tls::Fingerprint;

use super::checked::{self, ClientIdentity, Confirmation, Framing, Transport};
use super::units::{ByteSize, Span};
use super::{ConfigError, Environment, Overrides, check_admin, limits, query_list, raw, suggest};

/// The text of a configuration and where it came from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    /// What its paths are relative to.
    pub(super) folder: &'a Path,
}

impl<'a> Source<'a> {
    /// `windrow.toml`: its paths are relative to the folder it lies in.
    pub(super) fn of_file(file: &'a Path, text: &'a str) -> Source<'a> {
        let folder = file.parent().unwrap_or(Path::new(""));
        Source { file, text, folder }
    }

    pub(super) fn error(&self, message: impl Into<String>, span: Range<usize>) -> ConfigError {
        ConfigError::at(message, self.file, self.text, span)
    }

    pub(super) fn resolve(&self, path: PathBuf) -> PathBuf {
        if path.is_relative() {
            self.folder.join(path)
        } else {
            path
        }
    }

    /// The line of a place, from 1.
    fn line(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }
}

/// The data folder that holds.
pub(super) fn data_dir(
    raw: Option<PathBuf>,
    source: Source<'_>,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<PathBuf, ConfigError> {
    overrides
        .data_dir
        .clone()
        .or_else(|| environment.data_dir.clone())
        .or_else(|| raw.map(|path| source.resolve(path)))
        .or_else(|| environment.default_data_dir())
        .ok_or_else(|| {
            ConfigError::new("there is no folder for data").with_hint("name one with --data-dir")
        })
}

pub(super) fn check(
    raw: raw::Config,
    source: Source<'_>,
    data_dir: PathBuf,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<checked::Config, ConfigError> {
    let subscription = named(source, raw.subscription, subscription)?;
    let names: Vec<&str> = subscription.keys().map(String::as_str).collect();
    let wef = named(source, raw.source.wef, |at, raw| {
        wef_source(at, raw, &names)
    })?;
    different_addresses(&wef)?;
    Ok(checked::Config {
        file: (!source.text.is_empty()).then(|| source.file.to_owned()),
        settings_generation: 0,
        data_dir,
        source: checked::Sources { wef },
        sink: sinks(source, raw.sink)?,
        subscription,
        journal: journal(source, raw.journal)?,
        lake: lake(source, raw.lake)?,
        tls: checked::Tls {
            deployment_root: raw.tls.deployment_root.map(|file| source.resolve(file)),
        },
        syslog_client: None,
        web: web(source, raw.web)?,
        admin: check_admin::admin(source, raw.admin)?,
        log: log(source, raw.log, environment, overrides)?,
    })
}

fn sinks(source: Source<'_>, raw: raw::Sinks) -> Result<checked::Sinks, ConfigError> {
    let home = |name: &Spanned<String>| checked::Home::File {
        path: source.file.to_owned(),
        line: source.line(name.span().start),
    };
    let homes = raw.syslog.keys();
    let homes = homes.map(|name| (name.get_ref().clone(), home(name)));
    Ok(checked::Sinks {
        homes: homes.collect(),
        syslog: named(source, raw.syslog, syslog_sink)?,
    })
}

/// The file of `conf.d` that holds the certificate for syslog receivers.
pub(super) fn client_object(raw: raw::SyslogClient, source: Source<'_>) -> checked::SyslogClient {
    checked::SyslogClient {
        identity: ClientIdentity {
            certificate: source.resolve(raw.certificate),
            key: source.resolve(raw.key),
        },
        set_at: raw.set_at,
    }
}

/// A file of `conf.d` that holds one syslog sink of this name.
pub(super) fn syslog_object(
    name: &str,
    raw: raw::SyslogSink,
    source: Source<'_>,
) -> Result<checked::SyslogSink, ConfigError> {
    let at = At { source, span: 0..0 };
    check_name(&at, name)?;
    syslog_sink(&at, raw)
}

/// One table of the file: where it stands, and its own name.
struct At<'a> {
    source: Source<'a>,
    span: Range<usize>,
}

impl At<'_> {
    fn error(&self, message: impl Into<String>) -> ConfigError {
        self.source.error(message, self.span.clone())
    }
}

fn named<R, C>(
    source: Source<'_>,
    tables: raw::Named<R>,
    check: impl Fn(&At<'_>, R) -> Result<C, ConfigError>,
) -> Result<BTreeMap<String, C>, ConfigError> {
    let mut checked = BTreeMap::new();
    for (name, table) in tables {
        let at = At {
            source,
            span: name.span(),
        };
        check_name(&at, name.get_ref())?;
        if checked.len() == limits::MAX_TABLES_A_KIND {
            return Err(at.error(format!(
                "more than {} tables of one kind",
                limits::MAX_TABLES_A_KIND
            )));
        }
        checked.insert(name.into_inner(), check(&at, table.into_inner())?);
    }
    Ok(checked)
}

fn check_name(at: &At<'_>, name: &str) -> Result<(), ConfigError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let fits = (1..=limits::MAX_NAME_CHARS).contains(&name.chars().count());
    if fits && name.chars().all(good) {
        return Ok(());
    }
    let rule = format!(
        "1 to {} of the characters a-z, 0-9, - and _",
        limits::MAX_NAME_CHARS
    );
    Err(at
        .error(format!("`{name}` cannot be a name"))
        .expected(rule))
}

fn wef_source(
    at: &At<'_>,
    raw: raw::WefSource,
    known: &[&str],
) -> Result<checked::WefSource, ConfigError> {
    let source = at.source;
    let hostname = raw.hostname.get_ref();
    let name_like = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == ':';
    if hostname.is_empty() || hostname.len() > 253 || !hostname.chars().all(name_like) {
        let error = source.error("this is not a host name", raw.hostname.span());
        return Err(
            error.expected("the name machines reach this collector by, without https:// and port")
        );
    }
    if let Some(path) = raw.path.as_ref().filter(|path| !url_path(path.get_ref())) {
        let error = source.error("this is not the path of a URL", path.span());
        return Err(error.expected("one such as \"/wsman/SubscriptionManager/WEC\""));
    }
    let subscriptions = match raw.subscriptions {
        Some(names) => chosen_subscriptions(source, names, known)?,
        None => known.iter().map(|name| (*name).to_owned()).collect(),
    };
    if subscriptions.is_empty() {
        let hint = "add a table [subscription.base] with channels = [\"Security\", \"System\"]";
        return Err(at
            .error("there is no subscription to offer: machines would send nothing")
            .with_hint(hint));
    }
    Ok(checked::WefSource {
        listen: raw.listen.unwrap_or_else(|| ([127, 0, 0, 1], 5986).into()),
        hostname: raw.hostname.into_inner(),
        path: raw.path.map_or_else(
            || "/wsman/SubscriptionManager/WEC".to_owned(),
            Spanned::into_inner,
        ),
        tls: checked::WefTls {
            certificate: source.resolve(raw.tls.certificate),
            key: source.resolve(raw.tls.key),
            client_ca: source.resolve(raw.tls.client_ca),
        },
        subscriptions,
    })
}

fn url_path(path: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    path.len() > 1 && path.starts_with('/') && path.chars().all(good)
}

fn chosen_subscriptions(
    source: Source<'_>,
    names: Vec<Spanned<String>>,
    known: &[&str],
) -> Result<Vec<String>, ConfigError> {
    let mut chosen = Vec::new();
    for name in names {
        if !known.contains(&name.get_ref().as_str()) {
            let error = source.error(
                format!("there is no [subscription.{}]", name.get_ref()),
                name.span(),
            );
            return Err(
                match suggest::nearest(name.get_ref(), known.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error,
                },
            );
        }
        if !chosen.contains(name.get_ref()) {
            chosen.push(name.into_inner());
        }
    }
    Ok(chosen)
}

fn different_addresses(sources: &BTreeMap<String, checked::WefSource>) -> Result<(), ConfigError> {
    let mut taken = BTreeSet::new();
    for (name, source) in sources {
        if !taken.insert(source.listen) {
            let message = format!(
                "[source.wef.{name}] listens at {}, as another source does",
                source.listen
            );
            return Err(ConfigError::new(message));
        }
    }
    Ok(())
}

fn subscription(at: &At<'_>, raw: raw::Subscription) -> Result<checked::Subscription, ConfigError> {
    let source = at.source;
    let query = match (raw.query, raw.query_file, raw.channels) {
        (Some(query), None, None) => inline_query(source, query)?,
        (None, Some(file), None) => query_from(source, file)?,
        (None, None, Some(channels)) => query_of_channels(source, &channels)?,
        (None, None, None) => {
            let error = at.error("the subscription asks for nothing");
            return Err(error.expected("one of `channels`, `query`, `query_file`"));
        }
        _ => {
            let error = at.error("the subscription says in more than one way what it asks for");
            return Err(error.expected("only one of `channels`, `query`, `query_file`"));
        }
    };
    let second = Duration::from_secs(1);
    let day = Duration::from_secs(86_400);
    Ok(checked::Subscription {
        query,
        content_format: raw
            .content_format
            .unwrap_or(checked::ContentFormat::RenderedText),
        read_existing: raw.read_existing.unwrap_or(false),
        heartbeat: span(
            source,
            raw.heartbeat,
            Duration::from_secs(900),
            second * 10..=day,
        )?,
        max_latency: span(
            source,
            raw.max_latency,
            Duration::from_secs(30),
            second..=day,
        )?,
        max_batch_events: raw
            .max_batch_events
            .map(|n| number(source, n, 1..=65_535))
            .transpose()?,
        max_envelope: size(source, raw.max_envelope, 512_000, 8_192..=16 << 20)?,
        retry_interval: span(
            source,
            raw.retry_interval,
            Duration::from_secs(60),
            second..=day,
        )?,
        retry_count: number_or(source, raw.retry_count, 5, 0..=1_000)?,
        locale: raw
            .locale
            .map(|tag| language_tag(source, tag))
            .transpose()?,
        data_locale: raw
            .data_locale
            .map(|tag| language_tag(source, tag))
            .transpose()?,
    })
}

fn inline_query(source: Source<'_>, query: Spanned<String>) -> Result<String, ConfigError> {
    match query_list::check(query.get_ref()) {
        Ok(()) => Ok(query.into_inner()),
        Err(fault) => {
            let before = &query.get_ref()[..fault.span.start];
            let line = before.matches('\n').count() + 1;
            let message = format!("{} (line {line} of the query)", fault.message);
            Err(source
                .error(message, query.span())
                .expected(query_list::FORM))
        }
    }
}

fn query_from(source: Source<'_>, file: Spanned<PathBuf>) -> Result<String, ConfigError> {
    let span = file.span();
    let path = source.resolve(file.into_inner());
    let too_large =
        fs_err::metadata(&path).is_ok_and(|found| found.len() > limits::MAX_QUERY_BYTES as u64);
    if too_large {
        let message = format!(
            "{} is larger than {} bytes",
            path.display(),
            limits::MAX_QUERY_BYTES
        );
        return Err(source.error(message, span));
    }
    let text =
        fs_err::read_to_string(&path).map_err(|error| source.error(error.to_string(), span))?;
    let xml = text.trim_start_matches('\u{feff}');
    match query_list::check(xml) {
        Ok(()) => Ok(xml.to_owned()),
        Err(fault) => {
            Err(ConfigError::at(fault.message, &path, xml, fault.span).expected(query_list::FORM))
        }
    }
}

fn query_of_channels(
    source: Source<'_>,
    channels: &Spanned<Vec<String>>,
) -> Result<String, ConfigError> {
    let list = channels.get_ref();
    if list.is_empty() || list.iter().any(|name| name.trim().is_empty()) {
        let error = source.error("a channel needs a name", channels.span());
        return Err(error.expected("names such as [\"Security\", \"System\"]"));
    }
    let query = query_list::of_channels(list);
    query_list::check(&query).map_err(|fault| source.error(fault.message, channels.span()))?;
    Ok(query)
}

fn language_tag(source: Source<'_>, tag: Spanned<String>) -> Result<String, ConfigError> {
    let text = tag.get_ref();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (2..=35).contains(&text.len()) && text.chars().all(good) {
        return Ok(tag.into_inner());
    }
    Err(source
        .error("this is not a language", tag.span())
        .expected("a tag such as \"en-US\" (RFC 5646)"))
}

fn syslog_sink(at: &At<'_>, raw: raw::SyslogSink) -> Result<checked::SyslogSink, ConfigError> {
    let source = at.source;
    let transport = raw
        .transport
        .as_ref()
        .map_or(Transport::Tls, |given| *given.get_ref());
    check_server_name(source, &raw.server_name)?;
    check_fits_transport(source, &raw, transport)?;
    let fingerprint = fingerprint(source, &raw)?;
    let (port, framing, max_bytes, confirmation) = match transport {
        Transport::Udp => (514, None, 2_048, Confirmation::Sent),
        Transport::Tcp => (514, Some(Framing::Lf), 8_192, Confirmation::ReadConfirmed),
        Transport::Tls => (
            6514,
            Some(Framing::OctetCounting),
            8_192,
            Confirmation::ReadConfirmed,
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
        server_name: raw.server_name.into_inner(),
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

fn check_server_name(source: Source<'_>, name: &Spanned<String>) -> Result<(), ConfigError> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == ':';
    let text = name.get_ref();
    if !text.is_empty() && text.len() <= 253 && text.chars().all(good) {
        return Ok(());
    }
    let error = source.error("this is not the name or address of a machine", name.span());
    Err(error.expected("a name such as \"siem.example.com\", without port"))
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

fn journal(source: Source<'_>, raw: raw::Journal) -> Result<checked::Journal, ConfigError> {
    let quota_span = raw.quota.as_ref().map(Spanned::span);
    let quota = size(source, raw.quota, 10_000_000_000, 16 << 20..=1 << 50)?;
    let usual_segment = (quota.0 / 16).clamp(4 << 20, 128 << 20);
    let segment_span = raw.segment_size.as_ref().map(Spanned::span);
    let segment_size = size(source, raw.segment_size, usual_segment, 1 << 20..=4 << 30)?;
    if quota.0 / 8 < segment_size.0 {
        let message =
            format!("the quota of {quota} holds fewer than eight segments of {segment_size}");
        let span = segment_span.or(quota_span).unwrap_or(0..0);
        return Err(source
            .error(message, span)
            .with_hint("raise `quota` or lower `segment_size`"));
    }
    let when_full = raw.when_full.unwrap_or(checked::WhenFull::Block);
    let hour = Duration::from_secs(3_600);
    let range = Duration::from_secs(1)..=24 * hour;
    Ok(checked::Journal {
        quota,
        segment_size,
        when_full,
        seal_interval: span(source, raw.seal_interval, hour, range)?,
    })
}

fn lake(source: Source<'_>, raw: raw::Lake) -> Result<checked::Lake, ConfigError> {
    let usual = Duration::from_secs(60);
    let range = Duration::from_secs(1)..=Duration::from_secs(3_600);
    Ok(checked::Lake {
        enabled: raw.enabled.unwrap_or(true),
        flush_interval: span(source, raw.flush_interval, usual, range)?,
        flush_rows: number_or(source, raw.flush_rows, 100_000, 1_000..=1_000_000)?,
    })
}

fn web(source: Source<'_>, raw: raw::Web) -> Result<checked::Web, ConfigError> {
    let Some(listen) = raw.listen else {
        return Ok(checked::Web {
            listen: ([127, 0, 0, 1], 9186).into(),
        });
    };
    if !listen.get_ref().ip().is_loopback() {
        let error = source.error(
            "this address can be reached from other machines",
            listen.span(),
        );
        return Err(error
            .expected("a loopback address such as \"127.0.0.1:9186\"")
            .with_hint("nobody is asked who they are here: put a proxy that asks in front of it"));
    }
    Ok(checked::Web {
        listen: listen.into_inner(),
    })
}

fn log(
    source: Source<'_>,
    raw: raw::Log,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<checked::Log, ConfigError> {
    let form =
        "error, warn, info, debug, trace, or levels by target: \"info,windrow_pipeline=debug\"";
    let format = raw.format.unwrap_or(checked::LogFormat::Auto);
    let said = overrides.log.as_ref().map(|level| ("--log", level));
    let said = said.or_else(|| environment.log.as_ref().map(|level| ("WINDROW_LOG", level)));
    if let Some((origin, level)) = said {
        if !crate::logging::is_level(level) {
            return Err(
                ConfigError::new(format!("{origin}: `{level}` is not a log level")).expected(form),
            );
        }
        return Ok(checked::Log {
            level: level.clone(),
            format,
        });
    }
    let Some(level) = raw.level else {
        return Ok(checked::Log {
            level: "info".to_owned(),
            format,
        });
    };
    if !crate::logging::is_level(level.get_ref()) {
        let message = format!("`{}` is not a log level", level.get_ref());
        return Err(source.error(message, level.span()).expected(form));
    }
    Ok(checked::Log {
        level: level.into_inner(),
        format,
    })
}

fn span(
    source: Source<'_>,
    given: Option<Spanned<Span>>,
    usual: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Span, ConfigError> {
    let Some(given) = given else {
        return Ok(Span(usual));
    };
    if range.contains(&given.get_ref().0) {
        return Ok(given.into_inner());
    }
    let expected = format!("from {} to {}", Span(*range.start()), Span(*range.end()));
    Err(source
        .error(format!("{} is out of range", given.get_ref()), given.span())
        .expected(expected))
}

fn size(
    source: Source<'_>,
    given: Option<Spanned<ByteSize>>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<ByteSize, ConfigError> {
    let Some(given) = given else {
        return Ok(ByteSize(usual));
    };
    if range.contains(&given.get_ref().0) {
        return Ok(given.into_inner());
    }
    let expected = format!(
        "from {} to {}",
        ByteSize(*range.start()),
        ByteSize(*range.end())
    );
    Err(source
        .error(format!("{} is out of range", given.get_ref()), given.span())
        .expected(expected))
}

fn number_or(
    source: Source<'_>,
    given: Option<Spanned<u32>>,
    usual: u32,
    range: RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    given.map_or(Ok(usual), |given| number(source, given, range))
}

fn number<N: PartialOrd + Copy + std::fmt::Display>(
    source: Source<'_>,
    given: Spanned<N>,
    range: RangeInclusive<N>,
) -> Result<N, ConfigError> {
    if range.contains(given.get_ref()) {
        return Ok(given.into_inner());
    }
    let expected = format!("from {} to {}", range.start(), range.end());
    Err(source
        .error(format!("{} is out of range", given.get_ref()), given.span())
        .expected(expected))
}
