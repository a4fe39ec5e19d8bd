//! From the Event's text to its Index, in one pass (Event schema,
//! `http://schemas.microsoft.com/win/2004/08/events/event`).
//!
//! Elements are known by their local names; those unknown to the schema are passed over.
//! Of a value given twice the first counts. What was read before an error stays read.

use super::index::{DataEntry, DataKind, Index, Node, NodeKind, RenderingSpans};
use super::number;
use super::scan::{Attribute, Name, Scanner, Tag};
use super::span::Span;
use super::{ParseError, ParseStatus, Payload, Reason};
use crate::limits::{
    EVENT_DATA_ITEMS_MAX, EVENT_DEPTH_MAX, EVENT_TEXT_BYTES_MAX, EVENT_TREE_NODES_MAX,
    RENDERING_KEYWORDS_MAX,
};

/// Fills `index` with what `text`, the XML of one Event, holds.
///
/// Odd Events (absent fields, fields out of range, control characters, bare ampersands,
/// RenderingInfo cut off) are no errors. After an error the index holds what precedes it,
/// and its status says so.
pub fn parse(text: &str, index: &mut Index) -> Result<(), ParseError> {
    index.clear();
    if text.len() > EVENT_TEXT_BYTES_MAX {
        index.status = ParseStatus::Malformed(Reason::TooLong);
        return Err(ParseError {
            reason: Reason::TooLong,
            offset: EVENT_TEXT_BYTES_MAX,
        });
    }
    let mut parser = Parser {
        scanner: Scanner::new(text),
        text,
        index,
    };
    let result = parser.event();
    let offset = parser.scanner.position();
    if let Err(reason) = result {
        index.status = ParseStatus::Malformed(reason);
        return Err(ParseError { reason, offset });
    }
    Ok(())
}

struct Parser<'a, 'i> {
    scanner: Scanner<'a>,
    text: &'a str,
    index: &'i mut Index,
}

impl<'a> Parser<'a, '_> {
    fn event(&mut self) -> Result<(), Reason> {
        let Ok(Tag::Open(root)) = self.scanner.next_tag() else {
            return Err(Reason::NotAnEvent);
        };
        if self.local(root) != b"Event" {
            return Err(Reason::NotAnEvent);
        }
        if self.scanner.skip_attributes()? {
            loop {
                match self.scanner.next_tag()? {
                    Tag::Open(name) => self.section(name)?,
                    Tag::Close(name) => {
                        self.scanner.expect_same(root, name)?;
                        break;
                    }
                }
                if self.index.status == ParseStatus::TruncatedRendering {
                    return Ok(());
                }
            }
        }
        if self.scanner.is_rest_ignorable() {
            Ok(())
        } else {
            Err(Reason::TrailingContent)
        }
    }

    fn section(&mut self, name: Name) -> Result<(), Reason> {
        match self.local(name) {
            b"System" => self.system(name),
            b"EventData" => {
                self.set_payload(Payload::EventData);
                self.event_data(name)
            }
            b"UserData" => self.tree(name, Payload::UserData),
            b"ProcessingErrorData" => self.tree(name, Payload::ProcessingErrorData),
            b"DebugData" => self.tree(name, Payload::DebugData),
            b"BinaryEventData" => {
                self.set_payload(Payload::BinaryEventData);
                if self.scanner.skip_attributes()? {
                    let value = self.scanner.content(name)?;
                    self.push_data(DataKind::Binary, Span::NONE, value)?;
                }
                Ok(())
            }
            b"RenderingInfo" => self.rendering_info(name),
            _ => self.skip(name),
        }
    }

    fn system(&mut self, name: Name) -> Result<(), Reason> {
        if !self.scanner.skip_attributes()? {
            return Ok(());
        }
        loop {
            match self.scanner.next_tag()? {
                Tag::Open(child) => self.system_child(child)?,
                Tag::Close(close) => return self.scanner.expect_same(name, close),
            }
        }
    }

    fn system_child(&mut self, name: Name) -> Result<(), Reason> {
        let local = self.local(name);
        loop {
            match self.scanner.attribute()? {
                Attribute::Pair(attribute, value) => self.system_attribute(local, attribute, value),
                Attribute::End => break,
                Attribute::EndEmpty => return Ok(()),
            }
        }
        let content = self.scanner.content(name)?;
        self.system_value(local, content);
        Ok(())
    }

    fn system_attribute(&mut self, element: &[u8], attribute: Name, value: Span) {
        let strings = &mut self.index.strings;
        let numbers = &mut self.index.numbers;
        let string = match (element, self.scanner.name(attribute)) {
            (b"Provider", b"Name") => &mut strings.provider_name,
            (b"Provider", b"Guid") => &mut strings.provider_guid,
            (b"Provider", b"EventSourceName") => &mut strings.event_source_name,
            (b"Correlation", b"ActivityID") => &mut strings.activity_id,
            (b"Correlation", b"RelatedActivityID") => &mut strings.related_activity_id,
            (b"Security", b"UserID") => &mut strings.user_sid,
            (b"TimeCreated", b"SystemTime") => {
                let time = &mut self.index.time_created;
                *time = time.or_else(|| number::time(&value.value(self.text)));
                return;
            }
            (element, attribute) => {
                let number = match (element, attribute) {
                    (b"EventID", b"Qualifiers") => &mut numbers.qualifiers,
                    (b"Execution", b"ProcessID") => &mut numbers.process_id,
                    (b"Execution", b"ThreadID") => &mut numbers.thread_id,
                    (b"Execution", b"ProcessorID") => &mut numbers.processor_id,
                    (b"Execution", b"SessionID") => &mut numbers.session_id,
                    (b"Execution", b"KernelTime") => &mut numbers.kernel_time,
                    (b"Execution", b"UserTime") => &mut numbers.user_time,
                    (b"Execution", b"ProcessorTime") => &mut numbers.processor_time,
                    _ => return,
                };
                *number = number.or_else(|| number::unsigned_u32(&value.value(self.text)));
                return;
            }
        };
        keep_first(string, value);
    }

    fn system_value(&mut self, element: &[u8], value: Span) {
        let numbers = &mut self.index.numbers;
        let number = match element {
            b"EventID" => &mut numbers.event_id,
            b"Version" => &mut numbers.version,
            b"Level" => &mut numbers.level,
            b"Task" => &mut numbers.task,
            b"Opcode" => &mut numbers.opcode,
            b"Keywords" | b"EventRecordID" => {
                let number = match element {
                    b"Keywords" => &mut numbers.keywords,
                    _ => &mut numbers.record_id,
                };
                *number = number.or_else(|| number::unsigned(&value.value(self.text)));
                return;
            }
            b"Channel" => {
                return keep_first(&mut self.index.strings.channel, self.scanner.trim(value));
            }
            b"Computer" => {
                return keep_first(&mut self.index.strings.computer, self.scanner.trim(value));
            }
            _ => return,
        };
        *number = number.or_else(|| number::unsigned_u32(&value.value(self.text)));
    }

    fn event_data(&mut self, name: Name) -> Result<(), Reason> {
        loop {
            match self.scanner.attribute()? {
                Attribute::Pair(attribute, value) => {
                    if self.scanner.name(attribute) == b"Name" {
                        keep_first(&mut self.index.event_data_name, value);
                    }
                }
                Attribute::End => break,
                Attribute::EndEmpty => return Ok(()),
            }
        }
        loop {
            while let Some((name, value)) = self.scanner.plain_data() {
                self.push_data(DataKind::Data, name, value)?;
            }
            match self.scanner.next_tag()? {
                Tag::Open(child) => self.data_item(child)?,
                Tag::Close(close) => return self.scanner.expect_same(name, close),
            }
        }
    }

    fn data_item(&mut self, element: Name) -> Result<(), Reason> {
        let kind = match self.local(element) {
            b"Data" => DataKind::Data,
            b"ComplexData" => DataKind::ComplexData,
            b"Binary" => DataKind::Binary,
            _ => return self.skip(element),
        };
        let mut name = Span::NONE;
        loop {
            match self.scanner.attribute()? {
                Attribute::Pair(attribute, value) => {
                    if self.scanner.name(attribute) == b"Name" {
                        name = value;
                    }
                }
                Attribute::End => break,
                Attribute::EndEmpty => {
                    let here = self.scanner.position();
                    return self.push_data(kind, name, Span::new(here, here, false));
                }
            }
        }
        let value = self.scanner.content(element)?;
        self.push_data(kind, name, value)
    }

    fn push_data(&mut self, kind: DataKind, name: Span, value: Span) -> Result<(), Reason> {
        if self.index.data.len() == EVENT_DATA_ITEMS_MAX {
            return Err(Reason::TooManyItems);
        }
        self.index.data.push(DataEntry { kind, name, value });
        Ok(())
    }

    /// Reads a payload of any shape into the list of nodes.
    fn tree(&mut self, payload_element: Name, payload: Payload) -> Result<(), Reason> {
        self.set_payload(payload);
        if !self.scanner.skip_attributes()? {
            return Ok(());
        }
        let mut open = OpenElements {
            names: [payload_element; EVENT_DEPTH_MAX],
            nodes: [Node::ROOT; EVENT_DEPTH_MAX],
            depth: 0,
        };
        loop {
            let run = self.scanner.run()?;
            match self.scanner.tag()? {
                Tag::Open(name) => {
                    if !run.is_blank {
                        self.push_node(NodeKind::Text, &open, Span::NONE, run.span)?;
                    }
                    self.tree_element(name, &mut open)?;
                }
                Tag::Close(name) => {
                    self.scanner.expect_same(open.names[open.depth], name)?;
                    let node = open.nodes[open.depth];
                    if node != Node::ROOT && self.is_childless(node) {
                        self.index.tree[node as usize].value = run.span;
                    } else if !run.is_blank {
                        self.push_node(NodeKind::Text, &open, Span::NONE, run.span)?;
                    }
                    if open.depth == 0 {
                        return Ok(());
                    }
                    open.depth -= 1;
                }
            }
        }
    }

    fn tree_element(&mut self, name: Name, open: &mut OpenElements) -> Result<(), Reason> {
        let node = self.push_node(NodeKind::Element, open, name.local_span(), Span::NONE)?;
        if open.depth + 1 == EVENT_DEPTH_MAX {
            return Err(Reason::TooDeep);
        }
        open.depth += 1;
        open.names[open.depth] = name;
        open.nodes[open.depth] = node;
        loop {
            match self.scanner.attribute()? {
                Attribute::Pair(attribute, value) => {
                    if !self.scanner.name(attribute).starts_with(b"xmlns") {
                        self.push_node(NodeKind::Attribute, open, attribute.local_span(), value)?;
                    }
                }
                Attribute::End => return Ok(()),
                Attribute::EndEmpty => {
                    let here = self.scanner.position();
                    self.index.tree[node as usize].value = Span::new(here, here, false);
                    open.depth -= 1;
                    return Ok(());
                }
            }
        }
    }

    /// Whether the element has only attributes below it: nodes after it are its own, for
    /// it is still open.
    fn is_childless(&self, node: u32) -> bool {
        let below = &self.index.tree[node as usize + 1..];
        below.iter().all(|below| below.kind == NodeKind::Attribute)
    }

    fn push_node(
        &mut self,
        kind: NodeKind,
        open: &OpenElements,
        name: Span,
        value: Span,
    ) -> Result<u32, Reason> {
        let tree = &mut self.index.tree;
        if tree.len() == EVENT_TREE_NODES_MAX {
            return Err(Reason::TooManyItems);
        }
        let parent = open.nodes[open.depth];
        tree.push(Node {
            kind,
            depth: open.depth as u8,
            parent,
            name,
            value,
        });
        Ok(tree.len() as u32 - 1)
    }

    /// RenderingInfo is the last element and the one that senders cut off; what was read
    /// of it until then is kept, the last string up to the cut.
    fn rendering_info(&mut self, name: Name) -> Result<(), Reason> {
        if self.index.rendering.is_some() {
            return self.skip(name);
        }
        let mut rendering = RenderingSpans::default();
        if self.rendering_content(name, &mut rendering).is_err() {
            rendering.is_truncated = true;
            self.index.status = ParseStatus::TruncatedRendering;
        }
        self.index.rendering = Some(rendering);
        Ok(())
    }

    fn rendering_content(
        &mut self,
        name: Name,
        rendering: &mut RenderingSpans,
    ) -> Result<(), Reason> {
        loop {
            match self.scanner.attribute()? {
                Attribute::Pair(attribute, value) => {
                    if self.scanner.name(attribute) == b"Culture" {
                        keep_first(&mut rendering.culture, value);
                    }
                }
                Attribute::End => break,
                Attribute::EndEmpty => return Ok(()),
            }
        }
        loop {
            match self.scanner.next_tag()? {
                Tag::Open(child) => self.rendering_child(child, rendering)?,
                Tag::Close(close) => return self.scanner.expect_same(name, close),
            }
        }
    }

    fn rendering_child(
        &mut self,
        name: Name,
        rendering: &mut RenderingSpans,
    ) -> Result<(), Reason> {
        let string = match self.local(name) {
            b"Message" => &mut rendering.message,
            b"Level" => &mut rendering.level,
            b"Task" => &mut rendering.task,
            b"Opcode" => &mut rendering.opcode,
            b"Channel" => &mut rendering.channel,
            b"Provider" => &mut rendering.provider,
            b"Keywords" => return self.rendering_keywords(name),
            _ => return self.skip(name),
        };
        if !self.scanner.skip_attributes()? {
            return Ok(());
        }
        let start = self.scanner.position();
        match self.scanner.content(name) {
            Ok(value) => keep_first(string, value),
            Err(reason) => {
                let rest = &self.text.as_bytes()[start..];
                let len = memchr::memchr(b'<', rest).unwrap_or(rest.len());
                keep_first(string, Span::new(start, start + len, true));
                return Err(reason);
            }
        }
        Ok(())
    }

    fn rendering_keywords(&mut self, name: Name) -> Result<(), Reason> {
        if !self.scanner.skip_attributes()? {
            return Ok(());
        }
        loop {
            match self.scanner.next_tag()? {
                Tag::Open(child) if self.local(child) == b"Keyword" => {
                    if !self.scanner.skip_attributes()? {
                        continue;
                    }
                    let value = self.scanner.content(child)?;
                    let keyword = self.scanner.trim(value);
                    if self.index.rendering_keywords.len() == RENDERING_KEYWORDS_MAX {
                        return Err(Reason::TooManyItems);
                    }
                    self.index.rendering_keywords.push(keyword);
                }
                Tag::Open(child) => self.skip(child)?,
                Tag::Close(close) => return self.scanner.expect_same(name, close),
            }
        }
    }

    fn skip(&mut self, name: Name) -> Result<(), Reason> {
        if self.scanner.skip_attributes()? {
            self.scanner.skip_content(name)?;
        }
        Ok(())
    }

    fn set_payload(&mut self, payload: Payload) {
        if self.index.payload == Payload::None {
            self.index.payload = payload;
        }
    }

    #[inline]
    fn local(&self, name: Name) -> &'a [u8] {
        self.scanner.local(name)
    }
}

/// The elements around the scanner's place inside a payload; the payload element itself
/// is at depth 0.
struct OpenElements {
    names: [Name; EVENT_DEPTH_MAX],
    nodes: [u32; EVENT_DEPTH_MAX],
    depth: usize,
}

/// Takes the first value that is not empty: an empty string in System or RenderingInfo
/// says no more than an absent one.
#[inline]
fn keep_first(slot: &mut Span, value: Span) {
    if !slot.is_some() && value.start() < value.end() {
        *slot = value;
    }
}
