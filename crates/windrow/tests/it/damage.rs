//! One flipped byte in the journal: the frame it lies in is lost and named, everything else goes
//! on as if nothing had happened.

use std::path::{Path, PathBuf};

use crate::support::ledger::{distinct, repeated};
use crate::support::program::run;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Fleet, Service, Transport};
use crate::support::{Scratch, installed, wait_until};

/// Bytes of a segment's first block, and of a frame's header (docs/journal-format.md).
const SEGMENT_HEADER_BYTES: usize = 256;
const FRAME_HEADER_BYTES: usize = 96;

/// A frame of events in a segment.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: usize,
    bytes: usize,
    first_seq: u64,
    last_seq: u64,
}

#[test]
fn one_flipped_byte_costs_its_frame_alone() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let mut siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.destination("siem", siem.port, &Transport::Tcp { framing: "lf" });
    siem.kill();
    service.start();
    let before = fleet(&service, "before", "1").finish();
    // The lake has everything before the byte flips, so that it can say what was in the frame.
    wait_until("every record in the lake", || {
        before.missing(&service.lake()).is_empty()
    });
    service.terminate().expect(0);
    run(&scratch, &service.arguments("verify")).expect(0);

    let segment = first_segment(&scratch.join("data/journal"));
    let victim = flip_a_byte(&segment);
    let lost = in_frame(&service, victim);
    assert!(!lost.is_empty(), "no record of a machine in {victim:?}");
    is_named(&scratch, &service, victim);

    service.start();
    let after = fleet(&service, "after", "2").finish();
    siem.resume();
    wait_until("every record but those of the frame", || {
        after.missing(&siem.events()).is_empty() && before.missing(&siem.events()) == lost
    });
    wait_until("the lake to go on", || {
        after.missing(&service.lake()).is_empty() && before.missing(&service.lake()).is_empty()
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    let sent = before.count() + after.count() - lost.len() as u64;
    wait_until("nothing else to come", || distinct(&siem.events()) >= sent);
    wait_until("an event of our own about it", || {
        loss_on_record(&service) == [(victim.first_seq, victim.last_seq)]
    });
    service.terminate().expect(0);
    // Everyone has the rest of the segment by now, and it may be gone; the record of the loss stays.
    let recorded = format!(
        "events {} to {} are gone: damaged\n",
        victim.first_seq, victim.last_seq
    );
    let proved = run(&scratch, &service.arguments("verify")).stdout;
    assert!(
        proved.contains(&recorded) || proved.contains("damaged, as the journal recorded"),
        "{recorded}not in\n{proved}"
    );
    let kept = std::fs::read_dir(scratch.join("data/journal/damaged")).unwrap();
    assert_eq!(kept.count(), 1, "a copy of the damaged bytes");
}

#[test]
fn a_journal_older_than_the_lake_is_refused() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    let journal = scratch.join("data/journal");
    let copy = scratch.join("copy");
    service.start();
    fleet(&service, "before", "1").finish();
    service.terminate().expect(0);
    copy_folder(&journal, &copy);
    service.start();
    fleet(&service, "after", "2").finish();
    service.terminate().expect(0);

    std::fs::remove_dir_all(&journal).unwrap();
    copy_folder(&copy, &journal);
    let refused = run(&scratch, &service.arguments("run")).expect(1).stderr;
    assert!(refused.contains("it is older than the lake"), "{refused}");
    // The cure that is named.
    std::fs::rename(&journal, scratch.join("away")).unwrap();
    service.start();
    let anew = fleet(&service, "anew", "3").finish();
    wait_until("every record in the lake", || {
        anew.missing(&service.lake()).is_empty()
    });
    service.terminate().expect(0);
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

/// Five machines that differ with the seed, 60 events of each.
fn fleet(service: &Service<'_>, name: &str, seed: &str) -> Fleet {
    service.fleet(
        name,
        &[
            "--machines",
            "5",
            "--rate",
            "40",
            "--events",
            "60",
            "--seed",
            seed,
        ],
    )
}

/// The one with what came in; a stop seals it and begins another.
fn first_segment(journal: &Path) -> PathBuf {
    let entries = std::fs::read_dir(journal).unwrap();
    let mut segments: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wj"))
        .collect();
    segments.sort();
    segments.remove(0)
}

/// Flips one bit in the middle of the body of the largest frame, and answers with the frame.
fn flip_a_byte(segment: &Path) -> Frame {
    let mut bytes = std::fs::read(segment).unwrap();
    let frames = frames(&bytes);
    // How many batches share a frame is up to the machine; some must lie around the hit one.
    assert!(frames.len() > 2, "{} frames", frames.len());
    let victim = *frames.iter().max_by_key(|frame| frame.bytes).unwrap();
    bytes[victim.at + FRAME_HEADER_BYTES + (victim.bytes - FRAME_HEADER_BYTES) / 2] ^= 0x10;
    std::fs::write(segment, bytes).unwrap();
    victim
}

/// The frames of events, read as docs/journal-format.md says and not by the program's own code.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let mut frames = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while bytes.get(at..at + 4) == Some(&[0xF5, b'W', b'J', b'F']) {
        let length = FRAME_HEADER_BYTES + u32_at(at + 8) as usize;
        let events = u64::from(u32_at(at + 24));
        if bytes[at + 5] == 1 && events > 0 {
            let first_seq = u64_at(at + 16);
            frames.push(Frame {
                at,
                bytes: length,
                first_seq,
                last_seq: first_seq + events - 1,
            });
        }
        at += length;
    }
    frames
}

/// The machines' records whose sequences lie in the frame, as a ledger writes them.
fn in_frame(service: &Service<'_>, frame: Frame) -> Vec<String> {
    let sql = format!(
        "select computer, channel, record_id from events where origin <> 'own' \
         and seq between {} and {} order by 1, 2, 3",
        frame.first_seq, frame.last_seq
    );
    let rows = service.query(&sql);
    let word = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            format!(
                "{} {} {}",
                word(row, "computer"),
                word(row, "channel"),
                row["record_id"]
            )
        })
        .collect()
}

/// `verify` says no, and names the frame and nothing else.
#[track_caller]
fn is_named(scratch: &Scratch, service: &Service<'_>, frame: Frame) {
    let text = run(scratch, &service.arguments("verify")).expect(1).stdout;
    let named = format!(
        "bytes {} to {}, sequences {} to {}: damaged\n",
        frame.at,
        frame.at + frame.bytes - 1,
        frame.first_seq,
        frame.last_seq
    );
    assert!(text.contains(&named), "{named}not in\n{text}");
    let mut arguments = service.arguments("verify");
    arguments.extend(["--output", "json"].map(str::to_owned));
    let json = run(scratch, &arguments).expect(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

/// The sequences that our own events say are gone.
fn loss_on_record(service: &Service<'_>) -> Vec<(u64, u64)> {
    let sql = "select event_data['FirstSequence'] first, event_data['LastSequence'] last \
               from events where origin = 'own' and event_id = 11";
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
    let rows = service.query(sql);
    rows.iter()
        .map(|row| (number(&row["first"]), number(&row["last"])))
        .collect()
}
