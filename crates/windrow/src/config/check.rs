//! From what is written to what holds: names, defaults, and what only makes sense together.
//!
//! The same checks hold for `windrow.toml` and for each object of `conf.d`.

mod azure_blob;
mod azure_table;
mod directory;
mod filter;
mod fleet;
mod lake;
mod subscription;
mod syslog;
mod wad_storage;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use windrow_formats::suggest;
use windrow_pipeline::kerberos::Principal;

use super::checked::{self, WefAuthentication};
use super::objects::Names;
use super::units::{ByteSize, Span};
use super::{ConfigError, Environment, Overrides, check_admin, limits, raw};

pub(super) use subscription::{group_object, subscription_object};
use subscription::{machine_group, subscription};
pub(super) use syslog::{client_object, syslog_object};

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
    made: &Names,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<checked::Config, ConfigError> {
    let homes = checked::Homes {
        machine_group: homes(source, &raw.machine_group),
        subscription: homes(source, &raw.subscription),
        azure_table: homes(source, &raw.sink.azure_table),
        azure_blob: homes(source, &raw.sink.azure_blob),
        directory: homes(source, &raw.source.directory),
    };
    let machine_group = named(source, raw.machine_group, machine_group)?;
    let groups = known(&machine_group, &made.machine_groups);
    let subscription = named(source, raw.subscription, |at, raw| {
        subscription(at, raw, &groups)
    })?;
    let names = known(&subscription, &made.subscriptions);
    let wef = named(source, raw.source.wef, |at, raw| {
        wef_source(at, raw, &names)
    })?;
    different_addresses(&wef)?;
    let directory = named(source, raw.source.directory, |at, raw| {
        directory::directory(at, raw, Some(&data_dir))
    })?;
    let wad_storage = named(source, raw.source.wad_storage, |at, raw| {
        wad_storage::wad_storage(at, raw)
    })?;
    Ok(checked::Config {
        file: (!source.text.is_empty()).then(|| source.file.to_owned()),
        settings_generation: 0,
        data_dir,
        sink: syslog::sinks(source, raw.sink, &groups, &known(&directory, &[]))?,
        source: checked::Sources {
            wef,
            directory,
            wad_storage,
        },
        subscription,
        machine_group,
        diagnostics: BTreeMap::new(),
        fleet: fleet::fleet(source, raw.fleet)?,
        homes,
        journal: journal(source, raw.journal)?,
        spool: directory::spool(source, raw.spool)?,
        lake: lake::lake(source, raw.lake)?,
        tls: checked::Tls {
            deployment_root: raw.tls.deployment_root.map(|file| source.resolve(file)),
        },
        syslog_client: None,
        web: web(source, raw.web)?,
        admin: check_admin::admin(source, raw.admin)?,
        log: log(source, raw.log, environment, overrides)?,
    })
}

/// What a configuration of Azure Diagnostics means, by name.
pub(super) struct Compiled {
    pub(super) subscriptions: BTreeMap<String, checked::Subscription>,
    pub(super) directory: BTreeMap<String, checked::DirectorySource>,
    pub(super) azure_table: BTreeMap<String, checked::AzureTableSink>,
    pub(super) azure_blob: BTreeMap<String, checked::AzureBlobSink>,
}

/// Checks the settings that a configuration of Azure Diagnostics means, where these groups of machines exist.
///
/// # Errors
/// Where in their text what is wrong.
pub(super) fn compiled(
    raw: raw::Config,
    groups: &[&str],
    source: Source<'_>,
) -> Result<Compiled, ConfigError> {
    let subscriptions = named(source, raw.subscription, |at, raw| {
        subscription(at, raw, groups)
    })?;
    let directory = named(source, raw.source.directory, |at, raw| {
        // Whether it overlaps the data folder is looked at when it is begun to be watched.
        directory::directory(at, raw, None)
    })?;
    let folders = known(&directory, &[]);
    let azure_table = named(source, raw.sink.azure_table, |at, raw| {
        azure_table::sink(at, raw, groups, &folders)
    })?;
    let azure_blob = named(source, raw.sink.azure_blob, |at, raw| {
        azure_blob::sink(at, raw, groups, &folders)
    })?;
    Ok(Compiled {
        subscriptions,
        directory,
        azure_table,
        azure_blob,
    })
}

/// The names of the file's tables and of what was made by command.
fn known<'a, T>(tables: &'a BTreeMap<String, T>, made: &'a [String]) -> Vec<&'a str> {
    tables.keys().chain(made).map(String::as_str).collect()
}

/// Where tables stand.
fn homes<T>(source: Source<'_>, tables: &raw::Named<T>) -> BTreeMap<String, checked::Home> {
    let home = |name: &Spanned<String>| checked::Home::File {
        path: source.file.to_owned(),
        line: source.line(name.span().start),
    };
    let names = tables.keys();
    names
        .map(|name| (name.get_ref().clone(), home(name)))
        .collect()
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

/// Whether a source, a sink or a subscription can be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=limits::MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(good)
}

fn check_name(at: &At<'_>, name: &str) -> Result<(), ConfigError> {
    if is_name(name) {
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
    let subscriptions = raw
        .subscriptions
        .map(|names| chosen_subscriptions(source, names, known))
        .transpose()?;
    if subscriptions.as_ref().is_some_and(Vec::is_empty) {
        return Err(at
            .error("there is no subscription to offer: machines would send nothing")
            .with_hint("leave `subscriptions` out to offer all of them"));
    }
    let authentication = authentication(at, raw.tls, raw.kerberos)?;
    let usual_port = match authentication {
        WefAuthentication::Tls(_) => 5986,
        WefAuthentication::Kerberos(_) => 5985,
    };
    Ok(checked::WefSource {
        listen: raw
            .listen
            .unwrap_or_else(|| ([127, 0, 0, 1], usual_port).into()),
        hostname: raw.hostname.into_inner(),
        path: raw.path.map_or_else(
            || "/wsman/SubscriptionManager/WEC".to_owned(),
            Spanned::into_inner,
        ),
        max_connections: number_or(source, raw.max_connections, 10_000, 100..=200_000)?,
        authentication,
        subscriptions,
    })
}

fn authentication(
    at: &At<'_>,
    tls: Option<raw::WefTls>,
    kerberos: Option<Spanned<raw::WefKerberos>>,
) -> Result<WefAuthentication, ConfigError> {
    let source = at.source;
    match (tls, kerberos) {
        (Some(tls), None) => Ok(WefAuthentication::Tls(checked::WefTls {
            certificate: source.resolve(tls.certificate),
            key: source.resolve(tls.key),
            client_ca: source.resolve(tls.client_ca),
            crl: revocation_lists(source, tls.crl)?,
            expired_crl: tls.expired_crl.unwrap_or(checked::ExpiredCrl::Use),
        })),
        (None, Some(kerberos)) => {
            let kerberos = kerberos.into_inner();
            Ok(WefAuthentication::Kerberos(checked::WefKerberos {
                keytab: source.resolve(kerberos.keytab),
                principals: principals(source, kerberos.principals)?,
                accounts: kerberos
                    .accounts
                    .unwrap_or(checked::KerberosAccounts::Machines),
            }))
        }
        (Some(_), Some(kerberos)) => {
            let error = source.error("there is a table `tls` beside it", kerberos.span());
            Err(error
                .expected("one of `tls`, `kerberos`")
                .with_hint("for both at once, add another [source.wef.NAME] at another port"))
        }
        (None, None) => {
            let error = at.error("it is not said how machines prove who they are");
            Err(error.expected("a table `tls` (certificates) or `kerberos` (a domain's tickets)"))
        }
    }
}

fn principals(
    source: Source<'_>,
    list: Option<raw::List<String>>,
) -> Result<Vec<String>, ConfigError> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    if list.get_ref().len() > limits::MAX_PRINCIPALS {
        let message = format!("more than {} principals", limits::MAX_PRINCIPALS);
        return Err(source.error(message, list.span()));
    }
    let list = list.into_inner();
    for principal in &list {
        if let Err(error) = Principal::parse(principal.get_ref()) {
            let error = source.error(error.to_string(), principal.span());
            return Err(error.expected("one such as \"HTTP/collector.example.com@EXAMPLE.COM\""));
        }
    }
    Ok(list.into_iter().map(Spanned::into_inner).collect())
}

fn revocation_lists(
    source: Source<'_>,
    files: Option<Spanned<Vec<PathBuf>>>,
) -> Result<Vec<PathBuf>, ConfigError> {
    let Some(files) = files else {
        return Ok(Vec::new());
    };
    if files.get_ref().len() > limits::MAX_REVOCATION_LISTS {
        let message = format!("more than {} files", limits::MAX_REVOCATION_LISTS);
        return Err(source.error(message, files.span()));
    }
    let files = files.into_inner().into_iter();
    Ok(files.map(|file| source.resolve(file)).collect())
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
