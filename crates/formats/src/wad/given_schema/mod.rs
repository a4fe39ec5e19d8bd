//! A schema that somebody gives: Microsoft's file of 2016 as it is, or another of its kind.
//!
//! It is the part of XML Schema 1.0 that such files use: elements, complex types with sequence, choice and all, extensions,
//! attribute groups, and simple types narrowed by words, patterns, lengths and bounds. What else stands in a file is named when
//! it is loaded, and not checked.
//!
//! Microsoft's own file is not valid: two of its patterns are of .NET. Patterns are repaired by rule, and that is named too
//! ([`SchemaNote`]): anchors are taken away, which mean nothing in a pattern that always meets the whole value, and what
//! must not stand at the end is checked apart.

mod load;
mod pattern;
mod simple;
mod validate;

use std::collections::HashMap;

use super::finding::{Fault, Finding};
use super::read::tree_of;
use crate::places::Place;
use simple::Simple;

/// A schema that was loaded.
#[derive(Debug)]
pub struct GivenSchema {
    elements: HashMap<String, TypeOf>,
    types: HashMap<String, Complex>,
    simple: HashMap<String, Simple>,
    /// What was repaired or passed over.
    pub notes: Vec<SchemaNote>,
}

/// Something that was repaired in a schema, or passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaNote {
    /// Where in the schema.
    pub at: Place,
    /// What.
    pub what: Repair,
}

/// What was done about something in a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Repair {
    /// `^` and `$`.
    #[error(
        "the pattern is anchored, as in .NET: ^ and $ are taken away, since a pattern meets the whole value"
    )]
    Anchors,
    /// A look-behind at the end.
    #[error(
        "the pattern looks behind itself, as in .NET: what must not stand at the end is checked apart"
    )]
    LookBehind,
    /// A pattern that is none.
    #[error("the pattern cannot be used, and is not checked: {0}")]
    Pattern(String),
    /// A part of XML Schema that is not read.
    #[error("{0} is not read, and not checked")]
    PassedOver(String),
}

/// Why a file is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It cannot be read.
    #[error("{at}: {fault}")]
    Xml {
        /// What is wrong.
        fault: Box<Fault>,
        /// Where.
        at: Place,
    },
    /// It is something else.
    #[error("this is no XML Schema: it begins with <{0}>")]
    Root(String),
    /// A type that is not there.
    #[error("{at}: there is no type {name}")]
    NoType {
        /// Its name.
        name: String,
        /// Where it is named.
        at: Place,
    },
    /// No element can be a document.
    #[error("the schema has no elements")]
    NoElements,
}

/// What a given schema says against a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// A root that the schema does not have.
    #[error("the schema has no <{name}>; it has {}", .known.join(", "))]
    NotThere {
        /// The root.
        name: String,
        /// What it could be.
        known: Vec<String>,
    },
    /// An element in a wrong place.
    #[error("<{name}> may not stand here in <{inside}>{}", there_can_be(.expected))]
    Unexpected {
        /// Which.
        name: String,
        /// Where.
        inside: String,
        /// What may stand there.
        expected: Vec<String>,
    },
    /// Something is missing.
    #[error("<{inside}> is not complete{}", there_can_be(.expected))]
    Incomplete {
        /// What.
        inside: String,
        /// What is missing.
        expected: Vec<String>,
    },
    /// An attribute that is not there.
    #[error("<{inside}> has no attribute {name}, and needs one")]
    MissingAttribute {
        /// Which.
        name: String,
        /// Where.
        inside: String,
    },
    /// An attribute that the schema does not have.
    #[error("<{inside}> takes no attribute {name}")]
    UnknownAttribute {
        /// Which.
        name: String,
        /// Where.
        inside: String,
    },
    /// A value that it cannot have.
    #[error("{name} is {found:?}: {expected}")]
    Value {
        /// Of what.
        name: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// Text between elements.
    #[error("text in <{0}>, which takes none")]
    Text(String),
    /// JSON.
    #[error("a schema is about XML: convert the file first (--to xml)")]
    NotXml,
    /// A content model that goes on for too long.
    #[error("what stands in <{0}> is too much to be checked by this schema")]
    TooMuch(String),
}

fn there_can_be(expected: &[String]) -> String {
    match expected {
        [] => String::new(),
        names => format!("; there can be {}", names.join(", ")),
    }
}

/// The type of an element.
#[derive(Clone, Debug)]
enum TypeOf {
    /// By name; of a simple or a complex type.
    Named(String),
    Complex(Box<Complex>),
    Simple(Simple),
}

#[derive(Clone, Debug, Default)]
struct Complex {
    attributes: Vec<Attribute>,
    content: Content,
    /// The type that it extends.
    base: Option<String>,
}

#[derive(Clone, Debug, Default)]
enum Content {
    #[default]
    Empty,
    Text(Simple),
    Elements(Particle),
}

#[derive(Clone, Debug)]
struct Attribute {
    name: String,
    kind: Simple,
    is_required: bool,
}

/// A part of a content model.
#[derive(Clone, Debug)]
struct Particle {
    least: usize,
    most: usize,
    term: Term,
}

#[derive(Clone, Debug)]
enum Term {
    Element(String, Box<TypeOf>),
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    All(Vec<Particle>),
}

impl GivenSchema {
    /// Checks a file: of one with both parts the public one, unless the schema has an element for both.
    #[must_use]
    pub fn check(&self, file: &[u8]) -> Vec<Finding> {
        let (text, tree) = tree_of(file);
        let found = match tree {
            Ok(Some(root)) => validate::validate(self, &root),
            Ok(None) => vec![(SchemaFault::NotXml, 0)],
            // What is not even XML the reader tells.
            Err(_) => Vec::new(),
        };
        let finding = |(fault, at): (SchemaFault, usize)| Finding {
            fault: Fault::Given(fault),
            at: Place::of(&text, at),
            inside: None,
        };
        found.into_iter().map(finding).collect()
    }
}

#[cfg(test)]
mod tests;
