//! `[sink.syslog.NAME.filter]`.

use std::ops::Range;

use toml::Spanned;
use windrow_formats::limits::SELECTION_ITEMS_MAX;
use windrow_formats::selection::Names;
use windrow_formats::xpath::Filter;

use super::Source;
use crate::config::filter::{EventIdRange, SinkFilter};
use crate::config::{ConfigError, query, raw};

/// What a name looks like, for messages.
const NAME_FORM: &str = "a name such as \"Security\" or \"*.example.com\"; * stands for anything";
/// What a query looks like, for messages.
const QUERY_FORM: &str =
    "an event query such as \"*[System[EventID=4624]]\", \"Security!*\" or a <QueryList>";

pub(super) fn sink_filter(
    source: Source<'_>,
    raw: raw::SinkFilter,
) -> Result<SinkFilter, ConfigError> {
    let query = match (raw.query, raw.query_file) {
        (Some(_), Some(file)) => {
            let error = source.error("there is a `query` beside it", file.span());
            return Err(error.expected("only one of `query`, `query_file`"));
        }
        (Some(query), None) => Some(query::inline(source, query, QUERY_FORM, Filter::compile)),
        (None, Some(file)) => Some(query::in_file(source, file, QUERY_FORM, Filter::compile)),
        (None, None) => None,
    };
    Ok(SinkFilter {
        channels: names(source, raw.channels)?,
        exclude_channels: unwanted(source, raw.exclude_channels)?,
        event_ids: ids(source, raw.event_ids)?,
        exclude_event_ids: ids(source, raw.exclude_event_ids)?,
        providers: names(source, raw.providers)?,
        exclude_providers: unwanted(source, raw.exclude_providers)?,
        computers: names(source, raw.computers)?,
        exclude_computers: unwanted(source, raw.exclude_computers)?,
        query: query.transpose()?,
    })
}

fn names(source: Source<'_>, list: Option<raw::List<String>>) -> Result<Vec<String>, ConfigError> {
    let list = items(source, list)?;
    for name in &list {
        if let Err(error) = Names::new([name.get_ref().as_str()]) {
            return Err(source
                .error(error.to_string(), name.span())
                .expected(NAME_FORM));
        }
    }
    let names = list
        .into_iter()
        .map(|name| name.into_inner().trim().to_owned());
    Ok(names.collect())
}

/// Names that are left out: all of them would leave nothing.
fn unwanted(
    source: Source<'_>,
    list: Option<raw::List<String>>,
) -> Result<Vec<String>, ConfigError> {
    let places: Vec<Range<usize>> = list
        .iter()
        .flat_map(|list| list.get_ref())
        .map(Spanned::span)
        .collect();
    let names = names(source, list)?;
    let everything = names
        .iter()
        .position(|name| name.trim_matches('*').is_empty());
    match everything.and_then(|at| places.get(at)) {
        None => Ok(names),
        Some(place) => Err(source
            .error("this leaves out every event", place.clone())
            .with_hint("to send nothing for a while, set `enabled = false`")),
    }
}

fn ids(
    source: Source<'_>,
    list: Option<raw::List<EventIdRange>>,
) -> Result<Vec<EventIdRange>, ConfigError> {
    let list = items(source, list)?;
    Ok(list.into_iter().map(Spanned::into_inner).collect())
}

fn items<T>(
    source: Source<'_>,
    list: Option<raw::List<T>>,
) -> Result<Vec<Spanned<T>>, ConfigError> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let span = list.span();
    let list = list.into_inner();
    if list.is_empty() {
        let error = source.error("the list is empty", span);
        return Err(error.with_hint("leave it out: then it leaves nothing out"));
    }
    if list.len() > SELECTION_ITEMS_MAX {
        let message = format!("more than {SELECTION_ITEMS_MAX} in one list");
        let error = source.error(message, span);
        return Err(error.with_hint("ranges, names with * and queries say more with less"));
    }
    Ok(list)
}
