//! What a start finds, and what it costs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::log::Log;
use super::super::slots::Slots;
use super::super::storage::{Disk, Memory, Open};
use super::super::{open, recover};
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
