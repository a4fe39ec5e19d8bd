//! Which table an event of a trace goes to.

use std::collections::BTreeSet;
use std::sync::Arc;

use windrow_formats::batch::Header;
use windrow_formats::event::Event;
use windrow_formats::wad::LogLevel;
use windrow_formats::wad::rows;

use super::AzureTable;

/// Which events of traces a sink writes, and where.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// Of which watched folders; of all where none is named.
    pub folders: BTreeSet<String>,
    /// The tables of providers. Where none is named, all events go to the usual table.
    pub tables: Vec<TraceTable>,
}

/// The table of a provider's events.
#[derive(Clone, Debug)]
pub struct TraceTable {
    /// Name of the provider, or its GUID.
    pub provider: String,
    /// The event that it is for; all others of the provider where none is said.
    pub event_id: Option<u32>,
    /// Its name.
    pub table: Arc<str>,
    /// How grave events have to be, graver ones included.
    pub level: LogLevel,
    /// Of these keywords events have to have one; 0 where any do.
    pub keywords: u64,
}

/// The table of an event; none where the sink does not write it.
pub(super) fn table_of(sink: &AzureTable, event: Event<'_>, header: &Header) -> Option<Arc<str>> {
    let Traces { folders, tables } = &sink.traces;
    let folder = header.subscription.as_deref().unwrap_or_default();
    if !folders.is_empty() && !folders.contains(folder) {
        return None;
    }
    if tables.is_empty() {
        return Some(rows::EVENT_TRACES.into());
    }
    let id = event.event_id();
    let name = event.provider_name();
    let guid = event.provider_guid();
    let is_of = |table: &&TraceTable| {
        let is_name = |name: &str| name.eq_ignore_ascii_case(&table.provider);
        name.as_deref().is_some_and(is_name)
            || guid.as_deref().is_some_and(|guid| is_name(bare(guid)))
    };
    let of_provider = || tables.iter().filter(is_of);
    let own = of_provider().find(|table| table.event_id.is_some() && table.event_id == id);
    let table = own.or_else(|| of_provider().find(|table| table.event_id.is_none()))?;
    let level = u8::try_from(event.level().unwrap_or_default()).unwrap_or(u8::MAX);
    let keywords = event.keywords().unwrap_or_default();
    let is_meant = table.keywords == 0 || keywords & table.keywords != 0;
    (is_meant && table.level.takes(level)).then(|| Arc::clone(&table.table))
}

/// A GUID without its braces.
fn bare(guid: &str) -> &str {
    guid.trim_start_matches('{').trim_end_matches('}')
}
