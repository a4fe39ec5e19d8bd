//! The elements of a document and their attributes as a tree, no larger than its reader allows.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// Its name without prefix.
    pub(crate) name: String,
    /// Its attributes, their names without prefix.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
}

/// How large a document may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) elements: usize,
    pub(crate) depth: usize,
}

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It is no XML.
    #[error("no XML at byte {at}: {what}")]
    Xml {
        /// Where.
        at: u64,
        /// What the parser says.
        what: String,
    },
    /// It is larger than anything of its kind.
    #[error("more than {most} {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// It has a DOCTYPE, which could name other files.
    #[error("it has a DOCTYPE")]
    DocType,
    /// It ends within an element, or has none.
    #[error("it ends too early")]
    CutOff,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The children of a name.
    pub(crate) fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The elements of a name, however deep, that do not lie in one another.
    pub(crate) fn find_all<'a>(&'a self, name: &str, found: &mut Vec<&'a Element>) {
        for child in &self.children {
            match child.name == name {
                true => found.push(child),
                false => child.find_all(name, found),
            }
        }
    }
}

/// Reads a document. Its root is the one child of the element that is given back.
pub(crate) fn read(xml: &str, bounds: Bounds) -> Result<Element, TreeError> {
    let too_large = |what, most| Err(TreeError::TooLarge { what, most });
    if xml.len() > bounds.bytes {
        return too_large("bytes", bounds.bytes);
    }
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let wrong = |what: String| TreeError::Xml { at, what };
        match event.map_err(|error| wrong(error.to_string()))? {
            Event::Start(tag) => {
                elements += 1;
                open.push(element(&tag).map_err(wrong)?);
            }
            Event::Empty(tag) => {
                elements += 1;
                let element = element(&tag).map_err(wrong)?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
            }
            Event::End(_) => {
                if let Some(element) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(element);
                }
            }
            Event::DocType(_) => return Err(TreeError::DocType),
            Event::Eof => break,
            // Text says nothing in the documents that are read so.
            _ => {}
        }
        if elements > bounds.elements {
            return too_large("elements", bounds.elements);
        }
        if open.len() > bounds.depth + 1 {
            return too_large("elements in one another", bounds.depth);
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(document), true) if !document.children.is_empty() => Ok(document),
        _ => Err(TreeError::CutOff),
    }
}

fn element(tag: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = quick_xml::escape::unescape(&attribute.value);
        let value = value.map_err(|error| error.to_string())?.into_owned();
        let key: &str = attribute.key.as_ref();
        let key = key.rsplit_once(':').map_or(key, |(_, key)| key);
        attributes.push((key.to_owned(), value));
    }
    Ok(Element {
        name: AsRef::<str>::as_ref(&tag.local_name()).to_owned(),
        attributes,
        ..Element::default()
    })
}
