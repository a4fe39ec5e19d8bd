//! From the file of a schema to what it says.

use std::collections::HashMap;

use super::super::finding::{Fault, excerpt};
use super::super::tree::{Element, Namespace};
use super::super::value::{TransferPeriod, Value as _};
use super::super::xml;
use super::pattern::Pattern;
use super::simple::{Base, Facet, Simple};
use super::{
    Attribute, Complex, Content, GivenSchema, Particle, Repair, SchemaError, SchemaNote, Term,
    TypeOf,
};
use crate::limits::{WAD_BYTES_MAX, WAD_SCHEMA_DEPTH_MAX};
use crate::places::Place;
use crate::wsman;

const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

impl GivenSchema {
    /// Loads a schema.
    ///
    /// # Errors
    /// It is no XML Schema, or names types that are not there.
    pub fn load(file: &[u8]) -> Result<GivenSchema, SchemaError> {
        let mut text = wsman::Text::new();
        let failed = |fault: Fault, at: Place| SchemaError::Xml {
            fault: Box::new(fault),
            at,
        };
        if file.len() > WAD_BYTES_MAX {
            return Err(failed(Fault::TooLarge, Place::of("", 0)));
        }
        text.decode(file, None);
        let text = text.as_str();
        let root = xml::read(text, WAD_SCHEMA_DEPTH_MAX)
            .map_err(|(fault, at)| failed(fault, Place::of(text, at)))?;
        if root.name != "schema" || !is_of_schema(&root) {
            return Err(SchemaError::Root(excerpt(&root.name)));
        }
        let mut loading = Loading {
            text,
            simple: named(&root, "simpleType"),
            groups: named(&root, "attributeGroup"),
            read: HashMap::new(),
            notes: Vec::new(),
        };
        let schema = loading.schema(&root)?;
        let notes = loading.notes;
        match schema.elements.is_empty() {
            true => Err(SchemaError::NoElements),
            false => Ok(GivenSchema { notes, ..schema }),
        }
    }
}

fn is_of_schema(element: &Element) -> bool {
    matches!(&element.namespace, Namespace::Other(name) if name == XML_SCHEMA)
}

/// The elements below the root of a kind, by name.
fn named<'a>(root: &'a Element, kind: &'a str) -> HashMap<&'a str, &'a Element> {
    let found = root
        .children(kind)
        .filter_map(|of| Some((value(of, "name")?, of)));
    found.collect()
}

fn value<'a>(element: &'a Element, name: &str) -> Option<&'a str> {
    element
        .attribute(name)
        .map(|attribute| attribute.value.as_str().trim())
}

/// A name without its prefix: names of types are told apart by where they are defined.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

struct Loading<'a> {
    text: &'a str,
    simple: HashMap<&'a str, &'a Element>,
    groups: HashMap<&'a str, &'a Element>,
    /// Simple types that were read.
    read: HashMap<String, Simple>,
    notes: Vec<SchemaNote>,
}

/// Types and groups that name each other, one inside the other.
const DEPTH_MAX: usize = 16;

impl<'a> Loading<'a> {
    fn note(&mut self, what: Repair, at: usize) {
        let at = Place::of(self.text, at);
        self.notes.push(SchemaNote { at, what });
    }

    fn passed_over(&mut self, element: &Element) {
        if element.name != "annotation" {
            let name = format!("<{}>", excerpt(&element.name));
            self.note(Repair::PassedOver(name), element.at);
        }
    }

    fn schema(&mut self, root: &'a Element) -> Result<GivenSchema, SchemaError> {
        let mut schema = GivenSchema {
            elements: HashMap::new(),
            types: HashMap::new(),
            simple: HashMap::new(),
            notes: Vec::new(),
        };
        let complex: Vec<&str> = named(root, "complexType").into_keys().collect();
        for child in &root.children {
            let name = value(child, "name").unwrap_or_default().to_owned();
            match child.name.as_str() {
                "element" => {
                    let kind = self.type_of(child)?;
                    schema.elements.insert(name, kind);
                }
                "complexType" => {
                    let kind = self.complex(child)?;
                    schema.types.insert(name, kind);
                }
                "simpleType" => {
                    let kind = self.named_simple(&name, child.at, 0)?;
                    schema.simple.insert(name, kind);
                }
                "attributeGroup" => {}
                _ => self.passed_over(child),
            }
        }
        self.check_names(&schema, &complex, root)?;
        Ok(schema)
    }

    /// Whether every type that is named is there.
    fn check_names(
        &self,
        schema: &GivenSchema,
        complex: &[&str],
        root: &Element,
    ) -> Result<(), SchemaError> {
        let mut missing = None;
        root.walk(&mut |element| {
            let names = [("element", "type"), ("extension", "base")];
            let attribute = names.iter().find(|(of, _)| *of == element.name);
            let Some((name, at)) = attribute.and_then(|(_, attribute)| {
                let attribute = element.attribute(attribute)?;
                Some((local(attribute.value.as_str().trim()), attribute.at))
            }) else {
                return;
            };
            let is_there = complex.contains(&name)
                || schema.simple.contains_key(name)
                || Base::of(name).is_some();
            if !is_there && missing.is_none() {
                missing = Some((excerpt(name), at));
            }
        });
        match missing {
            Some((name, at)) => Err(self.no_type(name, at)),
            None => Ok(()),
        }
    }

    fn no_type(&self, name: String, at: usize) -> SchemaError {
        let at = Place::of(self.text, at);
        SchemaError::NoType { name, at }
    }

    fn type_of(&mut self, element: &'a Element) -> Result<TypeOf, SchemaError> {
        if let Some(name) = value(element, "type").or(value(element, "ref")) {
            for child in &element.children {
                self.passed_over(child);
            }
            return Ok(TypeOf::Named(local(name).to_owned()));
        }
        for child in &element.children {
            match child.name.as_str() {
                "complexType" => return Ok(TypeOf::Complex(Box::new(self.complex(child)?))),
                "simpleType" => return Ok(TypeOf::Simple(self.simple_type(child, 0)?)),
                _ => self.passed_over(child),
            }
        }
        // Anything may stand in it; nobody writes such a schema, and it is as a text.
        Ok(TypeOf::Simple(Simple::of(Base::Text)))
    }

    fn complex(&mut self, element: &'a Element) -> Result<Complex, SchemaError> {
        let mut complex = Complex::default();
        for child in &element.children {
            match child.name.as_str() {
                "complexContent" | "simpleContent" => {
                    for extension in &child.children {
                        match extension.name.as_str() {
                            "extension" => self.extension(extension, &mut complex)?,
                            _ => self.passed_over(extension),
                        }
                    }
                }
                _ => self.part(child, &mut complex)?,
            }
        }
        Ok(complex)
    }

    fn extension(
        &mut self,
        element: &'a Element,
        complex: &mut Complex,
    ) -> Result<(), SchemaError> {
        let base = local(value(element, "base").unwrap_or_default());
        if self.simple.contains_key(base) || Base::of(base).is_some() {
            complex.content = Content::Text(self.named_simple(base, element.at, 0)?);
        } else {
            complex.base = Some(base.to_owned());
        }
        for child in &element.children {
            self.part(child, complex)?;
        }
        Ok(())
    }

    /// A part of a complex type: what may stand in it, or an attribute.
    fn part(&mut self, element: &'a Element, complex: &mut Complex) -> Result<(), SchemaError> {
        match element.name.as_str() {
            "sequence" | "choice" | "all" => {
                complex.content = Content::Elements(self.particle(element)?);
            }
            "attribute" | "attributeGroup" => {
                self.attributes(element, &mut complex.attributes, 0)?
            }
            _ => self.passed_over(element),
        }
        Ok(())
    }

    fn particle(&mut self, element: &'a Element) -> Result<Particle, SchemaError> {
        let count = |name: &str| match value(element, name) {
            Some("unbounded") => usize::MAX,
            Some(number) => number.parse().unwrap_or(1),
            None => 1,
        };
        let mut parts = Vec::new();
        if element.name != "element" {
            for child in &element.children {
                match child.name.as_str() {
                    "element" | "sequence" | "choice" | "all" => parts.push(self.particle(child)?),
                    _ => self.passed_over(child),
                }
            }
        }
        let term = match element.name.as_str() {
            "sequence" => Term::Sequence(parts),
            "choice" => Term::Choice(parts),
            "all" => Term::All(parts),
            _ => {
                let name = value(element, "name").or(value(element, "ref"));
                let name = local(name.unwrap_or_default()).to_owned();
                Term::Element(name, Box::new(self.type_of(element)?))
            }
        };
        Ok(Particle {
            least: count("minOccurs"),
            most: count("maxOccurs"),
            term,
        })
    }

    fn attributes(
        &mut self,
        element: &'a Element,
        attributes: &mut Vec<Attribute>,
        depth: usize,
    ) -> Result<(), SchemaError> {
        if element.name == "attributeGroup" {
            let name = local(value(element, "ref").unwrap_or_default());
            let group = self.groups.get(name).copied();
            let Some(group) = group.filter(|_| depth < DEPTH_MAX) else {
                return Err(self.no_type(excerpt(name), element.at));
            };
            for child in &group.children {
                self.attributes(child, attributes, depth + 1)?;
            }
            return Ok(());
        }
        if element.name != "attribute" {
            self.passed_over(element);
            return Ok(());
        }
        let kind = match value(element, "type") {
            Some(name) => self.named_simple(local(name), element.at, 0)?,
            None => match element.child("simpleType") {
                Some(inner) => self.simple_type(inner, 0)?,
                None => Simple::of(Base::Text),
            },
        };
        attributes.push(Attribute {
            name: value(element, "name").unwrap_or_default().to_owned(),
            kind,
            is_required: value(element, "use") == Some("required"),
        });
        Ok(())
    }

    fn named_simple(&mut self, name: &str, at: usize, depth: usize) -> Result<Simple, SchemaError> {
        if let Some(read) = self.read.get(name) {
            return Ok(read.clone());
        }
        let found = self.simple.get(name).copied();
        let simple = match found.filter(|_| depth < DEPTH_MAX) {
            Some(element) => self.simple_type(element, depth + 1)?,
            None => match Base::of(name) {
                Some(base) => Simple::of(base),
                None => return Err(self.no_type(excerpt(name), at)),
            },
        };
        self.read.insert(name.to_owned(), simple.clone());
        Ok(simple)
    }

    fn simple_type(&mut self, element: &'a Element, depth: usize) -> Result<Simple, SchemaError> {
        let mut simple = Simple::of(Base::Text);
        for child in &element.children {
            if child.name != "restriction" {
                self.passed_over(child);
                continue;
            }
            let base = local(value(child, "base").unwrap_or_default());
            simple = self.named_simple(base, child.at, depth)?;
            self.facets(child, &mut simple);
        }
        Ok(simple)
    }

    fn facets(&mut self, restriction: &Element, simple: &mut Simple) {
        let mut words = Vec::new();
        let mut patterns = Vec::new();
        for child in &restriction.children {
            // White space in a pattern counts.
            let text = child
                .attribute("value")
                .map_or("", |value| value.value.as_str());
            let number = text.trim().parse::<i128>();
            let length = text.trim().parse::<usize>();
            let facet = match (child.name.as_str(), number, length) {
                ("enumeration", ..) => {
                    words.push(text.to_owned());
                    continue;
                }
                ("pattern", ..) => {
                    match Pattern::read(text) {
                        Ok((pattern, repairs)) => {
                            patterns.push(pattern);
                            repairs
                                .into_iter()
                                .for_each(|repair| self.note(repair, child.at));
                        }
                        Err(repair) => self.note(repair, child.at),
                    }
                    continue;
                }
                ("minLength", _, Ok(least)) => Facet::LeastCharacters(least),
                ("maxLength", _, Ok(most)) => Facet::MostCharacters(most),
                ("minInclusive", Ok(least), _) => Facet::LeastNumber(least),
                ("maxInclusive", Ok(most), _) => Facet::MostNumber(most),
                ("minInclusive", ..) if simple.base == Base::Duration => {
                    match TransferPeriod::read(text) {
                        Some(TransferPeriod(least)) => Facet::LeastDuration(least),
                        None => continue,
                    }
                }
                _ => {
                    self.passed_over(child);
                    continue;
                }
            };
            simple.facets.push(facet);
        }
        if !words.is_empty() {
            simple.facets.push(Facet::Words(words));
        }
        if !patterns.is_empty() {
            simple.facets.push(Facet::Patterns(patterns));
        }
    }
}
