//! Opening a journal: where it ends, what is damaged, what the states are.
//!
//! Only the last segment is read whole (its first frames hold all states); of the others the
//! first block is enough. Torn tails are cut, damage is kept, copied aside and put on record.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Seq;
use super::catalog::{Catalog, Phase, Segment};
use super::frame::{self, Hash, Header, Kind, StateChange};
use super::log::Mark;
use super::loss::{self, Gap, GapReason};
use super::merkle::Tree;
use super::reader::BadRange;
use super::scan::{Bad, Found, OnReadError, Scan};
use super::segment::{
    Previous, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, file_name, parse_file_name,
};
use super::state::State;
use super::storage::{Disk, DiskFile, Open};

/// What one segment turned out to hold.
#[derive(Debug)]
pub(super) struct Survey {
    pub number: u64,
    pub header: Option<SegmentHeader>,
    pub id: Option<u64>,
    pub len: u64,
    /// The byte after the last whole frame.
    pub end: u64,
    pub first_seq: Option<Seq>,
    pub end_seq: Option<Seq>,
    pub tip: Option<Hash>,
    pub tree: Tree,
    pub first_at_us: i64,
    pub last_at_us: i64,
    pub seal: Option<Seal>,
    /// Damage with the sequences it cost.
    pub damage: Vec<(Bad, Option<Gap>)>,
    pub tail: Option<Bad>,
    /// All states at the segment's start, if the snapshot is whole.
    pub snapshot: Option<State>,
    pub changes: Vec<StateChange>,
}

/// Reads the first block of a segment; the inner `None` if it is damaged or short.
pub(super) fn read_header(file: &dyn DiskFile) -> io::Result<Option<SegmentHeader>> {
    let mut block = [0; SEGMENT_HEADER_BYTES];
    let mut outcome = Ok(0);
    for _ in 0..super::limits::READ_ATTEMPTS {
        outcome = file.read_at(&mut block, 0);
        if let Ok(SEGMENT_HEADER_BYTES) = outcome
            && let Some(header) = SegmentHeader::decode(&block)
        {
            return Ok(Some(header));
        }
    }
    outcome.map(|_| None)
}

/// Walks one segment to its end.
pub(super) fn survey(
    file: &Arc<dyn DiskFile>,
    number: u64,
    limit: Option<u64>,
) -> io::Result<Survey> {
    let len = file.len()?;
    let header = read_header(&**file)
        .unwrap_or(None)
        .filter(|h| h.number == number);
    let id = header.as_ref().map(|h| h.id);
    let mut scan = Scan::new(
        Arc::clone(file),
        id,
        SEGMENT_HEADER_BYTES as u64,
        OnReadError::Skip,
    );
    let mut survey = Survey {
        number,
        first_seq: header.as_ref().map(|h| h.first_seq),
        end_seq: header.as_ref().map(|h| h.first_seq),
        header,
        id,
        len,
        end: 0,
        tip: None,
        tree: Tree::default(),
        first_at_us: 0,
        last_at_us: 0,
        seal: None,
        damage: Vec::new(),
        tail: None,
        snapshot: None,
        changes: Vec::new(),
    };
    let mut snapshot = Some(State::default());
    let limit = limit.unwrap_or(len).min(len);
    loop {
        match scan.next(limit)? {
            Found::End => break,
            Found::Tail(bad) => {
                survey.tail = Some(bad);
                break;
            }
            Found::Damage(bad) => {
                snapshot = None;
                survey.damage.push((bad, None));
            }
            Found::Frame(header) => {
                survey.take(&header, &scan, &mut snapshot);
                survey.end = scan.offset();
            }
        }
    }
    survey.id = survey.id.or(scan.id());
    Ok(survey)
}

impl Survey {
    fn take(&mut self, header: &Header, scan: &Scan, snapshot: &mut Option<State>) {
        let expected = self.end_seq.unwrap_or(header.first_seq);
        if header.first_seq > expected
            && let Some((_, gap)) = self.damage.last_mut()
        {
            *gap = Some(Gap {
                first_seq: expected,
                last_seq: header.first_seq - 1,
                reason: GapReason::Damaged,
            });
        }
        let hash = scan.hash();
        if self.tree.leaves() == 0 {
            self.first_at_us = header.committed_at_us;
        }
        self.tip = Some(hash);
        self.first_seq.get_or_insert(header.first_seq);
        self.end_seq = Some(header.end_seq());
        if header.kind != Kind::Seal {
            self.tree.push(&hash);
            self.last_at_us = header.committed_at_us;
        }
        let Ok(raw) = frame::decompress(header, scan.body()) else {
            return;
        };
        match header.kind {
            Kind::Seal => self.seal = Seal::decode(&raw),
            Kind::Entries => {
                if let Ok(entries) = frame::decode_entries(header, Bytes::from(raw)) {
                    self.changes
                        .extend(entries.into_iter().filter_map(|e| e.state));
                }
            }
            Kind::Snapshot { last } => {
                let Some(state) = snapshot else { return };
                let whole =
                    frame::decode_pairs(header, &raw, |key, value| state.set(key, value)).is_ok();
                if !whole {
                    *snapshot = None;
                } else if last {
                    self.snapshot = snapshot.take();
                }
            }
        }
    }

    /// Whether a crash before the first sync left nothing here.
    fn is_unused(&self, mark: Option<Mark>) -> bool {
        self.tree.leaves() == 0
            && mark.is_none_or(|m| m.segment < self.number)
            && self.tail.as_ref().is_none_or(|t| !t.unreadable)
    }
}

/// What is known before anything is written.
#[derive(Debug)]
pub(super) struct Examined {
    pub catalog: Catalog,
    pub state: State,
    pub last: Option<Survey>,
    pub next_number: u64,
    pub next_seq: Seq,
    pub previous: Previous,
    pub sealed: Option<Seal>,
    /// Bytes to cut from the last segment.
    pub torn: Option<Bad>,
    pub damage: Vec<(BadRange, Option<Gap>)>,
    /// Files of segments that never came into use.
    pub unused: Vec<u64>,
}

/// The numbers of the segments in a folder, in order.
pub(super) fn segment_numbers(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = disk
        .list(dir)?
        .iter()
        .filter_map(|name| parse_file_name(name))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a segment for reading.
pub(super) fn open_segment(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
) -> io::Result<Arc<dyn DiskFile>> {
    disk.open(&dir.join(file_name(number)), Open::Read)
}

/// Looks at a journal folder without changing it.
pub(super) fn examine(disk: &dyn Disk, dir: &Path, mark: Option<Mark>) -> io::Result<Examined> {
    let numbers = segment_numbers(disk, dir)?;
    let next_number = numbers
        .last()
        .copied()
        .unwrap_or(0)
        .max(mark.map_or(0, |m| m.segment))
        + 1;
    let mut unused = Vec::new();
    let mut surveys: BTreeMap<u64, Survey> = BTreeMap::new();
    // From the newest backwards until a snapshot gives the states.
    for &number in numbers.iter().rev() {
        let file = open_segment(disk, dir, number)?;
        let limit = surveys
            .first_key_value()
            .and_then(|(_, next)| end_by(next, number));
        let survey = survey(&file, number, limit)?;
        if surveys.is_empty() && survey.is_unused(mark) {
            unused.push(number);
            continue;
        }
        let done = survey.snapshot.is_some();
        surveys.insert(number, survey);
        if done {
            break;
        }
    }
    let mut catalog = Catalog::default();
    list_older(disk, dir, &numbers, &surveys, &mut catalog)?;
    let state = replay(&surveys);
    list_surveyed(disk, dir, &surveys, &mut catalog);
    let sealed = last_seal(disk, dir, &surveys, &catalog);
    let mut damage = Vec::new();
    for survey in surveys.values() {
        damage.extend(survey.damage.iter().map(|(bad, gap)| {
            (
                BadRange {
                    segment: survey.number,
                    bad: bad.clone(),
                },
                *gap,
            )
        }));
    }
    catalog.dropped_to = loss::all(&state)
        .iter()
        .filter(|l| l.gap.reason == GapReason::Dropped)
        .map(|l| l.gap.last_seq)
        .max()
        .unwrap_or(0);
    let last = surveys.into_iter().next_back().map(|(_, survey)| survey);
    let mut found = Examined {
        catalog,
        state,
        next_number,
        next_seq: last.as_ref().and_then(|l| l.end_seq).unwrap_or(1),
        previous: Previous::default(),
        sealed,
        torn: None,
        damage,
        unused,
        last,
    };
    found.judge_tail(mark);
    found.previous.root = found
        .sealed
        .as_ref()
        .map(|s| s.root)
        .or(found
            .last
            .as_ref()
            .and_then(|l| l.header.as_ref())
            .map(|h| h.previous.root))
        .unwrap_or_default();
    Ok(found)
}

impl Examined {
    /// Decides what the bytes after the last whole frame are, and what the mark says is gone.
    fn judge_tail(&mut self, mark: Option<Mark>) {
        let Some(last) = &self.last else {
            if let Some(mark) = mark {
                self.next_seq = self.next_seq.max(mark.next_seq);
            }
            return;
        };
        let durable_end = mark
            .filter(|m| m.segment == last.number)
            .map_or(0, |m| m.end);
        let durable_seq = mark.map_or(0, |m| m.next_seq);
        if let Some(tail) = &last.tail {
            if tail.from < durable_end || tail.unreadable {
                let claimed = tail.header.as_ref().map_or(0, Header::end_seq);
                let end_seq = durable_seq.max(claimed).max(self.next_seq);
                let gap = (end_seq > self.next_seq).then(|| Gap {
                    first_seq: self.next_seq,
                    last_seq: end_seq - 1,
                    reason: GapReason::Damaged,
                });
                self.damage.push((
                    BadRange {
                        segment: last.number,
                        bad: tail.clone(),
                    },
                    gap,
                ));
                self.next_seq = end_seq;
            } else {
                self.torn = Some(tail.clone());
            }
        }
        if durable_seq > self.next_seq {
            // The file ends before the durable mark, or whole segments are gone.
            let gap = Gap {
                first_seq: self.next_seq,
                last_seq: durable_seq - 1,
                reason: GapReason::Missing,
            };
            let bad = Bad {
                from: last.len,
                to: last.len,
                header: None,
                unreadable: false,
            };
            self.damage.push((
                BadRange {
                    segment: last.number,
                    bad,
                },
                Some(gap),
            ));
            self.next_seq = durable_seq;
        }
    }
}

/// Where a segment ends according to the one after it.
fn end_by(next: &Survey, number: u64) -> Option<u64> {
    next.header
        .as_ref()
        .filter(|h| h.previous.number == number)
        .map(|h| h.previous.end)
}

/// Lists the segments that were not read, by their first blocks.
fn list_older(
    disk: &dyn Disk,
    dir: &Path,
    numbers: &[u64],
    surveys: &BTreeMap<u64, Survey>,
    catalog: &mut Catalog,
) -> io::Result<()> {
    let Some((&oldest_surveyed, oldest)) = surveys.first_key_value() else {
        return Ok(());
    };
    let mut next = oldest.header.clone();
    for &number in numbers.iter().rev().filter(|n| **n < oldest_surveyed) {
        let file = open_segment(disk, dir, number)?;
        let header = read_header(&*file)
            .unwrap_or(None)
            .filter(|h| h.number == number);
        let known_end = next
            .as_ref()
            .filter(|n| n.previous.number == number)
            .map(|n| (n.previous.end, n.first_seq));
        let segment = match (&header, known_end) {
            (Some(header), Some((end, end_seq))) => Segment {
                number,
                id: Some(header.id),
                first_seq: header.first_seq,
                end_seq,
                end,
                allocated: allocated(disk, dir, number, end),
                phase: Phase::Closed,
            },
            _ => listed(
                disk,
                dir,
                &survey(&file, number, known_end.map(|(end, _)| end))?,
            ),
        };
        catalog.segments.insert(number, segment);
        next = header;
    }
    Ok(())
}

fn list_surveyed(
    disk: &dyn Disk,
    dir: &Path,
    surveys: &BTreeMap<u64, Survey>,
    catalog: &mut Catalog,
) {
    for survey in surveys.values() {
        catalog
            .segments
            .insert(survey.number, listed(disk, dir, survey));
    }
}

fn listed(disk: &dyn Disk, dir: &Path, survey: &Survey) -> Segment {
    let first_seq = survey.first_seq.unwrap_or(1);
    Segment {
        number: survey.number,
        id: survey.id,
        first_seq,
        end_seq: survey.end_seq.unwrap_or(first_seq),
        end: survey.end,
        allocated: allocated(disk, dir, survey.number, survey.len),
        phase: Phase::Closed,
    }
}

fn allocated(disk: &dyn Disk, dir: &Path, number: u64, fallback: u64) -> u64 {
    disk.allocated(&dir.join(file_name(number)))
        .unwrap_or(fallback)
}

fn replay(surveys: &BTreeMap<u64, Survey>) -> State {
    let mut state = State::default();
    for survey in surveys.values() {
        if let Some(snapshot) = &survey.snapshot {
            state = snapshot.clone();
        }
        survey.changes.iter().for_each(|change| state.apply(change));
    }
    state
}

/// The newest seal: of the segments read, else of the newest older one that has it at its end.
fn last_seal(
    disk: &dyn Disk,
    dir: &Path,
    surveys: &BTreeMap<u64, Survey>,
    catalog: &Catalog,
) -> Option<Seal> {
    if let Some(seal) = surveys.values().rev().find_map(|s| s.seal.clone()) {
        return Some(seal);
    }
    let oldest_surveyed = surveys.keys().next()?;
    catalog
        .segments
        .range(..oldest_surveyed)
        .rev()
        .find_map(|(_, segment)| read_seal(disk, dir, segment))
}

/// Reads the footer of a closed segment.
pub(super) fn read_seal(disk: &dyn Disk, dir: &Path, segment: &Segment) -> Option<Seal> {
    use super::frame::HEADER_BYTES;
    use super::segment::SEAL_BYTES;
    let at = segment
        .end
        .checked_sub((HEADER_BYTES + SEAL_BYTES) as u64)?;
    let file = open_segment(disk, dir, segment.number).ok()?;
    let mut scan = Scan::new(file, segment.id, at, OnReadError::Fail);
    match scan.next(segment.end) {
        Ok(Found::Frame(header)) if header.kind == Kind::Seal => Seal::decode(scan.body()),
        _ => None,
    }
}

/// What was found and done when a journal was opened.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Segments in the folder.
    pub segments: usize,
    /// The first sequence still there; equals `next_seq` if there is none.
    pub oldest_seq: Seq,
    /// The sequence of the next event.
    pub next_seq: Seq,
    /// Bytes of an unfinished write that were cut off: nothing in them was acknowledged.
    pub torn_bytes: u64,
    /// Damage found.
    pub damage: Vec<Damage>,
}

/// A damaged range found when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Number of the segment.
    pub segment: u64,
    /// First damaged byte.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
    /// The sequences it cost; `None` if it held no events.
    pub gap: Option<Gap>,
    /// Where the bytes were copied to.
    pub copy: Option<PathBuf>,
}
