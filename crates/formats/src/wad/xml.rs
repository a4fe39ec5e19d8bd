//! From XML to the tree.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::NAMESPACE;
use super::finding::Fault;
use super::tree::{Attribute, Element, Namespace, Notation};
use crate::limits::{WAD_ATTRIBUTES_MAX, WAD_ELEMENTS_MAX};
use crate::places::PlacedText;

type At<E> = (E, usize);

/// Reads the one element that a document is, with elements open at once up to a limit.
///
/// # Errors
/// The document is not well-formed, or larger than anybody's: the first thing that is wrong with it, and where.
pub(super) fn read(xml: &str, depth_max: usize) -> Result<Element, At<Fault>> {
    let mut reader = NsReader::from_str(xml);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        let place = |at: u64| usize::try_from(at).map_or(xml.len(), |at| at.min(xml.len()));
        let start = place(reader.buffer_position());
        let (namespace, event) = match reader.read_resolved_event() {
            Ok((namespace, event)) => (namespace_of(namespace), event),
            Err(error) => {
                let at = place(reader.error_position());
                return Err((Fault::Xml(error.to_string()), at));
            }
        };
        let span = start..place(reader.buffer_position());
        match event {
            Event::Start(tag) => {
                elements += 1;
                open.push(element(&tag, namespace, start)?);
                if open.len() > depth_max {
                    return Err((Fault::TooDeep, start));
                }
            }
            Event::Empty(tag) => {
                elements += 1;
                close(element(&tag, namespace, start)?, &mut open, &mut root)?;
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
                let text =
                    unescape(&text).map_err(|error| (Fault::Xml(error.to_string()), start))?;
                push(&text, span, &mut open)?;
            }
            Event::DocType(_) => return Err((Fault::DocType, start)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or((Fault::CutOff, start)),
            Event::Eof => return Err((Fault::CutOff, start)),
        }
        if elements > WAD_ELEMENTS_MAX {
            return Err((Fault::TooManyElements, start));
        }
    }
}

fn namespace_of(resolved: ResolveResult<'_>) -> Namespace {
    match resolved {
        ResolveResult::Bound(name) if name.0 == NAMESPACE => Namespace::Ours,
        ResolveResult::Bound(name) => Namespace::Other(name.0.to_owned()),
        ResolveResult::Unbound => Namespace::None,
        ResolveResult::Unknown(prefix) => Namespace::Other(prefix),
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
        (None, Some(_)) => return Err((Fault::SecondRoot, element.at)),
    }
    Ok(())
}

fn push(text: &str, span: Range<usize>, open: &mut [Element]) -> Result<(), At<Fault>> {
    match open.last_mut() {
        Some(element) => element.text.push(text, span),
        None if text.trim().is_empty() => {}
        None => {
            let fault = Fault::Xml("text outside of elements".to_owned());
            return Err((fault, span.start));
        }
    }
    Ok(())
}

fn element(tag: &BytesStart<'_>, namespace: Namespace, at: usize) -> Result<Element, At<Fault>> {
    let name = tag.local_name();
    let mut element = Element::new(name.as_ref(), Notation::Xml, at);
    element.namespace = namespace;
    // Behind the `<`.
    let within = |part: &str| at + 1 + offset(tag, part);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| (Fault::Xml(error.to_string()), at))?;
        let key = attribute.key;
        if key.as_namespace_binding().is_some() || key.as_ref() == "xsi:schemaLocation" {
            continue;
        }
        let start = within(&attribute.value);
        let value_at = start..start + attribute.value.len();
        element.attributes.push(Attribute {
            name: key.local_name().as_ref().to_owned(),
            value: attribute_value(&attribute.value, start)?,
            at: within(key.as_ref()),
            value_at,
        });
        if element.attributes.len() > WAD_ATTRIBUTES_MAX {
            return Err((Fault::TooManyAttributes, at));
        }
    }
    Ok(element)
}

/// Where a part of a text begins in it: the parts of a tag are cut from it and not copied.
fn offset(whole: &str, part: &str) -> usize {
    let distance = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
    distance.filter(|at| *at <= whole.len()).unwrap_or_default()
}

/// The value of an attribute: references resolved, white space made blanks (XML 1.0, 3.3.3).
fn attribute_value(raw: &str, at: usize) -> Result<PlacedText, At<Fault>> {
    let mut value = PlacedText::default();
    let mut from = 0;
    while from < raw.len() {
        let rest = &raw[from..];
        let end = match rest.find('&') {
            Some(0) => rest.find(';').map_or(rest.len(), |end| end + 1),
            Some(reference) => reference,
            None => rest.len(),
        };
        let span = at + from..at + from + end;
        let piece = &rest[..end];
        if piece.starts_with('&') {
            let text = unescape(piece);
            let text = text.map_err(|error| (Fault::Xml(error.to_string()), span.start))?;
            value.push(&text, span);
        } else {
            // A line end of two characters has become one before values are looked at (XML 1.0, 2.11).
            for (place, line) in lines(piece) {
                let start = span.start + place;
                value.push(
                    &line.replace(['\t', '\n', '\r'], " "),
                    start..start + line.len(),
                );
            }
        }
        from += end;
    }
    Ok(value)
}

/// The stretches of a text that hold no `\r` before a `\n`, and where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut place = 0;
    text.split("\r\n").enumerate().map(move |(nth, line)| {
        let start = match nth {
            0 => 0,
            // With its `\n` in front.
            _ => place + 1,
        };
        let end = place + line.len() + if nth == 0 { 0 } else { 2 };
        place = end;
        (start, &text[start..end])
    })
}
