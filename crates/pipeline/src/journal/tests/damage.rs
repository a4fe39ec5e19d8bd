//! What one flipped bit, a cut or a forgery costs: its own frame, named, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::catalog::lock;
use super::super::frame::{Hash, Header, Kind};
use super::super::log::Log;
use super::super::mark::MARK_FILE;
use super::super::scan::{Found, OnReadError, Scan};
use super::super::segment::{Previous, SEGMENT_HEADER_BYTES, SegmentHeader, file_name};
use super::super::storage::{Disk, Memory, Open};
use super::super::*;
use super::super::{offline::Alteration, open};
use super::faults::Faulty;

pub(super) const DIR: &str = "/journal";
const FRAMES: u64 = 60;

pub(super) fn options() -> JournalOptions {
    JournalOptions {
        segment_bytes: 8 << 10,
        quota_bytes: 64 << 20,
        ..JournalOptions::new(DIR)
    }
}

fn opened(disk: &Memory) -> (Log, Recovery) {
    let opened = open::open(Arc::new(disk.clone()), options(), 1).unwrap();
    (opened.log, opened.recovery)
}

/// Frame `i` holds two entries of two events, the second with a bookmark.
fn write(log: &mut Log, i: u64) {
    let body = |part: u64| -> Vec<u8> {
        let noise =
            (0..200 + (i * 37) % 400).map(|k| (k * 7919 + i * 31 + part) as u8 ^ (k >> 3) as u8);
        format!("{i}/{part} ")
            .into_bytes()
            .into_iter()
            .chain(noise)
            .collect()
    };
    let first = Entry {
        body: body(0),
        events: 2,
        state: None,
    };
    let change = StateChange {
        key: format!("host{}", i % 5),
        value: Some(format!("mark {i}").into_bytes()),
    };
    let second = Entry {
        body: body(1),
        events: 2,
        state: Some(change),
    };
    let seq = log
        .commit(
            &[(&first, Origin::Source), (&second, Origin::Source)],
            i as i64,
        )
        .unwrap();
    assert_eq!(seq, 1 + 4 * i);
}

/// A journal of several segments whose run was killed: the last one has no seal.
pub(super) fn killed() -> Memory {
    let disk = Memory::default();
    let (mut log, _) = opened(&disk);
    (0..FRAMES).for_each(|i| write(&mut log, i));
    disk.copy()
}

pub(super) fn segment_path(number: u64) -> PathBuf {
    Path::new(DIR).join(file_name(number))
}

/// Every frame of every segment: (segment, first byte, byte after, header).
pub(super) fn frames(disk: &Memory) -> Vec<(u64, u64, u64, Header)> {
    let mut frames = Vec::new();
    for number in 1.. {
        let Some(contents) = disk.contents(&segment_path(number)) else {
            break;
        };
        let file = disk.open(&segment_path(number), Open::Read).unwrap();
        let mut scan = Scan::new(file, None, SEGMENT_HEADER_BYTES as u64, OnReadError::Fail);
        let mut from = scan.offset();
        while let Found::Frame(header) = scan.next(contents.len() as u64).unwrap() {
            frames.push((number, from, scan.offset(), header));
            from = scan.offset();
        }
    }
    frames
}

type Held = BTreeMap<Seq, (u32, Vec<u8>)>;

/// What a reader without a service gets, and the gaps it was told of.
fn read(disk: &Memory) -> (Held, Vec<Gap>) {
    let mut held = Held::new();
    let mut gaps = Vec::new();
    for frame in offline::read_on(Arc::new(disk.clone()), DIR, 0).unwrap() {
        let frame = frame.unwrap();
        gaps.extend(frame.gap);
        held.extend(
            frame
                .entries
                .into_iter()
                .map(|e| (e.first_seq, (e.events, e.body.to_vec()))),
        );
    }
    (held, gaps)
}

fn flip(disk: &Memory, number: u64, offset: usize, bit: u8) {
    let mut contents = disk.contents(&segment_path(number)).unwrap();
    contents[offset] ^= 1 << bit;
    disk.put(&segment_path(number), contents);
}

/// Opens the journal as the service does and checks that it holds all but the hit frame's
/// events, says which those are, keeps the bytes, and goes on.
fn check_after_flip(disk: &Memory, whole: &Held, hit: Option<&(u64, u64, u64, Header)>) {
    let lost = hit
        .filter(|(_, _, _, header)| header.events > 0)
        .map(|(_, _, _, h)| (h.first_seq, h.end_seq()));
    let mut expected = whole.clone();
    if let Some((first, end)) = lost {
        expected.retain(|seq, _| !(first..end).contains(seq));
    }
    let report = offline::verify_on(disk, DIR).unwrap();
    let problem = report.first_problem().expect("a flipped bit is noticed");
    if let Some((segment, from, to, header)) = hit {
        assert_eq!(problem.segment, *segment);
        assert!(
            problem.bytes.0 <= *from && *to <= problem.bytes.1,
            "{problem}"
        );
        if header.events > 0 {
            assert_eq!(
                problem.sequences,
                (header.first_seq, header.end_seq()),
                "{problem}"
            );
        }
    }
    let (mut log, _) = opened(disk);
    assert_eq!(log.next_seq, 1 + 4 * FRAMES);
    write(&mut log, FRAMES);
    let (held, gaps) = read(&disk.copy());
    expected.extend(held.range(1 + 4 * FRAMES..).map(|(k, v)| (*k, v.clone())));
    assert_eq!(
        held.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    assert_eq!(held, expected);
    let named: Vec<(Seq, Seq)> = gaps.iter().map(|g| (g.first_seq, g.last_seq + 1)).collect();
    assert_eq!(named, Vec::from_iter(lost));
    assert!(gaps.iter().all(|g| g.reason == GapReason::Damaged));
    let state = lock(&log.shared.state);
    for host in 0..5_u64 {
        let newest = (0..=FRAMES).rev().find(|i| {
            let frame = 1 + 4 * i;
            i % 5 == host && lost.is_none_or(|(first, end)| !(first..end).contains(&frame))
        });
        let value = String::from_utf8(state.get(&format!("host{host}")).unwrap().to_vec()).unwrap();
        let newest = format!("mark {}", newest.unwrap());
        // Damage in an older segment does not reach the states: later snapshots have them.
        let untouched = (0..=FRAMES)
            .rev()
            .find(|i| i % 5 == host)
            .map(|i| format!("mark {i}"));
        assert!(value == newest || Some(value) == untouched);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn one_flipped_bit_costs_its_own_frame_and_names_it(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let disk = killed();
        let frames = frames(&disk);
        let (whole, _) = read(&disk);
        let sizes: Vec<(u64, u64)> = (1..).map_while(|n| Some((n, disk.contents(&segment_path(n))?.len() as u64))).collect();
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        let mut offset = at.index(total as usize) as u64;
        let number = sizes.iter().find(|(_, size)| if offset < *size { true } else { offset -= size; false }).unwrap().0;
        let hit = frames.iter().find(|(n, from, to, _)| *n == number && (*from..*to).contains(&offset));
        // Zeros behind the fields of a segment's header are covered by its checksum too.
        flip(&disk, number, offset as usize, bit);
        check_after_flip(&disk, &whole, hit);
    }

    #[test]
    fn any_prefix_of_a_crashed_file_holds_exactly_its_whole_frames(at in any::<prop::sample::Index>()) {
        let disk = killed();
        let frames = frames(&disk);
        let (whole, _) = read(&disk);
        let (last, ..) = frames.last().unwrap();
        let mut contents = disk.contents(&segment_path(*last)).unwrap();
        let cut = at.index(contents.len() + 1);
        contents.truncate(cut);
        disk.put(&segment_path(*last), contents);
        // No mark: as if these frames had never been acknowledged.
        disk.put(&Path::new(DIR).join(MARK_FILE), Vec::new());
        let kept = frames.iter().filter(|(n, _, to, h)| h.kind == Kind::Entries && (n < last || *to <= cut as u64));
        let next_seq = kept.map(|(_, _, _, h)| h.end_seq()).max().unwrap();
        let expected: Held = whole.range(..next_seq).map(|(k, v)| (*k, v.clone())).collect();
        prop_assert_eq!(read(&disk), (expected.clone(), vec![]));
        prop_assert!(offline::verify_on(&disk, DIR).unwrap().is_intact());
        let (mut log, recovery) = opened(&disk);
        prop_assert_eq!(recovery.next_seq, next_seq);
        prop_assert!(recovery.damage.is_empty());
        write_at(&mut log, next_seq);
        let (held, gaps) = read(&disk.copy());
        prop_assert_eq!(held.range(..next_seq).map(|(k, v)| (*k, v.clone())).collect::<Held>(), expected);
        prop_assert_eq!((held.len(), gaps), (next_seq as usize / 2 + 1, vec![]));
        log.close(9);
        prop_assert!(offline::verify_on(&disk, DIR).unwrap().is_intact());
    }

    #[test]
    fn garbage_behind_the_last_frame_is_a_torn_tail(garbage in prop::collection::vec(any::<u8>(), 1..300)) {
        let disk = killed();
        let (whole, _) = read(&disk);
        let (last, ..) = frames(&disk).pop().unwrap();
        let mut contents = disk.contents(&segment_path(last)).unwrap();
        contents.extend_from_slice(&garbage);
        disk.put(&segment_path(last), contents);
        prop_assert!(offline::verify_on(&disk, DIR).unwrap().is_intact());
        let (_, recovery) = opened(&disk);
        prop_assert_eq!(recovery.torn_bytes, garbage.len() as u64);
        prop_assert!(recovery.damage.is_empty());
        prop_assert_eq!(read(&disk.copy()).0, whole);
    }
}

fn write_at(log: &mut Log, seq: Seq) {
    let entry = Entry {
        body: b"after".to_vec(),
        events: 1,
        state: None,
    };
    assert_eq!(log.commit(&[(&entry, Origin::Source)], 5).unwrap(), seq);
}

/// Acknowledged frames that are gone below the durable mark are missed, not forgotten.
#[test]
fn a_cut_below_the_durable_mark_is_named() {
    let disk = killed();
    let frames = frames(&disk);
    let (last, from, _, header) = frames.last().unwrap().clone();
    let mut contents = disk.contents(&segment_path(last)).unwrap();
    contents.truncate(from as usize);
    disk.put(&segment_path(last), contents);
    let report = offline::verify_on(&disk, DIR).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].what, Alteration::CutOff);
    assert_eq!(
        report.problems[0].sequences,
        (header.first_seq, header.end_seq())
    );
    let (mut log, recovery) = opened(&disk);
    assert_eq!(recovery.next_seq, header.end_seq());
    let gap = Gap {
        first_seq: header.first_seq,
        last_seq: header.end_seq() - 1,
        reason: GapReason::Missing,
    };
    assert_eq!(recovery.damage[0].gap, Some(gap));
    write_at(&mut log, header.end_seq());
    assert_eq!(read(&disk.copy()).1, [gap]);
}

/// The disk says that the last acknowledged frame is bad: damage, because the mark was behind it.
#[test]
fn a_bad_frame_below_the_durable_mark_is_damage_and_its_bytes_are_kept() {
    let disk = killed();
    let (last, from, to, header) = frames(&disk).pop().unwrap();
    flip(&disk, last, to as usize - 1, 3);
    let bytes = disk.contents(&segment_path(last)).unwrap()[from as usize..to as usize].to_vec();
    let (mut log, recovery) = opened(&disk);
    let damage = &recovery.damage[0];
    assert_eq!((damage.segment, damage.from, damage.to), (last, from, to));
    assert_eq!(damage.gap.unwrap().first_seq, header.first_seq);
    assert_eq!(disk.contents(damage.copy.as_ref().unwrap()).unwrap(), bytes);
    write_at(&mut log, header.end_seq());
    let losses = loss::all(&lock(&log.shared.state));
    assert_eq!(losses.len(), 1);
    assert!(losses[0].is_signed());
    log.close(9);
    let report = offline::verify_on(&disk, DIR).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert_eq!(report.problems[0].what, Alteration::DamagedOnRecord);
}

/// Whoever rewrites a frame with right checksums still breaks the chain and the signed root.
#[test]
fn a_forged_frame_is_found_by_the_frame_after_it() {
    let disk = killed();
    let (mut log, _) = opened(&disk);
    log.close(3);
    let (number, from, to, header) = frames(&disk)
        .into_iter()
        .find(|(n, _, _, h)| *n == 2 && h.kind == Kind::Entries)
        .unwrap();
    let mut contents = disk.contents(&segment_path(number)).unwrap();
    let body_at = from as usize + frame::HEADER_BYTES;
    contents[to as usize - 1] ^= 1;
    let forged = Header {
        body_crc: crc32c::crc32c(&contents[body_at..to as usize]),
        ..header.clone()
    };
    contents[from as usize..body_at].copy_from_slice(&forged.encode());
    disk.put(&segment_path(number), contents);
    let report = offline::verify_on(&disk, DIR).unwrap();
    let problem = report.first_problem().unwrap();
    assert_eq!(problem.what, Alteration::Replaced);
    assert_eq!((problem.segment, problem.bytes), (number, (from, to)));
    assert_eq!(problem.sequences, (header.first_seq, header.end_seq()));
}

#[test]
fn an_untouched_folder_is_proved_with_all_its_seals() {
    let disk = killed();
    let (mut log, _) = opened(&disk);
    log.close(3);
    let report = offline::verify_on(&disk, DIR).unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
    assert!(report.segments.len() > 3);
    assert!(report.segments.iter().all(|s| s.seal.is_some()));
    assert_eq!(
        report.segments.last().unwrap().seal.as_ref().unwrap().by,
        SealedBy::Recovery
    );
}

/// A missing segment, a removed front and a foreign key each have their name.
#[test]
fn removals_and_foreign_keys_are_found() {
    let gone = |number: u64| {
        let disk = killed();
        disk.remove(&segment_path(number)).unwrap();
        offline::verify_on(&disk, DIR)
            .unwrap()
            .problems
            .first()
            .map(|p| p.what)
    };
    assert_eq!(gone(1), Some(Alteration::RemovedWithoutRecord));
    assert_eq!(gone(2), Some(Alteration::SegmentMissing));
    let disk = killed();
    disk.put(
        &Path::new(DIR).join("keys/journal.pub"),
        "ab".repeat(32).into_bytes(),
    );
    let report = offline::verify_on(&disk, DIR).unwrap();
    assert_eq!(report.first_problem().unwrap().what, Alteration::OtherKey);
}

/// Writes every frame again, chained but without seals: what anybody can do who has no key.
fn strip_seals(disk: &Memory) {
    let all = frames(disk);
    let last = all.last().unwrap().0;
    let mut previous = Previous::default();
    let mut tip = Hash::default();
    for number in 1..=last {
        let old = disk.contents(&segment_path(number)).unwrap();
        let block: [u8; SEGMENT_HEADER_BYTES] = old[..SEGMENT_HEADER_BYTES].try_into().unwrap();
        let mut header = SegmentHeader::decode(&block).unwrap();
        header.previous = previous;
        let mut new = header.encode().to_vec();
        let kept = all
            .iter()
            .filter(|(n, _, _, h)| *n == number && h.kind != Kind::Seal);
        for (_, from, to, frame) in kept {
            let body = &old[*from as usize + frame::HEADER_BYTES..*to as usize];
            let relinked = Header {
                previous_hash: tip,
                ..frame.clone()
            };
            tip = frame::hash(&relinked.encode(), body);
            new.extend_from_slice(&relinked.encode());
            new.extend_from_slice(body);
        }
        previous = Previous {
            number,
            id: header.id,
            end: new.len() as u64,
            hash: tip,
            root: Hash::default(),
        };
        disk.put(&segment_path(number), new);
    }
    disk.remove(&Path::new(DIR).join(MARK_FILE)).unwrap();
}

#[test]
fn a_journal_rewritten_without_seals_is_found_out() {
    let disk = killed();
    strip_seals(&disk);
    let problems = offline::verify_on(&disk, DIR).unwrap().problems;
    let segments = frames(&disk).last().unwrap().0;
    let unsealed: Vec<u64> = problems.iter().map(|problem| problem.segment).collect();
    assert!(
        problems.iter().all(|p| p.what == Alteration::Unsealed),
        "{problems:?}"
    );
    assert_eq!(unsealed, Vec::from_iter(1..segments));
}

/// A later seal vouches for a segment that has none, because the chain leads there.
#[test]
fn a_segment_whose_disk_failed_is_vouched_for_by_the_next_seal() {
    let disk = Faulty::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut log = open::open(shared, options(), 1).unwrap().log;
    write(&mut log, 0);
    disk.fail_sync(&file_name(1));
    write(&mut log, 1);
    write(&mut log, 2);
    let found = |log: &Log| {
        let disk = &*log.shared.disk;
        offline::verify_on(disk, DIR).unwrap()
    };
    let before = found(&log);
    assert_eq!(before.problems.len(), 1, "{:?}", before.problems);
    assert_eq!(before.problems[0].what, Alteration::Unsealed);
    log.close(3);
    let after = found(&log);
    assert!(after.is_intact(), "{:?}", after.problems);
    assert_eq!(after.segments[0].seal, None);
}

/// A record that covers the end of a removed front says nothing of its beginning, and one of
/// another journal's nothing at all.
#[test]
fn a_removed_front_needs_a_record_of_all_of_it_and_of_this_journal() {
    let problems = |first_seq, journal_id: Option<[u8; 16]>| {
        let disk = killed();
        let (mut log, _) = opened(&disk);
        let last_seq = lock(&log.shared.catalog).segments[&3].first_seq - 1;
        let gap = Gap {
            first_seq,
            last_seq,
            reason: GapReason::Delivered,
        };
        let id = journal_id.unwrap_or(log.shared.journal_id);
        let loss = Loss::new(gap, 5, id, &log.shared.signer);
        lock(&log.shared.state).set(&loss.key(), &loss.encode());
        write(&mut log, FRAMES);
        log.close(6);
        disk.remove(&segment_path(1)).unwrap();
        disk.remove(&segment_path(2)).unwrap();
        let report = offline::verify_on(&disk, DIR).unwrap();
        report.problems.iter().map(|p| p.what).collect::<Vec<_>>()
    };
    assert_eq!(problems(1, None), []);
    assert_eq!(problems(5, None), [Alteration::RemovedWithoutRecord]);
    assert_eq!(problems(1, Some([7; 16])), [Alteration::LossForged]);
}

/// A header that is lost costs nothing: frames carry all it says.
#[test]
fn a_lost_version_file_and_a_lost_cursor_cost_nothing() {
    let disk = killed();
    let version = Path::new(DIR).join("VERSION");
    let before = disk.contents(&version).unwrap();
    disk.remove(&version).unwrap();
    let cursors = Path::new(DIR).join("cursors/siem.cursor");
    disk.put(&cursors, vec![0xEE; 8192]);
    let (log, _) = opened(&disk);
    assert_eq!(disk.contents(&version).unwrap(), before);
    assert_eq!(log.shared.floor(), Some(0));
    let cursor = cursor::open_file(&log.shared, "siem", Start::Newest).unwrap();
    assert_eq!(cursor.position(), 0);
}

#[test]
fn a_newer_format_is_refused_with_a_clear_word() {
    let disk = killed();
    disk.put(
        &Path::new(DIR).join("VERSION"),
        b"windrow-journal 9\nid x\n".to_vec(),
    );
    let error = open::open(Arc::new(disk), options(), 1).unwrap_err();
    insta::assert_snapshot!(error, @"journal in /journal has format 9, this program knows up to 1; use the program that wrote it or a later one");
}
