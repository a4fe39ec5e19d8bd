//! The program against one event: its Index and text as they are, nothing parsed again and
//! nothing allocated.
//!
//! The work is bounded: a step looks once at each item or node, and steps are limited in
//! number by the expression.

use jiff::Timestamp;

use super::number::Number;
use super::program::{Items, Keywords, Node, Part, Tree, TreeStep, TreeTest};
use super::value::{Test, Value};
use crate::event::{Event, Index, NodeKind, Payload, Span, TreeNode};
use crate::limits::XPATH_PREDICATES_MAX;

/// Whether the event fulfils the condition.
#[inline]
pub(super) fn holds(node: &Node, event: Event<'_>, now: Timestamp) -> bool {
    let run = Run {
        index: event.index(),
        text: event.text(),
        now,
    };
    run.holds(node, NOWHERE)
}

/// The item, node or keyword at hand, and its position.
#[derive(Clone, Copy)]
struct Here {
    at: At,
    position: usize,
}

#[derive(Clone, Copy)]
enum At {
    Nowhere,
    Item(usize),
    Node(usize),
    Keyword(usize),
}

const NOWHERE: Here = Here {
    at: At::Nowhere,
    position: 0,
};

struct Run<'a> {
    index: &'a Index,
    text: &'a str,
    now: Timestamp,
}

impl Run<'_> {
    fn holds(&self, node: &Node, here: Here) -> bool {
        match node {
            Node::Always => true,
            Node::Never => false,
            Node::And(parts) => parts.iter().all(|part| self.holds(part, here)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(part, here)),
            Node::Has(element) => element.is_in(self.index),
            Node::EventId(set) => {
                let id = self.index.numbers.event_id;
                id.is_some() && set.contains(id)
            }
            Node::Field(field, test) => self.passes(field.value(self.index), test),
            Node::Items(items) => self.items(items),
            Node::Keywords(keywords) => self.keywords(keywords),
            Node::Tree(payload, tree) => {
                self.index.payload == *payload && self.below(None, &tree.steps, tree)
            }
            Node::Below(tree) => match here.at {
                At::Node(node) => self.below(Some(node), &tree.steps, tree),
                _ => false,
            },
            Node::Here(part, test) => self.passes(self.value_here(here.at, *part), test),
            Node::Position(operator, wanted) => {
                let position = Number::Integer(here.position as i128);
                operator.holds(position.order(*wanted))
            }
        }
    }

    #[inline]
    fn passes(&self, value: Option<Value>, test: &Test) -> bool {
        value.is_some_and(|value| value.passes(test, self.text, self.now))
    }

    fn value_here(&self, at: At, part: Part) -> Option<Value> {
        match (at, part) {
            (At::Item(item), Part::Value) => Some(Value::Text(self.index.data.get(item)?.value)),
            (At::Item(item), Part::Name) => text(self.index.data.get(item)?.name),
            (At::Node(node), _) => Some(value_of(self.index.tree.get(node)?)),
            (At::Keyword(keyword), _) => {
                Some(Value::Text(*self.index.rendering_keywords.get(keyword)?))
            }
            (At::Nowhere, _) => None,
        }
    }

    fn items(&self, items: &Items) -> bool {
        if self.index.payload == Payload::BinaryEventData {
            return false;
        }
        let mut count = Counters::new();
        let data = self.index.data.iter().enumerate();
        let mut data = data.filter(|(_, item)| items.kind.is_none_or(|kind| kind == item.kind));
        data.any(|(item, _)| {
            let at = At::Item(item);
            self.is_kept(at, &items.predicates, &mut count)
                && self.passes(self.value_here(at, items.part), &items.test)
        })
    }

    fn keywords(&self, keywords: &Keywords) -> bool {
        let mut count = Counters::new();
        (0..self.index.rendering_keywords.len()).any(|keyword| {
            let at = At::Keyword(keyword);
            self.is_kept(at, &keywords.predicates, &mut count)
                && self.passes(self.value_here(at, Part::Value), &keywords.test)
        })
    }

    /// Whether what stands here passes the predicates of its step, one after the other; each
    /// counts those that came so far (XPath 1.0, 2.4).
    #[inline]
    fn is_kept(&self, at: At, predicates: &[Node], count: &mut Counters) -> bool {
        predicates.iter().enumerate().all(|(place, predicate)| {
            let position = count.next(place);
            self.holds(predicate, Here { at, position })
        })
    }

    /// Whether something at the end of the steps below `parent` passes the test.
    fn below(&self, parent: Option<usize>, steps: &[TreeStep], tree: &Tree) -> bool {
        let nodes = &self.index.tree;
        let Some((step, rest)) = steps.split_first() else {
            let node = parent.and_then(|parent| nodes.get(parent));
            return self.passes(node.map(value_of), &tree.test);
        };
        let is_leaf_text = step.test == TreeTest::Text;
        if let Some(node) = parent.and_then(|parent| nodes.get(parent))
            && is_leaf_text
            && node.value.is_some()
        {
            return self.passes(Some(value_of(node)), &tree.test);
        }
        let parent_link = parent.map_or(TreeNode::ROOT, |parent| parent as u32);
        let first = parent.map_or(0, |parent| parent + 1);
        let depth = parent
            .and_then(|parent| nodes.get(parent))
            .map(|node| node.depth);
        let mut count = Counters::new();
        for (node, entry) in nodes.iter().enumerate().skip(first) {
            if depth.is_some_and(|depth| entry.depth <= depth) {
                break;
            }
            if entry.parent == parent_link
                && self.is_taken(entry, &step.test)
                && self.is_kept(At::Node(node), &step.predicates, &mut count)
                && self.below(Some(node), rest, tree)
            {
                return true;
            }
        }
        false
    }

    #[inline]
    fn is_taken(&self, node: &TreeNode, test: &TreeTest) -> bool {
        match test {
            TreeTest::Child(name) => {
                node.kind == NodeKind::Element && node.name.raw(self.text) == &**name
            }
            TreeTest::AnyChild => node.kind == NodeKind::Element,
            TreeTest::Attribute(name) => {
                node.kind == NodeKind::Attribute && node.name.raw(self.text) == &**name
            }
            TreeTest::AnyAttribute => node.kind == NodeKind::Attribute,
            TreeTest::Text => node.kind == NodeKind::Text,
        }
    }
}

#[inline]
fn value_of(node: &TreeNode) -> Value {
    text(node.value).unwrap_or(Value::Inner)
}

#[inline]
fn text(span: Span) -> Option<Value> {
    span.is_some().then_some(Value::Text(span))
}

/// How many came to each predicate of a step.
struct Counters([usize; XPATH_PREDICATES_MAX]);

impl Counters {
    fn new() -> Self {
        Self([0; XPATH_PREDICATES_MAX])
    }

    #[inline]
    fn next(&mut self, place: usize) -> usize {
        self.0[place] += 1;
        self.0[place]
    }
}
