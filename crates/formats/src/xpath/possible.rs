//! Whether a condition can hold at all: what each value of an event can still be is narrowed
//! down by one condition after the other, until nothing is left or all were asked.
//!
//! Invariant: it errs on one side only. What is said to be impossible selects no event that
//! Windows writes, whatever else the query says; what is not said may be impossible all the same.

use super::ast::Operator;
use super::number::Number;
use super::program::{Node, Part, TreeStep};
use super::ranges::{Domain, Ranges, Texts, Word};
use super::schema::{Element, Field};
use super::value::{Direction, Test, Wanted};
use crate::event::Payload;

/// What is known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A value of which an event has one at most.
    Field(Field),
    /// From the event to now, in milliseconds.
    Age,
    /// Which kind of data the event has.
    Payload,
    /// The value of the item, node or keyword at hand.
    Value,
    /// The name of the item at hand.
    Name,
    /// Its place among those that came this far.
    Position,
    /// Nothing in particular.
    Nothing,
}

/// What is said of an event beside a query, upper and lower case alike; `None` is anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) channels: Option<Vec<&'a str>>,
    pub(crate) providers: Option<Vec<&'a str>>,
    pub(crate) computers: Option<Vec<&'a str>>,
    /// First and last of each range.
    pub(crate) event_ids: Option<Vec<(u32, u32)>>,
}

/// What values can still be; what is not in it can be anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Vec<(Key, Domain)>);

impl Known {
    /// What the lists around a query say.
    ///
    /// # Errors
    /// What they leave no value for.
    pub(super) fn within(scope: &Scope<'_>) -> Result<Known, Key> {
        let mut known = Known::default();
        let lists = [
            (Field::Channel, &scope.channels),
            (Field::ProviderName, &scope.providers),
            (Field::Computer, &scope.computers),
        ];
        for (field, names) in lists {
            if let Some(names) = names {
                known.is_one_of(field, names.iter().copied())?;
            }
        }
        if let Some(ranges) = &scope.event_ids {
            known.has_event_id(ranges.iter().copied())?;
        }
        Ok(known)
    }

    /// The level of an event.
    pub(super) fn of_level(level: u8) -> Result<Known, Key> {
        let mut known = Known::default();
        let level = Ranges::span(level.into(), level.into());
        known.meet(Key::Field(Field::Level), &Domain::Numbers(level))?;
        Ok(known)
    }

    /// The field has one of these values, in upper or lower case.
    pub(super) fn is_one_of<'a>(
        &mut self,
        field: Field,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Key> {
        let words = texts.into_iter().map(|text| Word::AnyCase(text.into()));
        let words = Texts::OneOf(words.collect());
        self.meet(Key::Field(field), &Domain::Texts(words))
    }

    /// The EventID lies in one of these ranges.
    fn has_event_id(&mut self, ranges: impl IntoIterator<Item = (u32, u32)>) -> Result<(), Key> {
        let ranges = ranges.into_iter();
        let ranges = Ranges::of(ranges.map(|(first, last)| (first.into(), last.into())));
        self.meet(Key::Field(Field::EventId), &Domain::Numbers(ranges))
    }

    fn meet(&mut self, key: Key, domain: &Domain) -> Result<(), Key> {
        let known = self.0.iter_mut().find(|(known, _)| *known == key);
        let narrowed = match &known {
            Some((_, known)) => known.meet(domain),
            None => whole(key).meet(domain),
        };
        if narrowed.is_empty() {
            return Err(key);
        }
        match known {
            Some((_, known)) => *known = narrowed,
            None => self.0.push((key, narrowed)),
        }
        Ok(())
    }

    /// What holds in either case.
    fn join(&self, other: &Known) -> Known {
        let both = self.0.iter().filter_map(|(key, one)| {
            let (_, other) = other.0.iter().find(|(known, _)| known == key)?;
            Some((*key, one.join(other)))
        });
        Known(both.collect())
    }

    /// Takes the positions out, and says how many can come so far.
    fn take_positions(&mut self) -> i128 {
        let at = self.0.iter().position(|(key, _)| *key == Key::Position);
        match at.map(|at| self.0.swap_remove(at)) {
            Some((_, Domain::Numbers(positions))) => positions.count(),
            _ => i128::MAX,
        }
    }
}

/// What a value can be as long as nothing is known of it (Event schema, the types of
/// `SystemPropertiesType`).
fn whole(key: Key) -> Domain {
    match key {
        Key::Field(field) => match field.number_max() {
            Some(max) => Domain::Numbers(Ranges::span(0, max.into())),
            None if field == Field::TimeOfEvent => Domain::Numbers(Ranges::all()),
            None => Domain::Texts(Texts::Any),
        },
        Key::Position => Domain::Numbers(Ranges::span(1, i128::MAX)),
        Key::Age | Key::Payload => Domain::Numbers(Ranges::all()),
        Key::Value | Key::Name | Key::Nothing => Domain::Texts(Texts::Any),
    }
}

/// What is known when the condition holds as well.
///
/// # Errors
/// What there is no value for: it cannot hold.
pub(super) fn narrow(node: &Node, mut known: Known) -> Result<Known, Key> {
    match node {
        Node::Always => {}
        Node::Never => return Err(Key::Nothing),
        Node::And(parts) => return narrow_all(parts, known),
        Node::Or(parts) => return narrow_any(parts, &known),
        Node::Has(element) => {
            if let Element::Tree(payload) = element {
                known.meet(Key::Payload, &payload_is(*payload))?;
            }
        }
        Node::EventId(set) => {
            let ranges = set.ranges().iter();
            known.has_event_id(ranges.copied())?;
        }
        Node::Field(field, test) => {
            let (key, domain) = of_field(*field, test);
            known.meet(key, &domain)?;
        }
        Node::Items(items) => {
            known.meet(Key::Payload, &payload_is(Payload::EventData))?;
            let mut local = at_node(&items.predicates)?;
            local.meet(part(items.part), &Domain::Texts(of_text(&items.test)))?;
        }
        Node::Keywords(keywords) => {
            let mut local = at_node(&keywords.predicates)?;
            local.meet(Key::Value, &Domain::Texts(of_text(&keywords.test)))?;
        }
        Node::Tree(payload, tree) => {
            known.meet(Key::Payload, &payload_is(*payload))?;
            down(&tree.steps, &tree.test)?;
        }
        Node::Below(tree) => down(&tree.steps, &tree.test)?,
        Node::Here(at, test) => known.meet(part(*at), &Domain::Texts(of_text(test)))?,
        Node::Position(operator, number) => {
            let positions = Ranges::fulfilling(*operator, *number);
            known.meet(Key::Position, &Domain::Numbers(positions))?;
        }
    }
    Ok(known)
}

/// The same for all of several. What leaves a choice comes last, when most is known.
pub(super) fn narrow_all(parts: &[Node], mut known: Known) -> Result<Known, Key> {
    let is_choice = |part: &&Node| matches!(part, Node::Or(_));
    for part in parts.iter().filter(|part| !is_choice(part)) {
        known = narrow(part, known)?;
    }
    for part in parts.iter().filter(is_choice) {
        known = narrow(part, known)?;
    }
    Ok(known)
}

fn narrow_any(parts: &[Node], known: &Known) -> Result<Known, Key> {
    let mut all = Err(Key::Nothing);
    for part in parts {
        all = match (narrow(part, known.clone()), all) {
            (Ok(one), Ok(others)) => Ok(one.join(&others)),
            (Ok(one), Err(_)) => Ok(one),
            (Err(_), Ok(others)) => Ok(others),
            (Err(key), Err(_)) => Err(key),
        };
    }
    all
}

/// What is known of a node that passes the predicates of its step. Each counts what the one in
/// front has let through.
fn at_node(predicates: &[Node]) -> Result<Known, Key> {
    let mut local = Known::default();
    let mut count = i128::MAX;
    for predicate in predicates {
        let positions = Ranges::span(1, count);
        local.meet(Key::Position, &Domain::Numbers(positions))?;
        local = narrow(predicate, local)?;
        count = local.take_positions();
    }
    Ok(local)
}

fn down(steps: &[TreeStep], test: &Test) -> Result<(), Key> {
    let mut last = Known::default();
    for step in steps {
        last = at_node(&step.predicates)?;
    }
    last.meet(Key::Value, &Domain::Texts(of_text(test)))
}

fn part(part: Part) -> Key {
    match part {
        Part::Value => Key::Value,
        Part::Name => Key::Name,
    }
}

/// An event has one kind of data at most (Event schema, the choice in `EventType`).
fn payload_is(payload: Payload) -> Domain {
    let number = payload as i128;
    Domain::Numbers(Ranges::span(number, number))
}

fn of_field(field: Field, test: &Test) -> (Key, Domain) {
    let key = Key::Field(field);
    if field.is_number() {
        return (key, Domain::Numbers(of_number(test)));
    }
    if field != Field::TimeOfEvent {
        return (key, Domain::Texts(of_text(test)));
    }
    if let Test::Distance(Direction::ToNow, operator, number) = test {
        let age = Ranges::fulfilling(*operator, *number);
        return (Key::Age, Domain::Numbers(age));
    }
    (key, Domain::Numbers(of_time(test)))
}

fn of_number(test: &Test) -> Ranges {
    match test {
        Test::Exists | Test::HasText => Ranges::all(),
        Test::Compare(operator, Wanted::Number(number)) => Ranges::fulfilling(*operator, *number),
        Test::Compare(operator, _) => unordered(*operator),
        // A number with one of these bits is not below the lowest of them.
        Test::Band(mask) => match mask.checked_ilog2() {
            Some(_) => Ranges::span(1 << mask.trailing_zeros(), i128::MAX),
            None => Ranges::of([]),
        },
        Test::Distance(..) => Ranges::of([]),
    }
}

/// In nanoseconds since 1970.
fn of_time(test: &Test) -> Ranges {
    match test {
        Test::Exists | Test::HasText => Ranges::all(),
        Test::Compare(operator, Wanted::Time(time)) => {
            Ranges::fulfilling(*operator, Number::Integer(time.as_nanosecond()))
        }
        Test::Compare(operator, _) => unordered(*operator),
        Test::Band(_) => Ranges::of([]),
        Test::Distance(direction, operator, number) => {
            let distances = Ranges::fulfilling(*operator, *number);
            let distances = distances.ranges().iter();
            Ranges::of(distances.map(|(first, last)| times(*direction, *first, *last)))
        }
    }
}

/// The times whose distance in whole milliseconds lies between these two, and some beside them:
/// what is finer than a millisecond was cut off.
fn times(direction: Direction, first: i128, last: i128) -> (i128, i128) {
    const NANOSECONDS: i128 = 1_000_000;
    let first = first.saturating_sub(1).saturating_mul(NANOSECONDS);
    let last = last.saturating_add(1).saturating_mul(NANOSECONDS);
    match direction {
        Direction::ToNow => (i128::MIN, i128::MAX),
        Direction::To(time) => {
            let time = time.as_nanosecond();
            (time.saturating_sub(last), time.saturating_sub(first))
        }
        Direction::From(time) => {
            let time = time.as_nanosecond();
            (time.saturating_add(first), time.saturating_add(last))
        }
    }
}

/// What has no order is unequal, and nothing else.
fn unordered(operator: Operator) -> Ranges {
    match operator {
        Operator::NotEqual => Ranges::all(),
        _ => Ranges::of([]),
    }
}

fn of_text(test: &Test) -> Texts {
    match test {
        Test::Compare(Operator::Equal, wanted) => {
            word(wanted).map_or(Texts::Any, |word| Texts::OneOf(vec![word]))
        }
        Test::Compare(Operator::NotEqual, wanted) => {
            word(wanted).map_or(Texts::Any, |word| Texts::Except(vec![word]))
        }
        Test::Band(0) => Texts::OneOf(Vec::new()),
        _ => Texts::Any,
    }
}

fn word(wanted: &Wanted) -> Option<Word> {
    match wanted {
        Wanted::Text(text) => Some(Word::Exact(text.clone())),
        Wanted::Guid(guid) => Some(Word::AnyCase(guid.clone())),
        Wanted::Hex(_) | Wanted::Time(_) | Wanted::Number(_) => None,
    }
}
