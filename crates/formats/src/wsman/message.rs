//! Reading an envelope: its header fields, and of a delivery each event's text.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::cursor::{Cursor, Ns, Step, append};
use super::{Text, uri};
use crate::limits::{BOOKMARK_BYTES_MAX, SOAP_DEPTH_MAX, SOAP_EVENTS_MAX};

/// Why a body is not an envelope that can be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not well-formed XML.
    #[error("SOAP envelope is not well-formed XML")]
    Xml(#[source] quick_xml::Error),
    /// The text ends inside an element.
    #[error("SOAP envelope ends before its last end tag")]
    Truncated,
    /// The outermost element is another one.
    #[error("body is not a SOAP 1.2 envelope")]
    NotEnvelope,
    /// A document type, which SOAP 1.2 forbids.
    #[error("SOAP envelope has a document type, which is refused")]
    DocType,
    /// More elements inside each other than [`SOAP_DEPTH_MAX`].
    #[error("SOAP envelope nests elements deeper than {SOAP_DEPTH_MAX}")]
    TooDeep,
    /// Two of what an envelope has one of, so that nobody can tell which one counts.
    #[error("SOAP envelope has more than one {element}")]
    Repeated {
        /// Which.
        element: &'static str,
    },
    /// More events than [`SOAP_EVENTS_MAX`].
    #[error("SOAP envelope holds more than {SOAP_EVENTS_MAX} events")]
    TooManyEvents,
    /// More subscriptions than a reader accepts.
    #[error("SOAP envelope offers too many subscriptions")]
    TooManySubscriptions,
    /// A header value over the limit.
    #[error("SOAP header value is too long")]
    HeaderTooLong,
    /// A bookmark that cannot be given back: not one well-formed element, or over the limit.
    #[error("bookmark is not an XML element of at most {BOOKMARK_BYTES_MAX} bytes")]
    BadBookmark,
}

/// What a message asks for, by its wsa:Action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Which subscriptions are there for this source?
    Enumerate,
    /// The answer to it.
    EnumerateResponse,
    /// A delivery.
    Events,
    /// A sign of life.
    Heartbeat,
    /// The end of an operation.
    End,
    /// The source drops a subscription.
    SubscriptionEnd,
    /// An acknowledgement.
    Ack,
    /// A fault, of whatever specification.
    Fault,
    /// Something else.
    Other(&'a str),
    /// No wsa:Action at all.
    Missing,
}

/// The header fields of an envelope, white space around them removed, case kept.
#[derive(Debug, Default, Clone)]
pub struct Header<'a> {
    /// wsa:Action.
    pub action: Option<Cow<'a, str>>,
    /// wsa:MessageID. An answer's RelatesTo must repeat it to the letter.
    pub message_id: Option<Cow<'a, str>>,
    /// wsa:RelatesTo.
    pub relates_to: Option<Cow<'a, str>>,
    /// wsa:To.
    pub to: Option<Cow<'a, str>>,
    /// The address in wsa:ReplyTo.
    pub reply_to: Option<Cow<'a, str>>,
    /// wsman:ResourceURI.
    pub resource_uri: Option<Cow<'a, str>>,
    /// The source's name as it calls itself (MS-WSMV); a claim, not an identity.
    pub machine_id: Option<Cow<'a, str>>,
    /// The operation this message belongs to (MS-WSMV).
    pub operation_id: Option<Cow<'a, str>>,
    /// The largest answer in bytes that the sender takes (DSP0226 6.2).
    pub max_envelope_size: Option<u32>,
    /// wse:Identifier, echoed from what NotifyTo named.
    pub identifier: Option<Cow<'a, str>>,
    /// A Version echoed from what NotifyTo named.
    pub version: Option<Cow<'a, str>>,
    /// The bookmark as it stands in the envelope: opaque XML to be stored and given back.
    pub bookmark: Option<&'a str>,
}

impl Header<'_> {
    /// What the message asks for.
    #[must_use]
    pub fn action(&self) -> Action<'_> {
        let Some(action) = self.action.as_deref() else {
            return Action::Missing;
        };
        match action {
            uri::ENUMERATE => Action::Enumerate,
            uri::ENUMERATE_RESPONSE => Action::EnumerateResponse,
            uri::EVENTS => Action::Events,
            uri::HEARTBEAT => Action::Heartbeat,
            uri::END => Action::End,
            uri::SUBSCRIPTION_END => Action::SubscriptionEnd,
            uri::ACK => Action::Ack,
            other if other.ends_with("/fault") => Action::Fault,
            other => Action::Other(other),
        }
    }
}

/// One event of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventText<'a> {
    /// The Event's XML as decoded from the body's charset, byte for byte.
    pub text: Cow<'a, str>,
    /// Whether something in it could not be decoded and is U+FFFD now.
    pub lossy: bool,
}

/// What stands in the body of an envelope.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Body<'a> {
    /// Nothing, or nothing that needs reading.
    Empty,
    /// The request for subscriptions.
    Enumerate,
    /// A delivery; empty in a heartbeat.
    Events {
        /// The events in the order of the envelope.
        events: Vec<EventText<'a>>,
        /// How many events the source says it dropped (DSP0226 10.2.9.5).
        dropped: u64,
    },
    /// The source drops its subscription.
    SubscriptionEnd {
        /// Why, as a URI.
        status: Cow<'a, str>,
        /// Why, in words.
        reason: Cow<'a, str>,
    },
    /// A fault.
    Fault {
        /// The most specific code, with its prefix.
        code: Cow<'a, str>,
        /// What went wrong, in words.
        reason: Cow<'a, str>,
    },
}

/// An envelope that was read.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// Its header fields.
    pub header: Header<'a>,
    /// Its body.
    pub body: Body<'a>,
}

/// Reads an envelope that a source sent.
///
/// # Errors
///
/// [`ParseError`] when the envelope is not well-formed or breaks a limit of
/// [`crate::limits`]. The text of the events in it is not looked at: it may be cut, malformed or
/// hold control characters.
pub fn parse(text: &Text) -> Result<Message<'_>, ParseError> {
    let mut cursor = Cursor::new(text.as_str());
    enter_envelope(&mut cursor)?;
    let (mut header, mut body) = (None, None);
    while let Some((ns, start)) = cursor.child()? {
        match (ns, start.local_name().into_inner()) {
            (Ns::Soap, "Header") => once(&mut header, "s:Header", read_header(&mut cursor)?)?,
            (Ns::Soap, "Body") => once(&mut body, "s:Body", read_body(&mut cursor, text)?)?,
            _ => cursor.skip()?,
        }
    }
    Ok(Message {
        header: header.unwrap_or_default(),
        body: body.unwrap_or(Body::Empty),
    })
}

/// Fills a place that may be filled once.
fn once<T>(place: &mut Option<T>, element: &'static str, value: T) -> Result<(), ParseError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError::Repeated { element }),
    }
}

/// Goes into the outermost element, which has to be an envelope.
pub(super) fn enter_envelope(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    loop {
        match cursor.step()? {
            Step::Start(Ns::Soap, start) if start.local_name().into_inner() == "Envelope" => {
                return Ok(());
            }
            Step::Text(text) if text.trim().is_empty() => {}
            _ => return Err(ParseError::NotEnvelope),
        }
    }
}

/// Reads the children of s:Header, which is open.
fn read_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, ParseError> {
    let mut header = Header::default();
    while let Some((ns, start)) = cursor.child()? {
        let field = match (ns, start.local_name().into_inner()) {
            (Ns::Addressing, "Action") => &mut header.action,
            (Ns::Addressing, "MessageID") => &mut header.message_id,
            (Ns::Addressing, "RelatesTo") => &mut header.relates_to,
            (Ns::Addressing, "To") => &mut header.to,
            (Ns::Addressing, "ReplyTo") => {
                header.reply_to = read_address(cursor)?;
                continue;
            }
            (Ns::Wsman, "ResourceURI") => &mut header.resource_uri,
            (Ns::MachineId, "MachineID") => &mut header.machine_id,
            (Ns::Microsoft, "OperationID") => &mut header.operation_id,
            (Ns::Eventing, "Identifier") => &mut header.identifier,
            (_, "Version") => &mut header.version,
            (Ns::Wsman, "MaxEnvelopeSize") => {
                header.max_envelope_size = cursor.value()?.parse().ok();
                continue;
            }
            (Ns::Wsman, "Bookmark") => {
                header.bookmark = Some(cursor.inner()?);
                continue;
            }
            _ => {
                cursor.skip()?;
                continue;
            }
        };
        *field = Some(cursor.value()?);
    }
    Ok(header)
}

/// The wsa:Address inside an endpoint reference, which is open.
fn read_address<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, ParseError> {
    let mut address = None;
    while let Some((ns, start)) = cursor.child()? {
        match (ns, start.local_name().into_inner()) {
            (Ns::Addressing, "Address") => address = Some(cursor.value()?),
            _ => cursor.skip()?,
        }
    }
    Ok(address)
}

fn read_body<'a>(cursor: &mut Cursor<'a>, text: &Text) -> Result<Body<'a>, ParseError> {
    let mut body = None;
    while let Some((ns, start)) = cursor.child()? {
        let child = match (ns, start.local_name().into_inner()) {
            (Ns::Enumeration, "Enumerate") => {
                cursor.skip()?;
                Body::Enumerate
            }
            (Ns::Wsman, "Events") => read_events(cursor, text)?,
            (Ns::Eventing, "SubscriptionEnd") => read_subscription_end(cursor)?,
            (Ns::Soap, "Fault") => read_fault(cursor)?,
            _ => {
                cursor.skip()?;
                continue;
            }
        };
        once(&mut body, "child of s:Body", child)?;
    }
    Ok(body.unwrap_or(Body::Empty))
}

fn read_events<'a>(cursor: &mut Cursor<'a>, text: &Text) -> Result<Body<'a>, ParseError> {
    let mut events = Vec::new();
    let mut dropped: u64 = 0;
    while let Some((ns, start)) = cursor.child()? {
        match (ns, start.local_name().into_inner()) {
            (Ns::Wsman, "Event") => {
                if events.len() >= SOAP_EVENTS_MAX {
                    return Err(ParseError::TooManyEvents);
                }
                let begin = cursor.after();
                let event = read_event(cursor)?;
                let lossy = text.is_lossy(begin..cursor.before());
                events.push(EventText { text: event, lossy });
            }
            (Ns::Wsman, "DroppedEvents") => {
                let count = cursor.value()?.parse().unwrap_or(1);
                dropped = dropped.saturating_add(count);
            }
            _ => cursor.skip()?,
        }
    }
    Ok(Body::Events { events, dropped })
}

/// The text of one event, which stands in w:Event in one of three ways: as CDATA (with the option
/// CDATA, one section or several), escaped, or as an element. White space around CDATA is the
/// envelope's; everything else is the event's.
fn read_event<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, ParseError> {
    let mut sections = Cow::Borrowed("");
    let mut everything = Cow::Borrowed("");
    let mut only_sections = true;
    loop {
        match cursor.step()? {
            Step::CData(piece) => {
                append(&mut sections, piece.clone());
                append(&mut everything, piece);
            }
            Step::Text(piece) => {
                only_sections &= piece.trim().is_empty();
                append(&mut everything, piece);
            }
            Step::Reference(piece) => {
                only_sections = false;
                append(&mut everything, piece);
            }
            Step::Start(..) => {
                only_sections = false;
                let begin = cursor.before();
                cursor.skip()?;
                let element = cursor.slice(begin, cursor.after());
                append(&mut everything, Cow::Borrowed(element));
            }
            Step::End => break,
            Step::Eof => return Err(ParseError::Truncated),
        }
    }
    if only_sections && !sections.is_empty() {
        return Ok(sections);
    }
    Ok(everything)
}

fn read_subscription_end<'a>(cursor: &mut Cursor<'a>) -> Result<Body<'a>, ParseError> {
    let mut status = Cow::Borrowed("");
    let mut reason = Cow::Borrowed("");
    while let Some((ns, start)) = cursor.child()? {
        match (ns, start.local_name().into_inner()) {
            (Ns::Eventing, "Status") => status = cursor.value()?,
            (Ns::Eventing, "Reason") => reason = cursor.value()?,
            _ => cursor.skip()?,
        }
    }
    Ok(Body::SubscriptionEnd { status, reason })
}

/// Reads s:Fault: of the nested codes the innermost counts, of the reasons the first.
fn read_fault<'a>(cursor: &mut Cursor<'a>) -> Result<Body<'a>, ParseError> {
    let mut code = Cow::Borrowed("");
    let mut reason = Cow::Borrowed("");
    let mut open = 1;
    while open > 0 {
        match cursor.step()? {
            Step::Start(Ns::Soap, start) => match start.local_name().into_inner() {
                "Value" => code = cursor.value()?,
                "Text" if reason.is_empty() => reason = cursor.value()?,
                _ => open += 1,
            },
            Step::Start(..) => cursor.skip()?,
            Step::End => open -= 1,
            Step::Eof => return Err(ParseError::Truncated),
            Step::Text(_) | Step::CData(_) | Step::Reference(_) => {}
        }
    }
    Ok(Body::Fault { code, reason })
}

/// Checks that a bookmark can be stored and given back inside another envelope.
///
/// # Errors
///
/// [`ParseError::BadBookmark`].
pub fn check_bookmark(bookmark: &str) -> Result<(), ParseError> {
    if bookmark.len() > BOOKMARK_BYTES_MAX || !is_fragment(bookmark) {
        return Err(ParseError::BadBookmark);
    }
    Ok(())
}

/// Whether this XML can be put into any envelope: one well-formed element that uses no prefix and
/// no entity of somewhere else.
#[must_use]
pub fn is_fragment(xml: &str) -> bool {
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().check_comments = true;
    let mut depth = 0;
    let mut elements = 0;
    loop {
        let Ok((namespace, event)) = reader.read_resolved_event() else {
            return false;
        };
        let bound = !matches!(namespace, ResolveResult::Unknown(_));
        match event {
            Event::Start(start) if bound && depth < SOAP_DEPTH_MAX && sound(&start) => {
                elements += usize::from(depth == 0);
                depth += 1;
            }
            Event::Empty(start) if bound && sound(&start) => {
                elements += usize::from(depth == 0);
            }
            Event::End(_) => depth -= 1,
            Event::Text(text) if depth > 0 || text.trim().is_empty() => {}
            Event::GeneralRef(reference) if depth > 0 && known(&reference) => {}
            Event::CData(_) | Event::Comment(_) if depth > 0 => {}
            Event::Eof => return depth == 0 && elements == 1,
            _ => return false,
        }
    }
}

/// Whether an element's attributes are well-formed and use no prefix but `xml` and `xmlns`.
fn sound(start: &BytesStart<'_>) -> bool {
    start.attributes().all(|attribute| {
        attribute.is_ok_and(|attribute| {
            let prefix = attribute.key.prefix().map(|prefix| prefix.into_inner());
            matches!(prefix, None | Some("xml" | "xmlns")) && !attribute.value.contains('<')
        })
    })
}

fn known(reference: &str) -> bool {
    matches!(reference, "lt" | "gt" | "amp" | "quot" | "apos") || reference.starts_with('#')
}
