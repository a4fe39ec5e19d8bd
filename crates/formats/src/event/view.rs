//! An Event to read from: text and Index together.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use super::index::{DataKind, Index, Node, NodeKind, RenderingSpans};
use super::span::Span;
use super::{ParseStatus, Payload};
use crate::limits::EVENT_DEPTH_MAX;

/// One Event: its text and the Index made of it. Values come unescaped, borrowed from the
/// text where the text has them literally.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    text: &'a str,
    index: &'a Index,
}

/// Accessors of strings and of numbers read from the Index.
macro_rules! accessors {
    (strings { $($(#[$string_doc:meta])* $string:ident;)* }
     numbers { $($(#[$number_doc:meta])* $number:ident: $type:ty;)* }) => {
        $($(#[$string_doc])*
        pub fn $string(&self) -> Option<Cow<'a, str>> {
            self.index.strings.$string.optional_value(self.text)
        })*
        $($(#[$number_doc])*
        pub fn $number(&self) -> Option<$type> {
            self.index.numbers.$number
        })*
    };
}

impl<'a> Event<'a> {
    /// `index` must have been made of, or decoded for, this `text`.
    pub fn new(text: &'a str, index: &'a Index) -> Self {
        Self { text, index }
    }

    /// The Event's XML, byte for byte as it was decoded.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Where the values lie.
    #[inline]
    pub(crate) fn index(&self) -> &'a Index {
        self.index
    }

    /// How far the parser got.
    pub fn status(&self) -> ParseStatus {
        self.index.status
    }

    accessors! {
        strings {
        /// `Provider/@Name`.
        provider_name;
        /// `Provider/@Guid`, as written: case and braces differ between providers.
        provider_guid;
        /// `Provider/@EventSourceName`: the classic name of a provider that has both.
        event_source_name;
        /// `Channel`.
        channel;
        /// `Computer`: what the machine calls itself, not who sent the event.
        computer;
        /// `Security/@UserID`.
        user_sid;
        /// `Correlation/@ActivityID`, as written.
        activity_id;
        /// `Correlation/@RelatedActivityID`, as written.
        related_activity_id;
        }
        numbers {
        /// `EventID`.
        event_id: u32;
        /// `EventID/@Qualifiers`: the upper half of a classic event's identifier.
        qualifiers: u32;
        /// `Version`.
        version: u32;
        /// `Level`: any number, not only 0 to 5.
        level: u32;
        /// `Task`.
        task: u32;
        /// `Opcode`.
        opcode: u32;
        /// `Keywords`: an unsigned bit mask.
        keywords: u64;
        /// `EventRecordID`.
        record_id: u64;
        /// `Execution/@ProcessID`.
        process_id: u32;
        /// `Execution/@ThreadID`.
        thread_id: u32;
        /// `Execution/@ProcessorID`.
        processor_id: u32;
        /// `Execution/@SessionID`.
        session_id: u32;
        /// `Execution/@KernelTime`, in timer units.
        kernel_time: u32;
        /// `Execution/@UserTime`, in timer units.
        user_time: u32;
        /// `Execution/@ProcessorTime`, in timer units.
        processor_time: u32;
        }
    }

    /// `TimeCreated/@SystemTime`.
    pub fn time_created(&self) -> Option<Timestamp> {
        self.index.time_created
    }

    /// Which payload the Event has.
    pub fn payload(&self) -> Payload {
        self.index.payload
    }

    /// `EventData/@Name`: the name of the template.
    pub fn event_data_name(&self) -> Option<Cow<'a, str>> {
        self.index.event_data_name.optional_value(self.text)
    }

    /// The items of EventData in document order; names may be absent, and may repeat.
    pub fn data(&self) -> impl ExactSizeIterator<Item = DataItem<'a>> + Clone + use<'a> {
        let text = self.text;
        self.index.data.iter().map(move |entry| DataItem {
            name: entry.name.optional_value(text),
            value: entry.value.value(text),
            kind: entry.kind,
        })
    }

    /// The values alone of [`Event::data`].
    pub fn data_values(&self) -> impl ExactSizeIterator<Item = Cow<'a, str>> + Clone + use<'a> {
        let text = self.text;
        self.index
            .data
            .iter()
            .map(move |entry| entry.value.value(text))
    }

    /// The value of the first item with this name.
    pub fn data_value(&self, name: &str) -> Option<Cow<'a, str>> {
        let is_named = |entry: &&super::index::DataEntry| {
            entry.name.is_some() && entry.name.value(self.text) == name
        };
        self.index
            .data
            .iter()
            .find(is_named)
            .map(|entry| entry.value.value(self.text))
    }

    /// The leaves of UserData, ProcessingErrorData or DebugData in document order:
    /// elements without elements inside (empty ones too), attributes (namespace
    /// declarations left out), and the text of elements that have both.
    pub fn user_data(&self) -> impl Iterator<Item = Leaf<'a>> + Clone + use<'a> {
        let text = self.text;
        self.leaves().map(move |(path, value)| Leaf {
            path,
            value: value.value(text),
        })
    }

    /// [`Event::user_data`] with where the values lie in place of the values.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (Path<'a>, Span)> + Clone + use<'a> {
        let event = *self;
        (0u32..)
            .zip(&self.index.tree)
            .filter(|(_, node)| node.value.is_some())
            .map(move |(node, entry)| (Path { event, node }, entry.value))
    }

    /// What the source rendered, when the subscription asked for rendered text.
    pub fn rendering(&self) -> Option<Rendering<'a>> {
        let spans = self.index.rendering.as_ref()?;
        Some(Rendering {
            event: *self,
            spans,
        })
    }
}

/// One item of EventData.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataItem<'a> {
    /// `@Name`; classic events have none.
    pub name: Option<Cow<'a, str>>,
    /// The value; of an item with elements inside, the markup as it stands.
    pub value: Cow<'a, str>,
    /// What the item is.
    pub kind: DataKind,
}

/// One value of UserData and where in the tree it stands.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// Names from the payload element's child to the value's element.
    pub path: Path<'a>,
    /// The value.
    pub value: Cow<'a, str>,
}

/// The place of a leaf: displays as `RuleAndFileData/PolicyName`, an attribute as
/// `RuleAndFileData/Fqbn/@Length`, without namespace prefixes. Text directly in the
/// payload element has the empty path.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    event: Event<'a>,
    node: u32,
}

impl<'a> Path<'a> {
    /// The name of the leaf itself, without the `@` of an attribute.
    pub fn name(&self) -> &'a str {
        match self.entry(self.node) {
            Some(node) if node.kind == NodeKind::Text => match self.entry(node.parent) {
                Some(parent) => parent.name.raw(self.event.text),
                None => "",
            },
            Some(node) => node.name.raw(self.event.text),
            None => "",
        }
    }

    fn entry(&self, node: u32) -> Option<&'a Node> {
        self.event.index.tree.get(node as usize)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = [""; EVENT_DEPTH_MAX];
        let mut first = steps.len();
        let mut at = self.node;
        while let Some(node) = self.entry(at)
            && first > 0
        {
            if node.kind == NodeKind::Element {
                first -= 1;
                steps[first] = node.name.raw(self.event.text);
            }
            at = node.parent;
        }
        let mut separator = "";
        for step in &steps[first..] {
            f.write_str(separator)?;
            f.write_str(step)?;
            separator = "/";
        }
        match self.entry(self.node) {
            Some(node) if node.kind == NodeKind::Attribute => {
                write!(f, "{separator}@{}", node.name.raw(self.event.text))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// RenderingInfo: texts in the language of the source, never to be matched on.
#[derive(Clone, Copy, Debug)]
pub struct Rendering<'a> {
    event: Event<'a>,
    spans: &'a RenderingSpans,
}

/// Accessors of the rendered strings.
macro_rules! rendered {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Option<Cow<'a, str>> {
            self.spans.$name.optional_value(self.event.text)
        })*
    };
}

impl<'a> Rendering<'a> {
    rendered! {
        /// The description; up to the cut when the rendering is truncated inside it.
        message;
        /// The level's name.
        level;
        /// The task's name.
        task;
        /// The opcode's name.
        opcode;
        /// The channel's display name.
        channel;
        /// The provider's display name.
        provider;
        /// The language, such as `en-US`.
        culture;
    }

    /// The keywords' names.
    pub fn keywords(&self) -> impl ExactSizeIterator<Item = Cow<'a, str>> + Clone + use<'a> {
        let text = self.event.text;
        self.event
            .index
            .rendering_keywords
            .iter()
            .map(move |span| span.value(text))
    }

    /// Whether the Event's text ends inside RenderingInfo.
    pub fn is_truncated(&self) -> bool {
        self.spans.is_truncated
    }
}
