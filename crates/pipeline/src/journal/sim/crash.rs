//! Thousands of seeded lives of a journal, each ended by a power cut at a random operation.
//!
//! The oracle is exact: a journal that is opened again holds every entry that was
//! acknowledged, at its sequence, byte for byte, in order, and behind them at most entries
//! whose commit was under way; what is missing at the front is on record; every state is
//! that of the last entry that changed it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::journal::cursor::{self, CursorFile};
use crate::journal::log::{CommitError, Log};
use crate::journal::open;
use crate::journal::reader::Reader;
use crate::journal::scan::OnReadError;
use crate::journal::{
    Entry, GapReason, JournalOptions, Origin, Seq, Start, StateChange, WhenFull, offline,
};

/// What kind of world a seed lives in.
#[derive(Debug, Clone, Copy, Default)]
struct World {
    /// Of 1000: a write reaches the disk although nobody synced.
    early_writes: u32,
    /// Blocks that survive a power cut one by one; 0 for all or nothing.
    torn_block: u64,
    /// Bytes of the disk; 0 for no end.
    capacity: u64,
    /// Bytes of the journal's quota; 0 for no end.
    quota: u64,
    /// Of 10000: a read or write fails.
    io_errors: u32,
    /// Of 10000: a read returns a wrong byte.
    corrupt_reads: u32,
    failing_syncs: u32,
    lies: bool,
    drops: bool,
}

/// What was promised, and what was tried.
#[derive(Debug, Default)]
struct Book {
    seed: u64,
    life: u64,
    /// Everything acknowledged or found, by first sequence.
    promised: BTreeMap<Seq, Entry>,
    /// Bodies whose commit failed or was cut off.
    tried: Vec<Vec<u8>>,
    /// The cursor's last flushed and last moved position.
    flushed: Seq,
    moved: Seq,
    violations: Vec<String>,
    totals: Totals,
}

#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    commits: u64,
    opens: u64,
    full: u64,
    failed: u64,
    segments: u64,
    dropped: u64,
}

impl Book {
    fn next_seq(&self) -> Seq {
        self.promised
            .last_key_value()
            .map_or(1, |(first, entry)| first + Seq::from(entry.events))
    }

    fn state(&self) -> BTreeMap<String, Vec<u8>> {
        let mut state = BTreeMap::new();
        for change in self.promised.values().filter_map(|e| e.state.as_ref()) {
            match &change.value {
                Some(value) => state.insert(change.key.clone(), value.clone()),
                None => state.remove(&change.key),
            };
        }
        state
    }

    fn complain(&mut self, what: String) {
        self.violations
            .push(format!("seed {} life {}: {what}", self.seed, self.life));
    }

    /// Compares what an opened journal holds with what was promised.
    fn check(&mut self, log: &Log, world: World, faults: &Faults) {
        let found = read_all(log);
        if faults.is_off() {
            // Not everything could be read.
            return;
        }
        let found = match found {
            Ok(found) => found,
            Err(what) => return self.complain(what),
        };
        for (first_seq, events, body) in &found {
            match self.promised.get(first_seq) {
                Some(entry) if entry.body == *body && entry.events == *events => {}
                Some(_) => self.complain(format!("another entry at {first_seq}")),
                None if *first_seq == self.next_seq() && self.tried.contains(body) => {
                    self.promised.insert(*first_seq, parse(body, *events));
                }
                None => self.complain(format!("an entry at {first_seq} that nobody wrote")),
            }
        }
        let gaps = lock(&log.shared.catalog).gaps.clone();
        let held: BTreeMap<Seq, ()> = found.iter().map(|(first, _, _)| (*first, ())).collect();
        let missing: Vec<Seq> = self
            .promised
            .keys()
            .filter(|s| !held.contains_key(s))
            .copied()
            .collect();
        for seq in missing {
            match gaps
                .iter()
                .find(|g| (g.first_seq..=g.last_seq).contains(&seq))
                .map(|g| g.reason)
            {
                Some(GapReason::Dropped) if world.drops => {}
                Some(GapReason::Delivered) if seq <= self.moved => {}
                other => self.complain(format!(
                    "acknowledged entry at {seq} is gone, on record as {other:?}"
                )),
            }
        }
        let kept: BTreeMap<String, Vec<u8>> = lock(&log.shared.state)
            .with_prefix("k")
            .map(|(k, v)| (k.to_owned(), v.to_vec()))
            .collect();
        if kept != self.state() {
            self.complain(format!(
                "states are not those of the entries: {kept:?} and {:?}",
                self.state()
            ));
        }
        if log.next_seq != self.next_seq() {
            self.complain(format!(
                "next sequence is {}, not {}",
                log.next_seq,
                self.next_seq()
            ));
        }
        self.tried.clear();
    }
}

type Read = Vec<(Seq, u32, Vec<u8>)>;

fn read_all(log: &Log) -> Result<Read, String> {
    let shared = &log.shared;
    let mut reader = Reader::new(
        Arc::clone(&shared.disk),
        shared.dir().clone(),
        Arc::clone(&shared.catalog),
        0,
    );
    reader.on_read_error(OnReadError::Skip);
    let mut found = Vec::new();
    while let Some(frame) = reader.next().map_err(|e| format!("read: {e:?}"))? {
        if let Some(gap) = frame
            .gap
            .filter(|g| matches!(g.reason, GapReason::Damaged | GapReason::Missing))
        {
            return Err(format!("{gap:?}"));
        }
        found.extend(
            frame
                .entries
                .into_iter()
                .map(|e| (e.first_seq, e.events, e.body.to_vec())),
        );
    }
    let bad = reader.take_bad();
    if bad.is_empty() {
        Ok(found)
    } else {
        Err(format!("{bad:?}"))
    }
}

/// A body that tells its state, so that an entry can be told from its body alone.
fn entry(rng: &mut StdRng, number: u64) -> Entry {
    let key = format!("k{}", rng.random_range(0..4));
    let value = format!("v{number}");
    let kind = rng.random_range(0..4);
    let mut body = format!("{kind} {key} {value} ").into_bytes();
    let bytes = if rng.random_range(0..8) == 0 {
        rng.random_range(0..3000)
    } else {
        rng.random_range(0..200)
    };
    body.extend((0..bytes).map(|_| if kind == 3 { b'x' } else { rng.random() }));
    parse(&body, rng.random_range(1..5))
}

fn parse(body: &[u8], events: u32) -> Entry {
    let mut words = body
        .splitn(4, |b| *b == b' ')
        .map(|w| String::from_utf8_lossy(w).into_owned());
    let (kind, key, value) = (words.next(), words.next().unwrap(), words.next().unwrap());
    let state = match kind.as_deref() {
        Some("0") => None,
        Some("1") => Some(StateChange { key, value: None }),
        _ => Some(StateChange {
            key,
            value: Some(value.into_bytes()),
        }),
    };
    Entry {
        body: body.to_vec(),
        events,
        state,
    }
}

fn options(world: World, rng: &mut StdRng) -> JournalOptions {
    JournalOptions {
        segment_bytes: 1 << rng.random_range(12..15),
        quota_bytes: if world.quota > 0 {
            world.quota
        } else {
            64 << 20
        },
        reserved_bytes: 8 << 10,
        when_full: if world.drops {
            WhenFull::DropOldest
        } else {
            WhenFull::Block
        },
        keep_segments: rng.random_range(0..3),
        ..JournalOptions::new(PathBuf::from("/journal"))
    }
}

/// One run of the program, until it closes, gives up or the power goes.
fn live(book: &mut Book, world: World, last: bool) {
    let mut rng = StdRng::seed_from_u64(book.seed * 1000 + book.life);
    let mut faults = Faults::new(book.seed ^ book.life);
    faults.lies = world.lies;
    if !last {
        faults.left = AtomicI64::new(rng.random_range(1..400));
        faults.failing_syncs = world.failing_syncs;
    }
    let faults = Arc::new(faults);
    let attempts = if last { 20 } else { 1 };
    let opened = (0..attempts).find_map(|_| {
        open::open(
            Arc::new(SimDisk(Arc::clone(&faults))),
            options(world, &mut rng),
            0,
        )
        .ok()
    });
    let Some(mut log) = opened.map(|o| o.log) else {
        if last {
            book.complain("cannot be opened".into());
        }
        return;
    };
    book.totals.opens += 1;
    // A journal that is opened without power may have failed to read itself.
    if faults.is_off() {
        return;
    }
    book.check(&log, world, &faults);
    if faults.is_off() {
        return;
    }
    let cursor = cursor::open_file(&log.shared, "sink", Start::Oldest).ok();
    if let Some(cursor) = &cursor {
        check_cursor(book, cursor, world);
    }
    if !last {
        work(book, &mut log, cursor.as_deref(), &mut rng, &faults);
    }
    if last && world.capacity > 0 && !world.drops {
        resume(book, &mut log, cursor.as_deref(), &mut rng);
        // What no start could seal on the full disk is vouched for by the next seal.
        log.close(3);
    }
    if last && world.io_errors == 0 && world.corrupt_reads == 0 {
        let proof = offline::verify_on(&SimDisk(Arc::clone(&faults)), "/journal");
        match proof.map(|report| report.first_problem().map(ToString::to_string)) {
            Ok(None) => {}
            other => book.complain(format!("not proved: {other:?}")),
        }
    }
    book.totals.segments += log.next_number;
    book.totals.dropped += log.shared.metrics.dropped_events.get();
}

fn check_cursor(book: &mut Book, cursor: &CursorFile, world: World) {
    let position = cursor.position();
    if world.corrupt_reads == 0 && !(book.flushed..=book.moved).contains(&position) {
        book.complain(format!(
            "cursor at {position}, flushed {}, moved {}",
            book.flushed, book.moved
        ));
    }
    book.flushed = position;
    book.moved = position;
}

fn work(
    book: &mut Book,
    log: &mut Log,
    cursor: Option<&CursorFile>,
    rng: &mut StdRng,
    faults: &Faults,
) {
    for step in 0..rng.random_range(1..120) {
        if faults.is_off() {
            return;
        }
        match rng.random_range(0..12) {
            0 => {
                let Some(cursor) = cursor else { continue };
                let to = rng.random_range(book.moved..=book.next_seq() - 1);
                cursor.move_to(to);
                book.moved = to;
                if cursor.flush().is_ok() {
                    book.flushed = to;
                }
            }
            1 => drop(log.retire(step)),
            2 => log.prepare(),
            3 if rng.random_range(0..8) == 0 => return log.close(step),
            _ => append(book, log, rng, step),
        }
    }
}

/// Once every sink has everything, a full disk is full no longer.
fn resume(book: &mut Book, log: &mut Log, cursor: Option<&CursorFile>, rng: &mut StdRng) {
    let Some(cursor) = cursor else {
        return book.complain("no cursor".into());
    };
    // As much as it takes, of our own too, which give the ballast away.
    let mut more = 200;
    let mut full = book.totals.full;
    while more > 0 && book.totals.full < full + 4 {
        append(book, log, rng, 1);
        more -= 1;
    }
    cursor.move_to(book.next_seq() - 1);
    book.moved = book.next_seq() - 1;
    if cursor.flush().is_err() {
        return book.complain("cursor cannot be moved on a full disk".into());
    }
    full = book.totals.full;
    append(book, log, rng, 2);
    if book.totals.full > full {
        book.complain("full although everything is delivered".into());
    }
}

fn append(book: &mut Book, log: &mut Log, rng: &mut StdRng, at_us: i64) {
    let number = book.totals.commits;
    let entries: Vec<Entry> = (0..rng.random_range(1..4))
        .map(|i| entry(rng, number * 10 + i))
        .collect();
    let origin = match rng.random_range(0..4) {
        0 => Origin::Own,
        _ => Origin::Source,
    };
    let group: Vec<_> = entries.iter().map(|e| (e, origin)).collect();
    match log.commit(&group, at_us) {
        Ok(mut first_seq) => {
            if first_seq != book.next_seq() {
                book.complain(format!("{first_seq} was given for {}", book.next_seq()));
            }
            for entry in entries {
                let end = first_seq + Seq::from(entry.events);
                book.promised.insert(first_seq, entry);
                first_seq = end;
            }
        }
        Err(error) => {
            match error {
                CommitError::Full => book.totals.full += 1,
                CommitError::Failed(_) => book.totals.failed += 1,
            }
            book.tried.extend(entries.into_iter().map(|e| e.body));
        }
    }
    book.totals.commits += 1;
}

fn live_once(book: &Mutex<Book>, world: World, lives: u64) {
    let mut book = lock(book);
    let last = book.life == lives;
    live(&mut book, world, last);
    book.life += 1;
}

/// Lets a seed live several lives with a power cut after each.
fn run(seed: u64, world: World) -> Book {
    let book = Arc::new(Mutex::new(Book {
        seed,
        ..Book::default()
    }));
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(seed);
    builder.simulation_duration(std::time::Duration::from_secs(60));
    let fs = builder.fs();
    fs.sync_probability(f64::from(world.early_writes) / 1000.0);
    fs.io_error_probability(f64::from(world.io_errors) / 10_000.0);
    fs.corruption_probability(f64::from(world.corrupt_reads) / 10_000.0);
    if world.torn_block > 0 {
        fs.block_size(world.torn_block);
    }
    if world.capacity > 0 {
        fs.capacity(world.capacity);
    }
    let mut sim = builder.build();
    let lives = 2 + seed % 4;
    let host_book = Arc::clone(&book);
    sim.host("disk", move || {
        let book = Arc::clone(&host_book);
        async move {
            live_once(&book, world, lives);
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    for _ in 0..=lives {
        sim.step().unwrap();
        sim.crash("disk");
        sim.bounce("disk");
    }
    drop(sim);
    Arc::try_unwrap(book)
        .map(|b| b.into_inner().unwrap())
        .unwrap_or_else(|_| panic!("the host still holds the book"))
}

/// How many seeds each world gets; `WINDROW_SIM_SEEDS` asks for more.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn seeds() -> u64 {
    std::env::var("WINDROW_SIM_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300)
}

fn totals(world: World) -> (Totals, Vec<String>) {
    let mut sum = Totals::default();
    let mut violations = Vec::new();
    for seed in 0..seeds() {
        let book = run(seed, world);
        violations.extend(book.violations);
        sum.commits += book.totals.commits;
        sum.opens += book.totals.opens;
        sum.full += book.totals.full;
        sum.failed += book.totals.failed;
        sum.segments += book.totals.segments;
        sum.dropped += book.totals.dropped;
    }
    (sum, violations)
}

fn holds(world: World) -> Totals {
    let (sum, violations) = totals(world);
    assert!(
        violations.is_empty(),
        "{world:?}, {sum:?}: {} violations, the first: {:#?}",
        violations.len(),
        &violations[..violations.len().min(5)]
    );
    assert!(sum.commits > 0 && sum.opens > 0);
    sum
}

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts() {
    holds(World::default());
}

#[test]
fn nothing_acknowledged_is_lost_when_writes_reach_the_disk_early_and_in_part() {
    holds(World {
        early_writes: 300,
        torn_block: 512,
        ..World::default()
    });
}

#[test]
fn nothing_acknowledged_is_lost_on_a_full_disk() {
    let sum = holds(World {
        torn_block: 512,
        capacity: 60_000,
        ..World::default()
    });
    assert!(sum.full > 0);
}

#[test]
fn nothing_acknowledged_is_lost_under_a_quota() {
    let sum = holds(World {
        torn_block: 512,
        quota: 64 << 10,
        ..World::default()
    });
    assert!(sum.full > 0);
}

#[test]
fn what_a_quota_drops_is_on_record() {
    let sum = holds(World {
        torn_block: 512,
        quota: 64 << 10,
        drops: true,
        ..World::default()
    });
    assert!(sum.dropped > 0);
    assert_eq!(sum.full, 0);
}

#[test]
fn what_is_dropped_is_on_record() {
    let sum = holds(World {
        torn_block: 4096,
        capacity: 60_000,
        drops: true,
        ..World::default()
    });
    assert!(sum.dropped > 0);
}

#[test]
fn nothing_acknowledged_is_lost_when_reads_writes_and_syncs_fail() {
    let sum = holds(World {
        torn_block: 512,
        io_errors: 20,
        failing_syncs: 30,
        ..World::default()
    });
    assert!(sum.failed > 0);
}

#[test]
fn a_wrong_byte_that_was_only_read_wrong_is_read_again() {
    holds(World {
        corrupt_reads: 20,
        ..World::default()
    });
}

#[test]
fn a_failed_sync_leaves_a_journal_that_can_be_proved() {
    let sum = holds(World {
        torn_block: 512,
        early_writes: 100,
        failing_syncs: 60,
        ..World::default()
    });
    assert!(sum.failed > 0);
}

/// The control: were it not for the syncs, the oracle would say so.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let (_, violations) = totals(World {
        lies: true,
        ..World::default()
    });
    assert!(!violations.is_empty());
    let (_, violations) = totals(World {
        lies: true,
        early_writes: 300,
        torn_block: 512,
        ..World::default()
    });
    assert!(!violations.is_empty());
}
