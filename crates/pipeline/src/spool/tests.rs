use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use windrow_formats::batch::file::{Content, FileClass, FileId, FileReference};
use windrow_formats::batch::{Header, Kind};

use super::*;
use crate::journal::sim::{Faults, SimDisk};
use crate::journal::storage::{Memory, Os};
use crate::journal::{Journal, JournalOptions, Start, StateChange};

const DIR: &str = "/spool";

fn open(disk: &Memory, quota: u64, done: Seq, referred: &[(PieceId, Seq)]) -> Spool {
    let referred = referred.iter().copied().collect();
    Spool::open(Arc::new(disk.clone()), DIR, quota, done, || Ok(referred)).unwrap()
}

fn names(disk: &Memory) -> Vec<String> {
    disk.list(Path::new(DIR)).unwrap()
}

#[test]
fn what_is_referred_to_stays_until_all_have_it() {
    let disk = Memory::default();
    let spool = open(&disk, 1 << 20, 0, &[]);
    let (first, second) = (spool.put(b"one").unwrap(), spool.put(b"two").unwrap());
    spool.refer(first.id, 7);
    assert_eq!(spool.read(&first).unwrap(), b"one");
    assert_eq!(
        spool.read(&second).unwrap(),
        b"two",
        "before it is referred to, too"
    );
    spool.refer(second.id, 8);
    spool.sweep(7);
    assert!(matches!(spool.read(&first), Err(PieceError::Missing(_))));
    assert_eq!(spool.read(&second).unwrap(), b"two");
    assert_eq!(spool.filling().held_bytes, SPOOL_BLOCK_BYTES);
    assert_eq!(names(&disk), [referred_name(second.id, 8)]);
}

#[test]
fn a_start_finds_what_is_referred_to_and_removes_the_rest() {
    let disk = Memory::default();
    let spool = open(&disk, 1 << 20, 0, &[]);
    let pieces: Vec<Piece> = (0..4).map(|n| spool.put(&[n; 10]).unwrap()).collect();
    spool.refer(pieces[0].id, 3);
    spool.refer(pieces[1].id, 4);
    // The third was referred to when the power went, the last one was not.
    let spool = open(&disk, 1 << 20, 3, &[(pieces[2].id, 5)]);
    assert_eq!(spool.filling().pieces, 2);
    assert!(matches!(
        spool.read(&pieces[0]),
        Err(PieceError::Missing(_))
    ));
    assert_eq!(spool.read(&pieces[1]).unwrap(), [1; 10]);
    assert_eq!(spool.read(&pieces[2]).unwrap(), [2; 10]);
    // Names say all now: nobody has to be asked.
    let again = Spool::open(Arc::new(disk), DIR, 1 << 20, 4, || panic!("asked")).unwrap();
    assert_eq!(again.filling().pieces, 1);
    assert_eq!(again.read(&pieces[2]).unwrap(), [2; 10]);
}

#[test]
fn a_full_spool_takes_no_more_until_something_is_taken_from_it() {
    let disk = Memory::default();
    let spool = open(&disk, 5 * SPOOL_BLOCK_BYTES, 0, &[]);
    assert_eq!(spool.piece_bytes_max() as u64, 5 * SPOOL_BLOCK_BYTES / 4);
    let pieces: Vec<Piece> = (0..5).map(|_| spool.put(b"x").unwrap()).collect();
    let error = spool.put(b"y").unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(names(&disk).len(), 5);
    spool.refer(pieces[0].id, 1);
    spool.sweep(1);
    let sixth = spool.put(b"y").unwrap();
    assert!(spool.put(b"z").is_err());
    spool.discard(sixth.id);
    spool.put(b"z").unwrap();
    let too_large = spool.put(&vec![0; spool.piece_bytes_max() + 1]);
    assert!(matches!(too_large, Err(SpoolError::TooLarge { .. })));
}

#[test]
fn other_bytes_than_were_put_there_are_damage() {
    let disk = Memory::default();
    let spool = open(&disk, 1 << 20, 0, &[]);
    let piece = spool.put(b"four").unwrap();
    for wrong in [&b"fouR"[..], b"fou", b"four5", b""] {
        let path = Path::new(DIR).join(new_name(piece.id));
        disk.put(&path, wrong.to_vec());
        assert!(
            matches!(spool.read(&piece), Err(PieceError::Damaged(_))),
            "{wrong:?}"
        );
    }
    disk.remove(&Path::new(DIR).join(new_name(piece.id)))
        .unwrap();
    assert!(matches!(spool.read(&piece), Err(PieceError::Missing(_))));
}

#[test]
fn names_of_others_are_left_alone() {
    let disk = Memory::default();
    let id = PieceId([0xab; 16]);
    let foreign = ["a.txt", ".new", "AB.new", "xy-12.piece", "-.piece"];
    let upper = new_name(id).to_uppercase().replace(".NEW", NEW);
    for name in foreign.iter().copied().chain([upper.as_str()]) {
        disk.put(&Path::new(DIR).join(name), b"x".to_vec());
    }
    let spool = open(&disk, 1 << 20, u64::MAX, &[]);
    assert_eq!((spool.filling().pieces, names(&disk).len()), (0, 6));
    assert_eq!(named(&new_name(id)), Some((id, None)));
    assert_eq!(named(&referred_name(id, 77)), Some((id, Some(77))));
}

pub(crate) fn reference(offset: u64) -> FileReference {
    FileReference {
        class: FileClass::Text,
        site: None,
        path: "a.log".to_owned(),
        file: FileId([1; 16]),
        offset,
        content: Content::Dropped { bytes: 0 },
        lines: None,
        whole: None,
        modified_at: None,
    }
}

fn header() -> Header {
    Header {
        kind: Kind::File,
        source: "web".to_owned(),
        address: None,
        subscription: Some("iis".to_owned()),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

fn state(value: u64) -> StateChange {
    StateChange {
        key: "dir/a".to_owned(),
        value: Some(value.to_le_bytes().to_vec()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_says_what_is_referred_to_and_done() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("spool");
    let open = || {
        let options = JournalOptions::new(folder.path().join("journal"));
        let (journal, _) = Journal::open(options).unwrap();
        Keeper::open(journal, Arc::new(Os), &dir, 1 << 20).unwrap()
    };
    let keeper = open();
    let cursor = keeper.journal().cursor("sink", Start::Oldest).unwrap();
    let mut kept = Vec::new();
    for offset in 0..3 {
        let mut reference = reference(offset);
        let bytes = offset.to_le_bytes();
        let seq = keeper
            .keep(&header(), &mut reference, &bytes, state(offset))
            .await
            .unwrap();
        let Content::Kept(piece) = reference.content else {
            panic!()
        };
        kept.push((seq, piece, bytes));
    }
    // As a crash before the last step leaves it, and one before the second.
    let (seq, piece, _) = kept[2];
    fs_err::rename(
        dir.join(referred_name(piece.id, seq)),
        dir.join(new_name(piece.id)),
    )
    .unwrap();
    fs_err::write(dir.join(new_name(PieceId([9; 16]))), b"lost").unwrap();
    cursor.advance(kept[0].0);
    keeper.journal().clone().close().await;
    drop((keeper, cursor));

    let keeper = open();
    assert_eq!(keeper.journal().done_seq(), kept[0].0);
    assert_eq!(keeper.spool().filling().pieces, 2);
    for (_, piece, bytes) in &kept[1..] {
        assert_eq!(keeper.spool().read(piece).unwrap(), bytes);
    }
    assert_eq!(
        keeper.journal().state("dir/a"),
        Some(2_u64.to_le_bytes().to_vec())
    );
    let mut last = std::pin::pin!(keeper.journal().read_after(kept[1].0));
    let frame = last.next().unwrap().unwrap();
    assert_eq!(
        (frame.entries.len(), frame.entries[0].first_seq),
        (1, kept[2].0)
    );
    assert!(last.next().is_none());
}

/// What a spool was promised to keep, over several lives.
#[derive(Debug, Default)]
struct Book {
    /// The model of the journal, which has what it has at once: sequence, piece, bytes.
    journal: BTreeMap<Seq, (Piece, Vec<u8>)>,
    done: Seq,
    puts: u64,
    cuts: u64,
}

fn live(book: &mut Book, seed: u64, life: u64, is_last: bool) {
    let mut rng = StdRng::seed_from_u64(seed * 100 + life);
    let mut faults = Faults::new(seed);
    if !is_last {
        faults = faults.cut_after(rng.random_range(1..60));
    }
    let faults = Arc::new(faults);
    let disk = Arc::new(SimDisk(Arc::clone(&faults)));
    let referred = || {
        Ok((book.journal.iter())
            .map(|(seq, (piece, _))| (piece.id, *seq))
            .collect())
    };
    let Ok(spool) = Spool::open(disk.clone(), DIR, 1 << 20, book.done, referred) else {
        assert!(faults.is_off(), "seed {seed} life {life}: cannot be opened");
        return;
    };
    if faults.is_off() {
        return;
    }
    for (seq, (piece, bytes)) in book.journal.range(book.done + 1..) {
        match spool.read(piece) {
            Ok(read) => assert_eq!(read, *bytes),
            Err(_) if faults.is_off() => return,
            Err(error) => panic!("seed {seed} life {life}: {seq} of {:?}: {error}", book.done),
        }
    }
    if is_last {
        let waiting = book.journal.range(book.done + 1..).count();
        assert_eq!(
            spool.filling().pieces,
            waiting,
            "seed {seed}: something is kept for ever"
        );
        let files = disk.list(Path::new(DIR)).unwrap();
        assert_eq!(files.len(), waiting, "seed {seed}: {files:?}");
        return;
    }
    for _ in 0..rng.random_range(1..40) {
        match rng.random_range(0..6) {
            0 => {
                let last = book.journal.last_key_value().map_or(0, |(seq, _)| *seq);
                book.done = rng.random_range(book.done..=last.max(book.done));
                spool.sweep(book.done);
            }
            step => {
                let mut bytes = vec![0; rng.random_range(0..9000)];
                rng.fill(&mut bytes[..]);
                let Ok(piece) = spool.put(&bytes) else {
                    continue;
                };
                book.puts += 1;
                match step {
                    1 => spool.discard(piece.id),
                    // The journal did not say whether it has it, and it has not.
                    2 => {}
                    _ => {
                        let seq = book.journal.last_key_value().map_or(1, |(seq, _)| seq + 1);
                        book.journal.insert(seq, (piece, bytes));
                        spool.refer(piece.id, seq);
                    }
                }
            }
        }
        if faults.is_off() {
            book.cuts += 1;
            return;
        }
    }
}

const LIVES: u64 = 5;

fn live_once(book: &Mutex<(Book, u64)>, seed: u64) {
    let (book, life) = &mut *book.lock().unwrap();
    live(book, seed, *life, *life == LIVES);
    *life += 1;
}

/// Lives that a power cut ends at any operation of the disk.
#[test]
fn no_power_cut_loses_or_keeps_too_much() {
    let mut cuts = 0;
    for seed in 0..200 {
        let book = Arc::new(Mutex::new((Book::default(), 0)));
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(seed);
        let fs = builder.fs();
        fs.sync_probability([0.0, 0.5][usize::try_from(seed % 2).unwrap()]);
        let mut sim = builder.build();
        let host_book = Arc::clone(&book);
        sim.host("disk", move || {
            let book = Arc::clone(&host_book);
            async move {
                live_once(&book, seed);
                std::future::pending::<()>().await;
                Ok(())
            }
        });
        for _ in 0..=LIVES {
            sim.step().unwrap();
            sim.crash("disk");
            sim.bounce("disk");
        }
        drop(sim);
        let (book, life) = &*book.lock().unwrap();
        assert_eq!(*life, LIVES + 1, "seed {seed}: every life was lived");
        cuts += book.cuts;
    }
    assert!(cuts > 200, "power cuts while at work");
}
