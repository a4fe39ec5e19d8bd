//! One configuration into another: what both say stays, what one of them says is kept, and where they say different
//! things of the same, that is a conflict with a name.
//!
//! Items of a list are the same by what they are about: a DataSource by its query, a counter by its path. Merging the
//! same again changes nothing.

use std::collections::{HashMap, VecDeque};

use super::finding::{Fault, Report, Severity, excerpt};
use super::model::Configuration;
use super::reader;
use super::value::Privacy;
use super::writer::{Item, Leaf, Outline, Secrets, Times, outline};

/// Who is right in a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The one that is merged.
    New,
    /// The one that it is merged into.
    Current,
}

/// What came of a merge.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Both in one.
    pub configuration: Configuration,
    /// In what it differs from the current one.
    pub changes: Vec<Change>,
    /// Where both say something and not the same.
    pub conflicts: Vec<Conflict>,
    /// What is wrong with both in one, though with none of them: too much of something.
    pub faults: Vec<Fault>,
}

/// A difference from the current configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is changed: `PublicConfig/WadCfg/…/DataSource[Security!*]`, an attribute with an `@`.
    pub at: String,
    /// What it was; nothing where it was not there.
    pub from: Option<String>,
    /// What it is; nothing for an element, and `(a key)` for a key.
    pub to: Option<String>,
}

/// Two values of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of what.
    pub at: String,
    /// What the current one says.
    pub current: String,
    /// What the new one says.
    pub new: String,
}

/// Merges `new` into `current`.
#[must_use]
pub fn merge(new: &Configuration, current: &Configuration, prefer: Prefer) -> Merged {
    let whole = |of| outline("DiagnosticsConfiguration", of, Times::Once, Secrets::Reveal);
    let mut merging = Merging {
        prefer,
        changes: Vec::new(),
        conflicts: Vec::new(),
    };
    let mut merged = whole(current);
    merging.nodes(whole(new), &mut merged, "");
    let mut report = Report::default();
    let configuration = reader::read(&merged.into_element(), &mut report);
    let faults = report.into_found().into_iter().map(|(fault, _)| fault);
    Merged {
        configuration,
        changes: merging.changes,
        conflicts: merging.conflicts,
        faults: faults
            .filter(|fault| fault.severity() == Severity::Error)
            .collect(),
    }
}

struct Merging {
    prefer: Prefer,
    changes: Vec<Change>,
    conflicts: Vec<Conflict>,
}

impl Merging {
    /// Merges what one element holds into what the other does.
    fn nodes(&mut self, new: Outline, current: &mut Outline, path: &str) {
        let mut lists: Vec<(&'static str, Vec<Outline>)> = Vec::new();
        for item in new.items {
            match item {
                Item::Leaf(leaf) => self.leaf(leaf, current, path),
                Item::Node(node) if node.times == Times::Once => self.single(node, current, path),
                Item::Node(node) => match lists.last_mut() {
                    Some((name, list)) if *name == node.name => list.push(node),
                    _ => lists.push((node.name, vec![node])),
                },
            }
        }
        for (name, list) in lists {
            self.list(name, list, current, path);
        }
    }

    fn leaf(&mut self, new: Leaf, current: &mut Outline, path: &str) {
        let at = format!("{path}@{}", new.name);
        if new.value.is_empty() {
            // An empty value says nothing.
            return;
        }
        let is_same = |item: &&mut Item| matches!(item, Item::Leaf(leaf) if leaf.name == new.name);
        let Some(Item::Leaf(leaf)) = current.items.iter_mut().find(is_same) else {
            if self.makes_room(new.name, current, path) {
                self.change(at, None, Some(shown(&new)));
                current.items.push(Item::Leaf(new));
            }
            return;
        };
        if leaf.value == new.value {
            return;
        }
        let to = shown(&new);
        if leaf.value.is_empty() {
            self.change(at, None, Some(to));
            *leaf = new;
            return;
        }
        let from = shown(leaf);
        self.conflict(at.clone(), from.clone(), to.clone());
        if self.prefer == Prefer::New {
            self.change(at, Some(from), Some(to));
            *leaf = new;
        }
    }

    fn single(&mut self, new: Outline, current: &mut Outline, path: &str) {
        let at = below(path, &new);
        let is_same = |item: &&mut Item| matches!(item, Item::Node(node) if node.name == new.name);
        if let Some(Item::Node(node)) = current.items.iter_mut().find(is_same) {
            self.nodes(new, node, &at);
        } else if self.makes_room(new.name, current, path) {
            self.added(&new, path);
            current.items.push(Item::Node(new));
        }
    }

    /// Whether an element can come in: where another stands of which there may be one alone, that is a conflict.
    fn makes_room(&mut self, name: &'static str, current: &mut Outline, path: &str) -> bool {
        let one_of = current.one_of;
        let is_rival = |item: &Item| one_of.contains(&item.name()) && item.name() != name;
        let Some(rival) = current.items.iter().find(|item| is_rival(item)) else {
            return true;
        };
        if !one_of.contains(&name) {
            return true;
        }
        let rival = rival.name().to_owned();
        let at = path.trim_end_matches('/').to_owned();
        self.conflict(at.clone(), rival.clone(), name.to_owned());
        if self.prefer == Prefer::Current {
            return false;
        }
        self.change(at, Some(rival), Some(name.to_owned()));
        current.items.retain(|item| !is_rival(item));
        true
    }

    /// Merges the items of a list: those of the current one keep their order, and a new one comes behind the item that
    /// it stands behind.
    fn list(&mut self, name: &'static str, new: Vec<Outline>, current: &mut Outline, path: &str) {
        let items = std::mem::take(&mut current.items);
        let is_of_list = |item: &Item| item.name() == name;
        let (listed, rest): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_of_list);
        let nodes = listed.into_iter().filter_map(|item| match item {
            Item::Node(node) => Some(node),
            Item::Leaf(_) => None,
        });
        let mut nodes: Vec<Outline> = nodes.collect();
        // Those that stand there twice are the same one by one.
        let mut places: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (place, node) in nodes.iter().enumerate() {
            places.entry(node.key.clone()).or_default().push_back(place);
        }
        // What comes in before each item, and at the end.
        let mut incoming: Vec<Vec<Outline>> = Vec::new();
        incoming.resize_with(nodes.len() + 1, Vec::new);
        let first = new.iter().find_map(|node| places.get(&node.key)?.front());
        let mut next = first.copied().unwrap_or(nodes.len());
        for node in new {
            match places.get_mut(&node.key).and_then(VecDeque::pop_front) {
                Some(place) => {
                    next = place + 1;
                    let at = below(path, &node);
                    self.nodes(node, &mut nodes[place], &at);
                }
                None => {
                    self.added(&node, path);
                    incoming[next].push(node);
                }
            }
        }
        let mut merged = Vec::new();
        let mut nodes = nodes.into_iter();
        for before in incoming {
            merged.extend(before.into_iter().chain(nodes.next()).map(Item::Node));
        }
        current.items = rest;
        current.items.extend(merged);
    }

    /// Records an element and all that is in it.
    fn added(&mut self, node: &Outline, path: &str) {
        let at = below(path, node);
        self.change(at.trim_end_matches('/').to_owned(), None, None);
        for item in &node.items {
            match item {
                // What tells it from others stands in its name.
                Item::Leaf(leaf)
                    if !node.key.is_empty() && leaf.value.eq_ignore_ascii_case(&node.key) => {}
                Item::Leaf(leaf) => {
                    self.change(format!("{at}@{}", leaf.name), None, Some(shown(leaf)))
                }
                Item::Node(inner) => self.added(inner, &at),
            }
        }
    }

    fn change(&mut self, at: String, from: Option<String>, to: Option<String>) {
        self.changes.push(Change { at, from, to });
    }

    fn conflict(&mut self, at: String, current: String, new: String) {
        self.conflicts.push(Conflict { at, current, new });
    }
}

/// `path/name[key]/`
pub(super) fn below(path: &str, node: &Outline) -> String {
    match node.key.as_str() {
        "" => format!("{path}{}/", node.name),
        key => format!("{path}{}[{}]/", node.name, excerpt(key)),
    }
}

pub(super) fn shown(leaf: &Leaf) -> String {
    match leaf.privacy {
        Privacy::Public => leaf.value.clone(),
        Privacy::Secret => "(a key)".to_owned(),
    }
}
