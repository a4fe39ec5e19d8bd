//! Events to rows: every column of the table filled from one parsed event.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, MapBuilder,
    MapFieldNames, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use jiff::Timestamp;
use jiff::tz::Offset;
use windrow_formats::batch::{Batch, DecodeError, Flags, Header, Kind as Source};
use windrow_formats::event::{self, Event, Index, ParseStatus};
use windrow_formats::identity::{Identity, identity};
use windrow_formats::limits::SANE_SECONDS;
use windrow_formats::names;

use crate::limits::{
    BATCH_BYTES, BATCH_ROWS, COPIES_COUNTED, EVENT_KEYS_BYTES, EVENT_KEYS_OF_TEXT, KEY_BYTES,
    KEYS_COMPARED,
};
use crate::promote::{PROMOTIONS, Promoted, plain_address};
use crate::rows::Rows;
use crate::schema::{self, COLUMNS, Kind};

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
/// arrival where the event has no time between 1990 and 2100.
pub struct RowBuilder {
    texts: Vec<StringBuilder>,
    ints: Vec<Int32Builder>,
    longs: Vec<Int64Builder>,
    times: Vec<TimestampMicrosecondBuilder>,
    keys: BinaryBuilder,
    data: MapBuilder<StringBuilder, StringBuilder>,
    names: DataNames,
    day: Day,
    rows: usize,
    /// Memory of these rows.
    bytes: usize,
    done: Vec<RecordBatch>,
}

impl Default for RowBuilder {
    fn default() -> RowBuilder {
        RowBuilder::new()
    }
}

impl RowBuilder {
    /// A builder without rows.
    pub fn new() -> RowBuilder {
        let count = |kind| COLUMNS.iter().filter(|column| column.kind == kind).count();
        let names = MapFieldNames {
            entry: "key_value".into(),
            key: "key".into(),
            value: "value".into(),
        };
        RowBuilder {
            texts: (0..count(Kind::Text))
                .map(|_| StringBuilder::new())
                .collect(),
            ints: (0..count(Kind::Int)).map(|_| Int32Builder::new()).collect(),
            longs: (0..count(Kind::Long))
                .map(|_| Int64Builder::new())
                .collect(),
            times: (0..count(Kind::Time))
                .map(|_| TimestampMicrosecondBuilder::new().with_timezone("UTC"))
                .collect(),
            keys: BinaryBuilder::new(),
            data: MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new()),
            names: DataNames::default(),
            day: Day::default(),
            rows: 0,
            bytes: 0,
            done: Vec::new(),
        }
    }

    /// Number of events so far.
    pub fn len(&self) -> usize {
        self.rows + self.done.iter().map(RecordBatch::num_rows).sum::<usize>()
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
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.seal();
        }
        self.rows += 1;
        // The text is there once as XML and about once more as values.
        self.bytes += ROW_BYTES + 2 * event.text().len();
        self.keys.append_value(identity.0);
        self.push_arrival(seq, header);
        self.push_time(event.time_created(), header.received_at);
        self.push_system(event);
        let missing = self.push_payload(event);
        self.ints[slot!(Int, "flags")].append_value(i32::from(flags.0) | missing);
        self.push_text(event);
    }

    /// Adds the events of an entry of the journal that come after this sequence. Imported ones are left out: who
    /// imports a file puts it into the lake itself.
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
        if batch.header.kind == Source::Evtx {
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
        };
        self.texts[slot!(Text, "origin")].append_value(origin);
        self.texts[slot!(Text, "source")].append_value(&header.source);
        let address = &mut self.texts[slot!(Text, "address")];
        match header.address {
            Some(from) => {
                let _ = write!(address, "{}", from.to_canonical());
                address.append_value("");
            }
            None => address.append_null(),
        }
        self.texts[slot!(Text, "subscription")].append_option(header.subscription.as_deref());
        self.longs[slot!(Long, "seq")].append_option(seq.and_then(|seq| i64::try_from(seq).ok()));
    }

    fn push_time(&mut self, time: Option<Timestamp>, received_at: Timestamp) {
        self.times[slot!(Time, "time")].append_option(time.map(|time| time.as_microsecond()));
        self.times[slot!(Time, "received_at")].append_value(received_at.as_microsecond());
        let sane = time.filter(|time| SANE_SECONDS.contains(&time.as_second()));
        let date = self.day.name(sane.unwrap_or(received_at));
        self.texts[slot!(Text, "date")].append_value(date);
    }

    fn push_system(&mut self, event: Event<'_>) {
        let provider = event.provider_name();
        let task = event.task();
        let rendered_task = event.rendering().and_then(|rendering| rendering.task());
        let known_task = || names::task_name(provider.as_deref()?, task?);
        self.texts[slot!(Text, "task_name")]
            .append_option(rendered_task.as_deref().or_else(known_task));
        self.texts[slot!(Text, "provider")].append_option(provider);
        self.texts[slot!(Text, "provider_guid")].append_option(event.provider_guid());
        self.texts[slot!(Text, "event_source")].append_option(event.event_source_name());
        self.texts[slot!(Text, "channel")].append_option(event.channel());
        self.texts[slot!(Text, "computer")].append_option(event.computer());
        self.texts[slot!(Text, "activity_id")].append_option(event.activity_id());
        self.texts[slot!(Text, "related_activity_id")].append_option(event.related_activity_id());
        self.texts[slot!(Text, "user_sid")].append_option(event.user_sid());
        let signed = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        self.ints[slot!(Int, "event_id")].append_option(signed(event.event_id()));
        self.ints[slot!(Int, "qualifiers")].append_option(signed(event.qualifiers()));
        self.ints[slot!(Int, "version")].append_option(signed(event.version()));
        self.ints[slot!(Int, "level")].append_option(signed(event.level()));
        self.ints[slot!(Int, "task")].append_option(signed(task));
        self.ints[slot!(Int, "opcode")].append_option(signed(event.opcode()));
        // A mask, not a number: the sign is its highest bit.
        self.longs[slot!(Long, "keywords")].append_option(event.keywords().map(u64::cast_signed));
        self.texts[slot!(Text, "outcome")].append_option(event.keywords().and_then(outcome));
        let record_id = event.record_id().and_then(|id| i64::try_from(id).ok());
        self.longs[slot!(Long, "record_id")].append_option(record_id);
        self.longs[slot!(Long, "process_id")].append_option(event.process_id().map(i64::from));
        self.longs[slot!(Long, "thread_id")].append_option(event.thread_id().map(i64::from));
    }

    /// EventData or UserData: all of it into the map, some of it into columns. Returns [`DATA_CUT`] where the map
    /// has not all of it: paths in a hostile tree are many times its text.
    fn push_payload(&mut self, event: Event<'_>) -> i32 {
        let mut promoted = Promoted::default();
        let keys_max = EVENT_KEYS_BYTES + EVENT_KEYS_OF_TEXT * event.text().len();
        self.names.begin(self.data.keys());
        let mut flags = 0;
        for (ordinal, item) in (1..).zip(event.data()) {
            let keys = self.data.keys();
            let room = self.names.bytes(keys) < keys_max;
            match item.name.as_deref() {
                _ if !room => flags = DATA_CUT,
                Some(name) if !name.is_empty() => self.names.append(keys, name),
                _ => self.names.append_long(keys, format_args!("param{ordinal}")),
            }
            if room {
                self.data.values().append_value(&item.value);
            }
            if let Some(name) = item.name {
                promoted.offer(&name, item.value);
            }
        }
        for leaf in event.user_data() {
            let keys = self.data.keys();
            if self.names.bytes(keys) < keys_max {
                self.names.append_long(keys, format_args!("{}", leaf.path));
                self.data.values().append_value(&leaf.value);
            } else {
                flags = DATA_CUT;
            }
            promoted.offer(leaf.path.name(), leaf.value);
        }
        let keys = self.data.keys();
        self.bytes += self.names.bytes(keys) + ENTRY_BYTES * self.names.count(keys);
        // Keys and values were appended in pairs, which is all that this can complain of.
        let _ = self.data.append(true);
        self.push_promoted(&promoted);
        flags
    }

    fn push_promoted(&mut self, promoted: &Promoted<'_>) {
        for (slot, promotion) in PROMOTIONS.iter().enumerate() {
            let text = promoted.text(slot);
            match promotion.column {
                "ip_port" => self.ints[slot!(Int, "ip_port")].append_option(number(text)),
                "dest_port" => self.ints[slot!(Int, "dest_port")].append_option(number(text)),
                "logon_type" => self.ints[slot!(Int, "logon_type")].append_option(number(text)),
                "ip_address" => {
                    self.texts[slot!(Text, "ip_address")].append_option(text.map(plain_address));
                }
                "dest_address" => {
                    self.texts[slot!(Text, "dest_address")].append_option(text.map(plain_address));
                }
                _ => self.texts[PROMOTED_TEXTS[slot]].append_option(text),
            }
        }
    }

    fn push_text(&mut self, event: Event<'_>) {
        let message = event.rendering().and_then(|rendering| rendering.message());
        self.texts[slot!(Text, "message")].append_option(message);
        let (status, error) = match event.status() {
            ParseStatus::Whole => ("whole", None),
            ParseStatus::TruncatedRendering => ("truncated_rendering", None),
            ParseStatus::Malformed(reason) => ("malformed", Some(reason.to_string())),
        };
        self.texts[slot!(Text, "parse_status")].append_value(status);
        self.texts[slot!(Text, "parse_error")].append_option(error);
        self.texts[slot!(Text, "event_xml")].append_value(event.text());
    }

    /// Ends the batch being built: a column's text is addressed by 32 bits.
    fn seal(&mut self) {
        if self.rows == 0 {
            return;
        }
        self.rows = 0;
        self.bytes = 0;
        let (mut texts, mut ints) = (self.texts.iter_mut(), self.ints.iter_mut());
        let (mut longs, mut times) = (self.longs.iter_mut(), self.times.iter_mut());
        let columns: Option<Vec<ArrayRef>> = COLUMNS
            .iter()
            .map(|column| {
                Some(match column.kind {
                    Kind::Text => fitted(texts.next()?.finish()),
                    Kind::Int => fitted(ints.next()?.finish()),
                    Kind::Long => fitted(longs.next()?.finish()),
                    Kind::Time => fitted(times.next()?.finish()),
                    Kind::Bytes => fitted(self.keys.finish()),
                    Kind::Map => fitted(self.data.finish()),
                })
            })
            .collect();
        let batch = RecordBatch::try_new(schema::arrow_schema(), columns.unwrap_or_default());
        // Depends on this file alone, not on any event: `push` appends once to every column.
        self.done.push(batch.expect("every column has every row"));
    }
}

/// A column without the room that its builder had left: rows may wait in memory for minutes, and
/// few at a time they would take twice their size.
fn fitted(mut column: impl Array + 'static) -> ArrayRef {
    column.shrink_to_fit();
    Arc::new(column)
}

/// Place among the text columns of each promotion; of a number's promotion it is not used.
const PROMOTED_TEXTS: [usize; PROMOTIONS.len()] = {
    let mut slots = [0; PROMOTIONS.len()];
    let mut at = 0;
    while at < slots.len() {
        slots[at] = schema::slot_if(PROMOTIONS[at].column, Kind::Text);
        at += 1;
    }
    slots
};

fn number(text: Option<&str>) -> Option<i32> {
    text?.trim().parse().ok()
}

fn outcome(keywords: u64) -> Option<&'static str> {
    match (keywords & AUDIT_SUCCESS != 0, keywords & AUDIT_FAILURE != 0) {
        (_, true) => Some("failure"),
        (true, false) => Some("success"),
        (false, false) => None,
    }
}

/// The name of a day, kept until the day changes.
#[derive(Default)]
struct Day {
    number: Option<i64>,
    name: String,
}

impl Day {
    fn name(&mut self, time: Timestamp) -> &str {
        let number = time.as_second().div_euclid(86_400);
        if self.number != Some(number) {
            self.number = Some(number);
            self.name = Offset::UTC.to_datetime(time).date().to_string();
        }
        &self.name
    }
}

/// Keeps the keys of one event's map apart: a second `Name` becomes `Name_2`.
#[derive(Default)]
struct DataNames {
    /// The event's first key among all keys.
    first: usize,
    /// Where that key's text begins.
    first_byte: usize,
    /// The event's keys, once there are so many that comparing one by one takes too long.
    many: HashSet<String>,
    candidate: String,
}

impl DataNames {
    /// Begins an event, whose keys follow those there are.
    fn begin(&mut self, keys: &StringBuilder) {
        self.first = keys.len();
        self.first_byte = keys.values_slice().len();
        self.many.clear();
    }

    /// The event's keys so far.
    fn count(&self, keys: &StringBuilder) -> usize {
        keys.len() - self.first
    }

    /// Bytes of them.
    fn bytes(&self, keys: &StringBuilder) -> usize {
        keys.values_slice().len() - self.first_byte
    }

    fn append(&mut self, keys: &mut StringBuilder, name: &str) {
        if self.count(keys) < KEYS_COMPARED && name.len() <= KEY_BYTES && !self.has(keys, name) {
            keys.append_value(name);
            return;
        }
        self.append_long(keys, format_args!("{name}"));
    }

    /// For a name that has to be put together, is long, or is there already.
    fn append_long(&mut self, keys: &mut StringBuilder, name: fmt::Arguments<'_>) {
        self.candidate.clear();
        // Too long a name is cut; so is the path of a deep tree, which could be longer than the event.
        let _ = Short(&mut self.candidate).write_fmt(name);
        let plain = self.candidate.len();
        let count = self.count(keys);
        if count >= KEYS_COMPARED && self.many.is_empty() {
            self.many
                .extend(own(keys, self.first).map(|key| String::from_utf8_lossy(key).into_owned()));
        }
        let mut copy = 2;
        while self.has(keys, &self.candidate) {
            // Counting up from 2 for each of thousands of equal names would never end.
            copy = if copy > COPIES_COUNTED {
                copy.max(count)
            } else {
                copy
            };
            self.candidate.truncate(plain);
            let _ = write!(self.candidate, "_{copy}");
            copy += 1;
        }
        if !self.many.is_empty() {
            self.many.insert(self.candidate.clone());
        }
        keys.append_value(&self.candidate);
    }

    fn has(&self, keys: &StringBuilder, name: &str) -> bool {
        match self.many.is_empty() {
            true => own(keys, self.first).any(|key| key == name.as_bytes()),
            false => self.many.contains(name),
        }
    }
}

/// The keys from this one on.
fn own(keys: &StringBuilder, first: usize) -> impl Iterator<Item = &[u8]> {
    let text = keys.values_slice();
    let key = |ends: &[i32]| {
        let place = |end: i32| usize::try_from(end).unwrap_or(0);
        &text[place(ends[0])..place(ends[1])]
    };
    keys.offsets_slice()[first..].windows(2).map(key)
}

/// Takes text up to [`KEY_BYTES`].
struct Short<'a>(&'a mut String);

impl fmt::Write for Short<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = KEY_BYTES - self.0.len().min(KEY_BYTES);
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
