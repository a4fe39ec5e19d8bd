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
use crate::event::{Event, Payload, Span};

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
/// Values of an event that are looked at; the others are part of the rest.
const PLACES_MAX: u8 = u128::BITS as u8;
/// Bytes of the longest name.
const NAME_MAX: usize = 25;

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

/// The place in [`NAMES`].
#[inline]
fn known(name: &str) -> Option<u8> {
    let mut at = hash(name.as_bytes());
    loop {
        let place = PLACES[usize::from(at)];
        if place == FREE {
            return None;
        }
        if NAMES[usize::from(place)].0 == name {
            return Some(place);
        }
        at = at.wrapping_add(1);
    }
}

/// Where the values of one event lie, by what they mean. A value is made when it is asked for:
/// most events have three times as many values as keys.
pub(super) struct Fields<'a> {
    text: &'a str,
    found: [Found; FIELDS],
    /// Of the first values in the event's order, those that say something and were not taken.
    left: Cell<u128>,
}

#[derive(Clone, Copy)]
struct Found {
    value: Span,
    /// In the event's order.
    place: u8,
    /// In [`NAMES`].
    name: u8,
}

impl Found {
    const NONE: Found = Found {
        value: Span::NONE,
        place: 0,
        name: 0,
    };
}

impl<'a> Fields<'a> {
    pub(super) fn of(event: Event<'a>) -> Fields<'a> {
        let mut fields = Fields {
            text: event.text(),
            found: [Found::NONE; FIELDS],
            left: Cell::new(0),
        };
        let (mut left, mut buffer) = (0, [0; NAME_MAX]);
        if event.payload() == Payload::EventData {
            for (place, entry) in (0..PLACES_MAX).zip(&event.index().data) {
                // Longer names than the buffer mean nothing.
                let name = entry.name.short_value(fields.text, &mut buffer);
                left |= fields.offer(place, name.unwrap_or_default(), entry.value);
            }
        } else {
            for (place, (path, value)) in (0..PLACES_MAX).zip(event.leaves()) {
                left |= fields.offer(place, path.name(), value);
            }
        }
        fields.left = Cell::new(left);
        fields
    }

    /// The bit of the place, if the value there says something.
    #[inline]
    fn offer(&mut self, place: u8, name: &str, value: Span) -> u128 {
        if !is_value(&value.value(self.text)) {
            return 0;
        }
        if let Some(name) = known(name) {
            let found = &mut self.found[NAMES[usize::from(name)].1 as usize];
            if !found.value.is_some() {
                *found = Found { value, place, name };
            }
        }
        1 << place
    }

    #[inline]
    fn found(&self, field: Field) -> Option<Found> {
        let found = self.found[field as usize];
        found.value.is_some().then_some(found)
    }

    /// Whether the event has the value.
    #[inline]
    pub(super) fn has(&self, field: Field) -> bool {
        self.found(field).is_some()
    }

    /// The value, for a look at it.
    #[inline]
    pub(super) fn peek(&self, field: Field) -> Option<Cow<'a, str>> {
        Some(self.found(field)?.value.value(self.text))
    }

    /// The value, for a key of its own: it no longer belongs to the rest.
    #[inline]
    pub(super) fn take(&self, field: Field) -> Option<Cow<'a, str>> {
        let found = self.found(field)?;
        self.left.set(self.left.get() & !(1 << found.place));
        Some(found.value.value(self.text))
    }

    /// The same with the name that it has in the event.
    #[inline]
    pub(super) fn take_labelled(&self, field: Field) -> Option<(&'static str, Cow<'a, str>)> {
        let label = NAMES[usize::from(self.found(field)?.name)].0;
        Some((label, self.take(field)?))
    }

    /// A number that lies in `range`, taken; what is none is left where it is.
    pub(super) fn take_number(&self, field: Field, range: RangeInclusive<u64>) -> Option<u64> {
        let number = unsigned(&self.peek(field)?).filter(|number| range.contains(number))?;
        self.take(field)?;
        Some(number)
    }

    /// Whether the value at this place of the event's order says something and was not taken.
    #[inline]
    pub(super) fn is_left(&self, place: usize, value: Span) -> bool {
        if place < usize::from(PLACES_MAX) {
            self.left.get() >> place & 1 == 1
        } else {
            is_value(&value.value(self.text))
        }
    }
}

/// Whether Windows means something by it.
#[inline]
pub(super) fn is_value(text: &str) -> bool {
    match text.as_bytes() {
        // What begins with neither space nor dash does.
        [first, ..] if *first > b' ' && *first != b'-' => true,
        _ => !matches!(text.trim_ascii(), "" | "-"),
    }
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
        for (place, (name, _)) in NAMES.iter().enumerate() {
            assert_eq!(known(name), Some(place as u8));
            assert!(!NAMES[..place].iter().any(|(other, _)| other == name));
        }
        assert_eq!(known_names().map(str::len).max(), Some(NAME_MAX));
        assert!(NAMES.len() < usize::from(FREE));
        for other in ["", "S", "subjectusername", "SubjectUserNames"] {
            assert_eq!(known(other), None);
        }
    }
}
