//! A row of `WADETWEventTable`, or of the table that a configuration names for a provider: an event of a trace.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::keys::{Counter, Origin, Partition};
use super::{begin, column, end, happened, int, text};
use crate::azure::Entity;
use crate::event::Event;

/// The row of an event of a trace, with its fields and their names as the `EventMessage`.
pub fn event_trace<'a>(
    event: Event<'a>,
    origin: &Origin<'a>,
    arrived: Timestamp,
    partition: &Partition,
    counter: Counter,
) -> Entity<'a> {
    let at = happened(event, arrived);
    let rendering = event.rendering();
    let said = |value: Option<Cow<'a, str>>| text(value.unwrap_or_default());
    let keywords = rendering.map(|it| it.keywords().collect::<Vec<_>>().join(" "));
    let mut properties = begin(at, origin);
    properties.extend([
        column("ProviderGuid", said(event.provider_guid())),
        column("ProviderName", said(event.provider_name())),
        column("EventId", int(event.event_id())),
        column("Level", int(event.level())),
        column("Pid", int(event.process_id())),
        column("Tid", int(event.thread_id())),
        column("OpcodeName", said(rendering.and_then(|it| it.opcode()))),
        column("KeywordName", text(keywords.unwrap_or_default())),
        column("TaskName", said(rendering.and_then(|it| it.task()))),
        column("ChannelName", said(event.channel())),
        column("EventMessage", text(message(event))),
        column("ActivityId", said(event.activity_id())),
    ]);
    end(&mut properties, at, counter, partition);
    Entity {
        partition_key: partition.to_string().into(),
        row_key: origin.row_key(counter).into(),
        properties,
    }
}

/// `name="value"` of each field.
fn message(event: Event<'_>) -> String {
    let mut message = String::new();
    for item in event.data() {
        if !message.is_empty() {
            message.push(' ');
        }
        // Writing to a String cannot fail.
        let _ = match &item.name {
            Some(name) => write!(message, "{name}={:?}", item.value),
            None => write!(message, "{}", item.value),
        };
    }
    message
}
