//! What is wrong with a query, where, and what to write instead.

use std::ops::Range;

use crate::limits::{
    QUERY_LIST_BYTES_MAX, QUERY_LIST_SELECTORS_MAX, XPATH_BYTES_MAX, XPATH_DEPTH_MAX,
    XPATH_NUMBER_BYTES_MAX, XPATH_PREDICATES_MAX, XPATH_STEPS_MAX, XPATH_TERMS_MAX,
};

/// An expression that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {}: {fault}", at.start)]
pub struct XPathError {
    /// What is wrong.
    pub fault: Fault,
    /// Which bytes of the expression are meant; empty where something is missing.
    pub at: Range<usize>,
}

/// What can be wrong with an expression. Each message says the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing but white space.
    #[error("the query is empty: write * for every event")]
    Empty,
    /// Above [`XPATH_BYTES_MAX`].
    #[error("the query is longer than {XPATH_BYTES_MAX} bytes: split it into several")]
    TooLong,
    /// Above [`XPATH_DEPTH_MAX`].
    #[error("brackets are nested deeper than {XPATH_DEPTH_MAX} levels")]
    TooDeep,
    /// Above [`XPATH_TERMS_MAX`].
    #[error("more than {XPATH_TERMS_MAX} conditions in one query: split it into several")]
    TooManyTerms,
    /// Above [`XPATH_STEPS_MAX`].
    #[error("a path has more than {XPATH_STEPS_MAX} steps")]
    TooManySteps,
    /// Above [`XPATH_PREDICATES_MAX`].
    #[error("a step has more than {XPATH_PREDICATES_MAX} predicates: join them with `and`")]
    TooManyPredicates,
    /// The expression is cut off.
    #[error("the query ends where {expected} has to be")]
    UnexpectedEnd {
        /// What is missing.
        expected: &'static str,
    },
    /// Something stands where something else has to be.
    #[error("found {found} where {expected} has to be")]
    Unexpected {
        /// What stands there, shortened.
        found: String,
        /// What has to stand there.
        expected: &'static str,
    },
    /// A string without its second quote.
    #[error("the quote that opens here is never closed")]
    OpenString,
    /// Digits that are no number.
    #[error(
        "this is no number: write up to {XPATH_NUMBER_BYTES_MAX} digits, or 0x and up to 16 of them"
    )]
    BadNumber,
    /// A function that event queries do not have.
    #[error("event queries have no {name}(): {instead}")]
    Function {
        /// Its name, shortened.
        name: String,
        /// The cure.
        instead: &'static str,
    },
    /// A function with too few, too many or wrong arguments.
    #[error("write {0}")]
    Arguments(&'static str),
    /// An axis that event queries do not have.
    #[error("event queries have no axis {name}: only children, and attributes with @")]
    Axis {
        /// Its name, shortened.
        name: String,
    },
    /// `/` in front.
    #[error("a path begins with * or Event, not with /")]
    Absolute,
    /// `[` with nothing in front.
    #[error("brackets stand behind * or a name: write *[…] or Event[…]")]
    LonePredicate,
    /// `//`.
    #[error("event queries have no //: write every step, as in EventData/Data")]
    Descendant,
    /// `.`
    #[error("event queries have no `.`: write Data='x', or text() for the value")]
    SelfStep,
    /// `..`
    #[error("event queries have no `..`: write the condition in the brackets of the outer element")]
    ParentStep,
    /// `+`, `-`, `div`, `mod` or `*` between values.
    #[error("event queries do not calculate: write the result")]
    Arithmetic,
    /// `|`
    #[error("event queries have no |: write `or` between the paths")]
    Union,
    /// `$name`
    #[error("event queries have no variables: write the value")]
    Variable,
    /// `prefix:name`
    #[error("event queries have no namespaces: write the name without its prefix")]
    Namespace,
    /// No path begins with the event.
    #[error("this selects no event: a path begins with * or Event, as in *[System[EventID=4624]]")]
    NoEvent,
    /// Something follows an attribute or text().
    #[error("nothing can follow an attribute or text()")]
    AfterLeaf,
    /// Neither side of a comparison is a literal.
    #[error("one side of a comparison is a string or a number, not a path or function too")]
    TwoPaths,
    /// Neither side of a comparison is of the event.
    #[error("one side of a comparison is a path, as in EventID=4624")]
    TwoLiterals,
    /// A condition is compared.
    #[error("a condition is not compared: it holds or it does not")]
    ComparedCondition,
    /// A value stands where a condition has to be.
    #[error("a value is no condition: compare it, as in EventID=4624")]
    NoCondition,
    /// A literal of timediff() is no time.
    #[error("this is no time: write '2026-03-14T13:54:16Z', or a FILETIME as a number")]
    NotATime,
}

impl Fault {
    /// The error of this fault at a place.
    pub(super) fn at(self, at: Range<usize>) -> XPathError {
        XPathError { fault: self, at }
    }
}

/// A query list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {}: {fault}", at.start)]
pub struct FilterError {
    /// What is wrong.
    pub fault: FilterFault,
    /// Which bytes of what was given are meant.
    pub at: Range<usize>,
}

/// What can be wrong with a query list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// One of its expressions.
    #[error(transparent)]
    Expression(#[from] Fault),
    /// Above [`QUERY_LIST_BYTES_MAX`].
    #[error("the query is larger than {QUERY_LIST_BYTES_MAX} bytes")]
    TooLong,
    /// Above [`QUERY_LIST_SELECTORS_MAX`].
    #[error("more than {QUERY_LIST_SELECTORS_MAX} selects in one query")]
    TooManySelectors,
    /// Not XML.
    #[error("the query is not well-formed XML: {0}")]
    Xml(String),
    /// Cut off.
    #[error("the query ends before its last element is closed")]
    CutOff,
    /// A document type.
    #[error("a query has no document type")]
    DocType,
    /// An element in a wrong place.
    #[error("<{name}> where {expected} has to be")]
    Element {
        /// Its name, shortened.
        name: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A whole subscription.
    #[error("this is a whole subscription: keep the <QueryList> inside its <Query> alone")]
    Subscription,
    /// Text between elements.
    #[error("text where an element has to be")]
    Text,
    /// A select without an expression.
    #[error("<{0}> is empty: it needs an XPath, `*` for everything")]
    EmptySelector(&'static str),
    /// No Select at all.
    #[error("the query selects nothing: it has no <Select> with an XPath")]
    NoSelect,
    /// A select without a channel.
    #[error("no channel: write <{0} Path=\"Security\">")]
    NoChannel(&'static str),
    /// A log file as the path.
    #[error("a path names a channel here, not a file: write Path=\"Security\"")]
    FilePath,
    /// A Suppress that can hold nothing back.
    #[error("a <Suppress> needs a <Select> with the same Path in its <Query>")]
    LoneSuppress,
}

/// Something in a query that is allowed and most likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is doubtful.
    pub doubt: Doubt,
    /// Which bytes are meant.
    pub at: Range<usize>,
}

/// What can be doubtful in a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A path that begins outside the event.
    #[error("this never holds: a path outside brackets begins with * or Event")]
    OutsideEvent,
    /// A name that the schema of events does not have in this place.
    #[error("this never holds: events have no {name} here{}", suggest(*.meant))]
    UnknownName {
        /// The name, shortened.
        name: String,
        /// The name that differs in case only.
        meant: Option<&'static str>,
    },
    /// An element with elements inside is compared.
    #[error("this never holds: the element has no value of its own")]
    NoValue,
    /// A string that is no number is compared by order.
    #[error("this never holds: < and > compare numbers and times, and this is neither")]
    NoOrder,
    /// A number that the field never has, or none.
    #[error("this never holds: {name} is a whole number from 0 to {max}")]
    NoSuchNumber {
        /// The field.
        name: String,
        /// The largest it can be.
        max: u64,
    },
    /// A time compared with something else.
    #[error("this never holds: {name} is a time, as '2026-03-14T13:54:16Z', and this is none")]
    NoTime {
        /// The field.
        name: String,
    },
    /// Conditions of which each can hold, but not all at once.
    #[error("this never holds: {0} cannot fulfil all of it at once")]
    Contradiction(String),
    /// Two kinds of data are asked for at once.
    #[error("this never holds: an event has only one of EventData, UserData and the like")]
    TwoPayloads,
    /// Positions begin with 1, and what stands in front may leave fewer.
    #[error("this never holds: there is no such position; the first is 1")]
    NoPosition,
    /// Cannot hold for another reason.
    #[error("this never holds")]
    Never,
    /// A negative age.
    #[error("this holds for events from the future alone: timediff() is the age in milliseconds")]
    Future,
    /// The channel of the expression is not that of its Path.
    #[error("this never holds: it is asked of the channel {0} alone, and asks for another")]
    OtherChannel(String),
    /// A Suppress leaves nothing of a Select.
    #[error("this selects nothing: a <Suppress> of the same Path holds back all of it")]
    Suppressed,
    /// More conditions than Windows is documented to take.
    #[error("Windows is documented to take 32 conditions in one query at most, this has {0}")]
    ManyTerms(usize),
    /// `AND` or `OR`.
    #[error("whether Windows takes an operator in capitals is not known: write `and`, `or`")]
    Capitals,
}

fn suggest(meant: Option<&'static str>) -> String {
    meant.map_or(String::new(), |name| format!(", but {name}: case matters"))
}

/// Text of a query for a message: short, and on one line.
pub(super) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let shown: String = text.chars().take(CHARACTERS_MAX).collect();
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", crate::text::visible(&shown))
}
