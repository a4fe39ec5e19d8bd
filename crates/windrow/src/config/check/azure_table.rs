//! `[sink.azure_table.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::Spanned;
use windrow_pipeline::azure::{Account, AccountError, Credential, Endpoints};

use super::{At, Source, filter, span};
use crate::config::checked::{self, AccountCredential};
use crate::config::limits::MAX_ORIGIN_CHARS;
use crate::config::units::Span;
use crate::config::{ConfigError, raw};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn sink(
    at: &At<'_>,
    raw: raw::AzureTableSink,
) -> Result<checked::AzureTableSink, ConfigError> {
    let source = at.source;
    account(source, &raw)?;
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
        output_severity: raw.output_severity.unwrap_or_default(),
        filter: filter::sink_filter(source, raw.filter)?,
    })
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
