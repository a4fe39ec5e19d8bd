//! A row of `WADDiagnosticInfrastructureLogsTable`: what the collecting program says of its own work.

use jiff::Timestamp;

use super::keys::{Counter, Origin, Partition};
use super::{begin, column, end, happened, int, text};
use crate::azure::{Entity, Value};
use crate::event::Event;

/// The row of one of our own events, with its provider as the `Function`. Places in source code and
/// results of functions, which the old agent told of itself, stand for nothing here.
pub fn infrastructure_log<'a>(
    event: Event<'a>,
    origin: &Origin<'a>,
    arrived: Timestamp,
    partition: &Partition,
    counter: Counter,
) -> Entity<'a> {
    let at = happened(event, arrived);
    let message = event.rendering().and_then(|rendering| rendering.message());
    let mut properties = begin(at, origin);
    properties.extend([
        column("Level", int(event.level())),
        column(
            "ProviderGuid",
            text(event.provider_guid().unwrap_or_default()),
        ),
        column("EventId", int(event.event_id())),
        column("Pid", int(event.process_id())),
        column("Tid", int(event.thread_id())),
        column("ActivityId", text(event.activity_id().unwrap_or_default())),
        column("Function", text(event.provider_name().unwrap_or_default())),
        column("Line", Value::Int(0)),
        column("MDRESULT", Value::Int(0)),
        column("ErrorCode", Value::Int(0)),
        column("ErrorCodeMsg", text("")),
        column("Message", text(message.unwrap_or_default())),
    ]);
    end(&mut properties, at, counter, partition);
    Entity {
        partition_key: partition.to_string().into(),
        row_key: origin.row_key(counter).into(),
        properties,
    }
}
