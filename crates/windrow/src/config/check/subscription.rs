//! `[subscription.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use windrow_formats::suggest;
use windrow_formats::wef::audience::Pattern;
use windrow_formats::wef::baseline::{BASELINES, Baseline};
use windrow_formats::xpath::check_query_list;

use super::{At, Source, check_name, number, number_or, size, span};
use crate::config::checked::{self, Delivery};
use crate::config::{ConfigError, limits, query, raw};

/// What a name of a machine looks like, for messages.
const MACHINE_FORM: &str =
    "a name such as \"ws01.example.com\", \"WS01$@EXAMPLE.COM\" or \"dc*\"; * stands for anything";

/// A file of `conf.d` that holds one subscription of this name.
pub(in crate::config) fn subscription_object(
    name: &str,
    raw: raw::Subscription,
    groups: &[&str],
    source: Source<'_>,
) -> Result<checked::Subscription, ConfigError> {
    let at = At { source, span: 0..0 };
    check_name(&at, name)?;
    subscription(&at, raw, groups)
}

/// A file of `conf.d` that holds one group of machines of this name.
pub(in crate::config) fn group_object(
    name: &str,
    raw: raw::MachineGroup,
    source: Source<'_>,
) -> Result<checked::MachineGroup, ConfigError> {
    let at = At { source, span: 0..0 };
    check_name(&at, name)?;
    machine_group(&at, raw)
}

pub(super) fn subscription(
    at: &At<'_>,
    raw: raw::Subscription,
    groups: &[&str],
) -> Result<checked::Subscription, ConfigError> {
    let source = at.source;
    let asked = Asked {
        query: raw.query,
        file: raw.query_file,
        channels: raw.channels,
        baseline: raw.baseline,
    };
    let query = query(at, asked)?;
    not_emptied(source, &raw.machine_groups)?;
    let second = Duration::from_secs(1);
    let day = Duration::from_secs(86_400);
    let usual = pace(raw.delivery);
    Ok(checked::Subscription {
        enabled: raw.enabled.unwrap_or(true),
        description: raw
            .description
            .map(|text| description(source, text))
            .transpose()?,
        query,
        machines: included(source, raw.machines)?,
        machine_groups: known_groups(source, raw.machine_groups, groups)?,
        except_machines: except(source, raw.except_machines)?,
        except_groups: known_groups(source, raw.except_groups, groups)?,
        content_format: raw
            .content_format
            .unwrap_or(checked::ContentFormat::RenderedText),
        read_existing: raw.read_existing.unwrap_or(false),
        new_channels: raw.new_channels.unwrap_or(checked::NewChannels::FromNow),
        channel_errors: raw.channel_errors.unwrap_or(checked::ChannelErrors::Ignore),
        delivery: raw.delivery,
        heartbeat: span(source, raw.heartbeat, usual.heartbeat, second * 10..=day)?,
        max_latency: span(source, raw.max_latency, usual.max_latency, second..=day)?,
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

/// The ways to say what a subscription asks for.
struct Asked {
    query: Option<Spanned<String>>,
    file: Option<Spanned<PathBuf>>,
    channels: Option<Spanned<Vec<String>>>,
    baseline: Option<Spanned<String>>,
}

/// The QueryList, whichever way it is said.
fn query(at: &At<'_>, asked: Asked) -> Result<String, ConfigError> {
    let source = at.source;
    match (asked.query, asked.file, asked.channels, asked.baseline) {
        (Some(query), None, None, None) => {
            query::inline(source, query, query::LIST_FORM, check_query_list)
        }
        (None, Some(file), None, None) => {
            query::in_file(source, file, query::LIST_FORM, check_query_list)
        }
        (None, None, Some(channels), None) => query_of_channels(source, &channels),
        (None, None, None, Some(name)) => query_of_baseline(source, &name),
        (None, None, None, None) => {
            let error = at.error("the subscription asks for nothing");
            Err(error.expected("one of `baseline`, `channels`, `query`, `query_file`"))
        }
        _ => {
            let error = at.error("the subscription says in more than one way what it asks for");
            Err(error.expected("only one of `baseline`, `channels`, `query`, `query_file`"))
        }
    }
}

fn query_of_baseline(source: Source<'_>, name: &Spanned<String>) -> Result<String, ConfigError> {
    if let Some(baseline) = Baseline::named(name.get_ref()) {
        return Ok(baseline.query_list());
    }
    let names: Vec<&str> = BASELINES.iter().map(|baseline| baseline.name).collect();
    let message = format!("there is no baseline `{}`", name.get_ref());
    Err(source
        .error(message, name.span())
        .expected(format!("one of {}", names.join(", "))))
}

/// How often a machine speaks.
struct Pace {
    heartbeat: Duration,
    max_latency: Duration,
}

/// What Windows' own collector asks for under these names (Event Delivery Optimization Options);
/// without one, events within half a minute and a sign of life every quarter of an hour.
fn pace(delivery: Option<Delivery>) -> Pace {
    let (heartbeat, max_latency) = match delivery {
        None => (900, 30),
        Some(Delivery::Normal) => (900, 900),
        Some(Delivery::MinimizeBandwidth) => (21_600, 21_600),
        Some(Delivery::MinimizeLatency) => (3_600, 30),
    };
    Pace {
        heartbeat: Duration::from_secs(heartbeat),
        max_latency: Duration::from_secs(max_latency),
    }
}

fn description(source: Source<'_>, text: Spanned<String>) -> Result<String, ConfigError> {
    let good = |c: char| !c.is_control();
    if text.get_ref().len() <= limits::MAX_DESCRIPTION_BYTES && text.get_ref().chars().all(good) {
        return Ok(text.into_inner());
    }
    let most = limits::MAX_DESCRIPTION_BYTES;
    Err(source
        .error("this cannot be a description", text.span())
        .expected(format!("one line of at most {most} bytes")))
}

/// `[machine_group.NAME]`
pub(super) fn machine_group(
    at: &At<'_>,
    raw: raw::MachineGroup,
) -> Result<checked::MachineGroup, ConfigError> {
    if raw.members.get_ref().is_empty() {
        let error = at.error("the group has nobody in it");
        return Err(error.expected("members = [\"dc01.example.com\", \"dc02.example.com\"]"));
    }
    Ok(checked::MachineGroup {
        members: machines(at.source, Some(raw.members))?,
    })
}

/// Names of machines, each with `*` and `?` for what may be anything.
fn machines(
    source: Source<'_>,
    list: Option<raw::List<String>>,
) -> Result<Vec<String>, ConfigError> {
    let list = items(source, list, limits::MAX_MACHINE_PATTERNS)?;
    for name in &list {
        if let Err(error) = Pattern::compile(name.get_ref()) {
            let error = source.error(error.to_string(), name.span());
            return Err(error.expected(MACHINE_FORM));
        }
    }
    Ok(list.into_iter().map(Spanned::into_inner).collect())
}

/// Names of machines that a subscription is for. A list that was emptied would be for every one.
pub(super) fn included(
    source: Source<'_>,
    list: Option<raw::List<String>>,
) -> Result<Vec<String>, ConfigError> {
    not_emptied(source, &list)?;
    machines(source, list)
}

pub(super) fn not_emptied(
    source: Source<'_>,
    list: &Option<raw::List<String>>,
) -> Result<(), ConfigError> {
    if let Some(list) = list.as_ref().filter(|list| list.get_ref().is_empty()) {
        let error = source.error("the list names nobody", list.span());
        return Err(error.with_hint(
            "without the key it is for every machine; `enabled = false` switches it off",
        ));
    }
    Ok(())
}

/// Names of machines that a subscription is not for.
fn except(source: Source<'_>, list: Option<raw::List<String>>) -> Result<Vec<String>, ConfigError> {
    let everyone = |name: &&Spanned<String>| {
        let name = name.get_ref();
        !name.is_empty() && name.chars().all(|c| c == '*')
    };
    let all = list
        .as_ref()
        .and_then(|list| list.get_ref().iter().find(everyone));
    if let Some(all) = all {
        let error = source.error("every machine is left out", all.span());
        return Err(error.with_hint("`enabled = false` switches a subscription off"));
    }
    machines(source, list)
}

pub(super) fn known_groups(
    source: Source<'_>,
    list: Option<raw::List<String>>,
    known: &[&str],
) -> Result<Vec<String>, ConfigError> {
    let list = items(source, list, limits::MAX_TABLES_A_KIND)?;
    for name in &list {
        if !known.contains(&name.get_ref().as_str()) {
            let message = format!("there is no [machine_group.{}]", name.get_ref());
            let error = source.error(message, name.span());
            let near = suggest::nearest(name.get_ref(), known.iter().copied());
            return Err(match near {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
    }
    Ok(list.into_iter().map(Spanned::into_inner).collect())
}

fn items(
    source: Source<'_>,
    list: Option<raw::List<String>>,
    most: usize,
) -> Result<Vec<Spanned<String>>, ConfigError> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    if list.get_ref().len() > most {
        let message = format!("the list has more than {most} names");
        return Err(source.error(message, list.span()));
    }
    Ok(list.into_inner())
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
    let is_odd = |c: char| c.is_control() || r#"<>"&|?*\"#.contains(c);
    if let Some(odd) = list.iter().find(|name| name.contains(is_odd)) {
        let message = format!("no channel can be called {odd:?}");
        let error = source.error(message, channels.span());
        return Err(error.expected("names such as [\"Security\", \"System\"]"));
    }
    let query = query::of_channels(list);
    check_query_list(&query)
        .map_err(|error| source.error(error.fault.to_string(), channels.span()))?;
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
