//! The Index: where every value of one Event lies, and its numbers already read.

use jiff::Timestamp;

use super::span::Span;
use super::{ParseStatus, Payload};

/// Where every value of an Event lies in its text: made once when the Event comes in and
/// stored beside it, so that no sink parses again.
///
/// Reusable: [`super::parse`] and [`Index::decode`] clear and refill it and allocate only
/// when an Event has more items than any before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub(crate) status: ParseStatus,
    pub(crate) payload: Payload,
    pub(crate) strings: Strings,
    pub(crate) numbers: Numbers,
    pub(crate) time_created: Option<Timestamp>,
    pub(crate) event_data_name: Span,
    pub(crate) data: Vec<DataEntry>,
    pub(crate) tree: Vec<Node>,
    pub(crate) rendering: Option<RenderingSpans>,
    pub(crate) rendering_keywords: Vec<Span>,
}

/// The strings of the System element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strings {
    pub(crate) provider_name: Span,
    pub(crate) provider_guid: Span,
    pub(crate) event_source_name: Span,
    pub(crate) activity_id: Span,
    pub(crate) related_activity_id: Span,
    pub(crate) channel: Span,
    pub(crate) computer: Span,
    pub(crate) user_sid: Span,
}

/// The numbers of the System element.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) event_id: Option<u32>,
    pub(crate) qualifiers: Option<u32>,
    pub(crate) version: Option<u32>,
    pub(crate) level: Option<u32>,
    pub(crate) task: Option<u32>,
    pub(crate) opcode: Option<u32>,
    pub(crate) keywords: Option<u64>,
    pub(crate) record_id: Option<u64>,
    pub(crate) process_id: Option<u32>,
    pub(crate) thread_id: Option<u32>,
    pub(crate) processor_id: Option<u32>,
    pub(crate) session_id: Option<u32>,
    pub(crate) kernel_time: Option<u32>,
    pub(crate) user_time: Option<u32>,
    pub(crate) processor_time: Option<u32>,
}

/// What an item of EventData is (Event schema, DataType, ComplexDataType).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// A `Data` element.
    Data,
    /// A `ComplexData` element; its value is the markup inside it.
    ComplexData,
    /// A `Binary` element, or the whole of `BinaryEventData`: hexadecimal digits.
    Binary,
}

/// One item of EventData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataEntry {
    pub(crate) kind: DataKind,
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// What a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// An element without elements inside has a value, any other has none.
    Element,
    /// An attribute of the element at one depth less.
    Attribute,
    /// Text of an element that has elements inside too.
    Text,
}

/// One node of UserData, ProcessingErrorData or DebugData, in document order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// 0 for the children of the payload element; below [`crate::limits::EVENT_DEPTH_MAX`].
    pub(crate) depth: u8,
    /// Place of the element around it in the list; [`Node::ROOT`] at depth 0.
    pub(crate) parent: u32,
    pub(crate) name: Span,
    pub(crate) value: Span,
}

impl Node {
    /// The parent of the outermost nodes.
    pub(crate) const ROOT: u32 = u32::MAX;
}

/// RenderingInfo (Event schema, RenderingInfoType).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenderingSpans {
    pub(crate) is_truncated: bool,
    pub(crate) culture: Span,
    pub(crate) message: Span,
    pub(crate) level: Span,
    pub(crate) task: Span,
    pub(crate) opcode: Span,
    pub(crate) channel: Span,
    pub(crate) provider: Span,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            status: ParseStatus::Whole,
            payload: Payload::None,
            strings: Strings::default(),
            numbers: Numbers::default(),
            time_created: None,
            event_data_name: Span::NONE,
            data: Vec::new(),
            tree: Vec::new(),
            rendering: None,
            rendering_keywords: Vec::new(),
        }
    }
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            provider_name: Span::NONE,
            provider_guid: Span::NONE,
            event_source_name: Span::NONE,
            activity_id: Span::NONE,
            related_activity_id: Span::NONE,
            channel: Span::NONE,
            computer: Span::NONE,
            user_sid: Span::NONE,
        }
    }
}

impl Default for RenderingSpans {
    fn default() -> Self {
        Self {
            is_truncated: false,
            culture: Span::NONE,
            message: Span::NONE,
            level: Span::NONE,
            task: Span::NONE,
            opcode: Span::NONE,
            channel: Span::NONE,
            provider: Span::NONE,
        }
    }
}

impl Index {
    /// An empty index, to be filled by [`super::parse`] or [`Index::decode`].
    pub fn new() -> Self {
        Self::default()
    }

    /// How far the parser got.
    pub fn status(&self) -> ParseStatus {
        self.status
    }

    /// Forgets the Event, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.status = ParseStatus::Whole;
        self.payload = Payload::None;
        self.strings = Strings::default();
        self.numbers = Numbers::default();
        self.time_created = None;
        self.event_data_name = Span::NONE;
        self.data.clear();
        self.tree.clear();
        self.rendering = None;
        self.rendering_keywords.clear();
    }
}
