//! Which of an event's named values mean what, whatever provider wrote them.
//!
//! Providers name the same thing differently: the address that a connection came from is
//! `IpAddress` in a logon, `SourceAddress` at the firewall and `SourceIp` in Sysmon. Of values
//! that mean the same the first in the event's own order is taken; `-` and the empty text,
//! which Windows writes for "none", are no values.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::RangeInclusive;

use crate::event::number::unsigned;
use crate::event::{Event, Payload};

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    SubjectUser,
    SubjectDomain,
    SubjectSid,
    SubjectLogon,
    User,
    TargetUser,
    TargetDomain,
    TargetSid,
    TargetLogon,
    MemberName,
    MemberSid,
    SourceAddress,
    SourcePort,
    SourceHost,
    DestinationAddress,
    DestinationPort,
    DestinationHost,
    Protocol,
    Direction,
    Process,
    ProcessId,
    NewProcess,
    NewProcessId,
    ParentProcess,
    ParentProcessId,
    TargetProcess,
    TargetProcessId,
    File,
    FileHash,
    Access,
    Privileges,
    Service,
    Command,
    Detail,
    Package,
    LogonType,
    Status,
    SubStatus,
    QueryName,
    Action,
}

const FIELDS: usize = Field::Action as usize + 1;

const NAMES: [(&str, Field); 78] = [
    ("SubjectUserName", Field::SubjectUser),
    ("SourceUser", Field::SubjectUser),
    ("ParentUser", Field::SubjectUser),
    ("AccountName", Field::SubjectUser),
    ("SubjectDomainName", Field::SubjectDomain),
    ("AccountDomain", Field::SubjectDomain),
    ("SubjectUserSid", Field::SubjectSid),
    ("SubjectLogonId", Field::SubjectLogon),
    ("LogonId", Field::SubjectLogon),
    ("LogonID", Field::SubjectLogon),
    ("User", Field::User),
    ("TargetUserName", Field::TargetUser),
    ("TargetUser", Field::TargetUser),
    ("TargetDomainName", Field::TargetDomain),
    ("TargetUserSid", Field::TargetSid),
    ("TargetSid", Field::TargetSid),
    ("TargetLogonId", Field::TargetLogon),
    ("MemberName", Field::MemberName),
    ("MemberSid", Field::MemberSid),
    ("IpAddress", Field::SourceAddress),
    ("SourceAddress", Field::SourceAddress),
    ("SourceIp", Field::SourceAddress),
    ("ClientAddress", Field::SourceAddress),
    ("IpPort", Field::SourcePort),
    ("SourcePort", Field::SourcePort),
    ("ClientPort", Field::SourcePort),
    ("WorkstationName", Field::SourceHost),
    ("Workstation", Field::SourceHost),
    ("ClientName", Field::SourceHost),
    ("SourceHostname", Field::SourceHost),
    ("DestAddress", Field::DestinationAddress),
    ("DestinationIp", Field::DestinationAddress),
    ("DestPort", Field::DestinationPort),
    ("DestinationPort", Field::DestinationPort),
    ("TargetServerName", Field::DestinationHost),
    ("DestinationHostname", Field::DestinationHost),
    ("Protocol", Field::Protocol),
    ("Direction", Field::Direction),
    ("Initiated", Field::Direction),
    ("ProcessName", Field::Process),
    ("Image", Field::Process),
    ("SourceImage", Field::Process),
    ("Application", Field::Process),
    ("CallerProcessName", Field::Process),
    ("ProcessId", Field::ProcessId),
    ("ProcessID", Field::ProcessId),
    ("SourceProcessId", Field::ProcessId),
    ("CallerProcessId", Field::ProcessId),
    ("NewProcessName", Field::NewProcess),
    ("NewProcessId", Field::NewProcessId),
    ("ParentProcessName", Field::ParentProcess),
    ("ParentImage", Field::ParentProcess),
    ("ParentProcessId", Field::ParentProcessId),
    ("TargetImage", Field::TargetProcess),
    ("TargetProcessId", Field::TargetProcessId),
    ("ObjectName", Field::File),
    ("TargetFilename", Field::File),
    ("ImageLoaded", Field::File),
    ("TargetObject", Field::File),
    ("RelativeTargetName", Field::File),
    ("Hashes", Field::FileHash),
    ("AccessMask", Field::Access),
    ("PrivilegeList", Field::Privileges),
    ("ServiceName", Field::Service),
    ("CommandLine", Field::Command),
    ("ScriptBlockText", Field::Command),
    ("ServiceFileName", Field::Command),
    ("ImagePath", Field::Command),
    ("ParentCommandLine", Field::Detail),
    ("TaskName", Field::Detail),
    ("ShareName", Field::Detail),
    ("PipeName", Field::Detail),
    ("AuthenticationPackageName", Field::Package),
    ("LogonType", Field::LogonType),
    ("Status", Field::Status),
    ("SubStatus", Field::SubStatus),
    ("QueryName", Field::QueryName),
    ("Action Name", Field::Action),
];

/// Places in [`NAMES`] by hash, open addressing; [`FREE`] ends a search.
const PLACES: [u8; 256] = places();
const FREE: u8 = u8::MAX;

const fn places() -> [u8; 256] {
    let mut table = [FREE; 256];
    let mut place = 0;
    while place < NAMES.len() {
        let mut at = hash(NAMES[place].0.as_bytes());
        while table[at as usize] != FREE {
            at = at.wrapping_add(1);
        }
        table[at as usize] = place as u8;
        place += 1;
    }
    table
}

/// Length, first, last and middle byte tell the names apart well enough.
const fn hash(name: &[u8]) -> u8 {
    if name.is_empty() {
        return 0;
    }
    (name.len() as u8)
        .wrapping_mul(37)
        .wrapping_add(name[0].wrapping_mul(5))
        .wrapping_add(name[name.len() / 2].wrapping_mul(11))
        .wrapping_add(name[name.len() - 1].wrapping_mul(3))
}

/// What a value of this name means, and the name as a label.
fn meaning(name: &str) -> Option<(&'static str, Field)> {
    let mut at = hash(name.as_bytes());
    loop {
        let place = PLACES[usize::from(at)];
        if place == FREE {
            return None;
        }
        let known = NAMES[usize::from(place)];
        if known.0 == name {
            return Some(known);
        }
        at = at.wrapping_add(1);
    }
}

/// The values of one event by what they mean.
pub(super) struct Fields<'a> {
    found: [Option<Found<'a>>; FIELDS],
    /// Of the first values in the event's order, those that were taken.
    taken: Cell<u128>,
}

struct Found<'a> {
    label: &'static str,
    place: u32,
    value: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(event: Event<'a>) -> Fields<'a> {
        let mut fields = Fields {
            found: [const { None }; FIELDS],
            taken: Cell::new(0),
        };
        if event.payload() == Payload::EventData {
            for (place, item) in (0..u128::BITS).zip(event.data()) {
                if let Some(name) = &item.name {
                    fields.offer(place, name, item.value);
                }
            }
        } else {
            for (place, leaf) in (0..u128::BITS).zip(event.user_data()) {
                fields.offer(place, leaf.path.name(), leaf.value);
            }
        }
        fields
    }

    fn offer(&mut self, place: u32, name: &str, value: Cow<'a, str>) {
        let Some((label, field)) = meaning(name) else {
            return;
        };
        let found = &mut self.found[field as usize];
        if found.is_none() && is_value(&value) {
            *found = Some(Found {
                label,
                place,
                value,
            });
        }
    }

    /// The value, for a look at it.
    pub(super) fn peek(&self, field: Field) -> Option<&str> {
        Some(self.found[field as usize].as_ref()?.value.as_ref())
    }

    /// The value, for a key of its own: it no longer belongs to the rest.
    pub(super) fn take(&self, field: Field) -> Option<&str> {
        Some(self.take_labelled(field)?.1)
    }

    /// The same with the name that it has in the event.
    pub(super) fn take_labelled(&self, field: Field) -> Option<(&'static str, &str)> {
        let found = self.found[field as usize].as_ref()?;
        self.taken.set(self.taken.get() | 1 << found.place);
        Some((found.label, found.value.as_ref()))
    }

    /// A number that lies in `range`, taken; what is none is left where it is.
    pub(super) fn take_number(&self, field: Field, range: RangeInclusive<u64>) -> Option<u64> {
        let number = unsigned(self.peek(field)?).filter(|number| range.contains(number))?;
        self.take(field)?;
        Some(number)
    }

    /// Whether the value at this place of the event's data was taken.
    pub(super) fn has_taken(&self, place: usize) -> bool {
        place < u128::BITS as usize && self.taken.get() >> place & 1 == 1
    }
}

/// Whether Windows means something by it.
pub(super) fn is_value(text: &str) -> bool {
    !matches!(text.trim_ascii(), "" | "-")
}

/// All names that have a meaning.
#[cfg(test)]
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_stands_once() {
        for (place, (name, field)) in NAMES.iter().enumerate() {
            assert_eq!(meaning(name), Some((*name, *field)));
            assert!(!NAMES[..place].iter().any(|(other, _)| other == name));
        }
        assert!(NAMES.len() < usize::from(FREE));
        for other in ["", "S", "subjectusername", "SubjectUserNames"] {
            assert_eq!(meaning(other), None);
        }
    }
}
