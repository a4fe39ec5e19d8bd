//! Which series there are: a channel and an id, of all or of one computer, account or address.

use std::collections::HashMap;

use windrow_formats::describe::title;
use windrow_lake::Whose;

/// Names that are told apart. What would be one more belongs to no series.
const NAMES_MAX: usize = 1_000_000;

/// A series, small enough to be looked up for each bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    channel: Name,
    /// The event id, where there is one.
    id: Option<i32>,
    /// Whose events; those of all where nothing is said.
    of: Option<(Whose, Name)>,
}

/// A name by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(u32);

/// Every name that was seen.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: HashMap<String, Name>,
    names: Vec<String>,
}

impl Names {
    /// The place of a name; none where there are too many.
    pub(super) fn place(&mut self, name: &str) -> Option<Name> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        let place = u32::try_from(self.names.len()).ok();
        let place = Name(place.filter(|_| self.names.len() < NAMES_MAX)?);
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        Some(place)
    }

    fn of(&self, name: Name) -> &str {
        self.names.get(name.0 as usize).map_or("", String::as_str)
    }

    /// What a series is, in words and apart.
    pub(super) fn described(&self, key: Key) -> Described<'_> {
        Described {
            channel: self.of(key.channel),
            id: key.id,
            of: key.of.map(|(whose, name)| (whose, self.of(name))),
        }
    }
}

impl Key {
    /// The series of a channel and an id.
    pub(super) fn of_all(channel: Name, id: Option<i32>) -> Key {
        Key {
            channel,
            id,
            of: None,
        }
    }

    /// The same, of one name.
    pub(super) fn of_one(self, whose: Whose, name: Name) -> Key {
        Key {
            of: Some((whose, name)),
            ..self
        }
    }
}

/// A series in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Described<'a> {
    /// The channel; empty where events have none.
    pub(super) channel: &'a str,
    /// The event id.
    pub(super) id: Option<i32>,
    /// Whose events.
    pub(super) of: Option<(Whose, &'a str)>,
}

impl Described<'_> {
    /// What it is called on the command line and in every form of the output.
    pub(super) fn text(&self) -> String {
        let id = self.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        match self.of {
            None => format!("{} {id}", self.channel),
            Some((whose, name)) => format!("{} {id} {}={name}", self.channel, word(whose)),
        }
    }

    /// What such an event is about, where that is known.
    pub(super) fn title(&self) -> Option<&'static str> {
        // The provider, of which a channel is mostly the only one.
        let provider = match self.channel {
            "Security" => "Microsoft-Windows-Security-Auditing",
            channel => channel.split('/').next().unwrap_or(channel),
        };
        title(provider, u32::try_from(self.id?).ok()?)
    }
}

/// What a name is.
pub(super) fn word(whose: Whose) -> &'static str {
    match whose {
        Whose::Computer => "computer",
        Whose::Account => "account",
        Whose::Address => "address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_named_by_what_it_counts() {
        let mut names = Names::default();
        let channel = names.place("Security").unwrap();
        let host = names.place("DC1").unwrap();
        assert_eq!(names.place("DC1"), Some(host));
        let all = Key::of_all(channel, Some(4625));
        let one = all.of_one(Whose::Computer, host);
        assert_ne!(all, one);
        assert_eq!(names.described(all).text(), "Security 4625");
        let described = names.described(one);
        assert_eq!(described.text(), "Security 4625 computer=DC1");
        assert!(described.title().is_some());
        let none = names.described(Key::of_all(channel, None));
        assert_eq!((none.text().as_str(), none.title()), ("Security -", None));
    }
}
