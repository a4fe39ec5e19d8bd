//! A journal in a process of its own that dies: by SIGKILL, by a power cut, on a full disk.
//!
//! The child appends and says which entries were acknowledged; whatever happens to it, all of
//! them must be found afterwards, byte for byte. Rounds that mount disk images need root and
//! are run by `./test rigs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod child;
mod disks;

use std::collections::BTreeMap;
use std::path::Path;

use windrow_pipeline::journal::{Journal, JournalOptions, offline};

use child::{Ack, Child, Syncs, body};

/// Opens what the child left and compares it with what it acknowledged; the number of events held.
fn check(dir: &Path, acks: &[Ack]) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let (journal, recovery) =
        Journal::open(child::options(dir)).map_err(|e| format!("cannot be opened: {e:?}"))?;
    if !recovery.damage.is_empty() {
        return Err(format!("{:?}", recovery.damage));
    }
    let mut held = BTreeMap::new();
    let mut next_seq = 1;
    for frame in offline::read(dir, 0).map_err(|e| e.to_string())? {
        let frame = frame.map_err(|e| e.to_string())?;
        if frame.first_seq != next_seq || frame.gap.is_some() {
            return Err(format!(
                "{next_seq} is followed by {} with {:?}",
                frame.first_seq, frame.gap
            ));
        }
        next_seq = frame.end_seq;
        held.extend(frame.entries.into_iter().map(|e| (e.first_seq, e.body)));
    }
    for ack in acks {
        match held.get(&ack.first_seq) {
            Some(found) if **found == *body(ack.producer, ack.number) => {}
            Some(_) => return Err(format!("another entry where {ack:?} was acknowledged")),
            None => {
                return Err(format!(
                    "{ack:?} is gone; {} of {} events are there",
                    next_seq - 1,
                    acks.len()
                ));
            }
        }
        let mark = journal
            .state(&format!("producer/{}", ack.producer))
            .map(|v| String::from_utf8(v).unwrap());
        if mark
            .and_then(|m| m.parse::<u64>().ok())
            .is_none_or(|mark| mark < ack.number)
        {
            return Err(format!("bookmark is behind {ack:?}"));
        }
    }
    let report = offline::verify(dir).map_err(|e| e.to_string())?;
    match report.first_problem() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(next_seq - 1),
    }
}

/// What the child process runs; a test like any other when nobody asks for it.
#[test]
fn child_process() {
    child::run_if_asked();
}

#[test]
fn nothing_acknowledged_is_lost_to_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let mut acks = Vec::new();
    for round in 0..12_u64 {
        let child = Child::start(&journal, Syncs::Done);
        child.wait_for_acks(20 + (round as usize * 37) % 90);
        acks.extend(child.kill());
        let events = check(&journal, &acks).unwrap();
        assert!(events >= acks.len() as u64);
    }
    println!("12 kills, {} entries acknowledged, none lost", acks.len());
}

#[test]
fn a_journal_is_not_opened_twice_by_processes() {
    let dir = tempfile::tempdir().unwrap();
    let child = Child::start(dir.path(), Syncs::Done);
    child.wait_for_acks(1);
    let refused = Journal::open(JournalOptions::new(dir.path())).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("is in use by another process"),
        "{refused}"
    );
    // Reading needs no lock, and shows what is durable while the other process writes.
    child.wait_for_acks(50);
    let frames = offline::read(dir.path(), 0)
        .unwrap()
        .map(|f| f.unwrap().end_seq)
        .max()
        .unwrap();
    let acks = child.kill();
    assert!(frames > 50 && frames <= acks.iter().map(|a| a.first_seq).max().unwrap() + 9);
}

#[test]
#[ignore = "mounts disk images; ./test rigs"]
fn nothing_acknowledged_is_lost_to_power_cuts() {
    let rig = disks::PowerCut::new();
    let (mut cuts, mut total) = (0, 0);
    for round in 0..12_u64 {
        let (dir, acks) = rig.cut(round, Syncs::Done);
        check(dir.path(), &acks).unwrap_or_else(|what| panic!("cut {round}: {what}"));
        cuts += 1;
        total += acks.len();
    }
    println!("{cuts} power cuts, {total} entries acknowledged, none lost");
}

/// The control: without fdatasync the same rig finds losses.
#[test]
#[ignore = "mounts disk images; ./test rigs"]
fn without_fdatasync_power_cuts_lose_what_was_acknowledged() {
    let rig = disks::PowerCut::new();
    let losses: Vec<String> = (0..4)
        .filter_map(|round| {
            let (dir, acks) = rig.cut(round, Syncs::Skipped);
            check(dir.path(), &acks).err()
        })
        .collect();
    println!(
        "control without fdatasync: {} of 4 cuts lose acknowledged entries, {losses:?}",
        losses.len()
    );
    assert!(!losses.is_empty());
}

#[test]
#[ignore = "mounts a disk; ./test rigs"]
fn a_full_disk_refuses_keeps_serving_and_resumes_by_itself() {
    disks::full_disk();
}
