//! What an element is made of, said once: its reader, its writer and the schemas all follow it.

use std::ops::RangeInclusive;

use super::finding::Report;
use super::tree::Element;
use super::value::Value;

/// What is said of an attribute or an element beside its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) name: &'static str,
    /// What it is, for the schemas.
    pub(super) about: &'static str,
    /// What holds where it is not said.
    pub(super) default: Option<&'static str>,
    /// The first version that had it, if it is newer than the schema of 2016.
    pub(super) since: Option<&'static str>,
}

/// A name and what it is.
pub(super) const fn say(name: &'static str, about: &'static str) -> Said {
    Said {
        name,
        about,
        default: None,
        since: None,
    }
}

impl Said {
    pub(super) const fn default(mut self, value: &'static str) -> Said {
        self.default = Some(value);
        self
    }

    pub(super) const fn since(mut self, version: &'static str) -> Said {
        self.since = Some(version);
        self
    }
}

/// Visits what an element is made of, in the order that it is written in.
pub(super) trait Fields: Sized {
    /// An attribute that may be left out.
    fn attribute<V: Value>(&mut self, said: Said, value: &mut Option<V>);

    /// An attribute that has to be there.
    fn required<V: Value + Default>(&mut self, said: Said, value: &mut V);

    /// An element with text alone.
    fn text<V: Value>(&mut self, said: Said, value: &mut Option<V>);

    /// An element that may be left out.
    fn child<N: Node>(&mut self, said: Said, node: &mut Option<N>);

    /// An element that has to be there.
    fn one<N: Node>(&mut self, said: Said, node: &mut N);

    /// An element that may be there several times.
    fn children<N: Node>(&mut self, said: Said, times: RangeInclusive<usize>, nodes: &mut Vec<N>);

    /// Of these elements, which are all visited beside this, one alone has to be there.
    fn one_of(&mut self, names: &'static [&'static str]);

    /// In XML these elements, which are all visited beside this, stand in this order.
    fn in_order(&mut self, names: &'static [&'static str]);
}

/// No end to how often an element may be there.
pub(super) const MANY: usize = usize::MAX;

/// An element.
pub(super) trait Node: Clone + Default {
    /// Visits all it is made of.
    fn fields<F: Fields>(&mut self, fields: &mut F);

    /// What tells it from others of its name in the same list; nothing for one that is alone.
    fn key(&self) -> String {
        String::new()
    }

    /// Reports what its parts say together that is not meant.
    fn check(&self, _element: &Element, _report: &mut Report) {}
}
