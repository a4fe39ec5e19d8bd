//! `[source.wad_storage.NAME]`.

use std::time::Duration;

use jiff::Timestamp;
use toml::Spanned;
use windrow_formats::azure::table_name_is_allowed;
use windrow_formats::wad::rows::{EVENT_TRACES, INFRASTRUCTURE_LOGS, WINDOWS_EVENT_LOGS};

use super::azure_table::{DAY, MINUTE, account, credential};
use super::{At, Source, span};
use crate::config::checked::WadStorageSource;
use crate::config::limits::MAX_WAD_TABLES;
use crate::config::{ConfigError, raw};

/// Tables of which each row is an event.
const USUAL: [&str; 4] = [
    WINDOWS_EVENT_LOGS,
    EVENT_TRACES,
    INFRASTRUCTURE_LOGS,
    "WADLogsTable",
];

pub(super) fn wad_storage(
    at: &At<'_>,
    raw: raw::WadStorageSource,
) -> Result<WadStorageSource, ConfigError> {
    let source = at.source;
    account(source, &raw.account, raw.endpoint.as_ref(), None)?;
    let hour = Duration::from_secs(3_600);
    Ok(WadStorageSource {
        enabled: raw.enabled.unwrap_or(true),
        credential: credential(at, raw.key_file, raw.sas_file)?,
        account: raw.account.into_inner(),
        endpoint: raw.endpoint.map(Spanned::into_inner),
        ca_file: raw.ca_file.map(|file| source.resolve(file)),
        tables: tables(source, raw.tables)?,
        from: raw.from.map(|from| moment(source, &from)).transpose()?,
        late: span(source, raw.late, hour, MINUTE..=DAY)?,
        interval: span(source, raw.interval, MINUTE, Duration::from_secs(1)..=DAY)?,
    })
}

fn tables(
    source: Source<'_>,
    given: Option<raw::List<String>>,
) -> Result<Vec<String>, ConfigError> {
    let Some(given) = given else {
        return Ok(USUAL.map(str::to_owned).to_vec());
    };
    let place = given.span();
    let given = given.into_inner();
    if !(1..=MAX_WAD_TABLES).contains(&given.len()) {
        let error = source.error("no table would be read, or there are too many", place);
        return Err(error.expected(format!("1 to {MAX_WAD_TABLES} tables")));
    }
    let mut names: Vec<String> = Vec::new();
    for name in given {
        if !table_name_is_allowed(name.get_ref()) {
            let error = source.error("no table is called so", name.span());
            return Err(error.expected("3 to 63 letters and digits, the first one a letter"));
        }
        // The service does not tell letters apart by case.
        if names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name.get_ref()))
        {
            return Err(source.error("this table is named twice", name.span()));
        }
        names.push(name.into_inner());
    }
    Ok(names)
}

fn moment(source: Source<'_>, given: &Spanned<String>) -> Result<Timestamp, ConfigError> {
    let text = given.get_ref();
    let moment = text.parse::<Timestamp>().ok();
    let date = || {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        let begin = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(begin.timestamp())
    };
    moment.or_else(date).ok_or_else(|| {
        let error = source.error("this is no moment", given.span());
        error.expected(
            "a date in UTC as \"2026-11-01\", or one with its time as \"2026-11-01T06:00:00Z\"",
        )
    })
}
