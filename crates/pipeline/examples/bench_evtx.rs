//! CPU seconds per million records for reading EVTX files into batches.
//!
//! ```sh
//! cargo run --release -p windrow-pipeline --example bench_evtx [FILE…]
//! ```
//!
//! Without files it takes those of the corpus (`WINDROW_CORPUS`), if that is at hand.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};
use windrow_formats::event::Index;
use windrow_pipeline::sources::evtx::{EvtxFile, batches};

/// Each measurement goes over the files until it has this many records.
const RECORDS: u64 = 300_000;

fn main() {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths = corpus();
    }
    if paths.is_empty() {
        println!("no EVTX files given, none measured");
        return;
    }
    println!("{} files", paths.len());
    let mut index = Index::new();
    report("evtx: survey", &paths, |path| {
        black_box(EvtxFile::open(path).unwrap().bytes());
        0
    });
    report("evtx: and XML", &paths, |path| {
        let mut file = EvtxFile::open(path).unwrap();
        let mut bytes = 0;
        while let Some(chunk) = file.next_chunk().unwrap() {
            bytes += chunk
                .records()
                .map(|record| record.text.len())
                .sum::<usize>();
        }
        bytes
    });
    report("evtx: and parsed batches", &paths, |path| {
        let mut file = EvtxFile::open(path).unwrap();
        let mut bytes = 0;
        while let Some(chunk) = file.next_chunk().unwrap() {
            let batches = batches(&chunk, jiff::Timestamp::UNIX_EPOCH, &mut index);
            bytes += batches.iter().map(|batch| batch.bytes.len()).sum::<usize>();
        }
        bytes
    });
}

fn report(what: &str, paths: &[PathBuf], mut read: impl FnMut(&PathBuf) -> usize) {
    let all = paths.iter().map(|path| count(path)).sum::<u64>();
    let rounds = RECORDS.div_ceil(all.max(1));
    let mut best = f64::MAX;
    let mut bytes = 0;
    for _ in 0..3 {
        let start = cpu_seconds();
        for _ in 0..rounds {
            bytes = paths.iter().map(&mut read).sum();
        }
        best = best.min(cpu_seconds() - start);
    }
    let per_million = best / (rounds * all) as f64 * 1e6;
    println!(
        "{per_million:6.3} s per million  {what} ({} bytes a record)",
        bytes as u64 / all
    );
}

fn count(path: &Path) -> u64 {
    let mut file = EvtxFile::open(path).unwrap();
    let mut records = 0;
    while let Some(chunk) = file.next_chunk().unwrap() {
        records += chunk.records().len() as u64;
    }
    records
}

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn corpus() -> Vec<PathBuf> {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let Ok(files) = std::fs::read_dir(root.join("evtx")) else {
        return Vec::new();
    };
    files.map(|file| file.unwrap().path()).collect()
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
