//! What one configuration says otherwise than another: what setting it in the other's place changes.

use std::collections::HashMap;

use super::merge::{below, shown};
use super::model::Configuration;
use super::writer::{Item, Outline, Secrets, Times, outline};

/// Something that one of two configurations says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what: `PublicConfig/WadCfg/…/DataSource[Security!*]`, an attribute with an `@`.
    pub at: String,
    /// What happened to it.
    pub what: Differs,
}

/// How it differs. Values are as they are written, and `(a key)` for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differs {
    /// It was not there; an element has no value.
    Added(Option<String>),
    /// It had another value.
    Changed {
        /// This one.
        from: String,
        /// And has this one.
        to: String,
    },
    /// It is not there any more, nor is what it held.
    Gone(Option<String>),
}

/// What `new` says otherwise than `old`, in the order in which `new` has it; what is gone comes last.
///
/// Items of a list are the same by what they are about, wherever they stand.
#[must_use]
pub fn differences(old: &Configuration, new: &Configuration) -> Vec<Difference> {
    let lines = |of| {
        let whole = outline("DiagnosticsConfiguration", of, Times::Once, Secrets::Reveal);
        let mut lines = Lines::default();
        lines.below(&whole, "", None);
        lines
    };
    let (old, new) = (lines(old), lines(new));
    let mut found = Vec::new();
    for line in &new.lines {
        let what = match old.get(&line.at) {
            None => Differs::Added(line.shown.clone()),
            Some(before) if before.value == line.value => continue,
            Some(before) => Differs::Changed {
                from: before.shown.clone().unwrap_or_default(),
                to: line.shown.clone().unwrap_or_default(),
            },
        };
        let at = line.at.clone();
        found.push(Difference { at, what });
    }
    for line in &old.lines {
        let is_gone = new.get(&line.at).is_none();
        let with_its_parent = (line.inside).is_some_and(|at| new.get(&old.lines[at].at).is_none());
        if is_gone && !with_its_parent {
            let (at, what) = (line.at.clone(), Differs::Gone(line.shown.clone()));
            found.push(Difference { at, what });
        }
    }
    found
}

/// An element or an attribute.
struct Line {
    at: String,
    /// Of an attribute.
    value: Option<String>,
    /// The same for people.
    shown: Option<String>,
    /// The line of the element that it stands in.
    inside: Option<usize>,
}

/// All of a configuration.
#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
    places: HashMap<String, usize>,
}

impl Lines {
    fn get(&self, at: &str) -> Option<&Line> {
        self.places.get(at).map(|place| &self.lines[*place])
    }

    fn below(&mut self, node: &Outline, path: &str, inside: Option<usize>) {
        for item in &node.items {
            match item {
                // An empty value says nothing, and what tells an element from others stands in its name.
                Item::Leaf(leaf) if leaf.value.is_empty() || leaf.value == node.key => {}
                Item::Leaf(leaf) => {
                    let at = format!("{path}@{}", leaf.name);
                    self.push(at, Some((leaf.value.clone(), shown(leaf))), inside);
                }
                Item::Node(inner) => {
                    let at = below(path, inner);
                    let place = self.push(at.trim_end_matches('/').to_owned(), None, inside);
                    let at = format!("{}/", self.lines[place].at);
                    self.below(inner, &at, Some(place));
                }
            }
        }
    }

    /// One that stands there twice is told by its number.
    fn push(
        &mut self,
        at: String,
        value: Option<(String, String)>,
        inside: Option<usize>,
    ) -> usize {
        let again = (2..).map(|number| format!("{at}#{number}"));
        let free = std::iter::once(at.clone()).chain(again);
        let at = (free.into_iter())
            .find(|at| !self.places.contains_key(at))
            .unwrap_or(at);
        let place = self.lines.len();
        let (value, shown) = value.unzip();
        self.places.insert(at.clone(), place);
        self.lines.push(Line {
            at,
            value,
            shown,
            inside,
        });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn configuration(inner: &str) -> Configuration {
        let text = format!(
            "<PublicConfig xmlns='{}'><WadCfg><DiagnosticMonitorConfiguration>{inner}\
             </DiagnosticMonitorConfiguration></WadCfg></PublicConfig>",
            super::super::NAMESPACE
        );
        let reading = read(text.as_bytes());
        reading
            .configuration
            .unwrap_or_else(|| panic!("{:?}", reading.findings))
    }

    fn told(old: &str, new: &str) -> String {
        let found = differences(&configuration(old), &configuration(new));
        let lines = found.iter().map(|Difference { at, what }| {
            let at = at.trim_start_matches("PublicConfig/WadCfg/DiagnosticMonitorConfiguration/");
            let value = |value: &Option<String>| {
                value
                    .as_ref()
                    .map_or(String::new(), |value| format!(" {value}"))
            };
            match what {
                Differs::Added(added) => format!("+ {at}{}\n", value(added)),
                Differs::Changed { from, to } => format!("~ {at} {from} -> {to}\n"),
                Differs::Gone(gone) => format!("- {at}{}\n", value(gone)),
            }
        });
        lines.collect()
    }

    #[test]
    fn what_comes_what_changes_and_what_goes_is_told() {
        let old = "<Directories scheduledTransferPeriod='PT1M'><IISLogs containerName='iis'/></Directories>\
                   <WindowsEventLog scheduledTransferPeriod='PT1M'><DataSource name='System!*'/>\
                   <DataSource name='Security!*'/></WindowsEventLog>";
        let new = "<WindowsEventLog scheduledTransferPeriod='PT5M'><DataSource name='Security!*'/>\
                   <DataSource name='Application!*'/></WindowsEventLog>";
        insta::assert_snapshot!(told(old, new), @r"
        ~ WindowsEventLog/@scheduledTransferPeriod PT1M -> PT5M
        + WindowsEventLog/DataSource[Application!*]
        - Directories
        - WindowsEventLog/DataSource[System!*]
        ");
        assert_eq!(told(old, old), "");
        assert_eq!(told(new, new), "");
    }

    #[test]
    fn the_same_in_another_order_is_no_difference_and_once_more_is_one() {
        let (a, b) = ("<DataSource name='A!*'/>", "<DataSource name='B!*'/>");
        let log = |items: &str| {
            format!("<WindowsEventLog scheduledTransferPeriod='PT1M'>{items}</WindowsEventLog>")
        };
        assert_eq!(told(&log(&format!("{a}{b}")), &log(&format!("{b}{a}"))), "");
        let twice = told(&log(a), &log(&format!("{a}{a}")));
        assert_eq!(twice, "+ WindowsEventLog/DataSource[A!*]#2\n");
    }
}
