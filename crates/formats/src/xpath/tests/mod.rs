//! What queries mean, on events of our own.

mod corpus;
mod documentation;
mod errors;
mod evaluate;
mod filters;
mod possible;
mod property;

use jiff::Timestamp;

use super::*;
use crate::event::{Event, Index, parse};

/// A logon as the Security channel has it, with repeated, empty and escaped items.
const LOGON: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>\
    <System><Provider Name='Microsoft-Windows-Security-Auditing' \
    Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}'/><EventID>4624</EventID><Version>2</Version>\
    <Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords>\
    <TimeCreated SystemTime='2026-03-14T13:54:16.6138329Z'/><EventRecordID>81444</EventRecordID>\
    <Correlation ActivityID='{b073a4bf-7611-0000-bca5-73b01176da01}'/>\
    <Execution ProcessID='780' ThreadID='8372'/><Channel>Security</Channel>\
    <Computer>w1.example</Computer><Security/></System><EventData>\
    <Data Name='TargetUserSid'>S-1-5-18</Data><Data Name='TargetUserName'>j&amp;d</Data>\
    <Data Name='TargetLogonId'>0x3e7</Data><Data Name='LogonType'>3</Data>\
    <Data Name='Group'>A</Data><Data Name='Group'>B</Data><Data Name='Empty'/>\
    <Data Name='Share'>7.5</Data><Data Name='Seen'>2026-03-14T13:00:00Z</Data></EventData></Event>";

/// A log that was cleared: UserData, classic event numbers.
const CLEARED: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>\
    <System><Provider Name='Microsoft-Windows-Eventlog'/><EventID Qualifiers='16384'>104</EventID>\
    <Level>4</Level><Channel>System</Channel><Security UserID='S-1-5-21-1'/></System>\
    <UserData><l:LogFileCleared xmlns:l='http://manifests.microsoft.com/x' Kind='full'>\
    <l:SubjectUserName>admin</l:SubjectUserName><l:Part><l:Id>1</l:Id></l:Part>\
    <l:Part><l:Id>2</l:Id>mixed</l:Part><l:Nothing/></l:LogFileCleared></UserData>\
    <RenderingInfo Culture='en-US'><Message>The log was cleared.</Message><Level>Information</Level>\
    <Keywords><Keyword>Classic</Keyword><Keyword>Audit</Keyword></Keywords></RenderingInfo></Event>";

fn now() -> Timestamp {
    "2026-03-14T13:55:16.6138329Z".parse().unwrap()
}

fn with_event<T>(xml: &str, see: impl FnOnce(Event<'_>) -> T) -> T {
    let mut index = Index::new();
    let _ = parse(xml, &mut index);
    see(Event::new(xml, &index))
}

fn selects(query: &str, xml: &str) -> bool {
    let expression = Expression::compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    with_event(xml, |event| expression.matches(event, now()))
}
