//! windrow's own records as Windows events.
//!
//! A loss, a sealed root, a start or a stop is an event like any other: it goes through the
//! journal and leaves through every sink. Its batch is marked `Kind::Own`, so that detection
//! never feeds on it. The ids are a promise to whoever writes rules on them:
//! docs/own-events.md lists them.

mod alert;
mod endpoint;

pub use alert::{Alert, AlertSeverity};
pub use endpoint::{EndpointAction, EndpointEvent};

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::names;
use crate::wsman::escape;

/// The provider of our own events, in `System/Provider/@Name`.
pub const PROVIDER: &str = "Windrow";
/// The channel of our own events.
pub const CHANNEL: &str = "Windrow/Operational";

/// What our own events say, by event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEventId {
    /// The service has started.
    ServiceStarted = 1,
    /// The service stops in good order.
    ServiceStopped = 2,
    /// A new configuration is in force.
    ConfigurationReloaded = 3,
    /// A new configuration was refused and the old one stays.
    ConfigurationRefused = 4,
    /// The journal was moved, or put back from a copy; carries how far that one reaches.
    JournalPutBack = 5,
    /// The lake was put back from a copy and lacks events that the journal may not have any more.
    LakePutBack = 6,
    /// The files of a listener have changed and are in force.
    FilesTakenUp = 7,
    /// The files of a listener have changed and cannot be used; the old ones stay.
    FilesRefused = 8,
    /// A journal segment was sealed; carries its signed root.
    SegmentSealed = 10,
    /// Part of the journal could not be read and was kept aside.
    JournalDamaged = 11,
    /// Events were dropped by the quota, as the administrator chose.
    EventsDropped = 12,
    /// The journal is near or at its quota.
    JournalPressure = 13,
    /// A sink is no longer configured; carries how much it did not get.
    SinkRemoved = 14,
    /// Retention took rows or texts out of a table of the lake.
    LakeExpired = 15,
    /// A damaged file was taken out of a table of the lake: who, and what was lost with it.
    LakeFileTakenOut = 16,
    /// Another collector writes into the lake under this journal's name: nothing more goes there from here.
    LakeOfAnother = 17,
    /// What is older than a sink keeps was taken out of Azure's storage.
    StorageCleared = 18,
    /// A machine sent "no bookmark" although one was stored for it.
    BookmarkIgnored = 20,
    /// A setting was changed by command: who, from where, what.
    SettingChanged = 30,
    /// A change of a setting by command was refused; the old one stays.
    SettingRefused = 31,
    /// The marked message of a test of a syslog destination. It goes there alone and not through
    /// the journal.
    SyslogTest = 32,
    /// A syslog destination was tested: who, from where, how it went.
    DestinationTested = 33,
    /// Something needs somebody's attention: [`Alert`].
    AlertCreated = 100,
    /// It no longer does: [`Alert`].
    AlertClosed = 101,
}

/// Windows' levels, as far as our own events use them (winmeta.xml).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLevel {
    /// Level 0: of no stated level.
    LogAlways = 0,
    /// Level 1.
    Critical = 1,
    /// Level 2.
    Error = 2,
    /// Level 3.
    Warning = 3,
    /// Level 4.
    Information = 4,
}

/// One of our own events, ready to be written as Event XML.
#[derive(Debug)]
pub struct OwnEvent<'a> {
    /// What happened.
    pub id: OwnEventId,
    /// How grave it is.
    pub level: OwnLevel,
    /// When it happened.
    pub time: Timestamp,
    /// The machine windrow runs on.
    pub computer: &'a str,
    /// One sentence for a reader.
    pub message: &'a str,
    /// The facts, as named data.
    pub data: &'a [(&'a str, &'a str)],
}

impl OwnEvent<'_> {
    /// The event as a `RenderedText` delivery would carry it.
    pub fn to_xml(&self) -> String {
        let head = Head {
            id: self.id as u32,
            level: self.level,
            time: self.time,
            computer: self.computer,
        };
        to_xml(&head, self.message, self.data)
    }
}

/// What stands in the System element of our own events and differs between them.
struct Head<'a> {
    id: u32,
    level: OwnLevel,
    time: Timestamp,
    computer: &'a str,
}

fn to_xml(head: &Head<'_>, message: &str, data: &[(&str, &str)]) -> String {
    let mut xml = String::with_capacity(640);
    xml.push_str("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>");
    // Writing to a String cannot fail.
    let _ = write!(
        xml,
        "<Provider Name='{PROVIDER}'/><EventID>{}</EventID><Version>0</Version><Level>{}</Level>\
         <Task>0</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>\
         <TimeCreated SystemTime='{:.9}'/><Channel>{CHANNEL}</Channel><Computer>",
        head.id, head.level as u32, head.time,
    );
    escape(head.computer, &mut xml);
    xml.push_str("</Computer><Security/></System><EventData>");
    for (name, value) in data {
        xml.push_str("<Data Name='");
        escape(name, &mut xml);
        xml.push_str("'>");
        escape(value, &mut xml);
        xml.push_str("</Data>");
    }
    xml.push_str("</EventData><RenderingInfo Culture='en-US'><Message>");
    escape(message, &mut xml);
    let level = names::level_name(head.level as u32).unwrap_or_default();
    let _ = write!(
        xml,
        "</Message><Level>{level}</Level><Provider>{PROVIDER}</Provider></RenderingInfo></Event>",
    );
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_event_is_event_xml_with_everything_escaped() {
        let event = OwnEvent {
            id: OwnEventId::EventsDropped,
            level: OwnLevel::Error,
            time: "2026-11-21T10:00:00.5Z".parse().unwrap(),
            computer: "wec<1>",
            message: "3 events dropped & recorded\r\n",
            data: &[("FirstSeq", "1"), ("Reason", "quota\u{1}'\"")],
        };
        insta::assert_snapshot!(event.to_xml(), @r#"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Windrow'/><EventID>12</EventID><Version>0</Version><Level>2</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime='2026-11-21T10:00:00.500000000Z'/><Channel>Windrow/Operational</Channel><Computer>wec&lt;1&gt;</Computer><Security/></System><EventData><Data Name='FirstSeq'>1</Data><Data Name='Reason'>quota�&apos;&quot;</Data></EventData><RenderingInfo Culture='en-US'><Message>3 events dropped &amp; recorded&#xD;
</Message><Level>Error</Level><Provider>Windrow</Provider></RenderingInfo></Event>"#);
    }
}
