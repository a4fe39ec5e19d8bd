//! What the fleet made and what was acknowledged, by machine, channel and record id, so that a
//! test can ask whether all of it arrived.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ranges::RangeSet;

/// Longest line of a ledger that is read.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// One log of one machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogName {
    /// The machine, as its events call it.
    pub computer: String,
    /// The channel.
    pub channel: String,
}

impl LogName {
    /// The log `channel` of `computer`.
    pub fn new(computer: &str, channel: &str) -> LogName {
        LogName {
            computer: computer.to_owned(),
            channel: channel.to_owned(),
        }
    }
}

/// What became of the records of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Those that the machine wrote and had to send.
    pub generated: RangeSet,
    /// Those of a delivery that the collector acknowledged.
    pub acknowledged: RangeSet,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    log: LogName,
    #[serde(flatten)]
    account: Account,
}

/// The accounts of all logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By log.
    pub accounts: BTreeMap<LogName, Account>,
}

impl Ledger {
    /// How many records were made.
    pub fn generated(&self) -> u64 {
        self.accounts
            .values()
            .map(|account| account.generated.count())
            .sum()
    }

    /// How many were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.accounts
            .values()
            .map(|account| account.acknowledged.count())
            .sum()
    }

    /// What was acknowledged and is not in `arrived`, by log; logs that lack nothing are left out.
    pub fn missing(&self, arrived: &BTreeMap<LogName, RangeSet>) -> BTreeMap<LogName, RangeSet> {
        let nothing = RangeSet::default();
        let lacking = |(log, account): (&LogName, &Account)| {
            let rest = account
                .acknowledged
                .minus(arrived.get(log).unwrap_or(&nothing));
            (rest.count() > 0).then(|| (log.clone(), rest))
        };
        self.accounts.iter().filter_map(lacking).collect()
    }

    /// Writes one JSON object a log and line:
    /// `{"computer":…,"channel":…,"generated":[[1,9]],"acknowledged":[[1,5]]}`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (log, account) in &self.accounts {
            serde_json::to_writer(
                &mut *out,
                &Line {
                    log: log.clone(),
                    account: account.clone(),
                },
            )?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Writes the file at `path` as a whole: it is either the one before or this one.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        self.write(&mut io::BufWriter::new(&mut file))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads what [`Ledger::write`] wrote.
    pub fn read(input: &mut impl BufRead) -> io::Result<Ledger> {
        let mut ledger = Ledger::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = io::Read::take(&mut *input, LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut line)? == 0 {
                return Ok(ledger);
            }
            let Line { log, account } = serde_json::from_slice(&line)?;
            ledger.accounts.insert(log, account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let account = Account {
            generated: RangeSet::of(5, 9),
            acknowledged: RangeSet::of(5, 8),
        };
        Ledger {
            accounts: BTreeMap::from([(LogName::new("a.example", "Security"), account)]),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        ledger().write(&mut bytes).unwrap();
        insta::assert_snapshot!(String::from_utf8_lossy(&bytes), @r#"{"computer":"a.example","channel":"Security","generated":[[5,9]],"acknowledged":[[5,8]]}"#);
        assert_eq!(Ledger::read(&mut bytes.as_slice()).unwrap(), ledger());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.ndjson");
        ledger().save(&path).unwrap();
        ledger().save(&path).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }

    #[test]
    fn what_was_acknowledged_and_did_not_arrive_is_missing() {
        let log = LogName::new("a.example", "Security");
        let arrived = BTreeMap::from([(log.clone(), RangeSet::of(6, 20))]);
        assert_eq!(ledger().missing(&arrived)[&log].ranges(), [(5, 5)]);
        assert_eq!(ledger().missing(&BTreeMap::new())[&log].ranges(), [(5, 8)]);
        assert!(
            ledger()
                .missing(&BTreeMap::from([(log, RangeSet::of(1, 8))]))
                .is_empty()
        );
        assert_eq!((ledger().generated(), ledger().acknowledged()), (5, 4));
    }
}
