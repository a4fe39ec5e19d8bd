//! The expression as a tree. Displays in one canonical form, which parses to the same tree:
//! lower-case operators, no brackets but those that are needed, `[2]` as `[position()=2]`,
//! literals on the right.

use std::fmt;
use std::ops::Range;

use super::number::Number;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// One of several, none of them an `Or`.
    Or(Vec<Condition>),
    /// All of several, none of them an `And`.
    And(Vec<Condition>),
    /// The path selects something.
    Exists(Path),
    /// Something that the subject is compares like this with the literal.
    Compare(Subject, Operator, Literal),
    /// `band(path, mask)`: a value of the path has a bit of the mask.
    Band(Path, u64),
}

/// What is compared with a literal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    /// Any of the values that a path selects.
    Path(Path),
    /// `position()`.
    Position,
    /// `timediff(path)`: from the value to now.
    Age(Path),
    /// `timediff(path, time)`: from the value to the time.
    Until(Path, TimeLiteral),
    /// `timediff(time, path)`: from the time to the value.
    Since(TimeLiteral, Path),
}

/// A time in a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeLiteral {
    /// As it was written.
    pub(super) literal: Literal,
    /// Read.
    pub(super) time: jiff::Timestamp,
}

/// A string or a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// Between quotes.
    String(String),
    /// Digits.
    Number(Number),
}

/// Steps from where the path stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// At least one.
    pub(super) steps: Vec<Step>,
    /// Its bytes in the expression.
    pub(super) at: Range<usize>,
}

/// A step down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// Which children or attributes.
    pub(super) test: NodeTest,
    /// What must hold for them.
    pub(super) predicates: Vec<Condition>,
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeTest {
    /// Children of this name.
    Child(String),
    /// `*`
    AnyChild,
    /// `@name`
    Attribute(String),
    /// `@*`
    AnyAttribute,
    /// `text()`
    Text,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Operator {
    /// Whether values in this order fulfil it. Values that have no order are only unequal
    /// (XPath 1.0, 3.4, and IEEE 754 on what is not a number).
    #[inline]
    pub(super) fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        let Some(order) = order else {
            return self == Operator::NotEqual;
        };
        match self {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The same with the sides exchanged.
    pub(super) fn turned(self) -> Operator {
        match self {
            Operator::Less => Operator::Greater,
            Operator::LessOrEqual => Operator::GreaterOrEqual,
            Operator::Greater => Operator::Less,
            Operator::GreaterOrEqual => Operator::LessOrEqual,
            Operator::Equal | Operator::NotEqual => self,
        }
    }

    /// Whether it asks for an order and not for sameness alone.
    pub(super) fn is_relational(self) -> bool {
        !matches!(self, Operator::Equal | Operator::NotEqual)
    }
}

impl Condition {
    /// From the first of its paths to the last, as far as it has any.
    pub(super) fn extent(&self) -> Option<Range<usize>> {
        let subject = match self {
            Condition::Or(parts) | Condition::And(parts) => {
                let extents = parts.iter().filter_map(Condition::extent);
                return extents
                    .reduce(|one, other| one.start.min(other.start)..one.end.max(other.end));
            }
            Condition::Exists(path) | Condition::Band(path, _) => return Some(path.at.clone()),
            Condition::Compare(subject, ..) => subject,
        };
        match subject {
            Subject::Position => None,
            Subject::Path(path)
            | Subject::Age(path)
            | Subject::Until(path, _)
            | Subject::Since(_, path) => Some(path.at.clone()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Or(parts) => join(f, parts, " or "),
            Condition::And(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    let and = if place == 0 { "" } else { " and " };
                    match part {
                        Condition::Or(_) => write!(f, "{and}({part})")?,
                        _ => write!(f, "{and}{part}")?,
                    }
                }
                Ok(())
            }
            Condition::Exists(path) => path.fmt(f),
            Condition::Compare(subject, operator, literal) => {
                write!(f, "{subject}{operator}{literal}")
            }
            Condition::Band(path, mask) => write!(f, "band({path},{mask})"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Condition], between: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if place == 0 { "" } else { between })?;
    }
    Ok(())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Path(path) => path.fmt(f),
            Subject::Position => f.write_str("position()"),
            Subject::Age(path) => write!(f, "timediff({path})"),
            Subject::Until(path, time) => write!(f, "timediff({path},{})", time.literal),
            Subject::Since(time, path) => write!(f, "timediff({},{path})", time.literal),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A literal cannot hold both quotes (XPath 1.0, production 29).
            Literal::String(text) if text.contains('\'') => write!(f, "\"{text}\""),
            Literal::String(text) => write!(f, "'{text}'"),
            Literal::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if place == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.test {
            NodeTest::Child(name) => f.write_str(name)?,
            NodeTest::AnyChild => f.write_str("*")?,
            NodeTest::Attribute(name) => write!(f, "@{name}")?,
            NodeTest::AnyAttribute => f.write_str("@*")?,
            NodeTest::Text => f.write_str("text()")?,
        }
        for predicate in &self.predicates {
            write!(f, "[{predicate}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        })
    }
}
