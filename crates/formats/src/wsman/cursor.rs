//! A walk over an envelope: quick-xml's events with limits, and the raw text between two of them.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::message::ParseError;
use super::uri;
use crate::limits::{SOAP_DEPTH_MAX, SOAP_HEADER_BYTES_MAX};

/// The namespaces that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ns {
    Soap,
    Addressing,
    Enumeration,
    Eventing,
    Wsman,
    Microsoft,
    MachineId,
    Subscription,
    Authentication,
    /// Another one, or none.
    Other,
}

impl Ns {
    fn of(namespace: &str) -> Ns {
        match namespace {
            uri::SOAP => Ns::Soap,
            uri::ADDRESSING => Ns::Addressing,
            uri::ENUMERATION => Ns::Enumeration,
            uri::EVENTING => Ns::Eventing,
            uri::WSMAN => Ns::Wsman,
            uri::MICROSOFT => Ns::Microsoft,
            uri::MACHINE_ID => Ns::MachineId,
            uri::SUBSCRIPTION => Ns::Subscription,
            uri::AUTHENTICATION => Ns::Authentication,
            _ => Ns::Other,
        }
    }
}

/// One step of the walk. An empty element is a start and an end.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Start(Ns, BytesStart<'a>),
    End,
    Text(Cow<'a, str>),
    CData(Cow<'a, str>),
    /// What an entity or character reference stands for, or the reference itself.
    Reference(Cow<'a, str>),
    Eof,
}

pub(super) struct Cursor<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    /// Elements open.
    depth: usize,
    /// Where the last step began.
    before: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Cursor {
            text,
            reader,
            depth: 0,
            before: 0,
        }
    }

    /// Where the last step began and where it ended, in bytes of the text.
    pub(super) fn before(&self) -> usize {
        self.before
    }

    pub(super) fn after(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next step; comments, processing instructions and the declaration are passed over.
    pub(super) fn step(&mut self) -> Result<Step<'a>, ParseError> {
        loop {
            self.before = self.after();
            let (namespace, event) = self.reader.read_resolved_event().map_err(ParseError::Xml)?;
            let ns = match namespace {
                ResolveResult::Bound(namespace) => Ns::of(namespace.0),
                ResolveResult::Unbound | ResolveResult::Unknown(_) => Ns::Other,
            };
            let step = match event {
                Event::Start(start) | Event::Empty(start) => {
                    if self.depth >= SOAP_DEPTH_MAX {
                        return Err(ParseError::TooDeep);
                    }
                    self.depth += 1;
                    Step::Start(ns, start)
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Step::End
                }
                Event::Text(text) => Step::Text(text.into_inner()),
                Event::CData(text) => Step::CData(text.into_inner()),
                Event::GeneralRef(reference) => Step::Reference(resolve(reference.into_inner())),
                Event::DocType(_) => return Err(ParseError::DocType),
                Event::Eof => Step::Eof,
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
            };
            return Ok(step);
        }
    }

    /// The next child element of the element that is open, or `None` at its end.
    pub(super) fn child(&mut self) -> Result<Option<(Ns, BytesStart<'a>)>, ParseError> {
        loop {
            match self.step()? {
                Step::Start(ns, start) => return Ok(Some((ns, start))),
                Step::End => return Ok(None),
                Step::Eof => return Err(ParseError::Truncated),
                Step::Text(_) | Step::CData(_) | Step::Reference(_) => {}
            }
        }
    }

    /// Goes behind the end of the element that is open.
    pub(super) fn skip(&mut self) -> Result<(), ParseError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if matches!(self.step()?, Step::Eof) {
                return Err(ParseError::Truncated);
            }
        }
        Ok(())
    }

    /// Everything inside the element that is open, as it stands, and goes behind its end.
    pub(super) fn inner(&mut self) -> Result<&'a str, ParseError> {
        let start = self.after();
        self.skip()?;
        Ok(self.slice(start, self.before))
    }

    /// The character data of the element that is open without the white space around it; child
    /// elements are passed over.
    pub(super) fn value(&mut self) -> Result<Cow<'a, str>, ParseError> {
        let mut value = Cow::Borrowed("");
        loop {
            match self.step()? {
                Step::Text(piece) | Step::CData(piece) | Step::Reference(piece) => {
                    append(&mut value, piece);
                }
                Step::Start(..) => self.skip()?,
                Step::End => break,
                Step::Eof => return Err(ParseError::Truncated),
            }
            if value.len() > SOAP_HEADER_BYTES_MAX {
                return Err(ParseError::HeaderTooLong);
            }
        }
        Ok(match value {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
            Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
        })
    }
}

/// Appends a piece, copying only from the second one on.
pub(super) fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

/// What stands for `&name;`. Without a document type only five names and numbers mean something;
/// anything else is kept as it was written rather than lost.
fn resolve(name: Cow<'_, str>) -> Cow<'_, str> {
    let known = match &*name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => {
            let character = quick_xml::events::BytesRef::new(&*name).resolve_char_ref();
            return match character {
                Ok(Some(character)) => Cow::Owned(character.to_string()),
                _ => Cow::Owned(format!("&{name};")),
            };
        }
    };
    Cow::Borrowed(known)
}
