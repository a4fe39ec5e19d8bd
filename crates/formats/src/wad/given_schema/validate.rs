//! Whether a document is what a schema describes.

use std::collections::BTreeSet;

use super::super::finding::excerpt;
use super::super::tree::Element;
use super::simple::{Base, Simple};
use super::{Attribute, Complex, Content, GivenSchema, Particle, SchemaFault, Term, TypeOf};
use crate::limits::{WAD_DEPTH_MAX, WAD_FINDINGS_MAX};

/// Most steps that one content model may take.
const STEPS_MAX: usize = 2_000_000;

/// What is wrong, and the byte where it is.
pub(super) type Found = (SchemaFault, usize);

pub(super) fn validate(schema: &GivenSchema, root: &Element) -> Vec<Found> {
    let mut validating = Validating {
        schema,
        found: Vec::new(),
    };
    let part = match schema.elements.contains_key(&root.name) {
        true => Some(root),
        // The file of a project is around what the schema describes.
        false => root
            .children
            .iter()
            .find(|child| schema.elements.contains_key(&child.name)),
    };
    match part.and_then(|part| Some((part, schema.elements.get(&part.name)?))) {
        Some((part, kind)) => validating.element(part, kind, 0),
        None => {
            let mut known: Vec<String> = schema.elements.keys().cloned().collect();
            known.sort();
            let name = excerpt(&root.name);
            validating.add(SchemaFault::NotThere { name, known }, root.at);
        }
    }
    validating.found.sort_by_key(|(_, at)| *at);
    validating.found
}

struct Validating<'a> {
    schema: &'a GivenSchema,
    found: Vec<Found>,
}

/// A type with all that it extends.
struct Whole<'a> {
    attributes: Vec<&'a Attribute>,
    /// What may stand in it: that of the type it extends first.
    particles: Vec<&'a Particle>,
    text: Option<&'a Simple>,
}

impl<'a> Validating<'a> {
    fn add(&mut self, fault: SchemaFault, at: usize) {
        if self.found.len() < WAD_FINDINGS_MAX {
            self.found.push((fault, at));
        }
    }

    fn element(&mut self, element: &Element, kind: &'a TypeOf, depth: usize) {
        let schema = self.schema;
        match kind {
            TypeOf::Simple(simple) => self.text_alone(element, simple),
            TypeOf::Complex(complex) => self.complex(element, complex, depth),
            TypeOf::Named(name) => {
                if let Some(complex) = schema.types.get(name) {
                    self.complex(element, complex, depth);
                } else if let Some(simple) = schema.simple.get(name) {
                    self.text_alone(element, simple);
                } else if let Some(other) =
                    schema.elements.get(name).filter(|_| depth < WAD_DEPTH_MAX)
                {
                    self.element(element, other, depth + 1);
                } else if let Some(base) = Base::of(name) {
                    self.text_alone(element, &Simple::of(base));
                }
            }
        }
    }

    fn text_alone(&mut self, element: &Element, simple: &Simple) {
        let inside = excerpt(&element.name);
        for attribute in &element.attributes {
            let name = excerpt(&attribute.name);
            let inside = inside.clone();
            self.add(SchemaFault::UnknownAttribute { name, inside }, attribute.at);
        }
        if let Some(child) = element.children.first() {
            let fault = SchemaFault::Unexpected {
                name: excerpt(&child.name),
                inside: inside.clone(),
                expected: Vec::new(),
            };
            self.add(fault, child.at);
        }
        let text = element.text.as_str();
        self.value(format!("<{inside}>"), text, simple, element.at);
    }

    fn value(&mut self, name: String, text: &str, simple: &Simple, at: usize) {
        if let Err(expected) = simple.check(text) {
            let found = excerpt(text);
            let fault = SchemaFault::Value {
                name,
                found,
                expected,
            };
            self.add(fault, at);
        }
    }

    /// A type with what it extends.
    fn whole(&self, complex: &'a Complex) -> Whole<'a> {
        let mut chain = vec![complex];
        let schema = self.schema;
        let base = |of: &Complex| schema.types.get(of.base.as_deref()?);
        while let Some(more) = chain.last().and_then(|last| base(last))
            && chain.len() < WAD_DEPTH_MAX
        {
            chain.push(more);
        }
        chain.reverse();
        let particle = |of: &&'a Complex| match &of.content {
            Content::Elements(particle) => Some(particle),
            _ => None,
        };
        let text = |of: &&'a Complex| match &of.content {
            Content::Text(simple) => Some(simple),
            _ => None,
        };
        Whole {
            attributes: chain.iter().flat_map(|of| &of.attributes).collect(),
            particles: chain.iter().filter_map(particle).collect(),
            text: chain.iter().find_map(text),
        }
    }

    fn complex(&mut self, element: &Element, complex: &'a Complex, depth: usize) {
        let whole = self.whole(complex);
        self.attributes(element, &whole.attributes);
        if let Some(simple) = whole.text {
            let name = format!("<{}>", excerpt(&element.name));
            self.value(name, element.text.as_str(), simple, element.at);
        } else if !element.text.as_str().trim().is_empty() {
            self.add(SchemaFault::Text(excerpt(&element.name)), element.at);
        }
        self.content(element, &whole.particles);
        if depth == WAD_DEPTH_MAX {
            return;
        }
        for child in &element.children {
            let mut kinds = whole.particles.iter();
            if let Some(kind) = kinds.find_map(|particle| kind_of(particle, &child.name)) {
                self.element(child, kind, depth + 1);
            }
        }
    }

    fn attributes(&mut self, element: &Element, known: &[&Attribute]) {
        let inside = excerpt(&element.name);
        for attribute in known.iter().filter(|attribute| attribute.is_required) {
            if element.attribute(&attribute.name).is_none() {
                let (name, inside) = (attribute.name.clone(), inside.clone());
                self.add(SchemaFault::MissingAttribute { name, inside }, element.at);
            }
        }
        for attribute in &element.attributes {
            let found = known.iter().find(|known| known.name == attribute.name);
            let name = excerpt(&attribute.name);
            match found {
                Some(found) => {
                    let at = attribute.value_at.start;
                    self.value(name, attribute.value.as_str(), &found.kind, at);
                }
                None => {
                    let inside = inside.clone();
                    self.add(SchemaFault::UnknownAttribute { name, inside }, attribute.at);
                }
            }
        }
    }

    fn content(&mut self, element: &Element, particles: &[&Particle]) {
        let names: Vec<&str> = element
            .children
            .iter()
            .map(|child| child.name.as_str())
            .collect();
        let mut matching = Matching {
            names: &names,
            farthest: 0,
            expected: BTreeSet::new(),
            steps: 0,
        };
        let mut ends = BTreeSet::from([0]);
        for particle in particles {
            ends = ends
                .into_iter()
                .flat_map(|from| matching.particle(particle, from))
                .collect();
        }
        let inside = excerpt(&element.name);
        if matching.steps > STEPS_MAX {
            return self.add(SchemaFault::TooMuch(inside), element.at);
        }
        if ends.contains(&names.len()) {
            return;
        }
        // Where the model had ended already, nothing was asked for.
        let end = ends.last().copied().unwrap_or_default();
        let (farthest, expected) = match end > matching.farthest {
            true => (end, BTreeSet::new()),
            false => (matching.farthest, matching.expected),
        };
        let expected = expected.into_iter().map(str::to_owned).collect();
        match element.children.get(farthest) {
            Some(child) => {
                let fault = SchemaFault::Unexpected {
                    name: excerpt(&child.name),
                    inside,
                    expected,
                };
                self.add(fault, child.at);
            }
            None => self.add(SchemaFault::Incomplete { inside, expected }, element.at),
        }
    }
}

/// The type of an element in a content model; of one name there is one.
fn kind_of<'a>(particle: &'a Particle, name: &str) -> Option<&'a TypeOf> {
    match &particle.term {
        Term::Element(of, kind) => (of == name).then_some(kind),
        Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
            parts.iter().find_map(|part| kind_of(part, name))
        }
    }
}

/// Finds how far a content model can go, in all its ways at once.
struct Matching<'a> {
    names: &'a [&'a str],
    /// The first place that nothing could stand at, as far as was seen,
    farthest: usize,
    /// and what could have.
    expected: BTreeSet<&'a str>,
    steps: usize,
}

impl<'a> Matching<'a> {
    /// Where a particle can end that begins here.
    fn particle(&mut self, particle: &'a Particle, from: usize) -> BTreeSet<usize> {
        let mut ends = BTreeSet::new();
        if particle.least == 0 {
            ends.insert(from);
        }
        let mut begun = BTreeSet::from([from]);
        let mut times = 0;
        while times < particle.most && !begun.is_empty() && self.steps <= STEPS_MAX {
            times += 1;
            let next: BTreeSet<usize> = begun
                .iter()
                .flat_map(|from| self.term(&particle.term, *from))
                .collect();
            if times >= particle.least {
                // What was reached before leads nowhere new.
                begun = next.into_iter().filter(|end| ends.insert(*end)).collect();
            } else {
                begun = next;
            }
        }
        ends
    }

    fn term(&mut self, term: &'a Term, from: usize) -> BTreeSet<usize> {
        self.steps += 1;
        match term {
            Term::Element(name, _) => {
                if self.names.get(from) == Some(&name.as_str()) {
                    return BTreeSet::from([from + 1]);
                }
                if from > self.farthest {
                    self.farthest = from;
                    self.expected.clear();
                }
                if from == self.farthest {
                    self.expected.insert(name);
                }
                BTreeSet::new()
            }
            Term::Sequence(parts) => {
                let mut ends = BTreeSet::from([from]);
                for part in parts {
                    ends = ends
                        .into_iter()
                        .flat_map(|from| self.particle(part, from))
                        .collect();
                }
                ends
            }
            Term::Choice(parts) => parts
                .iter()
                .flat_map(|part| self.particle(part, from))
                .collect(),
            Term::All(parts) => self.all(parts, from),
        }
    }

    /// Each of the parts once at most, in any order.
    fn all(&mut self, parts: &'a [Particle], from: usize) -> BTreeSet<usize> {
        let mut left: Vec<&Particle> = parts.iter().collect();
        let mut at = from;
        while !left.is_empty() {
            let found = left
                .iter()
                .position(|part| !self.term(&part.term, at).is_empty());
            let Some(found) = found else {
                break;
            };
            left.swap_remove(found);
            at += 1;
        }
        let is_whole = left.iter().all(|part| part.least == 0);
        if is_whole {
            BTreeSet::from([at])
        } else {
            BTreeSet::new()
        }
    }
}
