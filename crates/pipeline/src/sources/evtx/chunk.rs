//! One chunk's records as XML.

use std::error::Error;
use std::ops::RangeInclusive;
use std::sync::Arc;

use evtx::err::EvtxError;
use evtx::{EvtxChunk, EvtxChunkHeader, ParserSettings};

use super::damage::{Damage, Reason};
use super::layout::{CHUNK_BYTES, ChunkHeader};
use super::mend::{HeaderMend, mend};
use super::survey::Place;
use crate::limits::{
    EVTX_ERROR_DETAIL_BYTES_MAX, EVTX_RECORD_TEXT_BYTES_MAX, EVTX_TEXT_BYTES_KEPT,
};

/// What the reader puts before each Event.
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// A chunk that was read.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    number: u64,
    rendered: &'a Rendered,
}

/// One record of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The id in the record's header; that in the Event itself is the same, unless a
    /// program wrote the file that does not care.
    pub id: u64,
    /// The Event's XML.
    pub text: &'a str,
}

impl<'a> Chunk<'a> {
    pub(super) fn new(number: u64, rendered: &'a Rendered) -> Self {
        Self { number, rendered }
    }

    /// Its number in the file; the first is 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its records, in the order they have in the chunk; mended ones come last.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'a>> + Clone + use<'a> {
        let Rendered { text, records, .. } = self.rendered;
        records.iter().map(move |record| Record {
            id: record.id,
            text: &text[record.start..record.end],
        })
    }
}

/// A chunk's records, one after the other in one buffer that is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    text: String,
    records: Vec<RecordSpan>,
    pub(super) damage: Vec<Damage>,
}

#[derive(Debug)]
struct RecordSpan {
    id: u64,
    start: usize,
    end: usize,
}

impl Rendered {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of_texts(texts: &[&str]) -> Self {
        let mut rendered = Self::default();
        texts
            .iter()
            .zip(1..)
            .for_each(|(text, id)| rendered.push(0, id, text.as_bytes()));
        rendered
    }

    pub(super) fn last_id(&self) -> Option<u64> {
        self.records.iter().map(|record| record.id).max()
    }

    /// Reads the chunk as it is and, where that leaves something to be desired, mends it as
    /// far as it can be mended and reads it once more, for the records that did not come.
    pub(super) fn render(
        &mut self,
        chunk: &mut [u8],
        place: Place,
        settings: &Arc<ParserSettings>,
    ) {
        self.clear();
        let header = ChunkHeader::trusted(chunk);
        let read = if place.len == CHUNK_BYTES {
            self.read(chunk, place.number, settings)
        } else {
            Read::Refused
        };
        let is_whole = read == Read::ToTheEnd
            && self.damage.is_empty()
            && header.is_some_and(|header| self.records.len() as u64 >= header.announced);
        if is_whole {
            return;
        }
        if let Some(found) = mend(chunk, place.len) {
            self.damage.clear();
            let reason = match found.header {
                HeaderMend::Right => None,
                HeaderMend::Magic => Some(Reason::ChunkMagic),
                HeaderMend::Anew => Some(Reason::ChunkHeader),
            };
            let of_chunk = |reason| Damage::of_chunk(place.number, reason);
            self.damage.extend(reason.map(of_chunk));
            let damage = |id| Damage::of_records(place.number, id..=id, Reason::RecordHeader);
            self.damage.extend(found.records.into_iter().map(damage));
            self.read(chunk, place.number, settings);
        }
    }

    fn clear(&mut self) {
        if self.text.capacity() > EVTX_TEXT_BYTES_KEPT {
            self.text = String::new();
        }
        self.text.clear();
        self.records.clear();
        self.damage.clear();
    }

    /// Adds the records of a chunk that are not here yet.
    fn read(&mut self, chunk: &[u8], number: u64, settings: &Arc<ParserSettings>) -> Read {
        let mut known: Vec<u64> = self.records.iter().map(|record| record.id).collect();
        known.sort_unstable();
        let Ok(header) = EvtxChunkHeader::from_bytes(chunk) else {
            return Read::Refused;
        };
        let Ok(mut chunk) = EvtxChunk::new(chunk, &header, Arc::clone(settings)) else {
            return Read::Refused;
        };
        for record in chunk.iter() {
            let id = record.as_ref().ok().map(|record| record.event_record_id);
            if id.is_some_and(|id| known.binary_search(&id).is_ok()) {
                continue;
            }
            match record.and_then(|record| record.into_xml_bytes()) {
                Ok(record) => self.push(number, record.event_record_id, &record.data),
                Err(error) => self.damage.push(damage(number, id, &error)),
            }
        }
        Read::ToTheEnd
    }

    fn push(&mut self, number: u64, id: u64, xml: &[u8]) {
        let reason = match std::str::from_utf8(xml) {
            Ok(text) if text.len() <= EVTX_RECORD_TEXT_BYTES_MAX => {
                let text = text.strip_prefix(PROLOG).unwrap_or(text).trim_ascii();
                if text.is_empty() {
                    let reason = Reason::Record {
                        offset: None,
                        detail: "no content".to_owned(),
                    };
                    return self
                        .damage
                        .push(Damage::of_records(number, id..=id, reason));
                }
                let start = self.text.len();
                self.text.push_str(text);
                self.records.push(RecordSpan {
                    id,
                    start,
                    end: self.text.len(),
                });
                return;
            }
            Ok(text) => Reason::TooLong { bytes: text.len() },
            Err(error) => Reason::Record {
                offset: None,
                detail: error.to_string(),
            },
        };
        self.damage
            .push(Damage::of_records(number, id..=id, reason));
    }

    /// The ids that the header announces and that were neither read nor named otherwise.
    pub(super) fn missing(&self, header: &ChunkHeader) -> Vec<RangeInclusive<u64>> {
        let named = self
            .damage
            .iter()
            .filter_map(|damage| damage.records.clone())
            .flatten();
        let mut known: Vec<u64> = self
            .records
            .iter()
            .map(|record| record.id)
            .chain(named)
            .collect();
        known.sort_unstable();
        known.dedup();
        if known.len() as u64 >= header.announced {
            return Vec::new();
        }
        // Where ids have gaps of their own nobody can say which are missing.
        if header.last_id - header.first_id != header.announced - 1 {
            return vec![header.ids()];
        }
        let mut missing = Vec::new();
        let mut next = header.first_id;
        for id in known.into_iter().filter(|id| header.ids().contains(id)) {
            if id > next {
                missing.push(next..=id - 1);
            }
            if id == header.last_id {
                return missing;
            }
            next = id + 1;
        }
        missing.push(next..=header.last_id);
        missing
    }
}

/// How far a chunk was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    ToTheEnd,
    Refused,
}

fn damage(number: u64, id: Option<u64>, error: &EvtxError) -> Damage {
    let (id, offset) = match error {
        EvtxError::FailedToParseRecord { record_id, .. } => (Some(*record_id), None),
        EvtxError::FailedToReadRecordAt { offset, .. } => (id, Some(*offset)),
        _ => (id, None),
    };
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let mut detail = cause.to_string();
    detail.truncate(detail.floor_char_boundary(EVTX_ERROR_DETAIL_BYTES_MAX));
    let reason = Reason::Record { offset, detail };
    Damage {
        chunk: Some(number),
        records: id.map(|id| id..=id),
        reason,
    }
}
