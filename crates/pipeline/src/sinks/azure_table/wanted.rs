//! Which events a sink writes.

use windrow_formats::batch::file::{FileClass, FileReference};
use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::Event;
use windrow_formats::wef::audience::{Audience, MachineName};

use super::{AzureTable, Table, traces};

/// What was last found of a machine: the events of a batch are of one.
#[derive(Default)]
pub(super) struct Wanted {
    last: Option<(String, bool)>,
}

impl Wanted {
    /// Whether an event becomes a row.
    pub(super) fn keeps(&mut self, sink: &AzureTable, event: Event<'_>, header: &Header) -> bool {
        let table = match header.kind {
            Kind::Own => Table::InfrastructureLogs,
            Kind::Wef | Kind::Evtx | Kind::File => Table::WindowsEventLogs,
            Kind::Etl => Table::EventTraces,
        };
        if !sink.tables.contains(&table) {
            return false;
        }
        if header.kind == Kind::Own {
            let level = event.level().unwrap_or_default();
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            return sink.own_level.takes(level) && sink.selection.keeps(event, header);
        }
        let has_come_by =
            |name: &String| header.kind != Kind::Wef || header.subscription.as_ref() == Some(name);
        if !sink.subscription.as_ref().is_none_or(has_come_by) {
            return false;
        }
        if header.kind == Kind::Etl && traces::table_of(sink, event, header).is_none() {
            return false;
        }
        self.is_of(sink.machines.as_ref(), event, header) && sink.selection.keeps(event, header)
    }

    /// Whether an event is of one of these machines: of who the sender proved to be, and from a file of the computer it names.
    fn is_of(&mut self, machines: Option<&Audience>, event: Event<'_>, header: &Header) -> bool {
        let Some(machines) = machines else {
            return true;
        };
        let computer = match header.kind {
            Kind::Wef | Kind::Etl | Kind::File => None,
            Kind::Evtx | Kind::Own => event.computer(),
        };
        let name = computer.as_deref().unwrap_or(&header.source);
        if let Some((last, is_of)) = &self.last
            && last == name
        {
            return *is_of;
        }
        let found = MachineName::of_listed(name).is_ok_and(|name| machines.matches(&name));
        self.last = Some((name.to_owned(), found));
        found
    }
}

/// Whether values of the counters in a file become rows.
pub(super) fn keeps_file(sink: &AzureTable, header: &Header, reference: &FileReference) -> bool {
    let folder = header.subscription.as_deref().unwrap_or_default();
    let folders = &sink.counters.folders;
    let is_of = |machines: &Audience| {
        MachineName::of_listed(&header.source).is_ok_and(|name| machines.matches(&name))
    };
    sink.tables.contains(&Table::PerformanceCounters)
        && reference.class == FileClass::Counters
        && (folders.is_empty() || folders.contains(folder))
        && sink.machines.as_ref().is_none_or(is_of)
}
