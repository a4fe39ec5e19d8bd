//! What a start finds, and what it costs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::log::Log;
use super::super::slots::Slots;
use super::super::storage::{Disk, Memory, Open};
use super::super::{cursor, open, recover};
use super::damage::{DIR, options, segment_path};
use super::faults::Faulty;
use super::*;

fn opened(disk: &Memory) -> (Log, Recovery) {
    let opened = open::open(Arc::new(disk.clone()), options(), 1).unwrap();
    (opened.log, opened.recovery)
}

/// Thousands of deliveries without events that only move one bookmark lie in one segment; all of
/// them in memory would be more than a machine has.
#[test]
fn a_start_keeps_one_change_of_a_key_however_often_it_changed() {
    let disk = Memory::default();
    let (mut log, _) = opened(&disk);
    for i in 0..100 {
        let entry = Entry {
            events: 0,
            ..bookmark("", "wef/host", &format!("{i:04}").repeat(50))
        };
        log.commit(&[(&entry, Origin::Source)], i).unwrap();
    }
    let file = disk.open(&segment_path(1), Open::Read).unwrap();
    let survey = recover::survey(&file, 1, None).unwrap();
    assert!(survey.entry_frames > 10);
    assert_eq!(survey.changes.len(), 1);
    drop(log);
    let (log, _) = opened(&disk.copy());
    let state = lock(&log.shared.state);
    assert_eq!(state.get("wef/host"), Some("0099".repeat(50).as_bytes()));
}

/// After a failed sync the kernel may call the next one a success and write nothing.
#[test]
fn a_mark_whose_sync_failed_goes_to_a_new_file() {
    let faulty = Faulty::default();
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let path = Path::new(DIR).join("mark");
    let (slots, _) = Slots::open(&disk, &path).unwrap();
    let slots = Mutex::new(slots);
    lock(&slots).write(b"one").unwrap();
    faulty.fail_sync("mark");
    assert!(Slots::sync(&slots).is_err());
    assert!(faulty.renamed().is_empty());
    // Nothing new is written, and it is made durable all the same.
    Slots::sync(&slots).unwrap();
    assert_eq!(faulty.renamed(), ["mark"]);
    faulty.fail_sync("mark");
    lock(&slots).write(b"two").unwrap();
    assert!(Slots::sync(&slots).is_err());
    lock(&slots).write(b"three").unwrap();
    assert_eq!(faulty.renamed(), ["mark", "mark"]);
    Slots::sync(&slots).unwrap();
    assert_eq!(Slots::read(&*disk, &path).unwrap().unwrap(), b"three");
}

/// A sequence that a sink has seen names one event for ever: whoever keeps books by sequence
/// would take the next one for a repetition.
#[test]
fn sequences_that_a_sink_has_are_not_given_again() {
    let disk = Memory::default();
    let (mut log, _) = opened(&disk);
    let sink = cursor::open_file(&log.shared, "lake", Start::Oldest).unwrap();
    for i in 0..10 {
        log.commit(&[(&entry("x", 1), Origin::Source)], i).unwrap();
    }
    let tail = disk.contents(&segment_path(1)).unwrap().len();
    for i in 10..20 {
        log.commit(&[(&entry("x", 1), Origin::Source)], i).unwrap();
    }
    sink.move_to(20);
    sink.flush().unwrap();
    drop(log);
    // The tail and the mark are lost, as on a disk that lied.
    let disk = disk.copy();
    let mut cut = disk.contents(&segment_path(1)).unwrap();
    cut.truncate(tail);
    disk.put(&segment_path(1), cut);
    disk.remove(&Path::new(DIR).join("mark")).unwrap();
    let (mut log, recovery) = opened(&disk);
    let missing = Gap {
        first_seq: 11,
        last_seq: 20,
        reason: GapReason::Missing,
    };
    assert_eq!((recovery.next_seq, recovery.damage.len()), (21, 1));
    assert_eq!(recovery.damage[0].gap, Some(missing));
    let seq = log.commit(&[(&entry("y", 1), Origin::Source)], 30).unwrap();
    assert_eq!(seq, 21);
    let sink = cursor::open_file(&log.shared, "lake", Start::Oldest).unwrap();
    assert_eq!(sink.position(), 20);
    drop(log);
    let (log, recovery) = opened(&disk.copy());
    assert_eq!((recovery.next_seq, recovery.damage.len()), (22, 0));
    assert_eq!(lock(&log.shared.catalog).gaps, [missing]);
}

#[test]
fn a_lost_cursor_that_nobody_asks_for_is_told_and_can_be_removed() {
    let disk = Memory::default();
    let long = "x".repeat(200);
    let (log, _) = opened(&disk);
    let names = ["syslog.SIEM \u{e4}", "lake", &long];
    for name in names {
        cursor::open_file(&log.shared, name, Start::Oldest).unwrap();
    }
    drop(log);
    let dir = Path::new(DIR).join("cursors");
    for file in disk.list(&dir).unwrap() {
        disk.put(&dir.join(file), vec![0; 8192]);
    }
    let (log, _) = opened(&disk);
    assert_eq!(log.shared.floor(), Some(0));
    cursor::open_file(&log.shared, "lake", Start::Newest).unwrap();
    let lost = lock(&log.shared.lost_cursors).clone();
    let told: Vec<_> = lost.iter().map(|lost| lost.name()).collect();
    assert_eq!(told, [None, Some(names[0].to_owned())]);
    for lost in &lost {
        assert!(cursor::remove_lost(&log.shared, lost).unwrap());
        assert!(!cursor::remove_lost(&log.shared, lost).unwrap());
    }
    drop(log);
    assert_eq!(disk.list(&dir).unwrap(), ["lake.cursor"]);
    let (log, _) = opened(&disk);
    assert!(lock(&log.shared.lost_cursors).is_empty());
}

/// A file without a value is taken for damaged: the journal is held back and the sink begins anew.
#[test]
fn a_cursor_has_its_place_before_it_has_a_file() {
    let disk = Faulty::default();
    let opened = open::open(Arc::new(disk.clone()), options(), 1).unwrap();
    // Whichever name it is written under.
    disk.fail_sync("siem.cursor");
    disk.fail_sync("siem.cursor.tmp");
    cursor::open_file(&opened.log.shared, "siem", Start::Newest).unwrap_err();
    drop(opened);
    let opened = open::open(Arc::new(disk.clone()), options(), 1).unwrap();
    assert!(lock(&opened.log.shared.lost_cursors).is_empty());
}
