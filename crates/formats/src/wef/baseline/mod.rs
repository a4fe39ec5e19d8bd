//! Queries that are ready to use: what a domain controller, a server, a workstation or any machine
//! should send, each with the reason why.
//!
//! A baseline is data (`tables`); its QueryList is made from that, within what Windows is
//! documented to take: at most 20 conditions an expression. A machine needs one of them: all but
//! `exercises` hold what `essential` asks for.

mod roles;
mod tables;
mod text;

pub use tables::BASELINES;
pub use text::reasons;

/// Most conditions in one expression: the lower of the two numbers that Windows documents.
const TERMS_MAX: usize = 20;

/// A query that is ready to use.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    /// What settings call it.
    pub name: &'static str,
    /// Which machines it is for.
    pub title: &'static str,
    groups: &'static [&'static [Query]],
}

/// What belongs together: one Query of the QueryList.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// What it is about, in a few words.
    pub topic: &'static str,
    /// Why these events.
    pub reason: &'static str,
    /// The events.
    pub selects: &'static [Select],
    /// What of them is left out.
    pub noise: &'static [Noise],
}

/// Events of one provider in one channel.
#[derive(Clone, Copy, Debug)]
pub struct Select {
    /// The channel.
    pub channel: &'static str,
    /// The provider; of every one in the channel when there is none.
    pub provider: Option<&'static str>,
    /// EventIDs in order; all of them when there are none.
    pub ids: &'static [u32],
    /// Levels; all of them when there are none.
    pub levels: &'static [u32],
    /// Items of the event that have one of some values.
    pub data: &'static [Item],
}

/// An item of an event, and values of which it has one.
pub type Item = (&'static str, &'static [&'static str]);

/// Events that are left out.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Why nothing is missed.
    pub reason: &'static str,
    /// The channel.
    pub channel: &'static str,
    /// EventIDs in order.
    pub ids: &'static [u32],
    /// Items, each of which has one of some values.
    pub data: &'static [Item],
}

impl Baseline {
    /// The baseline of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Baseline> {
        BASELINES.iter().find(|baseline| baseline.name == name)
    }

    /// Its queries, each with its reason.
    pub fn queries(&self) -> impl Iterator<Item = &'static Query> + use<> {
        self.groups.iter().copied().flatten()
    }

    /// The QueryList for machines.
    #[must_use]
    pub fn query_list(&self) -> String {
        text::query_list(self)
    }
}

/// Whether a Windows as it comes writes nothing to this channel until it is enabled.
#[must_use]
pub fn is_off_by_default(channel: &str) -> bool {
    let off = text::OFF_BY_DEFAULT.iter();
    off.into_iter()
        .any(|name| name.eq_ignore_ascii_case(channel))
}

#[cfg(test)]
mod tests;
