//! Events out of EVTX files, chunk by chunk, damaged ones included.
//!
//! An EVTX file is a header of 4 KiB and chunks of 64 KiB, each with its own strings and
//! templates, so that a chunk can be read when nothing else of the file can be. The `evtx`
//! crate turns a chunk's records into XML; this room finds the chunks, mends what can be
//! mended before the crate sees it (`mend`), and says what is missing.
//!
//! Invariants: one chunk and its rendered text are in memory at a time. A record comes once
//! a file, unless the file itself has it in two chunks that differ. Whatever is not read is
//! named by a [`Damage`], up to a limit, then counted.

mod batches;
mod chunk;
mod damage;
mod layout;
mod mend;
mod survey;
#[cfg(test)]
pub(super) mod tests;

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use evtx::ParserSettings;

pub(in crate::sources) use self::batches::header;
pub use self::batches::{EncodedBatch, batches};
use self::chunk::Rendered;
pub use self::chunk::{Chunk, Record};
pub use self::damage::{Damage, Reason};
pub(in crate::sources) use self::layout::CHUNK_BYTES;
use self::layout::ChunkHeader;
use self::survey::{Place, PlaceKind, Survey};
use crate::limits::EVTX_DAMAGE_ENTRIES_MAX;

/// The source of every imported Event, as identity and batch header have it. It is the same
/// for all files, so that overlapping exports of one log give the same identities.
pub const SOURCE: &str = "evtx";

/// A file that cannot be read as EVTX at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Opening or reading it failed.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It begins as EVTX and ends inside its header.
    #[error("the file ends inside its header, after {bytes} bytes: copy it again")]
    CutInHeader {
        /// Its length.
        bytes: u64,
    },
    /// Neither its header nor any chunk is EVTX.
    #[error("not an EVTX file")]
    NotEvtx,
    /// It is compressed as a whole.
    #[error("not an EVTX file but one that is compressed as {form}: unpack it")]
    Packed {
        /// How.
        form: &'static str,
    },
    /// Longer than [`crate::limits::EVTX_FILE_BYTES_MAX`].
    #[error("the file has {bytes} bytes, more than are read")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

/// An EVTX file being read. It must not change meanwhile.
pub struct EvtxFile<R> {
    reader: R,
    survey: Survey,
    settings: Arc<ParserSettings>,
    next: usize,
    /// The last chunk that was read and whose header can be trusted: its last record id.
    last_id: Option<u64>,
    /// A chunk between it and the next one that gave nothing.
    skipped: Option<u64>,
    buffer: Vec<u8>,
    rendered: Rendered,
    damage: Vec<Damage>,
    damage_omitted: u64,
}

impl EvtxFile<fs_err::File> {
    /// Opens a file and finds the places of its chunks.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::from_reader(fs_err::File::open(path)?)
    }
}

impl<R: Read + Seek> EvtxFile<R> {
    /// As [`EvtxFile::open`], for anything that reads and seeks.
    pub fn from_reader(mut reader: R) -> Result<Self, OpenError> {
        let survey = Survey::of(&mut reader)?;
        let mut file = Self {
            reader,
            settings: Arc::new(ParserSettings::new().indent(false)),
            next: 0,
            last_id: None,
            skipped: None,
            buffer: Vec::new(),
            rendered: Rendered::default(),
            damage: Vec::new(),
            damage_omitted: 0,
            survey,
        };
        if !file.survey.has_file_header {
            file.report(Damage::of_file(Reason::FileHeader));
        }
        let (announced, there) = (file.survey.announced, file.survey.places.len() as u64);
        if announced > there {
            file.report(Damage::of_file(Reason::Ends { announced, there }));
        }
        Ok(file)
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.survey.bytes
    }

    /// Chunks of the file, empty ones included, and how many of them are done.
    pub fn progress(&self) -> (usize, usize) {
        (self.next, self.survey.places.len())
    }

    /// What was found damaged so far; complete when [`EvtxFile::next_chunk`] gave `None`.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Damage beyond [`EVTX_DAMAGE_ENTRIES_MAX`] entries, counted only.
    pub fn damage_omitted(&self) -> u64 {
        self.damage_omitted
    }

    /// The next chunk that has records, the oldest records first; `None` after the last.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk<'_>>> {
        while let Some(&place) = self.survey.places.get(self.next) {
            self.next += 1;
            if self.read_place(place)? {
                return Ok(Some(Chunk::new(place.number, &self.rendered)));
            }
        }
        Ok(None)
    }

    /// Reads what is at a place. Returns whether it gave records.
    fn read_place(&mut self, place: Place) -> io::Result<bool> {
        if place.kind == PlaceKind::Blank {
            self.skipped = Some(place.number);
            return Ok(false);
        }
        if let PlaceKind::Chunk {
            like: Some(number), ..
        } = place.kind
            && self.is_same(place, number)?
        {
            self.report(Damage::of_chunk(
                place.number,
                Reason::Duplicate { of: number },
            ));
            return Ok(false);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.load(place, &mut buffer)?;
        let header = ChunkHeader::trusted(&buffer);
        self.rendered.render(&mut buffer, place, &self.settings);
        self.buffer = buffer;
        self.report_gap(header.as_ref());
        self.report_chunk(place, header.as_ref());
        if self.rendered.is_empty() {
            self.skipped = Some(place.number);
            return Ok(false);
        }
        self.skipped = None;
        self.last_id = header
            .map(|header| header.last_id)
            .max(self.rendered.last_id());
        Ok(true)
    }

    /// Fills `buffer` with the chunk at `place`, zeros where the file ends before it does.
    fn load(&mut self, place: Place, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(CHUNK_BYTES, 0);
        let (read, beyond) = buffer.split_at_mut(place.len);
        beyond.fill(0);
        self.reader.seek(SeekFrom::Start(place.offset))?;
        self.reader.read_exact(read)
    }

    /// Whether the chunk at `place` is byte for byte that of an earlier number.
    fn is_same(&mut self, place: Place, number: u64) -> io::Result<bool> {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        self.load(place, &mut one)?;
        let earlier = Place {
            offset: self.survey.offset_of(number),
            ..place
        };
        self.load(earlier, &mut other)?;
        Ok(one == other)
    }

    /// Names the records that lay where something unreadable was skipped.
    fn report_gap(&mut self, header: Option<&ChunkHeader>) {
        let (Some(number), Some(last_id), Some(header)) = (self.skipped, self.last_id, header)
        else {
            return;
        };
        if header.first_id > last_id.saturating_add(1) {
            let missing = last_id + 1..=header.first_id - 1;
            self.report(Damage::of_records(number, missing, Reason::ChunkLost));
        }
    }

    /// Names what is wrong with the chunk that was just read.
    fn report_chunk(&mut self, place: Place, header: Option<&ChunkHeader>) {
        let is_partial = place.len < CHUNK_BYTES;
        if self.rendered.is_empty() && place.kind == PlaceKind::Unknown {
            let reason = match is_partial {
                true => Reason::TrailingBytes { bytes: place.len },
                false => Reason::NotAChunk,
            };
            return self.report(Damage::of_chunk(place.number, reason));
        }
        if is_partial {
            let missing = CHUNK_BYTES - place.len;
            self.report(Damage::of_chunk(place.number, Reason::CutOff { missing }));
        }
        let missing = header
            .map(|header| self.rendered.missing(header))
            .unwrap_or_default();
        for damage in std::mem::take(&mut self.rendered.damage) {
            self.report(damage);
        }
        for ids in missing {
            self.report(Damage::of_records(place.number, ids, Reason::NotFound));
        }
    }

    fn report(&mut self, damage: Damage) {
        if self.damage.len() == EVTX_DAMAGE_ENTRIES_MAX {
            self.damage_omitted += 1;
        } else {
            self.damage.push(damage);
        }
    }
}
