//! What a start finds, and what it costs.

use std::sync::Arc;

use super::super::log::Log;
use super::super::storage::{Disk, Memory, Open};
use super::super::{open, recover};
use super::damage::{options, segment_path};
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
