//! Use of the privileged endpoint: ids, task names and levels as Azure Stack Hub documents them
//! (its "CEF mapping for privileged endpoint events" and "for recovery endpoint events").

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Head, OwnLevel, PROVIDER, to_xml};
use crate::event::Event;

/// What was done at the endpoint; the number is the event's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointAction {
    /// The privileged endpoint was entered.
    PrivilegedEndpointAccessed = 1000,
    /// A token for a support session was asked for.
    SupportSessionTokenRequested = 1001,
    /// A development token for a support session was asked for.
    SupportSessionDevelopmentTokenRequested = 1002,
    /// A support session was unlocked.
    SupportSessionUnlocked = 1003,
    /// A support session was to be unlocked, and was not.
    SupportSessionFailedToUnlock = 1004,
    /// The privileged endpoint was left.
    PrivilegedEndpointClosed = 1005,
    /// An administrator was added.
    NewCloudAdminUser = 1006,
    /// An administrator was removed.
    RemoveCloudAdminUser = 1007,
    /// The password of an administrator was set.
    SetCloudAdminUserPassword = 1008,
    /// A token to recover an administrator's password was fetched.
    GetCloudAdminPasswordRecoveryToken = 1009,
    /// The password of an administrator was reset with a token.
    ResetCloudAdminPassword = 1010,
    /// The recovery endpoint was entered.
    RecoveryEndpointAccessed = 1011,
    /// A token for a recovery session was asked for.
    RecoverySessionTokenRequested = 1012,
    /// A development token for a recovery session was asked for.
    RecoverySessionDevelopmentTokenRequested = 1013,
    /// A recovery session was unlocked.
    RecoverySessionUnlocked = 1014,
    /// A recovery session was to be unlocked, and was not.
    RecoverySessionFailedToUnlock = 1015,
    /// The recovery endpoint was left.
    RecoveryEndpointClosed = 1016,
    /// A session at the privileged endpoint ended by itself.
    PrivilegedEndpointSessionTimedOut = 1017,
}

/// What stands beside the two fields that the document names.
const FROM: &str = "From";
const SESSION: &str = "Session";
const ACCOUNT: &str = "Account";

struct Row {
    action: EndpointAction,
    task: &'static str,
    level: OwnLevel,
    message: &'static str,
}

/// In the order of the ids.
const ROWS: [Row; 18] = [
    Row {
        action: EndpointAction::PrivilegedEndpointAccessed,
        task: "PrivilegedEndpointAccessedEvent",
        level: OwnLevel::Warning,
        message: "the privileged endpoint was entered",
    },
    Row {
        action: EndpointAction::SupportSessionTokenRequested,
        task: "SupportSessionTokenRequestedEvent",
        level: OwnLevel::Warning,
        message: "a token for a support session was asked for",
    },
    Row {
        action: EndpointAction::SupportSessionDevelopmentTokenRequested,
        task: "SupportSessionDevelopmentTokenRequestedEvent",
        level: OwnLevel::Warning,
        message: "a development token for a support session was asked for",
    },
    Row {
        action: EndpointAction::SupportSessionUnlocked,
        task: "SupportSessionUnlockedEvent",
        level: OwnLevel::Critical,
        message: "a support session was unlocked: nothing is forbidden in it",
    },
    Row {
        action: EndpointAction::SupportSessionFailedToUnlock,
        task: "SupportSessionFailedToUnlockEvent",
        level: OwnLevel::Critical,
        message: "a support session was to be unlocked, and was not",
    },
    Row {
        action: EndpointAction::PrivilegedEndpointClosed,
        task: "PrivilegedEndpointClosedEvent",
        level: OwnLevel::Warning,
        message: "the privileged endpoint was left",
    },
    Row {
        action: EndpointAction::NewCloudAdminUser,
        task: "NewCloudAdminUserEvent",
        level: OwnLevel::Critical,
        message: "an administrator was added",
    },
    Row {
        action: EndpointAction::RemoveCloudAdminUser,
        task: "RemoveCloudAdminUserEvent",
        level: OwnLevel::Critical,
        message: "an administrator was removed",
    },
    Row {
        action: EndpointAction::SetCloudAdminUserPassword,
        task: "SetCloudAdminUserPasswordEvent",
        level: OwnLevel::Warning,
        message: "the password of an administrator was set",
    },
    Row {
        action: EndpointAction::GetCloudAdminPasswordRecoveryToken,
        task: "GetCloudAdminPasswordRecoveryTokenEvent",
        level: OwnLevel::Critical,
        message: "a token to recover an administrator's password was fetched",
    },
    Row {
        action: EndpointAction::ResetCloudAdminPassword,
        task: "ResetCloudAdminPasswordEvent",
        level: OwnLevel::Critical,
        message: "the password of an administrator was reset with a token",
    },
    Row {
        action: EndpointAction::RecoveryEndpointAccessed,
        task: "RecoveryEndpointAccessedEvent",
        level: OwnLevel::Warning,
        message: "the recovery endpoint was entered",
    },
    Row {
        action: EndpointAction::RecoverySessionTokenRequested,
        task: "RecoverySessionTokenRequestedEvent",
        level: OwnLevel::Warning,
        message: "a token for a recovery session was asked for",
    },
    Row {
        action: EndpointAction::RecoverySessionDevelopmentTokenRequested,
        task: "RecoverySessionDevelopmentTokenRequestedEvent",
        level: OwnLevel::Warning,
        message: "a development token for a recovery session was asked for",
    },
    Row {
        action: EndpointAction::RecoverySessionUnlocked,
        task: "RecoverySessionUnlockedEvent",
        level: OwnLevel::Critical,
        message: "a recovery session was unlocked: nothing is forbidden in it",
    },
    Row {
        action: EndpointAction::RecoverySessionFailedToUnlock,
        task: "RecoverySessionFailedToUnlockEvent",
        level: OwnLevel::Critical,
        message: "a recovery session was to be unlocked, and was not",
    },
    Row {
        action: EndpointAction::RecoveryEndpointClosed,
        task: "RecoveryEndpointClosedEvent",
        level: OwnLevel::Warning,
        message: "the recovery endpoint was left",
    },
    Row {
        action: EndpointAction::PrivilegedEndpointSessionTimedOut,
        task: "PrivilegedEndpointSessionTimedOutEvent",
        level: OwnLevel::Warning,
        message: "a session at the privileged endpoint ended by itself",
    },
];

impl EndpointAction {
    /// The action with this event id.
    #[must_use]
    pub fn of_id(id: u32) -> Option<EndpointAction> {
        Some(Self::row_of(id)?.action)
    }

    /// All actions, by id.
    pub fn all() -> impl Iterator<Item = EndpointAction> {
        ROWS.iter().map(|row| row.action)
    }

    /// The task's name: that of the action, and `Event`.
    #[must_use]
    pub fn task_name(self) -> &'static str {
        self.row().task
    }

    /// Critical for what lifts a protection, warning for the rest.
    #[must_use]
    pub fn level(self) -> OwnLevel {
        self.row().level
    }

    /// Whether the recovery endpoint is meant, not the privileged one.
    #[must_use]
    pub fn is_of_recovery(self) -> bool {
        (Self::RecoveryEndpointAccessed as u32..=Self::RecoveryEndpointClosed as u32)
            .contains(&(self as u32))
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize - ROWS[0].action as usize]
    }

    fn row_of(id: u32) -> Option<&'static Row> {
        let place = id.checked_sub(ROWS[0].action as u32)?;
        ROWS.get(usize::try_from(place).ok()?)
    }
}

/// One use of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointEvent<'a> {
    /// What was done.
    pub action: EndpointAction,
    /// When.
    pub time: Timestamp,
    /// The account that did it.
    pub who: Cow<'a, str>,
    /// For the privileged endpoint the address of the machine that offers it, for the recovery
    /// endpoint that of the device that connects.
    pub which_ip: Cow<'a, str>,
    /// The address that it was done from.
    pub from: Option<Cow<'a, str>>,
    /// The session that it was done in: the same from its opening to its end.
    pub session: Option<Cow<'a, str>>,
    /// The account that it was done to.
    pub account: Option<Cow<'a, str>>,
}

impl<'a> EndpointEvent<'a> {
    /// As one of our own events, of the machine `computer`.
    #[must_use]
    pub fn to_xml(&self, computer: &str) -> String {
        let head = Head {
            id: self.action as u32,
            level: self.action.level(),
            time: self.time,
            computer,
        };
        let known = [("Who", &*self.who), ("WhichIP", &self.which_ip)].into_iter();
        let more = [
            (FROM, &self.from),
            (SESSION, &self.session),
            (ACCOUNT, &self.account),
        ];
        let more = more
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let data: Vec<(&str, &str)> = known.chain(more).collect();
        to_xml(&head, self.action.row().message, &data)
    }

    /// Reads it back. `event` must be known to be our own: anybody can write such XML.
    #[must_use]
    pub fn read(event: Event<'a>) -> Option<EndpointEvent<'a>> {
        let action = EndpointAction::of_id(event.event_id()?)?;
        if event.provider_name()? != PROVIDER {
            return None;
        }
        Some(EndpointEvent {
            action,
            time: event.time_created()?,
            who: event.data_value("Who")?,
            which_ip: event.data_value("WhichIP")?,
            from: event.data_value(FROM),
            session: event.data_value(SESSION),
            account: event.data_value(ACCOUNT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Index, parse};

    #[test]
    fn every_row_stands_at_its_id() {
        for (place, action) in EndpointAction::all().enumerate() {
            assert_eq!(action as usize, 1000 + place);
            assert_eq!(action.task_name(), format!("{action:?}Event"));
            assert_eq!(EndpointAction::of_id(action as u32), Some(action));
        }
        assert_eq!(EndpointAction::of_id(999), None);
        assert_eq!(EndpointAction::of_id(1018), None);
    }

    #[test]
    fn a_use_is_read_back_as_it_was_written() {
        for (action, more) in EndpointAction::all().zip([None, Some("<&>|=")].into_iter().cycle()) {
            let more = more.map(Cow::from);
            let used = EndpointEvent {
                action,
                time: "2026-11-21T10:00:00.5Z".parse().unwrap(),
                who: "CORP\\admin<&>".into(),
                which_ip: "fe80::1".into(),
                from: more.clone(),
                session: more.clone(),
                account: more,
            };
            let xml = used.to_xml("wec");
            let mut index = Index::new();
            parse(&xml, &mut index).unwrap();
            assert_eq!(EndpointEvent::read(Event::new(&xml, &index)), Some(used));
        }
    }
}
