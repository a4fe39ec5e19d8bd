//! `[sink.azure_table.NAME]`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::Spanned;
use windrow_formats::azure::table_name_is_allowed;
use windrow_formats::counters::Specifier;
use windrow_pipeline::azure::{Account, AccountError, Credential, Endpoints};

use super::subscription::{included, known_groups, not_emptied};
use super::{At, Source, filter, is_name, span};
use crate::config::checked::{self, AccountCredential, WadTable};
use crate::config::limits::MAX_ORIGIN_CHARS;
use crate::config::units::Span;
use crate::config::{ConfigError, raw};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn sink(
    at: &At<'_>,
    raw: raw::AzureTableSink,
    groups: &[&str],
    folders: &[&str],
) -> Result<checked::AzureTableSink, ConfigError> {
    let source = at.source;
    account(source, &raw.account, raw.endpoint.as_ref(), None)?;
    not_emptied(source, &raw.machine_groups)?;
    let period = span(source, raw.transfer_period, MINUTE, Duration::ZERO..=DAY)?;
    Ok(checked::AzureTableSink {
        enabled: raw.enabled.unwrap_or(true),
        credential: credential(at, raw.key_file, raw.sas_file)?,
        account: raw.account.into_inner(),
        endpoint: raw.endpoint.map(Spanned::into_inner),
        ca_file: raw.ca_file.map(|file| source.resolve(file)),
        deployment_id: raw.deployment_id.map(|id| origin(source, id)).transpose()?,
        role: raw
            .role
            .map_or(Ok("IaaS".to_owned()), |role| origin(source, role))?,
        event_volume: raw.event_volume.unwrap_or_default(),
        partition_by: raw.partition_by.unwrap_or_default(),
        transfer_period: whole_minutes(period),
        tables: tables(source, raw.tables)?,
        infrastructure_level: raw.infrastructure_level.unwrap_or_default(),
        directories: directories(source, raw.directories, folders)?,
        counters: counters(source, raw.counters)?,
        traces: traces(source, raw.traces)?,
        keep: raw.keep.unwrap_or_default(),
        subscription: subscription(source, raw.subscription)?,
        machines: included(source, raw.machines)?,
        machine_groups: known_groups(source, raw.machine_groups, groups)?,
        output_severity: raw.output_severity.unwrap_or_default(),
        filter: filter::sink_filter(source, raw.filter)?,
    })
}

fn tables(
    source: Source<'_>,
    given: Option<Spanned<BTreeSet<WadTable>>>,
) -> Result<BTreeSet<WadTable>, ConfigError> {
    match given {
        None => Ok(BTreeSet::from(WadTable::ALL)),
        Some(given) if given.get_ref().is_empty() => {
            let error = source.error("no table is written", given.span());
            Err(error.with_hint("`enabled = false` switches a sink off"))
        }
        Some(given) => Ok(given.into_inner()),
    }
}

/// Folders that there are.
fn directories(
    source: Source<'_>,
    given: Option<Spanned<Vec<Spanned<String>>>>,
    folders: &[&str],
) -> Result<Vec<String>, ConfigError> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    if given.get_ref().is_empty() {
        let error = source.error("no folder is named", given.span());
        return Err(error.with_hint("leave it out for every folder with counters"));
    }
    let given = given.into_inner().into_iter();
    given
        .map(
            |folder| match folders.contains(&folder.get_ref().as_str()) {
                true => Ok(folder.into_inner()),
                false => {
                    let message = format!("there is no [source.directory.{}]", folder.get_ref());
                    Err(source.error(message, folder.span()))
                }
            },
        )
        .collect()
}

/// Paths of performance counters.
fn counters(
    source: Source<'_>,
    given: Option<Vec<Spanned<String>>>,
) -> Result<Vec<String>, ConfigError> {
    let given = given.unwrap_or_default().into_iter();
    given
        .map(|path| match Specifier::read(path.get_ref()) {
            Some(_) => Ok(path.into_inner()),
            None => {
                let error = source.error("this is no path of a performance counter", path.span());
                Err(error.expected(r"such as '\Processor(_Total)\% Processor Time'"))
            }
        })
        .collect()
}

/// Tables of providers of traces.
fn traces(
    source: Source<'_>,
    given: Option<Vec<raw::TraceTable>>,
) -> Result<Vec<checked::TraceTable>, ConfigError> {
    let given = given.unwrap_or_default().into_iter();
    given
        .map(|given| {
            if !table_name_is_allowed(given.table.get_ref()) {
                let error = source.error("no table is called so", given.table.span());
                return Err(error.expected("3 to 63 letters and digits, the first one a letter"));
            }
            if given.provider.get_ref().is_empty() {
                return Err(source.error("no provider is named", given.provider.span()));
            }
            let keywords = given.keywords;
            if let Some(text) = &keywords
                && checked::keyword_mask(text.get_ref()).is_none()
            {
                let error = source.error("this is no number of keywords", text.span());
                return Err(error.expected("one such as \"0x8000\""));
            }
            Ok(checked::TraceTable {
                provider: given.provider.into_inner(),
                event_id: given.event_id,
                table: given.table.into_inner(),
                level: given.level.unwrap_or_default(),
                keywords: keywords.map(Spanned::into_inner),
            })
        })
        .collect()
}

/// A name that a subscription can have: whether there is one, who reads the settings of machines says.
fn subscription(
    source: Source<'_>,
    given: Option<Spanned<String>>,
) -> Result<Option<String>, ConfigError> {
    match given {
        Some(name) if !is_name(name.get_ref()) => {
            Err(source.error("no subscription has such a name", name.span()))
        }
        given => Ok(given.map(Spanned::into_inner)),
    }
}

/// Whether there is such an account there, as far as names go. Addresses are those of its tables and of its blobs.
pub(super) fn account(
    source: Source<'_>,
    name: &Spanned<String>,
    table: Option<&Spanned<String>>,
    blob: Option<&Spanned<String>>,
) -> Result<(), ConfigError> {
    for (table, blob) in [(table, None), (None, blob)] {
        let text = |url: Option<&Spanned<String>>| url.map(|url| url.get_ref().clone());
        let endpoints = Endpoints {
            table: text(table),
            blob: text(blob),
        };
        // A key that opens nothing.
        let credential = Credential::Key(SecretString::from("AAAA"));
        let Err(error) = Account::new(name.get_ref(), credential, endpoints) else {
            continue;
        };
        let place = match (&error, table.or(blob)) {
            (AccountError::Endpoint { .. } | AccountError::Plain { .. }, Some(url)) => url.span(),
            _ => name.span(),
        };
        return Err(source.error(error.to_string(), place));
    }
    Ok(())
}

pub(super) fn credential(
    at: &At<'_>,
    key_file: Option<Spanned<PathBuf>>,
    sas_file: Option<Spanned<PathBuf>>,
) -> Result<AccountCredential, ConfigError> {
    let all = "one of `key_file`, `sas_file`: a file with a key of the account, or with a shared access signature";
    let source = at.source;
    match (key_file, sas_file) {
        (Some(file), None) => Ok(AccountCredential::KeyFile(
            source.resolve(file.into_inner()),
        )),
        (None, Some(file)) => Ok(AccountCredential::SasFile(
            source.resolve(file.into_inner()),
        )),
        (Some(_), Some(file)) => {
            let error = source.error("there are two credentials", file.span());
            Err(error.expected(all))
        }
        (None, None) => {
            let error = at.error("it is not said what opens the account");
            Err(error.expected(all))
        }
    }
}

/// A part of the keys of rows.
pub(super) fn origin(source: Source<'_>, given: Spanned<String>) -> Result<String, ConfigError> {
    let text = given.get_ref();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=MAX_ORIGIN_CHARS).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(given.into_inner());
    }
    let error = source.error("this cannot be in a row's key", given.span());
    Err(error.expected(format!(
        "1 to {MAX_ORIGIN_CHARS} letters, digits, -, _ and ."
    )))
}

/// Azure's agent knew whole minutes, and rounded up.
pub(super) fn whole_minutes(period: Span) -> Span {
    let minutes = period.0.as_secs_f64() / MINUTE.as_secs_f64();
    Span(MINUTE.mul_f64(minutes.ceil()))
}
