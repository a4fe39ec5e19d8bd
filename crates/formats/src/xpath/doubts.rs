//! The words for a condition that cannot hold.

use super::error::Doubt;
use super::possible::Key;
use super::program::Node;
use super::ranges::Ranges;
use super::schema::Field;
use super::value::{Direction, Test};

/// Why a condition, compiled, cannot hold, when there is no value for `key`.
pub(super) fn of(node: &Node, key: Key) -> Doubt {
    match (node, key) {
        (Node::EventId(_), _) => no_value(Field::EventId),
        (Node::Field(field, _), _) => no_value(*field),
        (_, Key::Field(field)) => Doubt::Contradiction(field.name()),
        (_, Key::Age) => Doubt::Contradiction("timediff()".to_owned()),
        (_, Key::Name) => Doubt::Contradiction("@Name".to_owned()),
        (_, Key::Value) => Doubt::Contradiction("one value".to_owned()),
        (_, Key::Payload) => Doubt::TwoPayloads,
        (_, Key::Position) => Doubt::NoPosition,
        (_, Key::Nothing) => Doubt::Never,
    }
}

/// One condition alone leaves nothing of the field.
fn no_value(field: Field) -> Doubt {
    let name = field.name();
    match field.number_max() {
        Some(max) => Doubt::NoSuchNumber { name, max },
        None if field == Field::TimeOfEvent => Doubt::NoTime { name },
        None => Doubt::Never,
    }
}

/// Whether only an event of the future can fulfil it.
pub(super) fn is_future(node: &Node) -> bool {
    let Node::Field(Field::TimeOfEvent, Test::Distance(Direction::ToNow, operator, number)) = node
    else {
        return false;
    };
    let ages = Ranges::fulfilling(*operator, *number);
    ages.last().is_some_and(|last| last < 0)
}
