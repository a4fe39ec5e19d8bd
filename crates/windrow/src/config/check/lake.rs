//! `[lake]`: how events get into it, and how long they stay.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use toml::Spanned;
use windrow_formats::suggest;

use windrow_lake::AzureUrl;

use super::{Source, number_or, span};
use crate::config::checked::LakeCredential;
use crate::config::{ConfigError, checked, raw};

pub(super) fn lake(source: Source<'_>, raw: raw::Lake) -> Result<checked::Lake, ConfigError> {
    let usual = Duration::from_secs(60);
    let hour = Duration::from_secs(3_600);
    let range = Duration::from_secs(1)..=hour;
    let mut hold = BTreeMap::new();
    for (name, raw) in raw.hold {
        hold.insert(name.into_inner(), one_hold(source, raw)?);
    }
    let place = raw.url.as_ref().map(Spanned::span);
    let azure = azure(source, raw.url, raw.key_file, raw.sas_file, raw.credential)?;
    let retention = retention(source, raw.retention)?;
    let says_something = retention != checked::Retention::default() || !hold.is_empty();
    let expire = match (raw.expire, place) {
        (Some(expire), _) => expire,
        (None, Some(place)) if says_something => {
            let what = "others may fill this lake too, and it is not said who takes out what is kept no longer";
            return Err(source.error(what, place).expected(
                "`expire = true` beside it for one collector, which has the retention and the holds of all, and `expire = false` for every other",
            ));
        }
        (None, _) => true,
    };
    Ok(checked::Lake {
        enabled: raw.enabled.unwrap_or(true),
        azure,
        expire,
        flush_interval: span(source, raw.flush_interval, usual, range)?,
        flush_rows: number_or(source, raw.flush_rows, 100_000, 1_000..=1_000_000)?,
        upkeep_after: span(
            source,
            raw.upkeep_after,
            10 * usual,
            Duration::from_secs(1)..=24 * hour,
        )?,
        retention,
        hold,
    })
}

/// Where it is in Azure's storage.
fn azure(
    source: Source<'_>,
    url: Option<Spanned<String>>,
    key_file: Option<Spanned<PathBuf>>,
    sas_file: Option<Spanned<PathBuf>>,
    identity: Option<Spanned<checked::ManagedIdentity>>,
) -> Result<Option<checked::AzureLake>, ConfigError> {
    let all = "one of `key_file`, `sas_file`, `credential = \"managed-identity\"`";
    let key = key_file.map(|file| {
        let place = file.span();
        (
            LakeCredential::KeyFile(source.resolve(file.into_inner())),
            place,
        )
    });
    let sas = sas_file.map(|file| {
        let place = file.span();
        (
            LakeCredential::SasFile(source.resolve(file.into_inner())),
            place,
        )
    });
    let identity = identity.map(|identity| {
        let place = identity.span();
        (LakeCredential::Credential(identity.into_inner()), place)
    });
    let mut credentials = key.into_iter().chain(sas).chain(identity);
    let (first, second) = (credentials.next(), credentials.next());
    if let Some((_, place)) = second {
        return Err(source
            .error("there are two credentials", place)
            .expected(all));
    }
    let Some(url) = url else {
        return match first {
            None => Ok(None),
            Some((_, place)) => Err(source
                .error("a credential for a lake that is in the data folder", place)
                .expected("`url` beside it, which says where in Azure's storage the lake is")),
        };
    };
    if let Err(error) = url.get_ref().parse::<AzureUrl>() {
        let error = source.error(error.to_string(), url.span());
        return Err(error
            .expected("one such as \"https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER\""));
    }
    let Some((credential, _)) = first else {
        let error = source.error("it is not said what opens the storage", url.span());
        return Err(error.expected(all));
    };
    Ok(Some(checked::AzureLake {
        url: url.into_inner(),
        credential,
    }))
}

fn retention(source: Source<'_>, raw: raw::Retention) -> Result<checked::Retention, ConfigError> {
    let mut channels = BTreeMap::new();
    for (name, age) in raw.channels {
        let same = |known: &&String| known.eq_ignore_ascii_case(name.get_ref());
        if let Some(known) = channels.keys().find(same) {
            let error = source.error(format!("the channel {known:?} is there twice"), name.span());
            return Err(error.expected("each channel once: case does not matter"));
        }
        channels.insert(name.into_inner(), age);
    }
    Ok(checked::Retention {
        events: raw.events,
        event_text: raw.event_text,
        event_counts: raw.event_counts,
        iis: raw.iis,
        failed_requests: raw.failed_requests,
        counters: raw.counters,
        sign_ins: raw.sign_ins,
        operations: raw.operations,
        channels,
    })
}

fn one_hold(source: Source<'_>, raw: Spanned<raw::Hold>) -> Result<checked::Hold, ConfigError> {
    let place = raw.span();
    let raw = raw.into_inner();
    for table in &raw.tables {
        let known: Vec<&str> = windrow_lake::table_names().collect();
        if !known.contains(&table.get_ref().as_str()) {
            let error = source.error(
                format!("there is no table {:?}", table.get_ref()),
                table.span(),
            );
            let error = error.expected(format!("one of {}", known.join(", ")));
            return Err(match suggest::nearest(table.get_ref(), known) {
                Some(near) => error.with_hint(format!("did you mean {near:?}?")),
                None => error,
            });
        }
    }
    let has_events = raw.tables.is_empty() || raw.tables.iter().any(|it| it.get_ref() == "events");
    if let Some(channel) = raw.channels.first().filter(|_| !has_events) {
        let error = source.error("it names channels and not the table events", channel.span());
        return Err(error.expected("`events` among its tables: no other table has channels"));
    }
    let (from, to) = (date(source, raw.from)?, date(source, raw.to)?);
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        let error = source.error(
            format!("it ends on {to}, before it begins on {from}"),
            place,
        );
        return Err(error.expected("`from` not after `to`"));
    }
    let names = |names: Vec<Spanned<String>>| names.into_iter().map(Spanned::into_inner).collect();
    Ok(checked::Hold {
        tables: names(raw.tables),
        channels: names(raw.channels),
        from,
        to,
        reason: raw.reason,
    })
}

fn date(source: Source<'_>, raw: Option<Spanned<String>>) -> Result<Option<Date>, ConfigError> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    match raw.get_ref().parse() {
        Ok(date) => Ok(Some(date)),
        Err(_) => {
            let error = source.error(format!("{:?} is not a date", raw.get_ref()), raw.span());
            Err(error.expected("a date such as \"2026-11-21\""))
        }
    }
}
