//! At which listener a machine is known that has not come since the start.
//!
//! Several listeners write to one journal. Where a machine spoke last is kept with it; of one kept without
//! that, or at a listener that is gone, the first takes care that has its kind.

use std::collections::BTreeMap;

use windrow_formats::wef::audience::MachineName;

/// How the machines of a listener prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proofs {
    /// By certificates.
    Certificates,
    /// By Kerberos tickets.
    Tickets,
}

/// The listeners that write to a journal, and which of them a collector is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listeners {
    own: String,
    all: BTreeMap<String, Proofs>,
}

impl Listeners {
    /// The listener `own` among all of them.
    pub fn new(own: &str, all: impl IntoIterator<Item = (String, Proofs)>) -> Listeners {
        Listeners {
            own: own.to_owned(),
            all: all.into_iter().collect(),
        }
    }

    /// The collector's own name; none where it is the only one and has no name.
    pub(super) fn own(&self) -> Option<&str> {
        Some(self.own.as_str()).filter(|own| !own.is_empty())
    }

    /// Whether there are others to which a machine may go.
    pub(super) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Whether a machine is the collector's, that was kept with this listener.
    pub(super) fn is_own(&self, machine: &str, kept: Option<&str>) -> bool {
        let kept = kept.filter(|name| self.all.contains_key(*name));
        let proofs = match account(machine) {
            true => Proofs::Tickets,
            false => Proofs::Certificates,
        };
        let of_its_kind = self.all.iter().find(|(_, kind)| **kind == proofs);
        let first = of_its_kind.or_else(|| self.all.first_key_value());
        let home = kept.or(first.map(|(name, _)| name.as_str()));
        home.is_none_or(|home| home == self.own)
    }
}

/// Whether this is the name of an account with its realm.
fn account(machine: &str) -> bool {
    MachineName::of_listed(machine).is_ok_and(|name| name.principal().is_some())
}

/// A name that was kept in small letters, as the machine most likely proves it: accounts come in capitals.
pub(super) fn spelled(kept: &str) -> String {
    match account(kept) {
        true => kept.to_ascii_uppercase(),
        false => kept.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_has_one_home() {
        let all = [
            ("wef.a".to_owned(), Proofs::Certificates),
            ("wef.b".to_owned(), Proofs::Certificates),
            ("wef.domain".to_owned(), Proofs::Tickets),
        ];
        let homes = |machine: &str, kept: Option<&str>| {
            let names = all.iter().map(|(name, _)| name);
            let homes = names.filter(|own| {
                let listeners = Listeners::new(own, all.clone());
                listeners.is_own(machine, kept)
            });
            homes.cloned().collect::<Vec<_>>().join(" ")
        };
        let (machine, account) = ("ws1.corp.example", "ws1$@corp.example");
        assert_eq!(homes(machine, Some("wef.b")), "wef.b");
        assert_eq!(homes(machine, None), "wef.a");
        assert_eq!(homes(machine, Some("wef.removed")), "wef.a");
        assert_eq!(homes(account, None), "wef.domain");
        assert!(Listeners::default().is_own(machine, Some("wef.a")));
        let only = Listeners::new("wef.a", all[..1].to_vec());
        assert!(only.is_own(account, None), "nobody else would know it");
    }

    #[test]
    fn accounts_are_spelled_as_they_come() {
        assert_eq!(spelled("ws1$@corp.example"), "WS1$@CORP.EXAMPLE");
        assert_eq!(spelled("ws1.corp.example"), "ws1.corp.example");
    }
}
