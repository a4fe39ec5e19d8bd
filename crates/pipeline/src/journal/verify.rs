//! Proves a journal folder: every checksum, every link of the hash chain, every seal.
//!
//! What it cannot see alone is a folder that was cut back and signed anew with the key that
//! lies in it: for that, compare the roots in the report with those that left through the sinks.
//! Nor what was rewritten behind the last seal: that is a segment at most, while a service runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Seq;
use super::frame::{Hash, Header, Kind};
use super::keys::{self, PublicKey};
use super::loss::{self, GapReason, Loss};
use super::mark::{self, Mark};
use super::merkle::Tree;
use super::open::{self, LOCK_FILE, OpenError};
use super::recover::{self, open_segment, read_header, segment_numbers};
use super::scan::{Bad, Found, OnReadError, Scan};
use super::segment::{SEGMENT_HEADER_BYTES, Seal, SegmentHeader};
use super::shared::KEYS_DIR;
use super::storage::{Disk, DiskFile};

/// What a proof found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The segments, in order.
    pub segments: Vec<SegmentReport>,
    /// What is wrong, in the journal's order.
    pub problems: Vec<Problem>,
    /// What the journal itself says is gone, by sequence.
    pub losses: Vec<Loss>,
    /// The key that seals had to be signed with; `None` if there was none to compare with.
    pub public_key: Option<PublicKey>,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }

    /// The first altered range.
    pub fn first_problem(&self) -> Option<&Problem> {
        self.problems.first()
    }
}

/// One segment of a report.
#[derive(Debug, Clone)]
pub struct SegmentReport {
    /// Its number.
    pub number: u64,
    /// Sequence of its first event.
    pub first_seq: Seq,
    /// The sequence after its last event.
    pub end_seq: Seq,
    /// Whole frames in it, its seal not counted.
    pub frames: u64,
    /// Its seal; `None` if it is being written, or its run died or its disk failed before it was sealed.
    pub seal: Option<Seal>,
}

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Number of the segment.
    pub segment: u64,
    /// Position of the frame among the segment's frames, from 0, where it is known.
    pub frame: Option<u64>,
    /// The bytes concerned.
    pub bytes: (u64, u64),
    /// The sequences concerned: first and the one after the last; equal if there are none.
    pub sequences: (Seq, Seq),
    /// What it is.
    pub what: Alteration,
}

/// What is wrong with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Checksums fail; the journal noticed and recorded it.
    DamagedOnRecord,
    /// Checksums fail.
    Damaged,
    /// Checksums hold, but it is not the frame that the next one was written after.
    Replaced,
    /// The segment's first block is damaged.
    HeaderDamaged,
    /// The segment does not begin where the one before it ended.
    NotContinued,
    /// A whole segment is gone.
    SegmentMissing,
    /// Frames that were durable are gone from the end.
    CutOff,
    /// What was removed at the front is on no record.
    RemovedWithoutRecord,
    /// The frames are not those under the signed root.
    RootDiffers,
    /// The seal's signature is wrong.
    SignatureWrong,
    /// The seal is signed, but with another key.
    OtherKey,
    /// No seal vouches for the segment: it has none, and none after it that links to it.
    Unsealed,
    /// A record of a loss has a wrong signature, another key's, or is another journal's.
    LossForged,
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alteration::DamagedOnRecord => "damaged, as the journal recorded",
            Alteration::Damaged => "damaged",
            Alteration::Replaced => {
                "replaced: the frame after it was not written after these bytes"
            }
            Alteration::HeaderDamaged => "segment header is damaged",
            Alteration::NotContinued => "segment does not continue the one before it",
            Alteration::SegmentMissing => "segment is missing",
            Alteration::CutOff => "durable frames are cut off",
            Alteration::RemovedWithoutRecord => "removed without a record",
            Alteration::RootDiffers => "frames are not those of the signed root",
            Alteration::SignatureWrong => "seal's signature is wrong",
            Alteration::OtherKey => "sealed with another key",
            Alteration::Unsealed => "no seal vouches for it",
            Alteration::LossForged => "record of a loss is not signed by this journal",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {:016x}", self.segment)?;
        if let Some(frame) = self.frame {
            write!(f, ", frame {frame}")?;
        }
        let (from, to) = self.bytes;
        if from < to {
            write!(f, ", bytes {from} to {}", to - 1)?;
        }
        let (first, end) = self.sequences;
        if first < end {
            write!(f, ", sequences {first} to {}", end - 1)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Proves a folder, with the public key that lies in it.
pub(super) fn verify(
    disk: &dyn Disk,
    dir: PathBuf,
    trusted: Option<PublicKey>,
) -> Result<Report, OpenError> {
    let dir_name = dir.display().to_string();
    let Some(journal_id) = open::read_version(disk, &dir)? else {
        return Err(OpenError::NotAJournal { dir: dir_name });
    };
    let to_error = |source| OpenError::Io {
        dir: dir_name.clone(),
        source,
    };
    let public_key = trusted.or_else(|| keys::read_public_key(disk, &dir.join(KEYS_DIR)));
    let is_running = disk.is_locked(&dir.join(LOCK_FILE)).map_err(to_error)?;
    let mark = mark::read(disk, &dir).map_err(to_error)?;
    let examined = recover::examine(disk, &dir, mark).map_err(to_error)?;
    let report = Report {
        segments: Vec::new(),
        problems: Vec::new(),
        losses: loss::all_with_aside(disk, &dir, &examined.state).map_err(to_error)?,
        public_key,
    };
    let mut prover = Prover {
        disk,
        dir: &dir,
        journal_id,
        mark,
        report,
        before: None,
        root: None,
        unsealed: Vec::new(),
    };
    let mut numbers = segment_numbers(disk, &dir).map_err(to_error)?;
    numbers.retain(|number| !examined.unused.contains(number));
    if is_running {
        // Behind the mark the service is writing.
        numbers.retain(|number| mark.is_some_and(|mark| *number <= mark.segment));
    }
    for (i, &number) in numbers.iter().enumerate() {
        let next = numbers.get(i + 1).copied();
        prover.segment(number, next, is_running).map_err(to_error)?;
    }
    prover.ending();
    prover.seals();
    prover.losses();
    prover
        .report
        .losses
        .retain(|loss| loss.gap.reason != GapReason::Delivered);
    prover.report.losses.sort_by_key(|loss| loss.gap.first_seq);
    Ok(prover.report)
}

struct Prover<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    journal_id: [u8; 16],
    mark: Option<Mark>,
    report: Report,
    before: Option<Before>,
    /// The last sealed root; unknown before the first segment.
    root: Option<Hash>,
    /// Segments that a later seal may still vouch for, with their sequences.
    unsealed: Vec<(u64, (Seq, Seq))>,
}

/// Where the segment before ended.
struct Before {
    number: u64,
    end: u64,
    end_seq: Seq,
    tip: Option<Hash>,
}

/// What is known of a segment from outside it.
struct Place {
    number: u64,
    end: u64,
    /// The sequence after its last event.
    end_seq: Option<Seq>,
    is_newest: bool,
}

/// A walk through one segment.
struct Walk {
    number: u64,
    scan: Scan,
    tree: Tree,
    /// What the next frame must have been written after; unknown after damage.
    tip: Option<Hash>,
    /// The frame before, for naming it when the next one does not link to it.
    last: Option<(u64, u64, u64, Seq, Seq)>,
    next_seq: Seq,
    seal: Option<(Seal, u64)>,
}

impl Prover<'_> {
    fn complain(
        &mut self,
        segment: u64,
        bytes: (u64, u64),
        sequences: (Seq, Seq),
        what: Alteration,
    ) {
        self.report.problems.push(Problem {
            segment,
            frame: None,
            bytes,
            sequences,
            what,
        });
    }

    fn segment(&mut self, number: u64, next: Option<u64>, is_running: bool) -> io::Result<()> {
        let Some(file) = open_segment(self.disk, self.dir, number)? else {
            return Ok(());
        };
        let len = file.bytes()?;
        let header =
            read_header(&*file)?.filter(|h| h.number == number && h.journal_id == self.journal_id);
        match &header {
            None => self.complain(
                number,
                (0, SEGMENT_HEADER_BYTES as u64),
                (0, 0),
                Alteration::HeaderDamaged,
            ),
            Some(header) => self.beginning(header),
        }
        let place = self.place(number, next, len, is_running)?;
        let end = place.end;
        let walk = self.walk(file, header.as_ref(), &place)?;
        let first_seq = header.as_ref().map_or(walk.next_seq, |h| h.first_seq);
        self.unsealed.push((number, (first_seq, walk.next_seq)));
        self.judge_seal(&walk);
        if let Some((seal, _)) = &walk.seal {
            self.root = Some(seal.root);
            // The chain binds what is before a sealed frame to it. Where it is broken or its seal
            // is a wrong one, that is told already.
            self.unsealed.clear();
        }
        self.report.segments.push(SegmentReport {
            number,
            first_seq,
            end_seq: walk.next_seq,
            frames: walk.tree.leaves(),
            seal: walk.seal.map(|(seal, _)| seal),
        });
        self.before = Some(Before {
            number,
            end,
            end_seq: walk.next_seq,
            tip: walk.tip,
        });
        Ok(())
    }

    /// Where a segment ends according to the one after it, or else to the durable mark.
    fn place(
        &self,
        number: u64,
        next: Option<u64>,
        len: u64,
        is_running: bool,
    ) -> io::Result<Place> {
        let mark = self.mark.filter(|m| m.segment == number);
        let newest = Place {
            number,
            end: mark.filter(|_| is_running).map_or(len, |m| m.end.min(len)),
            end_seq: mark.map(|m| m.next_seq),
            is_newest: next.is_none(),
        };
        let Some(file) = next
            .map(|next| open_segment(self.disk, self.dir, next))
            .transpose()?
            .flatten()
        else {
            return Ok(newest);
        };
        let header = read_header(&*file)?.filter(|h| h.previous.number == number);
        Ok(header.map_or(newest, |h| Place {
            number,
            end: h.previous.end.min(len),
            end_seq: Some(h.first_seq),
            is_newest: false,
        }))
    }

    /// Compares what a segment says was before it with what is there.
    fn beginning(&mut self, header: &SegmentHeader) {
        let previous = &header.previous;
        let Some(before) = &self.before else {
            self.root = Some(previous.root);
            if let Some(from) = self.removed_without_record(header.first_seq) {
                let gone = (from, header.first_seq);
                self.complain(
                    header.number,
                    (0, 0),
                    gone,
                    Alteration::RemovedWithoutRecord,
                );
            }
            return;
        };
        let (number, end, end_seq, tip) = (before.number, before.end, before.end_seq, before.tip);
        if previous.number > number {
            let gone = (end_seq, header.first_seq);
            self.complain(previous.number, (0, 0), gone, Alteration::SegmentMissing);
            return;
        }
        if previous.end > end {
            self.complain(
                number,
                (end, previous.end),
                (end_seq, header.first_seq),
                Alteration::CutOff,
            );
        } else if previous.number < number || tip.is_some_and(|tip| tip != previous.hash) {
            self.complain(
                header.number,
                (0, SEGMENT_HEADER_BYTES as u64),
                (0, 0),
                Alteration::NotContinued,
            );
        } else if self.report.problems.is_empty()
            && self.root.is_some_and(|root| root != previous.root)
        {
            // The header names a seal that is not there any more.
            self.complain(
                header.number,
                (0, SEGMENT_HEADER_BYTES as u64),
                (0, 0),
                Alteration::NotContinued,
            );
        }
    }

    /// The first sequence below `first_seq` that is on no record as gone.
    fn removed_without_record(&self, first_seq: Seq) -> Option<Seq> {
        let mut gaps: Vec<_> = self.report.losses.iter().map(|loss| loss.gap).collect();
        gaps.sort_by_key(|gap| gap.first_seq);
        let mut covered_to = 1;
        for gap in gaps {
            if gap.first_seq > covered_to {
                break;
            }
            covered_to = covered_to.max(gap.last_seq + 1);
        }
        (covered_to < first_seq).then_some(covered_to)
    }

    fn walk(
        &mut self,
        file: Arc<dyn DiskFile>,
        header: Option<&SegmentHeader>,
        place: &Place,
    ) -> io::Result<Walk> {
        let start = SEGMENT_HEADER_BYTES as u64;
        let before_seq = self.before.as_ref().map_or(1, |b| b.end_seq);
        let mut walk = Walk {
            number: place.number,
            scan: Scan::new(file, header.map(|h| h.id), start, OnReadError::Skip),
            tree: Tree::default(),
            tip: header.map(|h| h.previous.hash),
            last: None,
            next_seq: header.map_or(before_seq, |h| h.first_seq),
            seal: None,
        };
        loop {
            let from = walk.scan.offset();
            match walk.scan.next(place.end)? {
                Found::End => return Ok(walk),
                Found::Frame(header) => self.frame(&mut walk, from, &header),
                Found::Damage(bad) => self.damage(&mut walk, &bad),
                Found::Tail(bad) => {
                    if !self.is_torn(place, &bad) {
                        self.damage(&mut walk, &bad);
                        if let Some(end_seq) = place.end_seq.filter(|end| *end > walk.next_seq) {
                            self.name_damage(walk.number, (walk.next_seq, end_seq));
                            walk.next_seq = end_seq;
                        }
                    }
                    return Ok(walk);
                }
            }
        }
    }

    /// Whether the end of the newest segment is a write that a crash cut short.
    fn is_torn(&self, place: &Place, bad: &Bad) -> bool {
        let durable = self.mark.is_some_and(|m| {
            m.segment > place.number || (m.segment == place.number && bad.from < m.end)
        });
        place.is_newest && !durable
    }

    fn frame(&mut self, walk: &mut Walk, from: u64, header: &Header) {
        if walk.tip.is_some_and(|tip| tip != header.previous_hash) {
            let (frame, bytes, sequences) = match walk.last {
                Some((frame, from, to, first, end)) => (Some(frame), (from, to), (first, end)),
                None => (None, (0, SEGMENT_HEADER_BYTES as u64), (0, 0)),
            };
            let what = Alteration::Replaced;
            self.report.problems.push(Problem {
                segment: walk.number,
                frame,
                bytes,
                sequences,
                what,
            });
        }
        if walk.tip.is_none() && header.first_seq > walk.next_seq {
            self.name_damage(walk.number, (walk.next_seq, header.first_seq));
        }
        let hash = walk.scan.hash();
        walk.tip = Some(hash);
        walk.last = Some((
            walk.tree.leaves(),
            from,
            walk.scan.offset(),
            header.first_seq,
            header.end_seq(),
        ));
        walk.next_seq = header.end_seq();
        if header.kind == Kind::Seal {
            walk.seal = Seal::decode(walk.scan.body()).map(|seal| (seal, from));
        } else {
            walk.tree.push(&hash);
        }
    }

    fn damage(&mut self, walk: &mut Walk, bad: &Bad) {
        let sequences = bad
            .header
            .as_ref()
            .map_or((walk.next_seq, walk.next_seq), |h| {
                (h.first_seq, h.end_seq())
            });
        let frame = Some(walk.tree.leaves());
        let what = self.damage_kind(sequences);
        let bytes = (bad.from, bad.to);
        self.report.problems.push(Problem {
            segment: walk.number,
            frame,
            bytes,
            sequences,
            what,
        });
        walk.tip = None;
    }

    /// Gives damage whose own header is lost the sequences that the frame after it leaves open.
    fn name_damage(&mut self, segment: u64, sequences: (Seq, Seq)) {
        let what = self.damage_kind(sequences);
        let problem = self
            .report
            .problems
            .iter_mut()
            .rev()
            .find(|p| p.segment == segment);
        if let Some(problem) = problem {
            problem.sequences = sequences;
            problem.what = what;
        }
    }

    fn damage_kind(&self, (first, end): (Seq, Seq)) -> Alteration {
        let on_record = self
            .report
            .losses
            .iter()
            .any(|l| l.gap.first_seq <= first && end <= l.gap.last_seq + 1);
        if on_record && first < end {
            Alteration::DamagedOnRecord
        } else {
            Alteration::Damaged
        }
    }

    fn judge_seal(&mut self, walk: &Walk) {
        let Some((seal, at)) = &walk.seal else { return };
        let bytes = (*at, walk.scan.offset());
        let whole = (seal.first_seq, seal.end_seq);
        let fits = seal.segment == walk.number
            && seal.journal_id == self.journal_id
            && seal.frames == walk.tree.leaves();
        let follows = self.root.is_none_or(|root| root == seal.previous_root);
        if !seal.is_signed() {
            self.complain(walk.number, bytes, whole, Alteration::SignatureWrong);
        } else if self
            .report
            .public_key
            .is_some_and(|key| key != seal.public_key)
        {
            self.complain(walk.number, bytes, whole, Alteration::OtherKey);
        } else if !fits || !follows || seal.root != walk.tree.root() {
            // Damage found before says already why.
            let known = self
                .report
                .problems
                .iter()
                .any(|p| p.segment == walk.number);
            if !known {
                self.complain(walk.number, bytes, whole, Alteration::RootDiffers);
            }
        }
    }

    /// Names what no seal vouches for, but the newest segment: that one is being written, or its
    /// run died.
    fn seals(&mut self) {
        let newest = self.before.as_ref().map(|before| before.number);
        for (number, sequences) in std::mem::take(&mut self.unsealed) {
            if Some(number) != newest {
                self.complain(number, (0, 0), sequences, Alteration::Unsealed);
            }
        }
    }

    /// Compares the end with the durable mark.
    fn ending(&mut self) {
        let Some(mark) = self.mark else { return };
        let (number, end, end_seq) = self
            .before
            .as_ref()
            .map_or((0, 0, 1), |b| (b.number, b.end, b.end_seq));
        let known = self
            .report
            .problems
            .iter()
            .any(|p| p.segment == number && p.bytes.1 >= end);
        let gone = mark.segment > number || (mark.segment == number && mark.end > end);
        if gone && !known {
            let bytes = if mark.segment == number {
                (end, mark.end)
            } else {
                (0, mark.end)
            };
            self.complain(
                mark.segment,
                bytes,
                (end_seq, mark.next_seq.max(end_seq)),
                Alteration::CutOff,
            );
        }
    }

    fn is_own(&self, loss: &Loss) -> bool {
        let key = self.report.public_key;
        loss.is_signed()
            && loss.journal_id == self.journal_id
            && key.is_none_or(|key| key == loss.public_key)
    }

    fn losses(&mut self) {
        let forged: Vec<Loss> = self
            .report
            .losses
            .iter()
            .filter(|l| !self.is_own(l))
            .cloned()
            .collect();
        for loss in forged {
            self.complain(
                0,
                (0, 0),
                (loss.gap.first_seq, loss.gap.last_seq + 1),
                Alteration::LossForged,
            );
        }
    }
}
