//! From the tree to the program. Names are resolved against the schema here, once: what an
//! event has one of at most becomes a field, what it can have many of becomes a walk.

use super::ast::{Condition, Literal, NodeTest, Operator, Path, Step, Subject};
use super::doubts;
use super::error::{Doubt, Warning, excerpt};
use super::ids::IdSet;
use super::number::Number;
use super::possible::{Key, Known, narrow, narrow_all};
use super::program::{Items, Keywords, Node, Part, Tree, TreeStep, TreeTest};
use super::schema::{Child, Element, Field};
use super::value::{Direction, Test, Wanted};
use crate::event::DataKind;

/// Compiles a whole expression. `None`: none of its paths begins with the event.
pub(super) fn compile(condition: &Condition) -> Option<(Node, Vec<Warning>)> {
    let mut compiler = Compiler {
        warnings: Vec::new(),
        explained: 0,
        path: 0..0,
        meets_event: false,
    };
    let node = compiler.condition(Place::Document, condition);
    compiler.meets_event.then_some((node, compiler.warnings))
}

/// Where a path stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Document,
    Element(Element),
    Leaf(Field),
    Item,
    Node,
    Keyword,
}

struct Compiler {
    warnings: Vec<Warning>,
    /// How many of them say why what is being compiled cannot hold.
    explained: usize,
    /// The path that is being compiled, for warnings.
    path: std::ops::Range<usize>,
    meets_event: bool,
}

impl Compiler {
    fn condition(&mut self, place: Place, condition: &Condition) -> Node {
        let explained = self.explained;
        let (node, impossible) = match condition {
            Condition::And(parts) => {
                let parts = self.conditions(place, parts);
                let known = narrow_all(&parts, Known::default());
                (Node::and(parts), known.err())
            }
            Condition::Or(parts) => {
                let node = Node::or(self.conditions(place, parts));
                let known = narrow(&node, Known::default());
                (node, known.err())
            }
            Condition::Exists(path) => alone(self.path(place, path, &Test::Exists)),
            Condition::Band(path, mask) => alone(self.path(place, path, &Test::Band(*mask))),
            Condition::Compare(subject, operator, literal) => {
                alone(self.comparison(place, subject, *operator, literal))
            }
        };
        let at = || condition.extent().unwrap_or_else(|| self.path.clone());
        match impossible {
            // Part of it cannot hold, and the whole can.
            None => {
                if doubts::is_future(&node) {
                    let (doubt, at) = (Doubt::Future, at());
                    self.warnings.push(Warning { doubt, at });
                }
                self.explained = explained;
            }
            Some(key) if self.explained == explained => {
                let (doubt, at) = (doubts::of(&node, key), at());
                self.never(doubt, at);
            }
            Some(_) => {}
        }
        node
    }

    fn conditions(&mut self, place: Place, parts: &[Condition]) -> Vec<Node> {
        let parts = parts.iter();
        parts.map(|part| self.condition(place, part)).collect()
    }

    fn comparison(
        &mut self,
        place: Place,
        subject: &Subject,
        operator: Operator,
        literal: &Literal,
    ) -> Node {
        let (path, direction) = match subject {
            Subject::Path(path) => {
                let Some(test) = ordered(operator, Wanted::of(literal)) else {
                    return self.never(Doubt::NoOrder, path.at.clone());
                };
                return self.path(place, path, &test);
            }
            Subject::Position => {
                return match Wanted::of(literal).as_number() {
                    Some(number) => position(place, operator, number),
                    None => constant(operator.holds(None)),
                };
            }
            Subject::Age(path) => (path, Direction::ToNow),
            Subject::Until(path, time) => (path, Direction::To(time.time)),
            Subject::Since(time, path) => (path, Direction::From(time.time)),
        };
        match Wanted::of(literal).as_number() {
            Some(number) => self.path(place, path, &Test::Distance(direction, operator, number)),
            None => self.never(Doubt::NoOrder, path.at.clone()),
        }
    }

    fn path(&mut self, place: Place, path: &Path, test: &Test) -> Node {
        let outer = std::mem::replace(&mut self.path, path.at.clone());
        let node = self.steps(place, &path.steps, test);
        self.path = outer;
        node
    }

    /// Something at the end of these steps from `place` passes the test.
    fn steps(&mut self, place: Place, steps: &[Step], test: &Test) -> Node {
        let Some((step, rest)) = steps.split_first() else {
            return self.end(place, test);
        };
        match place {
            Place::Document => match &step.test {
                NodeTest::AnyChild => self.event(step, rest, test),
                NodeTest::Child(name) if name == "Event" => self.event(step, rest, test),
                _ => self.never(Doubt::OutsideEvent, self.path.clone()),
            },
            Place::Element(Element::Tree(payload)) => {
                let tree = self.tree(steps, test);
                Node::Tree(payload, Box::new(tree))
            }
            Place::Node => Node::Below(Box::new(self.tree(steps, test))),
            Place::Element(Element::EventData) => self.event_data(step, rest, test),
            Place::Element(Element::RenderedKeywords) => self.keywords(step, rest, test),
            Place::Element(element) => self.element(element, step, rest, test),
            Place::Leaf(field) => self.leaf(field, step, test),
            Place::Item => match &step.test {
                NodeTest::Attribute(name) if name == "Name" => named(test),
                NodeTest::AnyAttribute => named(test),
                NodeTest::Text => Node::Here(Part::Value, text_of(test)),
                other => self.unknown(other, &["Name"]),
            },
            Place::Keyword => match &step.test {
                NodeTest::Text => Node::Here(Part::Value, text_of(test)),
                other => self.unknown(other, &[]),
            },
        }
    }

    fn event(&mut self, step: &Step, rest: &[Step], test: &Test) -> Node {
        self.meets_event = true;
        self.within(Place::Element(Element::Event), step, rest, test)
    }

    /// The predicates of a step that selects one node at most are conditions like others.
    fn within(&mut self, place: Place, step: &Step, rest: &[Step], test: &Test) -> Node {
        let predicates = step.predicates.iter();
        let mut all: Vec<_> = predicates
            .map(|predicate| self.condition(place, predicate))
            .collect();
        all.push(self.steps(place, rest, test));
        Node::and(all)
    }

    fn element(&mut self, element: Element, step: &Step, rest: &[Step], test: &Test) -> Node {
        let children = element.children();
        match &step.test {
            NodeTest::Child(name) => {
                let found = children.iter().find(|(known, _)| known == name);
                let Some((_, child)) = found else {
                    return self.unknown(&step.test, &names(children));
                };
                self.within(place_of(*child), step, rest, test)
            }
            NodeTest::AnyChild => {
                // That the other elements do not have the rest of the path is expected here.
                let (warnings, explained) = (self.warnings.len(), self.explained);
                let any = children.iter();
                let any: Vec<_> = any
                    .map(|(_, child)| self.within(place_of(*child), step, rest, test))
                    .collect();
                self.warnings.truncate(warnings);
                self.explained = explained;
                Node::or(any)
            }
            attribute => self.attribute(element.attributes(), attribute, test),
        }
    }

    fn attribute(
        &mut self,
        attributes: &'static [(&'static str, Field)],
        wanted: &NodeTest,
        test: &Test,
    ) -> Node {
        match wanted {
            NodeTest::AnyAttribute => Node::or(
                attributes
                    .iter()
                    .map(|(_, known)| field(*known, test.clone())),
            ),
            NodeTest::Attribute(name) => match attributes.iter().find(|(known, _)| known == name) {
                Some((_, known)) => field(*known, test.clone()),
                None => self.unknown(wanted, &names(attributes)),
            },
            other => self.unknown(other, &[]),
        }
    }

    fn leaf(&mut self, leaf: Field, step: &Step, test: &Test) -> Node {
        match &step.test {
            NodeTest::Text => field(leaf, text_of(test)),
            attribute => self.attribute(leaf.attributes(), attribute, test),
        }
    }

    fn event_data(&mut self, step: &Step, rest: &[Step], test: &Test) -> Node {
        let kind = match &step.test {
            NodeTest::AnyChild => None,
            NodeTest::Child(name) => match name.as_str() {
                "Data" => Some(DataKind::Data),
                "ComplexData" => Some(DataKind::ComplexData),
                "Binary" => Some(DataKind::Binary),
                _ => return self.unknown(&step.test, &["Data", "ComplexData", "Binary"]),
            },
            attribute => return self.attribute(Element::EventData.attributes(), attribute, test),
        };
        let predicates = self.predicates(Place::Item, step);
        let (part, test) = match self.steps(Place::Item, rest, test) {
            Node::Here(part, test) => (part, test),
            _ => return Node::Never,
        };
        if predicates.contains(&Node::Never) {
            return Node::Never;
        }
        Node::Items(Box::new(Items {
            kind,
            predicates,
            part,
            test,
        }))
    }

    fn keywords(&mut self, step: &Step, rest: &[Step], test: &Test) -> Node {
        match &step.test {
            NodeTest::AnyChild => {}
            NodeTest::Child(name) if name == "Keyword" => {}
            other => return self.unknown(other, &["Keyword"]),
        }
        let predicates = self.predicates(Place::Keyword, step);
        match self.steps(Place::Keyword, rest, test) {
            Node::Here(_, test) => Node::Keywords(Box::new(Keywords { predicates, test })),
            _ => Node::Never,
        }
    }

    fn predicates(&mut self, place: Place, step: &Step) -> Box<[Node]> {
        let predicates = step.predicates.iter();
        predicates
            .map(|predicate| self.condition(place, predicate))
            .collect()
    }

    fn tree(&mut self, steps: &[Step], test: &Test) -> Tree {
        let last_is_text = steps.last().is_some_and(|step| step.test == NodeTest::Text);
        let test = if last_is_text {
            text_of(test)
        } else {
            test.clone()
        };
        let steps = steps.iter().map(|step| TreeStep {
            test: match &step.test {
                NodeTest::Child(name) => TreeTest::Child(name.as_str().into()),
                NodeTest::AnyChild => TreeTest::AnyChild,
                NodeTest::Attribute(name) => TreeTest::Attribute(name.as_str().into()),
                NodeTest::AnyAttribute => TreeTest::AnyAttribute,
                NodeTest::Text => TreeTest::Text,
            },
            predicates: self.predicates(Place::Node, step),
        });
        Tree {
            steps: steps.collect(),
            test,
        }
    }

    /// The path ends here.
    fn end(&mut self, place: Place, test: &Test) -> Node {
        match place {
            Place::Leaf(leaf) => field(leaf, test.clone()),
            Place::Item | Place::Keyword | Place::Node => Node::Here(Part::Value, test.clone()),
            Place::Element(element) if *test == Test::Exists => match element {
                Element::Event => Node::Always,
                element => Node::Has(element),
            },
            Place::Element(_) | Place::Document => self.never(Doubt::NoValue, self.path.clone()),
        }
    }

    fn unknown(&mut self, test: &NodeTest, known: &[&'static str]) -> Node {
        let name = match test {
            NodeTest::Child(name) => name.clone(),
            NodeTest::Attribute(name) => format!("@{name}"),
            NodeTest::AnyChild => "elements".to_owned(),
            NodeTest::AnyAttribute => "attributes".to_owned(),
            NodeTest::Text => "text()".to_owned(),
        };
        let bare = name.trim_start_matches('@');
        let meant = known
            .iter()
            .find(|known| known.eq_ignore_ascii_case(bare))
            .copied();
        let name = excerpt(&name);
        self.never(Doubt::UnknownName { name, meant }, self.path.clone())
    }

    fn never(&mut self, doubt: Doubt, at: std::ops::Range<usize>) -> Node {
        self.warnings.push(Warning { doubt, at });
        self.explained += 1;
        Node::Never
    }
}

/// The program of a condition without `and` and `or`, and why it cannot hold.
fn alone(node: Node) -> (Node, Option<Key>) {
    let known = narrow(&node, Known::default());
    (node, known.err())
}

fn place_of(child: Child) -> Place {
    match child {
        Child::Element(element) => Place::Element(element),
        Child::Leaf(field) => Place::Leaf(field),
    }
}

fn names<T>(known: &[(&'static str, T)]) -> Vec<&'static str> {
    known.iter().map(|(name, _)| *name).collect()
}

fn constant(holds: bool) -> Node {
    if holds { Node::Always } else { Node::Never }
}

/// What an event has one of at most is the first.
fn position(place: Place, operator: Operator, number: Number) -> Node {
    match place {
        Place::Item | Place::Node | Place::Keyword => Node::Position(operator, number),
        Place::Document | Place::Element(_) | Place::Leaf(_) => {
            constant(operator.holds(Number::Integer(1).order(number)))
        }
    }
}

/// Order is a matter of numbers (XPath 1.0, 3.4) and, in events, of times.
fn ordered(operator: Operator, wanted: Wanted) -> Option<Test> {
    let wanted = match &wanted {
        _ if !operator.is_relational() => wanted,
        Wanted::Time(_) => wanted,
        other => Wanted::Number(other.as_number()?),
    };
    Some(Test::Compare(operator, wanted))
}

/// A text node that is there has text in it.
fn text_of(test: &Test) -> Test {
    match test {
        Test::Exists => Test::HasText,
        other => other.clone(),
    }
}

fn named(test: &Test) -> Node {
    Node::Here(Part::Name, test.clone())
}

fn field(field: Field, test: Test) -> Node {
    let test = match test {
        // A field of numbers has its numbers read: strings meet them as what they mean.
        Test::Compare(operator, wanted) if field.is_number() => match wanted.as_number() {
            Some(number) if field == Field::EventId => return event_id(operator, number),
            Some(number) => Test::Compare(operator, Wanted::Number(number)),
            None if operator == Operator::NotEqual => Test::Exists,
            // No number is like what is none.
            None => Test::Compare(operator, wanted),
        },
        test => test,
    };
    Node::Field(field, test)
}

/// The EventIDs for which a comparison holds.
fn event_id(operator: Operator, number: Number) -> Node {
    let holds = |id: u32| operator.holds(Number::Integer(id.into()).order(number));
    let bits = match number {
        Number::Integer(number) => u32::try_from(number).ok(),
        Number::Fraction(_) => None,
    };
    let Some(id) = bits else {
        // Between two EventIDs or beyond all of them: a fraction is left to the comparison.
        return match number {
            Number::Integer(_) if holds(0) => Node::EventId(IdSet::of(vec![(0, u32::MAX)])),
            Number::Integer(_) => Node::EventId(IdSet::empty()),
            Number::Fraction(_) => Node::Field(
                Field::EventId,
                Test::Compare(operator, Wanted::Number(number)),
            ),
        };
    };
    let below = id.checked_sub(1).map(|last| (0, last));
    let above = id.checked_add(1).map(|first| (first, u32::MAX));
    let parts = [below, Some((id, id)), above];
    let ranges = parts
        .into_iter()
        .flatten()
        .filter(|&(first, _)| holds(first));
    let sets = ranges.map(|range| IdSet::of(vec![range]));
    Node::EventId(sets.fold(IdSet::empty(), |all, set| all.union(&set)))
}
