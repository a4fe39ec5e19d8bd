//! From the tree to the values, and all that is wrong on the way.

use std::ops::RangeInclusive;

use super::doubt::WadDoubt;
use super::fields::{Fields, Node, Said};
use super::finding::{Fault, Report, excerpt};
use super::tree::{Attribute, Element, Notation};
use super::value::{Kind, Privacy, Seen, Value, is_xml};
use crate::places::PlacedText;
use crate::suggest::nearest;

/// Names that are met in the wild and are not the right ones, and what to write.
const MISNAMED: [(&str, &str, &str); 5] = [
    (
        "CrashDumps",
        "crashDumpType",
        "write dumpType; crashDumpType is in the documentation alone",
    ),
    (
        "Logs",
        "bufferQuotaInMB",
        "it is of Azure Diagnostics 1.0, say overallQuotaInMB",
    ),
    ("Metrics", "ResourceId", "write resourceId"),
    (
        "WindowsEventLog",
        "scheduledTransferLogLevelFilter",
        "say the levels in the queries, as Application!*[System[Level <= 3]]",
    ),
    ("Directories", "sinks", "files go to blobs alone, remove it"),
];

/// Reads an element, and reports all that is wrong with it and with what is inside.
pub(super) fn read<N: Node>(element: &Element, report: &mut Report) -> N {
    let mut node = N::default();
    let mut reader = Reader {
        element,
        report,
        attributes: Vec::new(),
        texts: Vec::new(),
        elements: Vec::new(),
    };
    node.fields(&mut reader);
    reader.check_rest();
    node.check(element, report);
    node
}

struct Reader<'a, 'r> {
    element: &'a Element,
    report: &'r mut Report,
    /// The names of attributes that were asked for,
    attributes: Vec<&'static str>,
    /// of elements with text alone,
    texts: Vec<&'static str>,
    /// and of other elements.
    elements: Vec<&'static str>,
}

impl<'a> Reader<'a, '_> {
    fn inside(&self) -> String {
        excerpt(&self.element.name)
    }

    /// The element of a name, of which there is one at most.
    fn single(&mut self, name: &'static str) -> Option<&'a Element> {
        let element = self.element;
        let mut found = element.children(name);
        let first = found.next()?;
        for another in found {
            let name = format!("<{name}>");
            let inside = self.inside();
            self.report
                .add(Fault::Repeated { name, inside }, another.at);
        }
        Some(first)
    }

    /// Reports what is newer than the schema of 2016.
    fn since(&mut self, said: Said, what: String, at: usize) {
        if let Some(version) = said.since {
            self.report.add(WadDoubt::Since { what, version }, at);
        }
    }

    /// Reports a name that is right but for its case.
    fn case(&mut self, found: &str, name: &'static str, at: usize) {
        if found != name {
            let found = excerpt(found);
            self.report.add(Fault::Case { found, name }, at);
        }
    }

    fn attribute_of<V: Value>(&mut self, said: Said) -> Option<V> {
        let element = self.element;
        self.attributes.push(said.name);
        let attribute = element.attribute(said.name)?;
        self.case(&attribute.name, said.name, attribute.at);
        self.since(said, said.name.to_owned(), attribute.at);
        self.twice(said.name);
        self.value(said.name, &attribute.value, attribute.value_at.start)
    }

    /// Reports values of one name beside the first: JSON can hold them.
    fn twice(&mut self, name: &'static str) {
        let element = self.element;
        let attributes = element.attributes.iter();
        let found = attributes.filter(|attribute| element.is_name(&attribute.name, name));
        for another in found.skip(1) {
            let (name, inside) = (name.to_owned(), self.inside());
            self.report
                .add(Fault::Repeated { name, inside }, another.at);
        }
    }

    fn value<V: Value>(&mut self, name: &'static str, text: &PlacedText, at: usize) -> Option<V> {
        let raw = text.as_str();
        if !raw.chars().all(is_xml) {
            self.report.add(Fault::Character(name.to_owned()), at);
            return None;
        }
        let read = match V::KIND.is_collapsed() {
            true => V::read(raw.trim_matches([' ', '\t', '\n', '\r'])),
            false => V::read(raw),
        };
        match read {
            Some(value) => {
                value.doubts(&Seen { name, text, at }, self.report);
                Some(value)
            }
            None => {
                self.report.add(wrong(name, raw, &V::KIND), at);
                None
            }
        }
    }

    /// Reports what stands in an element beside its text.
    fn check_text_alone(&mut self, child: &Element) {
        for attribute in &child.attributes {
            let fault = Fault::Unknown {
                what: excerpt(&attribute.name),
                inside: excerpt(&child.name),
                near: None,
                allowed: Vec::new(),
            };
            self.report.add(fault, attribute.at);
        }
        if let Some(inner) = child.children.first() {
            let name = format!("<{}>", child.name);
            let expected = "a text, not elements";
            self.report.add(Fault::Shape { name, expected }, inner.at);
        }
    }

    /// Reports what stands in the element and was not asked for.
    fn check_rest(mut self) {
        let element = self.element;
        for attribute in &element.attributes {
            self.check_attribute(attribute);
        }
        for child in &element.children {
            self.check_child(child);
        }
        if !element.text.as_str().trim().is_empty() {
            let inside = self.inside();
            let text = element.text.as_str();
            let start = text.len() - text.trim_start().len();
            let at = element.text.place_of(&(start..text.len()));
            self.report
                .add(Fault::Text(inside), at.map_or(element.at, |at| at.start));
        }
    }

    fn check_attribute(&mut self, attribute: &Attribute) {
        let element = self.element;
        let is = |names: &[&str]| {
            names
                .iter()
                .any(|name| element.is_name(&attribute.name, name))
        };
        let is_json = element.notation == Notation::Json;
        if is(&self.attributes) || is_json && is(&self.texts) {
            return;
        }
        if is_json && is(&self.elements) {
            let name = excerpt(&attribute.name);
            let expected = "an object, or a list of objects";
            return self
                .report
                .add(Fault::Shape { name, expected }, attribute.at);
        }
        let mut allowed = self.attributes.clone();
        if is_json {
            allowed.extend(self.texts.iter().chain(&self.elements));
        }
        self.unknown(
            &attribute.name,
            attribute.name.clone(),
            allowed,
            attribute.at,
        );
    }

    fn check_child(&mut self, child: &Element) {
        let element = self.element;
        let is = |names: &[&str]| names.iter().any(|name| element.is_name(&child.name, name));
        let is_json = element.notation == Notation::Json;
        if is(&self.elements) || !is_json && is(&self.texts) {
            return;
        }
        if is_json && (is(&self.attributes) || is(&self.texts)) {
            let name = excerpt(&child.name);
            let expected = "a value, not an object";
            return self.report.add(Fault::Shape { name, expected }, child.at);
        }
        let mut allowed = self.elements.clone();
        allowed.extend(&self.texts);
        if is_json {
            allowed.extend(&self.attributes);
        }
        let what = match is_json {
            true => child.name.clone(),
            false => format!("<{}>", child.name),
        };
        self.unknown(&child.name, what, allowed, child.at);
    }

    fn unknown(&mut self, name: &str, what: String, allowed: Vec<&'static str>, at: usize) {
        let inside = self.inside();
        let mut misnamed = MISNAMED.iter();
        let found = misnamed.find(|(of, wrong, _)| *of == self.element.name && *wrong == name);
        let fault = match found {
            Some((_, _, instead)) => Fault::Misnamed {
                found: excerpt(&what),
                inside,
                instead,
            },
            None => Fault::Unknown {
                what: excerpt(&what),
                inside,
                near: nearest(name, allowed.iter().copied()).map(str::to_owned),
                allowed,
            },
        };
        self.report.add(fault, at);
    }
}

/// The fault of a value that is none of its type.
fn wrong(name: &'static str, text: &str, kind: &Kind) -> Fault {
    let expected = kind.expected;
    match kind.privacy {
        Privacy::Secret => Fault::SecretValue { name, expected },
        Privacy::Public => Fault::Value {
            name,
            found: excerpt(text),
            expected,
            near: nearest(text.trim(), kind.words().iter().copied()),
        },
    }
}

impl Fields for Reader<'_, '_> {
    fn attribute<V: Value>(&mut self, said: Said, value: &mut Option<V>) {
        *value = self.attribute_of(said);
    }

    fn required<V: Value + Default>(&mut self, said: Said, value: &mut V) {
        if self.element.attribute(said.name).is_none() {
            let name = format!("attribute {}", said.name);
            let inside = self.inside();
            self.report
                .add(Fault::Missing { name, inside }, self.element.at);
        }
        *value = self.attribute_of(said).unwrap_or_default();
    }

    fn text<V: Value>(&mut self, said: Said, value: &mut Option<V>) {
        self.texts.push(said.name);
        let element = self.element;
        let (text, at) = match element.notation {
            Notation::Json => {
                let Some(found) = element.attribute(said.name) else {
                    return;
                };
                self.case(&found.name, said.name, found.at);
                self.since(said, said.name.to_owned(), found.at);
                self.twice(said.name);
                (&found.value, found.value_at.start)
            }
            Notation::Xml => {
                let Some(child) = self.single(said.name) else {
                    return;
                };
                self.since(said, format!("<{}>", said.name), child.at);
                self.check_text_alone(child);
                (&child.text, child.at)
            }
        };
        // People write it on a line of its own.
        let whole = text.as_str();
        let start = whole.len() - whole.trim_start().len();
        let end = start + whole.trim().len();
        let at = text.place_of(&(start..end)).map_or(at, |at| at.start);
        let mut trimmed = PlacedText::default();
        trimmed.push(&whole[start..end], at..at + end - start);
        *value = self.value(said.name, &trimmed, at);
    }

    fn child<N: Node>(&mut self, said: Said, node: &mut Option<N>) {
        self.elements.push(said.name);
        let Some(child) = self.single(said.name) else {
            return;
        };
        self.case(&child.name, said.name, child.at);
        self.since(said, format!("<{}>", said.name), child.at);
        *node = Some(read(child, self.report));
    }

    fn one<N: Node>(&mut self, said: Said, node: &mut N) {
        let mut found = None;
        self.child(said, &mut found);
        if self.element.child(said.name).is_none() {
            let name = format!("<{}>", said.name);
            let inside = self.inside();
            self.report
                .add(Fault::Missing { name, inside }, self.element.at);
        }
        *node = found.unwrap_or_default();
    }

    fn children<N: Node>(&mut self, said: Said, times: RangeInclusive<usize>, nodes: &mut Vec<N>) {
        self.elements.push(said.name);
        let element = self.element;
        let (least, most) = times.into_inner();
        for child in element.children(said.name) {
            self.case(&child.name, said.name, child.at);
            if nodes.len() == most {
                let fault = Fault::TooMany {
                    name: said.name,
                    inside: self.inside(),
                    count: element.children(said.name).count(),
                    most,
                };
                self.report.add(fault, child.at);
                return;
            }
            nodes.push(read(child, self.report));
        }
        if nodes.len() < least {
            let name = format!("<{}>", said.name);
            let inside = self.inside();
            self.report.add(Fault::Missing { name, inside }, element.at);
        }
    }

    fn one_of(&mut self, names: &'static [&'static str]) {
        let element = self.element;
        let is_text =
            |name: &str| element.notation == Notation::Json && element.attribute(name).is_some();
        let is_there = |name: &&&'static str| element.child(name).is_some() || is_text(name);
        let found: Vec<&'static str> = names.iter().filter(is_there).copied().collect();
        let inside = self.inside();
        let fault = match found.len() {
            0 => Fault::NoneOf { names, inside },
            1 => return,
            _ => Fault::MoreThanOneOf {
                found,
                names,
                inside,
            },
        };
        self.report.add(fault, element.at);
    }

    fn in_order(&mut self, names: &'static [&'static str]) {
        if self.element.notation == Notation::Json {
            return;
        }
        let mut last: Option<(usize, &Element)> = None;
        for child in &self.element.children {
            let Some(place) = names.iter().position(|name| *name == child.name) else {
                continue;
            };
            match last {
                Some((before, of)) if place < before => {
                    let fault = Fault::Order {
                        name: child.name.clone(),
                        before: of.name.clone(),
                        inside: self.inside(),
                        order: names,
                    };
                    return self.report.add(fault, child.at);
                }
                _ => last = Some((place, child)),
            }
        }
    }
}
