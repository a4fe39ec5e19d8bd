//! `[sink.azure_table.NAME]`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::Spanned;
use windrow_pipeline::azure::{Account, AccountError, Credential, Endpoints};

use super::subscription::{included, known_groups, not_emptied};
use super::{At, Source, filter, is_name, span};
use crate::config::checked::{self, AccountCredential, WadTable};
use crate::config::limits::MAX_ORIGIN_CHARS;
use crate::config::units::Span;
use crate::config::{ConfigError, raw};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn sink(
    at: &At<'_>,
    raw: raw::AzureTableSink,
    groups: &[&str],
) -> Result<checked::AzureTableSink, ConfigError> {
    let source = at.source;
    account(source, &raw)?;
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
    let all = [WadTable::WindowsEventLogs, WadTable::InfrastructureLogs];
    match given {
        None => Ok(BTreeSet::from(all)),
        Some(given) if given.get_ref().is_empty() => {
            let error = source.error("no table is written", given.span());
            Err(error.with_hint("`enabled = false` switches a sink off"))
        }
        Some(given) => Ok(given.into_inner()),
    }
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

/// Whether there is such an account there, as far as names go.
fn account(source: Source<'_>, raw: &raw::AzureTableSink) -> Result<(), ConfigError> {
    let endpoints = Endpoints {
        table: raw.endpoint.as_ref().map(|url| url.get_ref().clone()),
        blob: None,
    };
    // A key that opens nothing.
    let credential = Credential::Key(SecretString::from("AAAA"));
    let Err(error) = Account::new(raw.account.get_ref(), credential, endpoints) else {
        return Ok(());
    };
    let place = match (&error, &raw.endpoint) {
        (AccountError::Endpoint { .. } | AccountError::Plain { .. }, Some(url)) => url.span(),
        _ => raw.account.span(),
    };
    Err(source.error(error.to_string(), place))
}

fn credential(
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
fn origin(source: Source<'_>, given: Spanned<String>) -> Result<String, ConfigError> {
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
fn whole_minutes(period: Span) -> Span {
    let minutes = period.0.as_secs_f64() / MINUTE.as_secs_f64();
    Span(MINUTE.mul_f64(minutes.ceil()))
}
