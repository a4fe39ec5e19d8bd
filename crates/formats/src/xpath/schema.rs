//! What an event has, as far as its Index says: elements of which there is one at most, and
//! the values in them (Event schema, `EventType` and its parts).

use super::value::Value;
use crate::event::{Index, Payload, Span};

/// An element of which an event has one at most, and which has no value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Event,
    System,
    Provider,
    TimeCreated,
    Correlation,
    Execution,
    Security,
    EventData,
    /// UserData, ProcessingErrorData or DebugData: a tree of any shape.
    Tree(Payload),
    RenderingInfo,
    RenderedKeywords,
}

/// What is inside an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Element(Element),
    /// An element with a value.
    Leaf(Field),
}

/// A value of which an event has one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ProviderName,
    ProviderGuid,
    EventSourceName,
    EventId,
    Qualifiers,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    TimeOfEvent,
    RecordId,
    ActivityId,
    RelatedActivityId,
    ProcessId,
    ThreadId,
    ProcessorId,
    SessionId,
    KernelTime,
    UserTime,
    ProcessorTime,
    Channel,
    Computer,
    UserSid,
    EventDataName,
    BinaryEventData,
    Culture,
    RenderedMessage,
    RenderedLevel,
    RenderedTask,
    RenderedOpcode,
    RenderedChannel,
    RenderedProvider,
}

type Children = &'static [(&'static str, Child)];
type Attributes = &'static [(&'static str, Field)];

const EVENT: Children = &[
    ("System", Child::Element(Element::System)),
    ("EventData", Child::Element(Element::EventData)),
    ("UserData", Child::Element(Element::Tree(Payload::UserData))),
    (
        "ProcessingErrorData",
        Child::Element(Element::Tree(Payload::ProcessingErrorData)),
    ),
    (
        "DebugData",
        Child::Element(Element::Tree(Payload::DebugData)),
    ),
    ("BinaryEventData", Child::Leaf(Field::BinaryEventData)),
    ("RenderingInfo", Child::Element(Element::RenderingInfo)),
];

const SYSTEM: Children = &[
    ("Provider", Child::Element(Element::Provider)),
    ("EventID", Child::Leaf(Field::EventId)),
    ("Version", Child::Leaf(Field::Version)),
    ("Level", Child::Leaf(Field::Level)),
    ("Task", Child::Leaf(Field::Task)),
    ("Opcode", Child::Leaf(Field::Opcode)),
    ("Keywords", Child::Leaf(Field::Keywords)),
    ("TimeCreated", Child::Element(Element::TimeCreated)),
    ("EventRecordID", Child::Leaf(Field::RecordId)),
    ("Correlation", Child::Element(Element::Correlation)),
    ("Execution", Child::Element(Element::Execution)),
    ("Channel", Child::Leaf(Field::Channel)),
    ("Computer", Child::Leaf(Field::Computer)),
    ("Security", Child::Element(Element::Security)),
];

const RENDERING_INFO: Children = &[
    ("Message", Child::Leaf(Field::RenderedMessage)),
    ("Level", Child::Leaf(Field::RenderedLevel)),
    ("Task", Child::Leaf(Field::RenderedTask)),
    ("Opcode", Child::Leaf(Field::RenderedOpcode)),
    ("Channel", Child::Leaf(Field::RenderedChannel)),
    ("Provider", Child::Leaf(Field::RenderedProvider)),
    ("Keywords", Child::Element(Element::RenderedKeywords)),
];

const PROVIDER: Attributes = &[
    ("Name", Field::ProviderName),
    ("Guid", Field::ProviderGuid),
    ("EventSourceName", Field::EventSourceName),
];

const CORRELATION: Attributes = &[
    ("ActivityID", Field::ActivityId),
    ("RelatedActivityID", Field::RelatedActivityId),
];

const EXECUTION: Attributes = &[
    ("ProcessID", Field::ProcessId),
    ("ThreadID", Field::ThreadId),
    ("ProcessorID", Field::ProcessorId),
    ("SessionID", Field::SessionId),
    ("KernelTime", Field::KernelTime),
    ("UserTime", Field::UserTime),
    ("ProcessorTime", Field::ProcessorTime),
];

impl Element {
    /// The elements inside that an event has one of at most.
    pub(super) fn children(self) -> Children {
        match self {
            Element::Event => EVENT,
            Element::System => SYSTEM,
            Element::RenderingInfo => RENDERING_INFO,
            _ => &[],
        }
    }

    pub(super) fn attributes(self) -> Attributes {
        match self {
            Element::Provider => PROVIDER,
            Element::TimeCreated => &[("SystemTime", Field::TimeOfEvent)],
            Element::Correlation => CORRELATION,
            Element::Execution => EXECUTION,
            Element::Security => &[("UserID", Field::UserSid)],
            Element::EventData => &[("Name", Field::EventDataName)],
            Element::RenderingInfo => &[("Culture", Field::Culture)],
            _ => &[],
        }
    }

    /// Whether the event has it; an element of attributes alone only with one of them.
    pub(super) fn is_in(self, index: &Index) -> bool {
        match self {
            Element::Event => true,
            Element::System => SYSTEM.iter().any(|(_, child)| child.is_in(index)),
            Element::EventData => {
                index.payload == Payload::EventData || Field::EventDataName.is_in(index)
            }
            Element::Tree(payload) => index.payload == payload,
            Element::RenderingInfo => index.rendering.is_some(),
            Element::RenderedKeywords => !index.rendering_keywords.is_empty(),
            _ => {
                let mut attributes = self.attributes().iter();
                attributes.any(|(_, field)| field.is_in(index))
            }
        }
    }
}

impl Child {
    fn is_in(self, index: &Index) -> bool {
        match self {
            Child::Element(element) => element.is_in(index),
            Child::Leaf(field) => field.is_in(index),
        }
    }
}

impl Field {
    /// The attributes of a leaf.
    pub(super) fn attributes(self) -> Attributes {
        match self {
            Field::EventId => &[("Qualifiers", Field::Qualifiers)],
            _ => &[],
        }
    }

    pub(super) fn is_number(self) -> bool {
        use Field::*;
        matches!(
            self,
            EventId
                | Qualifiers
                | Version
                | Level
                | Task
                | Opcode
                | Keywords
                | RecordId
                | ProcessId
                | ThreadId
                | ProcessorId
                | SessionId
                | KernelTime
                | UserTime
                | ProcessorTime
        )
    }

    /// The largest that a number of this field can be, as Windows writes it (Event schema,
    /// `SystemPropertiesType`).
    pub(super) fn number_max(self) -> Option<u64> {
        use Field::*;
        match self {
            Version | Level | Opcode => Some(u8::MAX.into()),
            EventId | Qualifiers | Task => Some(u16::MAX.into()),
            Keywords | RecordId => Some(u64::MAX),
            field if field.is_number() => Some(u32::MAX.into()),
            _ => None,
        }
    }

    /// Its name in a query.
    pub(super) fn name(self) -> String {
        let leaves = [EVENT, SYSTEM, RENDERING_INFO].into_iter().flatten();
        let leaf = leaves.filter(|(_, child)| *child == Child::Leaf(self));
        if let Some((name, _)) = leaf.into_iter().next() {
            return (*name).to_owned();
        }
        let elements = [
            Element::Provider,
            Element::TimeCreated,
            Element::Correlation,
            Element::Execution,
            Element::Security,
            Element::EventData,
            Element::RenderingInfo,
        ];
        let attributes = elements.iter().flat_map(|element| element.attributes());
        let mut attributes = attributes.chain(Field::EventId.attributes());
        let found = attributes.find(|(_, field)| *field == self);
        format!("@{}", found.map_or("", |(name, _)| name))
    }

    pub(super) fn is_in(self, index: &Index) -> bool {
        self.value(index).is_some()
    }

    /// What the event has in this place.
    #[inline]
    pub(super) fn value(self, index: &Index) -> Option<Value> {
        let numbers = &index.numbers;
        let number = |number: Option<u32>| number.map(|number| Value::Number(number.into()));
        match self {
            Field::EventId => number(numbers.event_id),
            Field::Qualifiers => number(numbers.qualifiers),
            Field::Version => number(numbers.version),
            Field::Level => number(numbers.level),
            Field::Task => number(numbers.task),
            Field::Opcode => number(numbers.opcode),
            Field::Keywords => numbers.keywords.map(Value::Number),
            Field::RecordId => numbers.record_id.map(Value::Number),
            Field::ProcessId => number(numbers.process_id),
            Field::ThreadId => number(numbers.thread_id),
            Field::ProcessorId => number(numbers.processor_id),
            Field::SessionId => number(numbers.session_id),
            Field::KernelTime => number(numbers.kernel_time),
            Field::UserTime => number(numbers.user_time),
            Field::ProcessorTime => number(numbers.processor_time),
            Field::TimeOfEvent => index.time_created.map(Value::Time),
            _ => self
                .span(index)
                .filter(|span| span.is_some())
                .map(Value::Text),
        }
    }

    #[inline]
    fn span(self, index: &Index) -> Option<Span> {
        let strings = &index.strings;
        let rendering = index.rendering.as_ref();
        match self {
            Field::ProviderName => Some(strings.provider_name),
            Field::ProviderGuid => Some(strings.provider_guid),
            Field::EventSourceName => Some(strings.event_source_name),
            Field::ActivityId => Some(strings.activity_id),
            Field::RelatedActivityId => Some(strings.related_activity_id),
            Field::Channel => Some(strings.channel),
            Field::Computer => Some(strings.computer),
            Field::UserSid => Some(strings.user_sid),
            Field::EventDataName => Some(index.event_data_name),
            Field::BinaryEventData => match index.payload {
                Payload::BinaryEventData => index.data.first().map(|item| item.value),
                _ => None,
            },
            Field::Culture => rendering.map(|rendering| rendering.culture),
            Field::RenderedMessage => rendering.map(|rendering| rendering.message),
            Field::RenderedLevel => rendering.map(|rendering| rendering.level),
            Field::RenderedTask => rendering.map(|rendering| rendering.task),
            Field::RenderedOpcode => rendering.map(|rendering| rendering.opcode),
            Field::RenderedChannel => rendering.map(|rendering| rendering.channel),
            Field::RenderedProvider => rendering.map(|rendering| rendering.provider),
            _ => None,
        }
    }
}
