//! The source's side of the wire, for a simulated source: requests, and what is answered to them.

use std::borrow::Cow;
use std::fmt::Write;

use super::cursor::{Cursor, Ns};
use super::message::enter_envelope;
use super::reply::element;
use super::values::escape;
use super::{Body, Header, ParseError, Text, uri};
use crate::limits::SOAP_SUBSCRIPTIONS_MAX;

/// What is in the header of every request of a source.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// URL of the collector, as configured or as the subscription names it.
    pub to: &'a str,
    /// The source's name: its FQDN.
    pub machine_id: &'a str,
    /// `uuid:` and a UUID in capitals.
    pub message_id: &'a str,
    /// The session, `uuid:` and a UUID.
    pub session_id: &'a str,
    /// The operation, `uuid:` and a UUID.
    pub operation_id: &'a str,
}

/// A request for the subscriptions of this source.
#[must_use]
pub fn enumerate(request: &Request<'_>) -> String {
    let mut out = open(request, uri::ENUMERATE, Some(uri::SUBSCRIPTION_MANAGER));
    out.push_str(
        "</s:Header><s:Body><n:Enumerate><w:OptimizeEnumeration/>\
         <w:MaxElements>32000</w:MaxElements></n:Enumerate></s:Body></s:Envelope>",
    );
    out
}

/// A delivery. `echo` is the content of the reference properties or parameters that
/// [`Subscription::echo`] holds; `bookmark` is XML that names the place behind the last event;
/// each event's XML goes into CDATA as it is.
#[must_use]
pub fn events<'e>(
    request: &Request<'_>,
    echo: &str,
    bookmark: Option<&str>,
    events: impl IntoIterator<Item = &'e str>,
) -> String {
    let mut out = open(request, uri::EVENTS, None);
    out.push_str(echo);
    if let Some(bookmark) = bookmark {
        let _ = write!(out, "<w:Bookmark>{bookmark}</w:Bookmark>");
    }
    out.push_str("<w:AckRequested/></s:Header><s:Body><w:Events>");
    for event in events {
        let _ = write!(out, "<w:Event Action=\"{}\">", uri::EVENT);
        push_cdata(&mut out, event);
        out.push_str("</w:Event>");
    }
    out.push_str("</w:Events></s:Body></s:Envelope>");
    out
}

/// A sign of life.
#[must_use]
pub fn heartbeat(request: &Request<'_>, echo: &str) -> String {
    let mut out = open(request, uri::HEARTBEAT, None);
    out.push_str(echo);
    out.push_str("<w:AckRequested/></s:Header><s:Body><w:Events></w:Events></s:Body></s:Envelope>");
    out
}

/// The end of the Enumerate operation, which a collector answers with 204.
#[must_use]
pub fn end(request: &Request<'_>) -> String {
    let mut out = String::with_capacity(1024);
    open_envelope(&mut out);
    element(&mut out, "a:To", uri::ANONYMOUS);
    let _ = write!(
        out,
        "<w:ResourceURI s:mustUnderstand=\"true\">{}</w:ResourceURI>\
         <a:Action s:mustUnderstand=\"true\">{}</a:Action>",
        uri::FULL_DUPLEX,
        uri::END
    );
    element(&mut out, "a:MessageID", request.message_id);
    element(&mut out, "p:OperationID", request.operation_id);
    out.push_str("</s:Header><s:Body></s:Body></s:Envelope>");
    out
}

/// The source drops a subscription.
#[must_use]
pub fn subscription_end(request: &Request<'_>, echo: &str, reason: &str) -> String {
    let mut out = open(request, uri::SUBSCRIPTION_END, None);
    out.push_str(echo);
    out.push_str("</s:Header><s:Body><e:SubscriptionEnd><e:Status>");
    out.push_str("http://schemas.xmlsoap.org/ws/2004/08/eventing/SourceCancelling</e:Status>");
    out.push_str("<e:Reason xml:lang=\"en-US\">");
    escape(reason, &mut out);
    out.push_str("</e:Reason></e:SubscriptionEnd></s:Body></s:Envelope>");
    out
}

fn open_envelope(out: &mut String) {
    out.push_str("<s:Envelope");
    for (prefix, namespace) in [
        ("s", uri::SOAP),
        ("a", uri::ADDRESSING),
        ("e", uri::EVENTING),
        ("n", uri::ENUMERATION),
        ("w", uri::WSMAN),
        ("p", uri::MICROSOFT),
    ] {
        let _ = write!(out, " xmlns:{prefix}=\"{namespace}\"");
    }
    out.push_str("><s:Header>");
}

/// The envelope up to where the header's special part goes.
fn open(request: &Request<'_>, action: &str, resource: Option<&str>) -> String {
    let mut out = String::with_capacity(4096);
    open_envelope(&mut out);
    element(&mut out, "a:To", request.to);
    if let Some(resource) = resource {
        let _ = write!(
            out,
            "<w:ResourceURI s:mustUnderstand=\"true\">{resource}</w:ResourceURI>"
        );
    }
    let _ = write!(
        out,
        "<m:MachineID xmlns:m=\"{}\" s:mustUnderstand=\"false\">",
        uri::MACHINE_ID
    );
    escape(request.machine_id, &mut out);
    let _ = write!(
        out,
        "</m:MachineID><a:ReplyTo><a:Address s:mustUnderstand=\"true\">{}</a:Address></a:ReplyTo>\
         <a:Action s:mustUnderstand=\"true\">{action}</a:Action>\
         <w:MaxEnvelopeSize s:mustUnderstand=\"true\">512000</w:MaxEnvelopeSize>",
        uri::ANONYMOUS
    );
    element(&mut out, "a:MessageID", request.message_id);
    out.push_str("<w:Locale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>");
    out.push_str("<p:DataLocale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>");
    for (name, value) in [
        ("SessionId", request.session_id),
        ("OperationID", request.operation_id),
        ("SequenceId", "1"),
    ] {
        let _ = write!(out, "<p:{name} s:mustUnderstand=\"false\">");
        escape(value, &mut out);
        let _ = write!(out, "</p:{name}>");
    }
    out.push_str("<w:OperationTimeout>PT60.000S</w:OperationTimeout>");
    out
}

/// Writes CDATA; a `]]>` in it is split over two sections.
fn push_cdata(out: &mut String, text: &str) {
    out.push_str("<![CDATA[");
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("]]>") {
        out.push_str(before);
        out.push_str("]]]]><![CDATA[>");
        rest = after;
    }
    out.push_str(rest);
    out.push_str("]]>");
}

/// A subscription as a collector offers it.
#[derive(Debug, Clone, Default)]
pub struct Subscription<'a> {
    /// m:Version with its `uuid:`. The same as before means: nothing to do.
    pub version: Cow<'a, str>,
    /// The option SubscriptionName.
    pub name: Cow<'a, str>,
    /// Where deliveries go.
    pub notify_to: Cow<'a, str>,
    /// The XML inside ReferenceProperties or ReferenceParameters of NotifyTo, to be put into the
    /// header of every message as it is.
    pub echo: &'a str,
    /// URI of how to authenticate there.
    pub profile: Option<String>,
    /// Thumbprint of the issuer of the certificate to use.
    pub issuer_thumbprint: Option<Cow<'a, str>>,
    /// The option ContentFormat.
    pub content_format: Cow<'a, str>,
    /// Whether the option Compression asks for SLDC.
    pub sldc: bool,
    /// Whether events from before the subscription are wanted.
    pub read_existing: bool,
    /// Interval of heartbeats, an XML Schema duration.
    pub heartbeats: Option<Cow<'a, str>>,
    /// How often a delivery is tried again, if it says so.
    pub retry_count: Option<u32>,
    /// The pause between two tries, an XML Schema duration.
    pub retry_interval: Option<Cow<'a, str>>,
    /// Longest wait for a batch to fill, an XML Schema duration.
    pub max_time: Option<Cow<'a, str>>,
    /// Most events in a batch.
    pub max_elements: Option<u32>,
    /// Largest envelope, in bytes before compression.
    pub max_envelope_bytes: Option<u32>,
    /// The QueryList.
    pub query: &'a str,
    /// The bookmark to go on from: XML, or the reserved URI for the earliest event.
    pub bookmark: Option<&'a str>,
}

/// What a collector answered.
#[derive(Debug, Clone)]
pub struct Reply<'a> {
    /// The header; [`Header::action`] says what kind of answer this is.
    pub header: Header<'a>,
    /// The fault, if it is one.
    pub fault: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// The subscriptions, if this is an EnumerateResponse.
    pub subscriptions: Vec<Subscription<'a>>,
}

/// Reads an answer.
///
/// # Errors
///
/// [`ParseError`] when it is not a well-formed envelope or breaks a limit.
pub fn parse_reply(text: &Text) -> Result<Reply<'_>, ParseError> {
    let message = super::parse(text)?;
    let fault = match message.body {
        Body::Fault { code, reason } => Some((code, reason)),
        _ => None,
    };
    let mut reply = Reply {
        header: message.header,
        fault,
        subscriptions: Vec::new(),
    };
    if reply.header.action.as_deref() == Some(uri::ENUMERATE_RESPONSE) {
        let mut cursor = Cursor::new(text.as_str());
        enter_envelope(&mut cursor)?;
        reply.subscriptions = read_subscriptions(&mut cursor)?;
    }
    Ok(reply)
}

fn read_subscriptions<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Subscription<'a>>, ParseError> {
    let mut subscriptions = Vec::new();
    let mut open = 1;
    while open > 0 {
        match cursor.child()? {
            Some((Ns::Subscription, start))
                if start.local_name().into_inner() == "Subscription" =>
            {
                if subscriptions.len() >= SOAP_SUBSCRIPTIONS_MAX {
                    return Err(ParseError::TooManySubscriptions);
                }
                subscriptions.push(read_subscription(cursor)?);
            }
            Some(_) => open += 1,
            None => open -= 1,
        }
    }
    Ok(subscriptions)
}

fn read_subscription<'a>(cursor: &mut Cursor<'a>) -> Result<Subscription<'a>, ParseError> {
    let mut subscription = Subscription::default();
    while let Some((ns, start)) = cursor.child()? {
        match (ns, start.local_name().into_inner()) {
            (Ns::Subscription, "Version") => subscription.version = cursor.value()?,
            (Ns::Soap, "Envelope") => read_subscribe(cursor, &mut subscription)?,
            _ => cursor.skip()?,
        }
    }
    Ok(subscription)
}

/// Reads the inner envelope, which is open: the names in it are distinct enough to take them
/// wherever they stand, but for the address, of which EndTo has one too.
fn read_subscribe<'a>(
    cursor: &mut Cursor<'a>,
    into: &mut Subscription<'a>,
) -> Result<(), ParseError> {
    let mut open = 1;
    while open > 0 {
        let Some((ns, start)) = cursor.child()? else {
            open -= 1;
            continue;
        };
        match (ns, start.local_name().into_inner()) {
            (Ns::Soap, "Header" | "Body")
            | (Ns::Eventing, "Subscribe" | "Delivery")
            | (Ns::Wsman, "OptionSet") => open += 1,
            (Ns::Wsman, "Option") => {
                let name = attribute(&start, "Name");
                let value = cursor.value()?;
                match name.as_deref() {
                    Some("SubscriptionName") => into.name = value,
                    Some("ContentFormat") => into.content_format = value,
                    Some("Compression") => into.sldc = value == "SLDC",
                    Some("ReadExistingEvents") => into.read_existing = value == "true",
                    _ => {}
                }
            }
            (Ns::Eventing, "NotifyTo") => read_notify_to(cursor, into)?,
            (Ns::Wsman, "Heartbeats") => into.heartbeats = Some(cursor.value()?),
            (Ns::Wsman, "ConnectionRetry") => {
                into.retry_count = attribute(&start, "Total").and_then(|total| total.parse().ok());
                into.retry_interval = Some(cursor.value()?);
            }
            (Ns::Wsman, "MaxTime") => into.max_time = Some(cursor.value()?),
            (Ns::Wsman, "MaxElements") => into.max_elements = cursor.value()?.parse().ok(),
            (Ns::Wsman, "MaxEnvelopeSize") => {
                into.max_envelope_bytes = cursor.value()?.parse().ok();
            }
            (Ns::Wsman, "Filter") => into.query = cursor.inner()?,
            (Ns::Wsman, "Bookmark") => into.bookmark = Some(cursor.inner()?.trim()),
            _ => cursor.skip()?,
        }
    }
    Ok(())
}

fn read_notify_to<'a>(
    cursor: &mut Cursor<'a>,
    into: &mut Subscription<'a>,
) -> Result<(), ParseError> {
    let mut open = 1;
    while open > 0 {
        let Some((ns, start)) = cursor.child()? else {
            open -= 1;
            continue;
        };
        match (ns, start.local_name().into_inner()) {
            (Ns::Addressing, "Address") => into.notify_to = cursor.value()?,
            (Ns::Addressing, "ReferenceProperties" | "ReferenceParameters") => {
                into.echo = cursor.inner()?;
            }
            (Ns::Authentication, "Authentication") => {
                into.profile = attribute(&start, "Profile");
                open += 1;
            }
            (Ns::Authentication, "Thumbprint") => {
                into.issuer_thumbprint = Some(cursor.value()?);
            }
            _ => open += 1,
        }
    }
    Ok(())
}

fn attribute(start: &quick_xml::events::BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    Some(attribute.value.into_owned())
}
