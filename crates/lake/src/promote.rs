//! Which named values of an event have a column of their own.
//!
//! The map `event_data` has them all, but reading a map costs fifteen times a plain column, and names
//! differ between providers: the account that a logon is for is `TargetUserName` in one event and
//! `TargetUser` in another. A column takes the first of its names that has a value; `-` and the empty
//! text, which Windows writes for "none", are no value. `docs/lake-schema.md` has the table for
//! readers; a test holds the two together.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// A column and the names it takes its value from, the best first.
pub(crate) struct Promotion {
    pub(crate) column: &'static str,
    pub(crate) names: &'static [&'static str],
}

const fn of(column: &'static str, names: &'static [&'static str]) -> Promotion {
    Promotion { column, names }
}

/// Every promoted column, in the order of the table.
pub(crate) const PROMOTIONS: [Promotion; 24] = [
    of("target_user", &["TargetUserName", "TargetUser"]),
    of("target_domain", &["TargetDomainName", "TargetDomain"]),
    of("target_sid", &["TargetUserSid", "TargetSid"]),
    of("target_logon_id", &["TargetLogonId"]),
    of("subject_user", &["SubjectUserName", "User"]),
    of("subject_domain", &["SubjectDomainName"]),
    of("subject_sid", &["SubjectUserSid"]),
    of("subject_logon_id", &["SubjectLogonId", "LogonId"]),
    of("member_name", &["MemberName"]),
    of("member_sid", &["MemberSid"]),
    of(
        "ip_address",
        &["IpAddress", "ClientAddress", "SourceAddress", "SourceIp"],
    ),
    of("ip_port", &["IpPort", "ClientPort", "SourcePort"]),
    of("dest_address", &["DestAddress", "DestinationIp"]),
    of("dest_port", &["DestPort", "DestinationPort"]),
    of(
        "workstation",
        &["WorkstationName", "Workstation", "ClientName"],
    ),
    of("logon_type", &["LogonType"]),
    of(
        "authentication_package",
        &["AuthenticationPackageName", "PackageName"],
    ),
    of(
        "process_name",
        &[
            "NewProcessName",
            "Image",
            "ProcessName",
            "CallerProcessName",
            "Application",
        ],
    ),
    of("parent_process", &["ParentProcessName", "ParentImage"]),
    of("command_line", &["CommandLine"]),
    of("service_name", &["ServiceName"]),
    of(
        "object_name",
        &[
            "ObjectName",
            "ShareName",
            "TaskName",
            "RuleName",
            "TargetFilename",
            "TargetObject",
        ],
    ),
    of("status", &["Status", "ErrorCode", "ReturnCode"]),
    of("sub_status", &["SubStatus"]),
];

/// The column that has the values of this name, whatever its case.
pub(crate) fn column_of(name: &str) -> Option<&'static str> {
    let has = |promotion: &&Promotion| {
        promotion
            .names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    PROMOTIONS
        .iter()
        .find(has)
        .map(|promotion| promotion.column)
}

/// The best value found so far for every promoted column of one event.
#[derive(Default)]
pub(crate) struct Promoted<'a> {
    found: [Option<(usize, Cow<'a, str>)>; PROMOTIONS.len()],
}

impl<'a> Promoted<'a> {
    /// Offers a named value of the event; of equal names the first one stays.
    pub(crate) fn offer(&mut self, name: &str, value: Cow<'a, str>) {
        let Some((slot, rank)) = place(name) else {
            return;
        };
        if matches!(value.trim(), "" | "-") {
            return;
        }
        let found = &mut self.found[slot];
        if found.as_ref().is_none_or(|(best, _)| rank < *best) {
            *found = Some((rank, value));
        }
    }

    /// The value of the promotion at this place in [`PROMOTIONS`].
    pub(crate) fn text(&self, slot: usize) -> Option<&str> {
        self.found[slot].as_ref().map(|(_, value)| value.as_ref())
    }
}

/// Place in [`PROMOTIONS`] and among its names.
fn place(name: &str) -> Option<(usize, usize)> {
    // Asked for every value of every event, so only names of the same length are compared.
    let from = *STARTS.get(name.len())?;
    let to = *STARTS.get(name.len() + 1)?;
    let named = NAMES[from..to]
        .iter()
        .find(|candidate| candidate.name == name)?;
    Some((named.slot, named.rank))
}

#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    slot: usize,
    rank: usize,
}

const COUNT: usize = {
    let (mut count, mut slot) = (0, 0);
    while slot < PROMOTIONS.len() {
        count += PROMOTIONS[slot].names.len();
        slot += 1;
    }
    count
};

/// Longest name, and room for one more start.
const LENGTHS: usize = 32;

/// All names, the shortest first.
const NAMES: [Named; COUNT] = by_length().0;

/// Where the names of each length begin in [`NAMES`].
const STARTS: [usize; LENGTHS] = by_length().1;

const fn by_length() -> ([Named; COUNT], [usize; LENGTHS]) {
    let none = Named {
        name: "",
        slot: 0,
        rank: 0,
    };
    let (mut names, mut starts) = ([none; COUNT], [COUNT; LENGTHS]);
    let (mut at, mut length) = (0, 0);
    while length < LENGTHS {
        starts[length] = at;
        let mut slot = 0;
        while slot < PROMOTIONS.len() {
            let candidates = PROMOTIONS[slot].names;
            let mut rank = 0;
            while rank < candidates.len() {
                if candidates[rank].len() == length {
                    names[at] = Named {
                        name: candidates[rank],
                        slot,
                        rank,
                    };
                    at += 1;
                }
                rank += 1;
            }
            slot += 1;
        }
        length += 1;
    }
    assert!(at == COUNT, "a name is longer than LENGTHS allows");
    (names, starts)
}

/// An IPv4 address that came as IPv6 (`::ffff:10.0.0.1`) as IPv4; everything else as it is.
pub(crate) fn plain_address(text: &str) -> Cow<'_, str> {
    match text
        .parse::<Ipv6Addr>()
        .map(|address| IpAddr::V6(address).to_canonical())
    {
        Ok(IpAddr::V4(address)) => Cow::Owned(address.to_string()),
        _ => Cow::Borrowed(text),
    }
}
