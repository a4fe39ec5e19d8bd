//! A filter: which events of which channels.

use std::ops::Range;

use jiff::Timestamp;

use super::error::{Doubt, FilterError, FilterFault, Warning, XPathError, excerpt};
use super::expression::Expression;
use super::possible::{Key, Known, Scope};
use super::query_list::{self, Kind, RawQuery, RawSelector};
use super::schema::Field;
use crate::event::Event;

/// An event query in any of its three forms: an expression, `Channel!expression` as Azure
/// Diagnostics writes it, or a QueryList.
///
/// An event is selected by a QueryList when one of its Queries selects it: that is when one
/// of the Query's Selects does, and none of the Query's Suppresses of the same channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    queries: Box<[Query]>,
    warnings: Box<[Warning]>,
}

/// What one Query of a QueryList says of an event that one of its Selects selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It selects the event.
    Selected,
    /// One of its Suppresses holds the event back.
    HeldBack,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) selects: Box<[Selector]>,
    pub(super) suppresses: Box<[Selector]>,
}

/// An expression for the events of one channel, or of all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selector {
    pub(super) channel: Option<Box<str>>,
    pub(super) expression: Expression,
}

impl Selector {
    /// Channels are the same without regard to case, as everywhere in Windows.
    #[inline]
    pub(super) fn is_for(&self, event: Event<'_>) -> bool {
        let Some(channel) = &self.channel else {
            return true;
        };
        let of_event = event.index().strings.channel;
        of_event.is_some() && of_event.equals_ignore_case(event.text(), channel)
    }

    /// Whether it selects any event of which this is known.
    fn is_possible(&self, known: Result<Known, Key>) -> bool {
        let known = known.and_then(|mut known| match &self.channel {
            Some(channel) => known
                .is_one_of(Field::Channel, [&**channel])
                .map(|()| known),
            None => Ok(known),
        });
        known.is_ok_and(|known| self.expression.is_possible(known))
    }

    /// Why it selects nothing though its expression can hold.
    fn doubt(&self) -> Option<Doubt> {
        let channel = self.channel.as_deref()?;
        let is_other = self.expression.is_possible(Known::default())
            && !self.is_possible(Ok(Known::default()));
        is_other.then(|| Doubt::OtherChannel(excerpt(channel)))
    }

    fn selects(&self, event: Event<'_>, now: Timestamp) -> bool {
        self.is_for(event) && self.expression.matches(event, now)
    }
}

impl Query {
    /// Whether a Suppress holds the event back.
    #[inline]
    pub(super) fn suppresses(&self, event: Event<'_>, now: Timestamp) -> bool {
        self.suppresses
            .iter()
            .any(|suppress| suppress.selects(event, now))
    }
}

impl Filter {
    /// Reads a query in whichever of the three forms it is.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn compile(text: &str) -> Result<Self, FilterError> {
        if text.trim_start().starts_with('<') {
            return Self::query_list(text);
        }
        match channel_of(text) {
            Some((channel, expression_start)) => Self::of_channel(channel, text, expression_start),
            None => Self::expression(text),
        }
    }

    /// Reads an expression for the events of every channel.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn expression(text: &str) -> Result<Self, FilterError> {
        let expression = Expression::compile(text).map_err(|error| moved(error, 0))?;
        let warnings = expression.warnings().into();
        let select = Selector {
            channel: None,
            expression,
        };
        Ok(Self::of(select, warnings))
    }

    /// Reads a QueryList.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn query_list(xml: &str) -> Result<Self, FilterError> {
        let mut warnings = Vec::new();
        let queries = query_list::read(xml)?;
        let queries: Result<_, _> = queries
            .iter()
            .map(|query| compile_query(query, &mut warnings))
            .collect();
        Ok(Self {
            queries: queries?,
            warnings: warnings.into(),
        })
    }

    fn of_channel(channel: &str, text: &str, start: usize) -> Result<Self, FilterError> {
        let expression = match text[start..].trim_ascii() {
            "" => Expression::compile("*"),
            _ => Expression::compile(&text[start..]),
        };
        let expression = expression.map_err(|error| moved(error, start))?;
        let moved = |warning: &Warning| Warning {
            doubt: warning.doubt.clone(),
            at: warning.at.start + start..warning.at.end + start,
        };
        let mut warnings: Vec<_> = expression.warnings().iter().map(moved).collect();
        let select = Selector {
            channel: Some(channel.into()),
            expression,
        };
        warnings.extend(select.doubt().map(|doubt| {
            let at = start..text.len();
            Warning { doubt, at }
        }));
        Ok(Self::of(select, warnings.into()))
    }

    fn of(select: Selector, warnings: Box<[Warning]>) -> Self {
        Self {
            queries: Box::new([Query {
                selects: Box::new([select]),
                suppresses: Box::default(),
            }]),
            warnings,
        }
    }

    /// Whether the filter selects the event. `now` is what timediff() counts to.
    pub fn matches(&self, event: Event<'_>, now: Timestamp) -> bool {
        self.queries.iter().any(|query| {
            query
                .selects
                .iter()
                .any(|select| select.selects(event, now))
                && !query.suppresses(event, now)
        })
    }

    /// What each Query says of the event, by its place in the list: those that say nothing of it
    /// are not there. An expression alone is one Query.
    pub fn verdicts(
        &self,
        event: Event<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, Verdict)> {
        let queries = self.queries.iter().enumerate();
        queries.filter_map(move |(place, query)| {
            let mut selects = query.selects.iter();
            let is_selected = selects.any(|select| select.selects(event, now));
            let verdict = match query.suppresses(event, now) {
                true => Verdict::HeldBack,
                false => Verdict::Selected,
            };
            is_selected.then_some((place, verdict))
        })
    }

    /// What is allowed and most likely not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether it can select any event of which all this holds as well. It errs on the side of yes.
    pub(crate) fn is_possible(&self, scope: &Scope<'_>) -> bool {
        let selects = self.queries.iter().flat_map(|query| &query.selects);
        selects
            .into_iter()
            .any(|select| select.is_possible(Known::within(scope)))
    }

    /// Whether it can select any event of this level. It errs on the side of yes.
    pub(crate) fn can_select_level(&self, level: u8) -> bool {
        let mut selects = self.queries.iter().flat_map(|query| &query.selects);
        selects.any(|select| select.is_possible(Known::of_level(level)))
    }

    /// What it selects as it was understood, a line for each Select and Suppress:
    /// `Security!*[System[EventID=4624]]`, `but not Security!*[…]`.
    pub fn explain(&self) -> Vec<String> {
        let line = |selector: &Selector| match &selector.channel {
            Some(channel) => format!("{channel}!{}", selector.expression),
            None => selector.expression.to_string(),
        };
        let lines = |query: &Query| {
            let selects = query.selects.iter().map(line);
            let suppresses = query.suppresses.iter().map(line);
            selects
                .chain(suppresses.map(|line| format!("but not {line}")))
                .collect::<Vec<_>>()
        };
        self.queries.iter().flat_map(lines).collect()
    }

    pub(super) fn queries(&self) -> &[Query] {
        &self.queries
    }
}

/// Whether this is a QueryList, whatever its expressions say: they may be for somebody who
/// knows others.
///
/// # Errors
/// What is wrong with it and where.
pub fn check_query_list(xml: &str) -> Result<(), FilterError> {
    query_list::read(xml).map(|_| ())
}

/// The channel of `Channel!expression` and where its expression begins, split at the first
/// `!`. An expression alone has no `!` but the one of `!=`, behind a bracket or a path.
pub(crate) fn channel_of(text: &str) -> Option<(&str, usize)> {
    let (channel, expression) = text.split_once('!')?;
    let is_expression = channel.contains(['[', ']', '*', '\'', '"', '=', '<', '>', '@'])
        || expression.starts_with('=');
    let channel = channel.trim();
    (!is_expression && !channel.is_empty()).then(|| (channel, text.len() - expression.len()))
}

fn moved(error: XPathError, by: usize) -> FilterError {
    FilterError {
        fault: error.fault.into(),
        at: error.at.start + by..error.at.end + by,
    }
}

fn compile_query(raw: &RawQuery, warnings: &mut Vec<Warning>) -> Result<Query, FilterError> {
    let mut selects = Vec::new();
    let mut suppresses = Vec::new();
    for selector in &raw.selectors {
        let compiled = compile_selector(raw, selector, warnings)?;
        match selector.kind {
            Kind::Select => selects.push((compiled, selector.at.clone())),
            Kind::Suppress => suppresses.push((compiled, selector.at.clone())),
        }
    }
    let same = |one: &Selector, other: &Selector| match (&one.channel, &other.channel) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    };
    for (suppress, at) in &suppresses {
        if !selects.iter().any(|(select, _)| same(select, suppress)) {
            return Err(fault(FilterFault::LoneSuppress, at.clone()));
        }
    }
    for (select, at) in &selects {
        let holds_back = |(suppress, _): &(Selector, _)| {
            same(select, suppress) && suppress.expression.covers(&select.expression)
        };
        if suppresses.iter().any(holds_back) {
            let (doubt, at) = (Doubt::Suppressed, at.clone());
            warnings.push(Warning { doubt, at });
        }
    }
    let only = |selectors: Vec<(Selector, _)>| {
        selectors
            .into_iter()
            .map(|(selector, _)| selector)
            .collect()
    };
    Ok(Query {
        selects: only(selects),
        suppresses: only(suppresses),
    })
}

fn compile_selector(
    query: &RawQuery,
    raw: &RawSelector,
    warnings: &mut Vec<Warning>,
) -> Result<Selector, FilterError> {
    let Some(channel) = raw.path.as_deref().or(query.path.as_deref()) else {
        return Err(fault(
            FilterFault::NoChannel(raw.kind.name()),
            raw.at.clone(),
        ));
    };
    if channel.starts_with("file:") {
        return Err(fault(FilterFault::FilePath, raw.at.clone()));
    }
    let expression = Expression::compile(raw.text.as_str())
        .map_err(|error| fault(error.fault.into(), raw.place_of(&error.at)))?;
    warnings.extend(expression.warnings().iter().map(|warning| Warning {
        doubt: warning.doubt.clone(),
        at: raw.place_of(&warning.at),
    }));
    let selector = Selector {
        channel: Some(channel.into()),
        expression,
    };
    warnings.extend(selector.doubt().map(|doubt| {
        let at = raw.at.clone();
        Warning { doubt, at }
    }));
    Ok(selector)
}

fn fault(fault: FilterFault, at: Range<usize>) -> FilterError {
    FilterError { fault, at }
}
