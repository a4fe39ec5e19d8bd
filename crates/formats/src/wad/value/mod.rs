//! The values of attributes and texts: how each is read and written, and what a schema says of it.

mod duration;
mod names;
mod numbers;
mod query;
mod secret;
mod words;

use std::ops::Range;

pub use duration::{SampleRate, TransferPeriod};
pub use names::{
    AbsolutePath, ContainerName, CounterPath, EventDestination, Guid, NamedElementName,
    RelativePath, SinkName, Uri,
};
pub(super) use names::{account_doubt, is_guid};
pub use numbers::{KeywordFilter, Percentage};
pub use query::EventLogQuery;
pub use secret::Secret;
pub use words::{DumpType, EventVolume, LogLevel, StorageType};

use super::finding::Report;
use crate::places::PlacedText;

/// A value of an attribute, or of an element with text alone.
pub(super) trait Value: Clone {
    /// What a schema says of it.
    const KIND: Kind;

    /// Reads it; where it cannot, [`Kind::expected`] says what may stand there.
    fn read(text: &str) -> Option<Self>;

    /// Writes it so that it is read again as the same.
    fn write(&self) -> String;

    /// Reports what is allowed and not meant.
    fn doubts(&self, _seen: &Seen<'_>, _report: &mut Report) {}
}

/// Where a value stands.
pub(super) struct Seen<'a> {
    /// The name of its attribute.
    pub(super) name: &'static str,
    pub(super) text: &'a PlacedText,
    /// The byte where it begins.
    pub(super) at: usize,
}

impl Seen<'_> {
    /// Where some bytes of the value stand.
    pub(super) fn place_of(&self, at: &Range<usize>) -> usize {
        self.text.place_of(at).map_or(self.at, |place| place.start)
    }
}

/// How JSON writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    Boolean,
}

/// What a schema says of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What may stand there, for a message: `write …`.
    pub(super) expected: &'static str,
    pub(super) scalar: Scalar,
    /// The type of XML Schema that it narrows.
    pub(super) base: &'static str,
    pub(super) facet: Facet,
    /// Whether nobody may see it.
    pub(super) privacy: Privacy,
}

/// What narrows the type. Patterns are those of XML Schema, and of every other notation when anchored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Facet {
    None,
    Words(&'static [&'static str]),
    Pattern(&'static str),
    /// With the least and the most characters.
    Name(&'static str, usize, usize),
    Range(i64, i64),
    /// Not negative.
    Duration,
}

/// Who may see a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    Public,
    Secret,
}

impl Kind {
    pub(super) const fn text(expected: &'static str, facet: Facet) -> Kind {
        Kind {
            expected,
            scalar: Scalar::Text,
            base: "xs:string",
            facet,
            privacy: Privacy::Public,
        }
    }

    pub(super) const fn number(expected: &'static str, base: &'static str, facet: Facet) -> Kind {
        Kind {
            expected,
            scalar: Scalar::Number,
            base,
            facet,
            privacy: Privacy::Public,
        }
    }

    /// Words of which one may stand there.
    pub(super) fn words(&self) -> &'static [&'static str] {
        match self.facet {
            Facet::Words(words) => words,
            _ => &[],
        }
    }

    /// Whether white space around it means nothing (XML Schema, whiteSpace).
    pub(super) fn is_collapsed(&self) -> bool {
        self.base != "xs:string"
    }
}

impl Value for String {
    const KIND: Kind = Kind::text("a text", Facet::None);

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn write(&self) -> String {
        self.clone()
    }
}

/// Whether XML 1.0 can hold a character, be it as a reference.
pub(super) fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
