//! What an expression is compiled to: the few ways in which an Index is asked.

use super::ast::Operator;
use super::ids::IdSet;
use super::number::Number;
use super::schema::{Element, Field};
use super::value::Test;
use crate::event::{DataKind, Payload};

/// A condition of the event, or of the item, node or keyword at hand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Always,
    Never,
    And(Box<[Node]>),
    Or(Box<[Node]>),
    /// The event has the element.
    Has(Element),
    /// The EventID is one of these.
    EventId(IdSet),
    Field(Field, Test),
    Items(Box<Items>),
    /// The tree of a payload, from its outermost elements.
    Tree(Payload, Box<Tree>),
    /// The tree below the node at hand.
    Below(Box<Tree>),
    Keywords(Box<Keywords>),
    /// A part of the item, node or keyword at hand.
    Here(Part, Test),
    /// The place of the item, node or keyword at hand among those that came this far.
    Position(Operator, Number),
}

/// Which part of an item is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The item itself.
    Value,
    /// Its attribute Name.
    Name,
}

/// Items of EventData.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Items {
    /// Any when absent.
    pub(super) kind: Option<DataKind>,
    pub(super) predicates: Box<[Node]>,
    pub(super) part: Part,
    pub(super) test: Test,
}

/// A path down a tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) steps: Box<[TreeStep]>,
    pub(super) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TreeStep {
    pub(super) test: TreeTest,
    pub(super) predicates: Box<[Node]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TreeTest {
    Child(Box<str>),
    AnyChild,
    Attribute(Box<str>),
    AnyAttribute,
    Text,
}

/// Keywords of RenderingInfo.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Keywords {
    pub(super) predicates: Box<[Node]>,
    pub(super) test: Test,
}

impl Node {
    pub(super) fn and(parts: impl IntoIterator<Item = Node>) -> Node {
        let mut ids: Option<IdSet> = None;
        let mut count = 0;
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Node::Always => {}
                Node::Never => return Node::Never,
                Node::EventId(set) => {
                    count += 1;
                    ids = Some(ids.map_or_else(|| set.clone(), |ids| ids.intersection(&set)));
                }
                Node::And(inner) => kept.extend(inner),
                part => kept.push(part),
            }
        }
        match ids {
            // One alone is kept, for what is said of it.
            Some(ids) if ids.is_empty() && (count > 1 || !kept.is_empty()) => return Node::Never,
            ids => kept.extend(ids.map(Node::EventId)),
        }
        // What is cheap decides first; the order makes no other difference.
        kept.sort_by_key(Node::cost);
        match kept.len() {
            0 => Node::Always,
            1 => kept.swap_remove(0),
            _ => Node::And(kept.into()),
        }
    }

    pub(super) fn or(parts: impl IntoIterator<Item = Node>) -> Node {
        let mut ids: Option<IdSet> = None;
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Node::Never => {}
                Node::Always => return Node::Always,
                Node::EventId(set) => {
                    ids = Some(ids.map_or_else(|| set.clone(), |ids| ids.union(&set)));
                }
                Node::Or(inner) => kept.extend(inner),
                part => kept.push(part),
            }
        }
        kept.extend(ids.map(Node::EventId));
        kept.sort_by_key(Node::cost);
        match kept.len() {
            0 => Node::Never,
            1 => kept.swap_remove(0),
            _ => Node::Or(kept.into()),
        }
    }

    /// How much work it is, roughly: a walk costs what it asks of each that it meets.
    fn cost(&self) -> usize {
        let of_all = |nodes: &[Node]| {
            let costs = nodes.iter().map(Node::cost);
            costs.fold(1, usize::saturating_add)
        };
        match self {
            Node::Always | Node::Never | Node::Position(..) | Node::EventId(_) => 1,
            Node::Has(_) | Node::Field(..) | Node::Here(..) => 2,
            Node::And(parts) | Node::Or(parts) => of_all(parts),
            Node::Keywords(keywords) => of_all(&keywords.predicates).saturating_mul(8),
            Node::Items(items) => of_all(&items.predicates).saturating_mul(32),
            Node::Tree(_, tree) | Node::Below(tree) => {
                let steps = tree.steps.iter().map(|step| of_all(&step.predicates));
                steps.fold(0, usize::saturating_add).saturating_mul(32)
            }
        }
    }

    /// The EventIDs that an event must have one of for the condition to hold.
    pub(super) fn event_ids(&self) -> IdSet {
        match self {
            Node::EventId(set) => set.clone(),
            Node::Never => IdSet::empty(),
            Node::And(parts) => {
                let sets = parts.iter().map(Node::event_ids);
                sets.fold(IdSet::full(), |all, set| all.intersection(&set))
            }
            Node::Or(parts) => {
                let sets = parts.iter().map(Node::event_ids);
                sets.fold(IdSet::empty(), |all, set| all.union(&set))
            }
            _ => IdSet::full(),
        }
    }
}
