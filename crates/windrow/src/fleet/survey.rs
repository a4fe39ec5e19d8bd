//! Everything that is known of all machines, brought together: each machine once, whichever collector it
//! speaks to, those that are expected beside those that were heard of, and with each the connections that
//! were refused and seem to be its.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use windrow_formats::identity::canonical_source;
use windrow_formats::wef::audience::MachineName;
use windrow_pipeline::sources::wef::{RefusedConnection, SourceStatus, Terms};

use super::expected::Expected;
use super::judge::{Judgement, Subject, World, judge};

/// A collector, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// Its name, as `wef.main`.
    pub name: String,
    /// What it tells its machines.
    pub terms: Terms,
    /// What it knows of them.
    pub sources: Vec<Arc<SourceStatus>>,
    /// The connections that it refused.
    pub refused: Vec<RefusedConnection>,
}

/// A collector that tells nobody anything, where none is configured.
static NOBODY: Listener = Listener {
    name: String::new(),
    terms: Terms {
        authority: String::new(),
        issuer_thumbprints: Vec::new(),
        asked: Vec::new(),
        journal: PathBuf::new(),
    },
    sources: Vec::new(),
    refused: Vec::new(),
};

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What holds for all.
    pub world: World,
    /// Who is expected.
    pub expected: Expected,
    /// The collectors.
    pub listeners: Vec<Listener>,
}

/// A machine, and what is made of it.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) name: &'a str,
    pub(super) machine: Option<MachineName>,
    pub(super) is_expected: bool,
    pub(super) listener: &'a Listener,
    pub(super) status: Option<&'a SourceStatus>,
    pub(super) refused: Vec<&'a RefusedConnection>,
    pub(super) judgement: Judgement,
}

/// A machine before it is judged.
struct Entry<'a> {
    name: &'a str,
    machine: Option<MachineName>,
    is_expected: bool,
    listener: &'a Listener,
    status: Option<&'a SourceStatus>,
    refused: Vec<&'a RefusedConnection>,
}

/// All machines and all that was refused and is nobody's.
#[derive(Debug)]
pub(super) struct All<'a> {
    pub(super) machines: Vec<Judged<'a>>,
    pub(super) strangers: Vec<(&'a Listener, &'a RefusedConnection)>,
}

impl Survey {
    /// Judges every machine.
    pub(super) fn all(&self) -> All<'_> {
        let mut entries = self.heard_of();
        let places = Places::of(&entries, &self.expected);
        // Whose terms hold for who was never heard of.
        let first = self.listeners.first().unwrap_or(&NOBODY);
        let unheard = (self.expected.iter()).filter(|name| !places.by_expected.contains_key(*name));
        let from = entries.len();
        entries.extend(unheard.map(|name| Entry {
            name,
            machine: MachineName::of_listed(name).ok(),
            is_expected: true,
            listener: first,
            status: None,
            refused: Vec::new(),
        }));
        let unheard: HashMap<&str, usize> = (entries.iter().enumerate().skip(from))
            .map(|(place, entry)| (entry.name, place))
            .collect();
        let mut strangers = Vec::new();
        for listener in &self.listeners {
            for refused in &listener.refused {
                match places.of_refused(refused, &self.expected, &unheard) {
                    Some(place) => {
                        let entry = &mut entries[place];
                        if entry.status.is_none() {
                            entry.listener = listener;
                        }
                        entry.refused.push(refused);
                    }
                    None => strangers.push((listener, refused)),
                }
            }
        }
        let machines = entries.into_iter().map(|entry| entry.judged(self.world));
        All {
            machines: machines.collect(),
            strangers,
        }
    }

    /// Each machine that was heard of, with the collector that it spoke to last.
    fn heard_of(&self) -> Vec<Entry<'_>> {
        let mut known: BTreeMap<String, Entry<'_>> = BTreeMap::new();
        for listener in &self.listeners {
            for status in &listener.sources {
                let name = canonical_source(&status.source).into_owned();
                let speaks = |status: &SourceStatus| (status.offered.is_some(), status.last_seen());
                let before = known.get(&name).and_then(|entry| entry.status);
                if before.is_some_and(|before| speaks(before) >= speaks(status)) {
                    continue;
                }
                let machine = MachineName::of_listed(&status.source).ok();
                let is_expected =
                    (machine.as_ref()).is_some_and(|one| self.expected.named(one).is_some());
                let entry = Entry {
                    name: &status.source,
                    machine,
                    is_expected,
                    listener,
                    status: Some(status),
                    refused: Vec::new(),
                };
                known.insert(name, entry);
            }
        }
        known.into_values().collect()
    }
}

impl<'a> Entry<'a> {
    fn judged(self, world: World) -> Judged<'a> {
        let subject = Subject {
            machine: self.machine.as_ref(),
            status: self.status,
            terms: &self.listener.terms,
            refused: &self.refused,
        };
        let judgement = judge(subject, world);
        Judged {
            name: self.name,
            is_expected: self.is_expected,
            listener: self.listener,
            status: self.status,
            refused: self.refused,
            judgement,
            machine: self.machine,
        }
    }
}

/// Where to find a machine that was heard of.
struct Places {
    by_name: HashMap<String, usize>,
    /// By the name that it is expected by.
    by_expected: HashMap<String, usize>,
    /// By its address, where it is the only one there.
    by_address: HashMap<IpAddr, Option<usize>>,
}

impl Places {
    fn of(entries: &[Entry<'_>], expected: &Expected) -> Places {
        let mut places = Places {
            by_name: HashMap::new(),
            by_expected: HashMap::new(),
            by_address: HashMap::new(),
        };
        for (place, entry) in entries.iter().enumerate() {
            if let Some(machine) = &entry.machine {
                places
                    .by_name
                    .insert(machine.as_str().to_lowercase(), place);
                if let Some(name) = expected.named(machine) {
                    places.by_expected.insert(name.to_owned(), place);
                }
            }
            if let Some(address) = entry.status.and_then(|status| status.address) {
                let only = places.by_address.entry(address).or_insert(Some(place));
                if *only != Some(place) {
                    *only = None;
                }
            }
        }
        places
    }

    /// The machine whose connection was refused, by the name it claims; where it claims none, by its
    /// address.
    fn of_refused(
        &self,
        refused: &RefusedConnection,
        expected: &Expected,
        unheard: &HashMap<&str, usize>,
    ) -> Option<usize> {
        let claimed = refused
            .claim
            .as_ref()
            .and_then(|claim| claim.name.as_deref());
        let Some(claimed) = claimed else {
            return self.by_address.get(&refused.address).copied().flatten();
        };
        let machine = MachineName::of_listed(claimed).ok()?;
        let name = machine.as_str().to_lowercase();
        let by_name = self.by_name.get(&name).copied();
        let expected = || expected.named(&machine);
        by_name
            .or_else(|| self.by_expected.get(expected()?).copied())
            .or_else(|| unheard.get(expected()?).copied())
    }
}
