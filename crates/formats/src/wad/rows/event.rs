//! A row as the event that it is of.

use std::borrow::Cow;

use jiff::Timestamp;

use super::range::minute_of;
use crate::azure::{EPOCH_TICKS, Entity, Value};
use crate::text::hex;
use crate::wsman::escape;

/// Columns that have no place of their own in an event: the keys say them already.
const LEFT_OUT: [&str; 6] = [
    "RawXml",
    "DeploymentId",
    "Role",
    "EventTickCount",
    "PreciseTimeStamp",
    "TIMESTAMP",
];

/// The event that a row of a table is of, as XML.
///
/// A row with `RawXml` is that. Of another one, of `WADLogsTable`, of traces, or of windrow's own in
/// `WADDiagnosticInfrastructureLogsTable`, the columns that an event has a place for are there, and all others are its data, by their
/// names. Its channel is the one it names, else the table; its computer the role's instance, without the underscore that the
/// agent put before names of machines.
#[must_use]
pub fn event_xml<'a>(table: &str, row: &'a Entity<'_>) -> Cow<'a, str> {
    if let Some(Value::Text(xml)) = find(row, "RawXml") {
        let xml = xml.trim();
        if xml.starts_with("<Event") {
            return Cow::Borrowed(xml);
        }
    }
    Cow::Owned(made(table, row))
}

/// When what a row tells of happened.
#[must_use]
pub fn row_time(row: &Entity<'_>) -> Option<Timestamp> {
    if let Some(&Value::Time(at)) = find(row, "PreciseTimeStamp") {
        return Some(at);
    }
    if let Some(&Value::Long(ticks)) = find(row, "EventTickCount")
        && let Some(since) = ticks.checked_sub(EPOCH_TICKS)
        && let Ok(at) = Timestamp::from_nanosecond(i128::from(since) * 100)
    {
        return Some(at);
    }
    match find(row, "TIMESTAMP") {
        Some(&Value::Time(at)) => Some(at),
        _ => minute_of(&row.partition_key),
    }
}

fn find<'r, 'a>(row: &'r Entity<'a>, name: &str) -> Option<&'r Value<'a>> {
    let found = row.properties.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value)
}

/// Takes columns out of a row as texts.
struct Columns<'r, 'a> {
    row: &'r Entity<'a>,
    taken: Vec<&'static str>,
}

impl Columns<'_, '_> {
    /// The first of these that says something.
    fn take(&mut self, names: &[&'static str]) -> Option<String> {
        self.taken.extend_from_slice(names);
        let values = names.iter().filter_map(|name| find(self.row, name));
        values.map(shown).find(|text| !text.is_empty())
    }
}

fn made(table: &str, row: &Entity<'_>) -> String {
    let mut columns = Columns {
        row,
        taken: LEFT_OUT.to_vec(),
    };
    let message = columns.take(&["Description", "EventMessage", "Message"]);
    let mut xml = String::with_capacity(1024);
    xml.push_str("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>");
    system(&mut xml, table, &mut columns);
    let rest: Vec<_> = (row.properties.iter())
        .filter(|(name, _)| !columns.taken.iter().any(|taken| name == taken))
        .collect();
    if !rest.is_empty() {
        xml.push_str("<EventData>");
        for (name, value) in rest {
            xml.push_str("<Data");
            attribute(&mut xml, "Name", Some(name));
            xml.push('>');
            escape(&shown(value), &mut xml);
            xml.push_str("</Data>");
        }
        xml.push_str("</EventData>");
    }
    if let Some(message) = message {
        xml.push_str("<RenderingInfo Culture='en-US'>");
        element(&mut xml, "Message", Some(&message));
        xml.push_str("</RenderingInfo>");
    }
    xml.push_str("</Event>");
    xml
}

fn system(xml: &mut String, table: &str, columns: &mut Columns<'_, '_>) {
    let provider = columns.take(&["ProviderName"]);
    let guid = columns.take(&["ProviderGuid", "ProviderId"]);
    xml.push_str("<System><Provider");
    attribute(xml, "Name", Some(provider.as_deref().unwrap_or(table)));
    attribute(xml, "Guid", guid.as_deref());
    xml.push_str("/>");
    let id = columns.take(&["EventId"]);
    element(xml, "EventID", Some(id.as_deref().unwrap_or("0")));
    for (name, column) in [("Level", "Level"), ("Task", "Task"), ("Opcode", "Opcode")] {
        let value = columns.take(&[column]);
        element(xml, name, value.as_deref());
    }
    if let Some(at) = row_time(columns.row) {
        xml.push_str("<TimeCreated");
        attribute(xml, "SystemTime", Some(&format!("{at:.7}")));
        xml.push_str("/>");
    }
    let activity = columns.take(&["ActivityId"]);
    if activity.is_some() {
        xml.push_str("<Correlation");
        attribute(xml, "ActivityID", activity.as_deref());
        xml.push_str("/>");
    }
    let (process, thread) = (columns.take(&["Pid"]), columns.take(&["Tid"]));
    if process.is_some() || thread.is_some() {
        xml.push_str("<Execution");
        attribute(xml, "ProcessID", process.as_deref().or(Some("0")));
        attribute(xml, "ThreadID", thread.as_deref().or(Some("0")));
        xml.push_str("/>");
    }
    let channel = columns.take(&["Channel", "ChannelName"]);
    element(xml, "Channel", Some(channel.as_deref().unwrap_or(table)));
    let instance = columns.take(&["RoleInstance"]);
    let machine = instance
        .as_deref()
        .map(|it| it.strip_prefix('_').unwrap_or(it));
    element(xml, "Computer", machine);
    xml.push_str("</System>");
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) | Value::Guid(text) => text.clone().into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Truth(is) => is.to_string(),
        Value::Time(at) => format!("{at:.7}"),
        Value::Bytes(bytes) => hex(bytes),
    }
}

fn element(xml: &mut String, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    xml.extend(["<", name, ">"]);
    escape(text, xml);
    xml.extend(["</", name, ">"]);
}

fn attribute(xml: &mut String, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    xml.extend([" ", name, "='"]);
    escape(text, xml);
    xml.push('\'');
}
