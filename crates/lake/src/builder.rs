//! Events to rows: every column of the table filled from one parsed event.

mod columns;
mod dates;
mod keys;

use arrow::array::RecordBatch;
use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::batch::{Batch, DecodeError, Flags, Header, Kind as Source};
use windrow_formats::event::{self, Event, Index, ParseStatus};
use windrow_formats::identity::{Identity, identity};
use windrow_formats::names;

use self::columns::Columns;
use self::dates::Dates;
use self::keys::DataNames;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, EVENT_KEYS_BYTES, EVENT_KEYS_OF_TEXT};
use crate::promote::{PROMOTIONS, Promoted, plain_address};
use crate::rows::Rows;
use crate::schema::{self, Kind};

/// Keywords bit "Audit Failure" of winmeta.h.
const AUDIT_FAILURE: u64 = 1 << 52;
/// Keywords bit "Audit Success" of winmeta.h.
const AUDIT_SUCCESS: u64 = 1 << 53;

/// In the column `flags`, beside the [`Flags`] of eight bits: the map has not every value of the event.
const DATA_CUT: i32 = 1 << 8;

/// Memory of a row that has nothing but its event's text: an offset or a number in each column.
const ROW_BYTES: usize = 320;

/// Memory of an entry of the map beside its key and its value: two offsets.
const ENTRY_BYTES: usize = 8;

/// Place of a column among those of its type, known when this is compiled.
macro_rules! slot {
    ($kind:ident, $name:literal) => {
        const { schema::slot($name, Kind::$kind) }
    };
}

/// An entry of the journal: a batch of events.
#[derive(Clone, Copy, Debug)]
pub struct JournalEntry<'a> {
    /// Sequence of its first event.
    pub first_seq: u64,
    /// Events in it, as the journal counts them.
    pub events: u32,
    /// The encoded batch.
    pub body: &'a [u8],
}

/// Events of the journal that cannot become rows.
#[derive(Debug, thiserror::Error)]
#[error("events {first} to {last} of the journal cannot be read")]
pub struct Unreadable {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    source: DecodeError,
}

impl Unreadable {
    /// Number of events.
    pub fn events(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// Collects events as rows.
///
/// The date of a row, by which the table is partitioned, is the UTC date of the event's time; of its
/// arrival where the event has no time between 1990 and 2100, and where it was not imported and happened
/// more than 366 days before it came or more than one after, or on the sixty-fifth such day of a commit.
pub struct RowBuilder {
    columns: Columns,
    names: DataNames,
    dates: Dates,
    /// The journal that the rows come from.
    journal: Option<String>,
    /// Memory of the rows in the columns.
    bytes: usize,
    done: Vec<RecordBatch>,
}

impl Default for RowBuilder {
    fn default() -> RowBuilder {
        RowBuilder::new()
    }
}

impl RowBuilder {
    /// A builder without rows, for events of no journal.
    pub fn new() -> RowBuilder {
        RowBuilder {
            columns: Columns::new(),
            names: DataNames::default(),
            dates: Dates::default(),
            journal: None,
            bytes: 0,
            done: Vec::new(),
        }
    }

    /// A builder without rows, for events of this journal: several write one table, and each counts from one.
    pub fn of_journal(journal: Uuid) -> RowBuilder {
        RowBuilder {
            journal: Some(journal.to_string()),
            ..RowBuilder::new()
        }
    }

    /// Number of events so far.
    pub fn len(&self) -> usize {
        self.columns.rows() + self.done.iter().map(RecordBatch::num_rows).sum::<usize>()
    }

    /// Whether there is no event yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held by the rows so far, in bytes, near enough to decide when to finish.
    pub fn bytes(&self) -> usize {
        let done = self.done.iter().map(RecordBatch::get_array_memory_size);
        self.bytes + done.sum::<usize>()
    }

    /// Adds an event. `seq` is its sequence in the journal, none for a direct import.
    pub fn push(
        &mut self,
        seq: Option<u64>,
        header: &Header,
        flags: Flags,
        event: Event<'_>,
        identity: Identity,
    ) {
        if self.columns.rows() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.seal();
        }
        self.columns.begin();
        // The text is there once as XML and about once more as values.
        self.bytes += ROW_BYTES + 2 * event.text().len();
        self.columns.keys.append_value(identity.0);
        self.push_arrival(seq, header);
        self.push_time(event.time_created(), header);
        self.push_system(event);
        let missing = self.push_payload(event);
        self.columns
            .int(slot!(Int, "flags"), Some(i32::from(flags.0) | missing));
        self.push_text(event);
    }

    /// Adds the events of an entry of the journal that come after this sequence. Imported ones are left out: who
    /// imports a file puts it into the lake itself. A reference to a file is no event.
    ///
    /// # Errors
    /// The entry, or its end, cannot be read; the events before that are rows.
    pub fn push_entry(
        &mut self,
        entry: &JournalEntry<'_>,
        after: u64,
        index: &mut Index,
    ) -> Result<(), Unreadable> {
        let end = entry.first_seq + u64::from(entry.events);
        let unreadable = |first: u64| {
            move |source| Unreadable {
                first: first.max(after + 1),
                last: end - 1,
                source,
            }
        };
        let batch = Batch::decode(entry.body).map_err(unreadable(entry.first_seq))?;
        let is_elsewhere = match batch.header.kind {
            Source::File => true,
            // Who imports puts them into the lake itself; those of a watched folder have its name.
            Source::Evtx => batch.header.subscription.is_none(),
            Source::Wef | Source::Own | Source::Etl => false,
        };
        if is_elsewhere {
            return Ok(());
        }
        for (record, seq) in batch.records().zip(entry.first_seq..) {
            let record = record.map_err(unreadable(seq))?;
            if seq <= after {
                continue;
            }
            if record.read_index(index).is_err() {
                // The text is what counts: an index that does not fit it is made anew, as far as it goes.
                let _ = event::parse(record.text, index);
            }
            let event = Event::new(record.text, index);
            let key = identity(&batch.header.source, event);
            self.push(Some(seq), &batch.header, record.flags, event, key);
        }
        Ok(())
    }

    /// What is pushed from here on goes into another commit than what was pushed before.
    pub fn next_commit(&mut self) {
        self.dates.begin();
    }

    /// All rows, and a builder without rows.
    pub fn finish(&mut self) -> Rows {
        self.seal();
        Rows::from_batches(std::mem::take(&mut self.done))
    }

    fn push_arrival(&mut self, seq: Option<u64>, header: &Header) {
        self.bytes += header.source.len() + header.subscription.as_ref().map_or(0, String::len);
        let origin = match header.kind {
            Source::Wef => "wef",
            Source::Evtx => "evtx",
            Source::Own => "own",
            Source::File => "file",
            Source::Etl => "etl",
        };
        self.columns.text(slot!(Text, "origin"), Some(origin));
        self.columns
            .text(slot!(Text, "source"), Some(&header.source));
        let address = header.address.map(|from| from.to_canonical().to_string());
        self.columns.text(slot!(Text, "address"), address);
        self.columns
            .text(slot!(Text, "subscription"), header.subscription.as_deref());
        let journal = self.journal.as_ref().filter(|_| seq.is_some());
        self.columns.text(slot!(Text, "journal"), journal);
        self.columns.long(
            slot!(Long, "seq"),
            seq.and_then(|seq| i64::try_from(seq).ok()),
        );
    }

    fn push_time(&mut self, time: Option<Timestamp>, header: &Header) {
        self.columns
            .time(slot!(Time, "time"), time.map(|time| time.as_microsecond()));
        self.columns.time(
            slot!(Time, "received_at"),
            Some(header.received_at.as_microsecond()),
        );
        let date = self.dates.of(header.kind, time, header.received_at);
        self.columns.text(slot!(Text, "date"), Some(date));
    }

    fn push_system(&mut self, event: Event<'_>) {
        let provider = event.provider_name();
        let task = event.task();
        let rendered_task = event.rendering().and_then(|rendering| rendering.task());
        let known_task = || names::task_name(provider.as_deref()?, task?);
        self.columns.text(
            slot!(Text, "task_name"),
            rendered_task.as_deref().or_else(known_task),
        );
        self.columns.text(slot!(Text, "provider"), provider);
        self.columns
            .text(slot!(Text, "provider_guid"), event.provider_guid());
        self.columns
            .text(slot!(Text, "event_source"), event.event_source_name());
        self.columns.text(slot!(Text, "channel"), event.channel());
        self.columns.text(slot!(Text, "computer"), event.computer());
        self.columns
            .text(slot!(Text, "activity_id"), event.activity_id());
        self.columns.text(
            slot!(Text, "related_activity_id"),
            event.related_activity_id(),
        );
        self.columns.text(slot!(Text, "user_sid"), event.user_sid());
        let signed = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        self.columns
            .int(slot!(Int, "event_id"), signed(event.event_id()));
        self.columns
            .int(slot!(Int, "qualifiers"), signed(event.qualifiers()));
        self.columns
            .int(slot!(Int, "version"), signed(event.version()));
        self.columns.int(slot!(Int, "level"), signed(event.level()));
        self.columns.int(slot!(Int, "task"), signed(task));
        self.columns
            .int(slot!(Int, "opcode"), signed(event.opcode()));
        // A mask, not a number: the sign is its highest bit.
        self.columns.long(
            slot!(Long, "keywords"),
            event.keywords().map(u64::cast_signed),
        );
        self.columns
            .text(slot!(Text, "outcome"), event.keywords().and_then(outcome));
        let record_id = event.record_id().and_then(|id| i64::try_from(id).ok());
        self.columns.long(slot!(Long, "record_id"), record_id);
        self.columns
            .long(slot!(Long, "process_id"), event.process_id().map(i64::from));
        self.columns
            .long(slot!(Long, "thread_id"), event.thread_id().map(i64::from));
    }

    /// EventData or UserData: all of it into the map, some of it into columns. Returns [`DATA_CUT`] where the map
    /// has not all of it: paths in a hostile tree are many times its text.
    fn push_payload(&mut self, event: Event<'_>) -> i32 {
        let mut promoted = Promoted::default();
        let keys_max = EVENT_KEYS_BYTES + EVENT_KEYS_OF_TEXT * event.text().len();
        self.names.begin(self.columns.data.keys());
        let mut flags = 0;
        for (ordinal, item) in (1..).zip(event.data()) {
            let keys = self.columns.data.keys();
            let room = self.names.bytes(keys) < keys_max;
            match item.name.as_deref() {
                _ if !room => flags = DATA_CUT,
                Some(name) if !name.is_empty() => self.names.append(keys, name),
                _ => self.names.append_long(keys, format_args!("param{ordinal}")),
            }
            if room {
                self.columns.data.values().append_value(&item.value);
            }
            if let Some(name) = item.name {
                promoted.offer(&name, item.value);
            }
        }
        for leaf in event.user_data() {
            let keys = self.columns.data.keys();
            if self.names.bytes(keys) < keys_max {
                self.names.append_long(keys, format_args!("{}", leaf.path));
                self.columns.data.values().append_value(&leaf.value);
            } else {
                flags = DATA_CUT;
            }
            promoted.offer(leaf.path.name(), leaf.value);
        }
        let keys = self.columns.data.keys();
        self.bytes += self.names.bytes(keys) + ENTRY_BYTES * self.names.count(keys);
        // Keys and values were appended in pairs, which is all that this can complain of.
        let _ = self.columns.data.append(true);
        self.push_promoted(&promoted);
        flags
    }

    fn push_promoted(&mut self, promoted: &Promoted<'_>) {
        for (slot, place) in PROMOTED.iter().enumerate() {
            let Some(text) = promoted.text(slot) else {
                continue;
            };
            match *place {
                Place::Text(column) => self.columns.text(column, Some(text)),
                Place::Address(column) => self.columns.text(column, Some(plain_address(text))),
                Place::Number(column) => self.columns.int(column, text.trim().parse().ok()),
            }
        }
    }

    fn push_text(&mut self, event: Event<'_>) {
        let message = event.rendering().and_then(|rendering| rendering.message());
        self.columns.text(slot!(Text, "message"), message);
        let (status, error) = match event.status() {
            ParseStatus::Whole => ("whole", None),
            ParseStatus::TruncatedRendering => ("truncated_rendering", None),
            ParseStatus::Malformed(reason) => ("malformed", Some(reason.to_string())),
        };
        self.columns.text(slot!(Text, "parse_status"), Some(status));
        self.columns.text(slot!(Text, "parse_error"), error);
        self.columns
            .text(slot!(Text, "event_xml"), Some(event.text()));
    }

    /// Ends the batch being built: a column's text is addressed by 32 bits.
    fn seal(&mut self) {
        if self.columns.rows() == 0 {
            return;
        }
        self.bytes = 0;
        let batch = RecordBatch::try_new(schema::EVENTS.arrow_schema(), self.columns.finish());
        // Depends on this file alone, not on any event: `push` appends at most once to every column.
        self.done.push(batch.expect("every column has every row"));
    }
}

const fn is_address(column: &str) -> bool {
    schema::same(column, "ip_address") || schema::same(column, "dest_address")
}

/// Where a promoted value goes: the column's place among those of its type.
#[derive(Clone, Copy)]
enum Place {
    Text(usize),
    /// A text, in the plain form of an address.
    Address(usize),
    Number(usize),
}

/// The place of each promotion.
const PROMOTED: [Place; PROMOTIONS.len()] = {
    let mut places = [Place::Text(0); PROMOTIONS.len()];
    let mut at = 0;
    while at < places.len() {
        let column = PROMOTIONS[at].column;
        places[at] = if schema::has(column, Kind::Int) {
            Place::Number(schema::slot(column, Kind::Int))
        } else if is_address(column) {
            Place::Address(schema::slot(column, Kind::Text))
        } else {
            Place::Text(schema::slot(column, Kind::Text))
        };
        at += 1;
    }
    places
};

fn outcome(keywords: u64) -> Option<&'static str> {
    match (keywords & AUDIT_SUCCESS != 0, keywords & AUDIT_FAILURE != 0) {
        (_, true) => Some("failure"),
        (true, false) => Some("success"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
