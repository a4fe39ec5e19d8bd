//! The tables and their columns: the same on disk, in the tail and in a query.
//!
//! Invariants: a column's name, type and position never change within a schema version, and a new version only adds
//! columns behind those there are; types are those every Delta reader knows (signed integers, UTF-8, UTC microseconds,
//! maps of texts), so that a table stays at reader 1 and writer 2. `docs/lake-schema.md` describes every column; a test
//! holds the two together.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

mod tables;

pub(crate) use tables::{COUNTERS, COUNTS, EVENTS, FAILED_REQUESTS, IIS, OTHERS, TABLES};

/// Table property that holds [`Definition::version`].
pub(crate) const SCHEMA_VERSION_KEY: &str = "windrow.schemaVersion";

/// The partition column of every table: a date as `YYYY-MM-DD`.
pub(crate) const DATE: &str = "date";

/// A table: what it is called, and its columns.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Its name in SQL, and that of its folder.
    pub(crate) name: &'static str,
    /// Version of its columns, kept in the table property [`SCHEMA_VERSION_KEY`].
    pub(crate) version: i64,
    /// Columns of all versions up to this one, in their order.
    pub(crate) columns: &'static [Column],
    /// Columns whose least and greatest value each data file carries in the log, so that a query skips files.
    pub(crate) skipping: &'static [&'static str],
    /// The column of a row's identity; a table that is only appended to may have none.
    pub(crate) key: &'static str,
    /// The column that says where a row is from: rows of one identity are of one origin.
    pub(crate) origin: &'static str,
    /// The column by which rows of too many dates are put under the date on which they arrived.
    pub(crate) arrival: &'static str,
}

/// Whether a value may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Always,
    Maybe,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Long,
    Double,
    Time,
    Bytes,
    Map,
}

/// How a column's values are encoded in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// With a dictionary, as long as that pays.
    Dictionary,
    /// Differences from one to the next: they ascend, nearly.
    Delta,
    /// As they are: too many are different, a dictionary would be given up after a megabyte, its cost spent.
    Plain,
    /// As they are, without statistics: long texts, whose least and greatest say nothing.
    Text,
    /// Without compression: a hash has no order and no repetition.
    Hash,
}

/// One column: name, type, presence.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
    pub(crate) coding: Coding,
    /// Version of its table that brought it.
    pub(crate) since: i64,
}

const fn always(name: &'static str, kind: Kind) -> Column {
    column(name, kind, Presence::Always)
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    column(name, kind, Presence::Maybe)
}

const fn column(name: &'static str, kind: Kind, presence: Presence) -> Column {
    let coding = match kind {
        Kind::Time => Coding::Delta,
        Kind::Bytes => Coding::Hash,
        _ => Coding::Dictionary,
    };
    Column {
        name,
        kind,
        presence,
        coding,
        since: 1,
    }
}

impl Column {
    const fn coded(self, coding: Coding) -> Column {
        Column { coding, ..self }
    }

    /// Came with this version: rows of earlier ones have no value, and it stands after their columns.
    const fn since(self, version: i64) -> Column {
        Column {
            since: version,
            ..self
        }
    }
}

impl Definition {
    /// The Arrow schema of a row batch, partition column included.
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().map(field).collect::<Vec<_>>(),
        ))
    }

    /// The Arrow schema of the columns that came after this version.
    pub(crate) fn columns_since(&self, version: i64) -> Vec<Field> {
        let newer = self.columns.iter().filter(|column| column.since > version);
        newer.map(field).collect()
    }

    /// The Arrow schema of a data file: all but the partition column, which lives in the log.
    pub(crate) fn file_schema(&self) -> SchemaRef {
        let columns = self.columns.iter().filter(|column| column.name != DATE);
        Arc::new(Schema::new(columns.map(field).collect::<Vec<_>>()))
    }
}

fn field(column: &Column) -> Field {
    Field::new(
        column.name,
        data_type(column.kind),
        column.presence == Presence::Maybe,
    )
}

/// The fields of a map entry, named as Delta readers expect them.
pub(crate) fn map_entry_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

pub(crate) fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Bytes => DataType::Binary,
        Kind::Map => {
            let entry = Field::new("key_value", DataType::Struct(map_entry_fields()), false);
            DataType::Map(Arc::new(entry), false)
        }
    }
}

/// Place of a column of `events` among those of its type. For constants: a wrong name does not compile.
pub(crate) const fn slot(name: &str, kind: Kind) -> usize {
    let (found, slot) = find(name, kind);
    assert!(found, "there is no column of this name and type");
    slot
}

/// Whether `events` has a column of this name and type.
pub(crate) const fn has(name: &str, kind: Kind) -> bool {
    find(name, kind).0
}

const fn find(name: &str, kind: Kind) -> (bool, usize) {
    const COLUMNS: &[Column] = &tables::EVENT_COLUMNS;
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
