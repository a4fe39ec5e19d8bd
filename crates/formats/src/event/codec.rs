//! The Index as bytes, stored beside the Event's text in the journal.
//!
//! ```text
//! version     u8
//! status      u8         0 whole, 1 truncated rendering, 2… malformed, with the reason
//! payload     u8
//! fields      varint     which fields of System follow, a bit each, in fixed order
//! strings     spans
//! numbers     varints    keywords: 8 bytes
//! time        signed seconds, nanoseconds
//! name        span       of EventData
//! data        varint count, shape u8, then per item [shape u8] [name span] value span,
//!             or, when the items lie at equal steps, the steps and two lengths an item
//! tree        varint count, then per node kind and depth u8 [name span] [value span]
//! rendering   fields u8, spans, varint count, keyword spans
//! ```
//!
//! A span is the signed distance from the end of the span before it, then its length and
//! kind. Decoding checks every span against the text, so bytes that were damaged or made
//! up give an error, or at worst wrong values, never a panic.

use jiff::Timestamp;

use super::index::{DataEntry, DataKind, Index, Node, NodeKind, RenderingSpans};
use super::span::Span;
use super::{ParseStatus, Payload, Reason};
use crate::limits::{
    EVENT_DATA_ITEMS_MAX, EVENT_DEPTH_MAX, EVENT_TEXT_BYTES_MAX, EVENT_TREE_NODES_MAX,
    RENDERING_KEYWORDS_MAX,
};
use crate::varint::{self, Reader};

/// The version that this program writes and the only one it reads. A stored Index of
/// another version is not an error of the store: the text can be parsed again.
const VERSION: u8 = 1;

/// Bytes that are not an Index for the given text. The cure is to parse the text again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of the program.
    #[error("index has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Too short, too long, or values that no Index has.
    #[error("index bytes are damaged")]
    Damaged,
    /// A value would lie outside the text or cut a character.
    #[error("index does not belong to this text")]
    OutsideText,
}

/// Bits of the field mask after the 8 strings and the 15 numbers.
const STRINGS: u32 = 8;
const NUMBERS: u32 = 15;
const TIME: u32 = 1 << (STRINGS + NUMBERS);
const EVENT_DATA_NAME: u32 = 1 << (STRINGS + NUMBERS + 1);
const RENDERING: u32 = 1 << (STRINGS + NUMBERS + 2);
/// Place of the keywords among the numbers; the only ones stored with a fixed width,
/// because their high bits are set.
const KEYWORDS: usize = 6;

/// The shape of a list whose items differ and state their own.
const MIXED: u8 = 0xff;
/// Added to the shape of a list whose items are written alike, so that the distances from
/// value to name and from name to value are the same all through: the usual case.
const REGULAR: u8 = 0x40;

impl Index {
    /// Appends the index to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, self.status.code(), self.payload.code()]);
        varint::put(out, u64::from(self.field_mask()));
        let mut end = 0;
        for string in self.strings.all() {
            put_optional_span(out, &mut end, string);
        }
        for (place, number) in self.numbers.all().into_iter().enumerate() {
            match number {
                Some(keywords) if place == KEYWORDS => {
                    out.extend_from_slice(&keywords.to_le_bytes());
                }
                Some(number) => varint::put(out, number),
                None => {}
            }
        }
        if let Some(time) = self.time_created {
            varint::put_signed(out, time.as_second());
            varint::put_signed(out, i64::from(time.subsec_nanosecond()));
        }
        put_optional_span(out, &mut end, self.event_data_name);
        put_data(out, &mut end, &self.data);
        put_tree(out, &mut end, &self.tree);
        if let Some(rendering) = &self.rendering {
            put_rendering(out, &mut end, rendering, &self.rendering_keywords);
        }
    }

    /// Refills the index from bytes that [`Index::encode`] wrote for the same `text`.
    /// After an error the index is empty.
    pub fn decode(&mut self, bytes: &[u8], text: &str) -> Result<(), DecodeError> {
        self.clear();
        let result = self.decode_parts(bytes, text);
        if result.is_err() {
            self.clear();
        }
        result
    }

    fn field_mask(&self) -> u32 {
        let mut mask = 0;
        for (place, string) in self.strings.all().into_iter().enumerate() {
            mask |= u32::from(string.is_some()) << place;
        }
        for (place, number) in self.numbers.all().into_iter().enumerate() {
            mask |= u32::from(number.is_some()) << (STRINGS as usize + place);
        }
        let flag = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
        mask | flag(self.time_created.is_some(), TIME)
            | flag(self.event_data_name.is_some(), EVENT_DATA_NAME)
            | flag(self.rendering.is_some(), RENDERING)
    }

    fn decode_parts(&mut self, bytes: &[u8], text: &str) -> Result<(), DecodeError> {
        let mut input = Input {
            reader: Reader::new(bytes),
            text,
            end: 0,
        };
        let [version, status, payload] = input.reader.array().ok_or(DecodeError::Damaged)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        self.status = ParseStatus::from_code(status).ok_or(DecodeError::Damaged)?;
        self.payload = Payload::from_code(payload).ok_or(DecodeError::Damaged)?;
        let mask = input.reader.varint_u32().ok_or(DecodeError::Damaged)?;
        for (place, string) in self.strings.all_mut().into_iter().enumerate() {
            if mask >> place & 1 == 1 {
                *string = input.span()?;
            }
        }
        self.decode_numbers(&mut input, mask >> STRINGS)?;
        if mask & TIME != 0 {
            self.time_created = Some(input.time()?);
        }
        if mask & EVENT_DATA_NAME != 0 {
            self.event_data_name = input.span()?;
        }
        input.data(&mut self.data)?;
        input.tree(&mut self.tree)?;
        if mask & RENDERING != 0 {
            self.rendering = Some(input.rendering(&mut self.rendering_keywords)?);
        }
        if input.reader.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Damaged)
        }
    }

    fn decode_numbers(&mut self, input: &mut Input<'_>, mask: u32) -> Result<(), DecodeError> {
        let numbers = &mut self.numbers;
        let has = |place: usize| mask >> place & 1 == 1;
        for (place, number) in [
            (0, &mut numbers.event_id),
            (1, &mut numbers.qualifiers),
            (2, &mut numbers.version),
            (3, &mut numbers.level),
            (4, &mut numbers.task),
            (5, &mut numbers.opcode),
        ] {
            if has(place) {
                *number = Some(input.number_u32()?);
            }
        }
        if has(KEYWORDS) {
            let bytes = input.reader.array().ok_or(DecodeError::Damaged)?;
            numbers.keywords = Some(u64::from_le_bytes(bytes));
        }
        if has(7) {
            numbers.record_id = Some(input.reader.varint().ok_or(DecodeError::Damaged)?);
        }
        for (place, number) in [
            (8, &mut numbers.process_id),
            (9, &mut numbers.thread_id),
            (10, &mut numbers.processor_id),
            (11, &mut numbers.session_id),
            (12, &mut numbers.kernel_time),
            (13, &mut numbers.user_time),
            (14, &mut numbers.processor_time),
        ] {
            if has(place) {
                *number = Some(input.number_u32()?);
            }
        }
        Ok(())
    }
}

#[inline]
fn put_span(out: &mut Vec<u8>, end: &mut usize, span: Span) {
    varint::put_signed(out, span.start() as i64 - *end as i64);
    varint::put(out, u64::from(span.len_and_kind()));
    *end = span.end();
}

#[inline]
fn put_optional_span(out: &mut Vec<u8>, end: &mut usize, span: Span) {
    if span.is_some() {
        put_span(out, end, span);
    }
}

fn put_data(out: &mut Vec<u8>, end: &mut usize, data: &[DataEntry]) {
    varint::put(out, data.len() as u64);
    let Some(first) = data.first() else {
        return;
    };
    if let Some(steps) = Steps::of(data) {
        out.push(first.shape() | REGULAR);
        varint::put_signed(out, first.start() as i64 - *end as i64);
        varint::put_signed(out, steps.item);
        varint::put_signed(out, steps.value);
        for entry in data {
            if entry.name.is_some() {
                varint::put(out, u64::from(entry.name.len_and_kind()));
            }
            varint::put(out, u64::from(entry.value.len_and_kind()));
            *end = entry.value.end();
        }
        return;
    }
    let is_uniform = data.iter().all(|entry| entry.shape() == first.shape());
    let shape = if is_uniform { first.shape() } else { MIXED };
    out.push(shape);
    for entry in data {
        if shape == MIXED {
            out.push(entry.shape());
        }
        put_optional_span(out, end, entry.name);
        put_span(out, end, entry.value);
    }
}

/// The distances that the items of a regular list have in common.
#[derive(Clone, Copy, PartialEq)]
struct Steps {
    /// From the end of one item's value to the start of the next item.
    item: i64,
    /// From the end of a name to its value.
    value: i64,
}

impl Steps {
    fn of(data: &[DataEntry]) -> Option<Self> {
        let first = data.first()?;
        let value_step = |entry: &DataEntry| {
            if entry.name.is_some() {
                entry.value.start() as i64 - entry.name.end() as i64
            } else {
                0
            }
        };
        let item_step =
            |one: &DataEntry, next: &DataEntry| next.start() as i64 - one.value.end() as i64;
        let item = data.get(1).map_or(0, |second| item_step(first, second));
        let steps = Self {
            item,
            value: value_step(first),
        };
        let is_alike =
            |entry: &DataEntry| entry.shape() == first.shape() && value_step(entry) == steps.value;
        let is_regular = is_alike(first)
            && data
                .array_windows()
                .all(|[one, next]| is_alike(next) && item_step(one, next) == item);
        is_regular.then_some(steps)
    }
}

fn put_tree(out: &mut Vec<u8>, end: &mut usize, tree: &[Node]) {
    varint::put(out, tree.len() as u64);
    for node in tree {
        out.push(node.shape());
        put_optional_span(out, end, node.name);
        put_optional_span(out, end, node.value);
    }
}

fn put_rendering(
    out: &mut Vec<u8>,
    end: &mut usize,
    rendering: &RenderingSpans,
    keywords: &[Span],
) {
    let mut mask = u8::from(rendering.is_truncated);
    for (place, string) in rendering.all().into_iter().enumerate() {
        mask |= u8::from(string.is_some()) << (place + 1);
    }
    out.push(mask);
    for string in rendering.all() {
        put_optional_span(out, end, string);
    }
    varint::put(out, keywords.len() as u64);
    for &keyword in keywords {
        put_span(out, end, keyword);
    }
}

struct Input<'a> {
    reader: Reader<'a>,
    text: &'a str,
    /// End of the span before.
    end: usize,
}

impl Input<'_> {
    #[inline]
    fn span(&mut self) -> Result<Span, DecodeError> {
        let distance = self.distance()?;
        self.span_at(distance)
    }

    #[inline]
    fn distance(&mut self) -> Result<i64, DecodeError> {
        self.reader.signed().ok_or(DecodeError::Damaged)
    }

    /// Reads length and kind of a span that begins `distance` from the end of the last.
    #[inline]
    fn span_at(&mut self, distance: i64) -> Result<Span, DecodeError> {
        let len_and_kind = self.reader.varint_u32().ok_or(DecodeError::Damaged)?;
        // A negative start turns into one far outside the text.
        let start = (self.end as u64).wrapping_add_signed(distance) as usize;
        let end = start.saturating_add((len_and_kind >> 1) as usize);
        let is_inside = end <= self.text.len().min(EVENT_TEXT_BYTES_MAX)
            && self.text.is_char_boundary(start)
            && self.text.is_char_boundary(end);
        if !is_inside {
            return Err(DecodeError::OutsideText);
        }
        self.end = end;
        Ok(Span::from_parts(start as u32, len_and_kind))
    }

    #[inline]
    fn number_u32(&mut self) -> Result<u32, DecodeError> {
        self.reader.varint_u32().ok_or(DecodeError::Damaged)
    }

    fn count(&mut self, max: usize) -> Result<usize, DecodeError> {
        let count = self.reader.varint().ok_or(DecodeError::Damaged)?;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= max)
            .ok_or(DecodeError::Damaged)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.reader.byte().ok_or(DecodeError::Damaged)
    }

    fn time(&mut self) -> Result<Timestamp, DecodeError> {
        let second = self.reader.signed().ok_or(DecodeError::Damaged)?;
        let nanosecond = self.reader.signed().ok_or(DecodeError::Damaged)?;
        let nanosecond = i32::try_from(nanosecond).map_err(|_| DecodeError::Damaged)?;
        Timestamp::new(second, nanosecond).map_err(|_| DecodeError::Damaged)
    }

    fn data(&mut self, data: &mut Vec<DataEntry>) -> Result<(), DecodeError> {
        let count = self.count(EVENT_DATA_ITEMS_MAX)?;
        if count == 0 {
            return Ok(());
        }
        let common = self.byte()?;
        if common != MIXED && common & REGULAR != 0 {
            return self.regular_data(count, common & !REGULAR, data);
        }
        for _ in 0..count {
            let shape = if common == MIXED {
                self.byte()?
            } else {
                common
            };
            let kind = DataKind::from_code(shape >> 1).ok_or(DecodeError::Damaged)?;
            let name = if shape & 1 == 1 {
                self.span()?
            } else {
                Span::NONE
            };
            let value = self.span()?;
            data.push(DataEntry { kind, name, value });
        }
        Ok(())
    }

    fn regular_data(
        &mut self,
        count: usize,
        shape: u8,
        data: &mut Vec<DataEntry>,
    ) -> Result<(), DecodeError> {
        let kind = DataKind::from_code(shape >> 1).ok_or(DecodeError::Damaged)?;
        let mut distance = self.distance()?;
        let steps = Steps {
            item: self.distance()?,
            value: self.distance()?,
        };
        let has_name = shape & 1 == 1;
        for _ in 0..count {
            let (name, value) = if has_name {
                (self.span_at(distance)?, self.span_at(steps.value)?)
            } else {
                (Span::NONE, self.span_at(distance)?)
            };
            data.push(DataEntry { kind, name, value });
            distance = steps.item;
        }
        Ok(())
    }

    fn tree(&mut self, tree: &mut Vec<Node>) -> Result<(), DecodeError> {
        let count = self.count(EVENT_TREE_NODES_MAX)?;
        let mut parents = [Node::ROOT; EVENT_DEPTH_MAX + 1];
        let mut depth_max = 0;
        for place in 0..count {
            let shape = self.byte()?;
            let depth = usize::from(shape >> 2);
            if depth > depth_max || depth >= EVENT_DEPTH_MAX {
                return Err(DecodeError::Damaged);
            }
            depth_max = depth;
            let (kind, has_name, has_value) = match shape & 3 {
                0 => (NodeKind::Element, true, false),
                1 => (NodeKind::Element, true, true),
                2 => (NodeKind::Attribute, true, true),
                _ => (NodeKind::Text, false, true),
            };
            if kind == NodeKind::Element {
                depth_max = depth + 1;
                parents[depth_max] = place as u32;
            }
            let name = if has_name { self.span()? } else { Span::NONE };
            let value = if has_value { self.span()? } else { Span::NONE };
            tree.push(Node {
                kind,
                depth: depth as u8,
                parent: parents[depth],
                name,
                value,
            });
        }
        Ok(())
    }

    fn rendering(&mut self, keywords: &mut Vec<Span>) -> Result<RenderingSpans, DecodeError> {
        let mask = self.byte()?;
        let mut rendering = RenderingSpans {
            is_truncated: mask & 1 == 1,
            ..Default::default()
        };
        for (place, string) in rendering.all_mut().into_iter().enumerate() {
            if mask >> (place + 1) & 1 == 1 {
                *string = self.span()?;
            }
        }
        for _ in 0..self.count(RENDERING_KEYWORDS_MAX)? {
            keywords.push(self.span()?);
        }
        Ok(rendering)
    }
}

impl super::index::Strings {
    fn all(&self) -> [Span; STRINGS as usize] {
        [
            self.provider_name,
            self.provider_guid,
            self.event_source_name,
            self.activity_id,
            self.related_activity_id,
            self.channel,
            self.computer,
            self.user_sid,
        ]
    }

    fn all_mut(&mut self) -> [&mut Span; STRINGS as usize] {
        [
            &mut self.provider_name,
            &mut self.provider_guid,
            &mut self.event_source_name,
            &mut self.activity_id,
            &mut self.related_activity_id,
            &mut self.channel,
            &mut self.computer,
            &mut self.user_sid,
        ]
    }
}

impl super::index::Numbers {
    fn all(&self) -> [Option<u64>; NUMBERS as usize] {
        [
            self.event_id.map(u64::from),
            self.qualifiers.map(u64::from),
            self.version.map(u64::from),
            self.level.map(u64::from),
            self.task.map(u64::from),
            self.opcode.map(u64::from),
            self.keywords,
            self.record_id,
            self.process_id.map(u64::from),
            self.thread_id.map(u64::from),
            self.processor_id.map(u64::from),
            self.session_id.map(u64::from),
            self.kernel_time.map(u64::from),
            self.user_time.map(u64::from),
            self.processor_time.map(u64::from),
        ]
    }
}

impl RenderingSpans {
    fn all(&self) -> [Span; 7] {
        [
            self.culture,
            self.message,
            self.level,
            self.task,
            self.opcode,
            self.channel,
            self.provider,
        ]
    }

    fn all_mut(&mut self) -> [&mut Span; 7] {
        [
            &mut self.culture,
            &mut self.message,
            &mut self.level,
            &mut self.task,
            &mut self.opcode,
            &mut self.channel,
            &mut self.provider,
        ]
    }
}

impl DataEntry {
    /// Where the first of its spans begins.
    #[inline]
    fn start(&self) -> usize {
        if self.name.is_some() {
            self.name.start()
        } else {
            self.value.start()
        }
    }

    #[inline]
    fn shape(&self) -> u8 {
        (self.kind as u8) << 1 | u8::from(self.name.is_some())
    }
}

impl DataKind {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Data, Self::ComplexData, Self::Binary]
            .get(usize::from(code))
            .copied()
    }
}

impl Node {
    fn shape(&self) -> u8 {
        let kind = match self.kind {
            NodeKind::Element => u8::from(self.value.is_some()),
            NodeKind::Attribute => 2,
            NodeKind::Text => 3,
        };
        self.depth << 2 | kind
    }
}

impl Payload {
    const ALL: [Self; 6] = [
        Self::None,
        Self::EventData,
        Self::UserData,
        Self::ProcessingErrorData,
        Self::DebugData,
        Self::BinaryEventData,
    ];

    fn code(self) -> u8 {
        self as u8
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl ParseStatus {
    const REASONS: [Reason; 8] = [
        Reason::NotAnEvent,
        Reason::CutOff,
        Reason::BadMarkup,
        Reason::MismatchedTag,
        Reason::TooDeep,
        Reason::TooManyItems,
        Reason::TooLong,
        Reason::TrailingContent,
    ];

    fn code(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::TruncatedRendering => 1,
            Self::Malformed(reason) => 2 + reason as u8,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Whole),
            1 => Some(Self::TruncatedRendering),
            code => Self::REASONS
                .get(usize::from(code) - 2)
                .copied()
                .map(Self::Malformed),
        }
    }
}
