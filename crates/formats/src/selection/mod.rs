//! Which events somebody gets: a severity, lists of what is wanted and unwanted, and an event
//! query, all of which have to hold.
//!
//! Invariants: choosing never fails, panics or allocates, and the same event is always chosen
//! alike: what "now" is for a query is when the event came in, so that one that waited is
//! still wanted.

mod doubt;
mod ids;
mod names;
#[cfg(test)]
mod tests;

pub use doubt::SelectionDoubt;
pub use ids::{EventIds, IdRange, IdRangeError};
pub use names::{NameError, Names};

use crate::batch::{Header, Kind};
use crate::criticality::OutputSeverity;
use crate::event::{Event, Span};
use crate::limits::SELECTION_VALUE_BYTES_MAX;
use crate::xpath::Filter;

/// Which events somebody gets. The default is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// How grave they have to be.
    pub output_severity: OutputSeverity,
    /// By `Channel`.
    pub channels: Choice<Names>,
    /// By `EventID`.
    pub event_ids: Choice<EventIds>,
    /// By `Provider/@Name`.
    pub providers: Choice<Names>,
    /// By `Computer`.
    pub computers: Choice<Names>,
    /// By an event query.
    pub query: Option<Filter>,
}

/// What is wanted, or everything when nothing is listed, without what is unwanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice<L> {
    /// What is wanted; everything when empty.
    pub only: L,
    /// What is not.
    pub except: L,
}

impl Selection {
    /// Whether an event of a batch with this header is chosen.
    ///
    /// An event without a value, or with one longer than any that Windows writes, is in no list.
    /// Our own records are chosen, unless a list of unwanted channels or providers has theirs:
    /// a loss must not go unseen because somebody asked for one channel of Windows.
    #[must_use]
    pub fn keeps(&self, event: Event<'_>, header: &Header) -> bool {
        let strings = &event.index().strings;
        let channel = |names: &Names| is_in(names, event, strings.channel);
        let provider = |names: &Names| is_in(names, event, strings.provider_name);
        if header.kind == Kind::Own {
            let unwanted = [
                channel(&self.channels.except),
                provider(&self.providers.except),
            ];
            return !unwanted.contains(&Some(true));
        }
        // What costs least first.
        let id = event.event_id();
        let id = |ids: &EventIds| (!ids.is_empty()).then(|| id.is_some_and(|id| ids.contains(id)));
        let computer = |names: &Names| is_in(names, event, strings.computer);
        self.event_ids.admits(id)
            && self.output_severity.keeps(event, header.kind)
            && self.channels.admits(channel)
            && self.providers.admits(provider)
            && self.computers.admits(computer)
            && self
                .query
                .as_ref()
                .is_none_or(|query| query.matches(event, header.received_at))
    }
}

impl<L> Choice<L> {
    /// `is_in` says whether the event is in a list, and nothing of a list that is empty.
    #[inline]
    fn admits(&self, is_in: impl Fn(&L) -> Option<bool>) -> bool {
        is_in(&self.only) != Some(false) && is_in(&self.except) != Some(true)
    }
}

#[inline]
fn is_in(names: &Names, event: Event<'_>, value: Span) -> Option<bool> {
    if names.is_empty() {
        return None;
    }
    if !value.is_some() {
        return Some(false);
    }
    let mut buffer = [0; SELECTION_VALUE_BYTES_MAX];
    let value = value.short_value(event.text(), &mut buffer);
    Some(value.is_some_and(|value| names.contain(value)))
}
