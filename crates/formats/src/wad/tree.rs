//! What a file says before it is known what it means: elements, attributes, text, and where each stands. XML and JSON
//! come to the same tree.

use std::ops::Range;

use crate::places::PlacedText;

/// Which notation an element stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// Case matters, and attributes and elements are two things.
    Xml,
    /// A property is an attribute, or an element with text alone, as its name wants; case does not matter to the
    /// reader that the agent uses.
    Json,
}

/// The namespace of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// That of the schema.
    Ours,
    /// None.
    None,
    /// Another.
    Other(String),
}

/// An element. It may hold keys, so it has no `Debug`.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: Namespace,
    pub(super) notation: Notation,
    pub(super) attributes: Vec<Attribute>,
    /// Its own text, not that of elements inside.
    pub(super) text: PlacedText,
    pub(super) children: Vec<Element>,
    /// The byte where it begins.
    pub(super) at: usize,
}

/// An attribute, or a property of JSON that is no object.
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: PlacedText,
    /// The byte where its name begins.
    pub(super) at: usize,
    /// The bytes of its value as it stands in the file.
    pub(super) value_at: Range<usize>,
}

impl Element {
    pub(super) fn new(name: &str, notation: Notation, at: usize) -> Self {
        Self {
            name: name.to_owned(),
            namespace: Namespace::Ours,
            notation,
            attributes: Vec::new(),
            text: PlacedText::default(),
            children: Vec::new(),
            at,
        }
    }

    /// Whether a name of the file is meant to be this one.
    pub(super) fn is_name(&self, found: &str, name: &str) -> bool {
        match self.notation {
            Notation::Xml => found == name,
            Notation::Json => found.eq_ignore_ascii_case(name),
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        let mut attributes = self.attributes.iter();
        attributes.find(|attribute| self.is_name(&attribute.name, name))
    }

    /// The elements inside of this name.
    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        let children = self.children.iter();
        children.filter(move |child| self.is_name(&child.name, name))
    }

    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        let mut children = self.children.iter();
        children.find(|child| self.is_name(&child.name, name))
    }

    /// This element and all inside, in the order of the file.
    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Element)) {
        visit(self);
        for child in &self.children {
            child.walk(visit);
        }
    }

    /// The same with every place so many bytes later: that of a document inside another.
    pub(super) fn moved(&mut self, by: usize) {
        self.at += by;
        self.text.moved(by);
        for attribute in &mut self.attributes {
            attribute.at += by;
            attribute.value.moved(by);
            attribute.value_at = attribute.value_at.start + by..attribute.value_at.end + by;
        }
        for child in &mut self.children {
            child.moved(by);
        }
    }
}
