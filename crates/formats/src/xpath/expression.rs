//! One expression: read, shown and evaluated.

use std::fmt;

use jiff::Timestamp;

use super::ast::Condition;
use super::compile::compile;
use super::error::{Doubt, Fault, Warning, XPathError};
use super::evaluate::holds;
use super::ids::IdSet;
use super::parse::{Parsed, parse};
use super::possible::{Known, narrow};
use super::program::Node;
use crate::event::Event;
use crate::limits::XPATH_TERMS_DOCUMENTED;

/// An event query without a channel. Displays in a canonical form that means the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    condition: Condition,
    program: Node,
    warnings: Box<[Warning]>,
}

impl Expression {
    /// Reads and compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it and where, when it is none that event queries may have.
    pub fn compile(text: &str) -> Result<Self, XPathError> {
        let Parsed {
            condition,
            terms,
            capitals,
        } = parse(text)?;
        let Some((program, mut warnings)) = compile(&condition) else {
            return Err(Fault::NoEvent.at(0..text.len()));
        };
        if terms > XPATH_TERMS_DOCUMENTED {
            let (doubt, at) = (Doubt::ManyTerms(terms), 0..text.len());
            warnings.push(Warning { doubt, at });
        }
        if let Some(at) = capitals {
            let doubt = Doubt::Capitals;
            warnings.push(Warning { doubt, at });
        }
        Ok(Self {
            condition,
            program,
            warnings: warnings.into(),
        })
    }

    /// Whether the expression selects the event. `now` is what timediff() counts to.
    #[inline]
    pub fn matches(&self, event: Event<'_>, now: Timestamp) -> bool {
        holds(&self.program, event, now)
    }

    /// What is allowed and most likely not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether it selects any event of which this is known. It errs on the side of yes.
    pub(super) fn is_possible(&self, known: Known) -> bool {
        narrow(&self.program, known).is_ok()
    }

    /// Whether it is seen to select all that the other does.
    pub(super) fn covers(&self, other: &Expression) -> bool {
        self.program == Node::Always || self.program == other.program
    }

    /// The EventIDs of which an event must have one to be selected.
    pub(super) fn event_ids(&self) -> IdSet {
        self.program.event_ids()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}
