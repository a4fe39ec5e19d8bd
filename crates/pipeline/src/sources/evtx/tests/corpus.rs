//! Real logs, where a folder of them is at hand: record by record against what the evtx
//! crate alone gives.

use std::path::{Path, PathBuf};

use windrow_formats::event::{Event, Index, ParseStatus, parse};

use crate::sources::evtx::{Damage, EvtxFile, OpenError};

/// Files of which something else is read than the evtx crate 0.15.1 reads by itself, and why.
const DIFFERENCES: [(&str, u64, &str); 10] = [
    (
        "System2__0628ab",
        283,
        "the last chunk is cut off; its whole records are read",
    ),
    (
        "01-truncated-midchunk",
        194,
        "the last chunk is cut off; its whole records are read",
    ),
    (
        "06-zeroed-file-header",
        349,
        "chunks are found without the file header",
    ),
    (
        "07-chunk1-bad-magic",
        349,
        "a chunk is known by its records",
    ),
    (
        "10-chunk0-header-bitflips",
        349,
        "a chunk header is made anew from the records",
    ),
    (
        "11-record-size-huge",
        349,
        "a record is found by the size at its end",
    ),
    (
        "12-record-size-zero",
        349,
        "a record is found by the size at its end",
    ),
    (
        "14-duplicate-chunk",
        349,
        "a chunk that comes twice is read once",
    ),
    (
        "17-string-table-damage",
        349,
        "a record is found by the size at its end",
    ),
    (
        "18-common-string-offsets-random",
        349,
        "names are found without the string table",
    ),
];

/// Files that are refused as a whole, and what is said of them.
const REFUSED: [(&str, &str); 3] = [
    (
        "02-truncated-in-header",
        "the file ends inside its header, after 1000 bytes: copy it again",
    ),
    ("04-empty", "the file is empty"),
    ("05-not-evtx", "not an EVTX file"),
];

/// Damage entries of one file that the test shows.
const DAMAGE_SHOWN: usize = 3;

#[test]
fn every_log_gives_the_records_it_has() {
    let root = corpus_root();
    let Ok(counts) = std::fs::read_to_string(root.join("evtx-counts.csv")) else {
        return skip(&root);
    };
    let mut findings = Vec::new();
    let mut report = String::new();
    for line in counts.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let name = fields[0];
        let short = Path::new(name).file_stem().unwrap().to_str().unwrap();
        let other = DIFFERENCES.iter().find(|(name, ..)| *name == short);
        let expected = other.map_or(fields[3].parse().unwrap(), |&(_, records, _)| records);
        match read(&root.join(name)) {
            Ok((records, damage)) => {
                if records != expected {
                    findings.push(format!("{name}: {records}, not {expected}"));
                }
                for damage in damage.iter().take(DAMAGE_SHOWN) {
                    report.push_str(&format!("{short}: {damage}\n"));
                }
                if let Some(more) = damage.len().checked_sub(DAMAGE_SHOWN + 1) {
                    report.push_str(&format!("{short}: and {} more\n", more + 1));
                }
            }
            Err(error) => match REFUSED.iter().find(|(name, _)| *name == short) {
                Some((_, word)) => assert_eq!(error.to_string(), *word, "{name}"),
                None => findings.push(format!("{name}: {error}")),
            },
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    insta::assert_snapshot!(report, @r#"
    2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Op__eaadc2: chunk 1, record 463011: cannot be read: Offset 0x00008060: Tried to read an invalid byte `0x73` as binxml token
    2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Op__eaadc2: chunk 1: cannot be read at offset 0x8088: Invalid EVTX record header magic, expected `2a2a0000`, found `[ 0, 6D,  0, 6F]`
    2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Op__eaadc2: chunk 1, records 401543-401575: announced by the chunk header and not there
    System2__0628ab: the file ends after 3 chunks, and its header announces 96
    System2__0628ab: chunk 2: the file ends 704 bytes before the chunk does
    System2__0628ab: chunk 2, record 284: announced by the chunk header and not there
    sample-with-zero-data-size-event__287c60: chunk 0: cannot be read at offset 0x820: Invalid EVTX record data size, should be equals or greater than 28, found `0`
    sample-with-zero-data-size-event__287c60: chunk 0, record 3: announced by the chunk header and not there
    sample_with_a_bad_chunk_magic__10d856: chunk 9, records 45934-45949: announced by the chunk header and not there
    sample_with_a_bad_chunk_magic__10d856: chunk 10: no records found where a chunk should be
    sample_with_a_bad_chunk_magic__10d856: chunk 15, records 45950-46727: lost with the chunk
    sample_with_a_bad_chunk_magic__10d856: and 5 more
    01-truncated-midchunk: the file ends after 3 chunks, and its header announces 4
    01-truncated-midchunk: chunk 2: the file ends 45525 bytes before the chunk does
    01-truncated-midchunk: chunk 2, records 195-260: announced by the chunk header and not there
    03-header-only: the file ends after 0 chunks, and its header announces 4
    06-zeroed-file-header: file header is damaged, chunks were found without it
    07-chunk1-bad-magic: chunk 1: chunk does not begin as one, but is
    08-chunk1-zeroed: chunk 1, records 92-177: lost with the chunk
    09-chunk1-bitflips: chunk 1, record 92: cannot be read: Failed to create record model, reason: unfinished element start
    09-chunk1-bitflips: chunk 1, record 93: cannot be read: Failed to create record model, reason: unfinished element start
    09-chunk1-bitflips: chunk 1, record 94: cannot be read: Offset 0x00000f65: Tried to read an invalid byte `0x31` as binxml value variant
    09-chunk1-bitflips: and 82 more
    10-chunk0-header-bitflips: chunk 0: chunk header is damaged, records were found without it
    11-record-size-huge: chunk 0, record 2: record header is damaged, the record was found by its end
    12-record-size-zero: chunk 1, record 93: record header is damaged, the record was found by its end
    14-duplicate-chunk: chunk 4: the same as chunk 0
    15-trailing-garbage: chunk 4: 30000 bytes without records after the last chunk
    17-string-table-damage: chunk 0, record 1: record header is damaged, the record was found by its end
    18-common-string-offsets-random: chunk 0: chunk header is damaged, records were found without it
    "#);
}

/// Reads a file; every record of it must be a whole Event.
fn read(path: &Path) -> Result<(u64, Vec<String>), OpenError> {
    let mut file = EvtxFile::open(path)?;
    let mut records = 0;
    let mut index = Index::new();
    while let Some(chunk) = file.next_chunk()? {
        for record in chunk.records() {
            records += 1;
            parse(record.text, &mut index).unwrap();
            let event = Event::new(record.text, &index);
            assert_eq!(event.status(), ParseStatus::Whole);
            assert!(event.event_id().is_some(), "{}", record.text);
        }
    }
    Ok((
        records,
        file.damage().iter().map(Damage::to_string).collect(),
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn corpus_root() -> PathBuf {
    match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn skip(folder: &Path) {
    eprintln!("skipped: no corpus at {}", folder.display());
}
