//! Files that lie with right checksums: every claim may be wrong, and nothing may be believed
//! so far that it panics, hangs, or reads differently after a repair than before it.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::frame::{HEADER_BYTES, Header};
use super::super::mark::{MARK_FILE, Mark};
use super::super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use super::super::slots::Slots;
use super::super::storage::{Disk, Memory};
use super::super::*;
use super::damage::{DIR, frames, killed, options, segment_path};

/// A lie about one number.
#[derive(Debug, Clone)]
enum Lie {
    Frame {
        which: prop::sample::Index,
        field: u8,
        value: u64,
    },
    Segment {
        number: u64,
        field: u8,
        value: u64,
    },
    Mark {
        field: u8,
        value: u64,
    },
}

/// Values at the edges, near ones and any.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(limits::MAX_NUMBER),
        Just(u64::from(u32::MAX)),
        0..400_u64,
        250..9000_u64,
        any::<u64>()
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        (any::<prop::sample::Index>(), 0..7_u8, value()).prop_map(|(which, field, value)| {
            Lie::Frame {
                which,
                field,
                value,
            }
        }),
        (1..9_u64, 0..5_u8, value()).prop_map(|(number, field, value)| Lie::Segment {
            number,
            field,
            value
        }),
        (0..4_u8, value()).prop_map(|(field, value)| Lie::Mark { field, value }),
    ]
}

fn tell(disk: &Memory, lie: &Lie) {
    match lie {
        Lie::Frame {
            which,
            field,
            value,
        } => lie_in_frame(disk, which, *field, *value),
        Lie::Segment {
            number,
            field,
            value,
        } => lie_in_segment(disk, *number, *field, *value),
        Lie::Mark { field, value } => lie_in_mark(disk, *field, *value),
    }
}

fn lie_in_frame(disk: &Memory, which: &prop::sample::Index, field: u8, value: u64) {
    let frames = frames(disk);
    if frames.is_empty() {
        return;
    }
    let (number, from, _, header) = which.get(&frames).clone();
    let mut lied: Header = header;
    match field {
        0 => lied.first_seq = value,
        1 => lied.events = value as u32,
        2 => lied.entries = value as u32,
        3 => lied.raw_bytes = value as u32,
        4 => lied.stored_bytes = value as u32,
        5 => lied.segment_id = value,
        _ => lied.committed_at_us = value as i64,
    }
    let mut contents = disk.contents(&segment_path(number)).unwrap();
    let from = from as usize;
    contents[from..from + HEADER_BYTES].copy_from_slice(&lied.encode());
    disk.put(&segment_path(number), contents);
}

fn lie_in_segment(disk: &Memory, number: u64, field: u8, value: u64) {
    let Some(mut contents) = disk.contents(&segment_path(number)) else {
        return;
    };
    let block: [u8; SEGMENT_HEADER_BYTES] = contents[..SEGMENT_HEADER_BYTES].try_into().unwrap();
    let Some(mut header) = SegmentHeader::decode(&block) else {
        return;
    };
    match field {
        0 => header.first_seq = value,
        1 => header.previous.number = value,
        2 => header.previous.end = value,
        3 => header.id = value,
        _ => header.number = value,
    }
    contents[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    disk.put(&segment_path(number), contents);
}

fn lie_in_mark(disk: &Memory, field: u8, value: u64) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut slots, old) = Slots::open(&disk, &Path::new(DIR).join(MARK_FILE)).unwrap();
    let Some(mut mark) = old.as_deref().and_then(Mark::decode) else {
        return;
    };
    match field {
        0 => mark.segment = value,
        1 => mark.id = value,
        2 => mark.end = value,
        _ => mark.next_seq = value,
    }
    slots.store(&mark.encode()).unwrap();
}

/// The sequences read, which only go forward; and a proof that comes to an end.
fn read(disk: &Memory) -> Vec<(Seq, Seq)> {
    let mut read: Vec<(Seq, Seq)> = Vec::new();
    for frame in offline::read_on(Arc::new(disk.clone()), DIR, 0).unwrap() {
        let frame = frame.unwrap();
        assert!(read.last().is_none_or(|(_, end)| *end <= frame.first_seq));
        assert!(
            frame
                .gap
                .is_none_or(|gap| gap.first_seq <= gap.last_seq && gap.last_seq < frame.first_seq)
        );
        read.push((frame.first_seq, frame.end_seq));
    }
    let report = offline::verify_on(disk, DIR).unwrap();
    report
        .problems
        .iter()
        .for_each(|problem| assert!(!problem.to_string().is_empty()));
    read
}

/// A sealed segment is never written again, but who knows what ends up behind it.
#[test]
fn what_follows_a_seal_is_cut_once() {
    let disk = killed();
    let repair = || offline::repair_on(Arc::new(disk.clone()), options()).unwrap();
    repair();
    let before = read(&disk);
    let last = (1..).take_while(|number| disk.contents(&segment_path(*number)).is_some());
    let last = segment_path(last.last().unwrap());
    let mut contents = disk.contents(&last).unwrap();
    contents.extend_from_slice(b"more");
    disk.put(&last, contents);
    assert_eq!(repair().torn_bytes, 4);
    assert_eq!(repair().torn_bytes, 0);
    assert_eq!(read(&disk), before);
}

/// A frame whose sequences go back takes none from those before it, even without a mark.
#[test]
fn a_sequence_that_went_back_is_not_given_twice() {
    let disk = killed();
    let frames = frames(&disk);
    let [.., (before_in, _, _, before), (number, from, _, last)] = &frames[..] else {
        panic!("too few frames");
    };
    assert_eq!(before_in, number);
    let lied = Header {
        first_seq: 1,
        ..last.clone()
    };
    let mut contents = disk.contents(&segment_path(*number)).unwrap();
    let from = *from as usize;
    contents[from..from + HEADER_BYTES].copy_from_slice(&lied.encode());
    disk.put(&segment_path(*number), contents);
    disk.put(&Path::new(DIR).join(MARK_FILE), Vec::new());
    let held = read(&disk);
    let recovery = offline::repair_on(Arc::new(disk.clone()), options()).unwrap();
    assert!(recovery.next_seq >= before.end_seq(), "{recovery:?}");
    assert_eq!(read(&disk), held);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lies_are_survived_and_repaired_once(lies in prop::collection::vec(lie(), 1..5)) {
        let disk = killed();
        lies.iter().for_each(|lie| tell(&disk, lie));
        let before = read(&disk);
        let first = offline::repair_on(Arc::new(disk.clone()), options()).unwrap();
        let after = read(&disk);
        prop_assert_eq!(&before, &after);
        let again = offline::repair_on(Arc::new(disk.clone()), options()).unwrap();
        prop_assert_eq!((again.next_seq, again.torn_bytes), (first.next_seq, 0));
        prop_assert_eq!(read(&disk), after);
    }

    #[test]
    fn any_bytes_are_a_journal_of_sorts(
        first in prop::collection::vec(any::<u8>(), 0..600),
        second in prop::collection::vec(any::<u8>(), 0..600),
        mark in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let disk = Memory::default();
        disk.put(&Path::new(DIR).join("VERSION"), format!("windrow-journal 1\nid {}\n", uuid::Uuid::nil()).into_bytes());
        disk.put(&segment_path(1), first);
        disk.put(&segment_path(2), second);
        disk.put(&Path::new(DIR).join(MARK_FILE), mark);
        let before = read(&disk);
        offline::repair_on(Arc::new(disk.clone()), options()).unwrap();
        prop_assert_eq!(read(&disk), before);
    }
}
