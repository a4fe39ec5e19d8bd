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
use windrow_formats::batch::{Flags, Header, Kind as Source};
use windrow_formats::event::{Event, ParseStatus};
use windrow_formats::identity::Identity;
use windrow_formats::names;

use crate::limits::{BATCH_ROWS, BATCH_TEXT_BYTES, COPIES_COUNTED, KEY_BYTES, KEYS_COMPARED};
use crate::promote::{PROMOTIONS, Promoted, plain_address};
use crate::rows::Rows;
use crate::schema::{self, COLUMNS, Kind};

/// Keywords bit "Audit Failure" of winmeta.h.
const AUDIT_FAILURE: u64 = 1 << 52;
/// Keywords bit "Audit Success" of winmeta.h.
const AUDIT_SUCCESS: u64 = 1 << 53;

/// 1990-01-01 and 2100-01-01 in seconds. A clock outside is wrong, and must not make partitions.
pub(crate) const SANE_SECONDS: std::ops::Range<i64> = 631_152_000..4_102_444_800;

/// Place of a column among those of its type, known when this is compiled.
macro_rules! slot {
    ($kind:ident, $name:literal) => {
        const { schema::slot($name, Kind::$kind) }
    };
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
    text_bytes: usize,
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
            text_bytes: 0,
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
        // The text is there once as XML and about once more in the columns.
        2 * self.text_bytes
            + self
                .done
                .iter()
                .map(RecordBatch::get_array_memory_size)
                .sum::<usize>()
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
        if self.rows >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES {
            self.seal();
        }
        self.rows += 1;
        self.text_bytes += event.text().len();
        self.keys.append_value(identity.0);
        self.push_arrival(seq, header, flags);
        self.push_time(event.time_created(), header.received_at);
        self.push_system(event);
        self.push_payload(event);
        self.push_text(event);
    }

    /// All rows, and a builder without rows.
    pub fn finish(&mut self) -> Rows {
        self.seal();
        Rows::from_batches(std::mem::take(&mut self.done))
    }

    fn push_arrival(&mut self, seq: Option<u64>, header: &Header, flags: Flags) {
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
        self.ints[slot!(Int, "flags")].append_value(flags.0.into());
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

    /// EventData or UserData: all of it into the map, some of it into columns.
    fn push_payload(&mut self, event: Event<'_>) {
        let mut promoted = Promoted::default();
        self.names.begin(self.data.keys());
        for (ordinal, item) in (1..).zip(event.data()) {
            self.data.values().append_value(&item.value);
            let keys = self.data.keys();
            match item.name.as_deref() {
                Some(name) if !name.is_empty() => {
                    self.names.append(keys, name);
                    promoted.offer(name, item.value);
                }
                _ => self.names.append_long(keys, format_args!("param{ordinal}")),
            }
        }
        for leaf in event.user_data() {
            self.names
                .append_long(self.data.keys(), format_args!("{}", leaf.path));
            self.data.values().append_value(&leaf.value);
            promoted.offer(leaf.path.name(), leaf.value);
        }
        // Keys and values were appended in pairs, which is all that this can complain of.
        let _ = self.data.append(true);
        self.push_promoted(&promoted);
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
        self.text_bytes = 0;
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
    /// The event's keys, once there are so many that comparing one by one takes too long.
    many: HashSet<String>,
    candidate: String,
}

impl DataNames {
    /// Begins an event, whose keys follow those there are.
    fn begin(&mut self, keys: &StringBuilder) {
        self.first = keys.len();
        self.many.clear();
    }

    fn append(&mut self, keys: &mut StringBuilder, name: &str) {
        if keys.len() - self.first < KEYS_COMPARED
            && name.len() <= KEY_BYTES
            && !self.has(keys, name)
        {
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
        let count = keys.len() - self.first;
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
