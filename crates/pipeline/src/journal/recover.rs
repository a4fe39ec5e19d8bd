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
use super::frame::{self, Hash, Header, Kind};
use super::loss::{self, Gap, GapReason};
use super::mark::Mark;
use super::merkle::Tree;
use super::reader::BadRange;
use super::scan::{Bad, Found, OnReadError, Scan};
use super::segment::{
    Previous, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, file_name, parse_file_name,
};
use super::state::State;
use super::storage::{Disk, DiskFile, Open};
use super::unpack::Unpacker;

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
    /// The last change of every key: a segment may change one thousands of times.
    pub changes: BTreeMap<String, Option<Vec<u8>>>,
    /// Frames that hold entries.
    pub entry_frames: u64,
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
    let len = file.bytes()?;
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
        changes: BTreeMap::new(),
        entry_frames: 0,
    };
    let mut snapshot = Some(State::default());
    let mut unpacker = Unpacker::default();
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
                let raw = unpacker.unpack(&header, scan.body()).ok();
                survey.take(&header, scan.hash(), raw, &mut snapshot);
                survey.end = scan.offset();
            }
        }
    }
    survey.id = survey.id.or(scan.id());
    Ok(survey)
}

impl Survey {
    /// Takes a frame; `raw` is its body unless that cannot be decoded.
    fn take(
        &mut self,
        header: &Header,
        hash: Hash,
        raw: Option<Bytes>,
        snapshot: &mut Option<State>,
    ) {
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
        if self.tree.leaves() == 0 {
            self.first_at_us = header.committed_at_us;
        }
        // Sequences go forward, whatever a frame claims: none is given twice.
        let so_far = self.tip.and(self.end_seq).unwrap_or_default();
        self.end_seq = Some(header.end_seq().max(so_far));
        self.tip = Some(hash);
        self.first_seq.get_or_insert(header.first_seq);
        if header.kind != Kind::Seal {
            self.tree.push(&hash);
            self.last_at_us = header.committed_at_us;
        }
        let Some(raw) = raw else {
            return;
        };
        match header.kind {
            Kind::Seal => self.seal = Seal::decode(&raw),
            Kind::Entries => {
                self.entry_frames += 1;
                if let Ok(entries) = frame::decode_entries(header, raw) {
                    let changes = entries.into_iter().filter_map(|e| e.state);
                    self.changes.extend(changes.map(|c| (c.key, c.value)));
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

    /// Whether a segment below this one is not the one before it: nothing was committed there.
    fn skips(&self, number: u64) -> bool {
        self.header
            .as_ref()
            .is_some_and(|h| h.previous.number < number)
    }

    /// Where the segment before this one ended.
    fn end_of(&self, number: u64) -> Option<u64> {
        self.header
            .as_ref()
            .filter(|h| h.previous.number == number)
            .map(|h| h.previous.end)
    }

    /// Whether a crash before the first sync left nothing here that was ever promised.
    fn is_unused(&self, mark: Option<Mark>) -> bool {
        let was_durable = mark.is_some_and(|m| m.segment >= self.number);
        let unreadable = self.tail.as_ref().is_some_and(|t| t.unreadable);
        self.header.is_none() && self.entry_frames == 0 && !was_durable && !unreadable
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

/// Opens a segment for reading; `None` if it was removed since the folder was listed.
pub(super) fn open_segment(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
) -> io::Result<Option<Arc<dyn DiskFile>>> {
    match disk.open(&dir.join(file_name(number)), Open::Read) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Looks at a journal folder without changing it.
pub(super) fn examine(disk: &dyn Disk, dir: &Path, mark: Option<Mark>) -> io::Result<Examined> {
    let numbers = segment_numbers(disk, dir)?;
    let newest_number = numbers.last().copied().unwrap_or(0);
    let mut unused = Vec::new();
    let mut surveys: BTreeMap<u64, Survey> = BTreeMap::new();
    // From the newest backwards until a snapshot gives the states.
    for &number in numbers.iter().rev() {
        let Some(file) = open_segment(disk, dir, number)? else {
            continue;
        };
        let next = surveys.first_key_value().map(|(_, next)| next);
        if next.is_some_and(|next| next.skips(number)) {
            unused.push(number);
            continue;
        }
        let limit = next.and_then(|next| next.end_of(number));
        let survey = survey(&file, number, limit)?;
        if surveys.is_empty() && survey.is_unused(mark) {
            unused.push(number);
            continue;
        }
        // Header and snapshot became durable together: one without the other is not believed
        // as long as there is an older one.
        let done = survey.snapshot.is_some() && survey.header.is_some();
        surveys.insert(number, survey);
        if done {
            break;
        }
    }
    let state = replay(&surveys);
    let mut catalog = Catalog::default();
    unused.extend(list_older(disk, dir, &numbers, &surveys, &mut catalog)?);
    list_surveyed(disk, dir, &surveys, &mut catalog);
    catalog.gaps = loss::all(&state).into_iter().map(|loss| loss.gap).collect();
    let sealed = last_seal(disk, dir, &surveys, &catalog);
    let next_seq = catalog
        .segments
        .values()
        .map(|s| s.end_seq)
        .max()
        .unwrap_or(1);
    let damage = all_damage(&surveys, next_seq);
    let last = surveys.into_values().next_back();
    let header_root = last
        .as_ref()
        .and_then(|l| l.header.as_ref())
        .map(|h| h.previous.root);
    let root = sealed
        .as_ref()
        .map(|s| s.root)
        .or(header_root)
        .unwrap_or_default();
    let mut examined = Examined {
        catalog,
        state,
        next_number: newest_number.max(mark.map_or(0, |m| m.segment)) + 1,
        next_seq,
        previous: Previous {
            root,
            ..Previous::default()
        },
        sealed,
        torn: None,
        damage,
        unused,
        last,
    };
    examined.judge_tail(mark);
    Ok(examined)
}

/// All damage but the last segment's tail, which may be a torn one.
fn all_damage(surveys: &BTreeMap<u64, Survey>, next_seq: Seq) -> Vec<(BadRange, Option<Gap>)> {
    let mut damage = Vec::new();
    let mut following = surveys.values().skip(1);
    for survey in surveys.values() {
        let range = |bad: &Bad| BadRange {
            segment: survey.number,
            bad: bad.clone(),
        };
        damage.extend(survey.damage.iter().map(|(bad, gap)| (range(bad), *gap)));
        let Some(next) = following.next() else { break };
        if let Some(tail) = &survey.tail {
            let from = survey.end_seq.unwrap_or(next_seq);
            let to = next.first_seq.unwrap_or(next_seq);
            let gap = (from < to).then(|| Gap {
                first_seq: from,
                last_seq: to - 1,
                reason: GapReason::Damaged,
            });
            damage.push((range(tail), gap));
        }
    }
    damage
}

impl Examined {
    /// Decides what the bytes after the last whole frame are, and what the mark says is gone.
    fn judge_tail(&mut self, mark: Option<Mark>) {
        let durable_seq = mark.map_or(0, |m| m.next_seq);
        let Some(last) = &self.last else {
            self.skip_to(durable_seq);
            return;
        };
        let segment = last.number;
        let durable_end = mark.filter(|m| m.segment == segment).map_or(0, |m| m.end);
        match &last.tail {
            Some(tail) if tail.from < durable_end || tail.unreadable => {
                let claimed = tail.header.as_ref().map_or(0, Header::end_seq);
                let end_seq = durable_seq.max(claimed).max(self.next_seq);
                let gap = self.gap_to(end_seq, GapReason::Damaged);
                self.damage.push((
                    BadRange {
                        segment,
                        bad: tail.clone(),
                    },
                    gap,
                ));
                self.next_seq = end_seq;
            }
            Some(tail) => self.torn = Some(tail.clone()),
            None => {}
        }
        // The file ends before the durable mark, or whole segments are gone.
        self.skip_to(durable_seq);
    }

    /// Goes on with this sequence at least; those before it that are not there are missing.
    pub(super) fn skip_to(&mut self, next_seq: Seq) {
        let Some(gap) = self.gap_to(next_seq, GapReason::Missing) else {
            return;
        };
        let (segment, len) = self.last.as_ref().map_or((0, 0), |l| (l.number, l.len));
        let bad = Bad {
            from: len,
            to: len,
            header: None,
            unreadable: false,
        };
        self.damage.push((BadRange { segment, bad }, Some(gap)));
        self.next_seq = next_seq;
    }

    fn gap_to(&self, end_seq: Seq, reason: GapReason) -> Option<Gap> {
        (end_seq > self.next_seq).then(|| Gap {
            first_seq: self.next_seq,
            last_seq: end_seq - 1,
            reason,
        })
    }
}

/// The identity in the newest segment that has a whole header.
pub(super) fn journal_id(disk: &dyn Disk, dir: &Path) -> io::Result<Option<[u8; 16]>> {
    for number in segment_numbers(disk, dir)?.into_iter().rev() {
        if let Some(file) = open_segment(disk, dir, number)?
            && let Some(header) = read_header(&*file)?
        {
            return Ok(Some(header.journal_id));
        }
    }
    Ok(None)
}

/// Lists the segments that were not read, by their first blocks; returns those never used.
fn list_older(
    disk: &dyn Disk,
    dir: &Path,
    numbers: &[u64],
    surveys: &BTreeMap<u64, Survey>,
    catalog: &mut Catalog,
) -> io::Result<Vec<u64>> {
    let mut unused = Vec::new();
    let Some((&oldest_surveyed, oldest)) = surveys.first_key_value() else {
        return Ok(unused);
    };
    let mut next = oldest.header.clone();
    for &number in numbers.iter().rev().filter(|n| **n < oldest_surveyed) {
        if next
            .as_ref()
            .is_some_and(|next| next.previous.number < number)
        {
            unused.push(number);
            continue;
        }
        let Some(file) = open_segment(disk, dir, number)? else {
            continue;
        };
        let header = read_header(&*file)
            .unwrap_or(None)
            .filter(|h| h.number == number);
        let known_end = next
            .as_ref()
            .filter(|n| n.previous.number == number)
            .map(|n| (n.previous.end, n.first_seq));
        let len = file.bytes()?;
        let known_end = known_end.map(|(end, end_seq)| (end.min(len), end_seq));
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
            _ => {
                let survey = survey(&file, number, known_end.map(|(end, _)| end))?;
                listed(
                    disk,
                    dir,
                    &survey,
                    known_end.map_or(1, |(_, end_seq)| end_seq),
                )
            }
        };
        catalog.segments.insert(number, segment);
        next = header;
    }
    Ok(unused)
}

fn list_surveyed(
    disk: &dyn Disk,
    dir: &Path,
    surveys: &BTreeMap<u64, Survey>,
    catalog: &mut Catalog,
) {
    for survey in surveys.values() {
        let end_seq = catalog
            .segments
            .values()
            .map(|s| s.end_seq)
            .max()
            .unwrap_or(1);
        let segment = listed(disk, dir, survey, end_seq);
        catalog.segments.insert(survey.number, segment);
    }
}

/// A segment as it was found; `seq` stands in for sequences that nothing in it tells.
fn listed(disk: &dyn Disk, dir: &Path, survey: &Survey, seq: Seq) -> Segment {
    let first_seq = survey.first_seq.unwrap_or(seq);
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
    let mut first = true;
    for survey in surveys.values() {
        if let Some(snapshot) = &survey.snapshot
            && (survey.header.is_some() || first)
        {
            state = snapshot.clone();
        }
        first = false;
        for (key, value) in &survey.changes {
            state.change(key, value.as_deref());
        }
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
    let file = open_segment(disk, dir, segment.number).ok()??;
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
    /// Bytes behind the last whole frame that were cut off: an unfinished write. A frame that was
    /// acknowledged in the last 100 ms before a power cut and then damaged looks the same, because
    /// the durable mark is synced that often.
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
