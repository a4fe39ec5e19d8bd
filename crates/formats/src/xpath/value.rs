//! One value of an event against what a query wants of it.
//!
//! A literal's form says how it is compared (MS-EVEN6 2.2.15.2: "the conversion is based on
//! the syntax of the string literal"): numbers and times by what they mean, GUIDs and
//! hexadecimal digits without regard to case, everything else letter by letter.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::ast::{Literal, Operator};
use super::number::Number;
use super::time;
use crate::event::{Span, unsigned};

/// A value of the event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Text(Span),
    Number(u64),
    Time(Timestamp),
    /// The node is there and has elements inside instead of a value.
    Inner,
}

/// What must hold for a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// That it is there.
    Exists,
    /// That it is there and not empty: `text()`.
    HasText,
    Compare(Operator, Wanted),
    /// A bit of the mask is set.
    Band(u64),
    /// Milliseconds between the value and a time.
    Distance(Direction, Operator, Number),
}

/// From where to where a time is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Direction {
    ToNow,
    To(Timestamp),
    From(Timestamp),
}

/// A literal, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Text(Box<str>),
    /// `{…}` of the right length.
    Guid(Box<str>),
    /// A string of `0x` and digits.
    Hex(u64),
    Time(Timestamp),
    Number(Number),
}

impl Wanted {
    pub(super) fn of(literal: &Literal) -> Wanted {
        match literal {
            Literal::Number(number) => Wanted::Number(*number),
            Literal::String(text) if is_guid(text) => Wanted::Guid(text.as_str().into()),
            Literal::String(text) => {
                if let Some(number) = hex(text) {
                    Wanted::Hex(number)
                } else if let Some(time) = time::read(text) {
                    Wanted::Time(time)
                } else {
                    Wanted::Text(text.as_str().into())
                }
            }
        }
    }

    /// The number that a string means, where only numbers will be met or an order is asked.
    pub(super) fn as_number(&self) -> Option<Number> {
        match self {
            Wanted::Text(text) => Number::read(text),
            Wanted::Hex(number) => Some(Number::Integer((*number).into())),
            Wanted::Number(number) => Some(*number),
            Wanted::Guid(_) | Wanted::Time(_) => None,
        }
    }
}

fn is_guid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 38
        && bytes.iter().enumerate().all(|(place, &byte)| match place {
            0 => byte == b'{',
            37 => byte == b'}',
            9 | 14 | 19 | 24 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A number in hexadecimal, without anything around it.
fn hex(text: &str) -> Option<u64> {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    unsigned(text).filter(|_| is_hex && text.trim_ascii().len() == text.len())
}

/// Longest value that is taken for a number or a time when it has references in it.
const SHORT_BYTES_MAX: usize = 64;

impl Value {
    /// Whether the value passes.
    #[inline]
    pub(super) fn passes(self, test: &Test, text: &str, now: Timestamp) -> bool {
        match test {
            Test::Exists => true,
            Test::HasText => match self {
                Value::Text(span) => !span.raw(text).is_empty(),
                Value::Inner => false,
                Value::Number(_) | Value::Time(_) => true,
            },
            Test::Compare(operator, wanted) => match self {
                Value::Inner => false,
                _ => operator.holds(self.order(wanted, text)),
            },
            Test::Band(mask) => match self {
                Value::Number(number) => number & mask != 0,
                Value::Text(span) => {
                    let number = read(span, text, unsigned);
                    number.is_some_and(|number| number & mask != 0)
                }
                Value::Time(_) | Value::Inner => false,
            },
            Test::Distance(direction, operator, wanted) => {
                let Some(time) = self.time(text) else {
                    return false;
                };
                let (from, to) = match *direction {
                    Direction::ToNow => (time, now),
                    Direction::To(to) => (time, to),
                    Direction::From(from) => (from, time),
                };
                operator.holds(time::milliseconds(from, to).order(*wanted))
            }
        }
    }

    /// How the value and the literal compare; `None` where they do not, which makes them
    /// unequal.
    #[inline]
    fn order(self, wanted: &Wanted, text: &str) -> Option<Ordering> {
        match (self, wanted) {
            (Value::Text(span), Wanted::Text(wanted)) => {
                span.equals(text, wanted).then_some(Ordering::Equal)
            }
            (Value::Text(span), Wanted::Guid(wanted)) => span
                .equals_ignore_case(text, wanted)
                .then_some(Ordering::Equal),
            (Value::Text(span), Wanted::Hex(wanted)) => {
                read(span, text, hex).map(|number| number.cmp(wanted))
            }
            (Value::Text(span), Wanted::Number(wanted)) => {
                read(span, text, Number::read).and_then(|number| number.order(*wanted))
            }
            (Value::Number(number), Wanted::Number(wanted)) => {
                Number::Integer(number.into()).order(*wanted)
            }
            (_, Wanted::Time(wanted)) => self.time(text).map(|time| time.cmp(wanted)),
            // Literals meet numbers as numbers; of what is no number and no time only that
            // it is unequal is to be said.
            _ => None,
        }
    }

    fn time(self, text: &str) -> Option<Timestamp> {
        match self {
            Value::Time(time) => Some(time),
            Value::Text(span) => read(span, text, time::read),
            Value::Number(_) | Value::Inner => None,
        }
    }
}

/// Reads a short value without keeping it.
#[inline]
fn read<T>(span: Span, text: &str, reader: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut buffer = [0; SHORT_BYTES_MAX];
    reader(span.short_value(text, &mut buffer)?)
}
