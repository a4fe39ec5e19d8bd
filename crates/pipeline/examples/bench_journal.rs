//! CPU seconds per million events for making them durable and for reading them back, with
//! what the disk did: events and synchronous writes per second.
//!
//! ```sh
//! cargo run --release -p windrow-pipeline --example bench_journal [DIR]
//! ```
//!
//! Eight producers append batches of 50 events of 1.5 kB and wait for each to be durable, as
//! 8 connections do. The folder should be on the disk in question; without one a temporary
//! folder beside the build is used.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use windrow_pipeline::journal::{Entry, Journal, JournalOptions, Start, offline};

const PRODUCERS: u64 = 8;
const BATCH_EVENTS: u64 = 50;
const BATCHES: u64 = 500;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let kept = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(|| kept.path().to_owned(), PathBuf::from);
    let batches = make_batches();
    let raw: usize = batches.iter().map(Vec::len).sum();
    println!(
        "{PRODUCERS} producers, batches of {BATCH_EVENTS} events of {} bytes",
        raw / batches.len() / BATCH_EVENTS as usize
    );
    let mut best = Best::default();
    for round in 0..ROUNDS {
        let dir = root.join(format!("bench-journal-{round}"));
        std::fs::create_dir_all(&dir).unwrap();
        runtime.block_on(measure(&dir, &batches, &mut best));
        std::fs::remove_dir_all(&dir).unwrap();
    }
    println!(
        "  {:.0} events/s, {:.0} syncs/s, {:.2} batches a frame",
        best.events_per_s, best.syncs_per_s, best.batches_per_frame
    );
    println!(
        "  {:.1} MB/s stored, {:.2} bytes stored a byte",
        best.stored_mb_per_s, best.stored_per_byte
    );
    println!("  {:6.3} s per million  append, durable", best.append);
    println!(
        "  {:6.3} s per million  append and follow with one sink",
        best.follow
    );
    println!("  {:6.3} s per million  read from disk", best.read);
    println!("  {:6.3} s per million  prove", best.prove);
}

#[derive(Default)]
struct Best {
    append: f64,
    follow: f64,
    read: f64,
    prove: f64,
    events_per_s: f64,
    syncs_per_s: f64,
    batches_per_frame: f64,
    stored_mb_per_s: f64,
    stored_per_byte: f64,
}

impl Best {
    fn least(best: &mut f64, now: f64) {
        *best = if *best == 0.0 { now } else { best.min(now) };
    }
}

async fn measure(dir: &Path, batches: &[Vec<u8>], best: &mut Best) {
    let (journal, _) = Journal::open(JournalOptions::new(dir.join("append"))).unwrap();
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    append_all(&journal, batches).await;
    let seconds = wall.elapsed().as_secs_f64();
    Best::least(&mut best.append, (cpu_seconds() - cpu) / millions());
    let metrics = journal.metrics();
    if millions() * 1e6 / seconds > best.events_per_s {
        best.events_per_s = millions() * 1e6 / seconds;
        best.syncs_per_s = metrics.fsyncs.get() as f64 / seconds;
        best.batches_per_frame = (PRODUCERS * BATCHES) as f64 / metrics.frames.get() as f64;
        best.stored_mb_per_s = metrics.bytes.get() as f64 / seconds / 1e6;
        best.stored_per_byte = metrics.bytes.get() as f64 / metrics.raw_bytes.get() as f64;
    }
    journal.close().await;

    let cpu = cpu_seconds();
    let read: u64 = offline::read(dir.join("append"), 0)
        .unwrap()
        .map(|f| events(&f.unwrap()))
        .sum();
    assert_eq!(read, PRODUCERS * BATCHES * BATCH_EVENTS);
    Best::least(&mut best.read, (cpu_seconds() - cpu) / millions());

    let cpu = cpu_seconds();
    assert!(offline::verify(dir.join("append")).unwrap().is_intact());
    Best::least(&mut best.prove, (cpu_seconds() - cpu) / millions());

    let (journal, _) = Journal::open(JournalOptions::new(dir.join("follow"))).unwrap();
    let mut cursor = journal.cursor("bench", Start::Oldest).unwrap();
    let cpu = cpu_seconds();
    let sink = tokio::spawn(async move {
        let mut read = 0;
        while read < PRODUCERS * BATCHES * BATCH_EVENTS {
            let frame = cursor.next().await.unwrap().unwrap();
            read += events(&frame);
            cursor.advance(frame.end_seq - 1);
        }
    });
    append_all(&journal, batches).await;
    sink.await.unwrap();
    Best::least(&mut best.follow, (cpu_seconds() - cpu) / millions());
    journal.close().await;
}

fn events(frame: &windrow_pipeline::journal::Frame) -> u64 {
    frame
        .entries
        .iter()
        .map(|entry| u64::from(entry.events))
        .sum()
}

async fn append_all(journal: &Journal, batches: &[Vec<u8>]) {
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let journal = journal.clone();
        let own: Vec<Vec<u8>> = batches
            .iter()
            .skip(producer as usize)
            .step_by(PRODUCERS as usize)
            .cloned()
            .collect();
        tasks.spawn(async move {
            for i in 0..BATCHES {
                let body = own[i as usize % own.len()].clone();
                journal
                    .append(Entry {
                        body,
                        events: BATCH_EVENTS as u32,
                        state: None,
                    })
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

fn millions() -> f64 {
    (PRODUCERS * BATCHES * BATCH_EVENTS) as f64 / 1e6
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Batches of logons that differ where logons differ.
fn make_batches() -> Vec<Vec<u8>> {
    (0..64_u64)
        .map(|batch| {
            (0..BATCH_EVENTS)
                .map(|i| event(batch * BATCH_EVENTS + i))
                .collect::<String>()
                .into_bytes()
        })
        .collect()
}

fn event(number: u64) -> String {
    // Multiplying by an odd constant scatters without a random generator.
    let scattered = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut out = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-03-14T13:{:02}:{:02}.{:07}Z'/>\
         <EventRecordID>{number}</EventRecordID><Correlation ActivityID='{{{:08x}-7611-0000-bca5-73b01176da01}}'/>\
         <Execution ProcessID='780' ThreadID='{}'/><Channel>Security</Channel>\
         <Computer>WKS{:05}.corp.example</Computer><Security/></System><EventData>",
        number / 60 % 60,
        number % 60,
        scattered % 10_000_000,
        scattered >> 32,
        scattered % 10_000,
        number / BATCH_EVENTS,
    );
    for field in 0..14 {
        let value = scattered.rotate_left(field * 5);
        let _ = match field % 3 {
            0 => write!(
                out,
                "<Data Name='Field{field}'>user{:05}</Data>",
                value % 5000
            ),
            1 => write!(
                out,
                "<Data Name='Field{field}'>S-1-5-21-1604529354-1295832394-4197355770-{}</Data>",
                value % 5000
            ),
            _ => write!(
                out,
                "<Data Name='Field{field}'>0x{:x}</Data>",
                value % 0xFFFF_FFFF
            ),
        };
    }
    out.push_str("</EventData></Event>");
    out
}
