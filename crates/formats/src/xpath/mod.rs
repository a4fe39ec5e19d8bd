//! Event queries: the subset of XPath 1.0 by which Windows selects events (Windows Event Log,
//! "Consuming Events"; MS-EVEN6 2.2.15), evaluated on an event's Index.
//!
//! ```text
//! *[System[Provider[@Name='Service Control Manager'] and (EventID=7040 or EventID=7045)]]
//! ```
//!
//! An [`Expression`] is read once into a tree and compiled into a program; a [`Filter`] is
//! one expression, one for a channel (`Security!*`), or a whole QueryList; a [`FilterSet`]
//! asks many filters about one event and looks first which of them can apply.
//!
//! Invariants: evaluating never fails, panics or allocates, and asks nothing of the text but
//! the values that the Index points to; what "now" is, the caller says.

mod ast;
mod compile;
mod doubts;
mod error;
mod evaluate;
mod expression;
mod filter;
mod ids;
mod lexer;
mod number;
mod parse;
mod possible;
mod program;
pub(crate) mod query_list;
mod ranges;
mod schema;
mod set;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use error::{Doubt, Fault, FilterError, FilterFault, Warning, XPathError};
pub use expression::Expression;
pub(crate) use filter::channel_of;
pub use filter::{Filter, Verdict, check_query_list};
pub(crate) use possible::Scope;
pub use set::{FilterSet, Matches, TooManyFilters};
