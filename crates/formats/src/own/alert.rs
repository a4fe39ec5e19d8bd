//! Alerts: something that needs somebody's attention, and the end of it.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Head, OwnEventId, OwnLevel, PROVIDER, to_xml};
use crate::event::Event;

/// How grave an alert is (Azure Stack syslog forwarding, "Alerts severity table").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertSeverity {
    /// Nobody has said.
    Undefined,
    /// Soon.
    Warning,
    /// Now.
    Critical,
}

impl AlertSeverity {
    const ALL: [AlertSeverity; 3] = [Self::Undefined, Self::Warning, Self::Critical];

    /// As it stands in the event's data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undefined => "Undefined",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }

    fn level(self) -> OwnLevel {
        match self {
            Self::Undefined => OwnLevel::LogAlways,
            Self::Warning => OwnLevel::Warning,
            Self::Critical => OwnLevel::Critical,
        }
    }
}

/// An alert as it was created or, when [`Alert::closed`] says when, closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert<'a> {
    /// What kind of fault: the same for all alerts about the same thing.
    pub fault_type_id: Cow<'a, str>,
    /// Which alert: the same when it is created and when it is closed.
    pub alert_id: Cow<'a, str>,
    /// A few words.
    pub title: Cow<'a, str>,
    /// How grave it was when it was created.
    pub severity: AlertSeverity,
    /// What is wrong.
    pub description: Cow<'a, str>,
    /// What helps.
    pub remediation: Cow<'a, str>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

impl<'a> Alert<'a> {
    /// The alert as one of our own events, of the machine `computer`.
    #[must_use]
    pub fn to_xml(&self, computer: &str) -> String {
        let (id, level, time, verb) = match self.closed {
            None => (
                OwnEventId::AlertCreated,
                self.severity.level(),
                self.created,
                "created",
            ),
            Some(closed) => (
                OwnEventId::AlertClosed,
                OwnLevel::Information,
                closed,
                "closed",
            ),
        };
        let head = Head {
            id: id as u32,
            level,
            time,
            computer,
        };
        let message = format!("alert {verb}: {}", self.title);
        let created = format!("{:.9}", self.created);
        let data = [
            ("FaultTypeId", &*self.fault_type_id),
            ("AlertId", &self.alert_id),
            ("Title", &self.title),
            ("Severity", self.severity.name()),
            ("Description", &self.description),
            ("Remediation", &self.remediation),
            ("Created", &created),
        ];
        to_xml(&head, &message, &data)
    }

    /// Reads the alert back. `event` must be known to be our own: anybody can write such XML.
    #[must_use]
    pub fn read(event: Event<'a>) -> Option<Alert<'a>> {
        const CREATED: u32 = OwnEventId::AlertCreated as u32;
        const CLOSED: u32 = OwnEventId::AlertClosed as u32;
        let closed = match event.event_id()? {
            CREATED => None,
            CLOSED => Some(event.time_created()?),
            _ => return None,
        };
        if event.provider_name()? != PROVIDER {
            return None;
        }
        let severity = event.data_value("Severity")?;
        Some(Alert {
            fault_type_id: event.data_value("FaultTypeId")?,
            alert_id: event.data_value("AlertId")?,
            title: event.data_value("Title")?,
            severity: AlertSeverity::ALL
                .into_iter()
                .find(|known| known.name() == severity)?,
            description: event.data_value("Description")?,
            remediation: event.data_value("Remediation")?,
            created: event.data_value("Created")?.parse().ok()?,
            closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Index, parse};

    #[test]
    fn an_alert_is_read_back_as_it_was_written() {
        for severity in AlertSeverity::ALL {
            for closed in [None, Some("2026-11-22T10:00:00Z".parse().unwrap())] {
                let alert = Alert {
                    fault_type_id: "Disk<Full>".into(),
                    alert_id: "{1}&2".into(),
                    title: "The journal's disk is full\r\n|=".into(),
                    severity,
                    description: "nothing fits".into(),
                    remediation: "".into(),
                    created: "2026-11-21T10:00:00.123456789Z".parse().unwrap(),
                    closed,
                };
                let xml = alert.to_xml("wec");
                let mut index = Index::new();
                parse(&xml, &mut index).unwrap();
                let event = Event::new(&xml, &index);
                assert_eq!(Alert::read(event), Some(alert.clone()));
                let expected = match (closed, severity) {
                    (Some(_), _) => 4,
                    (None, AlertSeverity::Undefined) => 0,
                    (None, AlertSeverity::Warning) => 3,
                    (None, AlertSeverity::Critical) => 1,
                };
                assert_eq!(event.level(), Some(expected));
            }
        }
    }

    #[test]
    fn what_is_no_alert_is_not_read_as_one() {
        let xml = "<Event><System><Provider Name='Other'/><EventID>100</EventID></System></Event>";
        let mut index = Index::new();
        parse(xml, &mut index).unwrap();
        assert_eq!(Alert::read(Event::new(xml, &index)), None);
    }
}
