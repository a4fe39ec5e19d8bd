//! Any bytes as the files of a journal: it opens, says what is damaged, reads on, and what it
//! repaired stays repaired. Checksums that are zero pass, since nobody guesses the others.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use windrow_fuzz::journal::storage::Memory;
use windrow_fuzz::journal::{JournalOptions, offline};
use windrow_fuzz::{DIR, VERSION};

fuzz_target!(|data: &[u8]| {
    let disk = Memory::default();
    let dir = Path::new(DIR);
    disk.put(&dir.join("VERSION"), VERSION.to_vec());
    // The bytes are the files one after the other, each behind a selector and two bytes of length.
    let mut rest = data;
    while let [selector, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (contents, next) = after.split_at(length);
        let name = match selector % 6 {
            0 => "mark".to_owned(),
            1 => "cursors/a.cursor".to_owned(),
            number => format!("{:016x}.wj", number - 1),
        };
        disk.put(&dir.join(name), contents.to_vec());
        rest = next;
    }

    let before = check(&disk);
    let options = JournalOptions {
        reserved_bytes: 0,
        ..JournalOptions::new(DIR)
    };
    let recovery =
        offline::repair_on(Arc::new(disk.clone()), options.clone()).expect("a journal opens");
    let after = check(&disk);
    // A torn tail may hold nothing, and what was read stays.
    assert_eq!(before, after, "repairing changes what is read");
    let again =
        offline::repair_on(Arc::new(disk.clone()), options).expect("a repaired journal opens");
    assert_eq!(again.next_seq, recovery.next_seq);
    assert_eq!(again.torn_bytes, 0, "a torn tail is cut once");
    assert_eq!(check(&disk), after);
});

/// Reads and proves; the sequences read.
fn check(disk: &Memory) -> Vec<(u64, u64)> {
    let frames = offline::read_on(Arc::new(disk.clone()), DIR, 0).expect("a journal is read");
    let mut read: Vec<(u64, u64)> = Vec::new();
    for frame in frames {
        let frame = frame.expect("memory is readable");
        if let Some((_, end)) = read.last() {
            assert!(*end <= frame.first_seq, "sequences go forward");
        }
        read.push((frame.first_seq, frame.end_seq));
    }
    let report = offline::verify_on(disk, DIR).expect("a journal is looked at");
    report
        .problems
        .iter()
        .for_each(|problem| drop(problem.to_string()));
    read
}
