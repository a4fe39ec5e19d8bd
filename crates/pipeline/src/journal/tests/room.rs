//! What happens when there is no room left, by quota or on the disk.

use std::sync::Arc;

use super::super::cursor::CursorFile;
use super::super::log::Log;
use super::super::segment::file_name;
use super::super::{cursor, open};
use super::damage::DIR;
use super::faults::Faulty;
use super::*;

fn small(dir: &tempfile::TempDir) -> JournalOptions {
    JournalOptions {
        quota_bytes: 1 << 20,
        reserved_bytes: 128 << 10,
        ..options(dir)
    }
}

/// Appends until the journal refuses.
async fn fill(journal: &Journal) {
    while journal.append(noise(8_000)).await.is_ok() {}
    assert_eq!(*journal.pressure().borrow(), Pressure::Full);
}

/// Whoever watches the pressure writes a record of each change: more than one a state feeds itself.
#[tokio::test]
async fn a_full_journal_says_so_once_however_often_it_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(small(&dir)).unwrap();
    fill(&journal).await;
    let mut pressure = journal.pressure();
    for _ in 0..10 {
        assert!(journal.append(noise(8_000)).await.is_err());
        journal.append_own(noise(500)).await.unwrap();
        assert!(!pressure.has_changed().unwrap());
        assert_eq!(*pressure.borrow_and_update(), Pressure::Full);
    }
    // The reserve is used up too: that is nothing new either.
    while journal.append_own(noise(8_000)).await.is_ok() {}
    assert!(!pressure.has_changed().unwrap());
}

#[test]
fn a_warning_lasts_until_the_line_is_well_undershot() {
    let steps = [79, 80, 79, 76, 74, 81, 96, 94, 89, 100, 99, 74];
    let mut seen = Vec::new();
    let mut pressure = Pressure::Normal;
    for used in steps {
        pressure = pressure.then(used, 100);
        seen.push(pressure);
    }
    use Pressure::{Full, Normal, Slow, Warn};
    let wanted = [
        Normal, Warn, Warn, Warn, Normal, Warn, Slow, Slow, Warn, Full, Slow, Normal,
    ];
    assert_eq!(seen, wanted);
}

/// A journal on a disk that a test can fill.
fn log_on(disk: &Faulty, options: JournalOptions) -> Log {
    let disk = Arc::new(disk.clone());
    open::open(disk, options, 1).unwrap().log
}

fn tiny() -> JournalOptions {
    JournalOptions {
        segment_bytes: 8 << 10,
        quota_bytes: 1 << 20,
        reserved_bytes: 32 << 10,
        keep_segments: 0,
        ..JournalOptions::new(DIR)
    }
}

fn damaged(first_seq: Seq, last_seq: Seq) -> Gap {
    Gap {
        first_seq,
        last_seq,
        reason: GapReason::Damaged,
    }
}

#[test]
fn a_loss_that_finds_no_room_waits_and_is_counted_once() {
    let disk = Faulty::default();
    let mut log = log_on(&disk, tiny());
    for _ in 0..10 {
        log.commit(&[(&noise(500), Origin::Source)], 1).unwrap();
    }
    log.ballast.release(&log.shared);
    let shared = Arc::clone(&log.shared);
    for (first, last) in [(2, 2), (4, 5), (7, 7)] {
        shared.notice(damaged(first, last));
    }
    disk.leave(0);
    for _ in 0..3 {
        log.record_noticed(2);
        assert_eq!(lock(&shared.noticed).len(), 3);
    }
    assert_eq!(shared.metrics.damaged_events.get(), 0);
    disk.leave(1 << 20);
    log.record_noticed(3);
    assert!(lock(&shared.noticed).is_empty());
    assert_eq!(shared.metrics.damaged_events.get(), 4);
    let on_record: Vec<Seq> = lock(&shared.catalog)
        .gaps
        .iter()
        .map(|g| g.first_seq)
        .collect();
    assert_eq!(on_record, [2, 4, 7]);
}

#[test]
fn a_segment_that_cannot_be_removed_counts_and_is_tried_again() {
    let disk = Faulty::default();
    let mut log = log_on(&disk, tiny());
    let sink = cursor::open_file(&log.shared, "sink", Start::Oldest).unwrap();
    for _ in 0..60 {
        log.commit(&[(&noise(500), Origin::Source)], 1).unwrap();
    }
    sink.move_to(log.next_seq - 1);
    sink.flush().unwrap();
    let rest =
        |log: &Log| -> Vec<u64> { lock(&log.shared.catalog).segments.keys().copied().collect() };
    let before = rest(&log);
    assert!(before.len() > 3, "{before:?}");
    disk.hold_fast(&[file_name(before[1])]);
    let frames = log.shared.metrics.frames.clone();
    assert!(log.retire(2).unwrap());
    assert!(!log.retire(2).unwrap());
    let written = frames.get();
    for _ in 0..3 {
        assert!(!log.retire(3).unwrap());
    }
    assert!(rest(&log).starts_with(&before[1..3]));
    assert_eq!(frames.get(), written);
    disk.hold_fast(&[]);
    assert!(log.retire(4).unwrap());
    assert!(!rest(&log).contains(&before[2]));
}

/// Fills the disk with what one sink has still to take, and gives the ballast away.
fn full(disk: &Faulty) -> (Log, Arc<CursorFile>) {
    let options = JournalOptions {
        keep_segments: 2,
        ..tiny()
    };
    let mut log = log_on(disk, options);
    let sink = cursor::open_file(&log.shared, "sink", Start::Oldest).unwrap();
    disk.leave(100 << 10);
    let mut at = 0;
    let mut append = |log: &mut Log, origin| {
        at += 1;
        let change = bookmark("", &format!("wef/{}", at % 7), &format!("{at}"));
        let entry = Entry {
            state: change.state,
            ..noise(700)
        };
        log.commit(&[(&entry, origin)], at)
    };
    for _ in 0..3 {
        while append(&mut log, Origin::Source).is_ok() {}
        while append(&mut log, Origin::Own).is_ok() {}
    }
    (log, sink)
}

#[test]
fn a_full_disk_is_freed_of_what_every_sink_has() {
    let disk = Faulty::default();
    let (mut log, sink) = full(&disk);
    assert!(disk.left() < 2_000);
    assert!(log.commit(&[(&noise(700), Origin::Source)], 1).is_err());
    let states = lock(&log.shared.state).clone();
    sink.move_to(log.next_seq - 1);
    sink.flush().unwrap();
    disk.leave(0);
    log.commit(&[(&noise(700), Origin::Source)], 2).unwrap();
    assert_ne!(*log.shared.pressure.borrow(), Pressure::Full);
    // The record outlives a kill, although no segment had room for it.
    for disk in [disk.inner.copy(), disk.inner.copy()] {
        let report = offline::verify_on(&disk, DIR).unwrap();
        assert!(report.is_intact(), "{:?}", report.problems);
        let again = open::open(Arc::new(disk), tiny(), 3).unwrap().log;
        assert_eq!(lock(&again.shared.catalog).gaps.len(), 1);
        let kept = lock(&again.shared.state);
        for (key, value) in states.with_prefix("wef/") {
            assert_eq!(kept.get(key), Some(value));
        }
    }
}

/// Every segment begins with all states: with many of them, none may hold little else.
#[test]
fn segments_hold_more_than_their_snapshots() {
    let disk = Faulty::default();
    let mut log = log_on(&disk, tiny());
    for i in 0..40 {
        let value: String = noise(500).body.iter().map(|b| format!("{b:02x}")).collect();
        let entry = bookmark("x", &format!("wef/{i}"), &value);
        log.commit(&[(&entry, Origin::Source)], 1).unwrap();
    }
    let before = log.next_number;
    for _ in 0..100 {
        log.commit(&[(&noise(500), Origin::Source)], 1).unwrap();
    }
    assert!(
        log.next_number - before < 5,
        "{before}..{}",
        log.next_number
    );
}

#[test]
fn a_segment_and_its_snapshot_fit_under_the_quota_or_are_refused() {
    let disk = Faulty::default();
    let mut log = log_on(&disk, tiny());
    for i in 0..20 {
        let value: String = noise(1500)
            .body
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let entry = bookmark("x", &format!("wef/{i}"), &value);
        log.commit(&[(&entry, Origin::Source)], 1).unwrap();
    }
    while log.commit(&[(&noise(500), Origin::Source)], 1).is_ok() {}
    let used = lock(&log.shared.catalog).allocated();
    let limit = (1 << 20) - (32 << 10);
    // Blocks are counted whole when a segment is closed.
    assert!(used <= limit + 4096, "{used} of {limit}");
    assert!(used > limit - (80 << 10), "{used} of {limit}");
}
