//! What is known of a machine beside its bookmarks, as the journal's state keeps it: so that a machine
//! that stays silent is seen to be silent after a restart too.

use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use windrow_formats::identity::canonical_source;

use crate::limits::MACHINE_NAME_KEPT_BYTES_MAX;

/// Keys of the state begin with this; then comes the machine's name.
pub(super) const CONTACT_PREFIX: &str = "wef/contact/";

const VERSION: u8 = 2;
/// The version that knew no listener.
const WITHOUT_LISTENER: u8 = 1;
/// For "never".
const NEVER: i64 = i64::MIN;

/// Whether a value is of a version that is not known yet.
pub(super) fn is_newer(value: &[u8]) -> bool {
    value.first().is_some_and(|version| *version > VERSION)
}

/// When a machine was heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its name as it first proved it.
    pub name: String,
    /// The listener that it spoke to last; none where that was not kept.
    pub listener: Option<String>,
    /// Where its last request came from.
    pub address: Option<IpAddr>,
    /// Its last request for subscriptions.
    pub enumerated: Option<Timestamp>,
    /// Its last sign of life without events.
    pub heartbeat: Option<Timestamp>,
    /// Its last delivery.
    pub events: Option<Timestamp>,
}

/// The state's key for a machine, whatever the case its name is written in.
pub(super) fn contact_key(name: &str) -> String {
    format!("{CONTACT_PREFIX}{}", canonical_source(name))
}

impl Contact {
    /// When it was last heard of.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.enumerated.max(self.heartbeat).max(self.events)
    }

    /// The value for the journal's state: version u8, three times in milliseconds i64 LE (`i64::MIN` for
    /// never), address as 16 bytes (all zero for none), length of the listener's name u8 (0 for none), that
    /// name, the machine's name. Version 1 has neither the length nor the listener.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(42 + self.name.len());
        value.push(VERSION);
        for at in [self.enumerated, self.heartbeat, self.events] {
            let at = at.map_or(NEVER, Timestamp::as_millisecond);
            value.extend_from_slice(&at.to_le_bytes());
        }
        let address = match self.address {
            None => Ipv6Addr::UNSPECIFIED,
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
            Some(IpAddr::V6(address)) => address,
        };
        value.extend_from_slice(&address.octets());
        // One that does not fit would be another listener's when it is cut.
        let listener = self.listener.as_deref().unwrap_or_default();
        let length = u8::try_from(listener.len()).unwrap_or(0);
        value.push(length);
        value.extend_from_slice(&listener.as_bytes()[..usize::from(length)]);
        let end = self.name.floor_char_boundary(MACHINE_NAME_KEPT_BYTES_MAX);
        value.extend_from_slice(&self.name.as_bytes()[..end]);
        value
    }

    /// Reads such a value; `None` when it is not one of these versions.
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Contact> {
        let (&version, mut value) = value.split_first()?;
        let mut times = [None; 3];
        for time in &mut times {
            let (at, rest) = value.split_first_chunk()?;
            *time = match i64::from_le_bytes(*at) {
                NEVER => None,
                at => Some(Timestamp::from_millisecond(at).ok()?),
            };
            value = rest;
        }
        let (address, rest) = value.split_first_chunk::<16>()?;
        let (listener, name) = match version {
            WITHOUT_LISTENER => (None, rest),
            VERSION => {
                let (&length, rest) = rest.split_first()?;
                let (listener, name) = rest.split_at_checked(usize::from(length))?;
                (Some(listener).filter(|listener| !listener.is_empty()), name)
            }
            _ => return None,
        };
        let listener = listener.map(str::from_utf8).transpose().ok()?;
        let address = Ipv6Addr::from(*address);
        let [enumerated, heartbeat, events] = times;
        Some(Contact {
            name: str::from_utf8(name).ok()?.to_owned(),
            listener: listener.map(str::to_owned),
            address: (!address.is_unspecified()).then(|| IpAddr::V6(address).to_canonical()),
            enumerated,
            heartbeat,
            events,
        })
    }

    /// Whether its name may be spelled otherwise than the machine proves it: as long as no listener was kept,
    /// a name could come from the key of a bookmark.
    pub(super) fn is_guessed(value: &[u8]) -> bool {
        value.first() == Some(&WITHOUT_LISTENER)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time() -> impl Strategy<Value = Option<Timestamp>> {
        let some =
            (0i64..4_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).unwrap());
        prop::option::of(some)
    }

    proptest! {
        #[test]
        fn contacts_come_back(
            name in ".{1,60}",
            listener in prop::option::of(".{1,60}"),
            address in prop::option::of(1u32..),
            times in [time(), time(), time()],
        ) {
            let contact = Contact {
                name,
                listener,
                address: address.map(|bits| IpAddr::V4(bits.into())),
                enumerated: times[0],
                heartbeat: times[1],
                events: times[2],
            };
            prop_assert_eq!(Contact::decode(&contact.encode()), Some(contact));
        }

        #[test]
        fn damaged_values_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut value = value;
            if let Some(first) = value.first_mut() {
                *first = VERSION;
            }
            let _ = Contact::decode(&value);
        }
    }

    #[test]
    fn what_the_first_version_has_kept_is_read() {
        // Asked on 22 November 2026 at 12:00:00.5 UTC from 192.0.2.7, and nothing else.
        let mut value = vec![1];
        value.extend_from_slice(&1_795_348_800_500_i64.to_le_bytes());
        value.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x80].repeat(2));
        value.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07");
        value.extend_from_slice(b"WS7.Corp.Example");
        let contact = Contact {
            name: "WS7.Corp.Example".to_owned(),
            listener: None,
            address: Some([192, 0, 2, 7].into()),
            enumerated: "2026-11-22T12:00:00.5Z".parse().ok(),
            heartbeat: None,
            events: None,
        };
        assert_eq!(Contact::decode(&value), Some(contact));
        assert!(!is_newer(&value));
        value[0] = 3;
        assert!(is_newer(&value) && Contact::decode(&value).is_none());
    }
}
