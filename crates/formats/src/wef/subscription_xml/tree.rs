//! The elements of a small document, with their places.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::NAMESPACE;
use super::error::Fault;
use crate::limits::{SUBSCRIPTION_XML_DEPTH_MAX, SUBSCRIPTION_XML_ELEMENTS_MAX};
use crate::places::PlacedText;

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    /// Its name without prefix.
    pub(super) name: String,
    /// Whether it is of the namespace of subscriptions.
    pub(super) is_ours: bool,
    pub(super) attributes: Vec<(String, String)>,
    /// Its own text, not that of elements inside.
    pub(super) text: PlacedText,
    pub(super) children: Vec<Element>,
    /// Where it begins.
    pub(super) at: usize,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim())
    }

    /// Its text without the white space around it.
    pub(super) fn value(&self) -> &str {
        self.text.as_str().trim()
    }
}

/// A fault at bytes of the text.
pub(super) type At<E> = (E, usize);

/// Reads the one element that a document is.
pub(super) fn read(xml: &str) -> Result<Element, At<Fault>> {
    let mut reader = NsReader::from_str(xml);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        let place = |at: u64| usize::try_from(at).map_or(xml.len(), |at| at.min(xml.len()));
        let start = place(reader.buffer_position());
        let read = reader.read_resolved_event();
        let (namespace, event) = match read {
            Ok(read) => read,
            Err(error) => {
                return Err((
                    Fault::Xml(error.to_string()),
                    place(reader.error_position()),
                ));
            }
        };
        let is_ours = matches!(namespace, ResolveResult::Bound(name) if name.0 == NAMESPACE);
        let span = start..place(reader.buffer_position());
        match event {
            Event::Start(tag) => {
                elements += 1;
                open.push(element(&tag, is_ours, start)?);
                if open.len() > SUBSCRIPTION_XML_DEPTH_MAX {
                    return Err((Fault::TooDeep, start));
                }
            }
            Event::Empty(tag) => {
                elements += 1;
                close(element(&tag, is_ours, start)?, &mut open, &mut root)?;
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root)?;
                }
            }
            Event::Text(text) => push(&text, span, &mut open)?,
            Event::CData(text) => push(&text, span.start + "<![CDATA[".len()..span.end, &mut open)?,
            Event::GeneralRef(reference) => {
                let text = format!("&{};", &*reference);
                let text = quick_xml::escape::unescape(&text);
                let text = text.map_err(|error| (Fault::Xml(error.to_string()), start))?;
                push(&text, span, &mut open)?;
            }
            Event::DocType(_) => return Err((Fault::DocType, start)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or((Fault::CutOff, start)),
            Event::Eof => return Err((Fault::CutOff, start)),
        }
        if elements > SUBSCRIPTION_XML_ELEMENTS_MAX {
            return Err((Fault::TooManyElements, start));
        }
    }
}

fn close(
    element: Element,
    open: &mut [Element],
    root: &mut Option<Element>,
) -> Result<(), At<Fault>> {
    match (open.last_mut(), &root) {
        (Some(parent), _) => parent.children.push(element),
        (None, None) => *root = Some(element),
        (None, Some(_)) => return Err((Fault::Repeated(element.name), element.at)),
    }
    Ok(())
}

fn push(text: &str, span: Range<usize>, open: &mut [Element]) -> Result<(), At<Fault>> {
    match open.last_mut() {
        Some(element) => element.text.push(text, span),
        None if text.trim().is_empty() => {}
        None => {
            return Err((
                Fault::Xml("text outside of elements".to_owned()),
                span.start,
            ));
        }
    }
    Ok(())
}

fn element(tag: &BytesStart<'_>, is_ours: bool, at: usize) -> Result<Element, At<Fault>> {
    let xml = |error: String| (Fault::Xml(error), at);
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| xml(error.to_string()))?;
        let value = quick_xml::escape::unescape(&attribute.value);
        let value = value.map_err(|error| xml(error.to_string()))?;
        let key: &str = attribute.key.as_ref();
        attributes.push((key.to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: AsRef::<str>::as_ref(&tag.local_name()).to_owned(),
        is_ours,
        attributes,
        text: PlacedText::default(),
        children: Vec::new(),
        at,
    })
}
