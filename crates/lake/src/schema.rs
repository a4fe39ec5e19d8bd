//! The columns of the table `events`: one row an event, the same on disk, in the tail and in a query.
//!
//! Invariants: a column's name, type and position never change within a schema version; types are
//! those every Delta reader knows (signed integers, UTF-8, UTC microseconds, one map), so that the
//! table stays at reader 1 and writer 2. `docs/lake-schema.md` describes every column; a test holds
//! the two together.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Name of the table, and of the view that queries see.
pub(crate) const EVENTS: &str = "events";

/// Version of the columns below, kept in the table property [`SCHEMA_VERSION_KEY`].
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// Table property that holds [`SCHEMA_VERSION`].
pub(crate) const SCHEMA_VERSION_KEY: &str = "windrow.schemaVersion";

/// The partition column: the date of the event as `YYYY-MM-DD`, see [`crate::RowBuilder`].
pub(crate) const DATE: &str = "date";

/// Columns whose least and greatest value each data file carries in the log, so that a query skips files.
pub(crate) const SKIPPING_COLUMNS: [&str; 7] = [
    "time",
    "received_at",
    "seq",
    "event_id",
    "computer",
    "channel",
    "record_id",
];

/// Whether a value may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Always,
    Maybe,
}

/// Type of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Long,
    Time,
    Bytes,
    Map,
}

/// One column: name, type, presence.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
}

const fn always(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        presence: Presence::Always,
    }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        presence: Presence::Maybe,
    }
}

/// Every column, in the order of the table.
pub(crate) const COLUMNS: [Column; 59] = [
    always("event_key", Kind::Bytes),
    always(DATE, Kind::Text),
    maybe("time", Kind::Time),
    always("received_at", Kind::Time),
    always("origin", Kind::Text),
    always("source", Kind::Text),
    maybe("address", Kind::Text),
    maybe("subscription", Kind::Text),
    maybe("seq", Kind::Long),
    maybe("channel", Kind::Text),
    maybe("computer", Kind::Text),
    maybe("provider", Kind::Text),
    maybe("provider_guid", Kind::Text),
    maybe("event_source", Kind::Text),
    maybe("event_id", Kind::Int),
    maybe("qualifiers", Kind::Int),
    maybe("version", Kind::Int),
    maybe("level", Kind::Int),
    maybe("task", Kind::Int),
    maybe("task_name", Kind::Text),
    maybe("opcode", Kind::Int),
    maybe("keywords", Kind::Long),
    maybe("outcome", Kind::Text),
    maybe("record_id", Kind::Long),
    maybe("process_id", Kind::Long),
    maybe("thread_id", Kind::Long),
    maybe("activity_id", Kind::Text),
    maybe("related_activity_id", Kind::Text),
    maybe("user_sid", Kind::Text),
    maybe("target_user", Kind::Text),
    maybe("target_domain", Kind::Text),
    maybe("target_sid", Kind::Text),
    maybe("target_logon_id", Kind::Text),
    maybe("subject_user", Kind::Text),
    maybe("subject_domain", Kind::Text),
    maybe("subject_sid", Kind::Text),
    maybe("subject_logon_id", Kind::Text),
    maybe("member_name", Kind::Text),
    maybe("member_sid", Kind::Text),
    maybe("ip_address", Kind::Text),
    maybe("ip_port", Kind::Int),
    maybe("dest_address", Kind::Text),
    maybe("dest_port", Kind::Int),
    maybe("workstation", Kind::Text),
    maybe("logon_type", Kind::Int),
    maybe("authentication_package", Kind::Text),
    maybe("process_name", Kind::Text),
    maybe("parent_process", Kind::Text),
    maybe("command_line", Kind::Text),
    maybe("service_name", Kind::Text),
    maybe("object_name", Kind::Text),
    maybe("status", Kind::Text),
    maybe("sub_status", Kind::Text),
    maybe("event_data", Kind::Map),
    maybe("message", Kind::Text),
    always("parse_status", Kind::Text),
    maybe("parse_error", Kind::Text),
    always("flags", Kind::Int),
    maybe("event_xml", Kind::Text),
];

/// Position of a column in a row batch, by name.
pub(crate) fn position(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.name == name)
}

/// The fields of a map entry, named as Delta readers expect them.
pub(crate) fn map_entry_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Bytes => DataType::Binary,
        Kind::Map => {
            let entry = Field::new("key_value", DataType::Struct(map_entry_fields()), false);
            DataType::Map(Arc::new(entry), false)
        }
    }
}

/// The Arrow schema of a row batch, partition column included.
pub(crate) fn arrow_schema() -> SchemaRef {
    let field = |column: &Column| {
        Field::new(
            column.name,
            data_type(column.kind),
            column.presence == Presence::Maybe,
        )
    };
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

/// The Arrow schema of a data file: all but the partition column, which lives in the log.
pub(crate) fn file_schema() -> SchemaRef {
    let schema = arrow_schema();
    let fields = schema
        .fields()
        .iter()
        .filter(|field| field.name() != DATE)
        .cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Place of a column among those of its type. For constants: a wrong name does not compile.
pub(crate) const fn slot(name: &str, kind: Kind) -> usize {
    let (found, slot) = find(name, kind);
    assert!(found, "there is no column of this name and type");
    slot
}

/// Whether there is a column of this name and type.
pub(crate) const fn has(name: &str, kind: Kind) -> bool {
    find(name, kind).0
}

const fn find(name: &str, kind: Kind) -> (bool, usize) {
    let (mut at, mut slot) = (0, 0);
    while at < COLUMNS.len() {
        if COLUMNS[at].kind as u8 == kind as u8 {
            if same(COLUMNS[at].name, name) {
                return (true, slot);
            }
            slot += 1;
        }
        at += 1;
    }
    (false, 0)
}

/// Whether two names are the same. For constants.
pub(crate) const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests;
