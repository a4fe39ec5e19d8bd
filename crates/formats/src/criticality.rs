//! What an administrator should see even when only the grave is forwarded.
//!
//! Windows' audit events all carry level 0, whether a log was cleared or a file was read, so a
//! level alone says nothing of them. The table here is our judgement, and small on purpose:
//! events that are rare on a sound system, or that take away what security rests on.

use crate::batch::Kind;
use crate::event::Event;

/// Keyword of audit events whose operation was refused or failed (winmeta.xml).
const AUDIT_FAILURE: u64 = 1 << 52;
/// Keyword of audit events whose operation succeeded.
const AUDIT_SUCCESS: u64 = 1 << 53;

/// How an audited operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Success,
    /// It was refused or failed.
    Failure,
}

/// The outcome that an audit event's keywords tell.
#[must_use]
pub fn outcome(event: Event<'_>) -> Option<Outcome> {
    let keywords = event.keywords()?;
    if keywords & AUDIT_FAILURE != 0 {
        Some(Outcome::Failure)
    } else if keywords & AUDIT_SUCCESS != 0 {
        Some(Outcome::Success)
    } else {
        None
    }
}

/// Which events are forwarded (`-OutputSeverity` of Azure Stack Hub's `Set-SyslogClient`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputSeverity {
    /// Warning, error and critical; audit failures; what [`is_critical`] names; everything of
    /// our own.
    Default,
    /// All.
    #[default]
    Verbose,
}

impl OutputSeverity {
    /// Whether an event of a batch of this kind is forwarded.
    ///
    /// Only what says of itself that it is mere information is left out: an event without a
    /// level, or with one that no table knows, may be anything.
    #[must_use]
    pub fn keeps(self, event: Event<'_>, kind: Kind) -> bool {
        self == OutputSeverity::Verbose
            || kind == Kind::Own
            || !matches!(event.level(), Some(0 | 4 | 5))
            || outcome(event) == Some(Outcome::Failure)
            || is_critical(event)
    }
}

/// Whether the event is of high criticality whatever its level.
#[must_use]
pub fn is_critical(event: Event<'_>) -> bool {
    let Some(id) = event.event_id() else {
        return false;
    };
    // The id first: nearly all events end here, and it costs less than the name.
    IDS.contains(id)
        && TABLE.iter().any(|(provider, ids)| {
            ids.contains(&id) && event.provider_name().as_deref() == Some(provider)
        })
}

/// Every id of [`TABLE`], whatever its provider, as a bit.
struct IdSet([u64; IdSet::WORDS]);

impl IdSet {
    /// Enough for ids below 8,192. A greater one in the table would not compile.
    const WORDS: usize = 128;

    const fn of(table: &[(&str, Ids)]) -> IdSet {
        let mut words = [0; IdSet::WORDS];
        let mut row = 0;
        while row < table.len() {
            let ids = table[row].1;
            let mut place = 0;
            while place < ids.len() {
                words[ids[place] as usize / 64] |= 1 << (ids[place] % 64);
                place += 1;
            }
            row += 1;
        }
        IdSet(words)
    }

    #[inline]
    fn contains(&self, id: u32) -> bool {
        let word = self.0.get(id as usize / 64);
        word.is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}

static IDS: IdSet = IdSet::of(&TABLE);

type Ids = &'static [u32];

const TABLE: [(&str, Ids); 8] = [
    (
        "Microsoft-Windows-Security-Auditing",
        &[
            // What is audited was changed, or auditing failed: the next steps may be unseen.
            4618, 4621, 4715, 4719, 4906, 4908, 4912, //
            // An account appears, loses its protection or is locked by wrong passwords.
            4720, 4724, 4740, 4765, 4766, 4780, 4782, 4794, //
            // Somebody joins a group of administrators, or gets a right.
            4704, 4717, 4728, 4732, 4756, 4964, //
            // Whom the domain trusts, and on what terms.
            4706, 4713, 4714, 4716, 4739, 4865, 4866, 4867, //
            // Code that will run by itself from now on.
            4697, 4698, //
            // The firewall is opened or goes.
            4946, 4947, 4948, 4950, 5025, 5028, 5029, 5030, 5035, 5037, //
            // Secrets leave, tickets are replayed, signatures do not fit.
            4649, 4692, 4693, 4816, 5038, 5376, 5377, 6281, //
            // The certificate authority's rules, and what it has issued.
            4870, 4882, 4885, 4890, 4896,
        ],
    ),
    // Logs were cleared, are full, or are no longer written.
    ("Microsoft-Windows-Eventlog", &[104, 1100, 1102, 1104, 1108]),
    // Code that will run by itself from now on.
    ("Service Control Manager", &[7045]),
    ("Microsoft-Windows-WMI-Activity", &[5861]),
    // Threads in other programs, tampering, code by WMI; Sysmon itself stopped or reconfigured.
    (
        "Microsoft-Windows-Sysmon",
        &[4, 8, 16, 19, 20, 21, 25, 27, 28],
    ),
    // Malware found and dealt with, Defender blinded.
    (
        "Microsoft-Windows-Windows Defender",
        &[
            1006, 1007, 1013, 1015, 1116, 1117, 1118, 1119, 1121, 5001, 5007, 5010, 5012, 5013,
        ],
    ),
    // The firewall is opened.
    (
        "Microsoft-Windows-Windows Firewall With Advanced Security",
        &[2003, 2004, 2005, 2006, 2033, 2097, 2099],
    ),
    ("Microsoft-Windows-AppLocker", &[8004, 8007]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Index, parse};

    fn keeps(provider: &str, id: u32, level: &str, keywords: &str, kind: Kind) -> bool {
        let xml = format!(
            "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID>\
             <Level>{level}</Level><Keywords>{keywords}</Keywords></System></Event>"
        );
        let mut index = Index::new();
        parse(&xml, &mut index).unwrap();
        let event = Event::new(&xml, &index);
        assert!(OutputSeverity::Verbose.keeps(event, kind));
        OutputSeverity::Default.keeps(event, kind)
    }

    const AUDIT: &str = "Microsoft-Windows-Security-Auditing";
    const SUCCESS: &str = "0x8020000000000000";
    const FAILURE: &str = "0x8010000000000000";

    #[test]
    fn levels_from_warning_up_and_unknown_ones_stay() {
        let kept = ["0", "1", "2", "3", "4", "5", "16", "", "x"]
            .map(|level| keeps("p", 1, level, "0x0", Kind::Wef));
        assert_eq!(
            kept,
            [false, true, true, true, false, false, true, true, true]
        );
    }

    #[test]
    fn audits_stay_by_outcome_and_criticality() {
        for (id, keywords, kept) in [
            (4624, SUCCESS, false),
            (4625, FAILURE, true),
            (4719, SUCCESS, true),
            (4720, SUCCESS, true),
            (4732, SUCCESS, true),
            (4688, SUCCESS, false),
            (4688, "", false),
        ] {
            assert_eq!(keeps(AUDIT, id, "0", keywords, Kind::Wef), kept, "{id}");
        }
        assert!(keeps(
            "Microsoft-Windows-Eventlog",
            1102,
            "4",
            "",
            Kind::Evtx
        ));
        assert!(keeps("Microsoft-Windows-Eventlog", 104, "4", "", Kind::Wef));
        assert!(keeps("Service Control Manager", 7045, "4", "", Kind::Wef));
        assert!(!keeps("Another", 1102, "4", SUCCESS, Kind::Wef));
    }

    #[test]
    fn the_set_of_ids_is_the_table() {
        for id in (0..20_000).chain([u32::MAX]) {
            let in_table = TABLE.iter().any(|(_, ids)| ids.contains(&id));
            assert_eq!(IDS.contains(id), in_table, "{id}");
        }
    }

    #[test]
    fn our_own_stays_whatever_it_says() {
        assert!(keeps("Windrow", 1, "4", "", Kind::Own));
        assert!(!keeps("Windrow", 100, "4", "", Kind::Wef));
    }
}
