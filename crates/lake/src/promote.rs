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

/// The best value found so far for every promoted column of one event.
#[derive(Default)]
pub(crate) struct Promoted<'a> {
    found: [Option<(usize, Cow<'a, str>)>; PROMOTIONS.len()],
}

impl<'a> Promoted<'a> {
    /// Offers a named value of the event; of equal names the first one stays.
    pub(crate) fn offer(&mut self, name: &str, value: &Cow<'a, str>) {
        let Some((slot, rank)) = place(name) else {
            return;
        };
        if matches!(value.trim(), "" | "-") {
            return;
        }
        let found = &mut self.found[slot];
        if found.as_ref().is_none_or(|(best, _)| rank < *best) {
            *found = Some((rank, value.clone()));
        }
    }

    /// The value of the promotion at this place in [`PROMOTIONS`].
    pub(crate) fn text(&self, slot: usize) -> Option<&str> {
        self.found[slot].as_ref().map(|(_, value)| value.as_ref())
    }
}

/// Place in [`PROMOTIONS`] and among its names. A match, since this is asked for every value of every event.
fn place(name: &str) -> Option<(usize, usize)> {
    // The length and the first letter rule out nearly every name before text is compared.
    PROMOTIONS.iter().enumerate().find_map(|(slot, promotion)| {
        let rank = promotion
            .names
            .iter()
            .position(|candidate| *candidate == name)?;
        Some((slot, rank))
    })
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
