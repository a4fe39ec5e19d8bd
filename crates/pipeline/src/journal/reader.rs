//! Reads committed frames in order, past damage, by sequence. The same for a cursor and without a service.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use thiserror::Error;

use super::catalog::{Catalog, Phase, lock};
use super::frame::{self, Header, Kind, RawEntry};
use super::loss::{Gap, GapReason};
use super::scan::{Bad, Found, OnReadError, Scan};
use super::segment::{SEGMENT_HEADER_BYTES, file_name};
use super::storage::{Disk, Open};
use super::unpack::Unpacker;
use super::{Frame, FrameEntry, Seq};

/// Why a frame could not be read. The next attempt may succeed; the place is kept.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("journal segment {segment:016x} cannot be read")]
    Io {
        /// Number of the segment.
        segment: u64,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// A range of a segment that holds no valid frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRange {
    /// Number of the segment.
    pub segment: u64,
    /// Where.
    pub bad: Bad,
}

/// Walks frames by sequence.
#[derive(Debug)]
pub(super) struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    catalog: Arc<Mutex<Catalog>>,
    /// The next sequence to return.
    wanted: Seq,
    place: Option<Place>,
    unpacker: Unpacker,
    /// Bad ranges met since the last frame.
    bad: Vec<BadRange>,
    on_error: OnReadError,
}

#[derive(Debug)]
struct Place {
    number: u64,
    scan: Scan,
    end: u64,
    phase: Phase,
}

impl Reader {
    /// Starts with the event after `after`.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        catalog: Arc<Mutex<Catalog>>,
        after: Seq,
    ) -> Reader {
        Reader {
            disk,
            dir,
            catalog,
            wanted: after + 1,
            place: None,
            unpacker: Unpacker::default(),
            bad: Vec::new(),
            on_error: OnReadError::Fail,
        }
    }

    /// What to do when the disk refuses a read.
    pub(super) fn on_read_error(&mut self, what: OnReadError) {
        self.on_error = what;
        self.place = None;
    }

    /// Bad ranges met since the last call.
    pub(super) fn take_bad(&mut self) -> Vec<BadRange> {
        std::mem::take(&mut self.bad)
    }

    /// The next frame that holds a wanted event; `None` at the end of what is committed.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if !self.enter()? {
                return Ok(None);
            }
            let Some(mut place) = self.place.take() else {
                return Ok(None);
            };
            let number = place.number;
            let step = step(&mut place, &mut self.unpacker, self.wanted).map_err(|source| {
                ReadError::Io {
                    segment: number,
                    source,
                }
            })?;
            match step {
                Step::Skipped => {}
                Step::Frame(header, entries) => {
                    self.place = Some(place);
                    return Ok(Some(self.frame(&header, entries)));
                }
                Step::Bad(bad) => self.bad.push(BadRange {
                    segment: number,
                    bad,
                }),
                Step::End if place.phase == Phase::Open => {
                    self.place = Some(place);
                    return Ok(None);
                }
                Step::End => {
                    if !self.enter_after(number)? {
                        self.place = Some(place);
                        return Ok(None);
                    }
                    continue;
                }
            }
            self.place = Some(place);
        }
    }

    /// Makes sure there is a current segment and knows how far it is committed.
    fn enter(&mut self) -> Result<bool, ReadError> {
        let segment = {
            let catalog = lock(&self.catalog);
            match &mut self.place {
                Some(place) => {
                    match catalog.segments.get(&place.number) {
                        Some(segment) => {
                            place.end = segment.end;
                            place.phase = segment.phase;
                        }
                        // Unlinked meanwhile: the open file still holds what was committed.
                        None => place.phase = Phase::Closed,
                    }
                    return Ok(true);
                }
                None => catalog.holding(self.wanted).map(|s| s.number),
            }
        };
        match segment {
            Some(number) => self.enter_at(number),
            None => Ok(false),
        }
    }

    fn enter_after(&mut self, number: u64) -> Result<bool, ReadError> {
        let next = lock(&self.catalog).after(number).map(|s| s.number);
        match next {
            Some(number) => self.enter_at(number),
            None => Ok(false),
        }
    }

    fn enter_at(&mut self, mut number: u64) -> Result<bool, ReadError> {
        loop {
            let Some(segment) = lock(&self.catalog).segments.get(&number).cloned() else {
                return Ok(false);
            };
            match self
                .disk
                .open(&self.dir.join(file_name(number)), Open::Read)
            {
                Ok(file) => {
                    let scan =
                        Scan::new(file, segment.id, SEGMENT_HEADER_BYTES as u64, self.on_error);
                    self.place = Some(Place {
                        number,
                        scan,
                        end: segment.end,
                        phase: segment.phase,
                    });
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    // Unlinked between the look at the catalogue and now, or by hand.
                    let Some(next) = lock(&self.catalog).after(number).map(|s| s.number) else {
                        return Ok(false);
                    };
                    number = next;
                }
                Err(source) => {
                    return Err(ReadError::Io {
                        segment: number,
                        source,
                    });
                }
            }
        }
    }

    fn frame(&mut self, header: &Header, entries: Vec<RawEntry>) -> Frame {
        let gap = (header.first_seq > self.wanted).then(|| Gap {
            first_seq: self.wanted,
            last_seq: header.first_seq - 1,
            reason: self.gap_reason(header.first_seq - 1),
        });
        let frame = to_frame(header, entries, self.wanted, gap);
        self.wanted = header.end_seq();
        frame
    }

    fn gap_reason(&self, last_seq: Seq) -> GapReason {
        if !self.bad.is_empty() {
            return GapReason::Damaged;
        }
        let catalog = lock(&self.catalog);
        let on_record = catalog
            .gaps
            .iter()
            .find(|g| (g.first_seq..=g.last_seq).contains(&last_seq));
        on_record.map_or(GapReason::Missing, |gap| gap.reason)
    }
}

/// Builds the public form of a frame without entries wholly below `wanted`.
pub(super) fn to_frame(
    header: &Header,
    entries: Vec<RawEntry>,
    wanted: Seq,
    gap: Option<Gap>,
) -> Frame {
    let mut first_seq = header.first_seq;
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        let end = first_seq + Seq::from(entry.events);
        if end > wanted && entry.events > 0 {
            kept.push(FrameEntry {
                first_seq,
                events: entry.events,
                body: entry.body,
                origin: entry.origin,
            });
        }
        first_seq = end;
    }
    let end_seq = header.end_seq();
    let kept_from = kept.first().map_or(header.first_seq, |e| e.first_seq);
    Frame {
        // Also where headers overlap, which only a forged journal's do, a reader goes forward.
        first_seq: kept_from.max(wanted).min(end_seq),
        end_seq,
        committed_at: jiff::Timestamp::from_microsecond(header.committed_at_us).unwrap_or_default(),
        entries: kept,
        gap,
    }
}

enum Step {
    Skipped,
    Frame(Header, Vec<RawEntry>),
    Bad(Bad),
    End,
}

fn step(place: &mut Place, unpacker: &mut Unpacker, wanted: Seq) -> io::Result<Step> {
    if place.scan.offset() >= place.end {
        return Ok(Step::End);
    }
    if let Some(header) = place.scan.peek(place.end)?
        && (header.kind != Kind::Entries || header.end_seq() <= wanted)
    {
        place.scan.skip(&header);
        return Ok(Step::Skipped);
    }
    let from = place.scan.offset();
    match place.scan.next(place.end)? {
        Found::End => Ok(Step::End),
        Found::Damage(bad) | Found::Tail(bad) => Ok(Step::Bad(bad)),
        Found::Frame(header) if header.kind != Kind::Entries || header.end_seq() <= wanted => {
            Ok(Step::Skipped)
        }
        Found::Frame(header) => Ok(match decode(unpacker, &header, place.scan.body()) {
            Some(entries) => Step::Frame(header, entries),
            None => Step::Bad(Bad {
                from,
                to: place.scan.offset(),
                header: Some(header),
                unreadable: false,
            }),
        }),
    }
}

fn decode(unpacker: &mut Unpacker, header: &Header, stored: &[u8]) -> Option<Vec<RawEntry>> {
    let raw = unpacker.unpack(header, stored).ok()?;
    frame::decode_entries(header, raw).ok()
}
