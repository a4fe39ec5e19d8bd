//! What a selection leaves nothing of, seen before any event comes.

use super::ids::{EventIds, ID_MAX};
use super::names::Names;
use super::{Choice, Selection};
use crate::xpath::Scope;

/// Why nothing that machines send is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionDoubt {
    /// What is wanted is unwanted as well.
    #[error(
        "nothing that machines send gets there: of the {0} that are listed every one is left out again"
    )]
    NothingLeft(&'static str),
    /// The lists and the query have no event in common.
    #[error(
        "nothing that machines send gets there: the query asks for no event of the channels, event ids, providers and \
         computers that are listed"
    )]
    QueryElsewhere,
}

impl Selection {
    /// Why no event of a machine can be chosen, as far as it can be told beforehand. What the
    /// query says by itself is among its own warnings.
    #[must_use]
    pub fn doubts(&self) -> Vec<SelectionDoubt> {
        let lists = [
            ("channels", self.channels.leaves_nothing()),
            ("providers", self.providers.leaves_nothing()),
            ("computers", self.computers.leaves_nothing()),
            ("event ids", self.event_ids.left().is_empty()),
        ];
        let nothing = lists.into_iter().filter(|(_, nothing)| *nothing);
        let mut doubts: Vec<_> = nothing
            .map(|(what, _)| SelectionDoubt::NothingLeft(what))
            .collect();
        let scope = Scope {
            channels: self.channels.left(),
            providers: self.providers.left(),
            computers: self.computers.left(),
            event_ids: (self.event_ids != Choice::default()).then(|| self.event_ids.left()),
        };
        let is_elsewhere = self.query.as_ref().is_some_and(|query| {
            query.is_possible(&Scope::default()) && !query.is_possible(&scope)
        });
        if doubts.is_empty() && is_elsewhere {
            doubts.push(SelectionDoubt::QueryElsewhere);
        }
        doubts
    }
}

impl Choice<Names> {
    fn leaves_nothing(&self) -> bool {
        let mut only = self.only.iter();
        !self.only.is_empty() && only.all(|name| self.except.contain(name))
    }

    /// The names that are wanted and not unwanted; `None` where they cannot be counted.
    fn left(&self) -> Option<Vec<&str>> {
        let is_counted = !self.only.is_empty() && !self.only.iter().any(|name| name.contains('*'));
        let left = || {
            let only = self.only.iter();
            only.filter(|name| !self.except.contain(name)).collect()
        };
        is_counted.then(left)
    }
}

impl Choice<EventIds> {
    /// First and last of each range of ids that are wanted and not unwanted.
    fn left(&self) -> Vec<(u32, u32)> {
        let everything = [(0, ID_MAX)];
        let only: Vec<_> = self.only.bounds().collect();
        let only = if only.is_empty() {
            &everything[..]
        } else {
            &only
        };
        let mut left = Vec::new();
        for &(first, last) in only {
            let mut from = first;
            for (unwanted, until) in self.except.bounds() {
                if until < from || last < unwanted {
                    continue;
                }
                if from < unwanted {
                    left.push((from, unwanted - 1));
                }
                from = until + 1;
            }
            if from <= last {
                left.push((from, last));
            }
        }
        left
    }
}
