//! What the fleet says it sent, and what arrived, by log and record id.

use std::collections::BTreeMap;
use std::path::Path;

/// One log of one machine: computer and channel.
pub(crate) type Log = (String, String);

/// How often each record came.
pub(crate) type Arrived = BTreeMap<Log, BTreeMap<u64, u32>>;

/// What the fleet wrote down: one line a log, ids as ranges with both ends in.
#[derive(Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<Log, Vec<(u64, u64)>>,
}

impl Ledger {
    /// Reads what `windrow simulate --ledger` wrote; nothing when it is not there yet.
    pub(crate) fn read(path: &Path) -> Ledger {
        let mut ledger = Ledger::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| line[key].as_str().unwrap().to_owned();
            let log = (word("computer"), word("channel"));
            let ranges = serde_json::from_value(line["acknowledged"].clone()).unwrap();
            ledger.acknowledged.insert(log, ranges);
        }
        ledger
    }

    /// How many records were acknowledged.
    pub(crate) fn count(&self) -> u64 {
        let ranges = self.acknowledged.values().flatten();
        ranges.map(|&(first, last)| last - first + 1).sum()
    }

    /// How many of each machine were.
    pub(crate) fn by_machine(&self) -> BTreeMap<&str, u64> {
        let mut machines = BTreeMap::new();
        for ((machine, _), ranges) in &self.acknowledged {
            let count: u64 = ranges.iter().map(|&(first, last)| last - first + 1).sum();
            *machines.entry(machine.as_str()).or_default() += count;
        }
        machines
    }

    /// The acknowledged records that did not arrive, as `computer channel id`.
    pub(crate) fn missing(&self, arrived: &Arrived) -> Vec<String> {
        let nothing = BTreeMap::new();
        let mut missing = Vec::new();
        for (log, ranges) in &self.acknowledged {
            let records = arrived.get(log).unwrap_or(&nothing);
            let ids = ranges.iter().flat_map(|&(first, last)| first..=last);
            let lacking = ids.filter(|id| !records.contains_key(id));
            missing.extend(lacking.map(|id| format!("{} {} {id}", log.0, log.1)));
        }
        missing
    }
}

/// Counts one more arrival of a record.
pub(crate) fn arrive(arrived: &mut Arrived, log: Log, id: u64) {
    *arrived.entry(log).or_default().entry(id).or_default() += 1;
}

/// How many records arrived, each counted once.
pub(crate) fn distinct(arrived: &Arrived) -> u64 {
    arrived.values().map(|records| records.len() as u64).sum()
}

/// The records that arrived more than once, as `computer channel id`.
pub(crate) fn repeated(arrived: &Arrived) -> Vec<String> {
    let mut repeated = Vec::new();
    for (log, records) in arrived {
        let twice = records.iter().filter(|(_, times)| **times > 1);
        repeated
            .extend(twice.map(|(id, times)| format!("{} {} {id}: {times} times", log.0, log.1)));
    }
    repeated
}
