//! An event of a trace in the words of Windows events, so that whatever reads those reads it.
//!
//! As the Event Viewer and tracerpt show it: what an event that describes itself is called is the name of its task. A payload
//! that nobody has said the fields of, or that is not as they say, is there as its bytes.
//!
//! Source: the schema of events (eventschema in the Windows documentation).

use std::fmt::{Display, Write as _};

use super::record::{Event, Source};
use super::schemas::{Body, Decoded};
use super::template::Fields;
use crate::guid::Guid;
use crate::text::hex;
use crate::wsman::escape;

/// What stands for the provider of events of the kernel.
const KERNEL: &str = "Windows Kernel";

/// The event of this computer, as XML.
#[must_use]
pub fn to_xml(event: &Event<'_>, decoded: &Decoded<'_>, computer: &str) -> String {
    let mut xml = String::with_capacity(1024);
    xml.push_str("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>");
    system(&mut xml, event, decoded, computer);
    match &decoded.body {
        Body::Fields(fields) => described(&mut xml, fields, event.payload),
        Body::Bytes([]) => {}
        Body::Bytes(bytes) => {
            xml.push_str("<EventData>");
            element(&mut xml, "Binary", &hex(bytes));
            xml.push_str("</EventData>");
        }
    }
    rendering(&mut xml, event, decoded);
    xml.push_str("</Event>");
    xml
}

fn system(xml: &mut String, event: &Event<'_>, decoded: &Decoded<'_>, computer: &str) {
    xml.push_str("<System><Provider");
    let kernel = matches!(event.source, Source::Kernel(_)).then_some(KERNEL);
    attribute(xml, "Name", decoded.provider.or(kernel));
    attribute(xml, "Guid", event.source.guid().map(braced));
    xml.push_str("/>");
    for (name, number) in [
        ("EventID", u32::from(event.id)),
        ("Version", event.version.into()),
        ("Level", event.level.into()),
        ("Task", event.task.into()),
        ("Opcode", event.opcode.into()),
    ] {
        element(xml, name, &number.to_string());
    }
    element(xml, "Keywords", &format!("{:#x}", event.keywords));
    if let Some(time) = event.time {
        xml.push_str("<TimeCreated");
        attribute(xml, "SystemTime", Some(format!("{time:.7}")));
        xml.push_str("/>");
    }
    xml.push_str("<Correlation");
    attribute(xml, "ActivityID", event.activity.map(braced));
    let related = event.extended.related_activity;
    attribute(xml, "RelatedActivityID", related.map(braced));
    xml.push_str("/><Execution");
    attribute(xml, "ProcessID", event.process);
    attribute(xml, "ThreadID", event.thread);
    attribute(xml, "ProcessorID", Some(event.processor));
    attribute(xml, "SessionID", event.extended.session);
    xml.push_str("/>");
    element(xml, "Computer", computer);
    xml.push_str("<Security");
    let sid = event.extended.sid.and_then(super::sid_text);
    attribute(xml, "UserID", sid);
    xml.push_str("/></System>");
}

/// Fields by their names; with them all of the payload where not all of it is understood.
fn described(xml: &mut String, fields: &Fields, payload: &[u8]) {
    if fields.fields.is_empty() && payload.is_empty() {
        return;
    }
    xml.push_str("<EventData>");
    for field in &fields.fields {
        xml.push_str("<Data");
        attribute(xml, "Name", Some(&field.name));
        xml.push('>');
        escape(&field.value.to_string(), xml);
        xml.push_str("</Data>");
    }
    if fields.error.is_some() || fields.rest > 0 {
        element(xml, "Binary", &hex(payload));
    }
    xml.push_str("</EventData>");
}

fn rendering(xml: &mut String, event: &Event<'_>, decoded: &Decoded<'_>) {
    let task = decoded.task.or(decoded.name.as_deref());
    let task = task.or_else(|| event.source.kernel_group());
    if task.is_none() && decoded.opcode.is_none() && decoded.keywords.is_empty() {
        return;
    }
    xml.push_str("<RenderingInfo Culture='en-US'>");
    for (name, text) in [("Task", task), ("Opcode", decoded.opcode)] {
        if let Some(text) = text {
            element(xml, name, text);
        }
    }
    if !decoded.keywords.is_empty() {
        xml.push_str("<Keywords>");
        for keyword in &decoded.keywords {
            element(xml, "Keyword", keyword);
        }
        xml.push_str("</Keywords>");
    }
    xml.push_str("</RenderingInfo>");
}

fn element(xml: &mut String, name: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = write!(xml, "<{name}>");
    escape(text, xml);
    let _ = write!(xml, "</{name}>");
}

fn attribute(xml: &mut String, name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        let _ = write!(xml, " {name}='");
        escape(&value.to_string(), xml);
        xml.push('\'');
    }
}

fn braced(guid: Guid) -> String {
    format!("{{{guid}}}")
}
