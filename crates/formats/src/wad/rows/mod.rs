//! Rows of the tables that Azure Diagnostics wrote, for those who read them.
//!
//! Which columns there are and of which types is what readers of the old agent's tables were made for: Microsoft's
//! Logstash input, Log Analytics and viewers. What an event does not say is the type's zero or an empty text, as from the
//! agent: a reader with typed columns does not expect one to be absent.

mod counter;
mod directory;
mod event;
mod keys;
mod own;
mod range;
#[cfg(test)]
mod tests;
mod trace;
mod windows_event;
mod xml;

pub use counter::{Measured, performance_counter};
pub use directory::{DirectoryFile, directory};
pub use event::{event_xml, row_time};
pub use keys::{Counter, Origin, Partition};
pub use own::infrastructure_log;
pub use range::{Minutes, RowKeys, SHARDS, filter_of_shards, key_of, minute_of};
pub use trace::event_trace;
pub use windows_event::windows_event;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::azure::{Value, ticks};
use crate::event::Event;
use crate::limits::AZURE_TEXT_UNITS_MAX;
use crate::text::utf16_prefix;

/// Windows events.
pub const WINDOWS_EVENT_LOGS: &str = "WADWindowsEventLogsTable";
/// What the collecting program itself did.
pub const INFRASTRUCTURE_LOGS: &str = "WADDiagnosticInfrastructureLogsTable";

/// Events of traces, where no other table is named for them.
pub const EVENT_TRACES: &str = "WADETWEventTable";
/// Values of performance counters.
pub const PERFORMANCE_COUNTERS: &str = "WADPerformanceCountersTable";
/// Which files are in which containers.
pub const DIRECTORIES: &str = "WADDirectoriesTable";

/// When an event happened; when it came in where it does not say, or says a moment that no table can have (those can have
/// the years 1601 to 9999).
pub fn happened(event: Event<'_>, arrived: Timestamp) -> Timestamp {
    let is_in_range = |at: &Timestamp| (-11_644_473_600..253_402_300_800).contains(&at.as_second());
    event.time_created().filter(is_in_range).unwrap_or(arrived)
}

/// Properties of a row, in the order of their columns.
type Properties<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// What every row begins with.
fn begin<'a>(at: Timestamp, origin: &Origin<'a>) -> Properties<'a> {
    vec![
        column("PreciseTimeStamp", Value::Time(at)),
        column("DeploymentId", text(origin.deployment_id)),
        column("Role", text(origin.role)),
        column("RoleInstance", text(origin.role_instance)),
    ]
}

/// What every row ends with: when it happened, which row it is, and the minute of its partition.
fn end<'a>(
    properties: &mut Properties<'a>,
    at: Timestamp,
    counter: Counter,
    partition: &Partition,
) {
    properties.push(column("EventTickCount", Value::Long(ticks(at))));
    properties.push(column("RowIndex", Value::Text(counter.to_string().into())));
    properties.push(column("TIMESTAMP", Value::Time(partition.minute())));
}

fn column<'a>(name: &'static str, value: Value<'a>) -> (Cow<'a, str>, Value<'a>) {
    (Cow::Borrowed(name), value)
}

/// As much of a text as a property holds.
fn text<'a>(text: impl Into<Cow<'a, str>>) -> Value<'a> {
    Value::Text(match text.into() {
        Cow::Borrowed(text) => utf16_prefix(text, AZURE_TEXT_UNITS_MAX).into(),
        Cow::Owned(mut text) => {
            text.truncate(utf16_prefix(&text, AZURE_TEXT_UNITS_MAX).len());
            text.into()
        }
    })
}

/// A number that the column's type has no room for is as good as none.
fn int<'a>(number: Option<u32>) -> Value<'a> {
    Value::Int(
        number
            .and_then(|number| i32::try_from(number).ok())
            .unwrap_or(0),
    )
}
