//! Which row of which table an event becomes.

use std::sync::Arc;

use windrow_formats::azure::Entity;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::Event;
use windrow_formats::wad::rows::{self, Counter, Origin, Partition};

use super::{AzureTable, PartitionBy, traces};
use crate::journal::Seq;

/// What stands for a machine: its name after the underscore that the agent put there. An event from the network is of whom
/// the sender proved to be; one from a file, or of our own, is of the computer it names.
pub(super) fn role_instance(header: &Header, event: Event<'_>) -> String {
    let computer = match header.kind {
        Kind::Wef | Kind::Etl | Kind::File => None,
        Kind::Evtx | Kind::Own => event.computer(),
    };
    format!("_{}", computer.as_deref().unwrap_or(&header.source))
}

/// The table, the partition and the row of an event.
pub(super) fn of_event<'a>(
    sink: &'a AzureTable,
    header: &Header,
    role_instance: &'a str,
    event: Event<'a>,
    seq: Seq,
) -> (Arc<str>, Partition, Entity<'a>) {
    let origin = Origin {
        deployment_id: &sink.deployment_id,
        role: &sink.role,
        role_instance,
    };
    let arrived = header.received_at;
    let minute = match sink.partition_by {
        PartitionBy::Arrival => arrived,
        PartitionBy::Event => rows::happened(event, arrived),
    };
    let partition = Partition::new(minute, sink.volume, &origin);
    let counter = Counter::new(sink.journal.into_bytes(), seq);
    let (table, entity) = match header.kind {
        // A batch that refers to a file has no events.
        Kind::Wef | Kind::Evtx | Kind::File => (
            rows::WINDOWS_EVENT_LOGS.into(),
            rows::windows_event(event, &origin, arrived, &partition, counter),
        ),
        Kind::Etl => (
            // It is wanted, so it has one.
            traces::table_of(sink, event, header).unwrap_or_else(|| rows::EVENT_TRACES.into()),
            rows::event_trace(event, &origin, arrived, &partition, counter),
        ),
        Kind::Own => (
            rows::INFRASTRUCTURE_LOGS.into(),
            rows::infrastructure_log(event, &origin, arrived, &partition, counter),
        ),
    };
    (table, partition, entity)
}
