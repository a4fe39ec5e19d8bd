//! A row of `WADWindowsEventLogsTable`.

use std::borrow::Cow;

use jiff::Timestamp;

use super::keys::{Counter, Origin, Partition};
use super::{begin, column, end, happened, int, text, xml};
use crate::azure::Entity;
use crate::describe;
use crate::event::Event;

/// The row of an event that came in at `arrived`, which also stands for an event without a time of its own.
///
/// `RawXml` is a whole Event whatever the event's length: without what the machine rendered where it is too long with it,
/// and then without its data. `Description` is what the machine rendered, else our words for a common event, and cut to what a
/// property holds.
pub fn windows_event<'a>(
    event: Event<'a>,
    origin: &Origin<'a>,
    arrived: Timestamp,
    partition: &Partition,
    counter: Counter,
) -> Entity<'a> {
    let at = happened(event, arrived);
    let provider = event.provider_name().unwrap_or_default();
    let description = description(event, &provider);
    let mut properties = begin(at, origin);
    properties.extend([
        column(
            "ProviderGuid",
            text(event.provider_guid().unwrap_or_default()),
        ),
        column("ProviderName", text(provider)),
        column("EventId", int(event.event_id())),
        column("Level", int(event.level())),
        column("Pid", int(event.process_id())),
        column("Tid", int(event.thread_id())),
        column("Opcode", int(event.opcode())),
        column("Task", int(event.task())),
        column("Channel", text(event.channel().unwrap_or_default())),
        column("Description", text(description)),
        column("RawXml", text(xml::that_fits(event))),
    ]);
    end(&mut properties, at, counter, partition);
    Entity {
        partition_key: partition.to_string().into(),
        row_key: origin.row_key(counter).into(),
        properties,
    }
}

fn description<'a>(event: Event<'a>, provider: &str) -> Cow<'a, str> {
    let rendering = event.rendering();
    let message = rendering.and_then(|rendering| rendering.message());
    message
        .filter(|message| !message.is_empty())
        .or_else(|| describe::describe(provider, event.event_id()?).map(Cow::Borrowed))
        .unwrap_or_default()
}
