//! From the values to an outline: what an element is made of, in order, before it is XML or JSON.

use std::ops::RangeInclusive;

use super::fields::{Fields, Node, Said};
use super::tree::{Attribute, Element, Notation};
use super::value::{Privacy, Scalar, Value};
use crate::places::PlacedText;

/// Whether keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are left out, and so is all that holds nothing else.
    Omit,
    /// They are written into the private part.
    Reveal,
}

/// An element as it will be written. It may hold keys, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Outline {
    pub(super) name: &'static str,
    /// What tells it from others of its name in a list.
    pub(super) key: String,
    /// Whether there may be others of its name.
    pub(super) times: Times,
    pub(super) items: Vec<Item>,
    /// Elements inside of which one alone may be there.
    pub(super) one_of: &'static [&'static str],
}

/// How often an element may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    Many,
}

#[derive(Clone)]
pub(super) enum Item {
    Leaf(Leaf),
    Node(Outline),
}

/// An attribute, or an element with text alone.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) scalar: Scalar,
    pub(super) privacy: Privacy,
    pub(super) form: LeafForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafForm {
    Attribute,
    Element,
}

impl Item {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Item::Leaf(leaf) => leaf.name,
            Item::Node(outline) => outline.name,
        }
    }
}

/// Outlines a node, which stays as it is: fields are visited for change because readers need it so.
pub(super) fn outline<N: Node>(
    name: &'static str,
    node: &N,
    times: Times,
    secrets: Secrets,
) -> Outline {
    let mut writer = Writer {
        secrets,
        outline: Outline {
            name,
            key: node.key(),
            times,
            items: Vec::new(),
            one_of: &[],
        },
    };
    node.clone().fields(&mut writer);
    writer.outline
}

struct Writer {
    secrets: Secrets,
    outline: Outline,
}

impl Writer {
    fn leaf<V: Value>(&mut self, said: Said, value: &V, form: LeafForm) {
        let kind = V::KIND;
        if kind.privacy == Privacy::Secret && self.secrets == Secrets::Omit {
            return;
        }
        self.outline.items.push(Item::Leaf(Leaf {
            name: said.name,
            value: value.write(),
            scalar: kind.scalar,
            privacy: kind.privacy,
            form,
        }));
    }

    fn node<N: Node>(&mut self, said: Said, node: &N, times: Times) {
        let outline = outline(said.name, node, times, self.secrets);
        self.outline.items.push(Item::Node(outline));
    }
}

impl Fields for Writer {
    fn attribute<V: Value>(&mut self, said: Said, value: &mut Option<V>) {
        if let Some(value) = value {
            self.leaf(said, value, LeafForm::Attribute);
        }
    }

    fn required<V: Value + Default>(&mut self, said: Said, value: &mut V) {
        self.leaf(said, value, LeafForm::Attribute);
    }

    fn text<V: Value>(&mut self, said: Said, value: &mut Option<V>) {
        if let Some(value) = value {
            self.leaf(said, value, LeafForm::Element);
        }
    }

    fn child<N: Node>(&mut self, said: Said, node: &mut Option<N>) {
        if let Some(node) = node {
            self.node(said, node, Times::Once);
        }
    }

    fn one<N: Node>(&mut self, said: Said, node: &mut N) {
        self.node(said, node, Times::Once);
    }

    fn children<N: Node>(&mut self, said: Said, _times: RangeInclusive<usize>, nodes: &mut Vec<N>) {
        for node in nodes {
            self.node(said, node, Times::Many);
        }
    }

    fn one_of(&mut self, names: &'static [&'static str]) {
        self.outline.one_of = names;
    }

    fn in_order(&mut self, _names: &'static [&'static str]) {}
}

impl Outline {
    /// The same as a reader takes it: as JSON, in which order means nothing.
    pub(super) fn into_element(self) -> Element {
        let mut element = Element::new(self.name, Notation::Json, 0);
        for item in self.items {
            match item {
                Item::Leaf(leaf) => element.attributes.push(Attribute {
                    name: leaf.name.to_owned(),
                    value: placed(&leaf.value),
                    at: 0,
                    value_at: 0..0,
                }),
                Item::Node(outline) => element.children.push(outline.into_element()),
            }
        }
        element
    }
}

fn placed(text: &str) -> PlacedText {
    let mut placed = PlacedText::default();
    placed.push(text, 0..0);
    placed
}
