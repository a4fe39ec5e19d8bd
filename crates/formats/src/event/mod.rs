//! One model of a Windows Event.
//!
//! The Event's text, as decoded from its charset, is kept byte for byte; the [`Index`]
//! says where in it every value lies, and [`Event`] reads text and Index together.
//!
//! Invariants: parsing never panics and is linear in the text; an Index decoded from
//! bytes points only into the text it was decoded for, at character boundaries; using an
//! Index with another text gives wrong values at worst.

mod codec;
mod index;
pub(crate) mod number;
mod parse;
mod pieces;
pub(crate) mod scan;
mod span;
#[cfg(test)]
mod tests;
mod view;

pub use codec::DecodeError;
pub use index::{DataKind, Index};
pub(crate) use index::{Node as TreeNode, NodeKind};
pub(crate) use number::{time, unsigned};
pub use parse::parse;
pub(crate) use span::Span;
pub use view::{DataItem, Event, Leaf, Path, Rendering};

/// How far the parser got through an Event's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ParseStatus {
    /// To the end.
    #[default]
    Whole,
    /// Up to somewhere inside RenderingInfo, which is cut off or broken; what precedes it
    /// is whole.
    TruncatedRendering,
    /// Up to something that is not well-formed; what precedes it was read.
    Malformed(Reason),
}

/// What kept an Event from being read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// The text does not begin with an Event element.
    #[error("the text does not begin with an Event element")]
    NotAnEvent,
    /// The text ends inside the Event.
    #[error("the text ends before the Event does")]
    CutOff,
    /// A tag is not well-formed.
    #[error("a tag is not well-formed")]
    BadMarkup,
    /// An end tag does not match its start tag.
    #[error("an end tag does not match its start tag")]
    MismatchedTag,
    /// Deeper than [`crate::limits::EVENT_DEPTH_MAX`].
    #[error(
        "elements are nested deeper than {} levels",
        crate::limits::EVENT_DEPTH_MAX
    )]
    TooDeep,
    /// More than [`crate::limits::EVENT_DATA_ITEMS_MAX`] and its like allow.
    #[error("the Event has more items than are indexed")]
    TooManyItems,
    /// Longer than [`crate::limits::EVENT_TEXT_BYTES_MAX`].
    #[error(
        "the text is longer than {} bytes",
        crate::limits::EVENT_TEXT_BYTES_MAX
    )]
    TooLong,
    /// Something follows the Event.
    #[error("something follows the end of the Event")]
    TrailingContent,
}

/// An Event that could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed event at byte {offset}: {reason}")]
pub struct ParseError {
    /// What is wrong.
    pub reason: Reason,
    /// Where the parser stopped, in bytes from the start of the text.
    pub offset: usize,
}

/// Which of the payload elements an Event has (Event schema, EventType: a choice of one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Payload {
    /// None of them.
    #[default]
    None,
    /// Named or unnamed items: [`Event::data`].
    EventData,
    /// The provider's own tree: [`Event::user_data`].
    UserData,
    /// The data did not fit the provider's template: [`Event::user_data`].
    ProcessingErrorData,
    /// WPP trace data: [`Event::user_data`].
    DebugData,
    /// Hexadecimal digits, one item of [`Event::data`].
    BinaryEventData,
}
