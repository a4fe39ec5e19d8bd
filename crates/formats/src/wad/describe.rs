//! What an element is made of, as data: what the schemas are written from.

use std::ops::RangeInclusive;

use super::fields::{Fields, Node, Said};
use super::value::{Kind, Value};

/// An element.
pub(super) struct Description {
    pub(super) parts: Vec<Part>,
    pub(super) one_of: &'static [&'static str],
    pub(super) in_order: &'static [&'static str],
}

/// Something that an element is made of.
pub(super) struct Part {
    pub(super) said: Said,
    pub(super) what: What,
    /// How often it may be there.
    pub(super) times: RangeInclusive<usize>,
}

pub(super) enum What {
    Attribute(Kind),
    /// An element with text alone.
    Text(Kind),
    Element(Description),
}

/// Describes a node.
pub(super) fn describe<N: Node>() -> Description {
    let mut describer = Description {
        parts: Vec::new(),
        one_of: &[],
        in_order: &[],
    };
    N::default().fields(&mut describer);
    describer
}

impl Description {
    fn push(&mut self, said: Said, times: RangeInclusive<usize>, what: What) {
        self.parts.push(Part { said, what, times });
    }
}

impl Fields for Description {
    fn attribute<V: Value>(&mut self, said: Said, _value: &mut Option<V>) {
        self.push(said, 0..=1, What::Attribute(V::KIND));
    }

    fn required<V: Value + Default>(&mut self, said: Said, _value: &mut V) {
        self.push(said, 1..=1, What::Attribute(V::KIND));
    }

    fn text<V: Value>(&mut self, said: Said, _value: &mut Option<V>) {
        self.push(said, 0..=1, What::Text(V::KIND));
    }

    fn child<N: Node>(&mut self, said: Said, _node: &mut Option<N>) {
        self.push(said, 0..=1, What::Element(describe::<N>()));
    }

    fn one<N: Node>(&mut self, said: Said, _node: &mut N) {
        self.push(said, 1..=1, What::Element(describe::<N>()));
    }

    fn children<N: Node>(&mut self, said: Said, times: RangeInclusive<usize>, _nodes: &mut Vec<N>) {
        self.push(said, times, What::Element(describe::<N>()));
    }

    fn one_of(&mut self, names: &'static [&'static str]) {
        self.one_of = names;
    }

    fn in_order(&mut self, names: &'static [&'static str]) {
        self.in_order = names;
    }
}
