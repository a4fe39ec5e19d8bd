//! What is known of providers, and what an event says by it.

use std::collections::HashMap;

use super::manifest::{self, ManifestError, Provider};
use super::record::{Event, Source};
use super::template::{Fields, PayloadError};
use super::tracelogging;
use crate::guid::Guid;
use crate::input::Input;
use crate::limits::{ETL_LEARNED_BYTES_MAX, ETL_MANIFEST_CHUNKS_MAX, ETL_MANIFESTS_OPEN_MAX};

/// The manifests that were given, and those that traces brought with them.
#[derive(Debug, Default)]
pub struct Schemas {
    given: HashMap<Guid, Provider>,
    learned: HashMap<Guid, Provider>,
    /// Manifests of which parts came.
    open: HashMap<Guid, Vec<Option<Vec<u8>>>>,
    /// Bytes of these and of those that were learned.
    kept: usize,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    /// Name of the provider, where it is known.
    pub provider: Option<&'a str>,
    /// Name of the event: what it calls itself, or its symbol in the manifest.
    pub name: Option<String>,
    /// Name of its task.
    pub task: Option<&'a str>,
    /// Name of its opcode.
    pub opcode: Option<&'a str>,
    /// Names of its keywords.
    pub keywords: Vec<&'a str>,
    /// Its payload.
    pub body: Body<'a>,
}

/// A payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// Its fields.
    Fields(Fields),
    /// Its bytes: nobody said what they are.
    Bytes(&'a [u8]),
}

/// Why a manifest in a trace is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// The part says of itself what cannot be.
    #[error("part {part} of {of} of a manifest, version {format}")]
    Part {
        /// Its number.
        part: u16,
        /// How many there are.
        of: u16,
        /// How it is written.
        format: u8,
    },
    /// There is more of it than there may be.
    #[error("more manifests, or more of one, than are kept")]
    TooMuch,
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The event with which an EventSource says what its events are (ManifestEnvelope of .NET's EventSource).
const MANIFEST_EVENT: u16 = 0xfffe;
/// XML in UTF-8.
const FORMAT: u8 = 1;
/// What marks the envelope.
const MAGIC: u8 = 0x5b;

impl Schemas {
    /// Takes a manifest from whoever runs the program: the GUIDs of its providers. It goes before what traces say.
    ///
    /// # Errors
    /// It is no manifest.
    pub fn add(&mut self, xml: &str) -> Result<Vec<Guid>, ManifestError> {
        let providers = manifest::read(xml)?;
        let guids = providers.iter().map(|(guid, _)| *guid).collect();
        self.given.extend(providers);
        Ok(guids)
    }

    /// Takes up what an event says of its provider: the provider, when its manifest is whole. As a manifest often comes at
    /// the end of a trace, who wants the events before it reads the trace twice.
    ///
    /// A manifest counts for the provider that sent it, whatever it says itself.
    ///
    /// # Errors
    /// The event has part of a manifest that cannot be used.
    pub fn learn(&mut self, event: &Event<'_>) -> Result<Option<Guid>, LearnError> {
        let Source::Provider(guid) = event.source else {
            return Ok(None);
        };
        if !Schemas::is_manifest(event) || self.knows(guid) {
            return Ok(None);
        }
        let Some(whole) = self.part(guid, event.payload)? else {
            return Ok(None);
        };
        let xml = String::from_utf8_lossy(&whole);
        let xml = xml.trim_end_matches('\0').trim_start_matches('\u{feff}');
        let read = manifest::read(xml).inspect_err(|_| self.kept -= whole.len());
        let provider = read?.into_iter().next();
        self.learned
            .extend(provider.map(|(_, provider)| (guid, provider)));
        Ok(Some(guid))
    }

    /// Whether an event has but part of a manifest.
    #[must_use]
    pub fn is_manifest(event: &Event<'_>) -> bool {
        let is_provider = matches!(event.source, Source::Provider(_));
        is_provider && event.id == MANIFEST_EVENT && event.opcode == 0xfe
    }

    /// Whether the events of a provider are described.
    #[must_use]
    pub fn knows(&self, guid: Guid) -> bool {
        self.provider(guid).is_some()
    }

    /// Keeps a part; the whole when it was the last that was missing.
    fn part(&mut self, guid: Guid, payload: &[u8]) -> Result<Option<Vec<u8>>, LearnError> {
        let mut input = Input::new(payload);
        let mut head = || -> Result<_, crate::input::Short> {
            let format = input.u8()?;
            input.take(2)?;
            Ok((format, input.u8()?, input.u16()?, input.u16()?))
        };
        let (format, magic, of, part) = head().unwrap_or_default();
        let is_possible = part < of && usize::from(of) <= ETL_MANIFEST_CHUNKS_MAX;
        if format != FORMAT || magic != MAGIC || !is_possible {
            return Err(LearnError::Part { part, of, format });
        }
        if self.open.len() >= ETL_MANIFESTS_OPEN_MAX && !self.open.contains_key(&guid) {
            return Err(LearnError::TooMuch);
        }
        let open = self.open.entry(guid).or_default();
        // One that counts its parts in another way has begun anew.
        if open.len() != usize::from(of) {
            self.kept -= bytes(open);
            *open = vec![None; usize::from(of)];
        }
        let place = &mut open[usize::from(part)];
        self.kept -= place.as_ref().map_or(0, Vec::len);
        if self.kept + input.rest().len() > ETL_LEARNED_BYTES_MAX {
            *place = None;
            return Err(LearnError::TooMuch);
        }
        self.kept += input.rest().len();
        *place = Some(input.rest().to_vec());
        if open.iter().any(Option::is_none) {
            return Ok(None);
        }
        let whole = self.open.remove(&guid);
        Ok(whole.map(|parts| parts.into_iter().flatten().flatten().collect()))
    }

    fn provider(&self, guid: Guid) -> Option<&Provider> {
        self.given.get(&guid).or_else(|| self.learned.get(&guid))
    }

    /// What an event says, by its own schema or by what is known of its provider.
    #[must_use]
    pub fn decode<'a>(&'a self, event: &Event<'a>) -> Decoded<'a> {
        let known = event.source.guid().and_then(|guid| self.provider(guid));
        let mut decoded = Decoded {
            provider: event.extended.provider(),
            name: None,
            task: None,
            opcode: None,
            keywords: Vec::new(),
            body: Body::Bytes(event.payload),
        };
        if let Some(provider) = known {
            decoded.provider = Some(provider.name.as_str());
            decoded.task = provider.task(event.task);
            decoded.opcode = provider.opcode(event.task, event.opcode);
            decoded.keywords = provider.keywords(event.keywords);
        }
        if let Some(schema) = event.extended.schema {
            decoded.self_described(schema, event);
        } else if let Source::Provider(_) = event.source
            && let Some(provider) = known
        {
            decoded.described(provider, event);
        }
        decoded
    }
}

impl Decoded<'_> {
    fn self_described(&mut self, schema: &[u8], event: &Event<'_>) {
        match tracelogging::schema(schema) {
            Ok((name, template)) => {
                self.name = Some(name);
                self.body = Body::Fields(template.read(event.payload, event.pointer_bytes));
            }
            Err(error) => self.body = Body::Fields(unread(error, event)),
        }
    }

    fn described(&mut self, provider: &Provider, event: &Event<'_>) {
        let Some(schema) = provider.event(event.id, event.version) else {
            return;
        };
        self.name = schema.symbol.clone();
        self.body = match provider.template(schema) {
            Some(Ok(template)) => Body::Fields(template.read(event.payload, event.pointer_bytes)),
            Some(Err(what)) => Body::Fields(unread(PayloadError::Schema(what), event)),
            None => Body::Fields(Fields {
                rest: event.payload.len(),
                ..Fields::default()
            }),
        };
    }
}

fn bytes(parts: &[Option<Vec<u8>>]) -> usize {
    parts.iter().flatten().map(Vec::len).sum()
}

fn unread(error: PayloadError, event: &Event<'_>) -> Fields {
    Fields {
        error: Some(error),
        rest: event.payload.len(),
        ..Fields::default()
    }
}
