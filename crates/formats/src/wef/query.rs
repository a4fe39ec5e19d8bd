//! What a subscription's query asks for, and how a channel joins it without its past.
//!
//! Windows replays a channel from its oldest event when the bookmark that it is given lacks it. A
//! query that gains a channel would so fetch months of it from every machine. Held back is what is
//! older than the moment the channel was first asked for:
//!
//! ```text
//! <Suppress Path="Setup">*[System[TimeCreated[@SystemTime&lt;'2026-11-22T12:00:00.000Z']]]</Suppress>
//! ```
//!
//! An invented place in the bookmark would silence a channel whose ids are below it; this cannot.

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};

use crate::limits::{BOOKMARK_BYTES_MAX, QUERY_LIST_BYTES_MAX, QUERY_LIST_SELECTORS_MAX};
use crate::xpath::query_list::{self, Kind, RawQuery};
use crate::xpath::{FilterError, FilterFault};

/// The channels that a QueryList selects events of, each once, in their order. What its
/// expressions say is not looked at.
///
/// # Errors
/// When it is no QueryList.
pub fn channels(query_list: &str) -> Result<Vec<String>, FilterError> {
    let queries = query_list::read(query_list)?;
    let mut channels = Vec::new();
    for query in &queries {
        for channel in selected(query) {
            push_new(&mut channels, channel);
        }
    }
    Ok(channels.into_iter().map(str::to_owned).collect())
}

/// Whether a channel is of a kind that nobody can subscribe to (analytic, debug), as its name says.
#[must_use]
pub fn is_direct(channel: &str) -> bool {
    let last = channel.rsplit(['/', '-']).next().unwrap_or_default();
    last.eq_ignore_ascii_case("Analytic") || last.eq_ignore_ascii_case("Debug")
}

/// What a Query of a QueryList asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its Id; a claim of whoever wrote it, and not always there.
    pub id: Option<String>,
    /// The channels that it selects events of, each once.
    pub channels: Vec<String>,
    /// Selects.
    pub selects: usize,
    /// Suppresses.
    pub suppresses: usize,
}

/// The Queries of a QueryList, in their order. What their expressions say is not looked at.
///
/// # Errors
/// When it is no QueryList.
pub fn outline(query_list: &str) -> Result<Vec<Outline>, FilterError> {
    let queries = query_list::read(query_list)?;
    let outline = |query: &RawQuery| {
        let of = |kind| query.selectors.iter().filter(|of| of.kind == kind).count();
        Outline {
            id: query.id.clone(),
            channels: selected(query).into_iter().map(str::to_owned).collect(),
            selects: of(Kind::Select),
            suppresses: of(Kind::Suppress),
        }
    };
    Ok(queries.iter().map(outline).collect())
}

/// The QueryList with what is older than `since`, cut to its millisecond, held back from these
/// channels, in every Query that selects them. Everything else stays byte for byte, and what is
/// already held back so is not held back twice.
///
/// # Errors
/// When it is no QueryList, or has no room for so much more.
pub fn with_history_suppressed(
    query_list: &str,
    channels: &[&str],
    since: Timestamp,
) -> Result<String, FilterError> {
    let queries = query_list::read(query_list)?;
    let expression = format!(
        "*[System[TimeCreated[@SystemTime<'{}']]]",
        since.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    );
    let mut selectors: usize = queries.iter().map(|query| query.selectors.len()).sum();
    let mut out = String::with_capacity(query_list.len() + 256);
    let mut copied = 0;
    for query in &queries {
        out.push_str(&query_list[copied..query.at.end]);
        copied = query.at.end;
        for channel in selected(query) {
            let wanted = channels
                .iter()
                .any(|name| name.eq_ignore_ascii_case(channel));
            if wanted && !is_suppressed(query, channel, &expression) {
                push_suppress(prefix(query_list, query), channel, &expression, &mut out);
                selectors += 1;
            }
        }
    }
    out.push_str(&query_list[copied..]);
    let fault = if out.len() > QUERY_LIST_BYTES_MAX {
        FilterFault::TooLong
    } else if selectors > QUERY_LIST_SELECTORS_MAX {
        FilterFault::TooManySelectors
    } else {
        return Ok(out);
    };
    let at = 0..query_list.len();
    Err(FilterError { fault, at })
}

/// The channels of which a QueryList selects every event: only there does a record id that is left
/// out say that an event is missing.
///
/// # Errors
/// When it is no QueryList.
pub fn whole_channels(query_list: &str) -> Result<Vec<String>, FilterError> {
    let queries = query_list::read(query_list)?;
    let mut channels = Vec::new();
    for query in &queries {
        let of = |kind| {
            let selectors = query.selectors.iter();
            selectors.filter(move |selector| selector.kind == kind)
        };
        let suppressed: Vec<&str> = of(Kind::Suppress)
            .filter_map(|selector| path(query, &selector.path))
            .collect();
        let takes_all = |text: &str| matches!(text.trim_ascii(), "*" | "Event");
        for selector in of(Kind::Select).filter(|selector| takes_all(selector.text.as_str())) {
            if let Some(channel) = path(query, &selector.path)
                && !suppressed
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(channel))
            {
                push_new(&mut channels, channel);
            }
        }
    }
    Ok(channels.into_iter().map(str::to_owned).collect())
}

/// The channels that a bookmark has a place in; `None` when it is no BookmarkList: a bookmark is a
/// cookie of whoever made it, and nothing else is known of it.
#[must_use]
pub fn bookmarked_channels(bookmark: &str) -> Option<Vec<String>> {
    let places = bookmarked_places(bookmark)?.into_iter();
    Some(places.map(|(channel, _)| channel).collect())
}

/// The same, each with the record id it has come to, where it says one.
#[must_use]
pub fn bookmarked_places(bookmark: &str) -> Option<Vec<(String, Option<u64>)>> {
    if bookmark.len() > BOOKMARK_BYTES_MAX {
        return None;
    }
    let mut reader = Reader::from_str(bookmark);
    let mut places = Vec::new();
    let mut in_list = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name();
                match name.as_ref() {
                    "BookmarkList" => in_list = true,
                    "Bookmark" if in_list => {
                        if let Some(channel) = attribute(&element, "Channel") {
                            let record_id = attribute(&element, "RecordId");
                            places.push((channel, record_id.and_then(|id| id.parse().ok())));
                        }
                    }
                    _ if in_list => {}
                    _ => return None,
                }
            }
            Event::Eof => return in_list.then_some(places),
            Event::DocType(_) => return None,
            _ => {}
        }
    }
}

/// The bookmark with places of further channels at its end; as it is where it is no BookmarkList.
#[must_use]
pub fn with_places<'a>(bookmark: &str, places: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let end = bookmark.rfind("</");
    let Some(end) = end.filter(|end| bookmark[*end..].contains("BookmarkList")) else {
        return bookmark.to_owned();
    };
    let mut longer = bookmark[..end].to_owned();
    for (channel, record_id) in places {
        longer.push_str("<Bookmark Channel=\"");
        longer.push_str(&escape(channel));
        longer.push_str(&format!("\" RecordId=\"{record_id}\"/>"));
    }
    longer.push_str(&bookmark[end..]);
    longer
}

/// The channels of a QueryList that a bookmark lacks: Windows would replay them. None are lacked
/// when the bookmark is no BookmarkList.
///
/// # Errors
/// When the first is no QueryList.
pub fn channels_without_bookmark(
    query_list: &str,
    bookmark: &str,
) -> Result<Vec<String>, FilterError> {
    let mut lacking = channels(query_list)?;
    let known = bookmarked_channels(bookmark);
    lacking.retain(|channel| {
        let has = |known: &Vec<String>| known.iter().any(|name| name.eq_ignore_ascii_case(channel));
        known.as_ref().is_some_and(|known| !has(known))
    });
    Ok(lacking)
}

/// The channels that a Query selects, each once, as it spells them.
fn selected(query: &RawQuery) -> Vec<&str> {
    let mut channels = Vec::new();
    for selector in &query.selectors {
        if let (Kind::Select, Some(channel)) = (selector.kind, path(query, &selector.path)) {
            push_new(&mut channels, channel);
        }
    }
    channels
}

/// The channel that a selector is for: its own path, or that of its Query.
fn path<'a>(query: &'a RawQuery, own: &'a Option<String>) -> Option<&'a str> {
    own.as_deref().or(query.path.as_deref())
}

fn push_new<'a>(channels: &mut Vec<&'a str>, channel: &'a str) {
    let known = |name: &&str| name.eq_ignore_ascii_case(channel);
    if !channels.iter().any(known) {
        channels.push(channel);
    }
}

fn is_suppressed(query: &RawQuery, channel: &str, expression: &str) -> bool {
    query.selectors.iter().any(|selector| {
        let of = path(query, &selector.path);
        selector.kind == Kind::Suppress
            && of.is_some_and(|of| of.eq_ignore_ascii_case(channel))
            && selector.text.as_str().trim_ascii() == expression
    })
}

/// What stands before the colon of the Query's name, with the colon.
fn prefix<'a>(xml: &'a str, query: &RawQuery) -> &'a str {
    let tag = xml
        .get(query.at.start + 1..query.at.end)
        .unwrap_or_default();
    let name = tag
        .split(|c: char| c.is_whitespace() || "/>".contains(c))
        .next();
    let name = name.unwrap_or_default();
    name.find(':').map_or("", |colon| &name[..=colon])
}

fn push_suppress(prefix: &str, channel: &str, expression: &str, out: &mut String) {
    out.push_str(&format!("<{prefix}Suppress Path=\""));
    // Nothing is replaced: the name has to be the one of the Select.
    out.push_str(&escape(channel));
    out.push_str("\">");
    out.push_str(&expression.replace('<', "&lt;"));
    out.push_str(&format!("</{prefix}Suppress>"));
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = element.try_get_attribute(name).ok()??.value;
    Some(unescape(&value).ok()?.into_owned())
}

#[cfg(test)]
mod tests;
