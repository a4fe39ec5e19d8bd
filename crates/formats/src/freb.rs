//! Failed request traces (FREB): the `frNNNNNN.xml` files in which IIS says how it handled a request.
//!
//! The root, `failedRequest`, sums the request up; its children are ordinary events in the Windows event namespace, one for
//! each step, which [`crate::event`] reads. File names come again in each site's folder and after old files were deleted:
//! what names a request is its activity.
//!
//! Source: freb.xsl, which IIS puts beside the files, and the reference of failed request tracing ("traceFailedRequests").

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::guid::Guid;
use crate::limits::{FREB_BYTES_MAX, FREB_DEPTH_MAX, FREB_EVENTS_MAX};

#[cfg(test)]
mod tests;

/// A request and what was traced of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedRequest {
    /// What was asked for.
    pub url: String,
    /// Number of the site.
    pub site_id: Option<u32>,
    /// Name of the application pool.
    pub app_pool: String,
    /// The worker process.
    pub process_id: Option<u32>,
    /// The method.
    pub verb: String,
    /// How the client proved who it is; none where it did not.
    pub authentication: Option<String>,
    /// The name that the client gave, where it signed in.
    pub remote_user: Option<String>,
    /// The name by which the server knows it.
    pub user: Option<String>,
    /// The account under which the request ran.
    pub token_user: Option<String>,
    /// What names the request.
    pub activity_id: Option<Guid>,
    /// Why it was traced: `STATUS_CODE`, `TIME_TAKEN`, `VERBOSITY`.
    pub failure_reason: String,
    /// How it was answered.
    pub status: Option<Status>,
    /// The status that made it worth a trace.
    pub trigger_status: Option<Status>,
    /// How long it took, in milliseconds.
    pub time_taken_ms: Option<u64>,
    /// Where in the text its events lie.
    events: Vec<Range<usize>>,
    /// Why what follows the last event is not read.
    pub fault: Option<FrebFault>,
}

/// A status of HTTP with what IIS adds: `404.13`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Of HTTP.
    pub code: u16,
    /// What IIS tells apart.
    pub sub: Option<u16>,
}

/// Why a text is no failed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrebError {
    /// It is larger than IIS can have been told to write.
    #[error("{bytes} bytes, more than {FREB_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Its root is another, or it has none.
    #[error("no failedRequest: it begins with {0:?}")]
    Root(String),
    /// What comes before its root is wrong.
    #[error(transparent)]
    Fault(#[from] FrebFault),
}

/// What is wrong within a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrebFault {
    /// It is no XML.
    #[error("no XML at byte {at}: {what}")]
    Xml {
        /// Where.
        at: usize,
        /// What the parser says.
        what: String,
    },
    /// It ends within the request: IIS cuts what is longer than it was told to write.
    #[error("it ends within the request")]
    CutOff,
    /// More events than any request makes.
    #[error("more than {FREB_EVENTS_MAX} events")]
    TooManyEvents,
    /// Elements in elements without end.
    #[error("at byte {at} more than {FREB_DEPTH_MAX} elements are open")]
    TooDeep {
        /// Where.
        at: usize,
    },
}

impl Status {
    /// Reads `404` or `404.13`.
    #[must_use]
    pub fn read(text: &str) -> Option<Status> {
        let (code, sub) = match text.split_once('.') {
            Some((code, sub)) => (code, Some(sub.parse().ok()?)),
            None => (text, None),
        };
        let code = code.parse().ok()?;
        Some(Status { code, sub })
    }
}

impl FailedRequest {
    /// Reads the text of a file. Where something is wrong behind its root, what came before it is kept, and the
    /// [fault](FailedRequest::fault) says what.
    ///
    /// # Errors
    /// It has no such root, or is too large.
    pub fn read(text: &str) -> Result<FailedRequest, FrebError> {
        if text.len() > FREB_BYTES_MAX {
            return Err(FrebError::TooLarge { bytes: text.len() });
        }
        // The reader passes over a byte order mark without counting it.
        let unmarked = text.trim_start_matches(BYTE_ORDER_MARK);
        let mut reader = Reader::from_str(unmarked);
        let mut request = root(&mut reader)?;
        request.fault = request.walk(&mut reader).err();
        let shift = text.len() - unmarked.len();
        for event in &mut request.events {
            *event = event.start + shift..event.end + shift;
        }
        Ok(request)
    }

    /// How many events were traced.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// The text of each event, of the same text that was [read](FailedRequest::read).
    pub fn events<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        self.events
            .iter()
            .filter_map(|range| text.get(range.clone()))
    }

    fn walk(&mut self, reader: &mut Reader<&[u8]>) -> Result<(), FrebFault> {
        let (mut depth, mut begin) = (1, 0);
        loop {
            let at = place(reader);
            match next(reader)? {
                Event::Start(tag) => {
                    if depth == 1 && is_event(&tag) {
                        begin = at;
                    }
                    depth += 1;
                    if depth > FREB_DEPTH_MAX {
                        return Err(FrebFault::TooDeep { at });
                    }
                }
                Event::End(tag) => {
                    depth -= 1;
                    let is_event = AsRef::<str>::as_ref(&tag.local_name()) == "Event";
                    if depth == 1 && is_event {
                        self.push(begin..place(reader))?;
                    }
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Event::Eof => return Err(FrebFault::CutOff),
                _ => {}
            }
        }
    }

    fn push(&mut self, event: Range<usize>) -> Result<(), FrebFault> {
        if self.events.len() >= FREB_EVENTS_MAX {
            return Err(FrebFault::TooManyEvents);
        }
        self.events.push(event);
        Ok(())
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            "url" => self.url = value,
            "siteId" => self.site_id = value.parse().ok(),
            "appPoolId" => self.app_pool = value,
            "processId" => self.process_id = value.parse().ok(),
            "verb" => self.verb = value,
            "authenticationType" => self.authentication = told(value),
            "remoteUserName" => self.remote_user = told(value),
            "userName" => self.user = told(value),
            "tokenUserName" => self.token_user = told(value),
            "activityId" => self.activity_id = Guid::read(&value).and_then(Guid::some),
            "failureReason" => self.failure_reason = value,
            "statusCode" => self.status = Status::read(&value),
            "triggerStatusCode" => self.trigger_status = Status::read(&value),
            "timeTaken" => self.time_taken_ms = value.parse().ok(),
            _ => {}
        }
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// IIS writes `NOT_AVAILABLE` of what it does not know.
fn told(value: String) -> Option<String> {
    (!value.is_empty() && value != "NOT_AVAILABLE").then_some(value)
}

fn is_event(tag: &BytesStart<'_>) -> bool {
    AsRef::<str>::as_ref(&tag.local_name()) == "Event"
}

fn place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn next<'a>(reader: &mut Reader<&'a [u8]>) -> Result<Event<'a>, FrebFault> {
    let at = place(reader);
    reader.read_event().map_err(|error| FrebFault::Xml {
        at,
        what: error.to_string(),
    })
}

fn root(reader: &mut Reader<&[u8]>) -> Result<FailedRequest, FrebError> {
    loop {
        let at = place(reader);
        let tag = match next(reader)? {
            Event::Start(tag) => tag,
            Event::Empty(tag) => return Err(FrebError::Root(name(&tag))),
            Event::Eof => return Err(FrebError::Root(String::new())),
            _ => continue,
        };
        if name(&tag) != "failedRequest" {
            return Err(FrebError::Root(name(&tag)));
        }
        let mut request = FailedRequest::default();
        for attribute in tag.attributes() {
            let wrong = |what: String| FrebFault::Xml { at, what };
            let attribute = attribute.map_err(|error| wrong(error.to_string()))?;
            // A URL has what the client sent, references that mean nothing among it.
            let value = quick_xml::escape::unescape(&attribute.value);
            let value =
                value.map_or_else(|_| attribute.value.to_string(), |value| value.into_owned());
            request.take(attribute.key.as_ref(), value);
        }
        return Ok(request);
    }
}

fn name(tag: &BytesStart<'_>) -> String {
    AsRef::<str>::as_ref(&tag.local_name()).to_owned()
}
