//! Files of our own making, whole and damaged in every way that was met in the field.

mod corpus;
pub(in crate::sources) mod writer;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::RangeInclusive;

use insta::assert_snapshot;
use proptest::prelude::*;
use windrow_formats::batch::Batch;
use windrow_formats::event::{Event, Index};
use windrow_formats::identity::{Identity, identity};

use self::writer::{chunk, file, get, put, record_start, seal};
use super::layout::{CHUNK_MAGIC, FILE_HEADER_BYTES};
use super::*;

/// Offset of chunk 1 in a file.
const SECOND: usize = FILE_HEADER_BYTES as usize + CHUNK_BYTES;

/// What was read of a file: ids in order, and the damage, a line each.
#[derive(Debug, PartialEq)]
struct Outcome {
    ids: Vec<u64>,
    damage: Vec<String>,
    is_loss: bool,
}

fn read(bytes: &[u8]) -> Result<Outcome, OpenError> {
    let mut file = EvtxFile::from_reader(Cursor::new(bytes))?;
    let mut ids = Vec::new();
    while let Some(chunk) = file.next_chunk()? {
        for record in chunk.records() {
            assert!(record.text.starts_with('<') && record.text.ends_with('>'));
            ids.push(record.id);
        }
    }
    let (done, all) = file.progress();
    assert_eq!(done, all);
    Ok(Outcome {
        ids,
        damage: file.damage().iter().map(ToString::to_string).collect(),
        is_loss: file.damage().iter().any(Damage::is_loss),
    })
}

/// Three chunks of ten.
fn three() -> Vec<u8> {
    file(&[chunk(1..=10), chunk(11..=20), chunk(21..=30)])
}

/// Reads `three` after it was damaged: the ids that did not come, and the damage.
fn damaged(damage: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = three();
    damage(&mut bytes);
    let outcome = read(&bytes).unwrap();
    let ids: BTreeSet<u64> = outcome.ids.iter().copied().collect();
    assert_eq!(ids.len(), outcome.ids.len(), "no record comes twice");
    let missing: Vec<u64> = (1..=30).filter(|id| !ids.contains(id)).collect();
    assert!(missing.is_empty() || outcome.is_loss, "a loss is named");
    let lines = [vec![format!("missing {missing:?}")], outcome.damage].concat();
    lines.join("\n")
}

#[test]
fn a_file_that_ends_between_two_chunks_is_told() {
    assert_snapshot!(damaged(|bytes| bytes.truncate(SECOND)), @"
    missing [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    the file ends after 1 chunks, and its header announces 3
    ");
    assert_snapshot!(damaged(|bytes| bytes.truncate(FILE_HEADER_BYTES as usize)), @"
    missing [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    the file ends after 0 chunks, and its header announces 3
    ");
    // A header that is wrong says nothing.
    assert_snapshot!(damaged(|bytes| bytes[42] = 9), @"missing []");
}

#[test]
fn a_whole_file_is_read_to_the_end() {
    let bytes = three();
    let outcome = read(&bytes).unwrap();
    assert_eq!(outcome.ids, (1..=30).collect::<Vec<_>>());
    assert_eq!(outcome.damage, [""; 0]);

    let mut file = EvtxFile::from_reader(Cursor::new(&bytes)).unwrap();
    assert_eq!(file.bytes(), bytes.len() as u64);
    let chunk = file.next_chunk().unwrap().unwrap();
    let text = chunk.records().next().unwrap().text;
    assert!(text.contains("<EventRecordID>1</EventRecordID>"), "{text}");
    assert!(text.contains("<Data>&lt;value&gt; "), "{text}");
}

#[test]
fn a_log_that_began_again_comes_oldest_first() {
    let bytes = file(&[
        chunk(21..=30),
        chunk(31..=35),
        chunk(1..=10),
        chunk(11..=20),
    ]);
    let outcome = read(&bytes).unwrap();
    assert_eq!(outcome.ids, (1..=35).collect::<Vec<_>>());
    assert_eq!(outcome.damage, [""; 0]);
}

#[test]
fn unused_chunks_are_no_damage() {
    let blank = vec![0; CHUNK_BYTES];
    let outcome = read(&file(&[chunk(1..=10), blank.clone(), blank])).unwrap();
    assert_eq!(outcome.ids.len(), 10);
    assert_eq!(outcome.damage, [""; 0]);
    let empty = read(&file(&[vec![0; CHUNK_BYTES]])).unwrap();
    assert_eq!((empty.ids.len(), empty.damage.len()), (0, 0));
}

#[test]
fn files_that_are_no_logs_are_refused() {
    let refusal = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_snapshot!(refusal(b""), @"the file is empty");
    assert_snapshot!(refusal(&three()[..1000]), @"the file ends inside its header, after 1000 bytes: copy it again");
    assert_snapshot!(refusal(b"MZ\x90\x00 and more"), @"not an EVTX file");
    assert_snapshot!(refusal(&vec![7; 3 * CHUNK_BYTES]), @"not an EVTX file");
    assert_snapshot!(refusal(b"\x1f\x8b\x08\0 and more"), @"not an EVTX file but one that is compressed as gzip: unpack it");
    assert_eq!(read(&three()[..4096]).unwrap().ids, [0; 0]);
}

#[test]
fn the_file_header_is_not_needed() {
    assert_snapshot!(damaged(|file| file[..4096].fill(0)), @r#"
    missing []
    file header is damaged, chunks were found without it
    "#);
    // Chunks carved out by somebody else begin where they like.
    assert_snapshot!(damaged(|file| drop(file.drain(..4096))), @r#"
    missing []
    file header is damaged, chunks were found without it
    "#);
    assert_snapshot!(damaged(|file| drop(file.splice(..4096, [1; 777]))), @r#"
    missing []
    file header is damaged, chunks were found without it
    "#);
}

#[test]
fn a_file_cut_off_gives_its_whole_records() {
    assert_snapshot!(damaged(|file| file.truncate(SECOND + 5000)), @r#"
    missing [17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    the file ends after 2 chunks, and its header announces 3
    chunk 1: the file ends 60536 bytes before the chunk does
    chunk 1, records 17-20: announced by the chunk header and not there
    "#);
    assert_snapshot!(damaged(|file| file.truncate(SECOND + 600)), @r#"
    missing [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    the file ends after 2 chunks, and its header announces 3
    chunk 1: the file ends 64936 bytes before the chunk does
    chunk 1, records 11-20: announced by the chunk header and not there
    "#);
    assert_snapshot!(damaged(|file| file.truncate(SECOND + 100)), @r#"
    missing [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    the file ends after 2 chunks, and its header announces 3
    chunk 1: the file ends 65436 bytes before the chunk does
    "#);
    assert_snapshot!(damaged(|file| file.extend([9; 3000])), @r#"
    missing []
    chunk 3: 3000 bytes without records after the last chunk
    "#);
}

#[test]
fn a_lost_chunk_is_named_by_its_records() {
    assert_snapshot!(damaged(|file| file[SECOND..][..CHUNK_BYTES].fill(0)), @r#"
    missing [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    chunk 1, records 11-20: lost with the chunk
    "#);
    assert_snapshot!(damaged(|file| file[SECOND..][..CHUNK_BYTES].fill(0xee)), @r#"
    missing [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    chunk 1: no records found where a chunk should be
    chunk 1, records 11-20: lost with the chunk
    "#);
}

#[test]
fn a_chunk_header_can_be_made_anew() {
    assert_snapshot!(damaged(|file| file[SECOND..][..8].fill(0)), @r#"
    missing []
    chunk 1: chunk does not begin as one, but is
    "#);
    assert_snapshot!(damaged(|file| file[SECOND..][..512].fill(0)), @r#"
    missing []
    chunk 1: chunk header is damaged, records were found without it
    "#);
    assert_snapshot!(damaged(|file| file[SECOND + 128..][..256].fill(0xff)), @r#"
    missing []
    chunk 1: chunk header is damaged, records were found without it
    "#);
    assert_snapshot!(damaged(|file| file[SECOND + 32] ^= 0x40), @r#"
    missing []
    chunk 1: chunk header is damaged, records were found without it
    "#);
    assert_snapshot!(damaged(|file| put(file, SECOND + 48, u32::MAX)), @r#"
    missing []
    chunk 1: chunk header is damaged, records were found without it
    "#);
}

#[test]
fn records_are_found_from_both_sides() {
    let start = |place| SECOND + record_start(&chunk(11..=20), place);
    assert_snapshot!(damaged(|file| put(file, start(3) + 4, 0)), @r#"
    missing []
    chunk 1, record 14: record header is damaged, the record was found by its end
    "#);
    assert_snapshot!(damaged(|file| put(file, start(3) + 4, u32::MAX)), @r#"
    missing []
    chunk 1, record 14: record header is damaged, the record was found by its end
    "#);
    assert_snapshot!(damaged(|file| file[start(0)..][..4].fill(0xff)), @r#"
    missing []
    chunk 1, record 11: record header is damaged, the record was found by its end
    "#);
    assert_snapshot!(damaged(|file| file[start(9)..][..8].fill(0xff)), @r#"
    missing []
    chunk 1, record 20: record header is damaged, the record was found by its end
    "#);
    assert_snapshot!(damaged(|file| {
        [3, 4, 5].iter().for_each(|&place| put(file, start(place) + 4, 1));
    }), @r#"
    missing []
    chunk 1, record 14: record header is damaged, the record was found by its end
    chunk 1, record 15: record header is damaged, the record was found by its end
    chunk 1, record 16: record header is damaged, the record was found by its end
    "#);
    assert_snapshot!(damaged(|file| file[start(3) - 4..][..16].fill(0xff)), @r#"
    missing [14]
    chunk 1: cannot be read at offset 0xa70: Invalid EVTX record header magic, expected `2a2a0000`, found `[FF, FF, FF, FF]`
    chunk 1, record 14: announced by the chunk header and not there
    "#);
    assert_snapshot!(damaged(|file| file[start(3)..start(5)].fill(0)), @r#"
    missing [14, 15]
    chunk 1: cannot be read at offset 0xa70: Invalid EVTX record header magic, expected `2a2a0000`, found `[ 0,  0,  0,  0]`
    chunk 1, records 14-15: announced by the chunk header and not there
    "#);
    assert_snapshot!(damaged(|file| file[start(3) + 30..][..20].fill(0xff)), @r#"
    missing [14]
    chunk 1, record 14: cannot be read: Failed to create record model, reason: string table offset overflow
    "#);
}

#[test]
fn a_chunk_that_is_there_twice_is_read_once() {
    assert_snapshot!(damaged(|file| file.extend(chunk(1..=10))), @r#"
    missing []
    chunk 3: the same as chunk 0
    "#);
    // Same ids and checksums, other bytes: somebody made it so.
    let mut forged = chunk(1..=10);
    let at = forged.len() - 1;
    forged[at] = 1;
    let outcome = read(&file(&[chunk(1..=10), forged])).unwrap();
    assert_eq!(outcome.ids.len(), 20);
}

#[test]
fn what_an_older_use_of_the_chunk_left_is_not_read() {
    let mut stale = chunk(1..=12);
    let fresh = chunk(101..=105);
    let end = get(&fresh, 48) as usize;
    stale[512..end].copy_from_slice(&fresh[512..end]);
    stale[..512].copy_from_slice(&fresh[..512]);
    let whole = read(&file(&[stale.clone()])).unwrap();
    assert_eq!(whole.ids, (101..=105).collect::<Vec<_>>());
    stale[..512].fill(0);
    stale[..8].copy_from_slice(CHUNK_MAGIC);
    let mended = read(&file(&[stale])).unwrap();
    assert_eq!(mended.ids, (101..=105).collect::<Vec<_>>());
}

#[test]
fn a_header_may_announce_what_it_likes() {
    for (first, last) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (5, 6)] {
        let mut odd = chunk(1..=10);
        odd[24..32].copy_from_slice(&first.to_le_bytes());
        odd[32..40].copy_from_slice(&last.to_le_bytes());
        seal(&mut odd);
        let outcome = read(&file(&[odd, chunk(11..=20)])).unwrap();
        assert!((11..=20).all(|id| outcome.ids.contains(&id)), "{outcome:?}");
    }
}

#[test]
fn damage_says_what_to_do() {
    let mut bytes = three();
    bytes.truncate(SECOND + 5000);
    let mut file = EvtxFile::from_reader(Cursor::new(&bytes)).unwrap();
    while file.next_chunk().unwrap().is_some() {}
    assert_snapshot!(file.damage()[0].advice(), @"copy the file again: this copy is incomplete");
    assert_eq!(file.damage_omitted(), 0);
}

fn identities(ids: RangeInclusive<u64>) -> Vec<Identity> {
    let bytes = file(&[chunk(ids)]);
    let mut file = EvtxFile::from_reader(Cursor::new(&bytes)).unwrap();
    let chunk = file.next_chunk().unwrap().unwrap();
    let mut index = Index::new();
    let batches = batches(&chunk, jiff::Timestamp::UNIX_EPOCH, &mut index);
    assert_eq!(batches.len(), 1);
    let batch = Batch::decode(&batches[0].bytes).unwrap();
    assert_eq!(batch.events(), batches[0].events);
    batch
        .records()
        .map(|record| {
            let record = record.unwrap();
            record.read_index(&mut index).unwrap();
            identity(&batch.header.source, Event::new(record.text, &index))
        })
        .collect()
}

#[test]
fn overlapping_exports_give_the_same_identities() {
    let (one, other) = (identities(1..=20), identities(11..=30));
    assert_eq!(one[10..], other[..10]);
    assert!(one[..10].iter().all(|identity| !other.contains(identity)));
}

#[test]
fn batches_keep_to_their_limit() {
    let text = "x".repeat(crate::limits::FILE_BATCH_BYTES_MAX / 2);
    let rendered = Rendered::of_texts(&[&text, &text, &text, "<Event/>"]);
    let chunk = Chunk::new(0, &rendered);
    let batches = batches(&chunk, jiff::Timestamp::UNIX_EPOCH, &mut Index::new());
    let events: Vec<u32> = batches.iter().map(|batch| batch.events).collect();
    assert_eq!(events, [1, 1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to one chunk, the others are read, and a loss is named.
    #[test]
    fn flipped_bytes_cost_their_own_chunk_at_most(
        flips in prop::collection::vec((0usize..9_000, any::<u8>()), 1..40),
    ) {
        let mut bytes = three();
        for (at, value) in flips {
            bytes[SECOND + at] = value;
        }
        let outcome = read(&bytes).unwrap();
        let ids: BTreeSet<u64> = outcome.ids.iter().copied().collect();
        let others = (1..=10).chain(21..=30);
        prop_assert!(others.into_iter().all(|id| ids.contains(&id)));
        // A flipped id is another id, and nobody can tell.
        prop_assert!(outcome.ids.len() >= 30 || outcome.is_loss);
    }

    #[test]
    fn any_length_is_read_or_refused(len in 0usize..SECOND + 70_000) {
        let bytes = three();
        let len = len.min(bytes.len());
        match read(&bytes[..len]) {
            Ok(outcome) => prop_assert!(outcome.ids.len() == 30 || len <= 4096 || outcome.ids.len() % 10 == 0 || outcome.is_loss),
            Err(_) => prop_assert!(len < 4096),
        }
    }
}
