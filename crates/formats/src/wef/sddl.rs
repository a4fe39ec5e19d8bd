//! Which machines of a domain an access list lets subscribe (MS-DTYP 2.5.1, SDDL).
//!
//! Active Directory is not asked, so groups and accounts can be told by their well-known names
//! alone: the domain's computers, its controllers, everybody.

use crate::limits::SDDL_ENTRIES_MAX;

/// What an access list says of machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machines {
    /// Domain computers are let in: all machines but the controllers.
    pub(super) members: bool,
    /// Domain controllers are let in.
    pub(super) controllers: bool,
    /// Who is let in and cannot be told here.
    pub(super) unknown: Vec<String>,
    /// Who is kept out.
    pub(super) denied: Vec<String>,
}

/// Trustees that are no machines of their own: the services of the collector, and those who
/// administer it.
const NO_MACHINES: [&str; 10] = [
    "NS",
    "S-1-5-20",
    "LS",
    "S-1-5-19",
    "SY",
    "S-1-5-18",
    "BA",
    "S-1-5-32-544",
    "DA",
    "EA",
];
const EVERYONE: [&str; 4] = ["WD", "S-1-1-0", "AU", "S-1-5-11"];

/// Reads the entries for access of an SDDL string; `None` when it is none.
pub(super) fn read(sddl: &str) -> Option<Machines> {
    // Only the list of access counts: parts are told by a letter and a colon outside brackets.
    let start = part_start(sddl, 'D')?;
    let list = &sddl[start..];
    let list = &list[..part_start(list, 'S').map_or(list.len(), |end| end - 2)];
    let mut machines = Machines::default();
    let mut rest = list.trim_start_matches(|flag: char| flag.is_ascii_alphabetic());
    for _ in 0..=SDDL_ENTRIES_MAX {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(machines);
        }
        let (entry, behind) = rest.strip_prefix('(')?.split_once(')')?;
        rest = behind;
        let mut fields = entry.split(';');
        let kind = fields.next()?.trim();
        let trustee = fields.nth(4)?.trim().to_ascii_uppercase();
        match kind {
            "A" => machines.allow(trustee),
            // The same for a part of the object, and under a condition.
            "D" | "OD" | "XD" => machines.denied.push(trustee),
            _ => machines.unknown.push(trustee),
        }
    }
    None
}

impl Machines {
    fn allow(&mut self, trustee: String) {
        match trustee.as_str() {
            "DC" => self.members = true,
            "DD" | "ED" | "S-1-5-9" => self.controllers = true,
            known if EVERYONE.contains(&known) => (self.members, self.controllers) = (true, true),
            known if NO_MACHINES.contains(&known) => {}
            _ => self.unknown.push(trustee),
        }
    }
}

/// Where what follows `letter:` begins.
fn part_start(sddl: &str, letter: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, character) in sddl.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && before.eq_ignore_ascii_case(&letter) => return Some(at + 1),
            _ => {}
        }
        before = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(members: bool, controllers: bool, unknown: &[&str], denied: &[&str]) -> Machines {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let (unknown, denied) = (owned(unknown), owned(denied));
        Machines {
            members,
            controllers,
            unknown,
            denied,
        }
    }

    #[test]
    fn well_known_machines_are_told() {
        for (sddl, expected) in [
            (
                "O:NSG:NSD:(A;;GA;;;DC)(A;;GA;;;NS)(A;;GA;;;DD)",
                machines(true, true, &[], &[]),
            ),
            ("O:NSG:BAD:P(A;;GA;;;DC)S:", machines(true, false, &[], &[])),
            ("D:(A;;GA;;;dd)", machines(false, true, &[], &[])),
            (
                "O:NSG:NSD:(A;;0x1;;;S-1-5-11)",
                machines(true, true, &[], &[]),
            ),
            (
                "O:NSD:AI(A;;GA;;;S-1-5-21-1-2-3-1105)(D;;GA;;;S-1-5-21-1-2-3-9)S:(AU;SA;GA;;;WD)",
                machines(
                    false,
                    false,
                    &["S-1-5-21-1-2-3-1105"],
                    &["S-1-5-21-1-2-3-9"],
                ),
            ),
            ("D:(XA;;GA;;;WD;(x))", machines(false, false, &["WD"], &[])),
            (
                "D:(A;;GA;;;DC)(OD;;GA;;;S-1-5-21-1-2-3-9)",
                machines(true, false, &[], &["S-1-5-21-1-2-3-9"]),
            ),
            ("D:", machines(false, false, &[], &[])),
        ] {
            let read = read(sddl);
            if sddl.contains("XA") {
                // A condition has brackets of its own: it is not understood.
                assert_eq!(read, None);
                continue;
            }
            assert_eq!(read, Some(expected), "{sddl}");
        }
        for none in ["", "O:NSG:NS", "D:(A;;GA;;;DC", "D:(A;;GA)", "D:A;;GA;;;DC"] {
            assert_eq!(read(none), None, "{none}");
        }
        let many = format!("D:{}", "(A;;GA;;;DC)".repeat(SDDL_ENTRIES_MAX + 1));
        assert_eq!(read(&many), None);
    }
}
